"""Upkeep: recovery after crashes, roll-up, integrity checks, clearing what power loss leaves."""

from __future__ import annotations

from dataclasses import dataclass

from gittrack.api.project import Project
from gittrack.errors import RunActiveError, RunNotFoundError
from gittrack.git import health
from gittrack.store.integrity import Finding, check
from gittrack.store.live import live_ids
from gittrack.store.recovery import Recovery, recover_runs, remove_unfinished, restore_lost, unfinished_folders
from gittrack.store.rollup import RollUp, roll_up

__all__ = [
    "Finding",
    "Recovery",
    "Repair",
    "RollUp",
    "doctor",
    "fsck",
    "recover",
    "recover_one",
    "roll_up_now",
]

STALE_LOCK_SECONDS = 600


def recover(project: Project) -> list[Recovery]:
    """Finish live runs whose processes are dead; what every command does first.

    Returns:
        One result per live run that is not alive; empty in the ordinary case.
    """
    if not live_ids(project.layout):
        return []
    return [result for result in recover_runs(project.repo, project.layout) if result.outcome != "alive"]


def recover_one(project: Project, address: str, *, force: bool = False) -> Recovery:
    """Finish one live run.

    Args:
        project: where.
        address: id or unique prefix of a live run.
        force: also when its process runs on another host and cannot be asked.

    Raises:
        RunNotFoundError: no live run of that id.
        RunActiveError: its process lives.
    """
    matches = [id for id in live_ids(project.layout) if id.startswith(address)]
    if len(matches) != 1:
        raise RunNotFoundError(f"{len(matches)} live runs are '{address[:80]}'", hint="gittrack ls")
    results = recover_runs(project.repo, project.layout, matches[0], force=force)
    if not results:
        raise RunNotFoundError(f"live run '{address[:80]}' is gone", hint="gittrack ls")
    if results[0].outcome == "alive":
        raise RunActiveError(f"run {matches[0]} is being written", hint="end its process first")
    return results[0]


def fsck(project: Project) -> list[Finding]:
    """Read everything that is stored and report what is wrong; changes nothing."""
    return check(project.repo, project.layout)


@dataclass(frozen=True, slots=True)
class Repair:
    """One thing that doctor did, or would do with ``dry_run``."""

    what: str
    where: str


def doctor(project: Project, *, dry_run: bool = False) -> list[Repair]:
    """Clear what crashes and power loss leave behind, and make again what can be made again.

    Empty ref files (git's own fetch and gc die of them), stale locks below ``refs/runs``, empty loose objects, folders
    of runs that never began, lost objects and refs of runs that are not rolled up yet, live runs of dead processes.

    Args:
        project: where.
        dry_run: only say what would be done.
    """
    repo, layout = project.repo, project.layout
    refs = health.zero_length_refs(repo)
    locks = health.stale_locks(repo, "refs/runs", STALE_LOCK_SECONDS)
    objects = health.empty_loose_objects(repo)
    folders = unfinished_folders(layout)
    repairs = [Repair("remove an empty ref file", str(path)) for path in refs]
    repairs += [Repair("remove a stale lock", str(path)) for path in locks]
    repairs += [Repair("remove an empty object", str(path)) for path in objects]
    repairs += [Repair("remove a run that never began", folder) for folder in folders]
    if dry_run:
        return repairs
    for path in [*refs, *locks, *objects]:
        path.unlink(missing_ok=True)
    remove_unfinished(layout)
    restored = restore_lost(repo, layout)
    repairs += [Repair("made a lost run again", f"run {id} (commit {commit[:12]})") for id, commit in restored]
    for result in recover_runs(repo, layout):
        if result.outcome == "recovered":
            repairs.append(Repair("finished a crashed run", f"run {result.id}"))
    return repairs


def roll_up_now(project: Project) -> RollUp:
    """Roll the inbox up into this month's local ledger, waiting for another process that is at it."""
    return roll_up(project.repo, project.layout, project.author, project.now(), wait=True)

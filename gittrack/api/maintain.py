"""Upkeep: recovery after crashes, roll-up, integrity checks, clearing what power loss leaves."""

from __future__ import annotations

from collections.abc import Iterator

from gittrack.api.project import Project
from gittrack.api.recovering import recover
from gittrack.core.records import ArtifactEntry
from gittrack.errors import AmbiguousError, GittrackError, RunActiveError, RunNotFoundError
from gittrack.frozen import dataclass
from gittrack.git.ref_locks import format_seconds, gits_at_work, lock_hint, ref_locks
from gittrack.store.catalog import read_catalog
from gittrack.store.integrity import Finding, check
from gittrack.store.leftovers import Leftover, find_leftovers, remove_leftovers
from gittrack.store.live import live_ids
from gittrack.store.publish import drop_stale_holds
from gittrack.store.recovery import Recovery, recover_runs, restore
from gittrack.store.rollup import RollUp, roll_up
from gittrack.store.run_reader import read_record

__all__ = [
    "Finding",
    "HeldLock",
    "Inspection",
    "Recovery",
    "Repair",
    "RollUp",
    "doctor",
    "fsck",
    "held_locks",
    "inspect",
    "recover",
    "recover_one",
    "roll_up_now",
]

COPYING_SECONDS = 86_400
_LASTING_SECONDS = 1.0
"""A lock is held for milliseconds: a younger one is nothing to tell."""


def recover_one(project: Project, address: str, *, force: bool = False) -> Recovery:
    """Finish one live run.

    Args:
        project: where.
        address: id or unique prefix of a live run.
        force: also when its process runs on another host and cannot be asked.

    Raises:
        RunNotFoundError: no live run of that id.
        AmbiguousError: several.
        RunActiveError: its process lives.
    """
    matches = [id for id in live_ids(project.layout) if id.startswith(address)]
    if not matches:
        raise RunNotFoundError(f"no live run is '{address[:80]}'", hint="gittrack ls")
    if len(matches) > 1:
        raise AmbiguousError(f"'{address[:80]}' matches {len(matches)} live runs", matches=matches, hint="gittrack ls")
    results = recover_runs(project.repo, project.layout, matches[0], force=force)
    if not results:
        raise RunNotFoundError(f"live run '{address[:80]}' is gone", hint="gittrack ls")
    if results[0].outcome == "alive":
        raise RunActiveError(f"run {matches[0]} is being written", hint="end its process first")
    return results[0]


@dataclass(frozen=True, slots=True)
class HeldLock:
    """A lock on refs that stands in the way of pushes, fetches and roll-ups: ``advice`` says what helps.

    Attributes:
        path: of the file.
        age: seconds since it was made.
        advice: a command, with the words around it.
    """

    path: str
    age: float
    advice: str

    @property
    def shown_age(self) -> str:
        """``8 s``, ``10 min``."""
        return format_seconds(self.age)


def held_locks(project: Project) -> list[HeldLock]:
    """The locks on refs that are there for longer than any git needs one."""
    found = [lock for lock in ref_locks(project.repo.common_dir) if lock.age >= _LASTING_SECONDS]
    gits = gits_at_work(project.repo.common_dir) if found else None
    return [HeldLock(str(lock.path), lock.age, lock_hint(lock, gits)) for lock in found]


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a check of everything found.

    Attributes:
        findings: what is wrong.
        not_here: how many artifacts have bytes that are not here, which is no fault: a remote may have them.
        given_up: how many artifacts have bytes that ``gittrack gc`` took by rules.
        expunged: ids of runs that are expunged and still lie here, which is no fault of what is stored.
        locks: locks on refs, which are no fault either, and stand in the way when their makers were killed.
    """

    findings: list[Finding]
    not_here: int = 0
    given_up: int = 0
    expunged: tuple[str, ...] = ()
    locks: tuple[HeldLock, ...] = ()


def fsck(project: Project) -> list[Finding]:
    """Read everything that is stored and report what is wrong; changes nothing."""
    return inspect(project).findings


def inspect(project: Project) -> Inspection:
    """As :func:`fsck`; with it, how many artifacts have bytes that are not here."""
    from gittrack.api.byte_storage import open_bytes_store
    from gittrack.api.index_check import index_findings
    from gittrack.artifacts.given_up import read_given_up
    from gittrack.artifacts.soundness import Examination

    examination = Examination(open_bytes_store(project))
    given_up = read_given_up(project.layout.root)
    findings = check(project.repo, project.layout) + index_findings(project)
    away: dict[str, bool] = {}
    for id, entry in _stored_artifacts(project):
        state = examination.of(entry.digest, entry.size or 0)
        if state.damage:
            findings.append(Finding(f"run {id}", f"artifact '{entry.path}': {state.damage}", state.mend))
        elif state.absent:
            away[entry.digest] = state.absent <= given_up
    gone = sum(away.values())
    expunged = tuple(read_catalog(project.repo).expunged())
    return Inspection(findings, len(away) - gone, gone, expunged, tuple(held_locks(project)))


def _stored_artifacts(project: Project) -> Iterator[tuple[str, ArtifactEntry]]:
    for id, commits in read_catalog(project.repo).runs.items():
        for commit in commits:
            try:
                entries = read_record(project.repo, commit).artifacts
            except GittrackError:
                continue  # `check` names this run and says why
            yield from ((id, entry) for entry in entries if entry.storage == "pointer" and entry.size is not None)


def _unfinished_bytes(project: Project) -> list[Leftover]:
    from gittrack.api.byte_storage import open_bytes_store
    from gittrack.artifacts.reading import unfinished_files

    paths = unfinished_files(open_bytes_store(project), COPYING_SECONDS, project.now() / 1000)
    return [Leftover("a half-copied file", path) for path in paths]


@dataclass(frozen=True, slots=True)
class Repair:
    """One thing that doctor did, or would do with ``dry_run``; not ``done`` is what it could not do."""

    what: str
    where: str
    done: bool = True


def doctor(project: Project, *, dry_run: bool = False) -> list[Repair]:
    """Clear what crashes and power loss leave behind, and make again what can be made again.

    Empty ref files (git's own fetch and gc die of them), stale locks, empty loose objects, folders of runs that never
    began, half-written copies; then lost or damaged objects and lost refs of runs that are not rolled up yet, live runs
    of dead processes, refs that hold the code of runs which are over, artifacts that DVC's cache has lost.

    Args:
        project: where.
        dry_run: only say which files would be removed, brought back or made known to DVC.

    Raises:
        StorageError: something cannot be removed or written.
    """
    repo, layout = project.repo, project.layout
    found = [*find_leftovers(repo, layout), *_unfinished_bytes(project)]
    repairs = [Repair(f"remove {leftover.what}", str(leftover.path)) for leftover in found]
    if dry_run:
        return [*repairs, *_put_back(project, dry_run=True), *_relinked(project, dry_run=True)]
    remove_leftovers(found)
    repairs += _put_back(project)
    restoration = restore(repo, layout)
    for id, commit in restoration.restored:
        repairs.append(Repair("made a lost run again", f"run {id} (commit {commit[:12]})"))
    for id, reason in restoration.failed:
        repairs.append(Repair("could not make a lost run again", f"run {id}: {reason}", done=False))
    recovered = [result for result in recover_runs(repo, layout) if result.outcome == "recovered"]
    repairs += [Repair("finished a crashed run", f"run {result.id}") for result in recovered]
    repairs += [Repair("let go of the code of a run that is over", name) for name in drop_stale_holds(repo, layout)]
    return repairs + _relinked(project)


def _put_back(project: Project, *, dry_run: bool = False) -> list[Repair]:
    from gittrack.api.byte_storage import open_bytes_store
    from gittrack.artifacts.usage import aside_count, put_back

    store = open_bytes_store(project)
    count = aside_count(store) if dry_run else put_back(store)
    return [Repair("bring back artifacts that a killed 'gittrack gc' moved aside", str(count))] if count else []


def _relinked(project: Project, *, dry_run: bool = False) -> list[Repair]:
    """What ``dvc gc`` took out of DVC's cache and runs refer to is made known to DVC again."""
    from gittrack.api.gc import relink

    try:
        count = relink(project, dry_run=dry_run)
    except GittrackError as error:
        return [Repair("could not make artifacts known to DVC again", error.message)]
    return [Repair("make artifacts known to DVC again", f"{count} in its cache")] if count else []


def roll_up_now(project: Project, *, wait: bool = True) -> RollUp:
    """Roll the inbox up into this month's local ledger; ``wait``: for another process that is at it, else leave it."""
    return roll_up(project.repo, project.layout, project.author, project.now(), wait=wait)

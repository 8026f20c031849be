"""Finishing what a crash left: dead live runs, folders that never became runs, objects and refs that git lost.

Every step can be repeated and run by several processes at once: the commit of a run is a pure function of its journals.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Iterable
from dataclasses import field
from typing import Literal

from gittrack.core.assembly import has_ended
from gittrack.core.ids import ObjectId, RunId
from gittrack.errors import CorruptRecordError, FormatError, GittrackError
from gittrack.frozen import dataclass
from gittrack.git import health
from gittrack.git.repository import Repository
from gittrack.store.catalog import read_catalog, with_earlier
from gittrack.store.done import GONE, done_runs, drop_ghost, read_done
from gittrack.store.layout import Layout
from gittrack.store.live import BEING_MADE, is_alive, live_ids, read_live
from gittrack.store.ownership import Liveness
from gittrack.store.publish import publish, restore_ref, write_run

BEGINNING_SECONDS = 60

Outcome = Literal["recovered", "alive", "unknown", "damaged", "failed"]


@dataclass(frozen=True, slots=True)
class Recovery:
    """What became of one live run.

    Attributes:
        id: the run.
        outcome: ``recovered``; ``alive``; ``unknown`` (its host cannot be asked); ``damaged``; ``failed`` (git could
            not store it, it stays live).
        reason: why, for the last three.
        commit: the run commit when recovered.
        hint: what mends a failure, if anything is known to.
        had_ended: whether the run had said how it ended, and only could not be stored.
    """

    id: RunId
    outcome: Outcome
    reason: str = ""
    commit: ObjectId | None = None
    hint: str | None = None
    had_ended: bool = False


def recover_runs(repo: Repository, layout: Layout, only: RunId | None = None, *, force: bool = False) -> list[Recovery]:
    """Finish every live run whose processes are dead, as ``crashed`` unless it said how it ended.

    Args:
        repo: where.
        layout: its folders.
        only: just this run.
        force: finish a run whose processes cannot be asked (another host) too; never one that is alive.
    """
    results = []
    for id in live_ids(layout):
        if only is None or id == only:
            result = _recover(repo, layout, id, force)
            if result is not None:
                results.append(result)
    return results


def _recover(repo: Repository, layout: Layout, id: RunId, force: bool) -> Recovery | None:
    folder = str(layout.live_run(id))
    if is_alive(folder):  # told without reading all that it has logged
        return Recovery(id, "alive")
    run = read_live(folder, id)
    if run is None:
        return None
    if run.liveness is Liveness.ALIVE:
        return Recovery(id, "alive")
    try:
        # Before anything is asked of what it holds: of a ghost even the start may be cut off.
        if run.liveness is Liveness.DEAD and drop_ghost(layout, id, list(run.journals)):
            return None
        if run.problem:
            return Recovery(id, "damaged", run.problem)
        if run.liveness is Liveness.UNKNOWN and not force:
            return Recovery(id, "unknown", "its process is on another host")
        commit = publish(repo, layout, id, run.contents)
        return Recovery(id, "recovered", commit=commit, had_ended=has_ended(run.contents))
    except FormatError as error:
        return Recovery(id, "damaged", error.message)
    except GittrackError as error:
        return Recovery(id, "failed", error.message, hint=error.hint)


def unfinished_folders(layout: Layout) -> list[str]:
    """Folders of runs whose ``start_run`` never returned because its process died first, and of finished ones that a
    kill kept from being removed.
    """
    try:
        names = sorted(os.listdir(layout.live))
    except FileNotFoundError:
        return []
    folders = []
    for name in names:
        if name.startswith(BEING_MADE):
            folder = str(layout.live / name)
            run = read_live(folder, RunId(name.removeprefix(BEING_MADE).partition("-")[0]))
            # Between its folder and its lock, a run that begins looks dead for a moment.
            if run is not None and run.liveness is Liveness.DEAD and _is_old(folder):
                folders.append(folder)
        elif GONE in name and _is_old(str(layout.live / name)):
            folders.append(str(layout.live / name))
    return folders


def _is_old(path: str) -> bool:
    try:
        return time.time() - os.stat(path).st_mtime > BEGINNING_SECONDS
    except FileNotFoundError:
        return False


@dataclasses.dataclass(slots=True)
class Restoration:
    """What was made again from the ``done/`` copies, and what could not be: each with the reason."""

    restored: list[tuple[RunId, ObjectId]] = field(default_factory=list)
    failed: list[tuple[RunId, str]] = field(default_factory=list)


def restore(repo: Repository, layout: Layout) -> Restoration:
    """Make again what git lost or damaged of runs that are not rolled up yet. One that cannot be hides no other."""
    result = Restoration()
    runs = read_catalog(repo).runs
    copies = [(id, prefix, path, _listed(repo, runs.get(id, {}), prefix)) for id, prefix, path in done_runs(layout)]
    damaged = health.fsck_objects(repo, [listed for *_, listed in copies if listed is not None])
    mending = repo.mending()
    for id, prefix, path, listed in copies:
        if listed is not None and listed not in damaged:
            continue
        try:
            commit, _ = write_run(mending, read_done(path))
            if not commit.startswith(prefix):
                raise CorruptRecordError(f"its copy '{path}' makes another commit, '{commit}'")
            if listed is None:
                restore_ref(repo, id, commit)
            result.restored.append((id, commit))
        except GittrackError as error:
            result.failed.append((id, error.message))
    return result


def _listed(repo: Repository, commits: Iterable[ObjectId], prefix: str) -> ObjectId | None:
    return next((commit for commit in with_earlier(repo, commits) if commit.startswith(prefix)), None)

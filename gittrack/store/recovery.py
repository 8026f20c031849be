"""Finishing what a crash left: dead live runs, folders that never became runs, objects and refs that git lost.

Every step can be repeated and run by several processes at once: the commit of a run is a pure function of its journals.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import Literal

from gittrack.core.ids import ObjectId, RunId
from gittrack.errors import GittrackError
from gittrack.git.repository import Repository
from gittrack.store.catalog import read_catalog
from gittrack.store.done import done_runs, read_done
from gittrack.store.layout import Layout
from gittrack.store.live import BEING_MADE, list_live, read_live
from gittrack.store.ownership import Liveness
from gittrack.store.publish import publish, restore_ref, write_run

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
    """

    id: RunId
    outcome: Outcome
    reason: str = ""
    commit: ObjectId | None = None


def recover_runs(repo: Repository, layout: Layout, only: RunId | None = None, *, force: bool = False) -> list[Recovery]:
    """Finish every live run whose processes are dead, as ``crashed`` unless it said how it ended.

    Args:
        repo: where.
        layout: its folders.
        only: just this run.
        force: finish a run whose processes cannot be asked (another host) too; never one that is alive.
    """
    results = []
    for run in list_live(layout):
        if only is not None and run.id != only:
            continue
        if run.liveness is Liveness.ALIVE:
            results.append(Recovery(run.id, "alive"))
        elif run.problem:
            results.append(Recovery(run.id, "damaged", run.problem))
        elif run.liveness is Liveness.UNKNOWN and not force:
            results.append(Recovery(run.id, "unknown", "its process is on another host"))
        else:
            try:
                results.append(Recovery(run.id, "recovered", commit=publish(repo, layout, run.id, run.contents)))
            except GittrackError as error:
                results.append(Recovery(run.id, "failed", error.message))
    return results


def unfinished_folders(layout: Layout) -> list[str]:
    """Folders of runs whose ``start_run`` never returned because its process died first."""
    try:
        names = sorted(os.listdir(layout.live))
    except FileNotFoundError:
        return []
    folders = []
    for name in names:
        if name.startswith(BEING_MADE):
            folder = str(layout.live / name)
            run = read_live(folder, RunId(name.removeprefix(BEING_MADE)))
            if run is not None and run.liveness is Liveness.DEAD:
                folders.append(folder)
    return folders


def remove_unfinished(layout: Layout) -> list[str]:
    """Remove what ``unfinished_folders`` finds; returns the folders."""
    folders = unfinished_folders(layout)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    return folders


def restore_lost(repo: Repository, layout: Layout) -> list[tuple[RunId, ObjectId]]:
    """Make again what git lost of runs that are not rolled up yet: missing objects, a missing inbox ref.

    Returns:
        The runs restored, with their commits.
    """
    catalog = read_catalog(repo)
    restored = []
    for id, prefix, path in done_runs(layout):
        listed = next((commit for commit in catalog.runs.get(id, {}) if commit.startswith(prefix)), None)
        if listed is not None and _complete(repo, listed):
            continue
        commit, _ = write_run(repo, read_done(path))
        if commit.startswith(prefix):
            restore_ref(repo, id, commit)
            restored.append((id, commit))
    return restored


def _complete(repo: Repository, commit: ObjectId) -> bool:
    try:
        return not repo.objects.missing(repo.objects.all_objects_of(commit))
    except GittrackError:
        return False

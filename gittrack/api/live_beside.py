"""Runs in progress beside the index: their folders, and others' checkpoints, are looked at before the refs are, so
that none is in neither.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from gittrack.api.run_index import events_about
from gittrack.core.problem import Problem
from gittrack.errors import GittrackError
from gittrack.index.lookups import knows_run
from gittrack.index.seen import commits_of

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.api.saved_run import SavedRun
    from gittrack.core.ids import ObjectId, RunId
    from gittrack.core.records import Event
    from gittrack.index.database import IndexDatabase
    from gittrack.store.checkpoints import Checkpoint
    from gittrack.store.live import LiveRun


class Beside(NamedTuple):
    """The runs in progress as they were found.

    Attributes:
        folders: of those that are written here.
        checkpoints: of those that go on elsewhere, as last fetched; finished ones among them, perhaps.
    """

    folders: Sequence[LiveRun]
    checkpoints: Sequence[Checkpoint]


def look_beside(project: Project) -> Beside:
    """The runs in progress as they are now; to be asked for before the index is."""
    from gittrack.api.read import checkpoints_here

    return Beside(live_folders(project), checkpoints_here(project))


def live_folders(project: Project) -> Sequence[LiveRun]:
    """The folders of runs in progress here."""
    try:
        with os.scandir(project.layout.live) as entries:
            if next(entries, None) is None:
                return ()
    except FileNotFoundError:
        return ()
    from gittrack.store.live import list_live  # with all that reads journals; mostly there is none

    return list_live(project.layout)


def runs_beside(project: Project, index: IndexDatabase, beside: Beside) -> tuple[dict[RunId, SavedRun], list[Problem]]:
    """The runs in progress, and those that cannot be read.

    Args:
        project: where.
        index: brought up to date after the folders and checkpoints were looked at.
        beside: what ended since is told by the index, unless it ended after the refs were looked at.
    """
    found: dict[RunId, SavedRun] = {}
    problems = []
    for live in beside.folders:
        if not os.path.exists(live.folder) and knows_run(index.connection, live.id):
            continue
        try:
            if live.problem:
                problems.append(Problem(f"live run {live.id}", live.problem))
            else:
                found[live.id] = _read(project, live, index)
        except GittrackError as error:
            problems.append(Problem(f"live run {live.id}", error.message))
    if beside.checkpoints:
        from gittrack.api.elsewhere import runs_elsewhere

        ids = list(dict.fromkeys(each.id for each in beside.checkpoints))
        listed: Mapping[RunId, Mapping[ObjectId, set[str]]] = dict(commits_of(index.connection, ids))
        here = {live.id for live in beside.folders}
        going_on, unread = runs_elsewhere(project, beside.checkpoints, listed, here, _Events(index))
        found |= going_on
        problems += unread
    return found, problems


def _read(project: Project, live: LiveRun, index: IndexDatabase) -> SavedRun:
    from gittrack.api.read import live_run

    return live_run(project, live, _Events(index))


class _Events(dict[str, "list[Event]"]):
    """Events by subject, read from the index when they are asked for."""

    def __init__(self, index: IndexDatabase) -> None:
        super().__init__()
        self._index = index

    def __missing__(self, subject: str) -> list[Event]:
        return events_about(self._index.connection, subject)

    def get(self, subject: str, default: object = None) -> list[Event]:
        """The events about a subject; none when there are none."""
        return self[subject]

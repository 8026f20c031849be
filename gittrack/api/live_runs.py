"""Runs in progress, read from their folders alone: looking at them costs the same however many runs are finished.

Those that go on elsewhere are read when a fetch has brought another checkpoint.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gittrack.api.read import (
    Listing,
    SavedRun,
    all_runs,
    checkpoints_here,
    events_by_subject,
    find_run,
    live_run,
    may_ask_index,
)
from gittrack.core.ids import RunId
from gittrack.core.problem import Problem
from gittrack.core.records import RunStatus
from gittrack.errors import CorruptRecordError, GittrackError
from gittrack.store.catalog import read_catalog
from gittrack.store.live import LiveRun, list_live, live_ids, read_live

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.core.records import Event
    from gittrack.store.checkpoints import Checkpoint


@dataclass(slots=True)
class LiveRuns:
    """The runs in progress, read anew each time; nothing but the index is written.

    What was said about them since they began (names, tags) is read from git when a run begins or ends, no oftener.
    """

    project: Project
    _known: frozenset[RunId] = field(default=frozenset())
    _events: dict[str, list[Event]] = field(default_factory=dict)
    _checkpoints: tuple[Checkpoint, ...] = ()
    _elsewhere: tuple[SavedRun, ...] = ()

    def read(self) -> Listing:
        """Those that are there now, newest first: running, or crashed when their process is dead."""
        found: list[SavedRun] = []
        problems: list[Problem] = []
        self._refresh(frozenset(live_ids(self.project.layout)))
        for live in list_live(self.project.layout):
            try:
                found.append(self._run(live))
            except GittrackError as error:
                problems.append(Problem(f"live run {live.id}", error.message))
        found += self._read_elsewhere()
        found.sort(key=lambda run: (run.record.start_time, run.id), reverse=True)
        return Listing(tuple(found), tuple(problems))

    def one(self, id: RunId) -> SavedRun:
        """One run, in progress or ended.

        Raises:
            RunNotFoundError: there is none any more.
            CorruptRecordError: it cannot be read.
        """
        self._refresh(frozenset({id}))
        live = read_live(str(self.project.layout.live_run(id)), id)
        return find_run(self.project, id) if live is None else self._run(live)

    def _read_elsewhere(self) -> tuple[SavedRun, ...]:
        """Those that go on elsewhere: only a fetch changes them."""
        checkpoints = tuple(checkpoints_here(self.project))
        if checkpoints != self._checkpoints:
            self._checkpoints = checkpoints
            self._elsewhere = tuple(run for run in all_runs(self.project)[0].values() if run.checkpoint is not None)
        return self._elsewhere

    def _refresh(self, ids: frozenset[RunId]) -> None:
        if ids - self._known:
            self._events = _what_was_said(self.project, ids)
        self._known = ids

    def _run(self, live: LiveRun) -> SavedRun:
        if live.problem:
            raise CorruptRecordError(live.problem, hint="gittrack doctor")
        return live_run(self.project, live, self._events)


def _what_was_said(project: Project, ids: frozenset[RunId]) -> dict[str, list[Event]]:
    """The events about some runs, and about experiments, by subject."""
    if not may_ask_index():
        return events_by_subject(read_catalog(project.repo))
    from gittrack.api.indexed_runs import events_about_runs

    return events_about_runs(project, ids)


def has_ended(run: SavedRun) -> bool:
    """Whether nothing more will come of a run."""
    return run.status is not RunStatus.RUNNING

"""What others shared since somebody last looked: their runs, and what they said."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from gittrack.core.ids import ObjectId, RefName, RunId
from gittrack.core.parsed_refs import RemoteLedgerRef, parse_ref
from gittrack.core.problem import Problem
from gittrack.core.records import Event
from gittrack.core.refs import REMOTE_PREFIX
from gittrack.errors import FormatError, GittrackError
from gittrack.frozen import dataclass
from gittrack.store.catalog import walk_ledger
from gittrack.store.event_store import read_event
from gittrack.store.looked_at import read_looked_at, write_looked_at
from gittrack.store.refused import read_refused
from gittrack.store.run_reader import read_listed

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.core.records import RunRecord
    from gittrack.index.database import IndexDatabase


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run that somebody shared: its record as it was shared, and whose ledger it came in."""

    record: RunRecord
    writer: str


@dataclass(frozen=True, slots=True)
class News:
    """What is new from others.

    Attributes:
        runs: newest first.
        events: newest first.
        problems: what could not be read.
        tips: how far this goes, for :func:`mark_as_seen`.
    """

    runs: tuple[NewRun, ...]
    events: tuple[Event, ...]
    problems: tuple[Problem, ...]
    tips: dict[RefName, ObjectId]


def news(project: Project) -> News:
    """What others shared since the last look, as far as it was fetched; one's own ledgers are no news.

    Returns:
        Everything, when nobody ever looked here.
    """
    seen, refused = read_looked_at(project.layout), read_refused(project.layout)
    runs: dict[ObjectId, NewRun] = {}
    events: dict[str, Event] = {}
    problems, tips = [], {}
    for name, tip in project.repo.refs.list(REMOTE_PREFIX):
        ref = parse_ref(name)
        if not isinstance(ref, RemoteLedgerRef):
            continue
        tips[name] = tip
        if ref.writer == project.writer or seen.get(name) == tip:
            continue
        try:
            for row in walk_ledger(project.repo, tip, seen.get(name), told=lambda *_: None):
                if row in refused or row.commit in runs:
                    continue
                if row.kind == "event":
                    events[row.id] = read_event(project.repo, row.commit)
                else:
                    message = project.repo.objects.read_commit(row.commit).message
                    runs[row.commit] = NewRun(read_listed(project.repo, row.commit, message).record, ref.writer)
        except GittrackError as error:
            problems.append(Problem(name, error.message))
    return News(
        tuple(sorted(runs.values(), key=lambda run: (run.record.start_time, run.record.id), reverse=True)),
        tuple(sorted(events.values(), key=lambda event: (event.time, event.id), reverse=True)),
        tuple(problems),
        tips,
    )


def mark_as_seen(project: Project, found: News) -> None:
    """Remember that somebody looked at this.

    Raises:
        StorageError: it cannot be written.
    """
    write_looked_at(project.layout, found.tips)


def names_of_subjects(project: Project, events: tuple[Event, ...]) -> dict[RunId, str]:
    """The present names of the runs that events are about, as far as they are here."""
    from gittrack.api.indexed_runs import IndexedRuns
    from gittrack.api.run_index import ask

    def found(index: IndexDatabase) -> dict[RunId, str]:
        names: dict[RunId, str] = {}
        with index.reading():
            known = IndexedRuns(project, index)
            for id in {RunId(event.subject.key) for event in events if event.subject.kind == "run"}:
                with contextlib.suppress(FormatError):  # one that cannot be read is told by its id
                    run = known.one(id)
                    if run is not None:
                        names[id] = run.name
        return names

    return ask(project, found)

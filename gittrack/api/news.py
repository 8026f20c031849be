"""What others shared since somebody last looked: their runs, and what they said."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from typing import TYPE_CHECKING, NamedTuple

from gittrack.api.expunged_runs import expunged_runs, hidden_runs
from gittrack.core.events import decode_event
from gittrack.core.expunged import EXPUNGED
from gittrack.core.ids import ObjectId, RefName, RunId
from gittrack.core.parsed_refs import RemoteLedgerRef, parse_ref
from gittrack.core.problem import Problem
from gittrack.core.records import Event
from gittrack.core.refs import REMOTE_PREFIX
from gittrack.errors import FormatError, GittrackError, RunExpungedError
from gittrack.frozen import dataclass
from gittrack.git.reachable import unreachable
from gittrack.index.lookups import events_holding
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
        hidden: the runs among them that are said to be expunged and still lie here, hidden.
        tips: how far this goes, for :func:`mark_as_seen`.
    """

    runs: tuple[NewRun, ...]
    events: tuple[Event, ...]
    problems: tuple[Problem, ...]
    hidden: frozenset[RunId]
    tips: dict[RefName, ObjectId]


def news(project: Project) -> News:
    """What others shared since the last look, as far as it was fetched; one's own ledgers are no news.

    What any ledger listed at the last look is no news in another one: of a second remote, of a bundle, or rebuilt. Of a
    run that is expunged nothing is told but that it is.

    Returns:
        Everything, when nobody ever looked here.
    """
    seen = read_looked_at(project.layout)
    found, tips = _Found({}, {}, []), {}
    for name, tip in project.repo.refs.list(REMOTE_PREFIX):
        ref = parse_ref(name)
        if isinstance(ref, RemoteLedgerRef):
            tips[name] = tip
            if ref.writer != project.writer and seen.get(name) != tip:
                _walk(project, ref, tip, seen.get(name), found)
    fresh: Collection[ObjectId] = found.runs.keys() | found.events.keys()
    if fresh and seen:
        try:
            fresh = unreachable(project.repo, fresh, seen.values())
        except GittrackError as error:
            found.problems.append(Problem("what was looked at before", error.message))
    expunged = expunged_runs(project) if fresh else {}
    runs = [run for commit, run in found.runs.items() if commit in fresh and run.record.id not in expunged]
    said = {event.id: event for commit, event in found.events.items() if commit in fresh}
    events = [event for event in said.values() if event.kind == EXPUNGED or _run_of(event) not in expunged]
    told = {id for event in events if event.kind == EXPUNGED and (id := _run_of(event)) is not None}
    return News(
        tuple(sorted(runs, key=lambda run: (run.record.start_time, run.record.id), reverse=True)),
        tuple(sorted(events, key=lambda event: (event.time, event.id), reverse=True)),
        tuple(found.problems),
        frozenset(told & hidden_runs(project).keys() if told else ()),
        tips,
    )


class _Found(NamedTuple):
    """What ledgers list beyond what was looked at of each, by commit."""

    runs: dict[ObjectId, NewRun]
    events: dict[ObjectId, Event]
    problems: list[Problem]


def _walk(project: Project, ref: RemoteLedgerRef, tip: ObjectId, stop: ObjectId | None, found: _Found) -> None:
    refused = read_refused(project.layout)
    try:
        for row in walk_ledger(project.repo, tip, stop, told=lambda *_: None):
            if row in refused or row.commit in found.runs or row.commit in found.events:
                continue
            if row.kind == "event":
                found.events[row.commit] = read_event(project.repo, row.commit)
            else:
                message = project.repo.objects.read_commit(row.commit).message
                listed = read_listed(project.repo, row.commit, message)
                found.runs[row.commit] = NewRun(listed.record, ref.writer)
    except GittrackError as error:
        found.problems.append(Problem(str(ref), error.message))


def _run_of(event: Event) -> RunId | None:
    return RunId(event.subject.key) if event.subject.kind == "run" else None


def mark_as_seen(project: Project, found: News) -> None:
    """Remember that somebody looked at this.

    Raises:
        StorageError: it cannot be written.
    """
    # Refs that are gone stay noted: what comes again, from a remote that was away, is no news.
    write_looked_at(project.layout, {**read_looked_at(project.layout), **found.tips})


def present_names(project: Project, found: News) -> dict[RunId, str]:
    """The present names of runs that events are about, and of new ones that were renamed, as far as they are here."""
    from gittrack.api.indexed_runs import IndexedRuns
    from gittrack.api.run_index import ask

    new = {run.record.id for run in found.runs}

    def names(index: IndexDatabase) -> dict[RunId, str]:
        present: dict[RunId, str] = {}
        with index.reading() as sql:
            known = IndexedRuns(project, index)
            renamed = map(decode_event, events_holding(sql, 'kind = "name"')) if new else ()
            ids = {id for event in renamed if (id := _run_of(event)) is not None and id in new}
            for id in ids | {id for event in found.events if (id := _run_of(event)) is not None}:
                # One that cannot be read, or is hidden, is told by its id.
                with contextlib.suppress(FormatError, RunExpungedError):
                    run = known.one(id)
                    if run is not None:
                        present[id] = run.name
        return present

    return ask(project, names)

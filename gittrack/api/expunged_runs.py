"""Which runs are said to be expunged, which of them still lie here, and what may not be shared because of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from gittrack.api.run_index import ask
from gittrack.core.events import decode_event
from gittrack.core.expunged import EXPUNGED, expunger
from gittrack.core.ids import RunId
from gittrack.errors import GittrackError
from gittrack.index.lookups import events_holding
from gittrack.index.seen import commits_of
from gittrack.store.event_store import read_event
from gittrack.store.expunged_events import expunged_events

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.core.ledger import BatchRow
    from gittrack.core.records import Event
    from gittrack.index.database import IndexDatabase
    from gittrack.index.seen import Connection
    from gittrack.store.outgoing import Candidate


def expunged_runs(project: Project) -> dict[RunId, Event]:
    """Every run that is said to be expunged, with the event that says so; most of them lie nowhere any more."""

    def found(index: IndexDatabase) -> dict[RunId, Event]:
        with index.reading() as sql:
            return _stated(sql)

    return ask(project, found)


def expunged_in_ledgers(project: Project) -> Collection[RunId]:
    """The runs that ledgers say to be expunged; unlike :func:`expunged_runs` it does not ask the index."""
    return _standing(expunged_events(project.repo, project.layout)).keys()


def hidden_runs(project: Project) -> dict[RunId, Event]:
    """Those of them of which a commit still lies here."""

    def found(index: IndexDatabase) -> dict[RunId, Event]:
        with index.reading() as sql:
            stated = _stated(sql)
            return {id: stated[id] for id, commits in commits_of(sql, sorted(stated)) if commits}

    return ask(project, found)


def _stated(sql: Connection) -> dict[RunId, Event]:
    return _standing(map(decode_event, events_holding(sql, f'kind = "{EXPUNGED}"')))


def _standing(events: Iterable[Event]) -> dict[RunId, Event]:
    """The runs that some events say to be expunged, and of each the event that does."""
    by_run: dict[RunId, list[Event]] = {}
    for event in events:
        if event.kind == EXPUNGED and event.subject.kind == "run":
            by_run.setdefault(RunId(event.subject.key), []).append(event)
    found = ((id, expunger(events)) for id, events in by_run.items())
    return {id: event for id, event in found if event is not None}


def without_expunged(project: Project, found: Sequence[Candidate]) -> tuple[list[Candidate], tuple[RunId, ...]]:
    """What may be shared, and the runs that stay here since they are expunged."""
    if not found:
        return [], ()
    waiting = [candidate.row for candidate in found if candidate.row.kind == "event"]
    expunged = _standing([*expunged_events(project.repo, project.layout), *_read(project, waiting)])
    if not expunged:
        return list(found), ()
    kept = [candidate for candidate in found if not concerns(project, candidate.row, expunged)]
    left = {candidate.row for candidate in found} - {candidate.row for candidate in kept}
    return kept, tuple(sorted({RunId(row.id) for row in left if row.kind == "run"}))


def concerns(project: Project, row: BatchRow, expunged: Collection[RunId]) -> bool:
    """Whether a row is one of some runs, or what was said of one; that one is expunged stays said."""
    if row.kind == "run":
        return RunId(row.id) in expunged
    try:
        event = read_event(project.repo, row.commit)
    except GittrackError:
        return False  # whoever looks at it says what is wrong
    is_of_run = event.subject.kind == "run" and RunId(event.subject.key) in expunged
    return is_of_run and event.kind != EXPUNGED


def stated_in(project: Project, rows: Iterable[BatchRow]) -> dict[RunId, Event]:
    """The runs that events among some rows say to be expunged, for rows that the index does not know yet."""
    return _standing(_read(project, rows))


def _read(project: Project, rows: Iterable[BatchRow]) -> list[Event]:
    return [read_event(project.repo, row.commit) for row in rows if row.kind == "event"]

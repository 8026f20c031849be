"""The diary: what was run, and what was said about runs and experiments, by whom, newest first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from gittrack.api.found_hits import FoundHits, Search, chosen_runs
from gittrack.api.live_beside import look_beside
from gittrack.api.run_index import ask
from gittrack.core.events import decode_event
from gittrack.core.ids import RunId
from gittrack.core.records import Event, Person
from gittrack.frozen import dataclass
from gittrack.index.seen import all_events

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.api.saved_run import SavedRun
    from gittrack.index.database import IndexDatabase


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the diary: a run that began, or an event.

    Attributes:
        time: ms since the epoch.
        who: whose doing it was.
        run: the run that began, or that the event is about; None when that is not here, or the event is about
            something else.
        event: what was said; None: the run began.
    """

    time: int
    who: Person
    run: SavedRun | None
    event: Event | None


def diary(
    project: Project,
    *,
    who: str | None = None,
    experiment: str | None = None,
    query: str = "",
    limit: int | None = None,
) -> list[Entry]:
    """What happened, newest first.

    Args:
        project: where.
        who: only what this person did: a name, an e-mail address, or the part of it before the ``@``.
        experiment: only runs of this experiment, and what was said about it and them.
        query: only runs that this finds, and what was said about them.
        limit: at most so many entries.

    Raises:
        ExperimentNotFoundError, AmbiguousError: the experiment.
        QuerySyntaxError: the query.
    """
    expression, experiments = chosen_runs(project, query, experiment)
    asked = Search(expression, deleted=None, experiments=experiments)
    beside = look_beside(project)

    def read(index: IndexDatabase) -> list[Entry]:
        hits = FoundHits(project, asked, index, beside)
        with index.reading() as sql:
            runs = {run.id: run for run in hits.runs([*hits.stored(), *hits.going_on()])}
            events = [decode_event(data) for data in all_events(sql)]
        subjects = {f"experiment:{id}" for id in experiments or ()}
        everything = not query and experiment is None
        about = [event for event in events if everything or _is_about(event, runs, subjects)]
        return _entries(runs.values(), about, runs, who)[:limit]

    return ask(project, read)


def _is_about(event: Event, runs: dict[RunId, SavedRun], subjects: set[str]) -> bool:
    return str(event.subject) in subjects or (event.subject.kind == "run" and RunId(event.subject.key) in runs)


def _entries(
    runs: Iterable[SavedRun], events: Iterable[Event], known: dict[RunId, SavedRun], who: str | None
) -> list[Entry]:
    entries = [Entry(run.record.start_time, run.record.author, run, None) for run in runs]
    entries += [Entry(event.time, event.author, known.get(RunId(event.subject.key)), event) for event in events]
    chosen = [entry for entry in entries if who is None or _is_by(entry.who, who)]
    return sorted(chosen, key=lambda entry: (entry.time, entry.event is not None), reverse=True)


def _is_by(person: Person, who: str) -> bool:
    wanted = who.casefold()
    return wanted in (person.name.casefold(), person.email.casefold(), person.email.partition("@")[0].casefold())

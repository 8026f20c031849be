"""Who signed what was said: told from the commits of events, checked by git when asked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from gittrack.api.read import may_ask_index
from gittrack.core.events import decode_event
from gittrack.core.ids import EventId, ObjectId
from gittrack.core.records import Event
from gittrack.core.signatures import UNSIGNED, Signature, better, signature_text
from gittrack.git.signatures import signatures

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.index.database import IndexDatabase

__all__ = ["Signature", "signature_text", "signatures_of"]


def signatures_of(project: Project, events: Iterable[Event], *, check: bool = False) -> dict[EventId, Signature]:
    """The signature of each of some events.

    Args:
        project: where.
        events: as they were read here.
        check: let git verify them, which starts a program for each; else only their presence is told.

    Returns:
        By the event's id. Of an event that several commits say alike the signature that says most for it counts.

    Raises:
        GitProgramError: git could not check them.
    """
    wanted = {event.id: event for event in events}
    if not wanted:
        return {}
    said = [(commit, event) for commit, event in _commits(project, wanted) if wanted.get(event.id) == event]
    found = signatures(project.repo, dict.fromkeys(commit for commit, _ in said), check=check)
    result: dict[EventId, Signature] = {}
    for commit, event in said:
        result[event.id] = better(found[commit], result.get(event.id, found[commit]))
    return {id: result.get(id, Signature(UNSIGNED)) for id in wanted}


def _commits(project: Project, wanted: dict[EventId, Event]) -> list[tuple[ObjectId, Event]]:
    """The commits of all events about the subjects of some."""
    subjects = {str(event.subject) for event in wanted.values()}
    if not may_ask_index():
        from gittrack.store.catalog import read_catalog

        return [item for item in read_catalog(project.repo).events.items() if str(item[1].subject) in subjects]
    from gittrack.api.run_index import ask
    from gittrack.index.seen import event_commits

    def found(index: IndexDatabase) -> list[tuple[ObjectId, Event]]:
        with index.reading() as sql:
            rows = [row for subject in sorted(subjects) for row in event_commits(sql, subject)]
        return [(commit, decode_event(data)) for commit, data in rows]

    return ask(project, found)

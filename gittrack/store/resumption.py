"""What a resumption of a finished run set, stated as events.

Their ids are made from the run, the commit it continued and what was set, so that a finish which is repeated after a
kill states nothing twice and nothing is left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from gittrack.core.assembly import Change, resumed_commit, resumption_changes, start_operation
from gittrack.core.events import fold, run_body
from gittrack.core.ids import EventId, ObjectId, RunId, event_id_from
from gittrack.core.journal import JournalContents
from gittrack.core.records import Event, Person, Subject
from gittrack.git.repository import Repository
from gittrack.store.catalog import read_catalog
from gittrack.store.event_store import write_event
from gittrack.store.run_reader import read_record


def state_changes(repo: Repository, id: RunId, commit: ObjectId, journals: Sequence[JournalContents]) -> None:
    """Write an event for each tag, name or note that the resumption changed.

    What somebody stated of the same thing while it ran stands, as it does for a run that is not resumed.

    Args:
        repo: where.
        id: the run.
        commit: the resumption's commit.
        journals: what the resumption logged.

    Raises:
        StorageError: git could not store one; doing it again states the rest.
    """
    changes = resumption_changes(journals)
    if not changes:
        return
    subject = Subject("run", id)
    events = [event for event in read_catalog(repo).events.values() if event.subject == subject]
    known = {event.id for event in events}
    present = fold(run_body(read_record(repo, commit)), events)
    start = start_operation(journals)
    stated = {(event.kind, event.key) for event in events if event.time >= start["t"]}
    for (kind, key), change in changes.items():
        if (kind, key) in stated:
            continue
        event_id = _event_id(id, resumed_commit(journals), kind, key, change)
        if event_id not in known and present.value(kind, key) != change.value:
            event = Event(
                id=event_id,
                kind=kind,
                subject=subject,
                time=change.time,
                author=Person(**start["author"]),
                writer=start["writer"],
                key=key,
                value=change.value,
                replaces=present.survivors(kind, key),
            )
            write_event(repo, event)


def _event_id(id: RunId, resumed: ObjectId | None, kind: str, key: str, change: Change) -> EventId:
    said = f"{id}\0{resumed}\0{kind}\0{key}\0{change.value}"
    return event_id_from(change.time, hashlib.sha256(said.encode("utf-8", "surrogatepass")).digest())

"""Events: bytes of one, and the fold of all of them into a subject's present state.

An event lists in ``replaces`` the ids it saw for its key (``body`` for what the run itself set). Folding does not
depend on the order in which events arrive: replaced values are dead, and of several survivors, which two people set
without knowing of each other, the highest (time, id) counts. So a clock in the year 9999 wins only until somebody
replaces its value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Any

from gittrack.core import toml
from gittrack.core.ids import EventId, parse_event_id, parse_experiment_id, parse_run_id
from gittrack.core.names import one_line
from gittrack.core.records import Event, Person, RunRecord, Subject
from gittrack.core.refs import is_writer
from gittrack.core.run_toml import milliseconds, moment, strip_version, with_version
from gittrack.errors import CorruptRecordError, GittrackError
from gittrack.frozen import dataclass

BODY = "body"
"""What ``replaces`` calls the value that the run itself set."""
SCALARS = frozenset({"tag", "name", "note", "lifecycle", "thread"})
SETS = frozenset({"comment", "approval"})
ACTIVE, DELETED = "active", "deleted"
MAX_REPLACES = 10_000

_KNOWN = frozenset({"id", "kind", "subject", "time", "author", "writer", "key", "value", "replaces"})
_KIND = re.compile(r"[a-z][a-z-]{0,39}")
_SUBJECT_KIND = re.compile(r"[a-z]{1,20}")


def parse_subject(text: str) -> Subject:
    """Read ``kind:key``; the keys of runs and experiments are checked, those of later kinds kept.

    Raises:
        InvalidNameError: a run's or an experiment's id is none.
        CorruptRecordError: no kind.
    """
    kind, colon, key = text.partition(":")
    if not colon or not key or not _SUBJECT_KIND.fullmatch(kind) or len(key) > 1000:
        raise CorruptRecordError(f"'{text[:80]}' is not the subject of an event")
    if kind == "run":
        parse_run_id(key)
    elif kind == "experiment":
        parse_experiment_id(key)
    return Subject(kind, key)


def event_path(event: Event) -> str:
    """Where in its commit's tree an event lies."""
    return f"events/{event.id}-{event.writer}.toml"


def encode_event(event: Event) -> bytes:
    """The bytes of an event's file."""
    table: dict[str, Any] = dict(event.extra)
    table |= {
        "id": event.id,
        "kind": event.kind,
        "subject": str(event.subject),
        "time": moment(event.time),
        "author": {"name": event.author.name, "email": event.author.email},
        "writer": event.writer,
    }
    if event.key:
        table["key"] = event.key
    if event.value is not None:
        table["value"] = event.value
    if event.replaces:
        table["replaces"] = sorted(event.replaces)
    return with_version(toml.dump(table))


def decode_event(data: bytes) -> Event:
    """Read an event's file.

    Raises:
        UnsupportedFormatError: a newer format.
        CorruptRecordError: damaged, or a field of another type.
    """
    table = toml.parse(strip_version(data, "an event"), what="an event")
    try:
        return _event(table)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, GittrackError) as error:
        raise CorruptRecordError(f"an event is damaged: {error}", hint="gittrack fsck") from error


def _event(table: Mapping[str, Any]) -> Event:
    author, value, replaces = table["author"], table.get("value"), table.get("replaces", [])
    texts = [table["id"], table["kind"], table["subject"], table["writer"], table.get("key", ""), *replaces]
    texts += [author["name"], author["email"]] + ([] if value is None else [value])
    if any(not isinstance(text, str) for text in texts) or not isinstance(replaces, list):
        raise TypeError("a field has another type")
    if len(replaces) > MAX_REPLACES:
        raise ValueError(f"it replaces more than {MAX_REPLACES} others")
    if not _KIND.fullmatch(table["kind"]) or not is_writer(table["writer"]):
        raise ValueError("its kind or writer follows no grammar")
    return Event(
        id=parse_event_id(table["id"]),
        kind=table["kind"],
        subject=parse_subject(table["subject"]),
        time=milliseconds(table["time"]),
        author=Person(author["name"], author["email"]),
        writer=table["writer"],
        key=table.get("key", ""),
        value=value,
        replaces=tuple(sorted(replaces)),
        extra={key: item for key, item in table.items() if key not in _KNOWN},
    )


def event_message(event: Event) -> str:
    """The message of an event's commit: what happened, then trailers."""
    what = f"{event.kind} {event.key}".strip()
    said = "" if event.value is None else f": {event.value}"
    subject = one_line(f"{what} of {event.subject.kind} {event.subject.key[:12]}{said}")[:100]
    return f"{subject}\n\nEvent-Id: {event.id}\nEvent-Subject: {event.subject}\n"


def is_event_message(message: str) -> bool:
    """Whether a commit's message is an event's; anything else in the inbox is a run."""
    return "\n\nEvent-Id: " in message


@dataclass(frozen=True, slots=True)
class Slot:
    """The present value of one scalar of a subject.

    Attributes:
        value: None when it was removed or never set.
        survivors: ids of the values that nothing replaces (``body`` included): what a new event lists in ``replaces``.
        conflict: whether several people set it without knowing of each other.
    """

    value: str | None
    survivors: tuple[str, ...]
    conflict: bool


@dataclass(frozen=True, slots=True)
class Folded:
    """A subject's present state.

    Attributes:
        slots: (kind, key) -> the scalar's present value.
        sets: kind -> surviving events, oldest first.
        events: every event, oldest first: the subject's log.
    """

    slots: Mapping[tuple[str, str], Slot] = field(default_factory=dict)
    sets: Mapping[str, tuple[Event, ...]] = field(default_factory=dict)
    events: tuple[Event, ...] = ()

    def value(self, kind: str, key: str = "") -> str | None:
        """The present value of a scalar, or None."""
        slot = self.slots.get((kind, key))
        return None if slot is None else slot.value

    def survivors(self, kind: str, key: str = "") -> tuple[str, ...]:
        """What a new event about this scalar replaces."""
        slot = self.slots.get((kind, key))
        return () if slot is None else slot.survivors

    @property
    def tags(self) -> dict[str, str]:
        """Present tags, sorted by key."""
        return {
            key: slot.value
            for (kind, key), slot in sorted(self.slots.items())
            if kind == "tag" and slot.value is not None
        }

    @property
    def deleted(self) -> bool:
        """Whether the subject is deleted (and not restored)."""
        return self.value("lifecycle") == DELETED

    @property
    def conflicts(self) -> tuple[tuple[str, str], ...]:
        """The scalars that several people set without knowing of each other."""
        return tuple(sorted(place for place, slot in self.slots.items() if slot.conflict))


def run_body(record: RunRecord) -> dict[tuple[str, str], str]:
    """The scalars that a run set itself: its name, note and tags."""
    body = {("tag", key): value for key, value in record.tags.items()}
    body["name", ""] = record.name
    if record.note:
        body["note", ""] = record.note
    return body


def fold(body: Mapping[tuple[str, str], str], events: Iterable[Event]) -> Folded:
    """Fold a subject's events over what its body set.

    Args:
        body: (kind, key) -> value, as ``run_body`` gives it; empty for subjects without a body.
        events: in any order; one id may come several times (two ledgers carry it).

    Returns:
        The present state; the same for every order of ``events``.
    """
    unique: dict[EventId, Event] = {}
    for event in events:
        other = unique.setdefault(event.id, event)
        if other != event:
            # Two different events under one id are a forgery or a bug; every reader must then pick the same one.
            unique[event.id] = max(other, event, key=encode_event)
    ordered = tuple(sorted(unique.values(), key=_age))
    by_place: dict[tuple[str, str], list[Event]] = {}
    for event in ordered:
        by_place.setdefault((event.kind, "" if event.kind in SETS else event.key), []).append(event)
    scalars = {place for place in by_place if place[0] in SCALARS} | set(body)
    return Folded(
        slots={place: _slot(body.get(place), by_place.get(place, [])) for place in scalars},
        sets={kind: _survivors(by_place.get((kind, ""), [])) for kind in SETS if (kind, "") in by_place},
        events=ordered,
    )


def _age(event: Event) -> tuple[int, EventId]:
    return (event.time, event.id)


def _slot(body: str | None, events: list[Event]) -> Slot:
    replaced = {id for event in events for id in event.replaces if id != event.id}
    alive = [event for event in events if event.id not in replaced]
    if not alive and events:  # only hostile events replace each other in a circle; somebody must win
        alive = [events[-1]]
    if body is not None and (BODY not in replaced or not events):
        return Slot(
            value=alive[-1].value if alive else body,
            survivors=(BODY, *(event.id for event in alive)),
            conflict=bool(alive),
        )
    return Slot(alive[-1].value, tuple(event.id for event in alive), len({event.value for event in alive}) > 1)


def _survivors(events: list[Event]) -> tuple[Event, ...]:
    authors = {event.id: event.author for event in events}
    withdrawn = {
        id
        for event in events
        for id in event.replaces
        if id != event.id and EventId(id) in authors and authors[EventId(id)].email == event.author.email
    }
    return tuple(event for event in events if event.id not in withdrawn and event.value is not None)

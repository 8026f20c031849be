"""Comments as threads: what was said about a run, what answers what, what is settled."""

from __future__ import annotations

from collections.abc import Iterator

from gittrack.core.events import Folded
from gittrack.core.ids import EventId
from gittrack.core.records import Event, Person
from gittrack.frozen import dataclass

RESOLVED, OPEN = "resolved", "open"
HANDLE = 6
"""Digits by which people call a comment: the last ones, for the first ones are the time."""


@dataclass(frozen=True, slots=True)
class Comment:
    """One comment.

    Attributes:
        id: of its event.
        author: who said it.
        time: when, ms since the epoch.
        text: what.
        answers: the comment that it answers; None: it begins a thread.
    """

    id: EventId
    author: Person
    time: int
    text: str
    answers: EventId | None

    @property
    def handle(self) -> str:
        """What people call it: the last digits of its id."""
        return self.id[-HANDLE:]


@dataclass(frozen=True, slots=True)
class Thread:
    """A comment with everything that answers it, directly or not, oldest first.

    Attributes:
        comments: the first one begins it.
        resolved: whether somebody said that it is settled.
    """

    comments: tuple[Comment, ...]
    resolved: bool


def threads(state: Folded) -> list[Thread]:
    """The threads about a subject, oldest first.

    A comment that answers one which is gone, or not fetched yet, begins a thread of its own; so does one of several
    that answer each other in a circle, which only hostile events do.
    """
    comments = [_comment(event) for event in state.sets.get("comment", ())]
    known = {comment.id: comment for comment in comments}
    grouped: dict[EventId, list[Comment]] = {}
    for comment in comments:
        grouped.setdefault(_first(comment, known), []).append(comment)
    return [Thread(tuple(members), state.value("thread", first) == RESOLVED) for first, members in grouped.items()]


def _comment(event: Event) -> Comment:
    return Comment(event.id, event.author, event.time, event.value or "", EventId(event.key) if event.key else None)


def _first(comment: Comment, known: dict[EventId, Comment]) -> EventId:
    chain = list(_upwards(comment, known))
    last = chain[-1]
    is_circle = last.answers is not None and last.answers in known
    return min(item.id for item in chain) if is_circle else last.id


def _upwards(comment: Comment, known: dict[EventId, Comment]) -> Iterator[Comment]:
    seen: set[EventId] = set()
    found: Comment | None = comment
    while found is not None and found.id not in seen:
        seen.add(found.id)
        yield found
        found = known.get(found.answers) if found.answers is not None else None

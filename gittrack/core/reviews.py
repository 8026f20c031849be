"""Reviews: who asked for one, who accepted or rejected a run, and why; a new word of a person replaces the old one."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from gittrack.core.events import Folded, fold
from gittrack.core.ids import EventId
from gittrack.core.records import Event, Person
from gittrack.frozen import dataclass

REQUESTED, ACCEPTED, REJECTED = "requested", "accepted", "rejected"
VERDICTS = (REQUESTED, ACCEPTED, REJECTED)
WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Review:
    """What one person says of a run now.

    Attributes:
        id: of its event.
        author: who says it.
        time: when, ms since the epoch.
        verdict: ``requested``, ``accepted`` or ``rejected``.
        text: why, or what to look at.
        asked: whom a request asks; empty: anybody.
    """

    id: EventId
    author: Person
    time: int
    verdict: str
    text: str
    asked: str


def reviews(state: Folded) -> list[Review]:
    """What people say of a subject, oldest first: of each person the last word, and the last request."""
    latest: dict[tuple[str, bool], Review] = {}
    for event in state.sets.get("approval", ()):
        if event.value in VERDICTS:
            latest[event.author.email, event.value == REQUESTED] = _review(event, event.value)
    return sorted(latest.values(), key=lambda review: (review.time, review.id))


def without(state: Folded, ids: Collection[EventId]) -> Folded:
    """What would be said of a subject in review if some events had never been: what they replaced counts again."""
    return fold({}, [event for event in state.events if event.kind == "approval" and event.id not in ids])


def reviews_among(state: Folded, ids: Collection[EventId]) -> list[Review]:
    """Some events, whether they count or not, as reviews, oldest first; what takes one back is ``withdrawn``."""
    return [_review(event, event.value or WITHDRAWN) for event in state.events if event.id in ids]


def _review(event: Event, verdict: str) -> Review:
    text, asked = event.extra.get("text"), event.extra.get("asked")
    return Review(
        event.id,
        event.author,
        event.time,
        verdict,
        text if isinstance(text, str) else "",
        asked if isinstance(asked, str) else "",
    )


def standing(found: Sequence[Review]) -> str:
    """How a subject stands: a rejection outweighs acceptances, these a request; empty when nobody said anything."""
    said = {review.verdict for review in found}
    return next((verdict for verdict in (REJECTED, ACCEPTED, REQUESTED) if verdict in said), "")

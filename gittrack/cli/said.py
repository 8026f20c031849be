"""What events say, in people's words; JSON has them as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gittrack.core.expunged import EXPUNGED
from gittrack.core.reviews import ACCEPTED, REJECTED, REQUESTED
from gittrack.core.threads import HANDLE, RESOLVED

if TYPE_CHECKING:
    from gittrack.core.records import Event


_LONGEST = 200
"""Characters."""


def said(event: Event) -> str:
    """What somebody did: ``tagged it stage=best``, ``asked for a review``, ``comment 3f9c2e: looks good``.

    A line of a listing: a long text is cut; ``comment RUN``, ``show`` and JSON have it whole.
    """
    text = _WORDS.get(event.kind, _other)(event)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _other(event: Event) -> str:
    what = f"{event.kind} {event.key}".rstrip()
    return f"{what} removed" if event.value is None else f"{what}: {event.value}"


def _tag(event: Event) -> str:
    return f"removed the tag {event.key}" if event.value is None else f"tagged it {event.key}={event.value}"


def _name(event: Event) -> str:
    return "took its new name back" if event.value is None else f"named it '{event.value}'"


def _note(event: Event) -> str:
    return "removed the note" if event.value is None else f"note: {event.value}"


def _lifecycle(event: Event) -> str:
    words = {"deleted": "deleted it", "active": "restored it"}
    return words.get(event.value or "active", f"lifecycle: {event.value}")


def _comment(event: Event) -> str:
    if event.value is None:
        return f"took the comment {' '.join(id[-HANDLE:] for id in event.replaces)} back"
    answers = f", to {event.key[-HANDLE:]}" if event.key else ""
    return f"comment {event.id[-HANDLE:]}{answers}: {event.value}"


def _thread(event: Event) -> str:
    done = "settled" if event.value == RESOLVED else "reopened"
    return f"{done} the thread of comment {event.key[-HANDLE:]}"


def _approval(event: Event) -> str:
    if event.value is None:
        return "withdrew what they said in review"
    text, asked = event.extra.get("text"), event.extra.get("asked")
    asks = f"asked {asked} for a review" if isinstance(asked, str) and asked else "asked for a review"
    verdict = {REQUESTED: asks, ACCEPTED: "accepted it", REJECTED: "rejected it"}.get(event.value, event.value)
    return f"{verdict}: {text}" if isinstance(text, str) and text else verdict


def _expunged(event: Event) -> str:
    return "took back that it is expunged" if event.value is None else "expunged it"


_WORDS: dict[str, Callable[[Event], str]] = {
    "tag": _tag,
    "name": _name,
    "note": _note,
    "lifecycle": _lifecycle,
    "comment": _comment,
    "thread": _thread,
    "approval": _approval,
    EXPUNGED: _expunged,
}

"""Expunged runs: what says that a run must be gone, and what is hidden by it.

An event of this kind about a run holds nothing of it but the ids of its commits. It deletes nothing by itself: whoever
can push can write one. It hides the run and keeps it from being pushed again.
"""

from __future__ import annotations

from collections.abc import Iterable

from gittrack.core.ids import RunId
from gittrack.core.names import display
from gittrack.core.records import Event
from gittrack.errors import GittrackError, RunExpungedError

EXPUNGED = "expunged"
"""The kind of such an event; without a value it takes back those that it replaces."""


def expunger(events: Iterable[Event]) -> Event | None:
    """The event by which a run is expunged; None when there is none, or all were taken back.

    Unlike a scalar, each stands until another one replaces it: who takes one back has not seen the others.

    Args:
        events: about one run, of any kind, in any order.
    """
    stated = [event for event in events if event.kind == EXPUNGED]
    gone = {id for event in stated for id in event.replaces if id != event.id}
    standing = [event for event in stated if event.value is not None and event.id not in gone]
    return max(standing, key=lambda event: (event.time, event.id), default=None)


def hidden(id: RunId, event: Event) -> RunExpungedError:
    """The error for a run that an event says to be expunged."""
    text = f"run {id[:8]} was expunged by {display(event.author.name or event.writer, 60)}; what lies here is hidden"
    return RunExpungedError(text, hint=f"{expunge_hint(id)}, or if it is yours: gittrack restore {id}")


def unread_text(error: GittrackError) -> str:
    """What listings tell of a run that they leave out: why, and of an expunged one what to type."""
    return f"{error.message}: {error.hint}" if isinstance(error, RunExpungedError) else error.message


def expunge_hint(id: str) -> str:
    """The command that removes what is left of an expunged run from this clone."""
    return f"gittrack expunge {id} --here"

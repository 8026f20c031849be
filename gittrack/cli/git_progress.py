"""Git's own progress and ours, drawn on stderr where that is a terminal; the server's words are said, and are data."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import NamedTuple

from gittrack.cli.terminal import say
from gittrack.core.names import display
from gittrack.core.redact import redact_text

_SERVER = "remote: "
_USUAL = ("Enumerating objects", "Counting objects", "Compressing objects", "Total ", "Resolving deltas")
"""What git's own server program says each time."""
_OURS = "gittrack: "
_WIDTH = 200


_APART = 0.1
"""Seconds between two drawings of what is checked: a run takes a fraction of a millisecond, a terminal more."""


class FetchProgress(NamedTuple):
    """What a fetch tells of its progress: the lines of git, and how many runs and events are checked, of how many."""

    told: Callable[[str], None]
    checked: Callable[[int, int], None]


class _Line:
    """The one line of a terminal that is drawn over again; where stderr is none, nothing is drawn."""

    def __init__(self) -> None:
        self._draws = sys.stderr is not None and sys.stderr.isatty()
        self._drawn = False
        self._next = 0.0

    def draw(self, text: str) -> None:
        if self._draws:
            self.clear()
            sys.stderr.write(display(text, 70))
            sys.stderr.flush()
            self._drawn = True

    def draw_count(self, done: int, total: int) -> None:
        if self._draws and (done >= total or monotonic() >= self._next):
            self._next = monotonic() + _APART
            self.draw(f"Checking runs: {100 * done // max(total, 1)}% ({done:,}/{total:,})")

    def clear(self) -> None:
        if self._drawn:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._drawn = False


@contextmanager
def git_progress(*, says_stopped: bool = True) -> Iterator[Callable[[str], None]]:
    """Something to tell each line of git's to: the server's words are said, progress is drawn on one line.

    Args:
        says_stopped: say what Ctrl-C leaves; False where a bar around it does.
    """
    with _progress("stopped; the same command does the rest" if says_stopped else "") as progress:
        yield progress.told


@contextmanager
def fetch_progress() -> Iterator[FetchProgress]:
    """As :func:`git_progress`, for a fetch: what is checked is drawn too. Says what Ctrl-C leaves."""
    with _progress("stopped; what was fetched and checked is there, the same command does the rest") as progress:
        yield progress


@contextmanager
def _progress(stopped: str) -> Iterator[FetchProgress]:
    drawn = _Line()

    def told(line: str) -> None:
        if line.startswith(_OURS):
            drawn.clear()
            say(display(line.removeprefix(_OURS), _WIDTH))
            return
        words = line.removeprefix(_SERVER).strip() if line.startswith(_SERVER) else ""
        if words and not words.startswith(_USUAL):
            drawn.clear()
            say(display(redact_text(line.rstrip()), _WIDTH))
        elif "%" in line:
            drawn.draw(line.rstrip())

    try:
        yield FetchProgress(told, drawn.draw_count)
    except KeyboardInterrupt:
        drawn.clear()
        if stopped:
            say(stopped)
        raise
    finally:
        drawn.clear()

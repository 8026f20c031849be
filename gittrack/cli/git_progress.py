"""Git's own progress and the server's words, on stderr where that is a terminal; a server's words are data."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gittrack.cli.terminal import say
from gittrack.core.names import display
from gittrack.core.redact import redact_text

_SERVER = "remote: "
_USUAL = ("Enumerating objects", "Counting objects", "Compressing objects", "Total ", "Resolving deltas")
"""What git's own server program says each time."""
_OURS = "gittrack: "
_WIDTH = 200


@contextmanager
def git_progress(*, says_stopped: bool = True) -> Iterator[Callable[[str], None]]:
    """Something to tell each line of git's to: the server's words are said, progress is drawn on one line.

    Args:
        says_stopped: say what Ctrl-C leaves; False where a bar around it does.
    """
    draws = sys.stderr is not None and sys.stderr.isatty()
    drawn = False

    def told(line: str) -> None:
        nonlocal drawn
        if line.startswith(_OURS):
            say(display(line.removeprefix(_OURS), _WIDTH))
            return
        words = line.removeprefix(_SERVER).strip() if line.startswith(_SERVER) else ""
        if words and not words.startswith(_USUAL):
            _clear(drawn)
            drawn = False
            say(display(redact_text(line.rstrip()), _WIDTH))
        elif draws and "%" in line:
            _clear(drawn)
            sys.stderr.write(display(line.rstrip(), 70))
            sys.stderr.flush()
            drawn = True

    try:
        yield told
    except KeyboardInterrupt:
        if says_stopped:
            say("stopped; the same command does the rest")
        raise
    finally:
        _clear(drawn)


def _clear(drawn: bool) -> None:
    if drawn:
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()

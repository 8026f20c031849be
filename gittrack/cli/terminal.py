"""The terminal: colours, width, the pager. Data goes to stdout, messages to stderr."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO, Any, Literal

import click

from gittrack.core.names import display
from gittrack.errors import GittrackError
from gittrack.frozen import dataclass

Role = Literal["", "good", "bad", "warning", "active", "faint", "title"]

_STYLES: dict[str, dict[str, Any]] = {
    "good": {"fg": "green"},
    "bad": {"fg": "red"},
    "warning": {"fg": "yellow"},
    "active": {"fg": "cyan"},
    "faint": {"dim": True},
    "title": {"bold": True},
}
_PAGER = "less"
SHOWN_WARNINGS = 5
"""Of things of one kind that cannot be read so many are named; nobody reads a thousand lines."""
_LAYOUT = re.compile(r"([\n\t]+)")


@dataclass(frozen=True, slots=True)
class Terminal:
    """Where something is printed.

    Attributes:
        width: columns; None when it is no terminal: then nothing is cut, painted or paged.
        height: lines of a terminal.
        colour: whether to paint.
        pager: the command that shows what is longer than the terminal; empty for none.
    """

    width: int | None = None
    height: int = 24
    colour: bool = False
    pager: str = ""

    @classmethod
    def of(cls, stream: IO[str] | None, environ: Mapping[str, str]) -> Terminal:
        """What a stream (None: a closed one) leads to. ``NO_COLOR``, ``TERM``, ``COLUMNS`` and ``PAGER`` count."""
        if stream is None or not stream.isatty():
            return cls()
        from shutil import get_terminal_size

        size = get_terminal_size()
        dumb = environ.get("TERM") == "dumb"
        pager = "" if dumb else environ.get("PAGER", _PAGER)
        return cls(size.columns, size.lines, not (environ.get("NO_COLOR") or dumb), pager)

    def paint(self, text: str, role: Role) -> str:
        """``text`` in the colour of its role, where there are colours."""
        return click.style(text, **_STYLES[role]) if role and self.colour and text else text

    def show(self, lines: Sequence[str], environ: Mapping[str, str]) -> None:
        """Print lines on stdout, by the pager when they are more than the terminal holds."""
        text = "\n".join(lines)
        if not lines:
            return
        fits = self.width is None or len(lines) < self.height or self.pager in ("", "cat")
        if fits or not _paged(self.pager, text, environ):
            print_page(text)


def print_data(text: str, *, end: str = "\n") -> None:
    """Print on stdout what was asked for, which may hold anything.

    A pipe or a file gets it byte for byte. On a terminal what could steer it is shown as an escape; line ends and tabs
    stay.

    Raises:
        GittrackError: stdout is closed; without an error a script would take nothing for the answer.
    """
    on_terminal = sys.stdout is not None and sys.stdout.isatty()
    # Every second part is line ends and tabs.
    parts = _LAYOUT.split(text) if on_terminal else [text]
    print_page(
        "".join(part if place % 2 or not on_terminal else display(part) for place, part in enumerate(parts)), end
    )


def print_page(text: str, end: str = "\n") -> None:
    """Print on stdout a text of ours, with its colours: all that others wrote is escaped in it already.

    Raises:
        GittrackError: stdout is closed.
    """
    if sys.stdout is None:
        raise GittrackError("cannot write the output: stdout is closed")
    # click takes escape sequences out of what is no terminal, unless it is told that they are meant.
    click.echo(text + end, nl=False, color=True)


def _paged(pager: str, text: str, environ: Mapping[str, str]) -> bool:
    import shlex
    import signal
    import subprocess

    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C belongs to the pager
    try:
        subprocess.run(shlex.split(pager), input=text.encode(), env={"LESS": "FRX", **environ}, check=False)
    except (OSError, ValueError):
        return False  # there is no such pager: printed without
    finally:
        signal.signal(signal.SIGINT, before)
    return True


def say(text: str, role: Role = "") -> None:
    """Print a message on stderr, one line, whatever it holds; ``role`` paints its first word.

    That nobody takes it (a full disk, a closed stream) does not change what the command does.
    """
    from gittrack.config import read_process

    head, colon, rest = display(text).partition(":") if role else ("", "", display(text))
    painted = Terminal.of(sys.stderr, read_process().environ).paint(head, role) if role else ""
    with suppress(OSError, ValueError):
        click.echo(f"gittrack: {painted}{colon}{rest}", err=True)


def warn_of(texts: Sequence[str]) -> None:
    """Say the first few of some warnings of one kind, how many more there are, and what names them all."""
    for text in texts[:SHOWN_WARNINGS]:
        say(f"warning: {text}", role="warning")
    if len(texts) > SHOWN_WARNINGS:
        say(f"warning: … and {len(texts) - SHOWN_WARNINGS} more: gittrack fsck", role="warning")

"""A page that is shown again and again in one place of the terminal, which is left as it was found."""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from time import monotonic
from types import FrameType
from typing import Any

from gittrack.cli.terminal import Terminal

_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l\x1b[?7l", "\x1b[?7h\x1b[?25h\x1b[?1049l"
"""The other screen, no cursor, and lines that do not go on in the next one; and all of that undone."""
_HOME, _REST_OF_LINE, _BELOW = "\x1b[H", "\x1b[K", "\x1b[J"
_ENDING = (signal.SIGTERM, signal.SIGHUP)


def has_cursor_control(environ: Mapping[str, str]) -> bool:
    """Whether stdout is a terminal in which something can be drawn in place."""
    there = sys.stdout is not None and sys.stdout.isatty()
    return there and environ.get("TERM", "") not in ("", "dumb", "unknown")


class Screen:
    """The other screen of the terminal, as long as it is held.

    Attributes:
        environ: environment variables.
        quit: whether ``q`` was typed.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.quit = False
        self._wake, self._waker = -1, -1
        self._settings: list[Any] | None = None

    @classmethod
    @contextmanager
    def held(cls, environ: Mapping[str, str]) -> Iterator[Screen]:
        """The screen; whatever ends the block, Ctrl-C and signals that end the process too, the terminal is as before.

        Ctrl-Z gives the terminal back as well, and takes it again when the process goes on.
        """
        screen = cls(environ)
        with ExitStack() as undo:
            screen._wake, screen._waker = os.pipe()
            for end in (screen._wake, screen._waker):
                os.set_blocking(end, False)
                undo.callback(os.close, end)
            handlers = dict.fromkeys(_ENDING, _end)
            for number, handler in {
                signal.SIGWINCH: screen._resized,
                signal.SIGTSTP: screen._stopped,
                **handlers,
            }.items():
                if signal.getsignal(number) is not signal.SIG_IGN:
                    undo.callback(signal.signal, number, signal.signal(number, handler))
            undo.callback(screen._leave)
            screen._enter()
            yield screen

    @property
    def terminal(self) -> Terminal:
        """The terminal as large as it is now."""
        return Terminal.of(sys.stdout, self.environ)

    def show(self, lines: Sequence[str], terminal: Terminal) -> None:
        """Draw a page in the place of the last one.

        Args:
            lines: from the top; what is below the terminal's last line is not shown.
            terminal: what they were made for.
        """
        shown = list(lines[: terminal.height])
        if len(lines) > terminal.height:
            shown[-1] = f"... {len(lines) - terminal.height + 1} more lines"
        _write(_HOME + "\n".join(line + _REST_OF_LINE for line in shown) + _BELOW)

    def wait(self, seconds: float) -> None:
        """Wait, until then at the longest when the terminal's size changes or ``q`` is typed."""
        until = monotonic() + seconds
        while (left := until - monotonic()) > 0 and not self.quit:
            typed = [sys.stdin.fileno()] if self._settings is not None else []
            ready, _, _ = select.select([self._wake, *typed], [], [], left)
            if self._wake in ready:
                with suppress(BlockingIOError):
                    os.read(self._wake, 4096)
                return
            if ready:
                data = os.read(sys.stdin.fileno(), 1024)
                self.quit = b"q" in data
                if not data:  # the terminal is gone
                    raise KeyboardInterrupt

    def _enter(self) -> None:
        self._settings = _without_echo()
        _write(_ENTER)

    def _leave(self) -> None:
        with _handled(signal.SIGINT, signal.SIG_IGN):  # a second Ctrl-C would leave half of it
            with suppress(OSError, ValueError):  # nobody is there any more
                _write(_LEAVE)
            if self._settings is not None:
                _restore(self._settings)

    def _resized(self, number: int, frame: FrameType | None) -> None:
        with suppress(BlockingIOError):
            os.write(self._waker, b"x")

    def _stopped(self, number: int, frame: FrameType | None) -> None:
        self._leave()
        with _handled(signal.SIGTSTP, signal.SIG_DFL):
            os.kill(os.getpid(), signal.SIGTSTP)  # stops here, and goes on here
        self._enter()
        self._resized(number, frame)


def _end(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


@contextmanager
def _handled(number: signal.Signals, handler: Any) -> Iterator[None]:
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)


def _write(text: str) -> None:
    # Not by `sys.stdout.write`: what a signal interrupts in there must not be entered by the signal's own handler.
    sys.stdout.flush()
    data = text.encode(sys.stdout.encoding or "utf-8", "backslashreplace")
    while data:
        data = data[os.write(sys.stdout.fileno(), data) :]


def _without_echo() -> list[Any] | None:
    """Let single keys through, unseen; the settings before, or None when stdin is no terminal of ours."""
    import termios

    if sys.stdin is None or not sys.stdin.isatty():
        return None
    try:
        number = sys.stdin.fileno()
        before: list[Any] = termios.tcgetattr(number)
        changed = list(before)
        changed[3] &= ~(termios.ECHO | termios.ICANON)
        termios.tcsetattr(number, termios.TCSADRAIN, changed)
    except (termios.error, OSError, ValueError):
        return None
    return before


def _restore(settings: list[Any]) -> None:
    import termios

    with suppress(termios.error, OSError, ValueError):
        termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, settings)


def refresh(screen: Screen, seconds: float, page: Callable[[Terminal], tuple[Sequence[str], bool]]) -> None:
    """Show a page again and again, until it says that it was the last one, or ``q`` is typed.

    Making a page takes a fifth of the time at most: what is slow to read is read less often.

    Args:
        screen: where.
        seconds: between two pages.
        page: the lines for a terminal, and whether it was the last page.
    """
    while not screen.quit:
        terminal, began = screen.terminal, monotonic()
        lines, last = page(terminal)
        screen.show(lines, terminal)
        if last:
            return
        screen.wait(max(seconds, 4 * (monotonic() - began)))

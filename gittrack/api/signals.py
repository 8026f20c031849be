"""SIGTERM and SIGHUP end active runs as ``killed`` before the process dies; Ctrl-C is an exception already.

Installed only in the main thread, only over the default action (a handler of the training's own is left alone), and
taken out again when no run is active.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class KillGuard:
    """Ends runs in order when the process is told to die.

    Args:
        end_all: ends every active run as killed.
        busy: whether a run is just being ended; then dying waits until it is.
    """

    def __init__(self, end_all: Callable[[], None], busy: Callable[[], bool]) -> None:
        self._end_all = end_all
        self._busy = busy
        self._pid = os.getpid()
        self._installed: list[int] = []
        self._pending: int | None = None

    def install(self) -> None:
        """Take over the signals whose action is the default one."""
        if self._installed or threading.current_thread() is not threading.main_thread():
            return
        self._pid = os.getpid()
        for number in _SIGNALS:
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, self._handle)
                self._installed.append(number)

    def remove(self) -> None:
        """Give the signals back; die now of one that came while a run was being ended."""
        if self._installed and threading.current_thread() is threading.main_thread():
            for number in self._installed:
                if signal.getsignal(number) == self._handle:
                    signal.signal(number, signal.SIG_DFL)
            self._installed = []
        if self._pending is not None:
            number, self._pending = self._pending, None
            os.kill(os.getpid(), number)

    def catch_up(self) -> None:
        """Die now of a signal that came while one of several runs was being ended: the others end first."""
        if self._pending is not None and not self._busy():
            number, self._pending = self._pending, None
            os.kill(os.getpid(), number)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() == self._pid:
            if self._busy():
                self._pending = number
                return
            self._end_all()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)


def die_interrupted() -> None:
    """Let Python go on dying of Ctrl-C (exit code 130) after we ended runs at its exit.

    Python asks whether the last code it was given as text ended by ``KeyboardInterrupt``, and the making of a dataclass
    in a module that we import at the end is such code. So the last such code is this.
    """
    try:
        exec("raise KeyboardInterrupt")  # noqa: S102 (a constant)
    except KeyboardInterrupt:
        return

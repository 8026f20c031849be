"""The output of a program: shown as it comes, kept without its secrets."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from math import inf
from select import select
from time import monotonic
from typing import IO

from gittrack.api.guarded import warn
from gittrack.api.output_ends import OutputEnds
from gittrack.api.run import Run
from gittrack.core.redact_stream import OutputRedactor
from gittrack.errors import GittrackError

_CHUNK = 64 << 10
_QUIET_SECONDS = 1.0
_REST_SECONDS = 5.0


class Recorder:
    """Keeps the program's output in the run, secrets masked, up to a limit; beyond it the beginning and the end.

    The beginning goes into the journal line by line: killed, gittrack loses an unfinished line, and the end of what is
    beyond the limit.

    Attributes:
        failure: of a strict run the first failure to keep some, for when all is over: the program needs a reader.
    """

    def __init__(self, run: Run, limit: int) -> None:
        self.failure: GittrackError | None = None
        self._run = run
        self._ends = OutputEnds(limit, self._write)
        self._finished = False
        self._lock = threading.Lock()
        self._redactors: list[OutputRedactor] = []

    def stream(self) -> Callable[[bytes], None]:
        """Takes the output of one stream, whose lines those of another do not part; after the end nothing is taken."""
        redactor = OutputRedactor()
        self._redactors.append(redactor)

        def keep(data: bytes) -> None:
            with self._lock:
                if not self._finished:
                    self._ends.keep(redactor.feed(data))

        return keep

    def finish(self) -> None:
        """Write unfinished lines and the end of the output."""
        with self._lock:
            self._finished = True
            for redactor in self._redactors:
                self._ends.keep(redactor.finish())
            self._ends.finish()

    def _write(self, data: bytes) -> None:
        try:
            self._run._append_output(data)
        except GittrackError as error:
            self.failure = self.failure or error


class Copying:
    """A thread that copies a stream of the program to ours and into the run, until the stream ends.

    Args:
        source: the unbuffered stream; closed at the end.
        target: where it is shown; None for nowhere.
        keep: takes what the run keeps.

    Attributes:
        thread: a daemon that holds no lock of ``sys.stdout``, so that gittrack can end while it waits.
        waits_since: when it began to wait for output, s of ``monotonic()``; infinite while it shows some, which takes
            as long as whoever reads it likes.
    """

    def __init__(self, source: IO[bytes], target: IO[str] | None, keep: Callable[[bytes], None]) -> None:
        self._source = source
        self._target = None if target is None else target.fileno()
        self._keep = keep
        self.waits_since = monotonic()
        self.thread = threading.Thread(target=self._work, daemon=True)
        self.thread.start()

    def _work(self) -> None:
        with self._source:  # closed whatever happens: without a reader the program would wait for ever
            while data := self._source.read(_CHUNK):
                self.waits_since = inf
                self._keep(data)
                if not self._show(data):
                    return
                self.waits_since = monotonic()

    def _show(self, data: bytes) -> bool:
        """False when our reader is gone: the program then loses its own, and notices as it would without gittrack."""
        while data and self._target is not None:
            try:
                data = data[os.write(self._target, data) :]
            except BlockingIOError:
                select([], [self._target], [])
            except BrokenPipeError:
                return False
            except OSError as error:
                self._target = None
                warn(f"the output cannot be shown: {error.strerror}; the run keeps it")
        return True


def all_copied(copying: Sequence[Copying], stop: Callable[[], bool]) -> bool:
    """Wait for what the ended program has written, though not for the programs that it left running behind it."""
    ended = monotonic()
    while alive := [each for each in copying if each.thread.is_alive()]:
        now = monotonic()
        quiet = now - max(ended, *(each.waits_since for each in alive))
        if stop() or quiet > _QUIET_SECONDS or (quiet >= 0 and now - ended > _REST_SECONDS):
            return False
        alive[0].thread.join(0.05)
    return True

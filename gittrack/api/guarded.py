"""What keeps a failure of logging away from the training."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from time import time
from typing import TYPE_CHECKING, Any

from gittrack.core.names import display
from gittrack.core.records import RunStatus
from gittrack.errors import GittrackError, InvalidValueError

if TYPE_CHECKING:
    from gittrack.store.journal_file import JournalWriter


MOST_ERRORS = 1000
"""Lines kept in ``errors.log``: a mistake within a training loop must not become the largest file of the run."""
_LONGEST_ERROR = 2000
_MOST_SAID = 10
"""Different messages of one function that are said: a mistake within a training loop may tell its step each time."""


def warn(text: str) -> None:
    """Say something on stderr. Not ``warnings.warn``: a filter that turns warnings into errors would stop training."""
    stream = sys.stderr
    if stream is None:
        return
    line = f"gittrack: {text}\n"
    try:
        stream.flush()
        if sys.__stderr__ is not None and stream is sys.__stderr__:
            # Past its buffer: what cannot be flushed from there would make the training end with exit code 120.
            os.write(stream.fileno(), line.encode(stream.encoding or "utf-8", "backslashreplace"))
        else:
            stream.write(line)
    except (OSError, ValueError, RuntimeError):
        # Closed: nobody is left to be told, and training goes on. RuntimeError: a signal came within such a flush.
        return


class Guarded:
    """The part of a run that writes operations and takes failures.

    Args:
        writer: the journal; None for a silent run.
        strict: raise failures instead of keeping them in ``errors.log``.
    """

    def __init__(self, writer: JournalWriter | None, *, strict: bool) -> None:
        self.strict = strict
        self._writer = writer
        self._status = RunStatus.RUNNING
        self._said: dict[str, set[str]] = {}
        self._errors = 0
        if writer is not None:
            writer.on_failure = self._note_failure

    def forked(self) -> None:
        """Told in a forked child: what it logs goes into a journal of its own."""
        if self._writer is not None:
            self._writer.forked()

    def _has_ended(self) -> GittrackError:
        return InvalidValueError("the run has ended", hint="gittrack.start_run(run_id=…) resumes it")

    def _operation(self, operation: dict[str, Any], content: bytes | None = None) -> None:
        writer = self._writer
        if writer is None:
            return
        if self._status is not RunStatus.RUNNING:
            raise self._has_ended()
        operation["t"] = int(time() * 1000)
        writer.operation(operation, content)

    def _guarded(self, what: str, action: Callable[..., None], *arguments: object) -> None:
        if self._writer is None:
            return
        try:
            action(*arguments)
        except Exception as error:
            self._failed(what, error)

    def _failed(self, what: str, error: Exception) -> None:
        if self._writer is None:
            return  # a silent run keeps nothing, so nothing of it can be lost
        from gittrack.capture.failure import one_line
        from gittrack.core.redact import redact_text

        # A message may quote what foreign code says, secrets included.
        text = redact_text(error.message) if isinstance(error, GittrackError) else one_line(error)
        hint = error.hint if isinstance(error, GittrackError) else None
        if self.strict and isinstance(error, GittrackError):
            raise error
        if self.strict:
            raise InvalidValueError(f"{what}: {text}") from error
        self._note_error(what, text, hint)

    def _note_failure(self, text: str) -> None:
        self._say_once("journal", f"{text}; what is logged waits in memory")

    def _note_error(self, what: str, text: str, hint: str | None = None) -> None:
        self._say_once(what, f"{what}: {text}; {hint}" if hint else f"{what}: {text}")
        if self._writer is None or self._status is not RunStatus.RUNNING or self._errors > MOST_ERRORS:
            return
        self._errors += 1
        line = f"{what}: {text}"[:_LONGEST_ERROR] if self._errors <= MOST_ERRORS else "further errors are left out"
        try:
            data = f"{line}\n".encode("utf-8", "backslashreplace")
            self._writer.operation({"op": "log", "name": "errors.log", "t": int(time() * 1000)}, data)
        except Exception as error:
            self._say_once("errors.log", f"errors.log cannot be written: {error}")

    def _say_once(self, what: str, text: str) -> None:
        """Say a message once, and of one function not more than some different ones."""
        said = self._said.setdefault(what, set())
        if text in said or len(said) > _MOST_SAID:
            return
        said.add(text)
        if len(said) > _MOST_SAID:
            text = f"{what}: further errors are not said"
        warn(f"{display(text)} (said once; all are in the run's errors.log)")

"""How a run ends: in order, by an exception, by a signal, or with the interpreter."""

from __future__ import annotations

import os
import threading
import time
from _thread import start_new_thread
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from gittrack.api.guarded import warn
from gittrack.core.ids import ObjectId
from gittrack.core.names import display
from gittrack.core.records import RunStatus
from gittrack.errors import ConflictError, GittrackError, StorageError

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.api.run import Run
    from gittrack.capture.system_metrics import SystemSampler
    from gittrack.store.journal_file import JournalWriter
    from gittrack.store.live import LiveRun

Goodbye = Literal["", "line", "lines"]

FLUSH_SECONDS = 5.0
_ROLLING_SECONDS = 3.0
"""How long another roll-up is given before the next one is asked for."""


class Flusher:
    """Brings a journal to the disk every few seconds, so that a power loss costs no more than those."""

    def __init__(self, writer: JournalWriter) -> None:
        self._writer = writer
        self._stopped = threading.Event()
        # Not threading.Thread: it waits until the thread has begun, which takes longer than all else that starts a run.
        start_new_thread(self._work, ())

    def _work(self) -> None:
        while not self._stopped.wait(FLUSH_SECONDS):
            self._writer.flush()

    def stop(self) -> None:
        """Stop flushing."""
        self._stopped.set()


_SHORT_ERROR = 500


@dataclass(slots=True, eq=False, repr=False)
class Closing:
    """What ends one run in this process.

    Attributes:
        project: where the run goes.
        writer: its journal here.
        joined: whether another process (``gittrack run``) owns it and publishes it.
        on_end: told when it has ended (the fluent API forgets it).
        goodbye: what is said on stderr of how it went: nothing, a line, or several.
        sampler: the system metrics thread, if any.
        flusher: the flushing thread.
    """

    project: Project
    writer: JournalWriter
    joined: bool
    flusher: Flusher
    on_end: Callable[[Run], None]
    goodbye: Goodbye = ""
    sampler: SystemSampler | None = None
    commit: ObjectId | None = field(default=None)

    def stop_sampling(self) -> None:
        """Take the last sample of the system metrics, while the run still takes points."""
        if self.sampler is not None:
            self.sampler.stop()

    def close(self, run: Run, *, error: BaseException | None, exit_code: int | None) -> None:
        """Write the end, commit the run, publish it.

        Raises:
            StorageError: git could not store it; the live run stays and the next command finishes it.
        """
        try:
            self.flusher.stop()
            run._finish_output()
            self._write_end(run, _end_operation(self.project, run.status, error, exit_code))
            if not self.joined:
                self._publish(run)
        finally:
            self.writer.release()
            self.on_end(run)
        if not self.joined:
            roll_up_when_full(self.project)

    def _write_end(self, run: Run, end: dict[str, Any]) -> None:
        self.writer.operation(end)
        try:
            self.writer.close()
        except StorageError as error:
            if not self.writer.waiting:
                raise
            text = f"the disk is full: the last {self.writer.waiting} bytes of what was logged could not be stored"
            log = {"op": "log", "name": "errors.log", "t": end["t"]}
            short = {key: value for key, value in end.items() if key != "traceback"}
            short["error"] = "; ".join([*([short["error"][:_SHORT_ERROR]] if "error" in short else []), text])
            self.writer.close_without_waiting([(log, f"{text}\n".encode()), (short, None)])
            raise StorageError(
                f"run '{run.name}': {text}", hint="free some disk space, then: gittrack recover"
            ) from error

    def _publish(self, run: Run) -> None:
        from gittrack.store.live import read_live
        from gittrack.store.publish import publish

        live = read_live(str(self.project.layout.live_run(run.id)), run.id)
        if live is None:
            raise GittrackError(f"live run {run.id} is gone", hint=f"gittrack show {run.id[:8]}")
        if live.problem:
            raise StorageError(live.problem, hint="gittrack recover")
        self._warn_of_stragglers(live)
        self.commit = publish(self.project.repo, self.project.layout, run.id, live.contents)
        _warn_of_unsigned(self.project, live)
        if self.goodbye and not self.project.config.quiet:
            from gittrack.api.farewell import changed_inputs, ended_line, ended_lines, errors_of, just_ended

            ended, first = just_ended(self.project, self.commit, live.contents), self.project.config.headline
            lines = ended_lines(ended, first, errors_of(live.contents), changed_inputs(live.contents))
            warn(ended_line(ended, first) if self.goodbye == "line" else "\n".join(lines))

    def _warn_of_stragglers(self, live: LiveRun) -> None:
        from gittrack.store.live import other_writers

        others = other_writers(live, self.writer.path)
        if others:
            warn(f"{others} other process(es) still log to the run that ends; what they log from now on is not kept")


def _warn_of_unsigned(project: Project, live: LiveRun) -> None:
    """Say that what a resumption changed is not signed, where git is set to sign: training waits for no passphrase."""
    from gittrack.core.assembly import resumed_commit, resumption_changes

    if resumed_commit(live.contents) is None or not resumption_changes(live.contents):
        return
    try:
        signs = project.signs
    except GittrackError:  # a setting that is neither true nor false: git itself says so when somebody commits
        return
    if signs:
        warn("the tags, name and note that this resumption set are not signed: what trains signs nothing")


def _end_operation(
    project: Project, status: RunStatus, error: BaseException | None, exit_code: int | None
) -> dict[str, Any]:
    operation: dict[str, Any] = {"op": "end", "t": project.now(), "status": status.value}
    # Not isinstance: it asks the object, and whatever a run is ended with, it ends.
    if exit_code is not None and issubclass(type(exit_code), int) and -(1 << 31) <= exit_code < 1 << 32:
        operation["exit_code"] = int(exit_code)
    is_failure = issubclass(type(error), BaseException)
    if error is not None and is_failure and not isinstance(error, SystemExit | KeyboardInterrupt | GeneratorExit):
        from gittrack.capture.failure import format_traceback, one_line

        operation |= {"error": one_line(error), "traceback": format_traceback(error)}
    return operation


def roll_up_when_full(project: Project) -> None:
    """Have the inbox rolled up when it is full: by a process of its own, since whoever ends a run has better to do.

    Runs that are not rolled up are counted by their ``done/`` copies. Each is a loose ref, of which the user's own
    ``git branch`` and ``git log`` feel some 4 microseconds.
    """
    from gittrack.store.done import done_count

    if 0 < project.config.inbox_limit <= done_count(project.layout):
        _roll_up(project)


def roll_up_when_crowded(project: Project) -> None:
    """The same after an event, of which no ``done/`` copy tells: here the refs are counted."""
    from gittrack.core.refs import INBOX_PREFIX

    if 0 < project.config.inbox_limit <= len(project.repo.refs.list(INBOX_PREFIX)):
        _roll_up(project)


def _roll_up(project: Project) -> None:
    from gittrack.api.beside import start_beside

    if not _has_just_been_asked(project) and start_beside(project, ["roll-up", "--quiet"]):
        _roll_up_here(project)


def _has_just_been_asked(project: Project) -> bool:
    """Whether a roll-up was started a moment ago; if not, note that one is now."""
    asked = project.layout.rollup_asked
    try:
        if 0 <= time.time() - os.stat(asked).st_mtime < _ROLLING_SECONDS:
            return True
    except FileNotFoundError:
        pass
    try:
        asked.touch()
    except OSError:  # it is rolled up once too often then
        return False
    return False


def _roll_up_here(project: Project) -> None:
    from gittrack.store.rollup import roll_up

    try:
        roll_up(project.repo, project.layout, project.author, project.now())
    except ConflictError:
        return  # an inbox ref moved meanwhile: the next one rolls up
    except GittrackError as error:  # what was to be stored is
        warn(f"runs could not be rolled up: {display(error.message)}")


def status_of(error: BaseException | None) -> tuple[str, int | None]:
    """The status and exit code that an exception at the end of a ``with`` block stands for."""
    if error is None or isinstance(error, GeneratorExit):  # who reads a generator may stop before its end
        return RunStatus.FINISHED.value, None
    if isinstance(error, KeyboardInterrupt):
        return RunStatus.KILLED.value, 130
    if isinstance(error, SystemExit):
        return status_of_exit(error.code)
    if type(error).__name__ == "CancelledError":
        return RunStatus.KILLED.value, None
    return RunStatus.FAILED.value, 1


def status_of_exit(code: object) -> tuple[str, int]:
    """The status and exit code that ``sys.exit(code)`` stands for."""
    number = (int(code) if -(1 << 31) <= code < 1 << 31 else -1) & 0xFF if isinstance(code, int) else code is not None
    return (RunStatus.FAILED.value if number else RunStatus.FINISHED.value), int(number)

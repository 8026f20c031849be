"""``gittrack run -- CMD``: a run around any program. Output goes to the terminal as ever and into the run; the exit
code passes through; a ``start_run`` inside the program joins the run.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from select import select
from time import monotonic
from typing import IO, TYPE_CHECKING, Any, Self

from gittrack.api.guarded import warn
from gittrack.api.project import Project
from gittrack.api.read import SavedRun, find_run
from gittrack.api.run import Run
from gittrack.api.start import Request, begin
from gittrack.core.ids import RunId
from gittrack.core.records import RunStatus
from gittrack.core.values import flatten_params
from gittrack.errors import GittrackError, UsageError

if TYPE_CHECKING:
    from types import FrameType

_CHUNK = 64 << 10
_PIECE = 1 << 20
"""Bytes of output in one record of the journal, at most: a larger record costs more when it is damaged."""
_QUIET_SECONDS = 1.0
_REST_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class CommandRequest:
    """What to run, and how to call it.

    Attributes:
        command: program and arguments.
        name, experiment, tags, note, parent: of the run.
        params: given on gittrack's own command line; they win over the script's and the files'.
        params_files: read for more params (TOML, YAML, JSON, ``pyproject.toml``).
        system_metrics: sample CPU, memory, disk, network and GPU.
    """

    command: Sequence[str]
    name: str | None = None
    experiment: str | None = None
    params: Mapping[str, object] = field(default_factory=dict)
    params_files: Sequence[Path] = ()
    tags: Mapping[str, object] = field(default_factory=dict)
    note: str | None = None
    parent: RunId | None = None
    system_metrics: bool | None = None


@dataclass(frozen=True, slots=True)
class CommandResult:
    """How it ended.

    Attributes:
        run: the finished run; None when ``GITTRACK_DISABLED`` is set.
        exit_code: what the shell should see: the program's, or 128 + the signal that ended it.
    """

    run: SavedRun | None
    exit_code: int


class _Recorder:
    """Keeps the output of the program in the run, up to a limit; beyond it the beginning and the end.

    Attributes:
        failure: of a strict run the first failure to keep some, for when all is over: the program needs a reader.
    """

    def __init__(self, run: Run, limit: int) -> None:
        self.failure: GittrackError | None = None
        self._run = run
        self._head = limit // 2
        self._tail_limit = limit - self._head
        self._kept = 0
        self._tail = bytearray()
        self._dropped = 0
        self._finished = False
        self._lock = threading.Lock()

    def keep(self, data: bytes) -> None:
        """Take some output; after the end nothing is taken."""
        with self._lock:
            if self._finished:
                return
            room = self._head - self._kept
            if room > 0:
                self._write(data[:room])
                self._kept += len(data[:room])
                data = data[room:]
            self._tail += data
            if len(self._tail) > 2 * self._tail_limit:
                self._cut()

    def _cut(self) -> None:
        excess = len(self._tail) - self._tail_limit
        if excess > 0:
            self._dropped += excess
            del self._tail[:excess]

    def finish(self) -> None:
        """Write the end of the output, after a line that says how much is left out."""
        with self._lock:
            self._finished = True
            self._cut()
            if self._dropped:
                self._write(f"\n[gittrack: {self._dropped} bytes of output left out]\n".encode())
            for start in range(0, len(self._tail), _PIECE):
                self._write(bytes(self._tail[start : start + _PIECE]))

    def _write(self, data: bytes) -> None:
        if data:
            try:
                self._run.log_output(data)
            except GittrackError as error:
                self.failure = self.failure or error


class _Copying:
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


def _all_copied(copying: Sequence[_Copying], stop: Callable[[], bool]) -> bool:
    """Wait for what the ended program has written, though not for the programs that it left running behind it."""
    ended = monotonic()
    while alive := [each for each in copying if each.thread.is_alive()]:
        now = monotonic()
        quiet = now - max(ended, *(each.waits_since for each in alive))
        if stop() or quiet > _QUIET_SECONDS or (quiet >= 0 and now - ended > _REST_SECONDS):
            return False
        alive[0].thread.join(0.05)
    return True


def run_command(project: Project, request: CommandRequest) -> CommandResult:
    """Run a program as a run.

    Raises:
        UsageError: no program given, or a params file that cannot be read.
        GittrackError: the run cannot be begun; the program is not started then.
    """
    if not request.command:
        raise UsageError("no command given", hint="gittrack run -- python train.py")
    from gittrack.capture.distributed import is_primary

    if project.process.disabled or not is_primary(project.process.environ):  # only rank 0 writes
        return CommandResult(None, _execute_alone(request.command))
    from gittrack.capture.environment import EnvironmentCapture

    asked = Request(
        name=request.name,
        experiment=request.experiment,
        params=_params(request),
        given_params=tuple(flatten_params(dict(request.params))),
        tags=request.tags,
        description=request.note,
        parent=request.parent or _around(project),
        system_metrics=request.system_metrics,
        command=tuple(request.command),
    )
    ended: list[Run] = []
    run = begin(project, asked, EnvironmentCapture(), ended.append)
    code = _execute(project, run, request.command)
    return CommandResult(find_run(project, run.id), code)


def _around(project: Project) -> RunId | None:
    """The run whose program we are: ``gittrack run`` within ``gittrack run`` makes a child."""
    from gittrack.api.read import find_run_id

    around = project.process.run_id or project.process.parent
    return find_run_id(project, around) if around else None


def _execute_alone(command: Sequence[str]) -> int:
    with _SignalsPassedOn() as signals:
        try:
            child = subprocess.Popen(list(command))
        except OSError as error:
            raise UsageError(f"cannot start '{command[0]}': {_reason(error)}", hint="check the command") from error
        signals.pass_to(child)
        code = child.wait()
    return 128 - code if code < 0 else code


def _reason(error: OSError) -> str:
    return "not found" if isinstance(error, FileNotFoundError) else error.strerror or str(error)


def _params(request: CommandRequest) -> dict[str, object]:
    from gittrack.capture.script_params import params_from_argv, read_params_file

    params: dict[str, object] = {}
    for path in request.params_files:
        params |= read_params_file(path)
    return params | params_from_argv(request.command) | dict(request.params)


def _execute(project: Project, run: Run, command: Sequence[str]) -> int:
    recorder = _Recorder(run, project.config.output_limit)
    with _SignalsPassedOn() as signals:
        child = _start(project, run, command)
        assert child.stdout is not None and child.stderr is not None
        streams = ((child.stdout, sys.stdout), (child.stderr, sys.stderr))
        copying = [_Copying(source, target, recorder.keep) for source, target in streams]
        signals.pass_to(child)
        code = child.wait()
        seen = len(signals.seen)  # one that comes later has not ended the command: it ends the waiting
        if not _all_copied(copying, lambda: len(signals.seen) > seen):
            warn("the command has ended, but not its output: the rest is neither shown nor kept")
    recorder.finish()
    status, shown = _outcome(project, run.id, code, seen > 0)
    _end(run, status, shown)
    if recorder.failure is not None:
        raise recorder.failure
    return shown


def _start(project: Project, run: Run, command: Sequence[str]) -> subprocess.Popen[bytes]:
    environment = {**project.process.environ, "GITTRACK_RUN_ID": run.id}
    environment.setdefault("PYTHONUNBUFFERED", "1")
    try:
        pipe = subprocess.PIPE
        return subprocess.Popen(list(command), env=environment, stdout=pipe, stderr=pipe, bufsize=0)
    except OSError as error:
        run.end("failed", exit_code=127, error=error)
        hint = f"gittrack show {run.id[:8]}"
        raise UsageError(f"cannot start '{command[0]}': {_reason(error)}", hint=hint) from error


def _end(run: Run, status: str, exit_code: int) -> None:
    """End the run, or say that it is not: the handle alone calls it ended either way."""
    cause: GittrackError | None = None
    try:
        run.end(status, exit_code=exit_code)
    except GittrackError as error:  # strict
        cause = error
    if run._closing is not None and run._closing.commit is None:
        reason = "" if cause is None else f": {cause.message}"
        raise GittrackError(f"run '{run.name}' could not be ended{reason}", hint="gittrack recover") from cause
    if cause is not None:
        raise cause


def _outcome(project: Project, id: RunId, code: int, interrupted: bool) -> tuple[str, int]:
    """Status and exit code: a signal or Ctrl-C is ``killed``; a program that said how its run ended is believed."""
    from gittrack.store.live import read_live

    shown = 128 - code if code < 0 else code
    if code < 0 or interrupted:
        return RunStatus.KILLED.value, shown
    live = read_live(str(project.layout.live_run(id)), id)
    said = [
        operation["status"]
        for contents in (() if live is None else live.contents)
        for operation in contents.operations
        if operation["op"] == "end"
    ]
    if said and (code == 0 or said[-1] != RunStatus.FINISHED.value):
        return said[-1], shown
    return (RunStatus.FINISHED.value if code == 0 else RunStatus.FAILED.value), shown


class _SignalsPassedOn:
    """While the program runs: Ctrl-C reaches it through the terminal, other signals are passed on; we wait for it.

    Entered before the program is started: a signal in between would end us and leave it behind.

    Attributes:
        seen: the signals that have come.
    """

    _SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self) -> None:
        self.seen: list[int] = []
        self._child: subprocess.Popen[bytes] | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in self._SIGNALS:
                before = signal.getsignal(number)
                if before not in (signal.SIG_IGN, None):  # under nohup the program ignores it too
                    self._before[number] = before
                    signal.signal(number, self._handle)
        return self

    def pass_to(self, child: subprocess.Popen[bytes]) -> None:
        """Name the program; it gets what has come before."""
        early, self._child = tuple(self.seen), child
        for number in early:
            child.send_signal(number)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.seen.append(number)
        child = self._child
        if child is not None and not (number == signal.SIGINT and _in_foreground(child.pid)) and child.poll() is None:
            child.send_signal(number)


def _in_foreground(child: int) -> bool:
    """Whether the terminal's Ctrl-C reaches us and the child alike; stdin may be something else than the terminal."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return False  # no terminal: whoever sent the signal sent it to us alone
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp() == os.getpgid(child)
    except OSError:
        return False
    finally:
        os.close(terminal)

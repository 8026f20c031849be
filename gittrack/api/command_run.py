"""``gittrack run -- CMD``: a run around any program. Output goes to the terminal as ever and into the run; the exit
code passes through; a ``start_run`` inside the program joins the run.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from gittrack.api.captured_output import Copying, Recorder, all_copied
from gittrack.api.guarded import warn
from gittrack.api.project import Project
from gittrack.api.read import SavedRun, find_run
from gittrack.api.run import Run
from gittrack.api.start import Request, begin
from gittrack.core.ids import RunId
from gittrack.core.records import RunStatus
from gittrack.core.values import flatten_params
from gittrack.errors import CommandNotExecutableError, CommandNotFoundError, GittrackError, UsageError
from gittrack.frozen import dataclass

if TYPE_CHECKING:
    from types import FrameType


@dataclass(frozen=True, slots=True)
class CommandRequest:
    """What to run, and how to call it.

    Attributes:
        command: program and arguments.
        name, experiment, tags, note, parent: of the run.
        params: given on gittrack's own command line; they win over the script's and the files'.
        params_files: read for more params (TOML, YAML, JSON, ``pyproject.toml``).
        system_metrics: sample CPU, memory, disk, network and GPU.
        live: seconds between two checkpoints that are pushed, 0 for none; None: as the settings say.
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
    live: float | None = None


@dataclass(frozen=True, slots=True)
class CommandResult:
    """How it ended.

    Attributes:
        run: the finished run; None when ``GITTRACK_DISABLED`` is set.
        exit_code: what the shell should see: the program's, or 128 + the signal that ended it.
    """

    run: SavedRun | None
    exit_code: int


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
        live=request.live,
        command=tuple(request.command),
    )
    ended: list[Run] = []
    run = begin(project, asked, EnvironmentCapture(), ended.append)
    code = _execute(project, run, request.command)
    return CommandResult(find_run(project, run.id, index=False), code)


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
            kind = CommandNotFoundError if isinstance(error, FileNotFoundError) else CommandNotExecutableError
            raise kind(f"cannot start '{command[0]}': {_reason(error)}", hint="check the command") from error
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
    recorder = Recorder(run, project.config.output_limit)
    with _SignalsPassedOn() as signals:
        child = _start(project, run, command)
        assert child.stdout is not None and child.stderr is not None
        streams = ((child.stdout, sys.stdout), (child.stderr, sys.stderr))
        copying = [Copying(source, target, recorder.stream()) for source, target in streams]
        signals.pass_to(child)
        code = child.wait()
        seen = len(signals.seen)  # one that comes later has not ended the command: it ends the waiting
        if not all_copied(copying, lambda: len(signals.seen) > seen):
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
        kind = CommandNotFoundError if isinstance(error, FileNotFoundError) else CommandNotExecutableError
        run.end("failed", exit_code=kind.exit_code, error=error)
        hint = f"gittrack show {run.id[:8]}"
        raise kind(f"cannot start '{command[0]}': {_reason(error)}", hint=hint) from error


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
    """Status and exit code: a signal or Ctrl-C is ``killed``; a program that said how its run ended is believed.

    A program that was interrupted and ends with 0 has taken the interrupt for a wish to stop early, as without us.
    """
    from gittrack.store.live import read_live

    shown = 128 - code if code < 0 else code
    if code < 0 or (interrupted and code != 0):
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

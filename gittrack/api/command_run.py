"""``gittrack run -- CMD``: a run around any program. Output goes to the terminal as ever and into the run; the exit
code passes through; a ``start_run`` inside the program joins the run.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

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
    """Copies a stream of the program to ours and into the run, up to a limit; beyond it keeps the end."""

    def __init__(self, run: Run, limit: int) -> None:
        self._run = run
        self._head = limit // 2
        self._tail_limit = limit - self._head
        self._kept = 0
        self._tail = bytearray()
        self._dropped = 0
        self._lock = threading.Lock()

    def copy(self, source: IO[bytes], target: IO[bytes]) -> None:
        """Copy until the source ends."""
        open_target = True
        while data := source.read1(_CHUNK):  # type: ignore[attr-defined]
            if open_target:
                try:
                    target.write(data)
                    target.flush()
                except (BrokenPipeError, ValueError):
                    open_target = False  # our reader is gone; the run still wants the output
            self._keep(data)

    def _keep(self, data: bytes) -> None:
        with self._lock:
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
            self._cut()
            if self._dropped:
                self._write(f"\n[gittrack: {self._dropped} bytes of output left out]\n".encode())
            if self._tail:
                self._write(bytes(self._tail))

    def _write(self, data: bytes) -> None:
        if data:
            self._run.log_output(data)


def run_command(project: Project, request: CommandRequest) -> CommandResult:
    """Run a program as a run.

    Raises:
        UsageError: no program given, or a params file that cannot be read.
        GittrackError: the run cannot be begun; the program is not started then.
    """
    if not request.command:
        raise UsageError("no command given", hint="gittrack run -- python train.py")
    if project.process.disabled:
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
    try:
        child = subprocess.Popen(list(command))
    except OSError as error:
        raise UsageError(f"cannot start '{command[0]}': {_reason(error)}", hint="check the command") from error
    with _SignalsPassedOn(child):
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
    environment = {**project.process.environ, "GITTRACK_RUN_ID": run.id}
    environment.setdefault("PYTHONUNBUFFERED", "1")
    recorder = _Recorder(run, project.config.output_limit)
    try:
        child = subprocess.Popen(
            list(command), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=-1
        )
    except OSError as error:
        run.end("failed", exit_code=127, error=error)
        hint = f"gittrack show {run.id[:8]}"
        raise UsageError(f"cannot start '{command[0]}': {_reason(error)}", hint=hint) from error
    assert child.stdout is not None and child.stderr is not None
    copies = [
        threading.Thread(target=recorder.copy, args=(source, target), daemon=True)
        for source, target in ((child.stdout, sys.stdout.buffer), (child.stderr, sys.stderr.buffer))
    ]
    for thread in copies:
        thread.start()
    with _SignalsPassedOn(child) as interrupted:
        code = child.wait()
        for thread in copies:
            thread.join()
    recorder.finish()
    status, shown = _outcome(project, run.id, code, interrupted())
    run.end(status, exit_code=shown)
    if run.status is RunStatus.RUNNING:
        raise GittrackError(f"run {run.id} could not be ended", hint="gittrack recover")
    return shown


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
    """While the program runs: Ctrl-C reaches it through the terminal, other signals are passed on; we wait for it."""

    _SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self._child = child
        self._seen: list[int] = []
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Callable[[], bool]:
        if threading.current_thread() is threading.main_thread():
            for number in self._SIGNALS:
                self._before[number] = signal.signal(number, self._handle)
        return lambda: bool(self._seen)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._seen.append(number)
        # The terminal sends Ctrl-C to the whole foreground group; without one we are alone in getting it.
        in_terminal = number == signal.SIGINT and sys.stdin is not None and sys.stdin.isatty()
        if not in_terminal and self._child.poll() is None:
            self._child.send_signal(number)

"""Which runs are active in this process, its threads and its tasks, and what ends them when the process ends."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from contextvars import ContextVar
from typing import Any, NamedTuple

from gittrack.api.closing import status_of, status_of_exit
from gittrack.api.exit_code import ExitCode
from gittrack.api.run import Run
from gittrack.api.signals import KillGuard, die_interrupted


class _Begun(NamedTuple):
    """An active run, and where it was begun: in which thread, and in which task of asyncio, if in one."""

    run: Run
    thread: threading.Thread
    is_main: bool
    task: Any

    def is_of_thread(self) -> bool:
        """Whether no task has it for itself: none began it, or the one that did is over."""
        return self.task is None or self.task.done()


class ActiveRuns:
    """The active runs of this process.

    Active is the latest run that this task began, or that it found when it began; else the latest of this thread, else
    of the main thread. So a worker thread logs to the run around it, and threads and tasks that begin runs of their own
    do not disturb each other. A task that is over leaves its runs to its thread: a notebook runs a cell as a task.

    Attributes:
        sole: the run that is the active one in every thread and task, if there is one: the usual case, made fast.
    """

    def __init__(self) -> None:
        self.sole: Run | None = None
        self._here: ContextVar[tuple[Run, ...]] = ContextVar("gittrack_runs", default=())
        self._all: list[_Begun] = []
        self._pid = os.getpid()
        self._guard = KillGuard(self._end_all, self._ending)
        self._exit_code = ExitCode()
        self._exit_registered = False

    def current(self) -> Run | None:
        """The active run of this task or thread, or None."""
        for run in self._here.get()[::-1]:
            if run.active:  # not ended by another thread or task
                return run
        return self._of_thread() if self._all else None

    def any_active(self) -> bool:
        """Whether any run of this process is active, in whichever thread or task."""
        return any(begun.run.active for begun in list(self._all))

    def _of_thread(self) -> Run | None:
        """The latest run that this thread began and no task has for itself, else the latest of the main thread."""
        thread = threading.current_thread()
        active = [begun for begun in reversed(list(self._all)) if begun.run.active]
        mine = (begun.run for begun in active if begun.thread is thread and begun.is_of_thread())
        around = (begun.run for begun in active if begun.thread is not thread and begun.is_main)
        return next(mine, None) or next(around, None)

    def forgotten(self) -> Run | None:
        """The active run if it is over though nobody said so: a cell of a notebook that ran twice, no ``end_run()``.

        Only one that this very task or thread began, without ``with``: what a worker begins is a child of the run
        around it.
        """
        run = self.current()
        if run is None or run._entered or run._pid != os.getpid():
            return None
        thread, task = threading.current_thread(), _current_task()
        is_mine = any(
            begun.run is run
            and begun.thread is thread
            and (begun.task is task or (begun.task and begun.is_of_thread()))
            for begun in self._all
        )
        return run if is_mine else None

    def add(self, run: Run) -> Run:
        """Make a run the active one of this task, or of this thread."""
        self._here.set((*(each for each in self._here.get() if each.active), run))
        thread = threading.current_thread()
        self._all.append(_Begun(run, thread, thread is threading.main_thread(), _current_task()))
        self._settle()
        if run.silent:
            run._closing = _SilentClosing(self)  # type: ignore[assignment]
            return run
        self._guard.install()
        self._exit_code.install()
        if not self._exit_registered:
            atexit.register(self._at_exit)
            os.register_at_fork(before=self._before_fork, after_in_child=self._after_fork)
            self._exit_registered = True
        return run

    def forget(self, run: Run) -> None:
        """Take a run out that has ended, maybe in another thread or task than the one that began it."""
        self._here.set(tuple(each for each in self._here.get() if each is not run))
        for begun in [begun for begun in self._all if begun.run is run]:
            self._all.remove(begun)  # in place: another thread may just add one
        self._settle()
        if self._all:
            self._guard.catch_up()
        else:
            self._guard.remove()
            self._exit_code.remove()

    def _settle(self) -> None:
        begun = self._all[0] if len(self._all) == 1 else None
        self.sole = begun.run if begun is not None and begun.is_main and begun.task is None else None

    def _before_fork(self) -> None:
        if any(not begun.run.silent for begun in list(self._all)):
            from gittrack.api.forking import load_late_modules

            load_late_modules()

    def _after_fork(self) -> None:
        """In a forked child: the parent's runs go on in journals of the child's own."""
        for begun in self._all:
            begun.run.forked()

    def _end_all(self) -> None:
        for begun in reversed(list(self._all)):
            begun.run.end("killed")

    def _ending(self) -> bool:
        return any(not begun.run.active for begun in self._all)

    def _at_exit(self) -> None:
        """The program ends: so do its runs, as the last unhandled exception or ``sys.exit`` says."""
        if os.getpid() != self._pid and not any(begun.run._pid == os.getpid() for begun in self._all):
            return
        error, left = None, self._exit_code.seen
        if not hasattr(sys, "ps1"):  # at a prompt an exception ends a line or a cell, not the program
            error = getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)
        status, code = status_of_exit(left[0]) if left and error is None else status_of(error)
        for begun in reversed(list(self._all)):
            begun.run.end(status, error=error, exit_code=code)
        if isinstance(error, KeyboardInterrupt):
            die_interrupted()


class _SilentClosing:
    """Ends a silent run: it only stops being an active one."""

    def __init__(self, runs: ActiveRuns) -> None:
        self._runs = runs

    def stop_sampling(self) -> None:
        """A silent run samples nothing."""

    def close(self, run: Run, *, error: BaseException | None, exit_code: int | None) -> None:
        """End the run."""
        self._runs.forget(run)


def _current_task() -> Any:
    """The task of asyncio that runs here, or None."""
    asyncio = sys.modules.get("asyncio")  # not imported: who has tasks has imported it
    if asyncio is None:
        return None
    try:
        return asyncio.current_task()
    except RuntimeError:  # no event loop runs in this thread
        return None

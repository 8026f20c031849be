"""Which runs are active in this process and its threads, and what ends them when the process ends."""

from __future__ import annotations

import atexit
import os
import sys
import threading

from gittrack.api.closing import status_of, status_of_exit
from gittrack.api.exit_code import ExitCode
from gittrack.api.run import Run
from gittrack.api.signals import KillGuard, die_interrupted


class _OfThread(threading.local):
    """The runs that this thread began and that have not ended, oldest first."""

    def __init__(self) -> None:
        self.runs: list[Run] = []


class ActiveRuns:
    """The active runs of this process.

    Active is the latest run that this thread began, else the latest that the main thread began: a worker thread logs to
    the run around it, and threads that begin runs of their own do not disturb each other.

    Attributes:
        sole: the run that is the active one in every thread, if there is one: the usual case, made fast.
    """

    def __init__(self) -> None:
        self.sole: Run | None = None
        self._here = _OfThread()
        self._main: list[Run] = []
        self._all: list[Run] = []
        self._pid = os.getpid()
        self._guard = KillGuard(self._end_all, self._ending)
        self._exit_code = ExitCode()
        self._exit_registered = False

    def current(self) -> Run | None:
        """The active run of this thread, or None."""
        for runs in (self._here.runs, self._main):
            while runs and not runs[-1].active:  # ended by another thread
                runs.pop()
            if runs:
                return runs[-1]
        return None

    def forgotten(self) -> Run | None:
        """The active run if it is over though nobody said so: a cell of a notebook that ran twice, no ``end_run()``.

        Only one that this very thread began, without ``with``: what a worker begins is a child of the run around it.
        """
        run = self.current()
        if run is None or run._entered or run not in self._here.runs or run._pid != os.getpid():
            return None
        return run

    def add(self, run: Run) -> Run:
        """Make a run the active one of this thread."""
        self._here.runs.append(run)
        self._all.append(run)
        if threading.current_thread() is threading.main_thread():
            self._main = self._here.runs
        self._settle()
        if run.silent:
            run._closing = _SilentClosing(self)  # type: ignore[assignment]
            return run
        self._guard.install()
        self._exit_code.install()
        if not self._exit_registered:
            atexit.register(self._at_exit)
            os.register_at_fork(after_in_child=self._after_fork)
            self._exit_registered = True
        return run

    def forget(self, run: Run) -> None:
        """Take a run out that has ended, maybe in another thread than the one that began it."""
        for runs in (self._here.runs, self._main, self._all):
            if run in runs:
                runs.remove(run)
        self._settle()
        if self._all:
            self._guard.catch_up()
        else:
            self._guard.remove()
            self._exit_code.remove()

    def _settle(self) -> None:
        only_main = all(run in self._main for run in self._all)
        self.sole = self._main[-1] if self._main and only_main else None

    def _after_fork(self) -> None:
        """In a forked child: the parent's runs go on in journals of the child's own."""
        for run in self._all:
            run.forked()

    def _end_all(self) -> None:
        for run in reversed(list(self._all)):
            run.end("killed")

    def _ending(self) -> bool:
        return any(not run.active for run in self._all)

    def _at_exit(self) -> None:
        """The program ends: so do its runs, as the last unhandled exception or ``sys.exit`` says."""
        if os.getpid() != self._pid and not any(run._pid == os.getpid() for run in self._all):
            return
        error, left = None, self._exit_code.seen
        if not hasattr(sys, "ps1"):  # at a prompt an exception ends a line or a cell, not the program
            error = getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)
        status, code = status_of_exit(left[0]) if left and error is None else status_of(error)
        for run in reversed(list(self._all)):
            run.end(status, error=error, exit_code=code)
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

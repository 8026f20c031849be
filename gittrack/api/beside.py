"""Work that nobody waits for: a command of ours in a process of its own, while whoever asked for it goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gittrack.api.project import Project

_DETACHED = 'nice -n 19 "$@" &'
"""What the shell does: it ends at once, so that nobody has a child to wait for; and what it started gets the time that
nobody else wants."""


def start_beside(project: Project, words: Sequence[str]) -> bool:
    """Start a command of ours for a project, and do not wait for it; its output goes nowhere.

    Args:
        project: for which.
        words: the command, as after ``gittrack``.

    Returns:
        False when it cannot be started here (no POSIX shell, no interpreter of its own): do it yourself.
    """
    if os.name != "posix" or not sys.executable:
        return False
    where = str(project.repo.work_tree or project.repo.git_dir)
    command = [sys.executable, "-m", "gittrack", "-C", where, *words]
    nothing = subprocess.DEVNULL
    try:
        done = subprocess.run(
            ["/bin/sh", "-c", _DETACHED, "sh", *command],
            stdin=nothing,
            stdout=nothing,
            stderr=nothing,
            cwd=where,
            start_new_session=True,  # a Ctrl-C at the terminal is not meant for it
            check=False,
        )
    except OSError:
        return False
    return done.returncode == 0

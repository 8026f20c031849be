"""Work that nobody waits for: a command of ours in a process of its own, while whoever asked for it goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gittrack.api.project import Project

_DETACH = '"$@" &'
"""The shell ends at once: what it started is nobody's child, so whoever waits for children never meets it."""
_PROGRAM = "import sys; sys.path.append(sys.argv.pop(1)); from gittrack.cli.main import main; sys.exit(main())"
"""Gittrack may be on the path by the training's own doing; behind all else there it hides nothing."""
_NOT_FOR_IT = frozenset({"GITTRACK_RUN_ID", "GITTRACK_PARENT", "GITTRACK_REPO", "GITTRACK_LIVE", "GITTRACK_STRICT"})


def start_beside(project: Project, words: Sequence[str]) -> str:
    """Start a command of ours for a project, and do not wait for it; its output goes nowhere.

    Args:
        project: for which.
        words: the command, as after ``gittrack``.

    Returns:
        Why it cannot be started here; empty when it was.
    """
    if not _can_start():
        return "there is no shell here, or no Python"
    nothing = subprocess.DEVNULL
    try:
        shell = subprocess.Popen(
            ["/bin/sh", "-c", _DETACH, "sh", *_command(project, words)],
            stdin=nothing,
            stdout=nothing,
            stderr=nothing,
            env=_environment(project),
            cwd="/",
            start_new_session=True,  # Ctrl-C and the end of the terminal are the training's
        )
        shell.wait()
    except OSError as error:
        return error.strerror or type(error).__name__
    return ""


def start_child(project: Project, words: Sequence[str]) -> subprocess.Popen[bytes] | None:
    """Start a command of ours for a project as a child that asks nobody anything; None where that cannot be done.

    Args:
        project: for which.
        words: the command, as after ``gittrack``.

    Returns:
        The process; what it says on stderr can be read when it has ended.
    """
    if not _can_start():
        return None
    try:
        return subprocess.Popen(
            _command(project, words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=_environment(project),
            cwd="/",
            start_new_session=True,  # without a terminal git can ask for no password in the middle of a page
        )
    except OSError:
        return None


def _can_start() -> bool:
    # A program with Python inside would start itself.
    return os.name == "posix" and bool(sys.executable) and not getattr(sys, "frozen", False)


def _command(project: Project, words: Sequence[str]) -> list[str]:
    place = project.repo.work_tree or project.repo.git_dir
    # -P, and another directory: a module that lies in the user's is not ours.
    return [sys.executable, "-P", "-c", _PROGRAM, str(Path(__file__).parents[2]), "-C", str(place), *words]


def _environment(project: Project) -> dict[str, str]:
    environment = {name: text for name, text in project.process.environ.items() if name not in _NOT_FOR_IT}
    environment["SSH_ASKPASS_REQUIRE"] = "never"  # nobody asked for a window in the middle of a training
    return environment

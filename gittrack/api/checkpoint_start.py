"""Starting what pushes the checkpoints of a run that begins: a process of its own, of which the training waits for
nothing but its start.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gittrack.api.guarded import warn
from gittrack.api.remotes import runs_remote
from gittrack.core.names import display
from gittrack.errors import GittrackError

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.api.run import Run

_DETACH = '"$@" </dev/null >/dev/null 2>&1 &'
"""The shell ends at once: the process is nobody's child, so whoever waits for children never meets it."""
_PROGRAM = "import sys; sys.path.append(sys.argv.pop(1)); from gittrack.cli.main import main; sys.exit(main())"
"""Gittrack may be on the path by the training's own doing; behind all else there it hides nothing."""
_NOT_FOR_IT = ("GITTRACK_RUN_ID", "GITTRACK_PARENT", "GITTRACK_REPO", "GITTRACK_LIVE", "GITTRACK_STRICT")


def start_checkpoints(project: Project, run: Run, every: float) -> None:
    """Have the checkpoints of a run pushed to the usual remote until it ends.

    It is said where they go. Without a remote, or where no process can be started, that is said, and the run is as any
    other.

    Args:
        project: where the run is.
        run: it has begun.
        every: seconds between two checkpoints.
    """
    try:
        remote = runs_remote(project)
    except GittrackError as error:
        warn(f"run '{display(run.name)}' is not live: {display(error.message)}; {error.hint or 'gittrack push'}")
        return
    if not sys.executable or getattr(sys, "frozen", False):  # a program with Python inside: it would start itself
        warn(f"run '{display(run.name)}' is not live: there is no Python; gittrack checkpoint {run.id[:8]} --every 30s")
        return
    place = project.repo.work_tree or project.repo.git_dir
    # -P: a module of the user's in the working directory is not ours.
    python = [sys.executable, "-P", "-c", _PROGRAM, str(Path(__file__).parents[2])]
    command = [*python, "-C", str(place), "checkpoint", run.id, "--every", f"{every}s"]
    environment = {key: text for key, text in project.process.environ.items() if key not in _NOT_FOR_IT}
    environment["SSH_ASKPASS_REQUIRE"] = "never"  # nobody asked for a window in the middle of a training
    try:
        shell = subprocess.Popen(
            ["/bin/sh", "-c", _DETACH, "sh", *command],
            env=environment,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C and the end of the terminal are the training's
        )
        shell.wait()
    except OSError as error:
        warn(f"run '{display(run.name)}' is not live: {error.strerror}; gittrack checkpoint {run.id[:8]} --every 30s")
        return
    if not project.config.quiet:
        where = f"every {every:g} s it goes to {display(remote.shown)}, its code with it"
        warn(f"run '{display(run.name)}' is live: {where}; others see it by: gittrack fetch")

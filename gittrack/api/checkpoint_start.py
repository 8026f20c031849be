"""Starting what pushes the checkpoints of a run that begins: a process of its own, of which the training waits for
nothing but its start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gittrack.api.beside import start_beside
from gittrack.api.guarded import warn
from gittrack.api.remotes import runs_remote
from gittrack.core.names import display
from gittrack.errors import GittrackError

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.api.run import Run


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
    failed = start_beside(project, ["checkpoint", run.id, "--every", f"{every}s"])
    if failed:
        warn(f"run '{display(run.name)}' is not live: {failed}; gittrack checkpoint {run.id[:8]} --every 30s")
        return
    if not project.config.quiet:
        where = f"every {every:g} s it goes to {display(remote.shown)}, its code with it"
        warn(f"run '{display(run.name)}' is live: {where}; others see it by: gittrack fetch")

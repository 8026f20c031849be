"""Git's commit-graph: with it a ``git fetch`` need not read every run that is newer than the commits it brings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gittrack.config import boolean
from gittrack.git.program import run_git

if TYPE_CHECKING:
    from gittrack.git.repository import Repository

_SWITCHES = ("core.commitgraph", "gc.writecommitgraph")


def write_commit_graph(repo: Repository) -> None:
    """Bring the commit-graph up to date with all refs, as ``git gc`` does, unless the user has switched it off.

    What is in it already costs nothing; the first time takes a second for every 50,000 commits, the code's included.
    In a shallow clone git leaves it.

    Raises:
        GitProgramError: a commit cannot be read, or another process writes it.
        StorageError: it cannot be written.
        UsageError: the user's switch is no truth.
    """
    if all(boolean(switch, repo.config().get(switch, "true")) for switch in _SWITCHES):
        args = ["commit-graph", "write", "--reachable", "--split", "--no-progress"]
        run_git(args, cwd=repo.common_dir, git_dir=repo.common_dir)

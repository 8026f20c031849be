"""What reaches a commit: refs, heads of worktrees, other commits. For what is to be gone, everything counts."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from gittrack.core.ids import ObjectId, RefName
from gittrack.git.program import run_git

if TYPE_CHECKING:
    from gittrack.git.repository import Repository

_NOT_CONTAINED = 1


def refs_reaching(repo: Repository, commits: Collection[ObjectId], prefixes: Iterable[str]) -> list[RefName]:
    """The refs below some prefixes that reach one of some commits, sorted; those that point elsewhere too.

    Args:
        repo: where.
        commits: asked about; all are stored.
        prefixes: whole parts, ``refs/heads/``, or names of refs.

    Raises:
        GitProgramError: git cannot read the history of one.
    """
    prefixes = list(prefixes)
    if not commits or not prefixes:
        return []
    contained = [part for commit in sorted(commits) for part in ("--contains", commit)]
    output = run_git(
        ["for-each-ref", "--format=%(refname)", *contained, *prefixes], cwd=repo.git_dir, git_dir=repo.git_dir
    )
    return [RefName(line) for line in output.decode("utf-8", "surrogateescape").split("\n") if line]


def heads_reaching(repo: Repository, commits: Collection[ObjectId]) -> list[str]:
    """The worktrees on no branch whose checked out commit reaches one of some commits."""
    told = run_git(["worktree", "list", "--porcelain"], cwd=repo.git_dir, git_dir=repo.git_dir)
    found = []
    for block in told.decode("utf-8", "surrogateescape").split("\n\n"):
        lines = block.split("\n")
        head = next((line[5:] for line in lines if line.startswith("HEAD ")), "")
        if "detached" in lines and any(_reaches(repo, head, commit) for commit in commits):
            found.append(lines[0].removeprefix("worktree "))
    return found


def _reaches(repo: Repository, head: str, commit: ObjectId) -> bool:
    codes = (0, _NOT_CONTAINED)
    base = run_git(["merge-base", commit, head], cwd=repo.git_dir, git_dir=repo.git_dir, ok_codes=codes)
    return base.decode("ascii").strip() == commit


def children_of(repo: Repository, commits: Collection[ObjectId]) -> dict[ObjectId, list[ObjectId]]:
    """Some commits, and the commits that have each as a parent, of all that any ref or worktree reaches.

    Raises:
        GitProgramError: git cannot read the whole history.
    """
    found: dict[ObjectId, list[ObjectId]] = {}
    if not commits:
        return found
    wanted = set(commits)
    output = run_git(["rev-list", "--all", "--parents"], cwd=repo.git_dir, git_dir=repo.git_dir)
    for line in output.decode("ascii").split("\n"):
        child, *parents = line.split(" ")
        for parent in parents:
            if parent in wanted:
                found.setdefault(ObjectId(parent), []).append(ObjectId(child))
    return found

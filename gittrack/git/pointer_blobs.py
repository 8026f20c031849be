"""The blobs by which a repository's history tracks data with DVC: every ``*.dvc`` and ``dvc.lock`` there ever was."""

from __future__ import annotations

import os
from pathlib import Path

from gittrack.core.ids import ObjectId
from gittrack.git.program import run_git
from gittrack.git.repository import Repository

_PATHS = ("*.dvc", "dvc.lock", "*/dvc.lock")
_LOG = (
    *("-c", "log.showRoot=true", "log", "--exclude=refs/runs/*", "--exclude=refs/runs-remote/*", "--all", "--reflog"),
    *("--ignore-missing", "--full-history", "-m", "--raw", "-z", "--no-renames", "--no-abbrev", "--no-color"),
    *("--no-show-signature", "--no-relative", "--no-ext-diff", "--format=", "--", *_PATHS),
)
"""Every ref but those of runs, HEAD of every worktree, and what reflogs remember: older stashes, amended commits.

Merges are compared with each parent: what only a merge holds is found too.
"""
_NONE = "0" * 40


def pointer_blobs(repo: Repository) -> set[ObjectId]:
    """The blobs of all ``*.dvc`` and ``dvc.lock`` files that a branch, a tag, a stash or an index reaches.

    Raises:
        GitProgramError: git cannot read the whole history, or the index of a worktree.
    """
    history = run_git(_LOG, cwd=repo.git_dir, git_dir=repo.git_dir).decode("utf-8", "surrogateescape")
    found = {ObjectId(entry.split(" ")[3]) for entry in history.split("\0") if entry.lstrip("\n").startswith(":")}
    for work_tree in work_trees(repo):
        entries = _listed(work_tree, "--stage")
        found |= {ObjectId(entry.split(" ")[1]) for entry in entries if entry.startswith("100")}
    found.discard(ObjectId(_NONE))
    return found


def pointer_files(repo: Repository) -> list[Path]:
    """The ``*.dvc`` and ``dvc.lock`` files as they lie in the worktrees, staged or not; what git ignores is left out.

    Raises:
        GitProgramError: git cannot list them.
    """
    return [
        work_tree / path
        for work_tree in work_trees(repo)
        for path in _listed(work_tree, "--cached", "--others", "--exclude-standard")
    ]


def work_trees(repo: Repository) -> list[Path]:
    """The worktrees of a repository that are there, the main one first.

    Raises:
        GitProgramError: git cannot list them.
    """
    told = run_git(["worktree", "list", "--porcelain"], cwd=repo.git_dir, git_dir=repo.git_dir)
    found = [Path(os.fsdecode(line[9:])) for line in told.split(b"\n") if line.startswith(b"worktree ")]
    return [place for place in found if (place / ".git").exists()]


def _listed(work_tree: Path, *options: str) -> list[str]:
    told = run_git(["ls-files", *options, "-z", "--", *_PATHS], cwd=work_tree)
    return [entry for entry in told.decode("utf-8", "surrogateescape").split("\0") if entry]

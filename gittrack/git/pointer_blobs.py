"""The blobs by which a repository's history tracks data with DVC: every ``*.dvc`` and ``dvc.lock`` there ever was."""

from __future__ import annotations

from gittrack.core.ids import ObjectId
from gittrack.git.program import run_git
from gittrack.git.repository import Repository

_PATHS = ("*.dvc", "dvc.lock", "*/dvc.lock")
_LOG = (
    *("-c", "log.showRoot=true", "log", "--exclude=refs/runs/*", "--exclude=refs/runs-remote/*", "--all"),
    *("--ignore-missing", "--full-history", "-m", "--raw", "-z", "--no-renames", "--no-abbrev", "--no-color"),
    *("--no-show-signature", "--no-relative", "--no-ext-diff", "--format=", "--", *_PATHS),
)
"""Every ref but those of runs, and HEAD of every worktree.

Merges are compared with each parent: what only a merge holds is found too.
"""
_NONE = "0" * 40


def pointer_blobs(repo: Repository) -> set[ObjectId]:
    """The blobs of all ``*.dvc`` and ``dvc.lock`` files that a branch, a tag, a stash or the index reaches.

    Raises:
        GitProgramError: git cannot read the whole history.
    """
    history = run_git(_LOG, cwd=repo.git_dir, git_dir=repo.git_dir).decode("utf-8", "surrogateescape")
    found = {ObjectId(entry.split(" ")[3]) for entry in history.split("\0") if entry.lstrip("\n").startswith(":")}
    if repo.work_tree is not None:
        staged = run_git(["ls-files", "--stage", "-z", "--", *_PATHS], cwd=repo.work_tree, git_dir=repo.git_dir)
        entries = staged.decode("utf-8", "surrogateescape").split("\0")
        found |= {ObjectId(entry.split(" ")[1]) for entry in entries if entry.startswith("100")}
    found.discard(ObjectId(_NONE))
    return found

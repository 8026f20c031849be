"""Dropping what nothing reaches, by the user's git; and what keeps git from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gittrack.core.ids import ObjectId
from gittrack.git.program import run_git

if TYPE_CHECKING:
    from gittrack.git.repository import Repository


def prune_unreachable(repo: Repository, prefixes: Sequence[str]) -> None:
    """Forget where our refs were, then drop every object that no ref, reflog, index or worktree reaches.

    Args:
        repo: where; nothing may be writing to it.
        prefixes: of the refs whose reflogs go; those of branches stay.

    Raises:
        GitProgramError: git fails, most likely of a damaged object.
    """
    logged = [name for name, _ in repo.refs.list(*prefixes) if (repo.common_dir / "logs" / name).exists()]
    if logged:
        args = ["reflog", "expire", "--expire=now", "--expire-unreachable=now", *logged]
        run_git(args, cwd=repo.git_dir, git_dir=repo.git_dir)
    run_git(["gc", "--prune=now", "--quiet"], cwd=repo.git_dir, git_dir=repo.git_dir)


def still_stored(repo: Repository, commits: Sequence[ObjectId]) -> list[ObjectId]:
    """Those of some commits that are still in the object database, looked for anew."""
    objects = repo.reopened().objects
    return [commit for commit in commits if objects.exists(commit)]


def what_keeps(repo: Repository) -> list[str]:
    """Why git may not have dropped what nothing reaches: each a sentence."""
    found = []
    objects = repo.common_dir / "objects"
    if (objects / "info" / "alternates").exists():
        found.append("objects are borrowed from another repository: do it there, too (objects/info/alternates)")
    kept = sorted(path.name for path in (objects / "pack").glob("*.keep"))
    if kept:
        found.append(f"packs are marked to be kept: {', '.join(kept[:3])}: gittrack doctor, or remove the mark")
    if (repo.common_dir / "logs").exists():
        found.append("a reflog may remember it: git reflog expire --expire=now --all && git gc --prune=now")
    return found

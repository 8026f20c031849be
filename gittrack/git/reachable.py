"""Which commits others have already, and which a push would publish: asked of git, which walks only what is new."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from gittrack.core.ids import ObjectId
from gittrack.git.program import run_git

if TYPE_CHECKING:
    from gittrack.git.repository import Repository


class CodeCommit(NamedTuple):
    """A commit: its id, its author's e-mail address, its subject."""

    id: ObjectId
    email: str
    subject: str


def unreachable(repo: Repository, commits: Collection[ObjectId], tips: Iterable[ObjectId]) -> set[ObjectId]:
    """Those of some commits that no tip reaches.

    Args:
        repo: where; it has all commits.
        commits: asked about.
        tips: what reaches others.

    Raises:
        GitProgramError: a commit is missing.
    """
    if not commits:
        return set()
    return set(commits) & set(_listed(repo, commits, tips))


def published(repo: Repository, commits: Collection[ObjectId], tips: Iterable[ObjectId]) -> list[CodeCommit]:
    """All commits that some reach and no tip does, newest first, themselves included. Arguments and errors as of
    :func:`unreachable`.
    """
    if not commits:
        return []
    output = _rev_list(repo, ["--no-commit-header", "--format=%H%x00%ae%x00%s"], commits, tips)
    rows = (line.split("\0", 2) for line in output.decode("utf-8", "replace").split("\n") if line)
    return [CodeCommit(ObjectId(row[0]), row[1], row[2]) for row in rows if len(row) == 3]


def _listed(repo: Repository, commits: Collection[ObjectId], tips: Iterable[ObjectId]) -> list[ObjectId]:
    return [ObjectId(line) for line in _rev_list(repo, [], commits, tips).decode("ascii").split("\n") if line]


def _rev_list(
    repo: Repository, options: Sequence[str], commits: Collection[ObjectId], tips: Iterable[ObjectId]
) -> bytes:
    lines = [*commits, *(f"^{tip}" for tip in dict.fromkeys(tips) if repo.objects.exists(tip))]
    data = "".join(f"{line}\n" for line in lines).encode()
    return run_git(["rev-list", *options, "--stdin"], cwd=repo.git_dir, git_dir=repo.git_dir, input=data)

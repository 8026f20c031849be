"""Whether a path differs between commits: the ids at the path are compared, nothing is diffed."""

from __future__ import annotations

from collections.abc import Iterable

from gittrack.core.ids import ObjectId
from gittrack.core.names import display
from gittrack.errors import CorruptRecordError, UsageError
from gittrack.git.repository import Repository


def changed_commits(repo: Repository, commits: Iterable[ObjectId], path: str, since: str = "") -> frozenset[ObjectId]:
    """The commits in which a path is not what it was.

    Args:
        repo: where.
        commits: to look at; of one that is missing here nothing is known, and it is left out.
        path: a file or folder, relative to the top.
        since: a revision to compare with; ``""`` for each commit's first parent (all of a root commit is new).

    Raises:
        UsageError: there is no such revision.
    """
    base = None if not since else repo.resolve(since)
    if since and base is None:
        raise UsageError(f"'{display(since, 80)}' is no revision of this repository", hint="git log --oneline")
    path = "/".join(part for part in path.split("/") if part not in ("", "."))
    changed = set()
    for commit in commits:
        try:
            parents = repo.objects.read_commit(commit).parents[:1]
            before = base if base is not None else (parents[0] if parents else None)
            if _at(repo, commit, path) != (None if before is None else _at(repo, before, path)):
                changed.add(commit)
        except CorruptRecordError:
            continue
    return frozenset(changed)


def _at(repo: Repository, commit: ObjectId, path: str) -> tuple[int, ObjectId] | None:
    """What a commit has at a path, of the top its tree."""
    return repo.objects.entry_at(commit, path) if path else (0, repo.objects.read_commit(commit).tree)

"""A copy of the index to build the snapshot in, through ``git`` itself: clean filters, LFS and line endings do what
they do in a commit, and the user's index is not touched.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from gittrack.core.ids import ObjectId
from gittrack.errors import GitProgramError
from gittrack.git.failures import storage_error
from gittrack.git.pack import scratch_directory
from gittrack.git.program import run_git
from gittrack.git.status import Change
from gittrack.git.trees import MODE_GITLINK

if TYPE_CHECKING:
    from gittrack.git.repository import Repository

_SETTINGS = (
    *("-c", "core.splitIndex=false"),  # a split index would be shared with the user's
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.safecrlf=false"),
    *("-c", "core.fsync=loose-object"),
    # One flush for all objects of a command; the fsyncs of commit and ref that follow make the renames durable.
    *("-c", "core.fsyncMethod=batch"),
)
_NULL = "0" * 40


class ScratchIndex:
    """A copied index, removed at the end of its ``with`` block.

    Args:
        repo: with a work tree.
    """

    def __init__(self, repo: Repository) -> None:
        assert repo.work_tree is not None
        self._repo = repo
        self._work_tree = repo.work_tree

    def __enter__(self) -> Self:
        self._folder = scratch_directory(self._repo)
        self._path = self._folder / "index"
        try:
            _copy(self._repo.git_dir / "index", self._path)
        except OSError as error:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise storage_error(error, "a copy of the index", self._folder) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)  # what is left there is litter in our own folder

    def take(self, changes: Sequence[Change]) -> list[tuple[Change, str]]:
        """Make the index say what the work tree has at these paths, deletions included.

        Returns:
            The changes that git refused, each with what it said: an unreadable file, a filter that is not installed.
        """
        if not changes:
            return []
        try:
            self._update("--add", "--remove", "--replace", "--stdin", records=(change.path for change in changes))
        except GitProgramError as error:
            if len(changes) == 1:
                return [(changes[0], error.message)]
            half = len(changes) // 2  # git changes all or nothing, so the culprit is found by halving
            return self.take(changes[:half]) + self.take(changes[half:])
        return []

    def restore(self, changes: Sequence[Change]) -> None:
        """Make the index say what HEAD has at these paths."""
        if changes:
            self._update("--index-info", records=map(_head_version, changes))

    def _update(self, *options: str, records: Iterable[bytes]) -> None:
        self._git("update-index", "-z", *options, input=b"".join(record + b"\0" for record in records))

    def write_tree(self) -> ObjectId:
        """Store the index as a tree. Blobs that a partial clone lacks are not fetched."""
        return ObjectId(self._git("write-tree", "--missing-ok").decode().strip())

    def submodules(self) -> list[tuple[bytes, ObjectId]]:
        """Paths and commits of the submodules."""
        return gitlinks(self._git("ls-files", "--stage", "-z"))

    def _git(self, *args: str, input: bytes | None = None) -> bytes:
        return run_git(
            [*_SETTINGS, *args],
            cwd=self._work_tree,
            git_dir=self._repo.git_dir,
            work_tree=self._work_tree,
            env={"GIT_INDEX_FILE": str(self._path), "GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "none"},
            input=input,
        )


def gitlinks(listing: bytes) -> list[tuple[bytes, ObjectId]]:
    """Paths and commits of the submodules in what ``git ls-files --stage -z`` printed."""
    marker = b"%o " % MODE_GITLINK
    lines = [line.partition(b"\t") for line in listing.split(b"\0") if line.startswith(marker)]
    return [(path, ObjectId(fields.split(b" ")[1].decode())) for fields, _, path in lines]


def _head_version(change: Change) -> bytes:
    mode, id = (change.head_mode, change.head_id) if change.head_id else (0, _NULL)
    return f"{mode:o} {id}\t".encode() + change.path


def _copy(source: Path, target: Path) -> None:
    try:
        with open(source, "rb") as reading, open(target, "xb") as writing:
            shutil.copyfileobj(reading, writing, 1 << 20)
            times = os.fstat(reading.fileno())
    except FileNotFoundError:  # nothing was ever added
        return
    # Git takes an entry no older than the index for one that may have changed since; a younger copy would hide that.
    os.utime(target, ns=(times.st_atime_ns, times.st_mtime_ns))

"""Refs: listed, created, moved and deleted only from what the caller knows them to be.

Listing asks ``git for-each-ref``: 1.3 ms for 500 loose refs (pygit2: 1.3 ms without its loading), it seeks in
packed refs, and a broken ref hides no other. Single refs go through libgit2, which locks and compares; several at
once through ``git update-ref``, since libgit2's own transaction can stop half way.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from gittrack.core.ids import ObjectId, RefName
from gittrack.errors import (
    CorruptRecordError,
    GitProgramError,
    GittrackError,
    InvalidNameError,
    RefMovedError,
    StorageError,
)
from gittrack.git.discovery import Location
from gittrack.git.failures import pygit2_errors, storage_error
from gittrack.git.loose import check_sha1
from gittrack.git.loose_refs import create_loose, read_ref
from gittrack.git.program import run_git
from gittrack.git.ref_locks import PACKED, locked

if TYPE_CHECKING:
    import pygit2

_OF_ONE_RUN = re.compile(r"refs/runs/[a-z]+/[0-9a-f]{32}")
_DOCTOR = "gittrack doctor"
_NULL = "0" * 40
_IN_THE_WAY = ("does not match", "collides with", "parent is not directory", "there are refs beneath")


class RefUpdate(NamedTuple):
    """One change of a ref: ``new`` None deletes it, ``old`` None says that it must not exist."""

    name: RefName
    new: ObjectId | None
    old: ObjectId | None


class RefStore:
    """The refs of one repository.

    Args:
        location: where it lies.
        open_handle: opens it with pygit2; not called for listing.
    """

    def __init__(self, location: Location, open_handle: Callable[[], pygit2.Repository]) -> None:
        self._location = location
        self._open_handle = open_handle

    def list(self, *prefixes: str) -> list[tuple[RefName, ObjectId]]:
        """The refs below some prefixes (whole parts: ``refs/runs/``) and what they point at, sorted by name.

        A ref whose object is missing is listed; one that holds no object id at all is left out.
        """
        output = run_git(
            ["for-each-ref", "--format=%(objectname) %(refname)", *prefixes],
            cwd=self._location.git_dir,
            git_dir=self._location.git_dir,
        )
        # Not `splitlines`: a ref name may hold U+2028 and its like, and what follows must not pass for another ref.
        lines = output.decode("utf-8", "surrogateescape").split("\n")
        return [(RefName(line[41:]), ObjectId(line[:40])) for line in lines if line]

    def get(self, name: RefName) -> ObjectId | None:
        """What the ref points at; None if there is none. Raises CorruptRecordError when its file is damaged."""
        told, found = read_ref(str(self._location.common_dir), name)
        if told:
            return found
        ref = self._look_up(name)
        return None if ref is None else ObjectId(str(ref.target))

    def create(self, name: RefName, new: ObjectId) -> None:
        """Make a new ref.

        Raises:
            RefMovedError: it exists, or a ref above or below it does.
            StorageError: it is locked, its object is not stored, or it could not be written.
        """
        check_sha1(new)
        if self._create_quickly(name, new):
            return
        import pygit2

        try:
            self._open_handle().create_reference_direct(name, pygit2.Oid(hex=new), False)
        except pygit2.AlreadyExistsError as error:
            self._look_up(name)  # raises when what exists is a damaged file
            raise RefMovedError(f"ref '{name}' exists already") from error
        except pygit2_errors() as error:
            raise self._failure(name, error) from error

    def _create_quickly(self, name: RefName, new: ObjectId) -> bool:
        """Make the ref of a run just written, without loading libgit2; False when that one must decide."""
        common = str(self._location.common_dir)
        if not _OF_ONE_RUN.fullmatch(name) or not os.path.exists(f"{common}/objects/{new[:2]}/{new[2:]}"):
            return False
        try:
            return create_loose(common, name, new)
        except OSError:
            return False  # libgit2 meets the same obstacle, and its answer is translated

    def update(self, name: RefName, new: ObjectId, old: ObjectId) -> None:
        """Move a ref from ``old`` to ``new``.

        Raises:
            RefMovedError: it is not at ``old``.
            StorageError: as of :meth:`create`.
        """
        import pygit2

        check_sha1(new)
        ref = self._expected(name, old)
        try:
            ref.set_target(pygit2.Oid(hex=new))
        except pygit2_errors() as error:
            raise self._failure(name, error) from error

    def delete(self, name: RefName, old: ObjectId) -> None:
        """Delete a ref that is at ``old``. Raises as :meth:`update`."""
        ref = self._expected(name, old)
        try:
            ref.delete()
        except pygit2_errors() as error:
            raise self._failure(name, error) from error

    def transaction(self, updates: Sequence[RefUpdate]) -> None:
        """Make all changes or none (a power loss in the middle may still make some: files are moved one by one).

        Raises:
            RefMovedError: one of the refs is not what its update expects.
            StorageError: one is locked or could not be written.
        """
        if not updates:
            return
        commands = ["start", *map(_command, updates), "prepare", "commit"]
        try:
            output = run_git(
                ["-c", "core.fsync=reference", "-c", "core.hooksPath=/dev/null", "update-ref", "--stdin", "-z"],
                cwd=self._location.git_dir,
                git_dir=self._location.git_dir,
                input="".join(f"{command}\0" for command in commands).encode("utf-8", "surrogateescape"),
            )
        except GitProgramError as error:
            raise self._refusal(updates, error) from error
        if b"commit: ok" not in output:
            raise StorageError("refs could not be changed: git did not confirm the transaction")

    def _refusal(self, updates: Sequence[RefUpdate], error: GitProgramError) -> GittrackError:
        for update in updates:
            if self.get(update.name) != update.old:
                return RefMovedError(f"ref '{update.name}' is not where it was expected")
        for update in updates:
            if found := self._lock_error(update.name):
                return found
        if PACKED in error.message:
            found = locked(self._location.common_dir, self._location.common_dir / PACKED, "refs cannot be changed")
            if found is not None:
                return found
        return StorageError(f"refs could not be changed: {error.message}")

    def _look_up(self, name: RefName) -> pygit2.Reference | None:
        try:
            return self._open_handle().lookup_reference(name)
        except KeyError:
            return None
        except pygit2_errors() as error:
            if "corrupted" in str(error):
                raise CorruptRecordError(f"ref '{name}' is damaged", hint=_DOCTOR) from error
            raise self._failure(name, error) from error

    def _expected(self, name: RefName, old: ObjectId) -> pygit2.Reference:
        ref = self._look_up(name)
        if ref is None:
            raise RefMovedError(f"ref '{name}' does not exist, expected at '{old}'")
        if str(ref.target) != old:
            raise RefMovedError(f"ref '{name}' is at '{ref.target}', expected at '{old}'")
        return ref

    def _failure(self, name: RefName, error: Exception) -> GittrackError:
        said = str(error)
        if any(sign in said for sign in _IN_THE_WAY):
            return RefMovedError(f"ref '{name}' was changed meanwhile, or is in the way of another")
        if "is not valid" in said:
            return InvalidNameError(f"'{name}' is not a ref name")
        if "doesn't exist" in said:
            return StorageError(f"ref '{name}' would name an object that is not stored; is the disk full?")
        if "failed to lock" in said and (found := self._lock_error(name)):
            return found
        return storage_error(error, f"ref '{name}'", self._location.common_dir)

    def _lock_error(self, name: RefName) -> StorageError | None:
        common = self._location.common_dir
        return locked(common, common / f"{name}.lock", f"ref '{name}' is locked")


def _command(update: RefUpdate) -> str:
    if update.new is None:
        return f"delete {update.name}\0{update.old or _NULL}"
    if update.old is None:
        return f"create {update.name}\0{update.new}"
    return f"update {update.name}\0{update.new}\0{update.old}"

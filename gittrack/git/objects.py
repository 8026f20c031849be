"""Objects: blobs, trees and commits written durably and read with suspicion."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gittrack.core.ids import ObjectId
from gittrack.core.records import Person
from gittrack.errors import CorruptRecordError, StorageError
from gittrack.git.failures import not_kept, pygit2_errors, storage_error
from gittrack.git.loose import RawObject, check_sha1, object_directories, read_loose, too_large
from gittrack.git.loose_writer import write_loose
from gittrack.git.pack_index import is_packed
from gittrack.git.trees import (
    MODE_EXECUTABLE,
    MODE_FILE,
    MODE_TREE,
    Commit,
    NestedFiles,
    format_commit,
    format_tree,
    nested,
    parse_commit,
    parse_tree,
    reformat_commit,
    split_tree,
)

if TYPE_CHECKING:
    import pygit2

__all__ = ["BLOB_LIMIT", "Commit", "ObjectStore", "TreeEntry"]

BLOB_LIMIT = 64 << 20
"""Bytes of a blob that readers accept unless they say otherwise."""
_TREE_LIMIT = 16 << 20
_COMMIT_LIMIT = 8 << 20
_MAX_DEPTH = 16
_WRITES = 5
_KINDS = {1: "commit", 2: "tree", 3: "blob", 4: "tag"}


class TreeEntry(NamedTuple):
    """A file in a tree; ``path`` has ``/`` between its parts."""

    path: str
    mode: int
    id: ObjectId


class ObjectStore:
    """The object database of one repository.

    Args:
        common_dir: the git directory that all worktrees share.
        open_handle: opens the repository with pygit2; called at the first packed read.
        mends: read every object after writing it, and write it anew when what lay there already was damaged.
    """

    def __init__(self, common_dir: Path, open_handle: Callable[[], pygit2.Repository], *, mends: bool = False) -> None:
        self._mends = mends
        self._directory = common_dir / "objects"
        self._directories = object_directories(common_dir)
        self._open_handle = open_handle
        self._database: pygit2.Odb | None = None

    @property
    def _odb(self) -> pygit2.Odb:
        if self._database is None:
            self._database = self._open_handle().odb
        return self._database

    def write_blob(self, data: bytes) -> ObjectId:
        """Store ``data`` as a blob, durably; cheap if it is there already. Raises StorageError."""
        return self._write("blob", data, "a file")

    def write_tree(self, files: Mapping[str, bytes | ObjectId]) -> ObjectId:
        """Store files as a tree.

        Args:
            files: by path, ``/`` between the parts; bytes become blobs, an id stands for a blob stored already.

        Raises:
            InvalidNameError: a path that is unsafe, not Unicode, or below another file.
            StorageError: not stored, or an id names nothing that is stored.

        Example:
            ``store.write_tree({"run.toml": b"format = 1\\n", "metrics/loss.csv": blob})``
        """
        return self._write_level(nested(files))

    def _write_level(self, level: NestedFiles) -> ObjectId:
        entries: list[tuple[int, str, ObjectId]] = []
        for name, content in level.items():
            if isinstance(content, dict):
                entries.append((MODE_TREE, name, self._write_level(content)))
            elif isinstance(content, bytes):
                entries.append((MODE_FILE, name, self.write_blob(content)))
            elif self.has(content):
                entries.append((MODE_FILE, name, content))
            else:
                raise StorageError(f"object '{content}' of file '{name}' is not in the repository")
        return self._write("tree", format_tree(entries), "a directory")

    def write_commit(
        self, tree: ObjectId, parents: Sequence[ObjectId], message: str, author: Person, time: int
    ) -> ObjectId:
        """Store a commit; author and committer are one, the time is in seconds, UTC.

        Raises:
            InvalidValueError: a message with NUL or lone surrogates.
            StorageError: not stored.
        """
        return self.write_commit_bytes(format_commit(tree, parents, message, author, time))

    def write_commit_bytes(self, data: bytes) -> ObjectId:
        """Store a commit that is made already, for instance a signed one; raises StorageError."""
        return self._write("commit", data, "a commit")

    def rewrite_commit(
        self, id: ObjectId, tree: ObjectId, parents: Sequence[ObjectId], message: str | None = None
    ) -> ObjectId:
        """Store a commit like another one, with this tree, these parents, and this message unless that is None.

        Raises:
            CorruptRecordError: the other one is missing or damaged.
            StorageError: not stored.
        """
        data = self._read_as("commit", id, _COMMIT_LIMIT)
        return self._write("commit", reformat_commit(data, tree, parents, message), "a commit")

    def _write(self, kind: str, data: bytes, what: str) -> ObjectId:
        try:
            for _ in range(_WRITES):
                id = write_loose(str(self._directory), kind, data)
                if self._mends and self._is_damaged(id, len(data)):
                    os.unlink(f"{self._directory}/{id[:2]}/{id[2:]}")
                    id = write_loose(str(self._directory), kind, data)
                if self._is_loose(id) or self.has(id):
                    return id
        except OSError as error:
            raise storage_error(error, what, self._directory) from error
        raise not_kept(f"{what} ('{id}')", self._directory)

    def _is_loose(self, id: ObjectId) -> bool:
        try:
            return os.stat(f"{self._directory}/{id[:2]}/{id[2:]}").st_size > 0
        except FileNotFoundError:  # it was there before, and `git prune-packed` or gc has just taken it
            return False

    def _is_damaged(self, id: ObjectId, size: int) -> bool:
        try:
            read_loose(str(self._directory), id, size)
        except CorruptRecordError:
            return True
        return False

    def has(self, id: ObjectId) -> bool:
        """Whether the object is stored, loose or packed, by whatever process; not whether it is sound.

        An empty loose file, which a power loss leaves behind, is no object.
        """
        loose = self._has_loose(id)
        if loose is not None:
            return loose
        return any(is_packed(directory, id) for directory in self._directories) or self._has_by_libgit2(id)

    def exists(self, id: ObjectId) -> bool:
        """The same for many ids: packs are asked through libgit2, which is dear to load and then ten times faster."""
        loose = self._has_loose(id)
        return self._has_by_libgit2(id) if loose is None else loose

    def _has_loose(self, id: ObjectId) -> bool | None:
        """Whether its loose file holds anything; None when there is no such file."""
        check_sha1(id)
        for directory in self._directories:
            try:
                return os.stat(f"{directory}/{id[:2]}/{id[2:]}").st_size > 0
            except OSError:  # not loose here
                continue
        return None

    def _has_by_libgit2(self, id: ObjectId) -> bool:
        import pygit2

        return bool(self._odb.exists(pygit2.Oid(hex=id)))

    def may_lack_files(self) -> bool:
        """Whether this is a partial clone, which gets files from its remote when they are asked for."""
        return any(True for directory in self._directories for _ in Path(directory, "pack").glob("*.promisor"))

    def missing(self, ids: Iterable[ObjectId]) -> list[ObjectId]:
        """Those of ``ids`` that are not stored, in order."""
        return [id for id in ids if not self.has(id)]

    def read_commit(self, id: ObjectId) -> Commit:
        """The commit; raises CorruptRecordError when it is missing, damaged or no commit."""
        return parse_commit(id, self.read_commit_bytes(id))

    def read_commit_bytes(self, id: ObjectId) -> bytes:
        """The same as it is stored, signatures included."""
        return self._read_as("commit", id, _COMMIT_LIMIT)

    def is_commit(self, id: ObjectId) -> bool:
        """Whether an object is a commit, and no tree, file or tag; raises CorruptRecordError when it is not here."""
        return self._read(id, _COMMIT_LIMIT).kind == "commit"

    def read_blob(self, id: ObjectId, limit: int = BLOB_LIMIT) -> bytes:
        """The bytes of a blob; raises CorruptRecordError when missing, damaged, no blob, or above ``limit`` bytes."""
        return self._read_as("blob", id, limit)

    def read_file(self, commit: ObjectId, path: str, limit: int = BLOB_LIMIT) -> bytes | None:
        """The bytes of one file of a commit.

        Returns:
            None when the commit has nothing at ``path``.

        Raises:
            CorruptRecordError: something there is damaged, or is a symlink, a submodule or a directory.
        """
        entry = self.entry_at(commit, path)
        if entry is None:
            return None
        if entry[0] not in {MODE_FILE, MODE_EXECUTABLE}:
            raise CorruptRecordError(f"'{path}' in commit '{commit}' is not a file (mode {entry[0]:o})")
        return self.read_blob(entry[1], limit)

    def entry_at(self, commit: ObjectId, path: str) -> tuple[int, ObjectId] | None:
        """Mode and id of what a commit has at a path; None when there is nothing. Raises CorruptRecordError."""
        id = self.read_commit(commit).tree
        *folders, name = path.split("/")
        for folder in folders:
            entry = self._entry(id, folder)
            if entry is None or entry[0] != MODE_TREE:
                return None
            id = entry[1]
        return self._entry(id, name)

    def _entry(self, tree: ObjectId, name: str) -> tuple[int, ObjectId] | None:
        for mode, found, id in self._tree(tree):
            if found == name:
                return mode, id
        return None

    def list_tree(self, commit: ObjectId, limit: int = 20_000) -> list[TreeEntry]:
        """All files of a commit, sorted by path.

        Args:
            commit: whose tree.
            limit: the most entries, directories included.

        Raises:
            CorruptRecordError: damaged; a symlink, a submodule, any other strange mode; an unsafe name; nested deeper
                than 16; more than ``limit`` entries.
        """
        return sorted(self.list_all(commit, limit, folders=False), key=lambda entry: entry.path)

    def list_all(self, commit: ObjectId, limit: int = 20_000, *, folders: bool = True) -> list[TreeEntry]:
        """The same in stored order, and directories too unless ``folders`` is False."""
        return [entry for entry in self._walk(commit, limit) if folders or entry.mode != MODE_TREE]

    def all_objects_of(self, commit: ObjectId) -> list[ObjectId]:
        """The ids of the commit, its trees and its files, each once; not of its parents. Raises as `list_tree`."""
        tree = self.read_commit(commit).tree
        ids = [commit, tree, *(entry.id for entry in self._walk(commit, 1_000_000))]
        return list(dict.fromkeys(ids))

    def _walk(self, commit: ObjectId, limit: int) -> Iterator[TreeEntry]:
        count = 0
        pending = [("", self.read_commit(commit).tree, 1)]
        while pending:
            prefix, tree, depth = pending.pop()
            if depth > _MAX_DEPTH:
                raise CorruptRecordError(f"commit '{commit}' is nested deeper than {_MAX_DEPTH} directories")
            folders = []
            for mode, name, id in self._tree(tree):
                count += 1
                if count > limit:
                    raise CorruptRecordError(f"commit '{commit}' has more than {limit} entries")
                if mode == MODE_TREE:
                    folders.append((f"{prefix}{name}/", id, depth + 1))
                elif mode not in {MODE_FILE, MODE_EXECUTABLE}:
                    raise CorruptRecordError(f"'{prefix}{name}' in commit '{commit}' is not a file (mode {mode:o})")
                yield TreeEntry(prefix + name, mode, id)
            pending.extend(reversed(folders))

    def _tree(self, id: ObjectId) -> list[tuple[int, str, ObjectId]]:
        return parse_tree(id, self._read_as("tree", id, _TREE_LIMIT))

    def read_tree(self, id: ObjectId) -> list[tuple[int, bytes, ObjectId]]:
        """The entries (mode, name, id) of any directory, names as they are; raises CorruptRecordError as `read_commit`.

        For looking at the user's own directories, whose names are theirs; nothing may be written under them.
        """
        return split_tree(id, self._read_as("tree", id, _TREE_LIMIT))

    def _read_as(self, kind: str, id: ObjectId, limit: int) -> bytes:
        found = self._read(id, limit)
        if found.kind != kind:
            raise CorruptRecordError(f"object '{id}' is a {found.kind}, not a {kind}")
        return found.data

    def _read(self, id: ObjectId, limit: int) -> RawObject:
        check_sha1(id)
        for directory in self._directories:
            found = read_loose(directory, id, limit)
            if found is not None:
                return found
        return self._read_packed(id, limit)

    def _read_packed(self, id: ObjectId, limit: int) -> RawObject:
        import pygit2

        oid = pygit2.Oid(hex=id)
        try:
            _, size = self._odb.read_header(oid)
            if size > limit:
                raise too_large(id, size, limit)
            kind, data = self._odb.read(oid)
        except KeyError as error:
            raise CorruptRecordError(f"object '{id}' is not in the repository", hint="git fsck") from error
        except pygit2_errors() as error:
            raise CorruptRecordError(f"object '{id}' is damaged: {error}", hint="git fsck") from error
        return RawObject(_KINDS.get(int(kind), "object"), data)

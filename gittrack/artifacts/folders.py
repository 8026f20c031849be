"""Taking in a whole folder, as DVC does: each file under its hash, and a listing that is hashed itself.

A folder that was taken in before and whose files all have the same inode, size and times is not read again.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import stat
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from gittrack.artifacts.bytes_store import BLOCK, BytesStore, hint_of
from gittrack.artifacts.taking import StoredBytes, has_changed, md5_of, open_regular, take_file, write_all
from gittrack.core.folder_listing import ListedFile, encode_listing
from gittrack.core.names import display, plain_artifact_path
from gittrack.core.written_paths import MAX_DEPTH
from gittrack.errors import ArtifactNotFoundError, GittrackError, StorageError

_RACY_SECONDS = 2.0
"""A file that was written this shortly before may be written again without its times telling."""

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_\-][A-Za-z0-9_.\-]*")
_NO_NAME = re.compile(r"(?!)")
_SURELY_SHORT = 3000
"""Letters of a folder's path up to which no plain name in it makes a path that is too long."""

Refused = Callable[[str, GittrackError], None]
"""Told of each file that cannot be taken in: its path in the folder, and why. The others are."""


LeftOut = Callable[[str, int], None]
"""Told of each entry that is no file, and no folder of its own: its path in the folder, and its mode (``st_mode``)."""

_path_of = attrgetter("path")


class FoundFile(NamedTuple):
    """A file of a folder: its path there, and what the file system says of it."""

    path: str
    place: str
    state: os.stat_result


class LeftOutFiles:
    """Counts what a folder holds beside files: links to folders, pipes, sockets, devices."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._first = ""

    def add(self, path: str, mode: int) -> None:
        """Count an entry of this mode."""
        self._first = self._first or path
        kinds = ((stat.S_ISDIR, "link to a folder"), (stat.S_ISFIFO, "pipe"), (stat.S_ISSOCK, "socket"))
        self._counts[next((kind for is_one, kind in kinds if is_one(mode)), "device")] += 1

    def __bool__(self) -> bool:
        return bool(self._counts)

    def __str__(self) -> str:
        """``2 pipes and 1 link to a folder ('sub/latest', …) are``."""
        counted = [f"{count} {_plural(kind) if count > 1 else kind}" for kind, count in self._counts.items()]
        several = self._counts.total() > 1
        more = ", …" if several else ""
        return f"{' and '.join(counted)} ('{display(self._first, 80)}'{more}) {'are' if several else 'is'}"


def _plural(kind: str) -> str:
    return "links to folders" if kind.startswith("link") else kind + "s"


def _told_nobody(_path: str, _mode: int) -> None:
    """Take note of nothing."""


def find_files(root: Path, refused: Refused, left_out: LeftOut = _told_nobody) -> list[FoundFile]:
    """Every regular file below a folder, sorted by path.

    A link to a file stands for that file; a link to a folder is not followed; git's own folder is left out, and so are
    devices, pipes and sockets.

    Args:
        root: the folder.
        refused: told of what cannot be read.
        left_out: told of links to folders, devices, pipes and sockets.

    Raises:
        ArtifactNotFoundError: there is no such folder.
        StorageError: it cannot be read.
    """
    if not root.is_dir():
        raise ArtifactNotFoundError(f"there is no folder '{root}'")
    found: list[FoundFile] = []
    _walk(str(root), "", True, found, refused, left_out)
    found.sort(key=_path_of)
    return found


def _entries(folder: str, prefix: str, refused: Refused) -> list[os.DirEntry[str]]:
    if prefix.count("/") >= MAX_DEPTH:
        refused(prefix, StorageError(f"'{display(prefix, 80)}' lies more than {MAX_DEPTH} folders deep"))
        return []
    try:
        return list(os.scandir(folder))
    except OSError as error:
        unreadable = StorageError(f"cannot read '{folder}': {error.strerror}", hint=hint_of(error))
        if not prefix:
            raise unreadable from error
        refused(prefix, unreadable)
        return []


def _walk(folder: str, prefix: str, plain: bool, found: list[FoundFile], refused: Refused, left_out: LeftOut) -> None:
    """Find the files below a folder whose path in the artifact is ``prefix``; ``plain``: it needs no check."""
    is_plain = _PLAIN_NAME.fullmatch if plain and len(prefix) < _SURELY_SHORT else _NO_NAME.fullmatch
    for entry in _entries(folder, prefix, refused):
        path = prefix + entry.name
        try:
            if entry.is_dir(follow_symlinks=False):
                if entry.name != ".git":
                    _walk(entry.path, path + "/", is_plain(entry.name) is not None, found, refused, left_out)
            elif entry.is_file():
                if not is_plain(entry.name) and plain_artifact_path(path) != path:
                    raise StorageError(f"'{path}' cannot be the path of an artifact", hint="rename the file")
                found.append(FoundFile(path, entry.path, entry.stat()))
            elif entry.is_symlink() and not os.path.exists(entry.path):
                raise StorageError(f"link '{entry.path}' leads nowhere")
            else:
                left_out(path, entry.stat().st_mode)
        except GittrackError as error:
            refused(path, error)
        except OSError as error:
            if error.errno == errno.ELOOP:
                refused(path, StorageError(f"link '{entry.path}' leads nowhere"))
                continue
            refused(path, StorageError(f"cannot read '{entry.path}': {error.strerror}", hint=hint_of(error)))


def take_folder(store: BytesStore, root: Path, found: Sequence[FoundFile], refused: Refused) -> StoredBytes:
    """Take in the files of a folder as one artifact.

    Args:
        store: where to.
        root: the folder.
        found: its files, as ``find_files`` gives them.
        refused: told of files that cannot be read.

    Raises:
        StorageError: the store cannot be written.
    """
    known = _Known(store, root, found)
    again = known.recall()
    if again is not None:
        return again
    removals = store.removals()
    listed: list[ListedFile] = []
    size = 0
    unsure: list[str] = []

    def told(path: str, error: GittrackError) -> None:
        unsure.append(path)
        refused(path, error)

    for file, stored in _take_each(store, found, told):
        if stored.changed:
            text = f"'{file.place}' changed while it was read; what was read is kept"
            told(file.path, StorageError(text, hint="log it again"))
        listed.append(ListedFile(file.path, stored.digest))
        size += stored.size
    data, digest = encode_listing(listed)
    _check_still_here(store, listed)
    _sync_filesystem(store.root)
    _keep_listing(store, data, digest)
    folder = StoredBytes(size, digest, files=len(listed))
    if not unsure:
        known.remember(folder, removals)
    return folder


def _check_still_here(store: BytesStore, listed: Sequence[ListedFile]) -> None:
    """Where a listing is, all its files are: also when a collection ran while the last of them were still read."""
    for digest in {file.digest for file in listed}:
        if not store.renew(digest):
            path = next(file.path for file in listed if file.digest == digest)
            text = f"the bytes of '{display(path, 80)}' were removed from the store while the folder was taken in"
            raise StorageError(text, hint="log it again")


def _take_each(
    store: BytesStore, found: Sequence[FoundFile], refused: Refused
) -> Iterator[tuple[FoundFile, StoredBytes]]:
    for file in found:
        try:
            if file.state.st_size > BLOCK:
                yield file, take_file(store, Path(file.place), -1)
            else:
                yield file, _take_small(store, file.place)
        except OSError as error:
            refused(file.path, StorageError(f"cannot store '{file.place}': {error.strerror}", hint=hint_of(error)))
        except ArtifactNotFoundError as error:
            refused(file.path, error)


def _take_small(store: BytesStore, place: str) -> StoredBytes:
    """A small file of many: not synced by itself, the whole folder is at its end."""
    source, before = open_regular(place)
    try:
        with open(source, "rb", buffering=0, closefd=False) as stream:
            data = stream.readall()
        changed = has_changed(source, before)
    finally:
        os.close(source)
    digest = md5_of(data)
    if store.has_bytes(digest, data):
        store.link_to_dvc(digest)
    else:
        with store.temporary() as (file, name):
            write_all(file, data)
            store.keep(file, name, digest, sync=False)
    return StoredBytes(len(data), digest, changed=changed)


def _keep_listing(store: BytesStore, data: bytes, digest: str) -> None:
    """The listing goes last: where it is, all its files are."""
    with store.temporary() as (file, name):
        write_all(file, data)
        store.keep(file, name, digest)


def _sync_filesystem(folder: Path) -> None:
    """Bring everything written to the disk at once: ten thousand fsyncs would take ten thousand seeks."""
    import ctypes

    file = os.open(folder, os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(file) != 0:
            error = ctypes.get_errno()
            text = f"cannot bring '{folder}' to the disk: {os.strerror(error)}"
            raise StorageError(text, hint=hint_of(OSError(error, os.strerror(error))))
    except AttributeError:  # not Linux
        os.sync()
    finally:
        os.close(file)


class _Known:
    """What is remembered of a folder: a fingerprint of what the file system says of its files, and its digest."""

    def __init__(self, store: BytesStore, root: Path, found: Sequence[FoundFile]) -> None:
        self._store = store
        name = hashlib.blake2b(os.fsencode(os.path.realpath(root)), digest_size=16).hexdigest()
        self._path = store.root / "known" / name
        self._began = time.time_ns()
        lines, newest = [], 0
        for path, _, state in found:
            written, changed = state.st_mtime_ns, state.st_ctime_ns
            newest = max(newest, written, changed)
            lines.append(f"({state.st_dev}, {state.st_ino}, {state.st_size}, {written}, {changed}){path}\0")
        self._newest = newest
        data = "".join(lines).encode("utf-8", "surrogateescape")
        self._fingerprint = hashlib.blake2b(data, digest_size=32).hexdigest()

    def recall(self) -> StoredBytes | None:
        try:
            known = json.loads(self._path.read_bytes())
            if known["fingerprint"] != self._fingerprint or known["removals"] != self._store.removals():
                return None
            if not self._store.renew(known["digest"]):
                return None
            return StoredBytes(known["size"], known["digest"], files=known["files"])
        except (OSError, ValueError, TypeError, KeyError, GittrackError):
            return None  # it is only a short cut

    def remember(self, folder: StoredBytes, removals: str) -> None:
        if self._began - self._newest < _RACY_SECONDS * 1e9:
            return
        known = {
            "fingerprint": self._fingerprint,
            "digest": folder.digest,
            "size": folder.size,
            "files": folder.files,
            "removals": removals,
        }
        with self._store.temporary() as (file, name):
            write_all(file, json.dumps(known).encode())
            self._path.parent.mkdir(exist_ok=True)
            os.rename(name, self._path)

"""Our own store of artifact bytes, in DVC's layout: ``<root>/files/md5/<2>/<30>``.

Written without DVC, without a lock, without touching the work tree: the source is copied to a temporary file inside the
store, **the copy is hashed** (a source that is being rewritten then cannot end up under a wrong hash), and the copy is
renamed to its name. Mode 0444 means "trusted" to DVC, hence never an in-place write. What is stored is linked into the
project's DVC cache too, when there is one on the same file system: ``dvc gc`` may drop that name, never ours.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

from gittrack.core.names import display
from gittrack.core.records import ARTIFACT_DIGEST
from gittrack.errors import CorruptRecordError, StorageError
from gittrack.frozen import dataclass
from gittrack.git.failures import disk_hint

BLOCK = 1 << 20
TRUSTED = 0o444
"""The mode by which DVC knows that a file of its cache need not be hashed again."""
_PERMISSIONS = 0o2777
_REMOVALS = "removals"
RENEW_SECONDS = 3600.0
"""Bytes stored again are marked as fresh at most this often."""


@dataclass(frozen=True, slots=True)
class BytesStore:
    """Where artifact bytes lie in this clone.

    Attributes:
        root: our own store.
        dvc_cache: the project's DVC cache, which gets a link to what is taken in; None when there is none.
    """

    root: Path
    dvc_cache: Path | None = None

    def path(self, digest: str) -> Path:
        """Where the bytes of a digest lie, whether they are there or not.

        Raises:
            CorruptRecordError: it is no digest: nothing outside the store may be named by one.
        """
        return _place(self.root, digest)

    def has(self, digest: str, size: int | None = None) -> bool:
        """Whether the bytes are here; of a folder, its listing.

        Args:
            digest: ``md5:<hex>``.
            size: what is there must have that many bytes: a file that was cut does not count.
        """
        try:
            found = os.stat(self.path(digest)).st_size
        except OSError:
            return False
        return size is None or found == size

    def renew(self, digest: str, size: int | None = None) -> bool:
        """Whether the bytes are here; if so they count as stored just now, so that no ``gittrack gc`` takes them.

        Args:
            digest: ``md5:<hex>``; of a folder, its listing.
            size: what is there must have that many bytes; None: however many.

        Returns:
            False also where the time cannot be set (another user's file): the bytes are to be stored anew.
        """
        path = self.path(digest)
        try:
            state = os.stat(path)
            if size is not None and state.st_size != size:
                return False
            if not -RENEW_SECONDS < time.time() - state.st_mtime < RENEW_SECONDS:
                os.utime(path)
                os.stat(path)  # moved away since? Then it was judged by its old time.
        except OSError:
            return False
        return True

    def removals(self) -> str:
        """Changes whenever something was removed from the store: what was known to be whole may not be so any more."""
        try:
            return (self.root / _REMOVALS).read_text("ascii")
        except (OSError, UnicodeDecodeError):
            return ""

    def note_removal(self) -> None:
        """Write down that something is about to be removed.

        Raises:
            OSError: the store cannot be written.
        """
        (self.root / _REMOVALS).write_text(uuid4().hex, "ascii")

    def places(self, digest: str) -> list[Path]:
        """Where the bytes of a digest may lie: in our store, then in DVC's cache when there is one."""
        return [self.path(digest), *([] if self.dvc_cache is None else [_place(self.dvc_cache, digest)])]

    @contextlib.contextmanager
    def temporary(self) -> Iterator[tuple[int, str]]:
        """An empty file inside the store, open for reading and writing: (descriptor, name); removed at the end.

        Raises:
            StorageError: the store cannot be written.
        """
        folder = self.root / "tmp"
        name = str(folder / uuid4().hex)
        try:
            file = _create(name, folder)
        except OSError as error:
            raise StorageError(f"cannot write '{folder}': {error.strerror}", hint=hint_of(error)) from error
        try:
            yield file, name
        except OSError as error:
            raise StorageError(f"cannot write '{name}': {error.strerror}", hint=hint_of(error)) from error
        finally:
            os.close(file)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)

    def keep(self, file: int, name: str, digest: str, *, sync: bool = True) -> None:
        """Give a temporary file its name, unless the same bytes are here already; damaged ones give way.

        Args:
            file, name: as ``temporary`` gave them; the bytes are complete, and ``digest`` is theirs.
            digest: ``md5:<hex>``.
            sync: bring bytes and name to the disk before returning.

        Raises:
            OSError: the store cannot be written.
        """
        target = self.path(digest)
        if not (self.renew(digest, os.fstat(file).st_size) and _has_same_bytes(file, target)):
            os.fchmod(file, TRUSTED)
            if sync:
                os.fsync(file)
            self.forget_in_dvc(digest)
            _named(os.rename, name, target)
            if sync:
                _sync_folder(target.parent)
        self.link_to_dvc(digest)

    def has_bytes(self, digest: str, data: bytes) -> bool:
        """Whether these bytes are here, byte for byte; if so they count as stored just now."""
        try:
            return self.renew(digest, len(data)) and self.path(digest).read_bytes() == data
        except OSError:
            return False

    def link_to_dvc(self, digest: str) -> None:
        """Make the bytes of a digest known to DVC, where its cache is on the same file system.

        They are here, whatever that cache is like: ``gittrack doctor`` links what could not be linked now.
        """
        with contextlib.suppress(OSError):
            link_missing(self, digest)

    def forget_in_dvc(self, digest: str) -> None:
        """Take away DVC's name for bytes that are about to be replaced here, when both are one file."""
        if self.dvc_cache is None:
            return
        linked = _place(self.dvc_cache, digest)
        with contextlib.suppress(OSError):  # not there, or not ours to remove
            if os.path.samefile(self.path(digest), linked):
                os.unlink(linked)


def link_missing(store: BytesStore, digest: str) -> bool:
    """Link the bytes of a digest into DVC's cache; whether they are there now.

    Raises:
        OSError: the cache cannot be written.
    """
    if store.dvc_cache is None:
        return False
    try:
        _named(os.link, str(store.path(digest)), _place(store.dvc_cache, digest))
    except FileExistsError:
        return os.path.exists(_place(store.dvc_cache, digest))  # a link to nothing is no file
    except OSError as error:
        # Another file system, or no permission: DVC then gets the bytes from the remote, we have them here.
        if error.errno not in (errno.EXDEV, errno.EACCES, errno.EPERM, errno.EROFS, errno.EMLINK):
            raise
        return False
    return True


def _place(root: Path, digest: str) -> Path:
    if not ARTIFACT_DIGEST.fullmatch(digest):
        raise CorruptRecordError(f"'{display(digest, 80)}' is not the digest of an artifact", hint="gittrack fsck")
    value = digest.removeprefix("md5:")
    return root / "files" / "md5" / value[:2] / value[2:]


def _create(name: str, folder: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        return os.open(name, flags, 0o644)
    except FileNotFoundError:
        folder.mkdir(parents=True, exist_ok=True)
        return os.open(name, flags, 0o644)


def _named(make: Callable[[str, Path], None], source: str, target: Path) -> None:
    try:
        make(source, target)
    except FileNotFoundError:
        _make_folder(target.parent)
        make(source, target)


def _make_folder(folder: Path) -> None:
    """Make a folder with the permissions of the one above: a cache that a group shares stays one."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    with contextlib.suppress(FileExistsError):
        folder.mkdir()
        with contextlib.suppress(PermissionError):
            folder.chmod(folder.parent.stat().st_mode & _PERMISSIONS)


def _has_same_bytes(file: int, place: Path) -> bool:
    """Whether a file here is what an open one is: a flipped bit on the disk must not outlive a sound copy."""
    try:
        other = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        position = 0
        while True:
            one, two = os.pread(file, BLOCK, position), os.pread(other, BLOCK, position)
            if one != two:
                return False
            if not one:
                return True
            position += len(one)
    finally:
        os.close(other)


def _sync_folder(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)  # the name is what the run's pointer relies on
    finally:
        os.close(file)


def hint_of(error: OSError) -> str:
    """What mends a failed system call, or shows why it failed; one on an open file does not say on which."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "free some disk space"
    return disk_hint(error, error.filename) if isinstance(error.filename, str | Path) else "gittrack doctor"

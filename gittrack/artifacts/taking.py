"""Taking bytes in: from memory and from files. What is hashed is always our copy, never the source."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from pathlib import Path

from gittrack.artifacts.bytes_store import BLOCK, BytesStore, hint_of
from gittrack.errors import ArtifactNotFoundError, StorageError
from gittrack.frozen import dataclass

_COPY_AT_ONCE = 1 << 30
_NO_CLONE = frozenset({errno.EXDEV, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.EBADF, errno.ETXTBSY})


@dataclass(frozen=True, slots=True)
class StoredBytes:
    """Bytes that were taken in.

    Attributes:
        size: how many.
        digest: ``md5:<hex>``, what DVC names them by; with ``.dir`` at its end for a folder.
        content: the bytes themselves when they are small enough to lie inline, else None: they are in the store.
        files: how many files, for a folder; None for a file.
        changed: whether the source changed while it was read; what was read is kept.
    """

    size: int
    digest: str
    content: bytes | None = None
    files: int | None = None
    changed: bool = False


def take_bytes(store: BytesStore, data: bytes, inline_limit: int) -> StoredBytes:
    """Take in bytes.

    Args:
        store: where to.
        data: the bytes.
        inline_limit: up to this many stay inline; below 0 all go into the store.

    Raises:
        StorageError: the store cannot be written.
    """
    digest = md5_of(data)
    if len(data) <= inline_limit:
        return StoredBytes(len(data), digest, data)
    if store.has_bytes(digest, data):
        store.link_to_dvc(digest)
    else:
        with store.temporary() as (file, name):
            write_all(file, data)
            store.keep(file, name, digest)
    return StoredBytes(len(data), digest)


def take_file(store: BytesStore, path: Path, inline_limit: int) -> StoredBytes:
    """Take in a file; it stays where it is.

    Holes of a sparse file are kept. A symbolic link stands for the file it points to.

    Raises:
        ArtifactNotFoundError: no such file, or not a regular one.
        StorageError: it cannot be read, or the store cannot be written.
    """
    try:
        source, before = open_regular(path)
    except OSError as error:
        raise StorageError(f"cannot read '{path}': {error.strerror}", hint=hint_of(error)) from error
    try:
        if before.st_size <= max(inline_limit, BLOCK):
            stored = take_bytes(store, _read_all(source), inline_limit)
        else:
            stored = _take_large(store, source)
        return StoredBytes(
            stored.size, stored.digest, stored.content, changed=stored.changed or has_changed(source, before)
        )
    except OSError as error:
        raise StorageError(f"cannot store '{path}': {error.strerror}", hint=hint_of(error)) from error
    finally:
        os.close(source)


def open_regular(path: Path | str) -> tuple[int, os.stat_result]:
    """Open a regular file for reading; a FIFO or device is never waited for.

    Raises:
        ArtifactNotFoundError: no such file, or not a regular one.
        OSError: it cannot be opened.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ArtifactNotFoundError(f"there is no file '{path}'") from error
    except OSError as error:
        if error.errno == errno.ENXIO:  # a socket
            raise ArtifactNotFoundError(f"'{path}' is no regular file") from error
        raise
    state = os.fstat(file)
    if not stat.S_ISREG(state.st_mode):
        os.close(file)
        raise ArtifactNotFoundError(f"'{path}' is no regular file")
    return file, state


def md5_of(data: bytes) -> str:
    """``md5:<hex>`` of bytes."""
    return "md5:" + hashlib.md5(data, usedforsecurity=False).hexdigest()


def hash_file(file: int) -> tuple[int, str]:
    """Size and ``md5:<hex>`` of an open file, from its beginning."""
    md5 = hashlib.md5(usedforsecurity=False)
    size = 0
    buffer = bytearray(BLOCK)
    view = memoryview(buffer)
    os.lseek(file, 0, os.SEEK_SET)
    while count := os.readv(file, [buffer]):
        md5.update(view[:count])
        size += count
    return size, "md5:" + md5.hexdigest()


def write_all(file: int, data: bytes | memoryview) -> None:
    """Write bytes to an open file."""
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def _read_all(file: int) -> bytes:
    with open(file, "rb", closefd=False) as stream:
        return stream.read()


def _take_large(store: BytesStore, source: int) -> StoredBytes:
    with store.temporary() as (file, name):
        whole = _copy(source, file)
        size, digest = hash_file(file)
        store.keep(file, name, digest)
    return StoredBytes(size, digest, changed=not whole)


def _copy(source: int, target: int) -> bool:
    """Copy a file's data and leave its holes holes; the file system may share the extents. False: it was cut then."""
    size = os.fstat(source).st_size
    position = 0
    while position < size:
        try:
            start = os.lseek(source, position, os.SEEK_DATA)
            end = os.lseek(source, start, os.SEEK_HOLE)
        except OSError as error:
            if error.errno == errno.ENXIO:  # only a hole is left
                break
            start, end = position, size
        reached = _copy_range(source, target, start, end)
        if reached < end:
            os.ftruncate(target, reached)
            return False
        position = end
    os.ftruncate(target, size)
    return True


def _copy_range(source: int, target: int, start: int, end: int) -> int:
    """Copy what lies from one position to another; up to where there was something."""
    cloning = True
    while start < end:
        count = 0
        if cloning:
            try:
                count = os.copy_file_range(source, target, min(end - start, _COPY_AT_ONCE), start, start)
            except (OSError, AttributeError) as error:
                if isinstance(error, OSError) and error.errno not in _NO_CLONE:
                    raise
                cloning = False
        if not cloning:
            count = os.pwrite(target, os.pread(source, min(end - start, BLOCK), start), start)
        if not count:
            return start
        start += count
    return start


def has_changed(file: int, before: os.stat_result) -> bool:
    """Whether an open file was written to since it was opened."""
    now = os.fstat(file)
    return (now.st_size, now.st_mtime_ns) != (before.st_size, before.st_mtime_ns)

"""Reading what is stored, checked against its hash: as bytes, as a file or folder at a place of the user's."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from gittrack.artifacts.bytes_store import BLOCK, BytesStore, hint_of
from gittrack.artifacts.taking import hash_file, md5_of, write_all
from gittrack.core.folder_listing import MAX_LISTING_BYTES, ListedFile, decode_listing
from gittrack.errors import ArtifactNotFoundError, CorruptRecordError, GittrackError, StorageError


def read_stored(store: BytesStore, digest: str, what: str) -> bytes:
    """The bytes of a digest.

    Args:
        store: where they are.
        digest: ``md5:<hex>``.
        what: the artifact's path, for the message.

    Raises:
        ArtifactNotFoundError: the store does not have them.
        StorageError: they cannot be read.
        CorruptRecordError: they are not what their name says, or it is no digest.
    """
    try:
        data = store.path(digest).read_bytes()
    except FileNotFoundError as error:
        raise _not_here(what) from error
    except OSError as error:
        raise StorageError(f"cannot read '{what}': {error.strerror}", hint=hint_of(error)) from error
    if md5_of(data) != digest.removesuffix(".dir"):
        raise _damaged(what)
    return data


def open_stored(store: BytesStore, digest: str, what: str) -> BinaryIO:
    """The bytes of a digest as an open file, at its beginning, hashed before it is given out.

    Raises:
        ArtifactNotFoundError, StorageError, CorruptRecordError: as ``read_stored``.
    """
    try:
        stream = open(store.path(digest), "rb")  # noqa: SIM115  whoever asked for it closes it
    except FileNotFoundError as error:
        raise _not_here(what) from error
    except OSError as error:
        raise StorageError(f"cannot read '{what}': {error.strerror}", hint=hint_of(error)) from error
    try:
        if hash_file(stream.fileno())[1] != digest:
            raise _damaged(what)
        stream.seek(0)
    except BaseException:
        stream.close()
        raise
    return stream


def read_listing(store: BytesStore, digest: str, what: str) -> tuple[ListedFile, ...]:
    """The files of a folder.

    Args:
        store: where its listing is.
        digest: ``md5:<hex>.dir``.
        what: the artifact's path, for the message.

    Raises:
        ArtifactNotFoundError, StorageError: as ``read_stored``.
        CorruptRecordError: it is damaged, or names a file outside the folder.
    """
    try:
        size = store.path(digest).stat().st_size
    except OSError:
        size = 0  # reading it says why
    if size > MAX_LISTING_BYTES:
        raise CorruptRecordError(f"the listing of '{what}' is larger than {MAX_LISTING_BYTES >> 20} MiB")
    return decode_listing(read_stored(store, digest, what))


def copy_out(store: BytesStore, digest: str, target: Path, what: str) -> None:
    """Make a file of the user's from stored bytes; it appears complete and checked, or not at all.

    Args:
        store: where they are.
        digest: ``md5:<hex>`` of a file.
        target: the file to make or replace; its folder exists.
        what: the artifact's path, for messages.

    Raises:
        ArtifactNotFoundError, CorruptRecordError: as ``read_stored``.
        StorageError: the target cannot be written.
    """
    try:
        source = os.open(store.path(digest), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise _not_here(what) from error
    except OSError as error:
        raise StorageError(f"cannot read '{what}': {error.strerror}", hint=hint_of(error)) from error
    try:
        with appearing(target) as file:
            if _copy_hashing(source, file) != digest:
                raise _damaged(what)
    finally:
        os.close(source)


def write_out(data: bytes, target: Path) -> None:
    """Make a file of the user's from bytes; it appears complete, or not at all.

    Raises:
        StorageError: the target cannot be written.
    """
    with appearing(target) as file:
        write_all(file, data)


@contextlib.contextmanager
def appearing(target: Path) -> Iterator[int]:
    """A file open for writing that takes the target's name when all went well, and is gone otherwise."""
    temporary = target.with_name(f".gittrack-{uuid4().hex}")
    try:
        file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            yield file
        finally:
            os.close(file)
        os.replace(temporary, target)
    except OSError as error:
        raise StorageError(f"cannot write '{target}': {error.strerror}", hint=hint_of(error)) from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


def _copy_hashing(source: int, target: int) -> str:
    md5 = hashlib.md5(usedforsecurity=False)
    while data := os.read(source, BLOCK):
        md5.update(data)
        write_all(target, data)
    return "md5:" + md5.hexdigest()


def problem_of(store: BytesStore, digest: str, size: int) -> str:
    """What is wrong with the bytes of a digest; empty when they are there and are what their name says.

    Args:
        store: where they should be.
        digest: ``md5:<hex>``; of a folder its files are looked at too.
        size: bytes they must have, of a folder all its files together.

    Raises:
        CorruptRecordError: it is no digest.
    """
    if not digest.endswith(".dir"):
        found = _problem_of_file(store, digest)
        return found if isinstance(found, str) else "" if found == size else "its bytes are damaged"
    try:
        files = read_listing(store, digest, "the folder")
    except GittrackError as error:
        return error.message if store.has(digest) else "its bytes are not here"
    total = 0
    for file in files:
        one = _problem_of_file(store, file.digest)
        if isinstance(one, str):
            return f"'{file.path}': {one}"
        total += one
    return "" if total == size else "its files have another size"


def _problem_of_file(store: BytesStore, digest: str) -> str | int:
    try:
        file = os.open(store.path(digest), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return "its bytes are not here"
    except OSError as error:
        return f"its bytes cannot be read: {error.strerror}"
    try:
        size, found = hash_file(file)
    except OSError as error:
        return f"its bytes cannot be read: {error.strerror}"
    finally:
        os.close(file)
    return size if found == digest else "its bytes are damaged"


def unfinished_files(store: BytesStore, older_than: float, now: float) -> list[Path]:
    """Temporary files that a killed process left.

    Args:
        store: where.
        older_than: seconds since they were last written.
        now: seconds since the epoch.
    """
    folder = store.root / "tmp"
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if now - path.stat().st_mtime > older_than)


def _not_here(what: str) -> ArtifactNotFoundError:
    return ArtifactNotFoundError(f"the bytes of '{what}' are not here", hint="gittrack artifact pull")


def _damaged(what: str) -> CorruptRecordError:
    return CorruptRecordError(f"the bytes of '{what}' are damaged", hint="gittrack fsck")

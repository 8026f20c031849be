"""Our own store of artifact bytes, in DVC's layout: ``<root>/files/md5/<2>/<30>``.

Written without DVC, without a lock, without touching the work tree: the source is copied to a temporary file inside the
store, **the copy is hashed** (a source that is being rewritten then cannot end up under a wrong hash), and the copy is
linked to its name. Mode 0444 means "trusted" to DVC, hence never an in-place write.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from gittrack.core.names import display
from gittrack.core.records import ARTIFACT_DIGEST
from gittrack.errors import ArtifactNotFoundError, CorruptRecordError, StorageError
from gittrack.git.failures import disk_hint

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class StoredBytes:
    """Bytes that were taken in.

    Attributes:
        size: how many.
        digest: ``md5:<hex>``, what DVC names them by.
        content: the bytes themselves when they are small enough to lie inline, else None: they are in the store.
    """

    size: int
    digest: str
    content: bytes | None


def take_bytes(root: Path, data: bytes, inline_limit: int) -> StoredBytes:
    """Take in bytes.

    Args:
        root: the store.
        data: the bytes.
        inline_limit: up to this many stay inline.

    Raises:
        StorageError: the store cannot be written.
    """
    digest = "md5:" + hashlib.md5(data, usedforsecurity=False).hexdigest()
    if len(data) <= inline_limit:
        return StoredBytes(len(data), digest, data)
    with _temporary(root) as (file, name):
        with os.fdopen(file, "wb") as target:
            target.write(data)
            target.flush()
            os.fsync(target.fileno())
        _keep(root, name, digest)
    return StoredBytes(len(data), digest, None)


def take_file(root: Path, path: Path, inline_limit: int) -> StoredBytes:
    """Take in a file; it stays where it is.

    Raises:
        ArtifactNotFoundError: no such file, or not a regular one.
        StorageError: it cannot be read, or the store cannot be written.
    """
    try:
        if not path.is_file():
            raise ArtifactNotFoundError(f"there is no file '{path}'")
        if path.stat().st_size <= inline_limit:
            data = path.read_bytes()
            return take_bytes(root, data, inline_limit)
        with _temporary(root) as (file, name):
            os.close(file)
            shutil.copyfile(path, name)
            size, digest = _hash(name)
            _sync(name)
            _keep(root, name, digest)
            return StoredBytes(size, digest, None)
    except OSError as error:
        raise StorageError(
            f"cannot store '{path}': {error.strerror or error}", hint=disk_hint(error, Path(error.filename or root))
        ) from error


def stored_path(root: Path, digest: str) -> Path:
    """Where bytes of a digest lie in a store.

    Raises:
        CorruptRecordError: it is no digest: nothing outside the store may be named by one.
    """
    if not ARTIFACT_DIGEST.fullmatch(digest):
        raise CorruptRecordError(f"'{display(digest, 80)}' is not the digest of an artifact", hint="gittrack fsck")
    value = digest.removeprefix("md5:")
    return root / "files" / "md5" / value[:2] / value[2:]


@contextlib.contextmanager
def _temporary(root: Path) -> Iterator[tuple[int, str]]:
    folder = root / "tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        name = str(folder / uuid4().hex)
        file = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StorageError(f"cannot write '{folder}': {error.strerror}", hint=disk_hint(error, root.parent)) from error
    try:
        yield file, name
    except OSError as error:
        raise StorageError(f"cannot write '{name}': {error.strerror}", hint=disk_hint(error, folder)) from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)


def _hash(name: str) -> tuple[int, str]:
    md5 = hashlib.md5(usedforsecurity=False)
    size = 0
    with open(name, "rb") as file:
        while block := file.read(_BLOCK):
            md5.update(block)
            size += len(block)
    return size, "md5:" + md5.hexdigest()


def _sync(name: str) -> None:
    with open(name, "rb") as file:
        os.fsync(file.fileno())


def _keep(root: Path, name: str, digest: str) -> None:
    target = stored_path(root, digest)
    target.parent.mkdir(parents=True, exist_ok=True)
    os.chmod(name, 0o444)
    with contextlib.suppress(FileExistsError):  # the same bytes are there already
        os.link(name, target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the name is what the run's pointer relies on
    finally:
        os.close(folder)


def read_stored(root: Path, digest: str, what: str) -> bytes:
    """The bytes of a digest.

    Args:
        root: the store.
        digest: ``md5:<hex>``.
        what: the artifact's path, for the message.

    Raises:
        ArtifactNotFoundError: the store does not have them.
        StorageError: they cannot be read.
        CorruptRecordError: they are not what their name says, or it is no digest.
    """
    try:
        data = stored_path(root, digest).read_bytes()
    except FileNotFoundError as error:
        raise ArtifactNotFoundError(f"the bytes of '{what}' are not here", hint="gittrack fsck") from error
    except OSError as error:
        hint = disk_hint(error, stored_path(root, digest))
        raise StorageError(f"cannot read '{what}': {error.strerror}", hint=hint) from error
    if "md5:" + hashlib.md5(data, usedforsecurity=False).hexdigest() != digest:
        raise CorruptRecordError(f"the bytes of '{what}' are damaged", hint="gittrack fsck")
    return data


def problem_of(root: Path, digest: str, size: int) -> str:
    """What is wrong with the bytes of a digest; empty when they are there and are what their name says.

    Args:
        root: the store.
        digest: ``md5:<hex>``.
        size: bytes they must have.

    Raises:
        CorruptRecordError: it is no digest.
    """
    path = stored_path(root, digest)
    try:
        found_size, found = _hash(str(path))
    except FileNotFoundError:
        return "its bytes are not here"
    except OSError as error:
        return f"its bytes cannot be read: {error.strerror}"
    return "" if (found_size, found) == (size, digest) else "its bytes are damaged"


def unfinished_files(root: Path, older_than: float, now: float) -> list[Path]:
    """Temporary files that a killed process left.

    Args:
        root: the store.
        older_than: seconds since they were last written.
        now: seconds since the epoch.
    """
    folder = root / "tmp"
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if now - path.stat().st_mtime > older_than)

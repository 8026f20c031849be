"""Reading loose objects without libgit2, which never returns from a truncated one (1.9.7 spins in inflate).

Every byte is checked: length, end of the zlib stream, and the SHA-1 of what came out. Reading the newest runs this
way also spares the commands that only show something the loading of pygit2.
"""

from __future__ import annotations

import hashlib
import os
import re
import zlib
from pathlib import Path
from typing import NamedTuple

from gittrack.core.ids import ObjectId
from gittrack.errors import CorruptRecordError, StorageError

_SHA1 = re.compile(r"[0-9a-f]{40}")
_HEADER = re.compile(rb"(blob|tree|commit|tag) (0|[1-9][0-9]{0,15})\0")
_HEADER_BYTES = 64
_ALTERNATES_DEPTH = 5


class RawObject(NamedTuple):
    """A git object as stored: ``kind`` is ``blob``, ``tree``, ``commit`` or ``tag``."""

    kind: str
    data: bytes


def check_sha1(id: ObjectId) -> None:
    """Refuse what cannot be an object of this repository; raises CorruptRecordError."""
    if not _SHA1.fullmatch(id):
        raise CorruptRecordError(f"'{id[:80]}' is not an object id of this repository")


def too_large(id: ObjectId, size: int, limit: int) -> CorruptRecordError:
    """The object has ``size`` bytes and the reader takes ``limit``."""
    return CorruptRecordError(f"object '{id}' has {size} bytes, more than the {limit} allowed here")


def read_loose(directory: str, id: ObjectId, limit: int) -> RawObject | None:
    """The object ``id`` if it lies loose in the object directory; None if it does not.

    Args:
        directory: an object directory, such as ``.git/objects``.
        id: checked by :func:`check_sha1`.
        limit: the most bytes the object may have.

    Raises:
        CorruptRecordError: the file is damaged, or the object larger than ``limit``.
        StorageError: the file cannot be read.
    """
    try:
        with open(f"{directory}/{id[:2]}/{id[2:]}", "rb") as file:
            head = file.read(4096)
            # Zlib never needs more than this for ``limit`` bytes; ``read`` reserves all that it is asked for.
            most = min(limit + (limit >> 8) + 4096, os.fstat(file.fileno()).st_size)
            packed = head + (file.read(most) if len(head) == 4096 else b"")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StorageError(f"object '{id}' cannot be read: {error.strerror}") from error
    return _inflate(packed, id, limit)


def _inflate(packed: bytes, id: ObjectId, limit: int) -> RawObject:
    inflater = zlib.decompressobj()
    try:
        start = inflater.decompress(packed, _HEADER_BYTES)
        header = _HEADER.match(start)
        if header is None:
            raise CorruptRecordError(f"object '{id}' is damaged: no header", hint="git fsck")
        kind, size = header[1].decode(), int(header[2])
        if size > limit:
            raise too_large(id, size, limit)
        missing = header.end() + size - len(start)
        content = start + inflater.decompress(inflater.unconsumed_tail, missing + 1) if missing >= 0 else start
    except zlib.error as error:
        raise CorruptRecordError(f"object '{id}' is damaged: {error}", hint="git fsck") from error
    if not inflater.eof or len(content) != header.end() + size:
        raise CorruptRecordError(f"object '{id}' is damaged: cut short or too long", hint="git fsck")
    if hashlib.sha1(content, usedforsecurity=False).hexdigest() != id:
        raise CorruptRecordError(f"object '{id}' is damaged: its bytes have another id", hint="git fsck")
    return RawObject(kind, content[header.end() :])


def object_directories(common_dir: Path) -> tuple[str, ...]:
    """The object directory of a repository and those it borrows from (``git clone --shared``)."""
    found: list[str] = []
    _collect(common_dir / "objects", found, 0)
    return tuple(found)


def _collect(directory: Path, found: list[str], depth: int) -> None:
    if str(directory) in found or depth > _ALTERNATES_DEPTH:
        return
    found.append(str(directory))
    try:
        lines = (directory / "info" / "alternates").read_bytes().decode("utf-8", "surrogateescape").split("\n")
    except OSError:  # nearly every repository has no such file
        return
    for line in lines:
        if line and not line.startswith("#"):
            _collect((directory / line).resolve(), found, depth + 1)

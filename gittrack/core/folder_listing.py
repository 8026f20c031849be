"""What is in a folder that is kept whole: the JSON list that DVC stores as ``<md5>.dir``.

The bytes are those DVC itself makes of the same folder, so the same folder has one digest whoever keeps it. A listing
may come from anybody: every path is checked before it names a file anywhere.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from gittrack.core.names import display, plain_artifact_path
from gittrack.core.written_paths import first_clash
from gittrack.errors import CorruptRecordError, InvalidNameError

MAX_LISTING_BYTES = 512 << 20
_MD5 = re.compile(r"[0-9a-f]{32}")
_PLAIN = re.compile(r"[A-Za-z0-9_\-][A-Za-z0-9_.\-]*(?:/[A-Za-z0-9_\-][A-Za-z0-9_.\-]*)*")


@dataclass(frozen=True, slots=True, order=True)
class ListedFile:
    """One file of a folder.

    Attributes:
        path: relative to the folder, ``/`` between parts.
        digest: ``md5:<32 hex>``.
    """

    path: str
    digest: str


def encode_listing(files: Iterable[ListedFile]) -> tuple[bytes, str]:
    """The bytes of a listing, and the folder's digest.

    Args:
        files: in any order; no path twice.

    Returns:
        The JSON as DVC writes it, and ``md5:<32 hex>.dir``.

    >>> encode_listing([ListedFile("a.txt", "md5:" + "0" * 32)])[0]
    b'[{"md5": "00000000000000000000000000000000", "relpath": "a.txt"}]'
    """
    rows = [{"md5": file.digest.removeprefix("md5:"), "relpath": file.path} for file in sorted(files)]
    data = json.dumps(rows).encode()
    return data, f"md5:{hashlib.md5(data, usedforsecurity=False).hexdigest()}.dir"


def decode_listing(data: bytes) -> tuple[ListedFile, ...]:
    """Read a listing.

    Returns:
        Its files, sorted by path.

    Raises:
        CorruptRecordError: it is no listing; a path is absolute, leaves its folder, comes twice or is a file and a
            folder at once; a digest is none.
    """
    try:
        rows = json.loads(data)
        files = sorted(ListedFile(_path(row["relpath"]), _digest(row["md5"])) for row in rows)
    except (ValueError, TypeError, KeyError, RecursionError, InvalidNameError) as error:
        raise CorruptRecordError(f"the listing of a folder is damaged: {error}", hint="gittrack fsck") from error
    _check_tree(files)
    return tuple(files)


def _path(path: object) -> str:
    if not isinstance(path, str):
        raise TypeError("a path is no string")
    if not _PLAIN.fullmatch(path) and plain_artifact_path(path) != path:
        raise ValueError(f"the path '{display(path, 80)}' is not in its plain form")
    return path


def _digest(md5: object) -> str:
    if not isinstance(md5, str) or not _MD5.fullmatch(md5):
        raise ValueError(f"'{display(str(md5), 80)}' is not the hash of a file")
    return f"md5:{md5}"


def _check_tree(files: list[ListedFile]) -> None:
    """No file twice, and none that is also a folder."""
    clash = first_clash((file.path, file.path) for file in files)
    if clash is not None:
        how = "twice" if clash[0] == clash[1] else "as a file and as a folder"
        text = f"the listing of a folder holds '{display(clash[0], 80)}' {how}"
        raise CorruptRecordError(text, hint="gittrack fsck")

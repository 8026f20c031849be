"""Whether a pack holds an object, told from the pack indexes alone (gitformat-pack(5), version 2).

An index is a fan-out table of 256 counts, then the sorted ids. "Yes" is certain; "no" may also mean an index that this
reader does not know.
"""

from __future__ import annotations

import mmap
import os
import struct
from bisect import bisect_left
from collections.abc import Sequence

from gittrack.core.ids import ObjectId

_MAGIC = b"\377tOc\0\0\0\2"
_FANOUT = struct.Struct(">256I")
_IDS = len(_MAGIC) + _FANOUT.size
_WIDTH = 20


class _Ids(Sequence[bytes]):
    """The ids of an index between two places, for bisection."""

    def __init__(self, data: mmap.mmap, count: int) -> None:
        self._data = data
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> bytes:  # type: ignore[override]
        start = _IDS + index * _WIDTH
        return self._data[start : start + _WIDTH]


def is_packed(directory: str, id: ObjectId) -> bool:
    """Whether some pack of an object directory is known to hold the object."""
    wanted = bytes.fromhex(id)
    folder = f"{directory}/pack"
    try:
        names = os.listdir(folder)
    except OSError:
        return False
    return any(_holds(f"{folder}/{name}", wanted) for name in names if name.endswith(".idx"))


def _holds(path: str, wanted: bytes) -> bool:
    try:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            if data[: len(_MAGIC)] != _MAGIC or not os.path.exists(f"{path[:-4]}.pack"):
                return False
            fanout = _FANOUT.unpack_from(data, len(_MAGIC))
            low, high = fanout[wanted[0] - 1] if wanted[0] else 0, fanout[wanted[0]]
            if _IDS + high * _WIDTH > len(data):
                return False
            ids = _Ids(data, high)
            place = bisect_left(ids, wanted, low, high)
            return place < high and ids[place] == wanted
    except (OSError, ValueError, struct.error):
        return False  # gone or damaged meanwhile: whoever asks falls back on git

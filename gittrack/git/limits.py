"""What a snapshot takes at most."""

from __future__ import annotations

from typing import NamedTuple


class SnapshotLimits(NamedTuple):
    """What a snapshot takes at most.

    Attributes:
        file_bytes: of one file.
        total_bytes: of all changed files together.
        files: changed files; every one becomes an object.
    """

    file_bytes: int = 1 << 20
    total_bytes: int = 50 << 20
    files: int = 10_000

"""Whether refs of some kind may be there at all, told by looking at folders: far cheaper than to list them."""

from __future__ import annotations

import os
from pathlib import Path


def may_have(common_dir: Path, prefix: str, part: str) -> bool:
    """Whether there may be refs ``<prefix><anything>/<part>/…``; only :meth:`RefStore.list` knows.

    Args:
        common_dir: the git directory that all worktrees share.
        prefix: ``refs/runs-remote/`` and the like.
        part: the part of the name after the next one.

    Returns:
        False when there surely is none: neither a folder for them nor a packed one.
    """
    if os.path.isdir(common_dir / "reftable"):
        return True
    return _in_folders(common_dir / prefix, part) or _in_packed_refs(common_dir, f"/{part}/".encode())


def _in_folders(folder: Path, part: str) -> bool:
    try:
        with os.scandir(folder) as entries:
            return any(os.path.isdir(f"{entry.path}/{part}") for entry in entries)
    except (FileNotFoundError, NotADirectoryError):
        return False


def _in_packed_refs(common_dir: Path, part: bytes) -> bool:
    try:
        with open(common_dir / "packed-refs", "rb") as file:
            return part in file.read()
    except FileNotFoundError:
        return False

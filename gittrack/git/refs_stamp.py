"""Whether refs may have moved since they were last listed, told by the times of their folders.

Git never writes a ref in place: it renames a lock file to it, so the folder of a loose ref that is made, moved or
deleted has a new time, and so has ``packed-refs``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

_SETTLED_NS = 2_000_000_000
"""A folder that was written to this shortly before may be written to again without its time telling."""


def refs_stamp(common_dir: Path, prefixes: Sequence[str], now: int | None = None) -> str:
    """What the file system says of some refs; the same text again means that none of them moved.

    Args:
        common_dir: the git directory that all worktrees share.
        prefixes: ``refs/runs/`` and the like.
        now: ns since the epoch, by the clock of the file system.

    Returns:
        ``""`` when nothing can be told: something was written just now, or refs are not kept as files.
    """
    if os.path.isdir(common_dir / "reftable"):
        return ""
    now = time.time_ns() if now is None else now
    parts, newest = [], 0
    try:
        for path in _places(common_dir, prefixes):
            try:
                state = os.stat(path)
            except FileNotFoundError:
                parts.append(f"{path} -")
                continue
            newest = max(newest, state.st_mtime_ns, state.st_ctime_ns)
            parts.append(f"{path} {state.st_ino} {state.st_mtime_ns} {state.st_ctime_ns} {state.st_size}")
    except OSError:
        return ""
    return "" if now - newest < _SETTLED_NS else "\n".join(parts)


def _places(common_dir: Path, prefixes: Sequence[str]) -> Iterator[str]:
    yield f"{common_dir}/packed-refs"
    yield f"{common_dir}/shallow"  # where the history is cut off: deepening it moves no ref
    waiting = [f"{common_dir}/{prefix.rstrip('/')}" for prefix in prefixes]
    while waiting:
        folder = waiting.pop()
        yield folder
        try:
            with os.scandir(folder) as entries:
                waiting += sorted(entry.path for entry in entries if entry.is_dir(follow_symlinks=False))
        except FileNotFoundError:
            continue

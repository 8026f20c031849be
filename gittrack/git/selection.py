"""Which changed files a snapshot takes, and why it leaves the others out."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from gittrack.core.records import LeftOut
from gittrack.core.redact import find_secret, is_secret_path
from gittrack.git.limits import SnapshotLimits
from gittrack.git.status import Change

_MAX_LISTED = 1000
_GONE = (FileNotFoundError, NotADirectoryError)
Stamp = tuple[int, int, int]
"""Size, modification time in ns and inode: another stamp, another content."""


@dataclass(slots=True)
class Selection:
    """The outcome.

    Attributes:
        taken: the changes to lay over HEAD; deletions are among them.
        refused: the changes that keep HEAD's version.
        left_out: what to say of those.
        stamps: of each taken file as it was when it was looked into.
        total: bytes taken.
    """

    taken: list[Change] = field(default_factory=list)
    refused: list[Change] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    stamps: dict[bytes, Stamp] = field(default_factory=dict)
    total: int = 0

    def refuse(self, change: Change, reason: str, size: int = 0) -> None:
        """Leave a change out."""
        self.refused.append(change)
        self.left_out.append(LeftOut(shown_path(change.path), reason, size))

    def listed(self) -> tuple[LeftOut, ...]:
        """What was left out, at most a thousand lines of it."""
        if len(self.left_out) <= _MAX_LISTED:
            return tuple(self.left_out)
        rest = self.left_out[_MAX_LISTED:]
        more = LeftOut(f"({len(rest)} more)", "many", sum(item.size for item in rest))
        return (*self.left_out[:_MAX_LISTED], more)


def shown_path(path: bytes) -> str:
    """A path as text; bytes that are not UTF-8 become ``\\xNN``."""
    return path.decode("utf-8", "backslashreplace")


def select(work_tree: Path, changes: Iterable[Change], limits: SnapshotLimits) -> Selection:
    """Look into every changed file, tracked ones first, so that new files cannot crowd them out."""
    selection = Selection()
    root = os.fsencode(work_tree)
    for change in changes:
        if change.submodule:
            selection.taken.append(change)
        elif change.untracked and change.path.endswith(b"/"):
            selection.refuse(change, "nested repository")
        else:
            _consider(selection, change, os.path.join(root, change.path), limits)
    return selection


def _consider(selection: Selection, change: Change, path: bytes, limits: SnapshotLimits) -> None:
    try:
        found = os.lstat(path)
    except _GONE:
        if not change.untracked:
            selection.taken.append(change)  # a deletion
        return
    except OSError:
        selection.refuse(change, "unreadable")
        return
    if stat.S_ISDIR(found.st_mode):  # a file made way for a directory, whose files are changes of their own
        selection.taken.append(change)
        return
    reason = _objection(selection, change, path, found, limits)
    if reason:
        selection.refuse(change, reason, found.st_size)
        return
    selection.taken.append(change)
    selection.stamps[change.path] = _stamp(found)
    selection.total += found.st_size


def _objection(selection: Selection, change: Change, path: bytes, found: os.stat_result, limits: SnapshotLimits) -> str:
    if is_secret_path(shown_path(change.path)):
        return "secret"
    if stat.S_ISLNK(found.st_mode):
        return ""
    if not stat.S_ISREG(found.st_mode):
        return "not a file"
    if found.st_size > limits.file_bytes:
        return "size"
    if len(selection.stamps) >= limits.files or selection.total + found.st_size > limits.total_bytes:
        return "total"
    try:
        with open(path, "rb") as file:
            secret = find_secret(file.read(limits.file_bytes + 1))
    except OSError:
        return "unreadable"
    return f"secret: {secret}" if secret else ""


def changed_meanwhile(work_tree: Path, selection: Selection) -> list[Change]:
    """The taken files that are no longer what was looked into: what git stored may hold a secret."""
    root = os.fsencode(work_tree)
    return [
        change
        for change in selection.taken
        if change.path in selection.stamps
        and _stamp_of(os.path.join(root, change.path)) != selection.stamps[change.path]
    ]


def _stamp_of(path: bytes) -> Stamp | None:
    try:
        return _stamp(os.lstat(path))
    except OSError:  # gone: then git has it as deleted or as it was, we cannot tell
        return None


def _stamp(found: os.stat_result) -> Stamp:
    return found.st_size, found.st_mtime_ns, found.st_ino

"""The work tree as ``git status --porcelain=v2 --branch -z`` tells it."""

from __future__ import annotations

from typing import NamedTuple

from gittrack.core.ids import ObjectId
from gittrack.errors import GitProgramError

STATUS = (
    *("-c", "protocol.allow=never"),  # a partial clone must not start to fetch
    *("status", "--porcelain=v2", "--branch", "-z", "--untracked-files=all", "--no-renames"),
    *("--no-ahead-behind", "--ignore-submodules=none"),
)
"""One command that says all: HEAD, its branch, and every path at which the work tree differs from HEAD."""

_ORDINARY_FIELDS = 8
_UNMERGED_FIELDS = 10


class Change(NamedTuple):
    """A path at which the work tree or the index differs from HEAD.

    Attributes:
        path: from the root of the work tree, as bytes: git's names need not be UTF-8.
        head_mode: its mode in HEAD, 0 when HEAD has nothing there.
        head_id: its object in HEAD, None when HEAD has nothing there.
        untracked: whether the index does not have it.
        submodule: whether it is one.
        submodule_dirty: whether that has changes or untracked files of its own.
    """

    path: bytes
    head_mode: int = 0
    head_id: ObjectId | None = None
    untracked: bool = False
    submodule: bool = False
    submodule_dirty: bool = False


class WorkTreeStatus(NamedTuple):
    """HEAD (None: unborn), its short branch name (None: detached), and the changes, tracked ones first."""

    head: ObjectId | None
    branch: str | None
    changes: tuple[Change, ...]


def parse_status(output: bytes) -> WorkTreeStatus:
    """Read what :data:`STATUS` printed; raises GitProgramError when it says something unheard of."""
    head: ObjectId | None = None
    branch: str | None = None
    changes: dict[bytes, Change] = {}
    records = iter(output.split(b"\0")[:-1])
    for record in records:
        kind = record[:2]
        if kind == b"# ":
            key, _, value = record[2:].decode("utf-8", "replace").partition(" ")
            if key == "branch.oid" and value != "(initial)":
                head = ObjectId(value)
            elif key == "branch.head" and value != "(detached)":
                branch = value
        elif kind in {b"1 ", b"u "}:
            change = _tracked(record)
            changes[change.path] = change
        elif kind == b"? ":
            changes.setdefault(record[2:], Change(record[2:], untracked=True))
        elif kind == b"2 ":  # only with renames, which are switched off
            next(records, None)
            raise GitProgramError("'git status' reported a rename that it was told not to look for")
    ordered = sorted(changes.values(), key=lambda change: (change.untracked, change.path))
    return WorkTreeStatus(head, branch, tuple(ordered))


def _tracked(record: bytes) -> Change:
    unmerged = record.startswith(b"u")
    fields = record.split(b" ", _UNMERGED_FIELDS if unmerged else _ORDINARY_FIELDS)
    if len(fields) != 1 + (_UNMERGED_FIELDS if unmerged else _ORDINARY_FIELDS):
        raise GitProgramError(f"'git status' printed {record[:80]!r}, which is not its format")
    # Of a conflict, stage 2 is what HEAD has.
    mode, id = (fields[4], fields[8]) if unmerged else (fields[3], fields[6])
    head_mode = int(mode, 8)
    return Change(
        path=fields[-1],
        head_mode=head_mode,
        head_id=ObjectId(id.decode()) if head_mode else None,
        submodule=fields[2].startswith(b"S"),
        submodule_dirty=fields[2].startswith(b"S") and fields[2][2:] != b"..",
    )

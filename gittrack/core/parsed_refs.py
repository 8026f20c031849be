"""What a ref is, read from its name (docs/format.md, "Refs"): for those who list refs; who writes a run names some.

A name that follows no grammar is not ours: it is ignored by readers and reported by ``fsck``.
"""

from __future__ import annotations

import re

from gittrack.core.refs import HOLD_PREFIX, INBOX_PREFIX, LIVE, LOCAL_PREFIX, MONTH, REMOTE_PREFIX, is_writer
from gittrack.frozen import dataclass

_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class InboxRef:
    """``refs/runs/inbox/<id>``: one run or event not yet rolled up."""

    id: str

    def __str__(self) -> str:
        return INBOX_PREFIX + self.id


@dataclass(frozen=True, slots=True)
class HoldRef:
    """``refs/runs/hold/<run id>``: keeps the snapshot of a live run from ``git gc`` until its commit refers to it."""

    id: str

    def __str__(self) -> str:
        return HOLD_PREFIX + self.id


@dataclass(frozen=True, slots=True)
class LocalLedgerRef:
    """``refs/runs/local/<yyyy-mm>``: the ledger of what was rolled up here and not shared."""

    month: str

    def __str__(self) -> str:
        return LOCAL_PREFIX + self.month


@dataclass(frozen=True, slots=True)
class RemoteLedgerRef:
    """``refs/runs-remote/<remote>/<yyyy-mm>/<writer>``: a remote's ledger as last seen."""

    remote: str
    month: str
    writer: str

    def __str__(self) -> str:
        return f"{REMOTE_PREFIX}{self.remote}/{self.month}/{self.writer}"


@dataclass(frozen=True, slots=True)
class RemoteCheckpointRef:
    """``refs/runs-remote/<remote>/live/<run id>``: the last checkpoint of a run that goes on, as last seen there."""

    remote: str
    id: str

    def __str__(self) -> str:
        return f"{REMOTE_PREFIX}{self.remote}/{LIVE}/{self.id}"


RunsRef = InboxRef | HoldRef | LocalLedgerRef | RemoteLedgerRef | RemoteCheckpointRef


def parse_ref(name: str) -> RunsRef | None:
    """The ref that ``name`` (full, ``refs/…``) is, or None when it follows no grammar of ours.

    >>> str(parse_ref("refs/runs/local/2026-11"))
    'refs/runs/local/2026-11'
    >>> parse_ref("refs/runs/inbox/../x") is None
    True
    """
    if name.startswith(INBOX_PREFIX) and _ID.fullmatch(name, len(INBOX_PREFIX)):
        return InboxRef(name[len(INBOX_PREFIX) :])
    if name.startswith(HOLD_PREFIX) and _ID.fullmatch(name, len(HOLD_PREFIX)):
        return HoldRef(name[len(HOLD_PREFIX) :])
    if name.startswith(LOCAL_PREFIX) and MONTH.fullmatch(name, len(LOCAL_PREFIX)):
        return LocalLedgerRef(name[len(LOCAL_PREFIX) :])
    if name.startswith(REMOTE_PREFIX):
        parts = name[len(REMOTE_PREFIX) :].split("/")
        if len(parts) == 3 and is_writer(parts[0]) and MONTH.fullmatch(parts[1]) and is_writer(parts[2]):
            return RemoteLedgerRef(*parts)
        if len(parts) == 3 and is_writer(parts[0]) and parts[1] == LIVE and _ID.fullmatch(parts[2]):
            return RemoteCheckpointRef(parts[0], parts[2])
    return None

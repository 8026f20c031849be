"""Rows of ledgers that came from remotes and stand for no sound runs or events: remembered, so that nobody shows them.

A row, not a commit: else who names somebody's good run by another id would have it refused for everybody. Their ledger
stays in use: it is somebody's, and what else it lists is sound. Deleting the file makes readers look at them again,
each for itself; nothing of them is ever executed or checked out.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping

from gittrack.core.ids import ObjectId
from gittrack.core.ledger import BatchKind, BatchRow
from gittrack.core.names import one_line
from gittrack.errors import StorageError
from gittrack.git.failures import disk_hint
from gittrack.store.layout import Layout

_LONGEST_REASON = 300


def read_refused(layout: Layout) -> dict[BatchRow, str]:
    """Each refused row, and why."""
    try:
        with open(layout.refused_file, "rb") as file:
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise StorageError(f"cannot read '{layout.refused_file}': {error.strerror}") from error
    cells = (line.split("\t", 3) for line in text.split("\n"))
    return {row: found[3] for found in cells if len(found) == 4 and (row := _row(*found[:3])) is not None}


def _row(kind: str, id: str, commit: str) -> BatchRow | None:
    kinds: dict[str, BatchKind] = {"run": "run", "event": "event"}
    return BatchRow(kinds[kind], id, ObjectId(commit)) if kind in kinds else None


def refuse(layout: Layout, rows: Mapping[BatchRow, str]) -> None:
    """Remember some more.

    Raises:
        StorageError: it cannot be written; what was fetched must not become visible then.
    """
    if not rows:
        return
    text = "".join(
        f"{row.kind}\t{row.id}\t{row.commit}\t{one_line(reason)[:_LONGEST_REASON]}\n" for row, reason in rows.items()
    )
    try:
        layout.root.mkdir(exist_ok=True)
        file = os.open(layout.refused_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            os.write(file, b"\n" + text.encode("utf-8", "replace"))
            os.fsync(file)
        finally:
            os.close(file)
    except OSError as error:
        where = layout.refused_file
        raise StorageError(f"cannot write '{where}': {error.strerror}", hint=disk_hint(error, layout.root)) from error


def forget_refused(layout: Layout, commits: Collection[ObjectId]) -> None:
    """Forget what names some commits, reasons included; to be called by whoever holds the lock of sharing.

    Raises:
        StorageError: it cannot be written.
    """
    known = read_refused(layout)
    left = {row: reason for row, reason in known.items() if row.commit not in commits}
    if left == known:
        return
    fresh = layout.refused_file.with_name(f"{layout.refused_file.name}.{os.getpid()}")
    try:
        fresh.write_bytes(b"")
        os.replace(fresh, layout.refused_file)
    except OSError as error:
        where = layout.refused_file
        raise StorageError(f"cannot write '{where}': {error.strerror}", hint=disk_hint(error, layout.root)) from error
    refuse(layout, left)

"""Commits that came from remotes and are no sound runs or events: remembered, so that no reader shows them.

Their ledger stays in use: it is somebody's, and what else it lists is sound. Deleting the file makes readers look at
them again, each for itself; nothing of them is ever executed or checked out.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping

from gittrack.core.ids import ObjectId
from gittrack.core.names import one_line
from gittrack.errors import StorageError
from gittrack.git.failures import disk_hint
from gittrack.store.layout import Layout

_LONGEST_REASON = 300


def read_refused(layout: Layout) -> dict[ObjectId, str]:
    """Each refused commit, and why."""
    try:
        with open(layout.refused_file, "rb") as file:
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise StorageError(f"cannot read '{layout.refused_file}': {error.strerror}") from error
    rows = (line.split("\t", 1) for line in text.split("\n"))
    return {ObjectId(row[0]): row[1] for row in rows if len(row) == 2 and len(row[0]) in (40, 64)}


def refuse(layout: Layout, commits: Mapping[ObjectId, str]) -> None:
    """Remember some more.

    Raises:
        StorageError: it cannot be written; what was fetched must not become visible then.
    """
    if not commits:
        return
    text = "".join(f"{commit}\t{one_line(reason)[:_LONGEST_REASON]}\n" for commit, reason in commits.items())
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
    """Forget some, reasons included; to be called by whoever holds the lock of sharing.

    Raises:
        StorageError: it cannot be written.
    """
    known = read_refused(layout)
    if known.keys().isdisjoint(commits):
        return
    fresh = layout.refused_file.with_name(f"{layout.refused_file.name}.{os.getpid()}")
    try:
        fresh.write_bytes(b"")
        os.replace(fresh, layout.refused_file)
    except OSError as error:
        where = layout.refused_file
        raise StorageError(f"cannot write '{where}': {error.strerror}", hint=disk_hint(error, layout.root)) from error
    refuse(layout, {commit: reason for commit, reason in known.items() if commit not in commits})

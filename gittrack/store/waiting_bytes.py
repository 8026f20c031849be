"""Shared runs whose artifact bytes stayed behind, as there was nowhere to bring them: the next push brings them."""

from __future__ import annotations

from collections.abc import Iterable

from gittrack.core.ids import ObjectId
from gittrack.store.layout import Layout
from gittrack.store.notes_file import read_notes, write_notes


def read_waiting(layout: Layout) -> list[ObjectId]:
    """The commits of such runs."""
    found = read_notes(layout.waiting_bytes_file)
    return [ObjectId(commit) for commit in found if isinstance(commit, str)] if isinstance(found, list) else []


def write_waiting(layout: Layout, commits: Iterable[ObjectId]) -> None:
    """Remember such runs, instead of what was known.

    Raises:
        StorageError: it cannot be written.
    """
    now = sorted(set(commits))
    if now != read_waiting(layout):
        write_notes(layout.waiting_bytes_file, now)

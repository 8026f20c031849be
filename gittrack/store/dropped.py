"""Commits of expunged runs that were still stored when nothing of ours reached them any more.

Nothing lists them, so that only this file knows what to look for when they are to be dropped for good. It never leaves
this clone: hosts serve what no ref reaches to whoever names it.
"""

from __future__ import annotations

from collections.abc import Sequence

from gittrack.core.ids import ObjectId, RunId, parse_object_id
from gittrack.errors import InvalidNameError
from gittrack.store.layout import Layout
from gittrack.store.notes_file import read_notes, write_notes


def read_dropped(layout: Layout, id: RunId) -> list[ObjectId]:
    """Those of one run; none when the file is missing or damaged."""
    notes = read_notes(layout.dropped_file)
    named = notes.get(id) if isinstance(notes, dict) else None
    try:
        return [parse_object_id(str(name)) for name in named] if isinstance(named, list) else []
    except InvalidNameError:
        return []


def write_dropped(layout: Layout, id: RunId, commits: Sequence[ObjectId]) -> None:
    """Remember those of one run, instead of what was known of it; none forgets it.

    Raises:
        StorageError: it cannot be written.
    """
    notes = read_notes(layout.dropped_file)
    known = notes if isinstance(notes, dict) else {}
    now = {**known, id: list(commits)} if commits else {key: value for key, value in known.items() if key != id}
    if now != known:
        write_notes(layout.dropped_file, now)

"""How far somebody has looked at what others shared: the tip of each remembered ledger at that time."""

from __future__ import annotations

from collections.abc import Mapping

from gittrack.core.ids import ObjectId, RefName
from gittrack.store.layout import Layout
from gittrack.store.notes_file import read_notes, write_notes


def read_looked_at(layout: Layout) -> dict[RefName, ObjectId]:
    """The tips of the last look; none when there was none, or when the file is damaged: then everything is new."""
    found = read_notes(layout.looked_at_file)
    if not isinstance(found, dict):
        return {}
    return {RefName(name): ObjectId(tip) for name, tip in found.items() if isinstance(tip, str)}


def write_looked_at(layout: Layout, tips: Mapping[RefName, ObjectId]) -> None:
    """Remember a look.

    Raises:
        StorageError: it cannot be written.
    """
    write_notes(layout.looked_at_file, tips)

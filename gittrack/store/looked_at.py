"""How far somebody has looked at what others shared: the tip of each remembered ledger at that time."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

from gittrack.core.ids import ObjectId, RefName
from gittrack.errors import StorageError
from gittrack.git.failures import disk_hint
from gittrack.store.layout import Layout

_MOST = 4 << 20


def read_looked_at(layout: Layout) -> dict[RefName, ObjectId]:
    """The tips of the last look; none when there was none, or when the file is damaged: then everything is new."""
    try:
        with open(layout.looked_at_file, "rb") as file:
            found = json.loads(file.read(_MOST))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {RefName(name): ObjectId(tip) for name, tip in found.items() if isinstance(tip, str)}


def write_looked_at(layout: Layout, tips: Mapping[RefName, ObjectId]) -> None:
    """Remember a look.

    Raises:
        StorageError: it cannot be written.
    """
    path = layout.looked_at_file
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(exist_ok=True)
        fresh.write_text(json.dumps(tips, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        os.replace(fresh, path)
    except OSError as error:
        text = f"cannot write '{path}': {error.strerror}"
        raise StorageError(text, hint=disk_hint(error, path.parent)) from error

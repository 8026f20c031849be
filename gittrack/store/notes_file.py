"""Small JSON files beside git: what is worth remembering and can be lost, written whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

from gittrack.errors import StorageError
from gittrack.git.failures import disk_hint

_MOST = 4 << 20


def read_notes(path: Path) -> Any:
    """What a file says; None when it is missing or damaged: then nothing is known."""
    try:
        with open(path, "rb") as file:
            return json.loads(file.read(_MOST))
    except (OSError, ValueError, RecursionError):
        return None


def write_notes(path: Path, notes: object) -> None:
    """Replace a file; its folder is made when it is missing.

    Raises:
        StorageError: it cannot be written.
    """
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(exist_ok=True)
        fresh.write_text(json.dumps(notes, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        os.replace(fresh, path)
    except OSError as error:
        text = f"cannot write '{path}': {error.strerror}"
        raise StorageError(text, hint=disk_hint(error, path.parent)) from error
    finally:
        with contextlib.suppress(OSError):  # mostly it is gone; of a full disk nothing shall stay
            fresh.unlink()

"""Which bytes this clone gave up on purpose: what ``gittrack gc`` took from runs by rules, a digest a line.

Nobody decides anything by it but what to say: such bytes are not missing. Losing it costs a wrong word, nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from gittrack.artifacts.bytes_store import hint_of
from gittrack.core.used_digests import digests_in
from gittrack.errors import StorageError

FILE = "given-up"


def read_given_up(folder: Path) -> frozenset[str]:
    """The digests that were given up.

    Args:
        folder: gittrack's own, beside git.

    Raises:
        StorageError: they cannot be read.
    """
    path = folder / FILE
    try:
        return digests_in(path.read_bytes())
    except FileNotFoundError:
        return frozenset()
    except OSError as error:
        raise StorageError(f"cannot read '{path}': {error.strerror}", hint=hint_of(error)) from error


def remember_given_up(folder: Path, digests: Iterable[str]) -> None:
    """Add digests; they are on the disk when this returns. Only one process at a time may do so.

    Raises:
        StorageError: they cannot be written; what was there before still is.
    """
    new = sorted(set(digests) - read_given_up(folder))
    if not new:
        return
    path = folder / FILE
    try:
        with path.open("ab") as file:  # it begins a line of its own, whatever a full disk or a kill left before
            file.write(("\n" * bool(file.tell()) + "\n".join(new) + "\n").encode())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise StorageError(f"cannot write '{path}': {error.strerror}", hint=hint_of(error)) from error

"""Remembered ledgers that a remote no longer has as they are remembered, until somebody accepts that.

They stay in use for reading. But what only they list is not at the remote any more, so it does not count as shared.
"""

from __future__ import annotations

from collections.abc import Iterable

from gittrack.core.ids import RefName
from gittrack.core.refs import REMOTE_PREFIX
from gittrack.store.layout import Layout
from gittrack.store.notes_file import read_notes, write_notes


def read_doubtful(layout: Layout) -> frozenset[RefName]:
    """The names of such ledgers."""
    found = read_notes(layout.doubtful_file)
    names = found if isinstance(found, list) else []
    return frozenset(RefName(name) for name in names if isinstance(name, str))


def write_doubtful(layout: Layout, slug: str, names: Iterable[RefName]) -> None:
    """Remember those of one remote, instead of what was known of it.

    Raises:
        StorageError: it cannot be written.
    """
    known = read_doubtful(layout)
    prefix = f"{REMOTE_PREFIX}{slug}/"
    now = frozenset(name for name in known if not name.startswith(prefix)) | frozenset(names)
    if now != known:
        write_notes(layout.doubtful_file, sorted(now))

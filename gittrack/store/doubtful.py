"""Remembered ledgers that a remote no longer has as they are remembered.

*Doubtful* ones were rewritten there or are gone, until somebody accepts that. They stay in use for reading; but what
only they list is not at the remote any more, so it does not count as shared. *Behind* are those of which the remote has
an earlier state, as after a backup was played back: whose they are brings them on. *Refused* are refs at the place of a
ledger that are none, by the tip that was refused: they are told once, not at every fetch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from gittrack.core.ids import ObjectId, RefName
from gittrack.core.refs import REMOTE_PREFIX
from gittrack.store.layout import Layout
from gittrack.store.notes_file import read_notes, write_notes

LookedAt = Callable[[RefName], bool]
"""Whether a fetch looked at a ledger: of the others what was known stays."""


def read_doubtful(layout: Layout) -> frozenset[RefName]:
    """The names of the doubtful ones."""
    return _read(layout.doubtful_file)


def write_doubtful(layout: Layout, slug: str, names: Iterable[RefName], looked_at: LookedAt) -> None:
    """Remember the doubtful ones of one remote, instead of what was known of those that were looked at.

    Raises:
        StorageError: it cannot be written.
    """
    _write(layout.doubtful_file, slug, names, looked_at)


def read_behind(layout: Layout) -> frozenset[RefName]:
    """The names of those that are behind."""
    return _read(layout.behind_file)


def write_behind(layout: Layout, slug: str, names: Iterable[RefName], looked_at: LookedAt) -> None:
    """Remember those of one remote that are behind. Arguments and errors as of :func:`write_doubtful`."""
    _write(layout.behind_file, slug, names, looked_at)


def read_refused_ledgers(layout: Layout) -> Mapping[RefName, ObjectId]:
    """The refused ones, and what each was."""
    found = read_notes(layout.refused_ledgers_file)
    pairs = found.items() if isinstance(found, dict) else ()
    return {RefName(name): ObjectId(tip) for name, tip in pairs if isinstance(tip, str)}


def refuse_ledgers(layout: Layout, tips: Mapping[RefName, ObjectId]) -> None:
    """Remember some more.

    Raises:
        StorageError: it cannot be written.
    """
    if tips:
        write_notes(layout.refused_ledgers_file, {**read_refused_ledgers(layout), **tips})


def _read(path: Path) -> frozenset[RefName]:
    found = read_notes(path)
    names = found if isinstance(found, list) else []
    return frozenset(RefName(name) for name in names if isinstance(name, str))


def _write(path: Path, slug: str, names: Iterable[RefName], looked_at: LookedAt) -> None:
    known = _read(path)
    prefix = f"{REMOTE_PREFIX}{slug}/"
    kept = frozenset(name for name in known if not (name.startswith(prefix) and looked_at(name)))
    if (now := kept | frozenset(names)) != known:
        write_notes(path, sorted(now))

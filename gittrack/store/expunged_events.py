"""Events that say runs to be expunged, found in ledgers: a push must know them, and not wait until all runs are read.

What was found is remembered with the tip of each ledger, so that only what is new since then is looked at. It is
derived: deleted, it is found anew.
"""

from __future__ import annotations

import contextlib
from typing import Any

from gittrack.core.expunged import EXPUNGED
from gittrack.core.ids import ObjectId, RefName
from gittrack.core.parsed_refs import LocalLedgerRef, RemoteLedgerRef, parse_ref
from gittrack.core.records import Event
from gittrack.core.refs import LOCAL_PREFIX, REMOTE_PREFIX
from gittrack.errors import GittrackError, StorageError
from gittrack.frozen import dataclass
from gittrack.git.repository import Repository
from gittrack.store.catalog import walk_batches
from gittrack.store.event_store import read_event
from gittrack.store.layout import Layout
from gittrack.store.notes_file import read_notes, write_notes
from gittrack.store.refused import read_refused


@dataclass(frozen=True, slots=True)
class _Seen:
    """A ledger as it was looked at: its tip, and the commits of such events in it."""

    tip: ObjectId
    events: tuple[ObjectId, ...]


def expunged_events(repo: Repository, layout: Layout) -> list[Event]:
    """Every event of this kind that a ledger lists; those of the inbox are left to whoever reads that.

    Raises:
        StorageError: what was refused cannot be read.
    """
    known = _known(layout)
    now: dict[RefName, _Seen] = {}
    for name, tip in repo.refs.list(LOCAL_PREFIX, REMOTE_PREFIX):
        if isinstance(parse_ref(name), LocalLedgerRef | RemoteLedgerRef):
            seen = known.get(name)
            now[name] = seen if seen is not None and seen.tip == tip else _look(repo, layout, tip, seen)
    if now != known:
        with contextlib.suppress(StorageError):  # it is found anew then
            write_notes(layout.expunged_file, {name: [seen.tip, *seen.events] for name, seen in now.items()})
    found = []
    for commit in dict.fromkeys(commit for seen in now.values() for commit in seen.events):
        with contextlib.suppress(GittrackError):  # damaged: `fsck` names it, and it says nothing
            found.append(read_event(repo, commit))
    return found


def _look(repo: Repository, layout: Layout, tip: ObjectId, seen: _Seen | None) -> _Seen:
    refused = read_refused(layout)
    events: list[ObjectId] = []
    end: ObjectId | None = None
    with contextlib.suppress(GittrackError):  # what cannot be walked lists nothing that can be pushed
        for before, rows in walk_batches(repo, tip, None if seen is None else seen.tip, told=lambda *_: None):
            events += [row.commit for row in rows if row.kind == "event" and row not in refused]
            end = before
    found = tuple(commit for commit in events if _says_so(repo, commit))
    goes_on = seen is not None and seen.tip in (tip, end)
    return _Seen(tip, (*seen.events, *found) if seen is not None and goes_on else found)


def _says_so(repo: Repository, commit: ObjectId) -> bool:
    try:
        return repo.objects.read_commit(commit).message.startswith(EXPUNGED)
    except GittrackError:
        return False


def _known(layout: Layout) -> dict[RefName, _Seen]:
    notes = read_notes(layout.expunged_file)
    if not isinstance(notes, dict):
        return {}
    return {RefName(name): _Seen(found[0], tuple(found[1:])) for name, found in notes.items() if _is_sound(found)}


def _is_sound(found: Any) -> bool:
    return isinstance(found, list) and bool(found) and all(isinstance(each, str) and len(each) == 40 for each in found)

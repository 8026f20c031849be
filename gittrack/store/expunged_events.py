"""Events that say runs to be expunged, found in ledgers: a push must know them, and not wait until all runs are read.

What was found is remembered with the tip of each ledger, so that only what is new since then is looked at. It is
derived: deleted, it is found anew.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any, NamedTuple

from gittrack.core.expunged import EXPUNGED
from gittrack.core.ids import ObjectId, RefName
from gittrack.core.ledger import BatchRow
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


class _Found(NamedTuple):
    """The commits of such events in a ledger, and whether all of it could be read that was not looked at before."""

    events: list[ObjectId]
    is_all: bool = True


def expunged_events(repo: Repository, layout: Layout) -> list[Event]:
    """Every event of this kind that a ledger lists; those of the inbox are left to whoever reads that.

    Raises:
        StorageError: what was refused cannot be read.
    """
    known = _known(layout)
    now: dict[RefName, _Seen] = {}
    commits: list[ObjectId] = []
    for name, tip in repo.refs.list(LOCAL_PREFIX, REMOTE_PREFIX):
        if not isinstance(parse_ref(name), LocalLedgerRef | RemoteLedgerRef):
            continue
        seen = known.get(name)
        found = _Found(list(seen.events)) if seen is not None and seen.tip == tip else _look(repo, layout, tip, seen)
        commits += found.events
        if found.is_all:
            now[name] = _Seen(tip, tuple(found.events))
        elif seen is not None:
            now[name] = seen  # what is above it is looked at again
    if now != known:
        with contextlib.suppress(StorageError):  # it is found anew then
            write_notes(layout.expunged_file, {name: [seen.tip, *seen.events] for name, seen in now.items()})
    events = []
    for commit in dict.fromkeys(commits):
        with contextlib.suppress(GittrackError):  # damaged: `fsck` names it, and it says nothing
            events.append(read_event(repo, commit))
    return events


def _look(repo: Repository, layout: Layout, tip: ObjectId, seen: _Seen | None) -> _Found:
    """What is new in a ledger, and what was known of it, unless it is sure that it was rewritten since."""
    known: Sequence[ObjectId] = () if seen is None else seen.events
    rows: list[BatchRow] = []
    unread: list[ObjectId] = []
    walked = [tip]
    is_to_end = True
    try:
        for before, batch in walk_batches(
            repo, tip, None if seen is None else seen.tip, told=lambda commit, _: unread.append(commit)
        ):
            rows += batch
            walked += [before] if before is not None else []
        walked += [parent for commit in unread for parent in repo.objects.read_commit(commit).parents[:1]]
    except GittrackError:  # what lies below is not known
        is_to_end = False
    refused = read_refused(layout)
    found, is_all = _saying_so(repo, [row for row in rows if row.kind == "event" and row not in refused])
    is_to_end = is_to_end and repo.cut_off().isdisjoint(walked)
    if is_to_end and seen is not None and seen.tip not in walked:  # surely rewritten
        known = ()
    return _Found([*known, *found], is_all and is_to_end and not unread)


def _saying_so(repo: Repository, rows: Sequence[BatchRow]) -> tuple[list[ObjectId], bool]:
    """The commits of events of this kind, and whether all could be read."""
    found, is_all = [], True
    for row in rows:
        try:
            if repo.objects.read_commit(row.commit).message.startswith(EXPUNGED):
                found.append(row.commit)
        except GittrackError:
            is_all = False
    return found, is_all


def _known(layout: Layout) -> dict[RefName, _Seen]:
    notes = read_notes(layout.expunged_file)
    if not isinstance(notes, dict):
        return {}
    return {RefName(name): _Seen(found[0], tuple(found[1:])) for name, found in notes.items() if _is_sound(found)}


def _is_sound(found: Any) -> bool:
    return isinstance(found, list) and bool(found) and all(isinstance(each, str) and len(each) == 40 for each in found)

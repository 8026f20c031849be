"""All that there is of one run in a repository: commits, events, the ledgers that carry them, refs, copies."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from gittrack.core.expunged import EXPUNGED, expunger
from gittrack.core.ids import ObjectId, RefName, RunId
from gittrack.core.ledger import BatchKind
from gittrack.core.parsed_refs import InboxRef, LocalLedgerRef, RemoteCheckpointRef, RemoteLedgerRef, parse_ref
from gittrack.core.records import Event, Subject
from gittrack.core.refs import REMOTE_PREFIX, RUNS_PREFIX
from gittrack.errors import GittrackError
from gittrack.frozen import dataclass
from gittrack.git.repository import Repository
from gittrack.store.catalog import with_earlier
from gittrack.store.event_store import read_event
from gittrack.store.layout import Layout
from gittrack.store.rebuilt_ledgers import Statement, batch_rows, holds_event, ledger_commits
from gittrack.store.run_reader import read_record

Tip = tuple[RefName, ObjectId]


@dataclass(frozen=True, slots=True)
class Belongings:
    """What there is of one run.

    Attributes:
        id: the run's.
        commits: run commits: its own, those that it continued, those in conflict with it, fetched checkpoints.
        events: commits of what was said of it, but for its expunging.
        ledgers: those that carry any of these, with their tips.
        refs: others of ours that are there for it alone.
        copies: files and folders beside git.
        said: the event by which it is expunged; None when there is none, or it was taken back.
        telling: the ledgers that carry that event, with their tips.
        carriers: the commits of all ledgers.
        listed: every run commit that is listed anywhere, and the ids that it is listed by.
    """

    id: RunId
    commits: frozenset[ObjectId]
    events: frozenset[ObjectId]
    ledgers: tuple[Tip, ...]
    refs: tuple[Tip, ...]
    copies: tuple[Path, ...]
    said: Statement | None
    telling: tuple[Tip, ...]
    carriers: frozenset[ObjectId]
    listed: Mapping[ObjectId, set[str]]

    @property
    def gone(self) -> frozenset[ObjectId]:
        """All commits that are to go."""
        return self.commits | self.events

    @property
    def is_there(self) -> bool:
        """Whether there is anything of it."""
        return bool(self.gone or self.refs or self.copies)


class _Rows:
    """What some ledgers and the inbox list: commit -> ids by kind; and which commits each ledger carries."""

    def __init__(self, repo: Repository) -> None:
        self._repo = repo
        self.ids: dict[BatchKind, dict[ObjectId, set[str]]] = {"run": {}, "event": {}}
        self.carried: dict[Tip, set[ObjectId]] = {}
        self.carriers: set[ObjectId] = set()

    def read_ledger(self, tip: Tip) -> None:
        carried = self.carried.setdefault(tip, set())
        for commit in ledger_commits(self._repo, tip[1]):
            self.carriers.add(commit.id)
            carried.update(commit.parents[1:])
            for row in batch_rows(self._repo, commit):
                self.add(row.kind, row.id, row.commit)

    def add(self, kind: BatchKind, id: str, commit: ObjectId) -> None:
        self.ids[kind].setdefault(commit, set()).add(id)


def find_belongings(
    repo: Repository, layout: Layout, id: RunId, more: Iterable[Tip] = (), known: Iterable[ObjectId] = ()
) -> Belongings:
    """Find all that there is of a run; every ledger is read, and every event.

    Args:
        repo: where.
        layout: its folders.
        id: the run.
        more: ledgers that no reader looks at (yet), with their tips.
        known: commits of it that may be listed no more.

    Raises:
        CorruptRecordError: a ledger cannot be read to its end.
    """
    rows, refs, checkpoints = _Rows(repo), [], []
    tips = repo.refs.list(RUNS_PREFIX, REMOTE_PREFIX)
    for name, tip in tips:
        ref = parse_ref(name)
        if isinstance(ref, InboxRef):
            rows.add("event" if holds_event(repo, tip) else "run", ref.id, tip)
        elif isinstance(ref, LocalLedgerRef | RemoteLedgerRef):
            rows.read_ledger((name, tip))
        if name.endswith(f"/{id}"):  # inbox, hold, checkpoints
            refs.append((name, tip))
        if isinstance(ref, RemoteCheckpointRef) and ref.id == id:
            checkpoints.append(tip)
    for tip_of in more:
        rows.read_ledger(tip_of)
    listed = rows.ids["run"]
    commits = _commits(repo, id, rows) | set(known)
    commits |= {commit for commit in checkpoints if _is_of(repo, commit, id, alone=commit not in listed)}
    events, said = _events(repo, id, rows)
    refs += [(name, tip) for name, tip in tips if isinstance(parse_ref(name), InboxRef) and tip in events | commits]
    gone = commits | events
    return Belongings(
        id=id,
        commits=frozenset(commits),
        events=frozenset(events),
        ledgers=tuple(tip for tip, carried in rows.carried.items() if not carried.isdisjoint(gone)),
        refs=tuple(dict.fromkeys(refs)),
        copies=tuple(_copies(layout, id)),
        said=said,
        telling=tuple(tip for tip, carried in rows.carried.items() if said is not None and said.commit in carried),
        carriers=frozenset(rows.carriers),
        listed=listed,
    )


def _commits(repo: Repository, id: RunId, rows: _Rows) -> set[ObjectId]:
    """The commits of the run, and never those of another one that a forged row or parent gives its id."""
    listed = [commit for commit, ids in rows.ids["run"].items() if id in ids]
    found = {commit for commit in listed if _is_of(repo, commit, id, alone=rows.ids["run"][commit] == {id})}
    for commit in list(found):
        for earlier in with_earlier(repo, [commit]):
            if earlier not in found and not _is_of(repo, earlier, id, alone=False):
                break
            found.add(earlier)
    return found


def _is_of(repo: Repository, commit: ObjectId, id: RunId, *, alone: bool) -> bool:
    """Whether a commit is of a run; one that cannot be read is if nobody gives it another id."""
    try:
        return read_record(repo, commit).id == id
    except GittrackError:
        return alone


def _events(repo: Repository, id: RunId, rows: _Rows) -> tuple[set[ObjectId], Statement | None]:
    gone: set[ObjectId] = set()
    stated: dict[ObjectId, Event] = {}
    for commit in rows.ids["event"]:
        try:
            event = read_event(repo, commit)
        except GittrackError:
            gone |= {commit} if _names(repo, commit, id) else set()
            continue
        if event.subject == Subject("run", id):
            if event.kind == EXPUNGED:
                stated[commit] = event
            else:
                gone.add(commit)
    standing = expunger(stated.values())
    said = next((Statement(event, commit) for commit, event in sorted(stated.items()) if event == standing), None)
    return gone, said


def _names(repo: Repository, commit: ObjectId, id: RunId) -> bool:
    """Whether the message of an event that cannot be read says that it is about the run."""
    try:
        return f"\nEvent-Subject: run:{id}\n" in repo.objects.read_commit(commit).message
    except GittrackError:
        return False


def _copies(layout: Layout, id: RunId) -> Sequence[Path]:
    """Journals of the run beside git, copies, whole or half written, folders on their way; and of its checkpoints."""
    found = []
    places = (
        (layout.done, (f"{id}-",)),
        (layout.live, (f"{id}.", f".new-{id}-")),
        (layout.checkpoints, (f"{id}.",)),
    )
    for folder, starts in places:
        try:
            found += [folder / name for name in sorted(os.listdir(folder)) if name.startswith(starts)]
        except FileNotFoundError:
            continue
    return found


def known_ids(repo: Repository, prefix: str) -> set[RunId]:
    """The ids of runs, hidden ones too, that begin with some digits."""
    rows = _Rows(repo)
    for name, tip in repo.refs.list(RUNS_PREFIX, REMOTE_PREFIX):
        ref = parse_ref(name)
        if isinstance(ref, InboxRef):
            if not holds_event(repo, tip):
                rows.add("run", ref.id, tip)
        elif isinstance(ref, LocalLedgerRef | RemoteLedgerRef):
            rows.read_ledger((name, tip))
    return {RunId(id) for ids in rows.ids["run"].values() for id in ids if id.startswith(prefix)}

"""Ledgers that were fetched: checked, compared with what was there before, then made visible all at once.

A hostile or damaged run costs itself alone. A ledger that does not go on where the last good one ended was rewritten:
the last good one stays in use until somebody accepts the new one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field
from typing import NamedTuple

from gittrack.core.events import is_event_message
from gittrack.core.ids import ObjectId, RefName, parse_event_id, parse_run_id
from gittrack.core.ledger import BatchRow
from gittrack.core.message import decode_message, listed_form
from gittrack.core.parsed_refs import RemoteLedgerRef, parse_ref
from gittrack.core.problem import Problem
from gittrack.core.refs import REMOTE_PREFIX, remote_ledger_ref
from gittrack.errors import GittrackError
from gittrack.frozen import dataclass
from gittrack.git.refs import RefUpdate
from gittrack.git.repository import Repository
from gittrack.git.trees import MODE_TREE
from gittrack.store.catalog import walk_batches
from gittrack.store.event_store import read_event
from gittrack.store.integrity import same_record
from gittrack.store.layout import Layout
from gittrack.store.refused import read_refused, refuse
from gittrack.store.remotes import Remote
from gittrack.store.run_reader import read_whole_record

_MOST_REFUSED = 1000
"""A ledger with more bad runs and events is refused as a whole: nobody reads a thousand lines."""
_MOST_TREES = 1000


class FetchedLedger(NamedTuple):
    """A ledger as a remote has it now; ``tip`` None: it is there no more."""

    month: str
    writer: str
    tip: ObjectId | None


@dataclass(frozen=True, slots=True)
class NewLedger:
    """A ledger that grew, or appeared.

    Attributes:
        ref: where it is remembered here.
        writer: whose it is.
        before: what was remembered; None when it is new.
        tip: what it is now.
        rows: what is new in it, oldest first; refused ones left out.
    """

    ref: RefName
    writer: str
    before: ObjectId | None
    tip: ObjectId
    rows: tuple[BatchRow, ...]


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A ledger that does not go on where it ended.

    Attributes:
        ref: where it is remembered here.
        writer: whose it is.
        before: the last good one, which stays in use.
        tip: what the remote has; None: nothing.
        lost: what would vanish.
    """

    ref: RefName
    writer: str
    before: ObjectId
    tip: ObjectId | None
    lost: tuple[BatchRow, ...]


@dataclass(frozen=True, slots=True)
class Incoming:
    """What a fetch brought.

    Attributes:
        ledgers: that grew.
        rewritten: those that are not as they were.
        refused: runs, events and ledgers that are not what they should be.
        earlier: ledgers of which the remote has an earlier state than is remembered.
    """

    ledgers: list[NewLedger] = field(default_factory=list)
    rewritten: list[Rewritten] = field(default_factory=list)
    refused: list[Problem] = field(default_factory=list)
    earlier: list[RefName] = field(default_factory=list)


def remembered(repo: Repository, remote: Remote) -> dict[RefName, ObjectId]:
    """The ledgers of a remote as last seen."""
    refs = repo.refs.list(f"{REMOTE_PREFIX}{remote.slug}/")
    return {name: tip for name, tip in refs if isinstance(parse_ref(name), RemoteLedgerRef)}


def is_known(repo: Repository, remote: Remote, ledger: FetchedLedger) -> bool:
    """Whether a ledger is an earlier state of the one that is remembered."""
    before = repo.refs.get(remote_ledger_ref(remote.slug, ledger.month, ledger.writer))
    return before is not None and ledger.tip is not None and _was(repo, before, ledger.tip)


def looked_at(
    repo: Repository,
    layout: Layout,
    remote: Remote,
    fetched: Sequence[FetchedLedger],
    progress: Callable[[int, int], None] | None = None,
    *,
    anew: bool = False,
) -> Incoming:
    """Check what was fetched; nothing becomes visible.

    Args:
        repo: where it was fetched to.
        layout: its folders.
        remote: where from.
        fetched: ledgers that are not as they are remembered.
        progress: told how many runs and events are checked, of how many.
        anew: take ledgers for good that do not go on where the remembered ones end.

    Raises:
        StorageError: what is refused could not be remembered.
    """
    found = Incoming()
    before = remembered(repo, remote)
    for ledger in fetched:
        ref = remote_ledger_ref(remote.slug, ledger.month, ledger.writer)
        try:
            _look_at(repo, found, ref, ledger, before.get(ref), anew=anew)
        except GittrackError as error:
            found.refused.append(Problem(f"ledger {ledger.month}/{ledger.writer}", error.message))
    return _checked(repo, layout, found, progress)


def _look_at(
    repo: Repository, found: Incoming, ref: RefName, ledger: FetchedLedger, before: ObjectId | None, *, anew: bool
) -> None:
    if ledger.tip is None:
        if before is not None:
            found.rewritten.append(Rewritten(ref, ledger.writer, before, None, _rows(repo, before)))
        return

    def told(commit: ObjectId, error: GittrackError) -> None:
        found.refused.append(Problem(f"ledger {ledger.month}/{ledger.writer} commit {commit}", error.message))

    if before is not None and ledger.tip != before and not anew and _was(repo, before, ledger.tip):
        found.earlier.append(ref)  # a mirror that lags, or a backup that was played back: a push brings it on
        return
    batches = list(walk_batches(repo, ledger.tip, before, told=told))
    rows = tuple(row for _, batch in reversed(batches) for row in batch)
    if before is not None and not anew and not _goes_on(repo, ledger.tip, before):
        lost = set(_rows(repo, before)) - set(rows)
        found.rewritten.append(Rewritten(ref, ledger.writer, before, ledger.tip, tuple(sorted(lost))))
    else:
        found.ledgers.append(NewLedger(ref, ledger.writer, before, ledger.tip, rows))


def _goes_on(repo: Repository, tip: ObjectId, before: ObjectId) -> bool:
    """Whether a ledger has another tip among the commits before it: by first parents, as a ledger grows.

    Where its history is cut off nobody can tell, and it is believed.
    """
    return _descent(repo, tip, before) is not None


def _was(repo: Repository, tip: ObjectId, earlier: ObjectId) -> bool:
    """Whether a ledger's tip surely was another one before."""
    return _descent(repo, tip, earlier) == earlier


def _descent(repo: Repository, tip: ObjectId, to: ObjectId) -> ObjectId | None:
    """Down the first parents to a commit, or to where the history is cut off; None when its end was met first."""
    commit: ObjectId | None = tip
    cut_off = repo.cut_off()
    while commit is not None and commit != to and commit not in cut_off:
        parents = repo.objects.read_commit(commit).parents
        commit = parents[0] if parents else None
    return commit


def _rows(repo: Repository, tip: ObjectId) -> tuple[BatchRow, ...]:
    batches = list(walk_batches(repo, tip, told=lambda *_: None))
    return tuple(row for _, batch in reversed(batches) for row in batch)


def _checked(
    repo: Repository, layout: Layout, found: Incoming, progress: Callable[[int, int], None] | None
) -> Incoming:
    known = read_refused(layout)
    total = sum(len(ledger.rows) for ledger in found.ledgers)
    bad: dict[BatchRow, str] = {}
    ledgers, done = [], 0
    for ledger in found.ledgers:
        sound = []
        for row in ledger.rows:
            reason = known.get(row) or fault_of(repo, row)
            if reason:
                if row in known or _is_whole(repo, row.commit):  # else it may be mended by fetching what lacks
                    bad[row] = reason
                found.refused.append(Problem(f"{row.kind} {row.id}", reason))
            else:
                sound.append(row)
            done += 1
            if progress is not None:
                progress(done, total)
        if len(ledger.rows) - len(sound) > _MOST_REFUSED:
            text = f"{len(ledger.rows) - len(sound):,} of what it lists is not what it should be"
            found.refused.append(Problem(f"ledger {ledger.ref.removeprefix(REMOTE_PREFIX)}", text))
            continue
        ledgers.append(NewLedger(ledger.ref, ledger.writer, ledger.before, ledger.tip, tuple(sound)))
    refuse(layout, {row: reason for row, reason in bad.items() if row not in known})
    return Incoming(ledgers, found.rewritten, found.refused, found.earlier)


def _is_whole(repo: Repository, commit: ObjectId) -> bool:
    """Whether everything of a commit is here: else its fault may be that of a partial clone."""
    try:
        return not repo.objects.missing(repo.objects.all_objects_of(commit))
    except GittrackError:
        return repo.objects.exists(commit) and _has_trees(repo, commit)


def _has_trees(repo: Repository, commit: ObjectId) -> bool:
    """Whether the trees of a commit are here, whatever names and modes they hold."""
    waiting = [repo.objects.read_commit(commit).tree]
    for _ in range(_MOST_TREES):
        if not waiting:
            return True
        tree = waiting.pop()
        if not repo.objects.exists(tree):
            return False
        waiting += [id for mode, _, id in repo.objects.read_tree(tree) if mode == MODE_TREE]
    return True


def fault_of(repo: Repository, row: BatchRow) -> str:
    """Why a run or an event must not be shown; empty when it is sound."""
    try:
        if row.kind == "event":
            event = read_event(repo, row.commit)
            return "" if event.id == parse_event_id(row.id) else f"its commit holds event {event.id}"
        message = repo.objects.read_commit(row.commit).message
        if is_event_message(message):
            return "its commit is an event"
        said = decode_message(message)
        listed = None if said is None else said.record
        record = read_whole_record(repo, repo.objects.list_all(row.commit), listed)
        if record.id != parse_run_id(row.id):
            return f"its run.toml says {record.id}"
        if listed is not None and not same_record(listed, listed_form(record)):
            return "its commit message says other things than its tree"
    except (GittrackError, ValueError, RecursionError) as error:
        return str(error) or type(error).__name__
    return ""


def make_visible(
    repo: Repository, ledgers: Sequence[NewLedger], scratch: Sequence[tuple[RefName, ObjectId]] = ()
) -> None:
    """Move what is remembered of a remote, and delete the scratch refs, in one transaction.

    Raises:
        RefMovedError: another process was faster.
        StorageError: it cannot be written.
    """
    updates = [RefUpdate(ledger.ref, ledger.tip, ledger.before) for ledger in ledgers]
    repo.refs.transaction([*updates, *(RefUpdate(name, None, tip) for name, tip in scratch)])


def forget(repo: Repository, gone: Rewritten) -> None:
    """Forget a ledger that is gone; what is ours in it must be in a local ledger already.

    Raises:
        RefMovedError, StorageError: as :func:`make_visible`.
    """
    repo.refs.transaction([RefUpdate(gone.ref, None, gone.before)])

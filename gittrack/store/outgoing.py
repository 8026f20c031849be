"""Runs and events appended to the ledger of this month and writer at a remote, and what is remembered of it moved.

The order makes a kill harmless: the ledger commits here, the push, then one transaction that moves the remembered tip
and deletes the inbox refs. Killed after the push, the next one is refused as behind, fetches the ledger, finds
everything in it and only does the rest. Two clones that push at once both end in the ledger, one after the other.
"""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import NamedTuple

from gittrack.core.events import is_event_message
from gittrack.core.ids import ObjectId, RefName
from gittrack.core.ledger import BatchKind, BatchRow
from gittrack.core.message import experiment_in
from gittrack.core.names import display
from gittrack.core.parsed_refs import InboxRef, LocalLedgerRef, RemoteLedgerRef, parse_ref
from gittrack.core.problem import Problem
from gittrack.core.records import Writer
from gittrack.core.refs import (
    FETCHED_PREFIX,
    INBOX_PREFIX,
    LOCAL_PREFIX,
    REMOTE_PREFIX,
    remote_ledger_ref,
    shared_ledger,
)
from gittrack.errors import GittrackError, RemoteError
from gittrack.frozen import dataclass
from gittrack.git.network import PushedRef, Told, push_ref
from gittrack.git.refs import RefUpdate
from gittrack.git.repository import Repository
from gittrack.store.catalog import walk_ledger
from gittrack.store.remotes import Remote
from gittrack.store.rollup import append, check_ledger, month_of, new_ledger

_ATTEMPTS = 20
_STUCK = 4
"""Times that a push is refused as behind though nothing is new there: then it is a lock that nobody holds any more."""

Listed = Callable[[Collection[BatchRow]], set[ObjectId]]
"""Tells the commits of those of some rows that a remote's ledgers list."""
Catch = Callable[[str, str], None]
"""Fetches one ledger, of a month and a writer, and makes it visible: another clone was faster."""


class Candidate(NamedTuple):
    """A run or an event of this repository.

    Attributes:
        row: as a ledger lists it.
        was_shared: it is known from a remote's ledger, so others may have said something of it.
        is_own: it lies here, or in one's own ledger; else somebody else shared it elsewhere.
    """

    row: BatchRow
    was_shared: bool
    is_own: bool = True


@dataclass(frozen=True, slots=True)
class Shared:
    """What a push did.

    Attributes:
        rows: what is in the remote's ledgers now and was not before.
        ledger: the ledger that grew, as the remote calls it; empty when none did.
        attempts: pushes that it took; more than one when another clone was faster.
    """

    rows: tuple[BatchRow, ...]
    ledger: str = ""
    attempts: int = 0


def candidates(
    repo: Repository, remote: Remote, writer: str, listed: Listed, doubtful: Collection[str] = ()
) -> tuple[list[Candidate], list[Problem]]:
    """What is here and not at a remote; and what cannot be shared because it cannot be read.

    Looked at are the inbox, the local ledgers, all ledgers at other remotes and in bundles, and those of one's own that
    the remote no longer has.

    Args:
        repo: where.
        remote: where to.
        writer: whose ledgers count as one's own.
        listed: tells what the remote has.
        doubtful: names of remembered ledgers that their remotes no longer have so.
    """
    found: dict[ObjectId, Candidate] = {}
    problems: list[Problem] = []
    for name, tip in repo.refs.list(INBOX_PREFIX, LOCAL_PREFIX, REMOTE_PREFIX):
        ref = parse_ref(name)
        try:
            if isinstance(ref, InboxRef):
                kind: BatchKind = "event" if is_event_message(repo.objects.read_commit(tip).message) else "run"
                found[tip] = Candidate(BatchRow(kind, ref.id, tip), was_shared=False)
            elif isinstance(ref, LocalLedgerRef):
                for row in walk_ledger(repo, tip, told=lambda *_: None):
                    found[row.commit] = Candidate(row, was_shared=False)
            elif isinstance(ref, RemoteLedgerRef) and _is_elsewhere(ref, remote, writer, is_doubtful=name in doubtful):
                is_own = ref.writer == writer
                for row in walk_ledger(repo, tip, told=lambda *_: None):
                    if row.commit not in found or (is_own and not found[row.commit].is_own):
                        found[row.commit] = Candidate(row, was_shared=True, is_own=is_own)
        except GittrackError as error:
            problems.append(Problem(name, error.message))
    missing = set(repo.objects.missing(found))
    problems += [Problem(f"{found[id].row.kind} {found[id].row.id}", "its commit is gone") for id in missing]
    there = listed([candidate.row for candidate in found.values()])
    left = found.keys() - missing - there
    return [candidate for commit, candidate in found.items() if commit in left], problems


def _is_elsewhere(ref: RemoteLedgerRef, remote: Remote, writer: str, *, is_doubtful: bool) -> bool:
    """Whether a remembered ledger is not at the remote that is meant: of another one, or one's own that it lost."""
    return ref.remote != remote.slug or (is_doubtful and ref.writer == writer)


def share(
    repo: Repository,
    remote: Remote,
    rows: Sequence[BatchRow],
    author: Writer,
    now: int,
    listed: Listed,
    catch_up: Catch,
    told: Told | None = None,
) -> Shared:
    """Append rows to the ledger of this month and writer at a remote.

    Args:
        repo: where they are.
        remote: where to.
        rows: what; those that are there already are left out.
        author: whose ledger.
        now: ms since the epoch.
        listed: tells what the remote has.
        catch_up: fetches a ledger that another clone of the same writer has moved meanwhile.
        told: git's progress.

    Raises:
        RemoteError: the remote cannot be reached, or refuses; repeat it.
    """
    month = month_of(now)
    name = shared_ledger(remote.prefix, month, author.slug)
    ref = remote_ledger_ref(remote.slug, month, author.slug)
    stuck = 0
    for attempt in range(1, _ATTEMPTS + 1):
        there = listed(rows)
        rest = [row for row in rows if row.commit not in there]
        if not rest:
            return Shared((), "", attempt - 1)
        before = repo.refs.get(ref)
        tip = grown(repo, ref, before, rest, author, now)
        with _held(repo, remote, tip) as let_go:
            answer = push_ref(repo, remote.first, tip, name, told=told)
            if answer.accepted:
                let_go(RefUpdate(ref, tip, before))
                return Shared(tuple(rest), name, attempt)
        if not answer.behind or stuck == _STUCK:
            raise refusal(remote, answer)
        catch_up(month, author.slug)
        stuck = stuck + 1 if repo.refs.get(ref) == before else 0
    raise RemoteError(f"ledger '{name}' of remote '{remote.shown}' moved {_ATTEMPTS} times", hint="gittrack push")


@contextlib.contextmanager
def _held(repo: Repository, remote: Remote, tip: ObjectId) -> Iterator[Callable[[RefUpdate], None]]:
    """Keep a ledger that no ref has yet from ``git gc`` while it is pushed.

    Gives what lets go of it when it was taken: in the same transaction that makes another ref name it.
    """
    name = RefName(f"{_scratch(remote)}{tip[:12]}")
    if repo.refs.get(name) != tip:  # an attempt before this one left it
        repo.refs.create(name, tip)
    is_held = True

    def let_go(update: RefUpdate) -> None:
        nonlocal is_held
        repo.refs.transaction([update, RefUpdate(name, None, tip)])
        is_held = False

    try:
        yield let_go
    except BaseException:
        if is_held:
            with contextlib.suppress(GittrackError):  # why the push failed is told; the next one drops it
                repo.refs.transaction([RefUpdate(name, None, tip)])
        raise
    if is_held:
        repo.refs.transaction([RefUpdate(name, None, tip)])


def _scratch(remote: Remote) -> str:
    return f"{FETCHED_PREFIX}{remote.slug}/push/"


def drop_held(repo: Repository, remote: Remote) -> None:
    """Let go of the ledgers that pushes held which were killed; for whoever holds the lock of sharing."""
    repo.refs.transaction([RefUpdate(name, None, tip) for name, tip in repo.refs.list(_scratch(remote))])


def grown(
    repo: Repository, ref: RefName, before: ObjectId | None, rows: Sequence[BatchRow], author: Writer, now: int
) -> ObjectId:
    """A ledger with some more rows; no ref is touched.

    Args:
        repo: where.
        ref: its name here, for messages.
        before: its tip; None: it is a new one, of this month.
        rows: runs and events.
        author: who appends.
        now: ms since the epoch.
    """
    if before is not None:
        check_ledger(repo, ref, before)
    tip = before or new_ledger(repo, month_of(now), author, now)
    return append(repo, tip, [(row, _experiment(repo, row)) for row in rows], author, now)


def _experiment(repo: Repository, row: BatchRow) -> str:
    return "?" if row.kind == "event" else experiment_in(repo.objects.read_commit(row.commit).message) or "?"


def refusal(remote: Remote, answer: PushedRef) -> RemoteError:
    """The error for what a server refused."""
    if answer.in_the_way:
        text = f"remote '{remote.shown}' has a ref '{display(answer.in_the_way)}', so '{answer.name}' cannot be there"
        words = shlex.join([remote.shown, f":{answer.in_the_way}"])
        return RemoteError(text, hint=f"when nobody needs it: git push {words}")
    reason = answer.reason or "it gives no reason"
    hint = f"gittrack remote check {remote.shown}"
    if "hook declined" in reason:
        hint = "ask whoever runs the remote what its hook wants: its words are above"
    elif answer.behind:
        hint = "ask whoever runs the remote: a server that was killed leaves REF.lock in it, which is to be removed"
    elif "shallow" in reason:
        hint = "git fetch --unshallow"
    return RemoteError(f"remote '{remote.shown}' refuses '{answer.name}': {reason}", hint=hint)


def settle(repo: Repository, listed: Listed) -> None:
    """Delete the inbox refs of what a remote has, and the local ledgers that hold nothing else.

    Args:
        repo: where.
        listed: tells what the remote has.
    """
    rows: dict[RefName, set[BatchRow]] = {}
    refs = repo.refs.list(INBOX_PREFIX, LOCAL_PREFIX)
    for name, tip in refs:
        ref = parse_ref(name)
        if isinstance(ref, InboxRef):
            kind: BatchKind = "event" if is_event_message(repo.objects.read_commit(tip).message) else "run"
            rows[name] = {BatchRow(kind, ref.id, tip)}
        elif isinstance(ref, LocalLedgerRef):
            with contextlib.suppress(GittrackError):  # what cannot be read stays where it is
                rows[name] = set(walk_ledger(repo, tip))
    there = listed([row for some in rows.values() for row in some])
    gone = [(name, tip) for name, tip in refs if name in rows and all(row.commit in there for row in rows[name])]
    repo.refs.transaction([RefUpdate(name, None, tip) for name, tip in gone])

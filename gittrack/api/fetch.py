"""Fetching runs: what a remote's ledgers have that is not here, checked, and only then visible."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from gittrack.api.fetched_checkpoints import FetchedCheckpoints, take_checkpoints
from gittrack.api.ledgers_there import LedgerTip, bring_ledgers, drop_scratch, wanted_from
from gittrack.api.own_rows import keep_own, kept_hidden, lost_for_good
from gittrack.api.remotes import EVERY_MONTH, first_month, runs_remote
from gittrack.api.shared_rows import SharedRows
from gittrack.core.ids import RefName, RunId
from gittrack.core.ledger import BatchRow
from gittrack.core.parsed_refs import RemoteLedgerRef, parse_ref
from gittrack.core.problem import Problem
from gittrack.core.refs import (
    FETCHED_PREFIX,
    REMOTE_PREFIX,
    RUNS_PREFIX,
    shared_ledger,
)
from gittrack.errors import RemoteError
from gittrack.frozen import dataclass
from gittrack.git.network import Told, list_remote
from gittrack.git.reachable import unreachable
from gittrack.store.dead_locks import clear_dead_locks
from gittrack.store.doubtful import write_behind, write_doubtful
from gittrack.store.incoming import (
    FetchedLedger,
    Incoming,
    Rewritten,
    forget,
    is_known,
    looked_at,
    make_visible,
)
from gittrack.store.locks import exclusive
from gittrack.store.outgoing import settle
from gittrack.store.remotes import Remote, remember, speaks_of
from gittrack.store.rollup import month_of

if TYPE_CHECKING:
    from gittrack.api.project import Project

__all__ = ["Fetched", "Rewritten", "catch_up", "fetch", "fetch_bundle"]

WAITS = "gittrack: waiting for another push or fetch of this clone"
"""What is told, among git's lines."""

_ROUNDS = 60
"""Months that are fetched one by one."""
Checked = Callable[[int, int], None]
"""Told how many runs and events are checked, of how many."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a fetch did.

    Attributes:
        remote: where from.
        rows: runs and events that are here now and were not before.
        ledgers: how many ledgers grew.
        refused: what is not as it should be, and stays invisible.
        rewritten: ledgers that were rewritten there; what is here stays in use.
        accepted: those whose rewriting was accepted.
        running: runs that go on elsewhere, whose checkpoints are there.
        moved: how many of these are further than they were here.
        expunged: runs that are no longer here since their expunging was accepted.
        behind: ledgers, as remembered here, of which the remote has an earlier state.
        hidden: runs that stay here, hidden, though their expunging was accepted: one's own.
    """

    remote: str
    rows: tuple[BatchRow, ...] = ()
    ledgers: int = 0
    refused: tuple[Problem, ...] = ()
    rewritten: tuple[Rewritten, ...] = ()
    accepted: tuple[Rewritten, ...] = ()
    running: tuple[RunId, ...] = ()
    moved: int = 0
    expunged: tuple[RunId, ...] = ()
    behind: tuple[RefName, ...] = ()
    hidden: tuple[RunId, ...] = ()

    @property
    def runs(self) -> int:
        """How many runs are new here."""
        return len({row.id for row in self.rows if row.kind == "run"})

    @property
    def events(self) -> int:
        """How many events are new here."""
        return len({row.id for row in self.rows if row.kind == "event"})


def fetch(
    project: Project,
    name: str | None = None,
    *,
    accept_rewrites: bool = False,
    writer: str | None = None,
    since: str | None = None,
    told: Told | None = None,
    checked: Checked | None = None,
) -> Fetched:
    """Fetch the runs of a remote.

    Newest month first, and each month is there for good before the next: broken off and repeated it does the rest.

    Args:
        project: where to.
        name: the remote; None: the usual one.
        accept_rewrites: use ledgers that were rewritten there; what is one's own and not in them stays here.
        writer: only this writer's ledgers, of all months.
        since: only ledgers of this month (``yyyy-mm``) and later ones; ``all``; None: ``gittrack.fetchSince``.
        told: git's progress.
        checked: told how many runs and events are checked.

    Raises:
        UsageError: ``since`` is no month.
        NoRemoteError, AuthenticationError, RemoteError: the remote.
        StorageError: something could not be stored; what became visible before stays.
    """
    remote = runs_remote(project, name)
    since = first_month(project, since if writer is None else EVERY_MONTH)
    project.layout.root.mkdir(exist_ok=True)
    with exclusive(project.layout.sharing_lock, waiting=waiting(told)):
        return _fetched(
            project, remote, accept_rewrites=accept_rewrites, writer=writer, since=since, told=told, checked=checked
        )


def fetch_bundle(project: Project, remote: Remote, told: Told | None = None) -> Fetched:
    """Take in one remote's ledgers from a bundle, whose path the remote is called by.

    What the bundle leaves out is not gone, and what is older in it was not rewritten. ``told`` is told of waiting.
    """
    with exclusive(project.layout.sharing_lock, waiting=waiting(told)):
        return _fetched(project, remote, accept_rewrites=False, told=None, checked=None, whole=False)


def _fetched(
    project: Project,
    remote: Remote,
    *,
    accept_rewrites: bool,
    told: Told | None,
    checked: Checked | None,
    whole: bool = True,
    writer: str | None = None,
    since: str = "",
) -> Fetched:
    clear_dead_locks(project.repo, project.layout, [project.layout.sharing_lock])
    scratch = f"{FETCHED_PREFIX}{remote.slug}/"
    refs = project.repo.refs.list(RUNS_PREFIX, REMOTE_PREFIX, scratch)
    if any(name.startswith(scratch) for name, _ in refs):
        drop_scratch(project, scratch)  # of a fetch that was killed: nobody else fetches now
    known = [tip for name, tip in refs if not name.startswith(scratch)]
    prefix = f"{REMOTE_PREFIX}{remote.slug}/"
    before = {name: tip for name, tip in refs if name.startswith(prefix)}
    wanted = wanted_from(project, remote, before).of(writer, since)
    incoming = []
    rounds = _rounds(wanted.new, month_of(project.now()))
    for month, tips in rounds:
        incoming.append(_take_month(project, remote, tips, told, checked, may_be_older=not whole))
        if told is not None and len(rounds) > 1:
            told(f"gittrack: {month} is here: {_counted([row for new in incoming[-1].ledgers for row in new.rows])}")
    if whole:
        gone = [FetchedLedger(ref.month, ref.writer, None) for ref in wanted.gone]
        if gone:
            incoming.append(looked_at(project.repo, project.layout, remote, gone))
    # After the ledgers: a run that has ended meanwhile is in both, never in neither.
    live = take_checkpoints(project, remote, wanted.live, told) if whole and writer is None else FetchedCheckpoints()
    rewritten = [found for part in incoming for found in part.rewritten]
    if accept_rewrites and rewritten:
        incoming.append(_accept(project, remote, rewritten, told, checked))
    behind = [ref for part in incoming for ref in part.earlier]
    if whole:
        doubtful = [] if accept_rewrites else [ledger.ref for ledger in rewritten]
        _note(project, remote, _Scope(writer, since), doubtful, behind, is_new=not before)
    rows = tuple(row for part in incoming for ledger in part.ledgers for row in ledger.rows)
    others = [tip for name, tip in refs if not name.startswith((scratch, prefix))]
    # Only where something is known from elsewhere, or from before, must it be found out what was known.
    new = {row.commit for row in rows}
    if others or rewritten:
        new = unreachable(project.repo, new, known)
    if rows and others:
        settle(project.repo, SharedRows(project, remote.slug))
    return Fetched(
        remote.shown,
        tuple(row for row in rows if row.commit in new),
        sum(len(part.ledgers) for part in incoming),
        (*(problem for part in incoming for problem in part.refused), *live.refused),
        () if accept_rewrites else tuple(rewritten),
        tuple(rewritten) if accept_rewrites else (),
        live.running,
        live.moved,
        lost_for_good(project, rewritten) if accept_rewrites else (),
        tuple(behind),
        kept_hidden(project, rewritten) if accept_rewrites else (),
    )


def _note(
    project: Project,
    remote: Remote,
    scope: _Scope,
    doubtful: Sequence[RefName],
    behind: Sequence[RefName],
    *,
    is_new: bool,
) -> None:
    """Remember how the ledgers that were looked at stand."""
    write_doubtful(project.layout, remote.slug, doubtful, scope.holds)
    if remote.first == remote.name:  # else what is fetched from may lag behind what is pushed to
        write_behind(project.layout, remote.slug, behind, scope.holds)
    is_sure = scope == _Scope(None, "") or is_new or speaks_of(project.layout, remote)
    if is_sure and not doubtful:  # else the next push must ask again
        remember(project.layout, remote)


def _rounds(tips: Sequence[LedgerTip], now: str) -> list[tuple[str, list[LedgerTip]]]:
    """What is fetched at once: a month, newest first; what is older than the newest years all in one.

    A month that has not begun is somebody's wrong clock, or malice, and comes last.
    """
    months = sorted({tip.month for tip in tips}, key=lambda month: (month <= now, month), reverse=True)
    rounds = [(month, [tip for tip in tips if tip.month == month]) for month in months[:_ROUNDS]]
    rest = [tip for tip in tips if tip.month in set(months[_ROUNDS:])]
    return [*rounds, ("all before", rest)] if rest else rounds


class _Scope(NamedTuple):
    """Which ledgers a fetch looks at: one writer's, or everybody's; of all months, or from one on."""

    writer: str | None
    since: str

    def holds(self, name: RefName) -> bool:
        """Whether it looks at one."""
        ref = parse_ref(name)
        return not isinstance(ref, RemoteLedgerRef) or (ref.month >= self.since and self.writer in (None, ref.writer))


def fetch_held(project: Project, remote: Remote, told: Told | None = None) -> Fetched:
    """As :func:`fetch`, for whoever holds the lock of sharing."""
    return _fetched(project, remote, accept_rewrites=False, told=told, checked=None)


def _counted(rows: Sequence[BatchRow]) -> str:
    kinds = [row.kind for row in rows]
    counts = [(kinds.count("run"), "run"), (kinds.count("event"), "event")]
    return " and ".join(f"{count:,} {noun}{'s' * (count != 1)}" for count, noun in counts if count) or "nothing new"


def _take_month(
    project: Project,
    remote: Remote,
    tips: Sequence[LedgerTip],
    told: Told | None,
    checked: Checked | None,
    *,
    may_be_older: bool = False,
) -> Incoming:
    """Fetch ledgers, look at them, make the good ones visible."""
    scratch = f"{FETCHED_PREFIX}{remote.slug}/{uuid.uuid4().hex[:12]}/"
    try:
        arrived, failed = bring_ledgers(project, remote, tips, scratch, told)
        refs = [(RefName(f"{scratch}{ledger.month}/{ledger.writer}"), ledger.tip) for ledger in arrived]
        is_all = len(refs) == len(tips)
        if may_be_older:
            arrived = [ledger for ledger in arrived if not is_known(project.repo, remote, ledger)]
        found = looked_at(project.repo, project.layout, remote, arrived, checked)
        make_visible(project.repo, found.ledgers, [(name, tip) for name, tip in refs if tip is not None])
        if not is_all:
            drop_scratch(project, scratch)
    except BaseException:
        drop_scratch(project, scratch)
        raise
    return Incoming(found.ledgers, found.rewritten, [*failed, *found.refused], found.earlier)


def _accept(
    project: Project, remote: Remote, rewritten: Sequence[Rewritten], told: Told | None, checked: Checked | None
) -> Incoming:
    """Use rewritten ledgers, checked as if they were new; what is one's own in the old ones alone stays here."""
    found = Incoming()
    for ledger in rewritten:
        if ledger.tip is None:
            keep_own(project, ledger)
            forget(project.repo, ledger)
            continue
        ref = parse_ref(ledger.ref)
        assert isinstance(ref, RemoteLedgerRef)
        name = shared_ledger(remote.prefix, ref.month, ref.writer)
        scratch = f"{FETCHED_PREFIX}{remote.slug}/{uuid.uuid4().hex[:12]}/"
        try:
            tip = LedgerTip(name, ref.month, ref.writer, ledger.tip)
            arrived, failed = bring_ledgers(project, remote, [tip], scratch, told)
            anew = looked_at(project.repo, project.layout, remote, arrived, checked, anew=True)
            keep_own(project, ledger)
            make_visible(project.repo, anew.ledgers)
        finally:
            drop_scratch(project, scratch)
        found = Incoming([*found.ledgers, *anew.ledgers], [], [*found.refused, *failed, *anew.refused])
    return found


def waiting(told: Told | None) -> Callable[[], None] | None:
    """What tells that another push or fetch of this clone is waited for."""
    return None if told is None else lambda: told(WAITS)


def catch_up(project: Project, remote: Remote, told: Told | None) -> Callable[[str, str], None]:
    """What a push calls when another clone of the same writer was faster: one ledger is fetched and made visible."""

    def caught(month: str, writer: str) -> None:
        name = shared_ledger(remote.prefix, month, writer)
        tips = [LedgerTip(ref.name, month, writer, ref.tip) for ref in list_remote(project.repo, remote.name, [name])]
        if not tips:
            return  # it was there and is gone again: the next push makes it anew
        found = _take_month(project, remote, tips[:1], told, None)
        if found.rewritten:
            text = f"the ledger '{name}' of remote '{remote.shown}' was rewritten there"
            raise RemoteError(text, hint=f"gittrack fetch {remote.shown} --accept-rewrite")
        if not found.ledgers and found.refused:
            raise RemoteError(f"the ledger '{name}' of remote '{remote.shown}': {found.refused[0].reason}")

    return caught

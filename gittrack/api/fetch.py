"""Fetching runs: what a remote's ledgers have that is not here, checked, and only then visible."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from gittrack.api.fetched_checkpoints import FetchedCheckpoints, take_checkpoints
from gittrack.api.ledgers_there import LedgerTip, bring_ledgers, drop_scratch, wanted_from
from gittrack.api.own_rows import keep_own, lost_for_good
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
from gittrack.store.doubtful import write_doubtful
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
from gittrack.store.remotes import Remote, remember

if TYPE_CHECKING:
    from gittrack.api.project import Project

__all__ = ["Fetched", "Rewritten", "catch_up", "fetch", "fetch_bundle"]

WAITS = "gittrack: waiting for another push or fetch of this clone"
"""What is told, among git's lines."""

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
    wanted = wanted_from(project, remote, {name: tip for name, tip in refs if name.startswith(prefix)}).of(
        writer, since
    )
    incoming = []
    months = sorted({tip.month for tip in wanted.new}, reverse=True)
    for month in months:
        tips = [tip for tip in wanted.new if tip.month == month]
        incoming.append(_take_month(project, remote, tips, told, checked, may_be_older=not whole))
        if told is not None and len(months) > 1:
            told(f"gittrack: {month} is here: {sum(len(new.rows) for new in incoming[-1].ledgers):,} runs and events")
    if whole:
        gone = [FetchedLedger(ref.month, ref.writer, None) for ref in wanted.gone]
        if gone:
            incoming.append(looked_at(project.repo, project.layout, remote, gone))
    # After the ledgers: a run that has ended meanwhile is in both, never in neither.
    live = take_checkpoints(project, remote, wanted.live, told) if whole and writer is None else FetchedCheckpoints()
    rewritten = [found for part in incoming for found in part.rewritten]
    if accept_rewrites and rewritten:
        incoming.append(_accept(project, remote, rewritten, told, checked))
    if whole:
        write_doubtful(project.layout, remote.slug, () if accept_rewrites else [ledger.ref for ledger in rewritten])
        if accept_rewrites or not rewritten:  # else the next push must ask again
            remember(project.layout, remote)
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
    )


def fetch_held(project: Project, remote: Remote, told: Told | None = None) -> Fetched:
    """As :func:`fetch`, for whoever holds the lock of sharing."""
    return _fetched(project, remote, accept_rewrites=False, told=told, checked=None)


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
        if may_be_older:
            arrived = [ledger for ledger in arrived if not is_known(project.repo, remote, ledger)]
        found = looked_at(project.repo, project.layout, remote, arrived, checked)
        make_visible(project.repo, found.ledgers, [(name, tip) for name, tip in refs if tip is not None])
    except BaseException:
        drop_scratch(project, scratch)
        raise
    return Incoming(found.ledgers, found.rewritten, [*failed, *found.refused])


def _accept(
    project: Project, remote: Remote, rewritten: Sequence[Rewritten], told: Told | None, checked: Checked | None
) -> Incoming:
    """Use rewritten ledgers, checked as if they were new; what is one's own in the old ones alone stays here."""
    found = Incoming()
    for ledger in rewritten:
        if ledger.tip is None:
            keep_own(project, ledger, ())
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
            keep_own(project, ledger, [row for new in anew.ledgers for row in new.rows])
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

"""Fetching runs: what a remote's ledgers have that is not here, checked, and only then visible."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, NamedTuple

from gittrack.api.fetched_checkpoints import FetchedCheckpoints, take_checkpoints
from gittrack.api.own_rows import keep_own, lost_for_good
from gittrack.api.remotes import EVERY_MONTH, first_month, runs_remote
from gittrack.api.shared_rows import SharedRows
from gittrack.core.ids import ObjectId, RefName, RunId
from gittrack.core.ledger import BatchRow
from gittrack.core.parsed_refs import RemoteLedgerRef, parse_ref
from gittrack.core.problem import Problem
from gittrack.core.refs import (
    FETCHED_PREFIX,
    REMOTE_PREFIX,
    RUNS_PREFIX,
    parse_shared_checkpoint,
    parse_shared_ledger,
    remote_ledger_ref,
    shared_ledger,
)
from gittrack.errors import RefusedTransferError, RemoteError
from gittrack.frozen import dataclass
from gittrack.git.network import Told, fetch_refs, list_remote
from gittrack.git.reachable import unreachable
from gittrack.git.refs import RefUpdate
from gittrack.store.doubtful import write_doubtful
from gittrack.store.incoming import (
    FetchedLedger,
    Incoming,
    Rewritten,
    forget,
    is_known,
    looked_at,
    make_visible,
    remembered,
)
from gittrack.store.locks import exclusive
from gittrack.store.outgoing import settle
from gittrack.store.remotes import Remote, remember

if TYPE_CHECKING:
    from gittrack.api.project import Project

__all__ = ["Fetched", "Rewritten", "catch_up", "fetch", "fetch_bundle", "look_for_news"]

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


@dataclass(frozen=True, slots=True)
class _Tip:
    """A ledger at the remote."""

    name: str
    month: str
    writer: str
    tip: ObjectId


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What there is to fetch, newest month first, what is gone, and the checkpoints of runs that go on."""

    new: list[_Tip] = field(default_factory=list)
    gone: list[RemoteLedgerRef] = field(default_factory=list)
    live: dict[RunId, ObjectId] = field(default_factory=dict)

    def of(self, writer: str | None, since: str) -> _Wanted:
        """What of it is one writer's, where one is meant, and not older than a month."""
        new = [tip for tip in self.new if writer in (None, tip.writer) and tip.month >= since]
        gone = [ref for ref in self.gone if writer in (None, ref.writer)]
        return _Wanted(new, gone, self.live if writer is None else {})


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
    scratch = f"{FETCHED_PREFIX}{remote.slug}/"
    refs = project.repo.refs.list(RUNS_PREFIX, REMOTE_PREFIX, scratch)
    if any(name.startswith(scratch) for name, _ in refs):
        _drop(project, scratch)  # of a fetch that was killed: nobody else fetches now
    known = [tip for name, tip in refs if not name.startswith(scratch)]
    prefix = f"{REMOTE_PREFIX}{remote.slug}/"
    wanted = _wanted(project, remote, {name: tip for name, tip in refs if name.startswith(prefix)}).of(writer, since)
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


def _wanted(project: Project, remote: Remote, known: Mapping[RefName, ObjectId]) -> _Wanted:
    """The ledgers there that are not as they are remembered, and those that are gone."""
    there, live = [], {}
    for ref in list_remote(project.repo, remote.name, [f"{remote.prefix}*"]):
        ledger = parse_shared_ledger(remote.prefix, ref.name)
        run = None if ledger is not None else parse_shared_checkpoint(remote.prefix, ref.name)
        if ledger is not None:
            there.append(_Tip(ref.name, *ledger, ref.tip))
        elif run is not None:
            live[run] = ref.tip
    names = {remote_ledger_ref(remote.slug, tip.month, tip.writer) for tip in there}
    new = [tip for tip in there if known.get(remote_ledger_ref(remote.slug, tip.month, tip.writer)) != tip.tip]
    parsed = (parse_ref(ref) for ref in known if ref not in names)
    return _Wanted(new, [ref for ref in parsed if isinstance(ref, RemoteLedgerRef)], live)


class News(NamedTuple):
    """What a remote has that is not as it is remembered here.

    Attributes:
        ledgers: their names, ``month/writer``.
        running: the runs that go on, whose checkpoints are there.
    """

    ledgers: tuple[str, ...]
    running: tuple[RunId, ...]


def look_for_news(project: Project, remote: Remote) -> News:
    """What is new at a remote, of the months that are meant; nothing is fetched."""
    wanted = _wanted(project, remote, remembered(project.repo, remote)).of(None, first_month(project, None))
    names = {f"{tip.month}/{tip.writer}" for tip in wanted.new}
    ledgers = tuple(sorted(names | {f"{ref.month}/{ref.writer}" for ref in wanted.gone}, reverse=True))
    return News(ledgers, tuple(sorted(wanted.live)))


def _take_month(
    project: Project,
    remote: Remote,
    tips: Sequence[_Tip],
    told: Told | None,
    checked: Checked | None,
    *,
    may_be_older: bool = False,
) -> Incoming:
    """Fetch ledgers, look at them, make the good ones visible."""
    scratch = f"{FETCHED_PREFIX}{remote.slug}/{uuid.uuid4().hex[:12]}/"
    try:
        arrived, failed = _bring(project, remote, tips, scratch, told)
        refs = [(RefName(f"{scratch}{ledger.month}/{ledger.writer}"), ledger.tip) for ledger in arrived]
        if may_be_older:
            arrived = [ledger for ledger in arrived if not is_known(project.repo, remote, ledger)]
        found = looked_at(project.repo, project.layout, remote, arrived, checked)
        make_visible(project.repo, found.ledgers, [(name, tip) for name, tip in refs if tip is not None])
    except BaseException:
        _drop(project, scratch)
        raise
    return Incoming(found.ledgers, found.rewritten, [*failed, *found.refused])


def _bring(
    project: Project, remote: Remote, tips: Sequence[_Tip], scratch: str, told: Told | None
) -> tuple[list[FetchedLedger], list[Problem]]:
    """Fetch ledgers into scratch refs: all at once; when git refuses what one holds, each for itself."""
    pairs = {tip: (tip.name, f"{scratch}{tip.month}/{tip.writer}") for tip in tips}
    failed: list[Problem] = []
    for depth, some in _by_depth(project, remote, tips):
        try:
            fetch_refs(project.repo, remote.name, [pairs[tip] for tip in some], depth=depth, told=told)
        except RefusedTransferError:
            for tip in some:
                try:
                    fetch_refs(project.repo, remote.name, [pairs[tip]], depth=depth, told=told)
                except RefusedTransferError as error:
                    failed.append(Problem(f"ledger {tip.month}/{tip.writer}", error.message))
    here = dict(project.repo.refs.list(scratch))
    arrived = ((tip, here.get(RefName(pair[1]))) for tip, pair in pairs.items())
    return [FetchedLedger(tip.month, tip.writer, id) for tip, id in arrived if id is not None], failed


def _by_depth(project: Project, remote: Remote, tips: Sequence[_Tip]) -> list[tuple[int | None, list[_Tip]]]:
    """Ledgers by how deep they are fetched: in a shallow clone the first time by their last commit alone.

    Else the whole history of the code came along; what comes later builds on what is here.
    """
    if not project.repo.cut_off():
        return [(None, list(tips))]
    known = remembered(project.repo, remote)
    new = [tip for tip in tips if remote_ledger_ref(remote.slug, tip.month, tip.writer) not in known]
    return [(depth, some) for depth, some in ((1, new), (None, [tip for tip in tips if tip not in new])) if some]


def _drop(project: Project, scratch: str) -> None:
    project.repo.refs.transaction([RefUpdate(name, None, tip) for name, tip in project.repo.refs.list(scratch)])


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
            tip = _Tip(name, ref.month, ref.writer, ledger.tip)
            arrived, failed = _bring(project, remote, [tip], scratch, told)
            anew = looked_at(project.repo, project.layout, remote, arrived, checked, anew=True)
            keep_own(project, ledger, [row for new in anew.ledgers for row in new.rows])
            make_visible(project.repo, anew.ledgers)
        finally:
            _drop(project, scratch)
        found = Incoming([*found.ledgers, *anew.ledgers], [], [*found.refused, *failed, *anew.refused])
    return found


def waiting(told: Told | None) -> Callable[[], None] | None:
    """What tells that another push or fetch of this clone is waited for."""
    return None if told is None else lambda: told(WAITS)


def catch_up(project: Project, remote: Remote, told: Told | None) -> Callable[[str, str], None]:
    """What a push calls when another clone of the same writer was faster: one ledger is fetched and made visible."""

    def caught(month: str, writer: str) -> None:
        name = shared_ledger(remote.prefix, month, writer)
        tips = [_Tip(ref.name, month, writer, ref.tip) for ref in list_remote(project.repo, remote.name, [name])]
        if not tips:
            return  # it was there and is gone again: the next push makes it anew
        found = _take_month(project, remote, tips[:1], told, None)
        if found.rewritten:
            text = f"the ledger '{name}' of remote '{remote.shown}' was rewritten there"
            raise RemoteError(text, hint=f"gittrack fetch {remote.shown} --accept-rewrite")
        if not found.ledgers and found.refused:
            raise RemoteError(f"the ledger '{name}' of remote '{remote.shown}': {found.refused[0].reason}")

    return caught

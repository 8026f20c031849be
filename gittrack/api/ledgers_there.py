"""What a remote has of runs that is not as it is remembered here, and bringing its ledgers where nobody sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, NamedTuple

from gittrack.api.remotes import first_month
from gittrack.core.ids import ObjectId, RefName, RunId
from gittrack.core.parsed_refs import RemoteLedgerRef, parse_ref
from gittrack.core.problem import Problem
from gittrack.core.refs import parse_shared_checkpoint, parse_shared_ledger, remote_ledger_ref
from gittrack.errors import RefusedTransferError
from gittrack.frozen import dataclass
from gittrack.git.network import Told, fetch_refs, list_remote
from gittrack.git.refs import RefUpdate
from gittrack.store.doubtful import read_refused_ledgers, refuse_ledgers
from gittrack.store.incoming import FetchedLedger, is_known, remembered
from gittrack.store.remotes import Remote

if TYPE_CHECKING:
    from gittrack.api.project import Project


@dataclass(frozen=True, slots=True)
class LedgerTip:
    """A ledger at the remote."""

    name: str
    month: str
    writer: str
    tip: ObjectId


@dataclass(frozen=True, slots=True)
class Wanted:
    """What there is to fetch, newest month first, what is gone, and the checkpoints of runs that go on."""

    new: list[LedgerTip] = field(default_factory=list)
    gone: list[RemoteLedgerRef] = field(default_factory=list)
    live: dict[RunId, ObjectId] = field(default_factory=dict)

    def of(self, writer: str | None, since: str) -> Wanted:
        """What of it is one writer's, where one is meant, and not older than a month."""
        new = [tip for tip in self.new if writer in (None, tip.writer) and tip.month >= since]
        gone = [ref for ref in self.gone if writer in (None, ref.writer)]
        return Wanted(new, gone, self.live if writer is None else {})


def wanted_from(project: Project, remote: Remote, known: Mapping[RefName, ObjectId]) -> Wanted:
    """The ledgers there that are not as they are remembered, and those that are gone."""
    there: list[LedgerTip] = []
    live: dict[RunId, ObjectId] = {}
    for ref in list_remote(project.repo, remote.name, [f"{remote.prefix}*"]):
        ledger = parse_shared_ledger(remote.prefix, ref.name)
        run = None if ledger is not None else parse_shared_checkpoint(remote.prefix, ref.name)
        if ledger is not None:
            there.append(LedgerTip(ref.name, *ledger, ref.tip))
        elif run is not None:
            live[run] = ref.tip
    names = {remote_ledger_ref(remote.slug, tip.month, tip.writer) for tip in there}
    refused = read_refused_ledgers(project.layout)  # those were told when they came
    there = [tip for tip in there if refused.get(remote_ledger_ref(remote.slug, tip.month, tip.writer)) != tip.tip]
    new = [tip for tip in there if known.get(remote_ledger_ref(remote.slug, tip.month, tip.writer)) != tip.tip]
    parsed = (parse_ref(ref) for ref in known if ref not in names)
    return Wanted(new, [ref for ref in parsed if isinstance(ref, RemoteLedgerRef)], live)


class News(NamedTuple):
    """What a remote has that is not as it is remembered here.

    Attributes:
        ledgers: their names, ``month/writer``.
        behind: one's own of which the remote has an earlier state; the others' are theirs to mend.
        running: the runs whose checkpoints are there, and these.
    """

    ledgers: tuple[str, ...]
    behind: tuple[str, ...]
    running: Mapping[RunId, ObjectId]


def look_for_news(project: Project, remote: Remote) -> News:
    """What is new at a remote, of the months that are meant; nothing is fetched."""
    wanted = wanted_from(project, remote, remembered(project.repo, remote)).of(None, first_month(project, None))
    earlier = [tip for tip in wanted.new if _is_earlier(project, remote, tip)]
    names = {f"{tip.month}/{tip.writer}" for tip in wanted.new if tip not in earlier}
    ledgers = tuple(sorted(names | {f"{ref.month}/{ref.writer}" for ref in wanted.gone}, reverse=True))
    own = [f"{tip.month}/{tip.writer}" for tip in earlier if tip.writer == project.writer]
    return News(ledgers, tuple(own), dict(sorted(wanted.live.items())))


def _is_earlier(project: Project, remote: Remote, tip: LedgerTip) -> bool:
    """Whether the remote has an earlier state of a ledger than is remembered: that is here, then."""
    if remote.first != remote.name or not project.repo.objects.exists(tip.tip):
        return False
    return is_known(project.repo, remote, FetchedLedger(tip.month, tip.writer, tip.tip))


def bring_ledgers(
    project: Project, remote: Remote, tips: Sequence[LedgerTip], scratch: str, told: Told | None
) -> tuple[list[FetchedLedger], list[Problem]]:
    """Fetch ledgers into scratch refs: all at once; when git refuses what one holds, each for itself."""
    pairs = {tip: (tip.name, f"{scratch}{tip.month}/{tip.writer}") for tip in tips}
    failed: list[Problem] = []
    bad: dict[RefName, ObjectId] = {}
    for depth, some in _by_depth(project, remote, tips):
        try:
            fetch_refs(project.repo, remote.name, [pairs[tip] for tip in some], depth=depth, told=told)
        except RefusedTransferError:
            for tip in some:
                try:
                    fetch_refs(project.repo, remote.name, [pairs[tip]], depth=depth, told=told)
                except RefusedTransferError as error:
                    failed.append(Problem(f"ledger {tip.month}/{tip.writer}", error.message))
                    bad[remote_ledger_ref(remote.slug, tip.month, tip.writer)] = tip.tip
    here = dict(project.repo.refs.list(scratch))
    arrived = []
    for tip, pair in pairs.items():
        id = here.get(RefName(pair[1]))
        if id is not None and not project.repo.objects.is_commit(id):
            failed.append(Problem(f"ledger {tip.month}/{tip.writer}", "it is no commit"))
            bad[remote_ledger_ref(remote.slug, tip.month, tip.writer)] = tip.tip
        elif id is not None:
            arrived.append(FetchedLedger(tip.month, tip.writer, id))
    refuse_ledgers(project.layout, bad)
    return arrived, failed


def _by_depth(project: Project, remote: Remote, tips: Sequence[LedgerTip]) -> list[tuple[int | None, list[LedgerTip]]]:
    """Ledgers by how deep they are fetched: in a shallow clone the first time by their last commit alone.

    Else the whole history of the code came along; what comes later builds on what is here.
    """
    if not project.repo.cut_off():
        return [(None, list(tips))]
    known = remembered(project.repo, remote)
    new = [tip for tip in tips if remote_ledger_ref(remote.slug, tip.month, tip.writer) not in known]
    return [(depth, some) for depth, some in ((1, new), (None, [tip for tip in tips if tip not in new])) if some]


def drop_scratch(project: Project, scratch: str) -> None:
    """Delete the refs below a scratch prefix."""
    project.repo.refs.transaction([RefUpdate(name, None, tip) for name, tip in project.repo.refs.list(scratch)])

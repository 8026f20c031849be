"""What is new here, what is new there, what is unfinished, and whose bytes are not here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gittrack.api.elsewhere import still_going_on
from gittrack.api.expunged_runs import hidden_runs, without_expunged
from gittrack.api.ledgers_there import look_for_news
from gittrack.api.live_beside import live_folders
from gittrack.api.missing_bytes import MissingBytes, missing_bytes
from gittrack.api.remotes import runs_remote
from gittrack.api.shared_rows import SharedRows
from gittrack.core.ids import ObjectId, RunId
from gittrack.core.problem import Problem
from gittrack.errors import NoRemoteError, RemoteError
from gittrack.frozen import dataclass
from gittrack.store.checkpoints import fetched_checkpoints
from gittrack.store.doubtful import read_doubtful
from gittrack.store.outgoing import candidates
from gittrack.store.places import behind
from gittrack.store.pushed_checkpoints import pushed_checkpoints
from gittrack.store.remotes import last_asked
from gittrack.store.waiting_bytes import read_waiting

if TYPE_CHECKING:
    from gittrack.api.project import Project


@dataclass(frozen=True, slots=True)
class SharingStatus:
    """How this clone and a remote stand to each other.

    Attributes:
        remote: its name; empty when there is none.
        runs: ids of runs that are here and not there.
        events: how many events are here and not there.
        news: ledgers there, ``month/writer``, that are not as they are here; None: the remote was not asked.
        running: ids of runs in progress here.
        elsewhere: ids of runs in progress elsewhere, whose checkpoints are there, or were at the last fetch.
        checkpoints: what is wrong with the checkpoints that are pushed from here.
        seen: when the remote was last fetched from or pushed to, ms since the epoch; None: never.
        unreachable: why the remote could not be asked; empty when it could, or nobody wanted to.
        problems: what cannot be shared because it cannot be read.
        bytes: what of the artifacts is missing where; None: that would have taken long, and nobody asked for it.
        expunged: ids of runs that are expunged and still lie here.
        lacking: one's own ledgers of which the remote has an earlier state than is here.
        none: why there is no remote; empty when there is one.
        is_usual: whether it is the one that commands mean which name none.
        waiting: how many runs are shared whose artifact bytes stayed here, as there was nowhere to bring them.
    """

    remote: str
    runs: tuple[RunId, ...]
    events: int
    news: tuple[str, ...] | None
    running: tuple[RunId, ...]
    seen: int | None
    unreachable: str
    problems: tuple[Problem, ...]
    bytes: MissingBytes | None = None
    elsewhere: tuple[RunId, ...] = ()
    checkpoints: tuple[Problem, ...] = ()
    expunged: tuple[RunId, ...] = ()
    lacking: tuple[str, ...] = ()
    none: str = ""
    is_usual: bool = True
    waiting: int = 0


def sharing_status(
    project: Project, name: str | None = None, *, offline: bool = False, artifacts: bool = False
) -> SharingStatus:
    """How this clone and a remote stand to each other; nothing is changed here or there.

    Args:
        project: where.
        name: the remote; None: the usual one.
        offline: do not ask the remote.
        artifacts: ask where their bytes are, at the place elsewhere too; ``offline`` forbids that.

    Raises:
        NoRemoteError: there is no remote of this name.
    """
    missing = missing_bytes(project, remote=artifacts and not offline)
    running = tuple(run.id for run in live_folders(project))
    try:
        remote = runs_remote(project, name)
    except NoRemoteError as error:
        if name is not None:
            raise
        hidden = tuple(hidden_runs(project))
        return SharingStatus("", (), 0, None, running, None, "", (), missing, expunged=hidden, none=_none(error))
    found, problems = candidates(
        project.repo, remote, project.writer, SharedRows(project, remote.slug), read_doubtful(project.layout)
    )
    found, _ = without_expunged(project, [each for each in found if each.is_own])
    news, unreachable = None, ""
    lacking = tuple(lack.name for lack in behind(project.repo, project.layout, remote, project.writer))
    elsewhere: Mapping[RunId, ObjectId] = {
        each.id: each.commit for each in fetched_checkpoints(project.repo, remote.slug)
    }
    if not offline:
        try:
            there = look_for_news(project, remote)
            news, lacking = there.ledgers, there.behind
            elsewhere = there.running
        except RemoteError as error:
            unreachable = error.message
    return SharingStatus(
        remote=remote.shown,
        runs=tuple(dict.fromkeys(RunId(row.id) for row, *_ in found if row.kind == "run")),
        events=sum(row.kind == "event" for row, *_ in found),
        news=news,
        running=running,
        seen=last_asked(project.layout, remote),
        unreachable=unreachable,
        problems=tuple(problems),
        bytes=missing,
        elsewhere=still_going_on(project, {id: tip for id, tip in elsewhere.items() if id not in running}),
        checkpoints=tuple(
            Problem(f"checkpoints of run {noted.id}", noted.problem)
            for noted in pushed_checkpoints(project.layout)
            if noted.problem
        ),
        expunged=tuple(hidden_runs(project)),
        lacking=lacking,
        is_usual=name is None,
        waiting=len(read_waiting(project.layout)),
    )


def _none(error: NoRemoteError) -> str:
    return f"{error.message}: {error.hint}" if error.hint else error.message

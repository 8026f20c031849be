"""Fetching checkpoints: runs that go on elsewhere, listed with the ledgers, checked like what ledgers list."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from gittrack.core.ids import ObjectId, RefName, RunId
from gittrack.core.ledger import BatchRow
from gittrack.core.problem import Problem
from gittrack.core.refs import FETCHED_PREFIX, remote_checkpoint_ref, shared_checkpoint
from gittrack.errors import RefMovedError, RefusedTransferError, RemoteError
from gittrack.frozen import dataclass
from gittrack.git.network import Told, fetch_refs
from gittrack.git.refs import RefUpdate
from gittrack.store.checkpoints import checkpoint_fault, fetched_checkpoints
from gittrack.store.refused import read_refused, refuse
from gittrack.store.remotes import Remote

if TYPE_CHECKING:
    from gittrack.api.project import Project

_GONE = "couldn't find remote ref"
MOST = 1000
"""Checkpoints of one remote that are looked at."""


@dataclass(frozen=True, slots=True)
class FetchedCheckpoints:
    """What a fetch saw of the runs that go on elsewhere.

    Attributes:
        running: their ids.
        moved: how many of them are further than they were.
        refused: what is not as it should be.
    """

    running: tuple[RunId, ...] = ()
    moved: int = 0
    refused: tuple[Problem, ...] = ()


def take_checkpoints(
    project: Project, remote: Remote, there: Mapping[RunId, ObjectId], told: Told | None
) -> FetchedCheckpoints:
    """Bring what is remembered of a remote's checkpoints to what it has now.

    Args:
        project: where to.
        remote: where from.
        there: the checkpoints that it lists; those of runs that are live here are left to whoever pushes them.
        told: git's progress.

    Raises:
        AuthenticationError, NoRemoteError, RemoteError: it cannot be reached, or refuses.
        StorageError: something cannot be stored.
    """
    known = {each.id: each.commit for each in fetched_checkpoints(project.repo, remote.slug)}
    if not there and not known:
        return FetchedCheckpoints()
    others = {id: tip for id, tip in there.items() if not project.layout.live_run(id).exists()}
    looked_at = sorted(others, key=lambda id: (id not in known, id))[:MOST]
    refused = read_refused(project.layout)  # those were told when they came
    wanted = {id: others[id] for id in looked_at if known.get(id) != others[id] and _row(id, others[id]) not in refused}
    problems = []
    if len(others) > MOST:
        problems.append(Problem("checkpoints", f"of {len(others)} only {MOST} are looked at"))
    scratch = f"{FETCHED_PREFIX}{remote.slug}/{uuid.uuid4().hex[:12]}/"
    try:
        problems += _bring(project, remote, list(wanted), scratch, told) if wanted else []
        arrived = {RunId(name[len(scratch) :]): tip for name, tip in project.repo.refs.list(scratch)} if wanted else {}
        sound, faults = _checked(project, arrived)
        gone = [id for id in known if id not in there and not project.layout.live_run(id).exists()]
        _remember(project, remote, sound, gone, known)
    finally:
        if wanted:
            left = project.repo.refs.list(scratch)
            project.repo.refs.transaction([RefUpdate(name, None, tip) for name, tip in left])
    running = tuple(id for id in looked_at if id in sound or id in known)
    return FetchedCheckpoints(running, len(sound), (*problems, *faults))


def _bring(project: Project, remote: Remote, ids: Sequence[RunId], scratch: str, told: Told | None) -> list[Problem]:
    """Fetch checkpoints into scratch refs; of those that git refuses to take each is named."""
    pairs = [(shared_checkpoint(remote.prefix, id), f"{scratch}{id}") for id in ids]
    try:
        # Of a shallow clone the code's history is not wanted: it would come with the code that the run names.
        depth = 1 if project.repo.cut_off() else None
        fetch_refs(project.repo, remote.name, pairs, depth=depth, told=told)
    except RemoteError as error:
        is_gone = _GONE in error.message  # since it was listed: its run has ended, or a newer one took its place
        if not is_gone and not isinstance(error, RefusedTransferError):
            raise
        if len(ids) == 1:
            return [] if is_gone else [Problem(f"checkpoint {ids[0]}", error.message)]
        half = len(ids) // 2
        parts = [_bring(project, remote, some, scratch, told) for some in (ids[:half], ids[half:])]
        return parts[0] + parts[1]
    return []


def _row(id: RunId, commit: ObjectId) -> BatchRow:
    return BatchRow("run", id, commit)


def _checked(project: Project, arrived: Mapping[RunId, ObjectId]) -> tuple[dict[RunId, ObjectId], list[Problem]]:
    faults = {id: checkpoint_fault(project.repo, id, tip) for id, tip in arrived.items()}
    refuse(project.layout, {_row(id, arrived[id]): reason for id, reason in faults.items() if reason})
    problems = [Problem(f"checkpoint {id}", reason) for id, reason in faults.items() if reason]
    return {id: tip for id, tip in arrived.items() if not faults[id]}, problems


def _remember(
    project: Project,
    remote: Remote,
    sound: Mapping[RunId, ObjectId],
    gone: Sequence[RunId],
    known: Mapping[RunId, ObjectId],
) -> None:
    def ref(id: RunId) -> RefName:
        return remote_checkpoint_ref(remote.slug, id)

    updates = [RefUpdate(ref(id), tip, known.get(id)) for id, tip in sound.items()]
    updates += [RefUpdate(ref(id), None, known[id]) for id in gone]
    try:
        project.repo.refs.transaction(updates)
    except RefMovedError:
        return  # a run that begins here or ends at this moment moved its own: the next fetch sees what is there

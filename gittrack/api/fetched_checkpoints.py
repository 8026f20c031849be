"""Fetching checkpoints: runs that go on elsewhere, listed with the ledgers, checked like what ledgers list."""

from __future__ import annotations

import dataclasses
import re
import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from gittrack.api.elsewhere import still_going_on
from gittrack.api.expunged_runs import expunged_in_ledgers
from gittrack.core.ids import ObjectId, RefName, RunId
from gittrack.core.problem import Problem
from gittrack.core.refs import FETCHED_PREFIX, remote_checkpoint_ref, shared_checkpoint
from gittrack.errors import RefMovedError, RefusedTransferError, RemoteError
from gittrack.frozen import dataclass
from gittrack.git.network import Told, fetch_refs
from gittrack.git.refs import RefUpdate
from gittrack.store.checkpoints import checkpoint_fault, checkpoint_row, fetched_checkpoints
from gittrack.store.refused import read_refused, refuse
from gittrack.store.remotes import Remote

if TYPE_CHECKING:
    from gittrack.api.project import Project

_GONE = "couldn't find remote ref"
_NAMED = re.compile(r"\bobject [0-9a-f]{40}")
"""In what git says of an object that it will not take at any other time either."""
MOST = 1000
"""Checkpoints of one remote that are looked at."""
MOST_CONNECTIONS = 20
"""What one fetch makes of them for checkpoints, however many of these git refuses."""


@dataclass(frozen=True, slots=True)
class FetchedCheckpoints:
    """What a fetch saw of the runs that go on elsewhere.

    Attributes:
        running: their ids; those that are over here are left out.
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
    expunged = expunged_in_ledgers(project)
    others = {id: tip for id, tip in there.items() if id not in expunged and not project.layout.live_run(id).exists()}
    looked_at = sorted(others, key=lambda id: (id not in known, id))[:MOST]
    refused = read_refused(project.layout)  # those were told when they came
    wanted = {
        id: others[id]
        for id in looked_at
        if known.get(id) != others[id] and checkpoint_row(id, others[id]) not in refused
    }
    problems = []
    if len(others) > MOST:
        problems.append(Problem("checkpoints", f"of {len(others)} only {MOST} are looked at"))
    scratch = f"{FETCHED_PREFIX}{remote.slug}/{uuid.uuid4().hex[:12]}/"
    try:
        problems += _brought(project, remote, wanted, scratch, told) if wanted else []
        arrived = {RunId(name[len(scratch) :]): tip for name, tip in project.repo.refs.list(scratch)} if wanted else {}
        sound, faults = _checked(project, arrived)
        left = [id for id in known if id not in others and not project.layout.live_run(id).exists()]
        _remember(project, remote, sound, left, known)
    finally:
        if wanted:
            fetched = project.repo.refs.list(scratch)
            project.repo.refs.transaction([RefUpdate(name, None, tip) for name, tip in fetched])
    seen = {**known, **sound}
    running = still_going_on(project, {id: seen[id] for id in looked_at if id in seen})
    return FetchedCheckpoints(running, len(sound), (*problems, *faults))


def _brought(
    project: Project, remote: Remote, wanted: Mapping[RunId, ObjectId], scratch: str, told: Told | None
) -> list[Problem]:
    """Fetch checkpoints into scratch refs; what git refuses is remembered, as far as it says that it will again."""
    bringing = _Bringing(project, remote, scratch, told)
    bringing.bring(list(wanted))
    lasting = {id: reason for id, reason in bringing.refused.items() if _NAMED.search(reason)}
    refuse(project.layout, {checkpoint_row(id, wanted[id]): reason for id, reason in lasting.items()})
    problems = [Problem(f"checkpoint {id}", reason) for id, reason in bringing.refused.items()]
    if bringing.untried:
        text = f"git refuses some, so {bringing.untried} others are left to the next fetch"
        problems.append(Problem("checkpoints", text))
    return problems


@dataclasses.dataclass(slots=True)
class _Bringing:
    """Fetches checkpoints into scratch refs: all at once, and halved where git refuses what one of them holds.

    Attributes:
        refused: those that git does not take, and what it says.
        untried: how many were left when enough connections were made.
    """

    project: Project
    remote: Remote
    scratch: str
    told: Told | None
    refused: dict[RunId, str] = dataclasses.field(default_factory=dict)
    untried: int = 0
    _connections: int = 0

    def bring(self, ids: Sequence[RunId]) -> None:
        """Fetch some."""
        if self._connections == MOST_CONNECTIONS:
            self.untried += len(ids)
            return
        self._connections += 1
        pairs = [(shared_checkpoint(self.remote.prefix, id), f"{self.scratch}{id}") for id in ids]
        repo = self.project.repo
        try:
            # Of a shallow clone the code's history is not wanted: it would come with the code that the run names.
            fetch_refs(repo, self.remote.name, pairs, depth=1 if repo.cut_off() else None, told=self.told)
        except RemoteError as error:
            is_gone = _GONE in error.message  # since it was listed: its run has ended, or a newer one took its place
            if not is_gone and not isinstance(error, RefusedTransferError):
                raise
            half = len(ids) // 2
            if half:
                self.bring(ids[:half])
                self.bring(ids[half:])
            elif not is_gone:
                self.refused[ids[0]] = error.message


def _checked(project: Project, arrived: Mapping[RunId, ObjectId]) -> tuple[dict[RunId, ObjectId], list[Problem]]:
    faults = {id: checkpoint_fault(project.repo, id, tip) for id, tip in arrived.items()}
    refuse(project.layout, {checkpoint_row(id, arrived[id]): reason for id, reason in faults.items() if reason})
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

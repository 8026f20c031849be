"""The end of a run whose checkpoints were pushed: the finished run is shared, then its checkpoint goes."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gittrack.api.expunged_runs import expunged_runs
from gittrack.api.read import find_run
from gittrack.api.shared_rows import SharedRows
from gittrack.core.ids import ObjectId, RunId
from gittrack.core.ledger import BatchRow
from gittrack.core.problem import Problem
from gittrack.core.refs import remote_checkpoint_ref
from gittrack.errors import GittrackError, RefMovedError, RunNotFoundError
from gittrack.git.refs import RefUpdate
from gittrack.store.checkpoint_there import CheckpointThere
from gittrack.store.outgoing import refusal
from gittrack.store.pushed_checkpoints import forget_pushed, pushed_checkpoints, read_pushed
from gittrack.store.remotes import Remote

if TYPE_CHECKING:
    from gittrack.api.project import Project

_ATTEMPTS = 3


def push_finished(project: Project, id: RunId, remote: Remote) -> None:
    """Push one finished run by an ordinary push: bytes first. One that is deleted or expunged by now stays here.

    Raises:
        RunNotFoundError: there is none.
        RemoteError, StorageError, ConflictError: as :func:`gittrack.api.push.push`.
    """
    from gittrack.api.push import plan_push, push

    try:
        if find_run(project, id).deleted:
            return
    except RunNotFoundError:
        if id in expunged_runs(project):
            return
        raise
    push(project, plan_push(project, remote.name, runs=[id]))


def clear_checkpoints(project: Project, remote: Remote) -> tuple[Problem, ...]:
    """Remove the checkpoints at a remote that were pushed from here, of runs that are over.

    Returns:
        Those that could not be removed; the next push tries again.
    """
    problems = []
    for noted in pushed_checkpoints(project.layout):
        if noted.repository == remote.repository:
            try:
                reason = clear_checkpoint(project, noted.id, remote)
            except GittrackError as error:
                reason = error.message
            problems += [Problem(f"checkpoint of run {noted.id}", reason)] if reason else []
    return tuple(problems)


def clear_checkpoint(project: Project, id: RunId, remote: Remote) -> str:
    """Remove the checkpoint of one run, if it was pushed from here, and the run is over: the remote's ledgers list it,
    or it was deleted or expunged.

    Returns:
        Why something stays there; empty when nothing does, or the run is not over. What is noted is forgotten only when
        the ref is gone.

    Raises:
        RemoteError: the remote cannot be reached, or refuses.
        StorageError: what is remembered cannot be changed.
    """
    noted = read_pushed(project.layout, id)
    if noted is None or noted.repository != remote.repository or not _is_over(project, id, remote):
        return ""
    left = _remove(CheckpointThere(project.repo, remote, id), noted.tips)
    if left:
        return left
    refs, ref = project.repo.refs, remote_checkpoint_ref(remote.slug, id)
    with contextlib.suppress(RefMovedError):  # a fetch of this clone has just seen that it is gone
        refs.transaction([RefUpdate(ref, None, tip) for tip in [refs.get(ref)] if tip is not None])
    forget_pushed(project.layout, id)
    return ""


def _is_over(project: Project, id: RunId, remote: Remote) -> bool:
    if project.layout.live_run(id).exists():
        return False
    try:
        run = find_run(project, id)
    except RunNotFoundError:
        return id in expunged_runs(project)
    if run.commit is None:
        return False
    return run.deleted or bool(SharedRows(project, remote.slug)([BatchRow("run", id, run.commit)]))


def _remove(there: CheckpointThere, tips: Sequence[ObjectId]) -> str:
    """Remove a ref that names one of some commits; at another it is not ours, and stays: then it is said."""
    expected = tips[-1] if tips else there.tip()
    for _ in range(_ATTEMPTS):
        if expected is None:
            return ""
        if expected not in tips:
            by_hand = f"git push {there.remote.shown} --delete {there.name}"
            return f"'{there.name}' of remote '{there.remote.shown}' is somebody else's now, and stays: {by_hand}"
        answer = there.move(None, expected)
        if answer.accepted:
            return ""
        if not answer.behind:
            break
        expected = there.tip()
    raise refusal(there.remote, answer)

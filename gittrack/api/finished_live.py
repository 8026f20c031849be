"""The end of a run whose checkpoints were pushed: the finished run is shared, then its checkpoint goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gittrack.api.read import find_run
from gittrack.api.shared_rows import SharedRows
from gittrack.core.ids import ObjectId, RunId
from gittrack.core.ledger import BatchRow
from gittrack.core.problem import Problem
from gittrack.core.refs import remote_checkpoint_ref, shared_checkpoint
from gittrack.errors import GittrackError, RemoteError, RunNotFoundError
from gittrack.git.network import list_remote, push_ref
from gittrack.git.refs import RefUpdate
from gittrack.store.outgoing import refusal
from gittrack.store.pushed_checkpoints import forget_pushed, pushed_checkpoints, read_pushed
from gittrack.store.remotes import Remote

if TYPE_CHECKING:
    from gittrack.api.project import Project

_ATTEMPTS = 3


def push_finished(project: Project, id: RunId, remote: Remote) -> None:
    """Push one finished run by an ordinary push: bytes first.

    Raises:
        RemoteError, StorageError, ConflictError: as :func:`gittrack.api.push.push`.
    """
    from gittrack.api.push import plan_push, push

    push(project, plan_push(project, remote.name, runs=[id]))


def clear_checkpoints(project: Project, remote: Remote) -> tuple[Problem, ...]:
    """Remove the checkpoints at a remote that were pushed from here, of runs that its ledgers list by now.

    Returns:
        Those that could not be removed; the next push tries again.
    """
    problems = []
    for noted in pushed_checkpoints(project.layout):
        if noted.repository == remote.repository:
            try:
                clear_checkpoint(project, noted.id, remote)
            except GittrackError as error:
                problems.append(Problem(f"checkpoint of run {noted.id}", error.message))
    return tuple(problems)


def clear_checkpoint(project: Project, id: RunId, remote: Remote) -> None:
    """Remove the checkpoint of one run, if it was pushed from here and the remote's ledgers list the run.

    Raises:
        RemoteError: the remote cannot be reached, or refuses.
        StorageError: what is remembered cannot be changed.
    """
    noted = read_pushed(project.layout, id)
    if noted is None or noted.repository != remote.repository or not _is_shared(project, id, remote):
        return
    _remove(project, remote, id, noted.tips)
    refs, ref = project.repo.refs, remote_checkpoint_ref(remote.slug, id)
    refs.transaction([RefUpdate(ref, None, tip) for tip in [refs.get(ref)] if tip is not None])
    forget_pushed(project.layout, id)


def _is_shared(project: Project, id: RunId, remote: Remote) -> bool:
    if project.layout.live_run(id).exists():
        return False
    try:
        commit = find_run(project, id).commit
    except RunNotFoundError:
        return False
    return commit is not None and bool(SharedRows(project, remote.slug)([BatchRow("run", id, commit)]))


def _remove(project: Project, remote: Remote, id: RunId, tips: tuple[ObjectId, ...]) -> None:
    """Remove a ref at a remote that is at one of some commits; at another it is not ours, and stays."""
    name = shared_checkpoint(remote.prefix, id)
    expected = tips[-1] if tips else None
    for _ in range(_ATTEMPTS):
        if expected is None or expected not in tips:
            return  # gone, or somebody else's
        answer = push_ref(project.repo, remote.name, None, name, lease=expected)
        if answer.accepted:
            return
        if not answer.behind:
            raise refusal(remote, answer)
        expected = next((ref.tip for ref in list_remote(project.repo, remote.name, [name])), None)
    raise RemoteError(f"'{name}' of remote '{remote.shown}' moved {_ATTEMPTS} times", hint="gittrack push")

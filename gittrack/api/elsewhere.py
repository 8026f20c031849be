"""Runs that go on elsewhere, as their checkpoints tell them that were fetched."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from gittrack.api.read import find_run, folded_run
from gittrack.api.saved_run import SavedRun
from gittrack.core.ids import ObjectId, RunId
from gittrack.core.message import ListedRun, decode_message
from gittrack.core.problem import Problem
from gittrack.errors import GittrackError, RunNotFoundError
from gittrack.store.catalog import current_commits
from gittrack.store.checkpoints import (
    Checkpoint,
    checkpoint_time,
    continued_commit,
    fetched_checkpoints,
    finish_checkpoint,
)
from gittrack.store.live import live_ids
from gittrack.store.pushed_checkpoints import PushedCheckpoints, write_pushed
from gittrack.store.recovery import Recovery
from gittrack.store.remotes import asked_of, repository_of
from gittrack.store.run_reader import read_record

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.core.records import Event

SILENT = 15 * 60_000
"""Milliseconds without a new checkpoint after which a run may be dead."""


def runs_elsewhere(
    project: Project,
    checkpoints: Iterable[Checkpoint],
    listed: Mapping[RunId, Mapping[ObjectId, set[str]]],
    here: Collection[RunId],
    events: Mapping[str, list[Event]],
) -> tuple[dict[RunId, SavedRun], list[Problem]]:
    """The runs that go on elsewhere, and checkpoints that cannot be read.

    Args:
        project: where.
        checkpoints: as fetched; of several remotes that know one run the latest counts.
        listed: run -> its finished commits and their writers; what is finished goes on no more, unless its checkpoint
            continues just that.
        here: the runs that are written here.
        events: by subject.
    """
    found: dict[RunId, SavedRun] = {}
    problems = []
    for each in checkpoints:
        try:
            if each.id in here or is_over(project, each, listed.get(each.id, {})):
                continue
            run = _run(project, each, events)
            if each.id not in found or (run.seen or 0) > (found[each.id].seen or 0):
                found[each.id] = run
        except GittrackError as error:
            problems.append(Problem(f"checkpoint of run {each.id}", error.message))
    return found, problems


def is_over(project: Project, checkpoint: Checkpoint, commits: Mapping[ObjectId, set[str]]) -> bool:
    """Whether a run with a checkpoint has ended, as its finished commits tell; a resumption goes on beside one."""
    if not commits:
        return False
    return current_commits(project.repo, dict(commits)) != [continued_commit(project.repo, checkpoint.commit)]


def _run(project: Project, checkpoint: Checkpoint, events: Mapping[str, list[Event]]) -> SavedRun:
    commit = checkpoint.commit
    record = read_record(project.repo, commit)
    listed = decode_message(project.repo.objects.read_commit(commit).message)
    seen = min(checkpoint_time(project.repo, commit), project.now())
    whole = ListedRun(record, {} if listed is None else listed.trends)
    return folded_run(project, whole, events, checkpoint=commit, seen=seen)


class LastSeen(NamedTuple):
    """When a run that goes on elsewhere was heard of.

    Attributes:
        seen: when its last checkpoint was made, ms since the epoch, by the clock there.
        asked: when the remote that has it was last fetched from, by the clock here; None: not known.
        remote: what that is called here.
    """

    seen: int
    asked: int | None
    remote: str

    @property
    def may_be_dead(self) -> bool:
        """Whether it was silent for long when the remote was asked; one that lives is heard of every ten minutes."""
        return self.asked is not None and self.asked - self.seen > SILENT


def last_seen(project: Project, run: SavedRun) -> LastSeen | None:
    """When a run was heard of; None of one that does not go on elsewhere."""
    if run.seen is None or run.checkpoint is None:
        return None
    slug = next((each.remote for each in fetched_checkpoints(project.repo) if each.commit == run.checkpoint), "")
    return LastSeen(run.seen, asked_of(project.layout, slug), slug)


def run_elsewhere(project: Project, address: str) -> SavedRun | None:
    """The run at an address if it goes on elsewhere, as far as is known here; None of any other.

    Raises:
        AmbiguousError: several runs.
    """
    if any(id.startswith(address) for id in live_ids(project.layout)):
        return None
    try:
        run = find_run(project, address)
    except RunNotFoundError:
        return None
    return run if run.checkpoint is not None else None


def finish_elsewhere(project: Project, run: SavedRun) -> Recovery:
    """Make a run whose machine is gone a finished run of this clone: crashed, as its last checkpoint knows it.

    The next push shares it and removes the checkpoint. Should the run go on after all, it ends as a second commit of
    one run, and both are listed, as conflicting.

    Args:
        project: where.
        run: of :func:`run_elsewhere`.

    Raises:
        StorageError: it cannot be written.
    """
    assert run.checkpoint is not None
    checkpoint = next((each for each in fetched_checkpoints(project.repo) if each.commit == run.checkpoint), None)
    if checkpoint is None:
        raise RunNotFoundError(f"the checkpoint of run '{run.id[:8]}' is gone", hint="gittrack fetch")
    # First: killed in between, the next push finds a checkpoint of a run that no ledger lists, and leaves it.
    repository = repository_of(project.layout, checkpoint.remote)
    write_pushed(project.layout, PushedCheckpoints(run.id, repository, checkpoint.commit))
    return Recovery(run.id, "recovered", commit=finish_checkpoint(project.repo, run.id, checkpoint.commit))

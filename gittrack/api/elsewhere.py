"""Runs that go on elsewhere, as their checkpoints tell them that were fetched."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from gittrack.api.read import find_run, folded_run, may_ask_index
from gittrack.api.saved_run import SavedRun
from gittrack.core.expunged import expunger, hidden, unread_text
from gittrack.core.ids import ObjectId, RunId
from gittrack.core.message import ListedRun, decode_message
from gittrack.core.problem import Problem
from gittrack.errors import GittrackError, RunNotFoundError
from gittrack.store.catalog import current_commits, read_catalog
from gittrack.store.checkpoints import (
    Checkpoint,
    checkpoint_row,
    checkpoint_time,
    continued_commit,
    fetched_checkpoints,
    finish_checkpoint,
    require_parents,
)
from gittrack.store.live import live_ids
from gittrack.store.pushed_checkpoints import PushedCheckpoints, write_pushed
from gittrack.store.recovery import Recovery
from gittrack.store.refused import read_refused
from gittrack.store.remotes import asked_of, repository_of
from gittrack.store.run_reader import read_record

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.core.records import Event
    from gittrack.index.database import IndexDatabase

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
            expunged = expunger(events.get(f"run:{each.id}", ()))
            if expunged is not None:
                raise hidden(each.id, expunged)
            run = _run(project, each, events)
            if each.id not in found or (run.seen or 0) > (found[each.id].seen or 0):
                found[each.id] = run
        except GittrackError as error:
            problems.append(Problem(f"checkpoint of run {each.id}", unread_text(error)))
    return found, problems


def is_over(project: Project, checkpoint: Checkpoint, commits: Mapping[ObjectId, set[str]]) -> bool:
    """Whether a run with a checkpoint has ended, as its finished commits tell; a resumption goes on beside one."""
    if not commits:
        return False
    if not project.repo.objects.exists(checkpoint.commit):
        return False  # somebody has seen it and nobody here: it may be that of a resumption
    return current_commits(project.repo, dict(commits)) != [continued_commit(project.repo, checkpoint.commit)]


def still_going_on(project: Project, checkpoints: Mapping[RunId, ObjectId]) -> tuple[RunId, ...]:
    """Those runs of which a checkpoint is at a remote that go on, as far as is known here; a server may refuse to give
    one up when its run is over.

    Args:
        project: where.
        checkpoints: the run and its checkpoint, which need not be here.
    """
    if not checkpoints:
        return ()
    refused = read_refused(project.layout)
    sound = [Checkpoint(id, tip) for id, tip in checkpoints.items() if checkpoint_row(id, tip) not in refused]
    listed = _listed_here(project, [each.id for each in sound])
    return tuple(each.id for each in sound if not is_over(project, each, listed[each.id]))


def _listed_here(project: Project, ids: Sequence[RunId]) -> Mapping[RunId, Mapping[ObjectId, set[str]]]:
    """The finished commits of some runs, and their writers."""
    if may_ask_index() and project.layout.index_file.exists():
        from gittrack.api.run_index import ask
        from gittrack.index.seen import commits_of

        def found(index: IndexDatabase) -> Mapping[RunId, Mapping[ObjectId, set[str]]]:
            with index.reading() as sql:
                return dict(commits_of(sql, ids))

        return ask(project, found)
    runs = read_catalog(project.repo).runs  # to make the index is not worth while for so few
    return {id: runs.get(id, {}) for id in ids}


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

    The next push shares it and removes the checkpoint. Should the run go on after all, the commit that it ends as
    replaces this one.

    Args:
        project: where.
        run: of :func:`run_elsewhere`.

    Raises:
        StorageError: it cannot be written, or in a shallow clone the code before it is cut off.
    """
    assert run.checkpoint is not None
    checkpoint = next((each for each in fetched_checkpoints(project.repo) if each.commit == run.checkpoint), None)
    if checkpoint is None:
        raise RunNotFoundError(f"the checkpoint of run '{run.id[:8]}' is gone", hint="gittrack fetch")
    require_parents(project.repo, checkpoint.commit)
    # First: killed in between, the next push finds a checkpoint of a run that no ledger lists, and leaves it.
    repository = repository_of(project.layout, checkpoint.remote)
    write_pushed(project.layout, PushedCheckpoints(run.id, repository, checkpoint.commit))
    return Recovery(run.id, "recovered", commit=finish_checkpoint(project.repo, run.id, checkpoint.commit))

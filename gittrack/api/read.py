"""Reading runs: one by its address, or all of them. What comes out is frozen."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from gittrack.api.addressing import ID_DIGITS, ReadRuns, match_address, newest_first
from gittrack.api.project import Project
from gittrack.api.saved_run import SavedRun
from gittrack.core.address import parse_address
from gittrack.core.assembly import assemble, resumed_commit
from gittrack.core.events import Folded, fold, run_body
from gittrack.core.expunged import expunger, hidden, unread_text
from gittrack.core.ids import ExperimentId, ObjectId, RunId
from gittrack.core.message import ListedRun
from gittrack.core.problem import Problem
from gittrack.core.records import Event, RunRecord, RunStatus
from gittrack.core.refs import LIVE, REMOTE_PREFIX
from gittrack.errors import CorruptRecordError, GittrackError
from gittrack.frozen import dataclass
from gittrack.git.ref_folders import may_have
from gittrack.store.catalog import Catalog, current_commits, read_catalog
from gittrack.store.live import LiveRun, list_live
from gittrack.store.ownership import Liveness
from gittrack.store.run_reader import read_body, read_listed, read_record

if TYPE_CHECKING:
    from gittrack.store.checkpoints import Checkpoint

__all__ = [
    "Listing",
    "Problem",
    "SavedRun",
    "all_runs",
    "events_by_subject",
    "find_listed",
    "find_run",
    "find_run_id",
    "get_run",
    "list_runs",
    "may_ask_index",
    "runs",
]


@dataclass(frozen=True, slots=True)
class Listing:
    """All runs, newest first, and what could not be read."""

    runs: tuple[SavedRun, ...]
    problems: tuple[Problem, ...]


def list_runs(
    project: Project, *, experiment: str | None = None, deleted: bool = False, catalog: Catalog | None = None
) -> Listing:
    """List runs, live ones included.

    Args:
        project: where.
        experiment: only of this experiment (present name or id).
        deleted: list the deleted ones instead of the others.
        catalog: what git holds, if it has just been read; the index is not asked then.

    Raises:
        ExperimentNotFoundError, AmbiguousError: the experiment.
    """
    if catalog is None and may_ask_index():
        from gittrack.api.search import Search, search

        found = search(project, Search(deleted=deleted, experiments=_experiment_ids(project, experiment)))
        return Listing(found.runs, found.problems)
    checkpoints = checkpoints_here(project)
    catalog = read_catalog(project.repo) if catalog is None else catalog
    known, problems = _all_runs(project, catalog, checkpoints)
    runs = [run for run in known.values() if run.deleted == deleted]
    if experiment is not None:
        from gittrack.api.experiments import find_among, of_runs

        listed = (run for run in known.values() if not run.deleted)
        wanted = find_among(of_runs(catalog, listed), experiment).id
        runs = [run for run in runs if run.record.experiment.id == wanted]
    return Listing(tuple(newest_first(runs)), tuple(problems))


def _experiment_ids(project: Project, experiment: str | None) -> list[ExperimentId] | None:
    if experiment is None:
        return None
    from gittrack.api.experiments import find_experiment

    return [find_experiment(project, experiment).id]


def may_ask_index() -> bool:
    """Whether the index may be asked here: while a run of this process is active, reading must not begin to write.

    Asking brings the index up to date, which takes its lock and, the first time, as long as reading every run.
    """
    fluent = sys.modules.get("gittrack.api.fluent")  # not imported: who began a run has imported it
    return fluent is None or not fluent.has_active_runs()


def all_runs(project: Project) -> tuple[dict[RunId, SavedRun], list[Problem]]:
    """Every run, deleted or not, live ones included, by id; and what could not be read."""
    if not may_ask_index():
        checkpoints = checkpoints_here(project)
        return _all_runs(project, read_catalog(project.repo), checkpoints)
    from gittrack.api.search import Search, search

    found = search(project, Search(deleted=None))
    return {run.id: run for run in found.runs}, list(found.problems)


def _all_runs(
    project: Project, catalog: Catalog, checkpoints: Sequence[Checkpoint] = ()
) -> tuple[dict[RunId, SavedRun], list[Problem]]:
    """Every run, deleted or not, and what could not be read."""
    problems = list(catalog.problems)
    events = events_by_subject(catalog)
    found: dict[RunId, SavedRun] = {}
    for id in catalog.runs:
        try:
            found[id] = _listed(project, catalog, events, id)
        except GittrackError as error:
            problems.append(Problem(f"run {id}", unread_text(error)))
    folders = list_live(project.layout)
    for live in folders:
        if live.problem:
            problems.append(Problem(f"live run {live.id}", live.problem))
        else:
            try:
                found[live.id] = live_run(project, live, events)
            except GittrackError as error:
                problems.append(Problem(f"live run {live.id}", error.message))
    if checkpoints:
        from gittrack.api.elsewhere import runs_elsewhere

        here = {live.id for live in folders}
        going_on, unread = runs_elsewhere(project, checkpoints, catalog.runs, here, events)
        found |= going_on
        problems += unread
    return found, problems


def checkpoints_here(project: Project) -> Sequence[Checkpoint]:
    """The checkpoints of runs that go on elsewhere, as last fetched; to be asked for before what is finished is."""
    if not may_have(project.repo.common_dir, REMOTE_PREFIX, LIVE):
        return ()
    from gittrack.store.checkpoints import fetched_checkpoints  # mostly there is none

    return fetched_checkpoints(project.repo)


def events_by_subject(catalog: Catalog) -> dict[str, list[Event]]:
    """All events, by the text of their subject."""
    result: dict[str, list[Event]] = {}
    for event in catalog.events.values():
        result.setdefault(str(event.subject), []).append(event)
    return result


def _listed(project: Project, catalog: Catalog, events: dict[str, list[Event]], id: RunId) -> SavedRun:
    expunged = expunger(events.get(f"run:{id}", ()))
    if expunged is not None:
        raise hidden(id, expunged)
    commit, *others = _current(project, catalog, id)
    listed = read_listed(project.repo, commit, project.repo.objects.read_commit(commit).message)
    if listed.record.id != id:
        raise CorruptRecordError(f"commit {commit} is of run {listed.record.id}")
    listed = replace(listed, record=_in_present_experiment(listed.record, events))
    run = _folded(project, listed, commit, tuple(others), events.get(f"run:{id}", ()))
    return replace(run, _partial=True)


def _in_present_experiment(record: RunRecord, events: Mapping[str, list[Event]]) -> RunRecord:
    """The record with its experiment's present name: a rename is an event of the experiment."""
    renames = events.get(f"experiment:{record.experiment.id}")
    name = fold({}, renames).value("name") if renames else None
    return record if name is None else replace(record, experiment=replace(record.experiment, name=name))


def _current(project: Project, catalog: Catalog, id: RunId) -> list[ObjectId]:
    return current_commits(project.repo, catalog.runs[id])


def _folded(
    project: Project, listed: ListedRun, commit: ObjectId, others: tuple[ObjectId, ...], events: Iterable[Event]
) -> SavedRun:
    record, state = _with_events(listed.record, events)
    return SavedRun(record, commit, state, dict(listed.trends), others, _project=project)


def folded_run(
    project: Project, listed: ListedRun, events: Mapping[str, list[Event]], *, checkpoint: ObjectId, seen: int
) -> SavedRun:
    """A run that goes on elsewhere, as a checkpoint tells it, with what was said of it.

    Args:
        project: where.
        listed: what the checkpoint says.
        events: by subject.
        checkpoint: its commit.
        seen: when it was made, ms since the epoch.
    """
    record, state = _with_events(
        _in_present_experiment(listed.record, events), events.get(f"run:{listed.record.id}") or ()
    )
    return SavedRun(record, None, state, dict(listed.trends), seen=seen, checkpoint=checkpoint, _project=project)


def _with_events(record: RunRecord, events: Iterable[Event]) -> tuple[RunRecord, Folded]:
    state = fold(run_body(record), events)
    return replace(record, name=state.value("name") or "", note=state.value("note") or "", tags=state.tags), state


def live_run(project: Project, live: LiveRun, events: dict[str, list[Event]]) -> SavedRun:
    """A run that is being written, as far as it has come; one whose process is dead has ended."""
    from gittrack.core.series import trend

    resumed = resumed_commit(live.contents)
    body = assemble(live.contents, None if resumed is None else read_body(project.repo, resumed))
    status = RunStatus.RUNNING if live.liveness is not Liveness.DEAD else body.record.status
    record = replace(_in_present_experiment(body.record, events), status=status)
    if status is RunStatus.RUNNING:
        record = replace(record, end_time=None, error="")
    trends = {name: trend(series) for name, series in body.series.items()}
    record, state = _with_events(record, events.get(f"run:{live.id}", ()))
    return SavedRun(record, None, state, dict(trends), _project=project, _live=dict(body.series))


def find_run(project: Project, address: str, *, deleted: bool = False, index: bool = True) -> SavedRun:
    """The run at an address: id, unique prefix of one, name, ``@latest``, ``@-2``, or a git revision that is a run.

    A full id always means its run. What is the name of one run and the beginning of another's id means neither.

    Args:
        project: where.
        address: as a person gave it.
        deleted: of runs of that name the deleted ones are meant, if there are any, instead of the others.
        index: whether the index may be asked, and so brought up to date; what trains does not.

    Raises:
        RunNotFoundError: none.
        AmbiguousError: several.
    """
    (run,) = find_listed(project, [address], deleted=deleted, index=index)
    if run.commit is None:
        return run
    record = replace(read_record(project.repo, run.commit), experiment=run.record.experiment)
    return _folded(project, ListedRun(record, run.trends), run.commit, run.conflicts, run.state.events)


def find_listed(
    project: Project, addresses: Sequence[str], *, deleted: bool = False, index: bool = True
) -> list[SavedRun]:
    """The runs at some addresses as listings have them; arguments and errors as of :func:`find_run`.

    However many addresses there are, everything is looked through at most once.
    """
    parsed = [parse_address(address) for address in addresses]
    if not parsed:
        return []
    wholes = [RunId(address.prefix or "") for address in parsed]
    # To make the index is not worth while for full ids: without it only refs, ledgers and those runs are read.
    if index and may_ask_index() and (project.layout.index_file.exists() or not all(map(_is_whole, wholes))):
        from gittrack.api.indexed_runs import runs_at_addresses

        return runs_at_addresses(project, parsed, deleted=deleted)
    checkpoints = checkpoints_here(project)
    catalog = read_catalog(project.repo)
    going_on = {each.id for each in checkpoints}
    if all(id in catalog.runs and id not in going_on and not project.layout.live_run(id).exists() for id in wholes):
        events = events_by_subject(catalog)  # full ids: only those runs are read
        known = {id: _listed(project, catalog, events, id) for id in dict.fromkeys(wholes)}
        return [known[id] for id in wholes]
    runs, _ = _all_runs(project, catalog, checkpoints)
    return [match_address(project, address, ReadRuns(runs), deleted=deleted) for address in parsed]


def _is_whole(id: RunId) -> bool:
    return len(id) == ID_DIGITS


def find_run_id(project: Project, address: str) -> RunId:
    """The id of the run at an address; a full id is taken as it is, so that a parent may be on another machine.

    For runs that begin: the index is not asked.
    """
    parsed = parse_address(address)
    if parsed.prefix is not None and _is_whole(RunId(parsed.prefix)):
        return RunId(parsed.prefix)
    return find_listed(project, [address], index=False)[0].id


def get_run(run_id: str, repo: str | os.PathLike[str] | None = None) -> SavedRun:
    """A run, frozen.

    Args:
        run_id: id, unique prefix, name, ``@latest``, ``@-2``, or a git revision that is a run.
        repo: a directory in the repository; the working directory when None.

    Raises:
        RunNotFoundError, AmbiguousError: the address.
        NotARepositoryError: there is no repository.

    Example:
        >>> gittrack.get_run("@latest").metrics  # doctest: +SKIP
        {'loss': 0.25}
    """
    return find_run(_recovered(repo), run_id)


def runs(
    experiment: str | None = None, *, deleted: bool = False, repo: str | os.PathLike[str] | None = None
) -> list[SavedRun]:
    """All runs, newest first, live ones included.

    Args:
        experiment: only of this experiment.
        deleted: the deleted ones instead.
        repo: a directory in the repository; the working directory when None.
    """
    return list(list_runs(_recovered(repo), experiment=experiment, deleted=deleted).runs)


def _recovered(repo: str | os.PathLike[str] | None) -> Project:
    from gittrack.api.recovering import recover

    project = Project.open(repo)
    recover(project)
    return project

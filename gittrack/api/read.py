"""Reading runs: one by its address, or all of them. What comes out is frozen."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace

from gittrack.api.project import Project
from gittrack.api.saved_run import SavedRun
from gittrack.core.address import Address, parse_address
from gittrack.core.assembly import assemble, resumed_commit
from gittrack.core.events import Folded, fold, run_body
from gittrack.core.ids import ObjectId, RunId
from gittrack.core.message import ListedRun
from gittrack.core.names import display
from gittrack.core.records import Event, RunRecord, RunStatus
from gittrack.errors import AmbiguousError, CorruptRecordError, GittrackError, RunNotFoundError
from gittrack.store.catalog import Catalog, Problem, current_commits, read_catalog
from gittrack.store.live import LiveRun, list_live
from gittrack.store.ownership import Liveness
from gittrack.store.run_reader import read_body, read_listed, read_record

__all__ = [
    "Listing",
    "Problem",
    "SavedRun",
    "events_by_subject",
    "find_run",
    "find_run_id",
    "get_run",
    "list_runs",
    "runs",
]


_SURE_PREFIX = 4
"""Digits from which on a text may be meant as an id though it is a name too; runs of a sweep are named 1, 2, 3."""


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
        catalog: what git holds, if it has just been read.
    """
    catalog = read_catalog(project.repo) if catalog is None else catalog
    found, problems = _all_runs(project, catalog)
    runs = [run for run in found.values() if run.deleted == deleted]
    if experiment is not None:
        from gittrack.api.experiments import find_among, of_runs

        listed = (run for run in found.values() if not run.deleted)
        wanted = find_among(of_runs(catalog, listed), experiment).id
        runs = [run for run in runs if run.record.experiment.id == wanted]
    return Listing(tuple(_newest_first(runs)), tuple(problems))


def _newest_first(runs: Iterable[SavedRun]) -> list[SavedRun]:
    return sorted(runs, key=lambda run: (run.record.start_time, run.id), reverse=True)


def _all_runs(project: Project, catalog: Catalog) -> tuple[dict[RunId, SavedRun], list[Problem]]:
    """Every run, deleted or not, and what could not be read."""
    problems = list(catalog.problems)
    events = events_by_subject(catalog)
    found: dict[RunId, SavedRun] = {}
    for id in catalog.runs:
        try:
            found[id] = _listed(project, catalog, events, id)
        except GittrackError as error:
            problems.append(Problem(f"run {id}", error.message))
    for live in list_live(project.layout):
        if live.problem:
            problems.append(Problem(f"live run {live.id}", live.problem))
        else:
            try:
                found[live.id] = live_run(project, live, events)
            except GittrackError as error:
                problems.append(Problem(f"live run {live.id}", error.message))
    return found, problems


def events_by_subject(catalog: Catalog) -> dict[str, list[Event]]:
    """All events, by the text of their subject."""
    result: dict[str, list[Event]] = {}
    for event in catalog.events.values():
        result.setdefault(str(event.subject), []).append(event)
    return result


def _listed(project: Project, catalog: Catalog, events: dict[str, list[Event]], id: RunId) -> SavedRun:
    commit, *others = _current(project, catalog, id)
    listed = read_listed(project.repo, commit, project.repo.objects.read_commit(commit).message)
    if listed.record.id != id:
        raise CorruptRecordError(f"commit {commit} is of run {listed.record.id}")
    listed = replace(listed, record=_in_present_experiment(listed.record, events))
    run = _folded(project, listed, commit, tuple(others), events.get(f"run:{id}", ()))
    return replace(run, _partial=True)


def _in_present_experiment(record: RunRecord, events: dict[str, list[Event]]) -> RunRecord:
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


def find_run(project: Project, address: str, *, deleted: bool = False) -> SavedRun:
    """The run at an address: id, unique prefix of one, name, ``@latest``, ``@-2``, or a git revision that is a run.

    A full id always means its run. What is the name of one run and the beginning of another's id means neither.

    Args:
        project: where.
        address: as a person gave it.
        deleted: of runs of that name the deleted ones are meant, if there are any, instead of the others.

    Raises:
        RunNotFoundError: none.
        AmbiguousError: several.
    """
    catalog = read_catalog(project.repo)
    parsed = parse_address(address)
    whole = RunId(parsed.prefix or "")
    if whole in catalog.runs and not project.layout.live_run(whole).exists():  # a full id: only that run is read
        run = _listed(project, catalog, events_by_subject(catalog), whole)
    else:
        known, _ = _all_runs(project, catalog)
        run = _match(project, parsed, known, deleted)
    if run.commit is None:
        return run
    record = replace(read_record(project.repo, run.commit), experiment=run.record.experiment)
    return _folded(project, ListedRun(record, run.trends), run.commit, run.conflicts, run.state.events)


def _match(project: Project, address: Address, known: dict[RunId, SavedRun], deleted: bool) -> SavedRun:
    if address.back is not None:
        newest = _newest_first(run for run in known.values() if not run.deleted)
        if address.back > len(newest):
            many = f"there are only {len(newest)} runs" if newest else "there are no runs yet"
            raise RunNotFoundError(many, hint="gittrack ls" if newest else "gittrack run -- python your_script.py")
        return newest[address.back - 1]
    whole = known.get(RunId(address.prefix or ""))
    matches = [whole] if whole else _by_name_or_prefix(address, known, deleted)
    if not matches:
        matches = _by_revision(project, address.text, known)
    if not matches:
        raise RunNotFoundError(f"no run is '{display(address.text, 80)}'", hint="gittrack ls")
    if len(matches) > 1:
        ids = sorted(run.id for run in matches)
        shown = ", ".join(id[: 12 if len(address.text) < 12 else 32] for id in ids[:5])
        raise AmbiguousError(
            f"'{display(address.text, 80)}' matches {len(matches)} runs", matches=ids, hint=f"use an id: {shown}"
        )
    return matches[0]


def _by_name_or_prefix(address: Address, known: dict[RunId, SavedRun], deleted: bool) -> list[SavedRun]:
    named = [run for run in known.values() if run.name == address.text]
    named = [run for run in named if run.deleted == deleted] or named
    if address.prefix is None or (named and len(address.prefix) < _SURE_PREFIX):
        return named
    # What we print is a prefix, and a name may be made to look like it: neither is preferred.
    ids = {run.id for run in named}
    return named + [run for id, run in known.items() if id.startswith(address.prefix) and id not in ids]


def _by_revision(project: Project, text: str, known: dict[RunId, SavedRun]) -> list[SavedRun]:
    commit = project.repo.resolve(text)
    if commit is None:
        return []
    return [run for run in known.values() if commit == run.commit or commit in run.conflicts]


def find_run_id(project: Project, address: str) -> RunId:
    """The id of the run at an address; a full id is taken as it is, so that a parent may be on another machine."""
    parsed = parse_address(address)
    if parsed.prefix is not None and len(parsed.prefix) == 32:
        return RunId(parsed.prefix)
    return find_run(project, address).id


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
    from gittrack.api.maintain import recover

    project = Project.open(repo)
    recover(project)
    return project

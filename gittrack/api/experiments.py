"""Experiments: what their names mean now, their state, renaming.

An experiment's id comes from its first name, so two clones that create ``churn`` apart mean the same one. A rename is
an event.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from gittrack.api.experiment_names import experiment_events, remember_names
from gittrack.api.kept import kept_name
from gittrack.api.project import Project
from gittrack.core.events import Folded, fold
from gittrack.core.ids import ExperimentId
from gittrack.core.names import check_experiment_name, display
from gittrack.core.records import Event, Subject
from gittrack.errors import AmbiguousError, ConflictError, ExperimentNotFoundError
from gittrack.frozen import dataclass
from gittrack.index.lookups import ExperimentRuns
from gittrack.store.catalog import Catalog, read_catalog

if TYPE_CHECKING:
    from gittrack.api.read import SavedRun


@dataclass(frozen=True, slots=True)
class Experiment:
    """An experiment as it is now.

    Attributes:
        id: ``0`` or 18 digits.
        name: the present name.
        runs: how many runs it has (deleted ones left out).
        latest: start of its newest run, ms since the epoch, or None.
        state: its folded events.
    """

    id: ExperimentId
    name: str
    runs: int
    latest: int | None
    state: Folded


def list_experiments(project: Project, catalog: Catalog | None = None) -> list[Experiment]:
    """All experiments that have a run or an event, by name.

    Args:
        project: where.
        catalog: what git holds, if it has just been read.
    """
    from gittrack.api.read import list_runs, may_ask_index

    if catalog is None and may_ask_index():
        from gittrack.api.indexed_runs import known_experiments

        return _listed(*known_experiments(project))
    catalog = read_catalog(project.repo) if catalog is None else catalog
    return of_runs(catalog, list_runs(project, catalog=catalog).runs)


def of_runs(catalog: Catalog, runs: Iterable[SavedRun]) -> list[Experiment]:
    """The experiments of some runs and of all events, by name."""
    return _listed(grouped(runs), experiment_events(catalog))


def grouped(runs: Iterable[SavedRun], groups: Iterable[ExperimentRuns] = ()) -> list[ExperimentRuns]:
    """Runs by their experiments: the newest run's name of an experiment counts.

    Args:
        runs: each once.
        groups: of other runs, to which these are added.
    """
    found = {group.id: group for group in groups}
    for run in runs:
        ref, start = run.record.experiment, run.record.start_time
        before = found.get(ref.id)
        if before is None or (start, run.id) > (before.start_time, before.run):
            found[ref.id] = ExperimentRuns(ref.id, 1 if before is None else before.number + 1, start, run.id, ref.name)
        else:
            found[ref.id] = before._replace(number=before.number + 1)
    return list(found.values())


def _listed(groups: Iterable[ExperimentRuns], events: Mapping[ExperimentId, Sequence[Event]]) -> list[Experiment]:
    by_id = {group.id: group for group in groups}
    result = []
    for id in {*by_id, *events}:
        state = fold({}, events.get(id, ()))
        group = by_id.get(id)
        name = state.value("name") or (group.name if group else id)
        result.append(Experiment(id, name, group.number if group else 0, group.start_time if group else None, state))
    return sorted(result, key=lambda item: (item.name, item.id))


def find_experiment(project: Project, address: str) -> Experiment:
    """The experiment of a present name or an id.

    Raises:
        ExperimentNotFoundError: none.
        AmbiguousError: several have that name.
    """
    return find_among(list_experiments(project), address)


def find_among(known: Sequence[Experiment], address: str) -> Experiment:
    """The same among experiments that are known already."""
    matches = [item for item in known if item.name == address] or [item for item in known if item.id == address]
    if not matches:
        raise ExperimentNotFoundError(f"no experiment is '{display(address, 80)}'", hint="gittrack experiments ls")
    if len(matches) > 1:
        ids = [item.id for item in matches]
        raise AmbiguousError(
            f"'{display(address, 80)}' is the name of {len(ids)} experiments", matches=ids, hint="use its id"
        )
    return matches[0]


def rename_experiment(project: Project, address: str, name: str) -> Experiment:
    """Give an experiment another name; its runs stay its runs.

    Raises:
        ConflictError: another experiment has that name.
        InvalidNameError: the name follows no grammar.
    """
    from gittrack.api.annotate import state

    name = kept_name("an experiment", name, check_experiment_name)
    catalog = read_catalog(project.repo)
    known = list_experiments(project, catalog)
    experiment = find_among(known, address)
    if any(item.name == name and item.id != experiment.id for item in known):
        raise ConflictError(f"another experiment is named '{display(name, 80)}'", hint="gittrack experiments ls")
    event = state(project, Subject("experiment", experiment.id), experiment.state, "name", name)
    remember_names(project)
    events = experiment_events(catalog).get(experiment.id, [])
    return replace(experiment, name=name, state=fold({}, [*events, event]))

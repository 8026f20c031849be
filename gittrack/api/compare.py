"""Comparing runs: which ones, by what, against which; what comes out is a frozen :class:`Comparison`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import field, replace
from typing import TYPE_CHECKING, TypeVar

from gittrack.api.compared_facts import VALUES, FactReader, Value, unread_problem
from gittrack.api.directions import directions_of
from gittrack.api.project import Project
from gittrack.api.read import _recovered, find_listed, list_runs
from gittrack.api.saved_run import SavedRun
from gittrack.core.compare import check_directions, section_of_key, side_by_side
from gittrack.core.compared_groups import PARENT
from gittrack.core.comparison import SECTIONS, Absence, ComparedRun, Comparison, Delta, Group, Row, Section
from gittrack.core.directions import Direction, Directions, asked_directions
from gittrack.core.normalise import METHODS, Method, check_weight, parse_weights
from gittrack.core.problem import Problem
from gittrack.core.query.tree import Field
from gittrack.core.statistics import Statistics
from gittrack.errors import GittrackError, NotFoundError, UsageError
from gittrack.frozen import dataclass

if TYPE_CHECKING:
    from gittrack.api.search import Search

__all__ = [
    "METHODS",
    "SECTIONS",
    "VALUES",
    "Absence",
    "ChosenRuns",
    "ComparedRun",
    "Comparing",
    "Comparison",
    "Delta",
    "Direction",
    "Group",
    "Row",
    "Statistics",
    "choose_runs",
    "compare",
    "compare_runs",
]

_Text = TypeVar("_Text", bound=str)


@dataclass(frozen=True, slots=True)
class Comparing:
    """How runs are compared.

    Attributes:
        sections: which facts; those of the others are not even read.
        value: which number of each metric: ``last``, ``min``, ``max``, ``mean``, or ``best`` by its direction.
        normalize: ``z``, ``minmax``, ``percentile``, ``relative`` (to the baseline) or None.
        weights: metric -> weight of a score.
        group_by: ``section.name``, the name of a param, or a field as queries have them.
        directions: of metrics, on top of what the project says.
    """

    sections: tuple[Section, ...] = SECTIONS
    value: Value = "last"
    normalize: Method | None = None
    weights: Mapping[str, float] = field(default_factory=dict)
    group_by: tuple[str, ...] = ()
    directions: Directions = field(default_factory=Directions)


@dataclass(frozen=True, slots=True)
class ChosenRuns:
    """The runs to compare, each once.

    Attributes:
        runs: in the order asked for, the baseline first.
        has_baseline: whether the first one is the baseline.
        problems: runs that could not be read.
    """

    runs: tuple[SavedRun, ...]
    has_baseline: bool = False
    problems: tuple[Problem, ...] = ()


def choose_runs(
    project: Project,
    addresses: Sequence[str] = (),
    *,
    experiment: str | None = None,
    asked: Search | None = None,
    found: Iterable[SavedRun] = (),
    baseline: str | None = None,
) -> ChosenRuns:
    """The runs that a comparison is of. However many addresses there are, everything is listed at most once.

    Args:
        project: where.
        addresses: of runs, in their order.
        experiment: and all runs of this experiment, newest first.
        asked: and those that this search finds, in its order.
        found: and these.
        baseline: address of the run to compare with; the first one then, whether or not it is among the others.

    Raises:
        RunNotFoundError, AmbiguousError: an address.
        ExperimentNotFoundError: there is no such experiment.
    """
    wanted = ([] if baseline is None else [baseline]) + list(addresses)
    runs = find_listed(project, wanted)
    problems: tuple[Problem, ...] = ()
    if experiment is not None:
        listing = list_runs(project, experiment=experiment)
        runs += listing.runs
        problems = listing.problems
    if asked is not None:
        from gittrack.api.search import search

        answer = search(project, asked)
        runs += answer.runs
        problems += answer.problems
    runs += found
    once = {run.id: run for run in reversed(runs)}
    ordered = dict.fromkeys(run.id for run in runs)
    return ChosenRuns(tuple(once[id] for id in ordered), baseline is not None, problems)


def compare_runs(project: Project, chosen: ChosenRuns, how: Comparing) -> Comparison:
    """Compare runs that were chosen.

    Raises:
        NotFoundError: no run has a metric that is named, or a key of the groups.
        UsageError: the settings contradict each other, or the project's directions are not as they should be.
    """
    directions = how.directions.over(directions_of(project))
    titles, fields = _grouped_by(chosen.runs, how.group_by)
    keys = [section_of_key(key)[0] for key in titles if key not in fields]
    needed = {*how.sections, *(section for section in keys if section)}
    needed |= {"params", "attributes"} if None in keys else set()
    says_directions = how.directions.maximize or how.directions.minimize
    needed |= {"metrics"} if how.weights or how.group_by or says_directions else set()
    sections = [section for section in SECTIONS if section in needed]
    reader = FactReader(project, sections, how.value, directions, fields)
    runs = [reader.read(run) for run in chosen.runs]
    if runs:
        check_directions(runs, how.directions)
    unread = [unread_problem(problem.where, problem.reason) for problem in chosen.problems]
    return side_by_side(
        runs,
        sections=[section for section in SECTIONS if section in how.sections],
        has_baseline=chosen.has_baseline,
        value=how.value,
        directions=directions,
        normalize=how.normalize,
        weights=how.weights,
        group_by=titles,
        names=_names_of_parents(project, runs) if PARENT in fields else {},
        problems=[*unread, *reader.problems],
    )


def _grouped_by(runs: Sequence[SavedRun], keys: Sequence[str]) -> tuple[tuple[str, ...], dict[str, Field]]:
    """The keys of groups as they are titled, and those of them that are fields of queries: ``data.train.hash``."""
    from gittrack.core.query.fields import SCOPES, SUMMARY
    from gittrack.core.query.parser import parse_field
    from gittrack.errors import QuerySyntaxError

    titles, fields = [], {}
    for key in keys:
        section, name = section_of_key(key)
        titles.append(key)
        is_param = section is None and any(name in run.params for run in runs)
        if is_param or section not in (None, "attributes", "inputs"):
            continue
        try:
            asked = parse_field(key)
        except QuerySyntaxError:
            head, dot, _ = key.partition(".")
            if section is None and dot and head.lower() in (*SCOPES, SUMMARY):
                raise
            continue  # `inputs.train digest` is the name of a fact; a name that nothing has is refused later
        titles[-1] = f"attributes.{asked.key}" if asked.scope == "attributes" else key
        fields[titles[-1]] = asked
    return tuple(titles), fields


def _names_of_parents(project: Project, runs: Sequence[ComparedRun]) -> dict[str, str]:
    """The names, by id, of the parents that runs are grouped by; one that is nowhere has none."""
    names = {run.id: run.name for run in runs}
    parents = {run.keys.get(PARENT) for run in runs}
    wanted = [parent for parent in parents if isinstance(parent, str) and parent not in names]
    try:
        found = find_listed(project, wanted)
    except GittrackError:  # one of them is gone
        found = []
        for parent in wanted:
            with suppress(GittrackError):
                found += find_listed(project, [parent])
    return names | {run.id: run.name for run in found}


def compare(
    runs: Iterable[SavedRun | str],
    *,
    baseline: SavedRun | str | None = None,
    sections: Sequence[Section] = SECTIONS,
    value: Value = "last",
    normalize: Method | None = None,
    score: str | Mapping[str, float] | None = None,
    group_by: str | Sequence[str] = (),
    maximize: str | Sequence[str] = (),
    minimize: str | Sequence[str] = (),
    repo: str | os.PathLike[str] | None = None,
) -> Comparison:
    """Runs side by side.

    Args:
        runs: runs, or addresses of runs.
        baseline: a run to compare the metrics with; it becomes the first.
        sections: which facts: ``attributes``, ``params``, ``metrics``, ``tags``, ``code``, ``inputs``,
            ``environment``. For the last two each run's tree is read, for the others one object a run.
        value: which number of each metric: ``last``, ``min``, ``max``, ``mean``, or ``best`` by its direction.
        normalize: put metrics on one scale, higher is better: ``z`` (standard deviations from the mean), ``minmax`` (0
            to 1), ``percentile`` (0 to 100) or ``relative`` (to the baseline: 0.1 is ten per cent better).
        score: metrics and their weights, ``{"acc": 2, "latency": 1}`` or ``"acc=2,latency=1"``, for a weighted mean of
            them normalised (by ``minmax`` unless said otherwise).
        group_by: ``params.model``, a field as queries have them (``name``, ``data.train.hash``), or several such keys:
            metrics then have n, mean, standard deviation and the 95 % confidence interval of the mean for each group,
            deltas are those of means against the mean of the baseline's group, and the means are normalised and scored.
        maximize, minimize: metrics, or patterns (``val/*``), whose direction is this; before what ``.gittrack.toml``
            says, and what their names usually mean.
        repo: a directory in the repository; the working directory when None.

    Returns:
        Frozen; ``.differing()`` has the rows where the runs differ, ``.to_frame()`` makes a pandas DataFrame.

    Raises:
        RunNotFoundError, AmbiguousError: an address.
        NotFoundError: there are no runs, or none has a metric that is named, or a key of the groups.
        UsageError: the arguments contradict each other.

    Example:
        >>> found = gittrack.compare(gittrack.runs("churn"), baseline="first")  # doctest: +SKIP
        >>> [(row.name, row.values) for row in found.differing() if row.section == "params"]  # doctest: +SKIP
        [('lr', (0.1, 0.01))]
    """
    if isinstance(runs, str):
        raise UsageError("'runs' is one text, not a list of runs", hint=f"gittrack.compare([{runs[:40]!r}, …])")
    if isinstance(score, str):
        weights = parse_weights(score)
    else:
        weights = {name: check_weight(name, weight) for name, weight in (score or {}).items()}
    how = Comparing(
        sections=tuple(_one_of("section", section, SECTIONS) for section in sections),
        value=_one_of("value", value, VALUES),
        normalize=None if normalize is None else _one_of("scale", normalize, METHODS),
        weights=weights,
        group_by=(group_by,) if isinstance(group_by, str) else tuple(group_by),
        directions=asked_directions(maximize, minimize),
    )
    given = list(runs)
    if not given and baseline is None:
        raise NotFoundError("no runs are given", hint="gittrack ls")
    project = _recovered(repo)
    return compare_runs(project, _chosen(project, given, baseline), how)


def _chosen(project: Project, runs: Sequence[SavedRun | str], baseline: SavedRun | str | None) -> ChosenRuns:
    every = runs if baseline is None else [baseline, *runs]
    texts = [run for run in every if isinstance(run, str)]
    named = iter(find_listed(project, texts))
    resolved = [next(named) if isinstance(run, str) else run for run in every]
    chosen = choose_runs(project, found=resolved)
    return replace(chosen, has_baseline=baseline is not None)


def _one_of(what: str, given: str, known: Sequence[_Text]) -> _Text:
    for each in known:
        if each == given:
            return each
    raise UsageError(f"there is no {what} '{str(given)[:40]}'", hint="one of " + ", ".join(known))

"""The runs that no other run beats in all metrics at once."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from gittrack.api.found_hits import FoundHits, ask_hits, chosen_runs
from gittrack.api.search import Search
from gittrack.core.directions import Direction, Directions
from gittrack.core.names import display
from gittrack.core.pareto import pareto_fronts
from gittrack.core.query.parser import parse_field
from gittrack.core.query.tree import EVERYTHING, Expression, Field, SortKey
from gittrack.core.query.unparse import field_text
from gittrack.errors import NotFoundError, UsageError
from gittrack.frozen import dataclass
from gittrack.index.ordering import NOTHING

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.api.run_index import Progress
    from gittrack.api.saved_run import SavedRun
    from gittrack.core.ids import ExperimentId
    from gittrack.core.problem import Problem
    from gittrack.index.searching import Hit

_OF_METRICS = ("metrics.", "metric.", "summary.")
_MOST_OTHERS = 2000
_MOST_METRICS = 20
"""Beyond it nearly every run is on the front, which says nothing."""


@dataclass(frozen=True, slots=True)
class ParetoRun:
    """A run on a front.

    Attributes:
        run: the run.
        front: 1 for what nothing beats, 2 for what only the first front beats, …
        values: of the metrics, in their order.
    """

    run: SavedRun
    front: int
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Pareto:
    """Fronts of runs.

    Attributes:
        metrics: what they were compared by.
        directions: which way each of them gets better.
        runs: front by front, within each from the best in the first metric on.
        sizes: how many runs are on each front; more than ``runs`` has where they are limited.
        compared: how many runs have a number of every metric.
        lacking: how many runs were left out because they lack one of the metrics.
        nan: how many were left out because one of them is NaN.
        others: (first metric, second metric) of runs that were compared and are on none of the fronts, at most 2,000.
        problems: what could not be read.
    """

    metrics: tuple[str, ...]
    directions: tuple[Direction, ...]
    runs: tuple[ParetoRun, ...]
    sizes: tuple[int, ...]
    compared: int
    lacking: int = 0
    nan: int = 0
    others: tuple[tuple[float, float], ...] = ()
    problems: tuple[Problem, ...] = ()

    def front(self, number: int = 1) -> list[SavedRun]:
        """The runs of one front, the first by default."""
        return [each.run for each in self.runs if each.front == number]


@dataclass(frozen=True, slots=True)
class ParetoAsked:
    """What is asked for.

    Attributes:
        metrics: at least two, none twice: their last values, or other numbers of them.
        fronts: how many.
        limit: read at most so many runs; None: all that are on the fronts.
        expression, experiments: among which runs.
        seconds: how long finding these may take, as in :class:`Search`.
        directions: on top of what the project says.
    """

    metrics: tuple[Field, ...]
    fronts: int = 1
    limit: int | None = None
    expression: Expression = EVERYTHING
    experiments: tuple[ExperimentId, ...] | None = None
    directions: Directions = field(default_factory=Directions)
    seconds: float | None = None


def find_pareto(project: Project, asked: ParetoAsked, progress: Progress | None = None) -> Pareto:
    """Find the runs that no other beats.

    Args:
        project: where.
        asked: by what, among which.
        progress: told while many runs are read for the first time.

    Raises:
        NotFoundError: no run has one of the metrics, or of those whose direction is said.
        UsageError: less than two metrics; which way one gets better is not known, or both are said; a direction is said
            of what is not compared.
    """
    from gittrack.api.directions import directions_of

    _check(asked)
    directions = asked.directions.over(directions_of(project))
    ways = tuple(directions.of(metric.key) for metric in asked.metrics)
    order = [SortKey(each, descending=way is Direction.UP) for each, way in zip(asked.metrics, ways, strict=True)]
    search = Search(asked.expression, order, experiments=asked.experiments, seconds=asked.seconds)
    return ask_hits(project, search, lambda found: _fronts(asked, ways, found), progress)


def parse_metric(text: str) -> Field:
    """A metric by its name, or one of its numbers: ``acc``, ``summary.acc.max``.

    Raises:
        QuerySyntaxError: what begins like the field of a query is none.
    """
    return parse_field(text) if text.startswith(_OF_METRICS) else Field("metrics", text, "last")


def metric_name(metric: Field) -> str:
    """The text that :func:`parse_metric` reads."""
    plain = metric.part == "last" and not metric.key.startswith(_OF_METRICS)
    return metric.key if plain else field_text(metric)


def _check(asked: ParetoAsked) -> None:
    names = list(map(metric_name, asked.metrics))
    if len(set(names)) < 2:
        name = display(names[0], 60) if names else "acc"
        raise UsageError("a front needs two metrics or more", hint=f"gittrack best -m '{name}' finds the best of one")
    if len(set(names)) < len(names):
        raise UsageError("a metric is named twice", hint="gittrack pareto -m acc -m latency")
    if len(names) > _MOST_METRICS:
        raise UsageError(f"a front of more than {_MOST_METRICS} metrics says nothing", hint="name the few that matter")
    if asked.fronts < 1:
        raise UsageError(f"{asked.fronts} is no number of fronts", hint="--fronts 1")


def _fronts(asked: ParetoAsked, ways: tuple[Direction, ...], found: FoundHits) -> Pareto:
    _check_known([metric.key for metric in asked.metrics], ways, asked.directions, found)
    numbers: list[tuple[float, ...]] = []
    hits: list[Hit] = []
    lacking = nan = 0
    count = len(asked.metrics)
    for hit in (*found.stored(), *found.going_on()):
        ranks, values = hit.position[0 : 2 * count : 2], hit.position[1 : 2 * count : 2]
        if not any(ranks):
            hits.append(hit)
            numbers.append(values)
        elif NOTHING in ranks:
            lacking += 1
        else:
            nan += 1
    signs = [way.sign for way in ways]
    points = [tuple(sign * value for sign, value in zip(signs, each, strict=True)) for each in numbers]
    fronts = pareto_fronts(points, asked.fronts)
    ranked = [(place, n) for n, front in enumerate(fronts, 1) for place in _best_first(front, points)]
    taken = {place for place, _ in ranked}
    ranked = ranked[: asked.limit]
    runs = found.runs(hits[place] for place, _ in ranked)
    return Pareto(
        metrics=tuple(map(metric_name, asked.metrics)),
        directions=ways,
        runs=tuple(ParetoRun(run, n, numbers[place]) for run, (place, n) in zip(runs, ranked, strict=True)),
        sizes=tuple(map(len, fronts)),
        compared=len(hits),
        lacking=lacking,
        nan=nan,
        others=_beside(numbers, taken),
        problems=found.problems(),
    )


def _check_known(metrics: Sequence[str], ways: Sequence[Direction], said: Directions, found: FoundHits) -> None:
    known = found.known_metrics()
    for name in metrics:
        if name not in known:
            raise _unknown(name, known)
    _check_said(metrics, said, known)
    for name, way in zip(metrics, ways, strict=True):
        if way is Direction.UNKNOWN:
            shown = display(name, 80)
            hint = f"--maximize '{shown}' or --minimize '{shown}', or [metrics] in .gittrack.toml"
            raise UsageError(f"which way '{shown}' gets better is not known", hint=hint)


def _check_said(metrics: Sequence[str], said: Directions, known: Sequence[str]) -> None:
    """Raises an error where a direction is said of what is not compared, or both are said of one."""
    for name in (*said.maximize, *said.minimize):
        if any(fnmatchcase(metric, name) or metric == name for metric in metrics):
            continue
        if name in known or any(fnmatchcase(each, name) for each in known):
            shown = display(name, 80)
            raise UsageError(f"'{shown}' is none of the metrics that are compared", hint=f"-m '{shown}'")
        raise _unknown(name, [*metrics, *known])
    for name in metrics:
        if name in said.maximize and name in said.minimize:
            shown = display(name, 80)
            raise UsageError(f"'{shown}' is both to be maximized and to be minimized", hint=f"--maximize '{shown}'")


def _unknown(name: str, known: Sequence[str]) -> NotFoundError:
    from gittrack.core.query.diagnosis import meant

    hint = meant(name, known) or "gittrack show @latest names those of a run"
    return NotFoundError(f"no run has a metric '{display(name, 80)}'", hint=hint)


def _best_first(front: Sequence[int], points: Sequence[tuple[float, ...]]) -> list[int]:
    """From the best first number on; what is the same in all stays newest first."""
    return sorted(front, key=lambda place: [-number for number in points[place]])


def _beside(numbers: Sequence[tuple[float, ...]], taken: set[int]) -> tuple[tuple[float, float], ...]:
    """The first two numbers of what is not taken, thinned to what a drawing can show."""
    rest = [each[:2] for place, each in enumerate(numbers) if place not in taken]
    thinned = rest[:: len(rest) // _MOST_OTHERS + 1]
    return tuple((first, second) for first, second in thinned)


def pareto(
    metrics: Sequence[str],
    query: str = "",
    *,
    experiment: str | None = None,
    maximize: Sequence[str] = (),
    minimize: Sequence[str] = (),
    fronts: int = 1,
    repo: str | os.PathLike[str] | None = None,
) -> Pareto:
    """The runs that no other run beats in all metrics at once.

    A run beats another when it is at least as good in every metric and better in one. Runs that are the same in all of
    them are all kept; runs that lack a metric, or whose value is NaN, are left out and counted.

    Args:
        metrics: two names or more; of each its last value counts, or another number: ``summary.acc.max``.
        query: among the runs that this finds.
        experiment: among the runs of this one (name or id).
        maximize, minimize: metrics, or patterns (``val/*``), whose direction is this; before what ``.gittrack.toml``
            says, and what their names usually mean.
        fronts: how many fronts; the second is what only the first beats, and so on.
        repo: a directory in the repository; the working directory when None.

    Returns:
        Frozen; ``.front()`` has the runs of the first front, ``.runs`` those of all with their values.

    Raises:
        NotFoundError: no run has one of the metrics, or there is no such experiment.
        QuerySyntaxError: the query.
        UsageError: less than two metrics, or which way one gets better is not known.

    Example:
        >>> [run.name for run in gittrack.pareto(["acc", "latency"]).front()]  # doctest: +SKIP
        ['large', 'small']
    """
    from gittrack.api.project import Project
    from gittrack.api.recovering import recover

    if isinstance(metrics, str):
        raise UsageError("'metrics' is one text, not a list of metrics", hint='gittrack.pareto(["acc", "latency"])')
    project = Project.open(repo)
    recover(project)
    directions = Directions(tuple(maximize), tuple(minimize))
    expression, experiments = chosen_runs(project, query, experiment)
    asked = ParetoAsked(tuple(map(parse_metric, metrics)), fronts, None, expression, experiments, directions)
    return find_pareto(project, asked)

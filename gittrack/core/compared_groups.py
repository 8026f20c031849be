"""Runs taken together by what they share: statistics, normalised means and scores of each group."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gittrack.core.comparison import Absence, ComparedRun, Delta, Group, Section, Verdict, ranks_of
from gittrack.core.directions import Direction, Directions
from gittrack.core.normalise import Method, composite, normalised
from gittrack.core.statistics import Statistics, statistics_of
from gittrack.frozen import dataclass

PARENT = "attributes.parent"


@dataclass(frozen=True, slots=True)
class GroupKey:
    """One thing that runs are grouped by: what it is called, and its value by run."""

    title: str
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Scaling:
    """How the means of groups are put beside each other.

    Attributes:
        directions: of metrics.
        has_baseline: whether the group of the first run is what the others are compared with.
        method: the scale of means, or None.
        weights: metric -> weight of a score; the scale is ``minmax`` when ``method`` is None.
        names: id -> name of parents.
    """

    directions: Directions
    has_baseline: bool
    method: Method | None
    weights: Mapping[str, float]
    names: Mapping[str, str]


def groups_of(runs: Sequence[ComparedRun], keys: Sequence[GroupKey], how: Scaling) -> tuple[Group, ...]:
    """The groups of runs that have the same value of every key, in the order of these values. Types count."""
    members: dict[str, list[int]] = {}
    values: dict[str, tuple[Any, ...]] = {}
    for place in range(len(runs)):
        key = tuple(each.values[place] for each in keys)
        text = repr([(type(value).__name__, value) for value in key])
        values[text] = key
        members.setdefault(text, []).append(place)
    quantiles: dict[int, float] = {}
    ordered = sorted(members, key=lambda text: [_sortable(value) for value in values[text]])
    statistics = [_statistics([runs[place] for place in members[text]], quantiles) for text in ordered]
    reference = next((place for place, text in enumerate(ordered) if 0 in members[text]), 0)
    against = statistics[reference] if how.has_baseline and statistics else None
    scaled = _normalised_means(statistics, how.method, how.directions, reference) if how.method else []
    scores = _scores(statistics, how, reference)
    ranks = ranks_of(scores)
    return tuple(
        Group(
            values[text],
            tuple(members[text]),
            statistics[place],
            {} if against is None else _deltas_of_means(statistics[place], against, how.directions),
            scaled[place] if scaled else {},
            scores[place],
            ranks[place],
            _labels(keys, values[text], how.names),
        )
        for place, text in enumerate(ordered)
    )


def _labels(keys: Sequence[GroupKey], values: Sequence[Any], names: Mapping[str, str]) -> tuple[str, ...]:
    pairs = zip(keys, values, strict=True)
    return tuple(names.get(value, "") if key.title == PARENT and isinstance(value, str) else "" for key, value in pairs)


def _sortable(value: Any) -> tuple[int, float, str]:
    """Numbers by size, then texts, then anything else, what is missing last."""
    if isinstance(value, Absence):
        return 3, 0.0, ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return (0, float(value), repr(value)) if value == value else (0, math.inf, "nan")
        except OverflowError:
            return 0, math.inf if value > 0 else -math.inf, repr(value)
    return (1, 0.0, value) if isinstance(value, str) else (2, 0.0, repr(value))


def _statistics(runs: Sequence[ComparedRun], quantiles: dict[int, float]) -> dict[str, Statistics]:
    values: dict[str, list[float]] = {}
    for run in runs:
        for name, number in run.facts.get("metrics", {}).items():
            values.setdefault(name, []).append(float(number))
    return {name: statistics_of(values[name], quantiles) for name in names_in_order("metrics", values)}


def _deltas_of_means(
    found: Mapping[str, Statistics], reference: Mapping[str, Statistics], directions: Directions
) -> dict[str, Delta]:
    deltas = {
        name: delta(statistics.mean, reference[name].mean, directions.of(name))
        for name, statistics in found.items()
        if name in reference
    }
    return {name: each for name, each in deltas.items() if each is not None}


def _means_of(statistics: Sequence[Mapping[str, Statistics]], name: str) -> list[float | None]:
    return [found[name].mean if name in found else None for found in statistics]


def _normalised_means(
    statistics: Sequence[Mapping[str, Statistics]], method: Method, directions: Directions, reference: int
) -> list[dict[str, float | None]]:
    """The means of all groups on one scale, by group and metric; metrics that a group lacks are left out."""
    scaled: list[dict[str, float | None]] = [{} for _ in statistics]
    for name in names_in_order("metrics", {name for found in statistics for name in found}):
        means = _means_of(statistics, name)
        numbers = normalised(means, method, directions.of(name), means[reference])
        for found, into, number in zip(statistics, scaled, numbers, strict=True):
            if name in found:
                into[name] = number
    return scaled


def _scores(statistics: Sequence[Mapping[str, Statistics]], how: Scaling, reference: int) -> list[float | None]:
    """The score of each group: of its means, normalised over the groups. That each metric is there was checked."""
    if not how.weights or not statistics:
        return [None] * len(statistics)
    parts = {}
    for name in how.weights:
        means = _means_of(statistics, name)
        parts[name] = normalised(means, how.method or "minmax", how.directions.of(name), means[reference])
    return composite(parts, how.weights)


def names_in_order(section: Section, names: Iterable[str]) -> list[str]:
    """The names of a section as they are shown: metrics of the machine last, and those of shorter paths first."""
    if section == "metrics":
        return sorted(names, key=lambda name: (name.startswith("system/"), name.count("/"), name))
    return sorted(names)


def delta(number: float | None, baseline: float | None, direction: Direction) -> Delta | None:
    """How far a number is from the baseline's; None when one of them is missing."""
    if number is None or baseline is None:
        return None
    if number == baseline:
        return Delta(0.0, 0.0, "same")
    difference = number - baseline
    if difference != difference:  # one of them is NaN
        return Delta(math.nan, None, "")
    relative = difference / abs(baseline) if baseline and math.isfinite(baseline) else None
    verdict: Verdict = ""
    if direction is not Direction.UNKNOWN:
        verdict = "better" if (difference > 0) == (direction is Direction.UP) else "worse"
    return Delta(difference, relative, verdict)

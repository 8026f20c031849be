"""Runs side by side: what each is in every respect, where they differ, and which is better.

Pure: what the runs are comes in as :class:`ComparedRun`, what is made of it goes out as a :class:`Comparison`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from gittrack.core.comparison import SECTIONS, Absence, ComparedRun, Comparison, Delta, Group, Row, Section, Verdict
from gittrack.core.directions import Direction, Directions
from gittrack.core.normalise import Method, composite, normalised
from gittrack.core.statistics import Statistics, statistics_of
from gittrack.core.values import same_value
from gittrack.errors import NotFoundError, UsageError


def side_by_side(
    runs: Sequence[ComparedRun],
    *,
    sections: Sequence[Section] = SECTIONS,
    has_baseline: bool = False,
    value: str = "last",
    directions: Directions | None = None,
    normalize: Method | None = None,
    weights: Mapping[str, float] | None = None,
    group_by: Sequence[str] = (),
    problems: Sequence[str] = (),
) -> Comparison:
    """Compare runs.

    Args:
        runs: the baseline first, if there is one.
        sections: what to make rows of.
        has_baseline: whether metrics get deltas against the first run.
        value: which number of each metric ``runs`` have; only remembered.
        directions: what the project says of its metrics.
        normalize: a scale for metrics; ``relative`` needs a baseline.
        weights: metric -> weight of a score; on the scale ``minmax`` when ``normalize`` is None.
        group_by: ``section.name`` or the name of a param; sections of these must be among the facts.
        problems: only remembered.

    Raises:
        NotFoundError: no run has a metric of the score, or a key of the groups.
        UsageError: ``relative`` without a baseline; a metric of the score whose direction nobody knows.
    """
    if normalize == "relative" and not has_baseline:
        raise UsageError("'relative' needs a baseline", hint="gittrack compare … --normalize relative --baseline RUN")
    known = Directions() if directions is None else directions
    rows = [row for section in sections for row in _rows(runs, section, known, has_baseline, normalize)]
    scores = _scores(runs, known, weights, normalize or "minmax") if weights else ()
    keys = tuple(_key_of(runs, key) for key in group_by)
    return Comparison(
        runs=tuple(runs),
        rows=tuple(rows),
        sections=tuple(sections),
        has_baseline=has_baseline,
        value=value,
        normalize=normalize,
        weights=dict(weights or {}),
        scores=tuple(scores),
        group_by=tuple(f"{section}.{name}" for section, name in keys),
        groups=_groups(runs, keys, known, has_baseline) if keys else (),
        problems=tuple(problems),
    )


# -- rows ------------------------------------------------------------------------------------------------------------


def _rows(
    runs: Sequence[ComparedRun], section: Section, directions: Directions, has_baseline: bool, method: Method | None
) -> Iterator[Row]:
    tables = [run.facts.get(section, {}) for run in runs]
    absent = [Absence.UNKNOWN if section in run.unknown else Absence.MISSING for run in runs]
    for name in names_in_order(section, {name for table in tables for name in table}):
        values = tuple(table.get(name, none) for table, none in zip(tables, absent, strict=True))
        differs = _differ(values)
        if section != "metrics":
            yield Row(section, name, values, differs)
            continue
        direction = directions.of(name)
        numbers = [None if isinstance(value, Absence) else float(value) for value in values]
        deltas = tuple(delta(number, numbers[0], direction) for number in numbers) if has_baseline else ()
        scaled = tuple(normalised(numbers, method, direction, numbers[0])) if method else ()
        yield Row(section, name, values, differs, direction, deltas, scaled)


def names_in_order(section: Section, names: Iterable[str]) -> list[str]:
    """The names of a section as they are shown: metrics of the machine last, and those of shorter paths first."""
    if section == "metrics":
        return sorted(names, key=lambda name: (name.startswith("system/"), name.count("/"), name))
    return sorted(names)


def _differ(values: Sequence[Any]) -> bool:
    """Whether known values are not all the same."""
    known = [value for value in values if value is not Absence.UNKNOWN]
    return any(value is not known[0] and not same_value(known[0], value) for value in known[1:])


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


# -- scores ----------------------------------------------------------------------------------------------------------


def _scores(
    runs: Sequence[ComparedRun], directions: Directions, weights: Mapping[str, float], method: Method
) -> list[float | None]:
    parts: dict[str, list[float | None]] = {}
    for name in weights:
        numbers = [run.facts.get("metrics", {}).get(name) for run in runs]
        if runs and all(number is None for number in numbers):
            raise _not_found(runs, "metrics", name, "--score")
        direction = directions.of(name)
        if direction is Direction.UNKNOWN:
            raise UsageError(
                f"nobody knows which way the metric '{name}' gets better, so it cannot be part of a score",
                hint=f"gittrack compare … --maximize '{name}', or --minimize; for good in [metrics] of .gittrack.toml",
            )
        parts[name] = normalised(numbers, method, direction, numbers[0] if numbers else None)
    return composite(parts, weights)


# -- groups ------------------------------------------------------------------------------------------------------------

_SINGULAR: dict[str, Section] = {
    "attribute": "attributes",
    "attr": "attributes",
    "param": "params",
    "parameter": "params",
    "tag": "tags",
    "input": "inputs",
}


def section_of_key(key: str) -> tuple[Section | None, str]:
    """The section that a key of groups names, None for a bare name, and the name: ``params.model``, ``model``."""
    head, dot, name = key.partition(".")
    section = _SINGULAR.get(head, head)
    if dot and section in SECTIONS:
        return section, _unquoted(name)
    return None, _unquoted(key)


def _unquoted(name: str) -> str:
    return name[1:-1] if len(name) > 2 and name[0] == name[-1] == "`" else name


def _key_of(runs: Sequence[ComparedRun], key: str) -> tuple[Section, str]:
    section, name = section_of_key(key)
    if section is not None:
        if not runs or any(name in run.facts.get(section, {}) for run in runs):
            return section, name
    elif any(name in run.facts.get("params", {}) for run in runs):
        return "params", name
    elif not runs or any(name in run.facts.get("attributes", {}) for run in runs):
        return "attributes", name
    raise _not_found(runs, section or "params", name, "--group-by")


def _not_found(runs: Sequence[ComparedRun], section: Section, name: str, option: str) -> NotFoundError:
    from difflib import get_close_matches

    names = {known for run in runs for known in run.facts.get(section, {})}
    near = get_close_matches(name, sorted(names)[:2000], 1)
    hint = f"gittrack compare … {option} '{section}.{near[0]}'" if near else "gittrack compare … --all"
    return NotFoundError(f"no run has '{section}.{name}'", hint=hint)


def _groups(
    runs: Sequence[ComparedRun], keys: Sequence[tuple[Section, str]], directions: Directions, has_baseline: bool
) -> tuple[Group, ...]:
    members: dict[str, list[int]] = {}
    values: dict[str, tuple[Any, ...]] = {}
    for place, run in enumerate(runs):
        key = tuple(run.facts.get(section, {}).get(name, Absence.MISSING) for section, name in keys)
        text = repr([(type(value).__name__, value) for value in key])
        values[text] = key
        members.setdefault(text, []).append(place)
    quantiles: dict[int, float] = {}
    statistics = {text: _statistics([runs[place] for place in places], quantiles) for text, places in members.items()}
    reference = next((text for text, places in members.items() if 0 in places), "") if has_baseline else ""
    return tuple(
        Group(
            values[text],
            tuple(members[text]),
            statistics[text],
            _deltas_of_means(statistics[text], statistics[reference], directions) if reference else {},
        )
        for text in sorted(members, key=lambda text: [_sortable(value) for value in values[text]])
    )


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

"""Runs side by side: what each is in every respect, where they differ, and which is better.

Pure: what the runs are comes in as :class:`ComparedRun`, what is made of it goes out as a :class:`Comparison`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from gittrack.core.compared_groups import GroupKey, Scaling, delta, groups_of, names_in_order
from gittrack.core.comparison import SECTIONS, Absence, ComparedRun, Comparison, Row, Section
from gittrack.core.directions import Direction, Directions
from gittrack.core.names import display
from gittrack.core.normalise import Method, composite, normalised
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
    names: Mapping[str, str] | None = None,
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
        group_by: what the runs have among their ``keys``, else ``section.name`` or the name of a param; sections of
            these must be among the facts.
        names: id -> name, of parents that runs are grouped by.
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
    how = Scaling(known, has_baseline, normalize, weights or {}, names or {})
    return Comparison(
        runs=tuple(runs),
        rows=tuple(rows),
        sections=tuple(sections),
        has_baseline=has_baseline,
        value=value,
        normalize=normalize,
        weights=dict(weights or {}),
        scores=tuple(scores),
        group_by=tuple(key.title for key in keys),
        groups=groups_of(runs, keys, how) if keys else (),
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


def _differ(values: Sequence[Any]) -> bool:
    """Whether known values are not all the same."""
    known = [value for value in values if value is not Absence.UNKNOWN]
    return any(value is not known[0] and not same_value(known[0], value) for value in known[1:])


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


# -- names that somebody gave ------------------------------------------------------------------------------------------

_SINGULAR: dict[str, Section] = {
    "attribute": "attributes",
    "attr": "attributes",
    "param": "params",
    "parameter": "params",
    "tag": "tags",
    "input": "inputs",
}
_OF_BARE_NAMES: tuple[Section, ...] = ("params", "attributes")


def section_of_key(key: str) -> tuple[Section | None, str]:
    """The section that a key of groups names, None for a bare name, and the name: ``params.model``, ``model``."""
    head, dot, name = key.partition(".")
    section = _SINGULAR.get(head, head)
    if dot and section in SECTIONS:
        return section, _unquoted(name)
    return None, _unquoted(key)


def _unquoted(name: str) -> str:
    return name[1:-1] if len(name) > 2 and name[0] == name[-1] == "`" else name


def _key_of(runs: Sequence[ComparedRun], key: str) -> GroupKey:
    if any(key in run.keys for run in runs):
        if all(run.keys.get(key, Absence.MISSING) is Absence.MISSING for run in runs):
            raise NotFoundError(f"no run has '{display(key, 80)}'", hint="gittrack compare … --all")
        return GroupKey(key, tuple(run.keys.get(key, Absence.MISSING) for run in runs))
    section, name = section_of_key(key)
    for known in (section,) if section else _OF_BARE_NAMES:
        if not runs or any(name in run.facts.get(known, {}) for run in runs):
            absent = [Absence.UNKNOWN if known in run.unknown else Absence.MISSING for run in runs]
            values = [run.facts.get(known, {}).get(name, none) for run, none in zip(runs, absent, strict=True)]
            return GroupKey(f"{known}.{name}", tuple(values))
    raise _not_found(runs, section or "params", name, "--group-by")


def _not_found(runs: Sequence[ComparedRun], section: Section, name: str, option: str) -> NotFoundError:
    from difflib import get_close_matches

    names = {known for run in runs for known in run.facts.get(section, {})}
    near = get_close_matches(name, sorted(names)[:2000], 1)
    hint = f"gittrack compare … {option} '{section}.{near[0]}'" if near else "gittrack compare … --all"
    return NotFoundError(f"no run has '{section}.{name}'", hint=hint)


def check_directions(runs: Sequence[ComparedRun], said: Directions) -> None:
    """Check that each name and pattern is that of a metric: one that is none would change nothing, unseen.

    Raises:
        NotFoundError: no run has it.
    """
    names = {name for run in runs for name in run.facts.get("metrics", {})}
    for option, patterns in (("--maximize", said.maximize), ("--minimize", said.minimize)):
        for pattern in patterns:
            if pattern not in names and not any(fnmatchcase(name, pattern) for name in names):
                raise _not_found(runs, "metrics", pattern, option)

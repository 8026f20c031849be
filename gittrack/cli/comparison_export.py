"""A comparison for other programs: JSON, CSV and Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from gittrack.cli.comparison_texts import (
    MISSING,
    delta_text,
    exact_text,
    row_texts,
    score_texts,
    title_of,
    value_or_absence,
)
from gittrack.cli.run_page import value_text
from gittrack.core.comparison import Absence, Comparison, Group, Row
from gittrack.core.sparkline import format_number

# -- JSON --------------------------------------------------------------------------------------------------------------


def comparison_shape(comparison: Comparison, rows: Sequence[Row]) -> dict[str, Any]:
    """A comparison as ``compare --json`` prints it. What a run has not is not among its values."""
    ids = [run.id for run in comparison.runs]
    return {
        "runs": [{"id": run.id, "name": run.name, "unknown": sorted(run.unknown)} for run in comparison.runs],
        "baseline": ids[0] if comparison.has_baseline else None,
        "value": comparison.value,
        "normalize": comparison.normalize,
        "facts": [_row_shape(row, ids) for row in rows],
        "score": _score_shape(comparison, ids),
        "group_by": list(comparison.group_by),
        "groups": [_group_shape(group, rows, ids) for group in comparison.groups],
        "problems": list(comparison.problems),
    }


def _row_shape(row: Row, ids: Sequence[str]) -> dict[str, Any]:
    shape: dict[str, Any] = {"section": row.section, "name": row.name, "differs": row.differs}
    if row.section == "metrics":
        shape["direction"] = row.direction.value
    known = zip(ids, row.values, strict=True)
    shape["values"] = {id: value for id, value in known if not isinstance(value, Absence)}
    if row.deltas:
        shape["deltas"] = {id: asdict(delta) for id, delta in zip(ids, row.deltas, strict=True) if delta is not None}
    if row.normalised:
        numbers = zip(ids, row.normalised, strict=True)
        shape["normalized"] = {id: number for id, number in numbers if number is not None}
    return shape


def _score_shape(comparison: Comparison, ids: Sequence[str]) -> dict[str, Any] | None:
    if not comparison.scores:
        return None
    return {
        "scale": comparison.normalize or "minmax",
        "weights": dict(comparison.weights),
        "scores": dict(zip(ids, comparison.scores, strict=True)),
        "ranks": dict(zip(ids, comparison.ranks(), strict=True)),
    }


def _group_shape(group: Group, rows: Sequence[Row], ids: Sequence[str]) -> dict[str, Any]:
    shown = [row.name for row in rows if row.section == "metrics" and row.name in group.statistics]
    return {
        "key": [None if isinstance(value, Absence) else value for value in group.key],
        "runs": [ids[place] for place in group.runs],
        "metrics": {
            name: asdict(group.statistics[name])
            | ({"delta": asdict(group.deltas[name])} if name in group.deltas else {})
            for name in shown
        },
    }


# -- rows of texts -----------------------------------------------------------------------------------------------------


def exact_rows(comparison: Comparison, rows: Sequence[Row], *, transpose: bool) -> Iterator[list[str]]:
    """The comparison for CSV, its titles first: values in full, nothing for what is missing.

    Args:
        comparison: what to write.
        rows: of it.
        transpose: a line for each run instead of one for each fact.
    """
    if comparison.group_by:
        yield from _exact_groups(comparison, rows)
        return
    columns = list(_exact_columns(comparison, rows))
    ids = [run.id for run in comparison.runs]
    names = [run.name for run in comparison.runs]
    if transpose:
        titles = ["name", *(".".join(filter(None, title)) for title, _ in columns)]
        yield ["id", *titles]
        for place, (id, name) in enumerate(zip(ids, names, strict=True)):
            yield [id, name, *(texts[place] for _, texts in columns)]
    else:
        yield ["section", "name", "part", "direction", *ids]
        yield ["run", "name", "", "", *names]
        directions = {f"metrics {row.name}": row.direction.value for row in rows if row.section == "metrics"}
        for (section, name, part), texts in columns:
            direction = "" if part == "normalized" else directions.get(f"{section} {name}", "")
            yield [section, name, part, direction, *texts]


def _exact_columns(comparison: Comparison, rows: Sequence[Row]) -> Iterator[tuple[tuple[str, str, str], list[str]]]:
    """What is known of all runs, by (section, name, part)."""
    for row in rows:
        yield (row.section, row.name, ""), [exact_text(value) for value in row.values]
        if row.deltas:
            differences = [None if delta is None else delta.difference for delta in row.deltas]
            yield (row.section, row.name, "delta"), [exact_text(each) for each in differences]
            yield (row.section, row.name, "verdict"), ["" if delta is None else delta.verdict for delta in row.deltas]
        if row.normalised:
            yield (row.section, row.name, "normalized"), [exact_text(each) for each in row.normalised]
    if comparison.scores:
        yield ("score", "", ""), [exact_text(score) for score in comparison.scores]
        yield ("rank", "", ""), [exact_text(rank) for rank in comparison.ranks()]


def _exact_groups(comparison: Comparison, rows: Sequence[Row]) -> Iterator[list[str]]:
    parts = ["runs", "n", "nan", "mean", "std", "low", "high"]
    yield [*comparison.group_by, "metric", "direction", *parts, *(["delta"] if comparison.has_baseline else [])]
    for row in rows:
        for group in comparison.groups:
            if row.section == "metrics" and row.name in group.statistics:
                found = group.statistics[row.name]
                numbers = (found.n, found.nan, found.mean, found.deviation, found.low, found.high)
                cells = [*map(exact_text, group.key), row.name, row.direction.value, str(len(group.runs))]
                cells += map(exact_text, numbers)
                if comparison.has_baseline:
                    delta = group.deltas.get(row.name)
                    cells.append(exact_text(delta.difference if delta else None))
                yield cells


def short_rows(comparison: Comparison, rows: Sequence[Row], *, transpose: bool) -> list[list[str]]:
    """The comparison for Markdown, its titles first: the texts that a terminal shows, uncut."""
    if comparison.group_by:
        return _short_groups(comparison, rows)
    heads = [f"{run.name} ({run.id[:8]})" for run in comparison.runs]
    if comparison.has_baseline:
        heads[0] += ", baseline"
    lines = [["", *heads]]
    for row in rows:
        texts = row_texts(row)
        if row.deltas:
            beside = ["", *map(delta_text, row.deltas[1:])]
            texts = [f"{text} ({delta})" if delta else text for text, delta in zip(texts, beside, strict=True)]
        lines.append([f"{row.section}.{title_of(row)}", *texts])
    if comparison.scores:
        scores, ranks = score_texts(comparison)
        lines += [["score", *scores], ["rank", *ranks]]
    return [list(line) for line in zip(*lines, strict=True)] if transpose else lines


def _short_groups(comparison: Comparison, rows: Sequence[Row]) -> list[list[str]]:
    lines = [["metric", *comparison.group_by, "n", "mean", "SD", "95 % interval"]]
    lines[0] += ["vs baseline"] if comparison.has_baseline else []
    for row in rows:
        for group in comparison.groups:
            if row.section != "metrics" or row.name not in group.statistics:
                continue
            found = group.statistics[row.name]
            numbers = [MISSING if each is None else format_number(each) for each in (found.mean, found.deviation)]
            interval = MISSING
            if found.low is not None and found.high is not None:
                interval = f"{format_number(found.low)} to {format_number(found.high)}"
            keys = [value_or_absence(value) or value_text(value) for value in group.key]
            lines.append([title_of(row), *keys, str(found.n), *numbers, interval])
            if comparison.has_baseline:
                lines[-1].append("" if 0 in group.runs else delta_text(group.deltas.get(row.name)))
    return lines

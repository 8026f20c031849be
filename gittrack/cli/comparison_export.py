"""A comparison for other programs: JSON, CSV and Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from gittrack.cli.comparison_groups import exact_groups, short_groups
from gittrack.cli.comparison_texts import (
    ALL_OF_IT,
    delta_beside,
    exact_number,
    exact_texts,
    row_texts,
    scale_title,
    score_texts,
    score_title,
    title_of,
    unknown_facts,
)
from gittrack.core.comparison import Absence, Comparison, Group, Row

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
        "absent": [value.value if isinstance(value, Absence) else None for value in group.key],
        "labels": [label or None for label in group.labels],
        "runs": [ids[place] for place in group.runs],
        "metrics": {
            name: asdict(group.statistics[name])
            | ({"delta": asdict(group.deltas[name])} if name in group.deltas else {})
            | ({"normalized": group.normalised[name]} if name in group.normalised else {})
            for name in shown
        },
        "score": group.score,
        "rank": group.rank,
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
        yield from exact_groups(comparison, rows)
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
        if any(run.unknown for run in comparison.runs):
            yield ["run", "unknown", "", "", *(" ".join(sorted(run.unknown)) for run in comparison.runs)]
        directions = {f"metrics {row.name}": row.direction.value for row in rows if row.section == "metrics"}
        for (section, name, part), texts in columns:
            direction = directions.get(f"{section} {name}", "")
            if part.startswith("normalized") and direction == "minimize":
                direction = "maximize"  # it is turned around
            yield [section, name, part, direction, *texts]


def _exact_columns(comparison: Comparison, rows: Sequence[Row]) -> Iterator[tuple[tuple[str, str, str], list[str]]]:
    """What is known of all runs, by (section, name, part)."""
    for row in rows:
        yield (row.section, row.name, ""), exact_texts(row.values)
        if row.deltas:
            differences = [None if delta is None else delta.difference for delta in row.deltas]
            yield (row.section, row.name, "delta"), [exact_number(each) for each in differences]
            yield (row.section, row.name, "verdict"), ["" if delta is None else delta.verdict for delta in row.deltas]
        if row.normalised:
            yield (
                (row.section, row.name, f"normalized_{comparison.normalize}"),
                [exact_number(each) for each in row.normalised],
            )
    if comparison.scores:
        yield ("score", "", ""), [exact_number(score) for score in comparison.scores]
        yield ("rank", "", ""), [exact_number(rank) for rank in comparison.ranks()]


def short_rows(comparison: Comparison, rows: Sequence[Row], *, transpose: bool) -> list[list[str]]:
    """The comparison for Markdown, its titles first: the texts that a terminal shows, uncut."""
    if comparison.group_by:
        return short_groups(comparison, rows)
    heads = [f"{run.name} ({run.id[:8]})" for run in comparison.runs]
    if comparison.has_baseline:
        heads[0] += ", baseline"
    lines = [["", *heads]]
    for section in comparison.sections:
        lines += [
            [f"{section}.{title_of(row)}{_scale_of(comparison, row)}", *_with_deltas(row)]
            for row in rows
            if row.section == section
        ]
        unknown = unknown_facts(comparison, section, rows)
        lines += [[f"{section} {ALL_OF_IT}", *unknown]] if unknown else []
    if comparison.scores:
        scores, ranks = score_texts(comparison)
        lines += [[score_title(comparison), *scores], ["rank", *ranks]]
    return [list(line) for line in zip(*lines, strict=True)] if transpose else lines


def _with_deltas(row: Row) -> list[str]:
    beside = [delta_beside(row, place) for place in range(len(row.values))]
    form = "{} {}" if row.normalised else "{} ({})"
    return [form.format(text, delta) if delta else text for text, delta in zip(row_texts(row), beside, strict=True)]


def _scale_of(comparison: Comparison, row: Row) -> str:
    return f" ({scale_title(comparison, [row])})" if comparison.normalize and row.normalised else ""

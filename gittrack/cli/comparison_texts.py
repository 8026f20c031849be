"""What a comparison says in each cell, short for people or exact for programs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from gittrack.api.compare import Absence, Comparison, Delta, Direction, Group, Row
from gittrack.cli.run_page import value_text
from gittrack.cli.terminal import Role
from gittrack.core.comparison import Section
from gittrack.core.names import cell_width, display
from gittrack.core.sparkline import format_duration, format_number

MARKS = {"better": "✓", "worse": "✗", "same": "=", "": ""}
ROLES: dict[str, Role] = {"better": "good", "worse": "bad", "same": "faint", "": ""}
MISSING, UNKNOWN = "-", "?"
SCALES = {"z": "z-scores", "minmax": "0 to 1", "percentile": "percentiles", "relative": "relative to the baseline"}
SCALE_OF_ONE = {"z": "z-score", "minmax": "0 to 1", "percentile": "percentile", "relative": "relative"}
_MOST_NAMES = 20
ALL_OF_IT = "(all of it)"
"""Stands for a section of which nobody knows anything."""
_FEW = 12
"""Runs up to which two different numbers never look the same."""
_COMMIT_LENGTH = 12
_ID_LENGTH = 8
_SYSTEM = "system/"


def shown_rows(comparison: Comparison, *, everything: bool) -> tuple[Row, ...]:
    """The rows to show: what differs, of one run all; metrics of the machine, never the same twice, only when asked.

    Of groups also what their scores are made of.
    """
    if everything:
        return comparison.rows
    single = len(comparison.runs) == 1
    asked = comparison.weights if comparison.group_by else ()
    return tuple(
        row
        for row in comparison.rows
        if (row.section == "metrics" and row.name in asked)
        or ((row.differs or single) and not (row.section == "metrics" and row.name.startswith(_SYSTEM)))
    )


def unknown_facts(comparison: Comparison, section: Section, rows: Sequence[Row]) -> list[str]:
    """What to say of a section that nobody knows of some run, by run; empty when it is known, or its rows say so."""
    if any(row.section == section for row in rows) or not any(section in run.unknown for run in comparison.runs):
        return []
    return [UNKNOWN if section in run.unknown else "" for run in comparison.runs]


def title_of(row: Row) -> str:
    """A row's name, of a metric with its direction: ``val/acc ↑``."""
    return f"{row.name} {row.direction.mark}" if row.section == "metrics" else row.name


def row_texts(row: Row) -> list[str]:
    """A row's values as short as they still tell apart."""
    if row.normalised:
        return [MISSING if number is None else format_number(number) for number in row.normalised]
    if row.section == "metrics":
        return number_texts(row.values)
    if row.name == "duration_ms":
        return [value_or_absence(value) or format_duration(value) for value in row.values]
    if row.section == "code" and row.name in ("commit", "head"):
        return [value_or_absence(value) or str(value)[:_COMMIT_LENGTH] for value in row.values]
    texts = [value_or_absence(value) or value_text(value) for value in row.values]
    return told_apart(row.values, texts) if row.differs else texts


def told_apart(values: Sequence[Any], texts: Sequence[str]) -> list[str]:
    """The texts of values; where two that are not the same would look so, ``1`` and ``"1"``, the text has quotes."""
    kinds = {(text, type(value), repr(value)) for value, text in zip(values, texts, strict=True)}
    if len(kinds) == len(set(texts)):
        return list(texts)
    taken = Counter(text for text, _, _ in kinds)
    return [
        # What begins with a quote is quoted too, or it could look like a text that is.
        json.dumps(value, ensure_ascii=False)
        if isinstance(value, str) and (taken[text] > 1 or text[:1] == '"')
        else text
        for value, text in zip(values, texts, strict=True)
    ]


def key_texts(comparison: Comparison) -> list[list[str]]:
    """The keys of each group as people read them; no two groups have the same."""
    columns = []
    for place in range(len(comparison.group_by)):
        values = [group.key[place] for group in comparison.groups]
        texts = told_apart(values, [value_or_absence(value) or value_text(value) for value in values])
        labels = [group.labels[place] if group.labels else "" for group in comparison.groups]
        pairs = zip(texts, labels, strict=True)
        columns.append([f"{label} ({text[:_ID_LENGTH]})" if label else text for text, label in pairs])
    return [list(texts) for texts in zip(*columns, strict=True)]


def exact_keys(comparison: Comparison) -> list[list[str]]:
    """The keys of each group for another program."""
    columns = [
        exact_texts([group.key[place] for group in comparison.groups]) for place in range(len(comparison.group_by))
    ]
    return [list(texts) for texts in zip(*columns, strict=True)]


def value_or_absence(value: Any) -> str:
    """How an absence is shown; ``""`` for a value."""
    if not isinstance(value, Absence):
        return ""
    return UNKNOWN if value is Absence.UNKNOWN else MISSING


def number_texts(values: Sequence[Any]) -> list[str]:
    """Numbers with four digits, or as many as tell them apart: all of a few, of many at least two."""
    texts = [value_or_absence(value) or format_number(value) for value in values]
    kinds = {str(value) for value in values}
    enough = len(kinds) if len(values) <= _FEW else min(len(kinds), 2)
    for digits in (6, 9, 12, 17):
        if len(set(texts)) >= enough:
            break
        texts = [value_or_absence(value) or f"{value:.{digits}g}" for value in values]
    return texts


def delta_text(delta: Delta | None) -> str:
    """``+0.02 ✓``: how far from the baseline, and whether that is better; the mark needs no colour."""
    if delta is None:
        return ""
    sign = "+" if delta.difference > 0 else ""
    number = "" if delta.verdict == "same" else sign + format_number(delta.difference)
    return f"{number} {MARKS[delta.verdict]}".strip()


def delta_beside(row: Row, place: int) -> str:
    """What stands beside a run's value of a metric: beside one on a scale only the mark, the number is of no scale."""
    delta = row.deltas[place] if row.deltas and place else None
    return (MARKS[delta.verdict] if row.normalised else delta_text(delta)) if delta else ""


def exact_number(value: float | None) -> str:
    """A number in full for another program; nothing where there is none."""
    return "" if value is None else value_text(value)


def exact_texts(values: Sequence[Any]) -> list[str]:
    """Values for another program: in full, nothing for what is missing, ``?`` for what nobody knows.

    Texts have quotes only where they would be taken for something else among these values.
    """

    def text(value: Any) -> str:
        if isinstance(value, Absence):
            return UNKNOWN if value is Absence.UNKNOWN else ""
        return value if isinstance(value, str) else value_text(value)

    return told_apart(values, [text(value) for value in values])


def scale_title(comparison: Comparison, rows: Iterable[Row]) -> str:
    """What normalised metrics are; ``""`` when they are as they were logged. Of some nobody knows what is better."""
    if not comparison.normalize:
        return ""
    metrics = [row for row in rows if row.section == "metrics"]
    unknown = unclear(metrics)
    if len(unknown) == len(metrics) > 0:
        return SCALES[comparison.normalize]
    return f"{SCALES[comparison.normalize]}, higher is better{' except for ?' if unknown else ''}"


def metrics_title(comparison: Comparison, rows: Iterable[Row]) -> str:
    """What stands above metrics: which number, which scale, what the marks mean."""
    parts = [] if comparison.value == "last" else [comparison.value]
    parts += filter(None, [scale_title(comparison, rows)])
    if comparison.has_baseline:
        parts.append(f"against {comparison.runs[0].id[:8]}: {MARKS['better']} better, {MARKS['worse']} worse")
    return "metrics" + (f" ({'; '.join(parts)})" if parts else "")


def groups_title(comparison: Comparison, rows: Iterable[Row]) -> str:
    """What stands above the metrics of groups; ``""`` when there is nothing to say."""
    parts = [] if comparison.value == "last" else [f"of each run the {comparison.value}"]
    if comparison.normalize:
        parts.append(f"means as {scale_title(comparison, rows)}")
    if comparison.has_baseline:
        marks = f"{MARKS['better']} better, {MARKS['worse']} worse"
        parts.append(f"against the mean of the baseline's group, {baseline_group(comparison)}: {marks}")
    return f"metrics ({'; '.join(parts)})" if parts else ""


def baseline_group(comparison: Comparison) -> str:
    """The keys of the group that the baseline is in: ``model forest``."""
    texts = next((t for group, t in zip(comparison.groups, key_texts(comparison), strict=True) if 0 in group.runs), [])
    names = [key.partition(".")[2] or key for key in comparison.group_by]
    return ", ".join(f"{name} {text}" for name, text in zip(names, texts, strict=True))


def score_title(comparison: Comparison) -> str:
    """What stands above scores: what they are made of."""
    terms = ", ".join(f"{format_number(weight)} × {name}" for name, weight in comparison.weights.items())
    of_groups = ", of the groups' means" if comparison.group_by else ""
    return f"score ({SCALES[comparison.normalize or 'minmax']}{of_groups}: {terms})"


def score_texts(comparison: Comparison) -> tuple[list[str], list[str]]:
    """The scores and the ranks, of groups or else of runs."""
    found = [group.score for group in comparison.groups] if comparison.group_by else comparison.scores
    places = [group.rank for group in comparison.groups] if comparison.group_by else comparison.ranks()
    scores = [MISSING if score is None else format_number(score) for score in found]
    return scores, [MISSING if rank is None else str(rank) for rank in places]


def unclear(rows: Iterable[Row]) -> list[str]:
    """The metrics whose direction nobody knows."""
    return [row.name for row in rows if row.section == "metrics" and row.direction is Direction.UNKNOWN]


def unclear_text(names: Sequence[str], *, normalised: bool) -> str:
    """What to say of metrics whose direction nobody knows, all of them as long as they are not too many."""
    shown = ", ".join(f"'{display(name, 80)}'" for name in names[:_MOST_NAMES])
    if len(names) > _MOST_NAMES:
        shown += f" and {len(names) - _MOST_NAMES} more"
    one = len(names) == 1
    so = f", so higher is not better for {'it' if one else 'them'}" if normalised else ""
    name = shown if one else "NAME"
    return (
        f"which way {shown} {'gets' if one else 'get'} better is not known{so}; say so: --maximize or --minimize {name}"
    )


def best_group(groups: Sequence[Group], row: Row) -> Group | None:
    """The group with the best mean of a metric; None where there is no single one, or nobody knows what is better."""
    if row.direction is Direction.UNKNOWN or len(groups) < 2:
        return None
    means = [
        (row.direction.sign * mean, group)
        for group in groups
        if row.name in group.statistics and (mean := group.statistics[row.name].mean) is not None and mean == mean
    ]
    top = max((mean for mean, _ in means), default=None)
    first = [group for mean, group in means if mean == top]
    return first[0] if len(means) > 1 and len(first) == 1 else None


def fitted(text: str, number: float | None, width: int) -> str:
    """``text`` within so many cells: the text of a float is rounded, of any other the middle is left out.

    >>> fitted("0.020648266263847", 0.020648266263847, 8), fitted("a-long-name", None, 8)
    ('0.020648', 'a-lon…me')
    """
    if number is not None and cell_width(text) > width:
        for digits in range(min(width, 17), 0, -1):
            short = f"{number:.{digits}g}"
            if len(short) <= width:
                return short
    return shortened(text, width)


def shortened(text: str, width: int) -> str:
    """``text`` within so many terminal cells, its middle left out: what tells names apart stands at either end.

    >>> shortened("validation/fold-3/balanced_accuracy", 20)
    'validation/f…ccuracy'
    """
    shown = display(f"{text[:width]}…{text[-width:]}") if len(text) > 8 * max(width, 1) + 64 else display(text)
    if cell_width(shown) <= width:
        return shown
    if width < 2:
        return "…"[:width]
    tail_room = (width - 1) * 2 // 5
    head = display(shown, width - tail_room)  # ends in the ellipsis
    tail, cells = "", 0
    for char in reversed(shown):
        cells += cell_width(char)
        if cells > tail_room:
            break
        tail = char + tail
    return head + tail

"""What a comparison says in each cell, short for people or exact for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from gittrack.api.compare import Absence, Comparison, Delta, Direction, Row
from gittrack.cli.run_page import value_text
from gittrack.cli.terminal import Role
from gittrack.core.names import cell_width, display
from gittrack.core.sparkline import format_duration, format_number

MARKS = {"better": "✓", "worse": "✗", "same": "=", "": ""}
ROLES: dict[str, Role] = {"better": "good", "worse": "bad", "same": "faint", "": ""}
MISSING, UNKNOWN = "-", "?"
SCALES = {"z": "z-scores", "minmax": "0 to 1", "percentile": "percentiles", "relative": "relative to the baseline"}
_FEW = 12
"""Runs up to which two different numbers never look the same."""
_COMMIT_LENGTH = 12
_SYSTEM = "system/"


def shown_rows(comparison: Comparison, *, everything: bool) -> tuple[Row, ...]:
    """The rows to show: what differs, of one run all; metrics of the machine, never the same twice, only when asked."""
    if everything:
        return comparison.rows
    single = len(comparison.runs) == 1
    return tuple(
        row
        for row in comparison.rows
        if (row.differs or single) and not (row.section == "metrics" and row.name.startswith(_SYSTEM))
    )


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
    if row.differs and len(set(texts)) < len({(type(value), repr(value)) for value in row.values}):
        # 1 and "1", which are not the same: texts are told by their quotes.
        return [
            json.dumps(v, ensure_ascii=False) if isinstance(v, str) else t
            for v, t in zip(row.values, texts, strict=True)
        ]
    return texts


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


def exact_text(value: Any) -> str:
    """A value for another program: numbers in full, nothing for what is missing."""
    if value is None or isinstance(value, Absence):
        return ""
    return value if isinstance(value, str) else value_text(value)


def metrics_title(comparison: Comparison) -> str:
    """What stands above metrics: which number, which scale, what the marks mean."""
    parts = [] if comparison.value == "last" else [comparison.value]
    if comparison.normalize:
        parts.append(f"{SCALES[comparison.normalize]}, higher is better")
    if comparison.has_baseline:
        parts.append(f"against {comparison.runs[0].id[:8]}: {MARKS['better']} better, {MARKS['worse']} worse")
    return "metrics" + (f" ({'; '.join(parts)})" if parts else "")


def score_title(comparison: Comparison) -> str:
    """What stands above scores: what they are made of."""
    terms = ", ".join(f"{format_number(weight)} × {name}" for name, weight in comparison.weights.items())
    return f"score ({SCALES[comparison.normalize or 'minmax']}: {terms})"


def score_texts(comparison: Comparison) -> tuple[list[str], list[str]]:
    """The scores and the ranks."""
    scores = [MISSING if score is None else format_number(score) for score in comparison.scores]
    return scores, [MISSING if rank is None else str(rank) for rank in comparison.ranks()]


def unclear(rows: Iterable[Row]) -> list[str]:
    """The metrics whose direction nobody knows."""
    return [row.name for row in rows if row.section == "metrics" and row.direction is Direction.UNKNOWN]


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

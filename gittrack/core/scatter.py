"""Points in the characters of a terminal: which of them are on a front, and where the others lie."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from gittrack.core.axes import Axis
from gittrack.core.names import display

Pair = tuple[float, float]
"""Up, and to the right."""
_LEAST_WIDTH, _LEAST_HEIGHT = 20, 4


def scatter_lines(
    front: Sequence[Pair],
    others: Sequence[Pair],
    titles: tuple[str, str],
    width: int = 80,
    height: int = 12,
    *,
    ascii_only: bool = False,
) -> list[str]:
    """The lines of a drawing, none wider than ``width``; nothing when there is no finite point.

    Args:
        front: drawn large, over the others.
        others: drawn small.
        titles: of what goes up and of what goes to the right; may hold anything.
        width: terminal cells.
        height: lines of the field.
        ascii_only: draw with nothing but ASCII.
    """
    width, height = max(width, _LEAST_WIDTH), max(height, _LEAST_HEIGHT)
    drawn = [pair for pair in (*others, *front) if all(map(math.isfinite, pair))]
    if not drawn:
        return []
    up, right = _axis(pair[0] for pair in drawn), _axis(pair[1] for pair in drawn)
    labels = {_row(up, tick.value, height): tick.label for tick in up.ticks(max(height // 3, 2))}
    gutter = max(map(len, labels.values()))
    columns = width - gutter - 2
    large, small = ("*", ".") if ascii_only else ("●", "·")
    field = [[" "] * columns for _ in range(height)]
    for mark, pairs in ((small, others), (large, front)):
        for pair in pairs:
            if all(map(math.isfinite, pair)):
                field[_row(up, pair[0], height)][_column(right, pair[1], columns)] = mark
    beside, corner, along = ("|", "+", "-") if ascii_only else ("│", "└", "─")
    title = display(f"{display(titles[0])} over {display(titles[1])}", width)
    if ascii_only:
        title = title.encode("ascii", "backslashreplace").decode()[:width]
    return [
        title,
        *(f"{labels.get(row, ''):>{gutter}} {beside}{''.join(cells)}".rstrip() for row, cells in enumerate(field)),
        f"{'':{gutter}} {corner}{along * columns}",
        _below(right, gutter + 2, columns),
    ]


def _axis(numbers: Iterable[float]) -> Axis:
    kept = list(numbers)
    low, high = min(kept), max(kept)
    if low == high:  # a point of its own stands in the middle
        beside = abs(low) / 2 or 1.0
        low, high = max(low - beside, -1e308), min(high + beside, 1e308)
    return Axis(low, high)


def _row(axis: Axis, value: float, height: int) -> int:
    return min(max(round((1 - axis.place(value)) * (height - 1)), 0), height - 1)


def _column(axis: Axis, value: float, columns: int) -> int:
    return min(max(round(axis.place(value) * (columns - 1)), 0), columns - 1)


def _below(axis: Axis, start: int, columns: int) -> str:
    """The numbers below the field, as many as find room."""
    text, free = [" "] * (start + columns), 0
    for tick in axis.ticks(max(columns // 12, 2)):
        middle = start + _column(axis, tick.value, columns)
        first = min(max(middle - len(tick.label) // 2, 0), len(text) - len(tick.label))
        if first >= free:
            text[first : first + len(tick.label)] = tick.label
            free = first + len(tick.label) + 1
    return "".join(text).rstrip()

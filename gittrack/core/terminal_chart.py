"""A chart in the characters of a terminal: braille dots, or ASCII where there is nothing else.

Every curve can be told from the others without colour: with several curves each carries a letter of its own (in ASCII
it is drawn with a character of its own), and the legend says which is whose.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from gittrack.core.axes import TITLES, Axis, Tick, axes_of, fitting_ticks
from gittrack.core.curves import Chart, Curve, curve_facts, strokes, thin_curve
from gittrack.core.names import cell_width, display

MARKS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
ASCII_MARKS = "*+ox#@%&$=" + MARKS
MOST_CURVES = len(MARKS)
LEAST_WIDTH, LEAST_HEIGHT = 20, 3
_MOST_POINTS = 2000
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Bits of a braille character by row and column (Unicode 15, section 21.1)."""


class Span(NamedTuple):
    """A piece of a line, and the number of the curve it is part of; -1 for none."""

    text: str
    curve: int = -1


Line = tuple[Span, ...]


@dataclass(slots=True)
class _Canvas:
    """Dots of curves in a field of characters.

    Attributes:
        columns, rows: of characters.
        across, down: dots in one character.
    """

    columns: int
    rows: int
    across: int
    down: int
    bits: dict[tuple[int, int], int] = field(default_factory=dict)
    owners: dict[tuple[int, int], list[int]] = field(default_factory=dict)
    marks: dict[tuple[int, int], tuple[str, int]] = field(default_factory=dict)

    def dot(self, x: int, y: int, curve: int) -> None:
        """Set a dot; ``y`` counts from the top."""
        cell = (x // self.across, y // self.down)
        if self.down > 1:
            self.bits[cell] = self.bits.get(cell, 0) | _DOTS[y % self.down][x % self.across]
        owners = self.owners.setdefault(cell, [])
        if curve not in owners:
            owners.append(curve)

    def line(self, start: tuple[int, int], end: tuple[int, int], curve: int) -> None:
        """Set the dots of a line (Bresenham 1965)."""
        (x, y), (last_x, last_y) = start, end
        across, down = abs(last_x - x), -abs(last_y - y)
        step_x, step_y = (1 if x < last_x else -1), (1 if y < last_y else -1)
        error = across + down
        while True:
            self.dot(x, y, curve)
            if (x, y) == (last_x, last_y):
                return
            twice = 2 * error
            if twice >= down:
                error, x = error + down, x + step_x
            if twice <= across:
                error, y = error + across, y + step_y

    def row(self, number: int, ascii_marks: str) -> Line:
        """One row as spans."""
        cells = [self._cell(column, number, ascii_marks) for column in range(self.columns)]
        while cells and cells[-1].text == " ":
            cells.pop()
        return tuple(_joined(cells))

    def _cell(self, column: int, row: int, ascii_marks: str) -> Span:
        cell = (column, row)
        if cell in self.marks:
            return Span(*self.marks[cell])
        owners = self.owners.get(cell)
        if not owners:
            return Span(" ")
        owner = owners[column % len(owners)]  # where curves lie on each other each is seen in turn
        text = ascii_marks[owner % len(ascii_marks)] if ascii_marks else chr(0x2800 + self.bits[cell])
        return Span(text, owner)


def _joined(spans: Sequence[Span]) -> Iterator[Span]:
    start = 0
    for end in range(1, len(spans) + 1):
        if end == len(spans) or spans[end].curve != spans[start].curve:
            text = "".join(span.text for span in spans[start:end])
            yield Span(text, spans[start].curve)
            start = end


def chart_lines(chart: Chart, width: int = 80, height: int = 15, *, ascii_only: bool = False) -> list[Line]:
    """The lines of a chart, its title and legend included, none wider than ``width``.

    Args:
        chart: what is drawn. A gap in a curve is a NaN; ``▲`` on the upper edge and ``▼`` on the lower one (``^`` and
            ``v`` in ASCII) are infinities.
        width: terminal cells.
        height: lines of the field of the curves; its axes and the legend come to that.
        ascii_only: draw with nothing but ASCII; names of the legend are escaped too.
    """
    width, height = max(width, LEAST_WIDTH), max(height, LEAST_HEIGHT)
    curves = [thin_curve(curve, _MOST_POINTS, log_y=chart.log_y) for curve in chart.curves]
    x_axis, y_axis = axes_of(Chart(chart.title, tuple(_without_raw(curves)), chart.by, chart.log_x, chart.log_y))
    dots = (1, 1) if ascii_only else (2, 4)
    rows = dict(_rows(y_axis.ticks(max(2, height // 2)), y_axis, height, dots[1]))
    gutter = max(map(len, rows.values()), default=0)
    canvas = _Canvas(max(width - gutter - 2, 1), height, *dots)
    for number, curve in enumerate(curves):
        _draw(canvas, curve, number, (x_axis, y_axis), ascii_only=ascii_only)
    if not ascii_only and len(curves) > 1:
        _mark(canvas, len(curves))
    title = _said(chart.title, width, ascii_only=ascii_only)
    lines: list[Line] = [(Span(title),)]
    drawn = canvas.owners or canvas.marks
    if drawn:
        lines += _field(canvas, rows, gutter, ascii_only=ascii_only)
        lines += _x_lines(x_axis, chart, gutter, canvas.columns, ascii_only=ascii_only)
    else:
        lines.append((Span(f"  no points to draw{_above_zero(chart)}"[:width]),))
    return lines + _legend(chart, width, ascii_only=ascii_only)


def _without_raw(curves: Sequence[Curve]) -> Iterator[Curve]:
    for curve in curves:
        yield Curve(curve.label, curve.id, curve.xs, curve.ys)


def _rows(ticks: Sequence[Tick], axis: Axis, height: int, down: int) -> Iterator[tuple[int, str]]:
    """The row of the dot where each tick lies."""
    for tick in ticks:
        dot = round((1 - axis.place(tick.value)) * (height * down - 1))
        yield min(max(dot // down, 0), height - 1), tick.label


def _draw(canvas: _Canvas, curve: Curve, number: int, axes: tuple[Axis, Axis], *, ascii_only: bool) -> None:
    wide, high = canvas.columns * canvas.across - 1, canvas.rows * canvas.down - 1
    points: list[tuple[float, float]] = []
    for x, y in zip(curve.xs, curve.ys, strict=True):
        right, up = axes[0].place(x), axes[1].place(y)
        if math.isinf(up) and math.isfinite(right):
            arrow = ("^" if up > 0 else "v") if ascii_only else ("▲" if up > 0 else "▼")
            canvas.marks[round(right * wide) // canvas.across, 0 if up > 0 else canvas.rows - 1] = (arrow, number)
        points.append((right, up))
    for stroke in strokes(points):
        dots = [(round(right * wide), round((1 - up) * high)) for right, up in stroke]
        canvas.dot(*dots[0], number)
        for start, end in pairwise(dots):
            if start != end:
                canvas.line(start, end, number)


def _mark(canvas: _Canvas, count: int) -> None:
    """Put each curve's letter on it, every now and then, where no other letter stands."""
    cells: list[dict[int, tuple[int, int]]] = [{} for _ in range(count)]
    for cell, owners in canvas.owners.items():
        for owner in owners:
            cells[owner].setdefault(cell[0], cell)
    spacing = max(3 * count, canvas.columns // 4, 6)
    for number, own in enumerate(cells):
        if not own:
            continue
        wanted = {round((number + 0.5) * spacing / count) + start for start in range(0, canvas.columns, spacing)}
        columns = [column for column in sorted(own) if column in wanted] or sorted(own, reverse=True)[:count]
        letter = MARKS[number % len(MARKS)]
        free = [own[column] for column in columns if own[column] not in canvas.marks]
        for cell in free if columns[0] in wanted else free[:1]:
            canvas.marks[cell] = (letter, number)


def _field(canvas: _Canvas, rows: dict[int, str], gutter: int, *, ascii_only: bool) -> Iterator[Line]:
    beside, at_tick = ("|", "+") if ascii_only else ("│", "┤")
    for number in range(canvas.rows):
        head = f"{rows.get(number, ''):>{gutter}} {at_tick if number in rows else beside}"
        yield (Span(head), *canvas.row(number, ASCII_MARKS if ascii_only else ""))


def _x_lines(axis: Axis, chart: Chart, gutter: int, columns: int, *, ascii_only: bool) -> Iterator[Line]:
    corner, along, tick_mark = ("+", "-", "+") if ascii_only else ("└", "─", "┬")
    ticks = fitting_ticks(axis, max(2, columns // 10), columns - 1)
    line, text, free = [along] * columns, [" "] * (columns + gutter + 2), 0
    for tick in ticks:
        column = min(max(round(axis.place(tick.value) * (columns - 1)), 0), columns - 1)
        start = min(max(gutter + 2 + column - len(tick.label) // 2, 0), len(text) - len(tick.label))
        if start < free:
            continue
        line[column] = tick_mark
        text[start : start + len(tick.label)] = tick.label
        free = start + len(tick.label) + 1
    yield (Span(" " * (gutter + 1) + corner + "".join(line)),)
    title = TITLES[chart.by] + (", logarithmic" if chart.log_x else "")
    if chart.by == "time":
        title += f", from {axis.text(axis.low)[:16]}"
    yield (Span("".join(text).rstrip()),)
    yield (Span(f"{'':{gutter + 2}}{title}"[: columns + gutter + 2]),)


def _legend(chart: Chart, width: int, *, ascii_only: bool) -> list[Line]:
    marks = ASCII_MARKS if ascii_only else MARKS
    facts = ["  ".join(curve_facts(curve, chart)) for curve in chart.curves]
    room = max(width - 4 - max((len(fact) for fact in facts), default=0), 8)
    labels = [_said(curve.label, room, ascii_only=ascii_only) for curve in chart.curves]
    longest = max(map(cell_width, labels), default=0)
    lines: list[Line] = []
    for number, (label, fact) in enumerate(zip(labels, facts, strict=True)):
        mark = marks[number % len(marks)] if ascii_only or len(labels) > 1 else " "
        text = f" {label}{' ' * (longest - cell_width(label))}  {fact}"
        lines.append((Span(mark, number), Span(_cut(text, width - 1, ascii_only=ascii_only).rstrip())))
    return lines


def _above_zero(chart: Chart) -> str:
    return " above zero" if (chart.log_x or chart.log_y) and any(len(curve.ys) for curve in chart.curves) else ""


def _said(text: str, width: int, *, ascii_only: bool) -> str:
    return _cut(display(text), width, ascii_only=ascii_only)


def _cut(text: str, width: int, *, ascii_only: bool) -> str:
    if not ascii_only:
        return display(text, width)
    shown = text.encode("ascii", "backslashreplace").decode()
    return shown if len(shown) <= width else shown[: max(width - 2, 0)] + ".."

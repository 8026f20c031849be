"""Charts as an SVG: one text that needs nothing else, readable on paper, in the dark and by a screen reader.

Colours are those that people with any kind of colour blindness tell apart (Okabe & Ito, "Color Universal Design",
2008), without the yellow one, which is too light on white; beyond seven curves the strokes are dashed too. Everything
is drawn by attributes, without a style sheet or a script: a strict content security policy lets it pass.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape

from gittrack.core.axes import TITLES, Axis, Tick, axes_of, fitting_ticks
from gittrack.core.curves import Chart, Curve, curve_facts, strokes, thin_apart, thin_curve, value_text
from gittrack.core.names import cell_width, display
from gittrack.frozen import dataclass

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES = ("", "8 4", "2 4", "10 4 2 4")
WIDTH, PLOT_HEIGHT = 800, 320
LEAST_LEFT, RIGHT, ABOVE, BELOW, LEGEND_LINE = 60, 36, 44, 48, 20
_LETTER = 8
"""Pixels that a letter of a tick takes, rather more than less."""
X_TICKS, Y_TICKS = 7, 6
MOST_POINTS = 2000
"""Points of a curve that are drawn; more would not be seen at this size, and make the file large."""
_MOST_TOOLTIPS = 60
_LABEL_CELLS = 60
_FONTS = "system-ui, Helvetica, Arial, sans-serif"
_INK, _GRID = "#333333", "#DDDDDD"


@dataclass(frozen=True, slots=True)
class Panel:
    """Where one chart lies in the picture.

    Attributes:
        chart: its curves thinned to what is drawn.
        raw: the raw points of each smoothed curve, thinned.
        facts: what the legend says of each curve as it was before it was thinned.
        top: of its title; the field of the curves begins ``ABOVE`` below.
        left: where the field begins, beside the longest label of its axis.
    """

    chart: Chart
    raw: tuple[Curve | None, ...]
    facts: tuple[str, ...]
    x_axis: Axis
    y_axis: Axis
    top: int
    left: int

    @property
    def x_ticks(self) -> list[Tick]:
        """The numbers below the horizontal axis, as many as have room."""
        return fitting_ticks(self.x_axis, X_TICKS, WIDTH - self.left - RIGHT, _LETTER)

    @property
    def height(self) -> int:
        """Of the title, the field, the axis and the legend."""
        return ABOVE + PLOT_HEIGHT + BELOW + LEGEND_LINE * len(self.chart.curves)

    def x(self, value: float) -> float:
        """The place of a number of the horizontal axis, in pixels."""
        return self.left + self.x_axis.place(value) * (WIDTH - self.left - RIGHT)

    def y(self, value: float) -> float:
        """The place of a number of the vertical axis, in pixels."""
        return self.top + ABOVE + (1 - self.y_axis.place(value)) * PLOT_HEIGHT


def panels_of(charts: Sequence[Chart]) -> list[Panel]:
    """Charts below each other, their curves thinned."""
    panels: list[Panel] = []
    top = 0
    for chart in charts:
        log_y = chart.log_y
        curves = tuple(thin_curve(curve, MOST_POINTS, log_y=log_y) for curve in chart.curves)
        raw = tuple(thin_apart(curve, MOST_POINTS, log_y=log_y) if curve.raw else None for curve in chart.curves)
        facts = tuple(", ".join(curve_facts(curve, chart)) for curve in chart.curves)
        drawn = Chart(chart.title, curves, chart.by, chart.log_x, chart.log_y)
        shown = [*curves, *(each for each in raw if each is not None)]
        axes = axes_of(Chart("", tuple(shown), chart.by, chart.log_x, chart.log_y))
        longest = max(len(tick.label) for tick in axes[1].ticks(Y_TICKS))
        panels.append(Panel(drawn, raw, facts, *axes, top, max(LEAST_LEFT, 16 + _LETTER * longest)))
        top += panels[-1].height
    return panels


def svg_text(charts: Sequence[Chart], title: str) -> str:
    """An SVG document.

    Args:
        charts: drawn below each other.
        title: of the whole; may hold anything, as every name in the charts.
    """
    return svg_of(panels_of(charts), title)


def svg_of(panels: Sequence[Panel], title: str) -> str:
    """The same for charts that have their places already."""
    height = max((panel.top + panel.height for panel in panels), default=0)
    size = f'width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" font-family="{_FONTS}" font-size="12">',
        f"<title>{_text(title)}</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#FFFFFF"/>',
    ]
    for panel in panels:
        lines += ["<g>", *_panel(panel), "</g>"]
    return "\n".join([*lines, "</svg>", ""])


def look_of(number: int) -> tuple[str, str]:
    """Colour and dashes of a curve."""
    return COLOURS[number % len(COLOURS)], DASHES[number // len(COLOURS) % len(DASHES)]


def _panel(panel: Panel) -> Iterator[str]:
    yield _label(WIDTH / 2, panel.top + 24, panel.chart.title, 'text-anchor="middle" font-size="16" fill="#000000"')
    yield from _grid(panel)
    for number, (curve, raw) in enumerate(zip(panel.chart.curves, panel.raw, strict=True)):
        if raw is not None:
            yield from _curve(panel, raw, number, faint=True)
        yield from _curve(panel, curve, number)
    if not any(len(curve.ys) for curve in panel.chart.curves):
        middle = panel.top + ABOVE + PLOT_HEIGHT / 2
        yield _label(WIDTH / 2, middle, "no points to draw", f'text-anchor="middle" fill="{_INK}"')
    for number, curve in enumerate(panel.chart.curves):
        yield from _legend_line(panel, curve, number)


def _grid(panel: Panel) -> Iterator[str]:
    bottom, right = panel.top + ABOVE + PLOT_HEIGHT, WIDTH - RIGHT
    for tick in panel.y_axis.ticks(Y_TICKS):
        y = panel.y(tick.value)
        yield f'<path d="M{panel.left} {y:.1f}H{right}" stroke="{_GRID}"/>'
        yield _label(panel.left - 8, y + 4, tick.label, f'text-anchor="end" fill="{_INK}"')
    for tick in panel.x_ticks:
        x = panel.x(tick.value)
        yield f'<path d="M{x:.1f} {panel.top + ABOVE}V{bottom}" stroke="{_GRID}"/>'
        yield _label(x, bottom + 18, tick.label, f'text-anchor="middle" fill="{_INK}"')
    yield f'<path d="M{panel.left} {panel.top + ABOVE}V{bottom}H{right}" fill="none" stroke="{_INK}"/>'
    yield _label((panel.left + right) / 2, bottom + 38, x_title(panel), f'text-anchor="middle" fill="{_INK}"')


def x_title(panel: Panel) -> str:
    """What the horizontal axis measures."""
    title = TITLES[panel.chart.by] + (", logarithmic" if panel.chart.log_x else "")
    return f"{title}, from {panel.x_axis.text(panel.x_axis.low)[:16]}" if panel.chart.by == "time" else title


def _curve(panel: Panel, curve: Curve, number: int, *, faint: bool = False) -> Iterator[str]:
    colour, dashes = look_of(number)
    opacity = ' opacity="0.3"' if faint else ""
    yield f'<g stroke="{colour}" fill="none"{opacity}>'
    yield f"<title>{_text(curve.label)}: {_text(panel.facts[number])}</title>"
    places = [(panel.x(x), panel.y(y)) for x, y in zip(curve.xs, curve.ys, strict=True)]
    dots, path = [], []
    for stroke in strokes(places):
        dots += stroke if len(stroke) == 1 else []
        path.append("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in stroke))
    if path:
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        yield f'<path d="{"".join(path)}" stroke-width="{1 if faint else 2}" stroke-linejoin="round"{dashed}/>'
    yield from (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in dots)
    yield from _infinities(panel, curve, colour)
    if not faint and len(curve.ys) <= _MOST_TOOLTIPS:
        yield from _tooltips(panel, curve, places)
    yield "</g>"


def _infinities(panel: Panel, curve: Curve, colour: str) -> Iterator[str]:
    for x, y in zip(curve.xs, curve.ys, strict=True):
        place = panel.x(x)
        if math.isinf(y) and math.isfinite(place):
            edge, tip = (panel.top + ABOVE, 8) if y > 0 else (panel.top + ABOVE + PLOT_HEIGHT, -8)
            yield f'<path d="M{place:.1f} {edge}l5 {tip}h-10z" fill="{colour}"><title>{_text(str(y))}</title></path>'


def _tooltips(panel: Panel, curve: Curve, places: Sequence[tuple[float, float]]) -> Iterator[str]:
    """What a browser shows over each point of a short curve."""
    for index, (x, place) in enumerate(zip(curve.xs, places, strict=True)):
        if math.isfinite(place[0]) and math.isfinite(place[1]):
            text = f"{curve.label}: {value_text(curve, index)} at {panel.x_axis.text(x)}"
            yield (
                f'<circle cx="{place[0]:.1f}" cy="{place[1]:.1f}" r="6" fill="#FFFFFF" fill-opacity="0" '
                f'stroke="none"><title>{_text(text)}</title></circle>'
            )


def _legend_line(panel: Panel, curve: Curve, number: int) -> Iterator[str]:
    colour, dashes = look_of(number)
    y = panel.top + ABOVE + PLOT_HEIGHT + BELOW + LEGEND_LINE * number + 6
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    yield f'<path d="M{LEAST_LEFT} {y}h28" stroke="{colour}" stroke-width="3"{dashed}/>'
    label = display(curve.label, _LABEL_CELLS)
    yield _label(LEAST_LEFT + 38, y + 4, f"{label}: {panel.facts[number]}", f'fill="{_INK}"')


def _label(x: float, y: float, text: str, attributes: str) -> str:
    cut = text if cell_width(text) <= 2 * _LABEL_CELLS else display(text, 2 * _LABEL_CELLS)
    return f'<text x="{x:.1f}" y="{y:.1f}" {attributes}>{_text(cut)}</text>'


def _text(text: str) -> str:
    """Any text as it may stand in XML: control characters, and what is no character at all, as escapes."""
    return escape(display(text))

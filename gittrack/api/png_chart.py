"""Charts as a PNG, drawn by matplotlib, which is asked for when it is needed."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gittrack.core.curves import Chart, Curve, strokes
from gittrack.core.names import display
from gittrack.core.svg_chart import Y_TICKS, Panel, look_of, panels_of, x_title
from gittrack.errors import MissingDependencyError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DPI = 150
_PIXELS = 100
"""Of an SVG in one inch of this picture."""


def png_bytes(charts: Sequence[Chart]) -> tuple[bytes, str]:
    """A PNG of some charts, and the characters that no installed font has: boxes stand in their places.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    try:
        import matplotlib
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingDependencyError(
            "a PNG is drawn by matplotlib, which is not installed", hint="pip install matplotlib, or -o curve.svg"
        ) from error
    panels = panels_of(charts)
    with matplotlib.rc_context(), warnings.catch_warnings():
        # A `matplotlibrc` of the directory one happens to be in must not decide: it could ask for LaTeX to be run.
        matplotlib.rcdefaults()
        warnings.simplefilter("ignore")  # of letters that its font has not
        figure = Figure(figsize=(8, sum(panel.height for panel in panels) / _PIXELS), dpi=_DPI, layout="constrained")
        FigureCanvasAgg(figure)
        ratios = [panel.height for panel in panels]
        for axes, panel in zip(
            figure.subplots(len(panels), squeeze=False, height_ratios=ratios)[:, 0], panels, strict=True
        ):
            _draw_panel(axes, panel)
        boxes = _choose_fonts(figure)
        out = io.BytesIO()
        figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue(), boxes


def _choose_fonts(figure: Figure) -> str:
    """Let letters that the usual font has not be drawn by other fonts; those that none has, in order."""
    from matplotlib import font_manager
    from matplotlib.text import Text

    texts = figure.findobj(Text)
    wanted = {char for text in texts for char in text.get_text() if not char.isspace()}
    families = ["DejaVu Sans"]
    lacking = _lacking(font_manager.findfont(families[0]), wanted)
    fonts = [
        font
        for font in font_manager.fontManager.ttflist
        # Matplotlib's own font of last resort has every character: a box.
        if font.style == "normal" and not font.name.startswith("Last Resort")
    ]
    for font in sorted(fonts, key=lambda each: (_rank(each.name), abs(_weight(each.weight) - 400), each.name)):
        if not lacking:
            break
        if len(left := _lacking(font.fname, lacking)) < len(lacking):
            families.append(font.name)
            lacking = left
    if len(families) > 1:
        for text in texts:
            text.set_fontfamily(families)
    return "".join(sorted(lacking))


_MANY_LETTERS = ("Noto Sans CJK", "Source Han Sans", "Noto Sans", "WenQuanYi", "Arial Unicode", "Unifont")


def _rank(family: str) -> int:
    """Fonts for many scripts first: letters of one name should look alike."""
    return next((place for place, begin in enumerate(_MANY_LETTERS) if family.startswith(begin)), len(_MANY_LETTERS))


def _weight(weight: int | str) -> int:
    return weight if isinstance(weight, int) else 400 if weight in ("normal", "regular", "book", "roman") else 700


def _lacking(path: str, chars: set[str]) -> set[str]:
    """The characters that a font has not; all of them when it cannot be used."""
    from matplotlib.ft2font import FT2Font

    try:
        font = FT2Font(path)
        font.set_size(12, 72)  # fails for fonts of pictures, which cannot be drawn
        return {char for char in chars if not font.get_char_index(ord(char))}
    except (OSError, RuntimeError):
        return chars


def _draw_panel(axes: Axes, panel: Panel) -> None:
    chart = panel.chart
    lines = []
    for number, (curve, raw) in enumerate(zip(chart.curves, panel.raw, strict=True)):
        if raw is not None:
            _plot(axes, panel, raw, number, faint=True)
        lines.append(_plot(axes, panel, curve, number))
    axes.set_xlim(0, 1)
    axes.set_ylim(-0.02, 1.02)
    axes.set_title(display(chart.title, 100), parse_math=False)
    axes.set_xlabel(x_title(panel))
    sides = (("x", panel.x_axis, panel.x_ticks), ("y", panel.y_axis, panel.y_axis.ticks(Y_TICKS)))
    for direction, axis, ticks in sides:
        getattr(axes, f"set_{direction}ticks")(
            [axis.place(tick.value) for tick in ticks], [tick.label for tick in ticks]
        )
    axes.grid(color="#DDDDDD")
    if not lines:
        return
    names = [f"curve {number}" for number in range(len(lines))]
    legend = axes.legend(lines, names, loc="upper left", bbox_to_anchor=(0, -0.16), frameon=False, fontsize="small")
    for text, curve, facts in zip(legend.get_texts(), chart.curves, panel.facts, strict=True):
        text.set_parse_math(False)
        text.set_text(f"{display(curve.label, 60)}: {facts}")


def _plot(axes: Axes, panel: Panel, curve: Curve, number: int, *, faint: bool = False) -> Any:
    """Draw in places from 0 to 1, so that the axes are those of the other formats, whatever the numbers are."""
    colour, dashes = look_of(number)
    places = [(panel.x_axis.place(x), panel.y_axis.place(y)) for x, y in zip(curve.xs, curve.ys, strict=True)]
    numbers = [int(part) for part in dashes.split()]
    (line,) = axes.plot(
        [x for x, _ in places],
        [y if math.isfinite(y) else math.nan for _, y in places],
        color=colour,
        linestyle=(0, numbers) if numbers else "solid",
        linewidth=0.8 if faint else 1.6,
        alpha=0.3 if faint else 1,
    )
    alone = [stroke[0] for stroke in strokes(places) if len(stroke) == 1]  # no line leads to them
    if alone:
        axes.plot([x for x, _ in alone], [y for _, y in alone], "o", color=colour, alpha=0.3 if faint else 1)
    for edge, mark in ((1, "^"), (0, "v")):
        infinite = [x for x, y in places if math.isinf(y) and (y > 0) == bool(edge)]
        if infinite:
            axes.plot(infinite, [edge] * len(infinite), mark, color=colour, clip_on=False)
    return line

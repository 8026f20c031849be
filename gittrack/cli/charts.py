"""Charts on a terminal: how large they may be, and the colours of their curves."""

from __future__ import annotations

from collections.abc import Sequence

import click

from gittrack.cli.terminal import Terminal
from gittrack.core.curves import Chart
from gittrack.core.terminal_chart import LEAST_HEIGHT, Line, chart_lines

PLAIN_WIDTH, HEIGHT = 80, 15
BESIDE_THE_FIELD = 5
"""Lines of a chart that are not its field, with one curve in its legend."""
_COLOURS = ("cyan", "yellow", "magenta", "green", "blue", "red", "white")


def charts_text(
    charts: Sequence[Chart],
    terminal: Terminal,
    *,
    width: int | None = None,
    height: int | None = None,
    ascii_only: bool = False,
) -> list[str]:
    """The lines of some charts, below each other.

    Args:
        charts: what is drawn.
        terminal: where; without one a chart is 80 columns wide and not painted.
        width: columns; those of the terminal when None.
        height: lines of each field; when None what is usual, or less where the terminal is lower.
        ascii_only: draw with nothing but ASCII.
    """
    wide = width or (PLAIN_WIDTH if terminal.width is None else max(terminal.width - 1, 1))
    lines: list[str] = []
    for chart in charts:
        high = height or _usual_height(terminal, len(chart.curves))
        drawn = chart_lines(chart, wide, high, ascii_only=ascii_only)
        lines += ([""] if lines else []) + [
            _painted(line, terminal, title=number == 0) for number, line in enumerate(drawn)
        ]
    return lines


def _usual_height(terminal: Terminal, curves: int) -> int:
    if terminal.width is None:
        return HEIGHT
    return max(LEAST_HEIGHT, min(HEIGHT, terminal.height - BESIDE_THE_FIELD - curves))


def _painted(line: Line, terminal: Terminal, *, title: bool) -> str:
    if not terminal.colour:
        return "".join(span.text for span in line).rstrip()
    if title:
        return terminal.paint("".join(span.text for span in line), "title")
    return "".join(
        click.style(span.text, fg=_COLOURS[span.curve % len(_COLOURS)])
        if span.curve >= 0 and span.text.strip()
        else span.text
        for span in line
    )

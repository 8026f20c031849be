"""``gittrack plot``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gittrack.cli.session import Session
from gittrack.cli.terminal import say
from gittrack.errors import UsageError

if TYPE_CHECKING:
    from gittrack.api.plot import Drawing
    from gittrack.core.curves import By


@click.command("plot")
@click.argument("runs", metavar="[RUN]...", nargs=-1)
@click.option("--query", metavar="QUERY", help="The runs that answer it, as `gittrack ls QUERY` lists them.")
@click.option("-e", "--experiment", metavar="EXP", help="All runs of this experiment (name or id), or those of QUERY.")
@click.option("-m", "--metric", "metrics", metavar="NAME", multiple=True, help="A metric, or several: 'val/*'.")
@click.option(
    "--by",
    type=click.Choice(["step", "time", "relative"]),
    default="step",
    show_default=True,
    help="Draw along the steps, the clock, or the time since each run began.",
)
@click.option(
    "--smooth",
    metavar="WEIGHT",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.0,
    help="Smooth by an exponential moving average: 0 not at all, 0.6 a little, 0.99 a lot.",
)
@click.option("--log-x", is_flag=True, help="A logarithmic horizontal axis.")
@click.option("--log-y", is_flag=True, help="A logarithmic vertical axis.")
@click.option("--width", metavar="N", type=click.IntRange(20, 1000), help="Columns; those of the terminal, else 80.")
@click.option("--height", metavar="N", type=click.IntRange(3, 500), help="Lines of each chart's field.")
@click.option("--ascii", "ascii_only", is_flag=True, help="Draw with nothing but ASCII.")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write one file that needs no network: .svg, .html (tells values under the pointer) or .png.",
)
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
@click.pass_obj
def command(
    session: Session,
    runs: tuple[str, ...],
    query: str | None,
    experiment: str | None,
    metrics: tuple[str, ...],
    by: By,
    smooth: float,
    log_x: bool,
    log_y: bool,
    width: int | None,
    height: int | None,
    ascii_only: bool,
    output: Path | None,
    force: bool,
) -> None:
    """Draw the curves of metrics: in the terminal, or into a file.

    Each metric is a chart of its own. Without -m up to four are drawn: those of the setting `headline`, then curves
    that are usually looked at, such as loss and val/loss. A gap in a curve is a NaN, an arrow at the edge an infinity.
    """
    from gittrack.api.plot import (
        View,
        check_target,
        check_view,
        chosen_metrics,
        default_metrics,
        draw,
        find_runs,
        write_charts,
    )
    from gittrack.cli.searching import searched

    if not runs and query is None and experiment is None:
        raise UsageError("no run is named", hint="gittrack plot @latest, or gittrack plot -e EXPERIMENT")
    if force and output is None:
        raise UsageError("--force needs the file it is about", hint="gittrack plot @latest -o curve.svg --force")
    if output is not None:
        check_target(output, force=force)
    view = View(by, smooth, log_x, log_y)
    check_view(view)
    project = session.recovered()
    found = find_runs(project, runs, searched(project, query, experiment))
    names = chosen_metrics(project, found, metrics) if metrics else default_metrics(project, found)
    drawing = draw(found, names, view)
    unseen: tuple[str, ...] = ()
    if output is None:
        _show(session, drawing, width, height, ascii_only=ascii_only)
    else:
        unseen = write_charts(output, drawing.charts, force=force)
        say(f"wrote {output}")
    for reason in (*drawing.left_out, *unseen):
        say(f"warning: {reason}", role="warning")


def _show(session: Session, drawing: Drawing, width: int | None, height: int | None, *, ascii_only: bool) -> None:
    from gittrack.cli.charts import charts_text
    from gittrack.core.terminal_chart import MOST_CURVES

    many = max(len(chart.curves) for chart in drawing.charts)
    if many > MOST_CURVES:
        raise UsageError(
            f"{many} curves cannot be told apart in a terminal, at most {MOST_CURVES} can", hint="-o curve.html"
        )
    plain = ascii_only or session.environ.get("TERM") == "dumb"
    lines = charts_text(drawing.charts, session.stdout, width=width, height=height, ascii_only=plain)
    session.stdout.show(lines, session.environ)

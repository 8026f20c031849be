"""``gittrack top``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from gittrack.cli.session import Session
from gittrack.cli.terminal import Terminal, say, warn_of

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.api.read import Listing, SavedRun
    from gittrack.cli.render import Cell, Column

_METRIC_NAME = 24
"""Columns of the name of a metric."""


@click.command("top")
@click.option(
    "-n",
    "--seconds",
    metavar="SECONDS",
    type=click.FloatRange(min=0.1, max=86_400),
    default=2.0,
    show_default=True,
    help="How long each listing stays.",
)
@click.option("--once", is_flag=True, help="List them once.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, once.")
@click.pass_obj
def command(session: Session, seconds: float, once: bool, as_json: bool) -> None:
    """Show the runs in progress, again and again. They stand in one place of the terminal; q or Ctrl-C ends it.

    Where nothing can be drawn in place (a pipe, TERM=dumb) they are listed once. What is shown is read, never changed.
    """
    from gittrack.api.live_runs import LiveRuns
    from gittrack.cli.screen import Screen, has_cursor_control, refresh

    project = session.recovered()
    live = LiveRuns(project)
    if not once and not as_json and has_cursor_control(session.environ):
        with Screen.held(session.environ) as screen:
            refresh(screen, seconds, lambda terminal: (_page(project, live.read(), terminal), False))
        return
    listing = live.read()
    if as_json:
        _print_json(project, listing)
    elif listing.runs:
        session.stdout.show(_table(project, listing.runs, session.stdout), session.environ)
    else:
        say("no run is in progress; all runs: gittrack ls")
    warn_of([f"cannot read {problem.where}: {problem.reason}" for problem in listing.problems])


def _print_json(project: Project, listing: Listing) -> None:
    from gittrack.api.farewell import duration_of
    from gittrack.cli import shapes

    now = project.now()
    runs = [{**shapes.listed_run(run), "elapsed_ms": duration_of(run.record, now)} for run in listing.runs]
    shapes.print_json(runs=runs, problems=[shapes.problem(each) for each in listing.problems])


def _page(project: Project, listing: Listing, terminal: Terminal) -> list[str]:
    from gittrack.cli.render import plural, time_text
    from gittrack.core.names import display

    head = f"{plural(len(listing.runs), 'run')} in progress   {time_text(project.now())}   q quits"
    lines = [terminal.paint(head, "title"), ""]
    lines += _table(project, listing.runs, terminal) if listing.runs else ["waiting for one to begin"]
    for problem in listing.problems:
        lines.append(
            terminal.paint(display(f"cannot read {problem.where}: {problem.reason}", terminal.width), "warning")
        )
    return lines


def _table(project: Project, runs: Sequence[SavedRun], terminal: Terminal) -> list[str]:
    from gittrack.api.farewell import duration_of
    from gittrack.cli.render import Cell, Column, short_ids, status_role, table
    from gittrack.core.names import cell_width
    from gittrack.core.sparkline import format_duration

    columns = [
        Column("ID"),
        Column("NAME", least=_LEAST_NAME),
        Column("EXPERIMENT", least=_LEAST_EXPERIMENT),
        Column("STATUS"),
        Column("ELAPSED", right=True),
    ]
    now, ids = project.now(), short_ids(runs)
    rows = [
        [
            Cell(ids[run.id], "warning" if terminal.colour else ""),
            Cell(run.name),
            Cell(run.record.experiment.name),
            Cell(run.status.value + _seen(run, now), status_role(run.status)),
            Cell(format_duration(duration_of(run.record, now))),
        ]
        for run in runs
    ]
    cells = _metrics_cells(project, runs, _room(columns, rows, terminal))
    # Names are cut rather than numbers.
    columns.append(Column("METRICS", least=max(map(cell_width, cells), default=0)))
    return table(columns, [[*row, Cell(text)] for row, text in zip(rows, cells, strict=True)], terminal)


def _seen(run: SavedRun, now: int) -> str:
    """How old what is known of a run that goes on elsewhere is."""
    from gittrack.core.sparkline import format_age

    return "" if run.seen is None else f", seen {format_age(now - run.seen)}"


_LEAST_NAME, _LEAST_EXPERIMENT = 12, 8


def _room(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], terminal: Terminal) -> tuple[int, int] | None:
    """Columns that metrics may take: beside the others as wide as they are, and as narrow as they can be."""
    from gittrack.cli.render import GAP
    from gittrack.core.names import cell_width, display

    if terminal.width is None:
        return None
    widths = [
        max(cell_width(column.title), *(cell_width(display(row[place].text)) for row in rows))
        for place, column in enumerate(columns)
    ]
    left = terminal.width - len(GAP) * len(widths)
    narrow = [min(width, column.least or width) for width, column in zip(widths, columns, strict=True)]
    return left - sum(widths), left - sum(narrow)


def _metrics_cells(project: Project, runs: Sequence[SavedRun], room: tuple[int, int] | None) -> list[str]:
    """The metrics of each run: at least one, and as many more as are seen whole."""
    from gittrack.api.farewell import chosen_metrics, metric_text
    from gittrack.core.names import cell_width

    cells = [
        [metric_text(run, name, _METRIC_NAME) for name in chosen_metrics(run, project.config.headline)] for run in runs
    ]
    if room is not None:
        widest = max((cell_width(texts[0]) for texts in cells if texts), default=0)
        wide = max(room[0], min(room[1], widest))
        for texts in cells:
            while len(texts) > 1 and cell_width("  ".join(texts)) > wide:
                texts.pop()
    return ["  ".join(texts) for texts in cells]

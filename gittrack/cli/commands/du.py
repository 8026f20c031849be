"""``gittrack du``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gittrack.cli.session import Session
from gittrack.cli.terminal import say

if TYPE_CHECKING:
    from gittrack.api.disk_usage import DiskUsage, Grouping, UsageRow
    from gittrack.cli.render import Cell, Column


@click.command("du")
@click.option(
    "--by",
    type=click.Choice(["experiment", "run", "artifact"]),
    default="experiment",
    show_default=True,
    help="What a line is.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, sizes in bytes.")
@click.pass_obj
def command(session: Session, by: Grouping, as_json: bool) -> None:
    """Show where the bytes of artifacts are, the largest first.

    HERE is what lies in this clone's byte store, each file counted once; of that, ONLY belongs to this line, SHARED to
    other lines too. INLINE lies in git itself. MISSING is elsewhere, or lost.
    """
    from gittrack.api.disk_usage import disk_usage

    usage = disk_usage(session.recovered(), by)
    if as_json:
        from gittrack.cli import shapes

        shapes.print_json(**shapes.disk_usage(usage, by))
        return
    if usage.rows:
        from gittrack.cli.render import table

        rows = [_cells(row, by) for row in usage.rows]
        session.stdout.show(table(_columns(by), rows, session.stdout), session.environ)
    for problem in usage.problems:
        say(f"warning: {problem.where} is not counted: {problem.reason}", role="warning")
    _say_totals(usage)


def _columns(by: Grouping) -> list[Column]:
    from gittrack.cli.render import Column

    named = {
        "experiment": [Column("EXPERIMENT", least=12), Column("RUNS", right=True)],
        "run": [Column("RUN"), Column("NAME", least=12), Column("EXPERIMENT", least=10)],
        "artifact": [Column("RUN"), Column("ARTIFACT", least=16)],
    }[by]
    return named + [Column(title, right=True) for title in ("HERE", "ONLY", "SHARED", "INLINE", "MISSING")]


def _cells(row: UsageRow, by: Grouping) -> list[Cell]:
    from gittrack.cli.render import Cell
    from gittrack.core.sizes import format_size

    short = Cell(row.run[:8], "faint")
    named = {
        "experiment": [Cell(row.experiment), Cell(str(row.runs))],
        "run": [short, Cell(row.name + (" (deleted)" if row.deleted else "")), Cell(row.experiment)],
        "artifact": [short, Cell(row.path)],
    }[by]
    sizes = (row.here, row.only, row.shared, row.inline, row.missing)
    return named + [Cell(format_size(size) if size else "-", "" if size else "faint") for size in sizes]


def _say_totals(usage: DiskUsage) -> None:
    from gittrack.core.sizes import format_size

    unused = f", {format_size(usage.unused)} of it used by no run" if usage.unused else ""
    missing = f"; {format_size(usage.missing)} are not here" if usage.missing else ""
    say(f"the byte store holds {format_size(usage.here)}{unused}; {format_size(usage.inline)} lie in git{missing}")
    say("next: gittrack gc --dry-run" if usage.unused else "next: gittrack du --by artifact")

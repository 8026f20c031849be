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
    other lines too. INLINE lies in git itself. MISSING is elsewhere, or lost. Deleted runs keep their bytes, and count.
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
    _say_totals(usage, by)


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
        "experiment": [Cell(row.experiment), Cell(_runs(row))],
        "run": [short, Cell(row.name + (" (deleted)" if row.deleted else "")), Cell(row.experiment)],
        "artifact": [short, Cell(row.path + (" (of a deleted run)" if row.deleted else ""))],
    }[by]
    sizes = (row.here, row.only, row.shared, row.inline, row.missing)
    return named + [Cell(format_size(size) if size else "-", "" if size else "faint") for size in sizes]


def _runs(row: UsageRow) -> str:
    return f"{row.runs} ({row.deleted_runs} deleted)" if row.deleted_runs else str(row.runs)


def _say_totals(usage: DiskUsage, by: Grouping) -> None:
    from gittrack.core.sizes import format_size

    parts = [f"the byte store holds {format_size(usage.here)}"]
    if usage.otherwise:
        parts[0] += f", {format_size(usage.otherwise)} of it for branches, or what runs read or had before"
    if usage.unused:
        wait = f" ({format_size(usage.young)} written within the last day)" if usage.young else ""
        parts[0] += f", {format_size(usage.unused)} used by nothing{wait}"
    if usage.scratch:
        parts.append(f"half-copied files hold {format_size(usage.scratch)}")
    parts.append(f"{format_size(usage.inline)} lie in git")
    if usage.missing:
        parts.append(f"{format_size(usage.missing)} are not here")
    say("; ".join(parts))
    if usage.removable:
        say("next: gittrack gc --dry-run")
    else:
        say("next: gittrack gc --help" if by == "artifact" else "next: gittrack du --by artifact")

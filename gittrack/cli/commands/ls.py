"""``gittrack ls``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from gittrack.cli.session import Session
from gittrack.cli.terminal import Terminal, print_data, say
from gittrack.core.records import RunStatus
from gittrack.errors import UsageError

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.api.read import SavedRun


@click.command("ls")
@click.option("-e", "--experiment", metavar="EXP", help="Only runs of this experiment (name or id).")
@click.option(
    "--status",
    "statuses",
    type=click.Choice([status.value for status in RunStatus]),
    multiple=True,
    help="Only runs that stand like this.",
)
@click.option("-n", "--number", metavar="N", type=click.IntRange(min=1), help="Only the newest N.")
@click.option("--deleted", is_flag=True, help="The deleted runs instead of the others.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV: a column for each parameter, metric and tag.")
@click.pass_obj
def command(
    session: Session,
    experiment: str | None,
    statuses: tuple[str, ...],
    number: int | None,
    deleted: bool,
    as_json: bool,
    as_csv: bool,
) -> None:
    """List runs, newest first. Child runs stand under their parent."""
    from gittrack.api.read import list_runs
    from gittrack.cli.render import short_ids

    if as_json and as_csv:
        raise UsageError("--json and --csv exclude each other", hint="gittrack ls --json")
    project = session.recovered()
    listing = list_runs(project, experiment=experiment, deleted=deleted)
    runs = [run for run in listing.runs if not statuses or run.status.value in statuses][:number]
    if as_json:
        from gittrack.cli import shapes

        shapes.print_json(
            runs=[shapes.listed_run(run) for run in runs], problems=[shapes.problem(each) for each in listing.problems]
        )
    elif as_csv:
        from gittrack.cli.spreadsheet import csv_text

        print_data(csv_text(runs), end="")
    elif runs:
        session.stdout.show(_lines(project, runs, short_ids(listing.runs), session.stdout), session.environ)
    else:
        _say_nothing_found(filtered=bool(experiment or statuses or deleted))
    for problem in listing.problems:
        say(f"warning: cannot read {problem.where}: {problem.reason}", role="warning")
    if listing.problems:
        say("next: gittrack fsck")


def _lines(project: Project, runs: Sequence[SavedRun], ids: dict[str, str], terminal: Terminal) -> list[str]:
    from gittrack.api.farewell import chosen_metrics, metric_text
    from gittrack.cli.render import Cell, Column, status_role, table, tree
    from gittrack.core.sparkline import format_age

    columns = [
        Column("ID"),
        Column("NAME", least=12),
        Column("EXPERIMENT", least=8),
        Column("STATUS"),
        Column("AGE"),
        Column("METRICS", least=16),
    ]
    now = project.now()
    rows = []
    for branch, run in tree(runs):
        metrics = [metric_text(run, name) for name in chosen_metrics(run, project.config.headline)]
        conflict = " (in conflict)" if run.conflicts or run.state.conflicts else ""
        rows.append(
            [
                Cell(ids[run.id], "warning" if terminal.colour else ""),
                Cell(f"{branch}{run.name}"),
                Cell(run.record.experiment.name),
                Cell(f"{run.status.value}{conflict}", status_role(run.status)),
                Cell(format_age(now - run.record.start_time), "faint"),
                Cell("  ".join(metrics)),
            ]
        )
    return table(columns, rows, terminal)


def _say_nothing_found(*, filtered: bool) -> None:
    if filtered:
        say("no run is like that; all: gittrack ls")
    else:
        say("no runs yet; the first one: gittrack run -- python train.py")

"""``gittrack ls``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from gittrack.cli.session import Session
from gittrack.cli.terminal import say
from gittrack.core.records import RunStatus

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.api.read import SavedRun
    from gittrack.cli.searching import Asked, Pages
    from gittrack.core.run_columns import ColumnChoice

_ON_A_SCREEN = 1000
"""So many runs are listed in a terminal unless a number is given."""


@click.command("ls")
@click.argument("query", nargs=-1, metavar="[QUERY|@VIEW]...")
@click.option("-e", "--experiment", metavar="EXP", help="Only runs of this experiment (name or id).")
@click.option(
    "--status",
    "statuses",
    type=click.Choice([status.value for status in RunStatus]),
    multiple=True,
    help="Only runs that stand like this.",
)
@click.option(
    "--sort", metavar="KEY", multiple=True, help="Order by this: metrics.loss, -metrics.acc for the highest first."
)
@click.option("-n", "--number", metavar="N", type=click.IntRange(min=1), help="At most N runs, the first of the order.")
@click.option(
    "--columns",
    metavar="COLUMNS",
    multiple=True,
    help="Show these: name,metrics.acc,params.lr; +tags.team adds one to the usual ones.",
)
@click.option("--deleted", is_flag=True, help="The deleted runs instead of the others.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV: a column for each parameter, metric and tag.")
@click.option("--md", "as_md", is_flag=True, help="Print a Markdown table.")
@click.pass_obj
def command(
    session: Session,
    /,
    query: tuple[str, ...],
    experiment: str | None,
    statuses: tuple[str, ...],
    sort: tuple[str, ...],
    columns: tuple[str, ...],
    number: int | None,
    deleted: bool,
    **formats: bool,
) -> None:
    """List runs: all, those that a query finds, or those of a saved view.

    \b
    gittrack ls "metrics.acc > 0.9 and params.model = 'rf'" --sort -metrics.acc -n 20
    gittrack ls "status = 'failed' and start_time > -7d"
    gittrack ls @best --columns +params.lr

    \b
    fields   metrics.acc  summary.acc.max  params.lr  tags.team  data.train.hash
             inputs.path  artifacts.path  status  name  experiment  start_time
             duration  author  branch  commit  dirty  note  …; `odd names` so
    tests    = != < <= > >=  in ('a', 'b')  between 1 and 2  like 'a%'  ~ '^a'
             is null  is nan; and, or, not, parentheses; + - * /
    values   0.9  'text'  true  -7d  '2026-11-01'  90s  1h30m
    others   has artifact 'model'  code.changed('src')  text('words')

    The newest stand first, child runs under their parent; with a query or an order there is no such tree. A run must
    answer all queries, and that of the view; options win over the view's. A terminal shows the first 1000; files and
    pipes get all.
    """
    from gittrack.cli.searching import (
        Pages,
        chosen_format,
        columns_of,
        order_of,
        reading_progress,
        say_problems,
        say_unknown_fields,
        search_of,
        understood,
    )

    as_what = chosen_format(formats, "ls")
    project = session.recovered()
    asked = understood(project, query, statuses)
    view = asked.view
    order, choice = order_of(sort, view), columns_of(columns, view)
    number = number or (view.number if view else None)
    is_screen = not as_what and session.stdout.width is not None
    with reading_progress() as progress:
        search = search_of(project, asked, experiment, order=order, deleted=deleted, progress=progress)
        pages = Pages(project, search, number or (_ON_A_SCREEN if is_screen else None), progress)
    if as_what == "json":
        _print_json(pages, choice)
    elif as_what:
        _print_lines(pages, choice, as_csv=as_what == "csv")
    elif pages.first is not None:
        has_query = any(not word.startswith("@") for word in query) or bool(view and view.query)
        _show(session, pages, choice, as_tree=not order and not has_query)
    else:
        _say_nothing_found(project, asked, filtered=bool(query or experiment or statuses or deleted))
    say_unknown_fields(pages, [*(key.field for key in order), *(each.field for each in choice.columns if each.field)])
    if pages.is_cut and number is None:
        total = pages.total()
        say(f"shown: {_ON_A_SCREEN} of {total} runs; all: gittrack ls -n {total}, or fewer: a query, -e EXPERIMENT")
    say_problems(pages.problems)


def _print_json(pages: Pages, choice: ColumnChoice) -> None:
    from gittrack.cli import shapes
    from gittrack.cli.run_export import print_json_runs

    def shape(run: SavedRun) -> dict[str, Any]:
        if maker is None:
            return shapes.listed_run(run)
        known = shapes.listed_run(run) if choice.adds else {"id": run.id}
        return {**known, "columns": maker.values(run)}

    maker = None
    if choice.columns:
        from gittrack.cli.columns import RowMaker

        maker = RowMaker(pages, choice.columns)
    print_json_runs(map(shape, pages), {}, lambda: {"problems": [shapes.problem(each) for each in pages.problems]})


def _print_lines(pages: Pages, choice: ColumnChoice, *, as_csv: bool) -> None:
    from gittrack.cli.run_export import print_some_at_a_time

    if as_csv:
        from gittrack.cli.spreadsheet import csv_of_columns, csv_of_everything

        if choice.columns and not choice.adds:
            lines = csv_of_columns(pages, choice.columns)
        else:
            lines = csv_of_everything(pages, choice.columns)
    else:
        from gittrack.cli.columns import shown_columns
        from gittrack.cli.run_table import markdown

        columns = shown_columns(choice.columns, adds=choice.adds, order=pages.asked.order)
        lines = (line + "\n" for line in markdown(pages, columns))
    print_some_at_a_time(lines)


def _show(session: Session, pages: Pages, choice: ColumnChoice, *, as_tree: bool) -> None:
    from gittrack.cli.columns import shown_columns
    from gittrack.cli.run_table import run_lines

    columns = shown_columns(choice.columns, adds=choice.adds, order=pages.asked.order)
    lines = run_lines(pages, columns, session.stdout, as_tree=as_tree)
    session.stdout.show(lines, session.environ)


def _say_nothing_found(project: Project, asked: Asked, *, filtered: bool) -> None:
    from gittrack.cli.searching import say_unknown

    if say_unknown(project, asked.expression):
        say("next: gittrack ls")
    elif filtered:
        say("no run is like that; all: gittrack ls")
    else:
        others = any(key.startswith("remote.") for key in project.git_config)
        more = "; those of others: gittrack fetch" if others else ""
        say(f"no runs yet; the first one: gittrack run -- python train.py{more}")

"""``gittrack views``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from gittrack.cli.session import Session
from gittrack.cli.terminal import print_page, say
from gittrack.errors import UsageError

if TYPE_CHECKING:
    from gittrack.core.view import View


@click.group("views", invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """List, show, save and remove saved views: a query with its columns and its order.

    A view is a file of the repository, .gittrack/views/NAME.toml, committed and reviewed like code. Use one by
    gittrack ls @NAME.
    """
    if context.invoked_subcommand is None:
        _list(context.obj, as_json)


def _list(session: Session, as_json: bool) -> None:
    from gittrack.api.views import list_views

    views, broken = list_views(session.project())
    if as_json:
        from gittrack.cli.shapes import print_json

        problems = [{"where": each.path, "reason": each.reason} for each in broken]
        print_json(views=[_shape(view) for view in views], problems=problems)
    elif views:
        from gittrack.cli.render import Cell, Column, table

        columns = [Column("VIEW"), Column("QUERY", least=16), Column("SORT"), Column("DESCRIPTION", least=12)]
        rows = [
            [Cell(f"@{view.name}"), *map(Cell, (view.query, ", ".join(view.sort), view.description))] for view in views
        ]
        session.stdout.show(table(columns, rows, session.stdout), session.environ)
    for each in broken:
        say(f"warning: {each.path} is no view: {each.reason}; {each.hint}", role="warning")
    if not views and not broken and not as_json:
        say("no views yet; save one: gittrack views save best --sort -metrics.acc -n 20")


def _shape(view: View) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(view)


@command.command("save")
@click.argument("name")
@click.argument("query", default="")
@click.option("--sort", metavar="KEY", multiple=True, help="Order by this: metrics.loss, -metrics.acc.")
@click.option("--columns", metavar="COLUMNS", multiple=True, help="Show these: name,metrics.acc; +tags.team adds one.")
@click.option("-n", "--number", metavar="N", type=click.IntRange(min=1), help="At most N runs.")
@click.option("--description", metavar="TEXT", default="", help="What it is for.")
@click.option("--force", is_flag=True, help="Replace the view of that name.")
@click.pass_obj
def save(
    session: Session,
    name: str,
    query: str,
    sort: tuple[str, ...],
    columns: tuple[str, ...],
    number: int | None,
    description: str,
    force: bool,
) -> None:
    """Save a view in the work tree; git is not told.

    \b
    gittrack views save best "status = 'finished'" --sort -metrics.acc -n 20
    """
    from gittrack.api.views import save_view
    from gittrack.core.names import display
    from gittrack.core.run_columns import column_texts
    from gittrack.core.view import View

    if not (query.strip() or sort or columns or number):
        hint = f"gittrack views save {display(name, 80)} --sort -metrics.acc -n 20"
        raise UsageError("a view needs a query, an order, columns or a number", hint=hint)
    view = View(name, query, column_texts(columns), sort, number, description)
    path = save_view(session.project(), view, replace=force)
    say(f"saved {display(path)}; use it: gittrack ls @{name}; share it: git add {path}")


@command.command("show")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def show(session: Session, name: str, as_json: bool) -> None:
    """Show what a view holds."""
    from gittrack.api.views import read_view

    view = read_view(session.project(), name.removeprefix("@"))
    if as_json:
        from gittrack.cli.shapes import print_json

        print_json(view=_shape(view))
        return
    from gittrack.cli.render import facts_lines

    facts = {
        "query": view.query or "(every run)",
        "columns": ", ".join(view.columns),
        "sort": ", ".join(view.sort),
        "number": "" if view.number is None else str(view.number),
        "description": view.description,
    }
    print_page("\n".join([f"@{view.name}", *facts_lines(facts, session.stdout)]))


@command.command("rm")
@click.argument("name")
@click.pass_obj
def remove(session: Session, name: str) -> None:
    """Remove a view from the work tree; git is not told."""
    from gittrack.api.views import remove_view

    path = remove_view(session.project(), name.removeprefix("@"))
    say(f"removed {path}; if it was committed: git checkout -- {path} brings it back")

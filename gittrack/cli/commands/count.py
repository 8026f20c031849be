"""``gittrack count``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from gittrack.cli.session import Session
from gittrack.cli.terminal import print_data
from gittrack.errors import QuerySyntaxError, UsageError

if TYPE_CHECKING:
    from gittrack.api.count_by import Group
    from gittrack.core.problem import Problem
    from gittrack.core.query.tree import Field


@click.command("count")
@click.argument("query", nargs=-1, metavar="[QUERY|@VIEW]...")
@click.option("-e", "--experiment", metavar="EXP", help="Only runs of this experiment (name or id).")
@click.option("--by", metavar="FIELD", help="Count for each value: experiment, status, params.model, tags.team.")
@click.option("--deleted", is_flag=True, help="The deleted runs instead of the others.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@click.option("--md", "as_md", is_flag=True, help="Print a Markdown table.")
@click.pass_obj
def command(
    session: Session,
    /,
    query: tuple[str, ...],
    experiment: str | None,
    by: str | None,
    deleted: bool,
    **formats: bool,
) -> None:
    """Count runs, all together or by what they have in common.

    \b
    gittrack count
    gittrack count "status = 'failed' and start_time > -7d"
    gittrack count --by params.model
    """
    from gittrack.cli.searching import (
        Pages,
        chosen_format,
        reading_progress,
        say_problems,
        say_unknown,
        search_of,
        understood,
    )

    as_what = chosen_format(formats, "count")
    field = None if by is None else _field(by)
    project = session.recovered()
    asked = understood(project, query)
    with reading_progress() as progress:
        search = search_of(project, asked, experiment, deleted=deleted, progress=progress)
        pages = Pages(project, search, 1, progress)  # for what could not be read, which is not counted
    groups: list[Group] = []
    if field is None:
        total = pages.total()
    else:
        from gittrack.api.count_by import count_by

        groups = count_by(project, search, field)
        total = sum(group.runs for group in groups)
    if as_what == "json":
        _print_json(total, field, groups, pages.problems)
    elif as_what:
        _print_table(total, field, groups, as_csv=as_what == "csv")
    elif field is None:
        print_data(str(total))
    elif groups:
        _show(session, field, groups)
    if not total:
        say_unknown(project, asked.expression)
    elif field is not None and groups[0].value is None:
        say_unknown(project, asked.expression, [field])
    say_problems(pages.problems)


def _field(text: str) -> Field:
    from gittrack.core.query.diagnosis import renamed
    from gittrack.core.query.fields import is_several
    from gittrack.core.query.parser import parse_field

    try:
        field = parse_field(text)
    except QuerySyntaxError as error:
        raise renamed(error, "the field") from error
    if is_several(field):
        raise UsageError(
            "a run may have several of this, runs cannot be counted by it", hint="gittrack count --by status"
        )
    return field


def _print_json(total: int, field: Field | None, groups: Sequence[Group], problems: Sequence[Problem]) -> None:
    from gittrack.cli import shapes
    from gittrack.core.query.unparse import field_text

    parts: dict[str, Any] = {"runs": total}
    if field is not None:
        parts["by"] = field_text(field)
        parts["groups"] = [{"value": group.value, "runs": group.runs} for group in groups]
    shapes.print_json(**parts, problems=[shapes.problem(each) for each in problems])


def _print_table(total: int, field: Field | None, groups: Sequence[Group], *, as_csv: bool) -> None:
    from gittrack.cli.exports import csv_text, markdown_lines
    from gittrack.core.query.unparse import field_text
    from gittrack.core.value_text import exact_text

    titles = ["runs"] if field is None else [field_text(field), "runs"]
    rows = [["" if group.value is None else exact_text(group.value), str(group.runs)] for group in groups]
    rows = [[str(total)]] if field is None else rows
    if as_csv:
        print_data(csv_text([titles, *rows]), end="")
    else:
        print_data("\n".join(markdown_lines(titles, rows)))


def _show(session: Session, field: Field, groups: Sequence[Group]) -> None:
    from gittrack.cli.columns import ABSENT, heads, shown_value
    from gittrack.cli.render import Cell, Column, table
    from gittrack.core.run_columns import RunColumn

    columns = [Column(heads([RunColumn(field)])[0], least=12), Column("RUNS", right=True)]
    rows = [
        [Cell(ABSENT, "faint") if group.value is None else Cell(shown_value(field, group.value)), Cell(str(group.runs))]
        for group in groups
    ]
    session.stdout.show(table(columns, rows, session.stdout), session.environ)

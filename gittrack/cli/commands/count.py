"""``gittrack count``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from gittrack.cli.session import Session
from gittrack.cli.terminal import print_data
from gittrack.errors import QuerySyntaxError

if TYPE_CHECKING:
    from gittrack.api.count_by import Group
    from gittrack.core.problem import Problem
    from gittrack.core.query.tree import Field

_WIDEST_VALUE = 200
"""Columns of a value where nothing else says how wide a line may be; JSON and CSV have all of it."""


@click.command("count")
@click.argument("query", nargs=-1, metavar="[QUERY|@VIEW]...")
@click.option("-e", "--experiment", metavar="EXP", help="Only runs of this experiment (name or id).")
@click.option(
    "--by", metavar="FIELD", multiple=True, help="Count for each value: experiment, status, params.model; repeatable."
)
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
    by: tuple[str, ...],
    deleted: bool,
    **formats: bool,
) -> None:
    """Count runs, all together or by what they have in common.

    \b
    gittrack count
    gittrack count "status = 'failed' and start_time > -7d"
    gittrack count --by params.model
    gittrack count --by experiment --by status
    gittrack count --by data.train.hash

    A run that has several of a field, as of inputs.path, counts for each of its values.
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
    fields = list(dict.fromkeys(map(_field, by)))
    project = session.recovered()
    asked = understood(project, query)
    with reading_progress() as progress:
        search = search_of(project, asked, experiment, deleted=deleted, progress=progress)
        pages = Pages(project, search, 1, progress)  # for what could not be read, which is not counted
    groups: Sequence[Group] = ()
    if fields:
        from gittrack.api.count_by import count_by

        counts = count_by(project, search, fields)
        total, groups = counts.runs, counts.groups
    else:
        total = pages.total()
    if as_what == "json":
        _print_json(total, fields, groups, pages.problems)
    elif as_what:
        _print_table(total, fields, groups, as_csv=as_what == "csv")
    elif not fields:
        print_data(str(total))
    elif groups:
        _show(session, fields, groups)
    if not total:
        say_unknown(project, asked.expression)
    elif fields and all(value is None for value in groups[0].values):
        say_unknown(project, asked.expression, fields)
    say_problems(pages.problems)


def _field(text: str) -> Field:
    from gittrack.core.query.diagnosis import renamed
    from gittrack.core.query.parser import parse_field

    try:
        return parse_field(text)
    except QuerySyntaxError as error:
        raise renamed(error, "the field") from error


def _print_json(total: int, fields: Sequence[Field], groups: Sequence[Group], problems: Sequence[Problem]) -> None:
    from gittrack.cli import shapes
    from gittrack.core.query.unparse import field_text

    parts: dict[str, Any] = {"runs": total}
    if len(fields) == 1:
        parts["by"] = field_text(fields[0])
        parts["groups"] = [{"value": group.values[0], "runs": group.runs} for group in groups]
    elif fields:
        parts["by"] = list(map(field_text, fields))
        parts["groups"] = [{"values": list(group.values), "runs": group.runs} for group in groups]
    shapes.print_json(**parts, problems=[shapes.problem(each) for each in problems])


def _print_table(total: int, fields: Sequence[Field], groups: Sequence[Group], *, as_csv: bool) -> None:
    from gittrack.cli.exports import csv_text, markdown_lines
    from gittrack.core.query.unparse import field_text
    from gittrack.core.value_text import exact_text

    titles = [*map(field_text, fields), "runs"]
    rows = [[*("" if each is None else exact_text(each) for each in group.values), str(group.runs)] for group in groups]
    rows = rows if fields else [[str(total)]]
    if as_csv:
        print_data(csv_text([titles, *rows]), end="")
    else:
        print_data("\n".join(markdown_lines(titles, rows)))


def _show(session: Session, fields: Sequence[Field], groups: Sequence[Group]) -> None:
    from gittrack.cli.columns import ABSENT, heads, shown_value
    from gittrack.cli.render import Cell, Column, table
    from gittrack.core.names import display
    from gittrack.core.run_columns import RunColumn

    def cell(field: Field, value: Any) -> Cell:
        if value is None:
            return Cell(ABSENT, "faint")
        return Cell(display(shown_value(field, value)[:_WIDEST_VALUE], _WIDEST_VALUE - 1))

    columns = [Column(head, least=12) for head in heads(list(map(RunColumn, fields)))]
    rows = [
        [*(cell(field, value) for field, value in zip(fields, group.values, strict=True)), Cell(str(group.runs))]
        for group in groups
    ]
    session.stdout.show(table([*columns, Column("RUNS", right=True)], rows, session.stdout), session.environ)

"""``gittrack best``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from gittrack.cli.session import Session
from gittrack.cli.terminal import print_data, say
from gittrack.errors import RunNotFoundError, UsageError

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.cli.searching import Asked, Pages
    from gittrack.core.directions import Direction
    from gittrack.core.query.tree import Field

_OF_METRICS = ("metrics.", "metric.", "summary.")


@click.command("best")
@click.argument("query", nargs=-1, metavar="[QUERY|@VIEW]...")
@click.option("-m", "--metric", metavar="METRIC", required=True, help="By this metric, or summary.METRIC.min.")
@click.option(
    "-n", "--number", metavar="N", type=click.IntRange(min=1), default=1, show_default=True, help="The best N."
)
@click.option("--by", type=click.Choice(["max", "min"]), help="Whether more or less is better.")
@click.option("-e", "--experiment", metavar="EXP", help="Only runs of this experiment (name or id).")
@click.option("--id", "as_id", is_flag=True, help="Print ids only, for scripts.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV: a column for each parameter, metric and tag.")
@click.option("--md", "as_md", is_flag=True, help="Print a Markdown table.")
@click.pass_obj
def command(
    session: Session,
    /,
    query: tuple[str, ...],
    metric: str,
    number: int,
    by: str | None,
    experiment: str | None,
    **formats: bool,
) -> None:
    """Name the runs that are best by a metric.

    \b
    gittrack best -m acc
    gittrack best -m loss -n 5 "params.model = 'rf'"
    gittrack show $(gittrack best -m acc --id)

    The last value of the metric counts, or another one: -m summary.acc.max. Whether more or less is better, the table
    [metrics] of .gittrack.toml says, else the metric's usual meaning: loss down, accuracy up. What is not a number is
    never best. Exit code 3 when no run has the metric.
    """
    from gittrack.cli.searching import Pages, chosen_format, reading_progress, say_problems, search_of, understood
    from gittrack.core.names import display
    from gittrack.core.query.tree import AllOf, IsNan, IsNull, Not, SortKey
    from gittrack.core.query.unparse import field_text

    as_what = chosen_format(formats, "best -m METRIC")
    project = session.recovered()
    field = _field(metric)
    words = understood(project, query)
    direction = _direction(project, words, field, by)
    has_it = (Not(IsNull(field)), Not(IsNan(field)))
    asked = replace(words, expression=AllOf((words.expression, *has_it)))
    with reading_progress() as progress:
        order = (SortKey(field, descending=direction.sign > 0),)
        search = search_of(project, asked, experiment, order=order, progress=progress)
        pages = Pages(project, search, number, progress)
    if pages.first is None:
        say_problems(pages.problems)
        _refuse_unknown(project, words, field, nothing_found=True)
        name = display(field_text(field), 80)
        raise RunNotFoundError(f"no run that is asked for has a number for {name}", hint=f"gittrack ls --sort {name}")
    if as_what == "id":
        print_data("\n".join(run.id for run in pages))
    elif as_what == "json":
        _print_json(pages, field, direction)
    elif as_what:
        _print_table(pages, field, direction, as_csv=as_what == "csv")
    else:
        _show(session, pages, field, direction)
    say_problems(pages.problems)


def _field(metric: str) -> Field:
    from gittrack.core.query.parser import parse_field
    from gittrack.core.query.tree import Field

    return parse_field(metric) if metric.startswith(_OF_METRICS) else Field("metrics", metric, "last")


def _direction(project: Project, words: Asked, field: Field, by: str | None) -> Direction:
    from gittrack.api.directions import directions_of
    from gittrack.core.directions import Direction
    from gittrack.core.names import display

    if by is not None:
        return Direction.UP if by == "max" else Direction.DOWN
    direction = directions_of(project).of(field.key)
    if direction is Direction.UNKNOWN:
        _refuse_unknown(project, words, field)
        text = f"which way '{display(field.key, 80)}' gets better is not known"
        hint = "--by max or --by min; or for good, in .gittrack.toml below [metrics]: maximize = […] or minimize = […]"
        raise UsageError(text, hint=hint)
    return direction


def _refuse_unknown(project: Project, words: Asked, field: Field, *, nothing_found: bool = False) -> None:
    """Raises RunNotFoundError when no run has the metric, or something that the query asks for."""
    from gittrack.api.index_lookups import unknown_in, unknown_values
    from gittrack.core.names import display

    unknown = unknown_in(project, words.expression, [field])
    if nothing_found and not unknown:
        unknown = unknown_values(project, words.expression)
    if unknown:
        missing, near = unknown[0]
        hint = f"did you mean {display(near, 80)}?" if near else "gittrack ls"
        raise RunNotFoundError(f"no run has {display(missing, 80)}", hint=hint)


def _print_json(pages: Pages, field: Field, direction: Direction) -> None:
    from gittrack.cli import shapes
    from gittrack.cli.run_export import print_json_runs
    from gittrack.core.query.unparse import field_text

    runs = (shapes.listed_run(run) | {"value": getattr(run.record.metrics[field.key], field.part)} for run in pages)
    before = {"metric": field_text(field), "direction": direction.value}
    print_json_runs(runs, before, lambda: {"problems": [shapes.problem(each) for each in pages.problems]})


def _print_table(pages: Pages, field: Field, direction: Direction, *, as_csv: bool) -> None:
    from gittrack.cli.columns import shown_columns
    from gittrack.cli.run_export import print_some_at_a_time
    from gittrack.core.run_columns import RunColumn

    if as_csv:
        from gittrack.cli.spreadsheet import csv_of_everything

        # The last value of every metric is there already.
        print_some_at_a_time(csv_of_everything(pages, () if field.part == "last" else [RunColumn(field)]))
        return
    from gittrack.cli.run_table import markdown

    columns = shown_columns((), adds=False, order=pages.asked.order)
    titles = {columns.index(RunColumn(field)): direction.mark}
    print_some_at_a_time(line + "\n" for line in markdown(pages, columns, titles))


def _show(session: Session, pages: Pages, field: Field, direction: Direction) -> None:
    from gittrack.cli.columns import heads, shown_columns
    from gittrack.cli.run_table import run_lines
    from gittrack.core.run_columns import RunColumn

    columns = shown_columns((), adds=False, order=pages.asked.order)
    place = columns.index(RunColumn(field))
    titles = {place: f"{heads(columns)[place]} {direction.mark}"}
    lines = run_lines(pages, columns, session.stdout, as_tree=False, titles=titles)
    session.stdout.show(lines, session.environ)
    better, other = ("more", "min") if direction.sign > 0 else ("less", "max")
    short = "" if pages.first is None else pages.first.id[:8]
    say(f"{better} of {field.key} is better, or the other way: --by {other}; next: gittrack show {short}")

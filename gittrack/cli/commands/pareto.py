"""``gittrack pareto``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click

from gittrack.cli.session import Session
from gittrack.cli.terminal import print_data, say
from gittrack.errors import RunNotFoundError, UsageError

if TYPE_CHECKING:
    from gittrack.api.pareto import Pareto

_ON_A_TERMINAL = 200
"""Runs shown on a terminal unless a number says otherwise."""
_FEWEST_DRAWN, _WIDEST = 3, 100


@click.command("pareto")
@click.argument("query", nargs=-1, metavar="[QUERY|@VIEW]...")
@click.option(
    "-m", "--metric", "metrics", metavar="METRIC", multiple=True, help="By these, two or more; also summary.METRIC.min."
)
@click.option("-e", "--experiment", metavar="EXP", help="Only runs of this experiment (name or id).")
@click.option("--maximize", metavar="METRIC", multiple=True, help="More is better of it (name or pattern).")
@click.option("--minimize", metavar="METRIC", multiple=True, help="Less is better of it (name or pattern).")
@click.option("--fronts", metavar="N", type=click.IntRange(min=1), default=1, show_default=True, help="So many fronts.")
@click.option("-n", "--number", metavar="N", type=click.IntRange(min=1), help="Show at most N runs.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, numbers in full.")
@click.option("--md", "as_md", is_flag=True, help="Print a Markdown table.")
@click.pass_obj
def command(
    session: Session,
    query: tuple[str, ...],
    metrics: tuple[str, ...],
    experiment: str | None,
    maximize: tuple[str, ...],
    minimize: tuple[str, ...],
    fronts: int,
    number: int | None,
    as_json: bool,
    as_csv: bool,
    as_md: bool,
) -> None:
    """Name the runs that no other run beats in all metrics at once.

    \b
    gittrack pareto -m acc -m latency
    gittrack pareto -m acc -m latency -m size "params.model = 'rf'"

    A run beats another when it is at least as good in every metric and better in one. Which way each gets better, the
    table [metrics] of .gittrack.toml says, else its usual meaning. The second front is what only the first beats. Runs
    that lack a metric, or whose value is NaN, are left out and counted. Exit code 3 when no run is left.
    """
    if as_json + as_csv + as_md > 1:
        raise UsageError("only one of --json, --csv and --md", hint="gittrack pareto … --json")
    from gittrack.api.pareto import ParetoAsked, find_pareto, parse_metric
    from gittrack.cli.searching import reading_progress, say_problems, search_of, understood
    from gittrack.core.directions import Directions

    project = session.recovered()
    on_screen = session.stdout.width is not None and not (as_json or as_csv or as_md)
    with reading_progress() as progress:
        search = search_of(project, understood(project, query), experiment)
        asked = ParetoAsked(
            tuple(map(parse_metric, metrics)),
            fronts,
            number or (_ON_A_TERMINAL if on_screen else None),
            search.expression,
            None if search.experiments is None else tuple(search.experiments),
            Directions(maximize, minimize),
            search.seconds,
        )
        found = find_pareto(project, asked, progress)
    if not found.compared:
        say_problems(found.problems)
        text = f"no run that is asked for has a number for every metric{_left_out(found)}"
        raise RunNotFoundError(text, hint="gittrack ls")
    if as_json:
        _print_json(found)
    elif as_csv or as_md:
        _print_table(found, as_csv=as_csv)
    else:
        _show(session, found)
    say_problems(found.problems)
    _say_counts(found)


def _print_json(found: Pareto) -> None:
    from gittrack.cli import shapes

    metrics = [
        {"name": name, "direction": way.value} for name, way in zip(found.metrics, found.directions, strict=True)
    ]
    shapes.print_json(
        metrics=metrics,
        runs=[shapes.listed_run(each.run) | {"front": each.front, "values": list(each.values)} for each in found.runs],
        fronts=list(found.sizes),
        compared=found.compared,
        left_out={"lacking": found.lacking, "nan": found.nan},
        problems=[shapes.problem(each) for each in found.problems],
    )


def _print_table(found: Pareto, *, as_csv: bool) -> None:
    from gittrack.cli.exports import csv_text, markdown_lines
    from gittrack.cli.render import short_ids
    from gittrack.core.sparkline import format_number
    from gittrack.core.value_text import exact_text

    if as_csv:
        rows = (
            [str(each.front), each.run.id, each.run.name, each.run.experiment, *map(exact_text, each.values)]
            for each in found.runs
        )
        print_data(csv_text([["front", "run", "name", "experiment", *found.metrics], *rows]), end="")
        return
    ids = short_ids([each.run for each in found.runs])
    short = (
        [str(each.front), ids[each.run.id], each.run.name, each.run.experiment, *map(format_number, each.values)]
        for each in found.runs
    )
    print_data("\n".join(markdown_lines(["front", "run", "name", "experiment", *_titles(found)], short)))


def _titles(found: Pareto) -> list[str]:
    return [f"{name} {way.mark}" for name, way in zip(found.metrics, found.directions, strict=True)]


def _show(session: Session, found: Pareto) -> None:
    from gittrack.cli.render import Column, table
    from gittrack.core.names import display

    several = len(found.sizes) > 1
    columns = [Column("FRONT", right=True)] if several else []
    columns += [Column("ID"), Column("NAME", least=12), Column("EXPERIMENT", least=8, spare=1)]
    columns += [Column(display(title, 40), right=True) for title in _titles(found)]
    lines = table(columns, list(_rows(found, several)), session.stdout)
    session.stdout.show([*_drawing(session, found), *lines], session.environ)


def _drawing(session: Session, found: Pareto) -> list[str]:
    """The first two metrics of all runs, on a terminal: the front is large, the others are small."""
    if session.stdout.width is None or found.compared < _FEWEST_DRAWN:
        return []
    from gittrack.core.scatter import scatter_lines

    first: list[tuple[float, float]] = []
    rest = list(found.others)
    for each in found.runs:
        (first if each.front == 1 else rest).append((each.values[0], each.values[1]))
    titles = _titles(found)
    plain = session.environ.get("TERM") == "dumb"
    width = min(session.stdout.width - 1, _WIDEST)
    lines = scatter_lines(first, rest, (titles[0], titles[1]), width, ascii_only=plain)
    return [*lines, ""] if lines else []


def _rows(found: Pareto, several: bool) -> Iterator[list[Any]]:
    from gittrack.cli.render import Cell, short_ids

    ids = short_ids([each.run for each in found.runs])
    columns = [_number_texts(values) for values in zip(*(each.values for each in found.runs), strict=True)]
    for place, each in enumerate(found.runs):
        front = [Cell(str(each.front), "faint")] if several else []
        names = [Cell(ids[each.run.id], "warning"), Cell(each.run.name), Cell(each.run.experiment)]
        yield [*front, *names, *(Cell(texts[place]) for texts in columns)]


def _number_texts(values: Iterable[float]) -> list[str]:
    """As short as they still tell apart, which makes a front what it is."""
    from gittrack.core.sparkline import format_number

    kept = list(values)
    short = list(map(format_number, kept))
    return short if len(set(short)) == len(set(kept)) else [f"{value:.10g}" for value in kept]


def _left_out(found: Pareto) -> str:
    from gittrack.cli.render import plural

    left_out = [f"{plural(found.lacking, 'run')} without a metric"] if found.lacking else []
    left_out += [f"{plural(found.nan, 'run')} where one is NaN"] if found.nan else []
    return f"; left out: {' and '.join(left_out)}" if left_out else ""


def _say_counts(found: Pareto) -> None:
    from gittrack.cli.render import plural, short_ids

    total, without = sum(found.sizes), _left_out(found)
    of = f"{total} of {plural(found.compared, 'run')}"
    say((f"no other run beats {of}" if len(found.sizes) == 1 else f"{of} on {len(found.sizes)} fronts") + without)
    if len(found.runs) < total:
        say(f"shown: {len(found.runs)}; all of them: gittrack pareto … --csv")
    if len(found.runs) > 1:
        ids = short_ids([each.run for each in found.runs])
        say(f"next: gittrack compare {' '.join(ids[each.run.id] for each in found.runs[:2])}")

"""``gittrack similar``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from gittrack.cli.session import Session
from gittrack.cli.terminal import Terminal, say

if TYPE_CHECKING:
    from gittrack.api.similar import Differing, Similar, SimilarRun

_SHOWN = 3
"""Differences in a line; ``compare`` shows all."""
_NAME, _VALUE = 28, 20


@click.command("similar")
@click.argument("run", metavar="RUN")
@click.argument("query", nargs=-1, metavar="[QUERY|@VIEW]...")
@click.option(
    "-n", "--number", metavar="N", type=click.IntRange(min=1), default=10, show_default=True, help="So many runs."
)
@click.option(
    "--on",
    "basis",
    metavar="WHAT",
    multiple=True,
    help="By params, metrics, code, data, or names (lr, metrics.acc); commas between.",
)
@click.option("-e", "--experiment", metavar="EXP", help="Only runs of this experiment (name or id).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(
    session: Session,
    run: str,
    query: tuple[str, ...],
    number: int,
    basis: tuple[str, ...],
    experiment: str | None,
    as_json: bool,
) -> None:
    """Name the runs that are most like one, and what differs.

    \b
    gittrack similar @latest
    gittrack similar @latest --on metrics
    gittrack similar 1f3a9c07 --on lr,model "status = 'finished'"

    By params, code and data, unless --on says otherwise. The distance is 0 for what is the same in all of them, and 1
    for what has nothing in common: the mean over all params, the code and the data. Numbers are measured by their range
    among all runs, those over two decades by their logarithms; anything else is the same or not.
    """
    from gittrack.api.read import find_run
    from gittrack.api.similar import SimilarAsked, find_similar
    from gittrack.cli.searching import reading_progress, say_problems, search_of, understood
    from gittrack.core.similarity import parse_basis

    wanted = parse_basis(basis)
    project = session.recovered()
    whole = find_run(project, run)
    with reading_progress() as progress:
        search = search_of(project, understood(project, query), experiment)
        experiments = None if search.experiments is None else tuple(search.experiments)
        asked = SimilarAsked(whole, number, wanted, search.expression, experiments, search.seconds)
        found = find_similar(project, asked, progress)
    if as_json:
        _print_json(found)
    elif found.runs:
        session.stdout.show(_lines(found, session.stdout), session.environ)
    say_problems(found.problems)
    _say_next(found)


def _print_json(found: Similar) -> None:
    from gittrack.cli import shapes

    def shape(each: SimilarRun) -> dict[str, Any]:
        differences = [
            {
                "aspect": one.aspect,
                "name": one.name,
                "mine": one.mine,
                "theirs": one.theirs,
                "kind": one.kind,
                "distance": one.distance,
            }
            for one in each.differences
        ]
        like = {"distance": each.distance, "duplicate": each.duplicate, "differences": differences}
        return shapes.listed_run(each.run) | like

    shapes.print_json(
        run=found.run.id,
        runs=[shape(each) for each in found.runs],
        compared=found.compared,
        problems=[shapes.problem(each) for each in found.problems],
    )


def _lines(found: Similar, terminal: Terminal) -> list[str]:
    from gittrack.cli.render import Cell, Column, short_ids, status_role, table

    ids = short_ids([each.run for each in found.runs])
    columns = [
        Column("ID"),
        Column("NAME", least=12),
        Column("EXPERIMENT", least=8, spare=2),
        Column("STATUS", spare=1),
        Column("DISTANCE", right=True),
        Column("DIFFERS IN", least=10),
    ]
    rows = []
    for each in found.runs:
        run = each.run
        names = [Cell(ids[run.id], "warning"), Cell(run.name), Cell(run.record.experiment.name)]
        status = Cell(run.status.value, status_role(run.status))
        rows.append([*names, status, Cell(f"{each.distance:.3f}"), Cell(_differences(each))])
    return table(columns, rows, terminal)


def _differences(each: SimilarRun) -> str:
    if not each.differences:
        return "nothing: the same run again" if each.duplicate else "nothing that was compared"
    shown = [_difference(one) for one in each.differences[:_SHOWN]]
    rest = len(each.differences) - len(shown)
    return "  ".join(shown) + (f"  and {rest} more" if rest else "")


def _difference(one: Differing) -> str:
    from gittrack.core.names import display
    from gittrack.core.sparkline import format_number

    if one.aspect == "code":
        return "code"
    if one.aspect == "data":
        return "data"
    texts = []
    for value, missing in ((one.mine, "added"), (one.theirs, "removed")):
        from gittrack.core.value_text import value_text

        text = format_number(value) if isinstance(value, float) else value_text(value)
        texts.append("-" if one.kind == missing else display(text, _VALUE))
    if texts[0] == texts[1] and type(one.mine) is not type(one.theirs):
        texts = [f"{text} ({type(value).__name__})" for text, value in zip(texts, (one.mine, one.theirs), strict=True)]
    return f"{display(one.name, _NAME)} {texts[0]} → {texts[1]}"


def _say_next(found: Similar) -> None:
    from gittrack.cli.render import plural, short_ids

    if not found.runs:
        say("there is no other run to compare it with; all runs: gittrack ls")
        return
    ids = short_ids([found.run, *(each.run for each in found.runs)])
    duplicates = [ids[each.run.id] for each in found.runs if each.duplicate]
    if duplicates:
        say(f"same params, code and data as {plural(len(duplicates), 'run')} of these: {', '.join(duplicates[:5])}")
    say(f"next: gittrack compare {ids[found.run.id]} {ids[found.runs[0].run.id]}")

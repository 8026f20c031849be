"""``gittrack inbox``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from gittrack.cli.session import Session
from gittrack.cli.terminal import say, warn_of
from gittrack.core.expunged import EXPUNGED, expunge_hint
from gittrack.core.ids import RunId

if TYPE_CHECKING:
    from gittrack.api.news import News
    from gittrack.cli.render import Cell
    from gittrack.core.records import Event


@click.command("inbox")
@click.option("--keep", is_flag=True, help="Show the same again next time.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(session: Session, keep: bool, as_json: bool) -> None:
    """Show what is new from others since you last looked: runs, comments, tags, names, deletions.

    It looks at what was fetched: gittrack fetch.
    """
    from gittrack.api.news import mark_as_seen, news, present_names

    project = session.recovered()
    found = news(project)
    if as_json:
        from gittrack.cli import shapes, sharing_shapes

        shapes.print_json(
            runs=[sharing_shapes.new_run(item) for item in found.runs],
            events=[shapes.event(item) | {"subject": str(item.subject)} for item in found.events],
            problems=[shapes.problem(item) for item in found.problems],
        )
    elif found.runs or found.events:
        session.stdout.show(_lines(session, found, present_names(project, found)), session.environ)
    else:
        say("nothing new from others; what is at the remote: gittrack fetch")
    warn_of([f"{problem.where} cannot be read: {problem.reason}: gittrack fsck" for problem in found.problems])
    if not keep:
        mark_as_seen(project, found)


def _lines(session: Session, found: News, names: Mapping[RunId, str]) -> list[str]:
    from gittrack.cli.render import Cell, Column, table, time_text

    rows: list[tuple[int, list[Cell]]] = []
    for run in found.runs:
        record = run.record
        name = names.get(record.id, record.name)
        what = f"run {record.id[:8]} '{name}' in {record.experiment.name}, {record.status.value}"
        rows.append((record.end_time or record.start_time, [Cell(record.author.name or run.writer), Cell(what)]))
    rows += [(event.time, [Cell(event.author.name), Cell(_about(event, found, names))]) for event in found.events]
    rows.sort(key=lambda row: row[0], reverse=True)
    columns = [Column("TIME"), Column("WHO", least=8), Column("WHAT", least=20)]
    return table(columns, [[Cell(time_text(time), "faint"), *cells] for time, cells in rows], session.stdout)


def _about(event: Event, found: News, names: Mapping[RunId, str]) -> str:
    from gittrack.cli.said import said

    key = event.subject.key
    name = names.get(RunId(key))
    about = f"{event.subject.kind} {key[:8]}" + (f" '{name}'" if name else "")
    is_hidden = event.subject.kind == "run" and key in found.hidden and event.kind == EXPUNGED
    left = f"; what lies here is hidden: {expunge_hint(key)}" if is_hidden else ""
    return f"{about}: {said(event)}{left}"

"""``gittrack log``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gittrack.cli.session import Session
from gittrack.cli.terminal import say
from gittrack.core.records import Event
from gittrack.errors import UsageError

if TYPE_CHECKING:
    from gittrack.api.diary import Entry

_USUAL = 50


@click.command("log")
@click.argument("run", metavar="[RUN]", required=False)
@click.option("--by", "who", metavar="PERSON", help="Only what this person did: a name, or an e-mail address.")
@click.option("-e", "--experiment", metavar="EXP", help="Only this experiment and its runs.")
@click.option("-n", "limit", metavar="N", type=click.IntRange(min=1), help=f"So many entries ({_USUAL}); without RUN.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(
    session: Session, run: str | None, who: str | None, experiment: str | None, limit: int | None, as_json: bool
) -> None:
    """Show what was changed about a run, and by whom: its tags, note, name, comments, deletion; oldest first.

    Without RUN: the diary of all, of a person, of an experiment; newest first. What others shared is in it as far as it
    was fetched.
    """
    if run is None:
        _diary(session, who, experiment, limit or _USUAL, as_json=as_json)
        return
    if who or experiment or limit:
        raise UsageError("--by, --experiment and -n are for the diary, without RUN", hint=f"gittrack log {run}")
    from gittrack.api.annotate import run_log

    found, events = run_log(session.recovered(), run)
    if as_json:
        from gittrack.cli import shapes

        shapes.print_json(run=found.id, events=[shapes.event(item) for item in events])
    elif events:
        from gittrack.cli.render import Cell, Column, table, time_text

        rows = [
            [Cell(time_text(item.time), "faint"), Cell(f"{item.author.name} <{item.author.email}>"), Cell(_said(item))]
            for item in events
        ]
        columns = [Column("TIME"), Column("WHO", least=12), Column("WHAT", least=20)]
        session.stdout.show(table(columns, rows, session.stdout), session.environ)
    else:
        say(f"nothing was changed about run '{found.name}' since it ended")


def _said(event: Event) -> str:
    what = f"{event.kind} {event.key}".rstrip() if event.kind == "tag" else event.kind
    return f"{what} removed" if event.value is None else f"{what}: {event.value}"


def _diary(session: Session, who: str | None, experiment: str | None, limit: int, *, as_json: bool) -> None:
    from gittrack.api.diary import diary

    entries = diary(session.recovered(), who=who, experiment=experiment, limit=limit)
    if as_json:
        from gittrack.cli import shapes

        shapes.print_json(entries=[shapes.diary_entry(item) for item in entries])
    elif entries:
        from gittrack.cli.render import Cell, Column, table, time_text

        rows = [
            [Cell(time_text(item.time), "faint"), Cell(item.who.name or item.who.email), Cell(_what(item))]
            for item in entries
        ]
        columns = [Column("TIME"), Column("WHO", least=8), Column("WHAT", least=20)]
        session.stdout.show(table(columns, rows, session.stdout), session.environ)
    else:
        say("nothing happened yet, or not by them: gittrack ls")


def _what(entry: Entry) -> str:
    run, event = entry.run, entry.event
    if event is None:
        assert run is not None
        return f"run {run.id[:8]} '{run.name}' in {run.experiment}: {run.status.value}"
    about = f"{event.subject.kind} {event.subject.key[:8]}" + (f" '{run.name}'" if run is not None else "")
    return f"{about}: {_said(event)}"

"""``gittrack log``."""

from __future__ import annotations

import click

from gittrack.cli.session import Session
from gittrack.cli.terminal import say
from gittrack.core.records import Event


@click.command("log")
@click.argument("run", metavar="RUN")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(session: Session, run: str, as_json: bool) -> None:
    """Show what was changed about a run, and by whom: its tags, note, name, deletion; oldest first."""
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
    what = f"{event.kind} {event.key}".rstrip()
    return f"{what} removed" if event.value is None else f"{what}: {event.value}"

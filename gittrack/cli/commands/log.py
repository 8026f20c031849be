"""``gittrack log``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gittrack.cli.arguments import signatures_option
from gittrack.cli.session import Session
from gittrack.cli.terminal import Terminal, say
from gittrack.errors import UsageError

if TYPE_CHECKING:
    from gittrack.api.diary import Entry
    from gittrack.cli.render import Cell, Column

_USUAL = 50


@click.command("log")
@click.argument("run", metavar="[RUN]", required=False)
@click.option("--by", "who", metavar="PERSON", help="Only what this person did: a name, or an e-mail address.")
@click.option("-e", "--experiment", metavar="EXP", help="Only this experiment and its runs.")
@click.option("-n", "limit", metavar="N", type=click.IntRange(min=1), help=f"So many entries ({_USUAL}); without RUN.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@signatures_option
@click.pass_obj
def command(
    session: Session,
    run: str | None,
    who: str | None,
    experiment: str | None,
    limit: int | None,
    as_json: bool,
    checks: bool,
) -> None:
    """Show what was changed about a run, and by whom: its tags, note, name, comments, deletion; oldest first.

    Without RUN: the diary of all, of a person, of an experiment; newest first. What others shared is in it as far as it
    was fetched.
    """
    if run is None:
        _diary(session, who, experiment, limit or _USUAL, as_json=as_json, checks=checks)
        return
    if who or experiment or limit:
        raise UsageError("--by, --experiment and -n are for the diary, without RUN", hint=f"gittrack log {run}")
    from gittrack.api.annotate import run_log
    from gittrack.api.signatures import signatures_of

    project = session.recovered()
    found, events = run_log(project, run)
    signatures = signatures_of(project, events, check=checks)
    if as_json:
        from gittrack.cli import shapes
        from gittrack.cli.signature_marks import with_signatures

        shapes.print_json(run=found.id, events=with_signatures([shapes.event(item) for item in events], signatures))
    elif events:
        from gittrack.cli.render import Cell, Column, time_text
        from gittrack.cli.said import said
        from gittrack.cli.signature_marks import cell

        rows = [
            [
                Cell(time_text(item.time), "faint"),
                Cell(f"{item.author.name} <{item.author.email}>"),
                Cell(said(item)),
                cell(signatures, item.id, item.author),
            ]
            for item in events
        ]
        columns = [Column("TIME"), Column("WHO", least=12), Column("WHAT", least=20)]
        session.stdout.show(_table(columns, rows, session.stdout), session.environ)
    else:
        say(f"nothing was changed about run '{found.name}' since it ended")


def _table(columns: list[Column], rows: list[list[Cell]], terminal: Terminal) -> list[str]:
    """The table, with the signatures in its last column where there are any."""
    from gittrack.cli.render import Column, table

    if any(row[-1].text for row in rows):
        return table([*columns, Column("SIGNATURE", least=12)], rows, terminal)
    return table(columns, [row[:-1] for row in rows], terminal)


def _diary(
    session: Session, who: str | None, experiment: str | None, limit: int, *, as_json: bool, checks: bool
) -> None:
    from gittrack.api.diary import diary
    from gittrack.api.signatures import signatures_of

    project = session.recovered()
    entries = diary(project, who=who, experiment=experiment, limit=limit)
    events = [entry.event for entry in entries if entry.event is not None] if as_json or checks else []
    signatures = signatures_of(project, events, check=checks)
    if as_json:
        from gittrack.cli import shapes, sharing_shapes
        from gittrack.cli.signature_marks import with_signatures

        shown = [sharing_shapes.diary_entry(item) for item in entries]
        for entry in shown:
            if entry["event"] is not None:
                (entry["event"],) = with_signatures([entry["event"]], signatures)
        shapes.print_json(entries=shown)
    elif entries:
        from gittrack.cli.render import Cell, Column, time_text
        from gittrack.cli.signature_marks import cell

        rows = [
            [
                Cell(time_text(item.time), "faint"),
                Cell(item.who.name or item.who.email),
                Cell(_what(item)),
                cell(signatures, None if item.event is None else item.event.id, item.who),
            ]
            for item in entries
        ]
        columns = [Column("TIME"), Column("WHO", least=8), Column("WHAT", least=20)]
        session.stdout.show(_table(columns, rows, session.stdout), session.environ)
    else:
        say("nothing happened yet, or not by them: gittrack ls")


def _what(entry: Entry) -> str:
    from gittrack.cli.said import said

    run, event = entry.run, entry.event
    if event is None:
        assert run is not None
        return f"run {run.id[:8]} '{run.name}' in {run.experiment}: {run.status.value}"
    about = f"{event.subject.kind} {event.subject.key[:8]}" + (f" '{run.name}'" if run is not None else "")
    return f"{about}: {said(event)}"

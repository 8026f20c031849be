"""``gittrack whence``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gittrack.cli.session import Session
from gittrack.cli.terminal import Terminal, say, warn_of
from gittrack.errors import NotFoundError

if TYPE_CHECKING:
    from gittrack.api.whence import Made, Read, Whence


@click.command("whence")
@click.argument("file", metavar="FILE")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(context: click.Context, file: str, as_json: bool) -> None:
    """Name the runs that made or read a file or folder, whatever it is called here.

    It is found by its hash: as an artifact or an input, or as a file of a folder that is one, where the folder's
    listing is in this clone. The exit code is 3 when no run is known to know it.
    """
    from gittrack.api.whence import find_whence

    session: Session = context.obj
    project = session.recovered()
    found, problems = find_whence(project, Path(file))
    if as_json:
        from gittrack.cli import shapes

        shapes.print_json(whence=shapes.whence(found), problems=[shapes.unread(*each) for each in problems])
    elif found.made or found.read:
        session.stdout.show(_lines(found, project.now(), session.stdout), session.environ)
    warn_of([f"cannot read {where}: {reason}" for where, reason in problems])
    _say_unseen(found)
    if not found.made and not found.read:
        if as_json:
            context.exit(NotFoundError.exit_code)
        if found.unseen:
            text = (
                f"no run is known to have made or read '{file}' ({found.digest}); not every folder could be looked into"
            )
            raise NotFoundError(text, hint=f"gittrack whence {shlex.quote(_folder_of(file))}")
        raise NotFoundError(f"no run made or read '{file}' ({found.digest})", hint="gittrack ls")
    if not as_json:
        say(f"next: gittrack lineage {(found.made[0] if found.made else found.read[-1]).run[:8]}")


def _say_unseen(found: Whence) -> None:
    from gittrack.cli.render import plural

    if made := found.unseen - found.unseen_data:
        say(f"warning: {plural(made, 'folder')} could not be looked into: gittrack artifact pull", role="warning")
    if found.unseen_data and not found.made and not found.read:
        what = f"{plural(found.unseen_data, 'folder')} that runs read could not be looked into"
        say(f"warning: {what}: their listings are not in this clone", role="warning")


def _folder_of(file: str) -> str:
    return str(Path(file).parent)


def _lines(found: Whence, now: int, terminal: Terminal) -> list[str]:
    from gittrack.cli.render import Cell, Column, table
    from gittrack.core.sparkline import format_age

    def row(verb: str, each: Made | Read, what: str, role: str = "") -> list[Cell]:
        place = f"{what}/{each.member}" if each.member else what
        name = each.name + (" (deleted)" if each.deleted else "")
        return [Cell(text) for text in (verb, name, each.run[:8], place, role, format_age(now - each.time))]

    rows = [row("made", made, made.path) for made in found.made]
    rows += [row("read", read, read.input.uri, read.input.role) for read in found.read]
    columns = [
        Column("RUN"),
        Column("NAME", least=12),
        Column("ID"),
        Column("AS", least=12),
        Column("ROLE"),
        Column("AGE"),
    ]
    return table(columns, rows, terminal)

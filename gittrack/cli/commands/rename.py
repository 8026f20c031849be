"""``gittrack rename``."""

from __future__ import annotations

import click

from gittrack.cli.session import Session
from gittrack.cli.terminal import say


@click.command("rename")
@click.argument("run", metavar="RUN")
@click.argument("name", metavar="NAME")
@click.pass_obj
def command(session: Session, run: str, name: str) -> None:
    """Give a run another name. Its id stays."""
    from gittrack.api.annotate import rename_run

    renamed = rename_run(session.recovered(), run, name)
    say(f"run {renamed.id[:8]} is '{renamed.name}' now")
    say(f"next: gittrack show {renamed.id[:8]}")

"""``gittrack restore``."""

from __future__ import annotations

import click

from gittrack.cli.arguments import no_sign
from gittrack.cli.session import Session
from gittrack.cli.terminal import say


@click.command("restore")
@click.argument("runs", metavar="RUN…", nargs=-1, required=True)
@no_sign
@click.pass_obj
def command(session: Session, runs: tuple[str, ...]) -> None:
    """Bring deleted runs back. `gittrack ls --deleted` lists them."""
    from gittrack.api.annotate import restore_run
    from gittrack.cli.sharing_hint import share_hint

    project = session.recovered()
    for address in runs:
        run = restore_run(project, address)
        say(f"run '{run.name}' is back: gittrack show {run.id[:8]}{share_hint(project)}")

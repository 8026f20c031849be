"""``gittrack rename``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gittrack.cli.arguments import no_sign
from gittrack.cli.session import Session
from gittrack.cli.terminal import say
from gittrack.errors import AmbiguousError, NotFoundError, UsageError

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.api.read import SavedRun


@click.command("rename")
@click.argument("run", metavar="RUN")
@click.argument("name", metavar="NAME")
@no_sign
@click.pass_obj
def command(session: Session, run: str, name: str) -> None:
    """Give a run another name. Its id stays."""
    from gittrack.api.annotate import rename_run
    from gittrack.cli.sharing_hint import share_hint

    project = session.recovered()
    renamed = rename_run(project, run, name)
    say(f"run {renamed.id[:8]} is '{renamed.name}' now")
    if not _addresses(project, renamed):
        say("warning: that name does not address this run, or not it alone: its id does", role="warning")
    say(f"next: gittrack show {renamed.id[:8]}{share_hint(project)}")


def _addresses(project: Project, run: SavedRun) -> bool:
    """Whether the run's name, typed in a command, means this run: ``@latest``, ``--help`` and many others do not."""
    from gittrack.api.read import find_run

    if run.name.startswith(("-", "@")):
        return False
    try:
        return find_run(project, run.name).id == run.id
    except (AmbiguousError, NotFoundError, UsageError):
        return False

"""``gittrack rm``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from gittrack.cli.arguments import no_sign
from gittrack.cli.session import Session
from gittrack.cli.terminal import print_data, say
from gittrack.core.names import display
from gittrack.errors import ConflictError, RunActiveError, UsageError

if TYPE_CHECKING:
    from gittrack.api.read import SavedRun


@click.command("rm")
@click.argument("runs", metavar="RUN…", nargs=-1, required=True)
@click.option("--dry-run", is_flag=True, help="Only say which runs would be deleted.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@no_sign
@click.pass_obj
def command(session: Session, runs: tuple[str, ...], dry_run: bool, yes: bool) -> None:
    """Delete runs: they are hidden, and can be restored. Their commits stay in git."""
    from gittrack.api.annotate import delete_run
    from gittrack.api.read import find_run
    from gittrack.cli.sharing_hint import share_hint

    project = session.recovered()
    # All are looked up before the first is deleted: @latest and @-2 mean what they meant when they were typed.
    found = {run.id: run for run in (find_run(project, address) for address in runs)}
    for run in found.values():
        _check(run)
    for run in found.values() if dry_run or not yes else ():
        line = f"{run.id[:8]}  {display(run.name)}"
        print_data(line) if dry_run else click.echo(line, err=True)
    if dry_run:
        say(f"nothing is deleted; to do it: gittrack rm {' '.join(id[:8] for id in found)}")
        return
    if not yes:
        _ask(list(found.values()))
    for run in found.values():
        delete_run(project, run.id)
        say(f"deleted run '{run.name}'; bring it back: gittrack restore {run.id[:8]}{share_hint(project)}")


def _check(run: SavedRun) -> None:
    if run.commit is None:
        raise RunActiveError(f"run '{run.name}' has not ended", hint="wait for its end, or: gittrack recover")
    if run.deleted:
        raise ConflictError(f"run '{run.name}' is deleted already", hint=f"gittrack restore {run.id[:8]}")


def _ask(runs: Sequence[SavedRun]) -> None:
    from gittrack.cli.render import plural

    if not sys.stdin.isatty():
        again = " ".join(run.id[:8] for run in runs)
        raise UsageError("nobody is there to be asked", hint=f"gittrack rm --yes {again}")
    click.confirm(f"delete {plural(len(runs), 'run')}?", abort=True, err=True)

"""``gittrack recover``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from gittrack.cli.session import Session, say_recovery
from gittrack.cli.terminal import say
from gittrack.core.names import display
from gittrack.errors import UsageError

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.api.saved_run import SavedRun


@click.command("recover")
@click.argument("run", metavar="[RUN]", required=False)
@click.option("--force", is_flag=True, help="Also when its process runs on another host and cannot be asked.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask before a run that goes on elsewhere is taken for dead.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(context: click.Context, run: str | None, force: bool, yes: bool, as_json: bool) -> None:
    """Finish runs whose process died, with every point they logged.

    Every command that reads runs does this first. RUN is the id of a run, or a unique prefix of it.

    A run whose machine is gone, and of which a checkpoint was fetched, becomes a finished run here, as far as that
    knows it: gittrack recover RUN. The next push shares it.
    """
    from gittrack.api.maintain import recover, recover_one

    session: Session = context.obj
    if force and run is None:
        raise UsageError("--force needs the run it is about", hint="gittrack ls --status running")
    project = session.project()
    if run is None:
        results = recover(project)
    else:
        from gittrack.api.elsewhere import finish_elsewhere, run_elsewhere

        elsewhere = run_elsewhere(project, run)
        if elsewhere is not None and not yes:
            _ask(project, elsewhere)
        one = recover_one(project, run, force=force) if elsewhere is None else finish_elsewhere(project, elsewhere)
        results = [one]
    if as_json:
        from gittrack.cli import shapes

        shapes.print_json(results=[shapes.recovery(result) for result in results])
    else:
        for result in results:
            say_recovery(result)
        if not results:
            say("nothing to recover; all runs: gittrack ls")
    context.exit(int(any(result.outcome in ("damaged", "failed") for result in results)))


def _ask(project: Project, run: SavedRun) -> None:
    from gittrack.api.elsewhere import last_seen
    from gittrack.core.sparkline import format_age

    found = last_seen(project, run)
    if found is not None and not found.may_be_dead:
        say(f"warning: run {run.id[:8]} was heard of {format_age(project.now() - found.seen)}", role="warning")
    if not sys.stdin.isatty():
        text = f"nobody is there to be asked whether run '{run.id[:8]}', which goes on elsewhere, is dead"
        raise UsageError(text, hint=f"gittrack recover --yes {run.id[:8]}")
    click.confirm(f"take run '{display(run.name, 80)}' for dead, and keep what is known of it?", abort=True, err=True)

"""``gittrack recover``."""

from __future__ import annotations

import click

from gittrack.cli.session import Session, say_recovery
from gittrack.cli.terminal import say
from gittrack.errors import UsageError


@click.command("recover")
@click.argument("run", metavar="[RUN]", required=False)
@click.option("--force", is_flag=True, help="Also when its process runs on another host and cannot be asked.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(context: click.Context, run: str | None, force: bool, as_json: bool) -> None:
    """Finish runs whose process died, with every point they logged.

    Every command that reads runs does this first. RUN is the id of a run, or a unique prefix of it.
    """
    from gittrack.api.maintain import recover, recover_one

    session: Session = context.obj
    if force and run is None:
        raise UsageError("--force needs the run it is about", hint="gittrack ls --status running")
    project = session.project()
    results = recover(project) if run is None else [recover_one(project, run, force=force)]
    if as_json:
        from gittrack.cli import shapes

        shapes.print_json(results=[shapes.recovery(result) for result in results])
    else:
        for result in results:
            say_recovery(result)
        if not results:
            say("nothing to recover; all runs: gittrack ls")
    context.exit(int(any(result.outcome in ("damaged", "failed") for result in results)))

"""``gittrack checkpoint``."""

from __future__ import annotations

import os

import click

from gittrack.cli.session import Session
from gittrack.cli.terminal import say

_NICER = 10


@click.command("checkpoint")
@click.argument("run", metavar="RUN")
@click.argument("remote", metavar="[REMOTE]", required=False)
@click.option("--every", metavar="TIME", help="Go on until the run ends, and then push it: 30s, 2m; 1s to 10m.")
@click.pass_obj
def command(session: Session, run: str, remote: str | None, every: str | None) -> None:
    """Push a run in progress as far as it has come, for others to see.

    They get it by gittrack fetch, with the status running. Its code goes with it, commits that are on no branch of the
    remote included; the bytes of artifacts do not. The next checkpoint takes its place, and so does the finished run
    when it is pushed.

    With --every it goes on until the run ends, then pushes it; a run whose process dies is finished as crashed. That is
    what gittrack run --live and the setting gittrack.live start beside a training.
    """
    from gittrack.api.checkpoint import keep_pushing, live_id, push_checkpoint
    from gittrack.api.remotes import runs_remote
    from gittrack.config import live_seconds
    from gittrack.errors import UsageError

    project = session.project()
    seconds = None if every is None else live_seconds("--every", every)
    if seconds == 0:
        raise UsageError("--every is no time", hint="gittrack checkpoint --help")
    place, id = runs_remote(project, remote), live_id(project, run)
    if seconds is None:
        commit = push_checkpoint(project, id, place)
        say(f"pushed run {id[:8]} as far as it is ({commit[:10]}) to {place.shown}; others see it by: gittrack fetch")
        return
    os.nice(_NICER)
    stopped = keep_pushing(project, id, place, seconds)
    if stopped:
        say(f"warning: {stopped}: gittrack status", role="warning")
        raise SystemExit(1)
    say(f"run {id[:8]} has ended and is at {place.shown}: gittrack show {id[:8]}")

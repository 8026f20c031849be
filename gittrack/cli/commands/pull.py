"""``gittrack pull``."""

from __future__ import annotations

import sys

import click

from gittrack.cli.session import Session
from gittrack.cli.terminal import say


@click.command("pull")
@click.argument("remote", metavar="[REMOTE]", required=False)
@click.option(
    "--artifacts",
    metavar="WHICH",
    default="none",
    help="Bytes to bring: none (the default), models, all, or a rule: 'best:10 by lowest val_loss', last:50, tagged.",
)
@click.option("--since", metavar="MONTH", help="Only ledgers of this month (2026-09) and later; all: of every month.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(session: Session, remote: str | None, artifacts: str, since: str | None, as_json: bool) -> None:
    """Fetch, then bring the bytes of artifacts that are asked for: from the DVC remote.

    A rule counts in each experiment. What arrives is hashed before it counts.
    """
    from gittrack.api.fetch import fetch
    from gittrack.api.pull import pull_wanted
    from gittrack.cli.commands.fetch import code_of, say_fetched
    from gittrack.cli.git_progress import fetch_progress
    from gittrack.cli.transfer_report import exit_code, progress_bar, report

    project = session.recovered()
    with fetch_progress() as (told, checked):
        found = fetch(project, remote, since=since, told=told, checked=checked)
    say_fetched(project, found)
    with progress_bar("pull") as told_bytes:
        done = pull_wanted(project, artifacts, told_bytes)
    if as_json:
        from gittrack.cli import shapes, sharing_shapes

        shapes.print_json(**sharing_shapes.fetched(found), artifacts=None if done is None else shapes.transfer(done))
    if done is None:
        say(_nothing(artifacts))
        sys.exit(code_of(found))
    report(done, "pulled", "")
    if code := exit_code(done) or code_of(found):
        sys.exit(code)


def _nothing(which: str) -> str:
    if which == "none":
        return "no bytes of artifacts were asked for: gittrack pull --artifacts models"
    what = {"models": "no run here has a model", "all": "there is no run here"}
    return f"{what.get(which, f'no run here is meant by {which}')}, so there are no bytes to bring: gittrack ls"

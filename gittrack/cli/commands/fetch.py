"""``gittrack fetch``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gittrack.cli.session import Session
from gittrack.cli.terminal import say

if TYPE_CHECKING:
    from gittrack.api.fetch import Fetched


@click.command("fetch")
@click.argument("remote", metavar="[REMOTE]", required=False)
@click.option("--accept-rewrite", is_flag=True, help="Use ledgers that were rewritten there; what is yours stays here.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(session: Session, remote: str | None, accept_rewrite: bool, as_json: bool) -> None:
    """Get what others shared: runs, and what was said about runs. Needs no set-up in a fresh clone.

    What arrives is checked before it is shown. Your branches, tags and files are left alone, and the bytes of artifacts
    stay where they are: gittrack pull.
    """
    from gittrack.api.fetch import fetch
    from gittrack.cli.git_progress import git_progress

    project = session.recovered()
    with git_progress() as told:
        found = fetch(project, remote, accept_rewrites=accept_rewrite, told=told)
    if as_json:
        from gittrack.cli import shapes

        shapes.print_json(**shapes.fetched(found))
    say_fetched(found)
    if found.rewritten:
        raise SystemExit(5)


def say_fetched(found: Fetched) -> None:
    """Say what a fetch brought, and what it did not."""
    from gittrack.cli.render import plural

    for problem in found.refused:
        say(f"warning: refused {problem.where}: {problem.reason}", role="warning")
    for ledger in found.rewritten:
        lost = plural(sum(row.kind == "run" for row in ledger.lost), "run")
        what = "is gone from" if ledger.tip is None else "was rewritten at"
        text = f"the ledger {ledger.ref.removeprefix('refs/runs-remote/')} {what} the remote; {lost} would vanish"
        say(f"warning: {text}: gittrack fetch {found.remote} --accept-rewrite", role="warning")
    if found.runs or found.events:
        parts = [plural(found.runs, "run")] * bool(found.runs) + [plural(found.events, "event")] * bool(found.events)
        say(f"fetched {' and '.join(parts)} from {found.remote}; newest first: gittrack ls")
    else:
        say(f"nothing new at {found.remote}")

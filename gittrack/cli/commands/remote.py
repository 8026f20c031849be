"""``gittrack remote``."""

from __future__ import annotations

import click

from gittrack.cli.session import Session
from gittrack.cli.terminal import print_data, say
from gittrack.core.names import display


@click.group("remote")
def command() -> None:
    """Find out whether a git remote can take runs."""


@command.command("check")
@click.argument("remote", metavar="[REMOTE]", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def check_command(session: Session, remote: str | None, as_json: bool) -> None:
    """Try whether a remote takes runs and tags, and say where artifact bytes go and what is to be done.

    A ref and a tag that nobody reads are pushed there and deleted at once.
    """
    from gittrack.api.remote_check import check_remote

    found = check_remote(session.project(), remote)
    if as_json:
        from gittrack.cli import shapes, sharing_shapes

        shapes.print_json(**sharing_shapes.remote_check(found))
    else:
        lines = [f"remote {display(found.remote)}: {display(found.url, 200)}"]
        for item in found.found:
            said = f": {display(item.said, 200)}" if item.said else ""
            lines.append(f"{'yes' if item.works else 'NO '}  {item.what}{said}")
        print_data("\n".join(lines))
    for item in found.found:
        if item.advice:
            say(f"to do: {item.advice}")
    if not found.works:
        raise SystemExit(1)

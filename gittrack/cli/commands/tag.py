"""``gittrack tag``."""

from __future__ import annotations

import click

from gittrack.cli.arguments import parse_pairs
from gittrack.cli.session import Session
from gittrack.cli.terminal import say
from gittrack.errors import UsageError

EXAMPLE = "gittrack tag @latest stage=best"


@click.command("tag")
@click.argument("run", metavar="RUN")
@click.argument("pairs", metavar="[KEY=VALUE]…", nargs=-1)
@click.option("--delete", "removed", metavar="KEY", multiple=True, help="Remove this tag.")
@click.pass_obj
def command(session: Session, run: str, pairs: tuple[str, ...], removed: tuple[str, ...]) -> None:
    """Set or remove tags of a run."""
    from gittrack.api.annotate import tag_run

    changes: dict[str, str | None] = dict(parse_pairs(pairs, EXAMPLE))
    for key in removed:
        if changes.setdefault(key, None) is not None:
            raise UsageError(f"tag '{key}' is both set and removed", hint=EXAMPLE)
    if not changes:
        raise UsageError("no tag is given", hint=EXAMPLE)
    tagged = tag_run(session.recovered(), run, changes)
    for key, value in changes.items():
        said = f"tag '{key}' is removed" if value is None else f"tag '{key}' is '{value}'"
        say(f"{said} on run '{tagged.name}'")
    say(f"next: gittrack show {tagged.id[:8]}")

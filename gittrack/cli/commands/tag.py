"""``gittrack tag``."""

from __future__ import annotations

import click

from gittrack.cli.arguments import no_sign, parse_pairs
from gittrack.cli.session import Session
from gittrack.cli.terminal import say
from gittrack.core.names import check_tag_key, display
from gittrack.errors import UsageError

EXAMPLE = "gittrack tag @latest stage=best"


@click.command("tag")
@click.argument("run", metavar="RUN")
@click.argument("pairs", metavar="[KEY=VALUE]…", nargs=-1)
@click.option("--delete", "removed", metavar="KEY", multiple=True, help="Remove this tag.")
@click.option("--json", "as_json", is_flag=True, help="Print the tags as JSON.")
@no_sign
@click.pass_obj
def command(session: Session, run: str, pairs: tuple[str, ...], removed: tuple[str, ...], as_json: bool) -> None:
    """Show, set or remove tags of a run. Without KEY=VALUE and --delete they are printed."""
    from gittrack.api.annotate import tag_run
    from gittrack.cli.sharing_hint import share_hint

    changes: dict[str, str | None] = dict(parse_pairs(pairs, EXAMPLE))
    for key in removed:
        if changes.setdefault(key, None) is not None:
            raise UsageError(f"tag '{key}' is both set and removed", hint=EXAMPLE)
    if changes and as_json:
        raise UsageError("--json shows tags: it goes with neither KEY=VALUE nor --delete", hint=EXAMPLE)
    if not changes:
        _print(session, run, as_json=as_json)
        return
    project = session.recovered()
    tagged = tag_run(project, run, changes)
    for key, value in changes.items():
        key = check_tag_key(key)  # as it is kept, like the value: a secret is not said again
        said = f"tag '{key}' is removed" if value is None else f"tag '{key}' is '{tagged.tags.get(key, '')}'"
        say(f"{said} on run '{tagged.name}'")
    say(f"next: gittrack show {tagged.id[:8]}{share_hint(project)}")


def _print(session: Session, address: str, *, as_json: bool) -> None:
    from gittrack.api.read import find_run

    run = find_run(session.recovered(), address)
    tags = dict(sorted(run.tags.items()))
    if as_json:
        from gittrack.cli.shapes import print_json

        print_json(tags=tags)
    elif tags:
        # An empty value is a value: the lines are what `gittrack tag` takes, unlike the table of `show`.
        session.stdout.show([display(f"{key}={value}") for key, value in tags.items()], session.environ)
    else:
        say(f"run '{run.name}' has no tags; set one: gittrack tag {run.id[:8]} stage=best")

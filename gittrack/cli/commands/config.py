"""``gittrack config``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gittrack.cli.session import Session
from gittrack.cli.terminal import say
from gittrack.core.names import display
from gittrack.errors import UsageError

if TYPE_CHECKING:
    from gittrack.api.settings import Setting


@click.command("config")
@click.argument("name", metavar="[NAME", required=False)
@click.argument("value", metavar="[VALUE]]", required=False)
@click.option("--unset", is_flag=True, help="Remove it from this repository's git config.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(session: Session, name: str | None, value: str | None, unset: bool, as_json: bool) -> None:
    """Show or change settings.

    Without NAME all are listed, each with where it comes from: the environment (GITTRACK_…) wins over git config
    (gittrack.…), which wins over .gittrack.toml, which wins over the default. With VALUE it is set in the git config
    of this repository.
    """
    from gittrack.api.settings import change_setting, find_setting, list_settings

    if unset and (name is None or value is not None):
        raise UsageError("--unset takes the name of one setting", hint="gittrack config --unset quiet")
    project = session.project()
    if name is None:
        _print_all(session, list_settings(project), as_json=as_json)
    elif unset or value is not None:
        _say_changed(change_setting(project, name, value))
    else:
        found = find_setting(project, name)
        if as_json:
            from gittrack.cli import shapes

            shapes.print_json(setting=shapes.setting(found))
        else:
            click.echo(display(_text(found.value)))


def _print_all(session: Session, settings: list[Setting], *, as_json: bool) -> None:
    if as_json:
        from gittrack.cli import shapes

        shapes.print_json(settings=[shapes.setting(item) for item in settings])
        return
    from gittrack.cli.render import Cell, Column, table

    rows = [
        [Cell(item.name), Cell(_text(item.value)), Cell(item.source, "faint"), Cell(item.meaning, "faint")]
        for item in settings
    ]
    columns = [Column("NAME"), Column("VALUE", least=8), Column("FROM"), Column("MEANING", least=20)]
    session.stdout.show(table(columns, rows, session.stdout), session.environ)


def _say_changed(setting: Setting) -> None:
    say(f"{setting.name} is '{_text(setting.value)}' now, from {setting.source}")
    if setting.source == "environment":
        from gittrack.config import variable

        say(f"warning: {variable(setting.name)} in the environment wins over git config", role="warning")
    say("next: gittrack config")


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)

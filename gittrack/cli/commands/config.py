"""``gittrack config``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gittrack.cli.session import Session
from gittrack.cli.terminal import print_data, say
from gittrack.core.names import display
from gittrack.errors import UsageError

if TYPE_CHECKING:
    from gittrack.api.settings import Setting

_LEAST_VALUE, _LEAST_MEANING, _UNBOUND = 8, 24, 1000
"""Columns; the last one where there is no terminal: nothing is wrapped there."""


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
            print_data(display(_value(found)))


def _print_all(session: Session, settings: list[Setting], *, as_json: bool) -> None:
    if as_json:
        from gittrack.cli import shapes

        shapes.print_json(settings=[shapes.setting(item) for item in settings])
        return
    from textwrap import wrap

    from gittrack.cli.render import Cell, Column, table

    facts = [(item.name, _value(item), item.source) for item in settings]
    room = _room(facts, session.stdout.width)
    rows = []
    for fact, item in zip(facts, settings, strict=True):
        first, *others = wrap(item.meaning, room, break_on_hyphens=False)
        rows.append([Cell(fact[0]), Cell(fact[1]), Cell(fact[2], "faint"), Cell(first, "faint")])
        rows += [[*[Cell("")] * 3, Cell(line, "faint")] for line in others]
    columns = [Column("NAME"), Column("VALUE", least=_LEAST_VALUE), Column("FROM"), Column("MEANING")]
    session.stdout.show(table(columns, rows, session.stdout), session.environ)


def _room(facts: list[tuple[str, str, str]], width: int | None) -> int:
    """Columns that are left for the meanings, beside values that may be cut."""
    from gittrack.cli.render import GAP

    if width is None:
        return _UNBOUND
    name, value, source = (max(len(display(fact[i])) for fact in facts) for i in range(3))
    least = min(value, max(_LEAST_VALUE, width - name - source - 3 * len(GAP) - _LEAST_MEANING))
    return max(_LEAST_MEANING, width - name - least - source - 3 * len(GAP))


def _say_changed(setting: Setting) -> None:
    say(f"{setting.name} is '{_value(setting)}' now, from {setting.source}")
    if setting.source == "environment":
        from gittrack.config import variable

        say(f"warning: {variable(setting.name)} in the environment wins over git config", role="warning")
    say("next: gittrack config")


def _value(setting: Setting) -> str:
    """The value as one types it."""
    text = _text(setting.value)
    return f"{text}s" if setting.name == "live" and setting.value else text


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, int):
        return _size_text(value)
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _size_text(size: int) -> str:
    """Bytes as one types them: ``64k``, ``10m``; every setting that is a whole number is a size."""
    for unit, letter in ((1 << 30, "g"), (1 << 20, "m"), (1 << 10, "k")):
        if size and size % unit == 0:
            return f"{size // unit}{letter}"
    return str(size)

"""Arguments of the command line that are made of parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, TypeVar

import click

from gittrack.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])


def no_sign(command: F) -> F:
    """The option ``--no-sign`` of what writes events: the session is told, not the command."""

    def told(context: click.Context, _: click.Parameter, given: bool) -> None:
        if given:
            context.obj = replace(context.obj, signs=False)

    text = "Do not sign what is said, whatever git is set to."
    return click.option("--no-sign", is_flag=True, expose_value=False, callback=told, help=text)(command)


def signatures_option(command: F) -> F:
    """The option ``--signatures`` of what shows events."""
    text = "Let git check the signatures: by whom, and whether they are good."
    return click.option("--signatures", "checks", is_flag=True, help=text)(command)


def parse_pairs(items: Iterable[str], example: str) -> dict[str, str]:
    """Read ``key=value`` items; the value may hold further ``=``.

    Args:
        items: as given.
        example: a correct command, for the hint.

    Raises:
        UsageError: an item without ``=`` or without a key, or a key given twice with different values.
    """
    pairs: dict[str, str] = {}
    for item in items:
        key, equals, value = item.partition("=")
        if not equals or not key:
            raise UsageError(f"'{item[:80]}' is not of the form key=value", hint=example)
        if pairs.setdefault(key, value) != value:
            raise UsageError(f"'{key[:80]}' is given twice", hint=example)
    return pairs

"""A transfer on the terminal: a bar while it runs, what it came to at its end."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from gittrack.cli.render import plural
from gittrack.cli.terminal import say
from gittrack.core.names import display
from gittrack.core.sizes import format_size
from gittrack.errors import GittrackError

if TYPE_CHECKING:
    from gittrack.api.artifact_transfer import Progress, ToldProgress, Transfer

MOST_FAILURES = 20
_WORST_FIRST = (4, 6, 1, 5, 2, 3)
"""Exit codes of what failed: whoever must sign in does that first, damage is told before what is only missing."""


@contextmanager
def progress_bar(label: str) -> Iterator[ToldProgress | None]:
    """Something to tell of progress, drawn on stderr where that is a terminal; else None."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    bar: Any = click.progressbar(length=1, label=label, file=sys.stderr, item_show_func=_shown, width=24)
    drawn = 0

    def told(progress: Progress) -> None:
        nonlocal drawn
        by_size = progress.size > 0
        bar.length = max(1, progress.size if by_size else progress.count)
        reached = min(progress.moved if by_size else progress.done, bar.length)
        bar.update(max(0, reached - drawn), progress)
        drawn = max(drawn, reached)

    with bar:
        yield told


def _shown(progress: Progress | None) -> str:
    return "" if progress is None else f"{progress.done}/{progress.count} · {format_size(progress.moved)}"


def report(done: Transfer, verb: str, remote: str) -> None:
    """Say what a transfer came to: a line for each failure, then the sum."""
    for failure in done.failures[:MOST_FAILURES]:
        say(f"error: {failure.error.message}", role="bad")
    more = len(done.failures) - MOST_FAILURES
    if more > 0:
        say(f"error: and {more} more like these; all of them: --json", role="bad")
    if done.untried:
        say(f"stopped: {plural(done.untried, 'object')} not tried")
    size = f" ({format_size(done.size)})" if done.moved else ""
    there = f", {done.present} already there" if done.present else ""
    say(f"{verb} {plural(done.moved, 'object')}{size}{there}: {remote}")
    hints = dict.fromkeys(failure.error.hint for failure in done.failures if failure.error.hint)
    for hint in list(hints)[:3]:
        click.echo(f"hint: {display(hint)}", err=True)


def exit_code(done: Transfer) -> int:
    """0 when everything is where it should be; else that of the failure that matters most."""
    codes = {failure.error.exit_code for failure in done.failures}
    return next((code for code in _WORST_FIRST if code in codes), GittrackError.exit_code if codes else 0)

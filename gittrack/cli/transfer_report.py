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
    """Something to tell of progress, drawn on stderr where that is a terminal; else None. Says what Ctrl-C leaves."""
    try:
        with _bar(label) as told:
            yield told
    except KeyboardInterrupt:
        say("stopped; the same command does the rest")
        raise


@contextmanager
def _bar(label: str) -> Iterator[ToldProgress | None]:
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
    """Say what a transfer came to: a line for each cause of failures, then the sum."""
    causes: dict[str, int] = {}
    for failure in done.failures:
        causes[failure.error.message] = causes.get(failure.error.message, 0) + 1
    for message, count in list(causes.items())[:MOST_FAILURES]:
        say(f"error: {message}" + (f" ({plural(count, 'object')})" if count > 1 else ""), role="bad")
    more = sum(list(causes.values())[MOST_FAILURES:])
    if more > 0:
        say(f"error: and {more} more like these; all of them: --json", role="bad")
    if done.untried:
        say(f"stopped: {plural(done.untried, 'object')} not tried")
    if done.given_up:
        say(f"given up by 'gittrack gc', so not {verb}: {plural(done.given_up, 'object')}")
    remote = ", ".join(done.remotes) or remote
    size = f" ({format_size(done.size)})" if done.moved else ""
    there = f", {done.present} already {'here' if verb == 'pulled' else 'there'}" if done.present else ""
    if verb == "pulled" and not done.moved and not done.failures:  # then nothing was asked of the remote
        say(f"nothing to pull{there}; '{remote}' was not asked" if there else "nothing to pull")
    else:
        say(f"{verb} {plural(done.moved, 'object')}{size}{there}: {remote}")
    hints = dict.fromkeys(failure.error.hint for failure in done.failures if failure.error.hint)
    for hint in list(hints)[:3]:
        click.echo(f"hint: {display(hint)}", err=True)


def exit_code(done: Transfer) -> int:
    """0 when everything is where it should be; else that of the failure that matters most."""
    codes = {failure.error.exit_code for failure in done.failures}
    return next((code for code in _WORST_FIRST if code in codes), GittrackError.exit_code if codes else 0)

"""``gittrack fsck``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from gittrack.cli.session import Session
from gittrack.cli.terminal import say
from gittrack.core.names import display
from gittrack.errors import FormatError

if TYPE_CHECKING:
    from gittrack.api.maintain import HeldLock


@click.command("fsck")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """Check everything that is stored. Changes nothing; the exit code is 6 when something is wrong.

    Bytes of artifacts that are not in this clone are counted, and are no fault.
    """
    from gittrack.api.maintain import inspect
    from gittrack.cli.render import plural

    session: Session = context.obj
    found = inspect(session.project())
    findings = found.findings
    if as_json:
        from gittrack.cli import shapes

        locks = [shapes.held_lock(item) for item in found.locks]
        counts = {"not_here": found.not_here, "given_up": found.given_up}
        shapes.print_json(findings=[shapes.finding(item) for item in findings], artifacts=counts, locks=locks)
    elif findings:
        session.stdout.show([f"{display(item.where)}: {display(item.reason)}" for item in findings], session.environ)
        for mend in sorted({item.mend for item in findings if item.mend}):
            say(f"next: {mend}")
        lasting = sum(not item.mend for item in findings)
        if lasting:
            say(f"no command here mends {lasting} of these; another clone or a backup may hold what is lost")
    else:
        say("everything that is stored is sound")
    say_locks(found.locks)
    if found.expunged:
        from gittrack.cli.commands.expunge import say_hidden

        say_hidden(found.expunged)
    if found.given_up:
        say(f"the bytes of {plural(found.given_up, 'artifact')} were given up by 'gittrack gc'")
    if found.not_here:
        say(f"the bytes of {plural(found.not_here, 'artifact')} are not here: gittrack artifact pull")
    context.exit(FormatError.exit_code if findings else 0)


def say_locks(locks: Sequence[HeldLock]) -> None:
    """Say which locks on refs there are, and what helps."""
    for lock in locks:
        say(f"warning: locked for {lock.shown_age}: {display(lock.path)}", role="warning")
        say(f"next: {lock.advice}")

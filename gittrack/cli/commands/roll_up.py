"""``gittrack roll-up``."""

from __future__ import annotations

import os

import click

from gittrack.cli.session import Session
from gittrack.cli.terminal import say

_NICEST = 19


@click.command("roll-up")
@click.option(
    "-q", "--quiet", is_flag=True, help="Say nothing, take the time nobody else wants; not if it is done already."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(session: Session, quiet: bool, as_json: bool) -> None:
    """Move finished runs from the inbox into this month's ledger.

    It happens by itself, in the background, when the inbox is full. The commits of the runs stay the same.
    """
    from gittrack.api.maintain import roll_up_now
    from gittrack.cli.render import plural

    if quiet:
        if hasattr(os, "nice"):
            os.nice(_NICEST)
        roll_up_now(session.project(), wait=False)
        return
    result = roll_up_now(session.recovered())
    if as_json:
        from gittrack.cli import shapes

        shapes.print_json(
            ledger=result.ledger,
            runs=result.runs,
            events=result.events,
            problems=[shapes.problem(item) for item in result.problems],
        )
        return
    if result.ledger is None:
        say("the inbox is empty; all runs: gittrack ls")
    else:
        moved = f"{plural(result.runs, 'run')} and {plural(result.events, 'event')}"
        say(f"moved {moved}; the ledger as a diary: git log --first-parent {result.ledger}")
    for problem in result.problems:
        say(f"warning: {problem.where} stays in the inbox: {problem.reason}", role="warning")

"""``gittrack fetch``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gittrack.cli.session import Session
from gittrack.cli.terminal import say
from gittrack.core.names import display

if TYPE_CHECKING:
    from gittrack.api.fetch import Fetched, Rewritten
    from gittrack.api.project import Project


_SHOWN_RUNS = 10
_SHOWN_REFUSED = 20


@click.command("fetch")
@click.argument("remote", metavar="[REMOTE]", required=False)
@click.option("--accept-rewrite", is_flag=True, help="Use ledgers that were rewritten there; what is yours stays here.")
@click.option("--since", metavar="MONTH", help="Only ledgers of this month (2026-09) and later; all: of every month.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(session: Session, remote: str | None, accept_rewrite: bool, since: str | None, as_json: bool) -> None:
    """Get what others shared: runs, and what was said about runs. Needs no set-up in a fresh clone.

    What arrives is checked before it is shown. Your branches, tags and files are left alone, and the bytes of artifacts
    stay where they are: gittrack pull.

    Newest month first; each is there for good before the next one is fetched. The setting fetch_since says for every
    fetch what --since says for one.
    """
    from gittrack.api.fetch import fetch
    from gittrack.cli.git_progress import fetch_progress

    project = session.recovered()
    with fetch_progress() as (told, checked):
        found = fetch(project, remote, accept_rewrites=accept_rewrite, since=since, told=told, checked=checked)
    if as_json:
        from gittrack.cli import shapes, sharing_shapes

        shapes.print_json(**sharing_shapes.fetched(found))
    say_fetched(project, found)
    if code := code_of(found):
        raise SystemExit(code)


def code_of(*fetched: Fetched) -> int:
    """What a fetch ends with: 5 when ledgers were rewritten, 6 when one was refused, or all that came."""
    if any(found.rewritten for found in fetched):
        return 5
    refused = [problem for found in fetched for problem in found.refused]
    of_ledgers = any(problem.where.startswith("ledger ") for problem in refused)
    return 6 if of_ledgers or (refused and not any(found.rows or found.moved for found in fetched)) else 0


def _else_taken(found: Fetched) -> str:
    """What came beside what was refused, when no run and no event did."""
    from gittrack.cli.render import plural

    return f"taken: {plural(found.moved, 'checkpoint')}" if found.moved else "nothing else is new there"


def say_fetched(project: Project, found: Fetched) -> None:
    """Say what a fetch brought, and what it did not."""
    from gittrack.cli.render import plural

    for problem in found.refused[:_SHOWN_REFUSED]:
        say(f"warning: refused {problem.where}: {problem.reason}", role="warning")
    if len(found.refused) > _SHOWN_REFUSED:
        say(f"warning: and {len(found.refused) - _SHOWN_REFUSED} more: gittrack fsck", role="warning")
    for ledger in found.rewritten:
        _say_rewritten(project, ledger, found.remote)
    if found.behind:
        what = plural(len(found.behind), "ledger")
        say(
            f"{found.remote} has an earlier state of {what} than you; yours are mended by: gittrack push {found.remote}"
        )
    if found.hidden:
        ids = ", ".join(id[:8] for id in found.hidden[:10])
        say(f"{plural(len(found.hidden), 'run')} that somebody expunged stay here, hidden: {ids}")
        say(
            f"yours again: gittrack restore {found.hidden[0]}; gone for good: gittrack expunge {found.hidden[0]} --here"
        )
    if found.expunged:
        ids = ", ".join(id[:8] for id in found.expunged[:10])
        say(f"{plural(len(found.expunged), 'run')} expunged and no longer listed by {found.remote}: {ids}")
        say(f"to drop what is left here: gittrack expunge {found.expunged[0]} --here --prune")
    if found.runs or found.events:
        parts = [plural(found.runs, "run")] * bool(found.runs) + [plural(found.events, "event")] * bool(found.events)
        but = f", {len(found.refused)} refused" if found.refused else ""
        say(f"fetched {' and '.join(parts)} from {found.remote}{but}; newest first: gittrack ls")
    elif found.refused:
        say(f"refused {plural(len(found.refused), 'thing')} of {found.remote}; {_else_taken(found)}")
    elif not found.moved:
        say(f"nothing new at {found.remote}")
    if found.running:
        goes = "goes" if len(found.running) == 1 else "go"
        say(f"{plural(len(found.running), 'run')} {goes} on elsewhere: gittrack ls --status running")


def _say_rewritten(project: Project, ledger: Rewritten, remote: str) -> None:
    from gittrack.api.vanishing import vanishing_runs
    from gittrack.cli.render import plural

    found = vanishing_runs(project, ledger)
    what = "is gone from" if ledger.tip is None else "was rewritten at"
    text = f"the ledger {ledger.ref.removeprefix('refs/runs-remote/')} {what} the remote"
    lost = f"{plural(len(found), 'run')} would vanish" if found else "no run would vanish"
    say(f"warning: {text}; {lost}: gittrack fetch {remote} --accept-rewrite", role="warning")
    for run in found[:_SHOWN_RUNS]:
        whose = ", yours, stays here" if run.is_own else ""
        said = "" if run.expunged_by is None else f", expunged, it says, by {display(run.expunged_by, 60)}"
        say(f"  {run.id[:8]} {display(run.name, 60)}{whose}{said}")
    if len(found) > _SHOWN_RUNS:
        say(f"  … and {len(found) - _SHOWN_RUNS} more")

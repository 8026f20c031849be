"""``gittrack expunge``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from gittrack.cli.arguments import no_sign
from gittrack.cli.session import Session
from gittrack.cli.terminal import print_data, say
from gittrack.core.names import display
from gittrack.core.redact import redact_url
from gittrack.core.refs import BUNDLE, FROM
from gittrack.errors import ConflictError, UsageError

if TYPE_CHECKING:
    from gittrack.api.expunge import ExpungePlan
    from gittrack.api.expunging import Expunged

_SHOWN = 10
_LASTING = (
    "change the secret now: whoever has fetched the run has it, and nothing here takes it back from",
    "  other people's clones, forks and backups, bundles, CI logs and caches, pull requests,",
    "  and the remote itself until its own gc: hosts keep what no ref reaches, some for weeks (ask their support)",
)


@click.command("expunge")
@click.argument("run", metavar="RUN")
@click.option("--id", "typed", metavar="ID", help="The run's full id, in place of typing it when asked.")
@click.option("--remote", "remotes", metavar="REMOTE", multiple=True, help="Only at this remote, and here.")
@click.option("--here", is_flag=True, help="Only in this clone.")
@click.option("--prune", is_flag=True, help="Then drop every unreachable object of this clone: git gc --prune=now.")
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would go, what would stay, what is in the way.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@no_sign
@click.pass_obj
def command(
    session: Session,
    run: str,
    typed: str | None,
    remotes: tuple[str, ...],
    here: bool,
    prune: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Remove a run for good, here and at remotes: a secret leaked, or the law wants it. To hide one: gittrack rm.

    The run, all that was said of it, and bytes that only it needs go. Ledgers that list it are rebuilt, here and at
    every remote that is known to have it, others' ledgers too: this needs the right to force a push. Everybody else
    gets the rebuilt ledgers by: gittrack fetch --accept-rewrite. Stopped at any moment, the same command does the rest.

    Asks for the run's full id. Without a terminal, --id gives it.
    """
    from gittrack.api.expunge import plan_expunge
    from gittrack.api.expunging import expunge
    from gittrack.cli.git_progress import git_progress

    if here and remotes:
        raise UsageError("--here and --remote are given both", hint=f"gittrack expunge {run} --here")
    options = _options(remotes, here=here, prune=prune)
    plan = plan_expunge(session.recovered(), run, here=here, remotes=remotes)
    for line in _lines(plan, prune=prune):
        click.echo(display(line), err=True) if not dry_run or as_json else print_data(line)
    done = None
    if not dry_run:
        if plan.obstacles:
            text = f"run {plan.id[:8]} is needed: {plan.obstacles[0].what}"
            raise ConflictError(text, hint=plan.obstacles[0].command)
        _check_typed(plan, typed, options)
        with git_progress() as told:
            done = expunge(session.project(), plan, prune=prune, told=told)
    if as_json:
        from gittrack.cli import shapes

        shapes.print_json(**_shape(plan, done))
    if done is None:
        say(f"nothing is changed; to do it: gittrack expunge {plan.id}{options}")
        raise SystemExit(ConflictError.exit_code if plan.obstacles else 0)
    _say_end(done, options)
    if done.failed:
        raise SystemExit(1)


def _options(remotes: Sequence[str], *, here: bool, prune: bool) -> str:
    """What was asked for, as whoever repeats the command must say it again."""
    import shlex

    named = "".join(f" --remote {shlex.quote(redact_url(remote))}" for remote in remotes)
    return f"{' --here' if here else ''}{named}{' --prune' if prune else ''}"


def _check_typed(plan: ExpungePlan, typed: str | None, options: str) -> None:
    """The full id is the only yes."""
    if typed is None:
        if not sys.stdin.isatty():
            text = "nobody is there to type the run's id"
            hint = f"gittrack expunge {plan.id[:8]}{options} --id ID, its full id (gittrack show)"
            raise UsageError(text, hint=hint)
        typed = click.prompt("type the run's full id to go on", default="", show_default=False, err=True)
    if typed.strip() != plan.id:
        raise UsageError("what was typed is not the run's full id; nothing is changed", hint="gittrack expunge RUN")


def _lines(plan: ExpungePlan, *, prune: bool) -> list[str]:
    """The plan for people: what goes, where; what stays; what cannot be undone."""
    lines = [f"run {plan.id}  {display(plan.name, 80)}".rstrip(), *_going(plan)]
    lines += [f"in the way: {obstacle.what}: {obstacle.command}" for obstacle in plan.obstacles[:_SHOWN]]
    again = f"gittrack expunge {plan.id} --remote URL"
    lines += [f"also shared with a place known here as {slug} only: {again}" for slug in plan.unknown]
    if plan.children:
        ids = ", ".join(id[:8] for id in plan.children[:_SHOWN])
        lines.append(f"stays: {_plural(len(plan.children), 'run')} begun inside it: {ids}")
    lines += [f"stays: {text}" for text in plan.code]
    if plan.bytes.unknown:
        lines.append(f"stay: bytes of artifacts, as it is not known what others need: {plan.bytes.unknown}")
    lines += [f"stays until you remove it: {place}" for place in plan.bytes.elsewhere[:_SHOWN]]
    if len(plan.bytes.elsewhere) > _SHOWN:
        lines.append(f"  and {len(plan.bytes.elsewhere) - _SHOWN} more: --json lists them")
    if prune:
        lines.append("then every unreachable object of this clone is dropped: lost stashes and amended commits, too")
    return [*lines, *_LASTING]


def _going(plan: ExpungePlan) -> list[str]:
    from gittrack.core.sizes import format_size

    there = plan.there
    parts = [_plural(len(there.commits), "commit"), _plural(len(there.events), "event")]
    if plan.bytes.here:
        parts.append(f"{_plural(plan.bytes.here, 'file')} of artifacts ({format_size(plan.bytes.size)})")
    lines = [f"goes here: {', '.join(parts)}"]
    for remote in plan.remotes:
        names = [name for name in plan.ledgers if name.startswith(f"{remote.slug}/")]
        shown = ", ".join(name.partition("/")[2] for name in names[:_SHOWN]) or "whatever has it"
        lines.append(f"rebuilt at {remote.shown}: {shown}")
    there_too = [name for name in plan.ledgers if not name.startswith((BUNDLE, FROM))]
    if plan.here and there_too:
        lines.append(f"stays at remotes: {', '.join(there_too[:_SHOWN])}; there: gittrack expunge {plan.id}")
    return lines


def _say_end(done: Expunged, options: str) -> None:
    for ledger in done.rebuilt:
        say(f"rebuilt {ledger}")
    for place in done.left:
        say(f"warning: {place} still points at it, and is not ours to remove", role="warning")
    for failed in done.failed:
        hint = f": {failed.hint}" if failed.hint else ""
        say(f"warning: {failed.where} still has it: {failed.reason}{hint}", role="warning")
    for reason in done.unread:
        say(f"warning: not taken in: {reason}: gittrack fetch", role="warning")
    if done.bytes.kept:
        text = "stays: another run uses it, or one is being written that may; what none needs: gittrack gc"
        say(f"warning: {_plural(done.bytes.kept, 'file')} of artifacts {text}", role="warning")
    id = done.plan.id
    if done.failed:
        say(f"the rest is done; when that is mended: gittrack expunge {id}{options}")
        return
    say(f"run {id[:8]} is expunged; everybody else: gittrack fetch --accept-rewrite")
    if done.stored and not done.pruned:
        say("its objects are still stored here, reached by nothing of ours; to drop all that nothing reaches:")
        say(f"gittrack expunge {id} --here --prune")
    elif done.stored:
        say(f"warning: {_plural(len(done.stored), 'commit')} of it could not be dropped", role="warning")
        for reason in done.kept_by:
            say(f"  {reason}")


def _shape(plan: ExpungePlan, done: Expunged | None) -> dict[str, Any]:
    return {
        "run": plan.id,
        "name": plan.name or None,
        "commits": sorted(plan.there.commits),
        "events": len(plan.there.events),
        "remotes": [remote.shown for remote in plan.remotes],
        "ledgers": list(plan.ledgers),
        "unknown_places": list(plan.unknown),
        "files": plan.bytes.here,
        "bytes": plan.bytes.size,
        "bytes_elsewhere": list(plan.bytes.elsewhere),
        "obstacles": [{"what": item.what, "command": item.command} for item in plan.obstacles],
        "children": list(plan.children),
        "code": list(plan.code),
        "done": None if done is None else _outcome(done),
    }


def _outcome(done: Expunged) -> dict[str, Any]:
    return {
        "rebuilt": done.rebuilt,
        "failed": [item._asdict() for item in done.failed],
        "left": done.left,
        "unread": done.unread,
        "files": done.bytes.gone,
        "files_kept": done.bytes.kept,
        "pruned": done.pruned,
        "stored": done.stored,
    }


def _plural(count: int, noun: str) -> str:
    from gittrack.cli.render import plural

    return plural(count, noun)


def say_hidden(ids: Sequence[str]) -> None:
    """Say that expunged runs still lie here."""
    stays = "stays" if len(ids) == 1 else "stay"
    what = f"{_plural(len(ids), 'expunged run')} {stays} here, hidden and not shared"
    say(f"{what}: by whom, and what to do: gittrack ls")

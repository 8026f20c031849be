"""``gittrack gc``."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

import click

from gittrack.cli.session import Session
from gittrack.cli.terminal import Terminal, say
from gittrack.errors import UsageError

if TYPE_CHECKING:
    from gittrack.api.gc import Collected, GcPlan
    from gittrack.api.project import Project
    from gittrack.api.retention import Retention
    from gittrack.cli.render import Cell, Column
    from gittrack.core.retention import KeepRule


@click.command("gc")
@click.argument("runs", metavar="[RUN…]", nargs=-1)
@click.option("--deleted", is_flag=True, help="Deleted runs give up their bytes too: restored, they have none.")
@click.option("--rules", "configured", is_flag=True, help="Apply the keep rules of the settings.")
@click.option("--keep", metavar="RULE", multiple=True, help="Apply this keep rule; may be given several times.")
@click.option("-e", "--experiment", metavar="EXP", help="Apply keep rules to this experiment only.")
@click.option("--checkpoints", metavar="last:N", help="Of checkpoints keep the last N, of RUN… or of all runs.")
@click.option("--dry-run", is_flag=True, help="Only say what would go, and why.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, sizes in bytes.")
@click.pass_obj
def command(
    session: Session,
    runs: tuple[str, ...],
    deleted: bool,
    configured: bool,
    keep: tuple[str, ...],
    experiment: str | None,
    checkpoints: str | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Remove artifact bytes of this clone that no run, branch or tag refers to.

    Runs, what lies in git, DVC's cache and remotes are left alone. What was written within the last day stays.

    With keep rules, runs that no rule keeps give up the bytes of their artifacts, the runs themselves stay: all, none,
    last:50, 'best:10 by lowest val_loss', tagged, tagged:KEY, tagged:KEY=VALUE. Versions and other tagged commits keep
    theirs. In .gittrack.toml: [keep] and "*" = ["last:50", "tagged"], or an experiment's name in place of the "*".
    """
    from gittrack.api.gc import collect, plan_gc

    project = session.recovered()
    if runs and checkpoints is None:
        raise UsageError("RUN is for --checkpoints only", hint=f"gittrack gc --checkpoints last:3 {runs[0][:80]}")
    rules = _rules(project, configured, keep, experiment)
    retention = _retention(project, runs, deleted, rules, checkpoints, typed=bool(keep))
    plan = plan_gc(project, retention)
    if not as_json:
        _show(session, plan)
    for note in plan.notes:
        say(note)
    collected = None
    if plan.files and not dry_run:
        if plan.given_up:
            say("what is on no remote is lost for good: gittrack artifact push", role="warning")
        if not yes and not _confirmed(plan):
            say("nothing was removed")
            raise SystemExit(1)
        collected = collect(project, plan, retention)
    if as_json:
        from gittrack.cli import shapes

        shapes.print_json(**shapes.collection(plan, collected))
    _say_end(plan, collected)
    if collected is not None and collected.problems:
        raise SystemExit(1)


def _rules(
    project: Project, configured: bool, keep: tuple[str, ...], experiment: str | None
) -> dict[str, list[KeepRule]]:
    from gittrack.api.retention import EVERY, configured_rules
    from gittrack.core.retention import parse_rule

    rules = configured_rules(project) if configured else {}
    if configured and not rules:
        text = "there are no keep rules in the settings"
        raise UsageError(text, hint="gittrack gc --keep last:50, or: git config gittrack.keep 'last:50, tagged'")
    if configured and keep:
        raise UsageError("--rules and --keep are given both", hint="gittrack gc --rules")
    if keep:
        rules = {EVERY: [parse_rule(text) for text in keep]}
    if experiment is None:
        return rules
    if not rules:
        raise UsageError("--experiment is for --keep and --rules", hint="gittrack gc --keep last:50 --experiment EXP")
    from gittrack.api.experiments import find_experiment

    name = find_experiment(project, experiment).name
    return {name: rules.get(name, rules.get(EVERY, [])) or [parse_rule("all")]}


def _retention(
    project: Project,
    runs: tuple[str, ...],
    deleted: bool,
    rules: dict[str, list[KeepRule]],
    checkpoints: str | None,
    *,
    typed: bool,
) -> Retention:
    from gittrack.api.read import find_run
    from gittrack.api.retention import Retention
    from gittrack.core.retention import parse_checkpoints

    return Retention(
        rules=rules,
        checkpoints=None if checkpoints is None else parse_checkpoints(checkpoints),
        runs=frozenset(find_run(project, address).id for address in runs),
        deleted=deleted,
        typed=typed,
    )


def _show(session: Session, plan: GcPlan) -> None:
    from gittrack.cli.render import Cell, Column
    from gittrack.core.sizes import format_size

    rows = [
        [
            Cell(item.run.id[:8], "faint"),
            Cell(item.run.name),
            Cell(item.run.record.experiment.name),
            Cell(format_size(size)),
            Cell(", ".join(item.paths) or "everything"),
            Cell(item.why, "faint"),
        ]
        for item, size in plan.given_up
    ]
    columns = [
        *(Column("RUN"), Column("NAME", least=8), Column("EXPERIMENT", least=8), Column("SIZE", right=True)),
        *(Column("GIVES UP", least=12), Column("WHY", least=12)),
    ]
    if rows:
        session.stdout.show(_lines(columns, rows, session.stdout), session.environ)


def _lines(columns: list[Column], rows: list[list[Cell]], terminal: Terminal) -> list[str]:
    """A table; where the screen is too narrow, what is given up and why stand below each run: they are never cut."""
    from gittrack.cli.render import GAP, table
    from gittrack.core.names import cell_width, display

    texts = [[column.title for column in columns], *([cell.text for cell in row] for row in rows)]
    widths = [max(cell_width(display(text)) for text in texts_of) for texts_of in zip(*texts, strict=True)]
    if terminal.width is None or sum(widths) + len(GAP) * (len(widths) - 1) <= terminal.width:
        return table(columns, rows, terminal)
    title, *lines = table(columns[:4], [row[:4] for row in rows], terminal)
    found = [title]
    for line, (*_, paths, why) in zip(lines, rows, strict=True):
        found += [line, f"{GAP}gives up {display(paths.text)}", GAP + terminal.paint(display(why.text), "faint")]
    return found


def _summary(plan: GcPlan) -> str:
    from gittrack.cli.render import plural
    from gittrack.core.sizes import format_size

    if not plan.garbage:
        return f"{plural(len(plan.scratch), 'half-copied file')}, {format_size(plan.bytes)}"
    linked = sum(found.size for found in plan.garbage if found.linked)
    stays = f" ({format_size(linked)} of it has a second name in DVC's cache: dvc gc frees it)" if linked else ""
    copying = f", with {plural(len(plan.scratch), 'half-copied file')}" if plan.scratch else ""
    return f"{plural(plan.files, 'file')}, {format_size(plan.bytes)}{copying}{stays}"


def _confirmed(plan: GcPlan) -> bool:
    if not sys.stdin.isatty():
        raise UsageError(f"nobody is there to be asked about {_summary(plan)}", hint=_again())
    return click.confirm(f"remove {_summary(plan)}?", err=True)


def _again() -> str:
    """This command with ``--yes``, for whoever reads a log."""
    context = click.get_current_context()
    words: list[str] = []
    for parameter in context.command.params:
        value = context.params.get(parameter.name or "")
        if isinstance(parameter, click.Option) and value is True:
            words.append(parameter.opts[-1])
        elif isinstance(parameter, click.Option) and value:
            for item in value if isinstance(value, tuple) else (value,):
                words += [parameter.opts[-1], item]
    return shlex.join(["gittrack", "gc", *words, "--yes", *context.params["runs"]])


def _say_end(plan: GcPlan, collected: Collected | None) -> None:
    from gittrack.cli.render import plural
    from gittrack.core.sizes import format_size

    if plan.young:
        size = format_size(sum(found.size for found in plan.young))
        say(f"{plural(len(plan.young), 'file')} ({size}) that nothing refers to stay: written within the last day")
    if plan.missing:
        say(f"the files of {plural(len(plan.missing), 'folder')} of runs are not here: gittrack artifact pull")
    if collected is None and plan.files:
        say(f"nothing is removed; would go: {_summary(plan)}; to do it, the same without --dry-run")
    elif collected is None:
        say(f"nothing to remove; in use are {plural(plan.kept, 'file')}, {format_size(plan.kept_bytes)}: gittrack du")
    else:
        for problem in collected.problems:
            say(f"warning: {problem}", role="warning")
        say(f"removed {plural(collected.files, 'file')}, {format_size(collected.bytes)}; next: gittrack du")

"""``gittrack experiments``."""

from __future__ import annotations

import click

from gittrack.cli.arguments import no_sign
from gittrack.cli.session import Session
from gittrack.cli.terminal import say
from gittrack.core.names import display


@click.group("experiments")
def command() -> None:
    """List, show and rename experiments."""


@command.command("ls")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_command(session: Session, as_json: bool) -> None:
    """List experiments by name."""
    from gittrack.api.experiments import list_experiments

    project = session.recovered()
    experiments = list_experiments(project)
    if as_json:
        from gittrack.cli import shapes

        shapes.print_json(experiments=[shapes.experiment(item) for item in experiments])
    elif experiments:
        from gittrack.cli.render import Cell, Column, table
        from gittrack.core.sparkline import format_age

        now = project.now()
        rows = [
            [
                Cell(item.name),
                Cell(str(item.runs)),
                Cell("" if item.latest is None else format_age(now - item.latest), "faint"),
                Cell(item.id, "faint"),
            ]
            for item in experiments
        ]
        columns = [Column("NAME", least=12), Column("RUNS", right=True), Column("LATEST"), Column("ID")]
        session.stdout.show(table(columns, rows, session.stdout), session.environ)
    else:
        say("no experiments yet; the first one: gittrack run -e NAME -- python train.py")


@command.command("show")
@click.argument("experiment", metavar="EXP")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def show_command(session: Session, experiment: str, as_json: bool) -> None:
    """Show an experiment, by its name or id, and what was changed about it."""
    from gittrack.api.experiments import find_experiment
    from gittrack.cli import shapes

    project = session.recovered()
    found = find_experiment(project, experiment)
    if as_json:
        shapes.print_json(
            experiment=shapes.experiment(found), events=[shapes.event(item) for item in found.state.events]
        )
        return
    from gittrack.cli.render import facts_lines, time_text

    facts = {
        "name": found.name,
        "id": found.id,
        "runs": str(found.runs),
        "latest": "" if found.latest is None else time_text(found.latest),
    }
    changes = {
        f"{time_text(item.time)} {item.kind}": f"{item.value or 'removed'} (by {item.author.name})"
        for item in found.state.events
    }
    lines = facts_lines(facts | changes, session.stdout)
    session.stdout.show(lines, session.environ)


@command.command("rename")
@click.argument("experiment", metavar="EXP")
@click.argument("name", metavar="NAME")
@no_sign
@click.pass_obj
def rename_command(session: Session, experiment: str, name: str) -> None:
    """Give an experiment another name. Its runs stay its runs; the old name, where still used, begins a new one."""
    from gittrack.api.experiments import find_experiment, rename_experiment

    project = session.recovered()
    old = find_experiment(project, experiment).name
    renamed = rename_experiment(project, experiment, name)
    say(f"experiment {renamed.id} is '{display(renamed.name)}' now")
    if old != renamed.name:
        say(f"runs that still say '{display(old)}' begin a new experiment of that name")
    say("next: gittrack experiments ls")

"""``gittrack bundle``."""

from __future__ import annotations

import click

from gittrack.cli.session import Session
from gittrack.cli.terminal import say


@click.group("bundle")
def command() -> None:
    """Carry runs in a file to where no network reaches."""


@command.command("create")
@click.argument("file", metavar="FILE", type=click.Path(dir_okay=False))
@click.option("--without", metavar="REV", multiple=True, help="Leave out what this revision reaches: they have it.")
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def create_command(session: Session, file: str, without: tuple[str, ...], force: bool, as_json: bool) -> None:
    """Write all runs, yours and those you fetched, with their code, into FILE. Git can fetch from it, too.

    The bytes of artifacts are not in it: copy their DVC remote.
    """
    from gittrack.api.bundle import create_bundle
    from gittrack.cli.git_progress import git_progress
    from gittrack.cli.render import plural
    from gittrack.core.sizes import format_size

    project = session.recovered()
    with git_progress() as told:
        done = create_bundle(project, file, without=without, replace=force, told=told)
    for problem in done.problems:
        say(f"warning: {problem.where} is not in it: {problem.reason}: gittrack fsck", role="warning")
    if as_json:
        from gittrack.cli import shapes

        problems = [shapes.problem(item) for item in done.problems]
        shapes.print_json(file=str(done.file), size=done.size, ledgers=done.ledgers, runs=done.runs, problems=problems)
    say(f"wrote {plural(done.runs, 'run')}, {format_size(done.size)}; there: gittrack bundle apply {file}")


@command.command("apply")
@click.argument("file", metavar="FILE", type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def apply_command(session: Session, file: str, as_json: bool) -> None:
    """Take in the runs of FILE; each is checked before it is shown."""
    from gittrack.api.bundle import apply_bundle
    from gittrack.cli.commands.fetch import code_of, say_fetched
    from gittrack.cli.git_progress import git_progress

    project = session.recovered()
    with git_progress() as told:
        found = apply_bundle(project, file, told)
    if as_json:
        from gittrack.cli import shapes, sharing_shapes

        shapes.print_json(fetched=[sharing_shapes.fetched(item) for item in found])
    news = [item for item in found if item.rows or item.refused or item.rewritten]
    for item in news:
        say_fetched(project, item)
    if not news:
        say("everything in it is here already")
    if code := code_of(*found):
        raise SystemExit(code)

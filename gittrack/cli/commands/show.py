"""``gittrack show``."""

from __future__ import annotations

import click

from gittrack.cli.session import Session


@click.command("show")
@click.argument("run", metavar="RUN")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(session: Session, run: str, as_json: bool) -> None:
    """Show everything about a run: code, parameters, metrics, tags, artifacts, environment, the end of its output."""
    from gittrack.api.read import find_run

    project = session.recovered()
    found = find_run(project, run)
    if as_json:
        from gittrack.cli.shapes import print_json, whole_run

        print_json(run=whole_run(found))
    else:
        from gittrack.cli.run_page import run_page, seen_text

        seen = ""
        if found.checkpoint is not None:
            from gittrack.api.elsewhere import last_seen

            seen = seen_text(found, last_seen(project, found), project.now())
        session.stdout.show(run_page(found, project.now(), session.stdout, seen), session.environ)

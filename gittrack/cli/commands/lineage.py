"""``gittrack lineage``."""

from __future__ import annotations

import click

from gittrack.cli.session import Session
from gittrack.cli.terminal import warn_of
from gittrack.errors import UsageError


@click.command("lineage")
@click.argument("target", metavar="RUN|MODEL|PATH|HASH")
@click.option("--up", is_flag=True, help="Only what it came of.")
@click.option("--down", is_flag=True, help="Only what came of it.")
@click.option("--depth", metavar="N", type=click.IntRange(min=1), help="Go at most N steps in each direction.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--dot", "as_dot", is_flag=True, help="Print a graph for Graphviz.")
@click.option("--mermaid", "as_mermaid", is_flag=True, help="Print a Mermaid flowchart.")
@click.pass_obj
def command(
    session: Session,
    target: str,
    up: bool,
    down: bool,
    depth: int | None,
    as_json: bool,
    as_dot: bool,
    as_mermaid: bool,
) -> None:
    """Show which data made a run, what the run made, and which runs used that.

    The target is a run, an artifact or a model of one (RUN:path, RUN:name), a file or folder, the URI of data, or a
    hash or its beginning.
    """
    from gittrack.api.lineage import find_lineage

    if as_json + as_dot + as_mermaid > 1:
        raise UsageError("--json, --dot and --mermaid exclude each other", hint="gittrack lineage @latest --dot")
    both = up == down
    found, problems = find_lineage(session.recovered(), target, up=up or both, down=down or both, depth=depth)
    if as_json:
        from gittrack.cli import shapes

        shapes.print_json(lineage=shapes.lineage(found), problems=[shapes.unread(*each) for each in problems])
    elif as_dot or as_mermaid:
        from gittrack.core.lineage_text import dot_text, mermaid_text

        click.echo(dot_text(found) if as_dot else mermaid_text(found), nl=False)
    else:
        from gittrack.cli.lineage_tree import tree_lines

        trees = [tree_lines(found, root, session.stdout, up=up or both, down=down or both) for root in found.roots]
        session.stdout.show([line for tree in trees for line in tree], session.environ)
    warn_of([f"cannot read {where}: {reason}" for where, reason in problems])

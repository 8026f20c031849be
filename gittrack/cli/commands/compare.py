"""``gittrack compare``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from gittrack.cli.session import Session
from gittrack.cli.terminal import print_data, say
from gittrack.errors import UsageError

if TYPE_CHECKING:
    from gittrack.api.compare import Comparing, Comparison, Row

_Function = TypeVar("_Function", bound=Callable[..., Any])
_SECTIONS = ("attributes", "params", "metrics", "tags", "code", "inputs", "environment")
_VALUES = ("last", "min", "max", "mean", "best")
_METHODS = ("z", "minmax", "percentile", "relative")


def _how(function: _Function) -> _Function:
    """The options that say how metrics are compared."""
    for option in (
        click.option("--minimize", metavar="METRIC", multiple=True, help="Less is better of it (name or pattern)."),
        click.option("--maximize", metavar="METRIC", multiple=True, help="More is better of it (name or pattern)."),
        click.option(
            "--group-by", metavar="KEY", multiple=True, help="Statistics of runs that share this: params.model, tags.x."
        ),
        click.option(
            "--score", metavar="WEIGHTS", default="", help="A weighted score: 'metrics.acc=2,metrics.latency=1'."
        ),
        click.option(
            "--normalize", type=click.Choice(_METHODS), help="Put metrics on one scale; higher is better on it."
        ),
        click.option(
            "--value", type=click.Choice(_VALUES), default="last", show_default=True, help="Which of a metric's."
        ),
    ):
        function = option(function)
    return function


def _output(function: _Function) -> _Function:
    """The options that say what is printed."""
    for option in (
        click.option("--md", "as_md", is_flag=True, help="Print a Markdown table."),
        click.option("--csv", "as_csv", is_flag=True, help="Print CSV, numbers in full."),
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
        click.option("--transpose", is_flag=True, help="Runs below each other, as they are when they are many."),
        click.option(
            "-s", "--section", "sections", type=click.Choice(_SECTIONS), multiple=True, help="Only these facts."
        ),
        click.option("-a", "--all", "everything", is_flag=True, help="Also what is the same in all runs."),
    ):
        function = option(function)
    return function


@click.command("compare")
@click.argument("runs", metavar="[RUN]...", nargs=-1)
@click.option("--query", metavar="QUERY", help="The runs that answer it, as `gittrack ls QUERY` lists them.")
@click.option("-e", "--experiment", metavar="EXP", help="All runs of this experiment (name or id), or those of QUERY.")
@click.option("-b", "--baseline", metavar="RUN", help="Say of each metric how far it is from this run's.")
@_how
@_output
@click.pass_obj
def command(
    session: Session,
    /,
    runs: tuple[str, ...],
    query: str | None,
    experiment: str | None,
    baseline: str | None,
    everything: bool,
    sections: tuple[str, ...],
    transpose: bool,
    as_json: bool,
    as_csv: bool,
    as_md: bool,
    **how: Any,
) -> None:
    """Show runs side by side: what differs, and which is better.

    What differs in params, metrics, tags, code, inputs and environment, that is; --all shows the rest too.

    Beside a metric stands which way it gets better: ↑ more, ↓ less, ? nobody knows. The table [metrics] of
    .gittrack.toml says so, else the metric's usual meaning counts: loss down, accuracy up.
    """
    if as_json + as_csv + as_md > 1:
        raise UsageError("only one of --json, --csv and --md", hint="gittrack compare … --json")
    if not runs and experiment is None and query is None:
        raise UsageError("no run is named", hint="gittrack compare @-2 @latest, or gittrack compare -e EXPERIMENT")
    from gittrack.api.compare import choose_runs, compare_runs
    from gittrack.cli.comparison_texts import shown_rows
    from gittrack.cli.searching import say_unknown, searched

    settings = _settings(sections, **how)
    project = session.recovered()
    asked = searched(project, query, experiment)
    chosen = choose_runs(project, runs, asked=asked, baseline=baseline)
    comparison = compare_runs(project, chosen, settings)
    rows = shown_rows(comparison, everything=everything)
    if as_json:
        from gittrack.cli.comparison_export import comparison_shape
        from gittrack.cli.shapes import print_json

        print_json(**comparison_shape(comparison, rows))
    elif as_csv or as_md:
        _print_table(comparison, rows, as_csv=as_csv, transpose=transpose)
    elif comparison.runs:
        _show(session, comparison, rows, transpose=transpose or None)
    _say_the_rest(comparison, rows, table=not (as_json or as_csv or as_md))
    if asked is not None and len(comparison.runs) <= len(set(runs)):
        say_unknown(project, asked.expression)


def _settings(sections: Sequence[str], **how: Any) -> Comparing:
    from gittrack.api.compare import SECTIONS, Comparing
    from gittrack.core.directions import Directions
    from gittrack.core.normalise import parse_weights

    whole = ("metrics",) if how["group_by"] else SECTIONS  # of groups only metrics are shown
    return Comparing(
        sections=tuple(section for section in SECTIONS if section in sections) or whole,
        value=how["value"],
        normalize=how["normalize"],
        weights=parse_weights(how["score"]) if how["score"] else {},
        group_by=how["group_by"],
        directions=Directions(how["maximize"], how["minimize"]),
    )


def _print_table(comparison: Comparison, rows: Sequence[Row], *, as_csv: bool, transpose: bool) -> None:
    from gittrack.cli.comparison_export import exact_rows, short_rows
    from gittrack.cli.exports import csv_text, markdown_lines

    if as_csv:
        print_data(csv_text(exact_rows(comparison, rows, transpose=transpose)), end="")
    else:
        titles, *lines = short_rows(comparison, rows, transpose=transpose)
        print_data("\n".join(markdown_lines(titles, lines)))


def _show(session: Session, comparison: Comparison, rows: Sequence[Row], *, transpose: bool | None) -> None:
    from gittrack.cli.comparison_table import comparison_lines, group_lines

    if comparison.group_by:
        session.stdout.show(group_lines(comparison, rows, session.stdout), session.environ)
        return
    lines, left_out = comparison_lines(comparison, rows, session.stdout, transpose=transpose)
    session.stdout.show(lines, session.environ)
    if left_out:
        from gittrack.cli.render import plural

        say(f"warning: {plural(left_out, 'fact')} more than a table holds; all of them: --csv", role="warning")


def _say_the_rest(comparison: Comparison, rows: Sequence[Row], *, table: bool) -> None:
    from gittrack.cli.render import plural

    for problem in comparison.problems:
        say(f"warning: {problem}", role="warning")
    if not table:
        return
    hidden = len(comparison.rows) - len(rows)
    if not comparison.runs:
        say("no run is like that; all: gittrack ls")
    elif not rows:
        say(f"nothing differs in what is compared, {plural(hidden, 'fact')}; show them: gittrack compare … --all")
    elif hidden:
        say(f"not shown, being the same or of the machine: {plural(hidden, 'fact')}; gittrack compare … --all")
    if comparison.has_baseline:
        from gittrack.cli.comparison_texts import unclear

        names = unclear(rows)
        if names:
            say(f"which way '{names[0]}' gets better is not known; say so: --maximize or --minimize '{names[0]}'")

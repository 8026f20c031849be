"""``gittrack compare``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from gittrack.cli.session import Session
from gittrack.cli.terminal import print_data, say
from gittrack.errors import RunNotFoundError, UsageError

if TYPE_CHECKING:
    from gittrack.api.compare import Comparing, Comparison, Row
    from gittrack.api.project import Project
    from gittrack.api.search import Search
    from gittrack.core.problem import Problem

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
            "--group-by",
            metavar="KEY",
            multiple=True,
            help="Statistics of runs that share this: params.model, tags.x, name, data.train.hash.",
        ),
        click.option(
            "--score",
            metavar="WEIGHTS",
            default="",
            help="A weighted score, of runs or groups: 'metrics.acc=2,metrics.latency=1'.",
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
        click.option(
            "-a",
            "--all",
            "everything",
            is_flag=True,
            help="Also what is the same in all runs, and the machine's metrics.",
        ),
    ):
        function = option(function)
    return function


@click.command("compare")
@click.argument("runs", metavar="[RUN]...", nargs=-1)
@click.option("--query", metavar="QUERY", help="The runs that answer it, as `gittrack ls QUERY` lists them.")
@click.option("-e", "--experiment", metavar="EXP", help="All runs of this experiment (name or id), or those of QUERY.")
@click.option(
    "-b",
    "--baseline",
    metavar="RUN",
    help="Say of each metric how far it is from this run's; with --group-by each mean from that of this run's group.",
)
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

    With --group-by there are the metrics of groups: n, mean, standard deviation and 95 % interval. The baseline is then
    the mean of the group that --baseline is in; scores and scales are those of the groups' means.
    """
    if as_json + as_csv + as_md > 1:
        raise UsageError("only one of --json, --csv and --md", hint="gittrack compare … --json")
    if not runs and experiment is None and query is None:
        raise UsageError("no run is named", hint="gittrack compare @-2 @latest, or gittrack compare -e EXPERIMENT")
    from gittrack.api.compare import choose_runs, compare_runs
    from gittrack.cli.comparison_texts import shown_rows
    from gittrack.cli.searching import searched

    settings = _settings(sections, transpose, **how)
    project = session.recovered()
    asked = searched(project, query, experiment)
    chosen = choose_runs(project, runs, asked=asked, baseline=baseline)
    if not chosen.runs:
        raise _nothing_found(project, asked, chosen.problems, query, experiment)
    comparison = compare_runs(project, chosen, settings)
    rows = shown_rows(comparison, everything=everything)
    if as_json:
        from gittrack.cli.comparison_export import comparison_shape
        from gittrack.cli.shapes import print_json

        print_json(**comparison_shape(comparison, rows))
    elif as_csv or as_md:
        _print_table(comparison, rows, as_csv=as_csv, transpose=transpose)
    else:
        _show(session, comparison, rows, transpose=transpose or None)
    _say_the_rest(comparison, rows, table=not (as_json or as_csv or as_md))
    if asked is not None and len(comparison.runs) <= len({*runs, *([baseline] if baseline else [])}):
        from gittrack.cli.searching import say_unknown

        say_unknown(project, asked.expression)


def _nothing_found(
    project: Project, asked: Search | None, problems: Sequence[Problem], query: str | None, experiment: str | None
) -> RunNotFoundError:
    """The error that no run is asked for; with the name in the query that no run has."""
    from gittrack.api.index_lookups import unknown_in
    from gittrack.cli.searching import say_problems, unknown_text
    from gittrack.core.names import display

    say_problems(problems)
    unknown = unknown_in(project, asked.expression) if asked is not None else []
    if unknown:
        text, near = unknown_text(unknown[0][0], ""), unknown[0][1]
        return RunNotFoundError(text, hint=f"did you mean {display(near, 80)}?" if near else "gittrack ls")
    if problems:
        return RunNotFoundError("no run that is asked for can be read", hint="gittrack fsck")
    if query is not None:
        return RunNotFoundError(f"no run answers '{display(query, 80)}'", hint="gittrack ls")
    return RunNotFoundError(f"the experiment '{display(experiment or '', 80)}' has no runs", hint="gittrack ls")


def _settings(sections: Sequence[str], transpose: bool, **how: Any) -> Comparing:
    from gittrack.api.compare import SECTIONS, Comparing
    from gittrack.core.directions import asked_directions
    from gittrack.core.normalise import parse_weights

    if how["group_by"]:
        _refuse_with_groups(sections, transpose)
    whole = ("metrics",) if how["group_by"] else SECTIONS  # of groups only metrics are shown
    return Comparing(
        sections=tuple(section for section in SECTIONS if section in sections) or whole,
        value=how["value"],
        normalize=how["normalize"],
        weights=parse_weights(how["score"]) if how["score"] else {},
        group_by=how["group_by"],
        directions=asked_directions(how["maximize"], how["minimize"]),
    )


def _refuse_with_groups(sections: Sequence[str], transpose: bool) -> None:
    """Raises UsageError for what says nothing of groups."""
    others = [section for section in sections if section != "metrics"]
    if others:
        text = f"of groups only metrics are compared, not {', '.join(others)}"
        raise UsageError(text, hint="gittrack compare … --group-by KEY, without -s")
    if transpose:
        text = "--transpose says how runs stand; groups stand below each other"
        raise UsageError(text, hint="gittrack compare … --group-by KEY, without --transpose")


def _print_table(comparison: Comparison, rows: Sequence[Row], *, as_csv: bool, transpose: bool) -> None:
    from gittrack.cli.comparison_export import exact_rows, short_rows
    from gittrack.cli.exports import csv_text, markdown_lines

    if as_csv:
        print_data(csv_text(exact_rows(comparison, rows, transpose=transpose)), end="")
    else:
        titles, *lines = short_rows(comparison, rows, transpose=transpose)
        print_data("\n".join(markdown_lines(titles, lines)))


def _show(session: Session, comparison: Comparison, rows: Sequence[Row], *, transpose: bool | None) -> None:
    if comparison.group_by:
        from gittrack.cli.comparison_groups import group_lines

        session.stdout.show(group_lines(comparison, rows, session.stdout), session.environ)
        return
    from gittrack.cli.comparison_table import comparison_lines

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
    if not rows:
        known = "known" if any(run.unknown for run in comparison.runs) else "compared"
        say(f"nothing differs in what is {known}, {plural(hidden, 'fact')}; show them: gittrack compare … --all")
    elif hidden:
        say(f"not shown, being the same or of the machine: {plural(hidden, 'fact')}; gittrack compare … --all")
    if comparison.has_baseline or comparison.normalize:
        from gittrack.cli.comparison_texts import unclear, unclear_text

        names = unclear(rows)
        if names:
            say(unclear_text(names, normalised=comparison.normalize is not None))

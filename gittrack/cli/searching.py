"""What commands that search have in common: queries and views understood, runs page by page, what was found said."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from gittrack.api.search import Found, Search, count_runs, search
from gittrack.cli.terminal import SHOWN_WARNINGS, say, warn_of
from gittrack.core.names import display
from gittrack.core.query.parser import MAX_CONDITIONS, parse_query
from gittrack.core.query.tree import EVERYTHING, AllOf, Constant, Expression, Field, SortKey, Within
from gittrack.core.query.walk import conditions_in
from gittrack.core.run_columns import ColumnChoice, parse_columns
from gittrack.errors import QuerySyntaxError, UsageError
from gittrack.frozen import dataclass

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.api.read import SavedRun
    from gittrack.api.run_index import Progress
    from gittrack.core.problem import Problem
    from gittrack.core.view import View

PAGE = 1000
"""Runs that are held at once while all are listed."""
_FEW = 500
"""So many runs are read for the first time without a word."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which runs somebody wants.

    Attributes:
        expression: the queries and the view's, all of which must be true; of all runs when there are none.
        view: the view that is used.
    """

    expression: Expression = EVERYTHING
    view: View | None = None


def chosen_format(formats: Mapping[str, bool], command: str) -> str:
    """Which of the options ``as_id``, ``as_json``, ``as_csv`` and ``as_md`` is given: ``json``, or ``""`` for none.

    Raises:
        UsageError: two of them.
    """
    chosen = [name.removeprefix("as_") for name in ("as_id", "as_json", "as_csv", "as_md") if formats.get(name)]
    if len(chosen) > 1:
        hint = f"gittrack {command} --{chosen[0]}"
        raise UsageError(f"--{chosen[0]} and --{chosen[1]} exclude each other", hint=hint)
    return chosen[0] if chosen else ""


def understood(project: Project, words: Sequence[str], statuses: Sequence[str] = ()) -> Asked:
    """The runs that queries and a view ask for.

    Args:
        project: where.
        words: queries, and the name of a view after ``@``; a run must answer all of them.
        statuses: it must stand like one of these.

    Raises:
        QuerySyntaxError: a query is none.
        NotFoundError: there is no such view.
        UsageError: two views, the view is not as it should be, or all together are more than one query may be.
    """
    names = [word[1:] for word in words if word.startswith("@")]
    if len(names) > 1:
        raise UsageError("two views at once: each has its own columns and order", hint=f"gittrack ls @{names[0]}")
    view = _view(project, names[0]) if names else None
    queries = ([view.query] if view else []) + [word for word in words if not word.startswith("@")]
    now = project.now()
    parts = [_parsed(project, query, now) for query in queries]
    if statuses:
        parts.append(Within(Field("attributes", "status"), tuple(map(Constant, statuses))))
    parts = [part for part in parts if part != EVERYTHING]
    conditions = sum(1 for part in parts for _ in conditions_in(part))
    if conditions > MAX_CONDITIONS:
        text = f"the queries together have {conditions} conditions, more than {MAX_CONDITIONS}"
        raise UsageError(text, hint="gittrack ls QUERY")
    return Asked(parts[0] if len(parts) == 1 else AllOf(tuple(parts)), view)


def _parsed(project: Project, query: str, now: int) -> Expression:
    try:
        return parse_query(query, now=now)
    except QuerySyntaxError as error:
        from gittrack.api.views import has_view

        if not has_view(project, query.strip()):
            raise
        error.hint = f"did you mean @{display(query.strip(), 80)}?"
        raise


def _view(project: Project, name: str) -> View:
    from gittrack.api.views import read_view
    from gittrack.core.address import parse_address
    from gittrack.errors import InvalidNameError

    try:
        is_run = parse_address(f"@{name}").back is not None
    except InvalidNameError:
        is_run = False
    if is_run:
        raise UsageError(f"'@{name}' is a run, neither a query nor a view", hint=f"gittrack show @{name}")
    return read_view(project, name)


def search_of(
    project: Project,
    asked: Asked,
    experiment: str | None = None,
    *,
    order: Sequence[SortKey] = (),
    deleted: bool = False,
    progress: Progress | None = None,
) -> Search:
    """The search for runs that are asked for, of one experiment (name or id) or all.

    Raises:
        ExperimentNotFoundError, AmbiguousError: the experiment.
    """
    experiments = None
    if experiment is not None:
        from gittrack.api.experiments import find_experiment

        if progress is not None:  # told of nothing, it would seem to hang
            from gittrack.api.run_index import ask

            ask(project, lambda _: None, progress)
        experiments = [find_experiment(project, experiment).id]
    seconds = project.config.view_seconds if asked.view else None  # who wrote a view is not who uses it
    return Search(asked.expression, order, deleted=deleted, experiments=experiments, seconds=seconds)


def searched(project: Project, query: str | None, experiment: str | None) -> Search | None:
    """The search of ``--query`` and ``-e``, beside which runs may be named; None when neither is given.

    Raises:
        QuerySyntaxError, UsageError, NotFoundError: the query, or the view it names.
        ExperimentNotFoundError, AmbiguousError: the experiment.
    """
    if query is None and experiment is None:
        return None
    asked = understood(project, [] if query is None else [query])
    found = search_of(project, asked, experiment, order=order_of((), asked.view))
    return replace(found, limit=asked.view.number) if asked.view else found


def order_of(texts: Sequence[str], view: View | None) -> tuple[SortKey, ...]:
    """The order that options ask for, else that of the view."""
    wanted = texts or (view.sort if view else ())
    if not wanted:
        return ()
    from gittrack.core.view import parse_order

    return parse_order(wanted)


def columns_of(texts: Sequence[str], view: View | None) -> ColumnChoice:
    """The columns that options ask for, else those of the view; ``+`` adds to the view's."""
    viewed = parse_columns(view.columns) if view and view.columns else ColumnChoice()
    if not texts:
        return viewed
    asked = parse_columns(texts)
    if asked.adds and viewed.columns:
        return ColumnChoice(tuple(dict.fromkeys((*viewed.columns, *asked.columns))), viewed.adds)
    return asked


class Pages:
    """The runs of a search, read page by page so that never all of them are in memory.

    Args:
        project: where.
        asked: which; its limit does not count.
        number: at most so many; None: all.
        progress: told while many runs are read for the first time.

    Attributes:
        problems: what could not be read; complete at the end.
        is_cut: whether there were more than ``number``; known at the end.
        first: the first run; None when there is none.
    """

    def __init__(self, project: Project, asked: Search, number: int | None, progress: Progress | None = None) -> None:
        self.problems: tuple[Problem, ...] = ()
        self.is_cut = False
        self.project = project
        self.asked = asked
        self._number = number
        self._progress = progress
        self._first: Found | None = self._page(
            asked
        )  # what is wrong with the search is told before anything is printed
        self.first: SavedRun | None = next(iter(self._first.runs), None)

    def _page(self, asked: Search, seen: int = 0) -> Found:
        left = PAGE if self._number is None else min(PAGE, self._number - seen)
        found = search(self.project, replace(asked, limit=left), self._progress)
        self.problems = tuple(dict.fromkeys((*self.problems, *found.problems)))
        return found

    def __iter__(self) -> Iterator[SavedRun]:
        found, seen = self._first or self._page(self.asked), 0
        self._first = None  # its runs are let go, as those of every page
        while True:
            yield from found.runs
            seen += len(found.runs)
            if found.last is None:
                return
            if self._number is not None and seen >= self._number:
                self.is_cut = True
                return
            found = self._page(replace(self.asked, after=found.last), seen)

    def tell(self, problem: Problem) -> None:
        """Add to what could not be read."""
        if problem not in self.problems:
            self.problems = (*self.problems, problem)

    def total(self) -> int:
        """How many runs there are, whatever the number."""
        return count_runs(self.project, self.asked, self._progress)


@contextmanager
def reading_progress() -> Iterator[Progress | None]:
    """Something to tell of runs that are read for the first time, drawn on stderr where that is a terminal."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    bar: Any = None
    drawn = 0

    def told(done: int, total: int) -> None:
        nonlocal bar, drawn
        if bar is None and total > _FEW:
            bar = click.progressbar(length=total, label="reading runs", file=sys.stderr, width=24, update_min_steps=100)
            bar.__enter__()
        if bar is not None:
            bar.update(min(done + 1, bar.length) - drawn)
            drawn = min(done + 1, bar.length)

    try:
        yield told
    finally:
        if bar is not None:
            bar.__exit__(None, None, None)  # it has hidden the cursor


def say_problems(problems: Sequence[Problem]) -> None:
    """Say what could not be read, and what names it all."""
    warn_of([f"cannot read {problem.where}: {problem.reason}" for problem in problems])
    if 0 < len(problems) <= SHOWN_WARNINGS:
        say("next: gittrack fsck")


def say_unknown(project: Project, expression: Expression, fields: Iterable[Field] = ()) -> bool:
    """Say which metrics, params and tags that are asked for no run has, or which values; whether there are any."""
    from gittrack.api.index_lookups import unknown_in, unknown_values

    fields = list(fields)
    unknown = unknown_in(project, expression, fields)
    if not unknown and not fields:  # a query that found nothing
        unknown = unknown_values(project, expression)
    for name, near in unknown:
        say(unknown_text(name, near))
    return bool(unknown)


def unknown_text(name: str, near: str) -> str:
    """``no run has metrics.acu; did you mean metrics.acc?``."""
    return f"no run has {display(name, 80)}" + (f"; did you mean {display(near, 80)}?" if near else "")


def say_unknown_fields(pages: Pages, fields: Iterable[Field]) -> None:
    """Say which of the fields that runs are sorted by, or that are shown, no run has."""
    first = pages.first
    if first is None:
        return
    names = {"metrics": first.record.metrics, "params": first.record.params, "tags": first.record.tags}
    lacking = [field for field in fields if field.key not in names.get(field.scope, (field.key,))]
    if lacking:  # what the first run has is known; only for the others all names are looked at
        say_unknown(pages.project, EVERYTHING, lacking)

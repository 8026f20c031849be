"""What a search finds before it is read: places in the index with the numbers they are ordered by.

Reading a run costs far more than finding it. What looks at all runs and shows few of them looks at hits, and reads the
runs of those it shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

from gittrack.api.run_index import Progress, ask, problems_of
from gittrack.api.saved_run import SavedRun
from gittrack.api.search import Search, _Answer, _read_details, _saved
from gittrack.index.database import IndexDatabase
from gittrack.index.fields import known_names
from gittrack.index.searching import Hit, find, stored_runs
from gittrack.index.seen import Connection, problems
from gittrack.store.catalog import Problem

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.core.ids import ExperimentId
    from gittrack.core.query.tree import Expression

T = TypeVar("T")


def ask_hits(
    project: Project,
    asked: Search,
    question: Callable[[FoundHits], T],
    progress: Progress | None = None,
    *,
    details: bool = False,
) -> T:
    """Answer a question about all runs that a search finds.

    Args:
        project: where.
        asked: which runs; its limit and place do not count.
        question: asks; what it is given is of no use afterwards.
        progress: told while many runs are read for the first time.
        details: have the index know what every run read and made.
    """

    def answer(index: IndexDatabase) -> T:
        found = FoundHits(project, asked, index)
        if details:
            _read_details(project, index)
        with index.reading():
            return question(found)

    return ask(project, answer, progress)


def chosen_runs(
    project: Project, query: str, experiment: str | None
) -> tuple[Expression, tuple[ExperimentId, ...] | None]:
    """A query and an experiment as a :class:`Search` takes them.

    Raises:
        QuerySyntaxError: the query.
        ExperimentNotFoundError, AmbiguousError: the experiment.
    """
    from gittrack.core.query.parser import parse_query

    expression = parse_query(query, now=project.now())
    if experiment is None:
        return expression, None
    from gittrack.api.experiments import find_experiment

    return expression, (find_experiment(project, experiment).id,)


class FoundHits:
    """The hits of one search, live runs among them.

    Attributes:
        sql: the index.
        live: runs that are not in it because they go on.
    """

    def __init__(self, project: Project, asked: Search, index: IndexDatabase) -> None:
        self._project = project
        self._index = index
        self._answer = _Answer(project, asked, index)
        self.sql: Connection = index.connection
        self.live = self._answer._live

    def stored(self) -> list[Hit]:
        """Those that are in the index, in order."""
        return find(self.sql, self._answer._question)

    def going_on(self) -> list[Hit]:
        """Those of live runs, in order; their numbers mean nothing."""
        return self._answer._among_live(limit=False) if self.live else []

    def runs(self, hits: Iterable[Hit]) -> list[SavedRun]:
        """The runs of some hits."""
        hits = list(hits)
        stored = {run.id: run for run in stored_runs(self.sql, [hit for hit in hits if hit.id not in self.live])}
        return [self.live.get(hit.id) or _saved(self._project, self.sql, stored[hit.id]) for hit in hits]

    def known_metrics(self) -> list[str]:
        """The names of all metrics that some run has or had."""
        return sorted(
            {*known_names(self.sql, "metrics"), *(name for run in self.live.values() for name in run.metrics)}
        )

    def problems(self) -> tuple[Problem, ...]:
        """What could not be read."""
        return (*problems_of(problems(self.sql)), *self._answer._problems)

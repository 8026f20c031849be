"""What a search finds before it is read: places in the index with the numbers they are ordered by.

Reading a run costs far more than finding it. What looks at all runs and shows few of them looks at hits, and reads the
runs of those it shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from gittrack.api.index_details import changed_code, read_details
from gittrack.api.live_beside import Beside, look_beside, runs_beside
from gittrack.api.run_index import Progress, ask, problems_of
from gittrack.api.saved_run import SavedRun
from gittrack.api.stored_runs import saved_run
from gittrack.core.ids import ExperimentId, ObjectId
from gittrack.core.page_token import CutText
from gittrack.core.problem import Problem
from gittrack.core.query.tree import EVERYTHING, CodeChanged, Comparison, Constant, Expression, Field, SortKey
from gittrack.core.query.walk import conditions_in, fields_in
from gittrack.frozen import dataclass
from gittrack.index.database import Deadline, IndexDatabase
from gittrack.index.fields import known_names, needs_details
from gittrack.index.ordering import Position
from gittrack.index.searching import Hit, Question, count, find, stored_runs
from gittrack.index.seen import Connection, problems

if TYPE_CHECKING:
    from gittrack.api.project import Project

T = TypeVar("T")
_LAST_CHARACTER = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Search:
    """What is searched for.

    Attributes:
        expression: the query; of all runs when it is empty.
        order: first key first; what is alike stands newest first.
        limit: at most so many runs; None: all.
        after: where the page before this one ended.
        deleted: only deleted runs (True), only others (False), all (None); a query that asks for it itself decides.
        experiments: only of these, by id.
        seconds: how long finding the runs may take, when the query comes from somebody who is not trusted; None: as
            long as it takes.
    """

    expression: Expression = EVERYTHING
    order: Sequence[SortKey] = ()
    limit: int | None = None
    after: Position | None = None
    deleted: bool | None = False
    experiments: Sequence[ExperimentId] | None = None
    seconds: float | None = None


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

    Raises:
        UsageError: the query compares with another run, as only gates do, names a revision that is none, or takes too
            long.
    """

    def answer(index: IndexDatabase) -> T:
        if details:
            read_details(project, index)
        found = FoundHits(project, asked, index, beside)
        with index.reading():
            return question(found)

    beside = look_beside(project)
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

    Args:
        project: where.
        asked: what for.
        index: up to date.
        beside: the runs in progress, looked at before the index was brought up to date.

    Attributes:
        sql: the index.
        live: runs that go on, told by their folders here or by checkpoints.
        question: what the index is asked.
    """

    def __init__(self, project: Project, asked: Search, index: IndexDatabase, beside: Beside) -> None:
        self._project = project
        self._expression = asked.expression
        self.sql: Connection = index.connection
        self.live, self._problems = runs_beside(project, index, beside)
        fields = [*fields_in(asked.expression), *(key.field for key in asked.order)]
        unread = read_details(project, index) if any(map(needs_details, fields)) else {}
        self._problems += [
            Problem(f"run {id}", f"left out, for what it read and made cannot be told: {reason}")
            for id, reason in unread.items()
        ]
        self._index = index
        self._deadline = Deadline(asked.seconds)  # reading what is new is no part of the query
        names_deleted = any(field.scope == "attributes" and field.key == "deleted" for field in fields)
        self.question = Question(
            expression=asked.expression,
            order=asked.order,
            limit=asked.limit,
            after=asked.after,
            deleted=None if names_deleted else asked.deleted,
            experiments=asked.experiments,
            without=frozenset({*self.live, *unread}),
            code_commits=self._changed_code(),
            deadline=self._deadline,
        )
        if asked.after is not None and any(isinstance(value, CutText) for value in asked.after):
            self.question = replace(self.question, after=self._whole_place(asked.after))

    def _whole_place(self, place: Position) -> Position:
        """A place with long texts as the run there has them.

        Where it is not there any more, or has another one now, the place is before all texts of this beginning: then
        runs may come twice, none is left out.
        """
        same = Comparison(Field("attributes", "id"), "=", Constant(place[-1]))
        alone = Question(same, self.question.order, deleted=None)
        if place[-1] in self.live:
            hits = self._among_live(alone)
        else:
            with self._index.reading() as sql:
                hits = find(sql, alone)
        own = hits[0].position if hits else (None,) * len(place)
        whole = list(place)
        for number, value in enumerate(place):
            if not isinstance(value, CutText):
                continue
            descending = self.question.order[number // 2].descending
            text = own[number]
            is_same = isinstance(text, str) and CutText.of(text) == value
            whole[number] = text if is_same else value.beginning + (_LAST_CHARACTER if descending else "")
        return tuple(whole)

    def _changed_code(self) -> dict[tuple[str, str], frozenset[ObjectId]]:
        found: dict[tuple[str, str], frozenset[ObjectId]] = {}
        with self._deadline.running():
            for part in conditions_in(self._expression):
                if isinstance(part, CodeChanged) and (part.path, part.since) not in found:
                    self._deadline.check()
                    found |= changed_code(self._project, self._index, part, self.live.values())
        return found

    def stored(self) -> list[Hit]:
        """Those that are in the index, in order."""
        with self._index.limited(self._deadline):
            return find(self.sql, self.question)

    def number(self) -> int:
        """How many there are, whatever the limit."""
        with self._index.limited(self._deadline):
            stored = count(self.sql, self.question)
        return stored + len(self.going_on())

    def going_on(self, *, limit: bool = False) -> list[Hit]:
        """Those of live runs, in order; their numbers mean nothing.

        Args:
            limit: as many as are asked for, after the place that is asked for; else all.
        """
        if not self.live:
            return []
        question = replace(self.question, without=frozenset())
        return self._among_live(question if limit else replace(question, limit=None, after=None))

    def _among_live(self, question: Question) -> list[Hit]:
        from gittrack.core.message import document_text
        from gittrack.index.rows import IndexedRun, IndexWriter

        with IndexDatabase.in_memory() as index:
            with index.writing() as sql:
                writer = IndexWriter(sql)
                for run in self.live.values():
                    document = document_text(run.record, run.trends)
                    comments = tuple(event.value or "" for event in run.state.sets.get("comment", ()))
                    now = self._project.now()
                    writer.write_run(IndexedRun(run.record, None, (), document, run.deleted, comments, now))
                for run in self.live.values():
                    writer.write_details(run.id, run.record.inputs, run.record.artifacts)
            with index.reading() as sql, index.limited(self._deadline):
                return find(sql, question)

    def runs(self, hits: Iterable[Hit]) -> list[SavedRun]:
        """The runs of some hits."""
        hits = list(hits)
        stored = {run.id: run for run in stored_runs(self.sql, [hit for hit in hits if hit.id not in self.live])}
        return [self.live.get(hit.id) or saved_run(self._project, self.sql, stored[hit.id]) for hit in hits]

    def known_metrics(self) -> list[str]:
        """The names of all metrics that some run has or had."""
        return sorted(
            {*known_names(self.sql, "metrics"), *(name for run in self.live.values() for name in run.metrics)}
        )

    def problems(self) -> tuple[Problem, ...]:
        """What could not be read."""
        return (*problems_of(problems(self.sql)), *self._problems)

"""Searching runs: the query compiled, the index brought up to date, live runs among the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from gittrack.api.run_index import Progress, ask, events_about, problems_of
from gittrack.api.saved_run import SavedRun
from gittrack.core.events import fold, run_body
from gittrack.core.ids import ExperimentId, ObjectId, RunId
from gittrack.core.message import decode_document, document_text
from gittrack.core.query.tree import EVERYTHING, CodeChanged, Expression, SortKey
from gittrack.core.query.walk import conditions_in, fields_in
from gittrack.core.records import Event
from gittrack.errors import GittrackError
from gittrack.frozen import dataclass
from gittrack.index.database import IndexDatabase
from gittrack.index.fields import needs_details
from gittrack.index.ordering import Position, merged
from gittrack.index.rows import IndexedRun, IndexWriter
from gittrack.index.searching import Hit, Question, StoredRun, count, find, stored_runs
from gittrack.index.seen import Connection, problems
from gittrack.store.catalog import Problem

if TYPE_CHECKING:
    from gittrack.api.project import Project


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
        seconds: how long it may take, when the query comes from somebody who is not trusted; None: as long as it takes.
    """

    expression: Expression = EVERYTHING
    order: Sequence[SortKey] = ()
    limit: int | None = None
    after: Position | None = None
    deleted: bool | None = False
    experiments: Sequence[ExperimentId] | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """The runs that a search found.

    Attributes:
        runs: in order.
        last: the place of the last one, where a next page goes on; None when there is no next page.
        problems: what could not be read.
    """

    runs: tuple[SavedRun, ...]
    last: Position | None
    problems: tuple[Problem, ...]


def search(project: Project, asked: Search, progress: Progress | None = None) -> Found:
    """Find runs.

    Args:
        project: where.
        asked: what for.
        progress: told while many runs are read for the first time.

    Raises:
        UsageError: the query compares with another run, as only gates do, names a revision that is none, or takes too
            long.
    """

    def question(index: IndexDatabase) -> Found:
        with index.limited(asked.seconds):
            return _Answer(project, asked, index).found()

    return ask(project, question, progress)


def count_runs(project: Project, asked: Search, progress: Progress | None = None) -> int:
    """How many runs there are of those that a search would find; its order and limit do not count."""
    return ask(project, lambda index: _Answer(project, asked, index).count(), progress)


class _Answer:
    """One search in an index that is up to date."""

    def __init__(self, project: Project, asked: Search, index: IndexDatabase) -> None:
        self._project = project
        self._index = index
        self._live, self._problems = _live_runs(project, index)
        fields = [*fields_in(asked.expression), *(key.field for key in asked.order)]
        if any(map(needs_details, fields)):
            _read_details(project, index)
        names_deleted = any(field.scope == "attributes" and field.key == "deleted" for field in fields)
        self._question = Question(
            expression=asked.expression,
            order=asked.order,
            limit=None if asked.limit is None else asked.limit + 1,  # one more tells whether there is a next page
            after=asked.after,
            deleted=None if names_deleted else asked.deleted,
            experiments=asked.experiments,
            without=frozenset(self._live),
            code_commits=_changed_code(project, index, asked.expression, self._live.values()),
        )
        self._limit = asked.limit

    def found(self) -> Found:
        with self._index.reading() as sql:
            hits = find(sql, self._question)
            pages = [[(hit.position, hit) for hit in hits]]
            if self._live:
                pages.append([(hit.position, hit) for hit in self._among_live()])
            descending = [key.descending for key in self._question.order]
            if self._live:
                hits = [hit for _, hit in merged(pages, descending, self._question.limit)]
            more = self._limit is not None and len(hits) > self._limit
            chosen = hits[: self._limit]
            stored = {run.id: run for run in stored_runs(sql, [hit for hit in chosen if hit.id not in self._live])}
            runs = [self._live.get(hit.id) or _saved(self._project, sql, stored[hit.id]) for hit in chosen]
            told = (*problems_of(problems(sql)), *self._problems)
        return Found(tuple(runs), chosen[-1].position if more else None, told)

    def count(self) -> int:
        with self._index.reading() as sql:
            number = count(sql, self._question)
        return number + (len(self._among_live(limit=False)) if self._live else 0)

    def _among_live(self, *, limit: bool = True) -> list[Hit]:
        with IndexDatabase.in_memory() as index, index.writing() as sql:
            writer = IndexWriter(sql)
            for run in self._live.values():
                record = run.record
                document = document_text(record, run.trends)
                writer.write_run(IndexedRun(record, None, (), document, run.deleted, now=self._project.now()))
            for run in self._live.values():
                writer.write_details(run.id, run.record.inputs, run.record.artifacts)
            question = replace(self._question, without=frozenset())
            return find(sql, question if limit else replace(question, limit=None, after=None))


def _saved(project: Project, sql: Connection, stored: StoredRun) -> SavedRun:
    """The run as readers get it, events folded in."""
    listed = decode_document(stored.document)
    record = listed.record
    renames = events_about(sql, f"experiment:{record.experiment.id}")
    name = fold({}, renames).value("name") if renames else None
    if name is not None:
        record = replace(record, experiment=replace(record.experiment, name=name))
    events = events_about(sql, f"run:{stored.id}")
    state = fold(run_body(record), events)
    if events:
        record = replace(record, name=state.value("name") or "", note=state.value("note") or "", tags=state.tags)
    return SavedRun(
        record, stored.commit, state, dict(listed.trends), stored.conflicts, _project=project, _partial=True
    )


def _live_runs(project: Project, index: IndexDatabase) -> tuple[dict[RunId, SavedRun], list[Problem]]:
    """The runs that are being written, and those that cannot be read."""
    from gittrack.api.read import live_run
    from gittrack.store.live import list_live

    found: dict[RunId, SavedRun] = {}
    failed = []
    for live in list_live(project.layout):
        try:
            if live.problem:
                failed.append(Problem(f"live run {live.id}", live.problem))
            else:
                found[live.id] = live_run(project, live, _Events(index))
        except GittrackError as error:
            failed.append(Problem(f"live run {live.id}", error.message))
    return found, failed


class _Events(dict[str, list[Event]]):
    """Events by subject, read from the index when they are asked for."""

    def __init__(self, index: IndexDatabase) -> None:
        super().__init__()
        self._index = index

    def __missing__(self, subject: str) -> list[Event]:
        return events_about(self._index.connection, subject)

    def get(self, subject: str, default: object = None) -> list[Event]:
        """The events about a subject; none when there are none."""
        return self[subject]


def _read_details(project: Project, index: IndexDatabase) -> None:
    """Read from the trees of all runs what they read and made, of those of which it was not asked for yet."""
    from gittrack.store.run_reader import read_record

    waiting = index.connection.execute(
        "SELECT run.id, document.commit_id FROM run JOIN document USING (n) WHERE NOT detailed"
    ).fetchall()
    if not waiting:
        return
    with index.writing() as sql:
        writer = IndexWriter(sql)
        for id, commit in waiting:
            try:
                record = read_record(project.repo, commit)
            except GittrackError:
                continue  # damaged since it was listed: `fsck` says so, and a search for what it read does not find it
            writer.write_details(id, record.inputs, record.artifacts)


def _changed_code(
    project: Project, index: IndexDatabase, expression: Expression, live: Iterable[SavedRun]
) -> dict[tuple[str, str], frozenset[ObjectId]]:
    """For each ``code.changed`` of a query the commits of code of which it is true."""
    asked = {(part.path, part.since) for part in conditions_in(expression) if isinstance(part, CodeChanged)}
    if not asked:
        return {}
    from gittrack.git.changed_paths import changed_commits

    rows = index.connection.execute("SELECT DISTINCT code FROM run WHERE code IS NOT NULL").fetchall()
    commits = {ObjectId(code) for (code,) in rows} | {run.code for run in live if run.code is not None}
    return {(path, since): changed_commits(project.repo, commits, path, since) for path, since in asked}

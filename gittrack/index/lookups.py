"""Looking runs up in the index: by what people call them, by experiment."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

from gittrack.core.ids import ExperimentId, ObjectId, RunId
from gittrack.core.ledger import BatchRow
from gittrack.core.query.evaluate import local_path
from gittrack.core.query.tree import Field
from gittrack.index.fields import place_of
from gittrack.index.predicates import is_there
from gittrack.index.searching import Hit, StoredRun, stored_runs
from gittrack.index.seen import events_of

_BEYOND_HEX = "g"


class Known(NamedTuple):
    """A run that is there, and whether it is deleted."""

    id: RunId
    deleted: bool


class ExperimentRuns(NamedTuple):
    """The runs of an experiment, deleted ones left out.

    Attributes:
        id: the experiment.
        number: how many.
        start_time, run: of the newest, ms since the epoch and its id.
        name: what that one calls the experiment.
    """

    id: ExperimentId
    number: int
    start_time: int
    run: RunId
    name: str


def knows_run(sql: sqlite3.Connection, id: RunId) -> bool:
    """Whether the index has a run."""
    return sql.execute("SELECT 1 FROM run WHERE id = ?", (id,)).fetchone() is not None


def listed_below(
    sql: sqlite3.Connection, prefix: str, rows: Iterable[BatchRow], without: Collection[str] = ()
) -> set[ObjectId]:
    """The commits of those of some rows that ledgers list.

    Args:
        sql: the index.
        prefix: of the names of the ledgers' refs.
        rows: asked about.
        without: names of refs that do not count.
    """
    refs = sql.execute("SELECT id, name FROM ref WHERE substr(name, 1, ?) = ?", (len(prefix), prefix)).fetchall()
    numbers = {id for id, name in refs if name not in without}
    found: set[ObjectId] = set()
    events = {row.commit for row in rows if row.kind == "event"}
    for row in rows:
        if row.kind == "run":
            listed = sql.execute("SELECT ref FROM listing WHERE run = ? AND commit_id = ?", (row.id, row.commit))
            if any(ref in numbers for (ref,) in listed):
                found.add(row.commit)
    if events:
        listed = sql.execute("SELECT commit_id, ref FROM event")
        found |= {ObjectId(commit) for commit, ref in listed if commit in events and ref in numbers}
    return found


def events_holding(sql: sqlite3.Connection, line: str) -> list[bytes]:
    """The files of all events that hold some text, each once.

    Raises:
        DamagedIndexError: one is not what was written.
    """
    where = "instr(data, CAST(? AS BLOB)) > 0"
    found = sql.execute(f"SELECT DISTINCT subject FROM event WHERE {where}", (line,)).fetchall()
    return [data for (subject,) in found for data in events_of(sql, subject)]


def children_of(sql: sqlite3.Connection, id: RunId) -> list[RunId]:
    """The runs that were begun inside a run."""
    return [RunId(child) for (child,) in sql.execute("SELECT id FROM run WHERE parent = ? ORDER BY id", (id,))]


def runs_named(sql: sqlite3.Connection, name: str) -> list[Known]:
    """The runs of a name."""
    return _known(sql, "name = ?", name)


def runs_beginning(sql: sqlite3.Connection, digits: str) -> list[Known]:
    """The runs whose ids begin with some hex digits."""
    return _known(sql, "id >= ? AND id < ?", digits, digits + _BEYOND_HEX)


def runs_at(sql: sqlite3.Connection, commit: ObjectId) -> list[RunId]:
    """The runs that list a commit as theirs, whether or not it is their present one."""
    return [RunId(id) for (id,) in sql.execute("SELECT DISTINCT run FROM listing WHERE commit_id = ?", (commit,))]


def stored_run(sql: sqlite3.Connection, id: RunId) -> StoredRun | None:
    """What the index has of one run.

    Raises:
        DamagedIndexError: it is not what was written.
    """
    row = sql.execute("SELECT n FROM run WHERE id = ?", (id,)).fetchone()
    return None if row is None else stored_runs(sql, [Hit(row[0], id, ())])[0]


def experiments_of_runs(sql: sqlite3.Connection, without: Collection[RunId] = ()) -> list[ExperimentRuns]:
    """The experiments of all runs that are not deleted.

    Args:
        sql: the index.
        without: runs that do not count.
    """
    where = f"deleted = 0 AND id NOT IN ({', '.join('?' * len(without))})"
    counted = f"SELECT experiment_id, count(*), max(start_time) FROM run WHERE {where} GROUP BY experiment_id"
    newest = f"SELECT id, experiment FROM run WHERE {where} AND experiment_id = ? AND start_time = ? ORDER BY id DESC"
    found = []
    for id, count, start in sql.execute(counted, [*without]).fetchall():
        run, name = sql.execute(f"{newest} LIMIT 1", [*without, id, start]).fetchone()
        found.append(ExperimentRuns(ExperimentId(id), count, start, RunId(run), name))
    return found


def values_by_run(sql: sqlite3.Connection, field: Field) -> dict[int, list[Any]]:
    """A run's number -> its values of a field of which it may have several; runs with none are missing."""
    place = place_of(field, {})
    assert place is not None
    where = " AND ".join([is_there(place, "v"), *(f"v.{column} = ?" for column in place.key)])
    found: dict[int, list[Any]] = {}
    rows = sql.execute(f"SELECT v.run, v.{place.column} FROM {place.table} v WHERE {where}", [*place.key.values()])
    for run, stored in rows:
        value = local_path(stored) if field.scope != "artifacts" and field.part == "path" else stored
        if value is not None:
            found.setdefault(run, []).append(value)
    return found


def experiments_with_events(sql: sqlite3.Connection) -> list[ExperimentId]:
    """The experiments that something was said about."""
    rows = sql.execute("SELECT DISTINCT subject FROM event WHERE subject >= 'experiment:' AND subject < 'experiment;'")
    return [ExperimentId(subject.partition(":")[2]) for (subject,) in rows]


def _known(sql: sqlite3.Connection, where: str, *values: str) -> list[Known]:
    rows = sql.execute(f"SELECT id, deleted FROM run WHERE {where} ORDER BY id", values)
    return [Known(RunId(id), bool(deleted)) for id, deleted in rows]

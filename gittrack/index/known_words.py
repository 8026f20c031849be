"""Words to complete from an index as it is: nothing is made, nothing written, and nothing waited for."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import NamedTuple

from gittrack.core.ids import RunId
from gittrack.core.query.fields import kind_of
from gittrack.core.query.tree import Field
from gittrack.index.database import IndexDatabase
from gittrack.index.fields import Place, name_numbers
from gittrack.index.predicates import stored_to_value
from gittrack.index.schema import VERSION

_WAIT_MS = 50
_MOST_INPUTS = 100_000
_NEWEST = 2000
"""Runs among which a name's beginning is looked for first."""
_LAST_CHARACTER = "\U0010ffff"
_BEYOND_HEX = "g"


class KnownRun(NamedTuple):
    """A run as it is offered."""

    id: RunId
    name: str
    status: str
    experiment: str
    start_time: int


def open_as_it_is(path: Path) -> IndexDatabase | None:
    """The index for reading only; None when there is none that this version reads."""
    if not path.is_file():
        return None
    from urllib.parse import quote

    try:
        connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, isolation_level=None)
        connection.execute(f"PRAGMA busy_timeout = {_WAIT_MS}")
        if connection.execute("PRAGMA user_version").fetchone() == (VERSION,):
            return IndexDatabase(connection, path)
        connection.close()
    except sqlite3.Error:
        pass  # damaged or held: no words from it; the next command that needs it says why
    return None


def wait_briefly(index: IndexDatabase) -> None:
    """Have an open index give up soon where another process holds it."""
    index.connection.execute(f"PRAGMA busy_timeout = {_WAIT_MS}")


def runs_to_offer(sql: sqlite3.Connection, beginning: str, most: int, *, deleted: bool = False) -> list[KnownRun]:
    """Runs whose name or id begins so, newest first."""
    columns = "id, name, status, experiment, start_time"
    recent = f"SELECT {columns} FROM run WHERE deleted = ? ORDER BY start_time DESC, id DESC LIMIT ?"
    if not beginning:
        return [KnownRun(*row) for row in sql.execute(recent, (deleted, most))]
    end = beginning + _LAST_CHARACTER
    among = f"SELECT {columns} FROM ({recent}) WHERE name >= ? AND name < ? LIMIT ?"
    found = [KnownRun(*row) for row in sql.execute(among, (deleted, _NEWEST, beginning, end, most))]
    # The sign keeps SQLite from walking all runs that are not deleted.
    named = f"SELECT {columns} FROM run WHERE +deleted = ? AND name >= ? AND name < ? LIMIT ?"
    if len(found) < most:
        found += [KnownRun(*row) for row in sql.execute(named, (deleted, beginning, end, most))]
    if set(beginning) <= set("0123456789abcdef"):
        ids = f"SELECT {columns} FROM run WHERE +deleted = ? AND id >= ? AND id < ? LIMIT ?"
        found += [KnownRun(*row) for row in sql.execute(ids, (deleted, beginning, beginning + _BEYOND_HEX, most))]
    every = sorted(set(found), key=lambda run: (run.start_time, run.id), reverse=True)
    return every[:most]


def is_one_name(sql: sqlite3.Connection, name: str) -> bool:
    """Whether at most one run that is not deleted has a name."""
    return len(sql.execute("SELECT 1 FROM run WHERE name = ? AND +deleted = 0 LIMIT 2", (name,)).fetchall()) < 2


def digits_of(sql: sqlite3.Connection, id: RunId, least: int = 8) -> str:
    """The beginning of an id that no other run has."""
    for length in (least, 12, 16):
        beginning = id[:length]
        text = "SELECT 1 FROM run WHERE id >= ? AND id < ? LIMIT 2"
        if len(sql.execute(text, (beginning, beginning + _BEYOND_HEX)).fetchall()) < 2:
            return beginning
    return id


def names_to_offer(sql: sqlite3.Connection, scope: str, beginning: str, most: int) -> list[str]:
    """Names of metrics, params or tags that begin so, sorted."""
    text = "SELECT text FROM name WHERE scope = ? AND text >= ? AND text < ? ORDER BY text LIMIT ?"
    return [name for (name,) in sql.execute(text, (scope, beginning, beginning + _LAST_CHARACTER, most))]


def values_of(sql: sqlite3.Connection, field: Field, most: int) -> list[str | int | float | bool]:
    """Values that runs have of a param or a tag, or the newest ones of an attribute that is a text, each once.

    Args:
        sql: the index.
        field: of which; of others nothing.
        most: at most so many.
    """
    if field.scope == "attributes" and kind_of(field) == "text" and field.key != "artifact_uri":
        recent = f"SELECT {field.key} AS value FROM run WHERE deleted = 0 ORDER BY start_time DESC, id DESC LIMIT ?"
        distinct = f"SELECT DISTINCT value FROM ({recent}) WHERE coalesce(value, '') != '' LIMIT ?"
        return [value for (value,) in sql.execute(distinct, (_NEWEST, most))]
    table = {"params": "param", "tags": "tag"}.get(field.scope)
    number = name_numbers(sql, [field]).get((field.scope, field.key))
    if table is None or number is None:
        return []
    place = Place(table, "value", {"name": number})
    found: list[str | int | float | bool] = []
    # From value to value by its index, so that the time follows their number and not that of the runs.
    first = f"SELECT value, kind, text FROM {table} WHERE name = ? AND value IS NOT NULL ORDER BY value LIMIT 1"
    following = f"SELECT value, kind, text FROM {table} WHERE name = ? AND value > ? ORDER BY value LIMIT 1"
    row = sql.execute(first, (number,)).fetchone()
    while row is not None and len(found) < most:
        found.append(stored_to_value(place, *row))
        row = sql.execute(following, (number, row[0])).fetchone()
    return found


def roles_of(sql: sqlite3.Connection, most: int) -> list[str]:
    """Roles of the inputs that are known, sorted."""
    some = f"SELECT role FROM input LIMIT {_MOST_INPUTS}"
    return [role for (role,) in sql.execute(f"SELECT DISTINCT role FROM ({some}) ORDER BY role LIMIT ?", (most,))]


def experiments_to_offer(sql: sqlite3.Connection) -> list[tuple[str, str]]:
    """Name and id of every experiment with runs, the newest first."""
    ids = sql.execute("SELECT experiment_id, max(start_time) AS t FROM run GROUP BY experiment_id ORDER BY t DESC")
    name = "SELECT experiment FROM run WHERE experiment_id = ? AND start_time = ?"
    return [(sql.execute(name, (id, start)).fetchone()[0], id) for id, start in ids.fetchall()]

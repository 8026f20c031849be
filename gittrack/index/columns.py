"""Whole columns of the index: how far every run is from one, and what of some runs is compared."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from gittrack.core.ids import RunId
from gittrack.core.similarity import Aspect, Basis, Facts, Scale, Scales, Stored

_TABLES: dict[Aspect, tuple[str, str, str]] = {
    "params": ("param", "value", "v.kind"),
    "metrics": ("metric", "last", "''"),
}
"""Aspect -> its table, its column of values, what tells their kind."""

_DISTANCE = """
CASE
WHEN v.{value} IS m.value THEN (v.{value} IS NULL AND {kind} IS NOT m.kind) + 0.0
WHEN m.span IS NULL OR typeof(v.{value}) NOT IN ('integer', 'real') THEN 1.0
WHEN m.log THEN coalesce(min(abs(natural_log(v.{value}) - m.place) / m.span, 1.0), 1.0)
ELSE coalesce(min(abs(v.{value} / 2.0 - m.place) / m.span, 1.0), 1.0)
END
"""
"""As ``core.similarity.stored_distance``, of one row and mine."""


class Distances(NamedTuple):
    """How far runs are from one in some variables.

    Attributes:
        of: a run's number -> the sum of its distances, how many variables the two have.
        otherwise: the same for runs that are not among them.
    """

    of: Mapping[int, tuple[float, int]]
    otherwise: tuple[float, int]


def scales_of(sql: sqlite3.Connection, aspect: Aspect, names: Iterable[str]) -> dict[tuple[Aspect, str], Scale]:
    """The ranges of numbers among all runs; of what is no number nowhere there is none."""
    table, column, _ = _TABLES[aspect]
    number = f"SELECT {column} FROM {table} WHERE name = (SELECT n FROM name WHERE scope = ? AND text = ?)"
    found: dict[tuple[Aspect, str], Scale] = {}
    for name in names:
        # Numbers stand before texts in SQLite's order, infinities at their ends.
        low = sql.execute(f"{number} AND {column} > -9e999 ORDER BY {column} LIMIT 1", (aspect, name)).fetchone()
        high = sql.execute(f"{number} AND {column} < 9e999 ORDER BY {column} DESC LIMIT 1", (aspect, name)).fetchone()
        if low and high and not isinstance(low[0], str) and -math.inf < high[0] and low[0] < math.inf:
            found[aspect, name] = Scale(float(low[0]), float(high[0]))
    return found


def distances(sql: sqlite3.Connection, aspect: Aspect, mine: Facts, basis: Basis, scales: Scales) -> Distances:
    """How far all runs are from one in their params or metrics.

    Args:
        sql: the index.
        aspect: which of the two.
        mine: the one.
        basis: which names count.
        scales: the ranges of numbers.
    """
    table, column, kind = _TABLES[aspect]
    own = {name: value for name, value in getattr(mine, aspect).items() if basis.has(aspect, name)}
    every = sql.execute("SELECT n, text FROM name WHERE scope = ?", (aspect,)).fetchall()
    sql.create_function("natural_log", 1, _natural_log, deterministic=True)
    sql.execute("CREATE TEMP TABLE IF NOT EXISTS mine (name INTEGER PRIMARY KEY, value, kind, place, span, log)")
    sql.execute("CREATE TEMP TABLE IF NOT EXISTS counted (name INTEGER PRIMARY KEY)")
    sql.execute("DELETE FROM temp.mine")
    sql.execute("DELETE FROM temp.counted")
    sql.executemany("INSERT INTO temp.counted VALUES (?)", [(n,) for n, text in every if basis.has(aspect, text)])
    rows = [(n, *_own_row(own[text], scales.get((aspect, text)))) for n, text in every if text in own]
    sql.executemany("INSERT INTO temp.mine VALUES (?, ?, ?, ?, ?, ?)", rows)
    distance = _DISTANCE.format(value=column, kind=kind)
    # The sign keeps SQLite from the index of names: in the table's own order groups need no sorting.
    text = f"""
        SELECT v.run, count(*), count(m.name), sum(CASE WHEN m.name IS NULL THEN 0.0 ELSE {distance} END)
        FROM {table} v LEFT JOIN temp.mine m ON m.name = v.name
        WHERE +v.name IN (SELECT name FROM temp.counted) GROUP BY v.run
    """
    found = {}
    for run, total, shared, apart in sql.execute(text):
        variables = len(own) + total - shared
        found[run] = (apart + variables - shared, variables)
    return Distances(found, (float(len(own)), len(own)))


def _own_row(stored: Stored, scale: Scale | None) -> tuple[object, str, float | None, float | None, bool]:
    value, kind = stored
    if scale is None or not scale.span > 0 or not isinstance(value, int | float):
        return value, kind, None, None, False
    if scale.log and value <= 0:
        return value, kind, None, None, False
    return value, kind, float(scale.place(value)), scale.span, scale.log


def _natural_log(value: float) -> float | None:
    return math.log(value) if value > 0 else None


def codes(sql: sqlite3.Connection) -> dict[int, tuple[str | None, str | None]]:
    """Each run's number -> its code and its HEAD."""
    return {n: (code, head) for n, code, head in sql.execute("SELECT n, code, head FROM run")}


def shared_digests(sql: sqlite3.Connection, digests: Collection[str]) -> dict[int, tuple[int, int]]:
    """A run's number -> how many digests it read, how many of them are among these; runs with none are missing."""
    sql.execute("CREATE TEMP TABLE IF NOT EXISTS digest (digest TEXT PRIMARY KEY)")
    sql.execute("DELETE FROM temp.digest")
    sql.executemany("INSERT OR IGNORE INTO temp.digest VALUES (?)", [(digest,) for digest in digests])
    text = """
        SELECT i.run, count(DISTINCT i.digest), count(DISTINCT d.digest)
        FROM input i LEFT JOIN temp.digest d ON d.digest = i.digest WHERE i.digest <> '' GROUP BY i.run
    """
    return {run: (total, shared) for run, total, shared in sql.execute(text)}


def number_of(sql: sqlite3.Connection, id: RunId) -> int | None:
    """A run's number in the index."""
    row = sql.execute("SELECT n FROM run WHERE id = ?", (id,)).fetchone()
    return None if row is None else int(row[0])


def facts_of_number(sql: sqlite3.Connection, number: int) -> Facts:
    """What of a run is compared."""
    tables: dict[Aspect, dict[str, Stored]] = {}
    for aspect, (table, column, kind) in _TABLES.items():
        text = f"SELECT name.text, v.{column}, {kind} FROM {table} v JOIN name ON name.n = v.name WHERE v.run = ?"
        tables[aspect] = {name: (value, told) for name, value, told in sql.execute(text, (number,))}
    code, head = sql.execute("SELECT code, head FROM run WHERE n = ?", (number,)).fetchone()
    data = sql.execute("SELECT digest FROM input WHERE run = ? AND digest <> ''", (number,))
    return Facts(tables["params"], tables["metrics"], code, head, frozenset(digest for (digest,) in data))

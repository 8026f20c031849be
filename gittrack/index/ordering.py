"""In which order runs come, and where a page of them ended.

A run's place is, for each key of the order, a rank (0: a value, 1: not a number, 2: nothing there) and the value; then
when it began, newest first, and its id. It says where to go on after a page, whatever runs arrive in between.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import field
from functools import cmp_to_key
from typing import Any

from gittrack.core.query.tree import SortKey
from gittrack.errors import UsageError
from gittrack.frozen import dataclass
from gittrack.index.fields import NameNumbers, place_of

VALUE, NAN, NOTHING = 0, 1, 2
MOST_KEYS = 16
Position = tuple[Any, ...]
"""rank and value of each key, then start time and id."""


@dataclass(frozen=True, slots=True)
class Term:
    """One key of an order in SQL.

    Attributes:
        join: the table that holds it, with its condition; ``""`` for what is there already.
        arguments: bound in ``join``.
        rank, value: expressions.
        descending: whether large values come first.
        is_named: whether it is a metric, param or tag, which has an index of its own.
    """

    join: str
    arguments: tuple[Any, ...]
    rank: str
    value: str
    descending: bool
    is_named: bool = False


@dataclasses.dataclass(slots=True)
class Sql:
    """A piece of SQL and what is bound in it."""

    text: str
    arguments: list[Any] = field(default_factory=list)


def terms(keys: Sequence[SortKey], names: NameNumbers, joined: Mapping[tuple[str, int], str]) -> list[Term]:
    """The keys of an order in SQL.

    Args:
        keys: the order.
        names: of the metrics, params and tags in it.
        joined: (table, name) -> alias of what the condition has joined: its index is walked in order then.

    Raises:
        UsageError: more than 16.
    """
    if len(keys) > MOST_KEYS:
        raise UsageError(f"runs are sorted by at most {MOST_KEYS} keys, not {len(keys)}")
    return [_term(key, names, joined, f"s{number}") for number, key in enumerate(keys)]


def _term(key: SortKey, names: NameNumbers, joined: Mapping[tuple[str, int], str], alias: str) -> Term:
    place = place_of(key.field, names)
    if place is None:  # no run has it
        return Term("", (), f"abs({NOTHING})", "NULL", key.descending)  # a bare number would mean a column
    if place.table == "run":
        column = place.sql("r")
        rank = f"CASE WHEN coalesce({column}, '') = '' THEN {NOTHING} ELSE {VALUE} END"
        return Term("", (), rank, column, key.descending)
    name = place.key["name"]
    join = f"JOIN {place.table} {alias} ON {alias}.run = r.n AND {alias}.name = ?"
    arguments: tuple[Any, ...] = (name,)
    if (place.table, name) in joined:
        alias, join, arguments = joined[place.table, name], "", ()
    value = f"{alias}.{place.column}"
    missing = f"{alias}.run IS NULL" + (f" OR {alias}.kind = 'null'" if place.is_mixed else "")
    rank = f"CASE WHEN {missing} THEN {NOTHING} WHEN {value} IS NULL THEN {NAN} ELSE {VALUE} END"
    return Term(join, arguments, rank, value, key.descending, is_named=True)


def order_by(order: Sequence[Term], *, first_is_value: bool) -> str:
    """The ORDER BY; without the first rank, its index can be walked where all have a value."""
    parts = []
    for number, term in enumerate(order):
        if number or not first_is_value:
            parts.append(term.rank)
        parts.append(f"{term.value}{' DESC' if term.descending else ''}")
    return ", ".join([*parts, "r.start_time DESC", "r.id DESC"])


def after(order: Sequence[Term], place: Position) -> Sql:
    """The condition that a run comes after a place."""
    *keys, start, id = place
    steps: list[tuple[str, str, Any]] = []
    for number, term in enumerate(order):
        rank, value = keys[2 * number], keys[2 * number + 1]
        steps.append((term.rank, ">", rank))
        if rank == VALUE:
            steps.append((term.value, "<" if term.descending else ">", value))
    steps += [("r.start_time", "<", start), ("r.id", "<", id)]
    text, arguments = "0", []
    for number, (expression, operator, value) in enumerate(steps):
        before = [f"{other} = ?" for other, _, _ in steps[:number]]
        text += f" OR ({' AND '.join([*before, f'{expression} {operator} ?'])})"
        arguments += [*(known for _, _, known in steps[:number]), value]
    return Sql(f"({text})", arguments)


def merged(pages: Sequence[Sequence[tuple[Position, Any]]], order: Sequence[bool], limit: int | None) -> list[Any]:
    """Several ordered pages as one.

    Args:
        pages: places with what stands there.
        order: for each key whether it is descending.
        limit: at most so many.
    """

    def compare(one: tuple[Position, Any], other: tuple[Position, Any]) -> int:
        return _compare(one[0], other[0], order)

    every = sorted((entry for page in pages for entry in page), key=cmp_to_key(compare))
    return every[:limit]


def _compare(one: Position, other: Position, order: Sequence[bool]) -> int:
    for number, descending in enumerate(order):
        if one[2 * number] != other[2 * number]:
            return 1 if one[2 * number] > other[2 * number] else -1
        difference = _three_way(one[2 * number + 1], other[2 * number + 1])
        if one[2 * number] == VALUE and difference:
            return -difference if descending else difference
    start, id = one[-2:], other[-2:]
    return (start < id) - (start > id)


def _three_way(one: Any, other: Any) -> int:
    first, second = (isinstance(one, str), one), (isinstance(other, str), other)  # as SQLite: numbers, then texts
    if first[0] != second[0]:
        return 1 if first[0] else -1
    return int(one > other) - int(one < other) if one is not None and other is not None else 0

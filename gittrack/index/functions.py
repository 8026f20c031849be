"""What SQLite asks Python while it looks for runs: tests of values, and trees of conditions too deep for it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any

from gittrack.core.query.tree import AllOf, AnyOf, Expression, Not
from gittrack.index.database import Deadline
from gittrack.index.fields import Place
from gittrack.index.ordering import Sql
from gittrack.index.predicates import stored_to_value

_MOST_ARGUMENTS = 50
"""SQLite takes 127 arguments of a function."""


class Functions:
    """The functions that one query needs.

    Args:
        sql: where they are made known.
        deadline: until when the query must be answered: each call looks at it.
    """

    def __init__(self, sql: sqlite3.Connection, deadline: Deadline) -> None:
        self._sql = sql
        self._deadline = deadline
        self._count = 0

    def named(self, test: Callable[..., bool], arity: int) -> str:
        """The name of a function that says 1 or 0."""
        self._count += 1
        name = f"test_{self._count}"

        def called(*values: object) -> int:
            self._deadline.check()
            try:
                return int(test(*values))
            except Exception as error:  # SQLite says only that there was one
                self._deadline.refusal = error
                raise

        self._sql.create_function(name, arity, called, deterministic=True)
        return name

    def of_many(self, test: Callable[[Sequence[Any]], bool], columns: Sequence[str]) -> str:
        """The call of a function of any number of columns.

        Args:
            test: of the columns' values; of more than 50 each is a text or None.
            columns: expressions.
        """
        if len(columns) <= _MOST_ARGUMENTS:
            return f"{self.named(lambda *values: test(values), len(columns))}({', '.join(columns)})"
        import json

        starts = range(0, len(columns), _MOST_ARGUMENTS)
        texts = [f"'' || {column}" for column in columns]  # SQLite would put JSON into JSON as it is
        groups = [f"json_array({', '.join(texts[start : start + _MOST_ARGUMENTS])})" for start in starts]
        name = self.named(lambda *lists: test([each for text in lists for each in json.loads(text)]), len(groups))
        return f"{name}({', '.join(groups)})"

    def value_in(self, place: Place, run: int | str) -> list[Any]:
        """The param or tag of a run by its number, if it has it."""
        text = f"SELECT value, kind, text FROM {place.table} WHERE run = ? AND name = ?"
        row = self._sql.execute(text, (int(run), place.key["name"])).fetchone()
        value = None if row is None else stored_to_value(place, *row)
        return [] if value is None else [value]

    def combined(self, tree: Expression, conditions: Sequence[Sql]) -> Sql:
        """A tree of conditions, each of which is asked, put together by Python.

        Args:
            tree: of any depth.
            conditions: those that are not made of others, from left to right.
        """
        test = _tree_test(tree, count())
        starts = range(0, len(conditions), _MOST_ARGUMENTS)
        bits = [f"CASE WHEN {each.text} THEN '1' ELSE '0' END" for each in conditions]
        groups = [" || ".join(bits[start : start + _MOST_ARGUMENTS]) for start in starts]
        name = self.named(lambda *texts: test("".join(texts)), len(groups))
        return Sql(f"{name}({', '.join(groups)})", [value for each in conditions for value in each.arguments])


def _tree_test(part: Expression, places: Iterator[int]) -> Callable[[str], bool]:
    """What a tree says of its conditions, whose answers are ``1`` and ``0`` in a text."""
    if isinstance(part, Not):
        inner = _tree_test(part.part, places)
        return lambda bits: not inner(bits)
    if isinstance(part, AllOf | AnyOf):
        tests = [_tree_test(each, places) for each in part.parts]
        every = all if isinstance(part, AllOf) else any
        return lambda bits: every(test(bits) for test in tests)
    place = next(places)
    return lambda bits: bits[place] == "1"

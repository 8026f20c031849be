"""A query as the WHERE of a SELECT over ``run r``: values are bound, names are numbers."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from typing import Any

from gittrack.core.ids import ObjectId
from gittrack.core.query.comparing import MIRRORED, compare_any
from gittrack.core.query.evaluate import local_path, operand_values
from gittrack.core.query.fields import kind_of
from gittrack.core.query.tree import (
    AllOf,
    AnyOf,
    Arithmetic,
    CodeChanged,
    Comparison,
    Constant,
    Expression,
    Field,
    FullText,
    IsNan,
    IsNull,
    Like,
    Matches,
    Not,
    Operand,
    Within,
)
from gittrack.core.query.walk import conditions_in, fields_of
from gittrack.frozen import dataclass
from gittrack.index.database import Deadline
from gittrack.index.fields import NameNumbers, Place, place_of
from gittrack.index.functions import Functions
from gittrack.index.ordering import Sql
from gittrack.index.predicates import ORDERINGS, ValueTest, comparison, is_there, stored_to_value, value_test

CodeCommits = Mapping[tuple[str, str], frozenset[ObjectId]]
_MOST_JOINS = 12
"""Tables that SQLite is given to choose an order of; it takes 64, and more time with each."""
_MOST_NESTED = 5
"""``and`` and ``or`` in each other in SQL: its parser holds 100 words at once, and a condition needs some of them."""
_MOST_CALCULATED = 3
"""Steps of arithmetic in each other, for the same reason."""
_MOST_HELD = 20
"""Params and tags, which may be long, that SQLite fetches for Python: it keeps each until the query is answered."""
_NEVER, _ALWAYS = Sql("0"), Sql("1")


@dataclass(frozen=True, slots=True)
class Condition:
    """A WHERE with what it needs joined.

    Attributes:
        text, arguments: the condition.
        joins, join_arguments: tables with one row for each run that can be meant.
        joined: (table, name) -> alias of these.
    """

    text: str = "1"
    arguments: Sequence[Any] = ()
    joins: str = ""
    join_arguments: Sequence[Any] = field(default_factory=tuple)
    joined: Mapping[tuple[str, int], str] = field(default_factory=dict)

    def and_also(self, other: Sql) -> Condition:
        """This and another condition."""
        return replace(self, text=f"{self.text} AND {other.text}", arguments=[*self.arguments, *other.arguments])


def compiled(
    sql: sqlite3.Connection,
    expression: Expression,
    names: NameNumbers,
    code_commits: CodeCommits,
    deadline: Deadline,
) -> Condition:
    """Compile a query.

    Args:
        sql: the index; functions that the query needs are made known to it.
        expression: the query.
        names: of the metrics, params and tags in it.
        code_commits: (path, since) of each ``code.changed`` -> the commits of code of which it is true.
        deadline: until when it must be answered.

    Raises:
        UsageError: the query compares with another run, as only gates do.
    """
    compiler = _Compiler(Functions(sql, deadline), names, code_commits)
    condition = Condition()
    for part in expression.parts if isinstance(expression, AllOf) else (expression,):
        joined = compiler.joined(part)
        if joined is None:
            condition = condition.and_also(compiler.compile(part))
        else:
            condition = replace(
                condition,
                joins=f"{condition.joins} {joined.text}",
                join_arguments=[*condition.join_arguments, *joined.arguments],
            )
    return replace(condition, joined=compiler.aliases)


class _Compiler:
    def __init__(self, functions: Functions, names: NameNumbers, code_commits: CodeCommits) -> None:
        self._functions = functions
        self._names = names
        self._code_commits = code_commits
        self._count = 0
        self._held = 0
        self._joins = 0
        self.aliases: dict[tuple[str, int], str] = {}

    def joined(self, part: Expression) -> Sql | None:
        """A comparison of a metric, param or tag as a join: SQLite then begins with whichever finds the fewest runs."""
        plain = _plain(part)
        place = None if plain is None else place_of(plain[0], self._names)
        if plain is None or place is None or "name" not in place.key or self._joins >= _MOST_JOINS:
            return None
        alias = self._alias()
        test = comparison(place, *plain, alias)
        if test is None:
            return None
        self._joins += 1  # of one name there may be several
        self.aliases[place.table, place.key["name"]] = alias
        text = f"JOIN {place.table} {alias} ON {alias}.run = r.n AND {alias}.name = ? AND {test.text}"
        return Sql(text, [place.key["name"], *test.arguments])

    def compile(self, part: Expression, depth: int = 0) -> Sql:
        """Any condition, inside ``depth`` others."""
        if isinstance(part, Not):
            part, negative = _without_not(part)
            inner = self.compile(part, depth)
            return Sql(f"NOT {inner.text}", inner.arguments) if negative else inner
        if isinstance(part, AllOf | AnyOf):
            return self._joined_by_words(part, depth)
        if isinstance(part, FullText):
            tests = " AND ".join("instr(r.words, ?) > 0" for _ in part.words) or "1"
            return Sql(f"({tests})", [word.casefold() for word in part.words])
        if isinstance(part, CodeChanged):
            commits = sorted(self._code_commits.get((part.path, part.since), ()))
            text = "(r.code IS NOT NULL AND r.code IN (SELECT value FROM json_each(?)))"
            return Sql(text, [json.dumps(commits)])
        if isinstance(part, Comparison) and _plain(part) is None:
            return self._between_operands(part)
        return self._of_one_field(part)

    def _joined_by_words(self, part: AllOf | AnyOf, depth: int) -> Sql:
        if not part.parts:
            return _ALWAYS if isinstance(part, AllOf) else _NEVER
        if depth == _MOST_NESTED:
            found = [self.compile(each) for each in conditions_in(part)]
            return self._functions.combined(part, found) if found else self.compile(part.parts[0], depth)
        found = [self.compile(each, depth + 1) for each in part.parts]
        word = " AND " if isinstance(part, AllOf) else " OR "
        arguments = [value for each in found for value in each.arguments]
        return Sql(f"({word.join(each.text for each in found)})", arguments)

    def _of_one_field(self, part: Comparison | Within | Like | Matches | IsNull | IsNan) -> Sql:
        plain = _plain(part)
        asked = plain[0] if plain is not None else part.field  # type: ignore[union-attr]
        place = place_of(asked, self._names)
        if place is None:
            return _ALWAYS if isinstance(part, IsNull) else _NEVER
        alias = "r" if place.table == "run" else self._alias()
        there = is_there(place, alias)
        if asked.scope in ("data", "inputs") and asked.part == "path":
            there += f" AND {self._functions.named(lambda uri: local_path(uri) is not None, 1)}({alias}.uri)"
        if isinstance(part, IsNull):
            inner = self._on_rows(place, alias, Sql(there))
            return Sql(f"NOT {inner.text}", inner.arguments)
        test = None if plain is None else comparison(place, *plain, alias)
        if test is None:
            test = self._called(place, alias, value_test(_oriented(part), asked))
        found = Sql(f"{there} AND {test.text}", test.arguments)
        if "name" in place.key and plain is not None and plain[1] == "=":
            return self._in_rows(place, alias, found)
        return self._on_rows(place, alias, found)

    def _called(self, place: Place, alias: str, test: ValueTest) -> Sql:
        """A test that the query language itself makes."""
        if not place.is_mixed:
            name = self._functions.named(lambda value: test(stored_to_value(place, value, None, None)), 1)
            return Sql(f"{name}({place.sql(alias)})")
        self._held += 1
        if self._held > _MOST_HELD:
            name = self._functions.named(lambda run: any(map(test, self._functions.value_in(place, run))), 1)
            return Sql(f"{name}({alias}.run)")
        name = self._functions.named(lambda *row: test(stored_to_value(place, *row)), 3)
        return Sql(f"{name}({alias}.{place.column}, {alias}.kind, {alias}.text)")

    def _on_rows(self, place: Place, alias: str, test: Sql) -> Sql:
        if place.table == "run":
            return Sql(f"({test.text})", test.arguments)
        keys = "".join(f" AND {alias}.{column} = ?" for column in place.key)
        text = f"EXISTS (SELECT 1 FROM {place.table} {alias} WHERE {alias}.run = r.n{keys} AND {test.text})"
        return Sql(text, [*place.key.values(), *test.arguments])

    def _in_rows(self, place: Place, alias: str, test: Sql) -> Sql:
        """As :meth:`_on_rows`, for a test that few rows pass: they are found once, not looked for in each run."""
        text = f"r.n IN (SELECT {alias}.run FROM {place.table} {alias} WHERE {alias}.name = ? AND {test.text})"
        return Sql(text, [place.key["name"], *test.arguments])

    def _between_operands(self, part: Comparison) -> Sql:
        """A comparison of two fields, or with arithmetic: where all are numbers in SQL, else by the query language."""
        sides = self._number(part.left), self._number(part.right)
        if sides[0] is not None and sides[1] is not None and self._is_of_numbers(part):
            text = f"coalesce({sides[0].text} {part.operator} {sides[1].text}, 0)"
            return Sql(text, [*sides[0].arguments, *sides[1].arguments])
        whole = [side for side in (part.left, part.right) if isinstance(side, Field)]
        fields = list(dict.fromkeys([*fields_of(part.left), *fields_of(part.right)]))
        columns, arguments, places = [], [], []
        for each in fields:
            place = place_of(each, self._names)
            if place is None:
                return _NEVER
            if each in whole and place.is_mixed:  # may be long, and SQLite keeps what it has fetched until the end
                fetched = Sql("r.n")
            else:
                fetched = self._fetched(place, self._alias())
            columns.append(fetched.text)
            arguments += fetched.arguments
            places.append(place)

        def test(rows: Sequence[Any]) -> bool:
            values = {}
            for each, place, row in zip(fields, places, rows, strict=True):
                is_long = each in whole and place.is_mixed
                values[each] = self._functions.value_in(place, row) if is_long else _values(place, each, row)
            lefts = list(operand_values(part.left, values.__getitem__))
            return compare_any(lefts, part.operator, list(operand_values(part.right, values.__getitem__)))

        return Sql(self._functions.of_many(test, columns), arguments)

    def _is_of_numbers(self, part: Comparison) -> bool:
        """Whether a comparison of sides that can be numbers is true of numbers only, as SQLite compares them."""
        if part.operator == "!=":  # NaN, which is NULL, differs
            return False
        mixed = [side for side in (part.left, part.right) if isinstance(side, Field) and kind_of(side) == "any"]
        return not mixed or (len(mixed) == 1 and part.operator in ORDERINGS)  # two may be texts, which have an order

    def _number(self, operand: Operand, depth: int = 0) -> Sql | None:
        """A number of a run; NULL when it has none, or NaN. None when SQL does not tell, or nests too deep."""
        if isinstance(operand, Constant):
            value = operand.value
            if isinstance(value, str | bool) or not math.isfinite(value):
                return None
            return Sql("?", [float(value)])
        if isinstance(operand, Arithmetic):
            if depth == _MOST_CALCULATED:
                return None
            left, right = self._number(operand.left, depth + 1), self._number(operand.right, depth + 1)
            if left is None or right is None:
                return None
            text = f"(CAST({left.text} AS REAL) {operand.operator} CAST({right.text} AS REAL))"
            return Sql(text, [*left.arguments, *right.arguments])
        place = place_of(operand, self._names)
        if place is None:
            return Sql("NULL")
        if place.table == "run":
            return Sql(place.sql("r")) if kind_of(operand) in ("number", "time", "duration") else None
        if place.table != "metric" and not place.is_mixed:
            return None
        alias = self._alias()
        where = f"{alias}.run = r.n AND {alias}.name = ?"
        if place.is_mixed:  # texts that write a number have it as their value
            where += f" AND typeof({alias}.{place.column}) != 'text'"
        return Sql(f"(SELECT {alias}.{place.column} FROM {place.table} {alias} WHERE {where})", [place.key["name"]])

    def _fetched(self, place: Place, alias: str) -> Sql:
        """All values of a field of a run as a JSON list of rows; a float is written so that it reads back the same.

        Of a param or tag it is calculated with, so that its texts, which may be long, are left out.
        """
        alias = "r" if place.table == "run" else alias
        column = place.sql(alias)
        number = f"CASE typeof({column}) WHEN 'real' THEN printf('%!.17g', {column}) ELSE {column} END"
        more = f"{alias}.kind, {alias}.text" if place.is_mixed else "NULL, NULL"
        row = f"json_array(typeof({column}), {number}, {more})"
        there = is_there(place, alias)
        if place.is_mixed:
            there += f" AND typeof({column}) != 'text'"
        if place.table == "run":
            return Sql(f"CASE WHEN {there} THEN json_array({row}) END")
        keys = "".join(f" AND {alias}.{key} = ?" for key in place.key)
        where = f"{alias}.run = r.n{keys} AND {there}"
        return Sql(f"(SELECT json_group_array({row}) FROM {place.table} {alias} WHERE {where})", [*place.key.values()])

    def _alias(self) -> str:
        self._count += 1
        return f"t{self._count}"


def _without_not(part: Expression) -> tuple[Expression, bool]:
    """What is negated, and whether the many ``not`` before it negate it."""
    negative = False
    while isinstance(part, Not):
        part, negative = part.part, not negative
    return part, negative


def _plain(part: Expression) -> tuple[Field, Any, Constant] | None:
    """A comparison of a field with a constant, whichever stands first: field, operator, constant."""
    if isinstance(part, Comparison):
        if isinstance(part.left, Field) and isinstance(part.right, Constant):
            return part.left, part.operator, part.right
        if isinstance(part.left, Constant) and isinstance(part.right, Field):
            return part.right, MIRRORED[part.operator], part.left
    return None


def _oriented(part: Comparison | Within | Like | Matches | IsNan) -> Comparison | Within | Like | Matches | IsNan:
    plain = _plain(part)
    return part if plain is None else Comparison(*plain)


def _values(place: Place, asked: Field, rows: str | None) -> list[Any]:
    found = []
    for type_name, stored, kind, text in json.loads(rows or "[]"):
        value = float(stored) if type_name == "real" else stored
        value = stored_to_value(place, value, kind, text)
        if asked.scope in ("data", "inputs") and asked.part == "path":
            value = local_path(value)
        if value is not None:
            found.append(value)
    return found

"""A condition on one value as SQL where SQLite compares as the query language does; else the language is asked itself.

``gittrack.core.query.comparing`` says what is right; the tests compare the two over the same runs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from gittrack.core.query.comparing import compare_kind, flag_of_text, number_of_text
from gittrack.core.query.evaluate import test_of
from gittrack.core.query.fields import Kind, kind_of
from gittrack.core.query.tree import Comparison, ComparisonOperator, Constant, Field, IsNan, Like, Matches, Within
from gittrack.index.fields import Place
from gittrack.index.ordering import Sql

_INT64 = 1 << 63
_HEX = re.compile(r"[0-9a-f]{4,64}")
ORDERINGS: frozenset[ComparisonOperator] = frozenset({"<", "<=", ">", ">="})

ValueTest = Callable[[Any], bool]


def is_there(place: Place, alias: str) -> str:
    """That the value of a row is one, and not missing."""
    column = place.sql(alias)
    if place.table == "metric":
        return "1"
    if place.is_mixed:
        return f"{alias}.kind != 'null'"
    return f"coalesce({column}, '') != ''"


def comparison(place: Place, field: Field, operator: ComparisonOperator, constant: Constant, alias: str) -> Sql | None:
    """``field operator constant`` on a row, in plain SQL; None where SQLite has no such comparison."""
    value = constant.value
    if isinstance(value, int) and not -_INT64 <= value < _INT64:
        return None
    column = place.sql(alias)
    if place.is_mixed:
        return _mixed(column, alias, operator, value)
    kind = kind_of(field)
    if isinstance(value, bool):
        if kind != "flag" or operator in ORDERINGS:
            return None
        return Sql(f"{column} {operator} ?", [int(value)])
    if isinstance(value, int | float):
        if kind not in ("number", "time", "duration") or not math.isfinite(value):
            return None
        if place.table == "metric" and operator == "!=":  # NaN is NULL, and not equal to anything
            return Sql(f"({column} IS NULL OR {column} != ?)", [value])
        return Sql(f"{column} {operator} ?", [value])
    return _text(column, kind, operator, value)


def _text(column: str, kind: Kind, operator: ComparisonOperator, value: str) -> Sql | None:
    if kind == "id" and operator in ("=", "!="):
        same = Sql(f"{column} = ?", [value])
        if _HEX.fullmatch(value):
            same = Sql(f"({column} >= ? AND {column} < ?)", [value, value + "g"])
        return same if operator == "=" else Sql(f"NOT {same.text}", same.arguments)
    # Of reserved tags, which are no rows of the tags, every value is a text.
    return Sql(f"{column} {operator} ?", [value]) if kind in ("text", "status", "any") else None


def _mixed(column: str, alias: str, operator: ComparisonOperator, value: str | float | bool) -> Sql | None:
    """Params and tags: numbers stand in the value, also those that texts write; texts are larger than all numbers."""
    there = f"{alias}.kind != 'null'"
    if isinstance(value, bool):
        if operator in ORDERINGS:
            return None
        texts = [text for text in ("true", "True", "false", "False") if flag_of_text(text) is value]
        same = f"({column} IN (?, ?) AND {alias}.kind IN ('flag', 'text'))"
        return Sql(same if operator == "=" else f"({there} AND NOT coalesce({same}, 0))", list(texts))
    if isinstance(value, int | float):
        if not math.isfinite(value):
            return None
        if operator == "!=":
            return Sql(f"({there} AND ({column} IS NULL OR {column} != ?))", [value])
        only_numbers = f" AND {column} < ''" if operator in (">", ">=") else ""
        return Sql(f"({column} {operator} ?{only_numbers})", [value])
    if number_of_text(value) is not None or flag_of_text(value) is not None or value in ("nan", "inf", "-inf"):
        return None
    if operator == "=":
        return Sql(f"{column} = ?", [value])
    if operator == "!=":
        return Sql(f"({there} AND ({column} IS NULL OR {column} != ?))", [value])
    return Sql(f"({alias}.kind IN ('text', 'other') AND coalesce({alias}.text, {column}) {operator} ?)", [value])


def value_test(part: Comparison | Within | Like | Matches | IsNan, field: Field) -> ValueTest:
    """The same by the query language: a function of one value."""
    if not isinstance(part, Comparison):
        return test_of(part)
    assert isinstance(part.right, Constant)
    kind, operator, other = kind_of(field), part.operator, part.right.value
    return lambda value: compare_kind(kind, value, operator, other)


def stored_to_value(place: Place, value: Any, kind: str | None, text: str | None) -> Any:
    """A value as the run has it, from its row: the opposite of ``rows.stored_value``."""
    if place.table == "metric" or kind == "number":
        return math.nan if value is None else value
    if kind == "flag":
        return value == "true"
    if kind == "null":
        return None
    if kind in ("text", "other"):
        return value if text is None else text
    return bool(value) if place.column in ("dirty", "deleted") else value

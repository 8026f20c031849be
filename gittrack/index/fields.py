"""Where in the index each field of a query lies, and the numbers of names."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any

from gittrack.core.query.fields import ATTRIBUTES, METRIC_PARTS, PARTS
from gittrack.core.query.reserved_tags import ATTRIBUTE_OF_TAG, CONSTANT_TAGS, RESERVED_TAGS, RUN_NAME
from gittrack.core.query.tree import Field
from gittrack.errors import UsageError
from gittrack.frozen import dataclass

NameNumbers = Mapping[tuple[str, str], int]
"""(scope, name) -> its number; names that no run has are missing."""

_NAMED = {"metrics": "metric", "params": "param", "tags": "tag"}
_SEVERAL = {"data": "input", "inputs": "input", "artifacts": "artifact"}
_PART_COLUMNS = {"hash": "digest", "path": "uri", "type": "media_type"}
_ATTRIBUTE_COLUMNS = {"commit": "code"}
_COMPUTED = {"artifact_uri": "('runs:/' || r.id)"}  # as core.query.evaluate.artifact_uri


@dataclass(frozen=True, slots=True)
class Place:
    """Where a field lies.

    Attributes:
        table: ``run`` (one row a run), ``metric``, ``param``, ``tag`` (one a run and name), ``input``, ``artifact``.
        column: of its value.
        key: what else a row must be: column -> value.
        computed: SQL of a value that is no column, in terms of ``run r``.
    """

    table: str
    column: str
    key: Mapping[str, Any]
    computed: str = ""

    def sql(self, alias: str) -> str:
        """Its value in a row that is called ``alias``."""
        return self.computed or f"{alias}.{self.column}"

    @property
    def is_mixed(self) -> bool:
        """Whether its values are of many kinds, told by the columns ``kind`` and ``text``."""
        return self.table in ("param", "tag")


def place_of(field: Field, names: NameNumbers) -> Place | None:
    """Where a field lies; None when no run has it.

    Raises:
        UsageError: it is about another run than those that are searched, or of a kind that is in no index.
    """
    if field.subject:
        raise UsageError(f"'{field.subject}' is no run that a search knows", hint="gittrack ls 'metrics.acc > 0.9'")
    if field.scope == "tags" and field.key in RESERVED_TAGS:
        return _reserved(field.key, names.get(("tags", field.key)))
    if field.scope in _NAMED:
        number = names.get((field.scope, field.key))
        part = field.part or "last"
        if number is None or (field.scope == "metrics" and part not in METRIC_PARTS):
            return None
        return Place(_NAMED[field.scope], part if field.scope == "metrics" else "value", {"name": number})
    if field.scope in _SEVERAL:
        if field.part not in PARTS[field.scope]:
            return None
        column = field.part if field.scope == "artifacts" and field.part == "path" else ""
        column = column or _PART_COLUMNS.get(field.part, field.part)
        return Place(_SEVERAL[field.scope], column, {"role": field.key} if field.key else {})
    if field.key not in ATTRIBUTES:
        return None
    return Place("run", _ATTRIBUTE_COLUMNS.get(field.key, field.key), {}, _COMPUTED.get(field.key, ""))


def _reserved(key: str, number: int | None) -> Place:
    """Where a reserved tag of MLflow's lies: as ``core.query.reserved_tags.tag_value`` says."""
    attribute = ATTRIBUTE_OF_TAG.get(key)
    column = "" if attribute is None else _ATTRIBUTE_COLUMNS.get(attribute, attribute)
    if column and (number is None or key == RUN_NAME):
        return Place("run", column, {})
    usual = f"r.{column}" if column else f"'{CONSTANT_TAGS[key]}'"
    if number is None:
        return Place("run", column, {}, usual)
    own = f"(SELECT coalesce(o.text, o.value) FROM tag o WHERE o.run = r.n AND o.name = {number:d})"
    return Place("run", column, {}, f"coalesce(nullif({own}, ''), {usual})")


def name_numbers(sql: sqlite3.Connection, fields: Iterable[Field]) -> dict[tuple[str, str], int]:
    """The numbers of the names of some fields."""
    numbers: dict[tuple[str, str], int] = {}
    for field in fields:
        if field.scope in _NAMED:
            row = sql.execute("SELECT n FROM name WHERE scope = ? AND text = ?", (field.scope, field.key)).fetchone()
            if row is not None:
                numbers[field.scope, field.key] = int(row[0])
    return numbers


def known_names(sql: sqlite3.Connection, scope: str) -> list[str]:
    """The names of metrics, params or tags that some run has or had, sorted."""
    return [text for (text,) in sql.execute("SELECT text FROM name WHERE scope = ? ORDER BY text", (scope,))]


def needs_details(field: Field) -> bool:
    """Whether only a run's tree tells it."""
    return field.scope in _SEVERAL

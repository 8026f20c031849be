"""Columns of a list of runs, as people choose them: ``name,metrics.acc,params.lr``, ``+tags.team``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from gittrack.core.query.diagnosis import meant, renamed, syntax_error
from gittrack.core.query.fields import ATTRIBUTES, OTHER_NAMES
from gittrack.core.query.parser import parse_field
from gittrack.core.query.tree import Field
from gittrack.core.query.unparse import field_text
from gittrack.errors import QuerySyntaxError, UsageError
from gittrack.frozen import dataclass

Special = Literal["", "age", "metrics"]
SPECIAL: tuple[Special, ...] = ("age", "metrics")
"""Columns that are no field of the query language: how long ago a run began, and its most telling metrics."""
MOST_COLUMNS = 500
_HINT = "gittrack ls --columns name,metrics.acc,params.lr"
# Commas part columns, but for those of names in backticks.
_ITEM = re.compile(r"(?:`[^`]*`|[^,`])+|`.*")


@dataclass(frozen=True, slots=True)
class RunColumn:
    """One column.

    Attributes:
        field: what it shows; None for a special one.
        special: which of :data:`SPECIAL`; else ``""``.
    """

    field: Field | None
    special: Special = ""

    @property
    def text(self) -> str:
        """What it is called in queries, and in CSV and JSON."""
        return self.special if self.field is None else field_text(self.field)


@dataclass(frozen=True, slots=True)
class ColumnChoice:
    """Which columns somebody wants.

    Attributes:
        columns: in order; none: the usual ones.
        adds: whether they stand beside the usual ones instead of in their place.
    """

    columns: tuple[RunColumn, ...] = ()
    adds: bool = False


def parse_columns(texts: Iterable[str]) -> ColumnChoice:
    """The columns that some texts choose.

    Args:
        texts: each names columns with commas between them: fields of the query language, ``age``, ``metrics``. With
            ``+`` before the first they are added to the usual ones.

    Raises:
        QuerySyntaxError: one is no field.
        UsageError: none is named, ``+`` stands before some only, or they are more than 500.

    >>> choice = parse_columns(["+metrics.acc,tags.`a,b`"])
    >>> choice.adds, [column.text for column in choice.columns]
    (True, ['metrics.acc', 'tags.`a,b`'])
    """
    items = [item.strip() for text in texts for item in _items(text)]
    adds = bool(items) and items[0].startswith("+")
    if adds:
        items = [item.removeprefix("+").strip() for item in items]
    elif any(item.startswith("+") for item in items):
        raise UsageError("'+' stands before some columns only", hint="gittrack ls --columns +params.lr,tags.team")
    if len(items) > MOST_COLUMNS:
        raise UsageError(f"{len(items)} columns are more than {MOST_COLUMNS}", hint=_HINT)
    return ColumnChoice(tuple(dict.fromkeys(map(_column, items))), adds)


def column_texts(texts: Iterable[str]) -> tuple[str, ...]:
    """Each column by itself, as :func:`parse_columns` reads them all the same.

    >>> column_texts(["+name,metrics.acc", "tags.`a,b`"])
    ('+name', 'metrics.acc', 'tags.`a,b`')
    """
    return tuple(item.strip() for text in texts for item in _items(text))


def _items(text: str) -> list[str]:
    items = _ITEM.findall(text)
    if not any(item.strip() for item in items):
        raise UsageError("no column is named", hint=_HINT)
    return [item for item in items if item.strip()]


def _column(text: str) -> RunColumn:
    try:
        return _parsed(text)
    except QuerySyntaxError as error:
        raise renamed(error, "the column") from error


def _parsed(text: str) -> RunColumn:
    for special in SPECIAL:
        if text.lower() == special:
            return RunColumn(None, special)
    if text.isidentifier() and text.lower() not in ATTRIBUTES and text.lower() not in OTHER_NAMES:
        hint = meant(text, [*ATTRIBUTES, *SPECIAL]) or f"a metric is metrics.{text[:40]}, a param params.{text[:40]}"
        raise syntax_error(text, 0, f"there is no column '{text[:60]}'", hint=hint)
    return RunColumn(parse_field(text))

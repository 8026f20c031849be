"""Saved views: a query with columns, an order and a number, kept in a file of the repository.

::

    # .gittrack/views/best-digits.toml, used by: gittrack ls @best-digits
    description = "What we would ship"
    query = "experiment = 'digits' and status = 'finished'"
    columns = ["name", "metrics.acc", "params.lr"]
    sort = ["-metrics.acc"]
    number = 20
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from gittrack.core.names import display, encode_component
from gittrack.core.query.diagnosis import meant
from gittrack.core.query.parser import parse_query
from gittrack.core.query.sort_keys import parse_sort_key
from gittrack.core.query.tree import SortKey
from gittrack.core.run_columns import parse_columns
from gittrack.errors import CorruptRecordError, InvalidNameError, QuerySyntaxError, UsageError
from gittrack.frozen import dataclass

VIEWS_FOLDER = (".gittrack", "views")
"""Where views lie, from the top of the work tree."""
MAX_VIEW_BYTES = 64 << 10
MAX_SORT_KEYS = 16
"""Each key but the first costs time for every run; the index cannot take more than some dozens."""
_KEYS = ("query", "columns", "sort", "number", "description")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_NAMES_OF_RUNS = frozenset({"latest"})
_MOST = 10**9
_MOST_BYTES = 200


@dataclass(frozen=True, slots=True)
class View:
    """A saved view.

    Attributes:
        name: what it is called, after the ``@``.
        query: which runs, as it was written: times like ``-7d`` count from when it is used.
        columns: which columns, each a field; ``+`` before the first adds them to the usual ones. None: the usual ones.
        sort: sort keys, the first one first.
        number: at most so many runs; None: as many as without a view.
        description: what it is for.
    """

    name: str
    query: str = ""
    columns: tuple[str, ...] = ()
    sort: tuple[str, ...] = ()
    number: int | None = None
    description: str = ""


def check_view_name(name: str) -> str:
    """``name`` as a view may be called, in NFC: one name is one file.

    Raises:
        InvalidNameError: it may not: ``@latest`` and ``@-2`` are runs, and it must be a file name everywhere.

    >>> check_view_name("best-digits")
    'best-digits'
    """
    shown, name = display(name, 80), unicodedata.normalize("NFC", name)
    if name.lower() in _NAMES_OF_RUNS or re.fullmatch("-[0-9]+", name):
        raise InvalidNameError(f"'@{shown}' is a run, no view can be called so", hint="gittrack views")
    plain = "".join(char if char.isascii() else "x" for char in name if unicodedata.category(char)[0] != "M")
    if not _NAME.fullmatch(plain) or encode_component(plain) != plain or not _is_word(name):
        text = f"'{shown}' cannot name a view: letters, digits, '-', '_' and dots between them can"
        raise InvalidNameError(text, hint="gittrack views")
    return name


def _is_word(name: str) -> bool:
    """Whether what is beyond ASCII in it is letters, digits and their marks, and it fits into a file name."""
    kinds = {unicodedata.category(char)[0] for char in name if not char.isascii()}
    return kinds <= set("LMN") and unicodedata.category(name[0])[0] != "M" and len(name.encode()) <= _MOST_BYTES


def view_path(name: str) -> str:
    """Where a view lies in the work tree.

    >>> view_path("best")
    '.gittrack/views/best.toml'
    """
    return "/".join((*VIEWS_FOLDER, f"{name}.toml"))


def parse_view(name: str, data: bytes) -> View:
    """A view from the bytes of its file, which anybody may have written.

    Args:
        name: of the view.
        data: its file.

    Raises:
        CorruptRecordError: it is no TOML, or too large.
        UsageError: a key that views do not have, a value of another type, a query or a column that is none.

    >>> parse_view("best", b'sort = "-metrics.acc"').sort
    ('-metrics.acc',)
    """
    from gittrack.core import toml

    path = view_path(name)
    try:
        table = toml.parse(data, limit=MAX_VIEW_BYTES, depth=4, what=path)
    except CorruptRecordError as error:
        raise CorruptRecordError(error.message, hint=f"mend {path}, or: gittrack views rm {name}") from error
    for key in table:
        if key not in _KEYS:
            hint = meant(key, _KEYS) or f"a view has {', '.join(_KEYS)}"
            raise UsageError(f"{path} has '{display(key, 60)}', which views do not have", hint=hint)
    view = View(
        name,
        query=_text(table, "query", path),
        columns=_texts(table, "columns", path),
        sort=_texts(table, "sort", path),
        number=_number(table, path),
        description=_text(table, "description", path),
    )
    check_view(view)
    return view


def check_view(view: View) -> None:
    """Refuse a view whose query, columns, order or number mean nothing.

    Raises:
        QuerySyntaxError: the query, a column or a sort key; says which view.
        UsageError: the number, or the columns.
    """
    if view.number is not None and not 1 <= view.number <= _MOST:
        raise UsageError(f"view '{view.name}' has the number {view.number}, not 1 or more", hint="gittrack views")
    try:
        parse_query(view.query, now=0)
        parse_order(view.sort)
        if view.columns:
            parse_columns(view.columns)
    except QuerySyntaxError as error:
        text = f"view '{view.name}': {error.message}"
        raise QuerySyntaxError(text, position=error.position, excerpt=error.excerpt, hint=error.hint) from error
    except UsageError as error:
        raise UsageError(f"view '{view.name}': {error.message}", hint=error.hint) from error


def parse_order(texts: Sequence[str]) -> tuple[SortKey, ...]:
    """The order that sort keys ask for, the first one first.

    Raises:
        QuerySyntaxError: one is no field that runs can be sorted by.
        UsageError: more than 16.

    >>> [key.descending for key in parse_order(["-metrics.acc", "name", "-metrics.acc"])]
    [True, False]
    """
    if len(texts) > MAX_SORT_KEYS:
        raise UsageError(
            f"{len(texts)} sort keys are more than {MAX_SORT_KEYS}", hint="gittrack ls --sort -metrics.acc"
        )
    return tuple(dict.fromkeys(map(parse_sort_key, texts)))


def view_bytes(view: View) -> bytes:
    """The file of a view; :func:`parse_view` reads it again as it is."""
    from gittrack.core import toml

    table: dict[str, Any] = {
        "query": view.query,
        "columns": list(view.columns),
        "sort": list(view.sort),
        "number": view.number,
        "description": view.description,
    }
    return toml.dump({key: value for key, value in table.items() if value})


def _text(table: Mapping[str, Any], key: str, path: str) -> str:
    value = table.get(key, "")
    if not isinstance(value, str):
        raise UsageError(f"'{key}' in {path} is no text", hint=f'{key} = "…"')
    return value


def _texts(table: Mapping[str, Any], key: str, path: str) -> tuple[str, ...]:
    value = table.get(key, [])
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(isinstance(item, str) for item in listed):
        raise UsageError(f"'{key}' in {path} is no list of texts", hint=f'{key} = ["metrics.acc"]')
    return tuple(listed)


def _number(table: Mapping[str, Any], path: str) -> int | None:
    value = table.get("number")
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise UsageError(f"'number' in {path} is no whole number", hint="number = 20")
    return value

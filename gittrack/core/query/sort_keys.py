"""Sort keys: ``-metrics.acc``, ``metrics.acc DESC``, ``start_time``."""

from __future__ import annotations

from gittrack.core.query.diagnosis import renamed, syntax_error
from gittrack.core.query.fields import is_several
from gittrack.core.query.parser import parse_field
from gittrack.core.query.tokens import tokenize
from gittrack.core.query.tree import SortKey
from gittrack.core.query.unparse import field_text
from gittrack.errors import QuerySyntaxError

_ORDERS = {"asc": False, "desc": True}


def parse_sort_key(text: str) -> SortKey:
    """One key of an order: a field as in queries, with ``-`` before it or ``DESC`` behind it for the highest first.

    Raises:
        QuerySyntaxError: no field, or one that a run may have several values of.

    >>> parse_sort_key("-metrics.acc") == parse_sort_key("metrics.acc DESC")
    True
    """
    try:
        return _parsed(text)
    except QuerySyntaxError as error:
        raise renamed(error, "the sort key") from error


def _parsed(text: str) -> SortKey:
    tokens = tokenize(text)
    if tokens[0].kind == "end":
        raise QuerySyntaxError("a sort key is empty", hint="metrics.acc DESC, -metrics.acc, start_time")
    sign = tokens[0].text if tokens[0].kind == "symbol" and tokens[0].text in ("-", "+") else ""
    last = tokens[-2] if len(tokens) > 2 else None
    order = last.keyword if last is not None and last.keyword in _ORDERS else ""
    if sign and order:
        raise syntax_error(text, tokens[-2].start, f"'{sign}' and '{order}' both say in which order")
    first = tokens[1 if sign else 0]
    end = tokens[-2].start if order else len(text)
    blank = " " * first.start  # so that places in messages are those of the whole text
    field = parse_field(blank + text[first.start : end])
    if is_several(field):
        problem = "a run may have several values of this, runs cannot be sorted by it"
        raise syntax_error(text, first.start, problem, hint="metrics, params, tags and attributes can be sorted by")
    return SortKey(field, descending=sign == "-" or _ORDERS.get(order, False))


def sort_key_text(key: SortKey) -> str:
    """The text of a sort key, as :func:`parse_sort_key` reads it.

    >>> sort_key_text(parse_sort_key("metric.acc desc"))
    '-metrics.acc'
    """
    return ("-" if key.descending else "") + field_text(key.field)

"""Texts of the command line as values."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from gittrack.errors import UsageError

_INTEGER = re.compile(r"[+-]?(?:0|[1-9][0-9]{0,300})")
_FLOAT = re.compile(r"[+-]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,5})?")


def parse_pairs(items: Iterable[str], example: str) -> dict[str, str]:
    """Read ``key=value`` items; the value may hold further ``=``.

    Args:
        items: as given.
        example: a correct command, for the hint.

    Raises:
        UsageError: an item without ``=`` or without a key, or a key given twice with different values.
    """
    pairs: dict[str, str] = {}
    for item in items:
        key, equals, value = item.partition("=")
        if not equals or not key:
            raise UsageError(f"'{item[:80]}' is not of the form key=value", hint=example)
        if pairs.setdefault(key, value) != value:
            raise UsageError(f"'{key[:80]}' is given twice", hint=example)
    return pairs


def param_value(text: str) -> int | float | bool | str:
    """The value a text writes: a whole number, a number, true or false, else the text itself.

    A number with leading zeros, an id most likely, stays a text.

    >>> [param_value(text) for text in ("3", "1e-3", "true", "007", "adam")]
    [3, 0.001, True, '007', 'adam']
    """
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    return text

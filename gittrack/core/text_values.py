"""Texts of a command line as values: ``-p lr=0.1`` of ours and ``--lr 0.1`` of a script mean the same."""

from __future__ import annotations

import math
import re

_INTEGER = re.compile(r"[+-]?(?:0|[1-9][0-9]{0,300})")
_FLOAT = re.compile(r"[+-]?(?:(?:0|[1-9][0-9]{0,300})(?:\.[0-9]{0,300})?|\.[0-9]{1,300})(?:[eE][+-]?[0-9]{1,5})?")


def typed_text(text: str) -> int | float | bool | str:
    """The value a text writes: a whole number, a number, true or false, else the text itself.

    A number with leading zeros, an id most likely, stays a text; so does one that no float can hold, and NaN.

    >>> [typed_text(text) for text in ("3", "1e-3", "true", "007", "adam")]
    [3, 0.001, True, '007', 'adam']
    """
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    return {"true": True, "false": False}.get(text.lower(), text)

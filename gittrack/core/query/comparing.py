"""When a value compares true: the rules that the evaluator and the index share.

- A number and a number: as numbers; integers exactly, NaN as IEEE 754 says.
- A number and a text: as numbers when the whole text is a decimal number, else ``=`` and ``!=`` compare the texts.
- A text and a text: by code points.
- True or false with a text: the texts ``true``, ``True``, ``false`` and ``False`` mean them.
- Lists, dates and the like: as their text. What is missing compares with nothing.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from gittrack.core.query.fields import Kind
from gittrack.core.query.tree import ComparisonOperator
from gittrack.core.value_text import exact_text

_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,400}(?:\.[0-9]{0,400})?|\.[0-9]{1,400})(?:[eE][+-]?[0-9]{1,5})?")
_INTEGER = re.compile(r"[+-]?[0-9]{1,400}")
_HEX_PREFIX = re.compile(r"[0-9a-f]{4,64}")
_INT64 = 1 << 63
_FLAGS = {"true": True, "True": True, "false": False, "False": False}
_FUNCTIONS: Mapping[ComparisonOperator, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
MIRRORED: Mapping[ComparisonOperator, ComparisonOperator] = {
    "=": "=",
    "!=": "!=",
    "<": ">",
    "<=": ">=",
    ">": "<",
    ">=": "<=",
}
"""The operator when both sides change places."""

Value = Any
"""A param as records have it, a text, a number, a flag; None when it is missing."""


def number_of_text(text: str) -> int | float | None:
    """The number a text writes, when the whole text is a decimal number; integers beyond 64 bits become floats.

    >>> [number_of_text(text) for text in ("3", "-1e-3", "007", " 3", "3 px", "nan")]
    [3, -0.001, 7, None, None, None]
    """
    if _INTEGER.fullmatch(text):
        whole = int(text)
        return whole if -_INT64 <= whole < _INT64 else float(text)
    return float(text) if _NUMBER.fullmatch(text) else None


def number_of(value: Value) -> int | float | None:
    """``value`` as a number to calculate with: numbers, and texts that write one."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    return number_of_text(value) if isinstance(value, str) else None


def flag_of_text(text: str) -> bool | None:
    """What ``true``, ``True``, ``false`` and ``False`` mean; None of other texts."""
    return _FLAGS.get(text)


def compare_values(value: Value, operator: ComparisonOperator, other: Value) -> bool:
    """Whether ``value operator other``, by the rules above.

    Args:
        value: of the run.
        operator: as in the tree.
        other: the constant, or another value.

    >>> compare_values(3, "=", "3"), compare_values("adam", "<", 3), compare_values("adam", "!=", 3)
    (True, False, True)
    """
    if value is None or other is None:
        return False
    apply = _FUNCTIONS[operator]
    if isinstance(value, bool) or isinstance(other, bool):
        return _compare_flags(value, operator, other)
    numbers = isinstance(value, int | float), isinstance(other, int | float)
    if all(numbers):
        return apply(value, other)
    left, right = exact_text(value), exact_text(other)
    if not any(numbers):
        return apply(left, right)
    # A list's text is no number, though one of a single digit in a text is.
    pair = number_of(value), number_of(other)
    if pair[0] is not None and pair[1] is not None:
        return apply(*pair)
    return operator in ("=", "!=") and apply(left, right)


def _compare_flags(value: Value, operator: ComparisonOperator, other: Value) -> bool:
    if operator not in ("=", "!="):
        return False
    pair = [flag_of_text(each) if isinstance(each, str) else each for each in (value, other)]
    same = isinstance(pair[0], bool) and isinstance(pair[1], bool) and pair[0] is pair[1]
    return same == (operator == "=")


def compare_kind(kind: Kind, value: Value, operator: ComparisonOperator, constant: Value) -> bool:
    """Whether ``value operator constant`` for a field of this kind; ``id`` and ``digest`` equal their beginnings.

    Args:
        kind: of the field.
        value: of the run.
        operator: as in the tree.
        constant: of the query, as the parser made it.

    >>> compare_kind("id", "ab12cd", "=", "ab12"), compare_kind("digest", "md5:ab12cd", "=", "ab12")
    (True, True)
    """
    if value is None or kind not in ("id", "digest") or operator not in ("=", "!="):
        return compare_values(value, operator, constant)
    return begins_with(kind, str(value), str(constant)) == (operator == "=")


def begins_with(kind: Kind, value: str, constant: str) -> bool:
    """Whether a constant means an id or a digest: it is the same, or at least 4 hex digits that it begins with."""
    rest = value.partition(":")[2] if kind == "digest" else ""
    if constant == value or (rest and constant == rest):
        return True
    return _is_prefix(kind, constant) and (value.startswith(constant) or rest.startswith(constant))


def _is_prefix(kind: Kind, constant: str) -> bool:
    digits = constant.rpartition(":")[2] if kind == "digest" else constant
    return _HEX_PREFIX.fullmatch(digits) is not None


def member_test(kind: Kind, constants: Collection[Value]) -> Callable[[Value], bool]:
    """The function that says whether a value equals one of the constants, in a time that does not follow their number.

    The same as :func:`compare_kind` by ``=`` with each of them.

    >>> list(map(member_test("id", ["ab12", "ffff"]), ["ab12cd", "cd34ef"]))
    [True, False]
    """
    if kind == "any":
        return _mixed_member_test(constants)
    members = frozenset(constants)
    if kind not in ("id", "digest"):
        return lambda value: value in members
    prefixes = frozenset(constant for constant in members if _is_prefix(kind, constant))
    lengths = sorted({len(constant) for constant in prefixes})

    def has(value: str) -> bool:
        rest = value.partition(":")[2] if kind == "digest" else ""
        if value in members or (rest and rest in members):
            return True
        return any(value[:length] in prefixes or rest[:length] in prefixes for length in lengths)

    return has


def _mixed_member_test(constants: Collection[Value]) -> Callable[[Value], bool]:
    """As :func:`member_test`, of params and tags: what a value equals follows from what both are."""
    texts = {each for each in constants if isinstance(each, str)}
    flags = {each for each in constants if isinstance(each, bool)}
    numbers = {each for each in constants if isinstance(each, int | float) and not isinstance(each, bool)}
    written = {number_of_text(each) for each in texts} - {None}
    said = {flag_of_text(each) for each in texts} - {None}
    shown = {exact_text(each) for each in numbers}

    def has(value: Value) -> bool:
        if value is None:
            return False
        if isinstance(value, bool):
            return value in flags or value in said
        text = exact_text(value)
        if isinstance(value, int | float):
            return value in numbers or value in written or (text in texts and number_of_text(text) is None)
        if text in texts:
            return True
        if not isinstance(value, str):
            return text in shown
        number = number_of_text(text)
        return (text in shown if number is None else number in numbers) or flag_of_text(text) in flags

    return has


def compare_any(lefts: Collection[Value], operator: ComparisonOperator, rights: Collection[Value]) -> bool:
    """Whether one of the left values compares true with one of the right ones, without trying every pair.

    Args:
        lefts, rights: of two fields of a kind that a run may have several values of; where both are several, all texts
            or all numbers, without NaN.
        operator: as in the tree.
    """
    if len(lefts) < 2 or len(rights) < 2:
        return any(compare_values(left, operator, right) for left in lefts for right in rights)
    if operator == "=":
        return not set(lefts).isdisjoint(rights)
    if operator == "!=":
        return len({*lefts, *rights}) > 1
    if operator in ("<", "<="):
        return compare_values(min(lefts), operator, max(rights))
    return compare_values(max(lefts), operator, min(rights))

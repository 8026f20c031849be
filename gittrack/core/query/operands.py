"""The sides of a comparison while a query is read: what kind each is, and literals turned into what the other side is.

``7d`` beside a time is an instant, beside a duration a length of time; ``'3'`` beside a metric is a number. So literals
stay literals until both sides are known.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import NamedTuple

from gittrack.core.names import display
from gittrack.core.query.comparing import flag_of_text, number_of_text
from gittrack.core.query.diagnosis import nearest, syntax_error
from gittrack.core.query.fields import Kind
from gittrack.core.query.moments import parse_duration, parse_moment
from gittrack.core.query.tree import Arithmetic, ArithmeticOperator, Constant, Operand
from gittrack.core.records import RunStatus
from gittrack.errors import QuerySyntaxError

KIND_NAMES: Mapping[Kind, str] = {
    "number": "a number",
    "text": "a text",
    "any": "a value",
    "flag": "true or false",
    "time": "a time",
    "duration": "a duration",
    "id": "an id",
    "status": "a status",
    "digest": "a hash",
}
TEXT_LIKE: frozenset[Kind] = frozenset({"text", "any", "id", "status", "digest"})
STATUSES = tuple(status.value for status in RunStatus)
_OTHER_STATUSES = frozenset({"scheduled"})
"""What MLflow has too, and no run here."""
_DIGEST = re.compile(r"[0-9a-fA-F]{4,128}(?:\.dir|-[0-9]{1,5})?")
"""A hash or its beginning, without its algorithm: of a folder, and of what was uploaded in parts, with their marks."""
_FIRST_MOMENT = 10**11
"""Milliseconds: in March 1973, before there was anything to track."""
UNORDERED: frozenset[Kind] = frozenset({"flag", "id", "status", "digest"})


class Side(NamedTuple):
    """One side of a comparison.

    Attributes:
        node: what it becomes in the tree; of a literal its plain value, a duration in ms.
        kind: of its value; of a literal ``number``, ``text``, ``flag`` or ``duration``.
        start, end: where it stands.
        literal: whether it is made of literals alone.
        several: how many fields in it may be several values.
        depth: of arithmetic in it.
        quote: of a quoted literal.
    """

    node: Operand
    kind: Kind
    start: int
    end: int
    literal: bool = False
    several: int = 0
    depth: int = 0
    quote: str = ""

    @property
    def value(self) -> str | int | float | bool:
        """Of a literal."""
        assert isinstance(self.node, Constant)
        return self.node.value


class SideError(ValueError):
    """Two sides do not fit; ``place`` is the side to point at. Never leaves the package."""

    def __init__(self, place: Side, problem: str, hint: str | None = None) -> None:
        super().__init__(problem)
        self.place = place
        self.problem = problem
        self.hint = hint

    def in_query(self, query: str) -> QuerySyntaxError:
        """The error with its place in the query."""
        return syntax_error(query, self.place.start, self.problem, hint=self.hint)


def negated(side: Side) -> Side:
    """``-side``."""
    if side.literal:
        if side.kind not in ("number", "duration"):
            raise SideError(side, f"{KIND_NAMES[side.kind]} has no sign")
        value = side.value
        assert not isinstance(value, str)
        return Side(Constant(-value), side.kind, side.start, side.end, literal=True)
    minus = Side(Constant(-1), "number", side.start, side.start, literal=True)
    return calculate(minus, "*", side)


def calculate(left: Side, operator: ArithmeticOperator, right: Side) -> Side:
    """``left operator right``; literals are calculated at once.

    Raises:
        SideError: they cannot be combined.
    """
    left, right = _with_units(left, operator, right)
    kind = _result_kind(left, operator, right)
    if left.literal and right.literal:
        return _literal(_calculated(left, operator, right), kind, left, right)
    return Side(
        Arithmetic(operator, _final(left.node), _final(right.node)),
        kind,
        left.start,
        right.end,
        several=left.several + right.several,
        depth=1 + max(left.depth, right.depth),
    )


def _literal(value: float, kind: Kind, left: Side, right: Side) -> Side:
    if kind == "duration" and math.isfinite(value):
        value = round(value)
    if math.isnan(value):
        raise SideError(left, "nan cannot be calculated with")
    return Side(Constant(in_64_bits(value)), kind, left.start, right.end, literal=True)


def _final(node: Operand) -> Operand:
    """A part of arithmetic, a literal as the tree holds it."""
    if isinstance(node, Constant) and isinstance(node.value, int | float):
        return Constant(in_64_bits(node.value))
    return node


def in_64_bits(value: float) -> int | float:
    """Integers beyond 64 bits become floats: no database holds them."""
    if isinstance(value, int) and not isinstance(value, bool) and not -(1 << 63) <= value < 1 << 63:
        return float(value)
    return value


def _with_units(left: Side, operator: ArithmeticOperator, right: Side) -> tuple[Side, Side]:
    """Both sides, a bare number in a sum with a duration or a time as seconds."""
    if operator in ("*", "/"):
        return left, right
    if right.literal and right.kind == "number" and left.kind in ("duration", "time"):
        return left, _seconds(right)
    if left.literal and left.kind == "number" and right.kind == "duration":
        return _seconds(left), right
    if left.literal and left.kind == "number" and right.kind == "time" and operator == "-":
        return Side(left.node, "time", left.start, left.end, literal=True), right
    return left, right


def _seconds(side: Side) -> Side:
    value = side.value
    assert not isinstance(value, str)
    return _literal(value * 1000, "duration", side, side)


def _result_kind(left: Side, operator: ArithmeticOperator, right: Side) -> Kind:
    kinds: tuple[Kind, Kind] = (_calculable(left), _calculable(right))
    if kinds == ("number", "number"):
        return "number"
    if operator in ("+", "-"):
        if kinds == ("duration", "duration"):
            return "duration"
        if kinds == ("time", "duration") or (kinds == ("duration", "time") and operator == "+"):
            return "time"
        if kinds == ("time", "time") and operator == "-":
            return "duration"
    elif kinds == ("duration", "number") or (kinds == ("number", "duration") and operator == "*"):
        return "duration"
    elif kinds == ("duration", "duration") and operator == "/":
        return "number"
    names = [KIND_NAMES[kind] for kind in kinds]
    raise SideError(right, f"{names[0]} {operator} {names[1]} means nothing", "add the unit to numbers: 90s, 2h, 7d")


def _calculable(side: Side) -> Kind:
    if side.kind == "any":
        return "number"
    if side.kind in ("number", "duration", "time"):
        if side.literal and isinstance(side.value, float) and math.isnan(side.value):
            raise SideError(side, "nan cannot be calculated with")
        return side.kind
    hint = "numbers stand without quotes" if side.quote else None
    raise SideError(side, f"{KIND_NAMES[side.kind]} cannot be calculated with", hint)


def _calculated(left: Side, operator: ArithmeticOperator, right: Side) -> int | float:
    first, second = left.value, right.value
    assert not isinstance(first, str)
    assert not isinstance(second, str)
    if operator == "+":
        return first + second
    if operator == "-":
        return first - second
    if operator == "*":
        return in_64_bits(first * second)
    if second == 0:
        raise SideError(right, "a division by zero")
    return first / second


def fitted(side: Side, kind: Kind, now: int) -> Constant:
    """A literal as a constant to compare with values of a kind.

    Args:
        side: the literal.
        kind: of the other side.
        now: ms since the epoch.

    Raises:
        SideError: it cannot be one.
    """
    constant = _fitted(side, kind, now)
    return Constant(in_64_bits(constant.value)) if isinstance(constant.value, int | float) else constant


def _fitted(side: Side, kind: Kind, now: int) -> Constant:
    value = side.value
    if isinstance(value, float) and math.isnan(value):
        raise SideError(side, "nothing equals nan", "write `is nan` or `is not nan`")
    if kind == "time":
        return Constant(_as_moment(side, now))
    if kind == "duration":
        return Constant(_as_duration(side))
    if side.kind == "duration":
        raise SideError(side, f"{KIND_NAMES[kind]} is compared with a duration", "quote it if it is a text")
    if kind == "number":
        return Constant(_as_number(side))
    if kind == "flag":
        return Constant(_as_flag(side))
    if kind == "any":
        return Constant(value)
    if not isinstance(value, str):
        raise SideError(side, f"{KIND_NAMES[kind]} is compared with a bare {_bare(value)}", "put it in quotes")
    if kind == "status":
        return Constant(_as_status(side, value.lower()))
    if kind == "digest":
        _check_digest(side, value)
    return Constant(value.lower() if kind == "id" else value)


def _bare(value: float | bool) -> str:
    return "flag" if isinstance(value, bool) else "number"


def _as_status(side: Side, text: str) -> str:
    if text not in STATUSES and text not in _OTHER_STATUSES:
        near = nearest(text, STATUSES)
        hint = f"did you mean {near}?" if near else f"one of {', '.join(STATUSES)}; of a later version: status like '…'"
        raise SideError(side, f"'{display(text, 40)}' is no status", hint)
    return text


def _check_digest(side: Side, text: str) -> None:
    if ":" not in text and not _DIGEST.fullmatch(text):
        hint = "at least four hex digits, or with what it is of: 'md5:12ab34', 'etag:…', 'version:…'"
        raise SideError(side, f"'{display(text, 40)}' is no hash", hint)


def _as_moment(side: Side, now: int) -> int | float:
    value = side.value
    if side.kind == "duration":
        assert not isinstance(value, str)
        if value > 0:
            raise SideError(side, "a time is compared with a duration", "-7d is seven days ago")
        return now + value
    if side.kind == "number":
        assert not isinstance(value, str)
        if value and abs(value) < _FIRST_MOMENT:  # milliseconds, so it would be 1970, and every run later
            shown = f"{value:g}"
            hint = f"write {shown}d for so long ago" if value < 0 else f"write -{shown}d, or milliseconds since 1970"
            if value * 1000 >= _FIRST_MOMENT:
                hint = f"that would be seconds; times are in milliseconds: {value * 1000:.0f}"
            raise SideError(side, f"{shown} is no time: a unit is missing", hint)
        return value
    moment = parse_moment(value, now) if isinstance(value, str) else None
    if moment is None:
        hint = "write '2026-11-01', '2026-11-01 12:00', -7d, or milliseconds since 1970"
        raise SideError(side, f"'{display(str(value), 40)}' is no time", hint)
    return moment


def _as_duration(side: Side) -> int | float:
    value = side.value
    if side.kind == "duration":
        assert not isinstance(value, str)
        return value
    if isinstance(value, str):
        found = parse_duration(value.strip())
        seconds = None if found is not None else number_of_text(value.strip())
    else:
        found, seconds = None, None if side.kind == "flag" else value
    if found is None and seconds is None:
        hint = "write 90s, 5m, 2h, 1h30m, or a number of seconds"
        raise SideError(side, f"'{display(str(value), 40)}' is no duration", hint)
    if found is not None:
        return found
    assert seconds is not None
    return in_64_bits(round(seconds * 1000)) if math.isfinite(seconds * 1000) else seconds


def _as_number(side: Side) -> int | float:
    value = side.value
    if side.kind == "number":
        assert not isinstance(value, str)
        return value
    number = number_of_text(value) if isinstance(value, str) else None
    if number is None:
        raise SideError(side, f"a number is compared with '{display(str(value), 40)}'", "compare it with a number")
    return number


def _as_flag(side: Side) -> bool:
    value = side.value
    flag = {"active": False, "deleted": True}.get(value, flag_of_text(value)) if isinstance(value, str) else value
    if isinstance(flag, bool):
        return flag
    if flag in (0, 1):
        return bool(flag)
    raise SideError(side, f"'{display(str(value), 40)}' is neither true nor false", "compare it with true or false")


def check_comparable(left: Side, right: Side) -> None:
    """Two sides that are no literals.

    Raises:
        SideError: their kinds never compare.
    """
    kinds = {left.kind, right.kind}
    numeric = kinds <= {"number", "any"}
    same = len(kinds) == 1
    if not (same or numeric or kinds <= TEXT_LIKE or kinds == {"flag", "any"}):
        raise SideError(right, f"{KIND_NAMES[left.kind]} is compared with {KIND_NAMES[right.kind]}")

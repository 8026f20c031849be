"""A tree as the text of a query, in one canonical form: parsed again it is the same tree."""

from __future__ import annotations

import math
import re

from gittrack.core.query.conditions import ARTIFACT_PATH, artifact_condition
from gittrack.core.query.fields import Kind, is_always_there, kind_of
from gittrack.core.query.moments import write_duration, write_moment
from gittrack.core.query.tokens import tokenize
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
from gittrack.errors import QuerySyntaxError

_PLAIN = re.compile(r"[A-Za-z0-9_]+(?:[./][A-Za-z_][A-Za-z0-9_]*)*")
_SLASHES = re.compile(r"(\\+)(?='|\Z)")
_ID = Field("attributes", "id")


def unparse(expression: Expression) -> str:
    """The canonical text of a query; ``""`` of the one that every run answers.

    >>> from gittrack.core.query.parser import parse_query
    >>> unparse(parse_query("param.model == 'rf' AND NOT (metric.loss<=.5)", now=0))
    "params.model = 'rf' and not metrics.loss <= 0.5"
    """
    return "" if expression == AllOf(()) else _text(expression, 0)


def _text(expression: Expression, binding: int) -> str:
    """Its text, in parentheses where it binds less than ``binding``: 0 or, 1 and, 2 not."""
    if isinstance(expression, AllOf | AnyOf):
        return _joined(expression, binding)
    if isinstance(expression, Not):
        if isinstance(expression.part, IsNull):
            return _field_test(expression.part, "not ")
        return f"not {_text(expression.part, 2)}"
    if isinstance(expression, Comparison):
        return _comparison(expression)
    if isinstance(expression, CodeChanged):
        since = f", {quoted(expression.since)}" if expression.since else ""
        return f"code.changed({quoted(expression.path)}{since})"
    if isinstance(expression, FullText):
        return f"text({quoted(' '.join(expression.words))})"
    return _field_test(expression, "")


def _joined(expression: AllOf | AnyOf, binding: int) -> str:
    if not expression.parts:
        return _text(Not(IsNull(_ID)) if isinstance(expression, AllOf) else IsNull(_ID), binding)
    if len(expression.parts) == 1:
        return _text(expression.parts[0], binding)
    level, word = (1, " and ") if isinstance(expression, AllOf) else (0, " or ")
    pieces = []
    parts = list(expression.parts)
    while parts:
        pair = type(expression)(tuple(parts[:2]))
        short = _short(pair)
        pieces.append(short or _text(parts[0], level + 1))
        del parts[: 2 if short else 1]
    text = word.join(pieces)
    return f"({text})" if level < binding and len(pieces) > 1 else text


def _short(pair: AllOf | AnyOf) -> str:
    """Two parts that one test of the language makes: ``x not in (…)``, ``has artifact '…'``; else ``""``."""
    if len(pair.parts) != 2:
        return ""
    first, second = pair.parts
    if isinstance(pair, AnyOf):
        if isinstance(first, Comparison) and first.left == ARTIFACT_PATH and isinstance(first.right, Constant):
            path = str(first.right.value)
            return f"has artifact {quoted(path)}" if path and artifact_condition(path) == pair else ""
        return ""
    tested = first.part if isinstance(first, Not) else None
    if not isinstance(tested, Within | Like | Matches | IsNan) or is_always_there(tested.field):
        return ""
    return _field_test(tested, "not ") if second == Not(IsNull(tested.field)) else ""


def _field_test(part: Within | Like | Matches | IsNull | IsNan, negation: str) -> str:
    name = field_text(part.field)
    if isinstance(part, Within):
        kind = kind_of(part.field)
        return f"{name} {negation}in ({', '.join(constant_text(value, kind) for value in part.values)})"
    if isinstance(part, Like):
        return f"{name} {negation}{'ilike' if part.ignore_case else 'like'} {quoted(part.pattern)}"
    if isinstance(part, Matches):
        return f"{name} {'!~' if negation else '~'} {quoted(part.pattern)}"
    return f"{name} is {negation}{'null' if isinstance(part, IsNull) else 'nan'}"


def _comparison(part: Comparison) -> str:
    left, right = _kind(part.left), _kind(part.right)
    sides = _operand(part.left, right, 0), _operand(part.right, left, 0)
    return f"{sides[0]} {part.operator} {sides[1]}"


def _kind(operand: Operand) -> Kind:
    """What kind an operand is, as the parser takes it; that of a constant is its neighbour's."""
    if isinstance(operand, Field):
        return kind_of(operand)
    if isinstance(operand, Constant):
        return "any"
    kinds = (_kind(operand.left), _kind(operand.right))
    if operand.operator in ("+", "-"):
        if kinds == ("time", "time"):
            return "duration"
        if kinds == ("any", "time") and operand.operator == "-" and isinstance(operand.left, Constant):
            return "duration"
        return "time" if "time" in kinds else "duration" if "duration" in kinds else "number"
    return "duration" if "duration" in kinds and kinds != ("duration", "duration") else "number"


def _operand(operand: Operand, beside: Kind, binding: int) -> str:
    """Its text, in parentheses where it binds less than ``binding``: 0 sum, 1 product, 2 neither."""
    if isinstance(operand, Field):
        return field_text(operand)
    if isinstance(operand, Constant):
        return constant_text(operand, beside)
    after, before = _neighbours(operand)
    level = 0 if operand.operator in ("+", "-") else 1
    text = f"{_operand(operand.left, before, level)} {operand.operator} {_operand(operand.right, after, level + 1)}"
    return f"({text})" if level < binding else text


def _neighbours(part: Arithmetic) -> tuple[Kind, Kind]:
    """The kinds that a constant on the right and one on the left take from beside it."""
    if part.operator == "*":
        return "number", "number"
    if part.operator == "/":
        return "number", _length(_kind(part.right))
    left, right = _kind(part.left), _kind(part.right)
    is_time = right == "time" and part.operator == "-"  # in ms: a text is not calculated with
    return _length(left), "number" if is_time else _length(right)


def _length(kind: Kind) -> Kind:
    """What a constant in a sum with this kind is."""
    return "duration" if kind in ("time", "duration") else "number"


def constant_text(constant: Constant, kind: Kind) -> str:
    """A constant as it is written beside values of a kind."""
    value = constant.value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else str(value)
    if kind == "duration":
        return write_duration(value)
    moment = write_moment(value) if kind == "time" else None
    return str(value) if moment is None else f"'{moment}'"


def quoted(text: str) -> str:
    """``text`` in single quotes, as :mod:`~gittrack.core.query.tokens` reads it.

    >>> quoted("it's"), quoted(r"^\\d+$")
    ("'it''s'", "'^\\\\d+$'")
    """
    return "'" + _SLASHES.sub(r"\1\1", text).replace("'", "''") + "'"


def field_text(field: Field) -> str:
    """The name of a field in a query.

    >>> field_text(Field("metrics", "f1 macro", "max"))
    'summary.`f1 macro`.max'
    """
    prefix = f"{field.subject}." if field.subject else ""
    if field.scope == "attributes":
        return prefix + field.key
    if field.scope in ("inputs", "artifacts"):
        return f"{prefix}{field.scope}.{field.part}"
    key = _key_text(field.key)
    if field.scope == "data":
        return f"{prefix}data.{key}.{field.part}"
    if field.scope == "metrics" and field.part != "last":
        return f"{prefix}summary.{key}.{field.part}"
    return f"{prefix}{field.scope}.{key}"


def _key_text(key: str) -> str:
    return key if _PLAIN.fullmatch(key) or _is_one_name(key) else "`" + key.replace("`", "``") + "`"


def _is_one_name(key: str) -> bool:
    if any(char in key for char in "`'\" "):
        return False
    try:
        first, *rest = tokenize(f"tags.{key}")
    except QuerySyntaxError:
        return False
    return first.text == f"tags.{key}" and not first.quote and len(rest) == 1

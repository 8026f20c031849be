"""The tests of a query as parts of the tree: what is checked of them, and how negated ones and calls are written.

``!=``, ``not in``, ``not like``, ``!~`` and ``not between`` are false for what a run does not have, as in SQL and in
MLflow; ``not (…)`` is the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gittrack.core.names import display, plain_artifact_path
from gittrack.core.query.comparing import MIRRORED
from gittrack.core.query.fields import UnknownNameError, find_field, is_always_there, is_several, kind_of
from gittrack.core.query.operands import KIND_NAMES, TEXT_LIKE, UNORDERED, Side, SideError, check_comparable, fitted
from gittrack.core.query.tree import (
    AllOf,
    AnyOf,
    CodeChanged,
    Comparison,
    ComparisonOperator,
    Constant,
    Expression,
    Field,
    FullText,
    IsNan,
    IsNull,
    Like,
    Matches,
    Not,
    Within,
)
from gittrack.errors import InvalidNameError

MAX_WORDS = 50
ARTIFACT_PATH = Field("artifacts", "", "path")
_OPERATORS: Mapping[str, ComparisonOperator] = {
    "=": "=",
    "==": "=",
    "!=": "!=",
    "<>": "!=",
    "<": "<",
    "<=": "<=",
    ">": ">",
    ">=": ">=",
}


def comparison(left: Side, word: str, right: Side, now: int) -> Comparison:
    """``left word right``; a literal goes to the right.

    Raises:
        SideError: the two never compare.
    """
    operator = _OPERATORS[word]
    if left.literal and right.literal:
        left = as_field(left, "comparing two constants")
    if left.literal:
        left, operator, right = right, MIRRORED[operator], left
    for side in (left, right):
        if side.several > 1:
            raise SideError(side, "it is calculated from two fields that may have several values each")
    ordered = operator not in ("=", "!=")
    unordered = next((side for side in (left, right) if side.kind in UNORDERED), None)
    if ordered and unordered is not None:
        shown = "true and false have" if unordered.kind == "flag" else f"{KIND_NAMES[unordered.kind]} has"
        raise SideError(unordered, f"{shown} no order", "compare it by = or !=")
    if right.literal:
        return Comparison(left.node, operator, fitted(right, left.kind, now))
    check_comparable(left, right)
    return Comparison(left.node, operator, right.node)


def as_field(side: Side, word: str) -> Side:
    """``side``, which must be one field; ``"run name"`` is one too where a constant would mean nothing.

    Raises:
        SideError: it is none.
    """
    if isinstance(side.node, Field):
        return side
    if side.quote == '"':
        try:
            field = find_field(str(side.value))
        except UnknownNameError:
            pass  # the message below is the better one
        else:
            return side._replace(node=field, kind=kind_of(field), literal=False, several=int(is_several(field)))
    raise SideError(side, f"{word} wants the name of a field", "metrics.acc, params.model, status, …")


def _present(field: Field, negated: Expression) -> Expression:
    """``negated``, of runs that have the field."""
    return negated if is_always_there(field) else AllOf((negated, Not(IsNull(field))))


def _field(side: Side, word: str) -> Field:
    node = as_field(side, word).node
    assert isinstance(node, Field)
    return node


def within(left: Side, values: Sequence[Side], now: int, *, negative: bool) -> Expression:
    """``left in (values)``."""
    field = _field(left, "in")
    part = Within(field, tuple(fitted(value, kind_of(field), now) for value in values))
    return _present(field, Not(part)) if negative else part


def between(left: Side, low: Side, high: Side, now: int, *, negative: bool) -> Expression:
    """``left between low and high``, both included."""
    if left.several:
        raise SideError(left, "between wants one value, a run may have several of this", "use >= and <=")
    if negative:
        return AnyOf((comparison(left, "<", low, now), comparison(left, ">", high, now)))
    return AllOf((comparison(left, ">=", low, now), comparison(left, "<=", high, now)))


def like(left: Side, pattern: Side, *, ignore_case: bool, negative: bool) -> Expression:
    """``left like pattern``."""
    from gittrack.core.query.patterns import MAX_LIKE  # patterns are rare: who asks for none waits for none

    field = _field(left, "like")
    text = _pattern_for(field, left, pattern)
    if len(text) > MAX_LIKE:
        raise SideError(pattern, f"the pattern has {len(text)} characters, at most {MAX_LIKE} are allowed")
    part = Like(field, text, ignore_case)
    return _present(field, Not(part)) if negative else part


def matches(left: Side, pattern: Side, *, negative: bool) -> Expression:
    """``left ~ pattern``."""
    from gittrack.core.query.pattern_syntax import MAX_PATTERN
    from gittrack.core.query.patterns import PatternError, searcher

    field = _field(left, "~")
    text = str(pattern.value)
    if kind_of(field) not in TEXT_LIKE:
        raise SideError(left, f"{KIND_NAMES[kind_of(field)]} is compared with a text pattern")
    try:
        if len(text) > MAX_PATTERN:
            raise PatternError(f"the regular expression has {len(text)} characters, at most {MAX_PATTERN} are allowed")
        searcher(text)
    except PatternError as error:
        place = pattern._replace(start=min(pattern.start + 1 + error.position, pattern.end))
        raise SideError(
            place, error.problem, "as in Python, but without lookaround, back references and names of groups"
        ) from None
    part = Matches(field, text)
    return _present(field, Not(part)) if negative else part


def _pattern_for(field: Field, left: Side, pattern: Side) -> str:
    kind = kind_of(field)
    if kind not in TEXT_LIKE:
        raise SideError(left, f"{KIND_NAMES[kind]} is compared with a text pattern")
    text = str(pattern.value)
    return text.lower() if kind in ("status", "id") else text


def is_null(left: Side, *, negative: bool) -> Expression:
    """``left is null``."""
    part = IsNull(_field(left, "is null"))
    return Not(part) if negative else part


def is_nan(left: Side, *, negative: bool) -> Expression:
    """``left is nan``; what is not there is not ``not nan`` either."""
    field = _field(left, "is nan")
    if field.scope not in ("metrics", "params"):
        raise SideError(left, "only metrics and params can be nan")
    part = IsNan(field)
    return _present(field, Not(part)) if negative else part


def has_artifact(path: Side) -> Expression:
    """``has artifact 'path'``: the artifact, or one in the folder of that name."""
    try:
        plain = plain_artifact_path(str(path.value))
    except InvalidNameError as error:
        raise SideError(path, error.message) from None
    return artifact_condition(plain)


def artifact_condition(path: str) -> AnyOf:
    """The tree of ``has artifact 'path'``.

    >>> artifact_condition("model").parts[1].pattern
    '^model/'
    """
    from gittrack.core.query.patterns import literal_pattern

    return AnyOf((Comparison(ARTIFACT_PATH, "=", Constant(path)), Matches(ARTIFACT_PATH, f"^{literal_pattern(path)}/")))


def code_changed(path: Side, since: Side | None) -> Expression:
    """``code.changed('path', 'since')``."""
    try:
        plain = plain_artifact_path(str(path.value))
    except InvalidNameError:
        shown = display(str(path.value), 60)
        raise SideError(path, f"'{shown}' is no path in the repository", "as git ls-files prints it") from None
    revision = "" if since is None else str(since.value)
    if since is not None and (not revision or revision.startswith("-") or not revision.isprintable()):
        raise SideError(since, f"'{display(revision, 60)}' is no git revision", "a branch, a tag or a commit")
    return CodeChanged(plain, revision)


def full_text(text: Side) -> Expression:
    """``text('words')``."""
    words = tuple(str(text.value).split())
    if not words:
        raise SideError(text, "text() wants at least one word")
    if len(words) > MAX_WORDS:
        raise SideError(text, f"text() takes at most {MAX_WORDS} words")
    return FullText(words)

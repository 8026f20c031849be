"""What a query can ask about: scopes, attributes and parts, what kind of value each is, and their other names."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal, get_args

from gittrack.core.names import display
from gittrack.core.query.diagnosis import meant, nearest
from gittrack.core.query.reserved_tags import RESERVED_TAGS
from gittrack.core.query.tree import Expression, Field, Scope
from gittrack.core.query.walk import fields_in

Kind = Literal["number", "text", "any", "flag", "time", "duration", "id", "status", "digest"]
"""What a field's values are. ``any``: params and tags, whose type is that of the value. ``id``: hex digits, equal to
their beginnings; ``digest``: the same, with or without its algorithm; ``time`` and ``duration``: ms."""

MetricPart = Literal["last", "min", "max", "mean", "count", "first_step", "last_step"]
METRIC_PARTS: tuple[str, ...] = get_args(MetricPart)

SCOPES: Mapping[str, Scope] = {
    **dict.fromkeys(("metrics", "metric"), "metrics"),
    **dict.fromkeys(("params", "param", "parameters", "parameter"), "params"),
    **dict.fromkeys(("tags", "tag"), "tags"),
    **dict.fromkeys(("attributes", "attribute", "attr", "run"), "attributes"),
    "data": "data",
    **dict.fromkeys(("inputs", "input", "datasets", "dataset"), "inputs"),
    **dict.fromkeys(("artifacts", "artifact"), "artifacts"),
}
"""First word of a dotted name -> scope."""
SUMMARY = "summary"
_DATASETS = {"name": "name", "digest": "hash", "context": "role"}

ATTRIBUTES: Mapping[str, Kind] = {
    "id": "id",
    "name": "text",
    "experiment": "text",
    "experiment_id": "id",
    "status": "status",
    "start_time": "time",
    "end_time": "time",
    "duration": "duration",
    "author": "text",
    "email": "text",
    "host": "text",
    "branch": "text",
    "commit": "id",
    "head": "id",
    "dirty": "flag",
    "parent": "id",
    "kind": "text",
    "entry": "text",
    "exit_code": "number",
    "error": "text",
    "note": "text",
    "deleted": "flag",
    "artifact_uri": "text",
}
"""Attributes of a run by their one name."""

OTHER_NAMES: Mapping[str, str] = {
    "run_id": "id",
    "run_name": "name",
    "run name": "name",
    "experiment_name": "experiment",
    "created": "start_time",
    "user_id": "author",
    "user": "author",
    "parent_run_id": "parent",
    "lifecycle_stage": "deleted",
}
"""What attributes are called too, by MLflow most of all. Of ``lifecycle_stage`` the values ``active`` and ``deleted``
mean false and true."""

_MOST_GUESSES = 3
"""Unknown names of one query for which a near one is looked for: among many that takes its time."""

ALWAYS_THERE = frozenset(
    {"id", "name", "experiment", "experiment_id", "status", "start_time", "dirty", "deleted", "artifact_uri"}
)
"""Attributes that every run has."""

_INPUT_PARTS: Mapping[str, Kind] = {
    "hash": "digest",
    "name": "text",
    "role": "text",
    "uri": "text",
    "path": "text",
    "size": "number",
    "source": "text",
    "state": "text",
}
_ARTIFACT_PARTS: Mapping[str, Kind] = {"path": "text", "hash": "digest", "size": "number", "type": "text"}
PARTS: Mapping[str, Mapping[str, Kind]] = {"data": _INPUT_PARTS, "inputs": _INPUT_PARTS, "artifacts": _ARTIFACT_PARTS}
"""Scope -> part -> kind, of the scopes that may hold several."""


class UnknownNameError(ValueError):
    """No field has this name: ``problem`` says so, ``hint`` what it could be. Never leaves the package."""

    def __init__(self, problem: str, hint: str | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.hint = hint


def kind_of(field: Field) -> Kind:
    """What kind of value a field has.

    >>> kind_of(Field("attributes", "duration"))
    'duration'
    """
    if field.scope == "metrics":
        return "number"
    if field.scope in ("params", "tags"):
        return "any"
    if field.scope == "attributes":
        return ATTRIBUTES[field.key]
    return PARTS[field.scope][field.part]


def is_several(field: Field) -> bool:
    """Whether a run may have several of it: a comparison is true when it is true of one."""
    return field.scope in PARTS


def is_always_there(field: Field) -> bool:
    """Whether every run has it; another subject may be missing as a whole."""
    return field.scope == "attributes" and field.key in ALWAYS_THERE and not field.subject


def find_field(name: str, subjects: Collection[str] = ()) -> Field:
    """The field of a name, as it stands in a query, without backticks.

    Args:
        name: ``metrics.acc``, ``status``, ``summary.loss.min``, ``data.train.hash``, ``champion.metrics.acc``.
        subjects: other runs that names may begin with.

    Raises:
        UnknownNameError: none has it.
    """
    first, dot, rest = name.partition(".")
    if dot and first in subjects:
        found = find_field(rest)
        return Field(found.scope, found.key, found.part, first)
    scope = SCOPES.get(first.lower())
    if not dot or (scope is None and first.lower() != SUMMARY):
        return _bare(name, first if dot else "", subjects)
    if not rest:
        raise UnknownNameError(f"'{display(name, 60)}' names nothing after the dot")
    if scope == "attributes":
        return _attribute(rest)
    if scope is None:
        return _summary(rest)
    if scope in ("metrics", "params", "tags"):
        return Field(scope, rest, "last" if scope == "metrics" else "")
    if scope == "data":
        return _data(rest)
    part = _DATASETS.get(rest, rest) if first.lower().startswith("dataset") else rest
    return Field(scope, "", _part(scope, part, first))


def _attribute(name: str) -> Field:
    lower = name.lower()
    found = OTHER_NAMES.get(lower, lower)
    if found not in ATTRIBUTES:
        hint = meant(name, [*ATTRIBUTES, *OTHER_NAMES])
        raise UnknownNameError(f"a run has no attribute '{display(name, 60)}'", hint)
    return Field("attributes", found)


def _bare(name: str, first: str, subjects: Collection[str]) -> Field:
    """A name without a known scope is an attribute's."""
    try:
        return _attribute(name)
    except UnknownNameError as error:
        if not first:
            hint = error.hint or f"a metric is metrics.{display(name, 40)}, a param params.{display(name, 40)}"
            raise UnknownNameError(error.problem, hint) from None
    scope = nearest(first, [*SCOPES, SUMMARY, *subjects])
    rest = display(name[len(first) :], 60)
    hint = f"did you mean {scope}{rest}?" if scope else "a name begins with metrics., params., tags., summary. or data."
    raise UnknownNameError(f"nothing is called '{display(name, 60)}'", hint)


def _summary(rest: str) -> Field:
    key, _, part = rest.rpartition(".")
    if not key or part not in METRIC_PARTS:
        shown = display(rest, 60)
        guess = nearest(part, METRIC_PARTS) if key else ""
        others = ", ".join(each for each in METRIC_PARTS if each != "min")
        hint = f"summary.{shown}.min; also {others}"
        if guess:
            hint = f"did you mean summary.{display(key, 60)}.{guess}?"
        raise UnknownNameError(f"'summary.{shown}' lacks what of the metric is meant", hint)
    return Field("metrics", key, part)


def _data(rest: str) -> Field:
    role, _, part = rest.rpartition(".")
    if not role:
        shown = display(rest, 60)
        hint = f"inputs.{shown} is that of any input" if rest in _INPUT_PARTS else f"data.{shown}.hash"
        raise UnknownNameError(f"'data.{shown}' lacks a role or what of the data is meant", hint)
    return Field("data", role, _part("data", part, f"data.{display(role, 40)}"))


def _part(scope: Scope, part: str, shown: str) -> str:
    parts = PARTS[scope]
    if part not in parts:
        guess = nearest(part, parts)
        hint = f"did you mean {shown}.{guess}?" if guess else f"one of {', '.join(parts)}"
        raise UnknownNameError(f"{shown} has no '{display(part, 60)}'", hint)
    return part


def unknown_names(expression: Expression, known: Mapping[Scope, Collection[str]]) -> list[tuple[str, str]]:
    """Metrics, params and tags that a query asks for and no run has, each with the nearest that some run has.

    Args:
        expression: the query.
        known: ``metrics``, ``params``, ``tags`` -> the names that exist; a scope that is left out is not looked at.

    Returns:
        Pairs such as ``("metrics.acu", "metrics.acc")``; the second is ``""`` when nothing is near, and of all but the
        first few. Other runs' fields are left out.
    """
    missing: dict[str, str] = {}
    for field in fields_in(expression):
        names = known.get(field.scope)
        if names is None or field.key in names or field.subject:
            continue
        if field.scope == "tags" and field.key in RESERVED_TAGS:
            continue
        shown = (
            f"{SUMMARY}.{field.key}.{field.part}" if field.part not in ("", "last") else f"{field.scope}.{field.key}"
        )
        if shown not in missing:
            missing[shown] = _guess(field, names) if len(missing) < _MOST_GUESSES else ""
    return sorted(missing.items())


def _guess(field: Field, names: Collection[str]) -> str:
    key, _, part = field.key.rpartition(".")
    if field.scope == "metrics" and part in METRIC_PARTS and key in names:
        return f"summary.{field.key}"
    guess = nearest(field.key, names)
    if guess and field.part not in ("", "last"):
        return f"{SUMMARY}.{guess}.{field.part}"
    return f"{field.scope}.{guess}" if guess else ""

"""Whether a run answers a query: the plain evaluator, the meaning of the language in one place.

Gates use it, and the tests of the index, which must agree with it run by run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import field
from functools import partial

from gittrack.core.query.comparing import Value, compare_any, compare_kind, member_test, number_of
from gittrack.core.query.fields import kind_of
from gittrack.core.query.reserved_tags import tag_value
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
from gittrack.core.records import ArtifactEntry, Input, MetricSummary, ParamValue, RunRecord
from gittrack.core.value_text import exact_text
from gittrack.frozen import dataclass


def _never(_path: str, _since: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What a query can ask about one run.

    Attributes:
        metrics: name -> summary.
        params: name -> value; None counts as missing.
        tags: key -> text.
        attributes: name -> value, by the names of ``fields.ATTRIBUTES``; times and durations in ms. None and ``""``
            count as missing.
        inputs, artifacts: records.
        texts: what ``text()`` looks at: name, note, comments.
        subjects: name -> another run that the query compares this one with.
        code_changed: (path, since) -> whether the code that ran differs there; ``""`` means its first parent.
    """

    metrics: Mapping[str, MetricSummary] = field(default_factory=dict)
    params: Mapping[str, ParamValue] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, Value] = field(default_factory=dict)
    inputs: tuple[Input, ...] = ()
    artifacts: tuple[ArtifactEntry, ...] = ()
    texts: tuple[str, ...] = ()
    subjects: Mapping[str, RunFacts] = field(default_factory=dict)
    code_changed: Callable[[str, str], bool] = _never


def facts_of(
    record: RunRecord,
    *,
    now: int,
    deleted: bool = False,
    comments: tuple[str, ...] = (),
    subjects: Mapping[str, RunFacts] | None = None,
    code_changed: Callable[[str, str], bool] = _never,
) -> RunFacts:
    """The facts of a run record with its events folded in.

    Args:
        record: the whole record, inputs and artifacts included.
        now: ms since the epoch: until then a run that has not ended has lasted.
        deleted: whether it is.
        comments: their texts.
        subjects, code_changed: see :class:`RunFacts`.
    """
    return RunFacts(
        metrics=record.metrics,
        params=record.params,
        tags=record.tags,
        attributes=attributes_of(record, now, deleted=deleted),
        inputs=record.inputs,
        artifacts=record.artifacts,
        texts=(record.name, record.note, *comments),
        subjects=subjects or {},
        code_changed=code_changed,
    )


def attributes_of(record: RunRecord, now: int, *, deleted: bool = False) -> dict[str, Value]:
    """A run's attributes by their names in queries; arguments as for :func:`facts_of`."""
    end = now if record.end_time is None else record.end_time
    return {
        "id": record.id,
        "name": record.name,
        "experiment": record.experiment.name,
        "experiment_id": record.experiment.id,
        "status": record.status.value,
        "start_time": record.start_time,
        "end_time": record.end_time,
        "duration": max(end - record.start_time, 0),
        "author": record.author.name,
        "email": record.author.email,
        "host": record.host,
        "branch": record.code.branch,
        "commit": record.code.commit,
        "head": record.code.head,
        "dirty": record.code.dirty,
        "parent": record.parent,
        "kind": record.kind,
        "entry": record.entry,
        "exit_code": record.exit_code,
        "error": record.error,
        "note": record.note,
        "deleted": deleted,
        "artifact_uri": artifact_uri(record.id),
    }


def artifact_uri(id: str) -> str:
    """The address of all artifacts of a run.

    >>> artifact_uri("ab12")
    'runs:/ab12'
    """
    return f"runs:/{id}"


def evaluate(expression: Expression, facts: RunFacts) -> bool:
    """Whether the run answers the query.

    Args:
        expression: from ``parse_query``.
        facts: of the run.
    """
    if isinstance(expression, AllOf):
        return all(evaluate(part, facts) for part in expression.parts)
    if isinstance(expression, AnyOf):
        return any(evaluate(part, facts) for part in expression.parts)
    if isinstance(expression, Not):
        return not evaluate(expression.part, facts)
    if isinstance(expression, Comparison):
        return _compare(expression, facts)
    if isinstance(expression, FullText):
        return has_words(expression.words, facts.texts)
    if isinstance(expression, CodeChanged):
        return facts.code_changed(expression.path, expression.since)
    values = field_values(expression.field, facts)
    if isinstance(expression, IsNull):
        return next(values, None) is None
    return any(map(test_of(expression), values))


def test_of(part: Within | Like | Matches | IsNan) -> Callable[[Value], bool]:
    """The function that tests one value."""
    if isinstance(part, IsNan):
        return is_nan
    if isinstance(part, Within):
        return member_test(kind_of(part.field), [constant.value for constant in part.values])
    if isinstance(part, Like):
        from gittrack.core.query.patterns import like_matcher

        matcher = like_matcher(part.pattern, part.ignore_case)
        return lambda value: matcher.matches(exact_text(value))
    from gittrack.core.query.patterns import searcher  # patterns are rare

    search = searcher(part.pattern).search
    return lambda value: search(exact_text(value))


def is_nan(value: Value) -> bool:
    """Whether a value is the number that is none."""
    return isinstance(value, float) and math.isnan(value)


def has_words(words: tuple[str, ...], texts: tuple[str, ...]) -> bool:
    """Whether each word stands in one of the texts, whatever its case.

    >>> has_words(("out", "MEMORY"), ("run 3", "out of memory"))
    True
    """
    folded = [text.casefold() for text in texts]
    return all(any(word.casefold() in text for text in folded) for word in words)


def _compare(part: Comparison, facts: RunFacts) -> bool:
    values = partial(field_values, facts=facts)
    lefts = list(operand_values(part.left, values))
    if isinstance(part.left, Field) and isinstance(part.right, Constant):
        kind = kind_of(part.left)
        return any(compare_kind(kind, value, part.operator, part.right.value) for value in lefts)
    rights = list(operand_values(part.right, values))
    return compare_any(lefts, part.operator, rights)


def operand_values(operand: Operand, values: Callable[[Field], Iterable[Value]]) -> Iterator[Value]:
    """The values of one side of a comparison: none when it is missing, several of data, inputs and artifacts.

    Args:
        operand: the side.
        values: gives what the run has of a field.
    """
    if isinstance(operand, Constant):
        yield operand.value
    elif isinstance(operand, Field):
        yield from values(operand)
    else:
        rights = list(operand_values(operand.right, values))
        for left in operand_values(operand.left, values):
            for right in rights:
                found = calculated(left, operand, right)
                if found is not None:
                    yield found


def calculated(left: Value, part: Arithmetic, right: Value) -> float | None:
    """Two values combined, as floats; None when one is no number (NaN is none), or the result is none."""
    pair = number_of(left), number_of(right)
    if pair[0] is None or pair[1] is None:
        return None
    try:
        first, second = float(pair[0]), float(pair[1])
    except OverflowError:
        return None
    if part.operator == "/":
        result = first / second if second else math.nan
    elif part.operator == "*":
        result = first * second
    else:
        result = first + second if part.operator == "+" else first - second
    return None if math.isnan(result) else result


def field_values(field: Field, facts: RunFacts) -> Iterator[Value]:
    """What the run has of a field."""
    if field.subject:
        other = facts.subjects.get(field.subject)
        if other is not None:
            yield from field_values(Field(field.scope, field.key, field.part), other)
    elif field.scope in ("data", "inputs"):
        parts = [input_part(data, field.part) for data in facts.inputs if field.key in ("", data.role)]
        yield from (value for value in parts if value not in (None, ""))
    elif field.scope == "artifacts":
        parts = [artifact_part(entry, field.part) for entry in facts.artifacts]
        yield from (value for value in parts if value not in (None, ""))
    else:
        value = _single(field, facts)
        if value is not None:
            yield value


def _single(field: Field, facts: RunFacts) -> Value:
    if field.scope == "metrics":
        summary = facts.metrics.get(field.key)
        return None if summary is None else getattr(summary, field.part)
    if field.scope == "params":
        return facts.params.get(field.key)
    if field.scope == "tags":
        return tag_value(field.key, facts.tags, facts.attributes)
    value = facts.attributes.get(field.key)
    return None if value == "" else value


def input_part(data: Input, part: str) -> str | int | None:
    """What a query calls a part of an input; ``path`` is the URI of what lies in the repository.

    >>> input_part(Input("train", "train", "data/train.csv"), "path")
    'data/train.csv'
    """
    if part == "path":
        return local_path(data.uri)
    value: str | int | None = getattr(data, "digest" if part == "hash" else part)
    return value


def local_path(uri: str) -> str | None:
    """The URI of an input as a path in the repository; None when it leads elsewhere."""
    return None if ":" in uri.partition("/")[0] else uri


def artifact_part(entry: ArtifactEntry, part: str) -> str | int | None:
    """What a query calls a part of an artifact."""
    value: str | int | None = getattr(entry, {"hash": "digest", "type": "media_type"}.get(part, part))
    return value

"""All that an expression holds, without recursion."""

from __future__ import annotations

from collections.abc import Iterator

from gittrack.core.query.tree import (
    AllOf,
    AnyOf,
    Arithmetic,
    Comparison,
    Expression,
    Field,
    IsNan,
    IsNull,
    Like,
    Matches,
    Not,
    Operand,
    Within,
)


def conditions_in(expression: Expression) -> Iterator[Expression]:
    """Its conditions that are not made of others, from left to right."""
    waiting = [expression]
    while waiting:
        part = waiting.pop()
        if isinstance(part, AllOf | AnyOf):
            waiting += reversed(part.parts)
        elif isinstance(part, Not):
            waiting.append(part.part)
        else:
            yield part


def fields_in(expression: Expression) -> Iterator[Field]:
    """The fields it asks about, from left to right, repeated ones repeatedly."""
    for part in conditions_in(expression):
        if isinstance(part, Comparison):
            yield from fields_of(part.left)
            yield from fields_of(part.right)
        elif isinstance(part, Within | Like | Matches | IsNull | IsNan):
            yield part.field


def fields_of(operand: Operand) -> Iterator[Field]:
    """The fields an operand is made of."""
    waiting = [operand]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Arithmetic):
            waiting += [part.right, part.left]
        elif isinstance(part, Field):
            yield part

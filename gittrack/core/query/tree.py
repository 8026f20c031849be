"""The expression tree of a query: what the parser makes, and the index, the evaluator and gates read.

Logic has two values: a comparison with something that a run does not have is false, so that a query and its ``not``
part all runs in two. Numbers compare as IEEE 754 says: with NaN everything is false but ``!=``.
"""

from __future__ import annotations

from typing import Literal

from gittrack.frozen import dataclass

Scope = Literal["metrics", "params", "tags", "attributes", "data", "inputs", "artifacts"]
ComparisonOperator = Literal["=", "!=", "<", "<=", ">", ">="]
ArithmeticOperator = Literal["+", "-", "*", "/"]


@dataclass(frozen=True, slots=True)
class Field:
    """Something that a run may have.

    Attributes:
        scope: where it stands. ``metrics`` are summaries; ``data`` are inputs by role, ``inputs`` all inputs,
            ``artifacts`` all artifacts: of these three a comparison is true when it is true of one of them.
        key: name of the metric, param, tag or attribute, role of the data; ``""`` for ``inputs`` and ``artifacts``.
        part: of a metric ``last``, ``min``, ``max``, ``mean``, ``count``, ``first_step``, ``last_step``; of data and
            inputs ``hash``, ``name``, ``role``, ``uri``, ``path``, ``size``, ``source``, ``state``; of artifacts
            ``path``, ``hash``, ``size``, ``type``; else ``""``.
        subject: ``""`` for the run that is asked about, else another run that a gate compares it with: ``champion``.
    """

    scope: Scope
    key: str
    part: str = ""
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that stands in the query: a text, a number, true or false. Times are ms since the epoch, durations ms."""

    value: str | int | float | bool


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Two numbers combined; nothing when one of them is missing or no number, or by a division by zero."""

    operator: ArithmeticOperator
    left: Operand
    right: Operand


Operand = Field | Constant | Arithmetic


@dataclass(frozen=True, slots=True)
class Comparison:
    """``left operator right``; at least one side holds a field."""

    left: Operand
    operator: ComparisonOperator
    right: Operand


@dataclass(frozen=True, slots=True)
class Within:
    """``field in (values)``: the same as ``=`` with one of them."""

    field: Field
    values: tuple[Constant, ...]


@dataclass(frozen=True, slots=True)
class Like:
    """``field like 'pattern'``: ``%`` any text, ``_`` one character; ``ignore_case`` for ``ilike``."""

    field: Field
    pattern: str
    ignore_case: bool = False


@dataclass(frozen=True, slots=True)
class Matches:
    """``field ~ 'pattern'``: a regular expression that matches somewhere in the value."""

    field: Field
    pattern: str


@dataclass(frozen=True, slots=True)
class IsNull:
    """``field is null``: the run does not have it."""

    field: Field


@dataclass(frozen=True, slots=True)
class IsNan:
    """``field is nan``: it is not a number."""

    field: Field


@dataclass(frozen=True, slots=True)
class CodeChanged:
    """``code.changed('path')``: the file (or folder) differs between the code that ran and an earlier commit.

    Attributes:
        path: in the repository.
        since: a git revision; ``""`` for the first parent of the code that ran, which for uncommitted changes is HEAD.
    """

    path: str
    since: str = ""


@dataclass(frozen=True, slots=True)
class FullText:
    """``text('words')``: each word stands in the run's name, note or comments, whatever its case."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AllOf:
    """``a and b``; of no parts: every run."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """``a or b``."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """``not a``."""

    part: Expression


Expression = Comparison | Within | Like | Matches | IsNull | IsNan | CodeChanged | FullText | AllOf | AnyOf | Not
EVERYTHING = AllOf(())


@dataclass(frozen=True, slots=True)
class SortKey:
    """One key of an order: ascending unless ``descending``; what lacks it comes last either way, NaN just before."""

    field: Field
    descending: bool = False

"""Asking the index: which runs are as a query says, in which order, from where on."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field

from gittrack.core.ids import ObjectId, RunId
from gittrack.core.query.tree import EVERYTHING, Expression, SortKey
from gittrack.core.query.walk import fields_in
from gittrack.frozen import dataclass
from gittrack.index.condition import Condition, compiled
from gittrack.index.database import DamagedIndexError, Deadline
from gittrack.index.fields import name_numbers
from gittrack.index.ordering import VALUE, Position, Sql, Term, after, order_by, terms
from gittrack.index.rows import checksum

_SOME = 400


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked for.

    Attributes:
        expression: the query.
        order: first key first; runs that are alike in all of them stand newest first.
        limit: at most so many; None: all.
        after: the place of the run before the first one.
        deleted: only deleted runs (True), only the others (False), all (None).
        experiments: only of these, by id; None: of all.
        without: ids of runs that are told otherwise (they are live).
        code_commits: (path, since) of each ``code.changed`` -> the commits of code of which it is true.
        deadline: until when it must be answered.
    """

    expression: Expression = EVERYTHING
    order: Sequence[SortKey] = ()
    limit: int | None = None
    after: Position | None = None
    deleted: bool | None = False
    experiments: Sequence[str] | None = None
    without: frozenset[RunId] = frozenset()
    code_commits: dict[tuple[str, str], frozenset[ObjectId]] = field(default_factory=dict)
    deadline: Deadline = field(default_factory=Deadline)


@dataclass(frozen=True, slots=True)
class Hit:
    """A run that was found: its number in the index, its id, its position in the order."""

    number: int
    id: RunId
    position: Position


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run as the index has it: the commit it was read from, others of the same id, the JSON of its message."""

    id: RunId
    commit: ObjectId
    conflicts: tuple[ObjectId, ...]
    document: str


def find(sql: sqlite3.Connection, question: Question) -> list[Hit]:
    """The runs that a question asks for, in order."""
    names = name_numbers(sql, [*fields_in(question.expression), *(key.field for key in question.order)])
    condition = _whole_condition(sql, question, names)
    order = terms(question.order, names, condition.joined)
    first = order[0] if order and order[0].is_named else None
    if first is None:
        return list(_hits(sql, question, condition, order, order_by(order, first_is_value=False), question.limit))
    found: list[Hit] = []
    if question.after is None or question.after[0] == VALUE:
        known = condition.and_also(Sql(f"{first.value} IS NOT NULL"))
        found += _hits(sql, question, known, order, order_by(order, first_is_value=True), question.limit, inner=True)
    rest = None if question.limit is None else question.limit - len(found)
    if rest != 0:
        lacking = condition.and_also(Sql(f"{first.value} IS NULL"))
        found += _hits(sql, question, lacking, order, order_by(order, first_is_value=False), rest)
    return found


def count(sql: sqlite3.Connection, question: Question) -> int:
    """How many runs a question asks for; its order, limit and place do not count."""
    condition = _whole_condition(sql, question, name_numbers(sql, fields_in(question.expression)))
    text = f"SELECT count(*) FROM run r {condition.joins} WHERE {condition.text}"
    (number,) = sql.execute(text, [*condition.join_arguments, *condition.arguments]).fetchone()
    return int(number)


def _whole_condition(sql: sqlite3.Connection, question: Question, names: dict[tuple[str, str], int]) -> Condition:
    condition = compiled(sql, question.expression, names, question.code_commits, question.deadline)
    if question.deleted is not None:
        condition = condition.and_also(Sql("r.deleted = ?", [int(question.deleted)]))
    if question.experiments is not None:
        marks = ", ".join("?" * len(question.experiments))
        condition = condition.and_also(Sql(f"r.experiment_id IN ({marks})", list(question.experiments)))
    if question.without:
        marks = ", ".join("?" * len(question.without))
        condition = condition.and_also(Sql(f"r.id NOT IN ({marks})", sorted(question.without)))
    return condition


def _hits(
    sql: sqlite3.Connection,
    question: Question,
    condition: Condition,
    order: Sequence[Term],
    ordered: str,
    limit: int | None,
    *,
    inner: bool = False,
) -> Iterator[Hit]:
    if question.after is not None:
        condition = condition.and_also(after(order, question.after))
    joins, arguments = condition.joins, [*condition.join_arguments]
    for number, term in enumerate(order):
        if term.join:
            joins += f" {'' if inner and not number else 'LEFT '}{term.join}"
            arguments += term.arguments
    columns = ", ".join(["r.n", "r.id", *(f"{term.rank}, {term.value}" for term in order), "r.start_time"])
    text = f"SELECT {columns} FROM run r {joins} WHERE {condition.text} ORDER BY {ordered} LIMIT ?"
    for number, id, *place, start in sql.execute(
        text, [*arguments, *condition.arguments, -1 if limit is None else limit]
    ):
        yield Hit(number, RunId(id), (*place, start, id))


def stored_runs(sql: sqlite3.Connection, hits: Iterable[Hit]) -> list[StoredRun]:
    """What the index has of some runs, in their order.

    Raises:
        DamagedIndexError: it is not what was written.
    """
    numbers = [hit.number for hit in hits]
    found: dict[int, StoredRun] = {}
    for start in range(0, len(numbers), _SOME):
        some = numbers[start : start + _SOME]
        text = "SELECT n, id, commit_id, conflicts, body, checksum FROM document JOIN run USING (n) WHERE n IN "
        for n, id, commit, conflicts, body, kept in sql.execute(f"{text} ({', '.join('?' * len(some))})", some):
            if checksum(id, commit, conflicts, body) != kept:
                raise DamagedIndexError(f"the index is damaged: run {id} is not what was written")
            found[n] = StoredRun(RunId(id), ObjectId(commit), tuple(map(ObjectId, conflicts.split())), body)
    return [found[number] for number in numbers]

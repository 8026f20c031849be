"""Small questions to the index: how short ids may be, which names no run has."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from gittrack.api.run_index import ask
from gittrack.core.query.diagnosis import nearest
from gittrack.core.query.fields import unknown_names
from gittrack.core.query.tree import AllOf, Comparison, Constant, Expression, Field, IsNull, Scope, Within
from gittrack.core.query.unparse import field_text, quoted
from gittrack.core.query.walk import conditions_in, fields_in
from gittrack.index.database import IndexDatabase
from gittrack.index.fields import known_names
from gittrack.index.known_words import digits_of, experiments_to_offer, roles_of, values_of

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.api.saved_run import SavedRun
    from gittrack.core.records import RunRecord
    from gittrack.index.seen import Connection

_MANY = 2000
_MOST_VALUES, _MOST_WANTED = 1000, 10
_NAMED: tuple[Scope, ...] = ("metrics", "params", "tags")


def _running(project: Project) -> list[SavedRun]:
    from gittrack.api.search import Search, search

    running = Comparison(Field("attributes", "status"), "=", Constant("running"))
    return list(search(project, Search(running, deleted=None)).runs)


def prefix_lengths(project: Project, ids: Collection[str], least: int) -> dict[str, int]:
    """How many digits tell each id from all other runs' ids.

    Args:
        project: where.
        ids: of runs.
        least: digits, at least.
    """
    every = sorted({*ids, *ask(project, lambda index: _ids_near(index, ids))})
    lengths = dict.fromkeys(every, least)
    for one, other in pairwise(every):
        same = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))
        lengths[one] = max(lengths[one], same + 1)
        lengths[other] = max(lengths[other], same + 1)
    return {id: lengths[id] for id in ids}


def _ids_near(index: IndexDatabase, ids: Collection[str]) -> list[str]:
    """The ids right before and after each of some, or all there are when many are asked for."""
    with index.reading() as sql:
        if len(ids) > _MANY:
            return [id for (id,) in sql.execute("SELECT id FROM run")]
        near = "SELECT max(id) FROM run WHERE id < ? UNION ALL SELECT min(id) FROM run WHERE id > ?"
        return [id for each in ids for (id,) in sql.execute(near, (each, each)) if id is not None]


def unknown_in(project: Project, expression: Expression, fields: Iterable[Field] = ()) -> list[tuple[str, str]]:
    """Metrics, params and tags that are asked for and no run has, each with the nearest that some run has, or ``""``.

    Args:
        project: where.
        expression: a query.
        fields: what else is asked for: of sort keys, of columns.
    """
    asked = AllOf((expression, *map(IsNull, fields)))
    known = ask(project, lambda index: {scope: dict.fromkeys(known_names(index.connection, scope)) for scope in _NAMED})
    if not unknown_names(asked, known):
        return []
    for run in _running(project):
        known["metrics"] |= dict.fromkeys(run.record.metrics)
        known["params"] |= dict.fromkeys(run.record.params)
        known["tags"] |= dict.fromkeys(run.record.tags)
    return unknown_names(asked, known)


def unknown_values(project: Project, expression: Expression) -> list[tuple[str, str]]:
    """What a query wants something to equal and no run has, each with the nearest that some run has.

    Args:
        project: where.
        expression: a query that found nothing.

    Returns:
        Pairs such as ``("experiment = 'visoin'", "experiment = 'vision'")``; what nothing is near to is left out.
    """
    wanted = list(dict.fromkeys(_wanted(expression)))[:_MOST_WANTED]
    if not wanted:
        return []
    found = ask(project, lambda index: [_near(index, field, value) for field, value in wanted])
    return list(dict.fromkeys(pair for pair in found if pair is not None))


def _wanted(expression: Expression) -> Iterator[tuple[Field, str]]:
    """Fields and the texts that they are to equal; of data only its role may be what is wrong."""
    for part in conditions_in(expression):
        if isinstance(part, Comparison) and part.operator == "=" and isinstance(part.left, Field):
            if isinstance(part.right, Constant):
                yield part.left, str(part.right.value) if isinstance(part.right.value, str) else ""
        elif isinstance(part, Within):
            yield from ((part.field, value.value) for value in part.values if isinstance(value.value, str))
    yield from ((field, "") for field in fields_in(expression) if field.scope == "data")


def _near(index: IndexDatabase, field: Field, value: str) -> tuple[str, str] | None:
    sql = index.connection
    if field.subject:
        return None
    if field.scope == "data":
        roles = roles_of(sql, _MOST_VALUES)
        near = "" if field.key in roles else nearest(field.key, roles)
        return (_role(field.key), _role(near)) if near else None
    if not value:
        return None
    if field.scope == "attributes" and field.key in ("id", "parent", "experiment_id"):
        return _by_name(sql, field, value)
    values = values_of(sql, field, _MOST_VALUES)
    near = "" if value in values else nearest(value, [each for each in values if isinstance(each, str)])
    return (_equals(field, value), _equals(field, near)) if near else None


def _by_name(sql: Connection, field: Field, value: str) -> tuple[str, str] | None:
    """A name stands where an id is wanted."""
    if field.key == "experiment_id":
        known = {name.lower(): name for name, _ in experiments_to_offer(sql)}
        name = known.get(value)
        return (_equals(field, value), _equals(Field("attributes", "experiment"), name)) if name else None
    run = sql.execute("SELECT id, name FROM run WHERE lower(name) = ? ORDER BY start_time DESC", (value,)).fetchone()
    if run is None:
        return None
    if field.key == "id":
        return _equals(field, value), _equals(Field("attributes", "name"), run[1])
    return _equals(field, value), _equals(field, digits_of(sql, run[0]))


def _equals(field: Field, value: str) -> str:
    return f"{field_text(field)} = {quoted(value)}"


def _role(role: str) -> str:
    return field_text(Field("data", role, "hash")).removesuffix(".hash")


def whole_record(project: Project, run: SavedRun) -> RunRecord:
    """A listed run's record with its inputs and artifacts, and what its events say now.

    Raises:
        FormatError: it is damaged.
    """
    if run.commit is None:
        return run.record
    from gittrack.store.run_reader import read_record

    whole = read_record(project.repo, run.commit)
    return replace(run.record, inputs=whole.inputs, artifacts=whole.artifacts)

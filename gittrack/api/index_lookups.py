"""Small questions to the index: how short ids may be, which names no run has."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from gittrack.api.run_index import ask
from gittrack.core.query.fields import unknown_names
from gittrack.core.query.tree import AllOf, Comparison, Constant, Expression, Field, IsNull, Scope
from gittrack.index.database import IndexDatabase
from gittrack.index.fields import known_names

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.api.saved_run import SavedRun
    from gittrack.core.records import RunRecord

_MANY = 2000
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

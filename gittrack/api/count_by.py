"""How many runs have each value of a field, or each combination of values of several."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any

from gittrack.api.found_hits import FoundHits, ask_hits
from gittrack.api.run_index import Progress
from gittrack.api.search import Search
from gittrack.core.query.fields import is_several, kind_of
from gittrack.core.query.tree import Field, SortKey
from gittrack.errors import UsageError
from gittrack.frozen import dataclass
from gittrack.index.lookups import values_by_run
from gittrack.index.ordering import NAN, NOTHING, VALUE
from gittrack.index.searching import Hit

if TYPE_CHECKING:
    from gittrack.api.project import Project

Place = tuple[int, Any]
"""A rank, as orders have it, and a value."""
_NONE: Place = (NOTHING, None)


@dataclass(frozen=True, slots=True)
class Group:
    """Runs that have the same values.

    Attributes:
        values: of each field a text, a number, true or false; None when they have none of it. A text of digits counts
            as the number.
        runs: how many they are.
    """

    values: tuple[str | int | float | bool | None, ...]
    runs: int


@dataclass(frozen=True, slots=True)
class Counts:
    """What is counted.

    Attributes:
        runs: how many there are altogether; a run with several values of a field is in several groups.
        groups: the largest first; runs that have none of the values last.
    """

    runs: int
    groups: tuple[Group, ...]


def count_by(project: Project, asked: Search, fields: Sequence[Field], progress: Progress | None = None) -> Counts:
    """How many of the runs that a search would find have each value of some fields; its order and limit do not count.

    Args:
        project: where.
        asked: which runs.
        fields: at least one; a run may have several values of one of them.
        progress: told while many runs are read for the first time.

    Raises:
        UsageError: a run may have several values of two of the fields; more fields than runs can be sorted by; as for
            :func:`gittrack.api.search.search`.
    """
    several = [field for field in fields if is_several(field)]
    if len(several) > 1:
        text = "runs are counted by one field at a time of which a run may have several values"
        raise UsageError(text, hint="gittrack count --by data.train.hash --by status")
    whole = replace(asked, order=[SortKey(field) for field in fields if not is_several(field)], limit=None, after=None)

    def counted(found: FoundHits) -> Counts:
        hits = (*found.stored(), *found.going_on())
        groups = _groups(fields, _counter(found, hits, fields, several[0] if several else None))
        return Counts(len(hits), tuple(groups))

    return ask_hits(project, whole, counted, progress, details=bool(several))


def _counter(
    found: FoundHits, hits: Sequence[Hit], fields: Sequence[Field], several: Field | None
) -> Counter[tuple[Place, ...]]:
    stored = {} if several is None else values_by_run(found.sql, several)
    counter: Counter[tuple[Place, ...]] = Counter()
    for hit in hits:
        if several is None:
            own: Iterable[Any] = ()
        else:
            live = found.live.get(hit.id)
            own = stored.get(hit.number, ()) if live is None else _values_of_live(several, live.record)
        position = iter(hit.position)
        choices = []
        for field in fields:
            if field == several:
                choices.append([(VALUE, value) for value in dict.fromkeys(own)] or [_NONE])
            else:
                rank, value = next(position), next(position)
                choices.append([(rank, None if rank in (NAN, NOTHING) else value)])  # an empty text is none
        counter.update(product(*choices))
    return counter


def _values_of_live(field: Field, record: Any) -> Iterable[Any]:
    from gittrack.core.query.evaluate import RunFacts, field_values

    return field_values(field, RunFacts(inputs=record.inputs, artifacts=record.artifacts))


def _groups(fields: Sequence[Field], counter: Counter[tuple[Place, ...]]) -> list[Group]:
    def key(item: tuple[tuple[Place, ...], int]) -> tuple[Any, ...]:
        places, runs = item
        return all(rank == NOTHING for rank, _ in places), -runs, [(rank, str(value)) for rank, value in places]

    return [
        Group(tuple(_value(field, *place) for field, place in zip(fields, places, strict=True)), runs)
        for places, runs in sorted(counter.items(), key=key)
    ]


def _value(field: Field, rank: int, value: object) -> str | int | float | bool | None:
    if rank == NOTHING:
        return None
    if rank == NAN:
        return float("nan")
    if kind_of(field) == "flag":
        return bool(value)
    assert isinstance(value, str | int | float)
    return value

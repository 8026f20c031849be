"""How many runs have each value of a field."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from gittrack.api.found_hits import FoundHits, ask_hits
from gittrack.api.run_index import Progress
from gittrack.api.search import Search
from gittrack.core.query.fields import kind_of
from gittrack.core.query.tree import Field, SortKey
from gittrack.frozen import dataclass
from gittrack.index.ordering import NAN, NOTHING

if TYPE_CHECKING:
    from gittrack.api.project import Project


@dataclass(frozen=True, slots=True)
class Group:
    """Runs that have the same value of a field.

    Attributes:
        value: a text, a number, true or false; None when they have none of it. A text of digits counts as the number.
        runs: how many they are.
    """

    value: str | int | float | bool | None
    runs: int


def count_by(project: Project, asked: Search, field: Field, progress: Progress | None = None) -> list[Group]:
    """How many of the runs that a search would find have each value of a field; its order and limit do not count.

    Args:
        project: where.
        asked: which runs.
        field: of which a run has one value at most.
        progress: told while many runs are read for the first time.

    Returns:
        Groups, the largest first; runs that have no value last.
    """
    whole = replace(asked, order=(SortKey(field),), limit=None, after=None)

    def places(found: FoundHits) -> Counter[tuple[int, object]]:
        return Counter((hit.position[0], hit.position[1]) for hit in (*found.stored(), *found.going_on()))

    counts = ask_hits(project, whole, places, progress)
    groups = [(rank, Group(_value(field, rank, value), runs)) for (rank, value), runs in _merged(counts).items()]
    groups.sort(key=lambda item: (item[0] == NOTHING, -item[1].runs, str(item[1].value)))
    return [group for _, group in groups]


def _merged(counts: Counter[tuple[int, object]]) -> Counter[tuple[int, object]]:
    """The same with all runs that lack a value in one group: an empty text is none."""
    merged: Counter[tuple[int, object]] = Counter()
    for (rank, value), runs in counts.items():
        merged[rank, value if rank not in (NAN, NOTHING) else None] += runs
    return merged


def _value(field: Field, rank: int, value: object) -> str | int | float | bool | None:
    if rank == NOTHING:
        return None
    if rank == NAN:
        return float("nan")
    if kind_of(field) == "flag":
        return bool(value)
    assert isinstance(value, str | int | float)
    return value

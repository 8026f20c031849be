"""Searching runs: the query compiled, the index brought up to date, live runs among the others."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gittrack.api.found_hits import FoundHits, Search, ask_hits
from gittrack.api.run_index import Progress
from gittrack.api.saved_run import SavedRun
from gittrack.core.problem import Problem
from gittrack.frozen import dataclass
from gittrack.index.ordering import Position, merged

if TYPE_CHECKING:
    from gittrack.api.project import Project

__all__ = ["Found", "Search", "count_runs", "search"]


@dataclass(frozen=True, slots=True)
class Found:
    """The runs that a search found.

    Attributes:
        runs: in order.
        last: the place of the last one, where a next page goes on; None when there is no next page.
        problems: what could not be read.
    """

    runs: tuple[SavedRun, ...]
    last: Position | None
    problems: tuple[Problem, ...]


def search(project: Project, asked: Search, progress: Progress | None = None) -> Found:
    """Find runs.

    Args:
        project: where.
        asked: what for.
        progress: told while many runs are read for the first time.

    Raises:
        UsageError: the query compares with another run, as only gates do, names a revision that is none, or takes too
            long.
    """
    # One more than is asked for tells whether there is a next page.
    more = asked if asked.limit is None else replace(asked, limit=asked.limit + 1)
    return ask_hits(project, more, lambda hits: _page(hits, asked), progress)


def count_runs(project: Project, asked: Search, progress: Progress | None = None) -> int:
    """How many runs there are of those that a search would find; its order and limit do not count.

    Raises:
        UsageError: as for :func:`search`.
    """
    return ask_hits(project, asked, FoundHits.number, progress)


def _page(found: FoundHits, asked: Search) -> Found:
    hits = found.stored()
    if found.live:
        pages = [[(hit.position, hit) for hit in some] for some in (hits, found.going_on(limit=True))]
        descending = [key.descending for key in asked.order]
        hits = [hit for _, hit in merged(pages, descending, found.question.limit)]
    more = asked.limit is not None and len(hits) > asked.limit
    chosen = hits[: asked.limit]
    return Found(tuple(found.runs(chosen)), chosen[-1].position if more else None, found.problems())

"""Which runs and events a remote's ledgers list, as they are remembered: that, and nothing else, is shared."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from gittrack.api.run_index import ask
from gittrack.core.refs import REMOTE_PREFIX
from gittrack.index.lookups import listed_below
from gittrack.store.doubtful import read_doubtful

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.core.ids import ObjectId
    from gittrack.core.ledger import BatchRow
    from gittrack.index.database import IndexDatabase


class SharedRows:
    """What one remote's ledgers list.

    To be reached by a ledger is not enough: a batch may be damaged, of a newer version, or name nothing it carries.

    Args:
        project: where.
        slug: of the remote.
    """

    def __init__(self, project: Project, slug: str) -> None:
        self._project = project
        self._prefix = f"{REMOTE_PREFIX}{slug}/"
        self._sure: set[ObjectId] = set()

    def note(self, rows: Collection[BatchRow]) -> None:
        """The remote has just taken these: about them the index need not be asked."""
        self._sure.update(row.commit for row in rows)

    def __call__(self, rows: Collection[BatchRow]) -> set[ObjectId]:
        """The commits of those of some rows that a sound batch lists, in a ledger that is still there."""
        sure = {row.commit for row in rows if row.commit in self._sure}
        rows = [row for row in rows if row.commit not in sure]
        if not rows:
            return sure
        doubtful = read_doubtful(self._project.layout)

        def listed(index: IndexDatabase) -> set[ObjectId]:
            with index.reading() as sql:
                return listed_below(sql, self._prefix, rows, doubtful)

        return sure | ask(self._project, listed)

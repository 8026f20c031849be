"""Which runs and events a remote's ledgers list, as they are remembered: that, and nothing else, is shared."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from gittrack.core.refs import REMOTE_PREFIX
from gittrack.errors import GitProgramError
from gittrack.git.reachable import CodeCommit, published

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.core.ids import ObjectId, RefName
    from gittrack.core.ledger import BatchRow
    from gittrack.index.database import IndexDatabase


class SharedRows:
    """What one remote's ledgers list.

    What none of them reaches, none of them lists: that git tells at once, and mostly there is nothing more to ask. To
    be reached is not enough, though: a batch may be damaged, of a newer version, or name nothing it carries. So of what
    is reached the index is asked, which knows what sound batches list. Answers hold until a ledger moves.

    Args:
        project: where.
        slug: of the remote.
        others: tips of refs that are known to be at the remote too, so that their commits are not :attr:`beyond`.
    """

    def __init__(self, project: Project, slug: str, others: Collection[ObjectId] = ()) -> None:
        self._project = project
        self._prefix = f"{REMOTE_PREFIX}{slug}/"
        self._others = others
        self._sure: set[ObjectId] = set()
        self._tips: dict[RefName, ObjectId] | None = None
        self._answers: dict[ObjectId, bool] = {}
        self.beyond: dict[ObjectId, CodeCommit] = {}
        """The commits that were asked about and all before them which the remote does not have."""

    def note(self, rows: Collection[BatchRow]) -> None:
        """The remote has just taken these: about them nobody need be asked."""
        self._sure.update(row.commit for row in rows)

    @property
    def tips(self) -> Mapping[RefName, ObjectId]:
        """The remote's ledgers as they were remembered when it was last asked."""
        return self._tips or {}

    def assume_absent(self, rows: Collection[BatchRow], tips: Mapping[RefName, ObjectId]) -> None:
        """These were not listed when the remote's ledgers were remembered so: as long as they are, nobody is asked."""
        self._tips, self._answers = dict(tips), dict.fromkeys((row.commit for row in rows), False)

    def __call__(self, rows: Collection[BatchRow]) -> set[ObjectId]:
        """The commits of those of some rows that a sound batch lists, in a ledger that is still there."""
        sure = {row.commit for row in rows if row.commit in self._sure}
        rows = [row for row in rows if row.commit not in sure]
        if not rows:
            return sure
        tips = dict(self._project.repo.refs.list(self._prefix))
        if tips != self._tips:
            self._tips, self._answers, self.beyond = tips, {}, {}
        self._ask(tips, [row for row in rows if row.commit not in self._answers])
        return sure | {row.commit for row in rows if self._answers[row.commit]}

    def _ask(self, tips: Mapping[RefName, ObjectId], rows: Sequence[BatchRow]) -> None:
        self._answers.update(dict.fromkeys((row.commit for row in rows), False))
        if not rows or not tips:
            return
        commits = {row.commit for row in rows}
        try:
            found = published(self._project.repo, commits, [*tips.values(), *self._others])
        except GitProgramError:  # what is damaged here cannot be walked; what is listed is known without
            found = []
        self.beyond.update((commit.id, commit) for commit in found)
        reached = [row for row in rows if row.commit not in self.beyond]
        self._answers.update(dict.fromkeys(self._listed(reached), True))

    def _listed(self, rows: Sequence[BatchRow]) -> set[ObjectId]:
        if not rows:
            return set()
        from gittrack.api.run_index import ask
        from gittrack.index.lookups import listed_below
        from gittrack.store.doubtful import read_doubtful

        doubtful = read_doubtful(self._project.layout)

        def listed(index: IndexDatabase) -> set[ObjectId]:
            with index.reading() as sql:
                return listed_below(sql, self._prefix, rows, doubtful)

        return ask(self._project, listed)

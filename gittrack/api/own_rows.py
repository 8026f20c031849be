"""What of a ledger that was rewritten stays here once that is accepted: one's own, but for runs that are expunged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gittrack.api.expunged_runs import concerns, expunged_runs, stated_in
from gittrack.core.ids import RunId
from gittrack.errors import GittrackError
from gittrack.store.event_store import read_event
from gittrack.store.rollup import keep_here
from gittrack.store.run_reader import read_listed

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.core.ledger import BatchRow
    from gittrack.store.incoming import Rewritten


def lost_for_good(project: Project, accepted: Sequence[Rewritten]) -> tuple[RunId, ...]:
    """The expunged runs among what ledgers lost."""
    lost = {RunId(row.id) for ledger in accepted for row in ledger.lost if row.kind == "run"}
    return tuple(sorted(lost & expunged_runs(project).keys())) if lost else ()


def keep_own(project: Project, old: Rewritten, news: Sequence[BatchRow]) -> None:
    """Keep here what is one's own in a ledger that was rewritten, but for runs that somebody expunged."""
    expunged = {*expunged_runs(project), *stated_in(project, news)}
    own = [row for row in old.lost if old.writer == project.writer or _is_own(project, row)]
    kept = [row for row in own if not concerns(project, row, expunged)]
    keep_here(project.repo, project.layout, kept, project.author, project.now())


def _is_own(project: Project, row: BatchRow) -> bool:
    """Whether a run or an event is by the person who works here, whatever their ledger was called then."""
    try:
        if row.kind == "event":
            author = read_event(project.repo, row.commit).author
        else:
            message = project.repo.objects.read_commit(row.commit).message
            author = read_listed(project.repo, row.commit, message).record.author
    except GittrackError:
        return False
    return author.email == project.person.email or author.name == project.person.name

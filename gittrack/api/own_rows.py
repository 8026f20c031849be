"""What of a ledger that was rewritten stays here once that is accepted: one's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gittrack.api.expunged_runs import expunged_runs, hidden_runs
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
    gone = _lost(accepted) & expunged_runs(project).keys() if _lost(accepted) else set()
    return tuple(sorted(gone - hidden_runs(project).keys())) if gone else ()


def kept_hidden(project: Project, accepted: Sequence[Rewritten]) -> tuple[RunId, ...]:
    """The expunged runs among what ledgers lost that stay here, hidden: one's own."""
    lost = _lost(accepted)
    return tuple(sorted(lost & hidden_runs(project).keys())) if lost else ()


def _lost(accepted: Sequence[Rewritten]) -> set[RunId]:
    return {RunId(row.id) for ledger in accepted for row in ledger.lost if row.kind == "run"}


def keep_own(project: Project, old: Rewritten) -> None:
    """Keep here what is one's own in a ledger that was rewritten, what somebody expunged included.

    Who expunged it is written by whoever wrote the ledger, so that a forged statement would delete. What is expunged
    stays hidden and is pushed no more; its owner drops it, or takes the statement back.
    """
    own = [row for row in old.lost if old.writer == project.writer or is_own_row(project, row)]
    keep_here(project.repo, project.layout, own, project.author, project.now())


def is_own_row(project: Project, row: BatchRow) -> bool:
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

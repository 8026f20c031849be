"""Which runs nobody would list any more when a rewritten ledger is accepted, and what the new one says of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gittrack.api.expunged_runs import stated_in
from gittrack.api.own_rows import is_own_row
from gittrack.core.ids import ObjectId, RunId
from gittrack.core.refs import REMOTE_PREFIX, RUNS_PREFIX
from gittrack.errors import GittrackError
from gittrack.git.reachable import unreachable
from gittrack.store.catalog import walk_ledger
from gittrack.store.refused import read_refused
from gittrack.store.run_reader import read_listed

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.core.records import Event
    from gittrack.store.incoming import Rewritten


class VanishingRun(NamedTuple):
    """A run that only the old ledger lists.

    Attributes:
        id, name: the run; the name is empty when it cannot be read.
        is_own: it is by the person who works here, and stays then.
        expunged_by: who says in the new ledger that it is expunged; None: nobody.
    """

    id: RunId
    name: str
    is_own: bool
    expunged_by: str | None


def vanishing_runs(project: Project, ledger: Rewritten) -> list[VanishingRun]:
    """The runs that would vanish with the remembered state of a ledger, sorted by id.

    Args:
        project: where.
        ledger: as a fetch found it.
    """
    refused = read_refused(project.layout)
    rows = [row for row in ledger.lost if row.kind == "run" and row not in refused]
    others = [tip for name, tip in project.repo.refs.list(RUNS_PREFIX, REMOTE_PREFIX) if name != ledger.ref]
    alone = unreachable(project.repo, [row.commit for row in rows], others)
    said = _stated(project, ledger)
    found = {}
    for row in rows:
        if row.commit in alone:
            event = said.get(RunId(row.id))
            who = None if event is None else event.author.name or event.writer
            found[row.id] = VanishingRun(RunId(row.id), _name(project, row.commit), is_own_row(project, row), who)
    return [found[id] for id in sorted(found)]


def _name(project: Project, commit: ObjectId) -> str:
    try:
        return read_listed(project.repo, commit, project.repo.objects.read_commit(commit).message).record.name
    except GittrackError:
        return ""


def _stated(project: Project, ledger: Rewritten) -> dict[RunId, Event]:
    """What the new ledger says to be expunged."""
    if ledger.tip is None:
        return {}
    try:
        rows = list(walk_ledger(project.repo, ledger.tip, told=lambda *_: None))
        return stated_in(project, rows)
    except GittrackError:
        return {}

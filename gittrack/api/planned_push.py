"""What a push would bring, run by run."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gittrack.core.ids import RunId
from gittrack.errors import GittrackError
from gittrack.store.run_reader import read_record

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.api.push import PushPlan


class PlannedRun(NamedTuple):
    """A run that would be pushed.

    Attributes:
        id, name, experiment: as it was made.
        artifacts: how many of its artifacts lie beside git; their bytes go to the place elsewhere that holds them, as
            far as they are not there.
        size: their bytes.
    """

    id: RunId
    name: str
    experiment: str
    artifacts: int
    size: int


def planned_runs(project: Project, plan: PushPlan) -> list[PlannedRun]:
    """The runs of a plan, in its order; one whose tree cannot be read has neither name nor artifacts."""
    found = []
    for row in plan.rows:
        if row.kind != "run":
            continue
        try:
            record = read_record(project.repo, row.commit)
        except GittrackError:
            found.append(PlannedRun(RunId(row.id), "", "", 0, 0))
            continue
        sizes = {entry.digest: entry.size or 0 for entry in record.artifacts if entry.storage == "pointer"}
        found.append(PlannedRun(record.id, record.name, record.experiment.name, len(sizes), sum(sizes.values())))
    return found

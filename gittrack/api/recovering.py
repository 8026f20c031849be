"""What every command does first: runs whose process died are finished. Where there are none, nothing more is loaded."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.store.recovery import Recovery


def recover(project: Project) -> list[Recovery]:
    """Finish live runs whose processes are dead; what every command does first.

    Returns:
        One result per live run that is not alive; empty in the ordinary case.
    """
    try:
        if not os.listdir(project.layout.live):
            return []
    except FileNotFoundError:
        return []
    from gittrack.store.recovery import recover_runs

    return [result for result in recover_runs(project.repo, project.layout) if result.outcome != "alive"]

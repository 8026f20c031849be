"""How what was just said reaches others, told where there is a remote to share with."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gittrack.api.project import Project


def share_hint(project: Project) -> str:
    """What stands behind a message about something new: how it is shared; empty without a remote."""
    from gittrack.api.remotes import names_of_remotes

    has_remote = bool(names_of_remotes(project) or project.config.runs_remote)
    return "; share it: gittrack push" if has_remote else ""

"""Resuming a run that somebody else shared: said before it becomes a conflict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gittrack.api.guarded import warn
from gittrack.core.names import display
from gittrack.errors import GittrackError
from gittrack.store.whose import other_writer

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.api.saved_run import SavedRun


def warn_of_another_writer(project: Project, saved: SavedRun, instead: str) -> None:
    """Say what comes of it when somebody else's run is resumed; ``instead`` is what to do to avoid it."""
    assert saved.commit is not None
    try:
        other = other_writer(project.repo, saved.id, saved.commit, project.writer)
    except GittrackError:  # a ledger that cannot be read: `gittrack ls` and `fsck` say so
        return
    if other is not None:
        name = display(saved.name, 60)
        text = f"run '{name}' is in the ledger of {display(other)}: once this is pushed, both versions are shown, as"
        warn(f"{text} conflicting; a run of your own instead: {instead}")

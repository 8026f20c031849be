"""The code of a run that begins: what of it is kept, and what is said of it."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from gittrack.api.guarded import warn
from gittrack.core.names import display
from gittrack.git.snapshot import SnapshotLimits

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.core.ids import RunId
    from gittrack.core.records import CodeState


def warn_of_entry(entry: str, code: CodeState) -> None:
    """Say so when the program itself is not in the snapshot: the run could not be made again from it."""
    left = next((left for left in code.left_out if left.path == entry), None)
    if left is not None:
        warn(f"'{display(entry)}' itself is left out of the code snapshot: {display(left.reason)}")


def limits(project: Project) -> SnapshotLimits:
    """What of the work tree a snapshot takes, by the settings."""
    return SnapshotLimits(project.config.snapshot_file_limit, project.config.snapshot_limit)


def directory(project: Project) -> str:
    """Where in the work tree this process is; empty: at its top, or outside."""
    work_tree = project.repo.work_tree
    if work_tree is None:
        return ""
    relative = os.path.relpath(os.getcwd(), work_tree)
    return "" if relative == "." or relative.startswith("..") else relative.replace(os.sep, "/")


def with_remote(project: Project, code: CodeState) -> CodeState:
    """The code with the URL of the branch's remote, when it has none; no credentials."""
    if code.remote is not None:
        return code
    url = project.repo.remote_url(code.branch)
    if url is None:
        return code
    from gittrack.core.redact import redact_url

    return replace(code, remote=redact_url(url))


def hold(project: Project, id: RunId, code: CodeState) -> None:
    """Keep the snapshot of a run that begins from ``git gc``."""
    if code.commit is not None and code.commit != code.head:
        from gittrack.store.publish import hold_snapshot

        hold_snapshot(project.repo, id, code.commit)

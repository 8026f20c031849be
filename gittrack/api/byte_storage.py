"""The byte store of a project, and the DVC project it shares its bytes with."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from gittrack.api.guarded import warn
from gittrack.core.dvc_yaml import REMOTE_PREFIX
from gittrack.errors import CorruptRecordError, GittrackError

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.artifacts.bytes_store import BytesStore
    from gittrack.artifacts.dvc_project import DvcProject


def dvc_project(project: Project, directory: str | None = None) -> DvcProject | None:
    """The DVC project around the working directory, or at the top of the work tree; None when there is none.

    Args:
        project: where.
        directory: a directory of the work tree, relative to its top, to begin at instead; it need not be there.
    """
    top = project.repo.work_tree
    if top is None:
        return None
    from gittrack.artifacts.dvc_project import find_dvc_project

    top = top.resolve()
    here = _working_directory(top) if directory is None else _nearest(top / directory)
    try:
        return find_dvc_project(here if here.is_relative_to(top) else top, top, project.process.environ)
    except CorruptRecordError as error:
        warn(f"{error.message}; go on without it")
        return None


def _working_directory(top: Path) -> Path:
    """The working directory; the top of the work tree where it is gone, as a training may remove its own."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return top


def _nearest(place: Path) -> Path:
    """A directory, or the nearest one above it that is there; the place may be named by anything."""
    return next(Path(os.path.realpath(each)) for each in (place, *place.parents) if os.path.isdir(each))


def open_bytes_store(project: Project) -> BytesStore:
    """Where artifact bytes of the project lie; what is stored there is linked into its DVC cache."""
    from gittrack.artifacts.bytes_store import BytesStore

    dvc = dvc_project(project)
    return BytesStore(project.layout.bytes_store, None if dvc is None else dvc.cache)


def public_remote(project: Project) -> dict[str, str]:
    """What a run's tree says of the remote that holds its bytes; empty when there is none."""
    dvc = dvc_project(project)
    if dvc is not None and dvc.default:
        return dvc.public_remote(REMOTE_PREFIX)
    if not project.config.artifact_remote:
        return {}
    from gittrack.api.artifact_remote import find_remote

    try:
        address = find_remote(project)
    except GittrackError as error:
        warn(f"{error.message}; go on without it")
        return {}
    if dvc is not None and address.name:
        return dvc.public_remote(REMOTE_PREFIX, address.name)
    url = f"{address.shown.rstrip('/')}/{REMOTE_PREFIX}"
    return {"url": url} if url.isprintable() else {}

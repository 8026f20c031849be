"""Where artifact bytes are pushed to and pulled from: what was asked for, DVC's default remote, or the setting."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gittrack.api.byte_storage import dvc_project
from gittrack.core.names import display
from gittrack.errors import NoRemoteError, NotFoundError, RemoteError

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.artifacts.dvc_project import DvcProject
    from gittrack.artifacts.remote import RemoteAddress


def find_remote(project: Project, name: str | None = None, directory: str = "") -> RemoteAddress:
    """The place that holds artifact bytes of a project.

    Args:
        project: whose.
        name: of a DVC remote, or a URL, or the path of a directory; None: DVC's default remote, else the setting
            ``artifact_remote``.
        directory: where in the work tree the run was made whose bytes are meant: the DVC project there counts before
            the one around the working directory. Nothing else that a run says counts: it may come from anybody.

    Raises:
        NotFoundError: no remote has that name.
        NoRemoteError: none is set up.
        RemoteError: it has no URL.
    """
    dvc = dvc_project(project)
    if name is not None:
        return _named(dvc, name, Path.cwd())
    theirs = dvc_project(project, directory) if directory else None
    if theirs is not None and theirs.default:
        return _of_dvc(theirs, theirs.default)
    if dvc is not None and dvc.default:
        return _of_dvc(dvc, dvc.default)
    if project.config.artifact_remote:
        return _named(dvc, project.config.artifact_remote, project.repo.work_tree or Path.cwd())
    hint = "gittrack config artifact_remote URL-OR-DIRECTORY"
    raise NoRemoteError("no remote is set up for artifacts", hint=hint)


def remote_for(project: Project, uri: str) -> RemoteAddress | None:
    """The DVC remote on the same bucket or host as a URI: its credentials are right for it. None when there is none."""
    dvc = dvc_project(project)
    return None if dvc is None else _on_host(dvc, uri)


def _on_host(dvc: DvcProject, uri: str) -> RemoteAddress | None:
    for name in sorted(dvc.remotes, key=lambda name: name != dvc.default):
        url = dvc.remotes[name].get("url", "")
        if "://" in url and _host(url) == _host(uri):
            return _of_dvc(dvc, name)
    return None


def _host(uri: str) -> tuple[str, str]:
    scheme, _, rest = uri.partition("://")
    return scheme.lower(), rest.partition("/")[0].rpartition("@")[2]


def _named(dvc: DvcProject | None, name: str, base: Path) -> RemoteAddress:
    from gittrack.artifacts.remote import address_of

    if dvc is not None and any(known.lower() == name.lower() for known in dvc.remotes):
        return _of_dvc(dvc, name)
    if "://" in name and dvc is not None and (near := _on_host(dvc, name)) is not None:
        return replace(near, url=name, elsewhere=True)  # its endpoint and its credentials are right for it
    if "://" in name or os.sep in name or name.startswith(("~", ".")):
        return address_of(name, base)
    known = ", ".join(display(each, 40) for each in sorted(dvc.remotes)) if dvc is not None and dvc.remotes else ""
    hint = f"one of: {known}; or a URL or ./DIRECTORY" if known else "give a URL or ./DIRECTORY"
    raise NotFoundError(f"there is no remote '{display(name, 80)}'", hint=hint)


def _of_dvc(dvc: DvcProject, name: str) -> RemoteAddress:
    from gittrack.artifacts.remote import RemoteAddress

    for known, options in dvc.remotes.items():
        if known.lower() == name.lower():
            if "url" not in options:
                text = f"the DVC remote '{display(name, 80)}' has no url"
                raise RemoteError(text, hint=f"dvc remote modify {display(name, 80)} url URL")
            return RemoteAddress(options["url"], known, dvc.folder, options.get("endpointurl", ""))
    text = f"DVC's default remote '{display(name, 80)}' is not defined"
    raise RemoteError(text, hint=f"dvc remote add {display(name, 80)} URL")

"""Artifact bytes between this clone and a place elsewhere. Refs that name them are pushed after this, never before."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from gittrack.api.artifact_remote import find_remote
from gittrack.api.byte_storage import open_bytes_store
from gittrack.artifacts.transfer import Failure, Progress, ToldProgress, Transfer, Wanted
from gittrack.core.names import display
from gittrack.core.records import ARTIFACT_DIGEST
from gittrack.errors import ArtifactNotFoundError, GittrackError, InvalidValueError, NoRemoteError

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.api.saved_run import SavedRun
    from gittrack.artifacts.remote import Remote

__all__ = [
    "Failure",
    "Progress",
    "ToldProgress",
    "Transfer",
    "fetch_objects",
    "open_project_remote",
    "pull_bytes",
    "push_bytes",
    "remote_name",
]


def push_bytes(
    project: Project,
    wanted: Iterable[SavedRun | str],
    remote: str | None = None,
    told: ToldProgress | None = None,
) -> Transfer:
    """Bring artifact bytes to the remote: only what it does not have, in parallel, checked before they go.

    Args:
        project: where they are.
        wanted: runs, whose stored artifacts are meant, or digests (``md5:<hex>``, with ``.dir`` for a folder).
        remote: name of a DVC remote, a URL or a directory; None: the one that is set up.
        told: told of progress.

    Returns:
        What was done, and one failure for each object that is not there now. Called again it does the rest.

    Raises:
        RemoteError, AuthenticationError: the remote cannot be used at all.
        NotFoundError: no remote has that name.
        MissingDependencyError: what it needs is not installed.
        ArtifactNotFoundError: a run has not ended.
    """
    from gittrack.artifacts.pushing import push

    objects, unread = _objects(wanted)
    if not objects:  # who keeps everything in git needs no remote
        return Transfer(failures=tuple(unread))
    done = push(open_bytes_store(project), _opened(project, remote, to_send=True), objects, told)
    return replace(done, failures=(*unread, *done.failures))


def pull_bytes(
    project: Project,
    wanted: Iterable[SavedRun | str],
    remote: str | None = None,
    told: ToldProgress | None = None,
    *,
    check: bool = False,
) -> Transfer:
    """Bring artifact bytes here from the remote: only what is not here; each gets its name when its hash is right.

    Args:
        project: where to.
        wanted, remote, told: as for :func:`push_bytes`.
        check: hash what is here too, and bring anew what is damaged.

    Returns:
        What was done, and one failure for each object that is not here now. Called again it does the rest.

    Raises:
        RemoteError, AuthenticationError, NotFoundError, MissingDependencyError, ArtifactNotFoundError: as
            :func:`push_bytes`.
    """
    objects, unread = _objects(wanted)
    if not objects:
        return Transfer(failures=tuple(unread))
    done = _pulled(project, objects, remote, told, check=check)
    return replace(done, failures=(*unread, *done.failures))


def fetch_objects(project: Project, wanted: Iterable[Wanted]) -> None:
    """Bring objects here that somebody wants to read now.

    Raises:
        GittrackError: one of them cannot be brought here; the first reason.
    """
    done = _pulled(project, wanted, None, None, check=False)
    if done.failures:
        raise done.failures[0].error


def remote_name(project: Project, name: str | None = None) -> str:
    """The remote that these functions use, fit to be shown; ``""`` when none is set up."""
    try:
        address = find_remote(project, name)
    except NoRemoteError:
        return ""
    return f"{address.name} ({address.shown})" if address.name else address.shown


def open_project_remote(project: Project, name: str | None = None) -> Remote:
    """The project's remote, to read from. Raises as :func:`push_bytes`."""
    return _opened(project, name, to_send=False)


def _pulled(
    project: Project, wanted: Iterable[Wanted], remote: str | None, told: ToldProgress | None, *, check: bool
) -> Transfer:
    from gittrack.artifacts.pulling import pull

    return pull(open_bytes_store(project), _opened(project, remote, to_send=False), wanted, told, check=check)


def _opened(project: Project, name: str | None, *, to_send: bool) -> Remote:
    from gittrack.artifacts.remote import open_remote

    return open_remote(find_remote(project, name), to_send=to_send)


def _objects(wanted: Iterable[SavedRun | str]) -> tuple[list[Wanted], list[Failure]]:
    """The stored objects of runs, and the runs that cannot be read: one of them must not keep the others."""
    objects: list[Wanted] = []
    unread: list[Failure] = []
    for each in wanted:
        if isinstance(each, str):
            if not ARTIFACT_DIGEST.fullmatch(each):
                raise InvalidValueError(f"'{display(each, 80)}' is not the digest of an artifact")
            objects.append(Wanted(each, each))
            continue
        if each.commit is None:
            text = f"run '{display(each.name, 80)}' has not ended: its artifacts are not readable yet"
            raise ArtifactNotFoundError(text, hint=f"gittrack show {each.id[:8]}")
        try:
            stored = [entry for entry in each.artifacts() if entry.storage == "pointer"]
        except GittrackError as error:
            unread.append(Failure("", each.id, error))
            continue
        objects += [Wanted(entry.digest, f"{each.id[:8]}:{display(entry.path, 200)}", entry.size) for entry in stored]
    return objects, unread

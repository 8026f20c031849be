"""Artifact bytes between this clone and a place elsewhere. Refs that name them are pushed after this, never before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from gittrack.api.artifact_remote import find_remote
from gittrack.api.byte_storage import open_bytes_store
from gittrack.artifacts.transfer import Failure, Progress, ToldProgress, Transfer, Wanted
from gittrack.core.names import display
from gittrack.core.records import ARTIFACT_DIGEST
from gittrack.errors import ArtifactNotFoundError, GittrackError, InvalidValueError, NoRemoteError, RemoteError
from gittrack.store.run_reader import read_record

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.api.saved_run import SavedRun
    from gittrack.artifacts.remote import Remote, RemoteAddress

    Move = Callable[[Remote, Sequence[Wanted]], Transfer]

__all__ = [
    "Failure",
    "Progress",
    "ToldProgress",
    "Transfer",
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
        remote: name of a DVC remote, a URL or a directory; None: the one that is set up, of each run where it was made.
        told: told of progress.

    Returns:
        What was done, and one failure for each object that is not there now. Called again it does the rest.
        What this clone gave up by rules is counted, and no failure.

    Raises:
        RemoteError, AuthenticationError: the remote cannot be used at all.
        NotFoundError: no remote has that name.
        MissingDependencyError: what it needs is not installed.
        ArtifactNotFoundError: a run has not ended.
    """
    from gittrack.artifacts.pushing import push

    store = open_bytes_store(project)
    done = _at_each_remote(
        project, wanted, remote, lambda opened, objects: push(store, opened, objects, told), to_send=True
    )
    return _without_given_up(project, done)


def _without_given_up(project: Project, done: Transfer) -> Transfer:
    """What this clone gave up by rules, and no remote has, as a count."""
    from gittrack.artifacts.given_up import read_given_up

    given_up = read_given_up(project.layout.root)
    failures = [
        each
        for each in done.failures
        if not isinstance(each.error, ArtifactNotFoundError) or each.digest not in given_up
    ]
    return replace(done, failures=tuple(failures), given_up=len(done.failures) - len(failures))


def pull_bytes(
    project: Project,
    wanted: Iterable[SavedRun | str],
    remote: str | None = None,
    told: ToldProgress | None = None,
    *,
    check: bool = False,
    named: bool = True,
) -> Transfer:
    """Bring artifact bytes here from the remote: only what is not here; each gets its name when its hash is right.

    Args:
        project: where to.
        wanted, remote, told: as for :func:`push_bytes`.
        check: hash what is here too, and bring anew what is damaged.
        named: somebody named these runs; else what this clone gave up by rules, and no remote has, is no failure.

    Returns:
        What was done, and one failure for each object that is not here now. Called again it does the rest.

    Raises:
        RemoteError, AuthenticationError, NotFoundError, MissingDependencyError, ArtifactNotFoundError: as
            :func:`push_bytes`.
    """
    from gittrack.artifacts.pulling import pull

    store = open_bytes_store(project)
    done = _at_each_remote(
        project,
        wanted,
        remote,
        lambda opened, objects: pull(store, opened, objects, told, check=check),
        to_send=False,
    )
    return done if named else _without_given_up(project, done)


def remote_name(project: Project, name: str | None = None) -> str:
    """The remote that these functions use, fit to be shown; ``""`` when none is set up."""
    try:
        address = find_remote(project, name)
    except NoRemoteError:
        return ""
    return _shown(address)


def _shown(address: RemoteAddress) -> str:
    return f"{address.name} ({address.shown})" if address.name else address.shown


def open_project_remote(project: Project, name: str | None = None, directory: str = "") -> Remote:
    """The project's remote, to read from.

    Args:
        project: whose.
        name: as of :func:`push_bytes`.
        directory: where in the work tree the run was made whose bytes are wanted: its DVC project's remote comes first.

    Raises:
        RemoteError, AuthenticationError, NotFoundError, MissingDependencyError: as :func:`push_bytes`.
    """
    from gittrack.artifacts.remote import open_remote

    return open_remote(find_remote(project, name, directory), to_send=False)


def _at_each_remote(
    project: Project, wanted: Iterable[SavedRun | str], name: str | None, move: Move, *, to_send: bool
) -> Transfer:
    """Move the objects of runs at the remote of each: in a repository of several DVC projects there are several."""
    from gittrack.artifacts.remote import open_remote

    objects, failures = _objects(project, wanted)
    remotes = _by_remote(project, objects, name, failures)
    total = Transfer()
    for address, listed in remotes.items():
        try:
            done = move(open_remote(address, to_send=to_send), listed)
        except RemoteError as error:
            if len(remotes) == 1:
                raise
            done = Transfer(failures=tuple(Failure(each.digest, each.what, error) for each in listed))
        total = Transfer(
            total.moved + done.moved,
            total.size + done.size,
            total.present + done.present,
            (*total.failures, *done.failures),
            total.untried + done.untried,
            remotes=(*total.remotes, _shown(address)),
        )
    return replace(total, failures=(*failures, *total.failures))


def _by_remote(
    project: Project, objects: Mapping[str, Sequence[Wanted]], name: str | None, failures: list[Failure]
) -> dict[RemoteAddress, list[Wanted]]:
    """The objects by the remote of where they were made; those without one become failures, unless all are."""
    remotes: dict[RemoteAddress, list[Wanted]] = {}
    without: NoRemoteError | None = None
    for directory, listed in objects.items():
        if not listed:  # who keeps everything in git needs no remote
            continue
        try:
            remotes.setdefault(find_remote(project, name, directory), []).extend(listed)
        except NoRemoteError as error:
            where = f" of runs made in '{display(directory, 200)}'" if directory else ""
            without = NoRemoteError(f"{error.message}{where}", hint=error.hint)
            failures += [Failure(each.digest, each.what, without) for each in listed]
    if without is not None and not remotes:
        raise without
    return remotes


def _objects(project: Project, wanted: Iterable[SavedRun | str]) -> tuple[dict[str, list[Wanted]], list[Failure]]:
    """The stored objects of runs by the directory they were made in, and runs that cannot be read: the others go on."""
    objects: dict[str, list[Wanted]] = {"": []}
    unread: list[Failure] = []
    for each in wanted:
        if isinstance(each, str):
            if not ARTIFACT_DIGEST.fullmatch(each):
                raise InvalidValueError(f"'{display(each, 80)}' is not the digest of an artifact")
            objects[""].append(Wanted(each, each))
            continue
        if each.commit is None:
            text = f"run '{display(each.name, 80)}' has not ended: its artifacts are not readable yet"
            raise ArtifactNotFoundError(text, hint=f"gittrack show {each.id[:8]}")
        try:
            record = read_record(project.repo, each.commit)  # a run of a list has neither artifacts nor a directory
        except GittrackError as error:
            unread.append(Failure("", each.id, error))
            continue
        stored = [entry for entry in record.artifacts if entry.storage == "pointer"]
        objects.setdefault(record.code.directory, []).extend(
            Wanted(entry.digest, f"{each.id[:8]}:{display(entry.path, 200)}", entry.size) for entry in stored
        )
    return objects, unread

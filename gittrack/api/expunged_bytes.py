"""The artifact bytes of a run that is expunged: those that nothing else needs go; what lies elsewhere is named."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, NamedTuple

from gittrack.api.byte_storage import open_bytes_store
from gittrack.api.bytes_in_use import RunNeeds, of_history, of_lost_runs, of_runs, of_unfinished_runs, with_members
from gittrack.errors import ConflictError, GittrackError
from gittrack.frozen import dataclass
from gittrack.store.catalog import read_catalog
from gittrack.store.live import live_ids
from gittrack.store.locks import exclusive

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from gittrack.api.project import Project
    from gittrack.core.ids import ObjectId, RunId

_MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class RunBytes:
    """The bytes of one run's artifacts.

    Attributes:
        digests: that nothing but this run refers to, wherever they lie.
        here: how many of them lie in the store of this clone.
        size: their bytes.
        elsewhere: where the remote of artifacts may hold some, without credentials, each a file or URL.
        unknown: why it is not known what other runs need, so that nothing is removed; empty when it is.
    """

    digests: frozenset[str] = frozenset()
    here: int = 0
    size: int = 0
    elsewhere: tuple[str, ...] = ()
    unknown: str = ""


def bytes_of_run(project: Project, id: RunId, commits: Collection[ObjectId]) -> RunBytes:
    """Find the bytes that only this run needs; changes nothing.

    Args:
        project: where.
        id: the run.
        commits: all that it has.
    """
    try:
        digests = _only_its_own(project, id, commits)
    except GittrackError as error:
        return RunBytes(unknown=error.message)
    if not digests:
        return RunBytes()
    store = open_bytes_store(project)
    sizes = [path.stat().st_size for path in map(store.path, digests) if path.exists()]
    return RunBytes(digests, len(sizes), sum(sizes), _elsewhere(project, digests))


def _only_its_own(project: Project, id: RunId, commits: Collection[ObjectId]) -> frozenset[str]:
    needs = RunNeeds(project)
    own = {digest for commit in commits for digest in needs.of_commit(commit)}
    if not own:
        return frozenset()
    store = open_bytes_store(project)
    used = of_unfinished_runs(project)
    catalog = read_catalog(project.repo)
    lost = of_lost_runs(project, catalog)
    if lost is None:
        raise ConflictError("runs came and were rolled up meanwhile", hint="repeat it")
    catalog.runs.pop(id, None)
    used |= lost | of_runs(RunNeeds(project), catalog, (), {}) | of_history(project)
    return frozenset(with_members(store, own)[0] - with_members(store, used)[0])


def _elsewhere(project: Project, digests: Collection[str]) -> tuple[str, ...]:
    """Where the remote of artifacts holds them, if it is a directory, or would; nothing is asked over a network."""
    from gittrack.api.artifact_remote import find_remote
    from gittrack.artifacts.directory_remote import DirectoryRemote

    try:
        address = find_remote(project)
        if address.directory is None:
            named = (digest.removeprefix("md5:") for digest in sorted(digests))
            return tuple(f"{address.shown}/gittrack/files/md5/{value[:2]}/{value[2:]}" for value in named)
        remote = DirectoryRemote.open(address.directory, to_send=False)
        return tuple(remote.place(digest) for digest in sorted(remote.present(dict.fromkeys(digests))))
    except GittrackError:
        return ()  # there is none, or nothing can be sent there or be there


class DroppedBytes(NamedTuple):
    """How many files of artifacts went from this clone, and how many stay after all, as another run may need them."""

    gone: int = 0
    kept: int = 0


def drop_bytes(
    project: Project, found: RunBytes, id: RunId, commits: Collection[ObjectId], clock: Callable[[], float] = time.time
) -> DroppedBytes:
    """Remove the bytes from this clone's store, and our names for them from DVC's cache.

    Who else needs them is found out anew: since the plan was made another run may have logged the same. While a run is
    being written, it may have stored what it has not named yet, so that then only what is old goes, as in ``gc``.

    Args:
        project: where.
        found: of the plan; nothing else goes.
        id: the run.
        commits: all that it has.
        clock: seconds since the epoch, as file times are.

    Raises:
        ConflictError: a 'gittrack gc' is running.
        CorruptRecordError: it is not known what others need; nothing is removed.
        StorageError: one cannot be removed.
    """
    from gittrack.artifacts.usage import YOUNG_SECONDS, drop, put_back

    if not found.here:
        return DroppedBytes()
    store = open_bytes_store(project)
    with exclusive(project.layout.root / "gc.lock", wait=False) as ours:
        if not ours:
            raise ConflictError("a 'gittrack gc' is running", hint="wait for its end, then repeat this")
        put_back(store)
        free = _only_its_own(project, id, commits)
        here = [digest for digest in found.digests if store.path(digest).exists()]
        kept = {digest for digest in here if digest not in free}
        for digest in sorted(free.intersection(here), key=lambda digest: (not digest.endswith(".dir"), digest)):
            youngest = clock() - YOUNG_SECONDS if live_ids(project.layout) else math.inf
            if digest in kept or store.path(digest).stat().st_mtime >= youngest:
                kept |= with_members(store, [digest])[0]  # the files of a folder stay with it
                continue
            store.forget_in_dvc(digest)
            if not drop(store, digest, youngest):
                kept.add(digest)
    return DroppedBytes(len(set(here) - kept), len(kept.intersection(here)))

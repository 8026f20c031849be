"""Collecting artifact bytes that nothing refers to any more.

Safe beside runs that are logging and beside a second collection: what is young stays, what is stored again while it is
collected stays too (``gittrack/artifacts/usage.py``), and what is in use is found out anew right before anything goes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gittrack.api.byte_storage import open_bytes_store
from gittrack.api.bytes_in_use import of_history, of_lost_runs, of_runs, of_unfinished_runs, with_members
from gittrack.api.read import list_runs
from gittrack.api.retention import GivenUp, Retention, given_up
from gittrack.errors import ConflictError, StorageError
from gittrack.store.catalog import read_catalog
from gittrack.store.locks import exclusive

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.artifacts.bytes_store import BytesStore
    from gittrack.artifacts.usage import StoredObject

_TRIES = 5
"""How often what is in use is read anew when runs end and are rolled up meanwhile."""


@dataclass(frozen=True, slots=True)
class GcPlan:
    """What a collection would do.

    Attributes:
        garbage: files that nothing refers to, folders' listings first, then the largest first.
        given_up: what runs give up by rules, with the bytes of it that would go.
        young: files that nothing refers to and that stay, since they were written within the last day.
        kept: how many files are in use.
        kept_bytes: their bytes.
        missing: folders that runs refer to and whose listing is not here.
    """

    garbage: tuple[StoredObject, ...] = ()
    given_up: tuple[tuple[GivenUp, int], ...] = ()
    young: tuple[StoredObject, ...] = ()
    kept: int = 0
    kept_bytes: int = 0
    missing: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        """Bytes of all garbage."""
        return sum(found.size for found in self.garbage)


@dataclass(slots=True)
class Collected:
    """What a collection did.

    Attributes:
        files, bytes: what is gone.
        linked: bytes of it that another name, in DVC's cache most likely, still holds.
        problems: why some files could not be removed.
    """

    files: int = 0
    bytes: int = 0
    linked: int = 0
    problems: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Needs:
    """What is in use, and by whom it is given up."""

    digests: set[str]
    given_up: list[GivenUp]
    missing: list[str]


def plan_gc(project: Project, retention: Retention | None = None, clock: Callable[[], float] = time.time) -> GcPlan:
    """Find what nothing refers to; changes nothing.

    Args:
        project: where.
        retention: rules that make runs give up bytes; None: they give up nothing.
        clock: seconds since the epoch, as file times are.

    Raises:
        CorruptRecordError: something cannot be read that may refer to bytes.
        StorageError: the store cannot be read.
    """
    store = open_bytes_store(project)
    return _plan(project, store, retention or Retention(), clock())


def _plan(project: Project, store: BytesStore, retention: Retention, now: float) -> GcPlan:
    from gittrack.artifacts.usage import YOUNG_SECONDS, stored_objects

    # The store is looked at first: what is stored afterwards is in no list, what is stored again gets a new time.
    here = {found.digest: found for found in stored_objects(store)}
    young = {found.digest for found in here.values() if found.written >= now - YOUNG_SECONDS}
    needs = _needs(project, store, retention)
    # The files of a young folder may be old ones that it shares: they stay with it.
    young_members, _ = with_members(store, (digest for digest in young if digest.endswith(".dir")))
    free = [found for digest, found in here.items() if digest not in needs.digests]
    garbage = [found for found in free if found.digest not in young | young_members]
    kept = [found for digest, found in here.items() if digest in needs.digests]
    return GcPlan(
        garbage=tuple(
            sorted(garbage, key=lambda found: (not found.digest.endswith(".dir"), -found.size, found.digest))
        ),
        given_up=tuple(_with_sizes(store, needs.given_up, garbage)),
        young=tuple(found for found in free if found.digest in young | young_members),
        kept=len(kept),
        kept_bytes=sum(found.size for found in kept),
        missing=tuple(needs.missing),
    )


def _needs(project: Project, store: BytesStore, retention: Retention) -> _Needs:
    for _ in range(_TRIES):
        digests = of_unfinished_runs(project)  # first: a run may end meanwhile, and is found below then
        catalog = read_catalog(project.repo)
        lost = of_lost_runs(project, catalog)
        if lost is None:
            continue  # runs came and were rolled up meanwhile
        gives: list[GivenUp] = []
        if retention.rules or retention.deleted or retention.checkpoints is not None:
            runs = [*list_runs(project, catalog=catalog).runs, *list_runs(project, catalog=catalog, deleted=True).runs]
            gives = given_up(runs, retention)
        whole = {item.run.id for item in gives if not item.paths}
        parts = {item.run.id: item.paths for item in gives if item.paths}
        found, missing = with_members(
            store, digests | lost | of_runs(project, catalog, whole, parts) | of_history(project)
        )
        return _Needs(found, gives, missing)
    raise ConflictError("runs end faster than they can be read", hint="try again when fewer are being logged")


def _with_sizes(
    store: BytesStore, lost: Sequence[GivenUp], garbage: Sequence[StoredObject]
) -> list[tuple[GivenUp, int]]:
    """What each gives up with the bytes of it that are here and would go; what gives up nothing is left out."""
    sizes = {found.digest: found.size for found in garbage}
    going: dict[str, set[str]] = {}
    result = []
    for item in lost:
        gone: set[str] = set()
        for entry in item.run.artifacts():
            if entry.storage != "pointer" or (item.paths and entry.path not in item.paths):
                continue
            if entry.digest not in going:
                going[entry.digest] = with_members(store, [entry.digest])[0] & sizes.keys()
            gone |= going[entry.digest]
        if size := sum(sizes[digest] for digest in gone):
            result.append((item, size))
    return result


def collect(
    project: Project,
    plan: GcPlan,
    retention: Retention | None = None,
    clock: Callable[[], float] = time.time,
) -> Collected:
    """Remove what a plan found, if nothing refers to it still.

    Args:
        project: where.
        plan: what was shown; nothing else is removed.
        retention: the rules it was made by.
        clock: seconds since the epoch.

    Raises:
        ConflictError: another collection is at it.
        CorruptRecordError, StorageError: as of :func:`plan_gc`; nothing was removed.
    """
    from gittrack.artifacts.usage import YOUNG_SECONDS, drop, put_back

    done = Collected()
    if not plan.garbage:
        return done
    store = open_bytes_store(project)
    with exclusive(project.layout.root / "gc.lock", wait=False) as ours:
        if not ours:
            raise ConflictError("another 'gittrack gc' is running", hint="wait for its end")
        put_back(store)
        now = clock()
        shown = {found.digest for found in plan.garbage}
        spared: set[str] = set()
        for found in _plan(project, store, retention or Retention(), now).garbage:
            if found.digest not in shown or found.digest in spared:
                continue
            try:
                if drop(store, found.digest, now - YOUNG_SECONDS):
                    done.files += 1
                    done.bytes += found.size
                    done.linked += found.size if found.linked else 0
                elif found.digest.endswith(".dir"):  # stored again just now: its files stay with it
                    spared |= with_members(store, [found.digest])[0]
            except StorageError as error:
                done.problems.append(error.message)
    return done


def relink(project: Project, *, dry_run: bool = False) -> int:
    """Make the bytes of all runs known to DVC again, after ``dvc gc`` has dropped its names for them.

    Args:
        project: where.
        dry_run: only count.

    Returns:
        How many files DVC's cache has again; 0 without a cache on the same file system.

    Raises:
        CorruptRecordError: as of :func:`plan_gc`.
        StorageError: the cache cannot be written.
    """
    from gittrack.artifacts.usage import relink as link
    from gittrack.artifacts.usage import unlinked

    store = open_bytes_store(project)
    missing = unlinked(store)
    if not missing:
        return 0
    used = _needs(project, store, Retention()).digests
    wanted = [digest for digest in missing if digest in used]
    # Files first, listings last: where DVC finds a listing, it finds its files.
    wanted.sort(key=lambda digest: digest.endswith(".dir"))
    return len(wanted) if dry_run else sum(link(store, digest) for digest in wanted)

"""Collecting artifact bytes that nothing refers to any more.

Safe beside runs that are logging and beside a second collection: what is young stays, what is stored again while it is
collected stays too (``gittrack/artifacts/usage.py``), and what is in use is found out anew right before anything goes.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import field
from typing import TYPE_CHECKING

from gittrack.api.byte_storage import open_bytes_store
from gittrack.api.bytes_in_use import RunNeeds, of_history, of_lost_runs, of_runs, of_unfinished_runs, with_members
from gittrack.api.read import list_runs
from gittrack.api.retention import GivenUp, Judged, Retention, judge
from gittrack.artifacts.given_up import read_given_up, remember_given_up
from gittrack.errors import ConflictError, GittrackError, StorageError
from gittrack.frozen import dataclass
from gittrack.store.catalog import read_catalog
from gittrack.store.locks import exclusive

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.artifacts.bytes_store import BytesStore
    from gittrack.artifacts.usage import ScratchFile, StoredObject

_TRIES = 5
"""How often what is in use is read anew when runs end and are rolled up meanwhile."""


@dataclass(frozen=True, slots=True)
class GcPlan:
    """What a collection would do.

    Attributes:
        garbage: files that nothing refers to, folders' listings first, then the largest first.
        given_up: what runs give up by rules, with the bytes of it that would go.
        losing: those of the garbage that runs give up; what else is garbage no run refers to.
        notes: what rules leave alone because they may not mean what they say; a line each.
        scratch: half-copied files that killed processes left more than a day ago.
        young: files that nothing refers to and that stay, since they were written within the last day.
        kept: how many files are in use.
        kept_bytes: their bytes.
        missing: folders of runs whose listing is not here, and which this clone did not give up.
    """

    garbage: tuple[StoredObject, ...] = ()
    given_up: tuple[tuple[GivenUp, int], ...] = ()
    losing: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()
    scratch: tuple[ScratchFile, ...] = ()
    young: tuple[StoredObject, ...] = ()
    kept: int = 0
    kept_bytes: int = 0
    missing: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        """Bytes of all that would go."""
        return sum(found.size for found in self.garbage) + sum(file.size for file in self.scratch)

    @property
    def files(self) -> int:
        """How many files would go."""
        return len(self.garbage) + len(self.scratch)


@dataclasses.dataclass(slots=True)
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


@dataclasses.dataclass(slots=True)
class _Needs:
    """What is in use, and by whom it is given up."""

    digests: set[str]
    judged: Judged
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
        UsageError: a rule that was typed ranks by a metric that no run has.
    """
    store = open_bytes_store(project)
    return _plan(project, store, retention or Retention(), clock())


def _plan(project: Project, store: BytesStore, retention: Retention, now: float) -> GcPlan:
    from gittrack.artifacts.usage import YOUNG_SECONDS, scratch_files, stored_objects

    # The store is looked at first: what is stored afterwards is in no list, what is stored again gets a new time.
    here = {found.digest: found for found in stored_objects(store)}
    young = {found.digest for found in here.values() if found.written >= now - YOUNG_SECONDS}
    needs = _needs(project, store, retention)
    # The files of a young folder may be old ones that it shares: they stay with it.
    young_members, _ = with_members(store, (digest for digest in young if digest.endswith(".dir")))
    free = [found for digest, found in here.items() if digest not in needs.digests]
    garbage = [found for found in free if found.digest not in young | young_members]
    kept = [found for digest, found in here.items() if digest in needs.digests]
    given_up, losing = _with_sizes(store, needs.judged.given_up, garbage)
    return GcPlan(
        garbage=tuple(
            sorted(garbage, key=lambda found: (not found.digest.endswith(".dir"), -found.size, found.digest))
        ),
        given_up=tuple(given_up),
        losing=frozenset(losing),
        notes=tuple(needs.judged.notes),
        scratch=tuple(file for file in scratch_files(store) if file.written < now - YOUNG_SECONDS),
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
        judged = Judged()
        if retention.rules or retention.deleted or retention.checkpoints is not None:
            runs = [*list_runs(project, catalog=catalog).runs, *list_runs(project, catalog=catalog, deleted=True).runs]
            judged = judge(runs, retention, lambda digest: _paths_in(store, digest))
        whole = {item.run.id for item in judged.given_up if not item.paths}
        parts = {item.run.id: item.paths for item in judged.given_up if item.paths}
        needs = RunNeeds(project)
        used = digests | lost | of_runs(needs, catalog, whole, parts) | of_history(project)
        found, missing = with_members(store, used)
        # Of data that a run read nobody knows here where its listing is, or whether there is one.
        known = needs.stored - read_given_up(project.layout.root)
        return _Needs(found, judged, [digest for digest in missing if digest in known])
    raise ConflictError("runs end faster than they can be read", hint="try again when fewer are being logged")


def _paths_in(store: BytesStore, folder: str) -> list[str]:
    from gittrack.artifacts.reading import read_listing

    try:
        return [file.path for file in read_listing(store, folder, folder)]
    except GittrackError:
        return []  # not here, or damaged: nothing of it goes


def _with_sizes(
    store: BytesStore, lost: Sequence[GivenUp], garbage: Sequence[StoredObject]
) -> tuple[list[tuple[GivenUp, int]], set[str]]:
    """What each gives up with the bytes of it that are here and would go, and all their digests."""
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
    return result, set().union(*going.values())


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
    from gittrack.artifacts.usage import YOUNG_SECONDS, drop, drop_scratch, put_back

    done = Collected()
    if not plan.files:
        return done
    store = open_bytes_store(project)
    with exclusive(project.layout.root / "gc.lock", wait=False) as ours:
        if not ours:
            raise ConflictError("another 'gittrack gc' is running", hint="wait for its end")
        put_back(store)
        now = clock()
        shown = {found.digest for found in plan.garbage}
        spared: set[str] = set()
        present = _plan(project, store, retention or Retention(), now)
        remember_given_up(project.layout.root, present.losing & shown)  # before they go: a kill must not make them lost
        for found in present.garbage:
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
        for file in plan.scratch:
            try:
                if drop_scratch(file, now - YOUNG_SECONDS):
                    done.files += 1
                    done.bytes += file.size
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

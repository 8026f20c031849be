"""Where the bytes of artifacts are: by experiment, run or artifact, shared ones counted once and shown as shared."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import field
from typing import TYPE_CHECKING, Literal

from gittrack.api.addressing import newest_first
from gittrack.api.byte_storage import open_bytes_store
from gittrack.api.read import all_runs
from gittrack.core.problem import Problem
from gittrack.errors import GittrackError
from gittrack.frozen import dataclass

if TYPE_CHECKING:
    from gittrack.api.gc import GcPlan
    from gittrack.api.project import Project
    from gittrack.api.saved_run import SavedRun
    from gittrack.artifacts.bytes_store import BytesStore
    from gittrack.core.records import ArtifactEntry

Grouping = Literal["experiment", "run", "artifact"]


@dataclass(frozen=True, slots=True)
class UsageRow:
    """The bytes of one experiment, run or artifact.

    Attributes:
        experiment: its present name.
        run: the run's id, ``""`` in rows of experiments.
        name: the run's name.
        path: the artifact's path, ``""`` in other rows.
        runs: how many runs.
        artifacts: how many artifacts, references left out.
        here: bytes in the store that it refers to, each file once.
        only: those of them that no other row refers to.
        shared: those that another row refers to too.
        inline: bytes of artifacts that lie in git itself, before compression, each content once.
        missing: bytes that it refers to and that are not here; of a folder without its listing all of it.
        deleted: whether the run is deleted.
        deleted_runs: how many of the runs are.
    """

    experiment: str
    run: str = ""
    name: str = ""
    path: str = ""
    runs: int = 0
    artifacts: int = 0
    here: int = 0
    only: int = 0
    shared: int = 0
    inline: int = 0
    missing: int = 0
    deleted: bool = False
    deleted_runs: int = 0


@dataclass(frozen=True, slots=True)
class DiskUsage:
    """Where the bytes are.

    Attributes:
        rows: the largest first.
        here: bytes of the whole store, half-copied files left out.
        referred: bytes of it that artifacts of runs refer to, each file once.
        unused: bytes that nothing refers to: what ``gittrack gc`` takes, most of it when it is a day old.
        young: those of them that are not.
        otherwise: bytes that something else uses: branches, tags, what runs read or had before they were continued.
        scratch: bytes of half-copied files.
        removable: bytes that ``gittrack gc`` would take now.
        inline: bytes of inline artifacts, each content once.
        missing: bytes that runs refer to and that are not here.
        problems: runs that cannot be read.
    """

    rows: tuple[UsageRow, ...]
    here: int
    referred: int
    unused: int
    inline: int
    missing: int
    problems: tuple[Problem, ...] = ()
    young: int = 0
    otherwise: int = 0
    scratch: int = 0
    removable: int = 0


@dataclasses.dataclass(slots=True)
class _Group:
    first: SavedRun
    path: str = ""
    runs: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    entries: int = 0
    pointers: dict[str, int] = field(default_factory=dict)
    inline: dict[str, int] = field(default_factory=dict)

    def count(self, run: SavedRun) -> None:
        self.runs.add(run.id)
        if run.deleted:
            self.deleted.add(run.id)

    def add(self, run: SavedRun, entry: ArtifactEntry) -> None:
        self.count(run)
        self.entries += 1
        held = self.inline if entry.storage == "inline" else self.pointers
        held[entry.digest] = entry.size or 0


def disk_usage(project: Project, by: Grouping = "experiment") -> DiskUsage:
    """Count.

    Args:
        project: where.
        by: what a row is.

    Raises:
        StorageError: the store cannot be read.
    """
    from gittrack.artifacts.usage import scratch_files, stored_objects

    store = open_bytes_store(project)
    sizes = {found.digest: found.size for found in stored_objects(store)}
    known, unread = all_runs(project)
    runs = sorted(newest_first(known.values()), key=lambda run: run.deleted)
    groups, problems = _grouped(runs, by)
    folders = _Folders(store, sizes)
    held = [folders.held(group.pointers) for group in groups]
    users: dict[str, int] = {}
    for digests, _ in held:
        for digest in digests:
            users[digest] = users.get(digest, 0) + 1
    rows = [_row(group, digests, lost, sizes, users) for group, (digests, lost) in zip(groups, held, strict=True)]
    everything = {digest: size for group in groups for digest, size in group.pointers.items()}
    inline = {digest: size for group in groups for digest, size in group.inline.items()}
    referred = sum(sizes[digest] for digest in users)
    plan, unknown = _what_goes(project)
    young = sum(found.size for found in plan.young)
    unused = young + sum(found.size for found in plan.garbage)
    return DiskUsage(
        rows=tuple(sorted(rows, key=lambda row: (-row.here - row.inline, row.experiment, row.run, row.path))),
        here=sum(sizes.values()),
        referred=referred,
        unused=unused,
        young=young,
        otherwise=0 if unknown else max(0, sum(sizes.values()) - referred - unused),
        scratch=sum(file.size for file in scratch_files(store)),
        removable=plan.bytes,
        inline=sum(inline.values()),
        missing=folders.held(everything)[1],
        problems=(*unread, *problems, *unknown),
    )


def _what_goes(project: Project) -> tuple[GcPlan, list[Problem]]:
    """What a collection would take: both are to say the same. Nothing, and why, when that cannot be known."""
    from gittrack.api.gc import GcPlan, plan_gc

    try:
        return plan_gc(project), []
    except GittrackError as error:
        return GcPlan(), [Problem("what nothing uses", error.message)]


def _grouped(runs: Iterable[SavedRun], by: Grouping) -> tuple[list[_Group], list[Problem]]:
    groups: dict[tuple[str, ...], _Group] = {}
    problems = []
    for run in runs:
        experiment = run.record.experiment.id
        try:
            entries = run.artifacts()
        except GittrackError as error:
            problems.append(Problem(f"run {run.id}", error.message))
            continue
        if by != "artifact":
            # A run without artifacts has a place in the table too.
            group = groups.setdefault((experiment,) if by == "experiment" else (experiment, run.id), _Group(run))
            group.count(run)
        for entry in entries:
            if entry.storage == "reference":
                continue
            if by == "artifact":
                group = groups.setdefault((run.id, entry.path), _Group(run, entry.path))
            group.add(run, entry)
    return list(groups.values()), problems


class _Folders:
    """Which files of the store artifacts stand for; every listing is read once."""

    def __init__(self, store: BytesStore, sizes: dict[str, int]) -> None:
        self._store = store
        self._sizes = sizes
        self._members: dict[str, frozenset[str] | None] = {}

    def held(self, pointers: dict[str, int]) -> tuple[set[str], int]:
        """The files that are here, and how many bytes are not."""
        here: set[str] = set()
        missing = 0
        for digest, size in pointers.items():
            members = self._listed(digest) if digest.endswith(".dir") else frozenset()
            present = {digest, *(members or ())} & self._sizes.keys()
            here |= present
            if not digest.endswith(".dir"):
                missing += 0 if present else size
            elif members is None:
                missing += size
            elif members - present:
                missing += max(size - sum(self._sizes[found] for found in members & present), 0)
        return here, missing

    def _listed(self, digest: str) -> frozenset[str] | None:
        from gittrack.artifacts.usage import members_of

        if digest not in self._members:
            self._members[digest] = members_of(self._store, digest)
        return self._members[digest]


def _row(group: _Group, digests: set[str], missing: int, sizes: dict[str, int], users: dict[str, int]) -> UsageRow:
    here = sum(sizes[digest] for digest in digests)
    only = sum(sizes[digest] for digest in digests if users[digest] == 1)
    alone = len(group.runs) == 1
    return UsageRow(
        experiment=group.first.record.experiment.name,
        run=group.first.id if alone else "",
        name=group.first.name if alone else "",
        path=group.path,
        runs=len(group.runs),
        artifacts=group.entries,
        here=here,
        only=only,
        shared=here - only,
        inline=sum(group.inline.values()),
        missing=missing,
        deleted=alone and group.first.deleted,
        deleted_runs=len(group.deleted),
    )

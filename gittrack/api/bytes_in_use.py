"""Which artifact bytes anything still refers to: runs, live ones and lost ones too, branches, tags, the index.

Nothing here guesses in favour of deleting: what cannot be read is an error, a hash too many only a file too many.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gittrack.core.names import display
from gittrack.core.run_tree import ARTIFACTS_FILE, INPUTS_FILE, decode_artifacts
from gittrack.core.used_digests import digests_in, digests_of_operation
from gittrack.errors import ArtifactNotFoundError, CorruptRecordError, GittrackError, StorageError
from gittrack.store.catalog import Catalog, with_earlier
from gittrack.store.done import done_runs, read_done
from gittrack.store.live import list_live
from gittrack.store.run_reader import SMALL_FILE

if TYPE_CHECKING:
    from pathlib import Path

    from gittrack.api.project import Project
    from gittrack.artifacts.bytes_store import BytesStore
    from gittrack.core.ids import ObjectId, RunId
    from gittrack.core.records import ArtifactEntry

_POINTER = ".dvc"
_ARTIFACTS = "artifacts/"


@dataclass(slots=True)
class RunNeeds:
    """What the commits of runs refer to, each tree read once.

    Attributes:
        project: where.
        stored: what pointers of artifacts name, of all commits that were read: gittrack itself stored that.
    """

    project: Project
    _pointers: dict[ObjectId, frozenset[str]] = field(default_factory=dict)
    stored: set[str] = field(default_factory=set)

    def of_commit(self, commit: ObjectId, dropped: Collection[str] = ()) -> frozenset[str]:
        """The hashes that a run commit names: its pointers, its artifacts, what it read.

        Args:
            commit: the run commit.
            dropped: paths of artifacts that it is to give up; what its tree names otherwise counts.

        Raises:
            CorruptRecordError: its tree is damaged or not all here.
        """
        objects = self.project.repo.objects
        listed: tuple[ArtifactEntry, ...] = ()
        artifacts: frozenset[str] = frozenset()
        others: frozenset[str] = frozenset()
        for entry in objects.list_tree(commit):
            if entry.path == ARTIFACTS_FILE:
                data = objects.read_blob(entry.id, SMALL_FILE)
                artifacts |= digests_in(data)
                listed = decode_artifacts(data) if dropped else ()
            elif entry.path == INPUTS_FILE:
                others |= digests_in(objects.read_blob(entry.id, SMALL_FILE))
            elif entry.path.endswith(_POINTER):
                found = self._pointer(entry.id)
                if entry.path.startswith(_ARTIFACTS):
                    artifacts |= found
                    self.stored |= found
                else:
                    others |= found
        stays = {item.digest for item in listed if item.path not in dropped}
        return (artifacts - {item.digest for item in listed if item.path in dropped}) | stays | others

    def _pointer(self, blob: ObjectId) -> frozenset[str]:
        if blob not in self._pointers:
            self._pointers[blob] = digests_in(self.project.repo.objects.read_blob(blob))
        return self._pointers[blob]


def of_unfinished_runs(project: Project) -> set[str]:
    """What live runs have logged so far. To be asked before :func:`of_runs`: a run that ends meanwhile is in both.

    Raises:
        CorruptRecordError: the journals of one cannot be read.
    """
    found: set[str] = set()
    for live in list_live(project.layout):
        if live.problem and not live.journals:
            raise CorruptRecordError(f"live run {live.id}: {live.problem}", hint="gittrack doctor")
        for contents in live.contents:
            for operation in contents.operations:
                found |= digests_of_operation(operation)
    return found


def of_lost_runs(project: Project, catalog: Catalog) -> set[str] | None:
    """What runs refer to whose ref or commit is lost, and which doctor makes again from their copies.

    Returns:
        None when a copy went while it was to be read: the catalog is older than what is stored by now.

    Raises:
        CorruptRecordError: a copy is damaged.
    """
    found: set[str] = set()
    for id, commit, path in done_runs(project.layout):
        # What a resumption continued has a copy too: it is not lost, and `of_runs` counts it with its run.
        if any(known[:16] == commit for known in with_earlier(project.repo, catalog.runs.get(id, ()))):
            continue
        try:
            journals = read_done(path)
        except CorruptRecordError:
            if not os.path.exists(path):
                return None
            raise
        for contents in journals:
            for operation in contents.operations:
                found |= digests_of_operation(operation)
    return found


def of_runs(
    needs: RunNeeds, catalog: Catalog, given_up: Collection[RunId], dropped: Mapping[RunId, Collection[str]]
) -> set[str]:
    """What the runs refer to, with the commits that resumptions continued.

    Args:
        needs: reads them.
        catalog: what git holds.
        given_up: runs that keep none of their bytes.
        dropped: run -> paths of artifacts that it gives up.

    Raises:
        CorruptRecordError: something in a ledger or a run cannot be read, so that what it needs is not known.
    """
    if catalog.problems:
        first = catalog.problems[0]
        text = f"not every run can be read, so what they need is not known: {first.where}: {first.reason}"
        raise CorruptRecordError(text, hint="gittrack fsck")
    found: set[str] = set()
    for id, commits in catalog.runs.items():
        if id in given_up:
            continue
        for commit in dict.fromkeys(with_earlier(needs.project.repo, commits)):
            try:
                found |= needs.of_commit(commit, dropped.get(id, ()))
            except GittrackError as error:
                text = f"what run {id[:8]} needs is not known: {display(error.message, 300)}"
                raise CorruptRecordError(text, hint="gittrack fsck") from error
    return found


def of_history(project: Project) -> set[str]:
    """What branches, tags, stashes and worktrees refer to, over their whole history: ``*.dvc`` and ``dvc.lock``.

    A registered version is a tag on a run's commit: what it points to stays, whatever rules say.

    Raises:
        CorruptRecordError, GitProgramError: the history cannot be read.
        StorageError: a file of a worktree cannot be read.
    """
    from gittrack.git.pointer_blobs import pointer_blobs, pointer_files

    found: set[str] = set()
    for blob in pointer_blobs(project.repo):
        found |= digests_in(project.repo.objects.read_blob(blob))
    for file in pointer_files(project.repo):
        found |= digests_in(_read(file))
    return found


def _read(file: Path) -> bytes:
    from gittrack.artifacts.taking import open_regular

    try:
        opened, _ = open_regular(file)
        with open(opened, "rb") as stream:
            return stream.read()
    except ArtifactNotFoundError:  # deleted in the worktree, or something that tracks no data
        return b""
    except OSError as error:
        raise StorageError(f"cannot read '{file}': {error.strerror}", hint=f"ls -l {file}") from error


def with_members(store: BytesStore, digests: Iterable[str]) -> tuple[set[str], list[str]]:
    """Hashes, and those of the files of every folder among them.

    Returns:
        The hashes, and the folders whose listing is not here.
    """
    from gittrack.artifacts.usage import members_of

    found, missing = set(digests), []
    for digest in sorted(digest for digest in found if digest.endswith(".dir")):
        members = members_of(store, digest)
        if members is None:
            missing.append(digest)
        else:
            found |= members
    return found, missing

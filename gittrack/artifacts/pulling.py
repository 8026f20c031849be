"""Bytes on their way here from a place elsewhere."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from uuid import uuid4

from gittrack.artifacts.bytes_store import BytesStore, hint_of
from gittrack.artifacts.reading import read_listing
from gittrack.artifacts.remote import Errand, Refusals, Remote, Told
from gittrack.artifacts.taking import hash_file
from gittrack.artifacts.transfer import FolderPlan, Tally, ToldProgress, Transfer, Wanted, chunks, counted, size_here
from gittrack.core.folder_listing import MAX_LISTING_BYTES, ListedFile, decode_listing
from gittrack.core.names import display
from gittrack.errors import ArtifactNotFoundError, CorruptRecordError, GittrackError, StorageError

_KEEPERS = 8


def pull(
    store: BytesStore,
    remote: Remote,
    wanted: Iterable[Wanted],
    told: ToldProgress | None = None,
    *,
    check: bool = False,
) -> Transfer:
    """Bring objects here that are not here yet.

    Args:
        store: where to.
        remote: where they are.
        wanted: which; of a folder all its files.
        told: told of progress, from several threads, one at a time.
        check: hash what is here too, and bring anew what is damaged.

    Returns:
        What was done. What arrives gets its name only when it is what its hash says.
    """
    with _Incoming(store) as incoming:
        return _Pull(store, remote, incoming, Tally(told), check).run(wanted)


def fetch_listing(store: BytesStore, remote: Remote, digest: str, what: str) -> tuple[ListedFile, ...]:
    """The files of a folder whose listing is not here; it is not kept: the folder is not here as a whole.

    Raises:
        ArtifactNotFoundError, RemoteError: the remote does not give it.
        CorruptRecordError: it is damaged.
    """
    with _Incoming(store) as incoming:
        errand = Errand(digest, incoming.name(), what)
        refused = remote.fetch([errand], lambda _: None)
        if digest in refused:
            raise refused[digest]
        return _listing(remote, errand.path, digest, what)


@dataclass(slots=True)
class _Pull:
    """One pull: the folders' listings first, which say what there is, then the files; the listings are kept last."""

    store: BytesStore
    remote: Remote
    incoming: _Incoming
    tally: Tally
    check: bool
    files: dict[str, str] = field(default_factory=dict)
    present: set[str] = field(default_factory=set)
    folders: dict[str, tuple[FolderPlan, str]] = field(default_factory=dict)
    damaged: set[str] = field(default_factory=set)
    stopped: bool = False

    def run(self, wanted: Iterable[Wanted]) -> Transfer:
        self._plan({each.digest: each for each in wanted})
        missing = {digest: what for digest, what in self.files.items() if digest not in self.present}
        self.tally.present += len(self.present)
        self.tally.count = len(missing)
        if self.stopped:
            self.tally.untried += len(missing)
        else:
            self._each(missing, self._taken, self.tally.passed, _KEEPERS)
        for digest, (folder, path) in self.folders.items():
            if folder.members <= self.present:
                self._keep_listing(digest, folder.what, path)
        self.tally.tell()
        return self.tally.result()

    def _keep_listing(self, digest: str, what: str, path: str) -> None:
        try:
            size = os.path.getsize(path)
            self._keep(digest, path)
        except OSError as error:  # after a pull of days somebody may have cleared what he took for left behind
            text = f"cannot store the listing of '{what}': {error.strerror}"
            self.tally.fail(digest, what, StorageError(text, hint="gittrack artifact pull"))
            return
        self.tally.moved_size += size
        self.tally.moved += 1

    def _plan(self, wanted: Mapping[str, Wanted]) -> None:
        listings: dict[str, str] = {}
        for digest, each in wanted.items():
            self.tally.size += each.size or 0
            if not digest.endswith(".dir"):
                self._add_file(digest, each.what, each.size)
            elif (members := self._members_here(each)) is None:
                listings[digest] = each.what
            else:
                self.tally.present += 1
                self._add_members(each.what, members)
        self._each(listings, self._take_listing, lambda _: None, 1)  # one at a time: it fills what is shared

    def _members_here(self, wanted: Wanted) -> Sequence[ListedFile] | None:
        if not self.store.has(wanted.digest):
            return None
        try:
            return read_listing(self.store, wanted.digest, wanted.what)
        except CorruptRecordError:
            self.damaged.add(wanted.digest)
            return None

    def _add_members(self, what: str, members: Iterable[ListedFile]) -> None:
        for member in members:
            self._add_file(member.digest, f"{what}/{display(member.path, 200)}")

    def _add_file(self, digest: str, what: str, size: int | None = None) -> None:
        if digest in self.files:
            return
        self.files[digest] = what
        here = size_here(self.store, digest)
        if here is None:
            return
        # A run may name any size: only the hash says what is damaged.
        doubted = self.check or (size is not None and here != size)
        if doubted and _digest_of(self.store.path(digest)) != digest:  # it stays until there is better
            self.damaged.add(digest)
        else:
            self.present.add(digest)
            self.tally.size -= here

    def _take_listing(self, errand: Errand) -> int | GittrackError:
        try:
            members = _listing(self.remote, errand.path, errand.digest, errand.what)
        except GittrackError as error:
            return error
        self._add_members(errand.what, members)
        plan = FolderPlan(errand.what, frozenset(member.digest for member in members))
        self.folders[errand.digest] = plan, errand.path
        return os.path.getsize(errand.path)

    def _each(
        self, wanted: Mapping[str, str], take: Callable[[Errand], int | GittrackError], told: Told, workers: int
    ) -> None:
        """Fetch objects, and take what arrived: a number of bytes, or what is wrong with it."""
        errands = [Errand(digest, self.incoming.name(), what) for digest, what in wanted.items()]
        for chunk, rest in chunks(errands):
            refused = self._told_of_damage(chunk, self.remote.fetch(chunk, told))
            came = [errand for errand in chunk if errand.digest not in refused]
            with ThreadPoolExecutor(workers) as pool:
                taken = list(pool.map(take, came))
            for errand, size in zip(came, taken, strict=True):
                if isinstance(size, GittrackError):
                    refused[errand.digest] = size
                    continue
                if errand.digest in self.files:  # a listing has not moved before its files have
                    self.present.add(errand.digest)
                    self.tally.moved += 1
                    self.tally.moved_size += size
            if counted(chunk, refused, self.tally, rest):
                self.stopped = True
                break

    def _taken(self, errand: Errand) -> int | GittrackError:
        """Give what arrived its name, when it is what was asked for: its size, or what is wrong."""
        try:
            if _digest_of(errand.path) != errand.digest:
                return _damaged_there(self.remote, errand.digest, errand.what)
            size = os.path.getsize(errand.path)
            self._keep(errand.digest, errand.path)
        except GittrackError as error:
            return error
        except OSError as error:
            return StorageError(f"cannot store '{errand.what}': {error.strerror}", hint=hint_of(error))
        finally:
            with contextlib.suppress(OSError):
                os.unlink(errand.path)
        return size

    def _keep(self, digest: str, path: str) -> None:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            self.store.keep(file, path, digest)  # in place of what is damaged here
        finally:
            os.close(file)

    def _told_of_damage(self, chunk: Sequence[Errand], refused: Refusals) -> Refusals:
        """Of what is damaged here and not there at all, say both."""
        for errand in chunk:
            if errand.digest in self.damaged and isinstance(refused.get(errand.digest), ArtifactNotFoundError):
                text = f"the bytes of '{errand.what}' are damaged here, and not at '{self.remote.shown}': they stay"
                hint = "gittrack artifact push, where they are sound"
                refused[errand.digest] = CorruptRecordError(text, hint=hint)
        return refused


def _listing(remote: Remote, path: str, digest: str, what: str) -> tuple[ListedFile, ...]:
    if os.path.getsize(path) > MAX_LISTING_BYTES or _digest_of(path) != digest.removesuffix(".dir"):
        raise _damaged_there(remote, digest, what)
    with open(path, "rb") as file:
        return decode_listing(file.read())


def _digest_of(path: str | Path) -> str:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return hash_file(file)[1]
    finally:
        os.close(file)


def _damaged_there(remote: Remote, digest: str, what: str) -> CorruptRecordError:
    text = f"the bytes of '{what}' are damaged at the remote, in '{remote.place(digest)}': they are not taken"
    return CorruptRecordError(text, hint="remove that file there, then gittrack artifact push, where they are sound")


class _Incoming:
    """Free names inside the store for what arrives; what is left of them is removed at the end."""

    def __init__(self, store: BytesStore) -> None:
        self._folder = store.root / "tmp"
        self._prefix = uuid4().hex
        self._count = 0

    def __enter__(self) -> Self:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"cannot write '{self._folder}': {error.strerror}", hint=hint_of(error)) from error
        return self

    def __exit__(self, *_: object) -> None:
        for path in self._folder.glob(f"{self._prefix}-*"):
            with contextlib.suppress(OSError):
                path.unlink()

    def name(self) -> str:
        self._count += 1
        return str(self._folder / f"{self._prefix}-{self._count}")

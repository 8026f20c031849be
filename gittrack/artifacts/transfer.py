"""Moving bytes between our store and a place elsewhere: only what is missing, folders last, every byte checked.

Killed at any moment, it has moved whole objects and nothing else: the next call moves the rest. The listing of a folder
goes after all its files in both directions, so where a listing is, its folder is whole.
"""

from __future__ import annotations

import dataclasses
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import field

from gittrack.artifacts.bytes_store import BytesStore
from gittrack.artifacts.remote import Errand, Refusals
from gittrack.errors import GittrackError, RemoteError, StorageError
from gittrack.frozen import dataclass

CHUNK = 64
"""Objects moved at once. When a whole chunk fails by the remote, nothing more is tried."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """An object that should be here, or there.

    Attributes:
        digest: ``md5:<hex>``; with ``.dir`` at its end of a folder, with all its files.
        what: the artifact, for messages.
        size: bytes, of a folder all its files together; None when unknown.
    """

    digest: str
    what: str
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """An object that was not moved, and why."""

    digest: str
    what: str
    error: GittrackError


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a transfer is. ``size`` is 0 as long as nobody knows how many bytes there are."""

    done: int
    count: int
    moved: int
    size: int


@dataclass(frozen=True, slots=True)
class Transfer:
    """What a transfer did.

    Attributes:
        moved: objects that were moved.
        size: their bytes.
        present: objects that were where they should be already.
        failures: what was not moved.
        untried: objects that were not tried because everything before them failed.
        given_up: objects that were not moved because ``gittrack gc`` gave them up here, by rules: no failure.
        remotes: the places, as they may be shown.
    """

    moved: int = 0
    size: int = 0
    present: int = 0
    failures: tuple[Failure, ...] = ()
    untried: int = 0
    given_up: int = 0
    remotes: tuple[str, ...] = ()


ToldProgress = Callable[[Progress], None]


@dataclasses.dataclass(slots=True)
class Tally:
    """What has been done so far; told of from several threads."""

    told: ToldProgress | None
    count: int = 0
    size: int = 0
    done: int = 0
    bytes: int = 0
    moved: int = 0
    moved_size: int = 0
    present: int = 0
    untried: int = 0
    failures: dict[str, Failure] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def passed(self, count: int) -> None:
        """Some bytes have been moved."""
        with self.lock:
            self.bytes += count
        self.tell()

    def tell(self) -> None:
        """Tell whoever wants to know how far it is."""
        if self.told is None:
            return
        with self.lock:
            moved = max(self.bytes, self.moved_size)  # not every file system tells of the bytes on their way
            self.told(Progress(self.done, self.count, moved, max(self.size, moved) if self.size else 0))

    def fail(self, digest: str, what: str, error: GittrackError) -> None:
        """Something was not moved; the first reason counts."""
        self.failures.setdefault(digest, Failure(digest, what, error))

    def result(self) -> Transfer:
        """What it all came to."""
        return Transfer(self.moved, self.moved_size, self.present, tuple(self.failures.values()), self.untried)


@dataclass(frozen=True, slots=True)
class FolderPlan:
    """A folder to move: what it is in messages, and the digests of its files."""

    what: str
    members: frozenset[str]


def chunks(errands: Sequence[Errand]) -> Iterator[tuple[Sequence[Errand], int]]:
    """The errands in chunks, each with how many come after it."""
    for start in range(0, len(errands), CHUNK):
        chunk = errands[start : start + CHUNK]
        yield chunk, len(errands) - start - len(chunk)


def counted(chunk: Sequence[Errand], refused: Refusals, tally: Tally, rest: int) -> bool:
    """Count what a chunk came to; returns whether to stop: everything failed, and by the remote."""
    for errand in chunk:
        if errand.digest in refused:
            tally.fail(errand.digest, errand.what, refused[errand.digest])
    tally.done = min(tally.done + len(chunk), tally.count)
    tally.tell()
    stops = all(isinstance(refused.get(errand.digest), RemoteError | StorageError) for errand in chunk)
    tally.untried += rest if stops else 0
    return stops


def size_here(store: BytesStore, digest: str) -> int | None:
    """How many bytes of a digest are here; None when there is nothing of it."""
    try:
        return os.stat(store.path(digest)).st_size
    except OSError:
        return None

"""What lies in the store of artifact bytes, and dropping what nothing needs.

A file is dropped in three steps: it is moved aside, looked at once more, removed. Whoever stores the same bytes again
meanwhile either renews the file's time before it is moved (then it comes back) or finds nothing and stores it anew; a
kill between the steps leaves a file aside that :func:`put_back` brings back.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from gittrack.artifacts.bytes_store import BytesStore, hint_of, link_missing
from gittrack.core.folder_listing import MAX_LISTING_BYTES
from gittrack.core.records import ARTIFACT_DIGEST
from gittrack.core.used_digests import digests_in
from gittrack.errors import StorageError

ASIDE = "dropping"
YOUNG_SECONDS = 86_400.0
"""A file written or asked for this recently may belong to a run that has not said so yet."""


class StoredObject(NamedTuple):
    """A file of the store.

    Attributes:
        digest: ``md5:<hex>``, of a folder's listing with ``.dir``.
        size: bytes.
        written: when it was written or last stored again, seconds since the epoch.
        linked: whether it has another name too, in DVC's cache most likely: dropping it frees nothing yet.
    """

    digest: str
    size: int
    written: float
    linked: bool


def stored_objects(store: BytesStore) -> Iterator[StoredObject]:
    """Everything in the store, in no order.

    Raises:
        StorageError: a folder of it cannot be read.
    """
    top = store.root / "files" / "md5"
    for folder in _folders(top):
        try:
            for entry in list(os.scandir(folder)):
                digest = f"md5:{folder.name}{entry.name}"
                if ARTIFACT_DIGEST.fullmatch(digest):
                    with contextlib.suppress(FileNotFoundError):
                        state = entry.stat(follow_symlinks=False)
                        yield StoredObject(digest, state.st_size, state.st_mtime, state.st_nlink > 1)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise StorageError(f"cannot read '{folder}': {error.strerror}", hint=hint_of(error)) from error


def _folders(top: Path) -> list[Path]:
    try:
        return [Path(entry.path) for entry in list(os.scandir(top)) if len(entry.name) == 2 and entry.is_dir()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StorageError(f"cannot read '{top}': {error.strerror}", hint=hint_of(error)) from error


class ScratchFile(NamedTuple):
    """A file that is being written, or was when its process was killed: where, and how many bytes."""

    path: Path
    size: int
    written: float


def scratch_files(store: BytesStore) -> list[ScratchFile]:
    """Temporary files of the store.

    Raises:
        StorageError: their folder cannot be read.
    """
    found = []
    folder = store.root / "tmp"
    try:
        for entry in list(os.scandir(folder)):
            with contextlib.suppress(FileNotFoundError):
                state = entry.stat(follow_symlinks=False)
                if entry.is_file(follow_symlinks=False):
                    found.append(ScratchFile(Path(entry.path), state.st_size, state.st_mtime))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StorageError(f"cannot read '{folder}': {error.strerror}", hint=hint_of(error)) from error
    return sorted(found)


def drop_scratch(file: ScratchFile, older_than: float) -> bool:
    """Remove a temporary file, unless it was written to since; whether it is gone by this call.

    Raises:
        StorageError: it cannot be removed.
    """
    try:
        if os.stat(file.path).st_mtime >= older_than:
            return False
        os.unlink(file.path)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StorageError(f"cannot remove '{file.path}': {error.strerror}", hint=hint_of(error)) from error
    return True


def members_of(store: BytesStore, digest: str) -> frozenset[str] | None:
    """The hashes that a folder's listing names, read here or in DVC's cache; None when it is in neither.

    Damaged or not, every hash in it counts.

    Raises:
        StorageError: it cannot be read.
    """
    for place in store.places(digest):
        try:
            with open(place, "rb") as file:
                return digests_in(file.read(MAX_LISTING_BYTES))
        except FileNotFoundError:
            continue
        except OSError as error:
            raise StorageError(f"cannot read '{place}': {error.strerror}", hint=hint_of(error)) from error
    return None


def drop(store: BytesStore, digest: str, older_than: float) -> bool:
    """Remove a file of the store, unless it was written or stored again since.

    Args:
        store: where.
        digest: which.
        older_than: seconds since the epoch: what is younger stays.

    Returns:
        Whether it is gone by this call.

    Raises:
        StorageError: it cannot be removed; it is where it was.
    """
    place = store.path(digest)
    aside = store.root / ASIDE / f"{digest.removeprefix('md5:')}-{uuid4().hex[:8]}"
    try:
        aside.parent.mkdir(exist_ok=True)
        store.note_removal()
        os.rename(place, aside)
        if os.stat(aside).st_mtime >= older_than:
            _return(aside, place)
            return False
        os.unlink(aside)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StorageError(f"cannot remove '{place}': {error.strerror}", hint=hint_of(error)) from error
    return True


def put_back(store: BytesStore) -> int:
    """Bring back what a killed :func:`drop` left aside; how many files.

    Raises:
        StorageError: the store cannot be written.
    """
    count = 0
    folder = store.root / ASIDE
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise StorageError(f"cannot read '{folder}': {error.strerror}", hint=hint_of(error)) from error
    for name in names:
        digest = "md5:" + name.partition("-")[0]
        if ARTIFACT_DIGEST.fullmatch(digest):
            try:
                _return(folder / name, store.path(digest))
                count += 1
            except FileNotFoundError:
                continue  # whoever moved it aside went on
            except OSError as error:
                raise StorageError(f"cannot move '{folder / name}': {error.strerror}", hint=hint_of(error)) from error
    return count


def _return(aside: Path, place: Path) -> None:
    """Give a file its place again; what was stored there meanwhile stays."""
    with contextlib.suppress(FileExistsError):
        os.link(aside, place)
    os.unlink(aside)


def aside_count(store: BytesStore) -> int:
    """How many files a killed :func:`drop` left aside."""
    try:
        return len(os.listdir(store.root / ASIDE))
    except OSError:
        return 0


def unlinked(store: BytesStore) -> list[str]:
    """What is here and not in DVC's cache, sorted; empty without a cache, or when it is on another file system."""
    if store.dvc_cache is None or not _same_file_system(store.root, store.dvc_cache):
        return []
    return sorted(
        found.digest for found in stored_objects(store) if not os.path.lexists(store.places(found.digest)[-1])
    )


def _same_file_system(one: Path, other: Path) -> bool:
    found = next((place for place in (other, *other.parents) if place.exists()), one)
    try:
        return os.stat(one).st_dev == os.stat(found).st_dev
    except OSError:
        return False  # there is no store yet


def relink(store: BytesStore, digest: str) -> bool:
    """Make bytes known to DVC again, a folder's listing like a file; whether DVC's cache has them now.

    Raises:
        StorageError: the cache cannot be written.
    """
    try:
        return link_missing(store, digest)
    except OSError as error:
        raise StorageError(f"cannot write '{store.dvc_cache}': {error.strerror}", hint=hint_of(error)) from error

"""A directory as the place elsewhere: a mounted disk, a network share. Needs nothing but the standard library."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

from gittrack.artifacts.bytes_store import BLOCK, TRUSTED, BytesStore, hint_of
from gittrack.artifacts.remote import Errand, Refusals, Told
from gittrack.artifacts.taking import open_regular, write_all
from gittrack.core.dvc_yaml import REMOTE_PREFIX
from gittrack.errors import ArtifactNotFoundError, CorruptRecordError, GittrackError, RemoteError
from gittrack.frozen import dataclass

_JOBS = 8
_PERMISSIONS = 0o2777
_LEFT_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class DirectoryRemote:
    """Bytes below a directory.

    Attributes:
        directory: the directory as it was named.
        root: the folder in it that is ours.
    """

    directory: Path
    root: Path

    @classmethod
    def open(cls, directory: Path, *, to_send: bool) -> DirectoryRemote:
        """Open it; made when something is to be sent and only its last part is missing.

        A directory that is missing altogether is most likely a typing mistake, or a disk that is not mounted.

        Raises:
            RemoteError: it is not there, or is no directory.
        """
        try:
            if to_send and not directory.exists() and directory.parent.is_dir():
                directory.mkdir()
        except OSError as error:
            text = f"cannot make the remote '{directory}': {error.strerror}"
            raise RemoteError(text, hint=hint_of(error)) from error
        if not directory.is_dir():
            what = "is no directory" if directory.exists() else "is not there"
            hint = f"mount its disk, or: mkdir -p {shlex.quote(str(directory))}"
            if in_the_way := next((each for each in (directory, *directory.parents) if each.is_file()), None):
                hint = f"'{in_the_way}' is a file; name a directory"
            raise RemoteError(f"the remote '{directory}' {what}", hint=hint)
        remote = cls(directory, directory / REMOTE_PREFIX)
        if to_send:
            remote._clear_left_files()
        return remote

    @property
    def shown(self) -> str:
        """Its path."""
        return str(self.directory)

    def place(self, digest: str) -> str:
        """Where it holds a digest; see ``Remote``."""
        return str(BytesStore(self.root).path(digest))

    def present(self, sizes: Mapping[str, int | None]) -> set[str]:
        """Which of these digests it holds, with as many bytes as they must have; see ``Remote``."""
        there = BytesStore(self.root)
        return {digest for digest, size in sizes.items() if there.has(digest, size)}

    def send(self, errands: Sequence[Errand], told: Told) -> Refusals:
        """Put objects there; see ``Remote``."""
        return _each(errands, lambda errand: self._send(errand, told))

    def fetch(self, errands: Sequence[Errand], told: Told) -> Refusals:
        """Bring objects here; see ``Remote``."""
        return _each(errands, lambda errand: self._fetch(errand, told))

    def _clear_left_files(self) -> None:
        """Remove what killed processes left half-written, on whatever machine: not written to for a day."""
        with contextlib.suppress(OSError):  # others' files may not be ours to remove
            for entry in list(os.scandir(self.root / "tmp")):
                if time.time() - entry.stat().st_mtime > _LEFT_SECONDS:
                    os.unlink(entry.path)

    def _send(self, errand: Errand, told: Told) -> None:
        source, _ = open_regular(errand.path)
        try:
            with self._appearing(errand.digest) as target:
                if _copied(source, target, told) != errand.digest.removesuffix(".dir"):
                    text = f"the bytes of '{errand.what}' here are damaged; they are not pushed"
                    raise CorruptRecordError(text, hint="gittrack fsck")
        except OSError as error:
            raise _failed("write to", self.directory, error) from error
        finally:
            os.close(source)

    def _fetch(self, errand: Errand, told: Told) -> None:
        try:
            source, _ = open_regular(BytesStore(self.root).path(errand.digest))
        except ArtifactNotFoundError as error:
            text = f"the bytes of '{errand.what}' are not at '{self.directory}'"
            raise ArtifactNotFoundError(text, hint="gittrack artifact push, where they are") from error
        except OSError as error:
            raise _failed("read", self.directory, error) from error
        try:
            target = os.open(errand.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
            try:
                _copied(source, target, told)
            finally:
                os.close(target)
        except OSError as error:
            raise _failed("copy from", self.directory, error) from error
        finally:
            os.close(source)

    @contextlib.contextmanager
    def _appearing(self, digest: str) -> Iterator[int]:
        """A file open for writing that takes its place when all went well and it is on the disk, else is gone."""
        place = BytesStore(self.root).path(digest)
        temporary = self.root / "tmp" / uuid4().hex
        self._made(temporary.parent)
        file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            try:
                yield file
                os.fchmod(file, TRUSTED)
                os.fsync(file)
            finally:
                os.close(file)
            self._made(place.parent)
            os.replace(temporary, place)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)

    def _made(self, folder: Path) -> None:
        """Make a folder with the permissions of the directory: whoever may write there may write in all of it."""
        if folder.is_dir():
            return
        if folder != self.directory:
            self._made(folder.parent)
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
            with contextlib.suppress(PermissionError):
                folder.chmod(self.directory.stat().st_mode & _PERMISSIONS)


def _each(errands: Sequence[Errand], act: Callable[[Errand], None]) -> Refusals:
    refused: Refusals = {}

    def one(errand: Errand) -> None:
        try:
            act(errand)
        except GittrackError as error:
            refused[errand.digest] = error

    with ThreadPoolExecutor(min(_JOBS, max(1, len(errands)))) as pool:
        for _ in pool.map(one, errands):
            pass
    return refused


def _copied(source: int, target: int, told: Told) -> str:
    """Copy an open file and give the digest of what was copied."""
    md5 = hashlib.md5(usedforsecurity=False)
    while data := os.read(source, BLOCK):
        md5.update(data)
        write_all(target, data)
        told(len(data))
    return "md5:" + md5.hexdigest()


def _failed(what: str, directory: Path, error: OSError) -> RemoteError:
    text = f"cannot {what} the remote '{directory}': {(error.strerror or str(error)).lower()}"
    return RemoteError(text, hint=hint_of(error))

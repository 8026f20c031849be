"""The digests of the user's data, computed once and remembered for as long as the file system says nothing has changed.

A file is known by inode, size and times, a folder by those of all its files; both by their real path. What is known
lies under ``<common git dir>/gittrack/known-data``: derived, safe to lose, each entry a file that appears whole. A file
that was written within the last two seconds is not remembered: it may be written again without its times telling.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import stat
import struct
import time
from collections.abc import Callable, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any
from uuid import uuid4

from gittrack.artifacts.bytes_store import BLOCK, hint_of
from gittrack.artifacts.taking import open_regular
from gittrack.core.folder_listing import ListedFile, encode_listing
from gittrack.errors import ArtifactNotFoundError, GittrackError, StorageError
from gittrack.frozen import dataclass

SETTLED_NS = 2_000_000_000
MOST_ENTRIES = 4_000
_SAVE_SECONDS = 5.0
_CACHED = re.compile(r"/[0-9a-f]{2}/[0-9a-f]{30}\Z")
"""How the path of a file in a cache of DVC ends, to which it links data where it is told to."""
_pack = struct.Struct("<Q4q").pack

Stamp = tuple[int, int, int, int, int]
"""Device, inode, size, mtime and ctime in ns."""


class StoppedError(Exception):
    """Whoever asked no longer wants the answer, or may not spend more bytes on it."""


@dataclass(frozen=True, slots=True)
class DataDigest:
    """The content of a file or folder.

    Attributes:
        digest: ``md5:<32 hex>``; of a folder ``md5:<32 hex>.dir``, as DVC names it.
        size: bytes, of a folder those of all its files.
        files: how many files, None for a file.
        settled: whether it stood still while it was read.
    """

    digest: str
    size: int
    files: int | None = None
    settled: bool = True


Spend = Callable[[int], None]
"""Told before each file how many bytes are about to be read, and 0 after each block; raises StoppedError to stop."""


def spend_freely(count: int) -> None:
    """Read whatever there is to read."""


class KnownDigests:
    """Digests of files and folders, remembered.

    Args:
        root: the folder of the entries.
        now: the clock, ns since the epoch.
        most: entries that are kept; beyond, the oldest half goes.
    """

    def __init__(self, root: Path, now: Callable[[], int] = time.time_ns, most: int = MOST_ENTRIES) -> None:
        self._root = root
        self._now = now
        self._most = most

    def of(self, place: Path, spend: Spend = spend_freely, within: Path | None = None) -> DataDigest:
        """The digest of what lies at a path: a file, or a folder with all its files.

        Links to files stand for the files; links to folders inside a folder, and ``.git``, are left out, as DVC does.

        Args:
            place: the path.
            spend: asked before bytes are read.
            within: a folder that no link may lead out of, but into a cache of DVC: so that a hash of something else on
                this machine never gets into a run, whatever links a repository holds. None: somebody named the path.

        Raises:
            ArtifactNotFoundError: nothing is there, or neither a file nor a folder.
            StorageError: something of it cannot be read, or a link leads out of ``within``.
            StoppedError: ``spend`` said so; what was hashed until then is remembered.
        """
        if within is not None:
            _check_way(str(place), within)
        return self._folder(place, spend, within) if place.is_dir() else self._file(place, spend)

    def _file(self, place: Path, spend: Spend) -> DataDigest:
        try:
            file, state = open_regular(place)
        except OSError as error:
            raise _unreadable(place, error) from error
        try:
            stamp = _stamp(state)
            entry = self._entry(place)
            known = self._read(entry)
            if known.get("stamp") == list(stamp) and isinstance(known.get("digest"), str):
                return DataDigest(known["digest"], state.st_size)
            began = self._now()
            digest = _hash(file, state.st_size, spend)
            settled = _stamp(os.fstat(file)) == stamp
        except OSError as error:
            raise _unreadable(place, error) from error
        finally:
            os.close(file)
        if settled and _is_old(stamp, began):
            self._write(entry, {"stamp": stamp, "digest": digest})
        return DataDigest(digest, state.st_size, settled=settled)

    def _folder(self, place: Path, spend: Spend, within: Path | None) -> DataDigest:
        found = _files_of(place, within)
        size = sum(state.st_size for _, state in found)
        fingerprint = _fingerprint(found)
        entry = self._entry(place)
        known = self._read(entry)
        if known.get("fingerprint") == fingerprint and isinstance(known.get("digest"), str):
            return DataDigest(known["digest"], size, len(found))
        began = self._now()
        members = _Members(self, entry.with_name(entry.name + ".files"), began)
        try:
            listed = [ListedFile(path, members.digest(place / path, path, state, spend)) for path, state in found]
        except BaseException:
            members.save(whole=False)
            raise
        members.save()
        digest = encode_listing(listed)[1]
        settled = members.settled and _fingerprint(_files_of(place, within)) == fingerprint
        if settled and all(_is_old(_stamp(state), began) for _, state in found):
            self._write(entry, {"fingerprint": fingerprint, "digest": digest})
        return DataDigest(digest, size, len(found), settled)

    def _entry(self, place: Path) -> Path:
        name = hashlib.blake2b(os.fsencode(os.path.realpath(place)), digest_size=16).hexdigest()
        return self._root / name

    def _read(self, entry: Path) -> dict[str, Any]:
        try:
            known = json.loads(entry.read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}  # it is only a short cut
        return known if isinstance(known, dict) else {}

    def _write(self, entry: Path, known: dict[str, Any]) -> None:
        temporary = entry.with_name(f".{uuid4().hex}")
        try:
            try:
                temporary.write_bytes(json.dumps(known).encode())
            except FileNotFoundError:
                self._root.mkdir(parents=True, exist_ok=True)
                temporary.write_bytes(json.dumps(known).encode())
            os.replace(temporary, entry)
            self._prune()
        except OSError:  # a full disk, no permission: it is hashed again next time
            with contextlib.suppress(OSError):
                temporary.unlink()

    def _prune(self) -> None:
        names = os.listdir(self._root)
        if len(names) > self._most:
            paths = [self._root / name for name in names]
            with contextlib.suppress(OSError):  # another process prunes too
                for path in sorted(paths, key=lambda path: path.stat().st_mtime)[: len(paths) // 2]:
                    path.unlink(missing_ok=True)


class _Members:
    """The digests of the files of one folder: those that did not change since are not read again."""

    def __init__(self, digests: KnownDigests, entry: Path, began: int) -> None:
        self._digests = digests
        self._entry = entry
        self._began = began
        known = digests._read(entry).get("files")
        self._known: dict[str, Any] = known if isinstance(known, dict) else {}
        self._kept: dict[str, Any] = {}
        self._saved = time.monotonic()
        self.settled = True

    def digest(self, place: Path, path: str, state: os.stat_result, spend: Spend) -> str:
        stamp = _stamp(state)
        known = self._known.get(path)
        if isinstance(known, list) and known[:-1] == list(stamp) and isinstance(known[-1], str):
            self._kept[path] = known
            return known[-1]
        try:
            source, opened = open_regular(place)
            try:
                digest = _hash(source, opened.st_size, spend)
                settled = _stamp(opened) == stamp == _stamp(os.fstat(source))
            finally:
                os.close(source)
        except OSError as error:
            raise _unreadable(place, error) from error
        self.settled &= settled
        if settled and _is_old(stamp, self._began):
            self._kept[path] = [*stamp, digest]
        if time.monotonic() - self._saved > _SAVE_SECONDS:  # what a kill may undo stays little
            self.save(whole=False)
        return digest

    def save(self, *, whole: bool = True) -> None:
        """Remember what is known; when the folder has not been gone through, of the rest what was known before."""
        self._digests._write(self._entry, {"files": self._kept if whole else {**self._known, **self._kept}})
        self._saved = time.monotonic()


Found = tuple[str, os.stat_result]
"""A file of a folder: its path there, and what the file system says of it."""


def _check_way(place: str, within: Path) -> None:
    real = os.path.realpath(place)
    top = os.path.realpath(within)
    if not f"{real}/".startswith(f"{top}/") and not _CACHED.search(real):
        raise StorageError(f"'{place}' leads out of '{within}'", hint="gittrack.log_input(path) reads it all the same")


def _files_of(root: Path, within: Path | None) -> list[Found]:
    """Every regular file below a folder, sorted by path. Every line was measured: this is what each run pays."""
    found: list[Found] = []
    waiting = [(str(root), "")]
    is_regular = stat.S_ISREG
    try:
        while waiting:
            folder, prefix = waiting.pop()
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        if entry.name != ".git":
                            waiting.append((entry.path, f"{prefix}{entry.name}/"))
                        continue
                    if within is not None and entry.is_symlink():
                        _check_way(entry.path, within)
                    try:
                        state = entry.stat()
                    except FileNotFoundError:  # a link to nothing
                        continue
                    if is_regular(state.st_mode):
                        found.append((prefix + entry.name, state))
    except OSError as error:
        raise _unreadable(Path(folder), error) from error
    found.sort(key=itemgetter(0))
    return found


def _fingerprint(found: Sequence[Found]) -> str:
    numbers = [_pack(s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns) for _, s in found]
    fingerprint = hashlib.blake2b(b"".join(numbers), digest_size=32)
    fingerprint.update("\0".join([path for path, _ in found]).encode("utf-8", "surrogateescape"))
    return fingerprint.hexdigest()


def _stamp(state: os.stat_result) -> Stamp:
    return (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)


def _is_old(stamp: Stamp, now: int) -> bool:
    return now - max(stamp[3], stamp[4]) > SETTLED_NS


def _hash(file: int, size: int, spend: Spend) -> str:
    md5 = hashlib.md5(usedforsecurity=False)
    spend(size)
    while data := os.read(file, BLOCK):
        md5.update(data)
        spend(0)
        size -= len(data)
        if size < -BLOCK:  # it grows while it is read, perhaps for ever: its digest is of no use then
            break
    return "md5:" + md5.hexdigest()


def _unreadable(place: Path, error: OSError) -> GittrackError:
    if isinstance(error, FileNotFoundError):
        return ArtifactNotFoundError(f"there is no file '{place}'")
    return StorageError(f"cannot read '{place}': {error.strerror}", hint=hint_of(error))

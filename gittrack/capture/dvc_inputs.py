"""Which data DVC tracks in this project, and under which hash: the ``.dvc`` files and ``dvc.lock`` of the work tree.

Read without DVC, in less than a millisecond for twenty of them. Nothing that a file says leads outside the work tree:
an out there is recorded as it is named, never looked at.
"""

from __future__ import annotations

import dataclasses
import os
import posixpath
import stat
from collections.abc import Callable, Iterable
from dataclasses import field
from pathlib import Path

from gittrack.capture.redaction import safe_text
from gittrack.core.dvc_pointers import (
    MAX_LOCK_BYTES,
    MAX_POINTER_BYTES,
    PROJECT_ROLE,
    TrackedOut,
    parse_folders,
    parse_lock,
    parse_pointer,
)
from gittrack.core.names import MAX_NAME_BYTES, display
from gittrack.core.records import Input
from gittrack.core.redact import redact_url
from gittrack.errors import CorruptRecordError
from gittrack.frozen import dataclass

POINTER, LOCK = ".dvc", "dvc.lock"
MOST_TRACKED = 2_000
"""Inputs recorded at a run's start, at most."""


@dataclass(frozen=True, slots=True)
class TrackedData:
    """A file or folder that DVC tracks in the work tree.

    Attributes:
        path: from the top of the work tree, ``/`` between parts; as it is named when it lies outside.
        place: where it is on this machine; None outside the work tree.
        digest: ``md5:<32 hex>``, of a folder with ``.dir`` at its end.
        size: bytes, or None.
        source: ``.dvc`` or ``dvc.lock``.
        legacy: hashed by DVC 2, whose hash of a text file is not that of its bytes.
    """

    path: str
    place: str | None
    digest: str
    size: int | None
    source: str
    legacy: bool = False

    def as_input(self) -> Input:
        """The input that a run records of it at its start."""
        state = "" if self.place is None else "unverified"
        return Input(self.path, PROJECT_ROLE, self.path, self.digest, self.source, self.size, state=state)


@dataclasses.dataclass(slots=True)
class FoundData:
    """What DVC tracks, sorted by path, and which of its files could not be read: path and reason."""

    tracked: list[TrackedData] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)


def find_tracked(top: Path, root: str, paths: Iterable[str]) -> FoundData:
    """Read the files by which DVC tracks data.

    Args:
        top: the work tree.
        root: the folder of the DVC project.
        paths: files that may be such, from the top of the work tree, ``/`` between parts.
    """
    found = FoundData()
    prefix = "" if Path(root) == top else Path(root).relative_to(top).as_posix() + "/"
    for path in sorted(set(paths)):
        if not path.startswith(prefix) or "/.dvc/" in f"/{path}":
            continue
        try:
            found.tracked += tracked_by(top, path)
        except CorruptRecordError as error:
            found.problems.append((path, error.message))
        if len(found.tracked) > MOST_TRACKED:
            found.problems.append((path, f"more than {MOST_TRACKED} inputs: those from here on are not recorded"))
            del found.tracked[MOST_TRACKED:]
            break
    found.tracked.sort(key=lambda data: data.path)
    return found


def tracked_by(top: Path, path: str) -> list[TrackedData]:
    """What one ``.dvc`` file or ``dvc.lock`` tracks; nothing when it is not there.

    Raises:
        CorruptRecordError: it is not what DVC writes.
    """
    folder, _, name = path.rpartition("/")
    place = f"{top}/{path}"
    if name == LOCK:
        text = _read(place, MAX_LOCK_BYTES)
        if text is None:
            return []
        pipeline = _read(place.removesuffix(LOCK) + "dvc.yaml", MAX_POINTER_BYTES) or ""
        outs = parse_lock(text, parse_folders(pipeline) if "wdir" in pipeline else {})
    else:
        text = _read(place, MAX_POINTER_BYTES)
        outs = () if text is None else parse_pointer(text)
    source = LOCK if name == LOCK else POINTER
    return [_located(top, folder, out, source) for out in outs]


def _located(top: Path, folder: str, out: TrackedOut, source: str) -> TrackedData:
    if len(out.path.encode("utf-8", "surrogateescape")) > MAX_NAME_BYTES:
        raise CorruptRecordError(f"the path '{display(out.path, 60)}' in it is too long")
    remote = "://" in out.path
    path = out.path if remote else posixpath.normpath(posixpath.join(folder, out.path))
    if remote or path.startswith(("/", "../")) or path in ("..", "."):
        return TrackedData(safe_text(redact_url(path)), None, out.digest, out.size, source, out.legacy)
    return TrackedData(safe_text(path), f"{top}/{path}", out.digest, out.size, source, out.legacy)


def _read(path: str, limit: int) -> str | None:
    """The text of a regular file; None when there is none.

    Raises:
        CorruptRecordError: it is too large, no regular file, no UTF-8, or cannot be read.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise CorruptRecordError(f"it cannot be read: {error.strerror}") from error
    try:
        state = os.fstat(file)
        if not stat.S_ISREG(state.st_mode):
            raise CorruptRecordError("it is no regular file")
        if state.st_size > limit:
            raise CorruptRecordError(f"it is larger than {limit >> 20} MiB")
        return os.read(file, limit).decode()
    except UnicodeDecodeError as error:
        raise CorruptRecordError("it is no text in UTF-8") from error
    except OSError as error:
        raise CorruptRecordError(f"it cannot be read: {error.strerror}") from error
    finally:
        os.close(file)


def tracking(top: Path, place: Path, known: Callable[[], Iterable[TrackedData]]) -> tuple[TrackedData, str] | None:
    """What tracks a path: its own ``.dvc`` file, that of a folder around it, a ``dvc.lock``, or anything in ``known``.

    Args:
        top: the work tree.
        place: the path, absolute and normal.
        known: what was found at the run's start; asked last, since a pointer may have changed since.

    Returns:
        The tracked file or folder, and the path within it (``""``: it is the tracked thing itself); None when nothing
        tracks it, or it lies outside the work tree.
    """
    if not place.is_relative_to(top) or place == top:
        return None
    around = [place, *place.parents[: len(place.relative_to(top).parts) - 1]]
    files = [each.with_name(each.name + POINTER) for each in around]
    files += [folder / LOCK for folder in [*around[1:], top]]
    candidates = (data for file in files for data in _tracked_quietly(top, file))
    for data in (*candidates, *known()):
        if data.place is not None and place.is_relative_to(data.place):
            inner = place.relative_to(data.place).as_posix()
            return data, "" if inner == "." else inner
    return None


def _tracked_quietly(top: Path, file: Path) -> list[TrackedData]:
    try:
        return tracked_by(top, file.relative_to(top).as_posix())
    except CorruptRecordError:
        return []  # said at the run's start; the path is hashed instead

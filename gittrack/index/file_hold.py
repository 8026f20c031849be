"""Who has the file of the index open, and how the last of them left it.

SQLite knows a write-ahead log by its name, and whoever closes a file last removes the log of that name. A file that is
replaced while somebody has it open would lose its log to them. So whoever opens the index holds a lock file shared, and
it is removed only by who holds that alone.

The lock file also says how the index looked (size, times) when nobody had it open; who writes takes that out
first. A file that looks otherwise was changed by something else: a failing disk's repair, a restored backup, an editor.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from gittrack.errors import StorageError

_WITHOUT_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP})
_MOST_BYTES = 200
_PAUSE_SECONDS = 0.005
SUFFIX = "-lock"
"""After the name of the index, so that what removes ``index.sqlite*`` by hand takes it too."""


class _Left(NamedTuple):
    """What a lock file says: how often the index was removed, and how it looked; ``""`` while that is open."""

    generation: int
    look: str


class FileHold:
    """A lock file that is held, shared or alone.

    Args:
        path: of the index.
        file: the open lock file; None where none can be made: who may not write here removes nothing either.
        is_ours: whether it may be written.
    """

    def __init__(self, path: Path, file: int | None, *, is_ours: bool) -> None:
        self._path = path
        self._file = file
        self._is_ours = is_ours

    @property
    def generation(self) -> int:
        """How often the index was removed."""
        return self._left().generation

    def is_as_left(self) -> bool:
        """Whether the index looks as the last one left it, or that cannot be told; to be asked before it is opened."""
        left = self._left()
        if not left.look:
            return True
        look = _look(self._path)
        if look is None:  # removed by hand
            self._write(_Left(left.generation, ""))
            return True
        return look == left.look or self._left() != left  # the second: somebody has begun to write meanwhile

    def begin_writing(self) -> None:
        """To be called before anything is written.

        Raises:
            StorageError: others could not be told that we wrote.
        """
        left = self._left()
        if left.look and not self._write(_Left(left.generation, "")):
            raise StorageError(f"cannot write '{self._path}{SUFFIX}'", hint=f"rm {self._path}*")

    def release(self, *, told: bool = True) -> None:
        """Give it up, after the index is closed.

        Args:
            told: whether to write down how the index looks, if nobody else has it open.
        """
        if self._file is None:
            return
        with contextlib.suppress(OSError):  # then it is not known how it was left, and the next one believes it
            if told and self._is_ours and not self._left().look:
                fcntl.flock(self._file, fcntl.LOCK_UN)
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                left = self._left()
                if not left.look and not _is_unfinished(self._path):
                    self._write(_Left(left.generation, _look(self._path) or ""))
        os.close(self._file)
        self._file = None

    def next_generation(self) -> None:
        """To be called by who removed the index, alone."""
        self._write(_Left(self._left().generation + 1, ""))

    def _left(self) -> _Left:
        if self._file is None:
            return _Left(0, "")
        number, _, look = os.pread(self._file, _MOST_BYTES, 0).decode("ascii", "replace").partition("\n")
        return _Left(int(number) if number.isdecimal() and number.isascii() else 0, look)

    def _write(self, left: _Left) -> bool:
        if self._file is None or not self._is_ours:
            return self._file is None
        data = f"{left.generation}\n".encode()
        if left.look:
            os.pwrite(self._file, data + left.look.encode("ascii"), 0)
        elif os.pread(self._file, len(data), 0) == data:
            os.ftruncate(self._file, len(data))  # one step: others may do and read the same
        else:
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, data, 0)
        return True


def shared(path: Path, seconds: float) -> FileHold:
    """Hold the lock file of an index, with others.

    Args:
        path: of the index.
        seconds: to wait for somebody who removes it.

    Raises:
        StorageError: it was not to be had.
    """
    file, is_ours = _opened(path)
    if file is not None and not _taken(file, fcntl.LOCK_SH, seconds):
        os.close(file)
        raise StorageError(f"cannot use the index '{path}': it is being removed")
    return FileHold(path, file, is_ours=is_ours)


@contextlib.contextmanager
def alone(path: Path, seconds: float) -> Iterator[FileHold | None]:
    """Hold the lock file of an index, and nobody else; None when others do not give it up within some seconds."""
    file, is_ours = _opened(path)
    if file is None or not is_ours:
        if file is not None:
            os.close(file)
        yield None
        return
    try:
        yield FileHold(path, file, is_ours=True) if _taken(file, fcntl.LOCK_EX, seconds) else None
    finally:
        os.close(file)


def generation(path: Path) -> int:
    """How often an index was removed."""
    try:
        file = os.open(f"{path}{SUFFIX}", os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return 0
    try:
        return FileHold(path, file, is_ours=False).generation
    finally:
        os.close(file)


def _opened(path: Path) -> tuple[int | None, bool]:
    flags = os.O_CLOEXEC | os.O_NOFOLLOW
    for more, is_ours in ((os.O_RDWR | os.O_CREAT, True), (os.O_RDONLY, False)):
        try:
            return os.open(f"{path}{SUFFIX}", flags | more, 0o666), is_ours
        except OSError:
            continue
    return None, False


def _taken(file: int, kind: int, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                return False
            time.sleep(_PAUSE_SECONDS)
        except OSError as error:
            return error.errno in _WITHOUT_LOCKS  # SQLite has none there either
        else:
            return True


def _look(path: Path) -> str | None:
    try:
        state = os.stat(path)
    except OSError:
        return None
    # Not the inode: some file systems (FAT) number files anew at each mount; of a copy the last time is another anyway.
    return f"{state.st_size} {state.st_mtime_ns} {state.st_ctime_ns}"


def _is_unfinished(path: Path) -> bool:
    """Whether something that was written is not in the file yet."""
    for part in ("-wal", "-journal"):
        try:
            if os.stat(f"{path}{part}").st_size:
                return True
        except FileNotFoundError:
            continue
    return False

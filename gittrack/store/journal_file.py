"""The journal of one process writing to a live run: a memory-mapped, append-only file.

A mapped write costs about a microsecond and survives ``kill -9``, since the page belongs to the kernel. Room is
reserved before it is mapped (``posix_fallocate``): touching a hole on a full disk would kill the training with SIGBUS.
Where no room can be reserved (network file systems) frames are plain appends. While the disk is full, frames wait in
memory and are written as soon as there is room.

The file is locked (``flock``) for as long as its process lives: that is how others know that a run is alive. A forked
child never writes to its parent's journal: it opens one of its own at its first write.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import struct
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from zlib import crc32

from gittrack.core.journal import (
    CRC,
    MAGIC,
    POINT,
    POINT_BODY,
    POINT_SIZE,
    content_frame,
    metric_frame,
    operation_frame,
)
from gittrack.errors import StorageError
from gittrack.git.failures import disk_hint
from gittrack.store.locks import WITHOUT_LOCKS

FIRST_ROOM = 64 << 10
MOST_ROOM = 8 << 20
LAST_ROOM = 4096
"""Bytes of the reserved room that are left free until the end: on a full disk at least how a run ended is kept."""
MOST_WAITING = 256 << 20
RETRY_SECONDS = 1.0
FLUSH_SECONDS = 5.0

_pack = struct.Struct("<IIqqd").pack
_POINT_MARK = MAGIC | POINT << 8
"""The first four bytes of a point's frame as one number: packed faster than as three."""
_put = struct.Struct(f"<{POINT_BODY.size}sI").pack_into
_getpid = os.getpid


class JournalWriter:
    """Appends frames to one journal file.

    Args:
        path: the file; must not exist.
        successor: for a forked child, gives the path of its own journal and the operations that begin it.

    Raises:
        StorageError: the file cannot be made (full disk, permission).
    """

    def __init__(self, path: str, successor: Callable[[], tuple[str, list[Mapping[str, Any]]]]) -> None:
        self._successor = successor
        self.on_failure: Callable[[str], None] | None = None
        self._open(path)

    def _open(self, path: str) -> None:
        self._lock = threading.RLock()  # re-entered by a signal handler that ends the run
        self._numbers: dict[str, int] = {}
        self._next_number = 0
        self._pid = _getpid()
        self._position = 0
        self._size = 0
        self._buffer: mmap.mmap | None = None
        self._mapped = True
        self._waiting = bytearray()
        self._retry_at = 0.0
        self._closed = False
        self.path = path
        self._file = -1
        try:
            _occupy_standard_streams()
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            self._take_lock()
            self._grow(FIRST_ROOM)
        except OSError as error:
            self.release()  # the lock would make a run that never began look alive
            raise StorageError(f"cannot write '{path}': {error.strerror}", hint=_hint(error, path)) from error

    def _take_lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX)  # waits for a reader that tries the lock, which takes no time
        except OSError as error:
            # File systems without locks: the owner's process id decides then (store/ownership.py).
            if error.errno not in WITHOUT_LOCKS:
                raise

    def point(self, name: str, step: int, time_ns: int, value: float) -> None:
        """Append a metric's point. Called once per point of a training: every operation here was measured.

        Args:
            name: the metric.
            step: int64.
            time_ns: ns since the epoch, int64.
            value: float64.

        Raises:
            struct.error: a number does not fit.
        """
        number = self._numbers.get(name)
        if number is None:
            number = self._define(name)
        body = _pack(_POINT_MARK, number, step, time_ns, value)
        lock = self._lock
        try:
            # Not "with": on a lock that takes 165 ns, this 75, and all of a point 600. Taken inside "try": an interrupt
            # right after it must not leave it locked.
            lock.acquire()
            position = self._position
            after = position + POINT_SIZE
            if after <= self._size:
                _put(self._buffer, position, body, crc32(body))  # type: ignore[arg-type]  # no buffer, no size
                self._position = after
                return
        finally:
            try:
                lock.release()
            except RuntimeError:  # not ours: an interrupt ended the wait for it, and goes on its way
                pass
        self._point_slowly(name, body)

    def _point_slowly(self, name: str, body: bytes) -> None:
        """A point for which the fast way has no room: the file must grow, is not mapped, or is a parent's."""
        if self._pid != _getpid():
            self._fork()
            _, _, _, _, step, time_ns, value = POINT_BODY.unpack(body)
            self.point(name, step, time_ns, value)
            return
        with self._lock:
            self._append(body + CRC.pack(crc32(body)))

    def forked(self) -> None:
        """In a forked child: close the fast way, so that the next write begins a journal of the child's own."""
        self._size = 0
        self._numbers = {}
        self._next_number = 0
        self._lock = threading.RLock()  # the parent's may have been held by a thread that does not exist here

    def operation(self, operation: Mapping[str, Any], content: bytes | None = None) -> None:
        """Append an operation, with the bytes it carries if any."""
        if self._pid != _getpid():
            self._fork()
        data = operation_frame(operation) if content is None else content_frame(operation, content)
        with self._lock:
            self._append(data)

    def _define(self, name: str) -> int:
        if self._pid != _getpid():
            self._fork()
        with self._lock:
            number = self._numbers.get(name)
            if number is None:
                # Taken before it is written: an interrupt in between must not give one number to two metrics.
                number = self._next_number
                self._next_number = number + 1
                self._append(metric_frame(number, name))
                self._numbers[name] = number
            return number

    def _append(self, data: bytes) -> None:
        """Append under the lock, making room first; keeps the data in memory when there is none."""
        if self._closed:
            raise StorageError(f"the journal '{self.path}' is closed")
        if self._waiting or not self._has_room(len(data)) or not self._stored(data):
            self._wait(data)

    def _has_room(self, length: int) -> bool:
        if self._mapped and self._position + length <= self._size:
            return True
        if time.monotonic() < self._retry_at:
            return False
        if not self._mapped:
            return True
        try:
            self._grow(max(length, min(max(self._size, FIRST_ROOM), MOST_ROOM)))
        except OSError as error:
            self._tell(f"cannot grow '{self.path}': {error.strerror}")
            self._retry_at = time.monotonic() + RETRY_SECONDS
            return False
        return True

    def _stored(self, data: bytes | bytearray) -> bool:
        """Write at the present position; False when a plain append was refused: it is repeated later as a whole."""
        after = self._position + len(data)
        if self._buffer is not None:
            self._buffer[self._position : after] = data
        else:
            written = 0
            try:
                while written < len(data):
                    written += os.pwrite(self._file, memoryview(data)[written:], self._position + written)
            except OSError as error:
                self._tell(f"cannot write '{self.path}': {error.strerror}")
                self._retry_at = time.monotonic() + RETRY_SECONDS
                return False
        self._position = after
        return True

    def _wait(self, data: bytes) -> None:
        if len(self._waiting) + len(data) > MOST_WAITING:
            raise StorageError(f"'{self.path}' cannot be written and too much is waiting", hint="free some disk space")
        self._waiting += data
        if self._has_room(len(self._waiting)) and self._stored(self._waiting):
            self._waiting = bytearray()

    def _grow(self, more: int) -> None:
        size = -(-(self._position + more + LAST_ROOM) // mmap.PAGESIZE) * mmap.PAGESIZE
        if self._mapped:
            try:
                os.posix_fallocate(self._file, 0, size)
            except (AttributeError, OSError) as error:
                full = isinstance(error, OSError) and error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS)
                if full:
                    raise
                self._mapped = False
        if self._mapped:
            before = self._buffer
            _occupy_standard_streams()
            self._buffer = mmap.mmap(self._file, size)
            self._size = size - LAST_ROOM
            if before is not None:
                before.close()

    def _fork(self) -> None:
        """In a forked child: leave the parent's journal alone and begin one of our own."""
        with self._lock:
            if self._pid == _getpid():
                return  # another thread of the child was first
            path, operations = self._successor()
            if self._file >= 0:
                os.close(self._file)  # the parent's: held on, it would keep the parent's lock after the parent's death
            self._buffer = None
            self._open(path)
            for operation in operations:
                self.operation(operation)

    def _tell(self, failure: str) -> None:
        if self.on_failure is not None:
            self.on_failure(failure)

    @property
    def waiting(self) -> int:
        """Bytes that wait in memory because the disk has no room for them."""
        return len(self._waiting)

    def flush(self) -> None:
        """Bring what was written to the disk (``msync``); for the thread that does it every few seconds."""
        with self._lock:
            buffer, closed = self._buffer, self._closed
        if not closed and self._pid == _getpid():
            try:
                if buffer is not None:
                    buffer.flush()
                else:
                    os.fsync(self._file)
            except ValueError:
                return  # grown or closed meanwhile: the next round flushes the new mapping
            except OSError as error:
                self._tell(f"cannot flush '{self.path}': {error.strerror}")

    def close(self) -> None:
        """Cut the file to what was written; keep the lock.

        Nothing is synced: a killed process loses nothing of the page cache, and what must survive a power loss is the
        run's commit and its ``done/`` copy, which are.

        Raises:
            StorageError: frames still wait for room, or the disk refuses.
        """
        with self._lock:
            if self._closed:
                return
            self._retry_at = 0.0
            if self._waiting:
                self._wait(b"")
            if self._waiting and self._write_last(self._waiting):
                self._waiting = bytearray()
            if self._waiting:
                raise StorageError(f"cannot write '{self.path}': no room", hint="free some disk space")
            try:
                if self._buffer is not None:
                    self._buffer.close()
                    self._buffer = None
                    os.ftruncate(self._file, self._position)
            except OSError as error:
                text = f"cannot write '{self.path}': {error.strerror}"
                raise StorageError(text, hint=_hint(error, self.path)) from error
            self._size = self._position
            self._closed = True

    def close_without_waiting(self, last: Iterable[tuple[Mapping[str, Any], bytes | None]]) -> int:
        """Close when there is no room for what waits: it is dropped.

        Args:
            last: operations to write in its place, with the bytes they carry, as far as there is room for them.

        Returns:
            How many bytes were dropped.

        Raises:
            StorageError: the disk refuses to cut the file.
        """
        with self._lock:
            dropped = len(self._waiting)
            self._waiting = bytearray()
            for operation, content in last:
                self._write_last(operation_frame(operation) if content is None else content_frame(operation, content))
            self.close()
            return dropped

    def _write_last(self, data: bytes | bytearray) -> bool:
        """Write into the room that was left free for the end; False when it does not fit."""
        return self._buffer is not None and self._position + len(data) <= len(self._buffer) and self._stored(data)

    def release(self) -> None:
        """Give up the lock; nothing may be written after."""
        with self._lock:
            self._closed = True
            self._size = 0
            if self._buffer is not None:  # the map holds the file open, hence its lock
                self._buffer.close()
                self._buffer = None
            if self._file >= 0:
                os.close(self._file)
                self._file = -1


def _occupy_standard_streams() -> None:
    """Where a standard stream is closed, as daemons have it, put nothing in its place, before the journal gets there.

    Both a file and its memory map (which has a descriptor of its own) take the lowest free number, and somebody's
    ``write(2, …)`` would then overwrite the run.
    """
    file = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    while file <= 2:
        file = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    os.close(file)


def _hint(error: OSError, path: str) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "free some disk space"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "make the git directory writable, or set GITTRACK_DISABLED=1"
    return disk_hint(error, os.path.dirname(path))

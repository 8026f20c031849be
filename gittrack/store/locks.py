"""Locks between processes: ``flock`` on a file beside what it guards; the system gives it up when a process dies."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from gittrack.errors import StorageError
from gittrack.git.failures import disk_hint

WITHOUT_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP})
"""What a file system without locks answers; every use must then be safe by other means, if slower or less tidy."""

_PATIENCE = 1.0
"""Seconds that a wait may take before it is told."""


@contextlib.contextmanager
def exclusive(path: Path, *, wait: bool = True, waiting: Callable[[], None] | None = None) -> Iterator[bool]:
    """Hold a lock file.

    Args:
        path: the file; made when missing, never removed.
        wait: wait for whoever holds it.
        waiting: called once when that takes longer than a second.

    Yields:
        Whether it is ours; always True when waiting.

    Raises:
        StorageError: the file cannot be made.
    """
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise StorageError(f"cannot write '{path}': {error.strerror}", hint=disk_hint(error, path.parent)) from error
    try:
        if wait and waiting is not None and not _take_soon(file):
            waiting()
        yield _take(file, wait)
    finally:
        os.close(file)


def _take_soon(file: int) -> bool:
    end = time.monotonic() + _PATIENCE
    while not _take(file, wait=False):
        if time.monotonic() >= end:
            return False
        time.sleep(0.05)
    return True


def _take(file: int, wait: bool) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in WITHOUT_LOCKS:
            raise
    return True

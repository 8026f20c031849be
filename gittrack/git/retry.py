"""Repeating a write that lost a race with another process or with ``git gc``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from random import random as unit_random
from typing import TypeVar

from gittrack.errors import RefMovedError

T = TypeVar("T")

FIRST_PAUSE = 0.004
"""Seconds; the pause doubles after each attempt and is then drawn from half to all of that."""

_TRANSIENT = (
    "failed to lock file",
    "failed to create locked file",
    "failed to rename",
    "failed to make directory",
    "failed to open",
    "old reference value does not match",
    "current tip is not the first parent",
    "object not found",
    "doesn't exist on the repository",
    "Unable to create",
)
_LASTING = (
    "No space left on device",
    "Disk quota exceeded",
    "Permission denied",
    "Read-only file system",
    "Too many open files",
)


def retried(
    action: Callable[[], T],
    attempts: int = 8,
    sleep: Callable[[float], object] = time.sleep,
    random: Callable[[], float] = unit_random,
) -> T:
    """Call ``action`` until it succeeds, pausing with jitter after each transient failure.

    ``action`` is the whole write, blobs included: ``git gc`` may have removed some of them meanwhile.

    Args:
        action: what to do; it reads anew whatever it bases its change on.
        attempts: how often at most.
        sleep: takes seconds.
        random: a number in [0, 1).

    Raises:
        GittrackError: the last failure, or the first that no repetition mends.
    """
    for attempt in range(attempts - 1):
        try:
            return action()
        except Exception as error:
            if not is_transient(error):
                raise
        sleep(FIRST_PAUSE * 2**attempt * (0.5 + random() / 2))
    return action()


def is_transient(error: BaseException) -> bool:
    """Whether doing the same again may help: a lock held, a rename lost, a ref moved, an object not yet seen."""
    chain = list(_causes(error))
    if any(type(cause).__name__ == "AlreadyExistsError" for cause in chain):
        return False  # what exists will exist next time
    if isinstance(error, RefMovedError):
        return True
    text = "\n".join(str(cause) for cause in chain)
    return any(sign in text for sign in _TRANSIENT) and not any(sign in text for sign in _LASTING)


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__

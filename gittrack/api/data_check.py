"""Whether data on disk is what its hash says, found out in a thread beside the training."""

from __future__ import annotations

import os
import threading
import time
from _thread import start_new_thread
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

# Here, not in the thread: were the program to fork while a thread imports, nobody could import that in the child.
from gittrack.artifacts.known_digests import KnownDigests, StoppedError
from gittrack.core.records import Input
from gittrack.errors import ArtifactNotFoundError, GittrackError
from gittrack.frozen import dataclass

MOST_HASHED = 2 << 30
"""Bytes that are read at most for what nobody asked for; what remains is ``unverified`` and goes on in the next run."""
_WAIT = 0.001


@dataclass(frozen=True, slots=True)
class Expected:
    """Data to look at.

    Attributes:
        item: the input as it was recorded, ``unverified``.
        place: where the data is.
        within: a folder that no link may lead out of; None for what somebody named.
        exact: whether another hash means that the data was changed; not so where DVC's hash is not that of the bytes.
    """

    item: Input
    place: Path
    within: Path | None = None
    exact: bool = True

    @property
    def asked(self) -> bool:
        """Whether somebody named it: then it is read however large it is."""
        return self.within is None


class DataCheck:
    """Looks at data one after another and says of each how it stands.

    Args:
        digests: computes and remembers digests.
        record: gets the input with its state; of modified data a second one too, with the hash it really has.
        told: gets a line about what went wrong in a way that nobody foresaw.
    """

    def __init__(
        self,
        digests: KnownDigests,
        record: Callable[[Input], None],
        told: Callable[[str], None],
        room: int = MOST_HASHED,
    ) -> None:
        self._digests = digests
        self._record = record
        self._told = told
        self._left = room
        self._waiting: deque[Expected] = deque()
        self._lock = threading.RLock()  # re-entered by a signal handler that ends the run
        self._working = False
        self._stopped = False

    def add(self, expected: Expected) -> None:
        """Look at data when its turn comes; what somebody asked for comes first."""
        with self._lock:
            if self._stopped:
                return
            if expected.asked:
                self._waiting.appendleft(expected)
            else:
                self._waiting.append(expected)
            if not self._working:
                self._working = True
                start_new_thread(self._work, ())

    def finish(self, seconds: float) -> None:
        """Wait for what is waiting, then stop: nothing is recorded after this returns.

        Args:
            seconds: how long to wait at most; what is not known by then stays ``unverified``.
        """
        deadline = time.monotonic() + seconds
        while self._working and time.monotonic() < deadline:
            time.sleep(_WAIT)
        with self._lock:
            self._stopped = True

    def _work(self) -> None:
        # At the priority of the program: a thread that waits for a busy machine while it holds the interpreter's lock
        # would make the training wait with it.
        while True:
            with self._lock:
                if self._stopped or not self._waiting:
                    self._working = False
                    return
                expected = self._waiting.popleft()
            try:
                self._look_at(expected)
            except Exception as error:  # a thread has nobody above it, and training goes on
                self._told(f"'{expected.item.uri}' could not be looked at: {type(error).__name__}: {error}")

    def _look_at(self, expected: Expected) -> None:
        def spend(count: int) -> None:
            if self._stopped:
                raise StoppedError
            if not expected.asked:
                if self._left < count:
                    raise StoppedError
                self._left -= count

        item = expected.item
        try:
            found = self._digests.of(expected.place, spend, expected.within)
        except StoppedError:
            return
        except ArtifactNotFoundError:
            if not os.path.exists(expected.place):
                self._say(replace(item, state="missing"))
            return
        except GittrackError:
            return  # not to be read: unverified it is
        if found.digest == item.digest:
            self._say(replace(item, state="verified"))
        elif found.settled and expected.exact:
            self._say(replace(item, state="modified"))
            self._say(replace(item, digest=found.digest, source="computed", size=found.size, state="verified"))

    def _say(self, item: Input) -> None:
        with self._lock:
            if not self._stopped:
                self._record(item)

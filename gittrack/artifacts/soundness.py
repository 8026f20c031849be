"""Whether stored bytes are what their names say: damage, which is a fault, told from bytes that are merely not here."""

from __future__ import annotations

from dataclasses import field
from typing import NamedTuple

from gittrack.artifacts.bytes_store import BytesStore
from gittrack.artifacts.reading import problem_of, read_listing
from gittrack.errors import CorruptRecordError, GittrackError
from gittrack.frozen import dataclass

MENDED_BY = "gittrack artifact pull --check"


class State(NamedTuple):
    """How the bytes of an artifact are.

    Attributes:
        damage: what is wrong with what is here; empty when nothing is.
        mend: the command that mends it where a remote has the bytes; empty when none does.
        absent: digests that are not here; of a folder without its listing only that.
    """

    damage: str = ""
    mend: str = ""
    absent: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Examination:
    """Looks at the bytes of artifacts, at each file once, however many share it.

    Attributes:
        store: where they are.
    """

    store: BytesStore
    _problems: dict[str, str] = field(default_factory=dict)

    def of(self, digest: str, size: int) -> State:
        """How the bytes of a digest are.

        Args:
            digest: ``md5:<hex>``; of a folder its files are looked at too.
            size: bytes they must have, of a folder all its files together.
        """
        try:
            if not self.store.has(digest):
                return State(absent=frozenset({digest}))
            if digest.endswith(".dir"):
                return self._of_folder(digest, size)
        except CorruptRecordError as error:
            return State(error.message)
        if problem := self._problem(digest):
            return State(problem, MENDED_BY)
        return State("" if self._size(digest) == size else "its bytes are damaged")

    def _of_folder(self, digest: str, size: int) -> State:
        try:
            files = read_listing(self.store, digest, "the folder")
        except GittrackError as error:
            return State(error.message, MENDED_BY)
        absent = frozenset(file.digest for file in files if not self.store.has(file.digest))
        for file in files:
            if file.digest not in absent and (problem := self._problem(file.digest)):
                return State(f"'{file.path}': {problem}", MENDED_BY, absent)
        whole = absent or sum(self._size(file.digest) for file in files) == size
        return State("" if whole else "its files have another size", "", absent)

    def _problem(self, digest: str) -> str:
        if digest not in self._problems:
            self._problems[digest] = problem_of(self.store, digest, self._size(digest))
        return self._problems[digest]

    def _size(self, digest: str) -> int:
        try:
            return self.store.path(digest).stat().st_size
        except OSError:
            return 0  # gone since: reading it says so

"""The beginning and the end of an output that may be longer than a run keeps."""

from __future__ import annotations

from collections.abc import Callable

PIECE = 1 << 20
"""Bytes of output in one record of the journal, at most: a larger record costs more when it is damaged."""


class OutputEnds:
    """Writes the beginning of an output as it comes, and its end when all has come; the middle is left out.

    Killed, the process loses the end of what is beyond the limit. A signal handler may finish while :meth:`keep` stands
    anywhere: what that had not written yet is lost then, and nothing else.

    Args:
        limit: bytes kept, half of them of the beginning.
        write: takes what is kept, in pieces.

    >>> kept = bytearray()
    >>> ends = OutputEnds(8, kept.extend)
    >>> ends.keep(b"beginning, middle, end"); ends.finish(); bytes(kept)
    b'begi\\n[gittrack: 14 bytes of output left out]\\n end'
    """

    def __init__(self, limit: int, write: Callable[[bytes], None]) -> None:
        self._write = write
        self._room = limit // 2
        self._tail_limit = limit - self._room
        self._tail = bytearray()
        self._dropped = 0

    def keep(self, data: bytes) -> None:
        """Take what comes next; whatever ``write`` raises passes through."""
        head = data[: self._room]
        self._room -= len(head)
        self._write_pieces(head)
        self._tail += data[len(head) :]
        if len(self._tail) > 2 * self._tail_limit:
            self._cut()

    def finish(self) -> None:
        """Write the end, after a line that says how much is left out."""
        self._cut()
        if self._dropped:
            self._write(f"\n[gittrack: {self._dropped} bytes of output left out]\n".encode())
        self._write_pieces(bytes(self._tail))
        self._tail = bytearray()

    def _cut(self) -> None:
        excess = len(self._tail) - self._tail_limit
        if excess > 0:
            self._dropped += excess
            del self._tail[:excess]

    def _write_pieces(self, data: bytes) -> None:
        for start in range(0, len(data), PIECE):
            self._write(data[start : start + PIECE])

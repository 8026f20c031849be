"""Secrets in the output of a program, which comes in pieces that end anywhere.

A line is judged as a whole: an unfinished one waits for its end. Most output shows nothing that looks like a secret, so
whole blocks are first searched, fast, for what every secret has; only lines where that is found are read closely.
"""

from __future__ import annotations

import re
from collections import deque

from gittrack.core.redact import MASK, NAME_ENDS, NAME_FOLLOWED, redact_text

LONGEST_LINE = 64 << 10
"""Bytes of a line that wait for its end; a longer line is judged in parts."""
_OVERLAP = 8 << 10
"""Bytes of a part that are judged again with the next: no secret is longer, but for those told by their beginning."""
_MOST_KEY_LINES = 600
"""Lines after the beginning of a private key that may belong to it, if its end never comes."""

_LINE = re.compile(rb"[^\r\n]*[\r\n]|[^\r\n]+")
_LINE_END = re.compile(rb"[\r\n]|\Z")
_BLANK = re.compile(rb"\s")
_KEY_BEGINS = re.compile(rb"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,10}-----|PuTTY-User-Key-File-\d: ")
_KEY_ENDS = re.compile(rb"-----END [A-Z0-9 ]{0,60}-----|Private-MAC: [0-9a-f]*")
_BASE64 = re.compile(rb"[A-Za-z0-9+/=]+")
_MASK = MASK.encode()


class OutputRedactor:
    """Masks the secrets in one stream of output; where it shows none, every byte stays as it is.

    A line ends at a line feed or a carriage return, so a progress bar does not wait. What comes out does not depend on
    where the pieces end.

    >>> redactor = OutputRedactor()
    >>> redactor.feed(b"epoch 1\\npassword=hun"), redactor.feed(b"ter2\\nepo"), redactor.finish()
    (b'epoch 1\\n', b'password=***\\n', b'epo')
    """

    def __init__(self) -> None:
        self._held = bytearray()
        self._key_lines = 0
        self._in_secret = False

    def feed(self, data: bytes) -> bytes:
        """Take a piece; returns what can be kept by now: all but an unfinished line."""
        end = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        self._held += data
        kept = b""
        if end:
            end += len(self._held) - len(data)
            kept = self._block(bytes(self._held[:end]))
            del self._held[:end]
        if len(self._held) >= LONGEST_LINE:
            parts, done = self._parts(bytes(self._held))
            del self._held[:done]
            kept += b"".join(parts)
        return kept

    def finish(self) -> bytes:
        """The stream has ended: returns the unfinished line."""
        rest, self._held = bytes(self._held), bytearray()
        return self._block(rest)

    def _goes_on(self) -> bool:
        """Whether a secret that was begun may go on in what comes."""
        return bool(self._key_lines or self._in_secret)

    def _block(self, data: bytes) -> bytes:
        """Whole lines."""
        if self._goes_on():
            return self._lines(data)
        kept: list[bytes] = []
        done = 0
        for place in _suspicious_places(data):
            if place < done:
                continue  # on a line that is done
            start = max(data.rfind(b"\n", done, place), data.rfind(b"\r", done, place), done - 1) + 1
            end = _line_end(data, place)
            kept += data[done:start], self._line(data[start:end])
            done = end
            if self._goes_on():
                return b"".join((*kept, data[done : done + 1], self._lines(data[done + 1 :])))
        return b"".join((*kept, data[done:])) if kept else data

    def _lines(self, data: bytes) -> bytes:
        lines = ((line, line.rstrip(b"\r\n")) for line in _LINE.findall(data))
        return b"".join(part for line, text in lines for part in (self._line(text), line[len(text) :]))

    def _line(self, line: bytes) -> bytes:
        """A line, or the rest of one, without what ends it."""
        if len(line) < LONGEST_LINE:
            kept = self._part(line)
        else:
            parts, done = self._parts(line)
            kept = b"".join((*parts, self._part(line[done:])))
        self._in_secret = False
        return kept

    def _parts(self, line: bytes) -> tuple[list[bytes], int]:
        """A long line as far as it can be judged without its end, and how many of its bytes that is."""
        kept: list[bytes] = []
        done = 0
        while len(line) - done >= LONGEST_LINE:
            window = line[done : done + LONGEST_LINE]
            clean = not _suspicious_places(window)
            cut = LONGEST_LINE - _OVERLAP if clean else _cut(window)
            if clean and not self._goes_on():
                kept.append(window[:cut])
            else:
                kept.append(self._part(window[:cut]) if cut else self._whole_secret())
            done += cut or len(window)
        return kept, done

    def _whole_secret(self) -> bytes:
        self._in_secret = True
        return _MASK

    def _part(self, part: bytes) -> bytes:
        if self._in_secret:
            blank = _BLANK.search(part)
            if blank is None:
                return b""
            self._in_secret = False
            part = part[blank.start() :]
        if self._key_lines:
            return self._part_of_key(part)
        last = deque(_KEY_BEGINS.finditer(part), maxlen=1)
        if last and not _KEY_ENDS.search(part, last[0].end()):
            self._key_lines = _MOST_KEY_LINES
            return _masked(part[: last[0].start()]) + _MASK
        return _masked(part)

    def _part_of_key(self, part: bytes) -> bytes:
        """After the beginning of a private key: what may be its base64 is masked, behind a logger's prefix too."""
        self._key_lines -= 1
        end = _KEY_ENDS.search(part)
        if end is not None:
            self._key_lines = 0
            return _MASK + self._part(part[end.end() :])
        words = part.replace(b"\\n", b"").replace(b"\\r", b"").rstrip(b" \t\"',;)+\\").split()
        return _MASK if words and _BASE64.fullmatch(words[-1].lstrip(b"\"'(")) else _masked(part)


def _line_end(data: bytes, place: int) -> int:
    found = _LINE_END.search(data, place)
    return len(data) if found is None else found.start()


def _cut(window: bytes) -> int:
    """Where a part of a long line can end without parting a secret; 0: nowhere, a secret is longer than that."""
    whole = _masked(window)
    for latest in (LONGEST_LINE - _OVERLAP, LONGEST_LINE - 2 * _OVERLAP, LONGEST_LINE // 2, LONGEST_LINE // 8):
        blank = max(window.rfind(b" ", 0, latest), window.rfind(b"\t", 0, latest))
        for cut in (blank, latest):  # a blank parts a secret least often
            if cut > 0 and _masked(window[:cut]) + _masked(window[cut:]) == whole:
                return cut
    return 0


def _masked(line: bytes) -> bytes:
    # Latin-1 gives each byte a character and back: what is no text survives, and the patterns are of ASCII alone.
    return redact_text(line.decode("latin-1")).encode("latin-1")


# -- what every secret has -------------------------------------------------------------------------------------------

_TOKEN_RUN = 20
"""Every token has so many letters, digits, ``_`` and ``-`` in a row; tokens that have not are found by a literal."""
_TOKEN_BYTES = bytes(
    ord("x") if (byte < 128 and chr(byte).isalnum()) or byte in b"_-" else ord(" ") for byte in range(256)
)
_LITERALS = (b"PRIVATE KEY", b"Q~", b"xox", b"PuTTY-User-Key-File", b"curl")
# One pattern for each: a search for a fixed beginning is the fast one.
_NAME_ENDS = tuple((end.encode(), re.compile(f"{end}{NAME_FOLLOWED}".encode())) for end in NAME_ENDS)
# Of URLs only a login, a query and a fragment are masked. What stands before those is taken at once: hostile slashes
# would else be searched again and again.
_URL = re.compile(rb"//[^\s\"'<>`@?#]*([@?#]?)")


def _suspicious_places(data: bytes) -> list[int]:
    """Where something is that may belong to a secret, at least one place on each line that shows one; sorted.

    Nothing here looks at what stands before: a part of a line has no place that the whole line has not.
    """
    places: list[int] = []
    for literal in _LITERALS:
        _add_places(places, data, literal, 1)
    _add_places(places, data.translate(_TOKEN_BYTES), b"x" * _TOKEN_RUN, _TOKEN_RUN)
    lower = data.lower()
    for word, pattern in _NAME_ENDS:
        if word in lower:
            places += (match.start() for match in pattern.finditer(lower))
    if b"//" in data:
        places += (match.start() for match in _URL.finditer(data) if match[1])
    places.sort()
    return places


def _add_places(places: list[int], data: bytes, literal: bytes, step: int) -> None:
    place = data.find(literal)
    while place >= 0:
        places.append(place)
        place = data.find(literal, place + step)

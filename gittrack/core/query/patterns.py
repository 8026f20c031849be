"""``like`` and regular expressions whose time follows the length of the text, whatever the pattern.

Python's ``re`` tries one way after the other, and a pattern of twenty characters can keep it busy for years. Queries
come from views of a repository and from a page: so all ways are followed at once, as a set of states in the bits of one
integer, and sets that were seen are remembered.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from gittrack.core.query.pattern_syntax import Assertion, Graph, PatternError, compile_atom, read_pattern

__all__ = [
    "MAX_LIKE",
    "REACH",
    "PatternError",
    "Searcher",
    "like_matcher",
    "literal_pattern",
    "literal_prefix",
    "searcher",
]

MAX_LIKE = 1000
"""Characters of a pattern of ``like``."""
REACH = 10_000
"""Characters of a value that a pattern is compared with; what follows is not looked at."""
_REMEMBERED = 2000
"""Sets of states, and characters, whose steps a pattern remembers."""
_REMEMBERED_CHUNKS = 9000
_REMEMBERED_PATTERNS = 24
_CHUNK = 8
_SPECIAL = re.compile(r"([\\.^$*+?{}\[\]|()])")
_LITERAL_PREFIX = re.compile(r"\^(?:[^\\.^$*+?{}\[\]|()]|\\[\\.^$*+?{}\[\]|()])*")
_UNESCAPED = re.compile(r"\\(.)")


class _Place(NamedTuple):
    """What a place between two characters is like: decides which assertions hold."""

    start: bool
    end: bool
    last_line_end: bool
    boundary: bool

    def holds(self, assertion: Assertion) -> bool:
        return {
            "start": self.start,
            "end": self.end,
            "last line end": self.last_line_end,
            "boundary": self.boundary,
            "no boundary": not self.boundary,
        }[assertion]


_Step = tuple[int, bool]
"""The atoms that may take the next character, as bits, and whether all has been matched."""


class Searcher:
    """Tells whether a pattern matches somewhere in a text.

    Example:
        >>> Searcher("^res(net)?[0-9]+$").search("resnet50")
        True
    """

    def __init__(self, pattern: str) -> None:
        graph, start = read_pattern(pattern)
        self._graph = graph
        self._start = 1 << len(graph.atoms)  # the bit of "it may begin here", always set
        self._entries = [*graph.atom_next, start]
        self._atoms = [compile_atom(text, ignore_case=graph.ignore_case) for text in graph.atoms]
        self._bounded = bool({"boundary", "no boundary"} & set(graph.checks.values()))
        self._masks: dict[str, int] = {}
        self._closures: dict[tuple[_Place, int], _Step] = {}
        self._chunks: dict[tuple[_Place, int, int], _Step] = {}
        self._steps: dict[tuple[_Place, int], _Step] = {}

    def search(self, text: str) -> bool:
        """Whether the pattern matches somewhere in the first ``REACH`` characters."""
        last = len(text)
        inner = _Place(False, False, False, False)
        states = self._start
        for index in range(min(last, REACH) + 1):
            if self._bounded or index == 0 or index >= last - 1:
                place = self._place(text, index)
            else:
                place = inner
            reach, matched = self._steps.get((place, states)) or self._step(place, states)
            if matched:
                return True
            if index == last:
                return False
            char = text[index]
            mask = self._masks.get(char)
            states = (reach & (self._mask(char) if mask is None else mask)) | self._start
        return False

    def _place(self, text: str, index: int) -> _Place:
        end = index == len(text)
        boundary = False
        if self._bounded:
            before = index > 0 and _is_word(text[index - 1])
            boundary = before != (not end and _is_word(text[index]))
        return _Place(index == 0, end, end or (index == len(text) - 1 and text[index] == "\n"), boundary)

    def _mask(self, char: str) -> int:
        """The atoms that take a character, as bits."""
        mask = sum(1 << index for index, atom in enumerate(self._atoms) if atom.match(char))
        if len(self._masks) < _REMEMBERED:
            self._masks[char] = mask
        return mask

    def _step(self, place: _Place, states: int) -> _Step:
        """Where a set of states leads: eight of them at a time."""
        reach, matched, rest, chunk = 0, False, states, 0
        while rest:
            bits = rest & ((1 << _CHUNK) - 1)
            if bits:
                known = self._chunks.get((place, chunk, bits)) or self._chunk(place, chunk, bits)
                reach |= known[0]
                matched = matched or known[1]
            rest >>= _CHUNK
            chunk += 1
        if len(self._steps) >= _REMEMBERED:
            self._steps.clear()
        self._steps[place, states] = reach, matched
        return reach, matched

    def _chunk(self, place: _Place, chunk: int, bits: int) -> _Step:
        reach, matched = 0, False
        for offset in range(_CHUNK):
            if bits >> offset & 1:
                found = self._closure(place, chunk * _CHUNK + offset)
                reach |= found[0]
                matched = matched or found[1]
        if len(self._chunks) >= _REMEMBERED_CHUNKS:
            self._chunks.clear()
        self._chunks[place, chunk, bits] = reach, matched
        return reach, matched

    def _closure(self, place: _Place, entry: int) -> _Step:
        """Where one state leads without taking a character."""
        known = self._closures.get((place, entry))
        if known is not None:
            return known
        graph: Graph = self._graph
        seen = {self._entries[entry]}
        waiting = list(seen)
        reach = 0
        while waiting:
            state = waiting.pop()
            if state in graph.takes:
                reach |= 1 << graph.takes[state]
            if state in graph.checks and not place.holds(graph.checks[state]):
                continue
            fresh = [jump for jump in graph.jumps[state] if jump not in seen]
            seen.update(fresh)
            waiting += fresh
        self._closures[place, entry] = reach, graph.end in seen
        return self._closures[place, entry]


def _is_word(char: str) -> bool:
    return char.isalnum() or char == "_"


class PrefixSearcher:
    """Tells whether a text begins with another: what ``^literal`` asks."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def search(self, text: str) -> bool:
        """Whether ``text`` begins so."""
        return text.startswith(self._prefix)


def literal_prefix(pattern: str) -> str | None:
    """The text that a pattern of the shape ``^literal`` wants in front; None of other patterns.

    >>> literal_prefix(r"^a\\.b/"), literal_prefix("^a.b")
    ('a.b/', None)
    """
    return _UNESCAPED.sub(r"\1", pattern[1:]) if _LITERAL_PREFIX.fullmatch(pattern) else None


@lru_cache(maxsize=_REMEMBERED_PATTERNS)
def searcher(pattern: str) -> Searcher | PrefixSearcher:
    """The searcher of a pattern, remembered.

    Raises:
        PatternError: not a pattern, or not one that is allowed.
    """
    prefix = literal_prefix(pattern)
    return Searcher(pattern) if prefix is None else PrefixSearcher(prefix)


def literal_pattern(text: str) -> str:
    """A regular expression that matches just ``text``.

    >>> literal_pattern("a.b (c)")
    'a\\\\.b \\\\(c\\\\)'
    """
    return _SPECIAL.sub(r"\\\1", text)


class LikeMatcher:
    """Tells whether a whole text is like a pattern: ``%`` any characters, ``_`` one."""

    def __init__(self, pattern: str, *, ignore_case: bool) -> None:
        flags = re.DOTALL | (re.IGNORECASE if ignore_case else re.NOFLAG)
        pieces = pattern.split("%")
        # Pieces without '%' have one length each: taking each as early as possible is right, nothing is tried twice.
        self._pieces = [
            re.compile("".join("." if char == "_" else re.escape(char) for char in piece), flags) for piece in pieces
        ]
        self._last_length = len(pieces[-1])
        self._ignore_case = ignore_case
        self._plain = None if "_" in pattern or (ignore_case and not pattern.isascii()) else pieces
        if self._plain and ignore_case:
            self._plain = [piece.lower() for piece in pieces]

    def matches(self, text: str) -> bool:
        """Whether ``text`` is like the pattern."""
        text = text[:REACH]
        if self._plain is not None and (not self._ignore_case or text.isascii()):
            return self._matches_plain(text.lower() if self._ignore_case else text, self._plain)
        return self._matches_places(text)

    def _matches_plain(self, text: str, pieces: list[str]) -> bool:
        """The same where no character stands for another: looking for a text takes a time that follows its length."""
        first, *middle = pieces
        if not middle:
            return text == first
        if not text.startswith(first):
            return False
        place = len(first)
        for piece in middle[:-1]:
            found = text.find(piece, place)
            if found < 0:
                return False
            place = found + len(piece)
        return len(text) - self._last_length >= place and text.endswith(middle[-1])

    def _matches_places(self, text: str) -> bool:
        first, *middle = self._pieces
        if not middle:
            return first.fullmatch(text) is not None
        found = first.match(text)
        for piece in middle[:-1]:
            found = found and piece.search(text, found.end())
        last = len(text) - self._last_length
        return found is not None and last >= found.end() and middle[-1].match(text, last) is not None


@lru_cache(maxsize=_REMEMBERED_PATTERNS)
def like_matcher(pattern: str, ignore_case: bool = False) -> LikeMatcher:
    """The matcher of a pattern of ``like``, remembered; ``ignore_case`` for ``ilike``.

    >>> like_matcher("res%t__").matches("resnet50")
    True
    """
    return LikeMatcher(pattern, ignore_case=ignore_case)

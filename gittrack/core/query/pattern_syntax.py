"""Regular expressions of queries, read into a graph of states; see :mod:`gittrack.core.query.patterns`.

The syntax is Python's: characters, classes, ``.``, groups, ``|``, ``* + ? {m,n}`` (lazy ones too), ``^ $ \\A \\Z \\b
\\B``, and ``(?i)`` at the beginning. What cannot be matched in one pass (lookaround, references) is refused.
"""

from __future__ import annotations

import dataclasses
import re
import warnings
from dataclasses import field
from typing import Literal

from gittrack.frozen import dataclass

MAX_PATTERN = 200
"""Characters of a regular expression."""
MAX_STATES = 256
"""Places in a text that one can be at, repetitions written out; the time for a character follows this."""
MAX_REPEAT = 100
MAX_GROUPS_DEEP = 20
_TOO_MANY = "the regular expression has too many repetitions"

Assertion = Literal["start", "end", "last line end", "boundary", "no boundary"]

_QUANTIFIER = re.compile(r"(?:[*+?]|\{([0-9]{0,4})(,?)([0-9]{0,4})\})")
_CLASS_ESCAPES = frozenset("dDsSwW")
_ESCAPED = re.compile(r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[dDsSwWtnrfva]|[^A-Za-z0-9])", re.DOTALL)
_ASSERTIONS: dict[str, Assertion] = {"A": "start", "Z": "end", "b": "boundary", "B": "no boundary"}


class PatternError(ValueError):
    """The pattern is none, or none that can be matched in one pass; ``position`` is where. Never leaves the package."""

    def __init__(self, problem: str, position: int = 0) -> None:
        super().__init__(problem)
        self.problem = problem
        self.position = position


@dataclasses.dataclass(slots=True, eq=False, repr=False)
class Graph:
    """States of a pattern. From each one goes without taking a character, or by taking one that an atom takes.

    Attributes:
        atoms: each a pattern of one character.
        atom_next: atom -> the state after it.
        jumps: state -> the states that one is at too.
        checks: state -> what must hold at a place to go on to its jumps.
        takes: state -> the atom that takes a character there.
        end: the state in which all has been matched.
        built: pieces that were added.
    """

    ignore_case: bool = False
    atoms: list[str] = field(default_factory=list)
    atom_next: list[int] = field(default_factory=list)
    jumps: list[list[int]] = field(default_factory=list)
    checks: dict[int, Assertion] = field(default_factory=dict)
    takes: dict[int, int] = field(default_factory=dict)
    end: int = 0
    built: int = 0

    def count(self) -> None:
        """Count a piece, repetitions written out: nested ones of nothing make no states but take time."""
        self.built += 1
        if self.built > 8 * MAX_STATES:
            raise PatternError(_TOO_MANY)

    def new_state(self, *jumps: int) -> int:
        """A state from which one is at others too."""
        self.jumps.append(list(jumps))
        return len(self.jumps) - 1


@dataclass(frozen=True, slots=True)
class _Atom:
    text: str


@dataclass(frozen=True, slots=True)
class _Check:
    assertion: Assertion


@dataclass(frozen=True, slots=True)
class _Sequence:
    parts: tuple[_Node, ...]


@dataclass(frozen=True, slots=True)
class _Choice:
    parts: tuple[_Node, ...]


@dataclass(frozen=True, slots=True)
class _Repeat:
    part: _Node
    least: int
    most: int | None


_Node = _Atom | _Check | _Sequence | _Choice | _Repeat


def read_pattern(pattern: str) -> tuple[Graph, int]:
    """The graph of a pattern, and the state in which it begins.

    Raises:
        PatternError: not a pattern, or not one that is allowed.
    """
    if len(pattern) > MAX_PATTERN:
        raise PatternError(f"the regular expression has {len(pattern)} characters, at most {MAX_PATTERN} are allowed")
    reader = _Reader(pattern)
    node = reader.choice(0)
    if reader.place < len(pattern):
        raise PatternError("a ')' too many in the regular expression", reader.place)
    graph = Graph(ignore_case=reader.ignore_case)
    graph.end = graph.new_state()
    return graph, _build(graph, node, graph.end)


class _Reader:
    """Recursive descent over a pattern."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.ignore_case = pattern.startswith("(?i)")
        self.place = 4 if self.ignore_case else 0

    def choice(self, depth: int) -> _Node:
        parts = [self.sequence(depth)]
        while self.pattern.startswith("|", self.place):
            self.place += 1
            parts.append(self.sequence(depth))
        return parts[0] if len(parts) == 1 else _Choice(tuple(parts))

    def sequence(self, depth: int) -> _Node:
        parts: list[_Node] = []
        while self.place < len(self.pattern) and self.pattern[self.place] not in "|)":
            parts.append(self.repeated(self.one(depth)))
        return parts[0] if len(parts) == 1 else _Sequence(tuple(parts))

    def repeated(self, node: _Node) -> _Node:
        found = _QUANTIFIER.match(self.pattern, self.place)
        if not found or found[0] in ("{}", "{,}"):
            return node
        if isinstance(node, _Check):
            raise PatternError("nothing to repeat in the regular expression", self.place)
        least, most = _bounds(found, self.place)
        self.place = found.end()
        if self.pattern.startswith("?", self.place):  # a lazy one finds the same texts
            self.place += 1
        if _QUANTIFIER.match(self.pattern, self.place):
            raise PatternError("a repetition of a repetition in the regular expression", self.place)
        return _Repeat(node, least, most)

    def one(self, depth: int) -> _Node:
        char = self.pattern[self.place]
        if char == "(":
            return self.group(depth)
        if char == "[":
            return self.character_class()
        if char == "\\":
            return self.escape()
        if char in "*+?":
            raise PatternError("nothing to repeat in the regular expression", self.place)
        self.place += 1
        if char == "^":
            return _Check("start")
        if char == "$":
            return _Check("last line end")
        return _Atom(char if char == "." else re.escape(char))

    def group(self, depth: int) -> _Node:
        start = self.place
        if depth >= MAX_GROUPS_DEEP:
            raise PatternError(f"groups more than {MAX_GROUPS_DEEP} deep in the regular expression", start)
        self.place += 1
        if self.pattern.startswith("?:", self.place):
            self.place += 2
        elif self.pattern.startswith("?", self.place):
            raise PatternError(f"'{self.pattern[start : start + 3]}' is not supported in regular expressions", start)
        inner = self.choice(depth + 1)
        if not self.pattern.startswith(")", self.place):
            raise PatternError("a '(' without a ')' in the regular expression", start)
        self.place += 1
        return _Sequence((inner,)) if isinstance(inner, _Check) else inner

    def character_class(self) -> _Node:
        start = end = self.place
        end += 2 if self.pattern.startswith("[^", start) else 1
        end += self.pattern.startswith("]", end)  # the first one is a member
        while self.pattern[end : end + 1] not in ("]", ""):
            end += 2 if self.pattern[end] == "\\" else 1
        if self.pattern[end : end + 1] != "]":
            raise PatternError("a '[' without a ']' in the regular expression", start)
        self.place = end + 1
        return _Atom(_checked_class(self.pattern[start : self.place], start))

    def escape(self) -> _Node:
        following = self.pattern[self.place + 1 : self.place + 2]
        if following in _ASSERTIONS:
            self.place += 2
            return _Check(_ASSERTIONS[following])
        found = _ESCAPED.match(self.pattern, self.place)
        if not found:
            shown = f"\\{following}" if following.isprintable() else "\\"
            raise PatternError(f"'{shown}' is not supported in regular expressions", self.place)
        self.place = found.end()
        return _Atom(_checked_class(found[0], found.start()))


def _bounds(found: re.Match[str], place: int) -> tuple[int, int | None]:
    """The least and the most that a quantifier wants."""
    if found[0][0] != "{":
        return (1 if found[0] == "+" else 0), (1 if found[0] == "?" else None)
    least = int(found[1] or 0)
    most = (int(found[3]) if found[3] else None) if found[2] else least
    if max(least, most or 0) > MAX_REPEAT:
        raise PatternError(f"more than {MAX_REPEAT} repetitions in the regular expression", place)
    if most is not None and most < least:
        raise PatternError("the least is more than the most in the regular expression", place)
    return least, most


def _checked_class(text: str, place: int) -> str:
    try:
        compile_atom(text, ignore_case=False)
    except (re.error, OverflowError, ValueError) as error:
        raise PatternError("a class of characters that is none, in the regular expression", place) from error
    return text


def compile_atom(text: str, *, ignore_case: bool) -> re.Pattern[str]:
    """A pattern of one character, compiled: it takes constant time on one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # '[[a]' and the like: the present meaning is meant
        return re.compile(text, re.IGNORECASE if ignore_case else re.NOFLAG)


def _build(graph: Graph, node: _Node, after: int) -> int:
    """The state in which ``node`` begins, when ``after`` is the one that follows it."""
    graph.count()
    if isinstance(node, _Atom):
        if len(graph.atoms) >= MAX_STATES:
            raise PatternError(_TOO_MANY)
        state = graph.new_state()
        graph.takes[state] = len(graph.atoms)
        graph.atoms.append(node.text)
        graph.atom_next.append(after)
        return state
    if isinstance(node, _Check):
        state = graph.new_state(after)
        graph.checks[state] = node.assertion
        return state
    if isinstance(node, _Sequence):
        for part in reversed(node.parts):
            after = _build(graph, part, after)
        return after
    if isinstance(node, _Choice):
        return graph.new_state(*(_build(graph, part, after) for part in node.parts))
    return _build_repeat(graph, node, after)


def _build_repeat(graph: Graph, node: _Repeat, after: int) -> int:
    if node.most is None:
        loop = graph.new_state(after)
        graph.jumps[loop].append(_build(graph, node.part, loop))
        after = loop
    else:
        end = after
        for _ in range(node.most - node.least):
            after = graph.new_state(end, _build(graph, node.part, after))
    for _ in range(node.least):
        after = _build(graph, node.part, after)
    return after

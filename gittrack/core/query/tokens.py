"""The words of a query: names, quoted texts, numbers, durations and symbols, each with its place.

Quoted texts are taken as MLflow takes them (by sqlparse): a backslash is a plain character, so that paths and regular
expressions stay as they are, but before the closing quote: ``\\'`` does not end the text. Doubling the quote is the
other way to have one inside.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from gittrack.core.names import display
from gittrack.core.query.diagnosis import syntax_error
from gittrack.core.query.moments import DURATION

MAX_LENGTH = 10_000
"""Characters of a query."""

TokenKind = Literal["name", "word", "text", "number", "duration", "symbol", "end"]

_LETTER = r"[^\x00-/:-@\[-^`{-\x7f]"  # ASCII letters, digits, "_", and all beyond ASCII; compiles fast so
_SPACE = re.compile(r"\s+")
_NUMBER = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_WORD = re.compile(rf"{_LETTER}+")
_SEGMENT = re.compile(rf"{_LETTER}+(?:[-/@:]{_LETTER}+|\[{_LETTER}+\])*")
_SYMBOL = re.compile(r"<=|>=|==|!=|<>|!~|[=<>~(),+\-*/]")
_GLUE = r"[-/]"
# Of rare use: compiled when needed.
_SCOPE_BEGINS = (
    r"(?:\w+\.)?(?:metrics?|param(?:eter)?s?|tags?|attr(?:ibute)?s?|run|summary|data|datasets?|inputs?|artifacts?)\."
)
_NUMBER_WHOLE = r"[0-9.]+(?:[eE][0-9]+)?"
_TYPOGRAPHIC = frozenset("‘’‚“”„«»‹›′″＇＂｀´")
_OTHER_LANGUAGES = {"&": "and", "|": "or", "!": "not"}
_SIGNS = dict(zip("≥⩾≤⩽≠＝＞＜−–×÷∧∨¬", ">= >= <= <= != = > < - - * / and or not".split(), strict=True))
_UNITS = {"w": "week", "d": "day", "h": "hour", "m": "minute", "s": "second", "ms": "millisecond"}
_SHORT_UNITS = {"hr": "h", "hrs": "h", "min": "m", "mins": "m", "sec": "s", "secs": "s", "wk": "w", "wks": "w"}


class Token(NamedTuple):
    """One word of a query.

    Attributes:
        kind: ``name`` has dots or is quoted by backticks; ``word`` is bare: a keyword or an attribute.
        text: what it says: of a name without backticks, of a quoted text without its quotes; keywords as written.
        start, end: where it stands.
        quote: the quote of a text, or a backtick when a name has one.
    """

    kind: TokenKind
    text: str
    start: int
    end: int
    quote: str = ""

    @property
    def keyword(self) -> str:
        """In small letters, if it can be a keyword, else ``""``."""
        return self.text.lower() if self.kind == "word" else ""


class _Quoted(NamedTuple):
    text: str
    end: int


def tokenize(query: str) -> list[Token]:
    """The words of a query, an ``end`` last.

    Raises:
        QuerySyntaxError: a character or a number that is none, a text without an end, a query too long.

    >>> [token.text for token in tokenize("metrics.`f1 macro` >= 0.9")]
    ['metrics.f1 macro', '>=', '0.9', '']
    """
    if len(query) > MAX_LENGTH:
        raise syntax_error(query, MAX_LENGTH, f"the query has {len(query)} characters, at most {MAX_LENGTH} are read")
    _check_characters(query)
    tokens: list[Token] = []
    place = 0
    while True:
        space = _SPACE.match(query, place)
        place = space.end() if space else place
        if place == len(query):
            return [*tokens, Token("end", "", place, place)]
        token = _next(query, place)
        tokens.append(token)
        place = token.end


def _check_characters(query: str) -> None:
    """What no database can be asked for: half a character of UTF-16, and NUL."""
    for position, char in enumerate(query):
        if char == "\0" or "\ud800" <= char <= "\udfff":
            raise syntax_error(query, position, f"'{display(char)}' cannot stand in a query")


def _next(query: str, place: int) -> Token:
    char = query[place]
    if char in "'\"":
        text, end = _quoted(query, place)
        if query[end : end + 1] == ".":
            return _name(query, place)
        return Token("text", text, place, end, char)
    if char.isdigit() or (char == "." and query[place + 1 : place + 2].isdigit()):
        return _number(query, place)
    if char == "`" or _WORD.match(char):
        return _name(query, place)
    symbol = _SYMBOL.match(query, place)
    if symbol:
        return Token("symbol", symbol[0], place, symbol.end())
    instead = _OTHER_LANGUAGES.get(char)
    hint = f"write {instead}" if instead else f"a name that holds '{display(char)}' stands in backticks"
    raise syntax_error(query, place, f"'{display(char)}' means nothing here", hint=hint)


def _number(query: str, place: int) -> Token:
    duration = DURATION.match(query, place)
    number = _NUMBER.match(query, place)
    found = duration or number
    if found is None or _WORD.match(query, found.end()) or query.startswith(".", found.end()):
        word = re.compile(r"[\w.]+").match(query, place)
        shown = display(word[0] if word else query[place], 40)
        name = shown.lstrip("0123456789.")
        unit = unit_of(name)
        hint = f"write {shown.removesuffix(name)}{unit}" if unit else "a text stands in quotes"
        raise syntax_error(query, place, f"'{shown}' is no number", hint=hint)
    return Token("duration" if duration else "number", found[0], place, found.end())


def unit_of(word: str) -> str:
    """The unit of durations that a word means; ``""`` of others.

    >>> unit_of("hours"), unit_of("min"), unit_of("d"), unit_of("metres")
    ('h', 'm', 'd', '')
    """
    lower = word.lower()
    singular = lower.removesuffix("s") if lower not in _UNITS else lower
    known = {**_SHORT_UNITS, **{name: unit for unit, name in _UNITS.items()}}
    return lower if lower in _UNITS else known.get(lower) or known.get(singular, "")


def _name(query: str, place: int) -> Token:
    """A word, or several parts with dots between, each bare or quoted."""
    parts: list[str] = []
    backtick, end = "", place
    while True:
        char = query[end : end + 1]
        if char and char in "`'\"":
            text, end = _quoted(query, end)
            backtick = "`"
        else:
            found = (_SEGMENT if parts else _WORD).match(query, end)
            if found is None:
                raise syntax_error(query, end, "a name is missing after the dot", hint=_in_backticks(parts))
            text, end = found[0], found.end()
            _refuse_doubtful(query, found.start(), text)
        parts.append(text)
        if query[end : end + 1] != ".":
            break
        end += 1
    kind: TokenKind = "name" if backtick or len(parts) > 1 else "word"
    if kind == "name" and not backtick:
        _refuse_ambiguous(query, ".".join(parts[1:]), place + len(parts[0]) + 1, parts[0])
    return Token(kind, ".".join(parts), place, end, backtick)


def _in_backticks(parts: list[str]) -> str:
    return f"{display('.'.join(parts), 40)}.`…`: backticks hold any name"


def _refuse_doubtful(query: str, start: int, text: str) -> None:
    """Any character beyond ASCII may stand in a bare name but spaces, what looks like a quote, and what is not seen."""
    if text.isascii():
        return
    for offset, char in enumerate(text):
        if char in _TYPOGRAPHIC:
            raise syntax_error(query, start + offset, f"{char} is no quote", hint="write ' or \"")
        if char in _SIGNS:
            hint = f"write {_SIGNS[char]}; in a name it stands in backticks"
            raise syntax_error(query, start + offset, f"{char} is no operator", hint=hint)
        if not char.isprintable():
            hint = "such a character stands in backticks or quotes"
            raise syntax_error(query, start + offset, f"'{display(char)}' means nothing here", hint=hint)


def _refuse_ambiguous(query: str, key: str, start: int, scope: str) -> None:
    """``metrics.val/acc`` is a name; of ``metrics.a/2`` and ``metrics.a-metrics.b`` nobody can say what was meant."""
    for glue in re.finditer(_GLUE, key):
        rest = key[glue.end() :]
        if re.fullmatch(_NUMBER_WHOLE, rest) or re.match(_SCOPE_BEGINS, rest):
            raise syntax_error(
                query,
                start + glue.start(),
                f"'{glue[0]}' may be part of the name or an operator",
                hint=f"put spaces around it to calculate; a name of this kind stands in backticks: "
                f"{display(scope)}.`{display(key, 60)}`",
            )


def _quoted(query: str, place: int) -> _Quoted:
    """The text that begins with the quote at ``place``, and where it ends."""
    quote = query[place]
    pieces: list[str] = []
    start = place + 1
    escaped = -1
    while True:
        found = query.find(quote, start)
        if found < 0:
            break
        body = query[start:found]
        slashes = 0 if quote == "`" else len(body) - len(body.rstrip("\\"))
        body = body[: len(body) - (slashes + 1) // 2]  # of several before a quote, two mean one
        if slashes % 2:
            pieces += [body, quote]
            escaped, start = found, found + 1
        elif query.startswith(quote, found + 1):
            pieces += [body, quote]
            start = found + 2
        else:
            return _Quoted("".join([*pieces, body]), found + 1)
    if escaped >= 0 and not query[escaped + 1 :].strip(" )\t\n"):
        return _Quoted(query[place + 1 : escaped], escaped + 1)  # 'C:\data\': as MLflow reads it
    hint = f"close it with {quote}; inside, {quote} is written twice"
    raise syntax_error(query, place, "the quote is never closed", hint=hint)

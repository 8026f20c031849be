"""Where a page of a search ended, as a text that is handed out and comes back from anywhere."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from gittrack.core.ids import parse_run_id
from gittrack.errors import GittrackError, UsageError

VERSION = 1
_MOST_CHARACTERS = 1 << 20
_LONGEST_TEXT = 500
"""Characters of a value in a token; of a longer one it holds the beginning."""
_INT64 = 1 << 63
_RANKS = (0, 1, 2)


class CutText(NamedTuple):
    """A text that is too long for a token: its beginning, and a digest of the whole, which the run has."""

    beginning: str
    digest: str

    @classmethod
    def of(cls, text: str) -> CutText:
        """What a token has of a long text."""
        return cls(text[:_LONGEST_TEXT], fingerprint([text]))


class Page(NamedTuple):
    """Where a search goes on.

    Attributes:
        asked_at: ms since the epoch, what relative times of the search are counted from, on every page.
        position: of the last run of the page before: rank and value for each key of the order, start time, id. Read
            from a token, a long text is a :class:`CutText`.
    """

    asked_at: int
    position: tuple[Any, ...]


def fingerprint(parts: Sequence[str]) -> str:
    """What tells a search from others: its query, order and experiments, each a text."""
    import hashlib  # loads OpenSSL: not where nothing is hashed

    return hashlib.sha256(json.dumps(list(parts)).encode()).hexdigest()[:16]


def encode_token(page: Page, search: str) -> str:
    """The token of a page; letters, digits, ``-`` and ``_`` only.

    Args:
        page: where the search goes on.
        search: its :func:`fingerprint`.

    >>> page = Page(5, (0, 0.5, 1, "ab" * 16))
    >>> decode_token(encode_token(page, "me"), "me", keys=1) == page
    True
    """
    position = [_cut(value) for value in page.position]
    text = json.dumps([VERSION, search, page.asked_at, position], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_token(token: str, search: str, *, keys: int) -> Page:
    """Read a token.

    Args:
        token: as it came.
        search: fingerprint of the search that it is to go on with.
        keys: how many keys its order has.

    Raises:
        UsageError: it is no token, or one of another search.
    """
    try:
        version, of_search, now, position = _content(token)
        if version != VERSION:
            raise ValueError(f"version {version!r:.20}")
        page = Page(_integer(now), tuple(map(_read, position)))
    except (ValueError, TypeError, RecursionError) as error:
        raise UsageError("this is no page token", hint="give none for the first page") from error
    if of_search != search:
        text = "the page token is of another search"
        raise UsageError(text, hint="the same query, order and experiments as on the page before, or no token")
    try:
        _check_position(page.position, keys)
    except (ValueError, TypeError, GittrackError) as error:
        raise UsageError("this is no page token", hint="give none for the first page") from error
    return page


def _cut(value: Any) -> Any:
    """A value as a token has it; a long text is a list."""
    return CutText.of(value) if isinstance(value, str) and len(value) > _LONGEST_TEXT else value


def _read(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    if len(value) != 2 or not all(isinstance(each, str) and len(each) <= _LONGEST_TEXT for each in value):
        raise TypeError("no beginning of a text")
    return CutText(*value)


def _content(token: str) -> list[Any]:
    if len(token) > _MOST_CHARACTERS:
        raise ValueError("too long")
    data = base64.b64decode(token.encode("ascii") + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
    content = json.loads(data)
    if not isinstance(content, list) or not isinstance(content[3:4], list):
        raise TypeError("no list")
    return content


def _check_position(position: Sequence[Any], keys: int) -> None:
    if len(position) != 2 * keys + 2:
        raise ValueError("of another order")
    *places, start, id = position
    for rank, value in zip(places[::2], places[1::2], strict=True):
        if _integer(rank) not in _RANKS:
            raise ValueError("no rank")
        _check_value(value)
    _integer(start)
    parse_run_id(id)


def _check_value(value: object) -> None:
    if value is None:
        return
    if isinstance(value, CutText):
        value = value.beginning
    if isinstance(value, str):
        value.encode()  # halves of characters are no text
    elif isinstance(value, float):
        if math.isnan(value):
            raise ValueError("no number")
    else:
        _integer(value)


def _integer(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not -_INT64 <= value < _INT64:
        raise TypeError("no integer")
    return value

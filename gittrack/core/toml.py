"""TOML: the same data gives the same bytes, and bytes from strangers are measured before they are parsed.

``tomllib`` takes more than linear time for one dotted key of many parts (20 kB: 8.5 s) and overflows the stack for
deep arrays. So :func:`parse` looks first, in linear time, at what is nested how deep.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from typing import Any

from gittrack.errors import CorruptRecordError, InvalidValueError

MAX_BYTES = 8 << 20
MAX_DEPTH = 64
MAX_INTEGER_BITS = 14_000
_LARGEST = 1 << MAX_INTEGER_BITS
"""Python refuses to write more than 4,300 decimal digits, but reads hexadecimal ones without end."""

# Strings and comments, as tomllib reads them: what is inside them nests nothing. An unfinished one reaches as far as it
# can, so that no second attempt begins inside it; the possessive repetitions never go back.
_OPAQUE = re.compile(
    r'"""(?:[^"\\]++|\\[\s\S]|"(?!""))*+(?:"{3,5})?'
    r"|'''(?:[^']++|'(?!''))*+(?:'{3,5})?"
    r'|"(?:[^"\\\n]++|\\.)*+"?'
    r"|'[^'\n]*+'?"
    r"|\#[^\n]*+"
)
_BRACKET = re.compile(r"[\[\]{}]")
_BETWEEN_KEYS = re.compile(r"[=,\[\]{}]")


def dump(data: Mapping[str, Any]) -> bytes:
    """The bytes of a TOML document: keys sorted at every level, UTF-8, ``\\n``, one line for every string.

    Args:
        data: tables, lists and scalars; floats may be nan and infinite. A time zone that is not a whole number of
            minutes from UTC, which TOML cannot state, becomes UTC.

    Raises:
        InvalidValueError: something TOML has no form for: None, a key that is no string, a lone surrogate, …

    >>> dump({"b": 1, "a": {"x": [1.5, True]}})
    b'b = 1\\n\\n[a]\\nx = [\\n    1.5,\\n    true,\\n]\\n'
    """
    import tomli_w

    try:
        return tomli_w.dumps(_sorted_table(data)).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidValueError(f"cannot be written as TOML: {error}") from error


def _sorted_table(table: Mapping[str, Any]) -> dict[str, Any]:
    for key in table:
        if not isinstance(key, str):
            raise InvalidValueError(f"cannot be written as TOML: the key {key!r} is not a string")
    return {key: _plain(table[key]) for key in sorted(table)}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return _sorted_table(value)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return stored_moment(value) if isinstance(value, datetime.datetime) else value


def stored_moment(value: datetime.datetime) -> datetime.datetime:
    """A moment as TOML can state it: a zone that is not a whole number of minutes from UTC becomes UTC."""
    offset = value.utcoffset()
    if offset is not None and offset % datetime.timedelta(minutes=1):
        return value.astimezone(datetime.UTC)
    return value


def parse(data: bytes, *, limit: int = MAX_BYTES, depth: int = MAX_DEPTH, what: str) -> dict[str, Any]:
    """Read a TOML document that anybody may have written.

    Args:
        data: the document. Integers of up to 14,000 bits are kept.
        limit: refused when it is larger, in bytes.
        depth: refused when tables and arrays nest deeper, or one dotted key has more parts.
        what: what is being read, for the error: ``"params.toml"``.

    Raises:
        CorruptRecordError: too large, too deep, an integer that cannot be written again, not UTF-8, not TOML.

    >>> parse(b'a.b = 1', what="an example")
    {'a': {'b': 1}}
    """
    import tomllib

    if len(data) > limit:
        raise _damaged(what, f"{len(data)} bytes, at most {limit} are read")
    try:
        text = data.decode()
        _check_nesting(text, depth, what)
        table = tomllib.loads(text)
    except (ValueError, OverflowError, RecursionError) as error:
        raise _damaged(what, str(error) or type(error).__name__) from error
    check_values(table, depth, what)
    return table


def _damaged(what: str, why: str) -> CorruptRecordError:
    return CorruptRecordError(f"{what} is damaged: {why[:200]}", hint="gittrack fsck")


def _check_nesting(text: str, depth: int, what: str) -> None:
    """Refuse what would take tomllib long, without parsing it."""
    if text.count("[") + text.count("{") <= depth and text.count(".") < depth:
        return
    bare = _OPAQUE.sub("_", text)
    nested = 0
    for bracket in _BRACKET.finditer(bare):
        nested = nested + 1 if bracket[0] in "[{" else max(nested - 1, 0)
        if nested > depth:
            raise _damaged(what, f"nested deeper than {depth}")
    for line in bare.split("\n"):
        # A key never leaves its line; dots beyond the limit may still be those of numbers in an array.
        if line.count(".") >= depth and any(part.count(".") >= depth for part in _BETWEEN_KEYS.split(line)):
            raise _damaged(what, f"a key has more than {depth} parts")


def check_values(table: Mapping[str, Any], depth: int, what: str) -> None:
    """Refuse a parsed document, TOML or JSON, that would fail whoever walks it or writes it later.

    Raises:
        CorruptRecordError: nested too deep, by whatever means, or an integer of more than 14,000 bits.
    """
    level: list[Any] = [table]
    for _ in range(depth + 1):
        inner: list[Any] = []
        for item in level:
            for child in item.values() if type(item) is dict else item:
                kind = type(child)  # parsers make no subclasses, and every run that is listed passes here
                if kind is dict or kind is list:
                    inner.append(child)
                elif kind is int and not -_LARGEST < child < _LARGEST:
                    raise _damaged(what, f"an integer of more than {MAX_INTEGER_BITS} bits")
        if not inner:
            return
        level = inner
    raise _damaged(what, f"nested deeper than {depth}")


# -- fields of records: of the type that the format says, never made into it -----------------------------------------


def as_text(value: object) -> str:
    """``value`` when it is a string; raises TypeError otherwise."""
    if not isinstance(value, str):
        raise TypeError(f"{_shown(value)} is not a string")
    return value


def as_integer(value: object) -> int:
    """``value`` when it is an integer; raises TypeError otherwise."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{_shown(value)} is not an integer")
    return value


def as_size(value: object) -> int:
    """``value`` when it is a number of bytes; raises TypeError or ValueError otherwise."""
    size = as_integer(value)
    if size < 0:
        raise ValueError(f"{size} bytes are fewer than none")
    return size


def as_flag(value: object) -> bool:
    """``value`` when it is a boolean; raises TypeError otherwise."""
    if not isinstance(value, bool):
        raise TypeError(f"{_shown(value)} is neither true nor false")
    return value


def as_texts(value: object) -> tuple[str, ...]:
    """The strings of a list; raises TypeError when it is none."""
    if not isinstance(value, list):
        raise TypeError(f"{_shown(value)} is not a list")
    return tuple(as_text(item) for item in value)


def as_table(value: object) -> Mapping[str, Any]:
    """``value`` when it is a table; raises TypeError otherwise."""
    if not isinstance(value, dict):
        raise TypeError(f"{_shown(value)} is not a table")
    return value


def as_rows(value: object) -> list[Mapping[str, Any]]:
    """The tables of a list; raises TypeError when it is none."""
    if not isinstance(value, list):
        raise TypeError(f"{_shown(value)} is not a list")
    return [as_table(row) for row in value]


def _shown(value: object) -> str:
    return repr(str(value)[:40])

"""Times and durations as queries write them: ``-7d``, ``1h30m``, ``'2026-11-01 12:00'``."""

from __future__ import annotations

import datetime
import re

_UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_PART = r"([0-9]{1,12}(?:\.[0-9]{1,12})?)(ms|w|d|h|m|s)"
_ONE = re.compile(_PART)
DURATION = re.compile(rf"(?:{_PART})+(?![\w.])")
"""A duration without a sign."""
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MS = datetime.timedelta(milliseconds=1)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ].{1,40})?")


def parse_duration(text: str) -> int | None:
    """Milliseconds of ``1h30m``, ``90s``, ``1.5d``, ``-2w``; None when it is no duration.

    >>> parse_duration("1h30m"), parse_duration("-250ms"), parse_duration("soon")
    (5400000, -250, None)
    """
    sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text)
    if not DURATION.fullmatch(digits):
        return None
    return sign * sum(round(float(number) * _UNITS[unit]) for number, unit in _ONE.findall(digits))


def write_duration(milliseconds: int) -> str:
    """The shortest text that :func:`parse_duration` reads as the same.

    >>> write_duration(5400000), write_duration(-250), write_duration(0)
    ('1h30m', '-250ms', '0s')
    """
    rest = abs(milliseconds)
    text = ""
    for unit in ("w", "d", "h", "m", "s", "ms"):
        count, rest = divmod(rest, _UNITS[unit])
        if count:
            text += f"{count}{unit}"
    return f"{'-' if milliseconds < 0 else ''}{text or '0s'}"


def parse_moment(text: str, now: int) -> int | None:
    """Milliseconds since the epoch of a date, a date with a time, or ``-7d``; None when it is none of them.

    Args:
        text: ISO 8601: ``2026-11-01``, ``2026-11-01 12:00``, ``2026-11-01T12:00:00.5+02:00``; UTC without an offset, as
            gittrack prints times.
        now: ms since the epoch, what ``-7d`` is counted from.
    """
    text = text.strip()
    if text.startswith("-"):
        back = parse_duration(text)
        return None if back is None else now + back
    if not _DATE.fullmatch(text):
        return None
    try:
        moment = datetime.datetime.fromisoformat(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
        return (moment - _EPOCH) // _MS
    except (ValueError, OverflowError):
        return None


def write_moment(milliseconds: int) -> str | None:
    """The time in UTC, as :func:`parse_moment` reads it; None beyond the years 1 to 9999.

    >>> write_moment(1_793_534_400_000)
    '2026-11-01 12:00:00Z'
    """
    try:
        moment = _EPOCH + milliseconds * _MS
    except OverflowError:
        return None
    precision = "milliseconds" if milliseconds % 1000 else "seconds"
    return moment.replace(tzinfo=None).isoformat(" ", precision) + "Z"

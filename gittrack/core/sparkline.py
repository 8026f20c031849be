"""Numbers for a terminal: a curve in a dozen characters, a value in four digits, a duration and an age in two units."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

_BLOCKS = "▁▂▃▄▅▆▇█"
_SECOND, _MINUTE, _HOUR, _DAY = 1000, 60_000, 3_600_000, 86_400_000


def sparkline(values: Sequence[float], width: int = 12) -> str:
    """A curve in block characters, from lowest to highest.

    Args:
        values: in order; more than ``width`` are averaged in equal groups.
        width: at most so many characters.

    Returns:
        One character per value or group: a space where all are NaN, the lowest and highest block where one is
        infinite, the middle block for a curve that never changes. ``""`` when there is nothing to show.

    >>> sparkline([1, 2, 3, 4, 5, 6, 7, 8]), sparkline([2, 2, float("nan")])
    ('▁▂▃▄▅▆▇█', '▄▄ ')
    """
    if not len(values) or width <= 0:
        return ""
    points = [_mean(group) for group in _groups(values, width)]
    finite = [point for point in points if math.isfinite(point)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 0.0)
    return "".join(_block(point, low, high) for point in points)


def _groups(values: Sequence[float], width: int) -> list[Sequence[float]]:
    count = min(width, len(values))
    edges = [len(values) * edge // count for edge in range(count + 1)]
    return [values[start:end] for start, end in pairwise(edges)]


def _mean(values: Sequence[float]) -> float:
    numbers = [value for value in values if not math.isnan(value)]
    if not numbers:
        return math.nan
    if min(numbers) == max(numbers):
        return numbers[0]  # rounding would make a flat curve rough
    # Divided first: the sum of large numbers may be more than a float holds. Of both infinities the mean is NaN.
    return sum(value / len(numbers) for value in numbers)


def _block(point: float, low: float, high: float) -> str:
    if math.isnan(point):
        return " "
    if math.isinf(point):
        return _BLOCKS[-1] if point > 0 else _BLOCKS[0]
    if low == high:
        return _BLOCKS[3]
    # Halved first: the difference of two large numbers may be more than a float holds.
    share = (point / 2 - low / 2) / (high / 2 - low / 2) if high - low == math.inf else (point - low) / (high - low)
    return _BLOCKS[min(int(share * len(_BLOCKS)), len(_BLOCKS) - 1)]


def format_number(value: float) -> str:
    """``value`` with four significant digits, as short as possible; whole numbers below a million in full.

    >>> [format_number(value) for value in (0.123456, 5.0, 123456, 0.0000123, 1.5e9, float("nan"))]
    ['0.1235', '5', '123456', '1.23e-5', '1.5e9', 'nan']
    """
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if abs(value) < 1e6 and value == int(value):
        return str(int(value))
    text = f"{value:.4g}"
    if "e" not in text:
        return text
    if 1 <= abs(value) < 999_999.5:
        return f"{value:.0f}"
    mantissa, _, exponent = text.partition("e")
    return f"{mantissa}e{int(exponent)}"


def format_duration(milliseconds: int) -> str:
    """A length of time in at most two units; negative ones, from a clock set back, are ``0ms``.

    >>> [format_duration(ms) for ms in (850, 12_340, 245_000, 8_000_000, 300_000_000)]
    ['850ms', '12.3s', '4m05s', '2h13m', '3d11h']
    """
    ms = max(int(milliseconds), 0)
    if ms < _SECOND:
        return f"{ms}ms"
    if ms < _MINUTE:
        return f"{ms // 100 / 10:.1f}s"
    if ms < _HOUR:
        return f"{ms // _MINUTE}m{ms % _MINUTE // _SECOND:02d}s"
    if ms < _DAY:
        return f"{ms // _HOUR}h{ms % _HOUR // _MINUTE:02d}m"
    return f"{ms // _DAY}d{ms % _DAY // _HOUR:02d}h"


def format_age(milliseconds: int) -> str:
    """How long ago something was, in one unit; what lies in the future, by another machine's clock, is ``just now``.

    Args:
        milliseconds: now minus then.

    >>> [format_age(ms) for ms in (500, 90_000, 8_000_000, 300_000_000, 10**10, 10**11)]
    ['just now', '1m ago', '2h ago', '3d ago', '3mo ago', '3y ago']
    """
    ms = int(milliseconds)
    if ms < 10 * _SECOND:
        return "just now"
    for unit, name, until in (
        (_SECOND, "s", _MINUTE),
        (_MINUTE, "m", _HOUR),
        (_HOUR, "h", _DAY),
        (_DAY, "d", 14 * _DAY),
        (7 * _DAY, "w", 60 * _DAY),
        (30 * _DAY, "mo", 365 * _DAY),
    ):
        if ms < until:
            return f"{ms // unit}{name} ago"
    return f"{ms // (365 * _DAY)}y ago"

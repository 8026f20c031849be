"""Sizes as people read them."""

from __future__ import annotations

_UNITS = ("kB", "MB", "GB", "TB", "PB")


def format_size(count: int) -> str:
    """Bytes in the largest unit (of 1,000) that leaves a number before the point, with three digits.

    >>> [format_size(count) for count in (0, 999, 1_000, 12_345, 999_999, 1_234_567_890, 10**18)]
    ['0 B', '999 B', '1.00 kB', '12.3 kB', '1.00 MB', '1.23 GB', '1000 PB']
    """
    if count < 1000:
        return f"{count} B"
    value = float(count)
    for unit in _UNITS:
        value /= 1000
        if value < 999.5 or unit == _UNITS[-1]:
            digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
            return f"{value:.{digits}f} {unit}"
    raise AssertionError  # the last unit always fits

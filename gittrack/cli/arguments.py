"""Arguments of the command line that are made of parts."""

from __future__ import annotations

from collections.abc import Iterable

from gittrack.errors import UsageError


def parse_pairs(items: Iterable[str], example: str) -> dict[str, str]:
    """Read ``key=value`` items; the value may hold further ``=``.

    Args:
        items: as given.
        example: a correct command, for the hint.

    Raises:
        UsageError: an item without ``=`` or without a key, or a key given twice with different values.
    """
    pairs: dict[str, str] = {}
    for item in items:
        key, equals, value = item.partition("=")
        if not equals or not key:
            raise UsageError(f"'{item[:80]}' is not of the form key=value", hint=example)
        if pairs.setdefault(key, value) != value:
            raise UsageError(f"'{key[:80]}' is given twice", hint=example)
    return pairs

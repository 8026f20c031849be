"""What is wrong with a query, shown at its place: a line of the query with a caret, and the nearest known name."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import nlargest
from itertools import islice, pairwise

from gittrack.core.names import cell_width, display
from gittrack.errors import QuerySyntaxError

WIDTH = 70
"""Columns of the query that are shown around the place."""
_BEFORE = 45
_OF_QUERY = " of the query"
_LONGEST = 120
_POOL = 20_000
"""Of so many known names of about the same length a near one is looked for."""
_COMPARED = 60
"""So many of them, those that share most pairs of letters, are compared exactly."""
_GUIDE = "the language in short: gittrack ls --help"


def syntax_error(query: str, position: int, problem: str, *, hint: str | None = None) -> QuerySyntaxError:
    """The error to raise.

    Args:
        query: the whole text.
        position: of the character where the trouble begins; the length of the text for its end.
        problem: what is wrong, one line without control characters.
        hint: how to write it instead.
    """
    position = max(0, min(position, len(query)))
    before = _last_cells(display(query[max(0, position - 4 * _BEFORE) : position]), position)
    room = WIDTH - cell_width(before)
    excerpt = f"{before}{display(query[position : position + 4 * WIDTH], room)}"
    caret = " " * cell_width(before) + "^"
    return QuerySyntaxError(
        f"{problem}, at character {position + 1}{_OF_QUERY}",
        position=position,
        excerpt=f"{excerpt}\n{caret}",
        hint=hint or _GUIDE,
    )


def renamed(error: QuerySyntaxError, what: str) -> QuerySyntaxError:
    """The error of a text that is no query: ``at character 3 of the sort key``."""
    message = error.message.removesuffix(_OF_QUERY)
    message += f" of {what}" if message != error.message else ""
    return QuerySyntaxError(message, position=error.position, excerpt=error.excerpt, hint=error.hint)


def _last_cells(shown: str, position: int) -> str:
    """The end of what stands before the place, at most ``_BEFORE`` columns."""
    if cell_width(shown) <= _BEFORE and position <= 4 * _BEFORE:
        return shown
    kept = shown
    while cell_width(kept) > _BEFORE - 1:
        kept = kept[max(1, (cell_width(kept) - _BEFORE) // 2) :]
    return "…" + kept


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that is most like ``name``, else the shortest that begins so, or ``""``.

    >>> nearest("metrics.acu", ["metrics.acc", "metrics.loss"]), nearest("lat", ["acc", "latency_ms"])
    ('metrics.acc', 'latency_ms')
    """
    from difflib import get_close_matches

    if len(name) > _LONGEST:
        return ""
    lower, known = name.lower(), list(known)
    alike = (each for each in known if abs(len(each) - len(name)) <= max(3, len(name) // 2))
    by_lower = {each.lower(): each for each in islice(alike, _POOL)}
    pool: Iterable[str] = by_lower
    if len(by_lower) > _COMPARED:  # what shares no pair of letters is not near; difflib takes long to find that out
        pairs = frozenset(map("".join, pairwise(lower)))
        pool = nlargest(_COMPARED, by_lower, key=lambda each: len(pairs.intersection(map("".join, pairwise(each)))))
    found = get_close_matches(lower, pool, n=1, cutoff=0.6)
    if found:
        return by_lower[found[0]]
    begun = (each for each in known if each.lower().startswith(lower)) if len(name) > 1 else ()
    return min(begun, key=lambda each: (len(each), each), default="")


def meant(name: str, known: Iterable[str]) -> str | None:
    """``did you mean …?`` with the nearest known name, or None."""
    found = nearest(name, known)
    return f"did you mean {display(found, 80)}?" if found else None

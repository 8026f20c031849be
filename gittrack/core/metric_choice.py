"""Which metrics to look at: those that patterns name, and the telling ones first where nobody names any."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from gittrack.core.directions import Direction, usual_direction

SYSTEM = "system/"
_SPLITS = frozenset("train training val valid validation test testing eval evaluation dev holdout".split())
_WORD = re.compile(r"[^\W_]+")


def stem_of(name: str) -> str:
    """A metric's name without the part of the data that it was measured on: what ``train`` and ``val`` have in common.

    >>> [stem_of(name) for name in ("loss", "val/loss", "train_loss", "Loss-valid", "eval/f1_macro", "test")]
    ['loss', 'loss', 'loss', 'loss', 'f1/macro', 'test']
    """
    words = [word.lower() for word in _WORD.findall(name)]
    return "/".join([word for word in words if word not in _SPLITS] or words)


def telling_first(points: Mapping[str, int], first: Sequence[str] = ()) -> list[str]:
    """All metrics but those of the machine, in the order in which one looks at them.

    Curves before single numbers; the same on several parts of the data (``loss``, ``val/loss``) next to each other;
    what is known to get better in one direction before the rest; then those on several parts, short paths, the name.

    Args:
        points: metric -> how many points it has.
        first: those that the project wants first.

    >>> telling_first({"loss": 9, "size_kb": 1, "val/acc": 9, "val/loss": 9, "wobble": 9})
    ['loss', 'val/loss', 'val/acc', 'wobble', 'size_kb']
    """
    wanted = [name for name in dict.fromkeys(first) if name in points]
    groups: dict[str, list[str]] = {}
    for name in points:
        if not name.startswith(SYSTEM) and name not in wanted:
            groups.setdefault(stem_of(name), []).append(name)

    def rank(stem: str) -> tuple[bool, int, int, str]:
        names = groups[stem]
        is_known = any(usual_direction(name) is not Direction.UNKNOWN for name in names)
        return not is_known, -len(names), min(name.count("/") for name in names), stem

    ordered = [
        name
        for stem in sorted(groups, key=rank)
        for name in sorted(groups[stem], key=lambda each: (each.count("/"), each))
    ]
    return [*wanted, *sorted(ordered, key=lambda name: points[name] < 2)]


def named_by(patterns: Iterable[str], points: Mapping[str, int]) -> list[str]:
    """The metrics that names and patterns (``val/*``, ``?oss``, ``[al]*``) mean, none twice.

    Args:
        patterns: a name that there is means that one. What means nothing stays as it is, for the caller to tell.
        points: metric -> how many points it has. Those of the machine are meant by ``system/…`` only.
    """
    found: dict[str, None] = {}
    for pattern in patterns:
        if pattern in points or not any(sign in pattern for sign in "*?["):
            found[pattern] = None
            continue
        names = telling_first(points)
        if pattern.startswith(SYSTEM):
            names = sorted(name for name in points if name.startswith(SYSTEM))
        found |= dict.fromkeys([name for name in names if fnmatchcase(name, pattern)] or [pattern])
    return list(found)

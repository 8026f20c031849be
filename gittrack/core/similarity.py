"""How much alike two runs are: Gower's distance over what they were given, of mixed types.

J. C. Gower, "A general coefficient of similarity and some of its properties", Biometrics 27 (1971): every variable
gives a distance between 0 and 1, and the distance of two runs is the mean of them. A number's is the difference over
the range that it has among all runs; where all are above zero and span two decades or more (learning rates), that of
the logarithms. Anything else is the same, 0, or not, 1. The code and the data are a variable each.

One rule differs from Gower's, who leaves out what is missing: a param that only one of two runs has tells them apart as
fully as it can. What neither has is no variable of theirs.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import field
from typing import Literal

from gittrack.core.names import display
from gittrack.errors import UsageError
from gittrack.frozen import dataclass

Aspect = Literal["params", "metrics", "code", "data"]
Stored = tuple[float | str | None, str]
"""A value and its kind, as the index has it: a number wherever one is meant, None for NaN and null."""

DECADES = 100.0
"""High over low from which on a range is that of the logarithms."""
SAME_HEAD = 0.5
"""Distance of two codes that are changes to one commit, or that commit and a change to it."""
_SYSTEM = "system/"


@dataclass(frozen=True, slots=True)
class Scale:
    """The range of a number among all runs: finite, ``low`` at most ``high``."""

    low: float
    high: float

    @property
    def log(self) -> bool:
        """Whether it is measured by logarithms."""
        return self.low > 0 and self.high / DECADES >= self.low

    @property
    def span(self) -> float:
        """What makes a difference of places 1; 0 when there is no range."""
        return self.place(self.high) - self.place(self.low)

    def place(self, value: float) -> float:
        """Where a number lies; halved, so that the difference of two is no infinity. Of logarithms that of above 0."""
        return math.log(value) if self.log else value / 2

    def distance(self, one: float, other: float) -> float:
        """Between 0 and 1."""
        if one == other:
            return 0.0
        if self.log and (one <= 0 or other <= 0):
            return 1.0
        difference = abs(self.place(one) - self.place(other))
        return min(difference / self.span, 1.0) if self.span > 0 and not math.isnan(difference) else 1.0


@dataclass(frozen=True, slots=True)
class Facts:
    """What of a run is compared.

    Attributes:
        params, metrics: by name.
        code: the commit that ran, None when unknown.
        head: HEAD then.
        data: digests of what it read.
    """

    params: Mapping[str, Stored] = field(default_factory=dict)
    metrics: Mapping[str, Stored] = field(default_factory=dict)
    code: str | None = None
    head: str | None = None
    data: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Basis:
    """By what runs are compared.

    Attributes:
        params, metrics: names; None: all of them, but no metric of the machine (``system/…``).
        code, data: whether they count.
    """

    params: Collection[str] | None = None
    metrics: Collection[str] | None = ()
    code: bool = True
    data: bool = True

    def has(self, aspect: Aspect, name: str) -> bool:
        """Whether a param or metric counts."""
        names = self.params if aspect == "params" else self.metrics
        if names is None:
            return aspect == "params" or not name.startswith(_SYSTEM)
        return name in names


@dataclass(frozen=True, slots=True)
class Difference:
    """One variable in which two runs differ.

    Attributes:
        aspect, name: what; code and data have no name.
        distance: above 0, at most 1.
    """

    aspect: Aspect
    name: str
    distance: float


Scales = Mapping[tuple[Aspect, str], Scale]
"""The ranges of numbers; what has none is only the same or not."""


def parse_basis(texts: Iterable[str]) -> Basis:
    """Read ``params``, ``metrics``, ``code``, ``data``, ``params.lr``, ``metrics.acc``, or ``lr``, a param.

    Args:
        texts: each may name several, with commas between; none at all: params, code and data.

    Raises:
        UsageError: one is empty.

    >>> parse_basis(["params.lr,code"])
    Basis(params=('lr',), metrics=(), code=True, data=False)
    """
    words = [word.strip() for text in texts for word in text.split(",")]
    if not words:
        return Basis()
    names: dict[str, list[str]] = {"params": [], "metrics": []}
    for word in words:
        scope, dot, name = word.partition(".")
        if not word or (dot and scope in names and not name):
            raise UsageError(f"'{display(word, 60)}' names nothing to compare by", hint="--on params,code,data")
        if word not in ("params", "metrics", "code", "data"):
            scoped = dot and scope in names
            names[scope if scoped else "params"].append(name if scoped else word)
    params, metrics = (None if each in words else tuple(names[each]) for each in ("params", "metrics"))
    return Basis(params, metrics, "code" in words, "data" in words)


def gower(mine: Facts, theirs: Facts, basis: Basis, scales: Scales) -> float | None:
    """The distance of two runs, 0 (alike in everything) to 1; None when there is nothing to compare."""
    every = list(variables(mine, theirs, basis, scales))
    return sum(each.distance for each in every) / len(every) if every else None


def variables(mine: Facts, theirs: Facts, basis: Basis, scales: Scales) -> Iterator[Difference]:
    """Every variable of two runs with its distance, those where they are the same among them."""
    tables: tuple[tuple[Aspect, Mapping[str, Stored], Mapping[str, Stored]], ...] = (
        ("params", mine.params, theirs.params),
        ("metrics", mine.metrics, theirs.metrics),
    )
    for aspect, own, other in tables:
        for name in sorted(own.keys() | other.keys()):
            if basis.has(aspect, name):
                distance = stored_distance(own.get(name), other.get(name), scales.get((aspect, name)))
                yield Difference(aspect, name, distance)
    code = code_distance(mine.code, mine.head, theirs.code, theirs.head) if basis.code else None
    if code is not None:
        yield Difference("code", "", code)
    data = data_distance(len(mine.data), len(theirs.data), len(mine.data & theirs.data)) if basis.data else None
    if data is not None:
        yield Difference("data", "", data)


def stored_distance(one: Stored | None, other: Stored | None, scale: Scale | None) -> float:
    """Of two values; None: there is none."""
    if one is None or other is None:
        return 0.0 if one is other else 1.0
    if one[0] is None or other[0] is None:
        return 0.0 if one == other else 1.0
    if isinstance(one[0], str) or isinstance(other[0], str):
        return 0.0 if one[0] == other[0] else 1.0
    if one[0] == other[0]:
        return 0.0
    return 1.0 if scale is None else scale.distance(one[0], other[0])


def code_distance(code: str | None, head: str | None, other_code: str | None, other_head: str | None) -> float | None:
    """Of two codes; None when neither is known."""
    if code is None and other_code is None:
        return None
    if code == other_code:
        return 0.0
    return SAME_HEAD if head is not None and head == other_head else 1.0


def data_distance(mine: int, theirs: int, shared: int) -> float | None:
    """Jaccard's distance of two sets of digests: how many each has, how many both; None when neither has any."""
    together = mine + theirs - shared
    return 1 - shared / together if together else None

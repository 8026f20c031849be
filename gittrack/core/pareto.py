"""Pareto fronts: what nothing beats in everything at once.

One point beats another when it is at least as good in every number and better in one. The first front is what nothing
beats, the second what nothing but the first front beats, and so on. Points are taken from the best first number on, so
that whatever beats one comes before it, and each goes into the first front that does not beat it, found by bisection
(Zhang, Tian, Cheng & Jin, "An efficient approach to nondominated sorting", IEEE Trans. Evol. Comput. 19, 2015).

Of two numbers a front beats a point by the best second number in it alone, so that all fronts take O(n log n). Of more
numbers sets of points are bits of one large integer: those that are as good in a number lie between two sets that were
made beforehand, and only what is in one of the two and not in the other is compared one by one.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import partial
from operator import itemgetter

Point = Sequence[float]
"""Numbers of which higher is better; no NaN."""
_SETS = 256
"""Sets made beforehand for each number; each takes a bit a point."""


def pareto_fronts(points: Sequence[Point], most: int = 1) -> list[list[int]]:
    """The first fronts of some points.

    Points that are the same in every number are in one front: none beats the other.

    Args:
        points: all of the same length, at least 1.
        most: at most so many fronts.

    Returns:
        The places in ``points`` of each front's members, rising.

    >>> pareto_fronts([(0.9, -10), (0.8, -5), (0.8, -20), (0.9, -10)], 2)
    [[0, 1, 3], [2]]
    """
    places: dict[tuple[float, ...], list[int]] = {}
    for place, point in enumerate(points):
        places.setdefault(tuple(point), []).append(place)
    ordered = sorted(places, reverse=True)
    numbers = len(ordered[0]) if ordered else 1
    sorting = _sorted_by_two if numbers <= 2 else _sorted_by_more
    fronts: list[list[int]] = []
    for point, front in zip(ordered, sorting(ordered, most), strict=True):
        if front == len(fronts) < most:
            fronts.append([])
        if front < len(fronts):
            fronts[front] += places[point]
    return [sorted(front) for front in fronts]


def _sorted_by_two(ordered: Sequence[tuple[float, ...]], most: int) -> Iterator[int]:
    """The front of each point, of one number or two; ``most`` for what is in a later one."""
    least: list[float] = []  # of each front the best second number, negative: they rise from front to front
    for number, point in enumerate(ordered):
        if len(point) == 1:
            yield min(number, most)
            continue
        # All that came before is better in the first number, or the same in it and better in the second.
        front = bisect_right(least, -point[1])
        if front == len(least) < most:
            least.append(-point[1])
        elif front < len(least):
            least[front] = -point[1]
        yield front


def _sorted_by_more(ordered: Sequence[tuple[float, ...]], most: int) -> Iterator[int]:
    beats = _Better(ordered)
    fronts: list[int] = []
    for place in range(len(ordered)):
        # What a front does not beat no later one does: each member of that is beaten by a member of this.
        front = bisect_left(fronts, True, key=partial(beats.spares, place))
        if front == len(fronts) < most:
            fronts.append(0)
        if front < len(fronts):
            fronts[front] |= 1 << place
        yield front


class _Better:
    """Which of the points before one are as good in all numbers: points as bits, the first the lowest."""

    def __init__(self, ordered: Sequence[tuple[float, ...]]) -> None:
        self._points = ordered
        self._step = max(len(ordered) // _SETS, 1)
        self._columns = [_Column(list(map(itemgetter(k), ordered)), self._step) for k in range(1, len(ordered[0]))]

    def spares(self, place: int, members: int) -> bool:
        """Whether none of ``members`` (all before ``place``) beats the point there."""
        surely = perhaps = members
        for column in self._columns:
            rank = column.as_good[place]
            perhaps &= column.sets[min(rank // self._step + 1, len(column.sets) - 1)]
            if not perhaps:
                return True
            surely &= column.sets[rank // self._step]
        if surely:
            return False
        point = self._points[place]
        return not any(self._is_as_good(other, point) for other in _bits(perhaps))

    def _is_as_good(self, place: int, point: tuple[float, ...]) -> bool:
        return all(one >= other for one, other in zip(self._points[place], point, strict=True))


class _Column:
    """One number of all points.

    Attributes:
        as_good: for each point how many points are at least as good.
        sets: the best 0, ``step``, 2 · ``step``, … points, as bits; at last all.
    """

    def __init__(self, values: Sequence[float], step: int) -> None:
        order = sorted(range(len(values)), key=values.__getitem__, reverse=True)
        self.as_good = [0] * len(values)
        last = len(order)
        for rank in range(len(order) - 1, -1, -1):
            if rank + 1 < len(order) and values[order[rank]] != values[order[rank + 1]]:
                last = rank + 1
            self.as_good[order[rank]] = last
        self.sets = [0]
        found = bytearray(len(values) // 8 + 1)
        for start in range(0, len(order), step):
            for place in order[start : start + step]:
                found[place >> 3] |= 1 << (place & 7)
            self.sets.append(int.from_bytes(found, "little"))


def _bits(members: int) -> Iterator[int]:
    """The places of the bits that are set, from the highest: what is nearest in the order is most like the point."""
    while members:
        place = members.bit_length() - 1
        yield place
        members ^= 1 << place

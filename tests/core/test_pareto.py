"""Fronts agree with what one pair after the other says."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from gittrack.core.pareto import pareto_fronts

NUMBERS = st.one_of(st.sampled_from([0.0, 1.0, 2.0, 3.0, -0.0, math.inf, -math.inf]), st.floats(allow_nan=False))
POINTS = st.integers(1, 5).flatmap(lambda width: st.lists(st.tuples(*[NUMBERS] * width), max_size=40))


def beats(one, other) -> bool:
    return all(a >= b for a, b in zip(one, other, strict=True)) and any(a > b for a, b in zip(one, other, strict=True))


def peeled(points, most: int) -> list[list[int]]:
    """The definition: what nothing beats, again and again."""
    left, fronts = list(range(len(points))), []
    while left and len(fronts) < most:
        front = [i for i in left if not any(beats(points[j], points[i]) for j in left)]
        fronts.append(front)
        left = [i for i in left if i not in front]
    return fronts


@given(POINTS, st.integers(1, 5))
def test_fronts_are_what_the_definition_says(points, most):
    assert pareto_fronts(points, most) == peeled(points, most)


def test_nothing_has_no_fronts():
    assert pareto_fronts([]) == []


def test_points_that_are_the_same_are_all_kept():
    assert pareto_fronts([(1.0, 2.0), (1.0, 2.0), (0.0, 0.0)]) == [[0, 1]]


def test_one_number_has_its_best_and_then_the_next_best():
    assert pareto_fronts([(1.0,), (3.0,), (2.0,), (3.0,)], 2) == [[1, 3], [2]]


def test_thousands_of_points_that_are_all_on_the_front_agree_with_the_definition():
    # More than there are sets made beforehand, so that points between two sets are compared one by one.
    points = [(float(i % 40), float((i * 7) % 40), float(-((i % 40) + (i * 7) % 40)), float(i % 3)) for i in range(900)]
    assert pareto_fronts(points, 3) == peeled(points, 3)

"""Means, deviations and intervals, against scipy and exact arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gittrack.core.statistics import deviation_of, incomplete_beta, mean_of, statistics_of, t_quantile

FINITE = st.floats(allow_nan=False, allow_infinity=False)
SOME = st.lists(FINITE, min_size=1, max_size=20)


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.99, 0.999])
def test_the_quantile_of_t_is_scipys(level):
    scipy = pytest.importorskip("scipy.stats")
    for freedom in [*range(1, 60), 100, 499, 5000, 100_000]:
        assert t_quantile(freedom, level) == pytest.approx(scipy.t.ppf((1 + level) / 2, freedom), rel=1e-10)


def test_the_quantiles_of_the_printed_tables():
    said = {1: 12.706, 2: 4.303, 4: 2.776, 9: 2.262, 29: 2.045, 120: 1.980}
    assert {freedom: round(t_quantile(freedom), 3) for freedom in said} == said


@given(st.floats(0.05, 500), st.floats(0.05, 500), st.floats(0, 1))
def test_the_incomplete_beta_function_is_scipys(a, b, x):
    special = pytest.importorskip("scipy.special")
    assert incomplete_beta(a, b, x) == pytest.approx(special.betainc(a, b, x), rel=1e-7, abs=1e-10)


@given(SOME)
def test_the_mean_is_exactly_rounded_whatever_the_size(numbers):
    exact = sum(map(Fraction, numbers)) / len(numbers)
    assert mean_of(numbers) == pytest.approx(float(exact), rel=1e-15, abs=5e-324)


@given(SOME)
def test_the_deviation_is_that_of_exact_arithmetic(numbers):
    found = deviation_of(numbers, 0)
    mean = sum(map(Fraction, numbers)) / len(numbers)
    variance = sum((Fraction(number) - mean) ** 2 for number in numbers) / len(numbers)
    # The square root of a fraction, as a float of more than float's range would not be one.
    scale = max(abs(Fraction(number)) for number in numbers) or Fraction(1)
    exact = float(scale) * math.sqrt(float(variance / scale**2))
    assert found == pytest.approx(exact, rel=1e-7, abs=1e-9 * float(scale))


@given(SOME, st.randoms())
def test_the_order_does_not_matter(numbers, random):
    mixed = list(numbers)
    random.shuffle(mixed)
    assert statistics_of(mixed) == statistics_of(numbers)


def test_the_interval_is_scipys():
    scipy = pytest.importorskip("scipy.stats")
    numbers = [0.91, 0.915, 0.9, 0.93, 0.905]
    found = statistics_of(numbers)
    low, high = scipy.t.interval(0.95, 4, loc=scipy.tmean(numbers), scale=scipy.sem(numbers))
    assert (found.low, found.high) == (pytest.approx(low, rel=1e-12), pytest.approx(high, rel=1e-12))
    assert found.deviation == pytest.approx(scipy.tstd(numbers), rel=1e-12)


def test_small_differences_of_large_numbers_are_not_lost():
    assert deviation_of([1e15, 1e15 + 1, 1e15 + 2], 1) == 1.0


def test_one_number_has_a_mean_and_nothing_else():
    found = statistics_of([0.5])
    assert (found.n, found.mean, found.deviation, found.low, found.high) == (1, 0.5, None, None, None)


def test_nan_is_counted_and_left_out():
    found = statistics_of([1.0, math.nan, 3.0])
    assert (found.n, found.nan, found.mean) == (2, 1, 2.0)
    empty = statistics_of([math.nan])
    assert (empty.n, empty.nan, empty.mean, empty.low) == (0, 1, None, None)


def test_an_infinity_makes_the_mean_infinite_and_leaves_no_interval():
    found = statistics_of([1.0, math.inf])
    assert (found.n, found.mean, found.deviation, found.low) == (2, math.inf, None, None)
    assert math.isnan(statistics_of([math.inf, -math.inf]).mean)


def test_the_largest_floats_are_no_error():
    assert mean_of([1.7e308, 1.7e308]) == 1.7e308
    assert statistics_of([1.7e308, -1.7e308]).deviation == math.inf


def test_quantiles_that_were_computed_are_used_again():
    known = {2: 100.0}
    found = statistics_of([1.0, 2.0, 3.0], known)
    assert found.high == pytest.approx(2 + 100 / math.sqrt(3))
    statistics_of([1.0, 2.0], known)
    assert set(known) == {1, 2}


def test_a_zero_does_not_swallow_small_numbers():
    for size in (1e-310, 1e-200, 5e-324):
        found = statistics_of([size, -0.0])
        assert found.deviation == pytest.approx(size / math.sqrt(2), rel=1e-10, abs=5e-324)
        assert found.deviation > 0
    assert deviation_of([0.0, 1e-200, 2e-200], 1) == pytest.approx(1e-200)


def test_an_interval_of_large_numbers_is_infinite_only_where_floats_end():
    ten = statistics_of([1.79e308, -1.79e308] * 5)
    assert ten.deviation == math.inf
    assert ten.low == -ten.high
    assert ten.high == pytest.approx(1.349e308, rel=1e-2)
    two = statistics_of([1.79e308, -1.79e308])
    assert (two.low, two.high) == (-math.inf, math.inf)

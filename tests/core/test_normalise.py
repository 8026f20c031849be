"""Normalised metrics and weighted scores."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gittrack.core.directions import Direction
from gittrack.core.normalise import METHODS, check_weight, composite, normalised, parse_weights
from gittrack.errors import UsageError

UP, DOWN = Direction.UP, Direction.DOWN
ANY = st.lists(st.none() | st.floats(), min_size=1, max_size=12)


def test_z_scores_are_scipys():
    scipy = pytest.importorskip("scipy.stats")
    numbers = [0.9, 0.5, 0.7, 0.75]
    assert normalised(numbers, "z", UP) == pytest.approx(list(scipy.zscore(numbers)))
    assert normalised(numbers, "z", DOWN) == pytest.approx([-each for each in scipy.zscore(numbers)])


def test_percentiles_are_scipys():
    scipy = pytest.importorskip("scipy.stats")
    numbers = [0.9, 0.5, 0.5, 0.75, 0.1]
    expected = [scipy.percentileofscore(numbers, each, kind="mean") for each in numbers]
    assert normalised(numbers, "percentile", UP) == pytest.approx(expected)


def test_the_best_is_one_and_the_worst_is_zero_whichever_way_it_gets_better():
    assert normalised([1.0, 3.0, 2.0], "minmax", UP) == [0.0, 1.0, 0.5]
    assert normalised([1.0, 3.0, 2.0], "minmax", DOWN) == [1.0, 0.0, 0.5]


def test_relative_is_a_share_of_the_baseline_and_better_is_positive():
    assert normalised([2.0, 1.0, 3.0], "relative", DOWN, 2.0) == [0.0, 0.5, -0.5]
    assert normalised([-2.0, -1.0], "relative", UP, -2.0) == [0.0, 0.5]
    assert normalised([0.0, 1.0, math.inf], "relative", UP, 0.0) == [0.0, None, None]  # of nothing there is no share
    assert normalised([math.inf, 1.0], "relative", UP, math.inf) == [0.0, None]
    assert normalised([math.inf, 1.7e308], "relative", UP, -1.7e308) == [math.inf, 2.0]
    assert normalised([1.0], "relative", UP, None) == [None]


@pytest.mark.parametrize(("method", "same"), [("z", 0.0), ("minmax", 0.5), ("percentile", 50.0)])
def test_what_is_the_same_everywhere_says_nothing(method, same):
    assert normalised([2.5, 2.5, 2.5], method, UP) == [same] * 3
    assert normalised([2.5], method, DOWN) == [same]


def test_what_is_missing_stays_missing_and_nan_stays_nan():
    for method in METHODS:
        found = normalised([None, math.nan, 1.0, 2.0], method, UP, 1.0)
        assert found[0] is None
        assert math.isnan(found[1])
        assert all(math.isfinite(each) for each in found[2:])


def test_an_infinity_is_the_best_or_the_worst_and_does_not_spoil_the_others():
    assert normalised([math.inf, 1.0, 2.0], "minmax", UP) == [math.inf, 0.0, 1.0]
    assert normalised([math.inf, 1.0, 2.0], "minmax", DOWN) == [-math.inf, 1.0, 0.0]  # worse than the worst
    assert normalised([-math.inf, 1.0, 3.0], "z", UP) == [-math.inf, -1.0, 1.0]
    assert normalised([math.inf, 1.0], "percentile", UP) == [75.0, 25.0]
    assert normalised([math.inf, math.inf], "minmax", UP) == [math.inf, math.inf]


@given(ANY, st.sampled_from(METHODS), st.sampled_from([UP, DOWN]), st.none() | st.floats())
def test_it_never_fails_and_keeps_the_order(values, method, direction, baseline):
    found = normalised(values, method, direction, baseline)
    no_share = method == "relative" and (baseline is None or baseline == 0 or math.isinf(baseline))
    for value, scaled in zip(values, found, strict=True):
        if value is None:
            assert scaled is None
        elif scaled is None:
            assert no_share
    pairs = [
        (direction.sign * value, scaled)
        for value, scaled in zip(values, found, strict=True)
        if value is not None and scaled is not None and value == value and scaled == scaled
    ]
    for value, scaled in pairs:
        for other, other_scaled in pairs:
            if value < other:
                assert scaled <= other_scaled


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=12))
def test_minmax_stays_within_zero_and_one(values):
    assert all(0 <= each <= 1 for each in normalised(values, "minmax", UP))


def test_the_smallest_and_the_largest_numbers_have_z_scores():
    assert normalised([5e-324, 0.0, -5e-324], "z", UP)[0] > 0
    assert normalised([1.7e308, -1.7e308], "z", UP) == [1.0, -1.0]


def test_a_score_is_the_weighted_mean():
    parts = {"acc": [1.0, 0.5, 0.0], "latency": [0.0, 1.0, 1.0], "other": [9.0, 9.0, 9.0]}
    assert composite(parts, {"acc": 3, "latency": 1}) == [0.75, 0.625, 0.25]


def test_what_is_missing_is_no_zero():
    parts = {"a": [1.0, None, math.nan, math.inf], "b": [1.0, 1.0, 1.0, -math.inf]}
    assert composite(parts, {"a": 1, "b": 1}) == [1.0, None, None, None]


def test_weights_are_read():
    assert parse_weights("metrics.acc=2,metrics.latency=1") == {"acc": 2.0, "latency": 1.0}
    assert parse_weights(" val/acc , metric.loss = .5 ") == {"val/acc": 1.0, "loss": 0.5}
    assert parse_weights("metrics.`a,b=c`=3,`d e`") == {"a,b=c": 3.0, "d e": 1.0}
    assert parse_weights("größe=1e-3") == {"größe": 0.001}


@pytest.mark.parametrize(
    "text",
    [
        "",
        ",",
        "=1",
        "a=",
        "a=x",
        "a=0",
        "a=-1",
        "a=nan",
        "a=inf",
        "a,a",
        "`a",
        "a`b`",
        "`a`b=1",
        "a=1=2",
        "``=1",
        "a" * 200_000,
    ],
)
def test_what_are_no_weights_is_refused(text):
    with pytest.raises(UsageError) as error:
        parse_weights(text)
    assert error.value.hint
    assert len(error.value.message) < 300


@given(st.text(max_size=60))
def test_any_text_is_weights_or_an_error(text):
    try:
        weights = parse_weights(text)
    except UsageError:
        return
    assert weights
    assert all(0 < weight < math.inf for weight in weights.values())


def test_a_weight_is_a_number_above_zero():
    assert check_weight("a", 2) == 2.0
    for wrong in (0, -1, math.nan, math.inf, "1", None):
        with pytest.raises(UsageError):
            check_weight("a", wrong)

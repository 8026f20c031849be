"""Curves: in order, smoothed as TensorBoard does, thinned without losing what one looks for."""

from __future__ import annotations

import math
from array import array

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gittrack.core.axes import Axis, axes_of, axis_of
from gittrack.core.curves import (
    Chart,
    Curve,
    along,
    check_by,
    odd_values,
    smoothed,
    strokes,
    thin_curve,
    thinned,
    unique_labels,
)
from gittrack.core.records import Series
from gittrack.errors import InvalidValueError

ANY = st.floats(allow_nan=True, allow_infinity=True, width=64)
FINITE = st.floats(allow_nan=False, allow_infinity=False, width=64)


def reference_smoothing(values, weight):
    """TensorBoard's ``resmoothDataset``, line by line."""
    result, last, count = [], 0.0, 0
    constant = all(value == values[0] for value in values)
    for value in values:
        if constant or not math.isfinite(value):
            result.append(value)
            continue
        last = last * weight + (1 - weight) * value
        count += 1
        result.append(last / (1 - weight**count))
    return result


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60), st.floats(0.01, 0.99))
def test_smoothing_is_that_of_tensorboard(values, weight):
    assert list(smoothed(values, weight)) == pytest.approx(reference_smoothing(values, weight), rel=1e-9, abs=1e-9)


@given(st.lists(ANY, max_size=60), st.floats(0, 0.999))
def test_smoothing_keeps_the_length_the_gaps_and_the_range(values, weight):
    result = smoothed(values, weight)
    assert len(result) == len(values)
    finite = [value for value in values if math.isfinite(value)]
    for before, after in zip(values, result, strict=True):
        if math.isfinite(before):
            span = max(abs(min(finite)), abs(max(finite)))
            assert min(finite) - 1e-9 * span <= after <= max(finite) + 1e-9 * span or weight > 0.99
        else:
            assert str(before) == str(after)


@pytest.mark.parametrize("weight", [-0.1, 1.0, math.nan, math.inf])
def test_a_weight_that_means_nothing_is_refused(weight):
    with pytest.raises(InvalidValueError, match="cannot be smoothed"):
        smoothed([1.0], weight)


@given(st.lists(ANY, max_size=400), st.integers(8, 80))
def test_thinning_keeps_ends_extremes_gaps_and_infinities_and_never_more_than_asked(values, points):
    kept = thinned(values, points)
    assert len(kept) <= max(points, 0) or len(values) <= points
    assert kept == sorted(set(kept))
    chosen = [values[index] for index in kept]
    if not values:
        return
    assert {kept[0], kept[-1]} == {0, len(values) - 1}
    finite = [value for value in values if math.isfinite(value)]
    if finite:
        assert {min(finite), max(finite)} <= set(chosen)
    for odd in ("nan", "inf", "-inf"):
        assert (odd in map(str, values)) == (odd in map(str, chosen))


def test_every_narrow_spike_survives():
    values = [0.0] * 100_000
    values[12_345], values[77_777] = 9.0, -9.0
    kept = thinned(values, 500)
    assert {12_345, 77_777} <= set(kept)
    assert len(kept) <= 500


def test_thinning_takes_arrays_and_refuses_too_few_points():
    assert thinned(array("d", [1.0, 2.0]), 8) == [0, 1]
    with pytest.raises(InvalidValueError, match="7 points"):
        thinned([1.0], 7)


def test_a_thinned_curve_keeps_its_parts_together():
    curve = thin_curve(Curve("a", "1", range(100), list(range(100, 200)), list(range(200, 300))), 10)
    assert len(curve.xs) == len(curve.ys) == len(curve.raw) <= 10
    assert all(y == x + 100 and raw == x + 200 for x, y, raw in zip(curve.xs, curve.ys, curve.raw, strict=True))


def test_points_are_put_in_order_and_those_of_one_step_stay_as_logged():
    series = Series(array("q", [3, 1, 1]), array("q", [10, 30, 20]), array("d", [0.3, 0.1, 0.11]))
    assert list(map(list, along(series, "step"))) == [[1, 1, 3], [0.1, 0.11, 0.3]]
    assert list(map(list, along(series, "time"))) == [[10, 20, 30], [0.3, 0.11, 0.1]]


def test_an_unknown_axis_is_refused():
    assert check_by("time") == "time"
    with pytest.raises(InvalidValueError, match="'colour' is no axis"):
        check_by("colour")


def test_a_gap_ends_a_stroke():
    assert [len(stroke) for stroke in strokes([(0, 1), (1, math.nan), (2, 1), (3, 1), (4, math.inf)])] == [1, 2]


@given(st.lists(st.sampled_from(["a", "b", "a (11111111)"]), max_size=8), st.integers(0, 3))
def test_labels_are_unique(names, different):
    ids = [f"{min(place, different)}" * 32 for place in range(len(names))]
    labels = unique_labels(names, ids)
    assert len(set(labels)) == len(names)
    assert all(label.startswith(name) for label, name in zip(labels, names, strict=True))


def test_odd_values_are_counted():
    assert odd_values([1.0, 2.0]) == ""
    assert odd_values([math.nan, -math.inf, math.nan]) == "2 nan, 1 -inf"


# Axes ---------------------------------------------------------------------------------------------------------------


@given(st.lists(FINITE, min_size=1, max_size=5), st.booleans(), st.integers(1, 12), st.sampled_from(["number", "step"]))
def test_ticks_lie_on_the_axis_in_order_and_can_be_told_apart(values, log, count, kind):
    axis = axis_of(values, log=log, kind=kind)
    assert axis.low < axis.high
    ticks = axis.ticks(count)
    assert 1 <= len(ticks) <= 3 * count + 3
    assert all(-1e-6 <= axis.place(tick.value) <= 1 + 1e-6 for tick in ticks)
    assert [tick.value for tick in ticks] == sorted(tick.value for tick in ticks)
    labels = [tick.label for tick in ticks]
    assert len(set(labels)) == len(labels)
    assert all(len(label) <= 24 for label in labels)


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=5), st.sampled_from(["moment", "seconds"]))
def test_times_of_hostile_clocks_have_ticks_too(values, kind):
    axis = axis_of(map(float, values), kind=kind)
    ticks = axis.ticks(7)
    assert 1 <= len(ticks) <= 24
    assert all(isinstance(tick.label, str) and tick.label for tick in ticks)


@given(FINITE, FINITE, FINITE)
def test_places_are_between_the_ends(low, value, high):
    low, value, high = sorted((low, value, high))
    assume(low < high)
    assert 0 <= Axis(low, high).place(value) <= 1


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (0.0, 1.0, ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (-1.0, 1.0, ["-1.0", "-0.5", "0", "0.5", "1.0"]),
        (0.0, 5e6, ["0", "1e6", "2e6", "3e6", "4e6", "5e6"]),
        (0.001, 0.00102, ["0.001000", "0.001005", "0.001010", "0.001015", "0.001020"]),
        (0.0, 3e-7, ["0", "1e-7", "2e-7", "3e-7"]),
    ],
)
def test_ticks_are_nice_numbers(low, high, labels):
    assert [tick.label for tick in Axis(low, high).ticks(5)] == labels


def test_steps_have_no_halves():
    assert [tick.label for tick in Axis(0, 2, kind="step").ticks(6)] == ["0", "1", "2"]


def test_decades_are_the_ticks_of_a_logarithmic_axis():
    assert [tick.label for tick in Axis(1e-4, 1e2, log=True).ticks(7)] == [
        "0.0001",
        "0.001",
        "0.01",
        "0.1",
        "1",
        "10",
        "100",
    ]
    assert [tick.label for tick in Axis(1, 30, log=True).ticks(6)] == ["1", "2", "5", "10", "20"]


def test_the_clock_has_ticks_of_its_own():
    hour = 3_600_000.0
    day = 24 * hour
    assert [tick.label for tick in Axis(0, 4 * hour, kind="moment").ticks(4)] == [
        *("00:00", "01:00", "02:00", "03:00", "04:00"),
    ]
    assert [tick.label for tick in Axis(0, 3 * day, kind="moment").ticks(3)] == [
        *("1970-01-01", "1970-01-02", "1970-01-03", "1970-01-04"),
    ]
    assert [tick.label for tick in Axis(0, 90, kind="seconds").ticks(3)] == ["0s", "30s", "1m", "1m30s"]


def test_what_has_no_place_on_a_log_axis_does_not_stretch_it():
    chart = Chart("loss", (Curve("a", "1", [0, 10, 100], [-5.0, 1.0, math.nan]),), log_x=True)
    x_axis, y_axis = axes_of(chart)
    assert x_axis.low <= 10 <= x_axis.high
    assert math.isnan(x_axis.place(0))
    assert (y_axis.low, y_axis.high) == (0.9, 1.1)


def test_a_short_span_of_time_is_labelled_as_time():
    start = 1_795_285_092_500
    assert [tick.label for tick in Axis(start, start + 3300, kind="moment").ticks(3)] == [
        *("18:18:13", "18:18:14", "18:18:15"),
    ]
    assert [tick.label for tick in Axis(start, start + 300, kind="moment").ticks(3)] == [
        *("18:18:12.5", "18:18:12.6", "18:18:12.7", "18:18:12.8"),
    ]
    assert [tick.label for tick in Axis(start, start + 1, kind="moment").ticks(6)] == ["18:18:12.500", "18:18:12.501"]
    assert [tick.label for tick in Axis(0.0, 0.3, kind="seconds").ticks(3)] == ["0s", "0.1s", "0.2s", "0.3s"]
    assert [tick.label for tick in Axis(119.9, 120.1, kind="seconds").ticks(2)] == ["1m59.9s", "2m", "2m0.1s"]
    assert [tick.label for tick in Axis(0.1, 100.0, log=True, kind="seconds").ticks(4)] == ["0.1s", "1s", "10s", "100s"]


@given(st.integers(0, 4_000_000_000_000), st.integers(1, 10**12), st.integers(1, 10))
def test_ticks_of_time_are_told_apart_and_lie_on_their_axis(start, span, count):
    axis = Axis(start, start + span, kind="moment")
    ticks = axis.ticks(count)
    assert len({tick.label for tick in ticks}) == len(ticks) <= 2 * count + 2
    assert all(-1e-6 <= axis.place(tick.value) <= 1 + 1e-6 and "e" not in tick.label for tick in ticks)


def test_a_single_step_is_the_only_number_below_its_chart():
    for step in (0.0, 7.0, -3.0):
        axis = axis_of([step], kind="step")
        assert [tick.label for tick in axis.ticks(6)] == [str(int(step))]
        assert axis.place(step) == 0.5


@given(
    st.integers(0, 200),
    st.dictionaries(st.integers(0, 199), st.sampled_from([math.nan, math.inf, -math.inf]), max_size=12),
    st.integers(8, 60),
)
def test_every_gap_is_kept_where_gaps_are_few(count, odd, points):
    values = [odd.get(place, float(place % 7)) for place in range(count)]
    kept = thinned(values, points)
    assert len(kept) <= points
    kinds = [str(value) if not math.isfinite(value) else "" for value in values]
    firsts = [place for place, kind in enumerate(kinds) if kind and (place == 0 or kinds[place - 1] != kind)]
    if len(firsts) <= points // 2:
        assert set(firsts) <= set(kept)

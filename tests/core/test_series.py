"""Series ⇄ CSV and their summaries."""

from __future__ import annotations

import math
import tracemalloc
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gittrack.core.records import Series
from gittrack.core.series import CHUNK, decode_csv, encode_csv, summarise, trend
from gittrack.errors import CorruptRecordError

INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
POINT = st.tuples(INT64, INT64, st.floats(width=64))


def series_of(points: list[tuple[int, int, float]]) -> Series:
    return Series(
        array("q", [p[0] for p in points]), array("q", [p[1] for p in points]), array("d", [p[2] for p in points])
    )


def same(a: float, b: float) -> bool:
    return a == b or (math.isnan(a) and math.isnan(b))


@given(st.lists(POINT))
def test_csv_round_trips_every_point_exactly(points: list[tuple[int, int, float]]) -> None:
    series = series_of(points)
    again = decode_csv(encode_csv(series))
    assert again.steps == series.steps
    assert again.timestamps == series.timestamps
    assert all(same(a, b) for a, b in zip(again.values, series.values, strict=True))


@given(st.lists(st.tuples(POINT, st.text(max_size=8), st.text(max_size=8)), min_size=1))
def test_csv_round_trips_what_a_point_is_about(rows: list[tuple[tuple[int, int, float], str, str]]) -> None:
    series = series_of([row[0] for row in rows])
    series.models = [row[1].replace("\0", "").replace("\r", "").replace("\n", "") for row in rows]
    series.data = [row[2].replace("\0", "").replace("\r", "").replace("\n", "") for row in rows]
    again = decode_csv(encode_csv(series))
    assert (again.models, again.data) == (series.models, series.data)


@given(st.lists(POINT, min_size=1, max_size=20), st.randoms())
def test_summary_does_not_depend_on_the_order_of_logging(points: list[tuple[int, int, float]], random) -> None:  # type: ignore[no-untyped-def]
    shuffled = list(points)
    random.shuffle(shuffled)
    one, other = summarise(series_of(points)), summarise(series_of(shuffled))
    for name in ("last", "min", "max", "mean"):
        assert same(getattr(one, name), getattr(other, name)), name
    assert (one.count, one.first_step, one.last_step) == (other.count, other.first_step, other.last_step)


def test_last_is_the_point_with_the_highest_step_then_time_then_value() -> None:
    series = series_of([(2, 10, 0.5), (3, 9, 0.1), (3, 10, 0.2), (3, 10, 0.3), (3, 10, math.nan), (1, 99, 7.0)])
    assert summarise(series).last == 0.3


def test_nan_is_left_out_of_min_max_and_mean_but_counted() -> None:
    summary = summarise(series_of([(0, 0, math.nan), (1, 0, 2.0), (2, 0, 4.0)]))
    assert (summary.min, summary.max, summary.mean, summary.count) == (2.0, 4.0, 3.0, 3)


def test_a_series_of_nothing_but_nan_has_nan_for_all_three() -> None:
    summary = summarise(series_of([(0, 0, math.nan)]))
    assert all(math.isnan(x) for x in (summary.last, summary.min, summary.max, summary.mean))


def test_mean_survives_sums_beyond_float64_and_opposite_infinities() -> None:
    assert summarise(series_of([(0, 0, 1e308), (1, 0, 1e308)])).mean == 1e308
    assert math.isnan(summarise(series_of([(0, 0, math.inf), (1, 0, -math.inf)])).mean)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"step,value\n1,2\n",
        b"step,timestamp,value\n1,2\n",
        b"step,timestamp,value\n1,2,3",
        b"step,timestamp,value\n1,2,3,4\n",
        b"step,timestamp,value\n1_0,2,3\n",
        b"step,timestamp,value\n1,2, 3\n",
        b"step,timestamp,value\n99999999999999999999,2,3\n",
        b"step,timestamp,value\n1,2,\xff\n",
        "step,timestamp,value\n١,2,3\n".encode(),
        b"step,timestamp,value\n1,2," + b"9" * 5000 + b"\n",
        b"step,timestamp,value\n1,2,3\n\n",
        b"step,timestamp,value\n1,2,+-3\n",
        b"step,timestamp,value\n+1,2,3\n",
        b"step,timestamp,value\n" + b"1,2,3\n" * 20_000 + b"1,2\n",
        b"step,timestamp,value\n" + b"1,2,3\n" * 20_000 + b"1,2,3_0\n",
        b"step,timestamp,value,model,data\n1,2,3\n",
        b"step,timestamp,value,model,data\n\n",
    ],
)
def test_a_damaged_file_is_refused(data: bytes) -> None:
    with pytest.raises(CorruptRecordError):
        decode_csv(data)


@pytest.mark.parametrize(
    "data",
    [
        b"step,timestamp,value\n" + b"\n" * (8 << 20),
        b"step,timestamp,value\n" + b"," * (8 << 20) + b"\n",
        b"step,timestamp,value,model,data\n" + b"\n" * (8 << 20),
        b"step,timestamp,value,model,data\n" + b"," * (8 << 20) + b"\n",
    ],
    ids=["line feeds", "commas", "line feeds with model", "commas with model"],
)
def test_a_bomb_is_refused_without_being_taken_apart(data: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(CorruptRecordError, match=r"a row has|a line is longer"):
            decode_csv(data)
        assert tracemalloc.get_traced_memory()[1] < 10 * len(data)  # text, its body, and what csv holds of it
    finally:
        tracemalloc.stop()


def test_a_long_series_needs_not_much_more_room_than_its_columns() -> None:
    rows = 500_000
    data = b"step,timestamp,value\n" + b"0,0,0\n" * rows
    tracemalloc.start()
    try:
        series = decode_csv(data)
        assert tracemalloc.get_traced_memory()[1] < 24 * rows * 2 + 4 * len(data)
    finally:
        tracemalloc.stop()
    assert len(series) == rows


def test_rows_longer_and_shorter_than_a_chunk_are_read_alike() -> None:
    odd = [(1, 2, "+1e5"), (-3, 4, "Infinity"), (5, 6, "nan"), (7, 8, "-inf"), (9, 10, "1E-3")]
    rows = [odd[index % 5] for index in range(3 * CHUNK // 8)]
    data = "step,timestamp,value\n" + "".join(f"{step},{time},{value}\n" for step, time, value in rows)
    series = decode_csv(data.encode())
    assert list(series.steps) == [step for step, _, _ in rows]
    assert list(series.timestamps) == [time for _, time, _ in rows]
    assert all(same(value, float(text)) for value, (_, _, text) in zip(series.values, rows, strict=True))


def test_trend_is_in_step_order_and_keeps_both_ends() -> None:
    series = series_of([(step, 0, float(step)) for step in reversed(range(100))])
    values = trend(series, 16)
    assert len(values) == 16
    assert (values[0], values[-1]) == (0.0, 99.0)
    assert values == sorted(values)


MOST = 1.7976931348623157e308


@pytest.mark.parametrize(
    ("values", "mean"),
    [
        ([MOST] * 3, MOST),
        ([-MOST] * 3, -MOST),
        ([MOST, MOST, -MOST, -MOST], 0.0),
        ([MOST, MOST, 1.0, -1.0], MOST / 2),
        ([MOST, MOST, math.inf], math.inf),
        ([MOST, MOST, -math.inf], -math.inf),
        ([MOST, MOST, math.inf, -math.inf], math.nan),
    ],
)
def test_the_mean_of_numbers_whose_sum_leaves_float64_is_exact(values, mean):
    count = len(values)
    for order in (values, values[::-1]):
        found = summarise(Series(range(count), range(count), order)).mean
        assert found == mean or (math.isnan(found) and math.isnan(mean))

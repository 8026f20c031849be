"""Curves and numbers as people read them, whatever the numbers are."""

from __future__ import annotations

import math
import re
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gittrack.core.sparkline import format_age, format_duration, format_number, sparkline

NAN, INF = math.nan, math.inf
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


@pytest.mark.parametrize(
    ("values", "width", "curve"),
    [
        ([], 12, ""),
        ([1], 12, "▄"),
        ([1, 2], 0, ""),
        ([1, 2, 3, 4, 5, 6, 7, 8], 12, "▁▂▃▄▅▆▇█"),
        ([8, 1], 12, "█▁"),
        ([5, 5, 5], 12, "▄▄▄"),
        ([1, NAN, 2], 12, "▁ █"),
        ([NAN, NAN], 12, "  "),
        ([1, INF, 2, -INF], 12, "▁██▁"),
        ([INF, INF], 12, "██"),
        ([-1e308, 0, 1e308, 1.7e308], 12, "▁▃▆█"),
        ([1e308] * 100, 10, "▄" * 10),
        ([0.1] * 100, 12, "▄" * 12),
        ([5e-324, 0.0], 12, "█▁"),
        ([1, NAN, NAN, NAN, 3, 3], 3, "▁ █"),
        (array("d", [0, 0, 1, 1]), 2, "▁█"),
    ],
)
def test_a_curve(values: list[float], width: int, curve: str) -> None:
    assert sparkline(values, width) == curve


@given(st.lists(st.floats(), max_size=60), st.integers(0, 20))
def test_a_curve_of_any_numbers_fits(values: list[float], width: int) -> None:
    curve = sparkline(values, width)
    assert len(curve) == min(len(values), width)
    assert re.fullmatch("[ ▁▂▃▄▅▆▇█]*", curve)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((0.0, "0"), (-0.0, "0"), (1.0, "1"), (-3.0, "-3"), (0.1, "0.1"), (0.123456, "0.1235"), (12.3456, "12.35")),
        *((1234.56, "1235"), (12345.6, "12346"), (999999.4, "999999"), (999999.6, "1e6"), (123456, "123456")),
        *(
            (1e6, "1e6"),
            (1234567, "1.235e6"),
            (1e300, "1e300"),
            (1e-5, "1e-5"),
            (0.0001, "0.0001"),
            (-1.5e-9, "-1.5e-9"),
        ),
        *((0.99999, "1"), (NAN, "nan"), (INF, "inf"), (-INF, "-inf"), (5e-324, "4.941e-324")),
    ],
)
def test_a_number_has_four_digits(value: float, text: str) -> None:
    assert format_number(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_short_number_is_close_to_the_number(value: float) -> None:
    text = format_number(value)
    assert len(text) <= 11
    assert float(text) == pytest.approx(value, rel=6e-4, abs=1e-300) or math.isinf(float(text))


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        *((-5, "0ms"), (0, "0ms"), (999, "999ms"), (1000, "1.0s"), (12_340, "12.3s"), (59_999, "59.9s")),
        *((MINUTE, "1m00s"), (HOUR - 1, "59m59s"), (HOUR, "1h00m"), (DAY - 1, "23h59m"), (DAY, "1d00h")),
        (400 * DAY, "400d00h"),
    ],
)
def test_a_duration_has_two_units(milliseconds: int, text: str) -> None:
    assert format_duration(milliseconds) == text


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        *((-HOUR, "just now"), (0, "just now"), (9_999, "just now"), (10_000, "10s ago"), (59_999, "59s ago")),
        *((MINUTE, "1m ago"), (HOUR, "1h ago"), (DAY, "1d ago"), (13 * DAY, "13d ago"), (14 * DAY, "2w ago")),
        *((59 * DAY, "8w ago"), (60 * DAY, "2mo ago"), (364 * DAY, "12mo ago"), (365 * DAY, "1y ago")),
    ],
)
def test_an_age_has_one_unit(milliseconds: int, text: str) -> None:
    assert format_age(milliseconds) == text

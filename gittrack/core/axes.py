"""Axes: from numbers to places between 0 and 1, and the numbers to write beside them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise
from typing import Literal, NamedTuple

from gittrack.core.curves import By, Chart
from gittrack.core.sparkline import format_number
from gittrack.frozen import dataclass

Kind = Literal["number", "step", "moment", "seconds"]
"""What an axis measures: anything, whole steps, ms since the epoch, seconds of a duration."""

_KINDS: dict[By, Kind] = {"step": "step", "time": "moment", "relative": "seconds"}
TITLES: dict[By, str] = {"step": "step", "time": "time (UTC)", "relative": "time since the run began"}
_DAY = 86_400
_UNITS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, _DAY)
_LARGEST = 1.7976931348623157e308
_MOST_EXACT = 2.0**50
"""Steps of a tick from zero up to which multiples of the step are still told apart."""


class Tick(NamedTuple):
    """A number beside an axis, and its text."""

    value: float
    label: str


@dataclass(frozen=True, slots=True)
class Axis:
    """From ``low`` to ``high``, both finite and different; above zero when ``log``."""

    low: float
    high: float
    log: bool = False
    kind: Kind = "number"

    def place(self, value: float) -> float:
        """Where a number lies, 0 at the low end and 1 at the high one; NaN when it has no place on a log axis."""
        if not self.log:
            return _share(value, self.low, self.high)
        if not value > 0:
            return math.nan
        return _share(math.log10(value) if value < math.inf else value, math.log10(self.low), math.log10(self.high))

    def ticks(self, count: int) -> list[Tick]:
        """About so many numbers to write, in rising order; at least one."""
        if self.log:
            decades = self._decades(count)
            if len(decades) >= 2:
                unit = "s" if self.kind == "seconds" else ""
                return [Tick(value, format_number(value) + unit) for value in decades]
        if self.kind in ("moment", "seconds") and not self.log:
            return self._time_ticks(count)
        return self._number_ticks(count)

    def text(self, value: float) -> str:
        """A number of this axis in full, for a tooltip."""
        if self.kind == "moment":
            return _moment(value)
        if self.kind == "seconds":
            return f"{value:.3f}s"
        return str(int(value)) if value == int(value) and abs(value) < 1e16 else repr(value)

    def _decades(self, count: int) -> list[float]:
        first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
        stride = max(1, -(-(last - first + 1) // max(count, 1)))
        factors = (1, 2, 5) if last - first < 2 and count > 3 else (1,)
        values = [factor * 10.0**power for power in range(first - 1, last + 1, stride) for factor in factors]
        if stride > 1:
            values = [10.0**power for power in range(first, last + 1, stride)]
        return [value for value in values if self.low * (1 - 1e-9) <= value <= min(self.high * (1 + 1e-9), _LARGEST)]

    def _time_ticks(self, count: int) -> list[Tick]:
        unit = 1000.0 if self.kind == "moment" else 1.0
        for finer in (1, 2, 3):  # the steps of a clock are far apart: the first may fit in once only
            step = _time_step((self.high / unit - self.low / unit) / (max(count, 1) * finer))
            times = _multiples(self, step * unit)
            if len(times) >= 2:
                return [Tick(value, self._time_label(value, step)) for value in times]
        return [Tick(value, self._time_label(value, 0.001)) for value in (self.low, self.high)]

    def _number_ticks(self, count: int) -> list[Tick]:
        step = _nice_step(self.low, self.high, count)
        if self.kind == "step":
            step = max(step, 1.0)
        values = _multiples(self, step)
        # A single step lies in the middle of its axis: it alone is written, not what lies around it.
        fewest = 1 if self.kind == "step" and self.high - self.low <= 1 else 2
        if len(values) < fewest or (self.log and values[0] <= 0):
            ends = (self.low, self.high)
            labels = [format_number(end) for end in ends]
            return list(map(Tick, ends, labels if labels[0] != labels[1] else [repr(end) for end in ends]))
        return list(map(Tick, values, _labels(values, step)))

    def _time_label(self, value: float, step: float) -> str:
        digits = max(0, -math.floor(math.log10(step) + 1e-9))
        if self.kind == "seconds":
            return _duration(value, digits)
        text = _moment(value)
        if step >= _DAY:
            return text[:10]
        end = 16 if step >= 60 else 19 if step >= 1 else 20 + digits
        return text[5:end] if self.high - self.low > _DAY * 1000 else text[11:end]


def fitting_ticks(axis: Axis, most: int, room: float, letter: float = 1.0) -> list[Tick]:
    """The ticks of a horizontal axis: as many, up to ``most``, as leave a blank between their labels.

    Args:
        axis: whose.
        most: how many at most, about.
        room: how wide the axis is.
        letter: how wide a letter is, in the same unit.
    """
    for count in range(max(most, 2), 1, -1):
        ticks = axis.ticks(count)
        if all(
            (axis.place(right.value) - axis.place(left.value)) * room
            >= ((len(left.label) + len(right.label)) / 2 + 1) * letter
            for left, right in pairwise(ticks)
        ):
            return ticks
    return axis.ticks(1)


def axes_of(chart: Chart) -> tuple[Axis, Axis]:
    """The axes that hold everything of a chart that can be drawn; what is not finite counts for neither."""
    pairs = [pair for curve in chart.curves for ys in (curve.ys, curve.raw) for pair in zip(curve.xs, ys, strict=False)]
    drawn = [
        (x, y)
        for x, y in pairs
        if math.isfinite(x) and not math.isnan(y) and (x > 0 or not chart.log_x) and (y > 0 or not chart.log_y)
    ]
    x_axis = axis_of((x for x, _ in drawn), log=chart.log_x, kind=_KINDS[chart.by])
    return x_axis, axis_of((y for _, y in drawn), log=chart.log_y)


def axis_of(values: Iterable[float], *, log: bool = False, kind: Kind = "number") -> Axis:
    """The axis that holds some numbers; a single one lies in its middle.

    Args:
        values: those not finite, and on a log axis those not above zero, do not count.
        log: whether it is logarithmic.
        kind: what it measures.
    """
    finite = [value for value in values if math.isfinite(value) and (value > 0 or not log)]
    if not finite:
        return Axis(1.0, 10.0, log, kind) if log else Axis(0.0, 1.0, log, kind)
    low, high = float(min(finite)), float(max(finite))
    if low < high:
        return Axis(low, high, log, kind)
    if log:
        return Axis(max(low / 10, 5e-324), min(high * 10, _LARGEST), log, kind)
    around = {"number": abs(low) / 10 or 1.0, "step": 0.5, "moment": 1000.0, "seconds": 1.0}[kind]
    around = max(around, math.ulp(low))
    return Axis(max(low - around, -_LARGEST), min(high + around, _LARGEST), log, kind)


def _share(value: float, low: float, high: float) -> float:
    span = high - low
    if math.isinf(span):  # the difference of two large numbers may be more than a float holds
        return (value / 2 - low / 2) / (high / 2 - low / 2)
    return (value - low) / span


def _nice_step(low: float, high: float, count: int) -> float:
    """1, 2 or 5 times a power of ten (Heckbert, "Nice Numbers for Graph Labels", Graphics Gems, 1990); 0 for none."""
    rough = (high / 4 - low / 4) / max(count, 1) * 4
    if not 1e-300 < rough < math.inf:
        return 0.0
    power = 10.0 ** math.floor(math.log10(rough))
    return next((factor * power for factor in (1, 2, 5) if factor * power >= rough * 0.999), 10 * power)


def _time_step(seconds: float) -> float:
    """A step of the clock at least so long: nice numbers of days beyond one, and of seconds below; a ms at least."""
    if seconds <= 0.5:
        return max(_nice_step(0, seconds, 1), 0.001)
    known = next((unit for unit in _UNITS if unit >= seconds * 0.999), None)
    return known or max(1.0, _nice_step(0, seconds / _DAY, 1)) * _DAY


def _multiples(axis: Axis, step: float) -> list[float]:
    if step <= 0 or math.isinf(step) or max(abs(axis.low), abs(axis.high)) / step > _MOST_EXACT:
        return []
    first, last = math.ceil(axis.low / step - 1e-9), math.floor(axis.high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def _labels(values: list[float], step: float) -> list[str]:
    """With as many digits as the step needs, the same number for all."""
    power = math.floor(math.log10(step) + 1e-9)
    largest = max(map(abs, values))
    if 1e-3 <= largest < 1e6 or largest < step:
        return [f"{value:.{max(0, -power)}f}" if abs(value) > step / 2 else "0" for value in values]
    digits = max(0, math.floor(math.log10(largest)) - power)
    parts = [f"{value:.{digits}e}".partition("e") if abs(value) > step / 2 else ("0", "", "") for value in values]
    return [f"{mantissa}e{int(exponent)}" if exponent else mantissa for mantissa, _, exponent in parts]


def _duration(seconds: float, digits: int = 0) -> str:
    """``1d3h``, ``2m30s``, and with digits for parts of a second ``2m0.5s``."""
    whole, _, part = f"{abs(seconds):.{digits}f}".partition(".")
    total = int(whole)
    days, hours, minutes, rest = total // _DAY, total // 3600 % 24, total // 60 % 60, total % 60
    last = f"{rest}.{part}" if part.strip("0") else str(rest) if rest else ""
    parts = [(days, "d"), (hours, "h"), (minutes, "m"), (last, "s")]
    text = "".join(f"{count}{unit}" for count, unit in parts if count) or "0s"
    return f"-{text}" if seconds < 0 and text != "0s" else text


def _moment(milliseconds: float) -> str:
    """``2026-11-21 15:30:05.250``; the first or last moment of the calendar for what lies beyond it."""
    import datetime

    from gittrack.core.run_toml import moment

    at = moment(int(milliseconds)).astimezone(datetime.UTC)
    return at.strftime("%Y-%m-%d %H:%M:%S") + f".{at.microsecond // 1000:03d}"

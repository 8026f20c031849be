"""Curves: a metric's points along an axis, smoothed on request, thinned without losing an extreme."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import field
from itertools import pairwise
from typing import Literal, TypeVar, get_args

from gittrack.core.records import Series
from gittrack.core.sparkline import format_number
from gittrack.errors import InvalidValueError
from gittrack.frozen import dataclass

By = Literal["step", "time", "relative"]
"""What a curve is drawn along: the step, the clock, or the time since its run began."""

Numbers = TypeVar("Numbers", "array[int]", "array[float]")

FEWEST_POINTS = 8
"""The least that a curve can be thinned to: a bucket may need seven points."""


@dataclass(frozen=True, slots=True)
class Curve:
    """One run's points of one metric, in the order of ``xs``.

    Attributes:
        label: the run's name, unique among the curves of a chart; may hold anything.
        id: the run's id.
        xs: steps, ms since the epoch, or seconds since the run began.
        ys: the values drawn, NaN and infinities among them.
        raw: the values before smoothing; empty when they are those drawn.
    """

    label: str
    id: str
    xs: Sequence[float]
    ys: Sequence[float]
    raw: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class Chart:
    """Curves that share their axes.

    Attributes:
        title: the metric; may hold anything.
        by: what ``xs`` of the curves are.
        log_x, log_y: whether an axis is logarithmic; what is not above zero has no place on it.
    """

    title: str
    curves: tuple[Curve, ...] = field(default=())
    by: By = "step"
    log_x: bool = False
    log_y: bool = False


def check_by(by: str) -> By:
    """``by`` as what it must be.

    Raises:
        InvalidValueError: it is none of :data:`By`.
    """
    for known in get_args(By):
        if by == known:
            return known  # type: ignore[no-any-return]
    raise InvalidValueError(f"'{by[:40]}' is no axis", hint="by='step', by='time' or by='relative'")


def along(series: Series, by: By) -> tuple[array[int], array[float]]:
    """A metric's steps or timestamps in rising order, and the values that belong to them.

    Points with the same one stay in the order in which they were logged.
    """
    places = series.steps if by == "step" else series.timestamps
    if not any(earlier > later for earlier, later in pairwise(places)):
        return places, series.values
    order = sorted(range(len(places)), key=places.__getitem__)
    return chosen(places, order), chosen(series.values, order)


def chosen(numbers: Numbers, indices: Sequence[int]) -> Numbers:
    """The numbers at some indices."""
    return array(numbers.typecode, map(numbers.__getitem__, indices))


def smoothed(values: Sequence[float], weight: float) -> array[float]:
    """The exponential moving average, corrected for its start at nothing, as TensorBoard draws it.

    After n numbers the average holds only ``1 - weight ** n`` of their weights; dividing by that makes the first value
    itself (Kingma & Ba 2015, section 3; TensorBoard's ``resmoothDataset`` in ``vz_line_chart2/line-chart.ts``). NaN and
    infinities are passed on and do not count; a constant curve stays as it is.

    Args:
        values: in order.
        weight: of what came before, 0 (nothing changes) to less than 1.

    Raises:
        InvalidValueError: another weight.

    >>> list(smoothed([1.0, 0.0, 0.0], 0.5))
    [1.0, 0.3333333333333333, 0.14285714285714285]
    """
    if not 0 <= weight < 1:
        raise InvalidValueError(f"a curve cannot be smoothed by {weight}", hint="give a number from 0 to 0.99")
    finite = [value for value in values if math.isfinite(value)]
    if weight == 0 or not finite or min(finite) == max(finite):
        return array("d", values)
    result = array("d")
    average, missing = 0.0, 1.0
    for value in values:
        if not math.isfinite(value):
            result.append(value)
            continue
        average = average * weight + (1 - weight) * value
        missing *= weight
        result.append(average / (1 - missing))
    return result


def thinned(values: Sequence[float], points: int) -> list[int]:
    """The indices of at most so many values that show the same curve: no extreme, gap or infinity is lost.

    The values are cut into equal parts; of each the first, the last, the lowest and the highest finite one stay, as in
    M4 (Jugel, Jerzak, Hackenbroich, Markl: "M4: A Visualization-Oriented Time Series Data Aggregation", PVLDB 7(10),
    2014). Of each gap and of each row of infinities the first stays; where those would be more than half of what is
    kept, one NaN and one infinity of each sign in each part. Parts of equal counts rather than equal widths of the
    axis: a pause in a training does not use them up, and it is the same on a logarithmic axis.

    Args:
        values: in order.
        points: how many at most.

    Raises:
        InvalidValueError: fewer than :data:`FEWEST_POINTS`.

    >>> thinned([0, 1, 2, 9, 4, 5, 6, 7, -9, 8, 8, 8], 8)
    [0, 3, 5, 6, 8, 9, 11]
    """
    check_points(points)
    if len(values) <= points:
        return list(range(len(values)))
    gaps = [] if all(map(math.isfinite, values)) else _first_of_gaps(values)
    if len(gaps) <= points // 2:
        parts = (points - len(gaps)) // 4
    else:
        parts = points // (4 + len({str(values[index]) for index in gaps}))
    edges = [len(values) * edge // parts for edge in range(parts + 1)]
    kept = set(gaps) if len(gaps) <= points // 2 else set()
    for start, end in pairwise(edges):
        kept.update(_kept(values[start:end], start, odd=len(gaps) > points // 2))
    return sorted(kept)


def check_points(points: int) -> None:
    """Raise InvalidValueError when a curve cannot be thinned to so many points."""
    if points < FEWEST_POINTS:
        raise InvalidValueError(
            f"a curve cannot be thinned to {points} points", hint=f"ask for {FEWEST_POINTS} or more"
        )


def _first_of_gaps(values: Sequence[float]) -> list[int]:
    """The first index of each row of NaN, and of each row of one infinity."""
    firsts, before = [], ""
    for index, value in enumerate(values):
        kind = "" if math.isfinite(value) else str(value)
        if kind and kind != before:
            firsts.append(index)
        before = kind
    return firsts


def _kept(part: Sequence[float], start: int, *, odd: bool) -> set[int]:
    kept = {0, len(part) - 1}
    numbers = part
    if not all(map(math.isfinite, part)):
        numbers = [value for value in part if math.isfinite(value)]
        if odd:
            first: dict[str, int] = {}
            for index, value in enumerate(part):
                if not math.isfinite(value):
                    first.setdefault(str(value), index)
            kept.update(first.values())
    if numbers:
        kept |= {part.index(min(numbers)), part.index(max(numbers))}
    return {start + index for index in kept}


def thin_curve(curve: Curve, points: int, *, log_y: bool = False) -> Curve:
    """A curve with at most so many points; see :func:`thinned`.

    Args:
        curve: the whole.
        points: how many at most.
        log_y: whether what is not above zero has no place, and so is a gap rather than an extreme.
    """
    if len(curve.ys) <= points:
        return curve
    kept = thinned([y if y > 0 else math.nan for y in curve.ys] if log_y else curve.ys, points)
    raw = [curve.raw[index] for index in kept] if curve.raw else ()
    return Curve(curve.label, curve.id, [curve.xs[i] for i in kept], [curve.ys[i] for i in kept], raw)


def thin_apart(curve: Curve, points: int, *, log_y: bool = False) -> Curve:
    """The raw values of a smoothed curve, thinned by themselves: their extremes are others than those of the curve."""
    return thin_curve(Curve(curve.label, curve.id, curve.xs, curve.raw), points, log_y=log_y)


def strokes(points: Sequence[tuple[float, float]]) -> Iterator[list[tuple[float, float]]]:
    """The pieces between the gaps of a curve: a point that is not finite ends one."""
    piece: list[tuple[float, float]] = []
    for point in points:
        if math.isfinite(point[0]) and math.isfinite(point[1]):
            piece.append(point)
        elif piece:
            yield piece
            piece = []
    if piece:
        yield piece


def has_points(chart: Chart) -> bool:
    """Whether anything of a chart can be drawn; an infinity is an arrow."""
    return any(
        math.isfinite(x) and not math.isnan(y) and (x > 0 or not chart.log_x) and (y > 0 or not chart.log_y)
        for curve in chart.curves
        for x, y in zip(curve.xs, curve.ys, strict=True)
    )


def unique_labels(names: Sequence[str], ids: Sequence[str]) -> list[str]:
    """A label for each run: its name, and where several have one the beginning of the id too.

    >>> unique_labels(["a", "b", "a"], ["1" * 32, "2" * 32, "3" * 32])
    ['a (11111111)', 'b', 'a (33333333)']
    """
    often = Counter(names)
    labels = [name if often[name] == 1 else f"{name} ({id[:8]})" for name, id in zip(names, ids, strict=True)]
    often = Counter(labels)
    labels = [one if often[one] == 1 else f"{name} ({id})" for one, name, id in zip(labels, names, ids, strict=True)]
    seen: Counter[str] = Counter()
    for place, label in enumerate(labels):  # the same run twice
        seen[label] += 1
        if seen[label] > 1:
            labels[place] = f"{label} #{seen[label]}"
    return labels


def value_text(curve: Curve, index: int) -> str:
    """The value of a point for a tooltip; of a smoothed curve the one that was logged too.

    >>> value_text(Curve("a", "", [0, 1], [1.0, 0.5], [1.0, 0.2]), 1)
    '0.5 smoothed, 0.2 logged'
    """
    text = format_number(curve.ys[index])
    return f"{text} smoothed, {format_number(curve.raw[index])} logged" if curve.raw else text


def odd_values(values: Sequence[float]) -> str:
    """What of a curve cannot be drawn as a line, in words; ``""`` when all can.

    >>> odd_values([1.0, float("nan"), float("inf"), float("nan")])
    '2 nan, 1 inf'
    """
    if all(map(math.isfinite, values)):
        return ""
    counts = {
        "nan": sum(map(math.isnan, values)),
        "inf": sum(value == math.inf for value in values),
        "-inf": sum(value == -math.inf for value in values),
    }
    return ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)


def curve_facts(curve: Curve, chart: Chart) -> list[str]:
    """What a legend says of a curve besides its name: last, lowest and highest value, and what cannot be drawn.

    Args:
        curve: the whole; of a thinned one the counts would be others.
        chart: whose axes it is drawn along.
    """
    values = curve.raw or curve.ys
    if not len(values):
        return ["no points"]
    finite = [value for value in values if math.isfinite(value)]
    facts = [f"last {format_number(values[-1])}"]
    if finite:
        facts += [f"min {format_number(min(finite))}", f"max {format_number(max(finite))}"]
    if odd := odd_values(values):
        facts.append(odd)
    off = 0
    if chart.log_x or chart.log_y:
        pairs = zip(curve.xs, curve.ys, strict=True)
        off = sum((chart.log_x and x <= 0) or (chart.log_y and y <= 0) for x, y in pairs)
    return [*facts, f"{off} not above 0"] if off else facts

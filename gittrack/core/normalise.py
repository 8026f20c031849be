"""Numbers of several runs on one scale, higher being better, and a weighted score of several metrics."""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, get_args

from gittrack.core.directions import Direction
from gittrack.core.names import display
from gittrack.core.statistics import deviation_of, mean_of
from gittrack.errors import UsageError

Method = Literal["z", "minmax", "percentile", "relative"]
METHODS: tuple[Method, ...] = get_args(Method)
_MOST_TEXT = 100_000
_MOST_WEIGHT = 1e100
_SCORE_HINT = "--score 'metrics.acc=2,metrics.latency=1'"
_PIECE = re.compile(r"(?:`[^`]*`|[^,`])+")


def normalised(
    values: Sequence[float | None], method: Method, direction: Direction, baseline: float | None = None
) -> list[float | None]:
    """The values of one metric on a common scale, turned so that higher is better.

    - ``z``: standard deviations (of these values alone, so by n) above their mean; 0 when they are all the same.
    - ``minmax``: 0 for the worst, 1 for the best; 0.5 when they are all the same.
    - ``percentile``: per cent of the values that are worse, and half of those that are the same.
    - ``relative``: how much better than the baseline, as a share of it: 0.1 is ten per cent better.

    Args:
        values: by run; None where a run lacks the metric.
        method: which scale.
        direction: of the metric; one of unknown direction is not turned: higher is more then, not better.
        baseline: for ``relative``.

    Returns:
        As many; None stays None, and NaN is NaN. Means, deviations and ranges are those of the finite values; an
        infinity is infinitely far from them on ``z``, ``minmax`` and ``relative``. Of a baseline that is 0 or infinite
        there is no share: None for what is not the same.
    """
    sign = direction.sign
    turned = [None if value is None else sign * value for value in values]
    if method == "relative":
        reference = None if baseline is None else sign * baseline
        return [None if v is None or reference is None else _relative(v, reference) for v in turned]
    numbers = sorted(value for value in turned if value is not None and value == value)
    scale = _scale(numbers, method)
    known = {value: scale(value) for value in set(numbers)}
    return [value if value is None or value != value else known[value] for value in turned]


def _scale(numbers: Sequence[float], method: Method) -> Callable[[float], float]:
    """What a number becomes among these, which are sorted."""
    if method == "percentile":
        return lambda value: 50 * (bisect_left(numbers, value) + bisect_right(numbers, value)) / len(numbers)
    finite = [number for number in numbers if math.isfinite(number)]
    if method == "minmax":
        low, high = (finite[0], finite[-1]) if finite else (0.0, 0.0)
        return lambda value: _within(value, low, high)
    mean, deviation = (mean_of(finite), deviation_of(finite, 0) or 0.0) if finite else (0.0, 0.0)
    return lambda value: _from_mean(value, mean, deviation)


def _from_mean(value: float, mean: float, deviation: float) -> float:
    if not math.isfinite(value):
        return value
    if not deviation:
        return 0.0
    # Halved when large: the difference may be more than a float holds. Half of a small one may be 0.
    away = value - mean
    return (value / 2 - mean / 2) / (deviation / 2) if math.isinf(away) else away / deviation


def _within(value: float, low: float, high: float) -> float:
    if math.isinf(value):  # not 0 or 1: a run that diverged is no equal of the worst that did not
        return value
    if low == high:
        return 0.5
    # Halved first: the difference of two large numbers may be more than a float holds.
    return (value / 2 - low / 2) / (high / 2 - low / 2) if math.isinf(high - low) else (value - low) / (high - low)


def _relative(value: float, reference: float) -> float | None:
    if value == reference:
        return 0.0
    if value != value or reference != reference:
        return math.nan
    if not reference or math.isinf(reference):
        return None
    # Each divided first: the difference of two large numbers may be more than a float holds.
    difference = value - reference
    if math.isinf(difference) and math.isfinite(value):
        return value / abs(reference) - reference / abs(reference)
    return difference / abs(reference)


def composite(parts: Mapping[str, Sequence[float | None]], weights: Mapping[str, float]) -> list[float | None]:
    """The weighted mean of normalised metrics, by run.

    Args:
        parts: metric -> its normalised values, by run.
        weights: metric -> its weight, above 0.

    Returns:
        None for a run that lacks one of the metrics, or where one is NaN: what is missing is no zero.
    """
    total = math.fsum(weights.values())
    scores: list[float | None] = []
    for values in zip(*(parts[name] for name in weights), strict=True):
        terms = [
            weight / total * value
            for weight, value in zip(weights.values(), values, strict=True)
            if value is not None and value == value
        ]
        # Plain addition: of an infinity for and one against it makes NaN, which is no score either.
        score = sum(terms) if len(terms) == len(values) else math.nan
        scores.append(score if score == score else None)
    return scores


def parse_weights(text: str) -> dict[str, float]:
    """Read ``metrics.acc=2,metrics.latency=1``; ``metrics.`` may be left out, and a weight, which is then 1.

    Names with a comma, an equals sign or a space at an end stand between backticks.

    Raises:
        UsageError: it says something else.

    >>> parse_weights("metrics.acc=2, val/loss, `odd,name`=0.5")
    {'acc': 2.0, 'val/loss': 1.0, 'odd,name': 0.5}
    """
    if len(text) > _MOST_TEXT:
        raise UsageError(f"the score is longer than {_MOST_TEXT} characters", hint=_SCORE_HINT)
    if "`" in _PIECE.sub("", text):
        raise UsageError("the score has a backtick that none closes", hint=_SCORE_HINT)
    weights: dict[str, float] = {}
    for piece in _PIECE.findall(text) or [""]:
        name, weight = _term(piece.strip())
        if name in weights:
            raise UsageError(f"the score has the metric '{display(name, 60)}' twice", hint=_SCORE_HINT)
        weights[name] = weight
    return weights


def _term(piece: str) -> tuple[str, float]:
    text = piece.removeprefix("metrics.").removeprefix("metric.")
    if text[:1] == "`" and text.count("`") == 2:
        name, _, rest = text[1:].partition("`")
        empty, equals, weight = rest.partition("=")
    else:
        name, equals, weight = text.partition("=")
        name, empty = name.strip(), "`" if "`" in text else ""
    if not name or empty.strip():
        raise UsageError(f"the score says '{display(piece, 60)}' where a metric should be", hint=_SCORE_HINT)
    try:
        return name, check_weight(name, float(weight) if equals else 1.0)
    except ValueError:
        return name, check_weight(name, weight.strip())


def check_weight(name: str, weight: object) -> float:
    """The weight of a metric in a score: a number above 0.

    Raises:
        UsageError: it is none.
    """
    if isinstance(weight, int | float) and 0 < weight <= _MOST_WEIGHT:
        return float(weight)
    raise UsageError(
        f"the weight of '{display(name, 60)}' is '{display(str(weight), 40)}', not a number above 0",
        hint="what is better when it is less: gittrack compare … --minimize NAME",
    )

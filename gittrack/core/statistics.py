"""Statistics of a few numbers: mean, standard deviation and the confidence interval of the mean by Student's t.

The quantile of t inverts the regularized incomplete beta function, computed by its continued fraction (DLMF 8.17.22;
Press et al., Numerical Recipes, 3rd ed., section 6.4, by Lentz's method).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from gittrack.frozen import dataclass

LEVEL = 0.95
"""The confidence of intervals."""
_TINY = 1e-300
_MOST_TERMS = 100_000


@dataclass(frozen=True, slots=True)
class Statistics:
    """What some numbers say together.

    Attributes:
        n: how many numbers there are, infinities included, NaN not.
        nan: how many were NaN.
        mean: None without a number; infinite or NaN where an infinity is among them.
        deviation: the standard deviation of a sample (n - 1); None below two numbers or with an infinity.
        low, high: the 95 % confidence interval of the mean by Student's t; None where ``deviation`` is. Infinite where
            a float cannot hold it, as ``deviation`` is.
    """

    n: int
    nan: int
    mean: float | None
    deviation: float | None
    low: float | None
    high: float | None


def statistics_of(values: Iterable[float], quantiles: dict[int, float] | None = None) -> Statistics:
    """The statistics of some numbers.

    Args:
        values: in any order: the result does not depend on it.
        quantiles: quantiles of t that were computed before, by their degrees of freedom; new ones are added.

    >>> found = statistics_of([1.0, 2.0, 3.0])
    >>> found.mean, found.deviation, round(found.low, 3), round(found.high, 3)
    (2.0, 1.0, -0.484, 4.484)
    """
    every = list(values)
    numbers = [value for value in every if value == value]
    n = len(numbers)
    mean = mean_of(numbers) if n else None
    deviation = deviation_of(numbers, 1)
    low = high = None
    if mean is not None and deviation is not None:
        known = {} if quantiles is None else quantiles
        quantile = known.get(n - 1)
        if quantile is None:
            quantile = known[n - 1] = t_quantile(n - 1)
        low, high = _interval(numbers, mean, deviation, quantile)
    return Statistics(n, len(every) - n, mean, deviation, low, high)


def _interval(numbers: Sequence[float], mean: float, deviation: float, quantile: float) -> tuple[float, float]:
    half = quantile * (deviation / math.sqrt(len(numbers)))
    if math.isfinite(half):
        return mean - half, mean + half
    # The bounds may be floats where the deviation is none.
    scaled, exponent = _scaled(numbers)
    middle, root = math.fsum(scaled) / len(scaled), _deviation(scaled, 1)
    half = quantile * (root / math.sqrt(len(numbers)))
    return _unscaled(middle - half, exponent), _unscaled(middle + half, exponent)


def mean_of(numbers: Sequence[float]) -> float:
    """The mean of at least one number, exactly rounded; never an overflow. With both infinities NaN."""
    infinite = {number for number in numbers if math.isinf(number)}
    if infinite:
        return infinite.pop() if len(infinite) == 1 else math.nan
    scaled, exponent = _scaled(numbers)
    return math.ldexp(math.fsum(scaled) / len(scaled), exponent)


def deviation_of(numbers: Sequence[float], freedom: int) -> float | None:
    """The standard deviation; None with an infinity, or with no more numbers than ``freedom``.

    Args:
        numbers: without NaN.
        freedom: 1 for that of a sample, 0 for that of these numbers alone.
    """
    n = len(numbers)
    if n <= freedom or any(map(math.isinf, numbers)):
        return None
    if min(numbers) == max(numbers):
        return 0.0
    scaled, exponent = _scaled(numbers)
    return _unscaled(_deviation(scaled, freedom), exponent)


def _deviation(scaled: Sequence[float], freedom: int) -> float:
    n = len(scaled)
    mean = math.fsum(scaled) / n
    away = [value - mean for value in scaled]
    # The rounding of the mean is taken out again (Chan, Golub, LeVeque 1983, the corrected two-pass algorithm).
    squares = math.fsum(value * value for value in away) - math.fsum(away) ** 2 / n
    return math.sqrt(max(squares, 0.0) / (n - freedom))


def _scaled(numbers: Sequence[float]) -> tuple[list[float], int]:
    """The numbers divided by a power of two, which is exact, so that no square and no sum leaves float64."""
    # Of the largest: 0 has the exponent 0, which is more than that of any small number.
    exponent = math.frexp(max(map(abs, numbers)))[1]
    return [math.ldexp(number, -exponent) for number in numbers], exponent


def _unscaled(number: float, exponent: int) -> float:
    try:
        return math.ldexp(number, exponent)
    except OverflowError:  # what numbers near the largest float make can be larger than that
        return math.copysign(math.inf, number)


def t_quantile(freedom: int, level: float = LEVEL) -> float:
    """What Student's t stays within, in either direction, with a probability.

    Args:
        freedom: degrees of freedom, at least 1.
        level: the probability, above 0 and below 1.

    >>> round(t_quantile(4), 6)
    2.776445
    """
    outside = 1 - level
    low, high = 0.0, 1.0
    while _outside(high, freedom) > outside:
        low, high = high, 2 * high
    guess = (low + high) / 2
    for _ in range(200):
        excess = _outside(guess, freedom) - outside
        if excess > 0:
            low = guess
        else:
            high = guess
        step = guess + excess / (2 * _density(guess, freedom))  # Newton's; what leaves the bracket is halved instead
        following = step if low < step < high else (low + high) / 2
        if abs(following - guess) <= 1e-15 * guess:
            break
        guess = following
    return guess


def _outside(t: float, freedom: int) -> float:
    """The probability that \\|T\\| exceeds ``t`` (DLMF 8.17, Abramowitz and Stegun 26.7.1)."""
    return incomplete_beta(freedom / 2, 0.5, freedom / (freedom + t * t))


def _density(t: float, freedom: int) -> float:
    scale = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2) - 0.5 * math.log(freedom * math.pi)
    return math.exp(scale - (freedom + 1) / 2 * math.log1p(t * t / freedom))


def incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularized incomplete beta function I_x(a, b), for positive ``a`` and ``b`` and ``x`` within [0, 1]."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    scale = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    if x < (a + 1) / (a + b + 2):
        return math.exp(scale) * _continued_fraction(a, b, x) / a
    return 1 - math.exp(scale) * _continued_fraction(b, a, 1 - x) / b


def _continued_fraction(a: float, b: float, x: float) -> float:
    c, d = 1.0, 1 / _not_zero(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _MOST_TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / _not_zero(1 + term * d)
            c = _not_zero(1 + term / c)
            value *= c * d
        if abs(c * d - 1) < 1e-16:
            break
    return value


def _not_zero(number: float) -> float:
    return number if abs(number) > _TINY else _TINY

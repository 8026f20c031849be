"""Metric series: points ⇄ CSV, and their summary.

CSV: a header ``step,timestamp,value`` (and ``model,data`` when a point has one), then a row per point in logged
order. Values are the shortest decimal that reads back as the same float64 (Python's ``repr``: Steele & White 1990,
Gay 1990), or ``nan``, ``inf``, ``-inf``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

from gittrack.core.records import MetricSummary, Series
from gittrack.errors import CorruptRecordError

HEADER = "step,timestamp,value"
HEADER_ABOUT = "step,timestamp,value,model,data"
NAN = float("nan")
_SPECIAL = re.compile('[",\r\n]')
TREND_WIDTH = 16
CHUNK = 1 << 16
"""Characters of rows that are taken apart at once."""
MAX_LINE = 1 << 20
# The rows we write, and nothing beyond the format that int() or float() takes; any other row is read cell by cell.
_ROWS = re.compile(r"(?:-?[0-9]{1,19},-?[0-9]{1,19},[-+.0-9a-z]{1,32}\n)*+")


def encode_csv(series: Series) -> bytes:
    """The bytes of ``metrics/<name>.csv``."""
    if series.models or series.data:
        return _encode_about(series)
    rows = map("%d,%d,%r".__mod__, zip(series.steps, series.timestamps, series.values, strict=True))
    text = "\n".join(rows)
    return f"{HEADER}\n{text}\n".encode() if text else f"{HEADER}\n".encode()


def _encode_about(series: Series) -> bytes:
    models, data = _padded(series.models, len(series)), _padded(series.data, len(series))
    rows = zip(series.steps, series.timestamps, series.values, map(_quoted, models), map(_quoted, data), strict=True)
    return "".join([HEADER_ABOUT + "\n", *map("%d,%d,%r,%s,%s\n".__mod__, rows)]).encode()


def _quoted(cell: str) -> str:
    # Not by `csv`: which cells it quotes differs between versions of Python.
    return '"' + cell.replace('"', '""') + '"' if _SPECIAL.search(cell) else cell


def _padded(column: list[str], length: int) -> list[str]:
    return column + [""] * (length - len(column))


def decode_csv(data: bytes, what: str = "a metric") -> Series:
    """Read the bytes of a metric file.

    Args:
        data: the file.
        what: its name, for the message.

    Raises:
        CorruptRecordError: not UTF-8, another header, a row of another width, a number out of range.

    >>> decode_csv(b"step,timestamp,value\\n1,1700000000000,0.5\\n").values[0]
    0.5
    """
    try:
        text = data.decode()
        header, _, body = text.partition("\n")
        if header not in (HEADER, HEADER_ABOUT):
            raise ValueError(f"header is '{header[:40]}'")
        if body and not body.endswith("\n"):
            raise ValueError("the last row is cut")
        if header == HEADER_ABOUT:
            return _decode_about(body)
        return _decode_plain(body)
    except (ValueError, OverflowError) as error:
        raise CorruptRecordError(f"{what} is damaged: {error}", hint="gittrack fsck") from error


def _decode_plain(body: str) -> Series:
    """Rows of three cells, some at a time: 38 MiB of line feeds, taken apart at once, are 6 GiB of Python objects."""
    series = Series()
    start = 0
    while start < len(body):
        end = body.find("\n", start + CHUNK) + 1 or len(body)
        rows = body[start:end]
        if _ROWS.fullmatch(rows):
            cells = rows.replace("\n", ",").split(",")
            series.steps.extend(map(int, cells[:-1:3]))
            series.timestamps.extend(map(int, cells[1::3]))
            series.values.extend(map(float, cells[2::3]))
        else:
            for row in rows.split("\n")[:-1]:
                _add_row(series, row)
        start = end
    return series


def _add_row(series: Series, row: str) -> None:
    cells = row.split(",", 3)
    if len(cells) != 3:
        raise ValueError(f"a row has {'more' if len(cells) > 3 else 'fewer'} than 3 cells")
    series.steps.append(_integer(cells[0]))
    series.timestamps.append(_integer(cells[1]))
    series.values.append(_number(cells[2]))


def _integer(cell: str) -> int:
    # int() also takes "_", blanks and other alphabets' digits, and is quadratic in long texts.
    if len(cell) > 20 or not (cell.isascii() and (cell.isdigit() or (cell[:1] == "-" and cell[1:].isdigit()))):
        raise ValueError(f"'{cell[:40]}' is not an integer")
    return int(cell)


def _number(cell: str) -> float:
    if len(cell) > 32 or not cell.isascii() or "_" in cell or cell.strip() != cell:
        raise ValueError(f"'{cell[:40]}' is not a number")
    return float(cell)


def _decode_about(body: str) -> Series:
    import csv
    import io

    series = Series()
    try:
        for row in csv.reader(_short_lines(io.StringIO(body, newline="")), strict=True):
            if len(row) != 5:
                raise ValueError(f"a row has {len(row)} cells")
            series.steps.append(_integer(row[0]))
            series.timestamps.append(_integer(row[1]))
            series.values.append(_number(row[2]))
            series.models.append(row[3])
            series.data.append(row[4])
    except csv.Error as error:
        raise ValueError(str(error)) from error
    return series


def _short_lines(lines: Iterable[str]) -> Iterable[str]:
    for line in lines:
        if len(line) > MAX_LINE:  # before it is taken apart into as many cells as it has commas
            raise ValueError(f"a line is longer than {MAX_LINE} characters")
        yield line


def summarise(series: Series) -> MetricSummary:
    """One metric's summary; the same whatever order its points were logged in.

    The mean is exactly rounded (``math.fsum``, Shewchuk 1997), hence independent of the order too.

    Args:
        series: at least one point.
    """
    values = series.values
    steps = series.steps
    last_step = max(steps)
    # NaN is the one value that differs from itself; most series have none, and then no copy is made.
    numbers: Sequence[float] = [v for v in values if v == v] if any(map(math.isnan, values)) else values
    return MetricSummary(
        last=_last(series, last_step),
        min=min(numbers, default=NAN),
        max=max(numbers, default=NAN),
        mean=_mean(numbers),
        count=len(values),
        first_step=min(steps),
        last_step=last_step,
    )


def _last(series: Series, last_step: int) -> float:
    if series.steps[-1] == last_step and series.steps.count(last_step) == 1:
        return series.values[-1]
    points = (
        (time, value == value, value if value == value else 0.0, value)
        for step, time, value in zip(series.steps, series.timestamps, series.values, strict=True)
        if step == last_step
    )
    return max(points, key=lambda point: point[:3])[3]


def _mean(numbers: Sequence[float]) -> float:
    if not numbers:
        return NAN
    try:
        return math.fsum(numbers) / len(numbers)
    except OverflowError:  # the sum leaves float64, which the mean of finite numbers never does
        return _mean_of_huge(numbers)
    except ValueError:  # inf and -inf
        return NAN


def _mean_of_huge(numbers: Sequence[float]) -> float:
    from fractions import Fraction

    infinite = {number for number in numbers if math.isinf(number)}
    if infinite:
        return infinite.pop() if len(infinite) == 1 else NAN
    return float(sum(map(Fraction, numbers)) / len(numbers))


def trend(series: Series, width: int = TREND_WIDTH) -> list[float]:
    """At most ``width`` values spread evenly over the series in step order, for a sparkline.

    Args:
        series: the points.
        width: how many values at most.
    """
    values = series.values
    steps = series.steps
    count = len(values)
    ordered: Sequence[float] = values
    if any(map(int.__gt__, steps, steps[1:])):
        ordered = [value for _, value in sorted(zip(steps, values, strict=True), key=lambda point: point[0])]
    if count <= width:
        return list(ordered)
    return [ordered[i * (count - 1) // (width - 1)] for i in range(width)]

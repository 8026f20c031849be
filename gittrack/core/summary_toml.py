"""``summary.toml``: each metric's summary, a table by its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gittrack.core import toml
from gittrack.core.records import MetricSummary
from gittrack.core.toml import as_integer
from gittrack.errors import CorruptRecordError

SUMMARY_FILE = "summary.toml"


def encode_summaries(metrics: Mapping[str, MetricSummary]) -> bytes:
    """The bytes of ``summary.toml``: a table per metric, by its full name."""
    return toml.dump(
        {
            name: {
                "last": summary.last,
                "min": summary.min,
                "max": summary.max,
                "mean": summary.mean,
                "count": summary.count,
                "first_step": summary.first_step,
                "last_step": summary.last_step,
            }
            for name, summary in metrics.items()
        }
    )


def decode_summaries(data: bytes) -> dict[str, MetricSummary]:
    """Read ``summary.toml``; raises CorruptRecordError."""
    return {name: decode_summary(table) for name, table in toml.parse(data, what=SUMMARY_FILE).items()}


def decode_summary(table: Mapping[str, Any]) -> MetricSummary:
    """One metric's summary from a table whose numbers may be texts (JSON has no NaN); raises CorruptRecordError."""
    try:
        return MetricSummary(
            last=_number(table["last"]),
            min=_number(table["min"]),
            max=_number(table["max"]),
            mean=_number(table["mean"]),
            count=as_integer(table["count"]),
            first_step=as_integer(table["first_step"]),
            last_step=as_integer(table["last_step"]),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise CorruptRecordError(f"a metric's summary is damaged: {error}", hint="gittrack fsck") from error


def _number(value: object) -> float:
    if isinstance(value, bool) or not (isinstance(value, float | int) or value in ("nan", "inf", "-inf")):
        raise TypeError(f"{str(value)[:40]!r} is not a number")
    return float(value)

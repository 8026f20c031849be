"""Journals as a process writes them, without a process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from zlib import crc32

from gittrack.core.journal import (
    CRC,
    MAGIC,
    POINT,
    POINT_BODY,
    JournalContents,
    content_frame,
    decode_journal,
    metric_frame,
    operation_frame,
)

Point = tuple[str, int, int, float]
"""Metric, step, time in ms since the epoch, value."""


def point_frame(number: int, step: int, time: int, value: float) -> bytes:
    """The frame of one point; ``time`` in ms since the epoch."""
    body = POINT_BODY.pack(MAGIC, POINT, 0, number, step, time * 1_000_000, value)
    return body + CRC.pack(crc32(body))


def journal_bytes(*operations: Mapping[str, object], points: Iterable[Point] = ()) -> bytes:
    """What a process wrote: operations (with ``content`` when they carry bytes), then points."""
    frames = []
    for operation in operations:
        content = operation.get("content")
        bare = {key: value for key, value in operation.items() if key != "content"}
        frames.append(content_frame(bare, content) if isinstance(content, bytes) else operation_frame(bare))
    numbers: dict[str, int] = {}
    for name, step, time, value in points:
        if name not in numbers:
            numbers[name] = len(numbers)
            frames.append(metric_frame(numbers[name], name))
        frames.append(point_frame(numbers[name], step, time, value))
    return b"".join(frames)


def journal(*operations: Mapping[str, object], points: Iterable[Point] = ()) -> JournalContents:
    """The same, read back."""
    return decode_journal(journal_bytes(*operations, points=points))

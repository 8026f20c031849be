"""The frames of a live run's journal: encode one, decode a whole file.

A journal is a sequence of frames, little-endian, then zero bytes (the file is grown in steps before it is written)::

    point     D7 01 00 00 | metric u32 | step i64 | time i64, ns | value f64 | crc32 of the 32 bytes before
    other     D7 kk 00 00 | length u32 | payload | crc32 of header and payload

Kinds: 1 point, 2 metric (payload: number u32, UTF-8 name), 3 operation (payload: JSON object with ``op``),
4 the same, deflated, 5 operation with bytes (payload: length u32 of the JSON, JSON, bytes: ``content`` when read).
A frame that does not check out is skipped up to the next one that does, and the skipped bytes are counted: one
damaged byte costs one record, a torn tail costs the record that was being written. Metric numbers are the journal's
own. Nothing here touches a file.
"""

from __future__ import annotations

import datetime
import json
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from zlib import compress, crc32, decompressobj

from gittrack.core.records import Series
from gittrack.errors import InvalidValueError

MAGIC = 0xD7
POINT, METRIC, OPERATION, DEFLATED, CONTENT = 1, 2, 3, 4, 5
DEFLATE_FROM = 4096
"""Operations of more bytes than this are deflated: the list of packages is long and much alike."""
POINT_BODY = struct.Struct("<BBHIqqd")
_POINT = struct.Struct(POINT_BODY.format + "I")
POINT_SIZE = _POINT.size
HEADER = struct.Struct("<BBHI")
CRC = struct.Struct("<I")
NUMBER = struct.Struct("<I")
MAX_PAYLOAD = 64 << 20
_SCALARS = frozenset({str, int, float, bool, type(None)})
NAMELESS = "damaged/metric-"
"""What a metric is called whose name was lost; its points were not."""


@dataclass(slots=True)
class JournalContents:
    """What a journal holds.

    Attributes:
        series: metric name -> its points, in logged order.
        operations: the operations, in logged order.
        damaged: bytes skipped because no frame could be read there.
        end: offset after the last good frame.
        name: of the file, for whoever reads a folder of them.
    """

    series: dict[str, Series] = field(default_factory=dict)
    operations: list[dict[str, Any]] = field(default_factory=list)
    damaged: int = 0
    end: int = 0
    name: str = ""


def frame(kind: int, payload: bytes) -> bytes:
    """One frame of a kind other than a point.

    Raises:
        InvalidValueError: more bytes than a reader takes.
    """
    if len(payload) > MAX_PAYLOAD:
        raise InvalidValueError(f"{len(payload)} bytes are too many for one record of a run", hint="log a file")
    head = HEADER.pack(MAGIC, kind, 0, len(payload)) + payload
    return head + CRC.pack(crc32(head))


def metric_frame(number: int, name: str) -> bytes:
    """The frame that gives a metric its number in this journal."""
    return frame(METRIC, NUMBER.pack(number) + name.encode("utf-8", "surrogatepass"))


def operation_frame(operation: Mapping[str, Any]) -> bytes:
    """The frame of an operation; values may be anything a param can be."""
    payload = _json(operation)
    return frame(DEFLATED, compress(payload, 1)) if len(payload) > DEFLATE_FROM else frame(OPERATION, payload)


def content_frame(operation: Mapping[str, Any], content: bytes) -> bytes:
    """The frame of an operation that carries bytes: a small artifact, a piece of captured output."""
    document = _json(operation)
    return frame(CONTENT, NUMBER.pack(len(document)) + document + content)


def _json(operation: Mapping[str, Any]) -> bytes:
    return _ENCODER.encode(_escaped(operation)).encode()


def _escaped(value: Any) -> Any:
    if type(value) in _SCALARS:  # most are; whether it is a mapping takes longer to tell
        return value
    # A user's dict may hold a key like our own type marks: doubling the "$" keeps the two apart.
    if isinstance(value, Mapping):
        return {("$" + k if k.startswith("$") else k): _escaped(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_escaped(item) for item in value]
    return value


def _typed(value: object) -> dict[str, str]:
    if isinstance(value, datetime.datetime):
        return {"$datetime": value.isoformat()}
    if isinstance(value, datetime.date):
        return {"$date": value.isoformat()}
    if isinstance(value, datetime.time):
        return {"$time": value.isoformat()}
    raise TypeError(f"a {type(value).__name__} cannot be kept in a journal")


_TYPES = {
    "$datetime": datetime.datetime.fromisoformat,
    "$date": datetime.date.fromisoformat,
    "$time": datetime.time.fromisoformat,
}


def _untyped(pairs: dict[str, Any]) -> Any:
    if len(pairs) == 1:
        (key, value), *_ = pairs.items()
        if key in _TYPES:
            return _TYPES[key](value)
    return {(k.removeprefix("$")): v for k, v in pairs.items()} if pairs else pairs


# Made once: json.dumps and json.loads make them anew for every operation, which takes as long as the work itself.
_ENCODER = json.JSONEncoder(default=_typed, separators=(",", ":"))
_DECODER = json.JSONDecoder(object_hook=_untyped)


def _operation(document: bytes) -> dict[str, Any]:
    operation: dict[str, Any] = _DECODER.decode(document.decode("utf-8", "surrogatepass"))
    return operation


def decode_journal(data: bytes) -> JournalContents:
    """Read a journal, finished, torn or still growing.

    Args:
        data: the file's bytes as they are now.
    """
    contents = JournalContents()
    by_number: dict[int, Series] = {}
    position = 0
    # Padding zeros are not damage: they are room for frames to come.
    end = len(data.rstrip(b"\0"))
    view = memoryview(data)
    while position < end:
        if data[position] == MAGIC:
            after = _points(view, position, len(data), by_number)
            if after == position:
                after = _other(data, position, contents, by_number)
            if after > position:
                contents.end = position = after
                continue
        following = _next_frame(data, position + 1, end)
        contents.damaged += following - position
        position = following
    named = {id(series) for series in contents.series.values()}
    for number, series in by_number.items():
        if id(series) not in named:  # the frame with its name was damaged: the points are kept all the same
            contents.series[f"{NAMELESS}{number}"] = series
    return contents


def _points(view: memoryview, start: int, stop: int, by_number: dict[int, Series]) -> int:
    """Read points from ``start`` on as long as they check out; returns where they end."""
    size, body = POINT_SIZE, POINT_BODY.size
    adders: dict[int, tuple[Callable[[int], None], Callable[[int], None], Callable[[float], None]]] = {}
    position = start
    whole = (stop - start) // size * size
    # Called for every point of a training: a frame is taken apart at once, and metrics in turns cost one look-up each.
    for magic, kind, _, number, step, time, value, crc in _POINT.iter_unpack(view[start : start + whole]):
        if kind != POINT or magic != MAGIC or crc != crc32(view[position : position + body]):
            break
        if number not in adders:
            series = by_number.setdefault(number, Series())
            adders[number] = series.steps.append, series.timestamps.append, series.values.append
        add_step, add_time, add_value = adders[number]
        add_step(step)
        add_time(time // 1_000_000)
        add_value(value)
        position += size
    return position


def _other(data: bytes, position: int, contents: JournalContents, by_number: dict[int, Series]) -> int:
    if position + HEADER.size + CRC.size > len(data):
        return position
    _, kind, _, length = HEADER.unpack_from(data, position)
    body = position + HEADER.size
    if length > MAX_PAYLOAD or body + length + CRC.size > len(data):
        return position
    if CRC.unpack_from(data, body + length)[0] != crc32(data[position : body + length]):
        return position
    payload = data[body : body + length]
    if kind == METRIC:
        (number,) = NUMBER.unpack_from(payload)
        name = payload[NUMBER.size :].decode("utf-8", "surrogatepass")
        contents.series[name] = by_number.setdefault(number, Series())
    elif kind == OPERATION:
        contents.operations.append(_operation(payload))
    elif kind == DEFLATED:
        contents.operations.append(_operation(decompressobj().decompress(payload, MAX_PAYLOAD)))
    elif kind == CONTENT:
        split = NUMBER.size + NUMBER.unpack_from(payload)[0]
        operation = _operation(payload[NUMBER.size : split])
        contents.operations.append(operation | {"content": payload[split:]})
    after: int = body + length + CRC.size
    return after


def _next_frame(data: bytes, start: int, end: int) -> int:
    position = data.find(MAGIC, start, end)
    return end if position < 0 else position

"""The frames of a journal: whole, torn, growing, damaged."""

from __future__ import annotations

import datetime
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gittrack.core.journal import (
    CRC,
    MAGIC,
    NAMELESS,
    POINT,
    POINT_BODY,
    content_frame,
    decode_journal,
    metric_frame,
    operation_frame,
)


def point(number: int, step: int, time: int, value: float) -> bytes:
    body = POINT_BODY.pack(MAGIC, POINT, 0, number, step, time * 1_000_000, value)
    return body + CRC.pack(crc32(body))


def journal(points: int = 50) -> bytes:
    frames = [operation_frame({"op": "start", "name": "n"}), metric_frame(0, "loss"), metric_frame(1, "acc")]
    for i in range(points):
        frames.append(point(i % 2, i, 1000 + i, i / 7))
        if i % 10 == 0:
            frames.append(operation_frame({"op": "tag", "key": "k", "value": str(i)}))
    frames.append(content_frame({"op": "artifact"}, b"\xd7\x01bytes\0"))
    return b"".join(frames)


def test_a_journal_reads_back_what_was_written() -> None:
    contents = decode_journal(journal() + bytes(4096))
    assert list(contents.series["loss"].steps) == list(range(0, 50, 2))
    assert list(contents.series["acc"].values) == [i / 7 for i in range(1, 50, 2)]
    assert [operation["op"] for operation in contents.operations] == ["start", *["tag"] * 5, "artifact"]
    assert contents.operations[-1]["content"] == b"\xd7\x01bytes\0"
    assert contents.damaged == 0
    assert contents.end == len(journal())


@given(st.integers(0, len(journal())))
def test_a_torn_tail_costs_only_the_record_being_written(cut: int) -> None:
    whole = decode_journal(journal())
    torn = decode_journal(journal()[:cut] + bytes(100))
    for name, series in torn.series.items():
        assert list(series.values) == list(whole.series[name].values[: len(series)])
    assert torn.operations == whole.operations[: len(torn.operations)]
    assert torn.end <= cut
    assert cut - torn.end < 80


@settings(max_examples=400)
@given(st.integers(0, len(journal()) - 1), st.integers(1, 255))
def test_a_flipped_byte_costs_at_most_its_own_record_and_serves_no_wrong_value(place: int, mask: int) -> None:
    data = bytearray(journal())
    data[place] ^= mask
    whole, found = decode_journal(journal()), decode_journal(bytes(data))
    expected = {(s, v) for series in whole.series.values() for s, v in zip(series.steps, series.values, strict=True)}
    points = {(s, v) for series in found.series.values() for s, v in zip(series.steps, series.values, strict=True)}
    assert points <= expected
    assert len(points) >= len(expected) - 1
    operations = [o for o in whole.operations if o in found.operations]
    assert len(operations) >= len(whole.operations) - 1
    assert found.operations == operations
    assert found.damaged > 0


def test_points_whose_metric_lost_its_name_are_kept_under_a_name_that_says_so() -> None:
    data = bytearray(metric_frame(3, "loss") + point(3, 0, 1, 0.5))
    data[12] ^= 1
    contents = decode_journal(bytes(data))
    assert list(contents.series[f"{NAMELESS}3"].values) == [0.5]


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.datetimes()
    | st.dates()
    | st.times(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.just("$datetime"), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(VALUES)
def test_every_value_of_an_operation_comes_back_as_it_was(value: object) -> None:
    (operation,) = decode_journal(operation_frame({"op": "param", "value": value})).operations
    assert operation["value"] == value
    assert type(operation["value"]) is type(value)


def test_a_long_operation_is_deflated_and_comes_back() -> None:
    text = "package==1.0\n" * 5000
    frame = operation_frame({"op": "start", "packages": text})
    assert len(frame) < len(text) / 10
    assert decode_journal(frame).operations[0]["packages"] == text


@pytest.mark.parametrize(
    "junk", [b"", bytes(10), b"\xd7", b"\xd7" * 1000, b"\xff" * 100, b"\xd7\x03\0\0\xff\xff\xff\xff"]
)
def test_junk_is_counted_and_never_raises(junk: bytes) -> None:
    contents = decode_journal(junk)
    assert contents.operations == []
    assert contents.damaged == len(junk.rstrip(b"\0"))


def test_a_moment_keeps_its_zone() -> None:
    moment = datetime.datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=datetime.UTC)
    (operation,) = decode_journal(operation_frame({"op": "param", "value": moment})).operations
    assert operation["value"] == moment

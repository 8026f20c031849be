"""Batch tables: what a ledger commit says it carries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gittrack.core.ids import ObjectId
from gittrack.core.ledger import MAX_BATCH, BatchRow, batch_subject, decode_batch, encode_batch
from gittrack.errors import CorruptRecordError, UnsupportedFormatError

ROWS = st.lists(
    st.tuples(st.sampled_from(["run", "event"]), st.integers(0, 2**128 - 1), st.integers(0, 2**160 - 1)).map(
        lambda row: BatchRow(row[0], f"{row[1]:032x}", ObjectId(f"{row[2]:040x}"))
    ),
    max_size=20,
)


@given(ROWS)
def test_a_batch_round_trips_sorted(rows: list[BatchRow]) -> None:
    data = encode_batch(rows)
    assert decode_batch(data, {row.commit for row in rows}) == sorted(rows)
    assert encode_batch(list(reversed(rows))) == data


def test_a_row_must_name_a_parent() -> None:
    row = BatchRow("run", "a" * 32, ObjectId("b" * 40))
    with pytest.raises(CorruptRecordError, match="no parent"):
        decode_batch(encode_batch([row]), {ObjectId("c" * 40)})


def test_kinds_of_a_newer_version_are_left_to_it() -> None:
    data = b"gittrack-batch\t1\nvision\tx\t" + b"b" * 40 + b"\n"
    assert decode_batch(data, set()) == []


def test_a_newer_format_is_refused() -> None:
    with pytest.raises(UnsupportedFormatError):
        decode_batch(b"gittrack-batch\t2\nanything", set())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"gittrack-batch\n",
        b"gittrack-batch\t1",
        b"gittrack-batch\t1\nrun\tx\n",
        b"gittrack-batch\t1\nrun\t../x\t" + b"b" * 40 + b"\n",
    ],
)
def test_a_damaged_batch_is_refused(data: bytes) -> None:
    with pytest.raises(CorruptRecordError):
        decode_batch(data, {ObjectId("b" * 40)})


def test_more_rows_than_a_batch_may_have_are_refused() -> None:
    rows = [BatchRow("run", f"{i:032x}", ObjectId("b" * 40)) for i in range(MAX_BATCH + 1)]
    with pytest.raises(CorruptRecordError):
        decode_batch(encode_batch(rows), {ObjectId("b" * 40)})


def test_the_diary_speaks_to_people() -> None:
    assert batch_subject(["churn/xgb"] * 2 + ["a"], 1) == "3 runs: a, churn/xgb; 1 event"
    assert batch_subject([], 2) == "2 events"


def test_what_strangers_call_an_experiment_cannot_break_the_diary() -> None:
    subject = batch_subject(["a\n\x1b[31m\0b", "\ud800"], 0)
    assert subject == r"2 runs: a \x1b[31m\x00b, \ud800"

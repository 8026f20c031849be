"""TOML is written the same way every time, and hostile TOML is refused at once."""

from __future__ import annotations

import datetime
import math
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gittrack.core import toml
from gittrack.errors import CorruptRecordError, InvalidValueError

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
scalars = st.one_of(
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    texts,
    st.dates(),
    st.times(),
    st.datetimes(),
    st.datetimes(timezones=st.sampled_from([datetime.UTC, datetime.timezone(datetime.timedelta(minutes=-570))])),
)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4))
tables = st.dictionaries(texts, values, max_size=6)


@given(tables)
def test_what_is_written_is_read_back(table: dict[str, Any]) -> None:
    assert toml.parse(toml.dump(table), what="x") == table


@given(tables)
def test_the_bytes_do_not_depend_on_the_order_of_keys(table: dict[str, Any]) -> None:
    assert toml.dump(dict(reversed(table.items()))) == toml.dump(table)


def test_keys_are_sorted_at_every_level_and_lines_end_in_line_feeds() -> None:
    data = toml.dump({"b": 1, "a": [{"z": "x\r\ny", "y": 1}], "Ä": {"d": {}, "c": 2}})
    assert data == 'a = [\n    { y = 1, z = "x\\r\\ny" },\n]\nb = 1\n\n["Ä"]\nc = 2\n\n["Ä".d]\n'.encode()


def test_nan_and_infinities_are_kept() -> None:
    table = toml.parse(toml.dump({"a": math.nan, "b": math.inf, "c": -math.inf}), what="x")
    assert math.isnan(table["a"])
    assert (table["b"], table["c"]) == (math.inf, -math.inf)


def test_a_zone_with_seconds_becomes_utc() -> None:
    moment = datetime.datetime(1900, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(seconds=561)))
    assert toml.parse(toml.dump({"a": moment}), what="x")["a"] == moment


@pytest.mark.parametrize(
    "table",
    [
        {"a": None},
        {"a": [None]},
        {1: 2},
        {"a": {None: 2}},
        {"a": object()},
        {"a": "\ud800"},
        {"\ud800": 1},
        {"a": datetime.time(1, tzinfo=datetime.UTC)},
        {"a": 10**5000},
    ],
)
def test_what_has_no_form_in_toml_is_refused(table: dict[Any, Any]) -> None:
    with pytest.raises(InvalidValueError, match="cannot be written as TOML"):
        toml.dump(table)


MIB = 1 << 20
HOSTILE = {
    "one dotted key": b".".join([b"a"] * 10_000) + b" = 1",
    "one dotted key with spaces": b" . ".join([b"a"] * 10_000) + b" = 1",
    "one dotted key of quoted parts": b".".join([b'"a.b"'] * 10_000) + b" = 1",
    "one dotted header": b"[" + b".".join([b"a"] * 10_000) + b"]",
    "one dotted key in an inline table": b"x = {" + b".".join([b"a"] * 10_000) + b" = 1}",
    "a dotted key just over the limit": b".".join([b"a"] * 65) + b" = 1",
    "deep arrays": b"a = " + b"[" * 10_000 + b"]" * 10_000,
    "deep arrays after a string": b'b = "]]]]"\na = ' + b"[" * 10_000,
    "deep inline tables": b"a = " + b"{a = " * 10_000 + b"1" + b"}" * 10_000,
    "deep by every means": b"[" + b".".join([b"h"] * 60) + b"]\n" + b".".join([b"k"] * 60) + b" = {a = 1}",
    "dotted keys in nested inline tables": b"a = " + b"{k.k.k.k.k.k = " * 20 + b"1" + b"}" * 20,
    "unfinished string": b'a = "' + b'\\"' * MIB,
    "unfinished long string": b'a = """' + b'\\"""' * (MIB // 4),
    "brackets hidden behind quotes": b"a = '''x''''\nb = " + b"[" * 10_000,
    "more hidden brackets": b'a = """x"""""\nb = ' + b"[" * 10_000,
    "an escaped quote": b'a = "\\""\nb = ' + b"[" * 10_000,
    "a long number": b"a = " + b"1" * 100_000,
    "a long hexadecimal number": b"a = 0x" + b"f" * 5_000,
    "a long number deep inside": b"a = [{b = [0x" + b"f" * 5_000 + b"]}]",
    "a long binary number": b"a.b = 0b1" + b"0" * 14_000,
    "not UTF-8": b"a = '\xff'",
    "a lone surrogate": b"a = '\xed\xa0\x80'",
    "a byte order mark": b"\xef\xbb\xbfa = 1",
    "a key twice": b"a = 1\na = 2",
    "NUL": b"a = 1\0",
    "a date that is none": b"a = 2024-13-45",
    "too many bytes": b"#" * (8 * MIB + 1),
    "closing brackets": b"]" * MIB,
    "opening brackets": b"[" * MIB,
    "quotes": b'"' * MIB,
    "apostrophes": b"'" * MIB,
    "dots": b"." * MIB,
    "backslashes": b'a = "' + b"\\" * MIB,
    "JSON": b'{"a": 1}',
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_toml_is_refused(name: str) -> None:
    with pytest.raises(CorruptRecordError, match=r"^params.toml is damaged: ") as caught:
        toml.parse(HOSTILE[name], what="params.toml")
    assert len(caught.value.message) < 300


@pytest.mark.parametrize(
    "data",
    [
        b"a = [" + b"1.5, " * 500 + b"]",
        b"a = '" + b"[." * 500 + b"'",
        b'a = "\\"' + b"[." * 500 + b'"',
        b"a = '''\n" + b"[{.\n" * 500 + b"'''",
        b'a = """\n' + b'"" [{.\\" \n' * 500 + b'"""""',
        b"# " + b"[." * 500 + b"\na = 1",
        b'"' + b"." * 500 + b'" = 1',
        b"[[a]]\nb = 1.5\n" * 500,
        b".".join([b"a"] * 64) + b" = 1",
        b"a = " + b"[" * 63 + b"]" * 63,
    ],
)
def test_what_only_looks_deep_is_read(data: bytes) -> None:
    assert toml.parse(data, what="x") == tomllib.loads(data.decode())


def test_the_limits_can_be_chosen() -> None:
    assert toml.parse(b"a = [[1]]", depth=2, what="x") == {"a": [[1]]}
    with pytest.raises(CorruptRecordError, match="nested deeper than 1"):
        toml.parse(b"a = [[1]]", depth=1, what="x")
    with pytest.raises(CorruptRecordError, match="9 bytes, at most 8"):
        toml.parse(b"a = [[1]]", limit=8, what="x")


def test_integers_are_kept_up_to_what_can_be_written_again() -> None:
    assert toml.parse(b"a = 123456789012345678901234567890", what="x") == {"a": 123456789012345678901234567890}
    longest = (1 << toml.MAX_INTEGER_BITS) - 1
    table = toml.parse(f"a = {longest:#x}".encode(), what="x")
    assert toml.parse(toml.dump(table), what="x") == {"a": longest}

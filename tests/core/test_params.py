"""Params are read back as they were written, whatever they are called."""

from __future__ import annotations

import datetime
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gittrack.core.params import decode_params, encode_params
from gittrack.core.values import flatten_params, same_value
from gittrack.errors import CorruptRecordError, InvalidValueError

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
zones = st.sampled_from([datetime.UTC, datetime.timezone(datetime.timedelta(minutes=-570))])
scalars = st.one_of(
    *(st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(), texts, st.dates(), st.times(), st.datetimes()),
    st.datetimes(timezones=zones),
)
keys = st.sampled_from(["a", "!none", "!a", "!!", ""]) | texts
items = st.recursive(
    scalars | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)
values = scalars | st.none() | st.just({}) | st.lists(items, max_size=4)
# Names that are prefixes of one another, with empty parts, and any others.
names = st.lists(st.sampled_from("a b . .. a.b ! é".split()), min_size=1, max_size=5).map("".join) | texts
params = st.dictionaries(names, values, max_size=8)


@given(params)
@example({"a": 1, "a.b": 2, "a.b.c": 3, "b.c": 4, "b": None, "b.d": None})
@example({"a..b": 1, ".a": 2, "a.": 3, ".": 4, "": 5, "a..": 6})
@example({"a": {}, "a.b": {}, "c.d": {}})
@example({"a": [None, {"!none": True}, {"!none": None}, {"!!none": True}, {}, [None]]})
@example({"a" + ".a" * 499: 1, "a" + ".a" * 23: 2, "a" + ".a" * 498: 3})
@example({"a": "\r\n\t\0\x7f\u2028"})
def test_params_are_read_back(some: dict[str, Any]) -> None:
    data, none = encode_params(some)
    decoded = decode_params(data, none)
    assert same_value(decoded, dict(some)), (data, none)
    assert list(decoded) == sorted(some)


@given(params)
def test_the_bytes_do_not_depend_on_the_order(some: dict[str, Any]) -> None:
    assert encode_params(dict(reversed(some.items()))) == encode_params(some)


def test_dotted_names_are_tables_and_a_name_below_a_param_is_quoted() -> None:
    data, none = encode_params({"model.depth": 6, "a": 1, "a.b": 2, "lr": 0.1, "seed": None, "model.extra": {}})
    assert data == b'a = 1\n"a.b" = 2\nlr = 0.1\n\n[model]\ndepth = 6\n\n[model.extra]\n'
    assert none == ("seed",)


def test_no_params_are_an_empty_file() -> None:
    assert encode_params({}) == (b"", ())
    assert decode_params(b"", ()) == {}


def test_integers_beyond_64_bits_come_back_as_strings() -> None:
    data, none = encode_params({"a": 2**63, "b": [-(2**63) - 1], "c": 2**63 - 1, "d": 10**5000})
    assert decode_params(data, none) == {"a": str(2**63), "b": [str(-(2**63) - 1)], "c": 2**63 - 1, "d": hex(10**5000)}


@pytest.mark.parametrize("tables", [1, 2, 23, 24, 25, 32, 33])
def test_the_deepest_params_that_can_be_logged_can_be_read(tables: int) -> None:
    value: Any = 1
    for _ in range(33 - tables):
        value = [value]
    for _ in range(tables):
        value = {"a": value}
    flat = flatten_params(value)
    assert same_value(decode_params(*encode_params(flat)), flat)
    with pytest.raises(InvalidValueError, match="deeper than 32"):
        flatten_params({"a": value})


def test_nan_and_infinities_are_kept() -> None:
    some = {"a": math.nan, "b": [math.inf, -math.inf]}
    assert same_value(decode_params(*encode_params(some)), some)


def test_a_table_that_should_have_been_flattened_is() -> None:
    assert decode_params(*encode_params({"a": {"b": {"c": 1}}})) == {"a.b.c": 1}


def test_more_than_can_be_read_is_not_written() -> None:
    with pytest.raises(InvalidValueError, match="at most 8388608 are stored"):
        encode_params({f"p{i}": "x" * (1 << 20) for i in range(9)})
    with pytest.raises(InvalidValueError, match="cannot be written as TOML"):
        encode_params({"a": object()})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("data", "none"),
    [
        (b'"a.b" = 1\n[a]\nb = 2', ()),
        (b"a = 1", ("a",)),
        (b"a = 1", ("b", "b")),
        (b"a", ()),
        (b"\xff", ()),
        (b".".join([b"a"] * 10_000) + b" = 1", ()),
    ],
)
def test_damaged_params_are_refused(data: bytes, none: tuple[str, ...]) -> None:
    with pytest.raises(CorruptRecordError, match=r"^params.toml is damaged"):
        decode_params(data, none)

"""Digests of tables and arrays: of their values, whatever library keeps them, in whatever process."""

from __future__ import annotations

import datetime
import decimal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gittrack.capture.inputs import describe_object
from gittrack.errors import InvalidValueError

FRAME = pd.DataFrame(
    {
        "number": [1, 2, 3],
        "text": ["x", None, "é"],
        "real": [0.5, np.nan, -0.0],
        "when": pd.to_datetime(["2020-01-01 00:00:00.5", None, "1921-01-01 00:00:00.0"]),
        "long": pd.to_timedelta([1, None, -3], unit="ms"),
        "yes": [True, False, True],
    }
)


def digest(data) -> str:
    return describe_object(data, None, "", compute=True).digest


def test_the_digest_is_the_one_that_other_versions_of_pandas_gave():
    """Computed with pandas 2.2.3 and NumPy 2.2.6, and with pandas 3.1.1 and NumPy 2.4.6."""
    assert digest(FRAME) == "table-sha256:42e1dbc25bd5c51353d644f55c4730bff25d568a84cdcf720169c41bd1682781"


SAME = {
    "copied": FRAME.copy(),
    "nullable": FRAME.convert_dtypes(),
    "narrower": FRAME.astype({"number": "int8"}),
    "unsigned": FRAME.astype({"number": "uint64"}),
    "texts as objects": FRAME.astype({"text": object}),
    "texts as categories": FRAME.astype({"text": "category"}),
    "moments in microseconds": FRAME.astype({"when": "datetime64[us]"}),
    "truths as objects": FRAME.astype({"yes": object}),
    "numbers as objects": FRAME.astype({"number": object}),
    "taken apart and put together": pd.concat([FRAME.iloc[:1], FRAME.iloc[1:]], ignore_index=True),
    "columns in Fortran order": pd.DataFrame({name: FRAME[name] for name in FRAME}),
}


@pytest.mark.parametrize("frame", SAME.values(), ids=SAME)
def test_the_same_values_have_one_digest(frame):
    assert digest(frame) == digest(FRAME)


OTHER = {
    "another value": FRAME.replace({"number": 3}, 4),
    "another order of rows": FRAME.iloc[::-1].reset_index(drop=True),
    "other labels of rows": FRAME.set_index(pd.Index([5, 6, 7])),
    "another order of columns": FRAME[["text", "number", "real", "when", "long", "yes"]],
    "another name": FRAME.rename(columns={"number": "n"}),
    "fewer rows": FRAME.iloc[:2],
    "fewer columns": FRAME[["number"]],
    "reals in place of integers": FRAME.astype({"number": "float64"}),
    "missing in place of empty": FRAME.fillna({"text": ""}),
    "zero in place of minus zero": FRAME.assign(real=[0.5, np.nan, 0.0]),
    "a moment in a time zone": FRAME.assign(when=FRAME["when"].dt.tz_localize("UTC")),
    "a nanosecond": FRAME.assign(when=FRAME["when"] + pd.Timedelta(1, "ns")),
}


@pytest.mark.parametrize("frame", OTHER.values(), ids=OTHER)
def test_other_values_have_another_digest(frame):
    assert digest(frame) not in ("", digest(FRAME))


def test_moments_are_the_same_in_every_time_zone():
    moments = pd.DataFrame({"t": pd.date_range("2020-06-01", periods=3, tz="UTC")})
    assert digest(moments) == digest(moments.assign(t=moments["t"].dt.tz_convert("Asia/Tokyo")))


def test_the_digest_is_what_the_format_says():
    """The bytes of docs/format.md, put together by hand: a change of the encoding must not go unnoticed."""
    import hashlib
    import struct

    def part(data: bytes) -> bytes:
        return struct.pack("<Q", len(data)) + data

    stream = part(b"gittrack table 1") + part(struct.pack("<QQ", 2, 2))
    stream += part(b"column") + part(b"text a") + part(b"int") + part(b"") + part(struct.pack("<qq", 1, -1))
    stream += part(b"column") + part(b"text b") + part(b"text") + part(b"\0\1")
    stream += part(struct.pack("<QQ", 2, 0)) + part("é".encode())
    table = pd.DataFrame({"a": [1, -1], "b": ["é", None]})
    assert digest(table) == "table-sha256:" + hashlib.sha256(stream).hexdigest()
    stream = part(b"gittrack array 1") + part(struct.pack("<QQQ", 2, 1, 2)) + part(b"<f4")
    stream += part(struct.pack("<ff", 0.5, 2))
    assert digest(np.array([[0.5, 2]], dtype="f4")) == "array-sha256:" + hashlib.sha256(stream).hexdigest()


def test_another_process_computes_the_same_whatever_its_hash_seed(project_env):
    code = "import pandas, sys; from gittrack.capture.inputs import describe_object;"
    code += "frame = pandas.DataFrame({'a': ['x', 'y'], 'b': [1, 2.5], 'c': [{'k': 1, 'j': [2]}, None]});"
    code += "print(describe_object(frame, None, '', compute=True).digest)"
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**project_env, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert outputs == {digest(pd.DataFrame({"a": ["x", "y"], "b": [1, 2.5], "c": [{"j": [2], "k": 1}, None]}))}


def test_odd_columns_have_digests_too():
    odd = [1, 1 << 80, "1", b"1", 1.0, True, None, datetime.date(2020, 1, 1), datetime.datetime(2020, 1, 1)]
    odd += [datetime.timedelta(1), datetime.time(1), decimal.Decimal("1.0"), [1, [2]], {"a": 1}, (1,), np.float32(1)]
    digests = {digest(pd.DataFrame({"a": pd.Series([value, "beside"], dtype=object)})) for value in odd}
    assert "" not in digests
    assert len(digests) == len(odd) - 1  # 1.0 is 1.0, of NumPy or not
    assert digest(pd.DataFrame()) != digest(pd.DataFrame({"a": []}))
    many = pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", 1), ("a", 2)]))
    assert digest(many)
    twice = pd.DataFrame([[1, 2]], columns=["a", "a"])
    assert digest(twice) != digest(twice[["a"]].iloc[:, ::-1])
    assert digest(pd.DataFrame({"a": [1, 2]}, index=pd.MultiIndex.from_tuples([(1, "x"), (2, "y")])))
    assert digest(pd.DataFrame({"a": np.array([1 << 63, 1], dtype="u8")}))


def test_what_has_no_encoding_has_no_digest():
    class Thing:
        pass

    circle: list[object] = []
    circle.append(circle)
    for value in (Thing(), circle):
        item = describe_object(pd.DataFrame({"a": pd.Series([value], dtype=object)}), None, "", compute=True)
        assert (item.digest, item.source) == ("", "none")
        assert list(item.schema) == ["a"]


def test_an_array_is_its_values_its_shape_and_its_type():
    array = np.arange(12, dtype="f8").reshape(3, 4)
    assert digest(array) == digest(array.copy(order="F")) == digest(array.astype(">f8"))
    assert digest(array) == digest(np.repeat(array, 2, axis=1)[:, ::2])
    others = [array.T, array.reshape(4, 3), array.astype("f4"), array[:2], array.ravel(), array + 1]
    assert len({digest(each) for each in [array, *others]}) == len(others) + 1
    assert (
        digest(np.array(["a", "bb"]))
        == digest(np.array(["a", "bb"], dtype=object))
        == digest(np.array(["a", "bb"], "U9"))
    )
    pairs = np.array([(1, 2.0)], dtype=[("a", "<i4"), ("b", "<f8")])
    assert digest(pairs) == digest(pairs.astype([("a", ">i4"), ("b", ">f8")]))
    assert digest(pairs) != digest(pairs.astype([("a", "<i4"), ("c", "<f8")]))
    assert digest(np.zeros((0, 3))) != digest(np.zeros((3, 0)))
    big = np.arange(3_000_000, dtype="u1").reshape(1000, 3000)
    assert digest(big) == digest(big.copy())


def test_a_series_is_a_table_of_one_column():
    assert digest(FRAME["number"]) == digest(FRAME[["number"]])


class Column(list):
    """A column as other libraries have them."""

    def to_list(self) -> list[object]:
        return list(self)


class Table:
    """A table with the three things that every library's has, and nothing of pandas."""

    columns = ("a", "b", "c")
    dtypes = ("Int64", "String", "Float64")

    def __len__(self) -> int:
        return 2

    def __getitem__(self, name: str) -> Column:
        return {"a": Column([1, None]), "b": Column(["x", "y"]), "c": Column([0.5, 1.0])}[name]


def test_a_table_of_another_library_has_the_digest_that_pandas_has():
    same = pd.DataFrame({"a": pd.array([1, None], dtype="Int64"), "b": ["x", "y"], "c": [0.5, 1.0]})
    assert digest(Table()) == digest(same)


def test_a_table_of_polars_has_the_digest_that_pandas_has():
    polars = pytest.importorskip("polars", reason="polars is not installed")
    moments = [datetime.datetime(2020, 1, 1), None]
    same = {"a": [1, None], "b": ["x", "y"], "c": [0.5, 1.0]}
    assert digest(polars.DataFrame(same)) == digest(pd.DataFrame(same).astype({"a": "Int64"}))
    assert digest(polars.DataFrame({"t": moments}))


columns = st.one_of(
    st.lists(st.integers(-(1 << 63), (1 << 63) - 1), min_size=3, max_size=3),
    st.lists(st.floats(), min_size=3, max_size=3),
    st.lists(st.text(max_size=5), min_size=3, max_size=3),
    st.lists(st.booleans(), min_size=3, max_size=3),
)


@given(st.dictionaries(st.text(max_size=3), columns, max_size=3))
def test_a_table_kept_as_objects_has_the_same_digest(data):
    frame = pd.DataFrame(data, index=range(3))
    assert digest(frame) == digest(frame.astype(object))


@pytest.mark.parametrize("data", [None, 5, object(), [1], {"a": 1}], ids=lambda data: type(data).__name__)
def test_what_is_no_data_is_refused(data):
    with pytest.raises(InvalidValueError):
        describe_object(data, None, "", compute=True)

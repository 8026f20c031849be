"""Digests of tables and arrays in memory: of their values, not of how a library keeps them.

The same values give the same digest in every process, on every machine and with every version of pandas, NumPy and
Python; the encoding that is hashed is in ``docs/format.md`` ("Digests of data"). A change to it is a new algorithm.
"""

from __future__ import annotations

import datetime
import decimal
import hashlib
import json
import struct
from collections.abc import Iterable, Sequence
from typing import Any

TABLE, ARRAY = "table-sha256", "array-sha256"
_NANOSECONDS = 1_000_000_000
_UNITS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": _NANOSECONDS}
_CHUNK = 1 << 20
_DEEPEST = 20


class NoDigestError(Exception):
    """Values of a kind that has no encoding."""


class _Hash:
    """A hash that counts what it is given, and can be told where one part ends."""

    def __init__(self, title: str) -> None:
        self._sha256 = hashlib.sha256()
        self.size = 0
        self.part(title.encode())

    def part(self, data: bytes | memoryview) -> None:
        """Bytes, preceded by how many they are: no two sequences of parts give the same stream."""
        self._sha256.update(struct.pack("<Q", len(data)))
        self._sha256.update(data)
        self.size += len(data)

    def digest(self, algorithm: str) -> str:
        return f"{algorithm}:{self._sha256.hexdigest()}"


def table_digest(columns: Iterable[tuple[Any, Any]], index: Iterable[tuple[Any, Any]], rows: int) -> tuple[str, int]:
    """The digest of a table.

    Args:
        columns: name and values of each, in order; values are a NumPy or pandas array, or a list.
        index: the same for what labels the rows; empty when they are only numbered from 0.
        rows: how many.

    Returns:
        ``table-sha256:<64 hex>``, and how many bytes its values are.

    Raises:
        NoDigestError: it holds values that have no encoding.
    """
    listed = [("index", *each) for each in index] + [("column", *each) for each in columns]
    hashed = _Hash("gittrack table 1")
    hashed.part(struct.pack("<QQ", rows, len(listed)))
    for part, name, values in listed:
        hashed.part(part.encode())
        hashed.part(_encoded(name))
        _hash_values(hashed, values)
    return hashed.digest(TABLE), hashed.size


def array_digest(array: Any) -> tuple[str, int]:
    """The digest of a NumPy array: its type in little-endian form, its shape, its elements in C order.

    Raises:
        NoDigestError: it holds objects that have no encoding.
    """
    hashed = _Hash("gittrack array 1")
    hashed.part(struct.pack(f"<{1 + array.ndim}Q", array.ndim, *array.shape))
    kind = array.dtype.kind
    if kind in "OUTS":  # texts and objects: of values, not of how wide the array keeps them
        _hash_objects(hashed, array.ravel(order="C").tolist())
        return hashed.digest(ARRAY), hashed.size
    little = array.dtype.newbyteorder("<")
    if kind == "V":
        hashed.part(json.dumps(little.descr, default=str).encode())
    hashed.part(little.str.encode())
    flat = array.reshape(-1)
    step = max(_CHUNK // max(little.itemsize, 1), 1)
    for start in range(0, max(len(flat), 1), step):
        hashed.part(flat[start : start + step].astype(little, copy=False).tobytes())
    return hashed.digest(ARRAY), hashed.size


def _hash_values(hashed: _Hash, values: Any) -> None:
    """One column: its kind, which values are missing, the values."""
    import numpy

    dtype = getattr(values, "dtype", None)
    name = str(dtype)
    if dtype is None or name in ("object", "str", "category") or name.startswith(("string", "large_string")):
        _hash_objects(hashed, values.tolist() if hasattr(values, "tolist") else list(values))
        return
    if name.startswith(("datetime64", "timedelta64")):
        _hash_times(hashed, values, name)
        return
    kind = getattr(dtype, "kind", "O")
    if kind not in "biuf":
        _hash_objects(hashed, values.tolist() if hasattr(values, "tolist") else list(values))
        return
    missing = _missing(values, kind)
    plain = values.to_numpy(dtype=_plain(dtype), na_value=0) if hasattr(values, "to_numpy") else numpy.asarray(values)
    if kind == "f":
        plain = plain.astype("<f8")
        plain[missing] = 0.0
        _hash_column(hashed, "float", missing, plain)
    elif kind == "b":
        _hash_column(hashed, "bool", missing, plain.astype("u1"))
    elif kind == "u" and len(plain) and int(plain.max()) > numpy.iinfo("i8").max:
        _hash_objects(hashed, [None if gone else int(value) for gone, value in zip(missing, plain, strict=True)])
    else:
        _hash_column(hashed, "int", missing, plain.astype("<i8"))


def _plain(dtype: Any) -> Any:
    """The NumPy type under a nullable one of pandas."""
    return getattr(dtype, "numpy_dtype", dtype)


def _missing(values: Any, kind: str) -> Any:
    import numpy

    if hasattr(values, "isna"):
        gone = numpy.asarray(values.isna(), dtype=bool)
        if kind != "f" or not hasattr(values.dtype, "numpy_dtype"):
            return gone
        return gone | numpy.isnan(values.to_numpy(dtype=_plain(values.dtype), na_value=numpy.nan))
    plain = numpy.asarray(values)
    return numpy.isnan(plain) if kind == "f" else numpy.zeros(len(plain), dtype=bool)


def _hash_column(hashed: _Hash, kind: str, missing: Any, values: Any) -> None:
    hashed.part(kind.encode())
    hashed.part(missing.astype("u1").tobytes() if missing.any() else b"")
    hashed.part(memoryview(values).cast("B") if len(values) else b"")


def _hash_times(hashed: _Hash, values: Any, name: str) -> None:
    """Whole seconds and nanoseconds, whatever unit they are kept in; moments with a time zone are in UTC."""
    import numpy

    if name.startswith("datetime64") and "," in name:
        kind, values = "moment", values.tz_convert("UTC").tz_localize(None)
    else:
        kind = "time" if name.startswith("datetime64") else "duration"
    plain = numpy.asarray(values)
    unit = _UNITS.get(numpy.datetime_data(plain.dtype)[0])
    if unit is None:
        raise NoDigestError(name)
    missing = numpy.isnat(plain)
    numbers = plain.astype("i8")
    numbers[missing] = 0
    seconds, rest = numpy.divmod(numbers, unit)
    _hash_column(hashed, kind, missing, seconds.astype("<i8"))
    hashed.part((rest * (_NANOSECONDS // unit)).astype("<i8").tobytes())


_KINDS: tuple[tuple[str, type], ...] = (("bool", bool), ("int", int), ("float", float), ("text", str))


def _hash_objects(hashed: _Hash, values: Sequence[Any]) -> None:
    """A column of Python objects: as one kind where it is one, so that it matters not how a library keeps it."""
    gone = [_is_missing(value) for value in values]
    kinds = {type(value) for value, missing in zip(values, gone, strict=True) if not missing}
    kind = next((name for name, each in _KINDS if kinds == {each}), "")
    mask = bytes(gone) if any(gone) else b""
    if kind == "text" or not kinds:
        encoded = [b"" if missing else _text(value) for value, missing in zip(values, gone, strict=True)]
        hashed.part(b"text")
        hashed.part(mask)
        hashed.part(struct.pack(f"<{len(encoded)}Q", *map(len, encoded)))
        hashed.part(b"".join(encoded))
    elif kind and _fits(kind, values, gone):
        filled = [0 if missing else value for value, missing in zip(values, gone, strict=True)]
        form = {"bool": "B", "int": "q", "float": "d"}[kind]
        hashed.part(kind.encode())
        hashed.part(mask)
        hashed.part(struct.pack(f"<{len(filled)}{form}", *filled))
    else:
        hashed.part(b"mixed")
        for value in values:
            hashed.part(_encoded(value))


def _fits(kind: str, values: Sequence[Any], gone: Sequence[bool]) -> bool:
    if kind != "int":
        return True
    return all(missing or -(1 << 63) <= value < 1 << 63 for value, missing in zip(values, gone, strict=True))


def _is_missing(value: Any) -> bool:
    """None, NaN, and what pandas has for them."""
    if value is None:
        return True
    if isinstance(value, float):
        return value != value
    return type(value).__name__ in ("NAType", "NaTType")


def _text(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass")


def _encoded(value: Any, depth: int = 0) -> bytes:
    """One value by itself, its type included.

    Raises:
        NoDigestError: a type that has no encoding, or nested too deep.
    """
    if depth > _DEEPEST:
        raise NoDigestError("nested too deep")
    if _is_missing(value):
        return b"null"
    item = getattr(value, "item", None)
    if item is not None and getattr(value, "ndim", None) == 0:  # a scalar of NumPy
        value = item()
    if isinstance(value, bool):
        return b"bool 1" if value else b"bool 0"
    if isinstance(value, int):
        return b"int %d" % value
    if isinstance(value, float):
        return b"float " + struct.pack("<d", value)
    if isinstance(value, str):
        return b"text " + _text(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return b"bytes " + bytes(value)
    return _encoded_object(value, depth)


def _encoded_object(value: Any, depth: int) -> bytes:
    if isinstance(value, datetime.datetime):
        nanosecond = getattr(value, "nanosecond", 0)  # of pandas' own moments
        moment = value.astimezone(datetime.UTC) if value.tzinfo is not None else value
        return f"time {datetime.datetime.isoformat(moment)} {nanosecond}".encode()
    if isinstance(value, datetime.timedelta):
        nanosecond = getattr(value, "nanoseconds", 0)
        return f"duration {value.days} {value.seconds} {value.microseconds} {nanosecond}".encode()
    if isinstance(value, datetime.date | datetime.time):
        return f"{type(value).__name__} {value.isoformat()}".encode()
    if isinstance(value, decimal.Decimal):
        return f"decimal {value}".encode()
    if isinstance(value, dict):
        pairs = sorted((_encoded(key, depth + 1), _encoded(item, depth + 1)) for key, item in value.items())
        return b"map " + b"".join(map(_sized, (part for pair in pairs for part in pair)))
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return b"list " + b"".join(_sized(_encoded(item, depth + 1)) for item in value)
    raise NoDigestError(type(value).__name__)


def _sized(data: bytes) -> bytes:
    return struct.pack("<Q", len(data)) + data

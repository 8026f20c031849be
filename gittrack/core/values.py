"""Values: whatever a training script hands over, as something a TOML file can hold.

Foreign types are known by what they can do (``item``, ``shape``, ``__dataclass_fields__``), never imported: logging a
param must not cost the import of a library. What nothing is known about becomes its text.
"""

from __future__ import annotations

import datetime
import re
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from enum import Enum
from typing import Any

from gittrack.core.config_objects import attributes_of, fields_of
from gittrack.core.names import check_param_name, display
from gittrack.core.records import ParamValue
from gittrack.core.redact import redact_text
from gittrack.errors import InvalidValueError

MAX_DEPTH = 32
"""How deep params may nest."""
MAX_ITEMS = 10_000
"""Longest list that is a param; a longer one becomes a text that says how long it is."""
MAX_ARRAY_ITEMS = 64
"""Largest array or tensor that is a param; a larger one becomes its type, shape and dtype."""
MAX_VALUES = 100_000
"""Values in one call, those in lists and inner lists included."""
MAX_TEXT = 1000
"""Characters kept of the text of an object that is no string."""
MAX_STRING = 1 << 20
"""Longest string that is a param, in characters."""

_ADDRESS = re.compile(r" at 0x[0-9A-Fa-f]+")
# Beyond this Python refuses to write an integer in decimal (sys.set_int_max_str_digits).
_MAX_DECIMAL_BITS = 14_000


class _Room:
    """How many values may still come: shared lists within lists can unfold without end."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = MAX_VALUES

    def take(self, depth: int) -> None:
        self.left -= 1
        if depth > MAX_DEPTH:
            raise InvalidValueError(f"nested deeper than {MAX_DEPTH}, or contains itself")
        if self.left < 0:
            raise InvalidValueError(f"more than {MAX_VALUES} values")


# -- one value -------------------------------------------------------------------------------------------------------


def coerce_scalar(value: object) -> ParamValue:
    """``value`` as a param can hold it. Never fails: an object nothing is known about becomes its text.

    - None, bool, int, float, str, date, time and datetime stay (a zone becomes its offset from UTC);
    - numbers of numpy, torch, jax, tensorflow become Python's; small arrays become lists, large ones a description;
    - an enum becomes its value when that is a string, else its name; a path its text; a function or class its
      qualified name; Decimal and Fraction a float when that is the same number, else their text;
    - sequences and sets (sorted) become lists, mappings and dataclasses dicts, with all they hold coerced.

    >>> from pathlib import PurePosixPath
    >>> coerce_scalar((1, PurePosixPath("a/b"), {2.5}, len))
    [1, 'a/b', [2.5], 'len']
    """
    try:
        return _coerce(value, 0, _Room())
    except InvalidValueError as error:
        return f"<{type(value).__name__}: {error}>"


def _coerce(value: Any, depth: int, room: _Room) -> ParamValue:
    room.take(depth)
    kind = type(value)
    if value is None or kind is bool or kind is float:
        return value  # type: ignore[no-any-return]
    if kind is str:
        return _encodable(value)
    if kind is int:
        return value if value.bit_length() <= _MAX_DECIMAL_BITS else hex(value)
    try:
        return _converted(value, depth, room)
    except InvalidValueError:
        raise
    except Exception:  # noqa: BLE001  foreign code may raise anything; the object's text is what is left
        return _text(value)


def _converted(value: Any, depth: int, room: _Room) -> ParamValue:
    known = _from_builtin(value)
    if known is not None:
        return _coerce(known, depth + 1, room) if type(known) in (int, str) else known
    if isinstance(getattr(value, "shape", None), tuple):
        return _from_array(value, depth, room)
    if type(value).__module__.startswith("tensorflow") and hasattr(value, "numpy"):
        return _coerce(value.numpy(), depth + 1, room)
    if isinstance(getattr(value, "__qualname__", None), str) and callable(value):
        module = getattr(value, "__module__", None)
        return value.__qualname__ if module in (None, "builtins") else f"{module}.{value.__qualname__}"
    if isinstance(value, types.ModuleType):
        return value.__name__
    if hasattr(type(value), "__fspath__"):
        return _coerce(value.__fspath__(), depth + 1, room)
    if hasattr(type(value), "as_integer_ratio"):
        return _from_number(value)
    inner = fields_of(value)
    if inner is not None:
        return _from_mapping(inner, depth, room)
    if isinstance(value, Sequence | AbstractSet) or hasattr(type(value), "appendleft"):
        return _from_items(value, depth, room)
    return _text(value)


def _from_builtin(value: Any) -> ParamValue:
    """What subclasses of Python's own scalars stand for; None when it is something else."""
    if isinstance(value, Enum):
        return str.__str__(value.value) if isinstance(value.value, str) else value.name or str(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return _cut(bytes(value[: MAX_TEXT * 4]).decode("utf-8", "backslashreplace"))
    if isinstance(value, datetime.datetime):
        return _fixed_zone(value)
    if isinstance(value, datetime.date):
        return datetime.date(value.year, value.month, value.day)
    if isinstance(value, datetime.time):
        plain = datetime.time(value.hour, value.minute, value.second, value.microsecond)
        return plain if value.tzinfo is None else value.isoformat()
    return None


def _fixed_zone(value: datetime.datetime) -> datetime.datetime:
    # TOML knows a zone as an offset in minutes; a subclass (pandas) becomes Python's own.
    offset = value.utcoffset()
    if offset is not None and offset % datetime.timedelta(minutes=1):
        value, offset = value.astimezone(datetime.UTC), datetime.timedelta(0)
    zone = None if offset is None else datetime.timezone(offset)
    date, time = (value.year, value.month, value.day), (value.hour, value.minute, value.second, value.microsecond)
    return datetime.datetime(*date, *time, tzinfo=zone)


def _from_array(value: Any, depth: int, room: _Room) -> ParamValue:
    if getattr(getattr(value, "dtype", None), "kind", "") in ("M", "m"):
        return _text(value)  # item() of a datetime64 in nanoseconds is a bare integer
    if value.shape == () and hasattr(value, "item"):
        item = value.item()
        # A longdouble's item is the longdouble itself.
        return float(item) if type(item) is type(value) else _coerce(item, depth + 1, room)
    count = 1
    for length in value.shape:
        count *= length
    if hasattr(value, "tolist") and count <= MAX_ARRAY_ITEMS:
        return _coerce(value.tolist(), depth + 1, room)
    dtype = f", dtype={value.dtype}" if hasattr(value, "dtype") else ""
    return _encodable(_cut(f"{type(value).__name__}(shape={tuple(value.shape)}{dtype})"))


def _from_number(value: Any) -> ParamValue:
    number = float(value)
    return number if number != number or type(value)(repr(number)) == value else _text(value)


def _from_mapping(value: Mapping[Any, Any], depth: int, room: _Room) -> ParamValue:
    table: dict[str, Any] = {}
    for key, item in _items_of(value):
        if key in table:
            raise InvalidValueError(f"the key '{display(key, 60)}' stands for two values")
        table[key] = _coerce(item, depth + 1, room)
    return table


def _from_items(value: Any, depth: int, room: _Room) -> ParamValue:
    if len(value) > MAX_ITEMS:
        return f"{type(value).__name__} of {len(value)} items"
    items = [_coerce(item, depth + 1, room) for item in value]
    if not isinstance(value, AbstractSet):
        return items
    try:
        return sorted(items, key=lambda item: (type(item).__name__, item))
    except TypeError:
        return sorted(items, key=repr)


def _text(value: object) -> str:
    try:
        # Where an object lies in memory says nothing about it and differs in every run.
        return _encodable(_cut(_ADDRESS.sub("", str(value)[: MAX_TEXT * 4])))
    except Exception:  # noqa: BLE001  a __str__ may raise anything
        return f"<unprintable {type(value).__name__}>"


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


def _encodable(text: str) -> str:
    """The text with lone surrogates, which UTF-8 cannot hold, as escapes."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


# -- many values -----------------------------------------------------------------------------------------------------


def flatten_params(params: object, prefix: str = "") -> dict[str, ParamValue]:
    """Params by dotted names: ``{"model": {"depth": 6}}`` is ``{"model.depth": 6}``.

    Args:
        params: a mapping, ``argparse.Namespace``, dataclass, pydantic or attrs instance, an OmegaConf or
            ml_collections config, or any object or class with public attributes; nested in one another.
        prefix: put before every name, with a dot.

    Returns:
        Name -> value as :func:`coerce_scalar` returns it, in the order given. An empty mapping stays as ``{}``.

    Raises:
        InvalidNameError: a name is empty, longer than 1,000 bytes or not valid Unicode.
        InvalidValueError: no params in it, nested deeper than 32 (or in itself), two values for one name, or a string
            of more than a million characters.

    >>> flatten_params({"lr": 0.1, "model": {"depth": 6, "extra": {}}})
    {'lr': 0.1, 'model.depth': 6, 'model.extra': {}}
    """
    try:
        inner = fields_of(params)
        if inner is None:
            inner = attributes_of(params)
        pairs = list(_leaves(_items_of(inner), prefix or None, 0, _Room()))
    except Exception as error:  # also what a foreign config object raises when it is read
        why = display(redact_text(str(error)), 200)  # masked first: half a token is no token to be found
        raise InvalidValueError(f"params cannot be stored: {why}", hint='log_params({"name": value})') from error
    flat: dict[str, ParamValue] = {}
    for name, value in pairs:
        check_param_name(name)
        if isinstance(value, str) and len(value) > MAX_STRING:
            raise InvalidValueError(
                f"param '{display(name, 60)}' is a string of {len(value)} characters, at most {MAX_STRING} are stored",
                hint="log it as an artifact",
            )
        if name in flat and not same_value(flat[name], value):
            raise InvalidValueError(f"param '{display(name, 60)}' has two values in one call")
        flat[name] = value
    return flat


def _leaves(
    items: Iterable[tuple[str, Any]], prefix: str | None, depth: int, room: _Room
) -> Iterator[tuple[str, ParamValue]]:
    room.take(depth)
    for key, value in items:
        name = key if prefix is None else f"{prefix}.{key}"
        inner = None if isinstance(value, str | int | float) else _inner_items(value)
        if inner:
            yield from _leaves(inner, name, depth + 1, room)
        else:
            yield name, {} if inner is not None else _coerce(value, depth, room)


def _inner_items(value: Any) -> list[tuple[str, Any]] | None:
    try:
        inner = fields_of(value)
        return None if inner is None else list(_items_of(inner))
    except Exception:  # noqa: BLE001  a foreign object that cannot be read becomes its text, the others still count
        return None


def _items_of(value: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    """Keys as text, each with its value, or with what went wrong when it could not be read."""
    for key in value.keys():  # noqa: SIM118  not every config that has keys() can be iterated
        try:
            item = value[key]
        except Exception as error:  # noqa: BLE001  OmegaConf raises where a value is missing; the others still count
            item = f"<{type(error).__name__}>"
        if isinstance(key, str) and not isinstance(key, Enum):
            yield key, item
        else:
            text = coerce_scalar(key)
            yield text if isinstance(text, str) else str(text), item


# -- metrics ---------------------------------------------------------------------------------------------------------


def metric_value(value: object) -> float:
    """``value`` as a point of a metric: a number of any library, or an array or tensor that holds one number.

    Raises:
        InvalidValueError: it is no number, or none that a float can hold. A string never is one.

    >>> metric_value(True), metric_value(3)
    (1.0, 3.0)
    """
    if type(value) is float:
        return value
    try:
        if isinstance(value, float | int):
            return float(value)
        foreign: Any = value
        if not isinstance(value, str | bytes | complex) and hasattr(type(value), "item"):
            foreign = foreign.item()
        if hasattr(type(foreign), "__float__") or hasattr(type(foreign), "__index__"):
            return float(foreign)
    except OverflowError as error:
        raise InvalidValueError("a metric's value is too large for a float") from error
    except Exception as error:
        why = display(redact_text(str(error)), 100)
        raise InvalidValueError(f"a metric's value must be one number, not {_described(value)}: {why}") from error
    raise InvalidValueError(f"a metric's value must be a number, not {_described(value)}")


def _described(value: object) -> str:
    try:
        shape = getattr(value, "shape", None)
    except Exception:  # noqa: BLE001  foreign code; the type alone says enough
        shape = None
    kind = display(f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins."), 60)
    return f"{kind} of shape {tuple(shape)}" if isinstance(shape, tuple) and shape else kind


# -- equality --------------------------------------------------------------------------------------------------------


def same_value(a: object, b: object) -> bool:
    """Whether two params are the same value of the same type: ``1``, ``1.0`` and ``True`` differ; NaN equals NaN.

    >>> same_value(1, 1.0), same_value([float("nan")], [float("nan")])
    (False, True)
    """
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return a == b or (a != a and b != b)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same_value, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same_value(item, b[key]) for key, item in a.items())
    return a == b

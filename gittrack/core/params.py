"""``params.toml``: a run's params by dotted names ⇄ nested tables.

``model.depth`` is the key ``depth`` in the table ``model``, so that DVC and people read it as such. Two kinds of names
are quoted top-level keys instead: one of whose prefixes is a param itself (``a`` and ``a.b`` cannot share a table), and
one of more than 24 parts. TOML has no null: params that are None are listed in ``run.toml``; inside a list None is the
table ``{ "!none" = true }``, and keys in lists that begin with ``!`` get one more. Integers beyond 64 bits are strings,
and come back as strings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gittrack.core import toml
from gittrack.core.names import display
from gittrack.core.records import ParamValue
from gittrack.errors import CorruptRecordError, InvalidValueError

PARAMS_FILE = "params.toml"
MAX_NESTED_PARTS = 24
"""Parts of a dotted name that become tables: with 32 levels inside a value less than what ``toml.parse`` reads."""

_NONE = {"!none": True}
_INT64 = 1 << 63


def encode_params(params: Mapping[str, ParamValue]) -> tuple[bytes, tuple[str, ...]]:
    """The bytes of ``params.toml``, and the sorted names of the params that are None.

    Args:
        params: dotted name -> value as ``coerce_scalar`` returns it.

    Raises:
        InvalidValueError: a value TOML cannot hold, or more than 8 MiB in all.

    >>> encode_params({"lr": 0.1, "model.depth": 6, "seed": None})
    (b'lr = 0.1\\n\\n[model]\\ndepth = 6\\n', ('seed',))
    """
    leaves = dict(_leaves(params, ""))
    document: dict[str, Any] = {}
    for name, value in leaves.items():
        if value is None:
            continue
        *folders, last = _nested_parts(name, leaves)
        table = document
        for folder in folders:
            table = table.setdefault(folder, {})
        table[last] = _stored(value)
    data = toml.dump(document)
    if len(data) > toml.MAX_BYTES:
        raise InvalidValueError(f"the params are {len(data)} bytes, at most {toml.MAX_BYTES} are stored")
    return data, tuple(sorted(name for name, value in leaves.items() if value is None))


def _nested_parts(name: str, names: Mapping[str, Any]) -> list[str]:
    """The keys a name becomes, outermost first."""
    end = name.find(".")
    parts = 1
    while end >= 0:
        parts += 1
        if name[:end] in names or parts > MAX_NESTED_PARTS:
            return [name]
        end = name.find(".", end + 1)
    return name.split(".")


def _leaves(table: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    """Values by dotted names; only an empty table is a value."""
    for key, value in table.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def stored_integer(value: int) -> int | str:
    """An integer as a run's tree states it: one beyond 64 bits is a text.

    >>> stored_integer(7), stored_integer(1 << 64)
    (7, '18446744073709551616')
    """
    if -_INT64 <= value < _INT64:
        return value
    return str(value) if value.bit_length() <= toml.MAX_INTEGER_BITS else hex(value)


def _stored(value: Any) -> Any:
    if value is None:
        return _NONE
    if isinstance(value, int):
        return stored_integer(value)
    if isinstance(value, list | tuple):
        return [_stored(item) for item in value]
    if isinstance(value, Mapping):
        return {f"!{key}" if key.startswith("!") else key: _stored(item) for key, item in value.items()}
    return value


def decode_params(data: bytes, none: Sequence[str]) -> dict[str, ParamValue]:
    """Read ``params.toml``: dotted name -> value, sorted by name.

    Args:
        data: the file's bytes.
        none: names of the params that are None, from ``run.toml``.

    Raises:
        CorruptRecordError: not TOML, nested too deep, or two values for one name.

    >>> decode_params(b'lr = 0.1\\n\\n[model]\\ndepth = 6\\n', ["seed"])
    {'lr': 0.1, 'model.depth': 6, 'seed': None}
    """
    params: dict[str, ParamValue] = {}
    pairs = [*_leaves(toml.parse(data, what=PARAMS_FILE), ""), *((name, None) for name in none)]
    for name, value in pairs:
        if name in params:
            raise CorruptRecordError(
                f"{PARAMS_FILE} is damaged: '{display(name, 60)}' has two values", hint="gittrack fsck"
            )
        params[name] = _read(value)
    return dict(sorted(params.items()))


def _read(value: Any) -> Any:
    if isinstance(value, list):
        return [_read(item) for item in value]
    if isinstance(value, dict):
        if value == _NONE and value["!none"] is True:
            return None
        return {key.removeprefix("!"): _read(item) for key, item in value.items()}
    return value

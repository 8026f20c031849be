"""Config objects: the named values that an object of any library consists of.

Libraries are known by the marks they leave on their classes, never imported.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from enum import Enum
from typing import Any

from gittrack.errors import InvalidValueError, kind_of


def fields_of(value: Any) -> Mapping[Any, Any] | None:
    """The named values that an object consists of; None when it is no such object.

    Mappings, and what only has ``keys()``; ``argparse.Namespace``; dataclass, attrs, pydantic, msgspec and namedtuple
    instances; absl flags. Whatever the object raises when it is read leaves as it is.
    """
    kind = type(value)
    if isinstance(value, Mapping):
        return value
    if isinstance(value, type | Enum):
        return None
    if isinstance(value, types.SimpleNamespace) or _is_namespace(kind):
        return dict(vars(value))
    if hasattr(kind, "__pydantic_fields__") or (hasattr(kind, "__fields__") and hasattr(value, "__fields_set__")):
        return {**vars(value), **(getattr(value, "__pydantic_extra__", None) or {})}
    for stated in ("__dataclass_fields__", "__struct_fields__", "_fields"):
        names = getattr(kind, stated, None)
        if isinstance(names, dict | tuple) and (stated != "_fields" or isinstance(value, tuple)):
            return {name: getattr(value, name) for name in names if hasattr(value, name)}
    attributes = getattr(kind, "__attrs_attrs__", None)
    if isinstance(attributes, tuple):
        return {field.name: getattr(value, field.name) for field in attributes if hasattr(value, field.name)}
    if hasattr(kind, "flag_values_dict"):
        return dict(value.flag_values_dict())  # absl
    if hasattr(kind, "keys") and hasattr(kind, "__getitem__") and not hasattr(value, "shape"):
        return value  # type: ignore[no-any-return]  # ml_collections, which is no Mapping
    return None


def _is_namespace(kind: type) -> bool:
    return any((base.__module__, base.__name__) == ("argparse", "Namespace") for base in kind.__mro__)


def attributes_of(value: Any) -> Mapping[str, Any]:
    """The public attributes of a config object, class or module that are values, not code.

    Raises:
        InvalidValueError: it is no such object.
    """
    if isinstance(value, type):
        owners: list[Any] = list(value.__mro__[-2::-1])
    elif isinstance(value, types.ModuleType):
        owners = [value]
    elif hasattr(value, "__dict__") and not hasattr(value, "shape") and not callable(value):
        owners = [*type(value).__mro__[-2::-1], value]
    else:
        raise InvalidValueError(f"{kind_of(value)} has no names and values")
    found = {name: item for owner in owners for name, item in vars(owner).items() if not name.startswith("_")}
    code = (property, classmethod, staticmethod, types.ModuleType, types.MemberDescriptorType)
    return {name: item for name, item in found.items() if not isinstance(item, code) and not callable(item)}

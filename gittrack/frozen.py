"""``dataclass(frozen=True, slots=True)`` as the standard library has it, for a fifth of its time at import.

A command defines some seventy records before it does anything. The standard library compiles six methods for each, half
a millisecond a class; here only ``__init__`` is compiled, and all classes share the other methods. To type checkers it
is ``dataclasses.dataclass`` itself, and ``fields``, ``replace``, ``asdict``, ``copy`` and ``pickle`` work as ever.
Not for records with ``order=True``, ``__post_init__`` or inherited fields: those take the standard library's.
"""

from __future__ import annotations

import dataclasses
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from dataclasses import dataclass as dataclass  # noqa: PLC0414  said again, it is exported

    T = TypeVar("T")
else:

    def dataclass(*, frozen: bool, slots: bool) -> Callable[[type[T]], type[T]]:
        """A decorator that makes a frozen dataclass with slots.

        Args:
            frozen: True, said so that definitions read as they do with the standard library.
            slots: True, likewise.
        """
        if not (frozen and slots):
            raise TypeError("a record of this kind is frozen and has slots")
        return _defined


def _defined(cls: type[Any]) -> type[Any]:
    made: Any = dataclasses.dataclass(init=False, repr=False, eq=False, slots=True)(cls)
    fields = dataclasses.fields(made)
    if not all(field.init and not field.kw_only for field in fields) or hasattr(made, "__post_init__"):
        raise TypeError(f"'{cls.__qualname__}' has what only the standard library's dataclasses have")
    made.__init__ = _init(made, fields)
    made.__compared__ = _getter(field.name for field in fields if field.compare)
    made.__shown__ = tuple(field.name for field in fields if field.repr)
    for name, method in _SHARED.items():
        if name not in cls.__dict__:
            setattr(made, name, method)
    return made  # type: ignore[no-any-return]


def _init(made: Any, fields: tuple[dataclasses.Field[Any], ...]) -> Any:
    """``__init__``, which stores by the slots themselves, past the ``__setattr__`` that refuses."""
    missing = dataclasses.MISSING
    known: dict[str, Any] = {"missing": missing}
    arguments, lines = ["self"], []
    for number, field in enumerate(fields):
        value = field.name
        known[f"set_{number}"] = getattr(made, field.name).__set__
        if field.default_factory is not missing:
            known[f"new_{number}"] = field.default_factory
            value = f"new_{number}() if {field.name} is missing else {field.name}"
            arguments.append(f"{field.name}=missing")
        elif field.default is not missing:
            known[f"default_{number}"] = field.default
            arguments.append(f"{field.name}=default_{number}")
        else:
            arguments.append(field.name)
        lines.append(f"    set_{number}(self, {value})")
    exec(f"def __init__({', '.join(arguments)}):\n" + ("\n".join(lines) or "    pass"), known)  # noqa: S102  as the standard library does: field names are identifiers
    init = known["__init__"]
    init.__qualname__, init.__module__ = f"{made.__qualname__}.__init__", made.__module__
    init.__annotations__ = {field.name: field.type for field in fields} | {"return": None}
    return init


def _getter(names: Any) -> Callable[[Any], Any]:
    """The values of these fields, as one value that compares and hashes as they do."""
    found = tuple(names)
    return staticmethod(attrgetter(*found) if found else lambda _: ())


def _eq(self: Any, other: Any) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    return self.__compared__(self) == self.__compared__(other)


def _hash(self: Any) -> int:
    return hash(self.__compared__(self))


def _repr(self: Any) -> str:
    shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__shown__)
    return f"{type(self).__qualname__}({shown})"


def _refuse_to_set(_: object, name: str, value: object) -> NoReturn:  # noqa: ARG001
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(_: object, name: str) -> NoReturn:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _getstate(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _setstate(self: Any, state: list[Any]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)


_SHARED = {
    "__eq__": _eq,
    "__hash__": _hash,
    "__repr__": _repr,
    "__setattr__": _refuse_to_set,
    "__delattr__": _refuse_to_delete,
    "__getstate__": _getstate,
    "__setstate__": _setstate,
}

"""Steps and timestamps as a journal keeps them: 64-bit integers, of whatever numbers they were given as."""

from __future__ import annotations

from typing import Any

from gittrack.core.names import display
from gittrack.core.values import coerce_scalar
from gittrack.errors import InvalidValueError, kind_of

_INT64 = range(-(1 << 63), 1 << 63)


def keep_nothing(name: str, step: int, time: int, value: float) -> None:
    """What a silent run does with a point."""


def shown(value: object) -> str:
    """A number of any size for a message."""
    return display(str(coerce_scalar(value)), 30)  # Python refuses to write an integer of 5,000 digits


def integer(value: Any, what: str) -> int:
    """Anything that is an integer, as one.

    Args:
        value: an integer of any library, or a float without a fraction.
        what: its name, for the message.

    Raises:
        InvalidValueError: it is none, or does not fit into 64 bits.
    """
    from operator import index

    try:
        number = int(value) if hasattr(value, "is_integer") and value.is_integer() else index(value)
    except TypeError as error:
        raise InvalidValueError(f"{what} is {kind_of(value)}, not an integer") from error
    if number not in _INT64:
        raise InvalidValueError(f"{what} {shown(number)} does not fit into 64 bits")
    return number


def timestamp_ms(value: object) -> int:
    """A time in ms since the epoch: a number, or a moment of ``datetime``; raises as :func:`integer`."""
    from gittrack.core.run_toml import milliseconds

    if hasattr(value, "tzinfo"):
        return milliseconds(value)  # type: ignore[arg-type]
    # time.time() * 1000 is a float; no clock tells parts of a millisecond that matter.
    return integer(round(value) if isinstance(value, float) and value - value == 0 else value, "timestamp")

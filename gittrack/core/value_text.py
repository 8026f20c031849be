"""A param as a text, as people read and type it; the same in tables, in comparisons and in queries."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any


def plain(value: Any) -> Any:
    """``value`` as strict JSON: ``"nan"``, ``"inf"`` and ``"-inf"`` as texts, moments in ISO 8601.

    >>> plain({"loss": float("nan"), "steps": (1, 2)})
    {'loss': 'nan', 'steps': [1, 2]}
    """
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(float(value))
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def exact_text(value: Any) -> str:
    """A param's text: texts as they are, anything else as JSON or in ISO 8601.

    >>> [exact_text(value) for value in ("", "a b", 1, 0.1, float("inf"), True, [1, "x"])]
    ['', 'a b', '1', '0.1', 'inf', 'true', '[1, "x"]']
    """
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return repr(float(value))
    shape = plain(value)
    return shape if isinstance(shape, str) else json.dumps(shape, ensure_ascii=False)


def value_text(value: Any) -> str:
    """A param as one would type it: as :func:`exact_text`, but the empty text is ``""`` in quotes."""
    return exact_text(value) or '""'

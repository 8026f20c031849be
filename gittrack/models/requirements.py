"""The packages that a model needs: where its classes, those of its parts, and what a function names come from."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import metadata
from typing import Any

_MOST_PARTS = 10_000
_DISTRIBUTIONS = {"sklearn": "scikit-learn", "PIL": "pillow", "yaml": "PyYAML", "cv2": "opencv-python"}


def requirements(model: object, *more: str) -> list[str]:
    """The lines of ``requirements.txt``: ``name==version``, sorted.

    Args:
        model: any model. Code of the user's own that is no installed package is not among them.
        more: further packages that are needed, by the name they are imported by.
    """
    roots = {*_roots(model), *(name for name in more if name), *(("numpy",) if "numpy" in sys.modules else ())}
    found: set[str] = set()
    known: Mapping[str, Sequence[str]] | None = None
    for root in sorted(roots - sys.stdlib_module_names):
        line = _pinned(_DISTRIBUTIONS.get(root, root))
        if line is not None:
            found.add(line)
            continue
        if known is None:  # reading all metadata takes a third of a second
            known = metadata.packages_distributions()
        found.update(line for name in known.get(root, ()) if (line := _pinned(name)) is not None)
    return sorted(found, key=str.lower)


def _pinned(distribution: str) -> str | None:
    try:
        return f"{distribution}=={metadata.version(distribution).partition('+')[0]}"
    except metadata.PackageNotFoundError:
        return None


def _roots(model: object) -> set[str]:
    """Top packages of all that the model is made of."""
    return {module.partition(".")[0] for module in _modules(model)} - {"__main__", "builtins"}


def _modules(model: object) -> Iterator[str]:
    if isinstance(model, types.FunctionType):
        yield from _modules_of_function(model)
    waiting: list[Any] = [model]
    seen: set[int] = set()
    while waiting and len(seen) < _MOST_PARTS:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        for kind in type(part).__mro__:
            if isinstance(kind.__module__, str):
                yield kind.__module__
        waiting.extend(_parts(part))


def _parts(part: Any) -> Iterable[Any]:
    """What a part of a model holds; arrays and tensors hold numbers."""
    if isinstance(part, Mapping):
        return list(part.values())
    if isinstance(part, list | tuple | set | frozenset):
        return list(part)
    own = getattr(part, "__dict__", None)
    return list(own.values()) if isinstance(own, dict) and not isinstance(part, type | types.ModuleType) else ()


def _modules_of_function(function: types.FunctionType) -> Iterator[str]:
    yield function.__module__ or ""
    for name in function.__code__.co_names:
        value = function.__globals__.get(name)
        if isinstance(value, types.ModuleType):
            yield value.__name__
        elif value is not None:
            yield getattr(value, "__module__", None) or ""

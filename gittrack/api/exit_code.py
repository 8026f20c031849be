"""With what code the program ends: Python tells it to nobody, so ``sys.exit`` is watched while runs are active."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable
from typing import Any

_PLACES = ((sys, "exit"), (builtins, "exit"), (builtins, "quit"))
"""``exit`` and ``quit`` of the builtins are made by ``site``, and may be missing."""


class ExitCode:
    """Stands in for ``sys.exit``, ``exit`` and ``quit``, and remembers what they were called with.

    A bare ``raise SystemExit(…)`` passes unseen: nothing of it is left when the interpreter ends. A ``SystemExit`` that
    somebody caught and got over counts, which is rare at the end of a program.
    """

    def __init__(self) -> None:
        self.seen: tuple[Any] | None = None
        self._watched: dict[tuple[Any, str], _Watched] = {}

    def install(self) -> None:
        """Begin to watch."""
        for place, name in _PLACES:
            original = getattr(place, name, None)
            if original is not None and (place, name) not in self._watched:
                self.seen = None
                self._watched[place, name] = _Watched(original, self._see)
                setattr(place, name, self._watched[place, name])

    def remove(self) -> None:
        """Watch no longer, unless somebody else has put themselves in between."""
        for (place, name), watched in list(self._watched.items()):
            if getattr(place, name, None) is watched:
                setattr(place, name, watched.original)
                del self._watched[place, name]

    def _see(self, status: Any) -> None:
        self.seen = (status,)


class _Watched:
    """A function that ends the program, and tells with what."""

    def __init__(self, original: Callable[..., Any], told: Callable[[Any], None]) -> None:
        self.original = original
        self._told = told

    def __call__(self, status: Any = None, /) -> Any:
        self._told(status)
        return self.original(status)

    def __repr__(self) -> str:
        return repr(self.original)  # what a prompt shows for "exit"

"""With what code the program ends: Python tells it to nobody, so ``sys.exit`` is watched while runs are active."""

from __future__ import annotations

import sys
from typing import Any, NoReturn


class ExitCode:
    """Stands in for ``sys.exit`` and remembers what it was called with.

    A bare ``raise SystemExit`` passes unseen, and a ``SystemExit`` that somebody caught and got over counts: both are
    rare at the end of a program, ``sys.exit(main())`` is not.
    """

    def __init__(self) -> None:
        self.seen: tuple[Any] | None = None
        self._original: Any = None

    def install(self) -> None:
        """Begin to watch."""
        if self._original is None:
            self._original, self.seen = sys.exit, None
            sys.exit = self._exit

    def remove(self) -> None:
        """Watch no longer, unless somebody else has put themselves in between."""
        if self._original is not None and sys.exit == self._exit:
            sys.exit = self._original
            self._original = None

    def _exit(self, status: Any = None, /) -> NoReturn:
        self.seen = (status,)
        self._original(status)
        raise SystemExit(status)  # never reached: what we stand in for raises

"""Seeding the generators of random numbers that this process has loaded."""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable
from typing import Any

from gittrack.errors import GittrackError, InvalidValueError

_HIGHEST = 2**32 - 1


def set_seeds(seed: int) -> dict[str, int]:
    """Seed Python's generator and those of numpy, torch (CPU and GPUs), tensorflow and cupy, where they are loaded.

    Libraries imported later are not seeded: seed after the imports. JAX has no global generator: give its key the
    seed. ``PYTHONHASHSEED`` only counts when it is set before Python starts.

    Args:
        seed: 0 to 2^32 - 1, the range that every library takes.

    Returns:
        library -> seed, of those that were seeded; always with ``python``.

    Raises:
        InvalidValueError: not an integer of that range.
        GittrackError: a library refused the seed.
    """
    seed = _checked(seed)
    import random

    random.seed(seed)
    seeded = {"python": seed}
    for name, set_seed in _LIBRARIES:
        library = sys.modules.get(name)
        if library is None:
            continue
        try:
            if set_seed(library, seed):
                seeded[name] = seed
        except Exception as error:
            raise GittrackError(f"'{name}' could not be seeded: {error}") from error
    return seeded


def _checked(seed: object) -> int:
    """The seed as an int; numpy's integers are welcome too."""
    try:
        number = -1 if isinstance(seed, bool) else operator.index(seed)  # type: ignore[arg-type]
    except TypeError:
        number = -1
    if not 0 <= number <= _HIGHEST:
        raise InvalidValueError(f"'{str(seed)[:80]}' is not a seed", hint=f"use an integer from 0 to {_HIGHEST}")
    return number


def _seed_random_seed(library: Any, seed: int) -> bool:
    return _call(getattr(library, "random", None), "seed", seed)


def _seed_torch(library: Any, seed: int) -> bool:
    return _call(library, "manual_seed", seed)  # seeds every device, lazily where CUDA is not initialised yet


def _seed_tensorflow(library: Any, seed: int) -> bool:
    return _call(getattr(library, "random", None), "set_seed", seed)


def _call(owner: Any, name: str, seed: int) -> bool:
    """Call ``owner.name(seed)``; False when a library is loaded only in part, or is another of the same name."""
    function = getattr(owner, name, None)
    if not callable(function):
        return False
    function(seed)
    return True


_LIBRARIES: tuple[tuple[str, Callable[[Any, int], bool]], ...] = (
    ("numpy", _seed_random_seed),
    ("cupy", _seed_random_seed),
    ("torch", _seed_torch),
    ("tensorflow", _seed_tensorflow),
)

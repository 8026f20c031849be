"""Lists of runs for other programs, printed some at a time: JSON, CSV, Markdown."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, TypeVar

from gittrack.cli.shapes import SCHEMA
from gittrack.cli.terminal import print_data
from gittrack.core.value_text import plain

_T = TypeVar("_T")
_SOME = 200


def print_json_runs(
    runs: Iterable[Mapping[str, Any]], before: Mapping[str, Any], after: Callable[[], Mapping[str, Any]]
) -> None:
    """Print one document, as ``shapes.print_json`` does but a run a line, without ever having all of it in memory.

    Args:
        runs: shapes of runs, for ``runs``.
        before: parts that stand before them.
        after: gives the parts behind them, when all runs are printed.
    """
    head = json.dumps({"schema": SCHEMA, **plain(before)}, indent=2, allow_nan=False).removesuffix("\n}")
    print_data(f'{head},\n  "runs": [', end="")
    glue = "\n    "
    for some in _batches(runs):
        print_data(glue + ",\n    ".join(json.dumps(plain(run), allow_nan=False) for run in some), end="")
        glue = ",\n    "
    print_data("]" if glue == "\n    " else "\n  ]", end="")
    for name, part in after().items():
        # In JSON a line end within a text is an escape: every other one is layout.
        text = json.dumps(plain(part), indent=2, allow_nan=False).replace("\n", "\n  ")
        print_data(f',\n  "{name}": {text}', end="")
    print_data("\n}")


def print_some_at_a_time(lines: Iterable[str]) -> None:
    """Print lines, each with its line end."""
    for some in _batches(lines):
        print_data("".join(some), end="")


def _batches(items: Iterable[_T]) -> Iterator[list[_T]]:
    iterator = iter(items)
    while some := list(islice(iterator, _SOME)):
        yield some

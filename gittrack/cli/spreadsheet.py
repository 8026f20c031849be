"""Runs as CSV: a row for each, a column for each parameter, metric and tag that any of them has."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from gittrack.cli.columns import RowMaker
from gittrack.cli.exports import csv_text
from gittrack.core.run_columns import RunColumn
from gittrack.core.value_text import value_text

if TYPE_CHECKING:
    from gittrack.api.read import SavedRun
    from gittrack.cli.searching import Pages

FACTS = ("id", "name", "experiment", "status", "start_time", "end_time", "duration_ms", "parent", "code", "exit_code")
"""The columns that every table has; times in ms since the epoch."""
_KINDS = ("param", "metric", "tag")
_IN_MEMORY = 32 << 20


def csv_of_columns(pages: Pages, columns: Sequence[RunColumn]) -> Iterator[str]:
    """The lines of a table with columns that somebody chose, each with its line end.

    Args:
        pages: the runs, in the order of the rows.
        columns: headed as in queries; numbers in full, times and durations in ms.
    """
    maker = RowMaker(pages, columns)
    yield csv_text([[column.text for column in columns]])
    for run in pages:
        yield csv_text([maker.exact(run)])


def csv_of_everything(pages: Pages, more: Sequence[RunColumn] = ()) -> Iterator[str]:
    """The lines of a table with every param, metric and tag, each with its line end.

    Args:
        pages: the runs, in the order of the rows. Columns ``param.<name>``, ``metric.<name>`` (its last value) and
            ``tag.<key>`` follow :data:`FACTS`, each kind sorted by name.
        more: further columns, at the end.
    """
    from tempfile import SpooledTemporaryFile

    # Which columns there are is known at the end only: until then rows wait, in a file when they are many.
    with SpooledTemporaryFile(_IN_MEMORY, "w+", encoding="ascii") as waiting:
        maker = RowMaker(pages, more)
        names: list[set[str]] = [set(), set(), set()]
        for run in pages:
            values = _values(run)
            for known, found in zip(names, values, strict=True):
                known.update(found)
            waiting.write(json.dumps([_facts(run), *values, maker.exact(run) if more else []]) + "\n")
        ordered = [sorted(known) for known in names]
        titles = [f"{kind}.{name}" for kind, known in zip(_KINDS, ordered, strict=True) for name in known]
        yield csv_text([[*FACTS, *titles, *(column.text for column in more)]])
        waiting.seek(0)
        for line in waiting:
            facts, *values, last = json.loads(line)
            cells = [found.get(name, "") for found, known in zip(values, ordered, strict=True) for name in known]
            yield csv_text([[*facts, *cells, *last]])


def _values(run: SavedRun) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    record = run.record
    return (
        {name: value_text(value) for name, value in record.params.items()},
        {name: repr(summary.last) for name, summary in record.metrics.items()},
        dict(record.tags),
    )


def _facts(run: SavedRun) -> list[str]:
    record = run.record
    end = record.end_time
    facts = (
        *(run.id, run.name, record.experiment.name, record.status.value, record.start_time, end),
        *(None if end is None else end - record.start_time, record.parent, record.code.commit, record.exit_code),
    )
    return ["" if fact is None else str(fact) for fact in facts]

"""Runs as CSV: a row for each, a column for each parameter, metric and tag that any of them has."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gittrack.cli.run_page import value_text

if TYPE_CHECKING:
    from gittrack.api.read import SavedRun

FACTS = ("id", "name", "experiment", "status", "start_time", "end_time", "duration_ms", "parent", "code", "exit_code")
"""The columns that every table has; times in ms since the epoch."""


def csv_text(runs: Sequence[SavedRun]) -> str:
    """The text of the table.

    Args:
        runs: in the order of its rows. Columns ``param.<name>``, ``metric.<name>`` (its last value) and ``tag.<key>``
            follow :data:`FACTS`, each kind sorted by name.
    """
    params = sorted({name for run in runs for name in run.record.params})
    metrics = sorted({name for run in runs for name in run.record.metrics})
    tags = sorted({key for run in runs for key in run.record.tags})
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        [*FACTS, *(f"param.{x}" for x in params), *(f"metric.{x}" for x in metrics), *(f"tag.{x}" for x in tags)]
    )
    for run in runs:
        record = run.record
        cells = _facts(run)
        cells += [value_text(record.params[name]) if name in record.params else "" for name in params]
        cells += [repr(record.metrics[name].last) if name in record.metrics else "" for name in metrics]
        cells += [record.tags.get(key, "") for key in tags]
        writer.writerow(cells)
    return out.getvalue()


def _facts(run: SavedRun) -> list[str]:
    record = run.record
    end = record.end_time
    facts = (
        *(run.id, run.name, record.experiment.name, record.status.value, record.start_time, end),
        *(None if end is None else end - record.start_time, record.parent, record.code.commit, record.exit_code),
    )
    return ["" if fact is None else str(fact) for fact in facts]

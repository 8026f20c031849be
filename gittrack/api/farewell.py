"""What a run says at its end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from gittrack.core.ids import RunId
from gittrack.core.message import headline
from gittrack.core.names import display
from gittrack.core.records import RunStatus
from gittrack.core.sparkline import format_duration, format_number

if TYPE_CHECKING:
    from gittrack.core.journal import JournalContents
    from gittrack.core.records import Series

_NAME_WIDTH = 60


def how_it_ended(name: str, status: RunStatus, milliseconds: int) -> str:
    """``run 'brave-otter-417' finished after 12.3s``."""
    return f"run '{display(name, 80)}' {_VERBS.get(status, f'is {status} after')} {format_duration(milliseconds)}"


_VERBS = {
    RunStatus.RUNNING: "has been running for",
    RunStatus.FINISHED: "finished after",
    RunStatus.FAILED: "failed after",
    RunStatus.KILLED: "was killed after",
    RunStatus.CRASHED: "crashed after",
    RunStatus.PRUNED: "was pruned after",
    RunStatus.ABANDONED: "was abandoned after",
}


def last_line(
    name: str, id: RunId, status: RunStatus, journals: Iterable[JournalContents], first: Sequence[str] = ()
) -> str:
    """The line on stderr when a run of the Python API ends: how it went, and how to look at it.

    Args:
        name, id, status: the run's.
        journals: what this process logged; they are in memory already, git is not asked.
        first: the metrics that the settings want shown first.
    """
    series: dict[str, Series] = {}
    for journal in journals:
        series |= {name: points for name, points in journal.series.items() if len(points)}
    parts = [f"run {display(name, _NAME_WIDTH)} ({id[:8]}) {status}"]
    shown = [name for name in first if name in series] or headline(series)
    parts += [f"{display(metric, _NAME_WIDTH)} {format_number(_last(series[metric]))}" for metric in shown]
    return " · ".join([*parts, f"gittrack show {id[:8]}"])


def _last(points: Series) -> float:
    """The value at the highest step, the latest of several; a run's summary settles ties by its own rule."""
    top = max(points.steps)
    if points.steps[-1] == top:
        return points.values[-1]
    return points.values[len(points) - 1 - points.steps[::-1].index(top)]

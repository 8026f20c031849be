"""What a run says at its end."""

from __future__ import annotations

from gittrack.core.ids import RunId
from gittrack.core.names import display
from gittrack.core.records import RunStatus
from gittrack.core.sparkline import format_duration


def farewell(id: RunId, name: str, status: RunStatus, milliseconds: int) -> str:
    """The one line at a run's end: how it ended, and how to look at it.

    Args:
        id: the run.
        name: its name, shown with escapes for what would mislead a terminal.
        status: how it ended.
        milliseconds: how long it took.

    >>> farewell(RunId("3f9c2e71" + "0" * 24), "brave-otter-417", RunStatus.FINISHED, 12_340)
    "run 'brave-otter-417' finished after 12.3s: gittrack show 3f9c2e71"
    """
    return f"{how_it_ended(name, status, milliseconds)}: gittrack show {id[:8]}"


def how_it_ended(name: str, status: RunStatus, milliseconds: int) -> str:
    """``run 'brave-otter-417' finished after 12.3s``."""
    return f"run '{display(name, 80)}' {_VERBS[status]} {format_duration(milliseconds)}"


_VERBS = {
    RunStatus.RUNNING: "has been running for",
    RunStatus.FINISHED: "finished after",
    RunStatus.FAILED: "failed after",
    RunStatus.KILLED: "was killed after",
    RunStatus.CRASHED: "crashed after",
    RunStatus.PRUNED: "was pruned after",
    RunStatus.ABANDONED: "was abandoned after",
}

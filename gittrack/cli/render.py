"""Tables and trees, as texts."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from gittrack.cli.terminal import Role, Terminal
from gittrack.core.names import cell_width, display
from gittrack.core.records import RunStatus
from gittrack.frozen import dataclass

if TYPE_CHECKING:
    from gittrack.api.read import SavedRun

GAP = "  "
ID_LENGTH = 8
WIDEST_NAME = 32
"""Columns of a terminal for the names of facts; a longer name pushes its own value only."""
STATUS_ROLES: dict[RunStatus, Role] = {
    RunStatus.RUNNING: "active",
    RunStatus.FINISHED: "good",
    RunStatus.FAILED: "bad",
    RunStatus.CRASHED: "bad",
    RunStatus.KILLED: "warning",
    RunStatus.PRUNED: "faint",
    RunStatus.ABANDONED: "faint",
}


def status_role(status: RunStatus) -> Role:
    """How a status is painted; one of a later version is told by its text."""
    return STATUS_ROLES.get(status, "warning")


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table: its text, which may hold anything, and how it is painted."""

    text: str
    role: Role = ""


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        title: its head.
        right: whether it is set to the right.
        least: how narrow it may become; 0: not at all.
        spare: of those above 0 the highest are left out first, where a terminal has no room even so.
    """

    title: str
    right: bool = False
    least: int = 0
    spare: int = 0


def table(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], terminal: Terminal) -> list[str]:
    """The lines of a table, with its titles.

    On a terminal, columns that may become narrower are cut until a line fits, and if none does, those that can be
    spared are left out; elsewhere nothing is.
    """
    shown = [[Cell(display(cell.text), cell.role) for cell in row] for row in rows]
    titles = [Cell(column.title, "faint") for column in columns]
    widths = [max(cell_width(cell.text) for cell in cells) for cells in zip(titles, *shown, strict=True)]
    lines: list[list[Cell]] = [titles, *shown]
    if terminal.width is not None:
        kept = _kept(widths, columns, terminal.width)
        columns, widths = [columns[place] for place in kept], [widths[place] for place in kept]
        lines = [[line[place] for place in kept] for line in lines] if len(kept) < len(titles) else lines
        widths = _fitted(widths, columns, terminal.width)
    return [_line(row, columns, widths, terminal) for row in lines]


def _kept(widths: Sequence[int], columns: Sequence[Column], room: int) -> list[int]:
    """The places of the columns for which there is room when each is as narrow as it may be."""
    kept = list(range(len(columns)))
    floors = [min(width, column.least or width) for width, column in zip(widths, columns, strict=True)]
    while sum(floors[place] for place in kept) + len(GAP) * (len(kept) - 1) > room:
        spared = max(kept, key=lambda place: columns[place].spare, default=0)
        if not kept or not columns[spared].spare:
            break
        kept.remove(spared)
    return kept


def _fitted(widths: list[int], columns: Sequence[Column], room: int) -> list[int]:
    excess = sum(widths) + len(GAP) * (len(widths) - 1) - room
    while excess > 0:
        narrowable = [i for i, column in enumerate(columns) if column.least and widths[i] > column.least]
        if not narrowable:
            break
        widest = max(narrowable, key=lambda i: widths[i])
        widths[widest] -= 1
        excess -= 1
    return widths


def _line(row: Sequence[Cell], columns: Sequence[Column], widths: Sequence[int], terminal: Terminal) -> str:
    parts = []
    for cell, column, width in zip(row, columns, widths, strict=True):
        text = display(cell.text, width) if cell_width(cell.text) > width else cell.text
        blank = " " * (width - cell_width(text))
        painted = terminal.paint(text, cell.role)
        parts.append(blank + painted if column.right else painted + blank)
    return GAP.join(parts).rstrip()


def short_ids(runs: Sequence[SavedRun]) -> dict[str, str]:
    """Each run's id cut to eight digits, or as many as tell it from the others."""
    ordered = sorted(run.id for run in runs)
    lengths = dict.fromkeys(ordered, ID_LENGTH)
    for one, other in pairwise(ordered):
        same = next((i for i, (a, b) in enumerate(zip(one, other, strict=True)) if a != b), len(one))
        lengths[one] = max(lengths[one], same + 1)
        lengths[other] = max(lengths[other], same + 1)
    return {id: id[:length] for id, length in lengths.items()}


def tree(runs: Sequence[SavedRun]) -> list[tuple[str, SavedRun]]:
    """Runs with the branches drawn before their names: children under their parent, oldest first.

    Args:
        runs: newest first; a run whose parent is not among them stands at the top, in the order given.
    """
    return [(branch, runs[place]) for branch, place in branches([(run.id, run.record.parent) for run in runs])]


def branches(family: Sequence[tuple[str, str | None]]) -> list[tuple[str, int]]:
    """The same for ids and parents alone: the branch drawn before each, and its place in the order given."""
    known = {id for id, _ in family}
    children: dict[str, list[int]] = {}
    for place in reversed(range(len(family))):
        parent = family[place][1]
        if parent in known:
            children.setdefault(str(parent), []).append(place)
    lines: list[tuple[str, int]] = []
    seen: set[str] = set()
    tops = [place for place, (_, parent) in enumerate(family) if parent not in known]
    # Hostile runs may be each other's parents: what no top reaches is put at the top itself.
    for top in [*tops, *range(len(family))]:
        waiting = [("", "", top)]
        while waiting:
            head, tail, place = waiting.pop()
            id = family[place][0]
            if id in seen:
                continue
            seen.add(id)
            lines.append((head, place))
            below = children.get(id, [])
            for child in reversed(below):
                last = child is below[-1]
                waiting.append((tail + ("└─ " if last else "├─ "), tail + ("   " if last else "│  "), child))
    return lines


def status_text(run: SavedRun) -> str:
    """``failed (exit code 3)``."""
    code = run.record.exit_code
    return run.status.value + (f" (exit code {code})" if code else "")


def time_text(milliseconds: int) -> str:
    """``2026-11-21 09:52:27 UTC``; the first or last second of the calendar for what lies beyond it."""
    from gittrack.core.run_toml import moment

    return moment(milliseconds).astimezone(datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def facts_lines(facts: Mapping[str, str], terminal: Terminal) -> list[str]:
    """Names and values below each other; empty values are left out. Values may hold anything."""
    kept = {display(name): display(value) for name, value in facts.items() if value}
    # One long name must not push every value off the screen.
    most = WIDEST_NAME if terminal.width is not None else max(map(cell_width, kept), default=0)
    width = min(most, max(map(cell_width, kept), default=0))
    return [
        f"  {terminal.paint(name, 'faint')}{' ' * (width - cell_width(name))}{GAP}{value}"
        for name, value in kept.items()
    ]


def plural(count: int, noun: str) -> str:
    """``1 run``, ``2 runs``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"

"""A list of runs as a table: on a screen, as a tree, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from gittrack.cli.columns import USUAL, RowMaker, heads, table_columns
from gittrack.cli.render import ID_LENGTH, Cell, branches, table
from gittrack.core.run_columns import RunColumn
from gittrack.frozen import dataclass

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.cli.searching import Pages
    from gittrack.cli.terminal import Terminal


@dataclass(frozen=True, slots=True)
class _Row:
    """What is kept of a run until its line is drawn."""

    id: str
    parent: str | None
    cells: list[Cell]


def run_lines(
    pages: Pages,
    columns: Sequence[RunColumn],
    terminal: Terminal,
    *,
    as_tree: bool,
    titles: Mapping[int, str] | None = None,
) -> list[str]:
    """The lines of a table of runs; none for no runs.

    Args:
        pages: the runs; each is let go when its cells are made.
        columns: what is shown.
        terminal: where.
        as_tree: draw children below their parents.
        titles: place of a column -> another head.
    """
    maker = RowMaker(pages, columns)
    rows = [_Row(run.id, run.record.parent, maker.cells(run)) for run in pages]
    if not rows:
        return []
    _shorten_ids(pages.project, rows, columns, terminal)
    if as_tree:
        rows = _in_tree(rows, columns)
    cells = [row.cells for row in rows]
    is_usual = set(USUAL) <= set(columns)  # of columns that somebody chose none is left out
    return table(table_columns(columns, cells, titles or {}, spares=is_usual), cells, terminal)


def _places(columns: Sequence[RunColumn], key: str) -> list[int]:
    """Where an attribute is shown."""
    fields = [column.field for column in columns]
    return [place for place, field in enumerate(fields) if field and (field.scope, field.key) == ("attributes", key)]


def _shorten_ids(project: Project, rows: Sequence[_Row], columns: Sequence[RunColumn], terminal: Terminal) -> None:
    """Cut ids to what tells each from those of all other runs."""
    places = _places(columns, "id")
    if not places:
        return
    from gittrack.api.index_lookups import prefix_lengths

    lengths = prefix_lengths(project, [row.id for row in rows], ID_LENGTH)
    for row in rows:
        for place in places:
            row.cells[place] = Cell(row.id[: lengths[row.id]], "warning" if terminal.colour else "")


def _in_tree(rows: Sequence[_Row], columns: Sequence[RunColumn]) -> list[_Row]:
    """The rows with children below their parents, branches before their names."""
    drawn = []
    names = _places(columns, "name")[:1]
    for branch, place in branches([(row.id, row.parent) for row in rows]):
        row = rows[place]
        for name in names:
            row.cells[name] = replace(row.cells[name], text=branch + row.cells[name].text)
        drawn.append(row)
    return drawn


def markdown(pages: Pages, columns: Sequence[RunColumn], marks: Mapping[int, str] | None = None) -> Iterator[str]:
    """The lines of a Markdown table of runs, some at a time; ``marks``: place of a column -> what follows its head."""
    from gittrack.cli.exports import markdown_lines

    maker = RowMaker(pages, columns)
    titles = heads(columns)
    for place, mark in (marks or {}).items():
        titles[place] += f" {mark}"
    yield from markdown_lines(titles, [])
    for run in pages:
        yield markdown_lines([], [[cell.text for cell in maker.cells(run)]])[2]

"""A comparison on a terminal: runs beside each other while they fit, below each other otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from gittrack.cli.comparison_texts import (
    MISSING,
    ROLES,
    delta_text,
    metrics_title,
    row_texts,
    score_texts,
    score_title,
    shortened,
    title_of,
    value_or_absence,
)
from gittrack.cli.render import GAP, Cell, Column, short_ids, table
from gittrack.cli.run_page import value_text
from gittrack.core.comparison import Comparison, Group, Row
from gittrack.core.directions import Direction
from gittrack.core.names import cell_width, display
from gittrack.core.sparkline import format_number
from gittrack.frozen import dataclass

if TYPE_CHECKING:
    from gittrack.cli.terminal import Terminal

_INDENT = "  "
_LEAST_VALUE = 8
"""Cells that a run's column has at least; runs that do not get that many stand below each other."""
_LEAST_LABEL = 16
_WIDEST_VALUE, _WIDEST_TITLE, _WIDEST_NAME = 18, 20, 16
_PAPER = 80
"""The width that decides how runs stand where there is no terminal; nothing is cut there."""
_MOST_COLUMNS = 200
"""Facts that stand beside each other, in as many tables as they need; all of them: ``--csv``."""


@dataclass(frozen=True, slots=True)
class _Block:
    """One section: its title and its facts, each a title and a text for every run with the delta to show beside it."""

    title: str
    facts: list[_Fact]


@dataclass(frozen=True, slots=True)
class _Fact:
    title: str
    texts: list[str]
    deltas: list[Cell]


def comparison_lines(
    comparison: Comparison, rows: Sequence[Row], terminal: Terminal, *, transpose: bool | None = None
) -> tuple[list[str], int]:
    """The lines of a comparison.

    Args:
        comparison: what to show.
        rows: of it.
        terminal: where.
        transpose: whether runs stand below each other; None: when they do not fit beside each other.

    Returns:
        The lines, and how many facts they leave out.
    """
    blocks = _blocks(comparison, rows)
    headers = [f"{id} {run.name}" for id, run in zip(_ids(comparison), comparison.runs, strict=True)]
    if not blocks or not headers:
        return [], 0
    fits = _fits(comparison, blocks, terminal.width or _PAPER)
    if transpose if transpose is not None else not fits:
        return _below_each_other(comparison, blocks, terminal)
    return _beside_each_other(comparison, blocks, terminal), 0


def _ids(comparison: Comparison) -> list[str]:
    known = short_ids(comparison.runs)  # type: ignore[arg-type]  # only ids are looked at
    return [known[run.id] for run in comparison.runs]


def _blocks(comparison: Comparison, rows: Sequence[Row]) -> list[_Block]:
    blocks = []
    count = len(comparison.runs)
    for section in comparison.sections:
        facts = [
            _Fact(title_of(row), row_texts(row), [_delta_cell(row, place) for place in range(count)])
            for row in rows
            if row.section == section
        ]
        title = metrics_title(comparison) if section == "metrics" else section
        blocks += [_Block(title, facts)] if facts else []
    if comparison.scores:
        none = [Cell("")] * count
        scores, ranks = score_texts(comparison)
        blocks.append(_Block(score_title(comparison), [_Fact("score", scores, none), _Fact("rank", ranks, none)]))
    return blocks


def _delta_cell(row: Row, place: int) -> Cell:
    delta = row.deltas[place] if row.deltas and place else None
    return Cell(delta_text(delta), ROLES[delta.verdict] if delta else "")


# -- runs beside each other --------------------------------------------------------------------------------------------


def _fits(comparison: Comparison, blocks: Sequence[_Block], width: int) -> bool:
    if len(comparison.runs) * len(GAP) > width:  # no need to look at each of them
        return False
    label, values, deltas = _natural_widths(comparison, blocks)
    needed = min(label, max(_LEAST_LABEL, width // 3)) + sum(len(GAP) + each for each in deltas if each)
    return needed + sum(len(GAP) + min(each, _LEAST_VALUE) for each in values) <= width


def _natural_widths(comparison: Comparison, blocks: Sequence[_Block]) -> tuple[int, list[int], list[int]]:
    """Cells that everything takes uncut: the names of facts, each run's values, each run's deltas."""
    facts = [fact for block in blocks for fact in block.facts]
    label = max(cell_width(display(fact.title)) for fact in facts) + len(_INDENT)
    values, deltas = [], []
    for place, (id, run) in enumerate(zip(_ids(comparison), comparison.runs, strict=True)):
        texts = [id, display(run.name), *(display(fact.texts[place]) for fact in facts)]
        values.append(max(map(cell_width, texts)))
        deltas.append(max(cell_width(fact.deltas[place].text) for fact in facts))
    return label, values, deltas


def _beside_each_other(comparison: Comparison, blocks: Sequence[_Block], terminal: Terminal) -> list[str]:
    label, values, deltas = _natural_widths(comparison, blocks)
    if terminal.width is not None:
        fixed = sum(len(GAP) + each for each in deltas if each)
        room = terminal.width - fixed - len(GAP) * len(values)
        label = min(label, max(_LEAST_LABEL, room - sum(values), terminal.width // 3))
        values = _shared_out(values, room - label)

    def line(title: str, texts: Sequence[str], beside: Sequence[Cell], role: str = "") -> str:
        parts = [_padded(Cell(title, "faint"), label, terminal)]
        for text, width, cell, delta_width in zip(texts, values, beside, deltas, strict=True):
            parts.append(_padded(Cell(text, "title" if role else ""), width, terminal))
            parts += [_padded(cell, delta_width, terminal)] if delta_width else []
        return GAP.join(parts).rstrip()

    none = [Cell("")] * len(values)
    names = [run.name for run in comparison.runs]
    lines = [line("run", _ids(comparison), none, "title"), line("name", names, none)]
    if comparison.has_baseline:
        lines.append(line("", ["baseline", *[""] * (len(names) - 1)], none))
    for block in blocks:
        lines += ["", _title_line(block.title, terminal)]
        lines += [line(_INDENT + _cut(fact.title, label - 2), fact.texts, fact.deltas) for fact in block.facts]
    return lines


def _shared_out(wanted: Sequence[int], room: int) -> list[int]:
    """Widths that take no more than there is room for: the widest are cut, all to the same width."""
    limit = min(max(wanted), max(room, _LEAST_VALUE))
    while limit > _LEAST_VALUE and sum(min(each, limit) for each in wanted) > room:
        limit -= 1
    return [min(each, limit) for each in wanted]


def _padded(cell: Cell, width: int, terminal: Terminal) -> str:
    text = shortened(cell.text, width)
    return terminal.paint(text, cell.role) + " " * (width - cell_width(text))


def _cut(title: str, width: int) -> str:
    """A fact's name within a width; the direction at its end stays."""
    shown = display(title)
    if cell_width(shown) > width and shown[-2:-1] == " " and shown[-1] in {each.mark for each in Direction}:
        return shortened(shown[:-2], width - 2) + shown[-2:]
    return shortened(shown, width)


def _title_line(title: str, terminal: Terminal) -> str:
    return terminal.paint(display(title, terminal.width), "title")


# -- runs below each other ---------------------------------------------------------------------------------------------


def _below_each_other(comparison: Comparison, blocks: Sequence[_Block], terminal: Terminal) -> tuple[list[str], int]:
    lines: list[str] = []
    shown = 0
    for block in blocks:
        kept = block.facts[: max(_MOST_COLUMNS - shown, 0)]
        shown += len(kept)
        for chunk in _chunks(kept, terminal):
            lines += ["", _title_line(block.title, terminal)] if lines else [_title_line(block.title, terminal)]
            lines += _chunk_lines(comparison, chunk, terminal)
    return lines, sum(len(block.facts) for block in blocks) - shown


def _fact_cells(fact: _Fact) -> list[Cell]:
    """A fact's column: values with their deltas behind them."""
    most = max(cell_width(shortened(text, _WIDEST_VALUE)) for text in fact.texts)
    has_deltas = any(cell.text for cell in fact.deltas)
    cells = []
    for text, delta in zip(fact.texts, fact.deltas, strict=True):
        short = shortened(text, _WIDEST_VALUE)
        padded = short + " " * (most - cell_width(short)) if has_deltas and delta.text else short
        cells.append(Cell(f"{padded} {delta.text}".rstrip() if delta.text else short, delta.role))
    return cells


def _chunks(facts: Sequence[_Fact], terminal: Terminal) -> Iterator[list[tuple[str, list[Cell]]]]:
    """The columns of as many facts as stand beside each other within a terminal; of all where there is none."""
    if terminal.width is None:
        if facts:
            yield [(display(fact.title), _whole_cells(fact)) for fact in facts]
        return
    chunk: list[tuple[str, list[Cell]]] = []
    start = len(_INDENT) + 8 + len(GAP) + _WIDEST_NAME
    used = start
    for fact in facts:
        title, cells = _cut(fact.title, _WIDEST_TITLE), _fact_cells(fact)
        width = len(GAP) + max(cell_width(title), *(cell_width(cell.text) for cell in cells))
        if chunk and used + width > terminal.width:
            yield chunk
            chunk, used = [], start
        chunk.append((title, cells))
        used += width
    if chunk:
        yield chunk


def _chunk_lines(comparison: Comparison, chunk: Sequence[tuple[str, list[Cell]]], terminal: Terminal) -> list[str]:
    cut = terminal.width is not None
    columns = [Column(_INDENT + "RUN"), Column("NAME"), *(Column(title) for title, _ in chunk)]
    rows = []
    for place, (id, run) in enumerate(zip(_ids(comparison), comparison.runs, strict=True)):
        first = place == 0 and comparison.has_baseline
        name = shortened(run.name, _WIDEST_NAME) if cut else run.name
        rows.append(
            [Cell(_INDENT + id, "title" if first else "faint"), Cell(name), *(cells[place] for _, cells in chunk)]
        )
    return table(columns, rows, terminal)


def _whole_cells(fact: _Fact) -> list[Cell]:
    return [
        Cell(f"{text} {delta.text}".rstrip(), delta.role) for text, delta in zip(fact.texts, fact.deltas, strict=True)
    ]


# -- groups ------------------------------------------------------------------------------------------------------------


def group_lines(comparison: Comparison, rows: Sequence[Row], terminal: Terminal) -> list[str]:
    """A table with a line for each metric and group.

    Args:
        comparison: grouped.
        rows: those of metrics say which ones are shown.
        terminal: where.
    """
    keys = [display(key.partition(".")[2]).upper() for key in comparison.group_by]
    columns = [Column("METRIC"), *(Column(key, least=8) for key in keys)]
    columns += [Column("N", right=True), Column("MEAN", right=True), Column("SD", right=True), Column("95 % INTERVAL")]
    columns += [Column("VS BASELINE")] if comparison.has_baseline else []
    columns.append(Column(""))
    lines: list[list[Cell]] = []
    for row in rows:
        if row.section == "metrics":
            lines += _metric_cells(comparison, row)
    if terminal.width is not None and lines:
        others = [max(cell_width(display(cell.text)) for cell in cells) for cells in list(zip(*lines, strict=True))[1:]]
        titles = [cell_width(column.title) for column in columns[1:]]
        taken = sum(len(GAP) + max(pair) for pair in zip(others, titles, strict=True))
        room = max(terminal.width - taken, _LEAST_LABEL)
        lines = [[Cell(_cut(first.text, room)), *rest] for first, *rest in lines]
    return table(columns, lines, terminal) if lines else []


def _metric_cells(comparison: Comparison, row: Row) -> list[list[Cell]]:
    lines = []
    having = [group for group in comparison.groups if row.name in group.statistics]
    best = best_group(having, row)
    for group in having:
        found = group.statistics[row.name]
        interval = MISSING
        if found.low is not None and found.high is not None:
            interval = f"{format_number(found.low)} to {format_number(found.high)}"
        lacking = len(group.runs) - found.n
        cells = [Cell(title_of(row) if group is having[0] else "")]
        cells += [Cell(value_or_absence(value) or value_text(value)) for value in group.key]
        cells.append(Cell(f"{found.n} of {len(group.runs)}" if lacking else str(found.n)))
        cells += [Cell(MISSING if each is None else format_number(each)) for each in (found.mean, found.deviation)]
        cells.append(Cell(interval))
        if comparison.has_baseline:
            delta = None if 0 in group.runs else group.deltas.get(row.name)
            cells.append(Cell(delta_text(delta), ROLES[delta.verdict] if delta else ""))
        cells.append(Cell("best" if group is best else "", "good"))
        lines.append(cells)
    return lines


def best_group(groups: Sequence[Group], row: Row) -> Group | None:
    """The group with the best mean of a metric; None where there is no single one, or nobody knows what is better."""
    if row.direction is Direction.UNKNOWN or len(groups) < 2:
        return None
    means = [
        (row.direction.sign * mean, group)
        for group in groups
        if (mean := group.statistics[row.name].mean) is not None and mean == mean
    ]
    top = max((mean for mean, _ in means), default=None)
    first = [group for mean, group in means if mean == top]
    return first[0] if len(first) == 1 else None

"""A comparison on a terminal: runs beside each other while they fit, below each other otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from gittrack.cli.comparison_texts import (
    ALL_OF_IT,
    ROLES,
    delta_beside,
    fitted,
    metrics_title,
    row_texts,
    score_texts,
    score_title,
    shortened,
    title_of,
    unknown_facts,
)
from gittrack.cli.render import GAP, Cell, Column, short_ids, table
from gittrack.core.comparison import Comparison, Row
from gittrack.core.directions import Direction
from gittrack.core.names import cell_width, display
from gittrack.frozen import dataclass

if TYPE_CHECKING:
    from gittrack.cli.terminal import Terminal

_INDENT = "  "
_LEAST_VALUE = 8
"""Cells that a run's column has at least; runs that do not get that many stand below each other."""
LEAST_LABEL = 16
_WIDEST_VALUE, _WIDEST_TITLE, _WIDEST_NAME = 18, 20, 16
_PAPER = 80
"""The width that decides how runs stand where there is no terminal; nothing is cut there."""
_MOST_COLUMNS = 200
"""Facts that stand beside each other, in as many tables as they need; all of them: ``--csv``."""


@dataclass(frozen=True, slots=True)
class _Block:
    """One section: its name, what stands above it first, and its facts."""

    name: str
    title: str
    facts: list[_Fact]


@dataclass(frozen=True, slots=True)
class _Fact:
    """One fact: its title, by run the text, the delta beside it, and the float that the text is of, if any."""

    title: str
    texts: list[str]
    deltas: list[Cell]
    floats: list[float | None]

    def fitted(self, width: int) -> list[str]:
        """The texts within so many cells."""
        return [fitted(text, number, width) for text, number in zip(self.texts, self.floats, strict=True)]


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
    none = [Cell("")] * count
    for section in comparison.sections:
        facts = [
            _Fact(title_of(row), row_texts(row), [_delta_cell(row, place) for place in range(count)], _floats(row))
            for row in rows
            if row.section == section
        ]
        unknown = unknown_facts(comparison, section, rows)
        facts += [_Fact(ALL_OF_IT, unknown, none, [None] * count)] if unknown else []
        title = metrics_title(comparison, rows) if section == "metrics" else section
        blocks += [_Block(section, title, facts)] if facts else []
    if comparison.scores:
        known = zip(("score", "rank"), score_texts(comparison), strict=True)
        facts = [_Fact(title, texts, none, [None] * count) for title, texts in known]
        blocks.append(_Block("score", score_title(comparison), facts))
    return blocks


def _floats(row: Row) -> list[float | None]:
    return [value if isinstance(value, float) else None for value in row.normalised or row.values]


def _delta_cell(row: Row, place: int) -> Cell:
    delta = row.deltas[place] if row.deltas and place else None
    return Cell(delta_beside(row, place), ROLES[delta.verdict] if delta else "")


# -- runs beside each other --------------------------------------------------------------------------------------------


def _fits(comparison: Comparison, blocks: Sequence[_Block], width: int) -> bool:
    if len(comparison.runs) * len(GAP) > width:  # no need to look at each of them
        return False
    label, values, deltas = _natural_widths(comparison, blocks)
    needed = min(label, max(LEAST_LABEL, width // 3)) + sum(len(GAP) + each for each in deltas if each)
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
        label = min(label, max(LEAST_LABEL, room - sum(values), terminal.width // 3))
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
        lines += ["", *title_lines(block.title, terminal)]
        for fact in block.facts:
            texts = [fitted(*each) for each in zip(fact.texts, fact.floats, values, strict=True)]
            lines.append(line(_INDENT + cut_title(fact.title, label - 2), texts, fact.deltas))
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


def cut_title(title: str, width: int) -> str:
    """A fact's name within a width; the direction at its end stays."""
    shown = display(title)
    if cell_width(shown) > width and shown[-2:-1] == " " and shown[-1] in {each.mark for each in Direction}:
        return shortened(shown[:-2], width - 2) + shown[-2:]
    return shortened(shown, width)


def title_lines(title: str, terminal: Terminal) -> list[str]:
    """A title, on as many lines as it takes."""
    lines = [display(title)]
    if terminal.width is not None and cell_width(lines[0]) > terminal.width:
        from textwrap import wrap

        lines = [display(line, terminal.width) for line in wrap(lines[0], terminal.width, subsequent_indent=_INDENT)]
    return [terminal.paint(line, "title") for line in lines]


# -- runs below each other ---------------------------------------------------------------------------------------------


def _below_each_other(comparison: Comparison, blocks: Sequence[_Block], terminal: Terminal) -> tuple[list[str], int]:
    lines: list[str] = []
    shown = 0
    for block in blocks:
        kept = block.facts[: max(_MOST_COLUMNS - shown, 0)]
        shown += len(kept)
        for number, chunk in enumerate(_chunks(kept, terminal)):
            lines += [""] if lines else []
            lines += title_lines(block.name if number else block.title, terminal)
            lines += _chunk_lines(comparison, chunk, terminal)
    return lines, sum(len(block.facts) for block in blocks) - shown


def _fact_cells(fact: _Fact) -> list[Cell]:
    """A fact's column: values with their deltas behind them."""
    texts = fact.fitted(_WIDEST_VALUE)
    most = max(map(cell_width, texts))
    has_deltas = any(cell.text for cell in fact.deltas)
    cells = []
    for short, delta in zip(texts, fact.deltas, strict=True):
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
        title, cells = cut_title(fact.title, _WIDEST_TITLE), _fact_cells(fact)
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

"""Groups of runs on a terminal, in CSV and in Markdown: a line for each metric and group."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from gittrack.cli.comparison_table import LEAST_LABEL, cut_title, title_lines
from gittrack.cli.comparison_texts import (
    MISSING,
    ROLES,
    SCALE_OF_ONE,
    baseline_group,
    best_group,
    delta_text,
    exact_keys,
    exact_number,
    groups_title,
    key_texts,
    score_texts,
    score_title,
    shortened,
    title_of,
)
from gittrack.cli.render import GAP, Cell, Column, table
from gittrack.core.comparison import Comparison, Group, Row
from gittrack.core.names import cell_width, display
from gittrack.core.sparkline import format_number
from gittrack.core.statistics import Statistics
from gittrack.frozen import dataclass

if TYPE_CHECKING:
    from gittrack.cli.terminal import Terminal

_INTERVAL = "95 % interval"
_BEST = "best"
_LEAST_KEY, _WIDEST_KEY = 8, 200


@dataclass(frozen=True, slots=True)
class _Line:
    """A metric of a group: the metric's row, the group and its place, whether it is the first with it, and the best."""

    row: Row
    place: int
    group: Group
    is_first: bool
    is_best: bool

    @property
    def found(self) -> Statistics:
        return self.group.statistics[self.row.name]


def _lines_of(comparison: Comparison, rows: Sequence[Row]) -> Iterator[_Line]:
    for row in rows:
        if row.section != "metrics":
            continue
        best = best_group(comparison.groups, row)
        is_first = True
        for place, group in enumerate(comparison.groups):
            if row.name in group.statistics:
                yield _Line(row, place, group, is_first, group is best)
                is_first = False


def _number(number: float | None) -> str:
    return MISSING if number is None else format_number(number)


def _interval(found: Statistics) -> str:
    if found.low is None or found.high is None:
        return MISSING
    return f"{format_number(found.low)} to {format_number(found.high)}"


def _count(group: Group, found: Statistics) -> str:
    return str(found.n) if found.n == len(group.runs) else f"{found.n} of {len(group.runs)}"


def _delta(group: Group, name: str) -> str:
    return "" if 0 in group.runs else delta_text(group.deltas.get(name))


# -- on a terminal -----------------------------------------------------------------------------------------------------


def group_lines(comparison: Comparison, rows: Sequence[Row], terminal: Terminal) -> list[str]:
    """A table with a line for each metric and group, and one of the groups' scores.

    Args:
        comparison: grouped.
        rows: those of metrics say which ones are shown.
        terminal: where.
    """
    titles = [display(key.partition(".")[2]).upper() for key in comparison.group_by]
    lines_of = list(_lines_of(comparison, rows))
    others = [_cells(comparison, [], line)[1:] for line in lines_of]
    columns = _number_columns(comparison)
    texts = key_texts(comparison)
    room = LEAST_LABEL
    if terminal.width is not None:
        widths = [
            max(cell_width(column.title), *(cell_width(cells[place].text) for cells in others), 0)
            for place, column in enumerate(columns)
        ]
        free = terminal.width - sum(len(GAP) + width for width in widths)
        texts = _fitted_keys(texts, titles, free - LEAST_LABEL)
        taken = (
            max(map(cell_width, (title, *column)))
            for title, column in zip(titles, zip(*texts, strict=True), strict=True)
        )
        room = max(free - sum(len(GAP) + width for width in taken), LEAST_LABEL)
    cells = [_cells(comparison, texts[line.place], line) for line in lines_of]
    if terminal.width is not None:
        cells = [[Cell(cut_title(first.text, room)), *rest] for first, *rest in cells]
    title = groups_title(comparison, rows)
    key_columns = list(map(Column, titles))
    lines = title_lines(title, terminal) if title and cells else []
    lines += table([Column("METRIC"), *key_columns, *columns], cells, terminal) if cells else []
    return lines + _score_lines(comparison, texts, key_columns, terminal, after=bool(lines))


def _number_columns(comparison: Comparison) -> list[Column]:
    columns = [*(Column(title, right=True) for title in ("N", "MEAN", "SD")), Column(_INTERVAL.upper())]
    if comparison.normalize:
        columns.append(Column(SCALE_OF_ONE[comparison.normalize].upper(), right=True))
    columns += [Column("VS BASELINE")] if comparison.has_baseline else []
    return [*columns, Column("")]


def _fitted_keys(keys: Sequence[Sequence[str]], titles: Sequence[str], room: int) -> list[list[str]]:
    """The keys of groups within so many cells, if that is possible while different ones still look different."""
    each = max(room // max(len(titles), 1) - len(GAP), _LEAST_KEY)
    columns = []
    for texts in zip(*keys, strict=True):
        shown = [shortened(text, each) for text in texts]
        width = each
        while len(set(shown)) < len(set(texts)) and width < _WIDEST_KEY:
            width += 1
            shown = [shortened(text, width) for text in texts]
        columns.append(shown)
    return [list(texts) for texts in zip(*columns, strict=True)]


def _cells(comparison: Comparison, keys: Sequence[str], line: _Line) -> list[Cell]:
    row, group, found = line.row, line.group, line.found
    cells = [Cell(title_of(row) if line.is_first else ""), *map(Cell, keys), Cell(_count(group, found))]
    cells += [Cell(_number(found.mean)), Cell(_number(found.deviation)), Cell(_interval(found))]
    if comparison.normalize:
        cells.append(Cell(_number(group.normalised.get(row.name))))
    if comparison.has_baseline:
        delta = group.deltas.get(row.name)
        cells.append(Cell(_delta(group, row.name), ROLES[delta.verdict] if delta else ""))
    return [*cells, Cell(_BEST if line.is_best else "", "good")]


def _score_lines(
    comparison: Comparison,
    keys: Sequence[Sequence[str]],
    key_columns: Sequence[Column],
    terminal: Terminal,
    *,
    after: bool,
) -> list[str]:
    if not comparison.weights:
        return []
    columns = [*key_columns, *(Column(title, right=True) for title in ("N", "SCORE", "RANK"))]
    cells = [
        [*map(Cell, texts), Cell(str(len(group.runs))), Cell(score), Cell(rank)]
        for texts, group, score, rank in zip(keys, comparison.groups, *score_texts(comparison), strict=True)
    ]
    blank = [""] if after else []
    return [*blank, *title_lines(score_title(comparison), terminal), *table(columns, cells, terminal)]


# -- for other programs ------------------------------------------------------------------------------------------------


def exact_groups(comparison: Comparison, rows: Sequence[Row]) -> Iterator[list[str]]:
    """The groups for CSV, the titles first: a line for each metric and group, numbers in full."""
    titles = [*comparison.group_by, "metric", "direction", "runs", "n", "nan", "mean", "std", "low", "high"]
    titles += [f"normalized_{comparison.normalize}"] if comparison.normalize else []
    titles += ["delta", "verdict"] if comparison.has_baseline else []
    yield [*titles, "best", *(["score", "rank"] if comparison.weights else [])]
    keys = exact_keys(comparison)
    for each in _lines_of(comparison, rows):
        row, group, found = each.row, each.group, each.found
        numbers = (found.n, found.nan, found.mean, found.deviation, found.low, found.high)
        cells = [*keys[each.place], row.name, row.direction.value, str(len(group.runs)), *map(exact_number, numbers)]
        if comparison.normalize:
            cells.append(exact_number(group.normalised.get(row.name)))
        if comparison.has_baseline:
            delta = group.deltas.get(row.name)
            cells += [exact_number(delta.difference), delta.verdict] if delta else ["", ""]
        cells.append(_BEST if each.is_best else "")
        yield cells + ([exact_number(group.score), exact_number(group.rank)] if comparison.weights else [])


def short_groups(comparison: Comparison, rows: Sequence[Row]) -> list[list[str]]:
    """The groups for Markdown, the titles first: as a terminal shows them; scores below, as a metric."""
    titles = ["metric", *comparison.group_by, "n", "mean", "SD", _INTERVAL]
    titles += [f"mean, {SCALE_OF_ONE[comparison.normalize]}"] if comparison.normalize else []
    titles += [f"vs mean of the baseline's group, {baseline_group(comparison)}"] if comparison.has_baseline else []
    lines = [[*titles, ""]]
    keys = key_texts(comparison)
    for each in _lines_of(comparison, rows):
        row, group, found = each.row, each.group, each.found
        line = [title_of(row), *keys[each.place], _count(group, found), _number(found.mean), _number(found.deviation)]
        line.append(_interval(found))
        line += [_number(group.normalised.get(row.name))] if comparison.normalize else []
        line += [_delta(group, row.name)] if comparison.has_baseline else []
        lines.append([*line, _BEST if each.is_best else ""])
    if comparison.weights:
        for group, texts, score, rank in zip(comparison.groups, keys, *score_texts(comparison), strict=True):
            title = score_title(comparison) if group is comparison.groups[0] else "score"
            line = [title, *texts, str(len(group.runs)), score]
            place = "" if rank == MISSING else f"rank {rank}"
            lines.append([*line, *[""] * (len(lines[0]) - len(line) - 1), place])
    return lines

"""Columns of a list of runs: their heads, and what stands in them on a screen, in CSV and in JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gittrack.api.farewell import HEADLINES, chosen_metrics, metric_text
from gittrack.cli.render import ID_LENGTH, Cell, Column, status_role, time_text
from gittrack.core.names import display
from gittrack.core.problem import Problem
from gittrack.core.query.evaluate import RunFacts, facts_of, field_values
from gittrack.core.query.fields import PARTS, is_several, kind_of
from gittrack.core.query.tree import Field, SortKey
from gittrack.core.run_columns import RunColumn
from gittrack.core.sizes import format_size
from gittrack.core.sparkline import format_age, format_duration, format_number
from gittrack.core.value_text import exact_text, value_text
from gittrack.errors import GittrackError

if TYPE_CHECKING:
    from gittrack.api.read import SavedRun
    from gittrack.cli.searching import Pages

ABSENT = "-"
_COMMIT_LENGTH = 12
_LEAST_WIDTHS = {"name": 12, "experiment": 8, "metrics": 16, "note": 12, "error": 12}
_FREE_WIDTH = 8
"""What columns of params, tags and texts are never cut below."""
_SPARE = {"metrics": 4, "experiment": 3, "age": 2, "status": 1}
"""What is left out of a narrow terminal, the highest first."""
USUAL = (
    *(RunColumn(Field("attributes", key)) for key in ("id", "name", "experiment", "status")),
    RunColumn(None, "age"),
    RunColumn(None, "metrics"),
)
"""The columns that are shown when nobody chooses."""


def shown_columns(chosen: Sequence[RunColumn], *, adds: bool, order: Sequence[SortKey] = ()) -> list[RunColumn]:
    """The columns of a table.

    Args:
        chosen: by somebody; none: the usual ones.
        adds: whether they are added to the usual ones, before the metrics.
        order: sort keys; what runs are sorted by is shown among the usual columns.
    """
    if chosen and not adds:
        return list(chosen)
    keys = [RunColumn(key.field) for key in order if key.field.key not in ("start_time", "end_time")]
    return list(dict.fromkeys((*USUAL[:-1], *keys, *chosen, USUAL[-1])))


def heads(columns: Sequence[RunColumn]) -> list[str]:
    """Short heads, each another: ``acc`` for ``metrics.acc`` unless ``params.acc`` is there too."""
    short = [_head(column) for column in columns]
    count = Counter(short)
    return [display(head if count[head] == 1 else column.text) for head, column in zip(short, columns, strict=True)]


def _head(column: RunColumn) -> str:
    field = column.field
    if field is None:
        return column.special.upper()
    if field.scope == "attributes":
        return field.key.upper().replace("_", " ")
    if field.scope in PARTS:
        return f"{field.key or field.scope}.{field.part}"
    return f"{field.key}.{field.part}" if field.part not in ("", "last") else field.key


class RowMaker:
    """Makes the rows of a table.

    Args:
        pages: the runs; told of what cannot be read of one.
        columns: in order.
    """

    def __init__(self, pages: Pages, columns: Sequence[RunColumn]) -> None:
        self._pages = pages
        self._columns = columns
        self._now = pages.project.now()
        self._fields = [column.field for column in columns if column.field is not None]
        self._several = any(map(is_several, self._fields))
        self._own = {field.key for field in self._fields if (field.scope, field.part) == ("metrics", "last")}

    def facts(self, run: SavedRun) -> RunFacts:
        """What can be shown of a run."""
        record = run.record
        if self._several:
            from gittrack.api.index_lookups import whole_record

            try:
                record = whole_record(self._pages.project, run)
            except GittrackError as error:  # a damaged run hides no other, and what a list knows of it is shown
                self._pages.tell(Problem(f"run {run.id}", error.message))
        return facts_of(record, now=self._now, deleted=run.deleted)

    def values(self, run: SavedRun) -> dict[str, Any]:
        """Column -> value, for JSON: times and durations in ms, a list where a run may have several."""
        facts = self.facts(run)
        return {column.text: self._value(run, column, facts) for column in self._columns}

    def _value(self, run: SavedRun, column: RunColumn, facts: RunFacts) -> Any:
        if column.field is None:
            return self._now - run.record.start_time if column.special == "age" else run.metrics
        found = list(field_values(column.field, facts))
        return found if is_several(column.field) else found[0] if found else None

    def exact(self, run: SavedRun) -> list[str]:
        """The texts of a row of CSV: numbers in full, times and durations in ms."""
        facts = self.facts(run)
        texts = []
        for column in self._columns:
            value = self._value(run, column, facts)
            if column.special == "metrics":
                texts.append("  ".join(self._metrics(run)))
            elif isinstance(value, list) and column.field is not None and is_several(column.field):
                texts.append(", ".join(map(exact_text, value)))
            else:
                texts.append("" if value is None else exact_text(value))
        return texts

    def cells(self, run: SavedRun) -> list[Cell]:
        """A row for people."""
        facts = self.facts(run)
        return [self._cell(run, column, facts) for column in self._columns]

    def _cell(self, run: SavedRun, column: RunColumn, facts: RunFacts) -> Cell:
        field = column.field
        if field is None:
            if column.special == "metrics":
                return Cell("  ".join(self._metrics(run)))
            return Cell(format_age(self._now - run.record.start_time), "faint")
        if field.scope == "attributes" and field.key == "status":
            conflict = " (in conflict)" if run.conflicts or run.state.conflicts else ""
            return Cell(f"{run.status.value}{conflict}", status_role(run.status))
        values = list(field_values(field, facts))
        if not values:
            return Cell(ABSENT, "faint")
        return Cell(", ".join(shown_value(field, value) for value in values))

    def _metrics(self, run: SavedRun) -> list[str]:
        """The most telling metrics, but for those that have a column of their own."""
        chosen = chosen_metrics(run, self._pages.project.config.headline, HEADLINES + len(self._own))
        return [metric_text(run, name) for name in chosen if name not in self._own][:HEADLINES]


def shown_value(field: Field, value: Any) -> str:
    """A value of a field as it is shown to people."""
    kind = kind_of(field)
    if isinstance(value, float):
        return format_number(value)
    if kind == "time":
        return time_text(value)
    if kind == "duration":
        return format_duration(value)
    if kind == "flag":
        return "yes" if value else "no"
    if kind == "digest":
        return str(value).rpartition(":")[2][:_COMMIT_LENGTH]
    if kind == "id" and field.key != "experiment_id":
        return str(value)[: ID_LENGTH if field.key in ("id", "parent") else _COMMIT_LENGTH]
    if field.part == "size":
        return format_size(value)
    return value_text(value)


def table_columns(
    columns: Sequence[RunColumn], rows: Sequence[Sequence[Cell]], titles: Mapping[int, str], *, spares: bool = False
) -> list[Column]:
    """The columns of a table that is drawn.

    Args:
        columns: what they show.
        rows: the cells, to tell numbers, which stand to the right.
        titles: place -> another head.
        spares: whether usual columns may be left out of a terminal that has no room for them.
    """
    drawn = []
    for place, (column, head) in enumerate(zip(columns, heads(columns), strict=True)):
        field = column.field
        key = column.special if field is None else field.key if field.scope == "attributes" else ""
        free = field is not None and kind_of(field) in ("text", "any") and field.key not in ("kind", "entry")
        right = field is not None and kind_of(field) in ("number", "any", "duration")
        right = right and all(_is_number(row[place].text, field) for row in rows)
        least = _LEAST_WIDTHS.get(key, _FREE_WIDTH if free and not right else 0)
        spare = _SPARE.get(column.text, 0) if spares else 0
        drawn.append(Column(titles.get(place, head), right=right, least=least, spare=spare))
    return drawn


def _is_number(text: str, field: Field | None) -> bool:
    if text == ABSENT or (field is not None and kind_of(field) != "any"):
        return True
    try:
        float(text)
    except ValueError:
        return False
    return True

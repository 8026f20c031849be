"""The page that ``gittrack diff`` prints before the patch, a section for each part, and its JSON."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from gittrack.cli.render import ID_LENGTH, Cell, Column, plural, status_role, table
from gittrack.cli.run_page import value_text
from gittrack.cli.terminal import Role, Terminal
from gittrack.core.names import display
from gittrack.core.sizes import format_size
from gittrack.core.sparkline import format_age, format_number

if TYPE_CHECKING:
    from pathlib import Path

    from gittrack.api.diff import Part, RunDiff
    from gittrack.api.read import SavedRun
    from gittrack.core.records import ArtifactEntry, Input
    from gittrack.core.run_diff import Difference, Kind, MetricDifference

LONGEST_VALUE = 500
"""Characters of a value shown on a terminal; elsewhere, and by ``--json``, it is whole."""
_MARKS: dict[Kind, tuple[str, Role]] = {"added": ("+", "good"), "removed": ("-", "bad"), "changed": ("~", "warning")}
_DIGEST_LENGTH = 12
_NOTHING = Cell("")
_VERDICTS = {True: Cell("better", "good"), False: Cell("worse", "bad"), None: _NOTHING}


def page_lines(found: RunDiff, parts: Sequence[Part], now: int, terminal: Terminal) -> list[str]:
    """The lines of the page: the two runs, then each part that differs; of the code only its title, for the patch.

    Args:
        found: what differs.
        parts: the parts to show, in order.
        now: ms since the epoch, for ages.
        terminal: where it is shown.
    """
    lines = _heading(found, now, terminal)
    for part in parts:
        for title, section in _sections(found, part, terminal):
            if section:
                lines += ["", terminal.paint(title, "title"), *section]
    return lines


def _heading(found: RunDiff, now: int, terminal: Terminal) -> list[str]:
    rows = [_run_row("before", found.before, now)]
    if found.after is None:
        rows.append([Cell("after", "faint"), Cell("the work tree"), _NOTHING, _NOTHING, _NOTHING])
    else:
        rows.append(_run_row("after", found.after, now))
    columns = [Column(""), Column("", least=12), Column(""), Column(""), Column("")]
    return table(columns, rows, terminal)[1:]


def _run_row(side: str, run: SavedRun, now: int) -> list[Cell]:
    return [
        Cell(side, "faint"),
        Cell(run.name, "title"),
        Cell(run.id[:ID_LENGTH]),
        Cell(run.status.value, status_role(run.status)),
        Cell(format_age(now - run.record.start_time), "faint"),
    ]


def _sections(found: RunDiff, part: Part, terminal: Terminal) -> Iterator[tuple[str, list[str]]]:
    if part in found.unknown:
        yield ("environment" if part == "env" else part), [f"  not compared: {display(found.unknown[part])}"]
    elif part == "env":
        yield "environment", _values(found.environment, terminal)
        yield "packages", _values(found.packages, terminal)
    elif part == "metrics":
        yield "metrics", _metrics(found, terminal)
    elif part == "inputs":
        yield "inputs", _inputs(found, terminal)
    elif part == "artifacts":
        yield "artifacts", _artifacts(found, terminal)
    elif part == "code":
        if found.code.files:
            yield f"code: {plural(len(found.code.files), 'file')}", [f"  {line}" for line in _code_facts(found)]
    else:
        yield part, _values(getattr(found, part), terminal)


def _mark(kind: Kind) -> Cell:
    mark, role = _MARKS[kind]
    return Cell(f"  {mark}", role)


def _before_after(rows: list[list[Cell]], titles: Iterable[Column], terminal: Terminal) -> list[str]:
    return table([Column("   "), Column("NAME", least=12), *titles], rows, terminal) if rows else []


def _values(differences: Sequence[Difference], terminal: Terminal) -> list[str]:
    def text(item: Difference, side: int) -> str:
        if item.kind == ("added", "removed")[side]:
            return ""
        shown = value_text((item.before, item.after)[side])
        if terminal.width is not None and len(shown) > LONGEST_VALUE:
            shown = f"{shown[:LONGEST_VALUE]}…"
        return f"{shown} ({item.types[side]})" if item.types else shown

    rows = [[_mark(each.kind), Cell(each.name), Cell(text(each, 0)), Cell(text(each, 1))] for each in differences]
    return _before_after(rows, (Column("BEFORE", least=10), Column("AFTER", least=10)), terminal)


def _metrics(found: RunDiff, terminal: Terminal) -> list[str]:
    rows = []
    for item in found.metrics:
        sides = (item.before, item.after)
        numbers = ["" if value is None else _number(value, item.before, item.after) for value in sides]
        delta = "" if item.delta is None else f"{item.delta:+.4g}"
        verdict = _VERDICTS[item.better]
        name = f"{item.name} {item.direction.mark}"
        rows.append([_mark(item.kind), Cell(name), *map(Cell, numbers), Cell(delta), verdict])
    titles = [Column(title, right=True) for title in ("BEFORE", "AFTER", "DELTA")]
    return _before_after(rows, [*titles, Column("")], terminal)


def _number(value: float, before: float | None, after: float | None) -> str:
    """Four digits; all of them where the two sides would look the same."""
    if before is not None and after is not None and format_number(before) == format_number(after):
        return repr(value)
    return format_number(value)


def _inputs(found: RunDiff, terminal: Terminal) -> list[str]:
    rows = []
    for item in found.inputs:
        fields = item.fields or ("digest",)
        sides = [_input_text(side, fields) for side in (item.before, item.after)]
        rows.append([_mark(item.kind), Cell(item.name), Cell(item.role), *map(Cell, sides)])
    titles = (Column("ROLE"), Column("BEFORE", least=10), Column("AFTER", least=10))
    return _before_after(rows, titles, terminal)


def _input_text(data: Input | None, fields: Sequence[str]) -> str:
    if data is None:
        return ""
    said = {
        "digest": _short(data.digest) or "no digest",
        "state": data.state or "not checked",
        "uri": data.uri,
        "schema": plural(len(data.schema), "column"),
    }
    return ", ".join(said[name] for name in fields)


def _artifacts(found: RunDiff, terminal: Terminal) -> list[str]:
    def text(entry: ArtifactEntry | None) -> str:
        if entry is None:
            return ""
        size = "" if entry.size is None else format_size(entry.size)
        return ", ".join(filter(None, (size, _short(entry.digest) or entry.uri)))

    rows = [
        [_mark(each.kind), Cell(each.path), Cell(text(each.before)), Cell(text(each.after))] for each in found.artifacts
    ]
    return _before_after(rows, (Column("BEFORE", least=10), Column("AFTER", least=10)), terminal)


def _short(digest: str) -> str:
    kind, colon, value = digest.partition(":")
    return f"{kind}:{value[:_DIGEST_LENGTH]}" if colon else digest[: 2 * _DIGEST_LENGTH]


def _code_facts(found: RunDiff) -> list[str]:
    after = "" if found.code.of_work_tree else f" {str(found.code.after)[:12]}"
    return [f"git diff {str(found.code.before)[:12]}{after}"]


# -- JSON ------------------------------------------------------------------------------------------------------------


def json_shape(found: RunDiff, parts: Sequence[Part], paths: Sequence[str], directory: Path) -> dict[str, Any]:
    """What differs, as ``diff --json`` prints it: a list for each part asked for, of the code files and line counts."""
    shape: dict[str, Any] = {"before": _run_shape(found.before)}
    shape["after"] = None if found.after is None else _run_shape(found.after)
    makers: dict[Part, Callable[[], dict[str, Any]]] = {
        "env": lambda: {"environment": _plain(found.environment), "packages": _plain(found.packages)},
        "metrics": lambda: {"metrics": [_metric_shape(item) for item in found.metrics]},
        "inputs": lambda: {"inputs": [asdict(item) for item in found.inputs]},
        "artifacts": lambda: {"artifacts": [asdict(item) for item in found.artifacts]},
        "code": lambda: {"code": _code_shape(found, paths, directory)},
    }
    for part in parts:
        shape |= makers[part]() if part in makers else {part: _plain(getattr(found, part))}
    return shape | {"unknown": {part: why for part, why in found.unknown.items() if part in parts}}


def _run_shape(run: SavedRun) -> dict[str, Any]:
    return {"id": run.id, "name": run.name, "status": run.status.value}


def _plain(differences: Iterable[Difference]) -> list[Mapping[str, Any]]:
    return [asdict(item) | {"types": item.types} for item in differences]


def _metric_shape(item: MetricDifference) -> dict[str, Any]:
    return asdict(item) | {"direction": item.direction.value, "delta": item.delta, "better": item.better}


def _code_shape(found: RunDiff, paths: Sequence[str], directory: Path) -> dict[str, Any]:
    code = found.code
    shape: dict[str, Any] = {"before": code.before, "after": code.after, "work_tree": code.of_work_tree, "files": None}
    if not code.reason:
        counts = code.line_counts(paths, directory)
        shape["files"] = [
            {
                "status": change.status,
                "path": _text(change.path),
                "before": _text(change.before) or None,
                "lines_added": counts[change.path].added if change.path in counts else None,
                "lines_removed": counts[change.path].removed if change.path in counts else None,
            }
            for change in code.files_in(paths, directory)
        ]
    return shape


def _text(path: str) -> str:
    """A path in JSON: what is no UTF-8 as ``\\xNN``."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")

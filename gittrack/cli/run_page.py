"""The page that ``gittrack show`` prints: a section for each kind of fact, empty ones left out."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from gittrack.api.farewell import SPARKLINE_WIDTH, code_text, duration_of
from gittrack.cli.render import (
    ID_LENGTH,
    Cell,
    Column,
    facts_lines,
    plural,
    status_role,
    status_text,
    table,
    time_text,
)
from gittrack.cli.terminal import Role, Terminal
from gittrack.core.message import headline
from gittrack.core.models_toml import READY
from gittrack.core.names import display
from gittrack.core.sizes import format_size
from gittrack.core.sparkline import format_age, format_duration, format_number, sparkline
from gittrack.core.value_text import value_text
from gittrack.errors import CorruptRecordError, FormatError

if TYPE_CHECKING:
    from gittrack.api.elsewhere import LastSeen
    from gittrack.api.read import SavedRun

__all__ = ["run_page", "value_text"]

OUTPUT_LINES = 10
_LONG_AGO = 60_000
TRACEBACK_LINES = 20
LONGEST_VALUE = 200
"""Characters of a param shown on a terminal."""
_TOML_LIMIT = 1 << 20
_STATE_ROLES: dict[str, Role] = {"verified": "good", "modified": "warning", "missing": "warning", "unverified": "faint"}


def run_page(run: SavedRun, now: int, terminal: Terminal, seen: str = "") -> list[str]:
    """The lines of the page.

    Args:
        run: the run.
        now: ms since the epoch, for ages.
        terminal: where it is shown.
        seen: when a run that goes on elsewhere was heard of (:func:`seen_text`).
    """
    lines = [f"{terminal.paint(display(run.name), 'title')}  {terminal.paint(run.status, status_role(run.status))}"]
    lines += facts_lines({**_run_facts(run, now), "seen": seen}, terminal)
    for title, section in _sections(run, terminal):
        if section:
            lines += ["", terminal.paint(title, "title"), *section]
    return lines


def seen_text(run: SavedRun, found: LastSeen | None, now: int) -> str:
    """When a run that goes on elsewhere was heard of, and what to do; empty for any other run."""
    if found is None:
        return ""
    text = f"{format_age(now - found.seen)}, by a checkpoint at {found.remote or 'a remote'}"
    if found.may_be_dead:
        return f"{text}; it may be dead: gittrack recover {run.id[:ID_LENGTH]}"
    if found.asked is None or now - found.asked > _LONG_AGO:
        return f"{text}; what came since: gittrack fetch"
    return text


def _sections(run: SavedRun, terminal: Terminal) -> Iterator[tuple[str, list[str]]]:
    record = run.record
    yield "code", facts_lines(_code_facts(run), terminal)
    yield "left out of the snapshot", _left_out(run, terminal)
    yield "params", facts_lines(_params(record.params, terminal), terminal)
    yield "metrics", _metrics(run, terminal)
    yield "tags", facts_lines(dict(sorted(record.tags.items())), terminal)
    yield "note", [f"  {display(line)}" for line in record.note.splitlines()]
    yield "talk", _talk(run)
    yield "inputs", _inputs(run, terminal)
    yield "models", _models(run, terminal)
    yield "artifacts", _artifacts(run, terminal)
    yield "environment", facts_lines(_environment(run), terminal)
    for title, path, count in (
        ("output", "logs/output.txt", OUTPUT_LINES),
        ("traceback", "logs/traceback.txt", TRACEBACK_LINES),
        ("told while logging", "logs/errors.log", OUTPUT_LINES),
    ):
        yield _last_lines(run, title, path, count)
    yield "conflicts", _conflicts(run)
    yield "without gittrack", _git_commands(run)


def _talk(run: SavedRun) -> list[str]:
    """How a run stands in reviews, and how much was said of it."""
    from gittrack.core.reviews import reviews, standing

    verdict, said = standing(reviews(run.state)), len(run.state.sets.get("comment", ()))
    lines = [f"  {verdict}: gittrack review show {run.id[:ID_LENGTH]}"] if verdict else []
    return lines + ([f"  {plural(said, 'comment')}: gittrack comment {run.id[:ID_LENGTH]}"] if said else [])


def _params(params: Mapping[str, object], terminal: Terminal) -> dict[str, str]:
    """Names and values; on a terminal a long value is cut, and its length told: ``--json`` has it whole."""
    values = {name: value_text(value) for name, value in sorted(params.items())}
    if terminal.width is None:
        return values
    return {
        name: text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}… ({len(text)} characters)"
        for name, text in values.items()
    }


def _run_facts(run: SavedRun, now: int) -> dict[str, str]:
    record = run.record
    return {
        "id": run.id,
        "run commit": run.commit or "",
        "experiment": record.experiment.name,
        "status": status_text(run),
        "error": record.error,
        "problem": run.problem,
        "started": f"{time_text(record.start_time)} ({format_age(now - record.start_time)})",
        "duration": format_duration(duration_of(run.record, now)),
        "author": f"{record.author.name} <{record.author.email}>",
        "host": record.host,
        "command": shlex.join(record.command),
        "parent": str(record.parent or ""),
        "kind": "" if record.kind == "run" else record.kind,
        "seeds": ", ".join(f"{name} {seed}" for name, seed in sorted(record.seeds.items())),
        "deleted": f"yes; bring it back: gittrack restore {run.id[:ID_LENGTH]}" if run.deleted else "",
    }


def _code_facts(run: SavedRun) -> dict[str, str]:
    code = run.record.code
    return {
        "commit": code.commit or "",
        "state": code_text(code),
        "directory": code.directory,
        "remote": code.remote or "",
        "submodules": ", ".join(
            f"{module.path} at {module.commit[:ID_LENGTH]}{' (changed)' if module.dirty else ''}"
            for module in code.submodules
        ),
    }


def _left_out(run: SavedRun, terminal: Terminal) -> list[str]:
    rows = [[Cell(f"  {file.path}"), Cell(file.reason), Cell(_size(file.size))] for file in run.record.code.left_out]
    return (
        table([Column("  FILE", least=12), Column("WHY"), Column("SIZE", right=True)], rows, terminal) if rows else []
    )


def _metrics(run: SavedRun, terminal: Terminal) -> list[str]:
    metrics = run.record.metrics
    names = headline(metrics, len(metrics))
    rows = []
    for name in [*names, *sorted(metrics.keys() - set(names))]:
        summary = metrics[name]
        numbers = [format_number(value) for value in (summary.last, summary.min, summary.max, summary.mean)]
        trend = run.trends.get(name, ())
        curve = sparkline(trend, 2 * SPARKLINE_WIDTH) if len(trend) > 1 else ""
        rows.append([Cell(f"  {name}"), *map(Cell, numbers), Cell(str(summary.count)), Cell(curve)])
    titles = [Column(title, right=True) for title in ("LAST", "MIN", "MAX", "MEAN", "POINTS")]
    return table([Column("  NAME", least=12), *titles, Column("")], rows, terminal) if rows else []


def _inputs(run: SavedRun, terminal: Terminal) -> list[str]:
    rows = [
        [
            Cell(f"  {data.name}"),
            Cell(data.role),
            Cell(data.uri),
            Cell(_size(data.size)),
            Cell(data.state, _STATE_ROLES.get(data.state, "")),
            Cell(data.digest),
        ]
        for data in run.record.inputs
    ]
    columns = [
        Column("  NAME", least=12),
        Column("ROLE"),
        Column("FROM", least=12),
        Column("SIZE", right=True),
        Column("STATE"),
        Column("DIGEST", least=8),
    ]
    return table(columns, rows, terminal) if rows else []


def _models(run: SavedRun, terminal: Terminal) -> list[str]:
    """The models, oldest first; of several with one name the last is the one that the name means."""
    rows = [
        [
            Cell(f"  {model.name}"),
            Cell(f"{model.flavour}, {model.packaging}" if model.packaging else model.flavour),
            Cell(model.status, "good" if model.status == READY else "bad"),
            Cell(model.artifact),
            Cell(model.register_as),
        ]
        for model in run.models()
    ]
    columns = [
        Column("  NAME", least=12),
        Column("KIND", least=8),
        Column("STATUS"),
        Column("ARTIFACT", least=12),
        Column("REGISTER AS", least=8) if any(row[-1].text for row in rows) else Column(""),
    ]
    return table(columns, rows, terminal) if rows else []


def _artifacts(run: SavedRun, terminal: Terminal) -> list[str]:
    rows = [
        [Cell(f"  {entry.path}"), Cell(_size(entry.size)), Cell(entry.media_type), Cell(entry.digest)]
        for entry in run.record.artifacts
    ]
    columns = [
        Column("  PATH", least=12),
        Column("SIZE", right=True),
        Column("TYPE", least=8),
        Column("DIGEST", least=8),
    ]
    return table(columns, rows, terminal) if rows else []


def _environment(run: SavedRun) -> dict[str, str]:
    said = _table_in(run, "environment/environment.toml")
    machine = _table_in(run, "environment/hardware.toml")
    if "damaged" in said:
        return {"damaged": str(said["damaged"])}
    python, system = _part(said, "python"), _part(said, "platform")
    memory = _part(machine, "memory").get("bytes")
    packages = (run.file("environment/packages.txt") or b"").splitlines()
    gpus = machine.get("gpus", [])
    return {
        "python": " ".join(str(python.get(key, "")) for key in ("implementation", "version", "environment")).strip(),
        "system": ", ".join(str(system[key]) for key in ("distribution", "system", "machine") if key in system),
        "processor": str(_part(machine, "cpu").get("model", "")),
        "memory": format_size(memory) if isinstance(memory, int) else "",
        "gpus": ", ".join(str(gpu.get("name", "")) for gpu in gpus if isinstance(gpu, dict)) if gpus else "",
        "packages": plural(len(packages), "package") if packages else "",
    }


def _table_in(run: SavedRun, path: str) -> Mapping[str, Any]:
    from gittrack.core import toml

    data = run.file(path)
    try:
        return {} if data is None else toml.parse(data, limit=_TOML_LIMIT, what=path)
    except FormatError as error:
        return {"damaged": error.message}


def _part(whole: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = whole.get(name, {})
    return part if isinstance(part, dict) else {}


def _last_lines(run: SavedRun, title: str, path: str, count: int) -> tuple[str, list[str]]:
    try:
        data = run.file(path) or b""
    except CorruptRecordError as error:  # larger than readers take, or damaged: the rest of the page is none the worse
        return title, [f"  cannot be shown: {display(error.message)}", f"  git show {run.commit}:{path}"]
    lines = data.decode("utf-8", "replace").rstrip("\n").split("\n")
    # What a progress bar wrote over is not shown: only what follows the last carriage return.
    shown = [f"  {display(line.rstrip(chr(13)).rpartition(chr(13))[2])}" for line in lines[-count:]]
    if lines == [""]:
        return title, []
    return (f"{title} (last {count} of {len(lines)} lines)" if len(lines) > count else title), shown


def _conflicts(run: SavedRun) -> list[str]:
    lines = [f"  commit {commit} also says it is this run" for commit in run.conflicts]
    for kind, key in run.state.conflicts:
        what = f"{kind} '{display(key)}'" if key else kind
        lines.append(f"  {what} was set by several people at once: gittrack log {run.id[:ID_LENGTH]}")
    return lines


def _git_commands(run: SavedRun) -> list[str]:
    if run.commit is None:
        return []
    short = run.commit[:12]
    lines = [f"  git show {short}:params.toml", f"  git ls-tree -r {short}"]
    code = run.record.code
    if code.commit is not None and code.head is not None:
        lines.append(f"  git diff {short}^ HEAD")
    elif code.commit is not None:  # begun before the repository's first commit: there may be no HEAD to compare with
        lines.append(f"  git show {short}^")
    return lines


def _size(size: int | None) -> str:
    return "" if size is None else format_size(size)

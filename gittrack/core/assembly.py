"""From the journals of a live run to the body of its commit.

A pure function of what was logged: the same journals give the same body, hence the same commit, whether the run ended
in order, is finished after a crash, or is made again because git lost an object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from heapq import merge
from typing import Any, NamedTuple, TypeVar

from gittrack.core.ids import ObjectId, parse_experiment_id, parse_run_id
from gittrack.core.journal import JournalContents
from gittrack.core.models_toml import change_model, model_from_table, model_table
from gittrack.core.records import (
    ArtifactEntry,
    CodeState,
    ExperimentRef,
    Input,
    LeftOut,
    ParamValue,
    Person,
    RunRecord,
    RunStatus,
    Series,
    SubmoduleState,
)
from gittrack.core.run_toml import LATEST, RECOVERED_FROM
from gittrack.core.run_tree import RunBody, with_summaries
from gittrack.errors import CorruptRecordError

Operation = Mapping[str, Any]
R = TypeVar("R", Input, ArtifactEntry, Person, CodeState)
OUTPUT_LOG, ERRORS_LOG, TRACEBACK_LOG = "output.txt", "errors.log", "traceback.txt"


@dataclass(slots=True, eq=False, repr=False)
class _State:
    """What the operations so far add up to."""

    start: Operation | None = None
    end: Operation | None = None
    params: dict[str, ParamValue] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    seeds: dict[str, int] = field(default_factory=dict)
    inputs: dict[tuple[str, str, str], Input] = field(default_factory=dict)
    artifacts: dict[str, ArtifactEntry] = field(default_factory=dict)
    contents: dict[str, bytes | ObjectId] = field(default_factory=dict)
    logs: dict[str, list[bytes]] = field(default_factory=dict)
    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    points: dict[str, Series] = field(default_factory=dict)
    dvc_remote: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    note: str = ""
    experiment: Mapping[str, str] = field(default_factory=dict)
    last_time: int = 0


def code_operation(code: CodeState) -> dict[str, Any]:
    """A code state as a journal keeps it."""
    table = {name.name: getattr(code, name.name) for name in fields(CodeState)}
    table["left_out"] = [[x.path, x.reason, x.size] for x in code.left_out]
    table["submodules"] = [[x.path, x.commit, x.dirty] for x in code.submodules]
    return table


def _fields(cls: type[R], table: Mapping[str, Any]) -> R:
    """A record out of a journal; fields that only a newer version knows are left out."""
    known = {name.name for name in fields(cls)}
    return cls(**{key: value for key, value in table.items() if key in known})


def _code(table: Operation) -> CodeState:
    parts = {
        "left_out": tuple(LeftOut(*row[:3]) for row in table["left_out"]),
        "submodules": tuple(SubmoduleState(*row[:3]) for row in table["submodules"]),
    }
    return _fields(CodeState, {**table, **parts})


def _input_key(item: Input) -> tuple[str, str, str]:
    """What makes an input one: two data sets of one name, or one read twice in two roles, are several."""
    return (item.name, item.role, item.digest)


def start_operation(journals: Iterable[JournalContents]) -> Operation:
    """The operation that began the run.

    Raises:
        CorruptRecordError: no journal holds one.
    """
    for journal in journals:
        for operation in journal.operations:
            if operation["op"] == "start":
                return operation
    raise CorruptRecordError("the live run has no readable start", hint="gittrack doctor")


def has_ended(journals: Iterable[JournalContents]) -> bool:
    """Whether the run said how it ended."""
    return any(operation["op"] == "end" for journal in journals for operation in journal.operations)


def resumed_commit(journals: Iterable[JournalContents]) -> ObjectId | None:
    """The commit of the finished run that these journals continue, or None."""
    commit: ObjectId | None = start_operation(journals).get("resumes")
    return commit


def assemble(journals: Sequence[JournalContents], earlier: RunBody | None = None) -> RunBody:
    """The body of a run, with summaries.

    One run that cannot be assembled must not keep a command from all others: whatever is odd in it is one error.

    Args:
        journals: what each writing process logged, in the order of their names.
        earlier: the body of the commit that a resumed run continues.

    Returns:
        The body. Its status is what the run said at its end, ``crashed`` when it said nothing.

    Raises:
        CorruptRecordError: no journal holds the run's start.
    """
    try:
        return _assembled(journals, earlier)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        text = f"the journals hold something that this gittrack cannot read: {type(error).__name__}: {error}"
        raise CorruptRecordError(text, hint="pip install --upgrade gittrack") from error


def _assembled(journals: Sequence[JournalContents], earlier: RunBody | None) -> RunBody:
    state = _State()
    if earlier is not None:
        _carry_over(state, earlier)
    for *_, operation in _in_order(journals):
        _apply(state, operation)
    series = _series(journals, state, earlier)
    if state.start is None:
        raise CorruptRecordError("the live run has no readable start", hint="gittrack doctor")
    record = _record(state, state.start, earlier, series)
    return with_summaries(
        RunBody(
            record=record,
            series=series,
            environment=_environment(state.start, earlier),
            logs={name: b"".join(pieces) for name, pieces in state.logs.items()},
            contents=state.contents,
            kept={} if earlier is None else earlier.kept,
            dvc_remote=state.dvc_remote,
        )
    )


def _in_order(journals: Sequence[JournalContents]) -> Iterable[tuple[int, int, int, Operation]]:
    """The operations of all journals by time, each journal's own order kept."""
    return merge(*(_timed(journal, rank) for rank, journal in enumerate(journals)), key=lambda row: row[:3])


def _timed(journal: JournalContents, rank: int) -> list[tuple[int, int, int, Operation]]:
    """Operations with their sort keys; times within one journal never go back, whatever the clock did."""
    rows: list[tuple[int, int, int, Operation]] = []
    latest = 0
    for index, operation in enumerate(journal.operations):
        latest = max(latest, operation.get("t", 0))
        rows.append((latest, rank, index, operation))
    return rows


def _carry_over(state: _State, earlier: RunBody) -> None:
    record = earlier.record
    state.params.update(record.params)
    state.seeds.update(record.seeds)
    state.inputs.update({_input_key(item): item for item in record.inputs})
    state.artifacts.update({entry.path: entry for entry in record.artifacts})
    state.contents.update(earlier.contents)
    state.models.update({model.id: model_table(model) for model in record.models})
    state.dvc_remote = earlier.dvc_remote
    state.logs.update({name: [data] for name, data in earlier.logs.items()})


def _apply(state: _State, operation: Operation) -> None:
    kind = operation["op"]
    state.last_time = max(state.last_time, operation.get("t", 0))
    if kind == "start":
        state.start = operation
        state.name, state.note = operation["name"], operation.get("note", "")
        state.experiment = operation["experiment"]
    elif kind == "end":
        state.end = operation
        if operation.get("traceback"):
            state.logs.setdefault(TRACEBACK_LOG, []).append(operation["traceback"].encode())
    elif kind == "param":
        state.params[operation["name"]] = operation["value"]
    elif kind in ("name", "note", "experiment", "dvc_remote"):
        setattr(state, kind, operation["value"])
    elif kind == "seed":
        state.seeds.update(operation["seeds"])
    elif kind == "log":
        state.logs.setdefault(operation["name"], []).append(operation["content"])
    elif kind in _CHANGES:
        _CHANGES[kind](state, operation)


def _set_tag(state: _State, operation: Operation) -> None:
    if operation["value"] is None:
        state.tags.pop(operation["key"], None)
    else:
        state.tags[operation["key"]] = operation["value"]


def _add_input(state: _State, operation: Operation) -> None:
    item = _fields(Input, operation["input"])
    state.inputs[_input_key(item)] = item


def _change_model(state: _State, operation: Operation) -> None:
    table = operation["model"]
    change_model(state.models.setdefault(table["id"], {"created": operation["t"]}), table)


def _add_artifact(state: _State, operation: Operation) -> None:
    entry = _fields(ArtifactEntry, operation["artifact"])
    state.artifacts[entry.path] = entry
    state.contents.pop(entry.path, None)
    if entry.storage == "inline":
        state.contents[entry.path] = operation["content"]


def _add_point(state: _State, operation: Operation) -> None:
    series = state.points.setdefault(operation["name"], Series())
    series.steps.append(operation["step"])
    series.timestamps.append(operation["time"])
    series.values.append(operation["value"])
    series.models.append(operation["model"])
    series.data.append(operation["data"])


_CHANGES: Mapping[str, Callable[[_State, Operation], None]] = {
    "tag": _set_tag,
    "input": _add_input,
    "artifact": _add_artifact,
    "model": _change_model,
    "point": _add_point,
}


def _series(journals: Sequence[JournalContents], state: _State, earlier: RunBody | None) -> dict[str, Series]:
    parts: dict[str, list[Series]] = {}
    for source in [*(journal.series for journal in journals), state.points]:
        for name, series in source.items():
            if len(series):
                parts.setdefault(name, []).append(series)
    joined = {name: _joined(pieces) for name, pieces in parts.items()}
    if earlier is None:
        return joined
    for name, series in earlier.series.items():
        joined[name] = _appended(series, joined[name]) if name in joined else series
    return joined


def _joined(pieces: list[Series]) -> Series:
    """One series of what several processes logged, by time; each process's own order is kept."""
    if len(pieces) == 1:
        return pieces[0]
    result = Series()
    about = any(piece.models or piece.data for piece in pieces)
    for row in merge(*(_rows(piece, rank) for rank, piece in enumerate(pieces)), key=lambda row: row[:3]):
        result.steps.append(row[3])
        result.timestamps.append(row[4])
        result.values.append(row[5])
        if about:
            result.models.append(row[6])
            result.data.append(row[7])
    return result


def _rows(piece: Series, rank: int) -> Iterable[tuple[int, int, int, int, int, float, str, str]]:
    latest = 0
    for index, (step, time, value) in enumerate(zip(piece.steps, piece.timestamps, piece.values, strict=True)):
        latest = max(latest, time)
        model = piece.models[index] if index < len(piece.models) else ""
        data = piece.data[index] if index < len(piece.data) else ""
        yield latest, rank, index, step, time, value, model, data


def _appended(first: Series, second: Series) -> Series:
    about = bool(first.models or first.data or second.models or second.data)
    return Series(
        first.steps + second.steps,
        first.timestamps + second.timestamps,
        first.values + second.values,
        _column(first.models, len(first)) + _column(second.models, len(second)) if about else [],
        _column(first.data, len(first)) + _column(second.data, len(second)) if about else [],
    )


def _column(cells: list[str], length: int) -> list[str]:
    return cells + [""] * (length - len(cells))


def _environment(start: Operation, earlier: RunBody | None) -> dict[str, bytes]:
    captured = {name: text.encode() for name, text in start.get("environment", {}).items()}
    return {**({} if earlier is None else earlier.environment), **captured}


def _record(state: _State, start: Operation, earlier: RunBody | None, series: Mapping[str, Series]) -> RunRecord:
    end = state.end or {}
    last_point = max((max(points.timestamps) for points in series.values()), default=0)
    status = RunStatus(end["status"]) if end else RunStatus.CRASHED
    record = RunRecord(
        id=parse_run_id(start["id"]),
        name=state.name,
        experiment=ExperimentRef(parse_experiment_id(state.experiment["id"]), state.experiment["name"]),
        status=status,
        start_time=start["t"],
        end_time=end["t"] if end else min(max(state.last_time, last_point), LATEST),
        author=_fields(Person, start["author"]),
        code=_code(start["code"]),
        host=start.get("host", ""),
        command=tuple(start.get("command", ())),
        entry=start.get("entry", ""),
        exit_code=end.get("exit_code"),
        error=end.get("error", "") if end else "the process died without ending the run",
        parent=None if start.get("parent") is None else parse_run_id(start["parent"]),
        kind=start.get("kind", "run"),
        note=state.note,
        seeds=state.seeds,
        params=state.params,
        tags=state.tags,
        inputs=tuple(state.inputs.values()),
        artifacts=tuple(state.artifacts.values()),
        # The record that named it may be lost: nothing can be said of a model without a name.
        models=tuple(model_from_table(table) for table in state.models.values() if "name" in table),
    )
    if earlier is None:
        return record
    # Name, note and tags stay what the earlier commit says; what the resumption set becomes events, so that events
    # about the earlier commit keep their meaning (docs/format.md, "Resume").
    before = earlier.record
    return replace(
        record,
        name=before.name,
        note=before.note,
        tags=before.tags,
        start_time=before.start_time,
        experiment=before.experiment,
        parent=before.parent,
        kind=before.kind,
        extra={key: value for key, value in before.extra.items() if key != RECOVERED_FROM},
    )


class Change(NamedTuple):
    """A tag, the name or the note that a resumption set: the new value (None: removed) and when, ms since the epoch."""

    value: str | None
    time: int


def resumption_changes(journals: Sequence[JournalContents]) -> dict[tuple[str, str], Change]:
    """What a resumption set that belongs into events, by (kind, key)."""
    changes: dict[tuple[str, str], Change] = {}
    for time, _, _, operation in _in_order(journals):
        if operation["op"] == "tag":
            changes["tag", operation["key"]] = Change(operation["value"], time)
        elif operation["op"] in ("name", "note"):
            changes[operation["op"], ""] = Change(operation["value"], time)
    return changes

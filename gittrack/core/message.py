"""The message of a run commit: a subject for people, one line of JSON for listings, trailers for git.

The JSON is derived from the tree, so that a list of runs costs one object per run. ``show``, ``verify`` and gates read
the tree; ``fsck`` compares the two.
"""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from typing import Any

from gittrack.core.ids import parse_experiment_id, parse_object_id, parse_run_id
from gittrack.core.names import one_line
from gittrack.core.params import stored_integer
from gittrack.core.records import FORMAT_VERSION, CodeState, ExperimentRef, Person, RunRecord, RunStatus, Series
from gittrack.core.run_toml import EARLIEST, LATEST
from gittrack.core.series import trend
from gittrack.core.summary_toml import decode_summary
from gittrack.core.toml import MAX_DEPTH, as_flag, as_integer, as_table, as_text, check_values, stored_moment
from gittrack.errors import CorruptRecordError, GittrackError
from gittrack.frozen import dataclass

MAX_JSON = 64 << 10
"""Bytes of JSON beyond which it is left out, and listings read the tree."""
SUBJECT_WIDTH = 100
HEADLINE = 3
_NO_JSON = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
"""Numbers that JSON has not. One object each, so that a record that holds them equals another."""


@dataclass(frozen=True, slots=True)
class ListedRun:
    """A run as its commit message tells it: enough to list, sort and draw a sparkline.

    ``trends`` maps a metric to at most 16 of its values in step order.
    """

    record: RunRecord
    trends: Mapping[str, Sequence[float]] = field(default_factory=dict)


def encode_message(record: RunRecord, series: Mapping[str, Series]) -> str:
    """The message of a run commit.

    Args:
        record: the run with its summaries.
        series: its points, for the trends.
    """
    blocks = [_subject(record)]
    document = document_text(record, {name: trend(points) for name, points in series.items()})
    if len(document.encode()) <= MAX_JSON:
        blocks.append(document)
    experiment = one_line(record.experiment.name)
    trailers = [f"Run-Id: {record.id}", f"Experiment: {experiment}", f"Status: {record.status}"]
    if record.parent is not None:
        trailers.append(f"Parent-Run: {record.parent}")
    blocks.append("\n".join(trailers))
    return "\n\n".join(blocks) + "\n"


def document_text(record: RunRecord, trends: Mapping[str, Sequence[float]]) -> str:
    """What a listing needs of a run, as one line of JSON.

    Args:
        record: the run with its summaries.
        trends: metric -> at most 16 of its values in step order.
    """
    return json.dumps(_document(record, trends), ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def decode_document(text: str) -> ListedRun:
    """Read what :func:`document_text` wrote; not for what strangers wrote."""
    return _listed(json.loads(text))


def document_in(message: str) -> str:
    """The JSON of a run commit's message, as it stands there; of one that :func:`decode_message` reads."""
    return message.split("\n\n", 2)[1]


def experiment_in(message: str) -> str:
    """The name of the experiment as the trailers of a run commit's message say it, on one line; empty when they do not.

    For people to read, at no cost; what counts is what :func:`decode_message` gives, or the tree.
    """
    mark = "\nExperiment: "
    start = message.rfind(mark)
    return "" if start < 0 else message[start + len(mark) :].partition("\n")[0]


def _subject(record: RunRecord) -> str:
    shown = [f"{name} {record.metrics[name].last:.4g}" for name in headline(record.metrics)]
    text = f"{record.name} ({record.experiment.name})"
    if record.status is not RunStatus.FINISHED:
        text += f" {record.status}"
    if shown:
        text += ": " + ", ".join(shown)
    flat = one_line(text)
    return flat if len(flat) <= SUBJECT_WIDTH else flat[: SUBJECT_WIDTH - 1] + "…"


def headline(metrics: Mapping[str, Any], count: int = HEADLINE) -> list[str]:
    """The metrics to show first: those not of the system, shortest path first, then by name.

    Args:
        metrics: mapping with metric names as keys.
        count: how many at most.
    """
    names = [name for name in metrics if not name.startswith("system/")]
    return sorted(names, key=lambda name: (name.count("/"), name))[:count]


def _document(record: RunRecord, trends: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    code = record.code
    attributes = {
        "name": record.name,
        "experiment_id": record.experiment.id,
        "experiment": record.experiment.name,
        "kind": record.kind,
        "status": record.status.value,
        "start_time": record.start_time,
        "end_time": record.end_time,
        "author": record.author.name,
        "email": record.author.email,
        "host": record.host,
        "entry": record.entry,
        "exit_code": record.exit_code,
        "error": record.error,
        "parent": record.parent,
        "note": record.note,
        "commit": code.commit,
        "head": code.head,
        "branch": code.branch,
        "dirty": code.dirty,
    }
    summary = {
        name: {
            "last": value.last,
            "min": value.min,
            "max": value.max,
            "mean": value.mean,
            "count": value.count,
            "first_step": value.first_step,
            "last_step": value.last_step,
            "trend": [float(f"{v:.4g}") for v in trends.get(name, ())],
        }
        for name, value in sorted(record.metrics.items())
    }
    document = {
        "schema": FORMAT_VERSION,
        "id": record.id,
        "attributes": {k: v for k, v in attributes.items() if v not in (None, "")},
        "params": {name: _plain(value) for name, value in sorted(record.params.items())},
        "tags": dict(sorted(record.tags.items())),
        "summary": _plain(summary),
    }
    numbers = [name for name, value in sorted(record.params.items()) if _is_no_json(value)]
    return document | ({"numbers": numbers} if numbers else {})


def _is_no_json(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _plain(value: Any) -> Any:
    """``value`` as strict JSON, as the tree will state it: NaN, infinities and large integers as texts."""
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int):
        return stored_integer(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, datetime.datetime):
        value = stored_moment(value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def decode_message(message: str) -> ListedRun | None:
    """Read a run commit's message.

    Returns:
        The run as listed, or None when the message holds no JSON of a version this one reads: then the tree tells.

    Raises:
        CorruptRecordError: there is such JSON, and it is damaged, too long or too deep.
    """
    blocks = message.split("\n\n", 2)
    if len(blocks) < 3 or not blocks[1].startswith('{"schema":'):
        return None
    try:
        document = _document_in(blocks[1])
        if document["schema"] > FORMAT_VERSION:
            return None
        return _listed(document)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError, GittrackError) as error:
        raise CorruptRecordError(f"a run's message is damaged: {error}", hint="gittrack fsck") from error


def _document_in(line: str) -> Mapping[str, Any]:
    """The JSON of a message, as strict as we write it: what strangers wrote is shown to people and written as JSON."""
    if len(line.encode()) > MAX_JSON:
        raise ValueError(f"its JSON is longer than {MAX_JSON} bytes")
    document = as_table(json.loads(line, parse_constant=_no_number))
    check_values(document, MAX_DEPTH, "a run's message")
    if "\\u" in line:  # an escape may stand for half a character, which no file and no terminal takes
        json.dumps(document, ensure_ascii=False).encode()
    return document


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no JSON")


def _listed(document: Mapping[str, Any]) -> ListedRun:
    said = as_table(document["attributes"])
    commit, head, parent, branch = (said.get(name) for name in ("commit", "head", "parent", "branch"))
    end, exit_code = said.get("end_time"), said.get("exit_code")
    summary = {name: as_table(table) for name, table in as_table(document["summary"]).items()}
    record = RunRecord(
        id=parse_run_id(as_text(document["id"])),
        name=as_text(said["name"]),
        experiment=ExperimentRef(parse_experiment_id(as_text(said["experiment_id"])), as_text(said["experiment"])),
        status=RunStatus(said["status"]),
        start_time=_time(said["start_time"]),
        end_time=None if end is None else _time(end),
        author=Person(as_text(said.get("author", "")), as_text(said.get("email", ""))),
        code=CodeState(
            commit=None if commit is None else parse_object_id(as_text(commit)),
            head=None if head is None else parse_object_id(as_text(head)),
            branch=None if branch is None else as_text(branch),
            dirty=as_flag(said.get("dirty", False)),
        ),
        host=as_text(said.get("host", "")),
        entry=as_text(said.get("entry", "")),
        exit_code=None if exit_code is None else as_integer(exit_code),
        error=as_text(said.get("error", "")),
        parent=None if parent is None else parse_run_id(as_text(parent)),
        kind=as_text(said["kind"]),
        note=as_text(said.get("note", "")),
        params=_params(document),
        tags={key: as_text(value) for key, value in as_table(document["tags"]).items()},
        metrics={name: decode_summary(table) for name, table in summary.items()},
    )
    return ListedRun(record, {name: [float(v) for v in table.get("trend", [])] for name, table in summary.items()})


def _params(document: Mapping[str, Any]) -> dict[str, Any]:
    """The params; those that ``numbers`` names are no texts but numbers that JSON has not."""
    params = dict(as_table(document["params"]))
    for name in document.get("numbers", ()):
        params[name] = _NO_JSON[params[name]]
    return params


def _time(value: object) -> int:
    """A time in ms since the epoch that a calendar has."""
    time = as_integer(value)
    if not EARLIEST <= time <= LATEST:
        raise ValueError(f"{str(time)[:40]} is a time outside the years 1 to 9999")
    return time


def listed_form(record: RunRecord) -> RunRecord:
    """The record cut down to what a message tells, so that ``fsck`` can compare message and tree."""
    return replace(
        record,
        command=(),
        seeds={},
        inputs=(),
        artifacts=(),
        models=(),
        extra={},
        params={name: _listed_param(value) for name, value in record.params.items()},
        code=CodeState(record.code.commit, record.code.head, record.code.branch, record.code.dirty),
    )


def _listed_param(value: Any) -> Any:
    plain = _plain(value)
    return _NO_JSON[plain] if _is_no_json(value) else plain

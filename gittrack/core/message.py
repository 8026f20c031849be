"""The message of a run commit: a subject for people, one line of JSON for listings, trailers for git.

The JSON is derived from the tree, so that a list of runs costs one object per run. ``show``, ``verify`` and gates read
the tree; ``fsck`` compares the two.
"""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gittrack.core.ids import parse_experiment_id, parse_object_id, parse_run_id
from gittrack.core.names import display
from gittrack.core.params import stored_integer
from gittrack.core.records import FORMAT_VERSION, CodeState, ExperimentRef, Person, RunRecord, RunStatus, Series
from gittrack.core.run_tree import decode_summary
from gittrack.core.series import trend
from gittrack.core.toml import stored_moment
from gittrack.errors import CorruptRecordError, GittrackError

MAX_JSON = 64 << 10
"""Bytes of JSON beyond which it is left out, and listings read the tree."""
SUBJECT_WIDTH = 100
HEADLINE = 3


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
    document = json.dumps(_document(record, series), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    if len(document.encode()) <= MAX_JSON:
        blocks.append(document)
    experiment = _one_line(record.experiment.name)
    trailers = [f"Run-Id: {record.id}", f"Experiment: {experiment}", f"Status: {record.status}"]
    if record.parent is not None:
        trailers.append(f"Parent-Run: {record.parent}")
    blocks.append("\n".join(trailers))
    return "\n\n".join(blocks) + "\n"


def _subject(record: RunRecord) -> str:
    shown = [f"{name} {record.metrics[name].last:.4g}" for name in headline(record.metrics)]
    text = f"{record.name} ({record.experiment.name})"
    if record.status is not RunStatus.FINISHED:
        text += f" {record.status}"
    if shown:
        text += ": " + ", ".join(shown)
    flat = _one_line(text)
    return flat if len(flat) <= SUBJECT_WIDTH else flat[: SUBJECT_WIDTH - 1] + "…"


def _one_line(text: str) -> str:
    # Git refuses NUL in a message, a blank line would end the block, and an escape sequence would reach terminals.
    return display(" ".join(text.split()))


def headline(metrics: Mapping[str, Any], count: int = HEADLINE) -> list[str]:
    """The metrics to show first: those not of the system, shortest path first, then by name.

    Args:
        metrics: mapping with metric names as keys.
        count: how many at most.
    """
    names = [name for name in metrics if not name.startswith("system/")]
    return sorted(names, key=lambda name: (name.count("/"), name))[:count]


def _document(record: RunRecord, series: Mapping[str, Series]) -> dict[str, Any]:
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
            "trend": [float(f"{v:.4g}") for v in trend(series[name])] if name in series else [],
        }
        for name, value in sorted(record.metrics.items())
    }
    return {
        "schema": FORMAT_VERSION,
        "id": record.id,
        "attributes": {k: v for k, v in attributes.items() if v not in (None, "")},
        "params": {name: _plain(value) for name, value in sorted(record.params.items())},
        "tags": dict(sorted(record.tags.items())),
        "summary": _plain(summary),
    }


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
        CorruptRecordError: there is such JSON, and it is damaged.
    """
    blocks = message.split("\n\n", 2)
    if len(blocks) < 3 or not blocks[1].startswith('{"schema":'):
        return None
    try:
        document = json.loads(blocks[1])
        if document["schema"] > FORMAT_VERSION:
            return None
        return _listed(document)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError, GittrackError) as error:
        raise CorruptRecordError(f"a run's message is damaged: {error}", hint="gittrack fsck") from error


def _listed(document: Mapping[str, Any]) -> ListedRun:
    said = document["attributes"]
    commit, head, parent = said.get("commit"), said.get("head"), said.get("parent")
    summary, params = document["summary"], document["params"]
    branch, exit_code = said.get("branch"), said.get("exit_code")
    if not isinstance(params, dict) or not isinstance(branch, str | None) or not isinstance(exit_code, int | None):
        raise TypeError("a field has another type")
    record = RunRecord(
        id=parse_run_id(document["id"]),
        name=str(said["name"]),
        experiment=ExperimentRef(parse_experiment_id(said["experiment_id"]), str(said["experiment"])),
        status=RunStatus(said["status"]),
        start_time=int(said["start_time"]),
        end_time=None if said.get("end_time") is None else int(said["end_time"]),
        author=Person(str(said.get("author", "")), str(said.get("email", ""))),
        code=CodeState(
            commit=None if commit is None else parse_object_id(commit),
            head=None if head is None else parse_object_id(head),
            branch=branch,
            dirty=bool(said.get("dirty", False)),
        ),
        host=str(said.get("host", "")),
        entry=str(said.get("entry", "")),
        exit_code=exit_code,
        error=str(said.get("error", "")),
        parent=None if parent is None else parse_run_id(parent),
        kind=str(said["kind"]),
        note=str(said.get("note", "")),
        params=params,
        tags={str(key): str(value) for key, value in document["tags"].items()},
        metrics={str(name): decode_summary(table) for name, table in summary.items()},
    )
    return ListedRun(record, {name: [float(v) for v in table.get("trend", [])] for name, table in summary.items()})


def listed_form(record: RunRecord) -> RunRecord:
    """The record cut down to what a message tells, so that ``fsck`` can compare message and tree."""
    return replace(
        record,
        command=(),
        seeds={},
        inputs=(),
        artifacts=(),
        extra={},
        params={name: _plain(value) for name, value in record.params.items()},
        code=CodeState(record.code.commit, record.code.head, record.code.branch, record.code.dirty),
    )

"""Ledgers: the root that names one, and the batch table of each later commit.

``batch.tsv``: a first line ``gittrack-batch<TAB>1``, then ``kind<TAB>id<TAB>commit`` rows, sorted, one per run or
event. Every commit named must be a parent of the ledger commit; a row that names another is refused, so a batch cannot
speak of what it does not carry.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from gittrack.core.format_version import check_version
from gittrack.core.ids import ObjectId, parse_event_id, parse_object_id, parse_run_id
from gittrack.core.names import one_line
from gittrack.core.records import FORMAT_VERSION
from gittrack.errors import CorruptRecordError, GittrackError

MAX_BATCH = 250
LEDGER_FILE = "ledger.toml"
BATCH_FILE = "batch.tsv"
_MARK = "gittrack-batch"

BatchKind = Literal["run", "event"]


@dataclass(frozen=True, slots=True, order=True)
class BatchRow:
    """One row of a batch: a run or an event, its id, and the commit that holds it."""

    kind: BatchKind
    id: str
    commit: ObjectId


def encode_batch(rows: Sequence[BatchRow]) -> bytes:
    """The bytes of ``batch.tsv``; rows are sorted, so the same batch gives the same bytes."""
    lines = [f"{row.kind}\t{row.id}\t{row.commit}" for row in sorted(rows)]
    return "\n".join([f"{_MARK}\t{FORMAT_VERSION}", *lines, ""]).encode()


def decode_batch(data: bytes, parents: Collection[ObjectId]) -> list[BatchRow]:
    """Read ``batch.tsv``.

    Args:
        data: the file.
        parents: the ledger commit's parents.

    Returns:
        The rows of kinds this version knows; others are left to newer versions.

    Raises:
        UnsupportedFormatError: a newer format.
        CorruptRecordError: damaged, too long, or naming a commit that is no parent.
    """
    try:
        first, *lines = data.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise CorruptRecordError("batch.tsv is damaged: not ASCII", hint="gittrack fsck") from error
    mark, _, version = first.partition("\t")
    if mark != _MARK or not version.isdigit() or len(version) > 9:
        raise CorruptRecordError("batch.tsv is damaged: no format version", hint="gittrack fsck")
    check_version(int(version), "a ledger")
    if not lines or lines[-1] != "" or len(lines) - 1 > MAX_BATCH:
        raise CorruptRecordError("batch.tsv is damaged: cut, or too many rows", hint="gittrack fsck")
    return [row for line in lines[:-1] if (row := _row(line, parents)) is not None]


def _row(line: str, parents: Collection[ObjectId]) -> BatchRow | None:
    cells = line.split("\t")
    if len(cells) != 3:
        raise CorruptRecordError("batch.tsv is damaged: a row has not three cells", hint="gittrack fsck")
    kind, id, commit = cells
    try:
        row_commit = parse_object_id(commit)
        if kind == "run":
            row = BatchRow("run", parse_run_id(id), row_commit)
        elif kind == "event":
            row = BatchRow("event", parse_event_id(id), row_commit)
        else:
            return None
    except GittrackError as error:
        raise CorruptRecordError(f"batch.tsv is damaged: {error}", hint="gittrack fsck") from error
    if row_commit not in parents:
        raise CorruptRecordError(f"batch.tsv names '{commit}', which is no parent", hint="gittrack fsck")
    return row


MANY_PARENTS = 16
"""A batch with more parents is not left at the tip of a ledger."""
TIP_SUBJECT = "tip"
"""The subject of an empty batch."""


def batch_subject(run_experiments: Sequence[str], events: int) -> str:
    """The subject of a ledger commit, for people: ``12 runs: churn/xgb, churn/rf; 3 events``.

    Args:
        run_experiments: the experiment name of each run in the batch.
        events: how many events are in it.
    """
    parts = []
    if run_experiments:
        names = sorted(set(run_experiments))
        shown = ", ".join(one_line(name)[:40] for name in names[:3]) + (", …" if len(names) > 3 else "")
        parts.append(f"{_plural(len(run_experiments), 'run')}: {shown}")
    if events:
        parts.append(_plural(events, "event"))
    return "; ".join(parts)


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"

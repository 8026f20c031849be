"""``run.toml``: the facts of a run, record ⇄ bytes.

The first line is ``format = 1``, then sorted keys. A reader looks at that line before it parses anything; keys it does
not know it keeps (``RunRecord.extra``) and writes back.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence
from typing import Any

from gittrack.core import toml
from gittrack.core.format_version import check_version
from gittrack.core.ids import ObjectId, parse_experiment_id, parse_object_id, parse_run_id
from gittrack.core.records import (
    FORMAT_VERSION,
    CodeState,
    ExperimentRef,
    LeftOut,
    Person,
    RunRecord,
    RunStatus,
    SubmoduleState,
)
from gittrack.core.toml import as_flag, as_integer, as_rows, as_size, as_table, as_text, as_texts
from gittrack.errors import CorruptRecordError, GittrackError

_VERSION = re.compile(rb"format = ([0-9]{1,9})\n")
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MILLISECOND = datetime.timedelta(milliseconds=1)
LATEST = 253_402_300_799_999
"""9999-12-31T23:59:59.999Z in ms since the epoch, the end of what TOML can write."""
EARLIEST = -62_135_596_800_000
"""0001-01-01T00:00:00Z, its beginning."""


def moment(milliseconds: int) -> datetime.datetime:
    """A time in ms since the epoch as the UTC moment TOML writes; clamped to the years 1 to 9999."""
    return _EPOCH + _MILLISECOND * min(max(milliseconds, EARLIEST), LATEST)


def milliseconds(when: datetime.datetime) -> int:
    """A moment as ms since the epoch; one without a zone is read as UTC."""
    return ((when if when.tzinfo else when.replace(tzinfo=datetime.UTC)) - _EPOCH) // _MILLISECOND


def with_version(body: bytes) -> bytes:
    """Put the format version before a TOML document."""
    return b"format = %d\n" % FORMAT_VERSION + body


def strip_version(data: bytes, what: str) -> bytes:
    """Check the first line and return the rest.

    Raises:
        CorruptRecordError: the first line is not ``format = N``.
        UnsupportedFormatError: N is newer than this version reads.
    """
    match = _VERSION.match(data)
    if match is None:
        raise CorruptRecordError(f"{what} is damaged: its first line is not 'format = N'", hint="gittrack fsck")
    check_version(int(match[1]), what)
    return data[match.end() :]


def encode_run(record: RunRecord, params_none: Sequence[str]) -> bytes:
    """The bytes of ``run.toml``.

    Args:
        record: the run.
        params_none: names of the params that are None, since TOML has no null.
    """
    table: dict[str, Any] = dict(record.extra)
    table |= {
        "id": record.id,
        "name": record.name,
        "kind": record.kind,
        "status": record.status.value,
        "start_time": moment(record.start_time),
        "experiment": {"id": record.experiment.id, "name": record.experiment.name},
        "author": {"name": record.author.name, "email": record.author.email},
        "code": _code_table(record.code),
    }
    optional: dict[str, Any] = {
        "end_time": None if record.end_time is None else moment(record.end_time),
        "host": record.host or None,
        "command": list(record.command) or None,
        "entry": record.entry or None,
        "exit_code": record.exit_code,
        "error": record.error or None,
        "parent": record.parent,
        "note": record.note or None,
        "seeds": dict(record.seeds) or None,
        "params_none": list(params_none) or None,
    }
    table |= {key: value for key, value in optional.items() if value is not None}
    return with_version(toml.dump(table))


def _code_table(code: CodeState) -> dict[str, Any]:
    table: dict[str, Any] = {"dirty": code.dirty}
    optional: dict[str, Any] = {
        "commit": code.commit,
        "head": code.head,
        "branch": code.branch,
        "remote": code.remote,
        "directory": code.directory or None,
        "reason": code.reason or None,
        "left_out": [{"path": x.path, "reason": x.reason, "size": x.size} for x in code.left_out] or None,
        "submodules": [{"path": x.path, "commit": x.commit, "dirty": x.dirty} for x in code.submodules] or None,
    }
    return table | {key: value for key, value in optional.items() if value is not None}


RECOVERED_FROM = "recovered_from"
"""The key of a run that somebody finished from a checkpoint, and its value that checkpoint; readers keep it in
``RunRecord.extra``."""
_KNOWN = frozenset(
    "id name kind status start_time end_time experiment author code host command entry exit_code error parent note "
    "seeds params_none".split()
)


def decode_run(data: bytes) -> tuple[RunRecord, tuple[str, ...]]:
    """Read ``run.toml``.

    Returns:
        The record (params, tags, metrics, inputs and artifacts still empty: they are files of their own), and the names
        of the params that are None.

    Raises:
        UnsupportedFormatError: a newer format.
        CorruptRecordError: damaged, or a field of another type.
    """
    table = toml.parse(strip_version(data, "run.toml"), what="run.toml")
    try:
        return _record(table), as_texts(table.get("params_none", []))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, GittrackError) as error:
        raise CorruptRecordError(f"run.toml is damaged: {_cause(error)}", hint="gittrack fsck") from error


def _cause(error: Exception) -> str:
    return f"no {error}" if isinstance(error, KeyError) else str(error)


def _record(table: Mapping[str, Any]) -> RunRecord:
    experiment, author = as_table(table["experiment"]), as_table(table["author"])
    end, parent = table.get("end_time"), table.get("parent")
    seeds = as_table(table.get("seeds", {}))
    return RunRecord(
        id=parse_run_id(as_text(table["id"])),
        name=as_text(table["name"]),
        experiment=ExperimentRef(parse_experiment_id(as_text(experiment["id"])), as_text(experiment["name"])),
        status=RunStatus(table["status"]),
        start_time=milliseconds(table["start_time"]),
        end_time=None if end is None else milliseconds(end),
        author=Person(as_text(author["name"]), as_text(author["email"])),
        code=_code(as_table(table["code"])),
        host=as_text(table.get("host", "")),
        command=as_texts(table.get("command", [])),
        entry=as_text(table.get("entry", "")),
        exit_code=None if table.get("exit_code") is None else as_integer(table["exit_code"]),
        error=as_text(table.get("error", "")),
        parent=None if parent is None else parse_run_id(as_text(parent)),
        kind=as_text(table["kind"]),
        note=as_text(table.get("note", "")),
        seeds={key: as_integer(value) for key, value in seeds.items()},
        extra={key: value for key, value in table.items() if key not in _KNOWN},
    )


def _code(table: Mapping[str, Any]) -> CodeState:
    return CodeState(
        commit=_optional_id(table.get("commit")),
        head=_optional_id(table.get("head")),
        branch=None if table.get("branch") is None else as_text(table["branch"]),
        dirty=as_flag(table.get("dirty", False)),
        remote=None if table.get("remote") is None else as_text(table["remote"]),
        directory=as_text(table.get("directory", "")),
        reason=as_text(table.get("reason", "")),
        left_out=tuple(
            LeftOut(as_text(x["path"]), as_text(x["reason"]), as_size(x.get("size", 0)))
            for x in as_rows(table.get("left_out", []))
        ),
        submodules=tuple(
            SubmoduleState(as_text(x["path"]), as_text(x["commit"]), as_flag(x["dirty"]))
            for x in as_rows(table.get("submodules", []))
        ),
    )


def _optional_id(value: object) -> ObjectId | None:
    return None if value is None else parse_object_id(as_text(value))

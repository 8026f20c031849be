"""Every example and every row of a table in docs/format.md is read by the code and written again to the same bytes."""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from gittrack.core import toml
from gittrack.core.dvc_yaml import decode_remote, dvc_files, encode_remote
from gittrack.core.events import decode_event, encode_event
from gittrack.core.folder_listing import decode_listing, encode_listing
from gittrack.core.ids import EventId, ExperimentId, ObjectId, RunId, experiment_id, parse_experiment_id
from gittrack.core.journal import (
    CRC,
    POINT_BODY,
    content_frame,
    decode_journal,
    metric_frame,
    operation_frame,
)
from gittrack.core.ledger import decode_batch, encode_batch
from gittrack.core.message import decode_message, encode_message
from gittrack.core.models_toml import decode_models, encode_models
from gittrack.core.names import artifact_paths, metric_paths
from gittrack.core.params import decode_params, encode_params
from gittrack.core.parsed_refs import parse_ref
from gittrack.core.pointers import pointer_bytes
from gittrack.core.records import ArtifactEntry, Series
from gittrack.core.refs import hold_ref, inbox_ref, local_ledger_ref
from gittrack.core.run_toml import decode_run, encode_run, strip_version, with_version
from gittrack.core.run_tree import (
    decode_artifacts,
    decode_inputs,
    decode_summaries,
    decode_tags,
    encode_artifacts,
    encode_inputs,
    encode_summaries,
)
from gittrack.core.series import decode_csv, encode_csv
from gittrack.errors import CorruptRecordError
from gittrack.git.trees import format_commit, parse_commit

PAGE = Path(__file__).parents[2] / "docs" / "format.md"
TEXT = PAGE.read_text(encoding="utf-8")
_FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_TABLE = re.compile(r"<!-- table: ([a-z ]+) -->\n\|[^\n]*\n\|[-:| ]*\n((?:\|[^\n]*\n)+)")
_CELL = re.compile(r"`([^`]*)`")


@dataclass(frozen=True)
class Example:
    """A fenced block: the file it is, and its bytes."""

    file: str
    data: bytes


EXAMPLES = [
    Example(info.partition("file=")[2], body.encode()) for info, body in _FENCE.findall(TEXT) if "file=" in info
]
TABLES = {
    name: [[cell.strip() for cell in row.strip("|").split("|")] for row in rows.strip().split("\n")]
    for name, rows in _TABLE.findall(TEXT)
}


def _run_toml(data: bytes) -> bytes:
    record, none = decode_run(data)
    return encode_run(record, none)


def _params(data: bytes) -> bytes:
    again, none = encode_params(decode_params(data, []))
    assert none == ()
    return again


def _event(data: bytes) -> bytes:
    return encode_event(decode_event(data))


def _ledger(data: bytes) -> bytes:
    table = toml.parse(strip_version(data, "ledger.toml"), what="ledger.toml")
    assert table.keys() == {"month", "name", "writer"}
    return with_version(toml.dump(table))


def _batch(data: bytes) -> bytes:
    named = re.findall(r"\b[0-9a-f]{40}\b", data.decode())
    with pytest.raises(CorruptRecordError):
        decode_batch(data, named[1:])
    return encode_batch(decode_batch(data, named))


def _message(data: bytes) -> bytes:
    listed = decode_message(data.decode())
    assert listed is not None
    series = {
        name: Series(array("q", range(len(values))), array("q", [0] * len(values)), array("d", values))
        for name, values in listed.trends.items()
    }
    return encode_message(listed.record, series).encode()


def _commit(data: bytes) -> bytes:
    commit = parse_commit(ObjectId("0" * 40), data)
    assert commit.author_time == commit.commit_time
    return format_commit(commit.tree, commit.parents, commit.message, commit.author, commit.commit_time)


def _dvc_yaml(data: bytes) -> bytes:
    return dvc_files(re.findall(r'^- "(.*)":$', data.decode(), re.MULTILINE), {})["dvc.yaml"]


def _pointer(data: bytes) -> bytes:
    found = re.search(r'md5: ([\w.]+)\n  size: (\d+)\n.*path: "(.*)"', data.decode(), re.DOTALL)
    assert found is not None
    files = re.search(r"nfiles: (\d+)", data.decode())
    entry = ArtifactEntry(found[3], int(found[2]), f"md5:{found[1]}", "", "pointer", files and int(files[1]))
    return pointer_bytes(entry, found[3])


def _journal(data: bytes) -> bytes:
    journal = bytes.fromhex(data.decode())
    contents = decode_journal(journal)
    assert contents.damaged == 0
    frames = []
    for operation in contents.operations:
        content = operation.pop("content", None)
        frames.append(operation_frame(operation) if content is None else content_frame(operation, content))
    (name,) = contents.series
    frames.append(metric_frame(0, name))
    assert b"".join(frames) == journal[: len(b"".join(frames))]
    points = journal[len(b"".join(frames)) :]
    assert len(points) == len(contents.series[name]) * (POINT_BODY.size + CRC.size)
    assert list(contents.series[name].values) == [0.5, 0.25]
    lines = [journal[start : start + 16].hex(" ") for start in range(0, len(journal), 16)]
    return ("\n".join(lines) + "\n").encode()


def _names(data: bytes) -> bytes:
    now = json.loads(data)["now"]
    assert all(parse_experiment_id(id) == id for id in now.values())
    return (json.dumps({"now": now}, sort_keys=True) + "\n").encode()


AGAIN: dict[str, Callable[[bytes], bytes]] = {
    r"run\.toml": _run_toml,
    r"params\.toml": _params,
    r"summary\.toml": lambda data: encode_summaries(decode_summaries(data)),
    r"tags\.toml": lambda data: toml.dump(decode_tags(data)),
    r"inputs\.toml": lambda data: encode_inputs(decode_inputs(data)),
    r"artifacts\.toml": lambda data: encode_artifacts(decode_artifacts(data)),
    r"models\.toml": lambda data: encode_models(decode_models(data)),
    r"ledger\.toml": _ledger,
    r"event\.toml": _event,
    r"environment/.*\.toml": lambda data: toml.dump(toml.parse(data, what="an example")),
    r"metrics/.*\.csv": lambda data: encode_csv(decode_csv(data)),
    r"batch\.tsv": _batch,
    r"message": _message,
    r"commit": _commit,
    r"dvc\.yaml": _dvc_yaml,
    r"artifacts/.*\.dvc": _pointer,
    r"\.dvc/config": lambda data: encode_remote(decode_remote(data)),
    r"files/md5/.*\.dir": lambda data: encode_listing(decode_listing(data.strip()))[0] + b"\n",
    r".*\.journal": _journal,
    r"experiments\.json": _names,
}
"""The file of an example -> what reads it and writes it again."""


@pytest.mark.parametrize("example", EXAMPLES, ids=[f"{n}-{example.file}" for n, example in enumerate(EXAMPLES)])
def test_an_example_is_read_and_written_again_to_the_same_bytes(example: Example) -> None:
    (again,) = [write for pattern, write in AGAIN.items() if re.fullmatch(pattern, example.file)]
    assert again(example.data).decode() == example.data.decode()


def test_every_fenced_block_is_an_example_and_every_kind_of_file_has_one() -> None:
    assert [info for info, _ in _FENCE.findall(TEXT) if "file=" not in info] == []
    assert TEXT.count("```") == 2 * len(EXAMPLES)
    for pattern in AGAIN:
        assert any(re.fullmatch(pattern, example.file) for example in EXAMPLES), pattern


def test_every_marked_table_is_read() -> None:
    assert set(TABLES) == {"refs", "metrics", "metric sets", "artifact sets", "experiments"}
    assert TEXT.count("<!-- table: ") == len(TABLES)
    assert all(TABLES.values())


def code_in(cell: str) -> str:
    found = _CELL.fullmatch(cell)
    assert found is not None, cell
    return found[1]


def test_every_ref_follows_the_grammar_it_is_listed_under() -> None:
    for cell, kind, _ in TABLES["refs"]:
        ref = parse_ref(code_in(cell))
        assert type(ref).__name__ == kind
        assert str(ref) == code_in(cell)
    names = [code_in(row[0]) for row in TABLES["refs"]]
    id = names[0].rpartition("/")[2]
    assert names[:3] == [inbox_ref(EventId(id)), hold_ref(RunId(id)), local_ledger_ref("2025-10")]


def test_reserved_refs_are_none_of_this_version() -> None:
    reserved = re.findall(r"`(refs/[^`]*<[^`]*)`", TEXT)
    assert len(reserved) >= 6
    for name in reserved:
        concrete = re.sub(r"<[a-z ]*id>", "ab" * 16, name).replace("<yyyy-mm>", "2025-10").replace("<N>", "3")
        assert parse_ref(re.sub(r"<[a-z ]*>", "x", concrete)) is None, name


def test_every_metric_has_the_file_of_the_table() -> None:
    for name, path in TABLES["metrics"]:
        assert metric_paths([json.loads(code_in(name))]) == {json.loads(code_in(name)): code_in(path)}


@pytest.mark.parametrize(("table", "paths"), [("metric sets", metric_paths), ("artifact sets", artifact_paths)])
def test_every_set_of_names_has_the_files_of_the_table(
    table: str, paths: Callable[[list[str]], dict[str, str]]
) -> None:
    for cell, files in TABLES[table]:
        names = json.loads(code_in(cell))
        assert paths(names) == dict(zip(names, json.loads(code_in(files)), strict=True))


def test_every_experiment_has_the_id_of_the_table() -> None:
    for name, given_up_by, id in TABLES["experiments"]:
        before = ExperimentId(code_in(given_up_by)) if given_up_by else None
        assert experiment_id(json.loads(code_in(name)), before) == code_in(id)


def test_the_limits_of_the_page_are_those_of_the_code() -> None:
    from gittrack.core import events, ledger, message, names
    from gittrack.git import objects
    from gittrack.store import catalog, event_store, run_reader

    _, _, after = TEXT.partition("## Limits")
    limits = dict(re.findall(r"^\| ([^|]*) \| ([^|]*) \|$", after, re.MULTILINE))
    assert limits["name of a metric, a param, a tag"] == f"{names.MAX_NAME_BYTES:,} bytes"
    assert limits["name of a run or an experiment"] == f"{names.MAX_TITLE_LENGTH} characters, one line"
    assert limits["path of an artifact"] == f"{names.MAX_PATH_BYTES:,} bytes"
    assert limits["a TOML file"].startswith(f"{toml.MAX_BYTES >> 20} MiB, nested {toml.MAX_DEPTH} deep")
    assert limits["an event"] == f"{event_store.EVENT_BYTES >> 20} MiB"
    assert limits["a metric file, an inline artifact"] == f"{run_reader.SERIES_FILE >> 30} GiB"
    assert limits["folders in each other in a tree"] == str(objects._MAX_DEPTH)
    assert limits["runs and events in a batch"] == f"{ledger.MAX_BATCH}, in {catalog.MAX_BATCH_BYTES >> 10} KiB"
    assert limits["JSON in a message"] == f"{message.MAX_JSON >> 10} KiB"
    assert f"at most {events.MAX_REPLACES:,}" in TEXT
    assert f"into at most {names.MAX_COMPONENTS} parts" in TEXT
    assert f"Longer than {names.MAX_COMPONENT_BYTES} bytes: the first {names.MAX_COMPONENT_BYTES - 33}" in TEXT

"""A run's tree: what is written is read back, whatever things are called."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gittrack.core.ids import ExperimentId, ObjectId, RunId
from gittrack.core.names import artifact_paths, metric_paths
from gittrack.core.records import ArtifactEntry, CodeState, ExperimentRef, Input, Person, RunRecord, RunStatus, Series
from gittrack.core.run_tree import (
    ARTIFACTS_FILE,
    INPUTS_FILE,
    RUN_FILE,
    SUMMARY_FILE,
    TAGS_FILE,
    RunBody,
    decode_artifacts,
    decode_inputs,
    decode_tree,
    encode_inputs,
    encode_tree,
    with_summaries,
)
from gittrack.core.series import decode_csv
from gittrack.errors import CorruptRecordError, FormatError, UnsupportedFormatError
from gittrack.git.objects import _MAX_DEPTH as DEEPEST_TREE
from gittrack.git.trees import nested
from tests.format.run_strategies import WHOLE_RUNS, bodies, comparable

SMALL = RunRecord(
    id=RunId("0123456789abcdef" * 2),
    name="brisk-otter-417",
    experiment=ExperimentRef(ExperimentId("0"), "Default"),
    status=RunStatus.FINISHED,
    start_time=1_700_000_000_000,
    end_time=None,
    author=Person("Ann", "ann@example.com"),
    code=CodeState(None),
)


def reader(files: Mapping[str, bytes | ObjectId]):  # type: ignore[no-untyped-def]
    def read(path: str) -> bytes | None:
        found = files.get(path)
        assert found is None or isinstance(found, bytes)
        return found

    return read


@WHOLE_RUNS
@given(bodies())
def test_a_body_is_read_back_from_its_tree(body: RunBody) -> None:
    files = encode_tree(body)
    assert comparable(decode_tree(reader(files))) == comparable(body.record)
    for name, path in metric_paths(body.record.metrics).items():
        data = files[path]
        assert isinstance(data, bytes)
        assert comparable(decode_csv(data)) == comparable(body.series[name])


@WHOLE_RUNS
@given(bodies())
def test_every_path_can_be_stored_in_git_and_differs_from_all_others_without_case(body: RunBody) -> None:
    files = encode_tree(body)
    nested(files)  # raises for a path that is unsafe, or below another file
    assert len({path.casefold() for path in files}) == len(files)
    assert max(len(part) for path in files for part in path.split("/")) <= 160


@WHOLE_RUNS
@given(bodies(), st.randoms())
def test_the_same_body_gives_the_same_bytes_in_whatever_order_it_was_logged(body: RunBody, random) -> None:  # type: ignore[no-untyped-def]
    def shuffled(mapping):  # type: ignore[no-untyped-def]
        items = list(mapping.items())
        random.shuffle(items)
        return dict(items)

    def mixed(rows):  # type: ignore[no-untyped-def]
        rows = list(rows)
        random.shuffle(rows)
        return tuple(rows)

    record = body.record
    other = replace(
        copy.deepcopy(body),
        series=shuffled(body.series),
        environment=shuffled(body.environment),
        logs=shuffled(body.logs),
        contents=shuffled(body.contents),
        record=replace(
            record,
            params=shuffled(record.params),
            tags=shuffled(record.tags),
            metrics=shuffled(record.metrics),
            seeds=shuffled(record.seeds),
            inputs=mixed(record.inputs),
            artifacts=mixed(record.artifacts),
            extra=shuffled(record.extra),
        ),
    )
    assert encode_tree(other) == encode_tree(body)


@WHOLE_RUNS
@given(bodies())
def test_what_was_read_writes_the_same_bytes_again(body: RunBody) -> None:
    files = encode_tree(body)
    again = replace(body, record=decode_tree(reader(files)))
    assert encode_tree(again) == files


def test_a_run_without_anything_has_the_fixed_files_only() -> None:
    assert sorted(encode_tree(with_summaries(RunBody(SMALL)))) == [
        *(".dvc/.gitignore", ".dvc/config", ".dvcignore", "dvc.yaml", "params.toml", "run.toml", "summary.toml")
    ]


def test_a_series_without_points_is_no_metric() -> None:
    body = with_summaries(RunBody(SMALL, series={"loss": Series()}))
    assert body.record.metrics == {}
    assert not [path for path in encode_tree(body) if path.startswith("metrics/")]


def test_a_stored_file_is_a_pointer_beside_a_gitignore_that_names_it() -> None:
    entry = ArtifactEntry("out/model.pt", 7, "md5:" + "ab" * 16, "application/octet-stream", "pointer")
    files = encode_tree(RunBody(replace(SMALL, artifacts=(entry,))))
    assert files["artifacts/out/model.pt.dvc"] == (
        b'outs:\n- md5: abababababababababababababababab\n  size: 7\n  hash: md5\n  path: "model.pt"\n'
    )
    assert files["artifacts/out/.gitignore"] == b"/model.pt\n"
    assert "artifacts/out/model.pt" not in files


def test_a_pointer_names_the_file_that_it_lies_beside():
    small, capital = (ArtifactEntry(name, 7, "md5:" + "ab" * 16, "", "pointer") for name in ("model.pt", "Model.pt"))
    files = encode_tree(RunBody(replace(SMALL, artifacts=(small,))))
    assert b'path: "model.pt"' in files["artifacts/model.pt.dvc"]
    files = encode_tree(RunBody(replace(SMALL, artifacts=(small, capital))))
    assert b'path: "%4Dodel.pt"' in files["artifacts/%4Dodel.pt.dvc"]


def test_an_artifact_may_be_called_as_dvc_or_git_call_their_own_files() -> None:
    names = ["dvc.yaml", "x.dvc", ".gitignore", ".dvc/config", "a", "a/b", ".gitattributes"]
    for path in artifact_paths(names).values():
        assert not path.endswith((".dvc", "dvc.yaml", ".gitignore"))
        assert not any(part.startswith(".") for part in path.split("/"))


def test_a_newer_format_is_refused_before_anything_else_is_read() -> None:
    asked = []

    def read(path: str) -> bytes | None:
        asked.append(path)
        return b"format = 2\nthis is no TOML at all"

    with pytest.raises(UnsupportedFormatError):
        decode_tree(read)
    assert asked == [RUN_FILE]


def test_a_commit_without_run_toml_is_no_run() -> None:
    with pytest.raises(CorruptRecordError, match=r"no run\.toml"):
        decode_tree(lambda path: None)


def artifact_row(path: str = "x", size: str = "7", digest: str = "md5:" + "ab" * 16, storage: str = "pointer") -> bytes:
    row = f'path = "{path}"\nsize = {size}\ndigest = "{digest}"\nmedia_type = ""\nstorage = "{storage}"\n'
    return f"[[artifact]]\n{row}".encode()


def test_a_row_of_an_artifact_is_read_as_it_stands() -> None:
    assert [(x.path, x.size) for x in decode_artifacts(artifact_row() + artifact_row(path="a/b", size="0"))] == [
        ("x", 7),
        ("a/b", 0),
    ]
    assert decode_artifacts(artifact_row(digest="md5:" + "ab" * 16 + ".dir"))[0].digest.endswith(".dir")


def test_inputs_of_one_name_are_sorted_by_role_and_digest() -> None:
    rows = [Input("d", "test", "u"), Input("d", "train", "u", "md5:1"), Input("d", "train", "u", "md5:2")]
    for order in itertools.permutations(rows):
        assert decode_inputs(encode_inputs(order)) == tuple(rows)


@pytest.mark.parametrize(
    ("path", "data"),
    [
        (SUMMARY_FILE, b"[loss]\nlast = 1.0\n"),
        (SUMMARY_FILE, b"loss = 1.0\n"),
        (SUMMARY_FILE, b"[loss]\nlast=1.0\nmin=1.0\nmax=1.0\nmean=1.0\ncount=inf\nfirst_step=0\nlast_step=0\n"),
        (TAGS_FILE, b"k = 1\n"),
        (INPUTS_FILE, b"input = 5\n"),
        (INPUTS_FILE, b'[[input]]\nname = "x"\n'),
        (INPUTS_FILE, b'[[input]]\nname = "x"\nrole = ""\nuri = ""\nsize = inf\n'),
        (ARTIFACTS_FILE, b"[[artifact]]\npath = 3\n"),
        (ARTIFACTS_FILE, b'[[artifact]]\npath="x"\nsize=nan\ndigest=""\nmedia_type=""\nstorage="inline"\n'),
        (INPUTS_FILE, b'[[input]]\nname = 1\nrole = ""\nuri = ""\n'),
        (INPUTS_FILE, b'[[input]]\nname = "x"\nrole = ""\nuri = ""\nsize = -1\n'),
        (INPUTS_FILE, b'[[input]]\nname = "x"\nrole = ""\nuri = ""\nsize = "7"\n'),
        (INPUTS_FILE, b'[[input]]\nname = "x"\nrole = ""\nuri = ""\nschema = { a = 1 }\n'),
        (INPUTS_FILE, b"[input]\n"),
        (ARTIFACTS_FILE, artifact_row(path="../../x")),
        (ARTIFACTS_FILE, artifact_row(path="/x")),
        (ARTIFACTS_FILE, artifact_row(path="a//b")),
        (ARTIFACTS_FILE, artifact_row() + artifact_row()),
        (ARTIFACTS_FILE, artifact_row(size="-1")),
        (ARTIFACTS_FILE, artifact_row(size="1.5")),
        (ARTIFACTS_FILE, artifact_row(size="true")),
        (ARTIFACTS_FILE, artifact_row(size='"7"')),
        (ARTIFACTS_FILE, artifact_row(digest="md5:ab/dev/zero")),
        (ARTIFACTS_FILE, artifact_row(digest="md5:" + "AB" * 16)),
        (ARTIFACTS_FILE, artifact_row(digest="md5:" + "ab" * 16 + ".dir/..")),
        (ARTIFACTS_FILE, artifact_row(digest="")),
        (ARTIFACTS_FILE, artifact_row(storage="nowhere")),
        (SUMMARY_FILE, b'[loss]\nlast=1.0\nmin="1"\nmax=1.0\nmean=1.0\ncount=1\nfirst_step=0\nlast_step=0\n'),
        (SUMMARY_FILE, b"[loss]\nlast=1.0\nmin=1.0\nmax=1.0\nmean=1.0\ncount=true\nfirst_step=0\nlast_step=0\n"),
        ("params.toml", b"a = 0x" + b"f" * 5000 + b"\n"),
        ("params.toml", b"a = 1\na.b = 2\n"),
        (RUN_FILE, b'name = "x"\n'),
        (RUN_FILE, b'format = 1\nname = "x"\n'),
        (RUN_FILE, b"format = 0\n"),
        (RUN_FILE, b"\xff"),
    ],
)
def test_a_damaged_file_is_refused_by_name(path: str, data: bytes) -> None:
    files = {**encode_tree(with_summaries(RunBody(SMALL))), path: data}
    with pytest.raises(CorruptRecordError, match="damaged"):
        decode_tree(reader(files))


@WHOLE_RUNS
@given(bodies(), st.data())
def test_a_flipped_byte_in_any_file_never_raises_anything_but_a_format_error(
    body: RunBody, data: st.DataObject
) -> None:
    files = {path: content for path, content in encode_tree(body).items() if isinstance(content, bytes)}
    path = data.draw(st.sampled_from(sorted(name for name in files if name.endswith(".toml") and files[name])))
    damaged = bytearray(files[path])
    damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= data.draw(st.integers(1, 255))
    files[path] = bytes(damaged)
    try:
        decode_tree(reader(files))
    except FormatError:
        pass


def test_keys_of_a_newer_writer_are_kept() -> None:
    data = encode_tree(with_summaries(RunBody(SMALL)))
    run = data[RUN_FILE]
    assert isinstance(run, bytes)
    data[RUN_FILE] = run.replace(b"kind =", b"future = { a = [1, 2] }\nkind =")
    record = decode_tree(reader(data))
    assert record.extra == {"future": {"a": [1, 2]}}
    written = encode_tree(RunBody(record))[RUN_FILE]
    assert isinstance(written, bytes)
    assert b"[future]\na = [" in written


@pytest.mark.parametrize("name", ["/".join("a" * 40), "a" * 400 + "/" + "b/" * 400, "/" * 500])
def test_the_deepest_name_stays_within_what_readers_take(name: str) -> None:
    paths = [*metric_paths([name]).values(), *artifact_paths(["x/" + name.strip("/")]).values()]
    assert max(path.count("/") for path in paths) < DEEPEST_TREE


def test_a_status_of_a_later_version_is_read_and_written_as_it_is() -> None:
    body = with_summaries(RunBody(replace(SMALL, status=RunStatus("paused"))))
    files = encode_tree(body)
    record = decode_tree(reader(files))
    assert (record.status, str(record.status)) == (RunStatus("paused"), "paused")
    assert copy.deepcopy(record).status == record.status
    assert record.status not in list(RunStatus)
    assert encode_tree(replace(body, record=record)) == files
    for status in ("Paused", "", "a" * 21, "a b"):
        with pytest.raises(ValueError, match="not a valid RunStatus"):
            RunStatus(status)

"""From journals to a run: ends, crashes, several writers, resumption."""

from __future__ import annotations

import copy
import os
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gittrack.core.assembly import assemble, code_operation, resumed_commit, resumption_changes
from gittrack.core.ids import ObjectId, RunId
from gittrack.core.journal import decode_journal, metric_frame, operation_frame
from gittrack.core.records import ArtifactEntry, CodeState, ExperimentRef, Input, LeftOut, RunStatus, SubmoduleState
from gittrack.core.run_toml import LATEST
from gittrack.core.run_tree import RunBody, encode_tree
from gittrack.errors import CorruptRecordError
from gittrack.store.live import read_live
from tests.format.run_strategies import CODES, PARAMS, WHOLE_RUNS, bodies, comparable
from tests.format.written_journals import Point, journal, point_frame

ID = RunId("0123456789abcdef" * 2)
START = {
    "op": "start",
    "t": 1000,
    "id": ID,
    "name": "first",
    "experiment": {"id": "0", "name": "Default"},
    "author": {"name": "Ann", "email": "ann@example.com"},
    "code": code_operation(CodeState(None)),
    "note": "as begun",
    "environment": {"packages.txt": "numpy==2.0\n"},
}


def test_a_run_that_said_how_it_ended_is_that() -> None:
    body = assemble([journal(START, {"op": "end", "t": 5000, "status": "failed", "exit_code": 3, "error": "boom"})])
    record = body.record
    assert (record.status, record.exit_code, record.error, record.end_time) == (RunStatus.FAILED, 3, "boom", 5000)
    assert (record.start_time, record.note, record.name) == (1000, "as begun", "first")
    assert body.environment == {"packages.txt": b"numpy==2.0\n"}


def test_a_traceback_becomes_a_log() -> None:
    body = assemble([journal(START, {"op": "end", "t": 2, "status": "failed", "traceback": "Traceback …\n"})])
    assert body.logs == {"traceback.txt": "Traceback …\n".encode()}


@given(st.lists(st.tuples(st.sampled_from(["loss", "acc"]), st.integers(0, 99), st.integers(0, 9999), st.floats())))
def test_a_run_that_said_nothing_crashed_and_has_all_its_points(points: list[Point]) -> None:
    body = assemble([journal(START, points=points)])
    assert body.record.status is RunStatus.CRASHED
    assert body.record.error
    assert sum(len(series) for series in body.series.values()) == len(points)
    assert body.record.end_time == max([1000, *(time for _, _, time, _ in points)])


def test_the_end_of_a_crashed_run_is_a_time_that_can_be_written() -> None:
    odd = {"op": "point", "t": 0, "name": "x", "step": 0, "time": 2**62, "value": 1.0, "model": "", "data": ""}
    assert assemble([journal(START, odd)]).record.end_time == LATEST


def test_without_a_start_nothing_can_be_assembled() -> None:
    with pytest.raises(CorruptRecordError, match="start"):
        assemble([journal({"op": "param", "t": 1, "name": "a", "value": 1})])


@given(CODES)
def test_the_code_state_survives_the_journal(code: CodeState) -> None:
    assert assemble([journal({**START, "code": code_operation(code)})]).record.code == code


@settings(max_examples=50)
@given(PARAMS)
def test_params_survive_the_journal(params: dict[str, object]) -> None:
    operations = [{"op": "param", "t": 1, "name": name, "value": value} for name, value in params.items()]
    assert comparable(dict(assemble([journal(START, *operations)]).record.params)) == comparable(params)


def test_later_operations_win_and_the_last_artifact_of_a_path_counts() -> None:
    entry = {"path": "a.txt", "size": 1, "digest": "md5:" + "0" * 32, "media_type": "text/plain", "storage": "inline"}
    body = assemble(
        [
            journal(
                START,
                {"op": "param", "t": 1001, "name": "lr", "value": 1},
                {"op": "param", "t": 1002, "name": "lr", "value": 2},
                {"op": "tag", "t": 1003, "key": "k", "value": "v"},
                {"op": "tag", "t": 1004, "key": "k", "value": None},
                {"op": "name", "t": 1005, "value": "second"},
                {"op": "note", "t": 1005, "value": "as changed"},
                {"op": "seed", "t": 1006, "seeds": {"python": 7}},
                {"op": "artifact", "t": 1007, "artifact": entry, "content": b"a"},
                {"op": "artifact", "t": 1008, "artifact": entry, "content": b"b"},
                {"op": "log", "t": 1009, "name": "output.txt", "content": b"one\n"},
                {"op": "log", "t": 1010, "name": "output.txt", "content": b"two\n"},
                {"op": "of a newer version", "t": 1011},
            )
        ]
    )
    record = body.record
    assert (dict(record.params), dict(record.tags), record.name, record.note) == ({"lr": 2}, {}, "second", "as changed")
    assert body.contents == {"a.txt": b"b"}
    assert body.logs == {"output.txt": b"one\ntwo\n"}
    assert record.seeds == {"python": 7}


def test_an_artifact_that_became_a_pointer_keeps_no_inline_bytes() -> None:
    inline = asdict(ArtifactEntry("a", 1, "md5:" + "0" * 32, "text/plain", "inline"))
    pointer = asdict(ArtifactEntry("a", 9, "md5:" + "1" * 32, "text/plain", "pointer"))
    body = assemble(
        [
            journal(
                START,
                {"op": "artifact", "t": 2, "artifact": inline, "content": b"a"},
                {"op": "artifact", "t": 3, "artifact": pointer},
            )
        ]
    )
    assert body.contents == {}
    assert set(encode_tree(body)) >= {"artifacts/a.dvc", "artifacts/.gitignore"}


# -- several writers ---------------------------------------------------------------------------------------------------

WRITERS = st.lists(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 9), st.integers(1001, 1050), st.floats()), max_size=8),
    min_size=1,
    max_size=4,
)


@settings(max_examples=40, deadline=None)
@given(WRITERS, st.randoms())
def test_the_order_in_which_a_file_system_lists_journals_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, writers: list[list[Point]], random
) -> None:  # type: ignore[no-untyped-def]
    journals = {"00": operation_frame(START)}
    for number, points in enumerate(writers):
        frames = [metric_frame(0, "a"), metric_frame(1, "b")]
        frames += [operation_frame({"op": "param", "t": 1000 + number, "name": "p", "value": number})]
        frames += [point_frame("ab".index(name), step, time, value) for name, step, time, value in points]
        journals[f"{number + 1:02}"] = b"".join(frames)
    trees = []
    for _ in range(2):
        folder = tmp_path_factory.mktemp("live")
        for name in random.sample(sorted(journals), len(journals)):
            (folder / f"{name}.journal").write_bytes(journals[name])
        live = read_live(str(folder), ID)
        assert live is not None
        trees.append(encode_tree(assemble(live.contents)))
    assert trees[0] == trees[1]
    assert list(map(os.path.basename, live.journals)) == [f"{name}.journal" for name in sorted(journals)]


@settings(max_examples=60)
@given(WRITERS)
def test_several_writers_lose_no_point_and_keep_each_ones_order(writers: list[list[Point]]) -> None:
    body = assemble([journal(START), *(journal(points=points) for points in writers)])
    for name in "ab":
        series = body.series.get(name)
        rows = (
            [] if series is None else list(zip(series.steps, series.timestamps, map(repr, series.values), strict=True))
        )
        expected = [
            [(step, time, repr(value)) for key, step, time, value in points if key == name] for points in writers
        ]
        assert sorted(rows) == sorted(row for own in expected for row in own)
        for own in expected:
            remaining = iter(rows)
            assert all(row in remaining for row in own)  # a subsequence


def test_a_clock_that_jumps_back_does_not_reorder_what_one_process_did() -> None:
    one = journal(
        START, {"op": "param", "t": 5000, "name": "p", "value": 1}, {"op": "param", "t": 2, "name": "p", "value": 2}
    )
    assert assemble([one]).record.params["p"] == 2


def test_assembling_changes_no_journal() -> None:
    journals = [journal(START, points=[("a", 0, 5, 1.0)]), journal(points=[("a", 1, 3, 2.0)])]
    before = copy.deepcopy(journals)
    first = encode_tree(assemble(journals))
    assert journals == before
    assert encode_tree(assemble(journals)) == first


# -- resumption --------------------------------------------------------------------------------------------------------

RESUMED = ObjectId("ab" * 20)


@WHOLE_RUNS
@given(bodies())
def test_a_resumption_adds_and_never_takes_away(earlier: RunBody) -> None:
    again = {**START, "id": earlier.record.id, "t": 9000, "name": "other", "note": "other", "resumes": RESUMED}
    more = [
        {"op": "param", "t": 9001, "name": "added", "value": 1},
        {"op": "tag", "t": 9002, "key": "k", "value": "new"},
        {"op": "name", "t": 9003, "value": "renamed"},
        {"op": "end", "t": 9004, "status": "finished"},
    ]
    points = [("added metric", 0, 9001, 0.5), *((name, 7, 9002, 1.5) for name in earlier.series)]
    body = assemble([journal(again, *more, points=points)], earlier)
    record, before = body.record, earlier.record
    assert (record.id, record.name, record.note, record.tags) == (before.id, before.name, before.note, before.tags)
    assert (record.start_time, record.experiment, record.parent) == (
        before.start_time,
        before.experiment,
        before.parent,
    )
    assert (record.kind, record.extra) == (before.kind, before.extra)
    assert (record.status, record.end_time) == (RunStatus.FINISHED, 9004)
    assert comparable(dict(record.params)) == comparable({**before.params, "added": 1})
    assert {entry.path for entry in record.artifacts} == {entry.path for entry in before.artifacts}
    assert body.kept == earlier.kept
    assert record.metrics.keys() == {*before.metrics, "added metric"}
    for name, series in earlier.series.items():
        assert record.metrics[name].count == len(series) + 1
        assert comparable(body.series[name].values[: len(series)]) == comparable(series.values)


def test_what_a_resumption_sets_is_for_events() -> None:
    journals = [
        journal(
            {**START, "resumes": RESUMED},
            {"op": "tag", "t": 2, "key": "k", "value": "v"},
            {"op": "tag", "t": 3, "key": "gone", "value": None},
            {"op": "name", "t": 4, "value": "renamed"},
            {"op": "note", "t": 5, "value": "text"},
        )
    ]
    assert resumed_commit(journals) == RESUMED
    found = {place: change.value for place, change in resumption_changes(journals).items()}
    assert found == {
        ("tag", "k"): "v",
        ("tag", "gone"): None,
        ("name", ""): "renamed",
        ("note", ""): "text",
    }


def test_logs_inputs_and_environment_of_the_earlier_part_stay() -> None:
    earlier = assemble(
        [
            journal(
                START,
                {"op": "log", "t": 2, "name": "output.txt", "content": b"one\n"},
                {"op": "input", "t": 3, "input": asdict(Input("train", "train", "data.csv"))},
                {"op": "end", "t": 4, "status": "failed", "traceback": "first\n"},
            )
        ]
    )
    again = {**START, "resumes": RESUMED, "environment": {"hardware.toml": "x = 1\n"}}
    body = assemble([journal(again, {"op": "log", "t": 9, "name": "output.txt", "content": b"two\n"})], earlier)
    assert body.logs == {"output.txt": b"one\ntwo\n", "traceback.txt": b"first\n"}
    assert [item.name for item in body.record.inputs] == ["train"]
    assert body.environment == {"packages.txt": b"numpy==2.0\n", "hardware.toml": b"x = 1\n"}


def test_a_code_state_with_everything_round_trips() -> None:
    code = CodeState(
        ObjectId("1" * 40),
        ObjectId("2" * 40),
        "main",
        True,
        "https://example.com/x.git",
        "sub",
        (LeftOut("big.bin", "size", 9),),
        (SubmoduleState("lib", "3" * 40, True),),
    )
    assert assemble([journal({**START, "code": code_operation(code)})]).record.code == code


def test_the_experiment_is_the_one_the_run_knew() -> None:
    record = assemble([journal({**START, "experiment": {"id": "1" * 18, "name": "churn/xgb"}})]).record
    assert record.experiment == ExperimentRef("1" * 18, "churn/xgb")  # type: ignore[arg-type]
    assert replace(record).id == ID


def test_a_journal_cut_in_the_middle_of_its_last_frame_gives_the_run_without_that_frame(tmp_path: Path) -> None:
    frames = (
        operation_frame(START) + metric_frame(0, "loss") + point_frame(0, 0, 1001, 0.5) + point_frame(0, 1, 1002, 0.4)
    )
    whole, cut = decode_journal(frames), decode_journal(frames[:-5])
    assert len(assemble([whole]).series["loss"]) == 2
    assert len(assemble([cut]).series["loss"]) == 1

"""``gittrack.search_runs``: MLflow's columns, a list, an Arrow table; pages that stay as runs arrive."""

from __future__ import annotations

import base64
import json
import math
import sys

import pandas
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import gittrack
from gittrack.api.annotate import delete_run, note_run, rename_run, tag_run
from gittrack.api.project import Project
from gittrack.core.page_token import Page, decode_token, encode_token, fingerprint
from gittrack.errors import (
    ExperimentNotFoundError,
    InvalidValueError,
    MissingDependencyError,
    QuerySyntaxError,
    UsageError,
)

MLFLOW = ["run_id", "experiment_id", "status", "artifact_uri", "start_time", "end_time"]


def make(name: str, experiment: str | None = None, params=None, tags=None, **metrics: float) -> str:
    with gittrack.start_run(name=name, experiment=experiment, params=params, tags=tags, strict=True) as run:
        run.log_metrics(metrics)
    return run.id


@pytest.fixture
def three(repo) -> list[str]:
    return [
        make("one", "x", {"model": "rf", "depth": 3}, {"stage": "dev"}, acc=0.5, loss=math.nan),
        make("two", "x", {"model": "rf", "depth": 5, "lr": 0.1}, acc=0.75),
        make("three", "y", {"model": "svm", "big": 2**60 + 1}, acc=math.nan),
    ]


def names(*arguments, **more) -> list[str]:
    return [run.name for run in gittrack.search_runs(*arguments, output_format="list", **more)]


def test_queries_orders_and_experiments_are_followed(three):
    assert names() == ["three", "two", "one"]
    assert names("params.model = 'rf'", order_by="metrics.acc DESC") == ["two", "one"]
    assert names(order_by=["-metrics.acc"]) == ["two", "one", "three"]
    assert names(order_by=["params.model ASC", "attributes.start_time ASC"]) == ["one", "two", "three"]
    assert names(experiments="x") == names(experiments=["x"]) == ["two", "one"]
    identity = gittrack.get_run("three").record.experiment.id
    assert names(experiments=[identity, "x"]) == ["three", "two", "one"]
    assert names(experiments=[]) == []
    with pytest.raises(ExperimentNotFoundError):
        names(experiments=["x", "no such"])
    with pytest.raises(QuerySyntaxError):
        names("metrics.acc >")
    with pytest.raises(QuerySyntaxError):
        names(order_by="metrics.acc SIDEWAYS")


def test_deleted_runs_are_left_out_unless_they_are_asked_for(three, repo):
    delete_run(gittrack.api.project.Project.open(repo), three[0])
    assert names() == ["three", "two"]
    assert names("deleted = true") == ["one"]


def test_the_frame_has_the_columns_of_mlflow_with_typed_params(three):
    frame = gittrack.search_runs(order_by="start_time ASC")
    assert list(frame.columns[:8]) == [*MLFLOW, "run_name", "experiment_name"]
    assert list(frame["run_id"]) == three
    assert list(frame["status"]) == ["FINISHED"] * 3
    assert list(frame["run_name"]) == list(frame["tags.mlflow.runName"]) == ["one", "two", "three"]
    assert str(frame["start_time"].dt.tz) == "UTC"
    run = gittrack.get_run("one")
    assert frame["start_time"][0] == pandas.Timestamp(run.record.start_time, unit="ms", tz="UTC")
    assert frame["end_time"][0] == pandas.Timestamp(run.record.end_time, unit="ms", tz="UTC")
    assert list(frame["metrics.acc"][:2]) == [0.5, 0.75]
    assert frame["metrics.acc"].isna().tolist() == [False, False, True]
    assert frame["params.model"].tolist() == ["rf", "rf", "svm"]
    assert frame["params.depth"].dtype == "float64"  # one run has none
    assert frame["params.big"].tolist() == [None, None, 2**60 + 1]  # no float holds it
    assert frame["tags.stage"].tolist() == ["dev", None, None]
    assert frame["tags.mlflow.source.git.commit"].tolist() == [run.code] * 3
    assert [name for name in frame if name.startswith("metrics.")] == ["metrics.acc", "metrics.loss"]


def test_what_notebooks_do_with_mlflows_frame_works(three):
    frame = gittrack.search_runs("metrics.acc > 0", order_by=["metrics.acc DESC"])
    assert frame.loc[frame["metrics.acc"].idxmax(), "run_id"] == three[1]
    assert frame["params.depth"].astype(float).tolist() == [5, 3]
    assert frame[frame.status == "FINISHED"].shape[0] == 2
    assert (frame.end_time - frame.start_time).dt.total_seconds().min() >= 0
    assert len(frame.dropna(subset=["params.lr"])) == 1


@pytest.mark.filterwarnings("ignore")
def test_the_columns_are_those_of_mlflow_itself(three, tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_PYTHON_REFRESH", "quiet")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    mlflow = pytest.importorskip("mlflow")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    with mlflow.start_run(run_name="one"):
        mlflow.log_params({"model": "rf"})
        mlflow.log_metrics({"acc": 0.5})
        mlflow.set_tag("stage", "dev")
    theirs = mlflow.search_runs()
    ours = gittrack.search_runs("name = 'one'")
    assert list(theirs.columns[:6]) == MLFLOW == list(ours.columns[:6])
    for column in ("metrics.acc", "params.model", "tags.stage", "tags.mlflow.runName", "status"):
        assert theirs[column].tolist() == ours[column].tolist()
    for column in ("start_time", "end_time"):
        assert str(theirs[column].dtype)[:10] == str(ours[column].dtype)[:10] == "datetime64"
        assert "UTC" in str(ours[column].dtype)


def test_a_run_in_progress_has_no_end(three):
    with gittrack.start_run(name="now") as run:
        frame = gittrack.search_runs("status = 'running'")
        assert frame["run_id"].tolist() == [run.id]
        assert frame["status"].tolist() == ["RUNNING"]
        assert frame["end_time"].isna().all()


def test_nothing_found_is_an_empty_frame_with_its_columns(three):
    frame = gittrack.search_runs("metrics.acc > 99")
    assert frame.empty
    assert list(frame.columns[:6]) == MLFLOW
    assert "UTC" in str(frame["start_time"].dtype)
    assert gittrack.search_runs("metrics.acc > 99", output_format="arrow").num_rows == 0


def test_tags_of_mlflow_say_what_is_so_now(repo):
    parent = make("parent")
    with gittrack.start_run(name="child", parent=parent, tags={"mlflow.runName": "old", "mlflow.user": "me"}):
        pass
    project = gittrack.api.project.Project.open(repo)
    rename_run(project, "child", "kid")
    note_run(project, "kid", "long")
    row = gittrack.search_runs("name = 'kid'").iloc[0]
    assert row["tags.mlflow.runName"] == "kid"
    assert row["tags.mlflow.user"] == "me"
    assert row["tags.mlflow.parentRunId"] == parent
    assert row["tags.mlflow.note.content"] == "long"


def test_an_artifact_uri_leads_to_the_artifacts(repo):
    with gittrack.start_run(name="with") as run:
        run.log_text("hello", "notes/a.txt")
    uri = gittrack.search_runs("name = 'with'")["artifact_uri"][0]
    with gittrack.start_run(name="user"):
        assert gittrack.use_artifact(f"{uri}/notes/a.txt").read() == b"hello"


def test_the_arrow_table_has_the_columns_of_the_frame(three):
    pyarrow = pytest.importorskip("pyarrow")
    make("odd", params={"depth": "deep", "list": [1, 2]})
    frame = gittrack.search_runs(max_results=3)
    table = gittrack.search_runs(max_results=3, output_format="arrow")
    assert table.column_names == list(frame.columns)
    assert table.schema.field("start_time").type == pyarrow.timestamp("ms", tz="UTC")
    assert table["params.depth"].to_pylist() == ["deep", None, "5"]
    assert table["params.list"].to_pylist() == ["[1, 2]", None, None]
    for token in (table.schema.metadata[b"page_token"].decode(), frame.attrs["page_token"]):
        assert names(page_token=token) == ["one"]
    assert b"page_token" not in gittrack.search_runs(output_format="arrow").schema.metadata
    whole = gittrack.search_runs("params.depth is not null and params.depth < 9", output_format="arrow")
    assert whole["params.depth"].to_pylist() == [5, 3]


@pytest.mark.parametrize("library", ["pandas", "pyarrow"])
def test_a_library_that_is_missing_is_named(three, monkeypatch, library):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingDependencyError, match=f"{library} is not installed") as caught:
        gittrack.search_runs(output_format="pandas" if library == "pandas" else "arrow")
    assert "pip install" in str(caught.value.hint)
    assert names() == ["three", "two", "one"]


@pytest.mark.parametrize("number", [0, -1, 1.5, "3", None])
def test_a_number_of_results_that_is_none_is_refused(three, number):
    with pytest.raises(InvalidValueError, match="max_results"):
        gittrack.search_runs(max_results=number)


def test_an_output_format_that_is_none_is_refused_and_so_are_too_many_keys(three):
    with pytest.raises(UsageError, match="no output format 'csv'"):
        gittrack.search_runs(output_format="csv")
    with pytest.raises(UsageError, match="at most 16 keys"):
        gittrack.search_runs(order_by=["metrics.a"] * 17)
    assert len(names(order_by=[f"metrics.m{number}" for number in range(16)])) == 3


def pages(size: int, between=lambda: None, **asked) -> list[str]:
    found: list[str] = []
    token = None
    while True:
        page = gittrack.search_runs(max_results=size, page_token=token, output_format="list", **asked)
        assert len(page) <= size
        found += [run.name for run in page]
        if page.token is None:
            return found
        token = page.token
        between()


@pytest.mark.parametrize(
    "order", [None, "metrics.acc", "-metrics.acc", ["params.model", "-params.depth"], "metrics.no"]
)
def test_pages_together_are_the_whole_while_runs_arrive(three, order):
    whole = names(order_by=order)
    assert pages(1, order_by=order) == pages(2, order_by=order) == whole
    arriving = iter(range(100))

    def one_more() -> None:
        make(f"new-{next(arriving)}", params={"model": "rf"}, acc=0.6)

    paged = pages(1, one_more, order_by=order, filter_string="name in ('one', 'two', 'three')")
    assert paged == whole
    paged = pages(2, lambda: one_more() if next(arriving) < 9 else None, order_by=order)
    assert [name for name in paged if not name.startswith("new")] == whole
    assert len(set(paged)) == len(paged)


def test_relative_times_mean_the_same_on_every_page(three):
    first = gittrack.search_runs("start_time > -1h", max_results=1, output_format="list")
    content = json.loads(base64.urlsafe_b64decode(first.token + "=="))
    assert abs(content[2] - gittrack.get_run("three").record.start_time) < 600_000
    second = gittrack.search_runs("start_time > -1h", page_token=first.token, output_format="list")
    assert [run.name for run in second] == ["two", "one"]


def test_a_token_goes_with_its_search_alone(three):
    token = gittrack.search_runs("metrics.acc > 0", max_results=1, order_by="-metrics.acc").attrs["page_token"]
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    again = gittrack.search_runs(" metrics.acc > 0 ", order_by=["metrics.acc desc"], page_token=token)
    assert again["run_name"].tolist() == ["one"]
    assert again.attrs["page_token"] is None
    for other in (
        {"filter_string": "metrics.acc > 0.1", "order_by": "-metrics.acc"},
        {"filter_string": "metrics.acc > 0", "order_by": "metrics.acc"},
        {"filter_string": "metrics.acc > 0"},
        {"filter_string": "metrics.acc > 0", "order_by": "-metrics.acc", "experiments": ["x"]},
    ):
        with pytest.raises(UsageError, match="of another search"):
            gittrack.search_runs(page_token=token, **other)


def forged(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def test_hostile_tokens_are_refused(three):
    mine = fingerprint(["", "-metrics.acc", "all"])
    id = "a" * 32
    real = gittrack.search_runs(max_results=1, order_by="-metrics.acc").attrs["page_token"]
    assert json.loads(base64.urlsafe_b64decode(real + "=="))[1] == mine
    tokens = ["", "x", "%%%", "é", "A" * (2 << 20), real[:-3], real + "AAAA", forged(None), forged({}), forged([1] * 4)]
    tokens += [base64.urlsafe_b64encode(b"[" * 90_000).decode(), base64.urlsafe_b64encode(b"\xff\xfe").decode()]
    positions = [
        [],
        [0, 0.5, 1],
        [0, 0.5, 1, id, 1],
        *([0, value, 1, id] for value in ([], {}, True, 1 << 64, -(1 << 70), "\ud800", math.nan)),
        *([rank, 0.5, 1, id] for rank in (3, -1, "0", None, 0.0, True)),
        *([0, 0.5, start, id] for start in (None, "1", 1.5, 1 << 63)),
        *([0, 0.5, 1, bad] for bad in (None, 1, "a", "' OR 1=1 --", "A" * 32, id + "\n")),
    ]
    tokens += [forged([1, mine, 5, position]) for position in positions]
    tokens += [forged([1, mine, now, [0, 0.5, 1, id]]) for now in (None, "x", 1 << 63, True)]
    cut = ["x"], ["x", "y", "z"], ["x" * 501, "y"], [1, "y"], ["\ud800", "y"], []
    tokens += [forged([1, mine, 5, [0, each, 1, id]]) for each in cut]
    pair = ["x", "y"]
    tokens += [forged([1, mine, 5, place]) for place in ([pair, 0, 1, id], [0, 0.5, pair, id], [0, 0.5, 1, pair])]
    tokens += [forged([2, mine, 5, [0, 0.5, 1, id]]), forged([1, mine, 5, "0"])]
    for token in tokens:
        with pytest.raises(UsageError, match="no page token"):
            gittrack.search_runs(order_by="-metrics.acc", page_token=token)
    for value in ("' OR 1=1 --", None, 5, math.inf, "x" * 1000):  # any place there could be is only a place
        for rank in (0, 1, 2):
            gittrack.search_runs(order_by="-metrics.acc", page_token=forged([1, mine, 5, [rank, value, 1, id]]))


VALUES = st.none() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text()
KEYS = st.lists(st.tuples(st.integers(0, 2), VALUES), max_size=4)


@given(KEYS, st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**128 - 1), st.integers(0, 2**60))
def test_a_token_holds_its_place(keys, start, id, now):
    page = Page(now, (*(part for key in keys for part in key), start, f"{id:032x}"))
    assert decode_token(encode_token(page, "s"), "s", keys=len(keys)) == page


@given(st.text(max_size=200) | st.binary(max_size=100).map(lambda data: base64.urlsafe_b64encode(data).decode()))
@example("bnVsbA")
def test_any_other_text_is_no_token(text):
    with pytest.raises(UsageError):
        decode_token(text, "s", keys=1)


def test_it_works_while_a_run_is_active_and_tells_what_cannot_be_read(three, repo, git):
    git("update-ref", "refs/runs/inbox/" + "c" * 32, "HEAD", cwd=repo)
    with gittrack.start_run(name="controller"):
        frame = gittrack.search_runs()
        assert frame["run_name"].tolist() == ["controller", "three", "two", "one"]
    (problem,) = frame.attrs["problems"]
    assert "c" * 32 in problem
    assert gittrack.search_runs(output_format="list").problems == (problem,)


@pytest.mark.parametrize("order", ["params.big", "-params.big", "tags.big", "name"])
def test_pages_in_the_order_of_long_texts_have_short_tokens(repo, order):
    for number in (2, 0, 3, 1):
        text = "é" * 100_000 + str(number % 3)
        make(str(number), params={"big": text}, tags={"big": text[:3000] + str(number)})
    whole = names(order_by=order)
    token, seen = None, []
    for _ in range(5):
        page = gittrack.search_runs(order_by=order, max_results=1, page_token=token, output_format="list")
        seen += [run.name for run in page]
        token = page.token
        if token is None:
            break
        assert len(token) < 10_000
    assert seen == whole


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("new", ["z", "é" * 900 + "3x", None])
def test_a_long_text_that_changes_while_pages_are_read_hides_no_other_run(repo, descending, new):
    ids = {str(number): make(str(number), tags={"big": "é" * 900 + str(number)}) for number in range(6)}
    order = "-tags.big" if descending else "tags.big"
    first = gittrack.search_runs(order_by=order, max_results=3, output_format="list")
    last = first[-1].name
    if new is None:
        delete_run(Project.open(), ids[last])
    else:
        tag_run(Project.open(), ids[last], {"big": new})
    rest = gittrack.search_runs(order_by=order, page_token=first.token, output_format="list")
    assert {run.name for run in (*first, *rest)} == set(ids)
    if new is None:
        assert len(rest) == 3


def test_long_texts_of_runs_in_progress_have_their_place(repo):
    done = make("done", params={"big": "é" * 5000 + "a"})
    with gittrack.start_run(name="live", params={"big": "é" * 5000 + "b"}) as run:
        first = gittrack.search_runs(order_by="-params.big", max_results=1, output_format="list")
        second = gittrack.search_runs(order_by="-params.big", page_token=first.token, output_format="list")
    assert [each.id for each in (*first, *second)] == [run.id, done]


def test_as_many_results_as_one_likes(three):
    for most in (sys.maxsize, 2**70):
        assert names(max_results=most) == ["three", "two", "one"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_results": True},
        {"max_results": "5"},
        {"filter_string": 3},
        {"filter_string": b"metrics.acc > 1"},
        {"filter_string": ["metrics.acc > 1"]},
        {"order_by": 3},
        {"order_by": [3]},
        {"order_by": {"metrics.acc": "DESC"}},
        {"experiments": 3.5},
        {"experiments": [None, 3]},
        {"page_token": 3},
    ],
    ids=str,
)
def test_arguments_of_another_type_are_refused(three, wrong):
    with pytest.raises(InvalidValueError, match=next(iter(wrong))):
        names(**wrong)

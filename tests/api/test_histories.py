"""A metric's points for pandas: one run as a Series, several as one frame, thinned without losing an extreme."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace

import pandas
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import gittrack
from gittrack.errors import CorruptRecordError, InvalidValueError, NotFoundError, RunNotFoundError


def logged(name, points, **metrics):
    """A finished run with ``loss`` at the steps given, and other metrics as lists of values."""
    with gittrack.start_run(name=name, strict=True) as run:
        for step, value in points:
            run.log_metric("loss", value, step=step)
        for metric, values in metrics.items():
            for value in values:
                run.log_metric(metric, value)
    return gittrack.get_run(run.id)


def test_a_metric_of_a_run_is_a_series_by_step(repo):
    series = logged("a", [(2, 0.25), (0, 1.0), (1, 0.5)]).metric("loss")
    assert isinstance(series, pandas.Series)
    assert (series.name, series.index.name, str(series.dtype)) == ("loss", "step", "float64")
    assert series.to_dict() == {0: 1.0, 1: 0.5, 2: 0.25}


def test_a_series_keeps_every_point_also_those_of_one_step(repo):
    assert list(logged("a", [(0, 1.0), (0, 2.0)]).metric("loss")) == [1.0, 2.0]


def test_times_are_utc_and_relative_ones_seconds_since_the_beginning(repo):
    run = logged("a", [(0, 1.0), (1, 0.5)])
    by_time = run.metric("loss", by="time").index
    assert str(by_time.tz) == "UTC"
    assert by_time[0] >= pandas.Timestamp(run.record.start_time, unit="ms", tz="UTC")
    seconds = run.metric("loss", by="relative").index
    assert seconds.name == "seconds"
    assert list(seconds) == pytest.approx([(at.timestamp() * 1000 - run.record.start_time) / 1000 for at in by_time])


def test_runs_stand_side_by_side_and_what_one_has_not_is_nan(repo):
    one, two = logged("one", [(0, 1.0), (1, 0.5)]), logged("two", [(1, 2.0), (2, 3.0)])
    frame = gittrack.metrics([one, two.id[:8]], "loss")
    assert list(frame.columns) == ["one", "two"]
    assert frame.index.name == "step"
    assert frame.loc[1].to_dict() == {"one": 0.5, "two": 2.0}
    assert math.isnan(frame.loc[0, "two"])
    assert math.isnan(frame.loc[2, "one"])


def test_one_run_alone_will_do(repo):
    logged("one", [(0, 1.0)])
    assert gittrack.metrics("one", "loss").to_dict() == {"one": {0: 1.0}}


def test_runs_of_one_name_have_columns_of_their_own(repo):
    runs = [logged("same", [(0, float(number))]) for number in range(3)]
    frame = gittrack.metrics(runs, "loss")
    assert list(frame.columns) == [f"same ({run.id[:8]})" for run in runs]
    assert frame.iloc[0].to_list() == [0.0, 1.0, 2.0]


def test_a_run_without_the_metric_keeps_its_column(repo):
    with_it, without = logged("with", [(0, 1.0)]), logged("without", [], acc=[1.0])
    frame = gittrack.metrics([without, with_it], "loss")
    assert list(frame.columns) == ["without", "with"]
    assert frame["without"].isna().all()


def test_of_a_step_logged_twice_the_last_value_counts_in_a_frame(repo):
    one, two = logged("one", [(0, 1.0), (0, 9.0), (1, 2.0)]), logged("two", [(0, 5.0)])
    assert gittrack.metrics([one, two], "loss").loc[0].to_list() == [9.0, 5.0]
    assert gittrack.metrics(one, "loss")["one"].to_list() == [9.0, 2.0]


def test_points_of_one_millisecond_are_all_kept_by_time(repo):
    points = [(step, float(step)) for step in range(500)]
    one, two = logged("one", points), logged("two", points)
    for by in ("time", "relative"):
        frame = gittrack.metrics([one, two], "loss", by=by)
        assert frame.index.is_monotonic_increasing
        for name in ("one", "two"):
            assert frame[name].dropna().to_list() == [value for _, value in points]
        assert len(gittrack.metrics([one, two], "loss", by=by, points=10)) <= 20
        assert len(gittrack.metrics(one, "loss", by=by, points=10)) <= 10
        assert len(one.metric("loss", by=by, points=10)) <= 10


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.dictionaries(st.integers(0, 120), st.floats(allow_nan=True, allow_infinity=True), min_size=1),
        min_size=1,
        max_size=3,
    ),
    st.integers(8, 40),
)
def test_a_frame_holds_what_was_logged_and_thinning_only_drops_rows(repo, logs, points):
    runs = [logged(f"run-{number}", log.items()) for number, log in enumerate(logs)]
    frame = gittrack.metrics(runs, "loss")
    assert list(frame.index) == sorted({step for log in logs for step in log})
    thin = gittrack.metrics(runs, "loss", points=points)
    assert len(thin) <= points * len(runs)
    pandas.testing.assert_frame_equal(thin, frame.loc[thin.index])
    for number, log in enumerate(logs):
        column = frame[f"run-{number}"]
        assert {str(column[step]) for step in log} == set(map(str, log.values()))
        finite = [value for value in log.values() if math.isfinite(value)]
        if finite:
            assert {min(finite), max(finite)} <= set(thin[f"run-{number}"])


def test_the_thinned_series_keeps_the_spike(repo):
    points = [(step, 100.0 if step == 777 else 0.0) for step in range(1000)]
    series = logged("a", points).metric("loss", points=20)
    assert len(series) <= 20
    assert series.max() == 100.0
    assert {series.index[0], series.index[-1]} == {0, 999}


def test_a_run_in_progress_has_a_history_too(repo):
    with gittrack.start_run(name="live") as run:
        run.log_metric("loss", 0.5, step=3)
        assert gittrack.metrics("live", "loss").to_dict() == {"live": {3: 0.5}}


def test_mistakes_are_told(repo):
    run = logged("a", [(0, 1.0)])
    with pytest.raises(NotFoundError, match="run 'a' has no metric 'los'") as no_metric:
        gittrack.metrics(run, "los")
    assert no_metric.value.hint == "did you mean 'loss'?"
    with pytest.raises(NotFoundError, match="none of 2 runs has a metric 'x'"):
        gittrack.metrics([run, run], "x")
    with pytest.raises(NotFoundError, match="no runs are given"):
        gittrack.metrics([], "loss")
    with pytest.raises(InvalidValueError, match="'epoch' is no axis"):
        gittrack.metrics(run, "loss", by="epoch")
    with pytest.raises(InvalidValueError, match="3 points"):
        gittrack.metrics(run, "loss", points=3)
    with pytest.raises(RunNotFoundError):
        gittrack.metrics("nobody", "loss")


def test_without_pandas_the_error_names_the_extra(repo, project_env):
    program = """
import sys
from dataclasses import replace
sys.modules["pandas"] = None
import gittrack
with gittrack.start_run() as run:
    run.log_metric("loss", 1.0)
try:
    gittrack.metrics(run.id, "loss")
except gittrack.errors.MissingDependencyError as error:
    print(error.message, "|", error.hint)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], env=project_env, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout == "pandas is not installed | pip install 'gittrack[pandas]'\n", done.stderr


def test_the_module_loads_no_pandas(project_env):
    program = "import sys, json, gittrack; gittrack.metrics; print(json.dumps('pandas' in sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], env=project_env, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) is False


def test_every_value_is_read_exactly_whoever_parses_it(repo):
    values = [
        5e-324,
        1.7976931348623157e308,
        -0.0,
        0.1 + 0.2,
        1 / 3,
        math.nan,
        math.inf,
        -math.inf,
        2.2250738585072014e-308,
    ]
    steps = [-(2**63), -1, 0, 1, 2**53, 2**53 + 1, 2**62, 2**63 - 2, 2**63 - 1]
    run = logged("a", zip(steps, values, strict=True))
    series = run.metric("loss")
    assert list(series.index) == steps
    assert list(map(repr, series.tolist())) == list(map(repr, values))
    assert gittrack.metrics(run, "loss").index.to_list() == steps


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=True, allow_infinity=True)), min_size=1)
)
def test_the_quick_way_reads_what_the_careful_way_reads(repo, points):
    run = logged("a", points)
    history, series = run.history("loss"), run.metric("loss", by="time")
    assert series.tolist() == pytest.approx(list(history.values), rel=0, abs=0, nan_ok=True)
    assert len(series) == len(points)


@pytest.mark.parametrize(
    "rows",
    [
        "1,2\n",
        "1,2,3,4\n5,6\n",
        "1,2,\n",
        "\n1,2,3\n",
        "1,2,1_0\n",
        '"1",2,3\n',
        "1, 2,3\n",
        "1,2,3\r\n",
        "1,2,3",
        "1,2,3e\n",
    ],
)
def test_damaged_rows_are_an_error_and_never_a_value(repo, git, rows):
    run = logged("a", [(0, 1.0)])
    (repo / "rows.csv").write_bytes(f"step,timestamp,value\n{rows}".encode())
    commit = _with_file(git, str(run.commit), "metrics/loss.csv", repo / "rows.csv")
    damaged = replace(run, commit=commit)
    with pytest.raises(CorruptRecordError):
        damaged.metric("loss")
    with pytest.raises(CorruptRecordError):
        gittrack.metrics([damaged], "loss")


def test_a_run_that_is_damaged_hides_no_other(repo, git):
    bad, good = logged("bad", [(0, 1.0), (1, 0.5)]), logged("good", [(0, 2.0), (1, 1.0)])
    blob = git("rev-parse", f"{bad.commit}:metrics/loss.csv").strip()
    (repo / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    with pytest.warns(UserWarning, match=f"'loss' of run 'bad' .{bad.id[:8]}. cannot be read: .*; its column is NaN"):
        frame = gittrack.metrics([bad, good], "loss")
    assert list(frame.columns) == ["bad", "good"]
    assert frame["bad"].isna().all()
    assert frame["good"].to_list() == [2.0, 1.0]
    with pytest.raises(CorruptRecordError, match=f"'loss' of run 'bad' .{bad.id[:8]}. cannot be read: "):
        gittrack.metrics([bad], "loss")
    with pytest.raises(CorruptRecordError, match="'loss' of run 'bad'"):
        bad.metric("loss")
    with pytest.raises(InvalidValueError):
        gittrack.metrics([bad, good], "loss", points=7)


def test_thinned_rows_keep_each_of_few_gaps(repo):
    values = [float(step) for step in range(40)]
    values[7] = values[12] = math.nan
    frame = gittrack.metrics([logged("a", list(enumerate(values)))], "loss", points=10)
    assert len(frame) <= 10
    assert list(frame.index[frame["a"].isna()]) == [7, 12]


def _with_file(git, commit, path, file):
    env = {"GIT_INDEX_FILE": str(file.with_suffix(".index"))}
    blob = git("hash-object", "-w", str(file)).strip()
    git("read-tree", commit, env=env)
    git("update-index", "--cacheinfo", f"100644,{blob},{path}", env=env)
    return git("commit-tree", "-m", "damaged", git("write-tree", env=env).strip()).strip()


def test_the_table_of_a_search_says_which_runs(repo):
    logged("one", [(0, 1.0)])
    logged("two", [(0, 2.0)])
    order = ["name"]
    for output_format in ("pandas", "list", "arrow"):
        if output_format == "arrow":
            pytest.importorskip("pyarrow")
        found = gittrack.search_runs("metrics.loss > 0", order_by=order, output_format=output_format)
        assert gittrack.metrics(found, "loss").to_dict() == {"one": {0: 1.0}, "two": {0: 2.0}}
    with pytest.raises(InvalidValueError, match="no column 'run_id'"):
        gittrack.metrics(gittrack.search_runs()[["run_name"]], "loss")
    with pytest.raises(NotFoundError, match="no runs are given"):
        gittrack.metrics(gittrack.search_runs("metrics.loss > 9"), "loss")

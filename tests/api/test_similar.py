"""The runs most like one: what SQL says of whole columns is what the definition says of each pair."""

from __future__ import annotations

import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import gittrack
from gittrack.api.similar import similar
from gittrack.core.ids import ExperimentId, ObjectId, RunId
from gittrack.core.records import CodeState, ExperimentRef, MetricSummary, Person, RunRecord, RunStatus
from gittrack.core.similarity import Basis, gower
from gittrack.errors import NotFoundError, RunNotFoundError, UsageError
from gittrack.index.columns import distances, facts_of_number, number_of, scales_of
from gittrack.index.database import IndexDatabase
from gittrack.index.rows import IndexedRun, IndexWriter

VALUES = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.sampled_from([0.001, 0.01, 0.1, 1, 10, True, False, None, "1", "rf", "true", "nan", "", "日本"]),
)
PARAMS = st.dictionaries(st.sampled_from(["lr", "model", "depth", "a.b"]), VALUES)
METRICS = st.dictionaries(st.sampled_from(["acc", "loss", "system/cpu"]), st.floats())


def record(number: int, params, metrics) -> RunRecord:
    return RunRecord(
        id=RunId(f"{number:032x}"),
        name=f"r{number}",
        experiment=ExperimentRef(ExperimentId("0"), "Default"),
        status=RunStatus.FINISHED,
        start_time=number,
        end_time=number,
        author=Person("a", "a@example.com"),
        code=CodeState(ObjectId("0" * 40)),
        params=params,
        metrics={name: MetricSummary(value, value, value, value, 1, 0, 0) for name, value in metrics.items()},
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(PARAMS, METRICS), min_size=1, max_size=6), st.booleans())
def test_columns_say_what_the_definition_says(runs, few):
    basis = Basis(("lr", "a.b"), ("acc",), False, False) if few else Basis(None, None, False, False)
    with IndexDatabase.in_memory() as index:
        with index.writing() as sql:
            writer = IndexWriter(sql)
            for number, (params, metrics) in enumerate(runs, 1):
                writer.write_run(IndexedRun(record(number, params, metrics), ObjectId("1" * 40), (), ""))
            writer.flush()
        numbers = [number_of(sql, RunId(f"{number:032x}")) for number in range(1, len(runs) + 1)]
        facts = [facts_of_number(sql, number) for number in numbers]
        mine = facts[0]
        scales = scales_of(sql, "params", mine.params) | scales_of(sql, "metrics", mine.metrics)
        tables = [distances(sql, aspect, mine, basis, scales) for aspect in ("params", "metrics")]
        for number, theirs in zip(numbers, facts, strict=True):
            sums = [table.of.get(number, table.otherwise) for table in tables]
            total, count = sum(each[0] for each in sums), sum(each[1] for each in sums)
            expected = gower(mine, theirs, basis, scales)
            assert (None if not count else total / count) == (None if expected is None else pytest.approx(expected))


@pytest.fixture
def runs(repo):
    made = {}
    for name, lr, model in (
        ("one", 0.001, "net"),
        ("same", 0.001, "net"),
        ("near", 0.002, "net"),
        ("far", 0.1, "net"),
        ("other", 0.001, "forest"),
    ):
        with gittrack.start_run(name=name, params={"lr": lr, "model": model}, strict=True) as run:
            run.log_metric("acc", {"near": 0.1, "far": 0.9}.get(name, math.nan if name == "other" else 0.5))
        made[name] = run.id
    return made


def names(found) -> list[str]:
    return [each.run.name for each in found.runs]


def test_the_nearest_come_first_and_the_run_itself_is_not_among_them(runs):
    found = similar("one")
    assert found.compared == 4
    # The last two: both a whole difference in one of three variables (lr, model, code); then the newest comes first.
    assert names(found) == ["same", "near", "other", "far"]


def test_an_exact_duplicate_is_told_and_what_differs_is_named(runs):
    same, near = similar("one", 2).runs
    assert (same.duplicate, same.distance, same.differences) == (True, 0, ())
    assert not near.duplicate
    (difference,) = near.differences
    assert (difference.aspect, difference.name, difference.mine, difference.theirs) == ("params", "lr", 0.001, 0.002)
    # Two decades: by logarithms.
    assert difference.distance == pytest.approx(math.log(2) / math.log(100))


def test_metrics_and_single_names_can_be_what_counts(runs):
    assert names(similar("one", on="metrics"))[0] == "same"
    assert names(similar("one", on=["metrics.acc"]))[-1] == "other"
    assert [each.distance for each in similar("one", on="model").runs].count(0) == 3


def test_a_metric_that_is_nan_is_as_far_as_can_be_from_a_number(runs):
    by_name = {each.run.name: each.distance for each in similar("one", on="metrics").runs}
    assert by_name["other"] == 1


def test_other_code_counts(runs, repo):
    (repo / "train.py").write_text("print('changed')\n", encoding="utf-8")
    with gittrack.start_run(name="changed", params={"lr": 0.001, "model": "net"}, strict=True):
        pass
    by_name = {each.run.name: each for each in similar("one").runs}
    changed = by_name["changed"]
    assert not changed.duplicate
    assert [(each.aspect, each.distance) for each in changed.differences] == [("code", 0.5)]
    assert by_name["same"].duplicate


def test_data_counts_without_being_a_param(repo):
    for name in ("one", "two", "three"):
        (repo / "data.csv").write_text("a\n1\n" if name != "three" else "b\n2\n", encoding="utf-8")
        with gittrack.start_run(name=name, strict=True) as run:
            run.log_input("data.csv", name="data")
    by_name = {each.run.name: each for each in similar("one", on="data").runs}
    assert by_name["two"].distance == 0
    assert by_name["three"].distance == 1
    assert by_name["three"].differences[0].mine != by_name["three"].differences[0].theirs


def test_a_run_in_progress_is_compared_too(runs):
    with gittrack.start_run(name="live", params={"lr": 0.001, "model": "net"}, strict=True) as run:
        found = similar("one")
        assert found.compared == 5
        assert "live" in names(found)[:2]
        assert names(similar(run.id))[0] in ("one", "same")


def test_a_query_and_an_experiment_narrow_it(runs):
    assert names(similar("one", query="params.model = 'forest'")) == ["other"]
    assert similar("one", experiment="Default").compared == 4


def test_what_cannot_be_compared_is_said(repo):
    with gittrack.start_run(name="bare", strict=True):
        pass
    assert similar("bare").runs == ()
    with pytest.raises(NotFoundError, match="nothing of what it is compared by"):
        similar("bare", on="metrics")
    with pytest.raises(UsageError, match="names nothing"):
        similar("bare", on=[""])
    with pytest.raises(UsageError):
        similar("bare", 0)
    with pytest.raises(RunNotFoundError):
        similar("nosuch")

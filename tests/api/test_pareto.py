"""The runs that no other run beats."""

from __future__ import annotations

import math

import pytest

import gittrack
from gittrack.api.pareto import pareto
from gittrack.core.directions import Direction
from gittrack.errors import NotFoundError, UsageError


@pytest.fixture
def runs(repo):
    for name, acc, latency in (
        ("small", 0.8, 5),
        ("large", 0.95, 50),
        ("slow", 0.8, 60),
        ("mid", 0.9, 20),
        ("again", 0.8, 5),
        ("broken", math.nan, 1),
        ("diverged", -math.inf, math.inf),
    ):
        with gittrack.start_run(name=name, params={"big": name == "large"}, strict=True) as run:
            run.log_metric("acc", acc)
            run.log_metric("latency", latency)
    with gittrack.start_run(name="lacking", strict=True) as run:
        run.log_metric("acc", 1.0)


def names(found) -> list[tuple[str, int]]:
    return [(each.run.name, each.front) for each in found.runs]


def test_the_front_is_what_nothing_beats_with_ties_the_newest_first(runs):
    found = pareto(["acc", "latency"])
    assert names(found) == [("large", 1), ("mid", 1), ("again", 1), ("small", 1)]
    assert found.directions == (Direction.UP, Direction.DOWN)
    assert found.runs[0].values == (0.95, 50.0)
    assert [run.name for run in found.front()] == ["large", "mid", "again", "small"]
    assert found.front(2) == []


def test_what_lacks_a_metric_or_is_nan_is_left_out_and_counted(runs):
    found = pareto(["acc", "latency"], fronts=10)
    assert (found.compared, found.lacking, found.nan) == (6, 1, 1)
    assert found.sizes == (4, 1, 1)
    assert names(found)[4:] == [("slow", 2), ("diverged", 3)]


def test_directions_can_be_given_and_unknown_ones_are_an_error_that_says_how(runs):
    assert names(pareto(["acc", "latency"], maximize=["latency"]))[0][0] == "large"
    with gittrack.start_run(name="x", strict=True) as run:
        run.log_metric("wobble", 1)
    with pytest.raises(UsageError, match="which way 'wobble' gets better is not known") as caught:
        pareto(["acc", "wobble"])
    assert "--minimize 'wobble'" in (caught.value.hint or "")
    assert pareto(["acc", "wobble"], minimize=["wob*"]).compared == 0


def test_a_project_says_which_way_for_good(runs, repo):
    (repo / ".gittrack.toml").write_text('[metrics]\nmaximize = ["latency"]\n', encoding="utf-8")
    assert pareto(["acc", "latency"]).directions == (Direction.UP, Direction.UP)


def test_three_metrics_and_other_numbers_of_them(runs):
    found = pareto(["acc", "latency", "summary.acc.min"])
    assert found.metrics == ("acc", "latency", "summary.acc.min")
    assert {name for name, _ in names(found)} == {"large", "mid", "again", "small"}


def test_a_query_narrows_it(runs):
    assert names(pareto(["acc", "latency"], "params.big = true")) == [("large", 1)]
    assert pareto(["acc", "latency"], experiment="Default").compared == 6


def test_a_run_in_progress_can_be_on_the_front(runs):
    with gittrack.start_run(name="live", strict=True) as run:
        run.log_metric("acc", 0.99)
        run.log_metric("latency", 1)
        found = pareto(["acc", "latency"])
        assert names(found) == [("live", 1)]


def test_what_is_wrong_is_said(runs):
    with pytest.raises(UsageError, match="two metrics or more"):
        pareto(["acc"])
    with pytest.raises(UsageError, match="two metrics or more"):
        pareto(["acc", "acc"])
    with pytest.raises(UsageError, match="named twice"):
        pareto(["acc", "latency", "acc"])
    with pytest.raises(UsageError, match="one text"):
        pareto("acc")
    with pytest.raises(UsageError, match="no number of fronts"):
        pareto(["acc", "latency"], fronts=0)
    with pytest.raises(NotFoundError, match="no run has a metric 'latencyy'") as caught:
        pareto(["acc", "latencyy"])
    assert "did you mean latency?" in (caught.value.hint or "")

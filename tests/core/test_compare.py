"""Runs side by side, from made-up facts: no repository is needed."""

from __future__ import annotations

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gittrack.core.compare import check_directions, section_of_key, side_by_side
from gittrack.core.compared_groups import delta, names_in_order
from gittrack.core.comparison import Absence, ComparedRun, Delta
from gittrack.core.directions import Direction, Directions
from gittrack.errors import NotFoundError, UsageError

MISSING, UNKNOWN = Absence.MISSING, Absence.UNKNOWN
NAN = math.nan


def run(number: int, *, unknown=(), **facts) -> ComparedRun:
    return ComparedRun(f"{number:032x}", f"run-{number}", facts, frozenset(unknown))


def test_each_fact_has_a_value_for_each_run_and_says_whether_it_differs():
    found = side_by_side([run(1, params={"lr": 0.1, "same": 1}), run(2, params={"same": 1, "new": "x"})])
    assert [(row.name, row.values, row.differs) for row in found.section("params")] == [
        ("lr", (0.1, MISSING), True),
        ("new", (MISSING, "x"), True),
        ("same", (1, 1), False),
    ]
    assert [row.name for row in found.differing()] == ["lr", "new"]


@pytest.mark.parametrize(
    ("one", "other", "differs"),
    [
        (1, "1", True),
        (1, 1.0, True),
        (1, True, True),
        (None, "None", True),
        (NAN, float("nan"), False),
        ([1, NAN], [1, NAN], False),
        ([1], [1.0], True),
        ("größe", "größe", False),
        ({}, [], True),
    ],
)
def test_types_count(one, other, differs):
    found = side_by_side([run(1, params={"p": one}), run(2, params={"p": other})])
    assert found.row("params", "p").differs is differs


def test_none_is_a_value_and_not_missing():
    found = side_by_side([run(1, params={"p": None}), run(2)])
    assert found.row("params", "p").values == (None, MISSING)
    assert found.row("params", "p").differs


def test_what_nobody_knows_is_no_difference():
    runs = [run(1, environment={"a": "1", "b": "1"}), run(2, unknown=["environment"]), run(3, environment={"a": "1"})]
    found = side_by_side(runs)
    assert (found.row("environment", "a").values, found.row("environment", "a").differs) == (("1", UNKNOWN, "1"), False)
    assert found.row("environment", "b").differs


def test_one_run_differs_from_nothing():
    found = side_by_side([run(1, params={"a": 1}, metrics={"loss": NAN})], normalize="z", weights={"loss": 1})
    assert found.differing() == ()
    assert found.scores == (None,)
    assert found.ranks() == (None,)


def test_no_run_has_no_facts():
    found = side_by_side([], weights={"loss": 1.0}, group_by=["params.a"])
    assert (found.rows, found.scores, found.groups) == ((), (), ())


def test_metrics_of_short_paths_come_first_and_those_of_the_machine_last():
    assert names_in_order("metrics", {"system/cpu", "val/acc", "loss", "a/b/c"}) == [
        "loss",
        "val/acc",
        "a/b/c",
        "system/cpu",
    ]


@pytest.mark.parametrize(
    ("number", "baseline", "direction", "expected"),
    [
        (0.5, 1.0, Direction.DOWN, Delta(-0.5, -0.5, "better")),
        (0.5, 1.0, Direction.UP, Delta(-0.5, -0.5, "worse")),
        (0.5, 1.0, Direction.UNKNOWN, Delta(-0.5, -0.5, "")),
        (1.0, 1.0, Direction.UNKNOWN, Delta(0.0, 0.0, "same")),
        (1.0, -2.0, Direction.UP, Delta(3.0, 1.5, "better")),
        (1.0, 0.0, Direction.UP, Delta(1.0, None, "better")),
        (math.inf, math.inf, Direction.DOWN, Delta(0.0, 0.0, "same")),
        (math.inf, 1.0, Direction.DOWN, Delta(math.inf, math.inf, "worse")),
        (1.0, math.inf, Direction.DOWN, Delta(-math.inf, None, "better")),
        (None, 1.0, Direction.UP, None),
        (1.0, None, Direction.UP, None),
    ],
)
def test_a_delta_knows_which_way_is_better(number, baseline, direction, expected):
    assert delta(number, baseline, direction) == expected


def test_nan_is_neither_better_nor_worse():
    for number, baseline in ((NAN, 1.0), (1.0, NAN), (NAN, NAN)):
        found = delta(number, baseline, Direction.UP)
        assert math.isnan(found.difference)
        assert (found.relative, found.verdict) == (None, "")


def test_metrics_are_compared_with_the_first_run():
    runs = [run(1, metrics={"loss": 1.0, "acc": 0.5}), run(2, metrics={"loss": 0.5})]
    found = side_by_side(runs, has_baseline=True)
    assert [each.verdict for each in found.row("metrics", "loss").deltas] == ["same", "better"]
    assert found.row("metrics", "acc").deltas == (Delta(0.0, 0.0, "same"), None)
    assert side_by_side(runs).row("metrics", "loss").deltas == ()


def test_the_project_says_which_way_a_metric_gets_better():
    runs = [run(1, metrics={"thing": 1.0}), run(2, metrics={"thing": 2.0})]
    found = side_by_side(runs, has_baseline=True, directions=Directions(maximize=("thing",)))
    assert found.row("metrics", "thing").direction is Direction.UP
    assert found.row("metrics", "thing").deltas[1].verdict == "better"


def test_relative_needs_a_baseline():
    with pytest.raises(UsageError, match="baseline"):
        side_by_side([run(1)], normalize="relative")


def test_scores_and_their_ranks():
    runs = [
        run(1, metrics={"acc": 0.9, "latency": 30.0}),
        run(2, metrics={"acc": 0.8, "latency": 10.0}),
        run(3, metrics={"acc": 0.9, "latency": 30.0}),
        run(4, metrics={"acc": 0.9}),
    ]
    found = side_by_side(runs, weights={"acc": 3, "latency": 1})
    assert found.scores == (0.75, 0.25, 0.75, None)
    assert found.ranks() == (1, 3, 1, None)
    relative = side_by_side(runs[:2], weights={"latency": 1}, has_baseline=True, normalize="relative")
    assert relative.scores == pytest.approx((0.0, 2 / 3))


def test_a_score_is_never_of_a_metric_that_nobody_can_judge():
    runs = [run(1, metrics={"thing": 1.0, "loss": 1.0})]
    with pytest.raises(UsageError, match="'thing'") as error:
        side_by_side(runs, weights={"thing": 1})
    assert "--maximize" in error.value.hint
    with pytest.raises(NotFoundError) as missing:
        side_by_side(runs, weights={"los": 1})
    assert "metrics.loss" in missing.value.hint


def seeds() -> list[ComparedRun]:
    values = {("rf", 1): 0.9, ("rf", 2): 0.92, ("rf", 3): 0.91, ("mlp", 1): 0.95, ("mlp", 2): NAN}
    return [
        run(number, params={"model": model, "seed": seed}, metrics={"acc": acc}, tags={"stage": "dev"})
        for number, ((model, seed), acc) in enumerate(values.items())
    ] + [run(9, metrics={"acc": 0.1})]


def test_groups_have_statistics_of_each_metric():
    found = side_by_side(seeds(), group_by=["params.model"])
    assert found.group_by == ("params.model",)
    assert [(group.key, group.runs) for group in found.groups] == [
        (("mlp",), (3, 4)),
        (("rf",), (0, 1, 2)),
        ((MISSING,), (5,)),
    ]
    mlp, rf, _ = (group.statistics["acc"] for group in found.groups)
    assert (rf.n, rf.mean, rf.deviation) == (3, pytest.approx(0.91), pytest.approx(0.01))
    assert rf.high - rf.mean == pytest.approx(4.302653 * 0.01 / math.sqrt(3))
    assert (mlp.n, mlp.nan, mlp.mean, mlp.deviation) == (1, 1, 0.95, None)


def test_groups_by_several_keys_and_of_any_section():
    found = side_by_side(seeds(), group_by=["model", "tags.stage"])
    assert found.group_by == ("params.model", "tags.stage")
    assert [group.key for group in found.groups] == [("mlp", "dev"), ("rf", "dev"), (MISSING, MISSING)]


def test_the_baseline_of_groups_is_the_group_of_the_baseline():
    found = side_by_side(seeds(), group_by=["model"], has_baseline=True)
    assert {group.key[0]: group.deltas["acc"].verdict for group in found.groups} == {
        "mlp": "better",
        "rf": "same",
        MISSING: "worse",
    }


def test_groups_tell_types_apart_and_stand_in_order():
    values = [10, 2, "2", 2.5, None, True, [1], NAN, NAN, 10**400]
    runs = [run(place, params={"p": value}) for place, value in enumerate(values)]
    groups = side_by_side(runs, group_by=["p"]).groups
    assert len(groups) == 9  # both NaN are one
    assert [repr(group.key[0])[:6] for group in groups[:5]] == ["2", "2.5", "10", "100000", "nan"]


def test_groups_have_scores_of_their_means_normalised_over_the_groups():
    runs = [
        run(number, params={"model": model}, metrics={"acc": acc, "loss": loss})
        for number, (model, acc, loss) in enumerate(
            [("a", 0.8, 1.0), ("a", 1.0, 3.0), ("b", 0.5, 1.0), ("c", 0.7, 4.0), ("c", 0.7, NAN)]
        )
    ] + [run(9, params={"model": "d"}, metrics={"acc": 0.9})]
    found = side_by_side(runs, group_by=["model"], weights={"acc": 3, "loss": 1}, has_baseline=True)
    # Means: acc 0.9, 0.5, 0.7, 0.9; loss 2, 1, 4, none.
    assert [(group.score, group.rank) for group in found.groups] == [
        (pytest.approx(0.75 + 0.25 * 2 / 3), 1),
        (pytest.approx(0.25), 3),
        (pytest.approx(0.75 * 0.5), 2),
        (None, None),
    ]
    assert found.groups[0].normalised == {}
    scaled = side_by_side(runs, group_by=["model"], normalize="relative", has_baseline=True).groups
    assert [group.normalised["acc"] for group in scaled] == pytest.approx([0, -4 / 9, -2 / 9, 0])
    assert [group.normalised.get("loss") for group in scaled] == [0, 0.5, -1, None]
    assert [group.score for group in scaled] == [None] * 4


def test_groups_of_what_queries_ask_for_and_parents_by_their_names():
    one, other, third = (
        ComparedRun(f"{number:032x}", "r", {"metrics": {"acc": 1.0}}, keys={"attributes.parent": parent})
        for number, parent in enumerate(["a" * 32, "b" * 32, MISSING])
    )
    found = side_by_side([one, other, third], group_by=["attributes.parent"], names={"a" * 32: "sweep"})
    assert [(group.key[0], group.labels) for group in found.groups] == [
        ("a" * 32, ("sweep",)),
        ("b" * 32, ("",)),
        (MISSING, ("",)),
    ]
    with pytest.raises(NotFoundError, match=r"attributes\.parent"):
        side_by_side([third], group_by=["attributes.parent"])


def test_what_nobody_knows_is_a_group_of_its_own():
    runs = [run(1, environment={"cpu": "a"}), run(2, environment={}), run(3, unknown=["environment"])]
    keys = [group.key for group in side_by_side(runs, group_by=["environment.cpu"]).groups]
    assert keys[0] == ("a",)
    assert {keys[1][0], keys[2][0]} == {MISSING, UNKNOWN}


def test_a_direction_of_no_metric_is_refused():
    runs = [run(1, metrics={"loss": 1.0, "a*": 1.0})]
    check_directions(runs, Directions(("lo*", "a*"), ("loss",)))
    with pytest.raises(NotFoundError, match=r"metrics\.los'") as error:
        check_directions(runs, Directions((), ("los",)))
    assert error.value.hint == "gittrack compare … --minimize 'metrics.loss'"
    with pytest.raises(NotFoundError):
        check_directions(runs, Directions(("x*",)))


def test_a_key_that_no_run_has_names_a_near_one():
    with pytest.raises(NotFoundError) as error:
        side_by_side(seeds(), group_by=["params.modle"])
    assert error.value.hint == "gittrack compare … --group-by 'params.model'"


def test_keys_name_a_section_or_a_param():
    assert section_of_key("params.optim.lr") == ("params", "optim.lr")
    assert section_of_key("tag.`a b`") == ("tags", "a b")
    assert section_of_key("optim.lr") == (None, "optim.lr")
    assert section_of_key("environment.python.version") == ("environment", "python.version")


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
FACTS = st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3)
METRICS = st.dictionaries(st.sampled_from(["loss", "acc", "x"]), st.floats(), max_size=3)


@given(st.lists(st.tuples(FACTS, METRICS), min_size=1, max_size=5))
def test_whatever_runs_hold_every_row_is_whole(facts):
    runs = [run(number, params=params, metrics=metrics) for number, (params, metrics) in enumerate(facts)]
    found = side_by_side(runs, has_baseline=True, normalize="percentile")
    for row in found.rows:
        assert len(row.values) == len(runs)
        for value, (params, metrics) in zip(row.values, facts, strict=True):
            known = params if row.section == "params" else metrics
            assert (value is MISSING) == (row.name not in known)
        if row.section == "metrics":
            assert len(row.deltas) == len(row.normalised) == len(runs)
    assert {row.name for row in found.section("params")} == {name for params, _ in facts for name in params}


@given(st.lists(st.tuples(FACTS, METRICS), min_size=1, max_size=6), st.randoms())
def test_each_run_is_in_one_group_and_their_order_does_not_matter(facts, random):
    runs = [run(number, params=params | {"k": 0}, metrics=metrics) for number, (params, metrics) in enumerate(facts)]
    mixed = list(runs)
    random.shuffle(mixed)
    keys = ["params.k", *(["params.a"] if any("a" in params for params, _ in facts) else [])]
    one, other = side_by_side(runs, group_by=keys), side_by_side(mixed, group_by=keys)
    assert sorted(place for group in one.groups for place in group.runs) == list(range(len(runs)))
    assert [(repr(group.key), repr(group.statistics)) for group in one.groups] == [
        (repr(group.key), repr(group.statistics)) for group in other.groups
    ]


def test_twelve_thousand_metrics_take_no_time():
    runs = [run(n, metrics={f"m{i}/loss": float(i * n) for i in range(12_000)}) for n in range(4)]
    start = time.perf_counter()
    found = side_by_side(runs, has_baseline=True, normalize="z")
    assert len(found.rows) == 12_000
    assert time.perf_counter() - start < 10


def test_a_frame_has_a_row_for_each_run():
    pandas = pytest.importorskip("pandas")
    runs = [run(1, params={"lr": 0.1}, metrics={"loss": 1.0, "acc": 0.5}), run(2, metrics={"loss": NAN})]
    frame = side_by_side(runs, has_baseline=True, normalize="minmax", weights={"loss": 1}).to_frame()
    assert list(frame.index) == [each.id for each in runs]
    assert frame.loc[runs[0].id, "params.lr"] == 0.1
    assert frame["params.lr"].isna().tolist() == [False, True]
    assert frame["metrics.acc"].isna().tolist() == [False, True]
    assert frame["metrics.acc.delta"].dtype == "float64"
    assert set(frame.columns) >= {"name", "metrics.loss.normalized", "score"}
    assert isinstance(frame, pandas.DataFrame)
    assert "params.lr" in side_by_side(runs).to_frame(differing=True)


def test_a_frame_of_groups_has_a_row_for_each_group():
    pytest.importorskip("pandas")
    frame = side_by_side(seeds(), group_by=["params.model"]).to_frame()
    assert frame["params.model"].tolist()[:2] == ["mlp", "rf"]
    assert frame["params.model"].isna().tolist() == [False, False, True]
    assert frame["metrics.acc.n"].tolist() == [1, 3, 1]
    assert frame["runs"].tolist() == [2, 3, 1]


def test_it_says_what_it_is_in_a_line():
    assert repr(side_by_side(seeds())) == "Comparison(6 runs, 4 facts, 4 of them differ)"
    with pytest.raises(NotFoundError):
        side_by_side(seeds()).row("params", "none")

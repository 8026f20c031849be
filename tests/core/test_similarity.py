"""Gower's distance: between 0 and 1, the same both ways, and what its parts say."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gittrack.core.similarity import (
    Basis,
    Facts,
    Scale,
    code_distance,
    data_distance,
    gower,
    parse_basis,
    stored_distance,
    variables,
)
from gittrack.errors import UsageError

NAMES = st.sampled_from(["lr", "model", "depth", "a.b"])
NUMBERS = st.one_of(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False))
STORED = st.one_of(
    NUMBERS.map(lambda number: (number, "number")),
    st.text(max_size=3).map(lambda text: (text, "text")),
    st.sampled_from([(None, "null"), (None, "number"), ("true", "flag"), ("false", "flag")]),
)
FACTS = st.builds(
    Facts,
    params=st.dictionaries(NAMES, STORED),
    metrics=st.dictionaries(NAMES, NUMBERS.map(lambda number: (number, ""))),
    code=st.sampled_from([None, "c1", "c2"]),
    head=st.sampled_from([None, "h1", "h2"]),
    data=st.frozensets(st.sampled_from(["md5:1", "md5:2", "md5:3"])),
)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
SCALE = st.tuples(FINITE, FINITE).map(lambda ends: Scale(min(ends), max(ends)))
SCALES = st.dictionaries(st.tuples(st.sampled_from(["params", "metrics"]), NAMES), SCALE)
EVERYTHING = Basis(None, None)


@given(FACTS, FACTS, SCALES)
def test_a_distance_is_between_0_and_1_and_the_same_both_ways(one, other, scales):
    distance = gower(one, other, EVERYTHING, scales)
    assert distance is None or 0 <= distance <= 1
    assert distance == pytest.approx(gower(other, one, EVERYTHING, scales))


@given(FACTS, SCALES)
def test_a_run_is_like_itself(facts, scales):
    assert gower(facts, facts, EVERYTHING, scales) in (0, None)


@given(SCALE, FINITE, FINITE)
def test_the_ends_of_a_range_are_as_far_apart_as_can_be(scale, one, other):
    assert 0 <= scale.distance(one, other) <= 1
    assert scale.distance(scale.low, scale.high) == (0 if scale.low == scale.high else 1)


def test_what_spans_two_decades_is_measured_by_logarithms():
    assert Scale(0.001, 0.1).distance(0.001, 0.01) == pytest.approx(0.5)
    assert Scale(0.001, 0.099).distance(0.001, 0.05) == pytest.approx(0.5)
    assert Scale(-1, 1000).distance(0, 500.5) == pytest.approx(0.5)


def test_a_param_that_one_of_two_lacks_is_a_whole_difference():
    one, other = Facts({"lr": (1, "number"), "momentum": (1, "number")}), Facts({"lr": (1, "number")})
    assert gower(one, other, Basis(), {}) == 0.5
    assert [each.name for each in variables(one, other, Basis(), {}) if each.distance] == ["momentum"]


def test_nan_and_null_are_the_same_as_themselves_only():
    assert stored_distance((None, "number"), (None, "number"), None) == 0
    assert stored_distance((None, "number"), (None, "null"), None) == 1
    assert stored_distance((None, "number"), (1.0, "number"), Scale(0, 1)) == 1


def test_changes_to_one_commit_are_half_as_far_as_other_commits():
    assert code_distance("c1", "h", "c1", "h") == 0
    assert code_distance("c1", "h", "c2", "h") == 0.5
    assert code_distance("c1", "h", "c2", "g") == 1
    assert code_distance(None, None, "c2", "g") == 1
    assert code_distance(None, None, None, None) is None


def test_data_is_as_far_as_what_is_not_shared():
    assert data_distance(2, 2, 1) == pytest.approx(2 / 3)
    assert data_distance(0, 0, 0) is None
    assert data_distance(0, 1, 0) == 1


def test_metrics_of_the_machine_count_only_by_name():
    facts = Facts(metrics={"system/cpu": (1.0, ""), "acc": (1.0, "")})
    assert [each.name for each in variables(facts, Facts(), Basis((), None, False, False), {})] == ["acc"]
    named = Basis((), ("system/cpu",), False, False)
    assert [each.name for each in variables(facts, Facts(), named, {})] == ["system/cpu"]


def test_what_to_compare_by_is_read():
    assert parse_basis([]) == Basis(None, (), True, True)
    assert parse_basis(["params", "metrics"]) == Basis(None, None, False, False)
    assert parse_basis(["lr,metrics.acc, params.a.b", "data"]) == Basis(("lr", "a.b"), ("acc",), False, True)
    for wrong in ("", "lr,,acc", "params."):
        with pytest.raises(UsageError):
            parse_basis([wrong])


def test_infinities_are_no_range_and_no_trouble():
    assert Scale(0, 1).distance(math.inf, 0) == 1
    assert Scale(0, 1).distance(math.inf, math.inf) == 0
    assert Scale(-1.7e308, 1.7e308).distance(-1.7e308, 0) == pytest.approx(0.5)

"""Keep rules and checkpoints, as pure functions."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gittrack.core.ids import RunId
from gittrack.core.retention import Candidate, KeepRule, kept_by, parse_checkpoints, parse_rule, superseded
from gittrack.core.sizes import format_size
from gittrack.core.used_digests import digests_in
from gittrack.errors import UsageError

values = st.one_of(st.floats(allow_nan=True), st.integers(-3, 3).map(float))
runs = st.lists(
    st.builds(
        Candidate,
        st.integers(0, 2**64).map(lambda number: RunId(f"{number:032x}")),
        st.integers(0, 5),
        st.dictionaries(st.sampled_from(["loss", "acc"]), values, max_size=2),
        st.dictionaries(st.sampled_from(["best", "note"]), st.sampled_from(["", "yes"]), max_size=2),
    ),
    max_size=12,
    unique_by=lambda run: run.id,
)
rules = st.lists(
    st.one_of(
        st.sampled_from(
            [KeepRule("all"), KeepRule("none"), KeepRule("tagged"), KeepRule("tagged", key="best", value="yes")]
        ),
        st.builds(KeepRule, st.just("last"), st.integers(0, 13)),
        st.builds(KeepRule, st.just("best"), st.integers(0, 13), st.sampled_from(["loss", "acc"]), st.booleans()),
    ),
    max_size=4,
)


@given(rules)
def test_a_rule_is_read_as_it_is_written(listed):
    assert [parse_rule(str(rule)) for rule in listed] == listed


@given(rules, runs, st.randoms())
def test_the_order_of_runs_makes_no_difference(listed, found, random):
    shuffled = list(found)
    random.shuffle(shuffled)
    assert kept_by(listed, shuffled) == kept_by(listed, found)


@given(rules, rules, runs)
def test_a_further_rule_never_takes_anything_away(listed, more, found):
    assert kept_by(listed, found).keys() <= kept_by([*listed, *more], found).keys()


@given(rules, runs)
def test_what_is_kept_is_what_each_rule_keeps(listed, found):
    alone = [kept_by([rule], found).keys() for rule in listed]
    assert set(kept_by(listed, found)) == {id for kept in alone for id in kept}


@given(st.integers(0, 13), runs)
def test_last_keeps_so_many_and_none_that_is_older_than_one_it_drops(count, found):
    kept = kept_by([KeepRule("last", count)], found)
    assert len(kept) == min(count, len(found))
    dropped = [run.start_time for run in found if run.id not in kept]
    assert not dropped or all(run.start_time >= max(dropped) for run in found if run.id in kept)


@given(st.integers(0, 13), st.booleans(), runs)
def test_best_keeps_so_many_and_none_that_is_worse_than_one_it_drops(count, lowest, found):
    kept = kept_by([KeepRule("best", count, "loss", lowest)], found)
    ranked = [run for run in found if not math.isnan(run.metrics.get("loss", math.nan))]
    assert len(kept) == (min(count, len(ranked)) if ranked else len(found)), "a metric that no run has empties nothing"
    sign = 1 if lowest else -1
    worst = max((sign * run.metrics["loss"] for run in ranked if run.id in kept), default=-math.inf)
    assert all(sign * run.metrics["loss"] >= worst for run in ranked if run.id not in kept)


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("best:10 by val_loss", "best:10 by lowest val_loss"),
        ("best:10 by valLoss", "best:10 by lowest valLoss"),
        (" best:3 by eval/acc ", "best:3 by highest eval/acc"),
        ("best:3 by highest loss", "best:3 by highest loss"),
        ("best:1 by lowest a b", "best:1 by lowest a b"),
        ("tagged:k=a=b", "tagged:k=a=b"),
    ],
)
def test_what_a_rule_means_is_said(text, means):
    assert str(parse_rule(text)) == means


@pytest.mark.parametrize(
    "text",
    ["", "best", "best:3", "best:3 by", "best:3 by score_loss", "best:3 by x", "last", "last:-1", "last:3 by loss",
     "last:9999999999", "tagged:", "first:3"],
)  # fmt: skip
def test_what_may_mean_two_things_is_refused(text):
    with pytest.raises(UsageError) as caught:
        parse_rule(text)
    assert caught.value.hint


@pytest.mark.parametrize("text", ["last:0", "last", "best:1", "last:1 by loss"])
def test_checkpoints_say_how_many_stay(text):
    with pytest.raises(UsageError):
        parse_checkpoints(text)
    assert parse_checkpoints("last:3") == 3


@pytest.mark.parametrize(
    ("paths", "gone"),
    [
        (["step-9.pt", "step-10.pt", "step-100.pt"], ["step-9.pt"]),
        (["checkpoint-5/a", "checkpoint-5/b", "checkpoint-10/a", "checkpoint-10/b", "checkpoint-15/a"],
         ["checkpoint-5/a"]),
        (["e/epoch=1-step=10-val_loss=0.5.ckpt", "e/epoch=2-step=20-val_loss=0.25.ckpt",
          "e/epoch=3-step=30-val_loss=0.75.ckpt"], ["e/epoch=1-step=10-val_loss=0.5.ckpt"]),
        (["seed1/step1", "seed1/step2", "seed2/step1", "seed2/step2"], []),
        (["model-1.pt", "model-2.pt", "model-3.pt", "timestep", "footsteps5x1", "v1", "v2", "v3"], []),
        (["Step_1.h5", "Step_2.h5", "Step_3.h5"], ["Step_1.h5"]),
        (["step-1.pt", "step-1.json", "step-2.json", "step-3.json"], ["step-1.json"]),
    ],
)  # fmt: skip
def test_only_numbers_named_as_steps_make_a_checkpoint(paths, gone):
    assert superseded(paths, 2) == gone


@given(st.lists(st.tuples(st.sampled_from(["a/step-{}.pt", "b/epoch_{}", "c{}.bin"]), st.integers(0, 30))),
       st.integers(1, 5))  # fmt: skip
def test_the_highest_steps_of_each_kind_stay(parts, count):
    paths = {shape.format(step) for shape, step in parts}
    gone = set(superseded(paths, count))
    assert gone <= paths
    for shape in ("a/step-{}.pt", "b/epoch_{}"):
        steps = sorted(step for step in range(31) if shape.format(step) in paths)
        assert {shape.format(step) for step in steps[:-count]} == {path for path in gone if path[0] == shape[0]}
    assert not any(path.startswith("c") for path in gone)


def test_every_hash_in_a_text_is_found_and_nothing_longer():
    a, b = "a" * 32, "0" * 32
    text = f'[{{"md5": "{a}", "relpath": "x"}}] md5: {b}.dir {"c" * 33} {"d" * 31} {"E" * 32} {"f" * 40}'
    assert digests_in(text.encode()) == {f"md5:{a}", f"md5:{b}.dir"}


@given(st.integers(0, 10**19))
def test_a_size_is_short_and_near(count):
    number, unit = format_size(count).split()
    scale = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "PB": 10**15}[unit]
    assert abs(float(number) * scale - count) <= 0.006 * count
    assert len(number) <= 5

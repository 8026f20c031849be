"""``gittrack similar``."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def runs(record):
    record("one", {"acc": [0.5]}, params={"lr": 0.001, "model": "net"})
    record("same", {"acc": [0.6]}, params={"lr": 0.001, "model": "net"})
    record("\u202eevil", {"acc": [0.9]}, params={"lr": 0.1, "model": "a\nb"})


def test_the_nearest_with_what_differs(cli, runs):
    answer = cli("similar", "one")
    head, same, evil = answer.out.splitlines()
    assert head.split() == ["ID", "NAME", "EXPERIMENT", "STATUS", "DISTANCE", "DIFFERS", "IN"]
    assert same.endswith("0.000  nothing: the same run again")
    assert "lr 0.001 → 0.1" in evil
    assert "\u202e" not in answer.out
    assert "same params, code and data as 1 run of these" in answer.err
    assert "next: gittrack compare " in answer.err


def test_by_something_else(cli, runs):
    answer = cli("similar", "one", "--on", "metrics.acc", "-n", "1")
    assert "acc 0.5 → 0.6" in answer.out
    assert len(answer.out.splitlines()) == 2


@pytest.mark.parametrize(
    ("on", "near"), [("prams", "params"), ("lrr", "lr"), ("params.modle", "model"), ("metrics.ac", "metrics.acc")]
)
def test_a_basis_that_is_nearly_one_is_answered_with_that_one(cli, runs, on, near):
    answer = cli("similar", "one", "--on", on)
    assert (answer.code, f"hint: did you mean {near}?" in answer.err) == (3, True), answer.err


def test_json(cli, runs):
    document = json.loads(cli("similar", "one", "--json").out)
    assert [(run["name"], run["duplicate"]) for run in document["runs"]] == [("same", True), ("\u202eevil", False)]
    assert document["runs"][1]["differences"][0] == {
        "aspect": "params",
        "name": "lr",
        "mine": 0.001,
        "theirs": 0.1,
        "kind": "changed",
        "distance": 1.0,
    }
    assert document["compared"] == 2


def test_types_none_and_what_is_missing_are_told_apart(cli, record):
    record("one", params={"a": 0.1, "b": 3, "d": 3})
    record("typed", params={"a": "0.1", "b": 3.0, "d": 3})
    record("null", params={"a": 0.1, "b": 3, "d": None})
    record("missing", params={"a": 0.1, "b": 3})
    answer = cli("similar", "one", "--on", "params")
    shown = {line.split()[1]: line for line in answer.out.splitlines()[1:]}
    assert shown["typed"].endswith("0.000  a 0.1 (float) → 0.1 (str)  b 3 (int) → 3 (float)")
    assert shown["null"].endswith("d 3 → null")
    assert shown["missing"].endswith("d 3 → -")
    assert "same params" not in answer.err
    document = json.loads(cli("similar", "one", "--on", "params", "--json").out)
    kinds = {run["name"]: [each["kind"] for each in run["differences"]] for run in document["runs"]}
    assert kinds == {"typed": ["changed", "changed"], "null": ["changed"], "missing": ["removed"]}
    assert not any(run["duplicate"] for run in document["runs"])


def test_alone_there_is_nothing_to_compare_with(cli, record):
    record("alone", params={"lr": 1})
    answer = cli("similar", "alone")
    assert (answer.code, answer.out) == (0, "")
    assert "no other run" in answer.err


def test_what_is_wrong_is_an_error(cli, runs):
    assert cli("similar", "nosuch").code == 3
    assert cli("similar", "one", "--on", ",").code == 2
    assert cli("similar", "one", "-n", "0").code == 2

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


def test_json(cli, runs):
    document = json.loads(cli("similar", "one", "--json").out)
    assert [(run["name"], run["duplicate"]) for run in document["runs"]] == [("same", True), ("\u202eevil", False)]
    assert document["runs"][1]["differences"][0] == {
        "aspect": "params",
        "name": "lr",
        "mine": 0.001,
        "theirs": 0.1,
        "distance": 1.0,
    }
    assert document["compared"] == 2


def test_alone_there_is_nothing_to_compare_with(cli, record):
    record("alone", params={"lr": 1})
    answer = cli("similar", "alone")
    assert (answer.code, answer.out) == (0, "")
    assert "no other run" in answer.err


def test_what_is_wrong_is_an_error(cli, runs):
    assert cli("similar", "nosuch").code == 3
    assert cli("similar", "one", "--on", ",").code == 2
    assert cli("similar", "one", "-n", "0").code == 2

"""The query of a view, which comes with a repository, may take a second; what somebody types may take its time."""

from __future__ import annotations

import pytest

COMMANDS = [
    ("ls",),
    ("count",),
    ("count", "--by", "status"),
    ("best", "-m", "acc"),
    ("pareto", "-m", "acc", "-m", "loss"),
    ("similar", "one"),
    ("compare", "--query"),
    ("plot", "-m", "acc", "--query"),
]


@pytest.fixture
def two_runs(record, repo):
    record("one", {"acc": [0.5], "loss": [0.5]})
    record("two", {"acc": [0.6], "loss": [0.4]})


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_view_gets_a_second_and_a_typed_query_as_long_as_it_takes(cli, two_runs, monkeypatch, command):
    query = "name ~ 'o' and metrics.acc + 1 > tags.none or name like '%o%'"
    assert cli("views", "save", "slow", query).code == 0
    assert cli(*command, "@slow").code == 0
    monkeypatch.setenv("GITTRACK_VIEW_SECONDS", "1e-7")
    given_up = cli(*command, "@slow")
    assert given_up.code == 2
    assert "takes longer than the 1e-07 s" in given_up.err
    assert "gittrack config view_seconds 60" in given_up.err
    assert cli(*command, query).code == 0


def test_a_repository_cannot_give_its_views_more_time(cli, two_runs, repo):
    (repo / ".gittrack.toml").write_text("view_seconds = 3600\n")
    assert "'view_seconds' is not taken from .gittrack.toml" in cli("config").err
    assert cli("config", "view_seconds").out.strip() == "1"
    assert cli("config", "view_seconds", "60").code == 0
    assert cli("config", "view_seconds").out.strip() == "60"

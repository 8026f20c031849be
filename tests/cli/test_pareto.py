"""``gittrack pareto``."""

from __future__ import annotations

import json
import math

import pytest


@pytest.fixture
def runs(record):
    record("small", {"acc": [0.8], "latency": [5]})
    record("large", {"acc": [0.95], "latency": [50]})
    record("slow", {"acc": [0.8], "latency": [60]})
    record("=1+1", {"acc": [0.9], "latency": [20]})
    record("nan", {"acc": [math.nan], "latency": [1]})
    record("lacking", {"acc": [1]})


def test_a_table_and_how_many_were_compared(cli, runs):
    answer = cli("pareto", "-m", "acc", "-m", "latency")
    lines = answer.out.splitlines()
    assert lines[0].split() == ["ID", "NAME", "EXPERIMENT", "acc", "↑", "latency", "↓"]
    assert [line.split()[1] for line in lines[1:]] == ["large", "=1+1", "small"]
    assert "no other run beats 3 of 4 runs; left out: 1 run without a metric and 1 run where one is NaN" in answer.err
    assert "next: gittrack compare " in answer.err


def test_several_fronts_are_numbered(cli, runs):
    answer = cli("pareto", "-m", "acc", "-m", "latency", "--fronts", "2")
    assert answer.out.split()[0] == "FRONT"
    assert answer.out.splitlines()[-1].split()[0] == "2"
    assert "4 of 4 runs on 2 fronts" in answer.err


def test_a_number_limits_what_is_shown(cli, runs):
    answer = cli("pareto", "-m", "acc", "-m", "latency", "-n", "1")
    assert len(answer.out.splitlines()) == 2
    assert "shown: 1; all of them: gittrack pareto … --csv" in answer.err


def test_json_csv_and_markdown(cli, runs):
    document = json.loads(cli("pareto", "-m", "acc", "-m", "latency", "--json").out)
    assert document["metrics"] == [
        {"name": "acc", "direction": "maximize"},
        {"name": "latency", "direction": "minimize"},
    ]
    assert [(run["name"], run["front"], run["values"]) for run in document["runs"]] == [
        ("large", 1, [0.95, 50.0]),
        ("=1+1", 1, [0.9, 20.0]),
        ("small", 1, [0.8, 5.0]),
    ]
    assert document["left_out"] == {"lacking": 1, "nan": 1}
    assert (document["fronts"], document["compared"]) == ([3], 4)
    rows = cli("pareto", "-m", "acc", "-m", "latency", "--csv").out.splitlines()
    assert rows[0] == "front,run,name,experiment,acc,latency"
    assert rows[2].split(",")[2] == "'=1+1", "no spreadsheet runs it"
    assert cli("pareto", "-m", "acc", "-m", "latency", "--md").out.startswith("| front | run | name |")


def test_a_query_and_a_view_narrow_it(cli, runs):
    assert cli("views", "save", "cheap", "metrics.latency < 30").code == 0
    for words in (["metrics.latency < 30"], ["@cheap"]):
        answer = cli("pareto", *words, "-m", "acc", "-m", "latency", "--json")
        assert [run["name"] for run in json.loads(answer.out)["runs"]] == ["=1+1", "small"]


def test_what_is_wrong_ends_with_the_command_that_mends_it(cli, runs):
    answer = cli("pareto", "-m", "acc")
    assert (answer.code, "gittrack best -m 'acc'" in answer.err) == (2, True)
    answer = cli("pareto", "-m", "acc", "-m", "lat")
    assert (answer.code, "did you mean latency?" in answer.err) == (3, True)
    assert cli("pareto", "-m", "acc", "-m", "latency", "--json", "--csv").code == 2
    nothing = cli("pareto", "-m", "acc", "-m", "latency", "name = 'nosuch'")
    assert (nothing.code, nothing.out) == (3, "")
    assert "no run that is asked for has a number for every metric" in nothing.err


def test_a_terminal_shows_where_the_runs_lie(in_terminal, runs):
    shown, code = in_terminal("pareto", "-m", "acc", "-m", "latency", env={"NO_COLOR": "1"})
    assert code == 0
    assert shown.startswith("acc ↑ over latency ↓\n")
    assert (shown.count("●"), shown.count("·")) == (3, 1)
    assert all(len(line) < 80 for line in shown.splitlines() if not line.startswith("gittrack: "))


def test_a_direction_is_said_of_what_is_compared_and_once(cli, runs):
    both = ("pareto", "-m", "acc", "-m", "latency")
    for words, code, said in (
        (["--maximize", "acu"], 3, "no run has a metric 'acu'\nhint: did you mean acc?"),
        (["--maximize", "nope*"], 3, "no run has a metric 'nope*'"),
        (["--minimize", "acc", "--maximize", "acc"], 2, "'acc' is both to be maximized and to be minimized"),
    ):
        answer = cli(*both, *words)
        assert (answer.code, said in answer.err) == (code, True), answer.err
    assert cli(*both, "--maximize", "a*", "--minimize", "latency").code == 0


def test_a_narrow_terminal_gets_what_it_has_room_for(in_terminal, cli, runs):
    for words in (
        ["pareto", "-m", "acc", "-m", "latency"],
        ["ls"],
        ["ls", "--sort", "-metrics.acc"],
        ["best", "-m", "acc"],
        ["similar", "small", "--on", "metrics"],
    ):
        shown, code = in_terminal(*words, columns=40, env={"NO_COLOR": "1"})
        assert code == 0
        lines = [line for line in shown.splitlines() if not line.startswith("gittrack: ")]
        assert len(lines) > 1
        assert max(map(len, lines)) <= 40, (words, shown)
        assert "NAME" in shown
    shown, _ = in_terminal("ls", "--columns", "name,experiment,status,metrics.acc,start_time", columns=40)
    assert "EXPERIM…" in shown, "what somebody chose stays"
    assert "EXPERIMENT" in in_terminal("ls", columns=80)[0]

"""``gittrack ls``: the table, the tree, JSON, CSV, every option."""

from __future__ import annotations

import csv
import io
import json

import pytest

import gittrack

from .conftest import settled


@pytest.fixture
def three_runs(record):
    record("first", {"acc": [0.5, 0.75, 0.9], "loss": [1.0, 0.5, 0.25]}, experiment="digits", params={"lr": 0.1})
    record("second", {"acc": [0.5]}, experiment="digits", tags={"stage": "dev"})
    with gittrack.start_run(name="parent", experiment="churn") as parent:
        for fold in range(2):
            with gittrack.start_run(name=f"fold-{fold}", experiment="churn", nested=True):
                pass
    return parent.id


def names(answer) -> list[str]:
    return [run["name"] for run in json.loads(answer.out)["runs"]]


def test_runs_are_listed_newest_first_with_children_below_their_parent(cli, three_runs):
    answer = cli("ls")
    assert answer.code == 0
    assert settled(answer.out) == (
        "ID        NAME       EXPERIMENT  STATUS    AGE       METRICS\n"
        "<short>  parent     churn       finished  <age>\n"
        "<short>  ├─ fold-0  churn       finished  <age>\n"
        "<short>  └─ fold-1  churn       finished  <age>\n"
        "<short>  second     digits      finished  <age>  acc 0.5\n"
        "<short>  first      digits      finished  <age>  acc 0.9 ▁▆█  loss 0.25 █▃▁\n"
    )
    assert answer.err == ""


def test_json_has_a_stable_shape(cli, three_runs):
    document = json.loads(cli("ls", "--json").out)
    assert list(document) == ["schema", "runs", "problems"]
    assert document["schema"] == 1
    assert document["problems"] == []
    first = document["runs"][-1]
    assert list(first) == [
        *("id", "name", "experiment", "status", "kind", "start_time", "end_time", "duration_ms", "parent", "author"),
        *("host", "entry", "exit_code", "error", "params", "metrics", "tags", "note", "code", "commit", "deleted"),
        *("conflicts", "seen"),
    ]
    assert first["experiment"] == {"id": first["experiment"]["id"], "name": "digits"}
    assert first["params"] == {"lr": 0.1}
    assert first["metrics"]["loss"] == {
        "last": 0.25,
        "min": 0.25,
        "max": 1.0,
        "mean": pytest.approx(1.75 / 3),
        "count": 3,
        "first_step": 0,
        "last_step": 2,
    }
    assert list(first["code"]) == ["commit", "head", "branch", "dirty"]
    assert first["end_time"] - first["start_time"] == first["duration_ms"]
    assert first["author"] == {"name": "Test User", "email": "test@example.com"}


def test_json_has_no_literal_that_json_does_not_know(cli, record):
    record("odd", {"a": [float("nan")], "b": [float("inf")], "c": [float("-inf")]})

    def refuse(literal: str) -> None:
        raise AssertionError(literal)

    metrics = json.loads(cli("ls", "--json").out, parse_constant=refuse)["runs"][0]["metrics"]
    assert [metrics[name]["last"] for name in "abc"] == ["nan", "inf", "-inf"]


def test_csv_has_a_column_for_each_param_metric_and_tag(cli, three_runs):
    rows = list(csv.DictReader(io.StringIO(cli("ls", "--csv").out)))
    assert [row["name"] for row in rows] == ["fold-1", "fold-0", "parent", "second", "first"]
    assert list(rows[0]) == [
        *("id", "name", "experiment", "status", "start_time", "end_time", "duration_ms", "parent", "code"),
        *("exit_code", "param.lr", "metric.acc", "metric.loss", "tag.stage"),
    ]
    assert (rows[4]["param.lr"], rows[4]["metric.acc"], rows[3]["tag.stage"]) == ("0.1", "0.9", "dev")
    assert rows[0]["parent"] == three_runs
    assert rows[3]["param.lr"] == ""


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["-e", "digits"], ["second", "first"]),
        (["--experiment", "churn"], ["fold-1", "fold-0", "parent"]),
        (["-n", "2"], ["fold-1", "fold-0"]),
        (["--number", "1"], ["fold-1"]),
        (["--status", "failed"], []),
        (["--status", "failed", "--status", "finished", "-n", "1"], ["fold-1"]),
        (["--deleted"], []),
    ],
)
def test_each_option_chooses_its_runs(cli, three_runs, options, expected):
    assert names(cli("ls", "--json", *options)) == expected


def test_deleted_runs_are_listed_only_when_asked_for(cli, three_runs):
    cli("rm", "--yes", "second")
    assert "second" not in names(cli("ls", "--json"))
    assert names(cli("ls", "--json", "--deleted")) == ["second"]


def test_json_and_csv_exclude_each_other(cli):
    answer = cli("ls", "--json", "--csv")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == "gittrack: error: --json and --csv exclude each other\nhint: gittrack ls --json\n"


def test_an_unknown_experiment_is_not_found(cli, three_runs):
    assert cli("ls", "-e", "nope").code == 3


def test_no_runs_is_said_with_the_next_command_and_prints_no_data(cli):
    answer = cli("ls")
    assert (answer.code, answer.out) == (0, "")
    assert answer.err == "gittrack: no runs yet; the first one: gittrack run -- python train.py\n"
    assert json.loads(cli("ls", "--json").out) == {"schema": 1, "runs": [], "problems": []}


def test_hostile_names_cannot_move_the_cursor_or_turn_the_text(cli, record):
    record(
        "safe\u202eevil", {"loss\x1b[2J": [1.0]}, params={"p\x07": "v\n\x1b]0;title\x07"}, tags={"t\u2066": "\x9b31m"}
    )
    for words in (("ls",), ("show", "@latest"), ("ls", "--json"), ("show", "@latest", "--json"), ("log", "@latest")):
        said = cli(*words)
        assert said.code == 0
        assert not set(said.out + said.err) & set("\x1b\x07\x9b\u202e\u2066"), words
    assert "safe\\u202eevil" in cli("ls").out


def test_an_experiment_that_was_renamed_is_shown_by_its_present_name(cli, three_runs):
    cli("experiments", "rename", "digits", "numbers")
    assert "digits" not in cli("ls").out
    assert names(cli("ls", "--json", "-e", "numbers")) == ["second", "first"]


def test_a_run_that_cannot_be_read_is_a_warning_and_hides_no_other(cli, three_runs, git):
    blob = git("hash-object", "-w", "--stdin", stdin="x").strip()
    tree = git("mktree", stdin=f"100644 blob {blob}\tfile\n").strip()
    commit = git("commit-tree", tree, "-m", "no run").strip()
    git("update-ref", "refs/runs/inbox/" + "0" * 32, commit)
    answer = cli("ls", "--json")
    assert len(names(answer)) == 5
    assert [problem["where"] for problem in json.loads(answer.out)["problems"]] == ["run " + "0" * 32]
    assert "warning: cannot read run 0000" in answer.err
    assert "next: gittrack fsck" in answer.err


def test_of_many_runs_that_cannot_be_read_a_few_are_named_and_the_others_counted(cli, three_runs, git):
    blob = git("hash-object", "-w", "--stdin", stdin="x").strip()
    tree = git("mktree", stdin=f"100644 blob {blob}\tfile\n").strip()
    commit = git("commit-tree", tree, "-m", "no run").strip()
    for number in range(12):
        git("update-ref", f"refs/runs/inbox/{number:032x}", commit)
    answer = cli("ls")
    assert answer.err.count("cannot read run ") == 5
    assert "warning: … and 7 more: gittrack fsck" in answer.err
    assert len(json.loads(cli("ls", "--json").out)["problems"]) == 12


def test_the_settings_say_which_metrics_come_first(cli, record, git):
    record("many", {name: [1.0] for name in "abcde"})
    assert "a 1  b 1  c 1\n" in cli("ls").out
    git("config", "gittrack.headline", "e,d")
    assert "e 1  d 1  a 1\n" in cli("ls").out


def test_a_pipe_gets_full_names_and_a_terminal_as_much_as_fits(cli, record, in_terminal):
    long = "a-long-name-" * 10
    record(long, {"validation/accuracy": [0.1, 0.2]})
    assert long in cli("ls").out
    shown, code = in_terminal("ls", columns=70, env={"NO_COLOR": "1"})
    assert code == 0
    assert long not in shown
    assert all(len(line) <= 70 for line in shown.splitlines())
    assert "…" in shown


def test_runs_are_painted_on_a_terminal_only_and_not_with_no_color(cli, record, in_terminal):
    record("one")
    assert "\x1b[32mfinished" in in_terminal("ls")[0]
    assert "\x1b" not in in_terminal("ls", env={"NO_COLOR": "1"})[0]
    assert "\x1b" not in in_terminal("ls", env={"TERM": "dumb"})[0]
    assert "\x1b" not in cli("ls").out

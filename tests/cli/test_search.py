"""``gittrack ls`` with queries, orders, columns and formats; ``best`` and ``count``."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest

import gittrack
from gittrack.cli.main import main

from .conftest import settled


@pytest.fixture
def sweep(record) -> dict[str, str]:
    """Name -> id of five runs: two models, one metric that is no number, one run without it."""
    return {
        name: record(name, metrics, experiment=experiment, params=params, tags=tags)
        for name, metrics, experiment, params, tags in (
            ("low", {"acc": [0.25]}, "digits", {"model": "rf", "layers": 2}, {"team": "a"}),
            ("high", {"acc": [0.5, 0.75]}, "digits", {"model": "gbt", "layers": 10}, {}),
            ("middle", {"acc": [0.9, 0.5]}, "digits", {"model": "rf", "layers": 3}, {"team": "b"}),
            ("broken", {"acc": [float("nan")]}, "churn", {"model": "rf"}, {}),
            ("none", {"loss": [1.0]}, "churn", {}, {"team": "a"}),
        )
    }


def names(answer) -> list[str]:
    assert answer.code == 0, answer.err
    return [run["name"] for run in json.loads(answer.out)["runs"]]


# -- ls: which runs, in which order ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["metrics.acc > 0.3"], ["middle", "high"]),
        (["metrics.acc > 0.3 and params.model = 'rf'"], ["middle"]),
        (["metrics.acc > 0.3", "params.model = 'rf'"], ["middle"]),
        (["metrics.acc > 0.6 or params.model = 'rf'", "params.layers < 3"], ["low"]),
        (["params.model = 'rf'", "-e", "digits"], ["middle", "low"]),
        (["", "-n", "2"], ["none", "broken"]),
        (["--sort", "-metrics.acc"], ["high", "middle", "low", "broken", "none"]),
        (["--sort", "metrics.acc"], ["low", "middle", "high", "broken", "none"]),
        (["--sort", "metrics.acc DESC", "-n", "1"], ["high"]),
        (["--sort", "params.model", "--sort", "-params.layers", "-e", "digits"], ["high", "middle", "low"]),
        (["metrics.acc is nan"], ["broken"]),
        (["--status", "failed", "metrics.acc > 0"], []),
        (["deleted"], []),
    ],
)
def test_queries_and_orders_choose_their_runs(cli, sweep, words, expected):
    assert names(cli("ls", "--json", *words)) == expected


def test_an_order_of_as_many_keys_as_are_allowed_is_one_and_of_more_is_refused(cli, sweep):
    keys = [part for number in range(15) for part in ("--sort", f"metrics.m{number}")]
    assert names(cli("ls", "--json", *keys, "--sort", "-metrics.acc"))[0] == "high"
    keys = [part for name in ("acc", "loss") for number in range(8) for part in ("--sort", f"metrics.{name}{number}")]
    assert cli("ls", *keys, "--sort", "name").code == 2
    record = {f"k{number}": number for number in range(15)}
    with gittrack.start_run(name="many", params=record):
        pass
    keys = [part for name in record for part in ("--sort", f"-params.{name}")]
    assert names(cli("ls", "--json", *keys, "--sort", "name"))[0] == "many"


def test_many_queries_are_together_no_more_than_one_may_be(cli, sweep):
    query = " or ".join(["dirty"] * 300)
    assert cli("count", query).out == "0\n"
    answer = cli("count", query, query)
    assert (answer.code, answer.out) == (2, "")
    assert "together have 600 conditions" in answer.err


def test_a_query_decides_itself_whether_deleted_runs_are_meant(cli, sweep):
    cli("rm", "--yes", "low")
    assert names(cli("ls", "--json", "deleted")) == ["low"]
    assert names(cli("ls", "--json", "params.model = 'rf'")) == ["middle", "broken"][::-1]


def test_a_tree_is_drawn_only_of_runs_that_no_query_and_no_order_chose(cli):
    with gittrack.start_run(name="parent"), gittrack.start_run(name="child", nested=True):
        pass
    assert "└─ child" in cli("ls").out
    assert "└─ child" in cli("ls", "--columns", "name,id").out
    assert "└─" not in cli("ls", "status = 'finished'").out
    assert "└─" not in cli("ls", "--sort", "name").out


def test_what_is_wrong_in_a_query_is_shown_at_its_place(cli, sweep):
    answer = cli("ls", "metrics.acc > 1 and statu = 'x'")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == (
        "gittrack: error: a run has no attribute 'statu', at character 21 of the query\n"
        "  metrics.acc > 1 and statu = 'x'\n"
        "                      ^\n"
        "hint: did you mean status?\n"
    )


def test_a_query_cannot_harm_the_terminal_that_shows_it(cli, sweep):
    answer = cli("ls", "\x1b[2J\u202e = 1")
    assert answer.code == 2
    assert not set(answer.err) & set("\x1b\u202e")


@pytest.mark.parametrize("words", [["metrics.acu > 1"], ["not metrics.acu is null"]])
def test_a_name_that_no_run_has_is_answered_with_a_near_one(cli, sweep, words):
    answer = cli("ls", *words)
    assert (answer.code, answer.out) == (0, "")
    assert answer.err == "gittrack: no run has metrics.acu; did you mean metrics.acc?\ngittrack: next: gittrack ls\n"


def test_names_that_runs_in_progress_have_are_known(cli, record):
    record("ended", {"acc": [1.0]})
    with gittrack.start_run(name="going-on") as run:
        run.log_metric("fresh", 1.0)
        run.log_param("depth", 3)
        assert "no run has" not in cli("ls", "metrics.fresh > 5 and params.depth = 4").err
        assert names(cli("ls", "--json", "metrics.fresh = 1 and params.depth = 3")) == ["going-on"]


def test_a_key_or_column_that_no_run_has_is_said_and_the_runs_are_listed(cli, sweep):
    answer = cli("ls", "--sort", "-metrics.acu", "--columns", "name,params.modle,metrics.acc")
    assert answer.out.split()[:3] == ["NAME", "modle", "acc"]
    assert answer.err == (
        "gittrack: no run has metrics.acu; did you mean metrics.acc?\n"
        "gittrack: no run has params.modle; did you mean params.model?\n"
    )
    assert cli("ls", "--sort", "-metrics.acc", "--columns", "name,params.layers").err == ""


def test_the_name_of_a_run_or_a_view_in_place_of_a_query_is_said(cli, sweep):
    answer = cli("ls", "@latest")
    assert answer.code == 2
    assert answer.err.endswith("'@latest' is a run, neither a query nor a view\nhint: gittrack show @latest\n")
    assert cli("ls", "@nope").code == 3
    assert cli("ls", "@a/../b").code == 2


# -- ls: columns and formats -----------------------------------------------------------------------------------------


def test_what_runs_are_sorted_by_is_shown(cli, sweep):
    assert settled(cli("ls", "-e", "digits", "--sort", "-metrics.acc").out) == (
        "ID        NAME    EXPERIMENT  STATUS    AGE        acc  METRICS\n"
        "<short>  high    digits      finished  <age>  0.75\n"
        "<short>  middle  digits      finished  <age>   0.5\n"
        "<short>  low     digits      finished  <age>  0.25\n"
    )


def test_chosen_columns_take_the_place_of_the_usual_ones(cli, sweep):
    answer = cli(
        "ls", "-e", "digits", "--columns", "name,params.layers,params.model", "--columns", "summary.acc.max,dirty"
    )
    assert answer.out == (
        "NAME    layers  model  acc.max  DIRTY\n"
        "middle       3  rf         0.9  no\n"
        "high        10  gbt       0.75  no\n"
        "low          2  rf        0.25  no\n"
    )


def test_columns_after_a_plus_stand_beside_the_usual_ones(cli, sweep):
    out = cli("ls", "--columns", "+tags.team,params.x").out
    assert out.splitlines()[0].split() == ["ID", "NAME", "EXPERIMENT", "STATUS", "AGE", "team", "x", "METRICS"]


def test_heads_that_would_be_alike_are_written_in_full(cli, sweep):
    out = cli("ls", "--columns", "params.a,tags.a,metrics.b").out
    assert out.splitlines()[0].split() == ["params.a", "tags.a", "b"]


def test_what_a_run_read_and_made_can_be_shown(cli, repo):
    (repo / "data.csv").write_text("a,b\n")
    with gittrack.start_run(name="reader") as run:
        run.log_input("data.csv", role="train")
        run.log_text("hello", "notes/a.txt")
        run.log_text("hello", "notes/b.txt")
    shown = cli("ls", "--columns", "name,data.train.path,artifacts.path,artifacts.size")
    assert shown.code == 0, shown.err
    line = shown.out.splitlines()[1]
    assert "data.csv" in line
    assert "notes/a.txt, notes/b.txt" in line
    (listed,) = json.loads(cli("ls", "--json", "--columns", "inputs.path,artifacts.path,params.x").out)["runs"]
    assert listed["columns"] == {
        "inputs.path": ["data.csv"],
        "artifacts.path": ["notes/a.txt", "notes/b.txt"],
        "params.x": None,
    }


def test_json_has_chosen_columns_beside_the_id_and_added_ones_beside_everything(cli, sweep):
    (chosen,) = json.loads(cli("ls", "--json", "name = 'middle'", "--columns", "metrics.acc,params.layers,age").out)[
        "runs"
    ]
    assert list(chosen) == ["id", "columns"]
    assert chosen["id"] == sweep["middle"]
    age = chosen["columns"].pop("age")
    assert chosen["columns"] == {"metrics.acc": 0.5, "params.layers": 3}
    assert isinstance(age, int)
    (added,) = json.loads(cli("ls", "--json", "name = 'middle'", "--columns", "+summary.acc.max").out)["runs"]
    assert added["columns"] == {"summary.acc.max": 0.9}
    assert added["params"] == {"model": "rf", "layers": 3}


def test_json_has_a_line_for_each_run_and_one_for_all_else(cli, sweep):
    lines = cli("ls", "--json").out.splitlines()
    assert lines[:3] == ["{", '  "schema": 1,', '  "runs": [']
    assert [json.loads(line.rstrip(","))["name"] for line in lines[3:8]] == ["none", "broken", "middle", "high", "low"]
    assert lines[8:] == ["  ],", '  "problems": []', "}"]
    assert cli("ls", "--json", "dirty").out == '{\n  "schema": 1,\n  "runs": [],\n  "problems": []\n}\n'


def test_runs_of_many_pages_are_each_listed_once(cli, sweep, monkeypatch):
    monkeypatch.setattr("gittrack.cli.searching.PAGE", 2)
    for words in (
        [],
        ["--sort", "-metrics.acc"],
        ["--sort", "params.model"],
        ["-n", "3"],
        ["metrics.acc > 0 or dirty"],
    ):
        monkeypatch.setattr("gittrack.cli.searching.PAGE", 1000)
        whole = cli("ls", *words).out
        monkeypatch.setattr("gittrack.cli.searching.PAGE", 2)
        assert cli("ls", *words).out == whole
        assert len(names(cli("ls", "--json", *words))) == len(whole.splitlines()) - 1


def test_csv_of_chosen_columns_has_whole_values(cli, sweep):
    rows = list(
        csv.reader(
            io.StringIO(
                cli(
                    "ls",
                    "--csv",
                    "-n",
                    "1",
                    "--sort",
                    "-metrics.acc",
                    "--columns",
                    "id,metrics.acc,params.layers,tags.team,duration,start_time",
                ).out
            )
        )
    )
    assert rows[0] == ["id", "metrics.acc", "params.layers", "tags.team", "duration", "start_time"]
    assert rows[1][:4] == [sweep["high"], "0.75", "10", ""]
    assert rows[1][4].isdigit()
    assert rows[1][5].isdigit()


def test_csv_of_added_columns_has_everything_and_them(cli, sweep):
    rows = list(csv.DictReader(io.StringIO(cli("ls", "--csv", "--columns", "+summary.acc.max").out)))
    assert list(rows[0])[-1] == "summary.acc.max"
    assert [row["summary.acc.max"] for row in rows] == ["", "nan", "0.9", "0.75", "0.25"]
    assert [row["metric.acc"] for row in rows] == ["", "nan", "0.5", "0.75", "0.25"]


def test_no_cell_of_csv_is_a_formula(cli, record):
    record("=1+1", params={"p": "@SUM(A1)"}, tags={"=t": "+x"})
    for words in ([], ["--columns", "name,params.p,tags.`=t`"]):
        rows = csv.reader(io.StringIO(cli("ls", "--csv", *words).out))
        cells = [cell for row in rows for cell in row]
        assert "'=1+1" in cells
        assert not any(cell.startswith(("=", "+", "@")) for cell in cells)


def test_markdown_is_a_table_whatever_names_hold(cli, record):
    record("a|b<script>", {"acc": [0.5]})
    out = cli("ls", "--md", "--columns", "name,metrics.acc").out
    assert out == "| NAME | acc |\n| --- | --- |\n| a\\|b&lt;script&gt; | 0.5 |\n"


def test_formats_exclude_each_other(cli):
    for pair in (["--json", "--csv"], ["--csv", "--md"], ["--json", "--md"]):
        answer = cli("ls", *pair)
        assert (answer.code, answer.out) == (2, "")


def test_an_id_is_as_long_as_tells_it_from_all_other_runs(cli, repo, record, monkeypatch):
    ids = iter(["00000000" + digit * 24 for digit in "12"])
    monkeypatch.setattr("gittrack.api.project.Project.new_run_id", lambda self: next(ids))
    record("one", experiment="a")
    record("two", experiment="b")
    assert cli("ls", "-e", "a").out.splitlines()[1].split()[0] == "000000001"
    assert cli("show", "000000001").code == 0


def test_a_terminal_gets_the_first_runs_and_is_told_how_many_there_are(cli, sweep, monkeypatch):
    from gittrack.cli.terminal import Terminal

    monkeypatch.setattr("gittrack.cli.commands.ls._ON_A_SCREEN", 2)
    assert len(cli("ls").out.splitlines()) == 6
    monkeypatch.setattr("gittrack.cli.session.Session.stdout", Terminal(width=80))
    answer = cli("ls")
    assert [line.split()[1] for line in answer.out.splitlines()[1:]] == ["none", "broken"]
    assert "shown: 2 of 5 runs; all: gittrack ls -n 5" in answer.err
    assert len(cli("ls", "-n", "3").out.splitlines()) == 4
    assert cli("ls", "-n", "5").err == ""
    assert len(names(cli("ls", "--json"))) == 5


# -- best --------------------------------------------------------------------------------------------------------------


def test_the_best_run_is_the_one_whose_metric_is_best(cli, sweep):
    answer = cli("best", "-m", "acc")
    head, line = settled(answer.out).splitlines()
    assert head.split() == ["ID", "NAME", "EXPERIMENT", "STATUS", "AGE", "acc", "↑", "METRICS"]
    assert line.split() == ["<short>", "high", "digits", "finished", "<age>", "0.75"]
    assert "more of acc is better" in answer.err
    assert f"gittrack show {sweep['high'][:8]}" in answer.err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["-m", "acc", "-n", "9"], ["high", "middle", "low"]),
        (["-m", "acc", "--by", "min", "-n", "2"], ["low", "middle"]),
        (["-m", "summary.acc.max"], ["middle"]),
        (["-m", "metrics.acc", "params.model = 'rf'"], ["middle"]),
        (["-m", "acc", "-e", "digits", "metrics.acc < 0.4"], ["low"]),
        (["-m", "loss"], ["none"]),
    ],
)
def test_best_runs_are_in_order_and_what_is_no_number_is_never_best(cli, sweep, words, expected):
    assert names(cli("best", "--json", *words)) == expected
    ids = cli("best", "--id", *words).out.split()
    assert ids == [sweep[name] for name in expected]


def test_json_of_best_says_by_what_and_which_way(cli, sweep):
    document = json.loads(cli("best", "-m", "acc", "--json").out)
    assert list(document) == ["schema", "metric", "direction", "runs", "problems"]
    assert (document["metric"], document["direction"]) == ("metrics.acc", "maximize")
    assert document["runs"][0]["value"] == 0.75


def test_the_table_of_the_settings_says_what_is_better(cli, repo, sweep):
    (repo / ".gittrack.toml").write_text('[metrics]\nminimize = ["acc"]\n')
    assert names(cli("best", "-m", "acc", "--json")) == ["low"]


def test_a_metric_of_which_nobody_knows_which_way_is_better_is_refused(cli, record):
    record("one", {"zork": [1.0]})
    answer = cli("best", "-m", "zork", "--id")
    assert (answer.code, answer.out) == (2, "")
    assert "--by max or --by min" in answer.err
    assert cli("best", "-m", "zork", "--by", "max", "--id").code == 0


def test_when_no_run_has_the_metric_nothing_is_printed_and_the_exit_code_says_so(cli, sweep):
    answer = cli("best", "-m", "acu", "--id")
    assert (answer.code, answer.out) == (3, "")
    assert answer.err == "gittrack: error: no run has metrics.acu\nhint: did you mean metrics.acc?\n"
    assert cli("best", "-m", "acc", "name = 'none'", "--id").code == 3
    assert cli("best", "-m", "acc", "name = 'broken'", "--json").out == ""


def test_best_prints_either_ids_or_json(cli, sweep):
    assert cli("best", "-m", "acc", "--id", "--json").code == 2


# -- count -------------------------------------------------------------------------------------------------------------


def test_runs_are_counted(cli, sweep):
    assert cli("count").out == "5\n"
    assert cli("count", "params.model = 'rf'").out == "3\n"
    assert cli("count", "params.model = 'rf'", "-e", "digits").out == "2\n"
    assert cli("count", "--json", "dirty").out == json.dumps({"schema": 1, "runs": 0, "problems": []}, indent=2) + "\n"
    cli("rm", "--yes", "low")
    assert (cli("count").out, cli("count", "--deleted").out) == ("4\n", "1\n")


def test_runs_are_counted_by_what_they_have_in_common_most_first_and_those_without_last(cli, sweep):
    assert cli("count", "--by", "params.model").out == ("model  RUNS\nrf        3\ngbt       1\n-         1\n")
    document = json.loads(cli("count", "--by", "tags.team", "--json").out)
    assert document["by"] == "tags.team"
    assert document["groups"] == [{"value": "a", "runs": 2}, {"value": "b", "runs": 1}, {"value": None, "runs": 2}]
    assert json.loads(cli("count", "--by", "dirty", "--json").out)["groups"] == [{"value": False, "runs": 5}]


def test_metrics_that_are_no_number_are_a_group_of_their_own(cli, sweep):
    groups = json.loads(cli("count", "--by", "metrics.acc", "--json").out)["groups"]
    assert {(each["value"], each["runs"]) for each in groups} == {(0.25, 1), (0.5, 1), (0.75, 1), ("nan", 1), (None, 1)}


def test_runs_in_progress_are_counted_too(cli, sweep):
    with gittrack.start_run(name="going-on", params={"model": "rf"}):
        assert cli("count").out == "6\n"
        groups = json.loads(cli("count", "--by", "status", "--json").out)["groups"]
        assert groups == [{"value": "finished", "runs": 5}, {"value": "running", "runs": 1}]


def test_runs_are_counted_by_several_fields_together(cli, sweep):
    out = cli("count", "--by", "experiment", "--by", "params.model").out
    assert out.splitlines()[0].split() == ["EXPERIMENT", "model", "RUNS"]
    document = json.loads(cli("count", "--by", "status", "--by", "params.model", "--json").out)
    assert document["by"] == ["status", "params.model"]
    assert document["groups"][0] == {"values": ["finished", "rf"], "runs": 3}
    assert cli("count", "--by", "status", "--by", "params.model", "--csv").out.splitlines()[:2] == [
        "status,params.model,runs",
        "finished,rf,3",
    ]


def test_long_values_are_cut_in_tables_alone(cli, record):
    record("long", params={"x": "y" * 5000})
    assert len(cli("count", "--by", "params.x").out) < 700
    assert json.loads(cli("count", "--by", "params.x", "--json").out)["groups"][0]["value"] == "y" * 5000
    assert "y" * 5000 in cli("count", "--by", "params.x", "--csv").out


def test_what_cannot_be_counted_by_is_refused_and_unknown_names_are_said(cli, sweep):
    assert cli("count", "--by", "inputs.path", "--by", "artifacts.path").code == 2
    assert cli("count", "--by", "inputs.path").out == "inputs.path  RUNS\n-               5\n"
    assert cli("count", "--by", "statu").code == 2
    assert "did you mean params.model?" in cli("count", "--by", "params.modle").err
    assert "did you mean metrics.acc?" in cli("count", "metrics.acu = 1").err


# -- views -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def best_view(cli, sweep):
    words = ["params.model = 'rf'", "--sort", "-metrics.acc", "-n", "2", "--columns", "name,metrics.acc"]
    answer = cli("views", "save", "best", *words, "--description", "What we would ship")
    assert answer.code == 0
    assert "git add .gittrack/views/best.toml" in answer.err


def test_a_saved_view_is_used_listed_shown_and_removed(cli, best_view):
    assert cli("ls", "@best").out == "NAME     acc\nmiddle   0.5\nlow     0.25\n"
    assert cli("views").out == (
        "VIEW   QUERY                SORT          DESCRIPTION\n"
        "@best  params.model = 'rf'  -metrics.acc  What we would ship\n"
    )
    shown = json.loads(cli("views", "show", "@best", "--json").out)["view"]
    assert json.loads(cli("views", "--json").out) == {"schema": 1, "views": [shown], "problems": []}
    assert shown == {
        "name": "best",
        "query": "params.model = 'rf'",
        "columns": ["name", "metrics.acc"],
        "sort": ["-metrics.acc"],
        "number": 2,
        "description": "What we would ship",
    }
    assert cli("views", "show", "best").out.splitlines()[0] == "@best"
    assert cli("views", "rm", "best").code == 0
    assert cli("ls", "@best").code == 3
    assert "no views yet" in cli("views").err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], ["middle", "low"]),
        (["-n", "1"], ["middle"]),
        (["--sort", "metrics.acc"], ["low", "middle"]),
        (["metrics.acc < 0.4"], ["low"]),
        (["params.layers = 2 or params.layers = 10"], ["low"]),
        (["-e", "churn"], ["broken"]),
    ],
)
def test_options_win_over_those_of_a_view_and_further_queries_narrow_it(cli, best_view, words, expected):
    rows = csv.DictReader(io.StringIO(cli("ls", "@best", "--csv", *words).out))
    assert [row["name"] for row in rows] == expected


def test_columns_win_over_those_of_a_view_and_plus_adds_to_them(cli, best_view):
    assert cli("ls", "@best", "-n", "1", "--columns", "params.layers").out == "layers\n     3\n"
    assert (
        cli("ls", "@best", "-n", "1", "--columns", "+params.layers").out == "NAME    acc  layers\nmiddle  0.5       3\n"
    )


def test_views_narrow_what_is_best_and_counted(cli, sweep, best_view):
    assert names(cli("best", "-m", "acc", "@best", "--json")) == ["middle"]
    assert cli("count", "@best").out == "3\n"


def test_a_view_is_not_replaced_unless_that_is_asked_for(cli, best_view):
    answer = cli("views", "save", "best", "dirty")
    assert answer.code == 5
    assert "gittrack views show best" in answer.err
    assert cli("views", "save", "best", "dirty", "--force").code == 0
    assert cli("ls", "@best").out == ""


def test_a_broken_view_is_told_with_its_place_and_hides_no_other(cli, repo, best_view):
    (repo / ".gittrack" / "views" / "wrong.toml").write_text('query = "metrics.acc >"')
    listed = cli("views")
    assert (listed.code, "@best" in listed.out) == (0, True)
    assert "warning: .gittrack/views/wrong.toml is no view: view 'wrong': the query ends" in listed.err
    used = cli("ls", "@wrong")
    assert (used.code, used.out) == (2, "")
    assert "  metrics.acc >\n               ^\n" in used.err


def test_times_of_a_view_count_from_when_it_is_used(cli, repo, sweep):
    cli("views", "save", "recent", "start_time > -1h")
    assert "-1h" in (repo / ".gittrack" / "views" / "recent.toml").read_text()
    assert cli("count", "@recent").out == "5\n"


def test_a_view_of_nothing_is_not_saved(cli, repo):
    for words in ([], [" "], ["--description", "all of them"]):
        assert cli("views", "save", "every", *words).code == 2
    assert not (repo / ".gittrack").exists()


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("experiment = 'digts'", "no run has experiment = 'digts'; did you mean experiment = 'digits'?"),
        ("experiment in ('digts', 'x')", "no run has experiment = 'digts'; did you mean experiment = 'digits'?"),
        ("params.model = 'GBT' and dirty = false", "params.model = 'GBT'; did you mean params.model = 'gbt'?"),
        ("name = 'midle'", "no run has name = 'midle'; did you mean name = 'middle'?"),
        ("parent = 'high'", "no run has parent = 'high'; did you mean parent = '{high}'?"),
        ("id = 'High'", "no run has id = 'high'; did you mean name = 'high'?"),
        ("experiment_id = 'digits'", "no run has experiment_id = 'digits'; did you mean experiment = 'digits'?"),
        ("data.trian.hash is not null", "no run has data.trian; did you mean data.train?"),
        ("data.trian.path = 'x'", "no run has data.trian; did you mean data.train?"),
        ("params.model = 'svm'", "no run is like that; all: gittrack ls"),
        ("params.model = 'rf' and params.model = 'gbt'", "no run is like that; all: gittrack ls"),
        ("tags.mlflow.user = 'nobody'", "no run is like that; all: gittrack ls"),
    ],
)
def test_a_value_that_no_run_has_is_answered_with_a_near_one(cli, sweep, repo, query, said):
    (repo / "x.csv").write_text("a", encoding="utf-8")
    with gittrack.start_run(name="reader") as run:
        run.log_input("x.csv", role="train")
    answer = cli("ls", query)
    assert (answer.code, answer.out) == (0, "")
    assert said.format(high=sweep["high"][:8]) in answer.err
    best = cli("best", "-m", "acc", query)
    assert best.code == 3
    if "did you mean" in said:
        assert f"hint: did you mean {said.rpartition('did you mean ')[2]}".format(high=sweep["high"][:8]) in best.err


def test_columns_of_a_view_are_a_list_and_a_link_is_told_in_one_sentence(cli, sweep, repo):
    assert cli("views", "save", "größe", "--columns", "name,metrics.acc", "--columns", "tags.`a,b`").code == 0
    assert 'columns = [\n    "name",\n    "metrics.acc",\n    "tags.`a,b`",\n]' in (
        repo / ".gittrack" / "views" / "größe.toml"
    ).read_text(encoding="utf-8")
    assert cli("ls", "@größe").out.splitlines()[0].split() == ["NAME", "acc", "a,b"]
    (repo / ".gittrack" / "views" / "link.toml").symlink_to("größe.toml")
    path = ".gittrack/views/link.toml"
    assert cli("views").err == f"gittrack: warning: {path} is no view: it is a link, no file; rm {path}\n"


def test_a_view_without_its_at_sign_is_recognised(cli, sweep, best_view):
    answer = cli("ls", "best")
    assert (answer.code, "hint: did you mean @best?" in answer.err) == (2, True)
    assert "hint: did you mean @best?" not in cli("ls", "bust").err


def test_two_views_at_once_are_refused(cli, best_view):
    assert cli("ls", "@best", "@best").code == 2


def test_help_names_every_new_command(capsys):
    assert main(["--help"]) == 0
    said = capsys.readouterr().out
    for name in ("best", "count", "views"):
        assert re.search(rf"^  {name} ", said, re.MULTILINE)


# -- what others wrote -------------------------------------------------------------------------------------------------


def test_names_in_views_and_heads_cannot_harm_a_terminal(cli, repo, record):
    record("one", {"a\x1b[2J\u202e": [1.0]})
    column = "metrics.`a\x1b[2J\u202e`"
    for words in (
        ("ls", "--columns", column),
        ("best", "-m", "a\x1b[2J\u202e", "--by", "max"),
        ("count", "--by", column),
    ):
        said = cli(*words)
        assert said.code == 0, said.err
        assert "a\\x1b[2J\\u202e" in said.out
        assert not set(said.out + said.err) & set("\x1b\u202e"), words
    (repo / ".gittrack" / "views").mkdir(parents=True)
    hostile = (
        'description = "\\u001b[2J"\nquery = "tags.`\\u202e` = \'\\u001b\'"\n'
        'columns = ["tags.`\\u001b[31m`"]\nsort = ["tags.`\\u001b`"]'
    )
    (repo / ".gittrack" / "views" / "evil.toml").write_text(hostile)
    for words in (
        ("views",),
        ("views", "show", "evil"),
        ("ls", "@evil"),
        ("ls", "@evil", "dirty or not dirty", "--md"),
    ):
        said = cli(*words)
        assert said.code == 0, said.err
        assert not set(said.out + said.err) & set("\x1b\u202e"), words


def test_a_run_whose_tree_is_damaged_is_listed_and_hides_no_other(cli, repo, git):
    for name in ("one", "two"):
        with gittrack.start_run(name=name) as run:
            run.log_text(f"hello {name}", "notes.txt")
    assert (
        cli("ls", "--columns", "name,artifacts.path").out == "NAME  artifacts.path\ntwo   notes.txt\none   notes.txt\n"
    )
    tree = git("rev-parse", f"refs/runs/inbox/{run.id}^{{tree}}").strip()
    place = repo / ".git" / "objects" / tree[:2] / tree[2:]
    place.chmod(0o600)
    place.unlink()
    answer = cli("ls", "--columns", "name,artifacts.path")
    assert answer.out == "NAME  artifacts.path\ntwo   -\none   notes.txt\n"
    assert f"warning: cannot read run {run.id}" in answer.err
    assert "next: gittrack fsck" in answer.err
    document = json.loads(cli("ls", "--json", "--columns", "artifacts.path").out)
    assert [problem["where"] for problem in document["problems"]] == [f"run {run.id}"]


# -- progress ----------------------------------------------------------------------------------------------------------


class Screen(io.StringIO):
    """What somebody sees on stderr."""

    def isatty(self) -> bool:
        return True


def test_reading_many_runs_is_told_on_a_terminal_only_and_leaves_the_cursor(cli, sweep, repo, monkeypatch):
    from gittrack.cli.searching import reading_progress

    with reading_progress() as told:
        assert told is None
    screen = Screen()
    monkeypatch.setattr("sys.stderr", screen)
    with reading_progress() as told:
        for number in range(400):
            told(number, 400)
    assert screen.getvalue() == ""
    with pytest.raises(KeyboardInterrupt), reading_progress() as told:
        for number in range(900):
            told(number, 1000)
        raise KeyboardInterrupt
    assert "reading runs" in screen.getvalue()
    assert screen.getvalue().rstrip().endswith("\x1b[?25h")


# -- count and best for other programs ---------------------------------------------------------------------------------


def test_counts_are_printed_as_csv_and_markdown(cli, sweep):
    assert cli("count", "--csv").out == "runs\n5\n"
    assert cli("count", "--md", "metrics.acc > 0").out == "| runs |\n| --- |\n| 3 |\n"
    by = ("count", "--by", "params.model")
    assert cli(*by, "--csv").out == "params.model,runs\nrf,3\ngbt,1\n,1\n"
    assert cli(*by, "--md").out.splitlines()[2] == "| rf | 3 |"
    assert cli("count", "--by", "nope").err.startswith(
        "gittrack: error: a run has no attribute 'nope', at character 1 of the field\n"
    )
    assert cli("count", "--csv", "--json").code == 2


def test_the_best_runs_are_printed_as_csv_and_markdown(cli, sweep):
    rows = list(csv.DictReader(io.StringIO(cli("best", "-m", "acc", "-n", "2", "--csv").out)))
    assert [(row["name"], row["metric.acc"]) for row in rows] == [("high", "0.75"), ("middle", "0.5")]
    rows = list(csv.DictReader(io.StringIO(cli("best", "-m", "summary.acc.max", "--csv").out)))
    assert [(row["name"], row["summary.acc.max"]) for row in rows] == [("middle", "0.9")]
    lines = cli("best", "-m", "acc", "--md").out.splitlines()
    assert lines[0] == "| ID | NAME | EXPERIMENT | STATUS | AGE | acc ↑ | METRICS |"
    assert "| high | digits |" in lines[2]
    answer = cli("best", "-m", "acc", "--md", "--id")
    assert (answer.code, "--id and --md exclude each other" in answer.err) == (2, True)


def test_the_help_of_ls_shows_the_language_and_every_field_of_it_is_one(cli):
    from gittrack.core.query.parser import parse_field, parse_query

    shown = cli("ls", "--help").out
    assert max(map(len, shown[shown.index("fields ") : shown.index("others ")].splitlines())) <= 80
    fields = shown.partition("fields ")[2].partition("…")[0].split()
    assert len(fields) > 10
    for name in fields:
        assert parse_field(name)
    tests = shown.partition("tests ")[2].partition(" is null")[0]
    for test in ("in ('a', 'b')", "between 1 and 2", "like 'a%'", "~ '^a'"):
        assert test in tests
        assert parse_query(f"params.x {test}", now=0)
    others = shown.partition("others ")[2].partition("\n")[0].split("  ")
    assert [bool(parse_query(each.strip(), now=0)) for each in others if each.strip()] == [True] * 3

"""``gittrack compare``: the table beside and below each other, groups, scores, JSON, CSV, Markdown."""

from __future__ import annotations

import csv
import io
import json
import math
import re

import pytest

import gittrack
from gittrack.cli.comparison_texts import fitted, number_texts, shortened
from gittrack.core.names import cell_width

from .conftest import settled


@pytest.fixture
def two_runs(record) -> tuple[str, str]:
    one = record("first", {"acc": [0.5, 0.9], "val/loss": [1.0]}, experiment="digits", params={"lr": 0.1, "same": 1})
    other = record(
        "second", {"acc": [0.8], "val/loss": [0.5], "thing": [1]}, experiment="digits", params={"lr": 1, "same": 1}
    )
    return one, other


@pytest.fixture
def sweep(record) -> None:
    for model, base in (("rf", 0.9), ("mlp", 0.8)):
        for seed in range(3):
            record(
                f"{model}-{seed}",
                {"acc": [base + seed / 100]},
                experiment="sweep",
                params={"model": model, "seed": seed},
            )


def test_runs_stand_beside_each_other_and_only_what_differs_is_shown(cli, two_runs):
    answer = cli("compare", "first", "second", "-s", "params", "-s", "metrics")
    assert answer.code == 0
    assert settled(answer.out) == (
        "run           <short>  <short>\n"
        "name          first     second\n"
        "\n"
        "params\n"
        "  lr          0.1       1\n"
        "\n"
        "metrics\n"
        "  acc ↑       0.9       0.8\n"
        "  thing ?     -         1\n"
        "  val/loss ↓  1         0.5\n"
    )
    assert answer.err == ("gittrack: not shown, being the same or of the machine: 1 fact; gittrack compare … --all\n")


def test_all_shows_what_is_the_same_too(cli, two_runs):
    answer = cli("compare", "first", "second", "--all")
    assert "  same " in answer.out
    assert "  python.version" in answer.out
    assert answer.err == ""


def test_against_a_baseline_the_marks_need_no_colour(cli, two_runs):
    answer = cli("compare", "second", "-b", "first", "-s", "metrics")
    assert [line.split() for line in settled(answer.out).splitlines()[2:]] == [
        ["baseline"],
        [],
        ["metrics", "(against", "<short>:", "✓", "better,", "✗", "worse)"],
        ["acc", "↑", "0.9", "0.8", "-0.1", "✗"],
        ["thing", "?", "-", "1"],
        ["val/loss", "↓", "1", "0.5", "-0.5", "✓"],
    ]
    assert "--maximize or --minimize 'thing'" in answer.err


def test_in_a_narrow_terminal_long_names_keep_both_ends(in_terminal, record):
    for number in range(3):
        name = f"a-run-with-a-name-that-nobody-would-ever-type-{number}"
        record(
            name,
            {"validation/fold/balanced_accuracy_score_of_everything": [number / 7]},
            params={"p" * 60: "v" * 90 + str(number)},
        )
    for extra in ((), ("-b", "@-3"), ("--transpose",), ("--all",)):
        shown, code = in_terminal("compare", "@-1", "@-2", "@-3", *extra, env={"NO_COLOR": "1", "PAGER": "cat"})
        assert code == 0
        table = [line for line in shown.splitlines() if not line.startswith("gittrack:")]
        assert max(map(cell_width, table)) <= 80, extra
        assert "-2" in shown
        assert "g ↑" in shown


def test_colours_say_what_is_better_on_a_terminal_only(in_terminal, cli, two_runs):
    shown, _ = in_terminal("compare", "second", "-b", "first", "-s", "metrics")
    assert "\x1b[32m-0.5 ✓" in shown
    assert "\x1b[31m-0.1 ✗" in shown
    assert "\x1b" not in cli("compare", "second", "-b", "first").out


def test_many_runs_stand_below_each_other(in_terminal, cli, sweep):
    shown, _ = in_terminal("compare", "-e", "sweep", "-s", "params", "-s", "metrics", columns=60, env={"NO_COLOR": "1"})
    assert [line.split()[1:] for line in shown.splitlines()[:3]] == [
        [],
        ["NAME", "model", "seed"],
        ["mlp-2", "mlp", "2"],
    ]
    assert cli("compare", "mlp-1", "mlp-2", "--transpose", "-s", "params").out.split()[:4] == [
        "params",
        "RUN",
        "NAME",
        "seed",
    ]


def test_one_run_alone_is_shown_whole(cli, two_runs):
    answer = cli("compare", "first", "-s", "params")
    assert [line.split() for line in answer.out.splitlines()[-2:]] == [["lr", "0.1"], ["same", "1"]]


def test_what_does_not_differ_is_said(cli, two_runs):
    answer = cli("compare", "first", "first", "second", "-s", "code")
    assert answer.out == ""
    assert "nothing differs" in answer.err
    assert "--all" in answer.err


def test_no_run_is_a_mistake_and_so_is_one_that_is_not_there(cli, two_runs):
    answer = cli("compare")
    assert (answer.code, answer.out) == (2, "")
    assert "hint: gittrack compare @-2 @latest" in answer.err
    assert cli("compare", "nothing").code == 3
    assert cli("compare", "-e", "nothing").code == 3
    assert cli("compare", "first", "--json", "--csv").code == 2


def test_json_has_a_stable_shape(cli, two_runs):
    document = json.loads(
        cli("compare", "second", "-b", "first", "-s", "params", "-s", "metrics", "--normalize", "z", "--json").out
    )
    assert list(document) == [
        *("schema", "runs", "baseline", "value", "normalize", "facts", "score", "group_by", "groups", "problems")
    ]
    one, other = two_runs
    assert document["runs"] == [
        {"id": one, "name": "first", "unknown": []},
        {"id": other, "name": "second", "unknown": []},
    ]
    assert document["baseline"] == one
    facts = {fact["name"]: fact for fact in document["facts"]}
    assert facts["lr"] == {"section": "params", "name": "lr", "differs": True, "values": {one: 0.1, other: 1}}
    assert facts["thing"]["values"] == {other: 1.0}
    loss = facts["val/loss"]
    assert loss["direction"] == "minimize"
    assert loss["deltas"][other] == {"difference": -0.5, "relative": -0.5, "verdict": "better"}
    assert loss["normalized"] == {one: -1.0, other: 1.0}


def test_json_of_scores_and_groups(cli, sweep):
    document = json.loads(cli("compare", "-e", "sweep", "--group-by", "params.model", "--score", "acc", "--json").out)
    assert document["group_by"] == ["params.model"]
    assert [group["key"] for group in document["groups"]] == [["mlp"], ["rf"]]
    rf = document["groups"][1]
    assert len(rf["runs"]) == 3
    assert list(rf["metrics"]["acc"]) == ["n", "nan", "mean", "deviation", "low", "high"]
    assert rf["metrics"]["acc"]["mean"] == pytest.approx(0.91)
    assert document["score"]["scale"] == "minmax"
    assert sorted(document["score"]["ranks"].values()) == [1, 2, 3, 4, 5, 6]


def test_nan_and_infinities_are_texts_in_json_and_marks_elsewhere(cli, record):
    record("odd", {"loss": [math.nan], "acc": [math.inf]})
    record("even", {"loss": [1.0], "acc": [-math.inf]})

    def refuse(literal: str) -> None:
        raise AssertionError(literal)

    answer = cli("compare", "odd", "-b", "even", "--json", "-s", "metrics")
    facts = {fact["name"]: fact for fact in json.loads(answer.out, parse_constant=refuse)["facts"]}
    assert set(facts["loss"]["values"].values()) == {"nan", 1.0}
    assert [delta["verdict"] for delta in facts["acc"]["deltas"].values()] == ["same", "better"]
    table = cli("compare", "odd", "-b", "even", "-s", "metrics").out
    assert [line.split() for line in table.splitlines()[-2:]] == [
        ["acc", "↑", "-inf", "inf", "+inf", "✓"],
        ["loss", "↓", "1", "nan", "nan"],
    ]


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text), strict=True))


def test_csv_has_numbers_in_full_and_no_formulas(cli, record):
    record("=1+1", {"loss": [1 / 3]}, params={"@p": "=cmd|' /C calc'!A0", "q": -0.5, "r": "-0.5"})
    record("other", {"loss": [1.0]})
    found = rows(cli("compare", "@-2", "@-1", "-s", "params", "-s", "metrics", "--csv").out)
    assert found[0][:4] == ["section", "name", "part", "direction"]
    assert found[1] == ["run", "name", "", "", "'=1+1", "other"]
    assert ["params", "'@p", "", "", "'=cmd|' /C calc'!A0", ""] in found
    assert ["params", "q", "", "", "-0.5", ""] in found
    assert ["metrics", "loss", "", "minimize", repr(1 / 3), "1.0"] in found
    turned = rows(cli("compare", "@-2", "-b", "@-1", "-s", "metrics", "--csv", "--transpose").out)
    assert turned[0] == ["id", "name", "metrics.loss", "metrics.loss.delta", "metrics.loss.verdict"]
    assert [line[1:] for line in turned[1:]] == [
        ["other", "1.0", "0.0", "same"],
        ["'=1+1", repr(1 / 3), repr(1 / 3 - 1), "better"],
    ]


def test_csv_of_groups_has_a_line_for_each_metric_and_group(cli, sweep):
    found = rows(cli("compare", "-e", "sweep", "--group-by", "model", "--csv").out)
    titles = ["params.model", "metric", "direction", "runs", "n", "nan", "mean", "std", "low", "high"]
    assert found[0] == [*titles, "best"]
    assert [line[:6] + line[-1:] for line in found[1:]] == [
        ["mlp", "acc", "maximize", "3", "3", "0", ""],
        ["rf", "acc", "maximize", "3", "3", "0", "best"],
    ]
    asked = ("-b", "mlp-0", "--score", "acc", "--normalize", "relative", "--csv")
    whole = rows(cli("compare", "-e", "sweep", "--group-by", "model", *asked).out)
    assert whole[0] == [*titles, "normalized_relative", "delta", "verdict", "best", "score", "rank"]
    assert [line[11:] for line in whole[1:]] == [
        [whole[1][11], "same", "", "0.0", "2"],
        [whole[2][11], "better", "best", whole[2][10], "1"],
    ]
    assert [float(line[11]) for line in whole[1:]] == pytest.approx([0, 0.1])


def test_markdown_is_a_table_that_nothing_breaks(cli, record):
    record("a|b", {"loss": [1.0]}, params={"p": "<img src=x>\n|"})
    record("other", {"loss": [0.5]})
    lines = cli("compare", "@-1", "-b", "@-2", "-s", "params", "-s", "metrics", "--md").out.splitlines()
    assert settled(lines[0]) == r"|  | a\|b (<short>), baseline | other (<short>) |"
    assert lines[1] == "| --- | --- | --- |"
    assert lines[2] == r"| params.p | &lt;img src=x&gt;\\n\| | - |"
    assert lines[3] == "| metrics.loss ↓ | 1 | 0.5 (-0.5 ✓) |"
    turned = cli("compare", "@-1", "@-2", "-s", "params", "--md", "--transpose").out.splitlines()
    assert turned[0] == "|  | params.p |"


def test_groups_on_a_terminal(in_terminal, sweep):
    shown, _ = in_terminal(
        "compare", "-e", "sweep", "--group-by", "params.model", "-b", "mlp-0", env={"NO_COLOR": "1", "PAGER": "cat"}
    )
    assert shown.splitlines()[0] == ("metrics (against the mean of the baseline's group, model mlp: ✓ better, ✗ worse)")
    assert [line.split() for line in shown.splitlines()[1:4]] == [
        ["METRIC", "MODEL", "N", "MEAN", "SD", "95", "%", "INTERVAL", "VS", "BASELINE"],
        ["acc", "↑", "mlp", "3", "0.81", "0.01", "0.7852", "to", "0.8348"],
        ["rf", "3", "0.91", "0.01", "0.8852", "to", "0.9348", "+0.1", "✓", "best"],
    ]


def test_groups_have_scores_and_scales(cli, sweep):
    asked = ("compare", "-e", "sweep", "--group-by", "params.model", "--score", "acc", "--normalize", "z")
    assert [line.split() for line in cli(*asked).out.splitlines()] == [
        ["metrics", "(means", "as", "z-scores,", "higher", "is", "better)"],
        ["METRIC", "MODEL", "N", "MEAN", "SD", "95", "%", "INTERVAL", "Z-SCORE"],
        ["acc", "↑", "mlp", "3", "0.81", "0.01", "0.7852", "to", "0.8348", "-1"],
        ["rf", "3", "0.91", "0.01", "0.8852", "to", "0.9348", "1", "best"],
        [],
        ["score", "(z-scores,", "of", "the", "groups'", "means:", "1", "×", "acc)"],
        ["MODEL", "N", "SCORE", "RANK"],
        ["mlp", "3", "-1", "2"],
        ["rf", "3", "1", "1"],
    ]
    groups = json.loads(cli(*asked, "--json").out)["groups"]
    assert [(group["score"], group["rank"], group["metrics"]["acc"]["normalized"]) for group in groups] == [
        (pytest.approx(-1), 2, pytest.approx(-1)),
        (pytest.approx(1), 1, pytest.approx(1)),
    ]
    lines = cli(*asked, "-b", "mlp-0", "--md").out.splitlines()
    assert lines[0] == (
        "| metric | params.model | n | mean | SD | 95 % interval | mean, z-score "
        "| vs mean of the baseline's group, model mlp |  |"
    )
    assert lines[3] == "| acc ↑ | rf | 3 | 0.91 | 0.01 | 0.8852 to 0.9348 | 1 | +0.1 ✓ | best |"
    assert lines[5] == "| score | rf | 3 | 1 |  |  |  |  | rank 1 |"


def test_what_says_nothing_of_groups_is_refused_and_all_shows_more(cli, record):
    for seed in range(2):
        record(f"a-{seed}", {"acc": [0.5], "system/cpu": [seed], "loss": [seed]}, params={"model": "rf"})
    asked = ("compare", "a-0", "a-1", "--group-by", "model")
    for wrong in (("--transpose",), ("-s", "params"), ("-s", "metrics", "-s", "code", "--json")):
        answer = cli(*asked, *wrong)
        assert (answer.code, answer.out) == (2, "")
        assert "groups" in answer.err
    plain, whole = cli(*asked, "-s", "metrics").out, cli(*asked, "--all").out
    assert "acc ↑" not in plain
    assert "acc ↑" in whole
    assert "system/cpu" in whole
    assert "acc ↑" in cli(*asked, "--score", "acc").out  # what a score is made of


def test_no_two_groups_look_the_same(cli, record):
    for place, value in enumerate([3, "3", 3, None, "null", "-", '"3"', "rf"]):
        record(f"run-{place}", {"acc": [place / 10]}, params={"model": value})
    record("without", {"acc": [1.0]})
    asked = ("compare", "--query", "metrics.acc >= 0", "--group-by", "model")
    labels = [cells[0] for cells in rows(cli(*asked, "--csv").out)[1:]]
    assert sorted(labels) == sorted(["3", '"3"', "null", '"null"', "'-", '"\\"3\\""', "rf", ""])
    for words, place in ((), -8), (("--md",), 2):
        answer = cli(*asked, *words).out
        found = [line.split("|")[2].strip() if words else line[8:].split()[0] for line in answer.splitlines()[place:]]
        assert len(set(found)) == 8
        assert "rf" in found
    groups = json.loads(cli(*asked, "--json").out)["groups"]
    assert [group["absent"] for group in groups if group["key"] == [None]] == [[None], ["missing"]]
    plain = rows(cli("compare", "run-0", "run-1", "run-3", "without", "-s", "params", "--csv").out)
    assert plain[2] == ["params", "model", "", "", "3", '"3"', "null", ""]


def test_groups_stay_apart_in_a_narrow_terminal(in_terminal, record):
    for number in range(4):
        model = f"a-model-with-a-long-name-{'x' * 30}-{number // 2}{'y' * 30}-end"
        record(f"run-{number}", {"some/loss_of_everything": [number]}, params={"model": model, "seed": number})
    for columns in (60, 90):
        asked = ("compare", "@-1", "@-2", "@-3", "@-4", "--group-by", "model", "--score", "some/loss_of_everything")
        shown, code = in_terminal(*asked, "-b", "@-4", columns=columns, env={"NO_COLOR": "1", "PAGER": "cat"})
        assert code == 0
        lines = [line for line in shown.splitlines() if "…" in line and "gittrack:" not in line]
        keys = [next(word for word in line.split() if word.startswith("a-") and "…" in word) for line in lines]
        assert len(keys) == 4
        assert len(set(keys)) == 2


def test_groups_by_parent_are_called_by_its_name(cli, repo):
    with gittrack.start_run(name="sweep", strict=True) as parent:
        for number in range(2):
            with gittrack.start_run(name=f"child-{number}", nested=True, strict=True) as child:
                child.log_metric("loss", number)
    answer = cli("compare", "child-0", "child-1", "--group-by", "parent")
    assert f"sweep ({parent.id[:8]})" in answer.out
    group = json.loads(cli("compare", "child-0", "child-1", "--group-by", "parent", "--json").out)["groups"][0]
    assert (group["key"], group["labels"]) == ([parent.id], ["sweep"])


def test_a_metric_of_unknown_direction_is_not_called_better(cli, record):
    record("one", {"size_kb": [1.0], "depth": [2.0], "loss": [1.0]})
    record("two", {"size_kb": [3.0], "depth": [3.0], "loss": [2.0]})
    answer = cli("compare", "one", "two", "--normalize", "z", "-s", "metrics")
    assert "metrics (z-scores, higher is better except for ?)" in answer.out
    assert (
        "which way 'depth', 'size_kb' get better is not known, so higher is not better for them; "
        "say so: --maximize or --minimize NAME"
    ) in answer.err
    table = rows(cli("compare", "one", "two", "--normalize", "z", "-s", "metrics", "--csv").out)
    scales = {line[1]: line[3] for line in table if line[2] == "normalized_z"}
    assert scales == {"size_kb": "unknown", "depth": "unknown", "loss": "maximize"}
    lines = cli("compare", "two", "-b", "one", "--normalize", "z", "-s", "metrics", "--md").out.splitlines()
    assert lines[2] == "| metrics.depth ? (z-scores) | -1 | 1 |"
    assert lines[3] == "| metrics.loss ↓ (z-scores, higher is better) | 1 | -1 ✗ |"
    shown = cli("compare", "two", "-b", "one", "--normalize", "z", "-s", "metrics").out
    assert [line.split() for line in shown.splitlines() if "loss" in line] == [["loss", "↓", "1", "-1", "✗"]]


def test_many_metrics_of_unknown_direction_are_counted(cli, record):
    record("one", {f"m{n:02}": [n] for n in range(25)})
    record("two", {f"m{n:02}": [n + 1] for n in range(25)})
    err = cli("compare", "one", "-b", "two", "-s", "metrics").err
    assert "'m00', 'm01'" in err
    assert "'m19' and 5 more get better" in err


def test_directions_are_checked(cli, two_runs):
    asked = ("compare", "second", "-b", "first", "-s", "metrics")
    wrong = cli(*asked, "--maximize", "thin")
    assert (wrong.code, wrong.out) == (3, "")
    assert "--maximize 'metrics.thing'" in wrong.err
    both = cli(*asked, "--maximize", "val/loss", "--minimize", "metrics.val/loss")
    assert (both.code, both.out) == (2, "")
    assert "thing ↑" in cli(*asked, "--maximize", "metrics.thing").out


def test_floats_are_rounded_where_there_is_no_room(in_terminal, record):
    for number in range(2):
        record(f"run-{number}", params={"lr": 0.020648266263847 + number / 7, "tag": "0.020648266263847" + str(number)})
    shown, _ = in_terminal("compare", "run-0", "run-1", "-s", "params", columns=44, env={"NO_COLOR": "1"})
    (rate,) = [line.split() for line in shown.splitlines() if line.startswith("  lr")]
    assert [float(text) for text in rate[1:]] == pytest.approx([0.020648266263847, 0.020648266263847 + 1 / 7], rel=1e-4)
    assert "…" in next(line for line in shown.splitlines() if line.startswith("  tag"))
    assert fitted("-1.2345678901e-10", -1.2345678901e-10, 8) == "-1.2e-10"
    assert fitted("12345678901234567", None, 8) == "12345…67"


def test_a_narrow_heading_is_whole_and_said_once(in_terminal, record):
    for number in range(3):
        record(f"run-{number}", {"a/loss_of_everything": [number], "b/loss_of_everything": [number]})
    shown, _ = in_terminal("compare", "run-1", "run-2", "-b", "run-0", "-s", "metrics", columns=40)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert max(cell_width(line) for line in plain.splitlines() if not line.startswith("gittrack:")) <= 40
    assert plain.count("(against") == 1
    assert "✗ worse)" in " ".join(plain.split())
    assert plain.count("metrics") == 2


def test_a_section_that_nobody_knows_is_shown_as_unknown(cli, repo, two_runs):
    bad = gittrack.get_run("second")
    tree = bad._project.repo.objects.read_commit(bad.commit).tree
    path = repo / ".git" / "objects" / tree[:2] / tree[2:]
    path.chmod(0o644)
    path.write_bytes(b"damaged")
    answer = cli("compare", "first", "second", "-s", "environment")
    assert [line.split() for line in answer.out.splitlines()[-1:]] == [["(all", "of", "it)", "?"]]
    assert "nothing differs in what is known" in answer.err
    assert "| environment (all of it) |  | ? |" in cli("compare", "first", "second", "-s", "environment", "--md").out
    table = rows(cli("compare", "first", "second", "-s", "environment", "--csv").out)
    assert ["run", "unknown", "", "", "", "environment"] in table


def test_scores_are_shown_with_what_they_are_made_of(cli, sweep):
    answer = cli("compare", "rf-2", "mlp-0", "--score", "metrics.acc=2", "-s", "metrics")
    assert [line.split() for line in answer.out.splitlines()[-3:]] == [
        ["score", "(0", "to", "1:", "2", "×", "acc)"],
        ["score", "1", "0"],
        ["rank", "1", "2"],
    ]
    wrong = cli("compare", "rf-2", "mlp-0", "--score", "seed")
    assert wrong.code == 3
    assert cli("compare", "rf-2", "--normalize", "relative").code == 2


def test_control_characters_never_reach_the_terminal(cli, record):
    record("evil\u202e", {"loss": [1.0]}, params={"p\x1b[31m": "v\x1b]0;x\x07"}, tags={"t\u202e": "\x1b[2J"})
    record("good", {"loss": [2.0]})
    for words in (
        (),
        ("--transpose",),
        ("--md",),
        ("--group-by", "attributes.status"),
        ("--group-by", "p\x1b[31m"),
        ("--json",),
    ):
        answer = cli("compare", "@-2", "@-1", *words)
        assert answer.code == 0, answer.err
        assert "\x1b" not in answer.out + answer.err
        assert "\u202e" not in answer.out + answer.err


def test_metrics_of_the_machine_are_shown_only_when_asked_for(cli, record):
    record("a", {"system/cpu": [1.0], "loss": [1.0]}, params={"system/own": 1})
    record("b", {"system/cpu": [2.0], "loss": [1.0]}, params={"system/own": 2})
    assert "system/cpu" not in cli("compare", "a", "b").out
    assert "system/own" in cli("compare", "a", "b").out
    assert "system/cpu" in cli("compare", "a", "b", "--all").out


def test_a_run_that_cannot_be_read_is_named_and_hides_no_other(cli, repo, two_runs):
    bad = gittrack.get_run("second")
    tree = bad._project.repo.objects.read_commit(bad.commit).tree
    path = repo / ".git" / "objects" / tree[:2] / tree[2:]
    path.chmod(0o644)
    path.write_bytes(b"damaged")
    answer = cli("compare", "-e", "digits")
    assert answer.code == 0
    assert "  lr " in answer.out
    assert f"warning: the environment of run {bad.id[:8]} cannot be read" in answer.err
    shape = json.loads(cli("compare", "-e", "digits", "--json").out)
    assert len(shape["problems"]) == 2


def test_numbers_have_as_many_digits_as_tell_them_apart():
    assert number_texts([0.123456, 0.123457]) == ["0.123456", "0.123457"]
    assert number_texts([0.5, 0.25]) == ["0.5", "0.25"]
    assert number_texts([1.0, 1.0 + 2**-52]) == ["1", "1.0000000000000002"]
    assert number_texts([math.nan, math.nan, 1.0]) == ["nan", "nan", "1"]
    many = [1 / 3 + n * 1e-9 for n in range(100)]
    assert len(set(number_texts([*many, 5.0]))) == 2  # of many runs it is enough that they are not all the same
    assert len(set(number_texts(many))) > 1


def test_a_shortened_text_keeps_both_ends_and_its_width():
    for text in ("validation/balanced_accuracy", "漢字漢字漢字漢字漢字", "a" * 100_000, "x\x1b" * 50, "é́" * 40):
        for width in range(30):
            assert cell_width(shortened(text, width)) <= width
    assert shortened("validation/balanced_accuracy", 15) == "validatio…uracy"


def test_a_query_chooses_the_runs_in_an_experiment_or_beside_named_ones(cli, sweep, record):
    record("else", {"acc": [0.1]}, params={"model": "rf"})
    names = [run["name"] for run in json.loads(cli("compare", "--query", "params.model = 'rf'", "--json").out)["runs"]]
    assert names == ["else", "rf-2", "rf-1", "rf-0"]
    asked = ("--query", "params.model = 'rf'", "-e", "sweep", "--json")
    assert [run["name"] for run in json.loads(cli("compare", *asked).out)["runs"]] == ["rf-2", "rf-1", "rf-0"]
    beside = json.loads(cli("compare", "mlp-0", "rf-1", *asked, "-b", "mlp-1").out)["runs"]
    assert [run["name"] for run in beside] == ["mlp-1", "mlp-0", "rf-1", "rf-2", "rf-0"]
    assert cli("compare", "--query", "params.seed = 0", "--group-by", "params.model").code == 0


def test_a_query_that_finds_nothing_or_is_none_is_told(cli, sweep):
    for form in ((), ("--json",), ("--csv",)):
        nothing = cli("compare", "--query", "metrics.acu > 0", *form)
        assert (nothing.code, nothing.out) == (3, "")
        assert "no run has metrics.acu" in nothing.err
        assert "did you mean metrics.acc?" in nothing.err
    none = cli("compare", "--query", "metrics.acc > 5", "-e", "sweep")
    assert (none.code, none.out) == (3, "")
    assert "no run answers 'metrics.acc > 5'" in none.err
    assert cli("compare", "mlp-0", "--query", "metrics.acc > 5").code == 0
    assert "metrics.ac" not in cli("compare", "--query", "metrics.acc > 0").err
    wrong = cli("compare", "--query", "metrics.acc >")
    assert (wrong.code, wrong.out) == (2, "")
    assert cli("compare", "--query", "", "-e", "none").code == 3
    assert "no run is named" in cli("compare").err

"""``gittrack plot``: curves at 80 columns, plain when piped, painted in a terminal, and as files."""

from __future__ import annotations

import re

import pytest

from gittrack.core.names import cell_width


@pytest.fixture
def two_runs(record):
    return [
        record("first", {"loss": [1.0, 0.5, 0.25, 0.125], "acc": [0.1, 0.9]}),
        record("second", {"loss": [0.8, 0.4, float("nan"), 0.2]}),
    ]


def test_the_headline_of_a_run_is_drawn_without_a_metric_named(cli, two_runs):
    answer = cli("plot", "first", "--height", "4", "--width", "40")
    assert (answer.code, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert lines[:3] == [
        "acc",
        "0.9 ┤                          ⢀⣀⣀⠤⠤⠔⠒⠊⠉",
        "    │                 ⢀⣀⣀⠤⠤⠒⠒⠊⠉⠁",
    ]
    assert [line for line in lines if line[:1].isalpha()] == ["acc", "loss"]
    assert lines.count("     step") == 2


def test_several_runs_share_a_chart_and_the_legend_tells_them_apart(cli, two_runs):
    answer = cli("plot", "first", "second", "-m", "loss")
    lines = answer.out.splitlines()
    assert lines[0] == "loss"
    assert lines[-2:] == [
        "A first   last 0.125  min 0.125  max 1",
        "B second  last 0.2  min 0.2  max 0.8  1 nan",
    ]
    assert max(map(cell_width, lines)) <= 80
    assert "\x1b" not in answer.out
    field = "".join(lines[1:16])
    assert "A" in field
    assert "B" in field


def test_ascii_is_nothing_but_ascii(cli, two_runs):
    answer = cli("plot", "first", "second", "-m", "loss", "--ascii")
    assert answer.out.isascii()
    assert "* first" in answer.out


def test_each_metric_is_a_chart_of_its_own(cli, two_runs):
    answer = cli("plot", "first", "second", "-m", "loss", "-m", "acc", "--smooth", "0.6", "--log-y", "--by", "relative")
    assert answer.code == 0
    assert re.findall(r"^(loss|acc)$", answer.out, re.MULTILINE) == ["loss", "acc"]
    assert answer.err == "gittrack: warning: run 'second' has no metric 'acc'\n"


def test_a_terminal_is_filled_and_painted(in_terminal, two_runs):
    shown, code = in_terminal("plot", "first", "second", "-m", "loss", columns=60)
    assert code == 0
    assert "\x1b[36m" in shown
    assert "\x1b[33m" in shown
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]", "", shown)
    assert max(cell_width(line.strip("\r")) for line in plain.splitlines()) == 59


def test_no_color_and_dumb_terminals_are_heeded(in_terminal, two_runs):
    shown, _ = in_terminal("plot", "first", "-m", "loss", env={"NO_COLOR": "1", "PAGER": "cat"})
    assert "\x1b" not in shown
    assert "⠤" in shown or "⠒" in shown
    shown, _ = in_terminal("plot", "first", "-m", "loss", env={"TERM": "dumb"})
    assert shown.isascii()


def test_names_cannot_control_the_terminal(cli, record):
    record("a", {"lo\x1b[31mss\u202e": [1.0, 2.0]})
    answer = cli("plot", "a")
    assert answer.code == 0
    assert answer.out.startswith("lo\\x1b[31mss\\u202e\n")
    assert "\x1b" not in cli("plot", "a", "-m", "\x1b[2Jnone").err


@pytest.mark.parametrize("suffix", ["svg", "html", "png"])
def test_a_file_is_written_once(cli, two_runs, repo, suffix):
    if suffix == "png":
        pytest.importorskip("matplotlib")
    words = ("plot", "first", "second", "-m", "loss", "-o", f"curve.{suffix}")
    answer = cli(*words)
    assert (answer.code, answer.out, answer.err) == (0, "", f"gittrack: wrote curve.{suffix}\n")
    first = (repo / f"curve.{suffix}").read_bytes()
    again = cli(*words)
    assert again.code == 5
    assert again.err == (f"gittrack: error: 'curve.{suffix}' is there already\nhint: --force replaces it\n")
    assert cli(*words, "--force").code == 0
    assert (repo / f"curve.{suffix}").read_bytes() == first


def test_mistakes_are_told_with_what_mends_them(cli, two_runs):
    answer = cli("plot", "first", "-m", "los")
    assert (answer.code, answer.err) == (
        3,
        "gittrack: error: run 'first' has no metric 'los'\nhint: did you mean 'loss'?\n",
    )
    assert cli("plot", "nobody").code == 3
    assert cli("plot").code == 2
    assert cli("plot", "first", "--force").code == 2
    assert cli("plot", "first", "-o", "a.pdf").code == 2
    for smooth in ("1", "-1", "nan", "x"):
        assert cli("plot", "first", "--smooth", smooth).code == 2


def test_patterns_draw_several_metrics(cli, record):
    record("a", {"loss": [1.0, 0.5], "val/loss": [1.0, 0.6], "val/acc": [0.1, 0.6]})
    drawn = cli("plot", "a", "-m", "val/*", "--height", "3").out
    assert re.findall(r"^[a-z]\S*$", drawn, re.MULTILINE) == ["val/loss", "val/acc"]
    default = cli("plot", "a", "--height", "3").out
    assert re.findall(r"^[a-z]\S*$", default, re.MULTILINE) == ["loss", "val/loss", "val/acc"]
    assert cli("plot", "a", "-m", "test/*").code == 3
    record("many", {f"m/{number}": [1.0] for number in range(60)})
    assert cli("plot", "many", "-m", "m/*").code == 2


def test_a_short_time_is_labelled_as_time_and_has_no_logarithm(cli, record):
    record("a", {"loss": [1.0, 0.5, 0.25]})
    drawn = cli("plot", "a", "-m", "loss", "--by", "time", "--height", "3").out
    assert "e12" not in drawn and re.search(r"\d\d:\d\d:\d\d\.\d", drawn)
    refused = cli("plot", "a", "-m", "loss", "--by", "time", "--log-x")
    assert refused.code == 2 and refused.err.endswith("hint: --by relative --log-x\n")


def test_a_file_without_a_point_is_told(cli, record):
    record("a", {"loss": [float("nan")] * 3})
    answer = cli("plot", "a", "-m", "loss", "-o", "curve.svg")
    assert (answer.code, answer.err) == (
        0,
        "gittrack: wrote curve.svg\ngittrack: warning: 'loss' has no point that can be drawn\n",
    )


def test_more_curves_than_letters_need_a_file(cli, record):
    for number in range(53):
        record(f"run-{number}", {"loss": [1.0]})
    addresses = [f"run-{number}" for number in range(53)]
    answer = cli("plot", *addresses, "-m", "loss")
    assert answer.code == 2
    assert "hint: -o curve.html" in answer.err
    assert cli("plot", *addresses[:52], "-m", "loss").code == 0
    assert cli("plot", *addresses, "-m", "loss", "-o", "curve.svg").code == 0


def test_a_query_or_an_experiment_chooses_the_runs(cli, two_runs, record):
    record("third", {"loss": [3.0]}, experiment="other")
    drawn = cli("plot", "--query", "metrics.loss < 1", "-m", "loss").out.splitlines()
    assert [line[:8] for line in drawn[-2:]] == ["A second", "B first "]
    drawn = cli("plot", "first", "-e", "other", "-m", "loss").out.splitlines()
    assert [line.split()[1] for line in drawn[-2:]] == ["first", "third"]
    nothing = cli("plot", "--query", "metrics.loss > 9")
    assert (nothing.code, nothing.out) == (3, "")
    assert "no run is like that" in nothing.err
    assert cli("plot", "--query", "metrics.loss >").code == 2
    none = cli("plot")
    assert (none.code, none.out) == (2, "")
    assert "no run is named" in none.err

"""``gittrack show``: the page, JSON, and how a run is addressed."""

from __future__ import annotations

import json
import re

import pytest

import gittrack
from gittrack.api.project import Project
from gittrack.api.read import find_run

from .conftest import settled


@pytest.fixture
def run(record, repo):
    (repo / "train.py").write_text("print('changed')\n")
    (repo / "data.bin").write_bytes(b"\0" * (2 << 20))
    with gittrack.start_run(name="whole", experiment="digits", params={"lr": 0.1, "layers": [1, 2]}) as run:
        for value in (1.0, 0.5, 0.25):
            run.log_metric("loss", value)
        run.set_tag("stage", "dev")
        run.set_note("two\nlines")
        run.log_text("hello", "notes/a.txt")
        run.log_input("s3://bucket/data.csv", "data", "train", digest="md5:" + "a" * 32)
        run.log_output(b"".join(b"line %d\n" % number for number in range(12)))
    return run.id


def sections(text: str) -> dict[str, list[str]]:
    """Title of each section of the page -> its lines."""
    blocks = [block.splitlines() for block in text.rstrip("\n").split("\n\n")]
    return {block[0]: block[1:] for block in blocks}


def test_the_page_says_everything_about_a_run(cli, run):
    answer = cli("show", "whole")
    assert (answer.code, answer.err) == (0, "")
    page = sections(settled(answer.out))
    facts = page.pop("whole  finished")
    assert facts[:6] == [
        "  id          <id>",
        "  run commit  <id>",
        "  experiment  digits",
        "  status      finished",
        "  started     <time> (<age>)",
        "  duration    <duration>",
    ]
    assert facts[6] == "  author      Test User <test@example.com>"
    environment = page.pop("environment")
    assert any(line.startswith("  python     cpython 3.") for line in environment)
    assert any(re.fullmatch(r"  packages   \d+ packages", line) for line in environment)
    assert page == {
        "code": ["  commit  <id>", "  state   <short>, a snapshot of uncommitted changes on top of <short> on main"],
        "left out of the snapshot": ["  FILE      WHY      SIZE", "  data.bin  size  2.10 MB"],
        "params": ["  layers  [1, 2]", "  lr      0.1"],
        "metrics": [
            "  NAME  LAST   MIN  MAX    MEAN  POINTS",
            "  loss  0.25  0.25    1  0.5833       3  █▃▁",
        ],
        "tags": ["  stage  dev"],
        "note": ["  two", "  lines"],
        "inputs": [
            "  NAME  ROLE   FROM                  SIZE  STATE  DIGEST",
            "  data  train  s3://bucket/data.csv               md5:<id>",
        ],
        "artifacts": [
            "  PATH         SIZE  TYPE        DIGEST",
            "  notes/a.txt   5 B  text/plain  md5:<id>",
        ],
        "output (last 10 of 12 lines)": [f"  line {number}" for number in range(2, 12)],
        "without gittrack": [
            "  git show <commit>:params.toml",
            "  git ls-tree -r <commit>",
            "  git diff <commit>^ HEAD",
        ],
    }


def test_the_commands_of_git_on_the_page_work(cli, run, git):
    commands = sections(cli("show", "whole").out)["without gittrack"]
    answers = [git(*line.split()[1:]) for line in commands]
    assert "lr = 0.1" in answers[0]
    assert "metrics/loss.csv" in answers[1]
    assert "changed" in answers[2]


def test_json_has_a_stable_shape(cli, run):
    document = json.loads(cli("show", "whole", "--json").out)
    assert list(document) == ["schema", "run"]
    shown = document["run"]
    listed = json.loads(cli("ls", "--json").out)["runs"][0]
    assert list(shown) == [*listed, "command", "seeds", "inputs", "models", "artifacts", "conflicting", "problem"]
    assert {key: value for key, value in shown.items() if key in listed and key != "code"} == {
        key: value for key, value in listed.items() if key != "code"
    }
    assert list(shown["code"]) == [
        *("commit", "head", "branch", "dirty", "remote", "directory", "left_out", "submodules", "reason")
    ]
    assert shown["code"]["left_out"] == [{"path": "data.bin", "reason": "size", "size": 2 << 20}]
    assert shown["inputs"] == [
        {
            "name": "data",
            "role": "train",
            "uri": "s3://bucket/data.csv",
            "digest": "md5:" + "a" * 32,
            "source": "given",
            "size": None,
            "schema": {},
            "state": "",
        }
    ]
    assert [(item["path"], item["size"], item["storage"]) for item in shown["artifacts"]] == [
        ("notes/a.txt", 5, "inline")
    ]
    assert shown["params"] == {"lr": 0.1, "layers": [1, 2]}


def test_a_failed_run_shows_its_error_and_the_end_of_its_traceback(cli, record):
    with pytest.raises(ArithmeticError), gittrack.start_run(name="broken"):
        raise ArithmeticError("too\x1b[31m hot")
    page = sections(cli("show", "broken").out)
    assert "  error       ArithmeticError: too\\x1b[31m hot" in page["broken  failed"]
    assert page["traceback"][-1] == "  ArithmeticError: too\\x1b[31m hot"


def test_a_live_run_can_be_shown(cli, repo):
    run = gittrack.start_run(name="alive", params={"lr": 1})
    run.log_metric("loss", 0.5)
    page = sections(cli("show", run.id[:8]).out)
    assert "  status      running" in page["alive  running"]
    assert page["metrics"][1].split() == ["loss", "0.5", "0.5", "0.5", "0.5", "1"]
    assert "without gittrack" not in page


def test_a_progress_bar_is_shown_as_it_stood_at_the_end(cli, repo):
    with gittrack.start_run(name="bar") as run:
        run.log_output(b"10%\r50%\r100%\ndone\r\n")
    assert sections(cli("show", "bar").out)["output"] == ["  100%", "  done"]


def test_a_deleted_run_says_so_and_how_to_bring_it_back(cli, record):
    id = record("gone")
    cli("rm", "--yes", "gone")
    assert f"  deleted     yes; bring it back: gittrack restore {id[:8]}" in cli("show", "gone").out


class TestAddress:
    def test_latest_counts_from_the_newest(self, cli, record):
        older, newer = record("older"), record("newer")
        for address, id in (("@latest", newer), ("@-1", newer), ("@-2", older)):
            assert json.loads(cli("show", address, "--json").out)["run"]["id"] == id

    def test_a_prefix_a_name_and_a_revision_find_the_run(self, cli, record):
        id = record("one")
        commit = find_run(Project.open(), "one").commit
        for address in (id, id[:6], id[:8].upper(), "one", commit, f"runs/inbox/{id}"):
            assert json.loads(cli("show", address, "--json").out)["run"]["id"] == id

    def test_an_unknown_one_is_not_found(self, cli, record):
        answer = cli("show", "nope\x1b[0m")
        assert (answer.code, answer.out) == (3, "")
        assert answer.err == "gittrack: error: no run is 'nope\\x1b[0m'\nhint: gittrack ls\n"

    def test_an_ambiguous_one_names_what_matches(self, cli, record):
        ids = sorted([record("twin"), record("twin")])
        answer = cli("show", "twin")
        assert answer.code == 3
        assert answer.err == (
            f"gittrack: error: 'twin' matches 2 runs\nhint: use an id: {ids[0][:12]}, {ids[1][:12]}\n"
        )

    def test_too_far_back_is_not_found(self, cli, record):
        assert cli("show", "@-9").code == 3

    def test_nonsense_after_the_sign_is_wrong_usage(self, cli, record):
        assert cli("show", "@first").code == 2


def test_a_run_from_before_the_first_commit_proposes_commands_that_work(tmp_path, git, gittrack_cli):
    root = tmp_path / "empty"
    git("init", "--quiet", str(root))
    (root / "train.py").write_text("print('hello')\n")
    assert gittrack_cli("run", "-n", "early", "--", "true", cwd=root).returncode == 0
    page = sections(gittrack_cli("show", "early", cwd=root).stdout)["without gittrack"]
    answers = [git("-C", str(root), *line.split()[1:]) for line in page]
    assert "hello" in answers[-1]


def test_a_terminal_shows_long_params_cut_with_their_length_and_a_pipe_whole(record, cli, in_terminal):
    record("long", params={"text": "x" * 500, "a_name_that_is_much_longer_than_the_others_are": 1, "lr": 0.1})
    shown, _ = in_terminal("show", "long", env={"NO_COLOR": "1", "PAGER": ""})
    assert f"text{' ' * 30}{'x' * 200}… (500 characters)\n" in shown
    assert f"lr{' ' * 32}0.1\n" in shown
    assert "x" * 500 in cli("show", "long").out


def test_three_hundred_params_are_all_shown(record, cli, in_terminal):
    record("many", params={f"p{number}": number for number in range(300)})
    expected = sorted(f"  p{number}{' ' * (4 - len(str(number)))} {number}" for number in range(300))
    assert sorted(sections(cli("show", "many").out)["params"]) == expected
    shown, _ = in_terminal("show", "many", env={"NO_COLOR": "1", "PAGER": ""})
    assert sorted(sections(shown)["params"]) == expected


def test_what_was_told_while_logging_is_not_called_an_error(cli, repo):
    with gittrack.start_run(name="masked") as run:
        run.log_param("password", "hunter2")
    page = sections(cli("show", "masked").out)
    assert page["told while logging"] == ["  log_param: param 'password' holds a secret and is kept without it"]

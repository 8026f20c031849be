"""``gittrack diff``: the page, its parts, the patch in the pager and elsewhere, JSON, exit codes."""

from __future__ import annotations

import json
import re
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gittrack
from gittrack.cli.streaming import shown_pieces

from .conftest import settled


@pytest.fixture
def two(repo):
    with gittrack.start_run(name="one", strict=True, params={"lr": 0.1, "depth": 3}) as run:
        run.log_metric("loss", 1.0)
    (repo / "train.py").write_text("print('other')\n")
    (repo / "größe.py").write_text("1\n")
    with gittrack.start_run(name="two", strict=True, params={"lr": 0.1, "depth": "3"}) as run:
        run.log_metric("loss", 0.5)
        run.set_tag("stage", "dev")


PAGE = """\
before  one  <short>  finished  <age>
after   two  <short>  finished  <age>

params
     NAME   BEFORE   AFTER
  ~  depth  3 (int)  3 (str)

metrics
     NAME    BEFORE  AFTER  DELTA
  ~  loss ↓       1    0.5   -0.5  better

tags
     NAME   BEFORE  AFTER
  +  stage          dev

code: 2 files
  git diff <commit> <commit>
 größe.py | 1 +
 train.py | 2 +-
 2 files changed, 2 insertions(+), 1 deletion(-)

diff --git a/größe.py b/größe.py
"""


def test_the_page_tells_every_part_and_then_the_patch(cli, two):
    answer = cli("diff", "one", "two")
    assert (answer.code, answer.err) == (0, "")
    assert settled(answer.out).startswith(PAGE)
    assert "+print('other')" in answer.out


@pytest.mark.parametrize(
    ("flag", "titles"),
    [
        ("--params", {"params"}),
        ("--metrics", {"metrics"}),
        ("--tags", {"tags"}),
        ("--env", set()),
        ("--inputs", set()),
        ("--artifacts", set()),
        ("--command", set()),
    ],
)
def test_each_part_is_shown_alone(cli, two, flag, titles):
    answer = cli("diff", "one", "two", flag, "--exit-code")
    assert answer.code == (1 if titles else 0)
    assert {block.splitlines()[0] for block in answer.out.split("\n\n")[1:]} == titles
    assert ("do not differ in" in answer.err) == (not titles)


def test_several_parts_are_shown_together(cli, two):
    answer = cli("diff", "one", "two", "--params", "--tags")
    assert "params" in answer.out and "tags" in answer.out and "metrics" not in answer.out


def test_code_alone_is_exactly_what_git_prints(cli, two, repo, git):
    answer = cli("diff", "one", "two", "--code")
    codes = [str(gittrack.get_run(name).code) for name in ("one", "two")]
    assert answer.out == git("-c", "core.quotePath=false", "diff", *codes, cwd=repo)


def test_stat_and_names_show_the_code_alone(cli, two):
    assert cli("diff", "one", "two", "--name-only").out == "größe.py\ntrain.py\n"
    assert cli("diff", "one", "two", "--stat").out.endswith(" 2 files changed, 2 insertions(+), 1 deletion(-)\n")
    both = cli("diff", "one", "two", "--stat", "--params").out
    assert "params" in both and "train.py | 2 +-" in both and "diff --git" not in both


def test_paths_after_two_dashes_show_the_code_of_these(cli, two, repo, monkeypatch):
    (repo / "sub").mkdir()
    monkeypatch.chdir(repo / "sub")
    assert cli("diff", "one", "two", "--name-only", "--", "../train.py").out == "train.py\n"
    assert cli("diff", "one", "two", "--exit-code", "--", "../train.py").code == 1
    answer = cli("diff", "one", "two", "--exit-code", "--", ":/sub")
    assert (answer.code, answer.out) == (0, "")
    assert answer.err == "gittrack: run 'one' and run 'two' do not differ in code in these paths\n"


def test_what_follows_two_dashes_is_never_an_option(cli, two, repo):
    answer = cli("diff", "one", "two", "--", "--json")
    assert (answer.code, answer.out) == (0, "")


def test_one_run_is_compared_with_the_work_tree(cli, two, repo):
    answer = cli("diff", "two", "--exit-code")
    assert (answer.code, answer.out) == (0, "")
    assert answer.err == "gittrack: run 'two' and the work tree do not differ in code\n"
    (repo / "new.py").write_text("new\n")
    (repo / "big.bin").write_bytes(b"\0" * (2 << 20))
    answer = cli("diff", "two", "--exit-code")
    assert answer.code == 1 and "+new" in answer.out and "big.bin" not in answer.out
    assert "1 file of the work tree left out" in answer.err
    assert cli("diff", "two", "--params").code == 2


def test_json_tells_the_parts_asked_for(cli, two):
    shape = json.loads(cli("diff", "one", "two", "--json").out)["diff"]
    assert set(shape) == set(
        "before after command params metrics inputs environment packages tags artifacts code unknown".split()
    )
    assert shape["params"] == [{"name": "depth", "kind": "changed", "before": 3, "after": "3", "types": ["int", "str"]}]
    assert (
        shape["metrics"][0] | {"name": "loss", "delta": -0.5, "direction": "minimize", "better": True}
        == shape["metrics"][0]
    )
    assert shape["code"]["files"][1] == {
        "status": "modified",
        "path": "train.py",
        "before": None,
        "lines_added": 1,
        "lines_removed": 1,
    }
    answer = cli("diff", "one", "two", "--json", "--params", "--exit-code")
    assert answer.code == 1
    assert set(json.loads(answer.out)["diff"]) == {"before", "after", "params", "unknown"}
    assert json.loads(cli("diff", "two", "--json").out)["diff"]["code"]["work_tree"] is True


def test_code_that_is_not_here_leaves_the_rest_of_the_page(cli, two, repo):
    code = str(gittrack.get_run("two").code)
    (repo / ".git" / "objects" / code[:2] / code[2:]).unlink()
    answer = cli("diff", "one", "two")
    assert answer.code == 0 and "params" in answer.out
    assert f"  not compared: the code of run 'two' is not here: commit {code}" in answer.out
    answer = cli("diff", "one", "two", "--code")
    assert (answer.code, answer.out) == (3, "")
    assert answer.err.endswith(f"hint: git fetch origin {code}\n")
    assert json.loads(cli("diff", "one", "two", "--code", "--json").out)["diff"]["unknown"]["code"]


def test_code_that_git_cannot_read_leaves_the_rest_of_the_page(cli, two, repo, git):
    tree = git("rev-parse", f"{gittrack.get_run('two').code}^{{tree}}", cwd=repo).strip()
    (repo / ".git" / "objects" / tree[:2] / tree[2:]).unlink()
    answer = cli("diff", "one", "two", "--exit-code")
    assert answer.code == 1 and "params" in answer.out
    assert "  not compared: 'git diff' failed: " in answer.out
    answer = cli("diff", "one", "two", "--code")
    assert (answer.code, answer.out) == (1, "") and "hint: git diff " in answer.err


def test_code_that_cannot_be_compared_is_not_known_to_be_the_same(cli, tmp_path, monkeypatch):
    subprocess.run(["git", "init", "--quiet", "empty"], cwd=tmp_path, check=True)
    monkeypatch.chdir(tmp_path / "empty")
    for name in ("e1", "e2"):
        with gittrack.start_run(name=name):
            pass
    answer = cli("diff", "e1", "e2", "--code", "--exit-code")
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith("gittrack: warning: not compared: neither run kept code; gittrack show ")
    assert cli("diff", "e1", "e2", "--code").code == 3
    assert cli("diff", "e1", "e2", "--exit-code").code == 1
    assert cli("diff", "e1", "e2", "--tags", "--exit-code").code == 0


def test_parts_that_cannot_be_read_are_told_on_the_page_and_in_json(cli, two, repo, git):
    blob = git("rev-parse", f"{gittrack.get_run('two').commit}:params.toml", cwd=repo).strip()
    (repo / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    answer = cli("diff", "one", "two", "--params", "--metrics", "--exit-code")
    assert answer.code == 1
    assert "params\n  not compared: 'params.toml' of run 'two' cannot be read: " in answer.out
    assert "loss ↓" in answer.out
    shape = json.loads(cli("diff", "one", "two", "--params", "--json").out)["diff"]
    assert shape["params"] == [] and "params.toml" in shape["unknown"]["params"]


def test_a_patch_in_a_pipe_can_be_applied_binary_files_too(cli, repo, git, in_terminal):
    (repo / "weights.bin").write_bytes(bytes(range(256)) * 20)
    git("add", "weights.bin", cwd=repo)
    git("commit", "-qm", "weights", cwd=repo)
    with gittrack.start_run(name="one"):
        pass
    (repo / "weights.bin").write_bytes(bytes(reversed(range(256))) * 20)
    with gittrack.start_run(name="two"):
        pass
    git("apply", cwd=repo, stdin=cli("diff", "two", "one", "--code").out)
    assert (repo / "weights.bin").read_bytes() == bytes(range(256)) * 20
    shown, _ = in_terminal("diff", "two", "one", "--code", env={"GIT_PAGER": "cat"})
    assert "GIT binary patch" not in shown and "Binary files" in shown


def test_a_path_in_the_place_of_a_run_is_told_where_paths_go(cli, two):
    answer = cli("diff", "one", "train.py")
    assert answer.code == 3
    assert answer.err.endswith("hint: paths come after --: gittrack diff one -- train.py\n")
    answer = cli("diff", "one", "two", "train.py")
    assert answer.code == 2 and answer.err.endswith("hint: paths come after --: gittrack diff RUN RUN -- PATH\n")
    assert cli("diff", "src/net.py").err.endswith("gittrack diff @latest -- src/net.py\n")


def test_a_metric_of_unknown_direction_is_marked_as_such(cli, repo):
    for name, value in (("one", 1.0), ("two", 2.0)):
        with gittrack.start_run(name=name) as run:
            run.log_metric("wobble", value)
    assert "wobble ?" in cli("diff", "one", "two", "--metrics").out


@pytest.mark.parametrize("words", [("one", "two", "--stat", "--name-only"), ("one", "two", "three"), ()])
def test_what_makes_no_sense_is_a_usage_error(cli, two, words):
    assert cli("diff", *words).code == 2


def test_an_unknown_run_is_not_found(cli, two):
    answer = cli("diff", "one", "nobody")
    assert answer.code == 3 and "no run is 'nobody'" in answer.err


# -- the terminal ----------------------------------------------------------------------------------------------------

HOSTILE = "\x1b]0;title\x07\x1b[2J\x1b[8mhidden\u202e\x9b31m"


@pytest.fixture
def hostile(repo):
    with gittrack.start_run(name="one", params={f"p{HOSTILE}": HOSTILE}):
        pass
    (repo / f"a{HOSTILE}.py").write_text(f"{HOSTILE}\n")
    with gittrack.start_run(name=f"two\u202e{'x' * 5}", params={f"p{HOSTILE}": "x"}) as run:
        run.set_tag(HOSTILE, HOSTILE)
    return run.id


ALLOWED = re.compile(r"\x1b\[[0-9;]*m")


@pytest.mark.parametrize("env", [{}, {"NO_COLOR": "1"}])
@pytest.mark.parametrize("part", [(), ("--code",), ("--name-only",), ("--stat",), ("--params", "--tags")])
def test_nothing_that_steers_a_terminal_reaches_it(in_terminal, hostile, env, part):
    shown, code = in_terminal("diff", "one", hostile, *part, env={"GIT_PAGER": "cat", **env})
    assert code == 0
    colours = set(ALLOWED.findall(shown))
    assert "\x1b[8m" not in colours and bool(colours) == (not env and part != ("--name-only",))
    plain = ALLOWED.sub("", shown)
    assert all(char in "\n\t" or char.isprintable() for char in plain)


def test_the_pager_gets_the_page_and_the_patch_in_colour(in_terminal, two, tmp_path):
    seen = tmp_path / "seen"
    shown, code = in_terminal("diff", "one", "two", env={"GIT_PAGER": f"cat > {seen}"})
    assert (shown, code) == ("", 0)
    text = seen.read_text()
    assert "\x1b[" in text and "depth" in text and "other" in text
    in_terminal("diff", "one", "two", env={"GIT_PAGER": f"cat > {seen}", "NO_COLOR": "1"})
    assert "\x1b[" not in seen.read_text()


def test_a_pager_that_stops_reading_ends_it_quietly(in_terminal, repo):
    with gittrack.start_run(name="one"):
        pass
    for number in range(8):
        (repo / f"big{number}.txt").write_text("a line of text\n" * 60_000)
    with gittrack.start_run(name="two"):
        pass
    shown, code = in_terminal("diff", "one", "two", "--code", "--exit-code", env={"GIT_PAGER": "head -n 1"})
    assert (shown, code) == ("diff --git a/big0.txt b/big0.txt\n", 1) or shown.startswith("\x1b[1mdiff --git")


def test_a_pager_that_does_not_exist_is_said(in_terminal, two):
    shown, code = in_terminal("diff", "one", "two", env={"GIT_PAGER": "no-such-pager-here"})
    assert code == 1 and "the pager 'no-such-pager-here' cannot be run" in shown


def test_piped_output_is_bytes_as_they_are(gittrack_cli, repo, project_env):
    with gittrack.start_run(name="one"):
        pass
    (repo / "latin.txt").write_bytes(b"caf\xe9\x1b[31m\n")
    with gittrack.start_run(name="two"):
        pass
    done = subprocess.run(
        [*_program(), "diff", "one", "two", "--code"],
        cwd=repo,
        env=project_env,
        capture_output=True,
        check=True,
    )
    assert b"+caf\xe9\x1b[31m\n" in done.stdout


def _program() -> list[str]:
    import sys

    return [sys.executable, "-m", "gittrack"]


@given(st.lists(st.binary(max_size=12), max_size=6))
def test_bytes_in_pieces_are_shown_as_in_one_and_never_steer(pieces):
    for colour in (True, False):
        whole = "".join(shown_pieces([b"".join(pieces)], colour=colour))
        assert "".join(shown_pieces(pieces, colour=colour)) == whole
        plain = ALLOWED.sub("", whole) if colour else whole
        assert all(char in "\n\t" or char.isprintable() for char in plain)


@given(
    st.lists(st.sampled_from([b"\x1b", b"[", b"3", b"1", b";", b"m", b"8", b"0", b"\xc3", b"\xa9", b"\n"]), max_size=30)
)
def test_colours_cut_anywhere_stay_whole(parts):
    whole = "".join(shown_pieces([b"".join(parts)], colour=True))
    assert "".join(shown_pieces(parts, colour=True)) == whole


@pytest.mark.parametrize(
    ("code", "stays"),
    [("\x1b[1;31m", True), ("\x1b[m", True), ("\x1b[8m", False), ("\x1b[1;8m", False), ("\x1b[08m", False),
     ("\x1b[38;5;8m", True), ("\x1b[38;5;8;8m", False), ("\x1b[48;2;8;8;8m", True)],
)  # fmt: skip
def test_colours_stay_and_what_conceals_does_not(code, stays):
    shown = "".join(shown_pieces([code.encode()], colour=True))
    assert (shown == code) == stays
    assert "\x1b" not in "".join(shown_pieces([code.encode()], colour=False))

"""``gittrack run``: output, exit code, parameters, signals, and every option."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import pytest

PYTHON = sys.executable


@pytest.fixture
def run(repo, gittrack_cli):
    """``run("-n", "x", "--", …)``: the real command, in a repository with one commit."""

    def call(*words, **options):
        return gittrack_cli("run", *words, **options)

    return call


@pytest.fixture
def latest(gittrack_cli):
    def read(address: str = "@latest") -> dict:
        done = gittrack_cli("show", address, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["run"]

    return read


def test_output_goes_where_it_went_and_into_the_run(run, latest, gittrack_cli, git):
    done = run("--", "sh", "-c", "echo to-out; echo to-err >&2")
    assert done.returncode == 0
    assert done.stdout == "to-out\n"
    assert done.stderr.startswith("to-err\ngittrack: run '")
    kept = git("show", f"{latest()['commit']}:logs/output.txt")
    assert sorted(kept.splitlines()) == ["to-err", "to-out"]


def test_secrets_are_shown_and_not_kept(run, latest, git, repo):
    token = "hf" + "_" + "aB3dE5gH7j" * 4
    key = "MIIEpAIBAAKCAQEA7bq98qkY"
    (repo / "train.py").write_text(
        "import os, sys, time\n"
        f"for piece in ({token[:9]!r}, {token[9:]!r}, ' is it\\n', '50%\\r', 'password: hunter2\\r', 'done'):\n"
        "    os.write(1, piece.encode())\n"
        "    os.write(2, b'.')\n"
        "    time.sleep(0.02)\n"
        f"for line in ('-----BEGIN PRIVATE' + ' KEY-----', '{key}', '-----END PRIVATE KEY-----', 'done too'):\n"
        "    print(line, file=sys.stderr)\n"
    )
    done = run("--", PYTHON, "train.py")
    assert token in done.stdout
    assert "hunter2" in done.stdout
    assert key in done.stderr
    kept = git("show", f"{latest()['commit']}:logs/output.txt")
    assert "*** is it\n50%\npassword: ***\n" in kept  # read as text, in which a carriage return is a line end
    assert "done" in kept
    assert "done too\n" in kept
    assert not any(secret in kept for secret in (token[9:], "hunter2", key))


def test_at_most_eight_lines_at_the_end_with_the_next_command_last(run, latest, repo):
    (repo / "big.bin").write_bytes(b"\0" * (2 << 20))
    (repo / "train.py").write_text(
        "import gittrack\nfor metric in 'abcde':\n    gittrack.log_metrics({metric: 1.0})\n"
        "    gittrack.log_metrics({metric: 2.0})\nraise ValueError('no')\n"
    )
    lines = run("-n", "busy", "--", PYTHON, "train.py").stderr.splitlines()
    ended = lines[next(i for i, line in enumerate(lines) if line.startswith("gittrack: run 'busy'")) :]
    assert len(ended) <= 8
    id = latest()["id"][:8]
    assert ended[0].startswith("gittrack: run 'busy' failed after ")
    assert ended[0].endswith(", exit code 1")
    assert ended[1] == f"  id         {id}"
    assert ended[2] == "  experiment Default"
    assert ended[3].startswith("  code       ")
    assert ", uncommitted changes on top of " in ended[3]
    assert ended[4] == "  left out   1 file of the work tree"
    assert any(line == "  metric     a 2 ▁█" for line in ended)
    assert ended[-1] == f"  next       gittrack show {id}"


def test_quiet_leaves_the_lines_out(run):
    assert run("--", "true", env={"GITTRACK_QUIET": "1"}).stderr == ""


@pytest.mark.parametrize("code", [0, 1, 2, 3, 77, 255])
def test_the_exit_code_passes_through(run, latest, code):
    assert run("--", "sh", "-c", f"exit {code}").returncode == code
    assert latest()["exit_code"] == code
    assert latest()["status"] == ("finished" if code == 0 else "failed")


def test_a_signal_that_ends_the_command_is_128_and_its_number(run, latest):
    assert run("--", "sh", "-c", "kill -TERM $$").returncode == 143
    assert latest()["status"] == "killed"


def test_ctrl_c_ends_the_command_and_the_run_as_killed(repo, project_env, latest):
    child = subprocess.Popen(
        [PYTHON, "-m", "gittrack", "run", "--", PYTHON, "-c", "print('on', flush=True); import time; time.sleep(60)"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        env=project_env,
        start_new_session=True,
    )
    assert child.stdout.readline() == b"on\n"
    time.sleep(0.2)
    child.send_signal(signal.SIGINT)  # no terminal that would tell the whole group: it is passed on
    _, said = child.communicate(timeout=200)
    assert child.returncode == 130
    assert b"was killed after" in said
    assert latest()["status"] == "killed"


def test_a_command_that_does_not_exist_is_a_failed_run(run, latest):
    done = run("--", "no-such-program-anywhere")
    assert done.returncode == 127
    assert "error: cannot start 'no-such-program-anywhere': not found" in done.stderr
    assert latest()["status"] == "failed"


def test_a_command_that_cannot_be_executed_ends_as_in_a_shell(run, repo, latest):
    (repo / "plain.txt").write_text("no program")
    assert run("--", "./plain.txt").returncode == 126
    assert (latest()["status"], latest()["exit_code"]) == ("failed", 126)


def test_no_command_is_wrong_usage(run):
    done = run("-n", "x")
    assert done.returncode == 2
    assert done.stderr.endswith("hint: gittrack run --help\n")


def test_parameters_of_the_script_are_recorded(run, latest):
    run("--", PYTHON, "train.py", "--lr", "0.1", "--layers=3", "--fast", "model=vit")
    assert latest()["params"] == {"lr": 0.1, "layers": 3, "fast": True, "model": "vit"}


def test_options_of_the_command_are_not_ours(run, latest):
    run(PYTHON, "train.py", "-n", "5", "--tag", "x", "--", "--json")
    assert latest()["command"][1:] == ["train.py", "-n", "5", "--tag", "x", "--", "--json"]
    assert latest()["tags"] == {}


class TestOption:
    def test_name_and_experiment(self, run, latest):
        run("-n", "first", "-e", "digits", "--", "true")
        assert (latest()["name"], latest()["experiment"]["name"]) == ("first", "digits")
        run("--name", "second", "--experiment", "churn", "--", "true")
        assert (latest()["name"], latest()["experiment"]["name"]) == ("second", "churn")

    def test_param_is_typed_and_wins_over_the_script_and_the_files(self, run, latest, repo):
        (repo / "params.json").write_text('{"lr": 3, "depth": 2, "from_file": true}')
        run(
            *("-p", "lr=0.5", "--param", "name=a=b", "-p", "on=true", "-p", "id=007", "-p", "empty="),
            *("--params", "params.json", "--", PYTHON, "train.py", "--lr", "0.1", "--depth", "4"),
        )
        assert latest()["params"] == {
            "lr": 0.5,
            "name": "a=b",
            "on": True,
            "id": "007",
            "empty": "",
            "depth": 4,
            "from_file": True,
        }

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("p.toml", "lr = 0.5\n[model]\ndepth = 3\n"),
            ("p.yaml", "lr: 0.5\nmodel:\n  depth: 3\n"),
            ("p.json", '{"lr": 0.5, "model": {"depth": 3}}'),
            ("pyproject.toml", "[tool.gittrack.params]\nlr = 0.5\nmodel.depth = 3\n"),
        ],
    )
    def test_params_files(self, run, latest, repo, name, text):
        (repo / name).write_text(text)
        assert run("--params", name, "--", "true").returncode == 0
        assert latest()["params"] == {"lr": 0.5, "model.depth": 3}

    def test_a_params_file_that_cannot_be_read_starts_nothing(self, run, repo):
        done = run("--params", "missing.toml", "--", "touch", "started")
        assert done.returncode == 2
        assert "missing.toml" in done.stderr
        assert not (repo / "started").exists()

    def test_tag_and_note(self, run, latest):
        run("--tag", "a=1", "--tag", "b=x=y", "--note", "why", "--", "true")
        assert (latest()["tags"], latest()["note"]) == ({"a": "1", "b": "x=y"}, "why")

    def test_parent(self, run, latest, record):
        id = record("parent")
        run("--parent", "parent", "--", "true")
        assert latest()["parent"] == id

    def test_an_unknown_parent_starts_nothing(self, run, repo):
        assert run("--parent", "nope", "--", "touch", "started").returncode == 3
        assert not (repo / "started").exists()

    def test_system_metrics(self, run, latest):
        run("--system-metrics", "--", "sleep", "0.3", env={"GITTRACK_SYSTEM_INTERVAL": "0.1"})
        assert any(name.startswith("system/") for name in latest()["metrics"])
        run("--no-system-metrics", "--", "sleep", "0.3", env={"GITTRACK_SYSTEM_METRICS": "1"})
        assert latest()["metrics"] == {}

    @pytest.mark.parametrize("option", ["-p", "--tag"])
    @pytest.mark.parametrize("item", ["lr", "=1"])
    def test_a_pair_without_key_or_sign_is_wrong_usage(self, run, option, item):
        done = run(option, item, "--", "true")
        assert done.returncode == 2
        assert f"'{item}' is not of the form key=value" in done.stderr


def test_a_script_that_starts_a_run_joins_this_one(run, latest, repo, gittrack_cli):
    (repo / "train.py").write_text(
        "import gittrack\nwith gittrack.start_run(params={'a': 1}) as run:\n    run.log_metric('loss', 0.5)\n"
    )
    assert run("-n", "outer", "--", PYTHON, "train.py").returncode == 0
    assert len(json.loads(gittrack_cli("ls", "--json").stdout)["runs"]) == 1
    assert latest()["metrics"]["loss"]["last"] == 0.5
    assert latest()["params"] == {"a": 1}


def test_run_within_run_is_a_child(run, latest):
    inner = f"{PYTHON} -m gittrack run -n inner -- true"
    assert run("-n", "outer", "--", "sh", "-c", inner).returncode == 0
    assert latest("inner")["parent"] == latest("outer")["id"]


def test_with_gittrack_disabled_the_command_runs_and_nothing_is_kept(run, git):
    done = run("--", "sh", "-c", "echo on; exit 3", env={"GITTRACK_DISABLED": "1"})
    assert (done.returncode, done.stdout, done.stderr) == (3, "on\n", "")
    assert git("for-each-ref", "refs/runs") == ""


def test_a_secret_given_by_p_is_said_with_the_words_that_were_typed(run, latest):
    done = run("-p", "password=hunter2", "-p", "lr=0.1", "--", "true")
    assert "gittrack: warning: -p password holds a secret and is kept without it\n" in done.stderr
    assert "log_param" not in done.stderr
    assert "hunter2" not in done.stderr
    assert latest()["params"] == {"password": "***", "lr": 0.1}

"""``recover``, ``fsck``, ``doctor``, ``roll-up``, ``experiments``, ``config`` and ``init``."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from dataclasses import fields

import pytest

from gittrack.api.settings import MEANINGS
from gittrack.config import CONFIG_FILE, OWN_SETTINGS, Config, read_config

from .conftest import settled

CRASH = """
import gittrack, os
run = gittrack.start_run(name='lost')
run.log_metric('loss', 0.5)
print(run.id, flush=True)
os._exit(9)
"""


@pytest.fixture
def crashed(repo, project_env) -> str:
    """The id of a run whose process died."""
    done = subprocess.run([sys.executable, "-c", CRASH], env=project_env, capture_output=True, text=True, check=False)
    assert done.returncode == 9, done.stderr
    return done.stdout.split()[0]


class TestRecover:
    def test_what_reads_runs_finishes_crashed_ones_first_and_says_so(self, cli, crashed):
        answer = cli("ls", "--json")
        assert answer.err == (
            f"gittrack: run {crashed[:8]}, whose process died, is listed as crashed now: gittrack show {crashed[:8]}\n"
        )
        (run,) = json.loads(answer.out)["runs"]
        assert (run["status"], run["metrics"]["loss"]["count"]) == ("crashed", 1)
        assert cli("ls").err == ""

    def test_all_are_recovered(self, cli, crashed):
        document = json.loads(cli("recover", "--json").out)
        assert list(document) == ["schema", "results"]
        (result,) = document["results"]
        assert list(result) == ["id", "outcome", "reason", "commit"]
        assert (result["id"], result["outcome"]) == (crashed, "recovered")
        assert cli("recover").err == "gittrack: nothing to recover; all runs: gittrack ls\n"

    def test_one_is_recovered_by_its_prefix(self, cli, crashed):
        answer = cli("recover", crashed[:6])
        assert (answer.code, answer.out) == (0, "")
        assert f"run {crashed[:8]}, whose process died, is listed as crashed now" in answer.err
        assert cli("recover", crashed[:6]).code == 3

    def test_force_needs_a_run(self, cli):
        assert cli("recover", "--force").code == 2

    def test_force_never_takes_a_run_from_a_process_that_lives(self, cli, repo):
        import gittrack

        run = gittrack.start_run()
        assert cli("recover", run.id, "--force").code == 5
        assert run.active


class TestFsck:
    def test_a_sound_repository_has_no_findings(self, cli, record):
        record("one", {"loss": [1.0]})
        answer = cli("fsck")
        assert (answer.code, answer.out, answer.err) == (0, "", "gittrack: everything that is stored is sound\n")
        assert json.loads(cli("fsck", "--json").out) == {
            "schema": 1,
            "findings": [],
            "artifacts": {"not_here": 0, "given_up": 0},
            "locks": [],
        }

    def test_damage_is_found_with_exit_code_6_and_the_command_that_mends_it(self, cli, record, repo):
        record("one")
        (repo / ".git/refs/runs/inbox" / ("f" * 32)).write_bytes(b"")
        answer = cli("fsck")
        assert answer.code == 6
        assert "an empty ref file" in answer.out
        assert answer.err.endswith("gittrack: next: gittrack doctor\n")
        document = json.loads(cli("fsck", "--json").out)
        assert list(document["findings"][0]) == ["where", "reason", "mend"]

    def test_a_damaged_run_is_named_once_with_what_is_left_when_nothing_mends_it(self, cli, record, repo, git):
        id = record("one", {"loss": [1.0]})
        shutil.rmtree(repo / ".git/gittrack/done")
        blob = git("rev-parse", f"refs/runs/inbox/{id}:params.toml").strip()
        loose = repo / ".git/objects" / blob[:2] / blob[2:]
        loose.chmod(0o644)
        loose.write_bytes(b"damaged")
        answer = cli("fsck")
        assert answer.code == 6
        assert [line.partition(":")[0] for line in answer.out.splitlines()] == [f"run {id}"]
        assert "no command here mends 1 of these; another clone or a backup" in answer.err
        assert "next:" not in answer.err


class TestDoctor:
    def test_what_it_could_not_mend_does_not_send_to_fsck_and_back(self, cli, record, repo, git):
        id = record("one", {"loss": [1.0]})
        (copy,) = [path for path in (repo / ".git/gittrack/done").rglob("*") if path.is_file()]
        copy.chmod(0o644)
        copy.write_bytes(b"damaged")
        git("update-ref", "-d", f"refs/runs/inbox/{id}")
        answer = cli("doctor")
        assert "could not make a lost run again" in answer.out
        assert "1 run cannot be mended here; another clone or a backup may hold what is lost" in answer.err
        assert "fsck" not in answer.err
        assert [item["done"] for item in json.loads(cli("doctor", "--json").out)["repairs"]] == [False]

    def test_a_dry_run_changes_nothing_and_the_real_one_mends(self, cli, record, repo):
        record("one")
        blank = repo / ".git/refs/runs/inbox" / ("f" * 32)
        blank.write_bytes(b"")
        answer = cli("doctor", "--dry-run")
        assert (answer.code, answer.out) == (0, f"remove an empty ref file: {blank}\n")
        assert answer.err == "gittrack: nothing is changed; to do it: gittrack doctor\n"
        assert blank.exists()
        document = json.loads(cli("doctor", "--json").out)
        assert document == {
            "schema": 1,
            "dry_run": False,
            "repairs": [{"what": "remove an empty ref file", "where": str(blank), "done": True}],
        }
        assert not blank.exists()
        assert cli("doctor").err == "gittrack: nothing to clear; to check what is stored: gittrack fsck\n"


class TestRollUp:
    def test_runs_move_into_the_ledger_and_stay_listed(self, cli, record, git):
        record("one"), record("two")
        cli("tag", "one", "a=1")
        before = json.loads(cli("ls", "--json").out)
        answer = cli("roll-up")
        assert (answer.code, answer.out) == (0, "")
        assert answer.err.startswith(
            "gittrack: moved 2 runs and 1 event; the ledger as a diary: git log --first-parent "
        )
        assert git("for-each-ref", "refs/runs/inbox") == ""
        assert json.loads(cli("ls", "--json").out) == before
        assert cli("roll-up").err == "gittrack: the inbox is empty; all runs: gittrack ls\n"

    def test_json(self, cli, record):
        record("one")
        document = json.loads(cli("roll-up", "--json").out)
        assert list(document) == ["schema", "ledger", "runs", "events", "problems"]
        assert (document["runs"], document["events"], document["problems"]) == (1, 0, [])


class TestExperiments:
    def test_ls(self, cli, record):
        record("one", experiment="digits"), record("two", experiment="digits"), record("three", experiment="churn")
        answer = cli("experiments", "ls")
        assert [line.split() for line in settled(answer.out).splitlines()] == [
            ["NAME", "RUNS", "LATEST", "ID"],
            ["churn", "1", "<age>", answer.out.splitlines()[1].split()[-1]],
            ["digits", "2", "<age>", answer.out.splitlines()[2].split()[-1]],
        ]
        document = json.loads(cli("experiments", "ls", "--json").out)
        assert [(item["name"], item["runs"]) for item in document["experiments"]] == [("churn", 1), ("digits", 2)]
        assert list(document["experiments"][0]) == ["id", "name", "runs", "latest"]

    def test_none_yet(self, cli):
        assert cli("experiments", "ls").err == (
            "gittrack: no experiments yet; the first one: gittrack run -e NAME -- python train.py\n"
        )

    def test_rename_and_show(self, cli, record):
        record("one", experiment="digits")
        answer = cli("experiments", "rename", "digits", "numbers")
        assert (answer.code, answer.out) == (0, "")
        assert "begin a new experiment of that name\ngittrack: next: gittrack experiments ls\n" in answer.err
        lines = cli("experiments", "show", "numbers").out.splitlines()
        assert lines[0].split() == ["name", "numbers"]
        assert lines[-1].endswith("numbers (by Test User)")
        document = json.loads(cli("experiments", "show", "numbers", "--json").out)
        assert document["experiment"]["name"] == "numbers"
        assert [event["value"] for event in document["events"]] == ["numbers"]
        assert cli("experiments", "show", "digits").code == 3

    def test_a_taken_name_is_a_conflict(self, cli, record):
        record("one", experiment="digits"), record("two", experiment="churn")
        assert cli("experiments", "rename", "digits", "churn").code == 5


class TestConfig:
    def test_all_are_listed_with_where_they_come_from(self, cli, git, repo, monkeypatch):
        git("config", "gittrack.inlineLimit", "5k")
        (repo / CONFIG_FILE).write_text('experiment = "digits"\nheadline = ["acc", "loss"]\n')
        monkeypatch.setenv("GITTRACK_QUIET", "1")
        document = json.loads(cli("config", "--json").out)
        assert list(document) == ["schema", "settings"]
        assert list(document["settings"][0]) == ["name", "value", "source", "default"]
        found = {item["name"]: (item["value"], item["source"]) for item in document["settings"]}
        assert list(found) == [field.name for field in fields(Config)]
        assert found["inline_limit"] == (5120, "git config")
        assert found["experiment"] == ("digits", ".gittrack.toml")
        assert found["headline"] == (["acc", "loss"], ".gittrack.toml")
        assert found["quiet"] == (True, "environment")
        assert found["strict"] == (False, "default")
        lines = {line.split()[0]: line for line in cli("config").out.splitlines()}
        assert lines["headline"].split()[1:4] == ["acc,", "loss", ".gittrack.toml"]

    def test_one_is_printed(self, cli):
        assert cli("config", "inline_limit").out == "64k\n"
        assert cli("config", "output_limit").out == "10m\n"
        assert cli("config", "quiet").out == "false\n"
        assert json.loads(cli("config", "quiet", "--json").out)["setting"]["value"] is False

    def test_one_is_set_in_this_repository_and_unset_again(self, cli, git):
        answer = cli("config", "inline_limit", "1m")
        assert (answer.code, answer.out) == (0, "")
        assert answer.err == ("gittrack: inline_limit is '1m' now, from git config\ngittrack: next: gittrack config\n")
        assert git("config", "--local", "gittrack.inlineLimit") == "1m\n"
        assert cli("config", "--unset", "inline_limit").code == 0
        assert cli("config", "inline_limit").out == "64k\n"
        assert cli("config", "--unset", "inline_limit").code == 3

    @pytest.mark.parametrize("size", ["1025", "0", "3g", "1023m"])
    def test_a_size_is_shown_as_one_types_it(self, cli, size):
        cli("config", "inline_limit", size)
        assert cli("config", "inline_limit").out == f"{size}\n"

    @pytest.mark.parametrize("columns", [60, 80, 200])
    def test_a_terminal_shows_every_meaning_whole(self, repo, in_terminal, columns):
        shown, code = in_terminal("config", columns=columns, env={"NO_COLOR": "1"})
        assert code == 0
        lines = shown.splitlines()
        start = lines[0].index("MEANING")
        if columns >= 80:
            assert max(map(len, lines)) <= columns
        assert " ".join(line[start:].strip() for line in lines[1:]) == " ".join(MEANINGS.values())

    def test_a_value_that_looks_like_an_option_is_a_value(self, cli, git):
        assert cli("config", "experiment", "--", "--global").code == 0
        assert git("config", "--local", "gittrack.experiment") == "--global\n"

    @pytest.mark.parametrize(
        "words",
        [
            ("nope",),
            ("nope", "1"),
            ("quiet", "maybe"),
            ("inline_limit", "big"),
            ("--unset",),
            ("--unset", "quiet", "1"),
        ],
    )
    def test_nonsense_is_wrong_usage_and_sets_nothing(self, cli, git, words):
        before = git("config", "--local", "--list")
        assert cli("config", *words).code == 2
        assert git("config", "--local", "--list") == before

    def test_one_that_the_environment_decides_is_said(self, cli, monkeypatch):
        monkeypatch.setenv("GITTRACK_EXPERIMENT", "from-environment")
        answer = cli("config", "experiment", "mine")
        assert "warning: GITTRACK_EXPERIMENT in the environment wins over git config" in answer.err

    def test_every_setting_has_a_meaning(self):
        assert list(MEANINGS) == [field.name for field in fields(Config)]


class TestInit:
    def test_a_file_of_comments_is_written_and_nothing_committed(self, cli, repo, git):
        head = git("rev-parse", "HEAD")
        answer = cli("init")
        assert (answer.code, answer.out) == (0, "")
        assert answer.err.endswith("and committed nothing\ngittrack: next: gittrack run -- python train.py\n")
        text = (repo / CONFIG_FILE).read_text()
        assert tomllib.loads(text) == {}
        assert git("rev-parse", "HEAD") == head
        assert git("status", "--porcelain") == f"?? {CONFIG_FILE}\n"

    def test_every_setting_is_in_it_with_its_default(self, cli, repo):
        cli("init")
        lines = (repo / CONFIG_FILE).read_text().splitlines()
        taken = "\n".join(line[2:] for line in lines if line.startswith("# ") and " = " in line)
        table = tomllib.loads(taken)
        assert list(table) == [field.name for field in fields(Config) if field.name not in OWN_SETTINGS]
        assert read_config({}, {}, table) == Config()

    def test_a_file_that_is_there_is_left_as_it_is(self, cli, repo):
        (repo / CONFIG_FILE).write_text("# mine\n")
        assert cli("init").code == 5
        assert (repo / CONFIG_FILE).read_text() == "# mine\n"

    def test_a_bare_repository_has_no_place_for_it(self, cli, tmp_path, git):
        git("init", "--bare", "--quiet", str(tmp_path / "bare.git"))
        assert cli("-C", str(tmp_path / "bare.git"), "init").code == 1

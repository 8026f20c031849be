"""Which settings count: what a cloned repository may decide, and strictness when a run cannot begin."""

from __future__ import annotations

import os

import pytest

import gittrack
from gittrack.api.project import Project
from gittrack.api.settings import list_settings
from gittrack.config import boolean
from gittrack.errors import StorageError, UsageError

FILE = 'environment = ["HOME_ADDRESS"]\nwriter = "mallory"\nexperiment = "theirs"\n'
VALUE = "12-grimmauld-place"


def test_a_cloned_repository_cannot_choose_what_of_the_environment_is_recorded(program, repo, git, every_byte):
    (repo / ".gittrack.toml").write_text(FILE)
    code = "import gittrack\nwith gittrack.start_run('it'): pass"
    done = program(code, env={"HOME_ADDRESS": VALUE})
    assert done.returncode == 0, done.stderr
    saved = gittrack.get_run("it")
    assert saved.experiment == "theirs"
    assert VALUE.encode() not in every_byte(saved.commit)
    assert Project.open(repo).writer != "mallory"
    git("config", "gittrack.environment", "HOME_ADDRESS", cwd=repo)
    program(code.replace("'it'", "'mine'"), env={"HOME_ADDRESS": VALUE})
    assert VALUE.encode() in every_byte(gittrack.get_run("mine").commit)


def test_what_the_file_cannot_set_is_said_and_comes_from_elsewhere(repo, git, capfd):
    (repo / ".gittrack.toml").write_text(FILE)
    git("config", "gittrack.writer", "me", cwd=repo)
    found = {item.name: (item.value, item.source) for item in list_settings(Project.open(repo))}
    assert found["environment"] == ((), "default")
    assert found["writer"] == ("me", "git config")
    assert found["experiment"] == ("theirs", ".gittrack.toml")
    assert capfd.readouterr().err.splitlines() == [
        "gittrack: 'writer' is not taken from .gittrack.toml; to set it: gittrack config writer VALUE",
        "gittrack: 'environment' is not taken from .gittrack.toml; to set it: gittrack config environment VALUE",
    ]


@pytest.mark.parametrize("where", ["git config", "file", "environment"])
def test_strict_counts_wherever_it_is_set_when_a_run_cannot_begin(repo, git, monkeypatch, where):
    (repo / ".git" / "gittrack").write_text("in the way")
    if where == "git config":
        git("config", "gittrack.strict", "TRUE", cwd=repo)
    elif where == "file":
        (repo / ".gittrack.toml").write_text("strict = true\n")
    else:
        monkeypatch.setenv("GITTRACK_STRICT", " Yes ")
    with pytest.raises(StorageError):
        gittrack.start_run()
    with pytest.raises(StorageError):
        gittrack.log_metric("loss", 1)
    assert gittrack.active_run() is None


@pytest.mark.parametrize("value", ["", "no", "maybe"])
def test_outside_a_repository_a_training_that_is_not_strict_goes_on(tmp_path, monkeypatch, capfd, value):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GITTRACK_STRICT", value)
    gittrack.log_metric("loss", 1)
    assert "this run is not kept" in capfd.readouterr().err
    gittrack.end_run()


@pytest.mark.parametrize(("text", "value"), [("1", True), (" ON ", True), ("", False), ("No", False), (True, True)])
def test_a_truth_is_read_in_one_way(text, value):
    assert boolean("it", text) is value


def test_what_is_no_truth_is_wrong_usage():
    with pytest.raises(UsageError, match="neither true nor false"):
        boolean("it", "maybe")


BAD = 'inline_limit = "many"\nsystem_metric = true\nheadline = 5\nexperiment = ""\n'


def test_settings_that_cannot_be_read_are_told_once_and_do_not_count(repo, monkeypatch, capfd):
    (repo / ".gittrack.toml").write_text(BAD)
    for name, value in {"SYSTEM_INTERVAL": "soon", "EXPERIMENT": "", "DISABLED": "maybe", "PARENT": "nobody"}.items():
        monkeypatch.setenv(f"GITTRACK_{name}", value)
    for name in ("one", "two"):
        with gittrack.start_run(name) as run:
            assert not run.silent
    said = [line for line in capfd.readouterr().err.splitlines() if "finished" not in line]
    assert len(said) == len(set(said))
    wrong = ["inline_limit", "headline", "GITTRACK_SYSTEM_INTERVAL", "GITTRACK_DISABLED", "GITTRACK_PARENT"]
    for what in [*wrong, "is 'system_metrics' meant?"]:
        assert sum(what in line for line in said) == 1, (what, said)
    assert gittrack.get_run("two").experiment == "Default"


def test_settings_that_cannot_be_read_are_errors_where_strict_is_set(repo, monkeypatch):
    (repo / ".gittrack.toml").write_text(BAD)
    monkeypatch.setenv("GITTRACK_STRICT", "1")
    with pytest.raises(UsageError, match="inline_limit"):
        gittrack.start_run()


def test_a_file_of_settings_that_is_no_toml_does_not_lose_the_run(repo, capfd):
    (repo / ".gittrack.toml").write_text("= what")
    with gittrack.start_run("it"):
        pass
    assert ".gittrack.toml is damaged" in capfd.readouterr().err
    assert gittrack.get_run("it").status.value == "finished"


@pytest.mark.parametrize("target", ["/dev/zero", "fifo", "."])
@pytest.mark.timeout(30)
def test_a_file_of_settings_that_is_no_file_is_told_and_never_waited_for(repo, target):
    os.mkfifo(repo / "fifo")
    (repo / ".gittrack.toml").symlink_to(target)
    with gittrack.start_run(name="kept"):
        pass
    assert Project.open().faults == (".gittrack.toml is no file",)
    assert gittrack.get_run("kept").status == "finished"


@pytest.mark.parametrize(
    "line",
    [
        "system_interval = 1" + "0" * 400,
        "system_interval = nan",
        "system_interval = -1",
        "snapshot_file_limit = 99999999999999999999999999",
        "inline_limit = -1",
        'output_limit = "' + "9" * 5000 + '"',
    ],
)
def test_a_number_that_is_none_is_told_and_does_not_count(repo, capfd, line):
    (repo / ".gittrack.toml").write_text(line + "\n")
    (repo / "dirty.py").write_text("x = 1\n")
    with gittrack.start_run(name="kept"):
        pass
    said = capfd.readouterr().err
    assert line.split()[0] in said
    assert len(said) < 2000
    assert gittrack.get_run("kept").status == "finished"

"""``gittrack artifact``: what it prints, what it changes, how it ends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import gittrack
from gittrack.api.project import Project
from tests.concurrency.harness import assert_sound

LARGE = 200_000


@pytest.fixture
def run(repo, tmp_path) -> str:
    """A failed run with a folder, a large file, an inline file and a reference; its id."""
    folder = tmp_path / "model"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.txt").write_text("alpha")
    (folder / "sub" / "b.bin").write_bytes(b"b" * LARGE)
    (tmp_path / "weights.bin").write_bytes(b"w" * LARGE)
    with pytest.raises(ValueError, match="bad luck"), gittrack.start_run(name="first", params={"lr": 0.1}) as run:
        run.log_artifact(folder)
        run.log_artifact(tmp_path / "weights.bin")
        run.log_text("note", "notes/today.txt")
        run.log_artifact_uri("s3://bucket/far.bin", size=7)
        raise ValueError("bad luck")
    return run.id


@pytest.fixture
def remote(repo, tmp_path) -> Path:
    """A directory remote that is set up."""
    folder = tmp_path / "remote"
    folder.mkdir()
    subprocess.run(["git", "config", "gittrack.artifactRemote", str(folder)], check=True)
    return folder


def local() -> Path:
    return Project.open().layout.bytes_store


def test_ls_lists_what_there_is(cli, run):
    answer = cli("artifact", "ls", "first")
    assert answer.code == 0
    lines = [line.rsplit("md5:", 1)[0].split() for line in answer.out.splitlines()]
    assert lines == [
        ["PATH", "SIZE", "FILES", "STORED", "BYTES", "DIGEST"],
        ["far.bin", "7", "B", "reference", "elsewhere"],
        ["model", "200", "kB", "2", "pointer", "here"],
        ["notes/today.txt", "4", "B", "inline", "here"],
        ["weights.bin", "200", "kB", "pointer", "here"],
    ]


def test_ls_of_a_folder_lists_what_is_in_it(cli, run):
    for path, expected in {
        "model": ["model/a.txt", "model/sub/b.bin"],
        "model/sub": ["model/sub/b.bin"],
        "notes": ["notes/today.txt"],
        "weights.bin": ["weights.bin"],
    }.items():
        listed = json.loads(cli("artifact", "ls", run, path, "--json").out)["artifacts"]
        assert [item["path"] for item in listed] == expected


def test_ls_as_json_says_everything(cli, run):
    shown = json.loads(cli("artifact", "ls", run, "--json").out)
    assert (shown["schema"], shown["run"]) == (1, run)
    far, model, *_ = shown["artifacts"]
    assert far == {
        "path": "far.bin",
        "size": 7,
        "digest": "",
        "storage": "reference",
        "media_type": "application/octet-stream",
        "files": None,
        "uri": "s3://bucket/far.bin",
        "here": False,
        "in_dvc_cache": False,
    }
    assert (model["files"], model["size"], model["here"]) == (2, LARGE + 5, True)


@pytest.mark.parametrize("path", ["absent", "model/absent", "../model", "/etc", "mod"])
@pytest.mark.parametrize("words", [("ls",), ("show",), ("get",), ("open",)])
def test_what_is_not_there_is_said_not_to_be(cli, run, words, path):
    answer = cli("artifact", *words, run, path)
    assert answer.code == 3
    assert "has no artifact" in answer.err
    assert f"gittrack artifact ls {run[:8]}" in answer.err


def test_what_others_named_is_escaped(cli, repo):
    with gittrack.start_run() as run:
        run.log_text("x", "evil\x1b[31m.txt")
    assert "\x1b" not in cli("artifact", "ls", run.id).out
    assert "\\x1b" in cli("artifact", "show", run.id, "evil\x1b[31m.txt").out


def test_a_run_without_artifacts_says_how_to_add_one(cli, record):
    answer = cli("artifact", "ls", record("empty"))
    assert (answer.code, answer.out) == (0, "")
    assert "gittrack artifact add" in answer.err


def test_a_live_run_lists_what_it_has_logged_so_far(cli, repo):
    with gittrack.start_run() as run:
        run.log_text("x", "x.txt")
        assert "x.txt" in cli("artifact", "ls", run.id).out
        assert cli("artifact", "get", run.id).code == 3
        assert cli("artifact", "add", run.id, "train.py").code == 5


def test_show_tells_where_the_bytes_are_and_the_pointer(cli, run):
    answer = cli("artifact", "show", run, "weights.bin")
    assert "200 kB (200000 bytes)" in answer.out
    assert "bytes   here" in answer.out
    assert "hash: md5" in answer.out
    shutil.rmtree(local())
    answer = cli("artifact", "show", run, "model")
    assert "bytes   not here" in answer.out
    assert f"next: gittrack artifact get {run[:8]} model" in answer.err
    assert "nfiles: 2" in json.loads(cli("artifact", "show", run, "model", "--json").out)["pointer"]
    assert "s3://bucket/far.bin" in cli("artifact", "show", run, "far.bin").out


def test_show_knows_dvcs_cache(cli, repo, tmp_path):
    (repo / ".dvc").mkdir()
    (repo / ".dvc" / "config").write_text("")
    (tmp_path / "w").write_bytes(b"w" * LARGE)
    with gittrack.start_run() as run:
        run.log_artifact(tmp_path / "w")
    assert "here, and in DVC's cache" in cli("artifact", "show", run.id, "w").out


def test_show_of_a_folder_among_artifacts_says_what_it_is(cli, run):
    answer = cli("artifact", "show", run, "notes")
    assert answer.code == 3
    assert "is a folder" in answer.err
    assert "gittrack artifact ls" in answer.err


def test_get_copies_and_says_where_to(cli, run, tmp_path):
    out = tmp_path / "out"
    answer = cli("artifact", "get", run, "model/a.txt", "-o", str(out))
    assert (answer.code, answer.out) == (0, f"{out / 'a.txt'}\n")
    (out / "a.txt").write_text("mine")
    assert cli("artifact", "get", run, "model/a.txt", "-o", str(out)).code == 5
    assert (out / "a.txt").read_text() == "mine"
    assert cli("artifact", "get", run, "model/a.txt", "-o", str(out), "--force").code == 0
    assert (out / "a.txt").read_text() == "alpha"


def test_get_fetches_what_is_not_here(cli, run, remote, tmp_path):
    assert cli("artifact", "push").code == 0
    shutil.rmtree(local())
    assert cli("artifact", "get", run, "model", "-o", str(tmp_path / "out")).code == 0
    assert (tmp_path / "out" / "model" / "sub" / "b.bin").stat().st_size == LARGE


def test_get_of_damage_ends_with_6(cli, run, tmp_path):
    weights = next(path for path in local().glob("files/md5/*/*") if path.read_bytes()[:1] == b"w")
    weights.chmod(0o644)
    weights.write_bytes(b"x" * LARGE)
    assert cli("artifact", "get", run, "weights.bin", "-o", str(tmp_path / "out")).code == 6
    assert not (tmp_path / "out" / "weights.bin").exists()


def test_get_has_what_can_be_had_and_ends_as_the_first_failure(cli, run, remote, tmp_path):
    weights = next(path for path in local().glob("files/md5/*/*") if path.read_bytes()[:1] == b"b")
    weights.chmod(0o644)
    weights.write_bytes(b"x" * LARGE)
    out = tmp_path / "out"
    answer = cli("artifact", "get", run, "-o", str(out), "--json")
    shown = json.loads(answer.out)
    assert (shown["run"], shown["copy"], shown["copied"]) == (run, str(out), 2)
    assert [(each["path"], each["exit_code"]) for each in shown["failures"]][1] == ("model", 6)
    assert [each["path"] for each in shown["failures"]] == ["far.bin", "model"]
    assert answer.code == shown["failures"][0]["exit_code"] != 0
    assert [line.split(":")[1] for line in answer.err.splitlines() if "error" in line] == [" error", " error"]
    got = sorted(path.relative_to(out).as_posix() for path in out.rglob("*"))
    assert got == ["notes", "notes/today.txt", "weights.bin"]


def test_get_that_copies_nothing_leaves_no_folder(cli, run, tmp_path):
    shutil.rmtree(local())
    answer = cli("artifact", "get", run, "weights.bin", "-o", str(tmp_path / "new" / "out"))
    assert (answer.code, answer.out) == (3, "")
    assert not (tmp_path / "new").exists()
    (tmp_path / "old").mkdir()
    answer = cli("artifact", "get", run, "weights.bin", "-o", str(tmp_path / "old"))
    assert (answer.code, answer.out) == (3, "")


def test_the_hint_of_get_is_an_option_of_get(cli, run, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "today.txt").write_text("mine")
    answer = cli("artifact", "get", run, "notes/today.txt", "-o", str(tmp_path / "out"))
    assert "--force" in answer.err
    assert "overwrite" not in answer.err


def test_get_writes_one_file_to_stdout(cli, run):
    answer = cli("artifact", "get", run, "weights.bin", "-o", "-")
    assert (answer.code, answer.out, answer.err) == (0, "w" * LARGE, "")
    assert cli("artifact", "get", run, "model/a.txt", "-o", "-").out == "alpha"
    assert not Path("-").exists()
    for words, code in (((), 2), (("model",), 3), (("notes/today.txt", "--json"), 2)):
        answer = cli("artifact", "get", run, *words, "-o", "-")
        assert (answer.code, answer.out) == (code, "")


def test_open_hands_a_copy_to_the_program_for_such_files(cli, run, tmp_path, monkeypatch):
    programs = tmp_path / "programs"
    programs.mkdir()
    opener = programs / "xdg-open"
    opener.write_text(f'#!/bin/sh\ncp "$1" {tmp_path}/seen\n')
    opener.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    answer = cli("artifact", "open", run, "notes/today.txt")
    assert answer.code == 0
    assert Path(answer.out.strip()).read_text() == "note"
    assert (tmp_path / "seen").read_text() == "note"


def test_open_says_so_when_no_program_is_for_it(cli, run, tmp_path, monkeypatch):
    (tmp_path / "xdg-open").write_text("#!/bin/sh\nexit 3\n")
    (tmp_path / "xdg-open").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    answer = cli("artifact", "open", run, "notes/today.txt")
    assert answer.code == 1
    assert "no program here opens it" in answer.err


# -- add --------------------------------------------------------------------------------------------------------------


def without(saved, *names):
    record = saved.record
    return {name: getattr(record, name) for name in record.__slots__ if name not in names}


def test_add_changes_nothing_but_the_artifacts(cli, run, repo, tmp_path):
    before = gittrack.get_run(run)
    (repo / "train.py").write_text("changed since\n")
    (tmp_path / "late.bin").write_bytes(b"l" * LARGE)
    answer = cli("artifact", "add", "first", str(tmp_path / "late.bin"))
    assert answer.code == 0
    assert "added 'late.bin' to run 'first'" in answer.err
    after = gittrack.get_run(run)
    assert without(after, "artifacts") == without(before, "artifacts")
    assert after.status.value == "failed"
    assert after.record.error == before.record.error
    assert set(after.artifacts()) - set(before.artifacts()) == {e for e in after.artifacts() if e.path == "late.bin"}
    assert set(before.artifacts()) < set(after.artifacts())
    for name in ("environment/environment.toml", "logs/traceback.txt", "params.toml", "summary.toml"):
        assert after.file(name) == before.file(name), name
    assert after.conflicts == ()
    assert after.artifact("late.bin") == b"l" * LARGE
    assert_sound(repo)


def test_the_commit_continues_the_earlier_one_on_the_same_code(cli, run, repo, git):
    before = gittrack.get_run(run)
    cli("artifact", "add", run, "train.py")
    after = gittrack.get_run(run)
    parents = git("log", "-1", "--format=%P", str(after.commit), cwd=repo).split()
    assert parents == [str(before.code), str(before.commit)]


def test_add_takes_folders_names_and_addresses(cli, run, repo, tmp_path):
    assert cli("artifact", "add", run, str(tmp_path / "model"), "--as", "v2/model").code == 0
    assert cli("artifact", "add", run, str(tmp_path / "weights.bin"), "--as", "v2/w.bin").code == 0
    assert cli("artifact", "add", run, "https://host/x/y.bin").code == 0
    assert cli("artifact", "add", run, "https://host/x/y.bin", "--as", "v2/y").code == 0
    paths = [entry.path for entry in gittrack.get_run(run).artifacts()]
    expected = ["far.bin", "model", "notes/today.txt", "v2/model", "v2/w.bin", "v2/y", "weights.bin", "y.bin"]
    assert paths == expected


def test_add_replaces_what_has_that_name_only_when_told_to(cli, run, repo):
    (repo / "today.txt").write_text("other")
    before = gittrack.get_run(run)
    answer = cli("artifact", "add", run, "today.txt", "--as", "notes/today.txt")
    assert answer.code == 5
    assert "has another 'notes/today.txt' already" in answer.err
    assert "or --force" in answer.err
    assert gittrack.get_run(run).commit == before.commit
    assert cli("artifact", "add", run, "today.txt", "--as", "notes/today.txt", "--force").code == 0
    assert gittrack.get_run(run).artifact("notes/today.txt") == b"other"


def test_add_of_what_is_there_already_makes_no_commit(cli, run, tmp_path):
    before = gittrack.get_run(run)
    (tmp_path / "today.txt").write_text("note")
    for words in (
        ("model",),
        ("weights.bin",),
        ("today.txt", "--as", "notes/today.txt"),
    ):
        answer = cli("artifact", "add", run, str(tmp_path / words[0]), *words[1:])
        assert (answer.code, "is already there, in run 'first'" in answer.err) == (0, True)
    assert gittrack.get_run(run).commit == before.commit
    assert cli("artifact", "add", run, "https://host/x/y.bin").code == 0
    after = gittrack.get_run(run).commit
    assert cli("artifact", "add", run, "https://host/x/y.bin").code == 0
    assert gittrack.get_run(run).commit == after
    assert cli("artifact", "add", run, "https://other/x/y.bin").code == 5


def test_add_treats_a_file_of_a_folder_as_any_other(cli, run, repo, tmp_path):
    before = gittrack.get_run(run).commit
    (repo / "a.txt").write_text("beta")
    assert cli("artifact", "add", run, "a.txt", "--as", "model/a.txt").code == 5
    assert "already there" in cli("artifact", "add", run, str(tmp_path / "model" / "a.txt"), "--as", "model/a.txt").err
    assert gittrack.get_run(run).commit == before
    assert cli("artifact", "add", run, "a.txt", "--as", "model/a.txt", "--force").code == 0
    assert gittrack.get_run(run).artifact("model/a.txt") == b"beta"
    assert cli("artifact", "add", run, "a.txt", "--as", "model/new.txt").code == 0


def test_add_of_a_folder_adds_what_is_new_in_it(cli, run, repo):
    (repo / "notes").mkdir()
    (repo / "notes" / "today.txt").write_text("note")
    (repo / "notes" / "late.txt").write_text("late")
    answer = cli("artifact", "add", run, "notes", "--json")
    shown = json.loads(answer.out)
    assert (shown["added"], shown["present"]) == (["notes/late.txt"], ["notes/today.txt"])
    assert (shown["run"], shown["commit"]) == (run, gittrack.get_run(run).commit)


@pytest.mark.parametrize("name", ["notes", "weights.bin/x"])
def test_add_never_makes_a_file_the_folder_of_another(cli, run, repo, name):
    before = gittrack.get_run(run).commit
    assert cli("artifact", "add", run, "train.py", "--as", name, "--force").code == 5
    assert gittrack.get_run(run).commit == before


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("absent.bin",), 3),
        (("train.py", "--as", "../x"), 2),
        (("https://host/x?token=abc",), 2),
        (("https://host/",), 2),
    ],
)
def test_what_cannot_be_added_changes_nothing(cli, run, words, code):
    before = gittrack.get_run(run).commit
    assert cli("artifact", "add", run, *words).code == code
    assert gittrack.get_run(run).commit == before
    assert list(Project.open().layout.live.glob("*")) == []


def test_tags_and_notes_of_later_stay_the_present_ones(cli, run):
    cli("tag", run, "stage=prod")
    cli("rename", run, "second")
    cli("artifact", "add", run, "train.py")
    after = gittrack.get_run(run)
    assert (after.tags, after.name) == ({"stage": "prod"}, "second")


KILLED = """
import os, signal, sys
from gittrack.store import publish
from gittrack.store.journal_file import JournalWriter
point = sys.argv[1]
def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
if point == "publish":
    publish.publish = die
else:
    count = 0
    real = JournalWriter.operation
    def operation(self, *arguments):
        global count
        count += 1
        real(self, *arguments)
        if count == int(point):
            die()
    JournalWriter.operation = operation
from gittrack.cli.main import main
main(["artifact", "add", sys.argv[2], "train.py"])
"""


@pytest.mark.parametrize("point", ["1", "2", "3", "4", "publish"])
def test_killed_while_it_adds_the_run_ended_as_it_ended(cli, run, repo, project_env, point):
    before = gittrack.get_run(run)
    done = subprocess.run([sys.executable, "-c", KILLED, point, run], env=project_env, check=False)
    assert done.returncode == -signal.SIGKILL
    cli("recover")
    after = gittrack.get_run(run)
    assert after.commit is not None
    assert without(after, "artifacts") == without(before, "artifacts")
    assert set(before.artifacts()) <= set(after.artifacts())
    assert cli("artifact", "add", run, "train.py").code == 0
    assert gittrack.get_run(run).artifact("train.py") == (repo / "train.py").read_bytes()
    cli("doctor")
    assert_sound(repo, allowed=["unfinished", ".new-"])


# -- push and pull ----------------------------------------------------------------------------------------------------


def test_push_and_pull_say_what_they_did(cli, run, remote):
    answer = cli("artifact", "push", "first")
    assert (answer.code, answer.out) == (0, "")
    assert answer.err.endswith(f"gittrack: pushed 4 objects (400 kB): {remote}\n")
    assert "pushed 0 objects, 4 already there" in cli("artifact", "push").err
    shutil.rmtree(local())
    shown = json.loads(cli("artifact", "pull", "--json").out)
    assert shown == {
        "schema": 1,
        "remote": str(remote),
        "moved": 4,
        "size": sum(path.stat().st_size for path in local().glob("files/md5/*/*")),
        "present": 0,
        "untried": 0,
        "given_up": 0,
        "remotes": [str(remote)],
        "failures": [],
    }


def test_each_failure_is_a_line_and_the_exit_code_that_of_the_worst(cli, run, remote):
    weights = next(path for path in local().glob("files/md5/*/*") if path.read_bytes()[:1] == b"w")
    weights.unlink()
    answer = cli("artifact", "push")
    assert answer.code == 3
    assert answer.err.count("error:") == 1
    assert f"'{run[:8]}:weights.bin' are neither here nor at the remote" in answer.err
    large = next(path for path in local().glob("files/md5/*/*") if path.read_bytes()[:1] == b"b")
    large.chmod(0o644)
    large.write_bytes(b"x" * LARGE)
    there = next(path for path in remote.rglob("files/md5/*/*") if path.read_bytes()[:1] == b"b")
    there.unlink()
    answer = cli("artifact", "push")
    assert answer.code == 6
    assert answer.err.count("error:") == 2
    shown = json.loads(cli("artifact", "push", "--json").out)
    assert sorted(each["what"] for each in shown["failures"]) == [
        f"{run[:8]}:model/sub/b.bin",
        f"{run[:8]}:weights.bin",
    ]


def test_without_a_remote_there_is_one_line_and_what_mends_it(cli, run):
    for verb in ("push", "pull"):
        answer = cli("artifact", verb)
        assert answer.code == 1
        assert answer.err.splitlines() == [
            "gittrack: error: no remote is set up for artifacts",
            "hint: gittrack config artifact_remote URL-OR-DIRECTORY",
        ]
    assert cli("artifact", "push", "--remote", "nowhere").code == 3


def test_the_command_of_the_hint_is_enough(cli, run, tmp_path):
    (tmp_path / "disk").mkdir()
    assert cli("config", "artifact_remote", str(tmp_path / "disk")).code == 0
    assert cli("artifact", "push").code == 0


def test_wrong_keys_end_with_4(cli, run, repo, monkeypatch):
    pytest.importorskip("dvc_s3")
    pytest.importorskip("moto")
    from tests.artifacts.s3_server import serving

    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with serving() as server:
        server.reset()
        server.dvc_remote(repo)
        server.ask_for_credentials()
        answer = cli("artifact", "push")
    assert answer.code == 4
    assert "hint: dvc remote modify --local storage" in answer.err


def test_the_bar_is_drawn_on_a_terminal_only(cli, in_terminal, run, remote):
    shown, code = in_terminal("artifact", "push", "first")
    assert code == 0
    assert "100%" in shown
    assert "pushed 4 objects" in shown
    shutil.rmtree(local())
    assert "%" not in cli("artifact", "pull").err

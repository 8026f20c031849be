"""Bytes that are not here are no damage, and what ``gittrack gc`` took by rules is not said to be missing for ever."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

import gittrack
from gittrack.api.artifact_transfer import pull_bytes, push_bytes
from gittrack.api.gc import collect, plan_gc
from gittrack.api.maintain import inspect
from gittrack.api.project import Project
from gittrack.api.retention import Retention
from gittrack.artifacts.given_up import read_given_up, remember_given_up
from gittrack.cli.main import main
from gittrack.core.retention import parse_rule
from gittrack.errors import ArtifactNotFoundError

from .conftest import stored_files

NONE = Retention(rules={"*": [parse_rule("none")]})


@pytest.fixture
def cli(capfd):
    def call(*words):
        capfd.readouterr()
        code = main(words)
        said = capfd.readouterr()
        return code, said.out, said.err

    return call


@pytest.fixture
def remote(repo):
    folder = repo.parent / "remote"
    folder.mkdir()
    return folder


def counts():
    found = inspect(Project.open())
    return [finding.reason for finding in found.findings], found.not_here, found.given_up


def test_bytes_that_are_not_here_are_counted_and_no_fault(repo, logged, store, cli):
    logged("one", {"a.bin": "a", "model": {"x": "x", "y": "y"}, "other": {"x": "z"}})
    logged("two", {"a.bin": "a"})
    paths = {entry.path: entry for entry in gittrack.get_run("one").artifacts()}
    store.path(paths["a.bin"].digest).unlink()
    store.path(paths["other"].digest).unlink()
    assert counts() == ([], 2, 0)
    code, out, err = cli("fsck")
    assert (code, out) == (0, "")
    assert "the bytes of 2 artifacts are not here: gittrack artifact pull" in err
    assert json.loads(cli("fsck", "--json")[1])["artifacts"] == {"not_here": 2, "given_up": 0}


@pytest.mark.parametrize("which", ["file", "member", "listing"])
def test_damage_is_a_fault_and_pull_mends_it(repo, logged, store, remote, cli, which):
    logged("one", {"a.bin": "a", "model": {"x": "x", "y": "y"}})
    push_bytes(Project.open(), gittrack.runs(), str(remote))
    paths = {entry.path: entry.digest for entry in gittrack.get_run("one").artifacts()}
    listing = store.path(paths["model"])
    member = "md5:" + json.loads(listing.read_text())[0]["md5"]
    place = store.path({"file": paths["a.bin"], "member": member, "listing": paths["model"]}[which])
    place.chmod(0o644)
    place.write_bytes(b"x" * place.stat().st_size)
    code, _, err = cli("fsck")
    assert code == 6
    assert "next: gittrack artifact pull --check\n" in err
    assert "no command here" not in err
    assert cli("artifact", "pull", "--check", "--remote", str(remote))[0] == 0
    assert cli("fsck")[0] == 0


def test_what_was_given_up_by_rules_is_remembered_and_said_as_a_count(repo, logged, aged, store, remote, cli):
    logged("one", {"a.bin": "a", "model": {"x": "x"}})
    aged()
    assert cli("gc", "--keep", "none", "--yes")[0] == 0
    assert stored_files(store) == set()
    assert len(read_given_up(repo / ".git" / "gittrack")) == 3
    code, _, err = cli("fsck")
    assert (code, "the bytes of 2 artifacts were given up by 'gittrack gc'" in err) == (0, True)
    assert "not here" not in err
    code, _, err = cli("artifact", "push", "--remote", str(remote))
    assert code == 0
    assert "error" not in err
    assert "given up by 'gittrack gc', so not pushed: 2 objects" in err
    assert "not here" not in cli("gc")[2]


def test_a_pull_of_everything_does_not_fail_for_what_was_given_up(repo, logged, aged, store, remote, cli):
    id = logged("one", {"a.bin": "one"})
    (entry,) = gittrack.get_run(id).artifacts()
    remember_given_up(repo / ".git" / "gittrack", [entry.digest])
    store.path(entry.digest).unlink()
    code, _, err = cli("artifact", "pull", "--remote", str(remote))
    assert (code, "given up by 'gittrack gc', so not pulled: 1 object" in err) == (0, True), err
    assert cli("artifact", "pull", id, "--remote", str(remote))[0] == 3


def test_what_no_run_refers_to_is_not_remembered_as_given_up(repo, logged, aged, git):
    id = logged("gone", {"a.bin": "gone"})
    git("update-ref", "-d", f"refs/runs/inbox/{id}", cwd=repo)
    for path in (repo / ".git" / "gittrack" / "done").glob(f"{id}-*"):
        path.unlink()
    aged()
    assert collect(Project.open(), plan_gc(Project.open())).files == 1
    assert read_given_up(repo / ".git" / "gittrack") == frozenset()


def test_what_was_given_up_comes_back_from_the_remote_and_is_told_where_it_cannot(repo, logged, aged, store, remote):
    logged("one", {"a.bin": "a"})
    push_bytes(Project.open(), gittrack.runs(), str(remote))
    aged()
    collect(Project.open(), plan_gc(Project.open(), NONE), NONE)
    assert counts() == ([], 0, 1)
    assert pull_bytes(Project.open(), gittrack.runs(), str(remote)).moved == 1
    assert counts() == ([], 0, 0)
    logged("two", {"b.bin": "b"})
    aged()
    collect(Project.open(), plan_gc(Project.open(), NONE), NONE)
    failed = pull_bytes(Project.open(), [gittrack.get_run("two")], str(remote)).failures
    assert [type(each.error) for each in failed] == [ArtifactNotFoundError], "who asks for a run wants its bytes"


def test_a_kill_between_remembering_and_removing_loses_nothing(repo, logged, aged, store, project_env):
    logged("one", {"a.bin": "a"})
    aged()
    code = """
import os, signal
from gittrack.api.gc import collect, plan_gc
from gittrack.api.project import Project
from gittrack.api.retention import Retention
from gittrack.artifacts import usage
from gittrack.core.retention import parse_rule
rules = Retention(rules={"*": [parse_rule("none")]})
usage.drop = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
project = Project.open()
collect(project, plan_gc(project, rules), rules)
"""
    assert subprocess.run([sys.executable, "-c", code], env=project_env, check=False).returncode == -9
    assert len(stored_files(store)) == 1
    assert len(read_given_up(repo / ".git" / "gittrack")) == 1
    assert counts() == ([], 0, 0)
    assert gittrack.get_run("one").artifacts()[0].path == "a.bin"


def test_a_line_that_was_cut_short_spoils_no_other(tmp_path):
    one, two = "md5:" + "a" * 32, "md5:" + "b" * 32 + ".dir"
    remember_given_up(tmp_path, [one])
    path = tmp_path / "given-up"
    os.truncate(path, path.stat().st_size - 5)
    remember_given_up(tmp_path, [one, two])
    remember_given_up(tmp_path, [one])
    assert read_given_up(tmp_path) == {one, two}
    assert read_given_up(tmp_path / "nowhere") == frozenset()


def test_a_clone_that_has_fetched_runs_and_no_bytes_is_sound(repo, logged, store, remote, git, monkeypatch, cli):
    logged("one", {"a.bin": "a", "model": {"x": "x"}})
    push_bytes(Project.open(), gittrack.runs(), str(remote))
    clone = repo.parent / "clone"
    git("clone", "-q", str(repo), str(clone))
    git("fetch", "-q", "origin", "refs/runs/*:refs/runs/*", cwd=clone)
    monkeypatch.chdir(clone)
    assert cli("fsck")[0] == 0
    assert cli("artifact", "pull", "--remote", str(remote))[0] == 0
    assert counts() == ([], 0, 0)
    shutil.rmtree(clone / ".git" / "gittrack")
    assert counts() == ([], 2, 0)

"""The code of a run against ``git gc --prune=now``: made again, or not named at all; never named and missing."""

from __future__ import annotations

import os
import subprocess

import pytest

import gittrack
from gittrack.api.maintain import fsck
from gittrack.api.project import Project
from gittrack.core.records import Person
from gittrack.git import snapshot
from gittrack.git.repository import Repository
from gittrack.store import publish
from gittrack.store.publish import hold_snapshot


def _git(repo, *args):
    return subprocess.run(["git", *args], cwd=repo, capture_output=True, text=True, check=False)


def _git_is_content(repo):
    told = _git(repo, "fsck", "--full")
    assert "missing" not in told.stdout and "broken" not in told.stdout, told.stdout
    assert _git(repo, "gc", "-q").returncode == 0


def _collecting(monkeypatch, repo, times, after=None):
    """Let git collect between the making of a snapshot and its ref."""
    build, left = snapshot._build_tree, [times]

    def built(*arguments):
        tree = build(*arguments)
        if left[0]:
            left[0] -= 1
            _git(repo, "gc", "-q", "--prune=now")
            if after is not None:
                after()
        return tree

    monkeypatch.setattr(snapshot, "_build_tree", built)


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("packed", [False, True])
def test_a_snapshot_that_a_gc_takes_before_its_ref_stands_is_made_again(repo, monkeypatch, times, packed):
    if packed:
        _git(repo, "gc", "-q")
    (repo / "deep" / "er").mkdir(parents=True)
    (repo / "deep" / "er" / "new.py").write_text("new = 1\n")
    _collecting(monkeypatch, repo, times)
    with gittrack.start_run(name="first"):
        pass
    code = gittrack.get_run("first").record.code
    assert code.commit not in (None, code.head)
    assert _git(repo, "show", f"{code.commit}:deep/er/new.py").stdout == "new = 1\n"
    assert fsck(Project.open()) == []
    _git_is_content(repo)


def test_where_the_files_have_changed_meanwhile_the_run_says_that_its_code_is_gone(repo, monkeypatch):
    (repo / "new.py").write_text("new = 1\n")
    _collecting(monkeypatch, repo, 1, after=lambda: (repo / "new.py").write_text("new = 2\n"))
    with gittrack.start_run(name="first"):
        assert _git(repo, "for-each-ref", "refs/runs/hold").stdout == ""
        assert _git(repo, "gc", "-q").returncode == 0
    code = gittrack.get_run("first").record.code
    assert code.commit is None and "was gone" in code.reason
    assert fsck(Project.open()) == []
    _git_is_content(repo)


@pytest.mark.parametrize("kind", ["blob", "tree", "commit"])
@pytest.mark.parametrize("forget", [False, True], ids=["by its process", "by another"])
def test_a_snapshot_that_is_not_whole_when_its_run_ends_is_not_named(repo, kind, forget):
    (repo / "new.py").write_text("new = 1\n")
    with gittrack.start_run(name="first") as run:
        names = {
            "blob": "refs/runs/hold/{}:new.py",
            "tree": "refs/runs/hold/{}^{{tree}}",
            "commit": "refs/runs/hold/{}",
        }
        id = _git(repo, "rev-parse", names[kind].format(run.id)).stdout.strip()
        os.unlink(repo / ".git" / "objects" / id[:2] / id[2:])
        if forget:
            run._closing.project.repo.snapshots.clear()
    code = gittrack.get_run("first").record.code
    assert code.commit is None and "was gone" in code.reason
    assert fsck(Project.open()) == []
    _git_is_content(repo)


def test_fsck_names_every_run_whose_code_is_not_whole_and_no_other(repo):
    (repo / "new.py").write_text("new = 1\n")
    for name in ("first", "second"):
        with gittrack.start_run(name=name):
            pass
    (repo / "new.py").write_text("new = 2\n")
    with gittrack.start_run(name="third"):
        pass
    code = gittrack.get_run("first").record.code.commit
    blob = _git(repo, "rev-parse", f"{code}:new.py").stdout.strip()
    os.unlink(repo / ".git" / "objects" / blob[:2] / blob[2:])
    findings = fsck(Project.open())
    expected = {f"run {gittrack.get_run(name).id}" for name in ("first", "second")}
    assert {finding.where for finding in findings} == expected
    assert all("new.py" in finding.reason and blob in finding.reason for finding in findings)


def test_files_that_a_partial_clone_has_not_fetched_are_no_damage(repo, tmp_path, monkeypatch):
    _git(repo, "config", "uploadpack.allowFilter", "true")
    (repo / "old.bin").write_text("1")
    _git(repo, "add", "old.bin")
    _git(repo, "commit", "-qm", "with it")
    _git(repo, "rm", "-q", "old.bin")
    _git(repo, "commit", "-qm", "without")
    clone = tmp_path / "partial"
    done = _git(tmp_path, "clone", "-q", "--no-checkout", "--filter=blob:none", repo.as_uri(), str(clone))
    assert done.returncode == 0, done.stderr
    found = Repository.discover(clone)
    head = found.resolve("HEAD~1")
    tree = found.objects.write_tree({"run.toml": b"format = 1\n"})
    commit = found.objects.write_commit(tree, [head], "x", Person("a", "a@b"), 1)
    from gittrack.git.wholeness import is_snapshot_whole, lacking_code

    assert not found.objects.has(_git(repo, "rev-parse", "HEAD~1:old.bin").stdout.strip())
    assert lacking_code(found.objects, [head, commit]) == {}
    assert is_snapshot_whole(found, head)


def test_a_hold_that_a_dead_process_left_is_taken_over(repo):
    found = Project.open().repo
    (repo / "new.py").write_text("new = 1\n")
    one = snapshot.start_snapshot(found, snapshot.SnapshotLimits()).result().commit
    hold_snapshot(found, "a" * 32, one)
    (repo / "new.py").write_text("new = 2\n")
    two = snapshot.start_snapshot(found, snapshot.SnapshotLimits()).result().commit
    hold_snapshot(found, "a" * 32, two)
    assert found.refs.get(publish.hold_ref("a" * 32)) == two

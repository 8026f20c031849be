"""Paths of the index found by their ends: the same as git lists, however the index is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from gittrack.git.index_paths import index_paths
from gittrack.git.repository import Repository

NAMES = [
    "a.dvc",
    "data/b.csv.dvc",
    "data/ünï/c.dvc",
    "dvc.lock",
    "sub/dvc.lock",
    "x/" + "long" * 60 + "/d.dvc",  # longer than one byte of flags can say
    "e" * 250 + ".dvc",
    "with space.dvc",
    "new\nline.dvc",
    "tail.dvc.txt",
    "a.dvcx",
    "link",
    ".dvc/config",
]
ENDINGS = (".dvc", "dvc.lock")


@pytest.fixture
def listed(repo, git):
    for name in NAMES:
        (repo / name).parent.mkdir(parents=True, exist_ok=True)
        (repo / name).write_text(name)
    git("add", "-A", cwd=repo)

    def compare() -> list[str]:
        found = index_paths(Repository.discover(repo), ENDINGS)
        lines = git("ls-files", "-z", cwd=repo).split("\0")
        assert found == sorted({line for line in lines if line.endswith(ENDINGS)})
        return found

    return compare


def test_the_paths_are_those_that_git_lists(listed):
    assert len(listed()) == 9


def test_an_ordinary_index_is_read_without_git(listed, monkeypatch):
    monkeypatch.setattr("gittrack.git.index_paths.run_git", None)
    assert index_paths(Repository.discover(Path.cwd()), ENDINGS)


def test_an_index_of_version_4_is_read_too(listed, repo, git):
    git("update-index", "--index-version", "4", cwd=repo)
    assert len(listed()) == 9


def test_a_split_index_is_read_too(listed, repo, git):
    git("update-index", "--split-index", cwd=repo)
    (repo / "later.dvc").write_text("x")
    git("add", "later.dvc", cwd=repo)
    assert "later.dvc" in listed()


def test_entries_that_git_is_told_about_and_conflicts_are_found(listed, repo, git):
    (repo / "intended.dvc").write_text("x")
    git("add", "--intent-to-add", "intended.dvc", cwd=repo)
    git("update-index", "--assume-unchanged", "a.dvc", cwd=repo)
    git("update-index", "--skip-worktree", "data/b.csv.dvc", cwd=repo)
    blob = git("rev-parse", ":a.dvc", cwd=repo).strip()
    staged = "".join(f"100644 {blob} {stage}\tfight.dvc\n" for stage in (1, 2, 3))
    git("update-index", "--index-info", cwd=repo, stdin=staged)
    assert {"intended.dvc", "fight.dvc", "a.dvc", "data/b.csv.dvc"} <= set(listed())


def test_links_are_no_files(listed, repo, git):
    (repo / "link.dvc").symlink_to("a.dvc")
    git("add", "-A", cwd=repo)
    assert "link.dvc" not in index_paths(Repository.discover(repo), ENDINGS)


def test_no_index_and_a_damaged_one_have_no_paths(repo):
    (repo / ".git/index").write_bytes(b"DIRC\0\0\0\2\0\0\0\1" + b"\xff" * 500 + b".dvc\0")
    assert index_paths(Repository.discover(repo), ENDINGS) == []
    (repo / ".git/index").unlink()
    assert index_paths(Repository.discover(repo), ENDINGS) == []

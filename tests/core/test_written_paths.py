"""Paths of others before they are written: none into ``.git``, none over another."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gittrack.core.written_paths import check_written, first_clash, is_gits_own
from gittrack.errors import CorruptRecordError


@pytest.mark.parametrize(
    "path",
    [
        *(".git/config", "a/.git/hooks/x", ".GIT/config", ".Git . /x", "git~1/config", "GIT~1/x"),
        *(".git::$INDEX_ALLOCATION/config", ".g\u200cit/config", "\ufeff.git/x", ".git", "/".join("a" * 129)),
    ],
)
def test_what_git_would_believe_is_refused(path):
    with pytest.raises(CorruptRecordError, match=r"own folder|folders deep"):
        check_written(["fine.txt", path])


@pytest.mark.parametrize("path", [".gitignore", "a.git/x", "git/x", "x/.github/y", "digit~1", "/".join("a" * 128)])
def test_what_only_looks_alike_is_written(path):
    check_written([path])


@pytest.mark.parametrize(
    "paths",
    [("data/x", "Data/X"), ("a", "A/b"), ("straße", "STRASSE"), ("e\u0301", "\u00e9"), ("a", "a"), ("a", "a/b")],
)
def test_two_that_would_be_one_file_are_refused(paths):
    with pytest.raises(CorruptRecordError, match="one file"):
        check_written(["x/y", *paths])


@given(st.lists(st.text("a-./!b", min_size=1, max_size=6)))
def test_a_clash_is_found_wherever_there_is_one(paths):
    naive = any(
        i != j and (other == one or other.startswith(one + "/"))
        for i, one in enumerate(paths)
        for j, other in enumerate(paths)
    )
    assert (first_clash((path, path) for path in paths) is not None) == naive


def test_git_takes_none_of_these_names(repo, git):
    """What git itself refuses to check out, we refuse to write."""
    blob = git("hash-object", "-w", "--stdin", cwd=repo, stdin="x").strip()
    for name in (".git", ".GIT", "git~1", ".g\u200cit", ".git "):
        assert is_gits_own(name)
        tree = git("mktree", cwd=repo, stdin=f"100644 blob {blob}\t{name}\n").strip()
        told = subprocess.run(["git", "fsck", "--strict", tree], cwd=repo, capture_output=True, text=True, check=False)
        assert "hasDotgit" in told.stderr, (name, told.stderr)

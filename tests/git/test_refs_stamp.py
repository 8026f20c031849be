"""The times of the folders of refs tell whenever a ref moves, however git keeps it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from gittrack.git.refs_stamp import refs_stamp

PREFIXES = ("refs/runs/", "refs/runs-remote/")
LATER = 10_000_000_000


def stamp(repo: Path) -> str:
    return refs_stamp(repo / ".git", PREFIXES, time.time_ns() + LATER)


@pytest.mark.parametrize(
    "commands",
    [
        [["update-ref", "refs/runs/inbox/" + "a" * 32, "HEAD"]],
        [["update-ref", "refs/runs/local/2026-11", "HEAD~1"]],
        [["update-ref", "-d", "refs/runs/local/2026-11"]],
        [["update-ref", "refs/runs-remote/origin/2026-11/ann", "HEAD"]],
        [["pack-refs", "--all"]],
        [["pack-refs", "--all"], ["update-ref", "-d", "refs/runs/local/2026-11"]],
        [["pack-refs", "--all"], ["update-ref", "refs/runs/local/2026-11", "HEAD~1"]],
    ],
)
def test_whatever_moves_a_ref_changes_the_stamp(repo, git, commands):
    git("commit", "-q", "--allow-empty", "-m", "two", cwd=repo)
    git("update-ref", "refs/runs/local/2026-11", "HEAD", cwd=repo)
    for command in commands:
        before = stamp(repo)
        assert before == stamp(repo) != ""
        time.sleep(0.02)  # times of files are as coarse as the kernel's clock
        git(*command, cwd=repo)
        assert stamp(repo) != before, command


def test_what_is_no_ref_of_runs_changes_nothing(repo, git):
    git("update-ref", "refs/runs/local/2026-11", "HEAD", cwd=repo)
    before = stamp(repo)
    git("branch", "other", cwd=repo)
    git("commit", "-q", "--allow-empty", "-m", "two", cwd=repo)
    assert stamp(repo) == before


def test_what_was_written_just_now_is_not_believed(repo, git):
    git("update-ref", "refs/runs/local/2026-11", "HEAD", cwd=repo)
    assert refs_stamp(repo / ".git", PREFIXES) == ""
    os.utime(repo / ".git" / "refs" / "runs" / "local", (time.time() + 3600,) * 2)
    assert stamp(repo) == "", "a clock that goes ahead"


def test_a_repository_without_runs_or_with_refs_in_tables_has_a_safe_answer(repo):
    assert "refs/runs -" in stamp(repo)
    (repo / ".git" / "reftable").mkdir()
    assert stamp(repo) == ""

"""The seal around every test is itself tested: a seal that leaks would let tests pass for the wrong reason."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pygit2
from hypothesis import given
from hypothesis import strategies as st


def test_git_sees_only_the_sealed_configuration(git, repo):
    listed = git("config", "--list", "--show-origin", "--name-only")
    origins = {line.split("\t")[0] for line in listed.splitlines()}
    assert origins == {"file:.git/config", f"file:{os.environ['GIT_CONFIG_GLOBAL']}"}


def test_libgit2_sees_the_same_user_as_git(git, repo):
    assert pygit2.Repository(str(repo)).config["user.email"] == git("config", "user.email").strip()
    assert pygit2.Config.get_global_config()["user.email"] == "test@example.com"


def test_home_and_working_directory_belong_to_the_test_alone(tmp_path):
    assert Path.home() == tmp_path.with_name(tmp_path.name + "-home")
    assert Path.cwd() == tmp_path


def test_the_callers_environment_is_gone():
    assert not {"CI", "RANK", "NO_COLOR"} & set(os.environ)
    left = [name for name in os.environ if name.startswith(("GITTRACK_", "SLURM_", "OMPI_", "GITHUB_"))]
    assert left == ["GITTRACK_INBOX_LIMIT"], "which the seal itself sets: nothing is rolled up in the background"


def test_the_clock_shows_utc():
    assert time.tzname[0] == "UTC"


def test_git_cannot_reach_the_network(repo, git):
    import subprocess

    asked = subprocess.run(["git", "ls-remote", "https://example.invalid/x"], capture_output=True, text=True)
    assert asked.returncode != 0
    assert "not allowed" in asked.stderr


@given(st.integers())
def test_property_tests_run_inside_the_seal(number):
    assert os.environ["TZ"] == "UTC"


def test_the_repository_has_one_commit_and_is_clean(repo, git):
    assert git("rev-list", "--count", "HEAD").strip() == "1"
    assert git("status", "--porcelain") == ""
    assert git("branch", "--show-current").strip() == "main"
    assert Path.cwd() == repo

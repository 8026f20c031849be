"""The environment that git gets: nothing in it leads git to another repository than ours."""

from __future__ import annotations

import subprocess

import pytest

import gittrack
from gittrack.git.program import _OF_ANOTHER_REPOSITORY, run_git

SETTINGS = {"GIT_CONFIG", "GIT_CONFIG_PARAMETERS", "GIT_CONFIG_COUNT", "GIT_NO_REPLACE_OBJECTS"}
"""These are the user's, and name no repository."""


def test_all_that_git_itself_calls_local_to_a_repository_is_dropped(repo):
    told = set(run_git(["rev-parse", "--local-env-vars"], cwd=repo).decode().split())
    assert told - SETTINGS - {"GIT_INTERNAL_SUPER_PREFIX"} <= set(_OF_ANOTHER_REPOSITORY)


@pytest.mark.parametrize("name", ["GIT_OBJECT_DIRECTORY", "GIT_SHALLOW_FILE", "GIT_GRAFT_FILE", "GIT_INDEX_FILE"])
@pytest.mark.parametrize("dirty", [True, False])
def test_a_run_is_kept_where_its_repository_is_whatever_the_shell_has_set(repo, tmp_path, name, dirty):
    if dirty:
        (repo / "new.py").write_text("new = 1\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with pytest.MonkeyPatch.context() as shell:
        shell.setenv(name, str(elsewhere if name == "GIT_OBJECT_DIRECTORY" else elsewhere / "no-file"))
        if name == "GIT_OBJECT_DIRECTORY":
            shell.setenv("GIT_ALTERNATE_OBJECT_DIRECTORIES", str(repo / ".git" / "objects"))
            shell.setenv("GIT_QUARANTINE_PATH", str(elsewhere))
        with gittrack.start_run(name="first"):
            pass
    run = gittrack.get_run("first")
    assert run.code is not None and run.record.code.dirty == dirty
    assert not list(elsewhere.iterdir())
    told = subprocess.run(["git", "fsck", "--full"], cwd=repo, capture_output=True, text=True, check=False)
    assert told.returncode == 0 and "missing" not in told.stdout, told.stdout + told.stderr

"""Streams that are full, closed, or that nobody reads."""

from __future__ import annotations

import subprocess
import sys

import pytest

import gittrack


@pytest.fixture
def one_run(repo):
    with gittrack.start_run(name="one"):
        pass


@pytest.mark.parametrize("words", ["ls", "ls --json", "ls --csv", "show one"])
def test_a_full_disk_behind_stdout_is_one_line_and_no_bug(one_run, project_env, words):
    command = f"{sys.executable} -m gittrack {words} > /dev/full"
    done = subprocess.run(["sh", "-c", command], env=project_env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "bug" not in done.stderr


@pytest.mark.parametrize("redirection", [">&-", "2>&-", ">&- 2>&-"])
def test_a_closed_stream_is_no_bug(one_run, project_env, redirection):
    command = f"{sys.executable} -m gittrack ls {redirection}"
    done = subprocess.run(["sh", "-c", command], env=project_env, capture_output=True, text=True, check=False)
    assert "bug" not in done.stderr + done.stdout
    assert done.returncode in (0, 1)


@pytest.mark.parametrize("words", ["ls", "ls --json", "ls --csv", "show one", "config quiet", "rm --dry-run one"])
def test_an_answer_that_nobody_can_get_is_a_failure(one_run, project_env, words):
    command = f"{sys.executable} -m gittrack {words} >&-"
    done = subprocess.run(["sh", "-c", command], env=project_env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "gittrack: error: cannot write the output: stdout is closed\n")


def test_a_command_without_an_answer_needs_no_stdout(one_run, project_env):
    command = f"{sys.executable} -m gittrack tag one a=1 >&-"
    done = subprocess.run(["sh", "-c", command], env=project_env, capture_output=True, text=True, check=False)
    assert done.returncode == 0


@pytest.mark.parametrize(("words", "code"), [("show nobody", 3), ("frobnicate", 2), ("tag one a=1", 0), ("ls", 0)])
def test_messages_that_nobody_takes_leave_the_exit_code_as_it_is(one_run, project_env, words, code):
    command = f"{sys.executable} -m gittrack {words} 2> /dev/full"
    done = subprocess.run(["sh", "-c", command], env=project_env, capture_output=True, text=True, check=False)
    assert done.returncode == code


@pytest.mark.parametrize("behind", ["> /dev/full", ">&-"])
def test_a_training_whose_messages_nobody_takes_ends_with_its_own_exit_code(repo, project_env, behind):
    script = "import gittrack\nwith gittrack.start_run() as run:\n    run.log_metric('loss', 'bad')\nprint('trained')"
    command = f'{sys.executable} -c "$0" 2{behind}'
    done = subprocess.run(["sh", "-c", command, script], env=project_env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "trained\n")
    assert len(gittrack.runs()) == 1

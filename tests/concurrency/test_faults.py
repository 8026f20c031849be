"""System calls that fail: full disks, missing permissions, broken disks.

What is reported as stored is stored, the error names the cause, and what could not be stored is finished later.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import gittrack
from gittrack.api.maintain import doctor, recover
from gittrack.api.project import Project
from gittrack.api.read import list_runs
from gittrack.errors import StorageError
from tests.concurrency.harness import assert_sound, environment, python, user_state

CAUSES = {
    "ENOSPC": "full|No space left",
    "EIO": "Input/output error",
    "EACCES": "not writable|Permission denied",
}
FINISH = """
import gittrack, os, sys
with gittrack.start_run() as run:  # everything is imported by now
    run.log_metric("loss", 1)
os.chdir(sys.argv[1])
run = gittrack.start_run(name="faulty", params={"lr": 0.1})
for step in range(100):
    run.log_metric("loss", step / 7, step=step)
print("ready", flush=True)
sys.stdin.readline()
run.end()
"""
SYSCALLS = ("openat", "write", "fsync", "rename", "link", "mkdir", "ftruncate", "msync", "unlink")
SAMPLE = (
    ("write", "ENOSPC", 2),
    ("write", "EIO", 6),
    ("fsync", "EIO", 1),
    ("fsync", "ENOSPC", 9),
    ("rename", "EACCES", 4),
    ("link", "ENOSPC", 1),
    ("openat", "EACCES", 12),
    ("mkdir", "ENOSPC", 3),
    ("ftruncate", "EIO", 1),
)
VALUES = [step / 7 for step in range(100)]


def _can_trace() -> bool:
    if shutil.which("strace") is None:
        return False
    with subprocess.Popen(["sleep", "5"]) as sleeper:
        probe = ["strace", "-o", os.devnull, "-p", str(sleeper.pid), "-e", "trace=none"]
        with subprocess.Popen(probe, stderr=subprocess.PIPE, text=True) as tracer:
            said = tracer.stderr.readline() if tracer.stderr else ""
            tracer.terminate()
        sleeper.kill()
    return "attached" in said


traced = pytest.mark.skipif(not _can_trace(), reason="strace is not installed, or ptrace is not permitted")


def _repository(path: Path) -> Path:
    for command in (["init", "--quiet", str(path)], ["-C", str(path), "commit", "--quiet", "--allow-empty", "-m", "1"]):
        subprocess.run(["git", *command], check=True)
    return path


def _ends_with_fault(warm, repo, syscall, error, when):
    """A run whose process gets ``error`` from the given call of ``syscall`` while it ends; (stderr, whether it did)."""
    log = repo.parent / f"trace-{syscall}-{error}-{when}"
    inject = f"inject={syscall}:error={error}:when={when}"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    command = [sys.executable, "-c", FINISH, str(repo)]
    with subprocess.Popen(command, cwd=warm, env=environment(), text=True, **pipes) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        trace = ["strace", "-p", str(process.pid), "-o", str(log), "-e", f"trace={syscall}", "-e", inject]
        with subprocess.Popen(trace, stderr=subprocess.PIPE, text=True) as tracer:
            assert tracer.stderr is not None
            assert "attached" in tracer.stderr.readline()
            _, messages = process.communicate("\n", timeout=200)
            tracer.wait(60)
    assert process.returncode == 0, messages
    return messages, "(INJECTED)" in log.read_text()


def _check_fault(tmp_path, syscall, error, when):
    warm, repo = (_repository(tmp_path / f"{name}-{syscall}-{error}-{when}") for name in ("warm", "repo"))
    os.chdir(repo)
    before = user_state(repo)
    messages, hit = _ends_with_fault(warm, repo, syscall, error, when)
    stored = list_runs(Project.open(repo)).runs[0].commit is not None
    said = messages.split("ready")[-1]
    if "faulty" in said and "finished" in said:
        assert stored, f"reported as finished and not stored: {messages}"
    if not stored:
        assert re.search(CAUSES[error], messages), f"the error does not name its cause: {messages}"
    (run,) = gittrack.runs()
    assert run.commit is not None
    assert run.status.value == "finished"
    assert list(run.history("loss").values) == VALUES
    doctor(Project.open(repo))
    assert user_state(repo) == before
    assert_sound(repo)
    return hit


@traced
@pytest.mark.parametrize(("syscall", "error", "when"), SAMPLE)
def test_a_system_call_of_the_end_may_fail(tmp_path, syscall, error, when):
    assert _check_fault(tmp_path, syscall, error, when), "the fault was not hit"


@traced
@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("error", CAUSES)
@pytest.mark.parametrize("syscall", SYSCALLS)
def test_each_system_call_of_the_end_may_fail(tmp_path, syscall, error):
    """The first call, the second, the third … until one is no longer reached."""
    for when in range(1, 200):
        if not _check_fault(tmp_path, syscall, error, when):
            return


LOG_ON_FULL_DISK = """
import gittrack, os, sys, time
run = gittrack.start_run()
{lock}
for step in range(3000):
    run.log_metric("loss", step, step=step)
run.set_tag("big", "x" * 100_000)
print("full", flush=True)
sys.stdin.readline()
time.sleep(1.1)
for step in range(3000, 3010):
    run.log_metric("loss", step, step=step)
run.end()
"""


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 4 MiB with a repository, or a skip."""
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(place)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("a file system of its own cannot be mounted here")
    yield _repository(place / "repo")
    os.chdir(tmp_path)
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def _fill(place):
    filler = place / "filler"
    with open(filler, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return filler


@pytest.mark.parametrize("mapped", [True, False])
def test_points_logged_on_a_full_disk_arrive_when_there_is_room(small_disk, mapped):
    """Also without a memory map, where each frame is an append."""
    script = LOG_ON_FULL_DISK
    if not mapped:
        script = script.replace("import gittrack, os", "import os; del os.posix_fallocate\nimport gittrack", 1)
    filler = small_disk.parent / "filler"
    with subprocess.Popen(
        [sys.executable, "-c", script.replace("{lock}", "print('go', flush=True)\nsys.stdin.readline()")],
        cwd=small_disk,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "go\n"
        _fill(small_disk.parent)
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "full\n"
        filler.unlink()
        _, messages = process.communicate("\n", timeout=200)
    assert process.returncode == 0, messages
    assert "No space left" in messages
    os.chdir(small_disk)
    (run,) = gittrack.runs()
    assert run.status.value == "finished"
    assert list(run.history("loss").values) == list(range(3010))
    assert run.tags["big"] == "x" * 100_000
    assert_sound(small_disk)


def test_a_run_that_ends_on_a_full_disk_is_finished_when_there_is_room(small_disk):
    os.chdir(small_disk)
    run = gittrack.start_run()
    run.log_metrics({f"m{n}": n for n in range(30)})
    filler = _fill(small_disk.parent)
    run.end()
    assert [found.commit for found in list_runs(Project.open()).runs] == [None]
    (result,) = recover(Project.open())
    assert result.outcome == "failed"
    assert "full" in result.reason or "No space" in result.reason
    filler.unlink()
    (saved,) = gittrack.runs()
    assert saved.status.value == "finished"
    assert saved.metrics == {f"m{n}": n for n in range(30)}
    doctor(Project.open())
    assert_sound(small_disk)


def test_a_run_cannot_begin_on_a_full_disk_and_leaves_nothing(small_disk, capsys):
    os.chdir(small_disk)
    filler = _fill(small_disk.parent)
    run = gittrack.start_run()
    assert run.silent
    said = capsys.readouterr().err
    assert re.search("full|No space", said)
    with pytest.raises(StorageError):
        gittrack.start_run(strict=True)
    filler.unlink()
    gittrack.end_run()
    assert gittrack.runs() == []
    assert [path.name for path in (small_disk / ".git" / "gittrack").rglob("*.journal")] == []


def test_a_file_size_limit_is_a_full_disk_for_everyone(repo):
    """No root needed: the journal may not grow, the points wait, and arrive when the limit is lifted."""
    script = (
        "import gittrack, resource\nrun = gittrack.start_run()\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (70_000, resource.RLIM_INFINITY))\n"
        "for step in range(5000): run.log_metric('loss', step, step=step)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
        "import time; time.sleep(1.1)\nrun.end()\n"
    )
    done = python(script, repo, environment())
    assert (done.returncode, "waits in memory" in done.stderr) == (0, True), done.stderr
    (run,) = gittrack.runs()
    assert list(run.history("loss").values) == list(range(5000))


LOG_UNTIL_THE_END = """
import gittrack, resource
run = gittrack.start_run()
resource.setrlimit(resource.RLIMIT_FSIZE, (70_000, resource.RLIM_INFINITY))
for step in range(POINTS):
    run.log_metric("loss", step, step=step)
try:
    raise ValueError("y" * LENGTH)
except ValueError as error:
    run.end("failed", error=error, exit_code=3)
print("trained")
"""


def test_what_does_not_fit_on_a_disk_that_stays_full_is_told_and_how_the_run_ended_is_kept(repo):
    done = python(LOG_UNTIL_THE_END.replace("POINTS", "5000").replace("LENGTH", "5000"), repo, environment())
    assert (done.returncode, done.stdout) == (0, "trained\n"), done.stderr
    told = re.search(r"the disk is full: the last (\d+) bytes of what was logged could not be stored", done.stderr)
    assert told is not None, done.stderr
    assert "gittrack recover" in done.stderr
    (run,) = gittrack.runs()
    assert (run.status.value, run.record.exit_code) == ("failed", 3)
    assert run.record.error.startswith("ValueError: yyy")
    kept = list(run.history("loss").values)
    assert kept == list(range(len(kept)))
    assert 1500 < len(kept) < 5000
    assert int(told[1]) >= 36 * (5000 - len(kept))
    assert told[0] in run.file("logs/errors.log").decode()


def test_the_last_that_fits_into_the_room_left_free_is_kept(repo):
    done = python(LOG_UNTIL_THE_END.replace("POINTS", "1810").replace("LENGTH", "50"), repo, environment())
    assert "could not be stored" not in done.stderr
    (run,) = gittrack.runs()
    assert list(run.history("loss").values) == list(range(1810))


def test_a_read_only_git_directory_costs_the_run_and_not_the_training(small_disk, git):
    """Mounted read-only, since permissions do not hold back root."""
    os.chdir(small_disk)
    with gittrack.start_run(name="before"):
        pass
    place = str(small_disk.parent)
    os.chdir("/")
    subprocess.run(["mount", "-o", "remount,ro", place], check=True)
    try:
        done = python(
            "import gittrack\nrun = gittrack.start_run()\nrun.log_metric('x', 1)\nrun.end()\nprint('trained')\n"
            "print([run.name for run in gittrack.runs()])",
            small_disk,
            environment(),
        )
        assert (done.returncode, done.stdout) == (0, "trained\n['before']\n"), done.stderr
        assert re.search("[Rr]ead-only|not writable", done.stderr)
        strict = python("import gittrack\ngittrack.start_run(strict=True)", small_disk, environment())
        assert strict.returncode == 1
        assert "StorageError" in strict.stderr
    finally:
        subprocess.run(["mount", "-o", "remount,rw", place], check=True)


@pytest.mark.skipif(os.geteuid() == 0, reason="permissions do not hold back root")
def test_a_git_directory_without_write_permission_costs_the_run_and_not_the_training(repo):
    os.chmod(repo / ".git", 0o555)
    try:
        done = python("import gittrack\ngittrack.start_run()\nprint('trained')", repo, environment())
        assert (done.returncode, done.stdout) == (0, "trained\n")
        assert "gittrack: " in done.stderr
    finally:
        os.chmod(repo / ".git", 0o755)

"""``gittrack run`` among other processes: readers that leave, full disks, programs left behind, signals, terminals."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import resource
import signal
import subprocess
import sys
import termios
import time

import pytest

import gittrack
from gittrack.api.captured_output import Copying, Recorder
from gittrack.store.live import read_live

PYTHON = sys.executable
GITTRACK_RUN = [PYTHON, "-m", "gittrack", "run", "--"]
NOT_ALL = "the command has ended, but not its output"
TICKS = "(for i in $(seq 100); do echo tick; sleep 0.2; done) & "

needs_full_device = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")


@pytest.fixture
def latest(gittrack_cli):
    def read() -> dict:
        done = gittrack_cli("show", "@latest", "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["run"]

    return read


@pytest.fixture
def output_of(git):
    """``output_of(shown)``: the output that a run keeps."""
    return lambda shown: git("show", f"{shown['commit']}:logs/output.txt")


@pytest.fixture
def in_shell(repo, project_env):
    """``in_shell(script)``: bash, in which ``$RUN`` is ``gittrack run --``; (exit code, stdout, stderr)."""

    def call(script: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", f"set -o pipefail; {script}"],
            env={**project_env, "RUN": " ".join(GITTRACK_RUN)},
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )

    return call


@pytest.fixture
def begun(repo, project_env):
    """``begun(*command, **options)``: ``gittrack run`` that has just shown the first line of the command."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(*command: str, **options) -> subprocess.Popen[bytes]:
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        child = subprocess.Popen([*GITTRACK_RUN, *command], env=project_env, start_new_session=True, **pipes | options)
        started.append(child)
        assert child.stdout.readline() == b"on\n"
        return child

    yield begin
    for child in started:
        if child.poll() is None:
            child.kill()
        with child:
            pass


class TestOutputThatNobodyTakes:
    def test_a_reader_that_leaves_ends_the_command_as_without_gittrack(self, in_shell, latest):
        done = in_shell("$RUN yes | head -1")
        assert (done.stdout, done.returncode) == ("y\n", 128 + signal.SIGPIPE)
        assert (latest()["status"], latest()["exit_code"]) == ("killed", 128 + signal.SIGPIPE)

    def test_even_one_that_reads_our_own_messages_too(self, in_shell, latest):
        done = in_shell("$RUN yes 2>&1 | head -1")
        assert (done.stdout, done.returncode) == ("y\n", 128 + signal.SIGPIPE)
        assert latest()["status"] == "killed"

    def test_a_command_that_goes_on_without_its_reader_ends_with_its_own_code(self, in_shell, latest):
        loop = "trap '' PIPE; for i in $(seq 20000); do echo $i; done 2>/dev/null; exit 7"
        done = in_shell(f'$RUN sh -c "{loop.replace("$", chr(92) + "$")}" | head -1')
        assert (done.stdout, done.returncode) == ("1\n", 7)
        assert latest()["exit_code"] == 7

    @needs_full_device
    def test_a_full_disk_behind_stdout_does_not_stop_the_command(self, in_shell, latest, output_of):
        done = in_shell("$RUN sh -c 'seq 50000; exit 3' > /dev/full")
        assert done.returncode == 3
        assert "the output cannot be shown: No space left on device; the run keeps it" in done.stderr
        assert output_of(latest()).splitlines() == [str(number) for number in range(1, 50001)]

    @needs_full_device
    def test_a_full_disk_behind_stderr_does_not_change_the_exit_code(self, in_shell, latest, output_of):
        assert in_shell("$RUN sh -c 'echo no >&2; exit 3' 2> /dev/full").returncode == 3
        assert output_of(latest()) == "no\n"

    def test_a_closed_stdout_and_stderr_are_nowhere_to_write_to(self, in_shell, latest, output_of):
        assert in_shell("$RUN sh -c 'echo out; exit 3' >&- 2>&-").returncode == 3
        assert output_of(latest()) == "out\n"

    def test_a_reader_that_takes_its_time_misses_nothing(self, in_shell):
        done = in_shell("$RUN seq 30000 2>/dev/null | (sleep 2.5; wc -l)")
        assert (done.stdout.strip(), done.returncode) == ("30000", 0)


class TestProgramLeftBehind:
    @pytest.mark.parametrize("left", ["sleep 20 & ", TICKS], ids=["silent", "writing"])
    def test_it_is_not_waited_for(self, in_shell, latest, left):
        done = in_shell(f"$RUN sh -c 'echo on; {left} exit 4'")
        assert done.stdout.startswith("on\n")
        assert done.returncode == 4
        assert NOT_ALL in done.stderr
        assert latest()["status"] == "failed"

    def test_what_it_writes_soon_after_is_kept(self, in_shell, latest, output_of):
        done = in_shell("$RUN sh -c '(sleep 0.1; echo late) & echo early'")
        assert done.stdout == "early\nlate\n"
        assert NOT_ALL not in done.stderr
        assert output_of(latest()) == "early\nlate\n"

    @pytest.mark.skipif(not hasattr(fcntl, "F_SETPIPE_SZ"), reason="the size of a pipe cannot be set here")
    def test_a_signal_ends_the_waiting_and_the_run_stays_finished(self, begun, repo, latest):
        # More than the pipe to us takes (made as small as it can be: a busy machine gives no larger ones), less than
        # that one and the command's own take: the command ends, and gittrack waits for its reader.
        child = begun(
            "sh", "-c", "echo on; read go; echo $$ > pid.new; mv pid.new pid; seq 1200", stdin=subprocess.PIPE
        )
        fcntl.fcntl(child.stdout, fcntl.F_SETPIPE_SZ, 4096)
        child.stdin.write(b"go\n")
        child.stdin.close()
        wait_until((repo / "pid").exists)
        wait_until(lambda: not is_alive(int((repo / "pid").read_text())))
        time.sleep(1.5)
        assert child.poll() is None
        child.send_signal(signal.SIGTERM)
        assert child.wait(60) == 0
        assert NOT_ALL.encode() in child.stderr.read()
        assert latest()["status"] == "finished"


def wait_until(reached) -> None:
    for _ in range(600):
        if reached():
            return
        time.sleep(0.1)
    pytest.fail("a minute was not enough")


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


class TestSignal:
    def test_one_that_is_ignored_from_the_start_is_ignored(self, begun, latest):
        child = begun(
            *("sh", "-c", "echo on; sleep 1; echo end"),
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),  # as nohup does
        )
        child.send_signal(signal.SIGHUP)
        out, _ = child.communicate(timeout=200)
        assert (out, child.returncode) == (b"end\n", 0)
        assert latest()["status"] == "finished"

    def test_sigterm_reaches_the_command_and_the_run_is_killed(self, begun, latest):
        child = begun("sh", "-c", "echo on; exec sleep 60")
        time.sleep(0.2)
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=200)
        assert child.returncode == 143
        assert latest()["status"] == "killed"

    @pytest.mark.parametrize(("end", "status"), [("0", "finished"), ("1", "killed")])
    def test_a_command_that_takes_the_signal_for_a_wish_to_stop_early_is_believed(self, begun, latest, end, status):
        child = begun("sh", "-c", f"trap 'exit {end}' INT TERM; echo on; for i in $(seq 600); do sleep 0.1; done")
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=200)
        assert child.returncode == int(end)
        assert latest()["status"] == status

    @pytest.mark.parametrize("stdin", ["terminal", "null"])
    def test_ctrl_c_of_the_terminal_reaches_the_command_once(self, repo, project_env, latest, stdin):
        (repo / "count.py").write_text(
            "import signal, sys, time\nseen = []\nsignal.signal(signal.SIGINT, lambda *_: seen.append(1))\n"
            "print('on', flush=True)\nend = time.monotonic() + 30\n"
            "while not seen and time.monotonic() < end:\n    time.sleep(0.05)\n"
            "end = time.monotonic() + 1\nwhile time.monotonic() < end:\n    time.sleep(0.05)\n"
            "sys.exit(10 + len(seen))\n"
        )
        ours, theirs = pty.openpty()
        child = subprocess.Popen(
            [*GITTRACK_RUN, PYTHON, "count.py"],
            stdin=theirs if stdin == "terminal" else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=project_env,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(theirs, termios.TIOCSCTTY, 0),
        )
        try:
            assert child.stdout.readline() == b"on\n"
            os.write(ours, b"\x03")
            child.communicate(timeout=200)
        finally:
            child.kill()
            os.close(ours)
            os.close(theirs)
        assert child.returncode == 11
        assert latest()["status"] == "killed"


class TestRunThatCannotBeEnded:
    @pytest.mark.parametrize("strict", ["0", "1"])
    def test_it_is_an_error_that_names_the_way_out(self, repo, project_env, gittrack_cli, latest, strict):
        def fill_the_disk_soon() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

        done = subprocess.run(
            [*GITTRACK_RUN, "seq", "200000"],
            env={**project_env, "GITTRACK_STRICT": strict},
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
            preexec_fn=fill_the_disk_soon,
        )
        assert done.stdout.endswith("\n200000\n")
        assert done.returncode == 1
        assert "could not be ended" in done.stderr
        assert done.stderr.endswith("hint: gittrack recover\n")
        assert "finished" not in done.stderr
        assert gittrack_cli("recover").returncode == 0
        assert latest()["status"] == "finished"  # how it ended is kept


class TestRecorder:
    def test_the_end_of_the_output_is_kept_in_pieces_that_a_journal_can_hold(self, repo):
        written = bytes(range(256)) * (5 << 12)  # 5 MiB
        with gittrack.start_run() as run:
            recorder = Recorder(run, 6 << 20)
            recorder.stream()(written)
            recorder.finish()
            live = read_live(os.path.join(".git/gittrack/live", run.id), run.id)
            pieces = [operation["content"] for operation in live.contents[0].operations if operation["op"] == "log"]
        assert b"".join(pieces) == written
        assert max(map(len, pieces)) <= 1 << 20
        assert gittrack.get_run(run.id).file("logs/output.txt") == written

    def test_a_failure_to_keep_output_never_stops_the_copying(self, repo, tmp_path):
        with gittrack.start_run(strict=True) as run:
            pass
        recorder = Recorder(run, 1 << 20)  # a run that has ended refuses all
        program = subprocess.Popen(["seq", "50000"], stdout=subprocess.PIPE, bufsize=0)
        with open(tmp_path / "shown", "w", encoding="utf-8") as shown:
            copying = Copying(program.stdout, shown, recorder.stream())
            copying.thread.join(30)
        assert program.wait(30) == 0
        assert (tmp_path / "shown").read_text().endswith("\n50000\n")
        assert "the run has ended" in recorder.failure.message

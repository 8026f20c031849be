"""``gittrack top`` and ``gittrack watch``: pages drawn in place, in a real terminal that is left as it was found."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time

import pytest

import gittrack

TRAIN = """
import sys, time, pathlib, gittrack
with gittrack.start_run(name="training", experiment="digits", strict=True) as run:
    step = 0
    while not pathlib.Path("stop").exists():
        run.log_metric("loss", 1 / (step + 1), step=step)
        run.log_metric("acc", 1 - 1 / (step + 1), step=step)
        step += 1
        pathlib.Path("begun").touch()
        time.sleep(0.02)
    if pathlib.Path("fail").exists():
        raise RuntimeError("as asked")
"""
ENTER, LEAVE = "\x1b[?1049h", "\x1b[?25h\x1b[?1049l"


class Training:
    """A process that logs until it is told to stop."""

    def __init__(self, repo, env):
        self.repo = repo
        (repo / "loop.py").write_text(TRAIN)
        self.process = subprocess.Popen(
            [sys.executable, "loop.py"], cwd=repo, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until = time.monotonic() + 60
        while not (repo / "begun").exists():
            assert time.monotonic() < until
            time.sleep(0.02)

    def stop(self, *, fail=False):
        if fail:
            (self.repo / "fail").touch()
        (self.repo / "stop").touch()
        self.process.wait(60)


@pytest.fixture
def training(repo, project_env):
    process = Training(repo, project_env)
    yield process
    process.process.kill()
    process.process.wait(60)


class Window:
    """A terminal with a command in it."""

    def __init__(self, words, env, size=(24, 80), command=(sys.executable, "-m", "gittrack")):
        self.leader, self.follower = pty.openpty()
        self.resize(*size, tell=False)
        self.before = termios.tcgetattr(self.follower)
        self.shown = ""
        self.process = subprocess.Popen(
            [*command, *words],
            stdin=self.follower,
            stdout=self.follower,
            stderr=self.follower,
            env={**{name: value for name, value in env.items() if name not in {"LINES", "COLUMNS"}}, "TERM": "xterm"},
            preexec_fn=lambda: (os.setsid(), fcntl.ioctl(0, termios.TIOCSCTTY, 0)),
        )

    def resize(self, lines, columns, *, tell=True):
        fcntl.ioctl(self.leader, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        if tell:
            self.process.send_signal(signal.SIGWINCH)

    def read(self, seconds=0.0):
        while select.select([self.leader], [], [], seconds)[0]:
            self.shown += os.read(self.leader, 65536).decode("utf-8", "replace")

    def until(self, pattern, seconds=30):
        """Read until something is shown; what was shown before it is forgotten."""
        until = time.monotonic() + seconds
        while (found := re.search(pattern, self.shown)) is None:
            assert time.monotonic() < until, f"{pattern!r} is not in {self.shown[-3000:]!r}"
            self.read(0.1)
        rest, self.shown = self.shown, self.shown[found.end() :]
        return rest[: found.end()]

    def type(self, text):
        os.write(self.leader, text.encode())

    def end(self):
        """Wait for the end: the exit code. The settings of the terminal must be those from before."""
        until = time.monotonic() + 60
        while self.process.poll() is None:
            assert time.monotonic() < until, self.shown[-3000:]
            self.read(0.05)
        self.read(0.05)
        assert termios.tcgetattr(self.follower) == self.before
        return self.process.returncode

    def close(self):
        self.process.kill()
        self.process.wait(60)
        os.close(self.leader)
        os.close(self.follower)


@pytest.fixture
def window(project_env):
    windows = []

    def open_window(*words, **options):
        windows.append(Window(words, project_env, **options))
        return windows[-1]

    yield open_window
    for each in windows:
        each.close()


# top -----------------------------------------------------------------------------------------------------------------


def test_top_lists_once_when_piped(cli, training):
    answer = cli("top")
    assert answer.code == 0
    head, line = answer.out.splitlines()
    assert head.split() == ["ID", "NAME", "EXPERIMENT", "STATUS", "ELAPSED", "METRICS"]
    assert re.fullmatch(r"[0-9a-f]{8}  training  digits      running +[0-9.ms]+  acc 0.*  loss [01].*", line)
    assert "\x1b" not in answer.out


def test_top_as_json(cli, training):
    document = json.loads(cli("top", "--json").out)
    (run,) = document["runs"]
    assert (document["schema"], document["problems"]) == (1, [])
    assert (run["name"], run["status"], run["end_time"]) == ("training", "running", None)
    assert 0 <= run["elapsed_ms"] < 600_000


def test_top_without_runs_says_so(cli, record):
    record("finished", {"loss": [1.0]})
    answer = cli("top")
    assert (answer.code, answer.out) == (0, "")
    assert answer.err == "gittrack: no run is in progress; all runs: gittrack ls\n"
    assert json.loads(cli("top", "--json").out)["runs"] == []


def test_top_is_refreshed_in_place_until_q(window, training):
    top = window("top", "-n", "0.1")
    top.until(re.escape(ENTER))
    for _ in range(3):
        page = top.until(r"1 run in progress.*q quits[\s\S]*training[\s\S]*\x1b\[J")
    assert "running" in page
    training.stop()
    top.until(r"0 runs in progress[\s\S]*waiting for one to begin")
    top.type("q")
    assert top.end() == 0
    assert LEAVE in top.shown
    assert top.shown.endswith(LEAVE)


def test_what_is_typed_is_not_shown(window, training):
    top = window("top", "-n", "0.1")
    top.until("training")
    top.type("xyzzy\r")
    top.until("training[^$]*training")
    top.type("q")
    assert top.end() == 0
    assert "xyzzy" not in top.shown


@pytest.mark.parametrize(("signal_number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_leaves_the_terminal_as_it_was(window, training, signal_number, code):
    top = window("top", "-n", "60")
    top.until("training")
    top.process.send_signal(signal_number)
    assert top.end() == code
    assert LEAVE in top.shown


def test_ctrl_c_is_130(window, training):
    top = window("top", "-n", "60")
    top.until("training")
    top.type("\x03")
    assert top.end() == 130
    assert LEAVE in top.shown


def test_a_page_follows_the_size_of_the_terminal_at_once(window, training):
    watch = window("watch", "training", "-m", "loss", "-n", "60", size=(24, 80))
    page = watch.until(r"\x1b\[J")
    assert max(map(len, _plain(page))) == 79
    watch.resize(16, 50)
    page = watch.until(r"\x1b\[J")
    assert max(map(len, _plain(page))) == 49
    assert len(_plain(page)) <= 16
    watch.type("q")
    assert watch.end() == 130


def test_a_page_higher_than_the_terminal_is_cut(window, training):
    watch = window("watch", "training", "-n", "60", size=(8, 60))
    page = watch.until(r"\x1b\[J")
    assert len(_plain(page)) == 8
    assert re.search(r"\.\.\. \d+ more lines", page)
    watch.type("q")
    watch.end()


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_ctrl_z_gives_the_terminal_back_and_fg_takes_it_again(window, training):
    job = f"set -m; {shlex.quote(sys.executable)} -m gittrack top -n 60; echo stopped $?; stty -a; fg; echo ended $?"
    shell = window("-c", job, command=("bash",))
    shell.until(r"training[\s\S]*\x1b\[J")
    shell.type("\x1a")
    shell.until(re.escape(LEAVE) + r"[\s\S]*stopped 148[\s\S]* icanon [\s\S]* echo ")
    shell.until(re.escape(ENTER) + r"[\s\S]*training[\s\S]*\x1b\[J")
    shell.type("q")
    shell.until(re.escape(LEAVE) + r"[\s\S]*ended 0")
    assert shell.end() == 0


def _plain(page):
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", page.rpartition("\x1b[H")[2])
    return text.replace("\r\n", "\n").split("\n")


# watch ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fail", "code", "status"), [(False, 0, "finished"), (True, 1, "failed")])
def test_watch_ends_with_the_run_and_leaves_its_last_page(window, training, fail, code, status):
    watch = window("watch", "training", "-n", "0.1", "-m", "loss", "-m", "later")
    page = watch.until(r"training[\s\S]*running[\s\S]*not logged\S* +later[\s\S]*loss[\s\S]*\x1b\[J")
    assert "experiment" in page
    training.stop(fail=fail)
    assert watch.end() == code
    final = watch.shown.rpartition(LEAVE)[2]
    assert f"training\x1b[0m  \x1b[{'32' if code == 0 else '31'}m{status}" in final
    assert re.search(r"last 0\.\d+  min", final)
    assert "next: gittrack show " in final


def test_watch_tells_of_a_process_that_dies(window, training):
    watch = window("watch", "training", "-n", "0.1")
    watch.until("running")
    training.process.kill()
    assert watch.end() == 1
    assert "crashed" in watch.shown.rpartition(LEAVE)[2]


def test_leaving_watch_leaves_the_run_alone(window, training):
    watch = window("watch", "training", "-n", "60")
    watch.until("running")
    watch.type("\x03")
    assert watch.end() == 130
    assert "goes on; next: gittrack watch " in watch.shown
    assert training.process.poll() is None


def test_watch_waits_quietly_when_piped(repo, training, project_env):
    watch = subprocess.Popen(
        [sys.executable, "-m", "gittrack", "watch", "training", "-n", "0.1"],
        env=project_env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    assert re.fullmatch("gittrack: waiting until run [0-9a-f]{8} ends\n", watch.stderr.readline())
    training.stop()
    out, err = watch.communicate(timeout=60)
    assert watch.returncode == 0
    assert out.startswith("training  finished\n")
    assert "\x1b" not in out
    assert re.fullmatch("gittrack: next: gittrack show [0-9a-f]{8}\n", err)


def test_watch_once_shows_a_run_as_it_is(cli, training):
    answer = cli("watch", "training", "--once")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith("training  running\n")
    training.stop()
    assert cli("watch", "training", "--once").out.startswith("training  finished\n")


def test_watch_of_a_run_that_has_ended_is_its_page_and_its_code(cli, repo):
    with pytest.raises(RuntimeError), gittrack.start_run(name="bad"):
        raise RuntimeError("as asked")
    answer = cli("watch", "bad")
    assert answer.code == 1
    assert answer.out.startswith("bad  failed\n")
    assert "  no metrics\n" in answer.out
    assert cli("watch", "nobody").code == 3


def test_watch_of_a_metric_that_an_ended_run_never_had_is_an_error(cli, record):
    record("done", {"loss": [1.0, 0.5], "val/loss": [1.0, 0.6]})
    answer = cli("watch", "done", "-m", "los")
    assert (answer.code, answer.out) == (3, "")
    assert answer.err == "gittrack: error: run 'done' has no metric 'los'\nhint: did you mean 'loss'?\n"
    assert cli("watch", "done", "-m", "val/*").out.splitlines()[-1].startswith("  done  last 0.6")
    assert cli("watch", "done", "--by", "time", "--log-x").code == 2


def test_a_small_terminal_shows_a_chart_before_facts(window, training):
    watch = window("watch", "training", "-n", "60", size=(10, 40))
    page = _plain(watch.until(r"\x1b\[J"))
    assert len(page) <= 10
    assert re.fullmatch(r"training  running  [0-9.ms]+  step \d+", page[0])
    assert "└" in "".join(page)
    assert "last" in page[-1]
    watch.type("q")
    watch.end()


def test_top_shows_metrics_whole_or_not_at_all(in_terminal, repo):
    with gittrack.start_run(name="a-rather-long-name-of-a-run", experiment="digits/baseline") as run:
        for step in range(16):
            for name in ("acc", "loss", "val/loss"):
                run.log_metric(name, 0.0138912 + step / 7, step=step)
        for columns, shown in ((80, 1), (120, 2), (150, 3)):
            text, _ = in_terminal("top", "--once", columns=columns)
            line = re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()[1].rstrip()
            assert len(re.findall("2\\.157 [▁▂▃▄▅▆▇█]{8}(?:  |$)", line)) == shown, line
            assert len(line) <= columns


def test_a_dumb_terminal_gets_no_control_sequences(in_terminal, training):
    shown, code = in_terminal("top", env={"TERM": "dumb"})
    assert code == 0
    assert "training" in shown
    assert "\x1b" not in shown


def test_names_of_a_live_run_cannot_control_the_terminal(cli, repo):
    with gittrack.start_run(name="live") as run:
        run.log_metric("lo\x1b[2Jss", 1.0)
        for words in (("top",), ("watch", "live", "--once")):
            answer = cli(*words)
            assert "lo\\x1b[2Jss" in answer.out
            assert "\x1b" not in answer.out

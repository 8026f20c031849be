"""Every other way in which a run can end, and logging from threads and forked processes."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

import gittrack
from tests.concurrency.harness import assert_sound, environment, python, user_state, wait_for

WAIT = """
import gittrack, sys, time
{before}
run = gittrack.start_run()
for step in range(10):
    gittrack.log_metric("loss", 0.5, step=step)
print("logged", file=open(sys.argv[1], "w"))
{after}
while True:
    time.sleep(0.01)
"""


def _signalled(repo, tmp_path, number, before="", after=""):
    told = tmp_path / "told"
    process = subprocess.Popen(
        [sys.executable, "-c", WAIT.format(before=before, after=after), str(told)],
        cwd=repo,
        env=environment(),
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    wait_for(told, "logged")
    process.send_signal(number)
    process.communicate(timeout=120)
    return process.returncode


def _wait_for_the_end():
    """Until the newest run is no longer shown as running; a minute is generous, and the caller looks at the status."""
    end = time.monotonic() + 60
    while gittrack.runs()[0].status.value == "running" and time.monotonic() < end:
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_the_run_in_order_and_the_process_dies_of_it(repo, tmp_path, number):
    before = user_state(repo)
    assert _signalled(repo, tmp_path, number) == -number
    assert not list((repo / ".git" / "gittrack" / "live").iterdir()), "ended by the process itself"
    (run,) = gittrack.runs()
    assert run.status.value == "killed"
    assert len(run.history("loss")) == 10
    assert user_state(repo) == before
    assert_sound(repo)


INTERRUPTED = """
import gittrack, random, signal, threading
def interrupt(*_):
    raise KeyboardInterrupt
signal.signal(signal.SIGALRM, interrupt)
run = gittrack.start_run()
over = threading.Event()
def log_beside():
    while not over.is_set():
        run.log_metric("beside", 0.5, 0)
beside = threading.Thread(target=log_beside, daemon=True)
beside.start()
caught = 0
while caught < 300:
    try:
        signal.setitimer(signal.ITIMER_REAL, random.uniform(0.0001, 0.002))
        while True:
            run.log_metric("loss", 0.5, 0)
    except KeyboardInterrupt:
        caught += 1
over.set()
beside.join(20)
assert not beside.is_alive(), "an interrupted point left the journal locked"
run.end()
"""


def test_an_interrupt_at_any_moment_of_a_point_is_raised_and_leaves_other_threads_logging(repo):
    done = python(INTERRUPTED, repo, environment())
    assert (done.returncode, done.stderr.count("Error")) == (0, 0), done.stderr
    (run,) = gittrack.runs()
    assert run.status.value == "finished"
    assert run.file("logs/errors.log") is None


def test_a_signal_ends_a_child_run_and_its_parent(repo, tmp_path):
    before = "parent = gittrack.start_run()\ngittrack.log_metric('x', 1)\nbegin = gittrack.start_run\n"
    before += "gittrack.start_run = lambda: begin(nested=True)"
    assert _signalled(repo, tmp_path, signal.SIGTERM, before=before) == -signal.SIGTERM
    assert not list((repo / ".git" / "gittrack" / "live").iterdir())
    child, parent = gittrack.runs()
    assert (child.status.value, parent.status.value) == ("killed", "killed")
    assert child.record.parent == parent.id


def test_a_signal_while_a_child_run_ends_still_ends_the_parent_in_order(repo):
    script = """
import gittrack, os, signal, threading
parent = gittrack.start_run(name="parent")
child = gittrack.start_run(name="child", nested=True)
import gittrack.store.publish, gittrack.store.live
child._closing.flusher.stop = lambda: os.kill(os.getpid(), signal.SIGTERM)  # at a moment when the child is ending
child.end()
import time
time.sleep(120)
"""
    done = python(script, repo, environment())
    assert done.returncode == -signal.SIGTERM, done.stderr
    assert not list((repo / ".git" / "gittrack" / "live").iterdir())
    assert {run.name: run.status.value for run in gittrack.runs()} == {"parent": "killed", "child": "finished"}


def test_a_handler_of_the_training_is_left_alone(repo, tmp_path):
    before = "import signal\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(7))"
    assert _signalled(repo, tmp_path, signal.SIGTERM, before=before) == 7
    (run,) = gittrack.runs()
    assert run.status.value in ("finished", "failed", "killed")
    assert len(run.history("loss")) == 10


ENDS = {
    "an exception": ("raise ValueError('no')", 1, "failed"),
    "an exception in a with block": ("with run: raise ValueError('no')", 1, "failed"),
    "sys.exit(3) in a with block": ("with run: sys.exit(3)", 3, "failed"),
    "sys.exit(0) in a with block": ("with run: sys.exit(0)", 0, "finished"),
    "the end of the program": ("", 0, "finished"),
    "os._exit": ("os._exit(4)", 4, "crashed"),
    "an exception from a thread": ("t = threading.Thread(target=lambda: 1 / 0); t.start(); t.join()", 0, "finished"),
}


@pytest.mark.parametrize("how", ENDS)
def test_a_run_ends_with_its_program(repo, how):
    code, exit_code, status = ENDS[how]
    script = f"import gittrack, os, sys, threading\nrun = gittrack.start_run()\nrun.log_metric('x', 1)\n{code}\n"
    done = python(script, repo, environment())
    assert done.returncode == exit_code, done.stderr
    left = list((repo / ".git" / "gittrack" / "live").iterdir())
    assert bool(left) == (how == "os._exit")
    (run,) = gittrack.runs()
    assert run.status.value == status
    assert run.metrics == {"x": 1.0}
    if "exception in" in how or how == "an exception":
        assert run.record.error == "ValueError: no"
        assert b"line 4, in <module>" in (run.file("logs/traceback.txt") or b"")


def test_sys_exit_without_a_with_block_is_a_failure(repo):
    done = python("import gittrack, sys\ngittrack.start_run()\nsys.exit(3)", repo, environment())
    assert done.returncode == 3
    (run,) = gittrack.runs()
    assert (run.status.value, run.record.exit_code) == ("failed", 3)


FORK = """
import gittrack, multiprocessing, os, signal, sys
run = gittrack.start_run()
run.log_metric("parent", 0, step=0)

def work(number):
    for step in range(200):
        gittrack.log_metric(f"child{number}", step * number, step=step)
    gittrack.log_metric("all", number, step=number)
    gittrack.log_param(f"p{number}", number)
    gittrack.set_tag(f"t{number}", "x")

context = multiprocessing.get_context("fork")
children = [context.Process(target=work, args=(n,)) for n in range(4)]
for child in children: child.start()
for child in children: child.join()

pid = os.fork()
if pid == 0:
    gittrack.log_metric("exiting", 1.0)
    sys.exit(0)
os.waitpid(pid, 0)
assert run.active

pid = os.fork()
if pid == 0:
    gittrack.log_metric("killed", 1.0)
    os.kill(os.getpid(), signal.SIGKILL)
os.waitpid(pid, 0)

pid = os.fork()
if pid == 0:
    run.end()
    gittrack.end_run()
    os._exit(0)
os.waitpid(pid, 0)
assert run.active
assert gittrack.runs()[0].status.value == "running"
run.log_metric("parent", 1, step=1)
run.end()
"""


def test_forked_children_log_into_the_run_and_do_not_end_it(repo):
    done = python(FORK, repo, environment())
    assert (done.returncode, done.stderr) == (0, done.stderr)
    (run,) = gittrack.runs()
    assert run.status.value == "finished"
    for number in range(4):
        series = run.history(f"child{number}")
        assert list(series.values) == [step * number for step in range(200)]
        assert run.params[f"p{number}"] == number
        assert run.tags[f"t{number}"] == "x"
    assert sorted(run.history("all").values) == [0, 1, 2, 3]
    assert (run.metrics["exiting"], run.metrics["killed"], run.metrics["parent"]) == (1, 1, 1)
    assert_sound(repo)


def test_a_forked_child_that_outlives_a_killed_parent_loses_nothing(repo, tmp_path):
    told = tmp_path / "told"
    script = """
import gittrack, os, signal, sys, time
run = gittrack.start_run()
pid = os.fork()
if pid == 0:
    gittrack.log_metric("child", 0.0, step=0)
    os.kill(os.getppid(), signal.SIGKILL)
    for step in range(1, 50):
        gittrack.log_metric("child", step, step=step)
    end = time.monotonic() + 120
    while not os.path.exists(sys.argv[1]) and time.monotonic() < end:
        time.sleep(0.01)
    os._exit(0)
time.sleep(120)
"""
    parent = subprocess.Popen([sys.executable, "-c", script, str(told)], cwd=repo, env=environment())
    assert parent.wait(120) == -9
    assert gittrack.runs()[0].status.value == "running", "its child still writes"
    told.write_text("go")
    _wait_for_the_end()
    (run,) = gittrack.runs()
    assert run.status.value == "crashed"
    assert list(run.history("child").values) == list(range(50))


def test_eight_threads_log_a_thousand_points_each_into_one_run(repo):
    import threading

    with gittrack.start_run() as run:

        def work(number):
            for step in range(1000):
                run.log_metric("shared", number, step=step)
                run.log_metric(f"own{number}", step, step=step)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    (saved,) = gittrack.runs()
    shared = saved.history("shared")
    assert len(shared) == 8000
    assert sorted(zip(shared.steps, shared.values, strict=True)) == [(s, n) for s in range(1000) for n in range(8)]
    assert all(list(saved.history(f"own{n}").values) == list(range(1000)) for n in range(8))


def test_runs_of_eight_threads_keep_apart(repo):
    import threading

    def work(number):
        with gittrack.start_run(name=f"thread-{number}"):
            for step in range(100):
                gittrack.log_metric("loss", number * 1000 + step)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    runs = {run.name: run for run in gittrack.runs()}
    assert sorted(runs) == [f"thread-{n}" for n in range(8)]
    for number in range(8):
        values = list(runs[f"thread-{number}"].history("loss").values)
        assert values == [number * 1000 + step for step in range(100)]
    assert_sound(repo)


JOINED = """
import gittrack
with gittrack.start_run(params={"inner": 1}) as run:
    run.log_metric("loss", 0.25)
    print("id", run.id)
"""


def test_a_start_run_inside_gittrack_run_joins_it(repo, gittrack_cli):
    (repo / "job.py").write_text(JOINED)
    done = gittrack_cli("run", "--", sys.executable, "job.py", cwd=repo)
    assert done.returncode == 0, done.stderr
    (run,) = gittrack.runs()
    assert f"id {run.id}" in done.stdout
    assert (run.params["inner"], run.metrics["loss"], run.status.value) == (1, 0.25, "finished")


def test_killing_gittrack_run_leaves_the_run_to_the_program_inside(repo, tmp_path):
    (repo / "job.py").write_text(
        "import gittrack, os, signal, time\nrun = gittrack.start_run()\nrun.log_metric('x', 1)\n"
        "os.kill(os.getppid(), signal.SIGKILL)\nend = time.monotonic() + 120\n"
        f"while not os.path.exists({str(tmp_path / 'told')!r}) and time.monotonic() < end: time.sleep(0.01)\n"
        "run.log_metric('x', 2)\nrun.end()\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "gittrack", "run", "--", sys.executable, "job.py"],
        cwd=repo,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == -9
    assert gittrack.runs()[0].status.value == "running"
    (tmp_path / "told").write_text("go")
    _wait_for_the_end()
    (run,) = gittrack.runs()
    assert run.status.value == "finished", "as the program inside said"
    assert list(run.history("x").values) == [1, 2]


def test_a_run_that_is_open_while_git_collects_garbage_keeps_its_snapshot(repo, git):
    (repo / "train.py").write_text("dirty\n")
    run = gittrack.start_run()
    run.log_metric("x", 1)
    git("gc", "--quiet", "--prune=now", cwd=repo)
    git("reflog", "expire", "--expire=now", "--all", cwd=repo)
    git("gc", "--quiet", "--prune=now", cwd=repo)
    run.end()
    (saved,) = gittrack.runs()
    assert git("show", f"{saved.commit}^:train.py", cwd=repo) == "dirty\n"
    assert saved.record.code.commit == git("rev-parse", f"{saved.commit}^", cwd=repo).strip()
    assert_sound(repo)


STRAGGLER = """
import os, time, gittrack
run = gittrack.start_run(name="parent")
ready, go = os.pipe(), os.pipe()
if os.fork() == 0:
    run.log_metric("from_child", 1.0)
    os.write(ready[1], b"x")
    os.read(go[0], 1)
    os._exit(0)
os.read(ready[0], 1)
run.end()
os.write(go[1], b"x")
os.wait()
"""


def test_the_end_of_a_run_says_that_a_forked_process_still_logs_to_it(repo, project_env):
    done = subprocess.run(
        [sys.executable, "-c", STRAGGLER], env=project_env, capture_output=True, text=True, check=True
    )
    assert "1 other process(es) still log to the run that ends" in done.stderr
    assert gittrack.get_run("parent").metrics == {"from_child": 1.0}


def test_what_is_written_to_a_closed_stderr_does_not_reach_the_journal(repo, git):
    script = (
        "import gittrack, os\n"
        "run = gittrack.start_run(name='daemon')\n"
        "for step in range(100): run.log_metric('loss', step, step=step)\n"
        "for file in (0, 1, 2):\n"
        "    try: os.write(file, b'x' * 10000)\n"
        "    except OSError: pass\n"
        "run.end()\n"
    )
    command = ["sh", "-c", f'{sys.executable} -c "$0" <&- >&- 2>&-', script]
    done = subprocess.run(command, cwd=repo, env=environment(), check=False, timeout=120)
    assert done.returncode == 0
    (run,) = gittrack.runs()
    assert (run.status.value, list(run.history("loss").values)) == ("finished", list(range(100)))

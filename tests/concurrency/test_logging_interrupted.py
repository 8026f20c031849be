"""Signals and forks in the middle of a logging call: nothing waits for a lock that nobody gives back."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time

import pytest

import gittrack
from tests.concurrency.harness import assert_sound, environment, python, wait_for

CALLS = {
    "log_param": "run.log_param(f'a{n}', n)",
    "log_params": "run.log_params({f'a{n}': {'b': n, 'c': 'text'}})",
    "log_metric": "run.log_metric(f'm{n % 50}', n)",
    "log_metrics": "run.log_metrics({f'm{n % 50}': n, 'loss': 0.5})",
    "set_tag": "run.set_tag(f'tag{n % 50}', n)",
    "set_note": "run.set_note(f'note {n}')",
    "log_output": "run.log_output(b'step %d password=hunter2 https://me:pw@host/x\\n' % n * 20 + b'unfinished')",
    "log_artifact": "run.log_artifact('train.py', f'folder{n % 50}')",
    "log_artifacts": "run.log_artifacts('folder')",
    "log_text": "run.log_text('text', f'{n % 50}.txt')",
    "log_dict": "run.log_dict({'n': n}, f'{n % 50}.toml')",
    "log_figure": "run.log_figure(Figure(), 'figure.png')",
    "log_image": "run.log_image(Image(), 'image.png')",
    "log_table": "run.log_table({'a': [1, 2]}, 'table.csv')",
    "log_artifact_uri": "run.log_artifact_uri(f's3://bucket/{n % 50}', digest='md5:' + 'a' * 32)",
    "log_input": "run.log_input('train.py', name=f'in{n % 50}')",
}
LOGGING = """
import gittrack, itertools, os, sys, threading
class Figure:
    def savefig(self, file, **options): file.write(b"figure" * 100)
class Image:
    mode = "L"
    def save(self, file, **options): file.write(b"image" * 100)
os.makedirs("folder", exist_ok=True)
for n in range(10):
    open(f"folder/{{n}}.txt", "w").write("file")
run = gittrack.start_run()
def log(n):
    {call}
def log_on():
    for n in itertools.count(1):
        log(n)
if {beside}:
    threading.Thread(target=log_on, daemon=True).start()
log(0)
print("logging", file=open(sys.argv[1], "w"))
log_on()
"""


def _end_at_a_random_moment(repo, told, program):
    told.unlink(missing_ok=True)
    process = subprocess.Popen([sys.executable, "-c", program, str(told)], cwd=repo, env=environment(), stderr=-1)
    try:
        wait_for(told, "logging")
        time.sleep(random.uniform(0, 0.03))
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)  # seconds: the process must not wait for itself
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == -signal.SIGTERM
    run = gittrack.runs()[0]
    assert run.status.value == "killed"
    return run


@pytest.mark.parametrize("method", sorted(CALLS))
def test_sigterm_in_the_middle_of_a_logging_call_ends_the_run_as_killed(repo, tmp_path, method):
    program = LOGGING.format(call=CALLS[method], beside=False)
    for _ in range(6 if method == "log_output" else 1):
        _end_at_a_random_moment(repo, tmp_path / "told", program)
    assert_sound(repo)


def test_every_logging_method_is_interrupted_here():
    methods = {name for name in dir(gittrack.Run) if name.startswith(("log_", "set_"))}
    # set_tags is set_tag; what log_model writes goes the way of log_artifacts, after seconds of loading a library.
    assert methods - {"set_tags", "log_model"} == set(CALLS)


@pytest.mark.parametrize("method", ["log_output", "log_param"])
def test_sigterm_while_another_thread_holds_a_lock_and_waits_for_the_journal(repo, tmp_path, method):
    program = LOGGING.format(call=CALLS[method], beside=True)
    for _ in range(4):
        run = _end_at_a_random_moment(repo, tmp_path / "told", program)
        assert b"hunter2" not in (run.file("logs/output.txt") or b"")
    assert_sound(repo)


def test_what_was_logged_before_the_interrupted_call_is_kept_once_and_whole(repo, tmp_path):
    call = "run.log_output(b'line %d\\n' % n); open('done', 'w').write(str(n))"
    for _ in range(3):
        run = _end_at_a_random_moment(repo, tmp_path / "told", LOGGING.format(call=call, beside=False))
        lines = run.file("logs/output.txt").split(b"\n")
        written = (repo / "done").read_text()
        assert lines[:-1] == [b"line %d" % n for n in range(len(lines) - 1)] and lines[-1] == b""
        assert not written or len(lines) - 1 > int(written)


FORKING = """
import gittrack, os, sys, threading, time
run = gittrack.start_run()
begun = threading.Event()
class Finder:  # the first import of the thread below begins here, and takes a while
    def find_spec(self, name, path=None, target=None):
        if name == sys.argv[1] and not begun.is_set():
            begun.set()
            time.sleep(0.3)
sys.meta_path.insert(0, Finder())
def log():
    run.log_output(b"of the parent\\n")
    run.log_image([[0]], "image.png")
    run.log_metric("odd", "no number")
    run.log_input("train.py")
thread = threading.Thread(target=log)
thread.start()
assert begun.wait(20)
pid = os.fork()
if pid == 0:
    try:
        run.log_output(b"of the child\\n")
        run.log_dict({"a": 1}, "a.toml")
        run.log_metric("odd", "no number")
        run.log_input("train.py")
    finally:
        os._exit(0)
for _ in range(200):
    if os.waitpid(pid, os.WNOHANG)[0]:
        break
    time.sleep(0.05)
else:
    os.kill(pid, 9)
    sys.exit("the child hangs")
thread.join()
run.end()
"""


@pytest.mark.parametrize(
    "module",
    [
        *("gittrack.core.redact_stream", "gittrack.artifacts.bytes_store", "gittrack.api.rendering"),
        *("gittrack.capture.failure", "gittrack.capture.inputs"),
    ],
)
def test_a_fork_while_a_thread_is_in_its_first_logging_call_leaves_a_child_that_logs(repo, module):
    done = python(FORKING, repo, environment(), module)
    assert done.returncode == 0, done.stderr
    output = gittrack.runs()[0].file("logs/output.txt")
    assert b"of the parent" in output and b"of the child" in output


LATE = """
import gittrack, os, sys
run = gittrack.start_run()
pid = os.fork()
if pid == 0:
    before = set(sys.modules)
    run.log_output(b"x\\n"); run.log_output(b"y\\n")
    run.log_artifacts("."); run.log_artifact("train.py"); run.log_text("x", "x"); open("big", "w").write("x" * 200_000)
    run.log_artifact("big"); run.log_dict({}, "a.json"); run.log_dict({}, "a.toml"); run.log_table({"a": [1]}, "a.csv")
    run.log_input("train.py"); run.log_input("https://host/data?s=1"); run.log_metric("a", "b"); run.log_metric("a", 1)
    run.log_param("p", 1); run.log_param("p", 2); run.log_params({"a": object()}); run.set_tag("a", "b"); run.seed(1)
    run.set_note("note"); run.rename("new"); run.log_figure(1, "figure.png"); run.log_artifact("missing")
    run.log_artifact_uri("s3://bucket/x"); run.log_artifact_uri("train.py")
    print(*sorted(set(sys.modules) - before))
    sys.stdout.flush()
    os._exit(0)
os.waitpid(pid, 0)
run.end()
"""


def test_a_forked_child_has_nothing_left_to_import_when_it_logs(repo):
    done = python(LATE, repo, environment())
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []

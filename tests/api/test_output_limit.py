"""How much output a run keeps of what ``log_output`` is given, and how."""

from __future__ import annotations

import os
import random
import threading

import pytest

import gittrack
from gittrack.core.records import Person
from gittrack.git.repository import Repository

KEY = b"password=hunter2\n"


@pytest.fixture(params=[1 << 20, 3 << 20])
def limit(request, monkeypatch):
    monkeypatch.setenv("GITTRACK_OUTPUT_LIMIT", str(request.param))
    return request.param


def _output(name="first"):
    return gittrack.get_run(name).file("logs/output.txt")


def test_of_too_much_output_the_beginning_and_the_end_are_kept(repo, limit):
    lines = [b"line %d of the output\n" % number for number in range(300_000)]
    whole = b"".join(lines)
    with gittrack.start_run(name="first") as run:
        while lines:
            count = random.randint(1, 30_000)
            run.log_output(b"".join(lines[:count]))
            del lines[:count]
    half = limit // 2
    told = f"\n[gittrack: {len(whole) - limit} bytes of output left out]\n".encode()
    assert _output() == whole[:half] + told + whole[-(limit - half) :]


def test_output_within_the_limit_is_kept_byte_by_byte(repo, limit):
    data = os.urandom(200_000).hex().encode() + b"\nunfinished"
    with gittrack.start_run(name="first") as run:
        run.log_output(data[:1000])
        run.log_output(data[1000:])
    assert len(_output()) == len(data) and _output().endswith(b"\nunfinished")


def test_one_call_with_more_than_a_record_holds_keeps_both_ends_and_no_secret(repo, limit, capsys):
    line = b"epoch 1 loss 0.5\n"
    data = b"begin\n" + KEY + line * ((70 << 20) // len(line)) + KEY + b"end"
    with gittrack.start_run(name="first", strict=True) as run:
        run.log_output(data)
    kept = _output()
    assert kept.startswith(b"begin\npassword=***\n") and kept.endswith(b"password=***\nend")
    assert abs(len(kept) - limit) < 100 and b"hunter2" not in kept
    assert "log_output" not in capsys.readouterr().err


def test_threads_that_log_output_at_once_lose_nothing(repo):
    def log(number):
        for count in range(300):
            run.log_output(b"thread %d line %d\n" % (number, count))

    with gittrack.start_run(name="first") as run:
        threads = [threading.Thread(target=log, args=[number]) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(_output().splitlines()) == sorted(
        b"thread %d line %d" % (number, count) for number in range(4) for count in range(300)
    )


def test_show_tells_of_output_that_is_too_large_and_shows_the_rest(repo, gittrack_cli):
    with gittrack.start_run(name="first") as run:
        run.log_param("lr", 0.5)
        run.log_output(b"x\n")
    found = Repository.discover(repo)
    commit = gittrack.get_run("first").commit
    files = {entry.path: entry.id for entry in found.objects.list_tree(commit)}
    files["logs/output.txt"] = found.objects.write_blob(b"line\n" * (14 << 20))
    old = found.objects.read_commit(commit)
    changed = found.objects.write_commit(
        found.objects.write_tree(files), old.parents, old.message, Person("a", "a@b"), old.author_time
    )
    found.refs.update(f"refs/runs/inbox/{run.id}", changed, commit)
    done = gittrack_cli("show", "first")
    assert done.returncode == 0, done.stderr
    assert "lr" in done.stdout
    assert f"has {5 * (14 << 20)} bytes" in done.stdout and f"git show {changed}:logs/output.txt" in done.stdout

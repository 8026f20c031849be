"""The file of the index among many processes, and among things that are not gittrack."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import gittrack
from gittrack.api import run_index
from gittrack.api.project import Project
from gittrack.api.run_index import ask
from gittrack.api.search import Search, count_runs, search
from gittrack.core.query.parser import parse_query
from gittrack.git.refs import RefStore

QUERIES = [
    "",
    "params.model = 'xgb'",
    "not (params.model = 'xgb')",
    "params.n >= 3",
    "metrics.loss > 0.2",
    "tags.team = 'a'",
    "name like 'run-1%'",
    "status = 'finished'",
]


def index_file() -> Path:
    return Project.open().layout.index_file


def make(name: str, number: int = 0) -> str:
    model = ("xgb", "rf", "mlp")[number % 3]
    with gittrack.start_run(name=name, strict=True, params={"n": number, "model": model}) as run:
        run.log_metric("loss", number / 10)
        run.set_tag("team", "ab"[number % 2])
    return run.id


def names(query: str = "") -> list[str]:
    project = Project.open()
    return [run.name for run in search(project, Search(parse_query(query, now=project.now()))).runs]


def answers() -> list[tuple[list[str], int]]:
    project = Project.open()
    return [(names(text), count_runs(project, Search(parse_query(text, now=project.now())))) for text in QUERIES]


def inode() -> int:
    return index_file().stat().st_ino


def changed(write) -> None:
    """Change the file as something would that is not gittrack; not within the tick of the clock of what was before."""
    time.sleep(0.02)
    write()


def test_a_flipped_bit_anywhere_in_the_file_changes_no_answer(repo):
    for number in range(12):
        make(f"run-{number}", number)
    expected = answers()
    dice = random.Random(5)
    for _ in range(25):
        data = bytearray(index_file().read_bytes())
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        changed(lambda data=data: index_file().write_bytes(data))
        assert answers() == expected


def test_a_bit_of_an_entry_of_an_index_of_params_changes_no_answer(repo):
    for number in range(6):
        make(f"run-{number}", number)
    expected = answers()
    data = bytearray(index_file().read_bytes())
    places = [at for at in range(len(data)) if data[at : at + 3] == b"xgb"]
    assert len(places) > 2
    for at in places:
        flipped = bytearray(data)
        flipped[at] ^= 1
        changed(lambda flipped=flipped: index_file().write_bytes(flipped))
        assert answers() == expected


def test_a_copy_of_an_older_state_changes_no_answer(repo, tmp_path):
    make("one")
    assert names() == ["one"]
    shutil.copy2(index_file(), tmp_path / "older")
    make("two")
    assert sorted(names()) == ["one", "two"]
    changed(lambda: shutil.copy2(tmp_path / "older", index_file()))
    assert sorted(names()) == ["one", "two"]


def test_what_gittrack_does_itself_never_costs_a_new_index(repo):
    make("first")
    assert names() == ["first"]
    one = index_file().with_name("index.sqlite-lock").read_text().splitlines()
    for number in range(5):
        make(f"run-{number}", number)
        names()
        names("has artifact 'x'")
        answers()
    other = index_file().with_name("index.sqlite-lock").read_text().splitlines()
    assert one[0] == other[0] == "0"  # how often it was removed
    assert len(one) == len(other) == 2


def test_who_was_killed_while_writing_costs_no_new_index(repo, project_env):
    make("one")
    assert names() == ["one"]
    make("two")
    program = """
import os, signal
from gittrack.api import run_index
from gittrack.api.project import Project
run_index.ask(Project.open(), lambda index: os.kill(os.getpid(), signal.SIGKILL))
"""
    assert subprocess.run([sys.executable, "-c", program], env=project_env, check=False).returncode == -9
    before = inode()
    assert sorted(names()) == ["one", "two"]
    assert inode() == before
    lock = index_file().with_name("index.sqlite-lock").read_text().splitlines()
    assert (lock[0], len(lock)) == ("0", 2)


def test_a_symbolic_link_is_not_followed(repo, tmp_path):
    make("one")
    outside = tmp_path / "outside.sqlite"
    index_file().symlink_to(outside)
    assert names() == names("params.x is null") == ["one"]
    assert not outside.exists()


DAMAGED = """
import sys
from gittrack.api.project import Project
from gittrack.api.search import Search, search
for _ in range(3):
    found = search(Project.open(), Search())
    assert len(found.runs) == 40, len(found.runs)
    assert found.problems == ()
"""


def test_many_processes_that_find_it_damaged_all_answer(repo, project_env):
    for number in range(40):
        make(f"run-{number}", number)
    assert len(names()) == 40
    dice = random.Random(1)
    for turn in range(4):
        data = bytearray(index_file().read_bytes())
        start = 4096 * dice.randrange(1, len(data) // 4096 - 4)
        data[start : start + 16384] = dice.randbytes(16384)
        if turn == 3:
            data = data[: len(data) // 2]
        index_file().write_bytes(data)
        children = [
            subprocess.Popen([sys.executable, "-c", DAMAGED], env=project_env, stderr=subprocess.PIPE) for _ in range(5)
        ]
        errors = [child.communicate()[1].decode() for child in children]
        assert [child.returncode for child in children] == [0] * 5, errors
        with sqlite3.connect(index_file()) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert connection.execute("SELECT count(*) FROM run").fetchone() == (40,)
        connection.close()


def test_an_index_that_somebody_has_open_is_not_removed_under_them(repo):
    make("one")

    def held(index):
        before = inode()
        index.connection.execute("BEGIN")
        (first,) = index.connection.execute("SELECT count(*) FROM run").fetchone()
        os.utime(index_file(), (1, 1))  # whoever comes next takes it for damaged
        other = threading.Thread(target=lambda: seen.append(names()))
        other.start()
        other.join()
        assert inode() == before
        index.connection.execute("ROLLBACK")
        return first

    seen: list[list[str]] = []
    assert names() == ["one"]
    assert ask(Project.open(), held) == 1
    assert seen == [["one"]]
    assert names() == ["one"]


def test_an_index_that_another_version_wrote_is_made_anew_once_it_is_closed(repo):
    make("one")
    assert names() == ["one"]
    with sqlite3.connect(index_file()) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    assert names() == ["one"]
    with sqlite3.connect(index_file()) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() != (99,)
    connection.close()


# -- two at once -----------------------------------------------------------------------------------------------------


def test_a_slower_refresh_takes_no_newer_run_out_again(repo, monkeypatch):
    make("first")
    listed, go_on = threading.Event(), threading.Event()
    original, refreshed = RefStore.list, run_index.refresh

    def listing(self, *prefixes):
        refs = original(self, *prefixes)
        if threading.current_thread().name == "slow" and not listed.is_set():
            listed.set()
            assert go_on.wait(20)
        return refs

    def refreshing(*args):
        refreshed(*args)
        if threading.current_thread() is threading.main_thread():
            go_on.set()  # the slow one writes between our refresh and our question
            slow.join()

    monkeypatch.setattr(RefStore, "list", listing)
    found: list[list[str]] = []
    slow = threading.Thread(target=lambda: found.append(names()), name="slow")
    slow.start()
    assert listed.wait(20)
    make("second")
    monkeypatch.setattr(run_index, "refresh", refreshing)
    assert names() == ["second", "first"]
    monkeypatch.setattr(run_index, "refresh", refreshed)
    assert names() == ["second", "first"]
    assert found == [["second", "first"]]


@pytest.mark.parametrize("query", ["", "has artifact 'x' or params.n = 1"])
def test_a_lock_that_another_process_holds_delays_an_answer_by_seconds_at_most(repo, query):
    for number in range(2):
        make(f"run-{number}", 1)
    assert len(names()) == 2
    holder = sqlite3.connect(index_file(), isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        make("new", 1)
        began = time.monotonic()
        assert names(query) == ["new", "run-1", "run-0"]
        assert time.monotonic() - began < 6
    finally:
        holder.execute("ROLLBACK")
        holder.close()
    assert names(query) == ["new", "run-1", "run-0"]


def test_while_another_process_reads_everything_its_answer_is_waited_for(repo, monkeypatch):
    make("one")
    reading, go_on = threading.Event(), threading.Event()
    from gittrack.api import index_refresh

    original = index_refresh._Refresh._read_run
    readers: list[str] = []

    def read(self, id, listed):
        readers.append(threading.current_thread().name)
        if threading.current_thread().name == "first":
            reading.set()
            assert go_on.wait(20)
        original(self, id, listed)

    monkeypatch.setattr(index_refresh._Refresh, "_read_run", read)
    first = threading.Thread(target=names, name="first")
    first.start()
    assert reading.wait(20)
    threading.Timer(3.5, go_on.set).start()
    assert names() == ["one"]
    first.join()
    assert readers == ["first"]

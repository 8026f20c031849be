"""The index follows the refs: what is in git is found, what is gone is not, and deleting it changes no answer."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import gittrack
from gittrack.api.annotate import delete_run, note_run, rename_run, restore_run, tag_run
from gittrack.api.experiments import rename_experiment
from gittrack.api.maintain import roll_up_now
from gittrack.api.project import Project
from gittrack.api.read import _all_runs
from gittrack.api.run_index import ask
from gittrack.api.search import Search, count_runs, search
from gittrack.core.query.parser import parse_query
from gittrack.core.query.sort_keys import parse_sort_key
from gittrack.errors import UsageError
from gittrack.git.file_system import is_network
from gittrack.index.database import Deadline
from gittrack.store.catalog import read_catalog


def index_file() -> Path:
    return Project.open().layout.index_file


def forget_index() -> None:
    for part in ("", "-wal", "-shm"):
        index_file().with_name(index_file().name + part).unlink(missing_ok=True)


def found(query: str = "", **more):
    project = Project.open()
    return search(project, Search(parse_query(query, now=project.now()), **more))


def names(query: str = "", **more) -> list[str]:
    return [run.name for run in found(query, **more).runs]


def plain(run):
    return run.record, run.commit, run.state, run.conflicts, {k: list(v) for k, v in run.trends.items()}


def check() -> None:
    """All runs are in the index as they are in git, before and after it is made anew."""
    project = Project.open()
    runs, problems = _all_runs(project, read_catalog(project.repo))
    for _ in range(2):
        answer = found(deleted=None)
        assert {run.id: plain(run) for run in answer.runs} == {id: plain(run) for id, run in runs.items()}
        assert sorted(answer.problems, key=str) == sorted(problems, key=str)
        forget_index()


def make(name: str, **more) -> str:
    with gittrack.start_run(name=name, strict=True, **more) as run:
        run.log_metric("loss", 0.5)
    return run.id


def test_what_happens_to_runs_is_found(repo, git):
    first = make("first", params={"lr": 0.1}, experiment="a")
    check()
    second = make("second", experiment="b", tags={"stage": "dev"})
    check()
    project = Project.open()
    tag_run(project, first, {"good": "yes"})
    note_run(project, second, "a long night")
    rename_run(project, second, "zweiter")
    delete_run(project, first)
    check()
    assert (names(), names(deleted=True), names("text('NIGHT')")) == (["zweiter"], ["first"], ["zweiter"])
    restore_run(project, first)
    rename_experiment(project, "a", "alpha")
    check()
    assert names("experiment = 'alpha' and tags.good = 'yes'") == ["first"]
    roll_up_now(project)
    check()
    third = make("third", experiment="alpha")
    with gittrack.start_run(run_id=first, strict=True) as run:
        run.log_metric("loss", 0.25)
    check()
    assert names("metrics.loss < 0.3") == ["first"]
    roll_up_now(project)
    git("update-ref", "-d", "refs/runs/inbox/" + third, cwd=repo)
    check()


def test_a_rewritten_or_removed_ledger_is_read_anew(repo, git):
    for number in range(3):
        make(f"run-{number}")
        roll_up_now(Project.open())
    check()
    (ledger,) = git("for-each-ref", "--format=%(refname)", "refs/runs/local", cwd=repo).split()
    tip = git("rev-parse", ledger, cwd=repo).strip()
    before = git("rev-parse", f"{ledger}~1", cwd=repo).strip()
    git("update-ref", ledger, before, cwd=repo)
    assert sorted(names()) == ["run-0", "run-1"]
    check()
    git("update-ref", ledger, tip, cwd=repo)
    assert sorted(names()) == ["run-0", "run-1", "run-2"]
    git("update-ref", "-d", ledger, cwd=repo)
    assert names() == []
    month = ledger.rpartition("/")[2]
    git("update-ref", f"refs/runs-remote/origin/{month}/ann", tip, cwd=repo)
    assert sorted(names()) == ["run-0", "run-1", "run-2"]
    check()


def test_one_damaged_run_is_told_hides_no_other_and_is_looked_at_again(repo, git):
    good, bad = make("good"), make("bad")
    (file,) = (repo / ".git" / "objects").glob(f"{gittrack.get_run(bad).commit[:2]}/{gittrack.get_run(bad).commit[2:]}")
    data = file.read_bytes()
    assert sorted(names()) == ["bad", "good"]
    forget_index()
    file.chmod(0o644)
    file.write_bytes(data[: len(data) // 2])
    for _ in range(2):
        answer = found()
        assert [run.id for run in answer.runs] == [good]
        assert [problem.where for problem in answer.problems] == [f"refs/runs/inbox/{bad}"]
    file.write_bytes(data)
    answer = found()
    assert (sorted(run.name for run in answer.runs), answer.problems) == (["bad", "good"], ())


def test_live_runs_are_among_the_others(repo):
    make("done", params={"lr": 0.5})
    run = gittrack.start_run(name="live", params={"lr": 0.1}, strict=True)
    run.log_metric("loss", 0.125)
    try:
        assert names() == ["live", "done"]
        assert names("status = 'running' and metrics.loss < 0.2") == ["live"]
        assert names("params.lr >= 0.1", limit=1) == ["live"]
        assert names("params.lr > 0.1") == ["done"]
        assert count_runs(Project.open(), Search()) == 2
        check()
    finally:
        run.end()
    assert names("status = 'finished'") == ["live", "done"]


def test_a_run_that_goes_on_after_it_ended_is_there_once(repo):
    id = make("one")
    with gittrack.start_run(run_id=id, strict=True) as run:
        run.log_metric("loss", 0.25)
        assert names() == ["one"]
        assert names("metrics.loss = 0.25") == ["one"]
        assert names("metrics.loss = 0.5") == []


def test_data_and_artifacts_are_read_when_they_are_asked_for(repo):
    (repo / "data.csv").write_text("a\n")
    with gittrack.start_run(name="one", strict=True) as run:
        run.log_input("data.csv", role="train")
        run.log_text("x", "model/weights.txt")
    make("two")
    assert names("has artifact 'model'") == ["one"]
    assert names("data.train.path = 'data.csv'") == ["one"]
    assert names("inputs.path is null") == ["two"]
    with gittrack.start_run(name="three", strict=True) as run:
        run.log_text("x", "model")
    assert names("has artifact 'model'") == ["three", "one"]


def test_code_that_changed_is_found(repo, git):
    git("commit", "-q", "--allow-empty", "-m", "nothing", cwd=repo)
    make("clean")
    (repo / "train.py").write_text("print('other')\n")
    make("dirty")
    git("commit", "-qam", "other", cwd=repo)
    make("committed")
    (repo / "new").mkdir()
    (repo / "new" / "file.py").write_text("x")
    make("new file")
    assert names("code.changed('train.py')") == ["committed", "dirty"]
    assert names("code.changed('new')") == ["new file"]
    assert names("code.changed('train.py', 'HEAD')") == ["clean"]
    with pytest.raises(UsageError, match="is no revision"):
        names("code.changed('train.py', 'nowhere')")


# -- the file --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(40))
def test_a_flipped_or_cut_file_never_gives_a_wrong_value(repo, seed):
    ids = [make(f"run-{number}", params={"n": number}) for number in range(6)]
    expected = {run.id: plain(run) for run in found().runs}
    with sqlite3.connect(index_file()) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    dice = random.Random(seed)
    data = bytearray(index_file().read_bytes())
    if seed % 8 == 0:
        data = data[: dice.randrange(len(data))]
    else:
        for _ in range(1 + seed % 3):
            data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    index_file().write_bytes(data)
    answer = found()
    assert {run.id: plain(run) for run in answer.runs}.items() <= expected.items()
    assert set(ids) == set(expected)


@pytest.mark.parametrize("content", [b"", b"not a database", b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_file_that_is_no_index_is_made_anew(repo, content):
    make("one")
    index_file().write_bytes(content)
    assert names() == ["one"]


def test_an_index_of_another_version_is_made_anew(repo):
    make("one")
    assert names() == ["one"]
    with sqlite3.connect(index_file()) as connection:
        connection.execute("PRAGMA user_version = 999")
        connection.execute("UPDATE run SET name = 'old'")
    connection.close()
    assert names() == ["one"]


@pytest.mark.parametrize("way", ["folder", "link to nothing"])
def test_where_no_file_can_be_answers_are_the_same(repo, way):
    make("one")
    if way == "folder":
        index_file().mkdir()
    else:
        index_file().symlink_to("/nowhere/at/all")
    assert names() == names("params.x is null") == ["one"]


def test_a_repository_without_runs_gets_no_index(repo):
    assert names() == []
    assert not (repo / ".git" / "gittrack").exists()


def test_runs_that_were_fetched_are_indexed_where_none_was_ever_made(repo, git, tmp_path, monkeypatch):
    make("first")
    git("clone", "-q", str(repo), str(tmp_path / "clone"))
    monkeypatch.chdir(tmp_path / "clone")
    git("fetch", "-q", "origin", "refs/runs/*:refs/runs/*", cwd=tmp_path / "clone")
    assert not index_file().parent.exists()
    assert names() == ["first"]
    assert index_file().exists()
    check()


@pytest.mark.parametrize("moment", ["before the refs are looked at", "after"])
def test_a_run_that_ends_while_it_is_searched_for_is_there_once(repo, monkeypatch, moment):
    from gittrack.api import run_index

    make("other")
    run = gittrack.start_run(name="ending", strict=True)
    run.log_metric("loss", 0.5)
    refreshed = run_index.refresh

    def ending(*args):
        if moment == "after":
            refreshed(*args)
        if run.status == "running":
            run.end()
        if moment != "after":
            refreshed(*args)

    with monkeypatch.context() as patch:
        patch.setattr(run_index, "refresh", ending)
        assert sorted(names()) == ["ending", "other"]
    assert not Project.open().layout.live_run(run.id).exists()
    assert sorted(names()) == ["ending", "other"]


def test_training_writes_no_index(repo):
    make("one")
    with gittrack.start_run(run_id="one", strict=True) as run:
        run.log_metric("loss", 1)
    assert not index_file().exists()


MANY = """
import sys, gittrack
from gittrack.api.project import Project
from gittrack.api.search import Search, search
for number in range(10):
    with gittrack.start_run(name=f"{sys.argv[1]}-{number}") as run:
        run.log_metric("loss", number)
    answer = search(Project.open(), Search(deleted=None))
    mine = {run.name for run in answer.runs if run.name.startswith(sys.argv[1] + "-")}
    assert mine == {f"{sys.argv[1]}-{n}" for n in range(number + 1)}, mine
    assert answer.problems == (), answer.problems
"""


def test_many_processes_log_and_search_at_once(repo, project_env):
    children = [
        subprocess.Popen([sys.executable, "-c", MANY, str(number)], env=project_env, stderr=subprocess.PIPE)
        for number in range(4)
    ]
    errors = [child.communicate()[1] for child in children]
    assert [child.returncode for child in children] == [0] * 4, errors
    assert len(found().runs) == 40
    check()


def test_threads_of_one_process_search_at_once(repo):
    for number in range(5):
        make(f"run-{number}")
    answers = []

    def look() -> None:
        answers.append(len(found().runs))

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [5] * 8


def test_a_killed_refresh_is_done_again(repo, project_env):
    for number in range(5):
        make(f"run-{number}")
    program = """
import os, signal
from gittrack.api import index_refresh, run_index
from gittrack.api.project import Project
seen = []
original = index_refresh._Refresh._read_run
def killed(self, id, listed):
    seen.append(id)
    if len(seen) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    original(self, id, listed)
index_refresh._Refresh._read_run = killed
run_index.ask(Project.open(), lambda index: None)
"""
    done = subprocess.run([sys.executable, "-c", program], env=project_env, check=False)
    assert done.returncode == -9
    assert len(found().runs) == 5


def test_network_file_systems_are_known_by_the_table_of_mounts(tmp_path):
    mounts = tmp_path / "mounts"
    mounts.write_text(
        f"/dev/sda / ext4 rw 0 0\nserver:/x {tmp_path}/a\\040b nfs4 rw 0 0\ntmp {tmp_path}/a\\040b/c tmpfs rw 0 0\n"
    )
    (tmp_path / "a b" / "c").mkdir(parents=True)
    (tmp_path / "a b" / "d").mkdir()
    assert is_network(tmp_path / "a b" / "d", str(mounts))
    assert not is_network(tmp_path / "a b" / "c", str(mounts))
    assert not is_network(tmp_path, str(mounts))
    assert not is_network(tmp_path, str(tmp_path / "none"))


def test_on_a_network_file_system_there_is_no_write_ahead_log(repo, monkeypatch):
    make("one")
    monkeypatch.setattr("gittrack.git.file_system.is_network", lambda folder: True)
    assert names() == ["one"]
    with sqlite3.connect(index_file()) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    connection.close()
    assert sorted(os.listdir(index_file().parent)).count("index.sqlite-wal") == 0


def test_what_asks_sees_one_state(repo):
    make("one")
    assert ask(Project.open(), lambda index: index.connection.execute("SELECT count(*) FROM run").fetchone()) == (1,)


def test_a_query_that_takes_too_long_is_given_up(repo):
    for number in range(3):
        make(f"run-{number}")
    query = " and ".join(["name ~ '(r|u|n|-|0|1|2)*x'"] * 20)
    assert found(query, seconds=30.0).runs == ()
    with pytest.raises(UsageError, match="takes longer than the 1e-09 s"):
        ask(Project.open(), lambda index: slow(index, 1e-9))


def slow(index, seconds):
    with index.reading() as sql, index.limited(Deadline(seconds)):
        sql.execute(
            "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 1e7) SELECT max(x) FROM n"
        ).fetchone()


def test_a_query_of_many_conditions_is_answered(repo):
    make("one", params={f"p{number}": number for number in range(300)})
    several = [f"params.p{number} = {number}" for number in range(300)]
    assert names(" and ".join(several)) == ["one"]
    assert names(" and ".join(several) + " and params.p1 = 2") == []
    assert names(" or ".join(f"params.p{number} = -1" for number in range(300)) + " or params.p7 = 7") == ["one"]
    with pytest.raises(UsageError, match="at most 16 keys"):
        found(order=[parse_sort_key(f"params.p{number}") for number in range(17)])

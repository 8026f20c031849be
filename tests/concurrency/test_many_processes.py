"""Many processes at once, with and without git collecting garbage: nothing finished is lost."""

from __future__ import annotations

import subprocess
import threading

import pytest

import gittrack
from gittrack.api.annotate import rename_run, run_log
from gittrack.api.maintain import doctor, fsck
from gittrack.api.project import Project
from tests.concurrency.harness import Forks, assert_sound, environment, user_state

RUNS = """
import gittrack
for number in range(task["runs"]):
    with gittrack.start_run(name=f"w{task['number']}-{number}") as run:
        run.log_param("number", number)
        for step in range(5):
            run.log_metric("loss", number + step / 10, step=step)
    say(run.id)
"""


def _all_there(ids):
    runs = {run.id: run for run in gittrack.runs()}
    assert sorted(runs) == sorted(ids)
    for run in runs.values():
        number = run.params["number"]
        assert run.status.value == "finished"
        assert list(run.history("loss").values) == [number + step / 10 for step in range(5)]


def _at_once(repo, processes, runs):
    before = user_state(repo)
    with Forks(repo, environment()) as forks:
        codes, ids = forks.run(RUNS, count=processes, runs=runs)
        assert codes == [0] * processes, forks.messages()
        assert len(ids) == processes * runs
        assert "not kept" not in forks.messages()
    _all_there(ids)
    assert user_state(repo) == before
    assert_sound(repo)


def test_two_hundred_processes_finish_a_run_each(repo):
    _at_once(repo, 200, 1)


def test_eight_processes_finish_twenty_five_runs_each(repo):
    _at_once(repo, 8, 25)


@pytest.mark.slow
def test_eight_processes_finish_fifty_runs_each(repo):
    _at_once(repo, 8, 50)


def _with_git_at_work(repo, processes, runs, *commands):
    """Runs while git commands go on in a loop; returns the ids that were acknowledged."""
    stop = threading.Event()

    def work(command):
        while not stop.is_set():
            subprocess.run(["git", *command], cwd=repo, capture_output=True, check=False)
            stop.wait(0.05)

    workers = [threading.Thread(target=work, args=(command,)) for command in commands]
    with Forks(repo, environment()) as forks:
        for worker in workers:
            worker.start()
        try:
            codes, ids = forks.run(RUNS, count=processes, runs=runs)
        finally:
            stop.set()
            for worker in workers:
                worker.join()
        assert codes == [0] * processes, forks.messages()
        assert "not kept" not in forks.messages(), forks.messages()
    assert len(ids) == processes * runs
    return ids


def _healed(repo, ids):
    doctor(Project.open(repo))
    assert fsck(Project.open(repo)) == []
    _all_there(ids)
    assert_sound(repo)


GC, PACK_REFS = ("gc", "--quiet", "--prune=now"), ("pack-refs", "--all")


def test_runs_finish_while_git_packs_refs(repo):
    _all_there(_with_git_at_work(repo, 4, 10, PACK_REFS))
    assert_sound(repo)


def test_runs_that_race_with_gc_are_whole_after_doctor(repo):
    _healed(repo, _with_git_at_work(repo, 6, 12, GC, PACK_REFS))


@pytest.mark.slow
def test_1280_runs_that_race_with_gc_are_whole_after_doctor(repo):
    _healed(repo, _with_git_at_work(repo, 64, 20, GC, PACK_REFS))


TAG = """
import gittrack
from gittrack.api.annotate import tag_run, note_run
from gittrack.api.project import Project
tag_run(Project.open(), task["id"], {f"key{task['number']}": str(task["number"]), "shared": str(task["number"])})
say(task["number"])
"""


def test_processes_that_tag_one_run_at_once_all_succeed(repo):
    with gittrack.start_run() as run:
        run.log_metric("x", 1)
    with Forks(repo, environment()) as forks:
        codes, _ = forks.run(TAG, count=12, id=run.id)
        assert codes == [0] * 12, forks.messages()
    tags = gittrack.get_run(run.id).tags
    assert {f"key{n}": str(n) for n in range(12)}.items() <= tags.items()
    assert tags["shared"] in {str(n) for n in range(12)}
    _, events = run_log(Project.open(), run.id)
    assert len(events) == 24
    assert_sound(repo)


RENAME = """
from gittrack.api.annotate import rename_run
from gittrack.api.project import Project
from gittrack.api import annotate
import pathlib, time
find = annotate.find_run
def found(*arguments, **options):
    run = find(*arguments, **options)
    looked = pathlib.Path(task["looked"])
    (looked / str(task["number"])).touch()
    end = time.monotonic() + 60
    while len(list(looked.iterdir())) < 2 and time.monotonic() < end:  # everyone has looked before anyone writes
        time.sleep(0.01)
    return run
annotate.find_run = found
rename_run(Project.open(), task["id"], f"name-{task['number']}")
"""


def test_a_concurrent_rename_shows_as_a_conflict_until_someone_decides(repo, tmp_path):
    looked = tmp_path / "looked"
    looked.mkdir()
    with gittrack.start_run(name="before") as run:
        pass
    with Forks(repo, environment()) as forks:
        codes, _ = forks.run(RENAME, count=2, id=run.id, looked=str(looked))
        assert codes == [0, 0], forks.messages()
    saved = gittrack.get_run(run.id)
    assert saved.name in ("name-0", "name-1")
    assert len(saved.state.survivors("name")) == 2
    assert rename_run(Project.open(), run.id, "decided").name == "decided"
    assert len(gittrack.get_run(run.id).state.survivors("name")) == 1

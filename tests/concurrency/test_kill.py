"""``kill -9`` at random moments: what a log call returned for is there, and the next command finishes the run."""

from __future__ import annotations

import random
import time

import pytest

import gittrack
from gittrack.api.maintain import doctor, roll_up_now
from gittrack.api.project import Project
from gittrack.core.refs import HOLD_PREFIX, INBOX_PREFIX
from tests.concurrency.harness import Forks, age_locks, assert_sound, environment, new_seed, user_state

TRAIN = """
import gittrack, time
run = gittrack.start_run(params={"lr": 0.1})
say("started " + run.id)
for step in range(400):
    run.log_metric("loss", step * 0.5, step=step)
    say(step)
    if step % 10 == 0:
        time.sleep(0.001)
run.set_tag("end", "near")
say("ending")
run.end()
say("ended")
"""


def _check(said, before):
    """The run of one killed process is as the lines it said demand; returns the ids known now."""
    runs = {run.id: run for run in gittrack.runs()}
    new = set(runs) - before
    started = next((line.split()[1] for line in said if line.startswith("started")), None)
    if started is None:
        assert len(new) <= 1
    else:
        assert new == {started}
    for id in new:
        run = runs[id]
        points = [line for line in said if line.isdigit()]
        steps = list(run.history("loss").steps) if run.metrics else []
        assert steps == list(range(len(steps)))
        assert len(steps) in (len(points), len(points) + 1)
        assert list(run.history("loss").values if steps else []) == [step * 0.5 for step in steps]
        expected = {"finished"} if "ended" in said else {"finished", "crashed"} if "ending" in said else {"crashed"}
        assert run.status.value in expected
        assert "ending" not in said or run.tags == {"end": "near"}
        assert run.commit is not None
    return set(runs)


def _kill_often(repo, rounds, seed):
    chance = random.Random(seed)
    (repo / "train.py").write_text("dirty\n")
    before = user_state(repo)
    known: set[str] = set()
    outcomes = {"not started": 0, "logging": 0, "ending": 0, "ended": 0}
    with Forks(repo, environment()) as forks:
        lasted = 9.0
        for _ in range(3):
            begun = time.monotonic()
            _, said = forks.run(TRAIN)
            lasted = min(lasted, time.monotonic() - begun)
            known = _check(said, known)
        for _ in range(rounds):
            _, said = forks.run(TRAIN, kill_after=chance.uniform(0, 1.2 * lasted))
            known = _check(said, known)
            last = said[-1] if said else ""
            outcomes[last if last in outcomes else "logging" if said else "not started"] += 1
    assert user_state(repo) == before
    age_locks(repo)
    doctor(Project.open(repo))
    assert Project.open(repo).repo.refs.list(HOLD_PREFIX) == []
    assert_sound(repo)
    return outcomes


def test_a_kill_at_any_moment_loses_no_acknowledged_point(repo):
    outcomes = _kill_often(repo, 12, seed=1)
    assert sum(outcomes.values()) == 12


@pytest.mark.slow
def test_two_hundred_kills_lose_no_acknowledged_point(repo):
    outcomes = _kill_often(repo, 200, seed=new_seed())
    assert all(outcomes.values()), f"a phase was never hit: {outcomes}"


END = """
import gittrack
run = gittrack.start_run()
run.log_metrics({f"m{n}": n / 3 for n in range(40)}, step=0)
run.log_text("text", "notes.txt")
say("ending " + run.id)
import os, signal, threading
def die():
    import time
    time.sleep(task["pause"])
    os.kill(os.getpid(), 9)
threading.Thread(target=die).start()
run.end()
say("ended")
"""


def _kill_at_end(repo, rounds, seed):
    chance = random.Random(seed)
    ids = []
    with Forks(repo, environment()) as forks:
        for _ in range(rounds):
            _, said = forks.run(END, pause=chance.uniform(0, 0.03))
            ids.append(said[0].split()[1])
            if chance.random() < 0.5:
                run = gittrack.get_run(ids[-1])
                assert (run.commit, run.status.value, len(run.metrics)) != (None, "finished", 40)
                assert run.status.value == "finished" or said[-1] != "ended"
    runs = {run.id: run for run in gittrack.runs()}
    assert sorted(runs) == sorted(ids)
    for id in ids:
        assert runs[id].metrics == {f"m{n}": n / 3 for n in range(40)}
        assert runs[id].commit is not None
    doctor(Project.open(repo))
    assert_sound(repo)


def test_a_kill_while_a_run_is_published_loses_nothing(repo):
    _kill_at_end(repo, 10, seed=2)


@pytest.mark.slow
def test_a_hundred_kills_while_runs_are_published_lose_nothing(repo):
    _kill_at_end(repo, 100, seed=new_seed())


RESUME = """
import gittrack
run = gittrack.start_run(run_id=task["id"])
say("started")
for step in range(100, 150):
    run.log_metric("loss", 1.0, step=step)
    say(step)
run.end()
say("ended")
"""


def test_a_kill_of_a_resumption_keeps_both_parts(repo):
    with gittrack.start_run() as run:
        for step in range(100):
            run.log_metric("loss", 2.0, step=step)
    chance = random.Random(3)
    count = 100
    with Forks(repo, environment()) as forks:
        for _ in range(6):
            _, said = forks.run(RESUME, id=run.id, kill_after=chance.uniform(0.01, 0.08))
            points = sum(line.isdigit() for line in said)
            (saved,) = gittrack.runs()
            now = saved.metrics and len(saved.history("loss"))
            assert now in (count + points, count + points + 1)
            assert saved.conflicts == ()
            count = now
    age_locks(repo)
    doctor(Project.open(repo))
    assert doctor(Project.open(repo)) == []
    assert_sound(repo)
    assert roll_up_now(Project.open(repo)).problems == []
    assert Project.open(repo).repo.refs.list(INBOX_PREFIX) == []
    assert len(gittrack.get_run(run.id).history("loss")) == count
    # A copy that a kill cut short goes when it is ten minutes old: its process might still be writing it.
    assert [path.name for path in Project.open(repo).layout.done.iterdir() if "." not in path.name] == []


RECOVER = """
import gittrack
say(len(gittrack.runs()))
"""


def test_two_processes_recover_the_same_crashed_runs_at_once(repo):
    (repo / "train.py").write_text("dirty\n")
    script = "import gittrack\nrun = gittrack.start_run()\nfor n in range(500): run.log_metric('x', n)\nsay(run.id)\n"
    with Forks(repo, environment()) as forks:
        codes, ids = forks.run(script, count=12)  # each leaves without an end
        assert codes == [0] * 12, forks.messages()
        codes, said = forks.run(RECOVER, count=4)
        assert codes == [0] * 4, forks.messages()
        assert said == ["12"] * 4
    found = gittrack.runs()
    assert sorted(run.id for run in found) == sorted(ids)
    assert {run.status.value for run in found} == {"crashed"}
    assert all(len(run.history("x")) == 500 and run.conflicts == () for run in found)
    assert_sound(repo)


def test_what_is_logged_between_a_reading_and_a_death_is_not_lost(repo):
    """The folder is read while the process lives, and found dead after: nothing in between may be missing."""
    script = (
        "import gittrack, time\nrun = gittrack.start_run()\nsay(run.id)\n"
        "for n in range(20000): run.log_metric('x', n)\nsay('logged')\n"
    )
    with Forks(repo, environment()) as forks:
        for _ in range(5):
            forks.begin(script)
            while not (found := gittrack.runs()) or found[0].status.value == "running":
                pass
            _, said = forks.end()
            assert len(gittrack.get_run(said[0]).history("x")) == 20000

"""Roll-up at every bad moment: killed, twice at once, with a resumption in between."""

from __future__ import annotations

import random
import time

import pytest

import gittrack
from gittrack.api.annotate import tag_run
from gittrack.api.maintain import doctor, roll_up_now
from gittrack.api.project import Project
from gittrack.core.ledger import MAX_BATCH
from gittrack.core.refs import INBOX_PREFIX, LOCAL_PREFIX
from gittrack.store.catalog import read_catalog, walk_ledger
from tests.concurrency.harness import Forks, assert_sound, environment, new_seed, user_state

RUNS = """
import gittrack
for number in range(task["runs"]):
    with gittrack.start_run(name=f"w{task['number']}-{number}") as run:
        run.log_metric("loss", number)
    say(run.id)
"""
ROLL_UP = """
from gittrack.api.maintain import roll_up_now
from gittrack.api.project import Project
result = roll_up_now(Project.open())
say(f"{result.runs} {result.events} {len(result.problems)}")
"""


def _make(repo, processes, runs, tags=0):
    with Forks(repo, environment()) as forks:
        codes, ids = forks.run(RUNS, count=processes, runs=runs)
    assert codes == [0] * processes
    for id in ids[:tags]:
        tag_run(Project.open(), id, {"tagged": "yes"})
    return ids


def _listing(repo):
    return [(run.id, run.commit, run.name, run.metrics, run.tags) for run in gittrack.runs()]


def _inbox(repo):
    return Project.open(repo).repo.refs.list(INBOX_PREFIX)


def _rows(repo):
    opened = Project.open(repo).repo
    return [row for _, tip in opened.refs.list(LOCAL_PREFIX) for row in walk_ledger(opened, tip)]


def _done(repo):
    return sorted((repo / ".git" / "gittrack" / "done").iterdir())


def _loose(git, repo):
    return int(git("count-objects", cwd=repo).split()[0])


def _rolls_up(repo, git, processes, runs, tags):
    (repo / "train.py").write_text("dirty\n")
    ids = _make(repo, processes, runs, tags)
    before, user = _listing(repo), user_state(repo)
    loose = _loose(git, repo)
    result = roll_up_now(Project.open(repo))
    assert (result.runs, result.events, result.problems) == (len(ids), tags, [])
    assert _listing(repo) == before
    assert (_inbox(repo), _done(repo)) == ([], [])
    assert sorted(row.id for row in _rows(repo) if row.kind == "run") == sorted(ids)
    assert _loose(git, repo) < loose / 10
    assert user_state(repo) == user
    assert_sound(repo)
    git("gc", "--quiet", "--prune=now", cwd=repo)
    assert _listing(repo) == before
    assert_sound(repo)
    opened = Project.open(repo).repo
    for _, tip in opened.refs.list(LOCAL_PREFIX):
        commits = git("rev-list", "--first-parent", tip, cwd=repo).split()
        assert all(len(opened.objects.read_commit(commit).parents) <= MAX_BATCH + 1 for commit in commits)
    assert roll_up_now(Project.open(repo)).runs == 0


def test_roll_up_moves_runs_and_events_and_changes_nothing_that_is_shown(repo, git, monkeypatch):
    monkeypatch.setattr("gittrack.store.rollup.MAX_BATCH", 25)
    _rolls_up(repo, git, 4, 15, tags=6)  # three batches


@pytest.mark.slow
def test_roll_up_moves_six_hundred_runs_and_their_events(repo, git):
    _rolls_up(repo, git, 4, 140, tags=40)


def _survives_kills(repo, rounds, runs, seed):
    chance = random.Random(seed)
    ids: list[str] = []
    with Forks(repo, environment()) as forks:
        forks.run("import gittrack.api.maintain")
        for _ in range(rounds):
            ids += forks.run(RUNS, count=2, runs=runs)[1]
            before = _listing(repo)
            _, said = forks.run(ROLL_UP, kill_after=chance.uniform(0.01, 0.01 + 0.004 * max(runs, 10)))
            assert _listing(repo) == before, said
            assert not read_catalog(Project.open(repo).repo).problems
            time.sleep(0.02)  # a git that the killed process began goes on for a moment
    assert sorted(entry[0] for entry in _listing(repo)) == sorted(ids)
    result = roll_up_now(Project.open(repo))
    assert result.problems == []
    assert (_inbox(repo), _done(repo)) == ([], [])
    assert sorted(row.id for row in _rows(repo)) == sorted(ids), "each once"
    assert_sound(repo)


def test_a_roll_up_that_is_killed_loses_nothing_and_the_next_goes_on(repo):
    _survives_kills(repo, 8, 8, seed=4)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_two_hundred_roll_ups_that_are_killed_lose_nothing(repo):
    _survives_kills(repo, 200, 1, seed=new_seed())


def test_a_roll_up_cut_between_ledger_and_inbox_goes_on(repo, git):
    """A power loss in git's own transaction: the ledger moved, some inbox refs are still there."""
    ids = _make(repo, 1, 6)
    inbox = _inbox(repo)
    copies = {path: path.read_bytes() for path in _done(repo)}
    roll_up_now(Project.open(repo))
    before = _listing(repo)
    for name, commit in inbox[:4]:
        git("update-ref", name, commit, cwd=repo)
    for path, data in copies.items():
        path.write_bytes(data)
    assert _listing(repo) == before
    more = _make(repo, 1, 2)
    result = roll_up_now(Project.open(repo))
    assert (result.runs, result.problems) == (2, [])
    assert (_inbox(repo), _done(repo)) == ([], [])
    assert sorted(row.id for row in _rows(repo)) == sorted(ids + more)
    assert_sound(repo)


def test_two_roll_ups_at_once_move_each_run_once(repo):
    ids = _make(repo, 2, 10)
    with Forks(repo, environment()) as forks:
        codes, said = forks.run(ROLL_UP, count=3)
    assert codes == [0, 0, 0]
    assert sum(int(line.split()[0]) for line in said) == 20
    assert sorted(row.id for row in _rows(repo)) == sorted(ids)
    assert_sound(repo)


def test_runs_that_finish_during_roll_ups_are_all_there(repo):
    script = ROLL_UP.replace("result =", "for _ in range(12): result =")
    with Forks(repo, environment()) as forks, Forks(repo, environment()) as others:
        forks.begin(RUNS, count=3, runs=12)
        others.run(script)
        codes, ids = forks.end()
    assert codes == [0, 0, 0], forks.messages()
    roll_up_now(Project.open(repo))
    assert sorted(run.id for run in gittrack.runs()) == sorted(ids)
    assert sorted(row.id for row in _rows(repo)) == sorted(ids)
    assert _done(repo) == []
    assert_sound(repo)


def test_a_run_resumed_during_a_roll_up_is_one_run(repo):
    (first, second) = _make(repo, 1, 2)
    resumed = gittrack.start_run(run_id=first)
    resumed.log_metric("loss", 7)
    assert roll_up_now(Project.open(repo)).runs == 2
    resumed.end()
    again = gittrack.start_run(run_id=second)
    again.end()
    third = gittrack.start_run(run_id=first)
    third.log_metric("loss", 8)
    third.end()
    before = _listing(repo)
    assert list(gittrack.get_run(first).history("loss").values) == [0, 7, 8]
    assert doctor(Project.open(repo)) == []
    assert roll_up_now(Project.open(repo)).problems == []
    assert _listing(repo) == before
    assert len(before) == 2
    assert all(run.conflicts == () for run in gittrack.runs())
    assert _done(repo) == []
    assert_sound(repo)


def test_a_damaged_run_stays_and_the_others_are_rolled_up(repo, git):
    ids = _make(repo, 1, 6)
    blob = git("rev-parse", f"{gittrack.get_run(ids[2]).commit}:run.toml", cwd=repo).strip()
    path = repo / ".git" / "objects" / blob[:2] / blob[2:]
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-5])
    for copy in _done(repo):
        if copy.name.startswith(ids[2]):
            copy.unlink()
    result = roll_up_now(Project.open(repo))
    assert result.runs == 5
    assert [problem.where for problem in result.problems] == [f"refs/runs/inbox/{ids[2]}"]
    assert sorted(row.id for row in _rows(repo)) == sorted(set(ids) - {ids[2]})
    assert len(gittrack.runs()) == 6, "its message can still be listed"


def test_a_run_whose_snapshot_is_damaged_stays_and_the_others_are_rolled_up(repo, git):
    ids = _make(repo, 1, 3)
    (repo / "train.py").write_text("dirty\n")
    broken = _make(repo, 1, 1)
    blob = git("rev-parse", f"{gittrack.get_run(broken[0]).commit}^:train.py", cwd=repo).strip()
    (repo / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    result = roll_up_now(Project.open(repo))
    assert [problem.where for problem in result.problems] == [f"refs/runs/inbox/{broken[0]}"]
    assert sorted(row.id for row in _rows(repo)) == sorted(ids)


def test_the_inbox_rolls_up_by_itself_when_it_is_full(repo, monkeypatch):
    monkeypatch.setenv("GITTRACK_INBOX_LIMIT", "5")
    for number in range(5):
        with gittrack.start_run() as run:
            run.log_metric("x", number)
    _wait_until(lambda: len(_rows(repo)) == 5 and not _inbox(repo))
    assert len(gittrack.runs()) == 5


def _wait_until(is_so):
    """It happens in a process of its own, which nobody waits for."""
    end = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_roll_up_that_is_under_way_is_not_asked_for_again(repo, monkeypatch):
    monkeypatch.setenv("GITTRACK_INBOX_LIMIT", "1")
    asked = []
    monkeypatch.setattr("gittrack.api.beside.start_beside", lambda project, words: asked.append(words) or "")
    for _ in range(3):
        with gittrack.start_run():
            pass
    assert asked == [["roll-up", "--quiet"]]


def test_where_nothing_can_be_started_a_full_inbox_is_rolled_up_at_once(repo, monkeypatch):
    monkeypatch.setenv("GITTRACK_INBOX_LIMIT", "3")
    monkeypatch.setattr("sys.executable", "")
    for _ in range(3):
        with gittrack.start_run():
            pass
    assert len(_rows(repo)) == 3


def test_events_alone_fill_the_inbox_and_are_rolled_up(repo, monkeypatch):
    monkeypatch.setenv("GITTRACK_INBOX_LIMIT", "6")
    monkeypatch.setattr("sys.executable", "")  # at once, not in the background
    with gittrack.start_run(name="one"):
        pass
    project = Project.open()
    for number in range(7):
        tag_run(project, "one", {"k": str(number)})
    left = project.repo.refs.list("refs/runs/inbox/")
    assert len(left) < 6
    assert gittrack.get_run("one").tags == {"k": "6"}
    assert len(gittrack.get_run("one").state.events) == 7

"""Live runs at a remote: others see how far a run is, and at its end it is a run like any other."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from threading import Thread

import pytest

import gittrack
from gittrack.api.checkpoint import CheckpointPusher, keep_pushing, pause, push_checkpoint
from gittrack.api.elsewhere import finish_elsewhere
from gittrack.api.index_refresh import _is_deeper
from gittrack.api.read import find_run
from gittrack.api.remotes import runs_remote
from gittrack.api.sharing_status import sharing_status
from gittrack.errors import ConflictError, RemoteError, RunActiveError, UsageError
from gittrack.store.catalog import read_catalog
from gittrack.store.pushed_checkpoints import PushedCheckpoints, read_pushed, write_pushed

TRAINING = """
import os, sys, time
import gittrack
with gittrack.start_run(name="long", live=1) as run:
    print(run.id, flush=True)
    step = 0
    while not os.path.exists("stop"):
        run.log_metric("loss", 1 / (step + 1), step)
        step += 1
        time.sleep(0.05)
"""


def checkpoint(person, id):
    with person.here():
        return push_checkpoint(person.project, id, runs_remote(person.project))


def begun(person, **more):
    with person.here():
        return gittrack.start_run(strict=True, **more)


def ended(person, run):
    with person.here():
        run.end()


def seen(person, id):
    with person.here():
        return gittrack.get_run(id)


@contextmanager
def pushing(person, id):
    """Has a thread push checkpoints until the run ends; gives what asks it how that ended."""
    project, found = person.project, []
    thread = Thread(target=lambda: found.append(keep_pushing(project, id, runs_remote(project), 1.0)), daemon=True)
    thread.start()
    yield lambda: thread.join(60) or found[0]


def script(path, text):
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def live_refs(remote):
    names = subprocess.check_output(["git", "for-each-ref", "--format=%(refname)"], cwd=remote, text=True).split()
    return [name for name in names if "/live/" in name]


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.1)
    return found


@pytest.fixture
def training():
    """Begins trainings: processes of their own that end when a file 'stop' is there; gives each and its run's id."""
    begun = []

    def begin(person):
        (person.folder / ".git/info/exclude").write_text("train_live.py\nstop\n")
        (person.folder / "train_live.py").write_text(TRAINING)
        command = [sys.executable, "train_live.py"]
        process = subprocess.Popen(command, cwd=person.folder, stdout=subprocess.PIPE, text=True)
        begun.append((process, process.stdout.readline().strip()))
        return begun[-1]

    yield begin
    for process, id in begun:
        process.kill()
        process.wait()
        process.stdout.close()
        if (pid := pusher_of(id)) is not None:
            os.kill(pid, signal.SIGKILL)


def pusher_of(id):
    """The process that pushes the checkpoints of a run; None when there is none (any more)."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            continue
        if b"checkpoint" in words and id.encode() in words and words[0] != b"/bin/sh":
            return int(pid)
    return None


def test_a_teammate_sees_how_far_a_run_is_and_then_its_end(people, remote, gittrack_cli):
    ann, bob = people("ann"), people("bob")
    run = begun(ann, name="long", params={"lr": 0.1})
    for step in range(3):
        run.log_metric("loss", 1 / (step + 1), step)
    checkpoint(ann, run.id)
    found = bob.fetch()
    assert (found.runs, found.running, found.moved, found.refused) == (0, (run.id,), 1, ())
    theirs = seen(bob, run.id)
    assert (theirs.status, theirs.end_time, theirs.commit) == ("running", None, None)
    assert (theirs.params, len(theirs.history("loss"))) == ({"lr": 0.1}, 3)
    for step in range(3, 5):
        run.log_metric("loss", 1 / (step + 1), step)
    checkpoint(ann, run.id)
    bob.fetch()
    assert len(seen(bob, run.id).history("loss")) == 5
    assert bob.fetch().moved == 0, "what is here is not fetched again"
    assert bob.refs() == [f"refs/runs-remote/origin/live/{run.id}"]

    for words in (["ls"], ["plot", "long"], ["compare", "long"], ["best", "-m", "loss"], ["watch", "--once", "long"]):
        done = gittrack_cli(*words, cwd=bob.folder)
        assert (done.returncode, "long" in done.stdout) == (0, True), (words, done.stderr)
    assert json.loads(gittrack_cli("top", "--json", cwd=bob.folder).stdout)["runs"][0]["id"] == run.id
    assert "seen        just now, by a checkpoint at origin" in gittrack_cli("show", "long", cwd=bob.folder).stdout
    assert gittrack_cli("fsck", cwd=bob.folder).returncode == 0
    assert len(gittrack.search_runs("status = 'running'", repo=bob.folder, output_format="list")) == 1

    ended(ann, run)
    assert [row.id for row in ann.push().shared.rows] == [run.id]
    assert live_refs(remote) == []
    assert not any("/live/" in name for name in ann.refs())
    assert read_pushed(ann.project.layout, run.id) is None
    found = bob.fetch()
    assert (found.runs, found.running) == (1, ())
    assert (seen(bob, run.id).status, seen(bob, run.id).seen) == ("finished", None)
    assert not any("/live/" in name for name in bob.refs())


def test_a_checkpoint_is_nothing_to_push_and_is_shared_by_nobody(people):
    ann, bob = people("ann"), people("bob")
    run = begun(ann, name="long")
    checkpoint(ann, run.id)
    bob.fetch()
    assert bob.push().plan.rows == ()
    assert ann.push().plan.rows == (), "it has not ended"
    with bob.here():
        assert sharing_status(bob.project).elsewhere == (run.id,)
        assert sharing_status(bob.project).runs == ()
        with pytest.raises(RunActiveError):
            gittrack.start_run(run_id=run.id)
    ended(ann, run)


def test_what_is_known_of_a_finished_run_hides_its_checkpoint(people):
    ann, bob = people("ann"), people("bob")
    run = begun(ann, name="long")
    tip = checkpoint(ann, run.id)
    bob.fetch()
    ended(ann, run)
    ann.push()
    bob.fetch()
    bob.git("update-ref", f"refs/runs-remote/origin/live/{run.id}", tip)
    assert seen(bob, run.id).status == "finished"
    with bob.here():
        assert [each.status for each in gittrack.runs()] == ["finished"]


def test_a_resumption_shows_over_what_it_continues(people):
    ann, bob = people("ann"), people("bob")
    id = ann.run("long")
    ann.push()
    run = begun(ann, run_id=id)
    run.log_metric("loss", 0.1, 1)
    checkpoint(ann, id)
    bob.fetch()
    with bob.here():
        (only,) = gittrack.runs()
    assert (only.id, only.status, len(only.history("loss"))) == (id, "running", 2)
    assert seen(bob, id).status == "running"
    ended(ann, run)
    ann.push()
    bob.fetch()
    assert (seen(bob, id).status, seen(bob, id).conflicts) == ("finished", ())


def test_a_training_with_live_is_seen_while_it_runs_and_shared_at_its_end(people, remote, training):
    ann, bob = people("ann"), people("bob")
    process, id = training(ann)
    until(lambda: live_refs(remote))
    bob.fetch()
    before = len(seen(bob, id).history("loss"))
    until(lambda: bob.fetch().moved)
    assert len(seen(bob, id).history("loss")) > before > 0
    (ann.folder / "stop").touch()
    assert process.wait(30) == 0
    until(lambda: not live_refs(remote) and pusher_of(id) is None)
    assert bob.fetch().runs == 1
    assert seen(bob, id).status == "finished"
    assert ann.push().plan.rows == ()


def test_when_the_training_is_killed_its_run_is_finished_and_shared(people, remote, training):
    ann, bob = people("ann"), people("bob")
    process, id = training(ann)
    until(lambda: live_refs(remote))
    process.send_signal(signal.SIGKILL)
    process.wait()
    until(lambda: not live_refs(remote))
    bob.fetch()
    assert seen(bob, id).status == "crashed"


def test_when_what_pushes_is_killed_the_training_goes_on_and_the_next_one_takes_over(people, remote, training):
    ann, bob = people("ann"), people("bob")
    process, id = training(ann)
    until(lambda: live_refs(remote))
    os.kill(until(lambda: pusher_of(id)), signal.SIGKILL)
    until(lambda: pusher_of(id) is None)
    assert process.poll() is None
    until(lambda: checkpoint(ann, id))
    (ann.folder / "stop").touch()
    assert process.wait(30) == 0
    bob.fetch()
    assert seen(bob, id).status == "running", "nobody has told the remote"
    ann.push()
    assert live_refs(remote) == []
    bob.fetch()
    assert seen(bob, id).status == "finished"


@pytest.mark.slow
def test_when_both_are_killed_the_next_command_finishes_the_run_and_the_next_push_shares_it(
    people, remote, gittrack_cli, training
):
    ann = people("ann")
    process, id = training(ann)
    until(lambda: live_refs(remote))
    os.kill(until(lambda: pusher_of(id)), signal.SIGKILL)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = gittrack_cli("push", "--yes", cwd=ann.folder)
    assert f"run {id[:8]}, whose process died, is listed as crashed now" in done.stderr
    assert live_refs(remote) == []


def test_a_kill_between_push_and_note_costs_nothing(people, remote):
    ann = people("ann")
    run = begun(ann, name="long")
    first = checkpoint(ann, run.id)
    repository = runs_remote(ann.project).repository
    write_pushed(ann.project.layout, PushedCheckpoints(run.id, repository, None, (first,)))
    run.log_metric("loss", 0.5)
    second = checkpoint(ann, run.id)
    assert second == ann.git("ls-remote", "origin", f"refs/runs/live/{run.id}").split()[0] != first
    ended(ann, run)


@pytest.mark.parametrize("change", ["replaced", "removed"])
def test_a_checkpoint_that_somebody_else_touched_is_left_alone(people, remote, change, gittrack_cli):
    ann = people("ann")
    run = begun(ann, name="long")
    checkpoint(ann, run.id)
    name = f"refs/runs/live/{run.id}"
    ann.git("push", "-q", "origin", "--force", f"HEAD:{name}" if change == "replaced" else f":{name}")
    before = ann.git("ls-remote", "origin", name)
    run.log_metric("loss", 0.5)
    with pytest.raises(ConflictError, match=f"was {change} by somebody else"):
        checkpoint(ann, run.id)
    with pushing(ann, run.id) as pushed:
        assert change in until(lambda: (noted := read_pushed(ann.project.layout, run.id)) and noted.problem)
        assert change in gittrack_cli("status", cwd=ann.folder).stderr
        assert ann.git("ls-remote", "origin", name) == before
        ended(ann, run)
    assert "somebody else" in pushed()
    assert ann.git("ls-remote", "origin", name) == before, "only one's own is removed"
    assert ann.push().plan.rows == (), "the finished run is there, whatever ended the checkpoints"
    left = [problem.reason for problem in ann.push().left]
    assert len(left) == (change == "replaced"), "as long as it is there it is said"
    assert (read_pushed(ann.project.layout, run.id) is None) == (change == "removed")
    if change == "replaced":
        assert f"somebody else's now, and stays: git push origin --delete {name}" in left[0]
        ann.git("push", "-q", "origin", "--delete", name)
        assert ann.push().left == ()
    assert read_pushed(ann.project.layout, run.id) is None


@pytest.mark.parametrize("is_first", [True, False])
def test_a_lock_at_the_server_that_passes_is_waited_for(people, remote, is_first):
    ann, bob = people("ann"), people("bob")
    run = begun(ann, name="long")
    if not is_first:
        checkpoint(ann, run.id)
        run.log_metric("loss", 0.5, 0)
    lock = remote / f"refs/runs/live/{run.id}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.touch()
    with pytest.raises(RemoteError, match="refuses 'refs/runs/live/"):
        checkpoint(ann, run.id)
    assert read_pushed(ann.project.layout, run.id).tried == (), "what is refused is not there"
    with pushing(ann, run.id) as pushed:
        until(lambda: read_pushed(ann.project.layout, run.id).problem)
        lock.unlink()
        run.log_metric("loss", 0.25, 1)
        until(lambda: not read_pushed(ann.project.layout, run.id).problem)
        bob.fetch()
        assert seen(bob, run.id).history("loss").values[-1] == 0.25
        ended(ann, run)
    assert pushed() == ""
    assert live_refs(remote) == []
    assert ann.push().plan.rows == ()


def test_a_checkpoint_whose_push_nobody_knows_the_end_of_stays_known_for_ones_own(people, remote):
    ann = people("ann")
    run = begun(ann, name="long")
    script(remote / "hooks/post-receive", "kill -9 $PPID")  # it has taken it, and says nothing any more
    with pytest.raises(RemoteError):
        checkpoint(ann, run.id)
    (taken,) = ann.git("ls-remote", "origin", "refs/runs/live/*").split()[:1]
    assert read_pushed(ann.project.layout, run.id).tips == (taken,)
    (remote / "hooks/post-receive").unlink()
    for away in (True, False):
        hook = script(remote / "hooks/pre-receive", "exit 1")
        if away:
            remote.rename(remote.parent / "away")
        for step in range(25):
            run.log_metric("loss", 0.5, 25 * away + step)
            with pytest.raises(RemoteError):
                checkpoint(ann, run.id)
        if away:
            (remote.parent / "away").rename(remote)
    assert read_pushed(ann.project.layout, run.id).tips == (taken,)
    hook.unlink()
    run.log_metric("loss", 0.5, 99)
    last = checkpoint(ann, run.id)
    assert read_pushed(ann.project.layout, run.id).tips == (last,)
    ended(ann, run)
    ann.push()
    assert live_refs(remote) == []


def test_of_several_places_to_push_to_the_first_alone_gets_checkpoints(people, remote, git, tmp_path):
    ann, bob = people("ann"), people("bob")
    second = tmp_path / "second.git"
    git("init", "-q", "--bare", str(second))
    ann.git("remote", "set-url", "--add", "origin", str(second))
    run = begun(ann, name="long")
    checkpoint(ann, run.id)
    second.rename(tmp_path / "away")
    run.log_metric("loss", 0.5)
    checkpoint(ann, run.id)
    (tmp_path / "away").rename(second)
    remote.rename(tmp_path / "remote-away")
    run.log_metric("loss", 0.25)
    with pytest.raises(RemoteError):
        checkpoint(ann, run.id)
    (tmp_path / "remote-away").rename(remote)
    checkpoint(ann, run.id)
    assert live_refs(second) == []
    bob.fetch()
    assert len(seen(bob, run.id).history("loss")) == 2
    ended(ann, run)
    ann.push()
    assert (live_refs(remote), live_refs(second)) == ([], [])
    assert ann.git("ls-remote", str(second), "refs/runs/*") == ann.git("ls-remote", str(remote), "refs/runs/*") != ""


def test_checkpoints_go_where_pushes_go_and_not_where_fetches_come_from(people, remote, git, tmp_path):
    ann = people("ann")
    main = tmp_path / "main.git"
    git("clone", "-q", "--mirror", str(remote), str(main))
    ann.git("config", "remote.origin.pushurl", str(main))
    run = begun(ann, name="long")
    first = checkpoint(ann, run.id)
    repository = runs_remote(ann.project).repository
    write_pushed(ann.project.layout, PushedCheckpoints(run.id, repository, None, (first,)))  # killed before the note
    run.log_metric("loss", 0.5)
    checkpoint(ann, run.id)
    assert (live_refs(main), live_refs(remote)) == ([f"refs/runs/live/{run.id}"], [])
    ended(ann, run)
    ann.push()
    assert live_refs(main) == []


def test_a_run_that_was_deleted_at_its_end_is_not_shared_and_its_checkpoint_goes(people, remote, gittrack_cli):
    ann = people("ann")
    run = begun(ann, name="long")
    checkpoint(ann, run.id)
    ended(ann, run)
    assert gittrack_cli("rm", "-y", run.id[:8], cwd=ann.folder).returncode == 0
    with ann.here():
        assert keep_pushing(ann.project, run.id, runs_remote(ann.project), 1.0) == ""
    assert ann.git("ls-remote", "origin", "refs/runs/*") == ""
    assert read_pushed(ann.project.layout, run.id) is None
    assert ann.push().plan.rows == ()


def test_while_the_remote_is_away_it_is_said_and_afterwards_all_is_made_up_for(people, remote, gittrack_cli):
    ann, bob = people("ann"), people("bob")
    run = begun(ann, name="long")
    with ann.here():
        pusher = CheckpointPusher(ann.project, run.id, runs_remote(ann.project))
        remote.rename(remote.parent / "away")
        for _ in range(3):
            run.log_metric("loss", 0.5)
            with pytest.raises(RemoteError):
                pusher.push()
        (remote.parent / "away").rename(remote)
        assert pusher.push() is not None
        assert pusher.push() is None, "nothing was logged since"
    bob.fetch()
    assert len(seen(bob, run.id).history("loss")) == 3
    ended(ann, run)


@pytest.mark.slow
def test_a_process_that_pushes_survives_a_remote_that_is_away(people, remote, gittrack_cli, training):
    ann = people("ann")
    process, id = training(ann)
    until(lambda: live_refs(remote))
    remote.rename(remote.parent / "away")
    until(lambda: (noted := read_pushed(ann.project.layout, id)) and noted.problem)
    assert f"checkpoints of run {id}: there is no remote" in gittrack_cli("status", "--offline", cwd=ann.folder).stderr
    (remote.parent / "away").rename(remote)
    until(lambda: not read_pushed(ann.project.layout, id).problem)
    (ann.folder / "stop").touch()
    assert process.wait(30) == 0
    until(lambda: not live_refs(remote) and pusher_of(id) is None)


def test_a_prefix_for_hosts_that_take_only_branches_holds_for_checkpoints_too(people, remote):
    ann, bob = people("ann"), people("bob")
    for person in (ann, bob):
        person.git("config", "gittrack.refPrefix", "refs/heads/gittrack/")
    run = begun(ann, name="long")
    checkpoint(ann, run.id)
    assert live_refs(remote) == [f"refs/heads/gittrack/live/{run.id}"]
    assert bob.fetch().running == (run.id,)
    ended(ann, run)
    ann.push()
    assert live_refs(remote) == []


def test_hostile_checkpoints_are_a_line_each_and_never_shown(people):
    ann, bob = people("ann"), people("bob")
    done = ann.run("done")
    finished = ann.git("rev-parse", f"refs/runs/inbox/{done}")
    run = begun(ann, name="long")
    good = checkpoint(ann, run.id)
    for name, commit in (("f" * 32, good), (done, finished), ("e" * 32, "HEAD")):
        ann.git("push", "-q", "origin", f"{commit}:refs/runs/live/{name}")
    found = bob.fetch()
    reasons = {problem.where: problem.reason for problem in found.refused}
    assert reasons["checkpoint " + "f" * 32] == f"its run.toml says {run.id}"
    assert reasons[f"checkpoint {done}"] == "it is no run that goes on: its status is finished"
    assert len(reasons) == 3
    assert bob.refs() == [f"refs/runs-remote/origin/live/{run.id}"]
    assert bob.names() == ["long"]
    assert bob.fetch().refused == (), "it was said once"
    ended(ann, run)


@pytest.mark.slow
def test_of_more_than_a_thousand_checkpoints_a_thousand_are_looked_at(people, remote):
    ann, bob = people("ann"), people("bob")
    run = begun(ann, name="long")
    tip = checkpoint(ann, run.id)
    bob.fetch()
    lines = "".join(f"create refs/runs/live/{number:032x} {tip}\n" for number in range(1200))
    subprocess.run(["git", "update-ref", "--stdin"], cwd=remote, input=lines, text=True, check=True)
    found = bob.fetch()
    assert found.running == (run.id,), "what is known is not crowded out"
    assert found.refused[0].reason == "of 1201 only 1000 are looked at"
    assert len(found.refused) == 1000
    assert bob.names() == ["long"]
    ended(ann, run)


def test_a_shallow_clone_gets_checkpoints_without_the_history_of_the_code(people, remote, gittrack_cli):
    ann = people("ann")
    for number in range(3):
        ann.git("commit", "-q", "--allow-empty", "-m", str(number))
    ann.git("push", "-q", "origin", "main")
    cid = people("cid", None, "--depth=1", "--no-local")
    cid.run("own")
    cid.push()
    assert cid.names() == ["own"]
    ann.git("commit", "-q", "--allow-empty", "-m", "new")
    run = begun(ann, name="long")
    checkpoint(ann, run.id)
    cid.fetch()

    def names():
        """By a process of its own: in this one a run goes on, so that the index is not asked."""
        return sorted(run["name"] for run in json.loads(gittrack_cli("ls", "--json", cwd=cid.folder).stdout)["runs"])

    assert names() == ["long", "own"]
    own = int(cid.git("rev-list", "--count", "HEAD", "--glob=refs/runs-remote/origin/2*"))
    assert int(cid.git("rev-list", "--count", "--all")) == own + 1, "the checkpoint alone, of all that ann has"
    before = _cut_off(cid)
    run.log_metric("loss", 0.5)
    checkpoint(ann, run.id)
    cid.fetch()
    assert len(seen(cid, run.id).history("loss")) == 1
    assert names() == ["long", "own"]
    assert _cut_off(cid) != before
    assert not _is_deeper(cid.project, before, _cut_off(cid)), (
        "where checkpoints come and go the index is not made anew"
    )
    cid.git("fetch", "-q", "--unshallow")
    assert names() == ["long", "own"]
    assert _is_deeper(cid.project, before, _cut_off(cid)), "where the history is not cut off any more it is"
    ended(ann, run)


def _cut_off(person):
    return "\n".join(sorted(person.project.repo.cut_off()))


def test_a_run_whose_machine_is_gone_is_finished_by_who_asks_for_it(people, remote, gittrack_cli):
    ann, bob = people("ann"), people("bob")
    run = begun(ann, name="long")
    run.log_metric("loss", 0.5, 3)
    checkpoint(ann, run.id)
    bob.fetch()
    refused = gittrack_cli("recover", run.id[:8], cwd=bob.folder)
    assert (refused.returncode, "--yes" in refused.stderr) == (2, True)
    done = gittrack_cli("recover", "--yes", run.id[:8], cwd=bob.folder)
    assert done.returncode == 0, done.stderr
    theirs = seen(bob, run.id)
    assert (theirs.status, theirs.end_time) == ("crashed", theirs.history("loss").timestamps[-1])
    assert theirs.author == "Ann"
    bob.push()
    assert live_refs(remote) == []
    run.log_metric("loss", 0.1, 4)
    with pytest.raises(ConflictError):
        checkpoint(ann, run.id)
    ended(ann, run)
    ann.push()
    ann.fetch()
    bob.fetch()
    for person in (ann, bob):
        back = seen(person, run.id)
        assert (back.status, back.conflicts, len(back.history("loss"))) == ("finished", (), 2), "the original came back"
    with bob.here():
        assert list(read_catalog(bob.project.repo).problems) == []


def test_a_resumption_of_a_recovered_run_is_no_recovery_and_conflicts_with_the_original(people):
    ann, bob = people("ann"), people("bob")
    run = begun(ann, name="long")
    run.log_metric("loss", 0.5, 3)
    tip = checkpoint(ann, run.id)
    bob.fetch()
    with bob.here():
        finish_elsewhere(bob.project, find_run(bob.project, run.id))
        assert dict(seen(bob, run.id).record.extra) == {"recovered_from": tip}
        with gittrack.start_run(run_id=run.id, strict=True) as resumed:
            resumed.log_metric("loss", 0.4, 4)
    assert dict(seen(bob, run.id).record.extra) == {}
    ended(ann, run)
    ann.push()
    bob.fetch()
    assert len(seen(bob, run.id).conflicts) == 1


def test_a_run_that_was_silent_for_long_may_be_dead(people, gittrack_cli):
    ann, bob = people("ann"), people("bob")
    run = begun(ann, name="long")
    tip = checkpoint(ann, run.id)
    past = "2020-01-01T00:00:00"
    late = subprocess.run(
        ["git", "commit-tree", f"{tip}^{{tree}}", "-p", f"{tip}^1"],
        cwd=ann.folder, input=ann.git("log", "-1", "--format=%B", tip) + "\n", text=True, capture_output=True,
        check=True, env={**os.environ, "GIT_COMMITTER_DATE": f"{past}Z", "GIT_AUTHOR_DATE": f"{past}Z"},
    ).stdout.strip()  # fmt: skip
    ann.git("push", "-q", "--force", "origin", f"{late}:refs/runs/live/{run.id}")
    bob.fetch()
    shown = gittrack_cli("show", "long", cwd=bob.folder).stdout
    assert f"it may be dead: gittrack recover {run.id[:8]}" in shown
    ended(ann, run)


AUDITED = """
import json, os, sys
calls = []
started = []
def hook(event, args):
    if event in ("subprocess.Popen", "os.posix_spawn", "os.fork", "os.exec", "os.system", "socket.connect"):
        calls.append([event, list(map(os.fsdecode, args[1])) if event == "subprocess.Popen" else []])
sys.addaudithook(hook)
import gittrack
with gittrack.start_run(name="long", live=1) as run:
    calls.append(["started", []])
    for step in range(1000):
        run.log_metric("loss", 0.5, step)
print(json.dumps(calls))
"""


def test_a_training_starts_one_process_and_makes_no_call_over_the_network(people, remote):
    ann = people("ann")
    (ann.folder / ".git/info/exclude").write_text("*.py\n")
    (ann.folder / "audited.py").write_text(AUDITED)
    done = subprocess.run([sys.executable, "audited.py"], cwd=ann.folder, capture_output=True, text=True, check=True)
    calls = json.loads(done.stdout)
    others = [words for event, words in calls if event == "subprocess.Popen" and words[0] != "git"]
    assert [words[0] for words in others] == ["/bin/sh"]
    assert "checkpoint" in others[0]
    gits = [words for event, words in calls if event == "subprocess.Popen" and words[0] == "git"]
    assert not any({"push", "fetch", "ls-remote", "remote"} & set(words) for words in gits)
    assert {event for event, _ in calls} <= {"subprocess.Popen", "started"}
    place = calls.index(["started", []])
    assert calls[place - 1][1] == others[0]
    assert "run 'long' is live: every 1 s it goes to origin, its code with it" in done.stderr
    id = others[0][others[0].index("checkpoint") + 1]
    until(lambda: pusher_of(id) is None)


@pytest.mark.slow
def test_by_the_settings_a_run_is_live_and_its_children_are_not(people, remote):
    ann = people("ann")
    ann.git("config", "gittrack.live", "2m")
    (ann.folder / "more.py").write_text(
        "import gittrack\nwith gittrack.start_run(name='outer'):\n"
        "    with gittrack.start_run(name='inner', nested=True): pass\n"
        "    with gittrack.start_run(name='asked', nested=True, live=True): pass\n"
    )
    done = subprocess.run([sys.executable, "more.py"], cwd=ann.folder, capture_output=True, text=True, check=True)
    said = [line.split("'")[1] for line in done.stderr.splitlines() if " is live: " in line]
    assert said == ["outer", "asked"]
    off = subprocess.run(
        [sys.executable, "more.py"], cwd=ann.folder, capture_output=True, text=True, check=True,
        env={**os.environ, "GITTRACK_DISABLED": "1"},
    )  # fmt: skip
    assert "is live" not in off.stderr
    until(lambda: len(ann.push().plan.rows) == 0 and not live_refs(remote))


def test_how_often_is_a_time_and_comes_from_nobody_elses_file(people, gittrack_cli):
    ann = people("ann")
    for text in ("0.5s", "11m", "often", "nan"):
        done = gittrack_cli("run", f"--live={text}", "--", "true", cwd=ann.folder)
        assert (done.returncode, "not a time from 1s to 10m" in done.stderr) == (2, True), text
    with pytest.raises(UsageError), ann.here():
        gittrack.start_run(live="often")
    (ann.folder / ".gittrack.toml").write_text('live = "1s"\n')
    assert ann.project.config.live == 0
    ann.git("config", "gittrack.live", "2m")
    assert ann.project.config.live == 120
    ann.git("config", "gittrack.live", "true")
    assert ann.project.config.live == 30


def test_without_a_remote_a_run_that_should_be_live_is_as_any_other(people, gittrack_cli):
    ann = people("ann")
    ann.git("remote", "remove", "origin")
    done = gittrack_cli("run", "-n", "--live", "--live", "sh", "-c", "echo --live", cwd=ann.folder)
    assert (done.returncode, done.stdout) == (0, "--live\n")
    assert "is not live: there is no git remote to share runs with; git remote add origin URL" in done.stderr


def test_a_run_that_has_ended_has_no_checkpoint_to_push(people, gittrack_cli):
    ann = people("ann")
    ann.run("done")
    done = gittrack_cli("checkpoint", "done", cwd=ann.folder)
    assert done.returncode == 2
    assert "has ended" in done.stderr


def test_no_more_than_a_fiftieth_of_a_core_is_used_and_failures_slow_it_down():
    for every in (1.0, 30.0, 600.0):
        for spent in (0.0, 0.1, 5.0, 500.0):
            assert pause(every, spent, 0) >= max(every, 49 * spent)
            assert pause(every, spent, 3) >= pause(every, spent, 0)
    assert pause(1.0, 0.0, 10**6) == 600.0


def test_while_a_remote_is_away_one_process_waits_for_it_however_many_runs_end(people, monkeypatch):
    """A sweep of short runs without a network must not leave a process for each."""
    from gittrack.api import checkpoint
    from gittrack.api.remotes import runs_remote
    from gittrack.store.locks import exclusive

    ann = people("ann")
    ids = [ann.run(name) for name in ("one", "two")]
    ann.git("remote", "set-url", "origin", str(ann.folder / "away.git"))
    slept = []
    monkeypatch.setattr(checkpoint.time, "sleep", slept.append)
    project, remote = ann.project, runs_remote(ann.project)
    with exclusive(project.layout.finishing_lock):
        assert checkpoint.keep_pushing(project, ids[0], remote, 1.0) != ""
    assert slept == []
    assert checkpoint.keep_pushing(project, ids[1], remote, 1.0) != ""
    assert len(slept) == 12

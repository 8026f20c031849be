"""What counts as shared: what a remote lists now, in batches that can be read. What is one's own is never lost."""

from __future__ import annotations

import subprocess
import time

import pytest

from gittrack.api.annotate import delete_run, tag_run
from gittrack.api.comments import threads_of
from gittrack.api.push import plan_push
from gittrack.api.read import find_run
from gittrack.api.sharing_status import sharing_status
from gittrack.core.ids import RunId, parse_event_id
from gittrack.core.records import Event, Person, Subject
from gittrack.errors import RemoteError
from gittrack.store.done import done_runs
from gittrack.store.event_store import write_event
from gittrack.store.incoming import FetchedLedger, looked_at
from gittrack.store.refused import read_refused
from gittrack.store.remotes import known_remote

from .test_hostile_and_rewritten import ledger_with, put, run_commit, tree_of
from .test_push_and_fetch import month


def new_remote(person, git, tmp_path) -> None:
    git("init", "-q", "--bare", str(tmp_path / "new.git"))
    person.git("remote", "set-url", "origin", str(tmp_path / "new.git"))


def test_who_changed_their_address_keeps_their_runs_when_a_rewriting_is_accepted(people, git, tmp_path):
    ann = people("ann")
    ann.run("first")
    ann.push()
    ann.git("config", "user.email", "ann.new@corp.com")
    new_remote(ann, git, tmp_path)
    ann.fetch(accept_rewrites=True)
    assert ann.names() == ["first"]
    assert len(ann.push().shared.rows) == 1


def test_a_run_that_a_batch_carries_and_does_not_list_is_not_shared(people):
    ann, eve = people("ann"), people("eve")
    id = ann.run("mine")
    commit = run_commit(ann, id)
    with ann.here():
        from gittrack.api.maintain import roll_up_now

        roll_up_now(ann.project)
    ann.git("push", "-q", "origin", f"{commit}:refs/heads/x")
    eve.git("fetch", "-q", "origin", "refs/heads/x")
    root = put(eve, 'format = 1\nmonth = "2026-11"\nname = "X"\nwriter = "eve"\n')
    base = eve.git("commit-tree", tree_of(eve, f"100644 blob {root}\tledger.toml\n"), "-m", "ledger")
    table = tree_of(eve, f"100644 blob {put(eve, f'gittrack-batch{chr(9)}2{chr(10)}')}\tbatch.tsv\n")
    tip = eve.git("commit-tree", table, "-p", base, "-p", commit, "-m", "a batch")
    eve.git("push", "-q", "origin", f"{tip}:refs/runs/{month()}/eve")
    ann.fetch()
    assert ann.names() == ["mine"]
    assert len(ann.push().shared.rows) == 1


def test_what_a_remote_lost_is_pushed_again_and_never_said_to_be_there(people, git, tmp_path):
    ann = people("ann")
    ann.run("first")
    ann.push()
    ann.git("push", "-q", "origin", f":refs/runs/{month()}/ann")
    assert len(ann.fetch().rewritten) == 1
    with ann.here():
        assert len(sharing_status(ann.project).runs) == 1
    time.sleep(1.1)
    assert len(ann.push().shared.rows) == 1
    assert ann.fetch().rewritten == ()


def test_a_push_to_another_repository_than_was_asked_stops(people, git, tmp_path):
    ann = people("ann")
    ann.run("first")
    ann.push()
    new_remote(ann, git, tmp_path)
    assert len(ann.fetch().rewritten) == 1
    with pytest.raises(RemoteError, match=r"its URL or gittrack\.refPrefix was changed"):
        ann.push()


def test_the_code_that_another_repository_lacks_is_named(people, git, tmp_path):
    ann = people("ann")
    ann.git("commit", "-q", "--allow-empty", "-m", "private work")
    ann.git("push", "-q", "origin", "main")
    ann.run("first")
    new_remote(ann, git, tmp_path)
    with ann.here():
        plan = plan_push(ann.project)
    assert "private work" in [commit.subject for commit in plan.commits]


def test_a_mirror_that_lags_is_not_said_to_be_rewritten(people, remote, git, tmp_path):
    ann = people("ann")
    ann.run("first")
    ann.push()
    git("clone", "-q", "--mirror", str(remote), str(tmp_path / "mirror.git"))
    ann.run("second")
    ann.push()
    ann.git("config", "remote.origin.url", str(tmp_path / "mirror.git"))
    ann.git("config", "remote.origin.pushurl", str(remote))
    found = ann.fetch()
    assert (found.rewritten, found.refused) == ((), ())
    assert ann.names() == ["first", "second"]


def test_what_was_shared_under_another_name_and_in_another_month_is_not_listed_again(people, git, monkeypatch):
    import gittrack.api.project as projects

    ann, bob = people("ann"), people("bob")
    ann.run("first")
    ann.push()
    ann.git("remote", "rename", "origin", "upstream")
    later = projects.now_ms() + 40 * 86_400_000
    monkeypatch.setattr(projects.Project, "open", lambda *args: _at(projects, later, *args))
    assert ann.push("upstream").shared.rows == ()
    bob.fetch()
    assert len([name for name in bob.refs() if "runs-remote" in name]) == 1


def _at(projects, now, *args):
    from dataclasses import replace

    from gittrack.config import read_process
    from gittrack.git.repository import Repository

    return replace(projects.Project.of(Repository.discover(*args), read_process()), now=lambda: now)


def test_in_a_shallow_clone_ones_own_runs_stay_and_those_of_others_come(people, remote):
    ann = people("ann")
    ann.run("early")
    ann.push()
    ci = people("ci", "ann", "--depth=1", "--no-local")
    ci.git("remote", "set-url", "origin", f"file://{remote}")
    ci.run("in-ci")
    ci.push()
    ann.run("late")
    ann.push()
    ci.fetch()
    assert ci.names() == ["in-ci", "late"]
    ann.fetch()
    assert ann.names() == ["early", "in-ci", "late"]


def test_a_run_of_which_something_is_not_here_is_not_refused_for_good(people):
    ann, bob = people("ann"), people("bob")
    id = ann.run("first")
    blob = ann.git("rev-parse", f"{run_commit(ann, id)}:summary.toml")
    ann.push()
    bob.fetch()
    bob.git("update-ref", "-d", f"refs/runs-remote/origin/{month()}/ann")
    for pack in (bob.folder / ".git" / "objects" / "pack").glob("*.pack"):
        aside = pack.rename(bob.folder / ".git" / pack.name)
        pack.with_suffix(".idx").unlink()
        with aside.open("rb") as stream:
            subprocess.run(["git", "unpack-objects", "-q"], cwd=bob.folder, stdin=stream, check=True)
    (bob.folder / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    tip = ann.git("rev-parse", f"refs/runs-remote/origin/{month()}/ann")
    with bob.here():
        project = bob.project
        arrived = [FetchedLedger(month(), "ann", tip)]
        found = looked_at(project.repo, project.layout, known_remote(project.repo, "origin"), arrived)
        assert [problem.where for problem in found.refused] == [f"run {id}"]
        assert read_refused(project.layout) == {}


def test_nobody_takes_back_what_another_said(people):
    from gittrack.api.comments import comment_run

    ann, eve = people("ann"), people("eve")
    id = ann.run("first")
    with ann.here():
        said = comment_run(ann.project, id, "mine")
    ann.push()
    eve.fetch()
    with eve.here():
        forged = Event(
            parse_event_id("f" * 32), "comment", Subject("run", id), 1, Person("Eve", "eve@example.com"), "eve",
            replaces=(said.id,),
        )  # fmt: skip
        write_event(eve.project.repo, forged)
    eve.push()
    ann.fetch()
    with ann.here():
        assert [c.text for thread in threads_of(find_run(ann.project, id)) for c in thread.comments] == ["mine"]


def test_what_was_deleted_before_it_was_shared_and_what_was_said_of_it_stay_here(people):
    ann, bob = people("ann"), people("bob")
    id, other = ann.run("oops"), ann.run("good")
    with ann.here():
        tag_run(ann.project, id, {"secret": "project"})
        delete_run(ann.project, id)
        tag_run(ann.project, other, {"stage": "dev"})
    done = ann.push()
    assert [(row.kind, row.id == other) for row in done.shared.rows if row.kind == "run"] == [("run", True)]
    assert sum(row.kind == "event" for row in done.shared.rows) == 1
    assert bob.fetch().runs == 1
    ann.push(everything=True)
    assert bob.fetch().runs == 1


def test_copies_of_what_is_shared_go(people):
    ann = people("ann")
    id = ann.run("first")
    assert [run for run, _, _ in done_runs(ann.project.layout)] == [RunId(id)]
    ann.push()
    assert done_runs(ann.project.layout) == []


def test_a_ledger_of_a_thousand_lies_is_refused_in_one_line(people):
    eve, bob = people("eve"), people("bob")
    bad = eve.git("commit-tree", tree_of(eve, f"100644 blob {put(eve, 'x')}\tx\n"), "-m", "bad")
    base = None
    for start in range(0, 1250, 250):
        rows = [("run", f"{number:032x}", bad) for number in range(start, start + 250)]
        base = ledger_with(eve, rows, base)
    eve.git("push", "-q", "origin", f"{base}:refs/runs/{month()}/eve")
    found = bob.fetch()
    assert found.ledgers == 0
    assert "1,250 of what it lists" in found.refused[-1].reason


def test_what_a_deeper_history_brings_is_listed(people, remote):
    ann = people("ann")
    ann.run("early")
    ann.push()
    ci = people("ci", "bob", "--depth=1", "--no-local")
    ci.git("remote", "set-url", "origin", f"file://{remote}")
    ci.fetch()
    assert ci.names() == []
    ref = f"refs/runs/{month()}/ann"
    ci.git("fetch", "-q", "--unshallow", "origin", ref)
    assert ci.names() == ["early"]

"""Runs travel by ordinary git remotes: what is pushed by one is seen by the others, once, whoever was faster."""

from __future__ import annotations

import time

from gittrack.api.annotate import rename_run, tag_run


def test_what_one_pushes_the_other_sees(people, remote):
    ann, bob = people("ann"), people("bob")
    ann.run("first", params={"lr": 0.1})
    ann.run("second")
    done = ann.push()
    assert (len(done.shared.rows), done.shared.attempts) == (2, 1)
    assert ann.names() == ["first", "second"]
    assert ann.refs() == [f"refs/runs-remote/origin/{month()}/ann"]
    assert bob.names() == []
    found = bob.fetch()
    assert (found.runs, found.events, found.refused, found.rewritten) == (2, 0, (), ())
    assert bob.names() == ["first", "second"]
    assert bob.fetch().rows == ()
    assert ann.push().shared.rows == ()


def test_what_is_said_of_anothers_run_comes_back(people):
    ann, bob = people("ann"), people("bob")
    id = ann.run("first")
    ann.push()
    bob.fetch()
    with bob.here():
        tag_run(bob.project, id, {"good": "yes"})
        rename_run(bob.project, id, "best")
    done = bob.push()
    assert [row.kind for row in done.shared.rows] == ["event", "event"]
    assert ann.fetch().events == 2
    assert ann.names() == ["best"]


def test_two_clones_of_one_writer_append_to_one_ledger(people):
    one, two = people("one", "ann"), people("two", "ann")
    one.run("first")
    two.run("second")
    one.push()
    assert two.push().shared.attempts == 1, "who never asked the remote asks it first"
    one.run("third")
    assert one.push().shared.attempts == 2
    for person in (one, two):
        person.fetch()
        assert person.names() == ["first", "second", "third"]
        assert person.refs() == [f"refs/runs-remote/origin/{month()}/ann"]


def test_a_push_killed_before_it_was_noted_is_done_again_without_listing_anything_twice(people):
    ann, bob = people("ann"), people("bob")
    ann.run("first")
    ann.push()
    id = ann.run("second")
    before = ann.git("rev-parse", f"refs/runs-remote/origin/{month()}/ann")
    ann.push()
    commit = ann.git("rev-list", "--max-parents=2", f"refs/runs-remote/origin/{month()}/ann", "-1", "--grep=second")
    ann.git("update-ref", f"refs/runs-remote/origin/{month()}/ann", before)
    ann.git("update-ref", f"refs/runs/inbox/{id}", commit)
    time.sleep(1.1)  # in the same second the ledger commit would be the very same
    assert ann.push().shared.rows == ()
    assert ann.refs() == [f"refs/runs-remote/origin/{month()}/ann"]
    bob.fetch()
    assert bob.names() == ["first", "second"]
    batches = bob.git("log", "--first-parent", "--format=%s", f"refs/runs-remote/origin/{month()}/ann")
    assert batches.count("1 run") == 2


def test_only_what_is_chosen_is_pushed(people):
    ann, bob = people("ann"), people("bob")
    ids = [ann.run(name, params={"n": number}) for number, name in enumerate(("a", "b", "c"))]
    ann.push(runs=[ids[0]])
    bob.fetch()
    assert bob.names() == ["a"]
    ann.push(query="params.n = 1")
    bob.fetch()
    assert bob.names() == ["a", "b"]
    ann.git("config", "gittrack.share", "none")
    assert ann.push().shared.rows == ()
    ann.push(everything=True)
    bob.fetch()
    assert bob.names() == ann.names() == ["a", "b", "c"]


def test_a_push_says_which_commits_of_code_it_would_publish(people):
    from gittrack.api.push import plan_push

    ann = people("ann")
    (ann.folder / "new.py").write_text("x = 1\n")
    ann.git("add", ".")
    ann.git("commit", "-qm", "private")
    (ann.folder / "new.py").write_text("x = 2\n")
    ann.run("first")
    with ann.here():
        plan = plan_push(ann.project)
    assert [commit.subject for commit in plan.commits] == ["private"]
    ann.git("push", "-q", "origin", "main")
    with ann.here():
        assert plan_push(ann.project).commits == ()


def test_what_a_killed_fetch_left_is_cleared_by_the_next(people):
    ann = people("ann")
    ann.git("update-ref", "refs/runs-fetched/origin/0123456789ab/2026-11/bob", "HEAD")
    assert ann.names() == []
    ann.fetch()
    assert ann.refs() == []


def month() -> str:
    import datetime

    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m")


def test_a_fresh_clone_says_how_to_get_the_runs_of_others(people, gittrack_cli):
    bob = people("bob")
    assert gittrack_cli("ls", cwd=bob.folder).stderr.endswith("; those of others: gittrack fetch\n")


def test_a_fetch_that_waits_for_another_says_so(people, gittrack_cli):
    import threading

    from gittrack.store.locks import exclusive

    ann = people("ann")
    ann.fetch()
    said = []
    with exclusive(ann.project.layout.sharing_lock):
        thread = threading.Thread(target=lambda: said.append(gittrack_cli("fetch", cwd=ann.folder)))
        thread.start()
        time.sleep(3)
    thread.join(30)
    assert "gittrack: waiting for another push or fetch of this clone\n" in said[0].stderr
    assert said[0].returncode == 0

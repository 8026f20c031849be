"""Two clones that share their runs by Python alone."""

from __future__ import annotations

import pytest

import gittrack
from gittrack.errors import NoRemoteError, RemoteError, UsageError

from .signers import signs_by_ssh, ssh_key


def test_runs_and_comments_go_there_and_back(people):
    ann, bob = people("ann"), people("bob")
    with ann.here():
        assert gittrack.sharing_status(offline=True).news is None
        with gittrack.start_run(name="first", strict=True) as run:
            run.log_metric("loss", 0.5)
        assert gittrack.sharing_status().runs == (run.id,)
        done = gittrack.push()
        assert (done.plan.runs, done.plan.remote.shown, len(done.shared.rows)) == ((run.id,), "origin", 1)
        assert gittrack.push().shared.rows == ()
    assert gittrack.sharing_status(repo=bob.folder).news
    found = gittrack.fetch(repo=bob.folder)
    assert (found.runs, found.events, found.refused) == (1, 0, ())
    with bob.here():
        (mine,) = gittrack.runs()
        assert mine.metrics == {"loss": 0.5}
        said = gittrack.comment(mine, "why so slow?")
        gittrack.push()
    with ann.here():
        assert gittrack.pull().fetched.events == 1
        assert [event.value for event in gittrack.inbox().events] == ["why so slow?"]
        assert len(gittrack.inbox(keep=False).events) == 1
        assert gittrack.inbox().events == ()
        answer = gittrack.comment(run, "it swaps", reply=said.handle)
        assert answer.answers == said.id
        assert gittrack.sharing_status().events == 1


def test_only_the_runs_that_are_named_are_pushed(people):
    ann, bob = people("ann"), people("bob")
    with ann.here():
        for name in ("a", "b", "c"):
            gittrack.start_run(name=name, strict=True).end()
        gittrack.push(runs=[gittrack.get_run("a")])
        gittrack.push("origin", "b")
        with pytest.raises(UsageError, match="give one of them"):
            gittrack.push(runs="c", query="name = 'c'")
    bob.fetch()
    assert bob.names() == ["a", "b"]


def test_code_becomes_public_only_when_somebody_says_so(people):
    ann = people("ann")
    ann.git("commit", "-q", "--allow-empty", "-m", "private")
    ann.run("first")
    with ann.here():
        with pytest.raises(UsageError, match="1 commit of your code"):
            gittrack.push()
        assert len(gittrack.push(publish_code=True).shared.rows) == 1


def test_what_cannot_be_done_is_raised(people, remote):
    ann = people("ann")
    with ann.here():
        with pytest.raises(NoRemoteError, match="no remote 'nowhere'"):
            gittrack.fetch("nowhere")
        with pytest.raises(UsageError):
            gittrack.pull(artifacts="some")
        remote.rename(remote.with_name("moved.git"))
        with pytest.raises(RemoteError):
            gittrack.fetch()
        assert gittrack.sharing_status().unreachable


def test_who_trains_is_never_asked_for_a_passphrase(people, tmp_path, capsys):
    ann = people("ann")
    signs_by_ssh(ann, ssh_key(tmp_path, "ann"))
    with ann.here(), gittrack.start_run(name="first", strict=True) as run:
        gittrack.comment(run, "so far so good")
        assert "the comment is not signed" in capsys.readouterr().err
    with ann.here():
        gittrack.comment(run, "done")
    commits = ann.git("for-each-ref", "--format=%(objectname)", "refs/runs/inbox").split()
    signed = [commit for commit in commits if "gpgsig" in ann.git("cat-file", "commit", commit)]
    assert len(commits) == 3
    assert len(signed) == 1

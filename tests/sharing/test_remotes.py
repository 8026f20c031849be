"""Real remotes of every kind, and what each refuses."""

from __future__ import annotations

import stat

import pytest

from gittrack.errors import NoRemoteError, RemoteError

from .test_push_and_fetch import month


def test_a_hook_that_refuses_gives_its_words_and_nothing_is_lost(people, remote):
    ann = people("ann")
    hook = remote / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho no runs here >&2\nexit 1\n")
    hook.chmod(hook.stat().st_mode | stat.S_IXUSR)
    ann.run("first")
    with pytest.raises(RemoteError, match="pre-receive hook declined"):
        ann.push()
    assert ann.names() == ["first"]
    hook.unlink()
    assert len(ann.push().shared.rows) == 1


def test_a_remote_that_is_gone_is_told(people, remote):
    ann = people("ann")
    ann.run("first")
    remote.rename(remote.with_name("moved.git"))
    with pytest.raises(RemoteError, match="origin"):
        ann.push()
    with pytest.raises(RemoteError):
        ann.fetch()
    assert ann.names() == ["first"]


def test_without_a_remote_the_error_says_how_to_add_one(repo):
    from gittrack.api.fetch import fetch
    from gittrack.api.project import Project

    with pytest.raises(NoRemoteError) as caught:
        fetch(Project.open(repo))
    assert caught.value.hint == "git remote add origin URL"


def test_what_is_shared_is_known_per_remote(people, remote, git, tmp_path):
    ann = people("ann")
    git("init", "-q", "--bare", str(tmp_path / "backup.git"))
    ann.git("remote", "add", "backup", str(tmp_path / "backup.git"))
    ann.run("first")
    ann.push("origin")
    ann.run("second")
    assert len(ann.push("backup").shared.rows) == 2
    assert len(ann.push("origin").shared.rows) == 1
    assert ann.push("backup").shared.rows == ()
    assert ann.names() == ["first", "second"]


def test_a_remote_renamed_or_at_another_place_is_asked_again(people, remote, git, tmp_path):
    ann, bob = people("ann"), people("bob")
    ann.run("first")
    ann.push()
    ann.git("remote", "rename", "origin", "upstream")
    ann.run("second")
    assert len(ann.push("upstream").shared.rows) == 1
    git("init", "-q", "--bare", str(tmp_path / "new.git"))
    ann.git("remote", "set-url", "upstream", str(tmp_path / "new.git"))
    with pytest.raises(RemoteError, match="another repository now"):
        ann.push("upstream")
    ann.fetch("upstream", accept_rewrites=True)
    assert len(ann.push("upstream").shared.rows) == 2
    assert ann.names() == ["first", "second"]
    bob.fetch()
    assert bob.names() == ["first", "second"]


def test_a_host_that_takes_only_branches(people, remote):
    ann, bob = people("ann"), people("bob")
    for person in (ann, bob):
        person.git("config", "gittrack.refPrefix", "refs/heads/gittrack/")
    ann.run("first")
    ann.push()
    bob.fetch()
    assert bob.names() == ["first"]
    assert f"refs/heads/gittrack/{month()}/ann" in bob.git("ls-remote", "origin")
    assert "refs/runs" not in bob.git("ls-remote", "origin")


def test_a_path_is_a_remote(people, remote, git, tmp_path):
    ann, bob = people("ann"), people("bob")
    stick = tmp_path / "stick.git"
    git("init", "-q", "--bare", str(stick))
    ann.run("first")
    ann.push(str(stick))
    bob.fetch(str(stick))
    assert bob.names() == ["first"]


def test_a_throw_away_clone_of_ci_pushes_and_brings_no_history(people, remote):
    ann = people("ann")
    for number in range(3):
        (ann.folder / "train.py").write_text(f"print({number})\n")
        ann.git("commit", "-qam", f"change {number}")
    ann.git("push", "-q", "origin", "main")
    ann.run("first")
    ann.push()
    ci = people("ci", "ann", "--depth=1", "--no-local")
    ci.git("remote", "set-url", "origin", f"file://{remote}")
    ci.run("in-ci")
    ci.push()
    assert int(ci.git("rev-list", "--all", "--count")) < 8
    ann.fetch()
    assert ann.names() == ["first", "in-ci"]


def test_a_remote_set_up_as_a_mirror_loses_nothing(people, remote):
    ann, bob = people("ann"), people("bob")
    ann.git("config", "remote.origin.mirror", "true")
    ann.run("first")
    ann.push()
    bob.fetch()
    assert bob.names() == ["first"]
    assert "refs/heads/main" in bob.git("ls-remote", "origin")


def test_what_the_user_has_is_left_alone(people, remote):
    """No branch, tag, remote-tracking branch, FETCH_HEAD, index or file changes by pushing and fetching runs."""
    ann, bob = people("ann"), people("bob")
    ann.git("commit", "-q", "--allow-empty", "-m", "second")
    ann.git("tag", "v1")
    ann.git("push", "-q", "origin", "main", "v1")
    ann.run("first")
    ann.push()

    def seen() -> list[str]:
        names = bob.git("for-each-ref", "--format=%(refname) %(objectname)").splitlines()
        fetch_head = bob.folder / ".git" / "FETCH_HEAD"
        text = fetch_head.read_text() if fetch_head.exists() else "-"
        return [*(name for name in names if not name.startswith("refs/runs")), bob.git("status", "--porcelain"), text]

    before = seen()
    bob.fetch()
    bob.run("second")
    bob.push()
    assert seen() == before
    assert bob.names() == ["first", "second"]
    assert bob.git("log", "--oneline", "--decorate").count("runs") == 0

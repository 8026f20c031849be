"""The same over http with a password, git's own daemon, and what looks like ssh."""

from __future__ import annotations

import pytest

from gittrack.errors import AuthenticationError, RemoteError

from .transports import PASSWORD, USER, git_daemon, http_server, ssh_command


@pytest.fixture(autouse=True)
def protocols(monkeypatch):
    monkeypatch.setenv("GIT_ALLOW_PROTOCOL", "file:http:git:ssh")


def both_ways(ann, bob, url):
    for person in (ann, bob):
        person.git("remote", "set-url", "origin", url)
    ann.run("first")
    assert len(ann.push().shared.rows) == 1
    assert bob.fetch().runs == 1
    bob.run("second")
    bob.push()
    ann.fetch()
    assert ann.names() == bob.names() == ["first", "second"]


def test_http_with_a_password(people, remote):
    ann, bob = people("ann"), people("bob")
    ann.git("-C", str(remote), "config", "http.receivepack", "true")
    with http_server(remote.parent) as url:
        both_ways(ann, bob, url.replace("//", f"//{USER}:{PASSWORD}@") + "/remote.git")
        ann.git("remote", "set-url", "origin", url + "/remote.git")
        with pytest.raises(AuthenticationError) as caught:
            ann.fetch()
        ann.git("remote", "set-url", "origin", url.replace("//", f"//{USER}:wrong-{PASSWORD}@") + "/remote.git")
        with pytest.raises(AuthenticationError) as wrong:
            ann.fetch()
    for error in (caught.value, wrong.value):
        assert PASSWORD not in error.message + (error.hint or "")


def test_gits_own_daemon(people, remote):
    with git_daemon(remote.parent) as url:
        both_ways(people("ann"), people("bob"), url + "/remote.git")


def test_what_looks_like_ssh(people, remote, tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_SSH_COMMAND", str(ssh_command(tmp_path)))
    both_ways(people("ann"), people("bob"), f"ssh://host{remote}")


def test_a_program_named_by_a_url_is_not_run(people, remote, tmp_path):
    ann = people("ann")
    ann.git("remote", "set-url", "origin", f"ext::sh -c touch% {tmp_path}/ran")
    with pytest.raises(RemoteError):
        ann.fetch()
    assert not (tmp_path / "ran").exists()


def test_nobody_listens(people):
    ann = people("ann")
    ann.git("remote", "set-url", "origin", "http://127.0.0.1:9/remote.git")
    with pytest.raises(RemoteError, match="cannot be reached") as caught:
        ann.fetch()
    assert caught.value.hint == "gittrack status --offline"


def test_artifact_bytes_go_first_and_are_pulled_when_asked_for(people, tmp_path):
    import gittrack
    from gittrack.api.pull import pull_wanted

    ann, bob = people("ann"), people("bob")
    for person in (ann, bob):
        person.git("config", "gittrack.artifactRemote", str(tmp_path / "bytes"))
    with ann.here(), gittrack.start_run(name="first", strict=True) as run:
        big = ann.folder / "weights.bin"
        big.write_bytes(bytes(range(256)) * 1000)
        run.log_artifact(big)
    done = ann.push()
    assert done.bytes_moved is not None
    assert done.bytes_moved.moved == 1
    bob.fetch()
    with bob.here():
        assert pull_wanted(bob.project, "none") is None
        pulled = pull_wanted(bob.project, "all")
    assert pulled is not None
    assert (pulled.moved, pulled.failures) == (1, ())


def test_runs_whose_bytes_do_not_arrive_stay_here(people, tmp_path):
    import gittrack

    ann, bob = people("ann"), people("bob")
    (tmp_path / "bytes").write_text("a file, no folder")
    ann.git("config", "gittrack.artifactRemote", str(tmp_path / "bytes"))
    with ann.here(), gittrack.start_run(name="first", strict=True) as run:
        (ann.folder / "weights.bin").write_bytes(bytes(range(256)) * 1000)
        run.log_artifact(ann.folder / "weights.bin")
    with pytest.raises(RemoteError):
        ann.push()
    assert bob.fetch().rows == ()

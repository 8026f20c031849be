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


def test_a_token_in_a_url_is_nowhere(people, remote, gittrack_cli, monkeypatch, tmp_path):
    """Neither said nor printed nor part of a ref, a file of ours or a bundle; with another login it is the same."""
    ann = people("ann")
    ann.git("-C", str(remote), "config", "http.receivepack", "true")
    env = {"GIT_ALLOW_PROTOCOL": "file:http"}
    ann.run("first")
    with http_server(remote.parent) as url:
        secret = url.replace("//", f"//{USER}:{PASSWORD}@") + "/remote.git"
        wrong = url.replace("//", f"//{USER}:not-{PASSWORD}@") + "/remote.git"
        commands = [
            ["push", secret, "--json", "--yes"],
            ["push", secret],
            ["fetch", secret, "--json"],
            ["status", secret],
            ["status", secret, "--json"],
            ["remote", "check", secret],
            ["remote", "check", secret, "--json"],
            ["fetch", wrong],
            ["push", wrong, "--all"],
            ["bundle", "create", str(tmp_path / "runs.bundle")],
        ]
        said = ""
        for command in commands:
            done = gittrack_cli(*command, cwd=ann.folder, env=env)
            assert done.returncode == 0 or wrong in command, done.stderr
            said += done.stdout + done.stderr
        ann.git("config", "gittrack.runsRemote", secret)
        said += gittrack_cli("status", cwd=ann.folder, env=env).stdout
    assert "127.0.0.1" in said
    said += "".join(ann.refs()) + (ann.folder / ".git" / "gittrack" / "remotes.json").read_text()
    said += (tmp_path / "runs.bundle").read_bytes().decode("latin-1")
    assert PASSWORD not in said
    assert f"{USER}:" not in said
    slugs = {ref.split("/")[2] for ref in ann.refs() if ref.startswith("refs/runs-remote/")}
    assert len([slug for slug in slugs if slug.startswith("127-0-0-1-remote-")]) == 1


def test_gits_own_daemon(people, remote):
    with git_daemon(remote.parent) as url:
        both_ways(people("ann"), people("bob"), url + "/remote.git")


def test_what_looks_like_ssh(people, remote, tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_SSH_COMMAND", str(ssh_command(tmp_path)))
    both_ways(people("ann"), people("bob"), f"ssh://host{remote}")


def test_an_address_as_scp_takes_it_is_a_remote_for_push_and_fetch(people, remote, gittrack_cli, tmp_path):
    ann = people("ann")
    ann.run("first")
    env = {"GIT_ALLOW_PROTOCOL": "file:ssh", "GIT_SSH_COMMAND": str(ssh_command(tmp_path))}
    for command in ("push", "fetch"):
        done = gittrack_cli(command, f"git@host:{remote}", cwd=ann.folder, env=env)
        assert done.returncode == 0, done.stderr
    assert "refs/runs/" in ann.git("ls-remote", str(remote))
    done = gittrack_cli("push", "ext::sh -c true", cwd=ann.folder)
    assert "is of a kind that is not used" in done.stderr


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

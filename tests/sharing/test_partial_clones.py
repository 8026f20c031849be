"""Clones that lack files or folders of the code, or branches: runs arrive whole, are pushed, are read."""

from __future__ import annotations

import pytest

import gittrack
from gittrack.git.repository import Repository
from gittrack.store.run_reader import read_record

from .transports import PASSWORD, USER, http_server

WAYS = {
    "no files": ("--filter=blob:none",),
    "no folders": ("--filter=tree:0",),
    "sparse": ("--filter=blob:none", "--sparse"),
    "shallow too": ("--filter=blob:none", "--depth=1"),
    "no check-out": ("--filter=tree:0", "--no-checkout"),
    "one branch": ("--single-branch",),
    "sparse, whole": ("--sparse",),
    "shallow": ("--depth=2",),
}
SLOW = {name: () if name == "no folders" else (pytest.mark.slow,) for name in WAYS}


@pytest.fixture
def served(people, remote, monkeypatch):
    """A remote over http that lets itself be cloned in part, with runs whose files the code has too."""
    monkeypatch.setenv("GIT_ALLOW_PROTOCOL", "file:http")
    ann = people("ann")
    ann.git("-C", str(remote), "config", "http.receivepack", "true")
    ann.git("-C", str(remote), "config", "uploadpack.allowFilter", "true")
    for number in range(3):
        (ann.folder / "train.py").write_text(f"print({number})\n")
        ann.git("commit", "-qam", f"change {number}")
        with ann.here(), gittrack.start_run(name=f"at-{number}", strict=True) as run:
            run.log_metric("loss", 0.5)
            run.log_artifact("train.py")
    ann.git("push", "-q", "origin", "main")
    ann.push()
    with http_server(remote.parent) as url:
        yield ann, url.replace("//", f"//{USER}:{PASSWORD}@") + "/remote.git"


def clone(people, url, *options):
    bob = people("bob", None, "--no-local")
    bob.git("-C", str(bob.folder.parent), "clone", "-q", *options, url, "part")
    bob.folder = bob.folder.parent / "part"
    bob.git("config", "user.email", "bob@example.com")
    bob.git("config", "user.name", "Bob")
    return bob


@pytest.mark.parametrize("options", [pytest.param(WAYS[name], id=name, marks=SLOW[name]) for name in WAYS])
def test_fetch_run_push_show_and_fsck(served, people, gittrack_cli, options):
    ann, url = served
    bob = clone(people, url, *options)
    config = (bob.folder / ".git" / "config").read_text()
    found = bob.fetch()
    assert (found.refused, found.rewritten) == ((), ())
    old = [] if any("depth" in word for word in options) else ["at-0", "at-1", "at-2"]
    assert bob.names() == old
    bob.run("here")
    assert len(bob.push().shared.rows) == 1
    ann.fetch()
    assert ann.names() == ["at-0", "at-1", "at-2", "here"]
    ann.run("later")
    ann.push()
    assert bob.fetch().refused == ()
    assert bob.names() == [*old, "here", "later"]
    env = {"GIT_ALLOW_PROTOCOL": "file:http"}
    with bob.here():
        for run in gittrack.runs():
            assert list(run.history("loss").values) == [0.5]
    done = gittrack_cli("fsck", cwd=bob.folder, env=env)
    assert done.returncode == 0, done.stderr
    assert (bob.folder / ".git" / "config").read_text() == config


def test_what_a_run_and_the_code_have_alike_is_there(served, people):
    """The server takes a run's artifact to be here, as the code has that file; a partial clone lacks it."""
    _, url = served
    bob = clone(people, url, "--filter=blob:none")
    assert [line for line in bob.git("rev-list", "--objects", "--missing=print", "main").splitlines() if "?" in line]
    bob.fetch()
    objects = Repository.discover(bob.folder).objects
    commits = [row.split()[0] for row in bob.git("log", "--format=%H", "--all", "--grep=Run-Id").splitlines()]
    assert len(commits) == 3
    for commit in commits:
        assert not objects.missing(objects.all_objects_of(commit))
        assert read_record(Repository.discover(bob.folder), commit).name.startswith("at-")
    lacks = [line for line in bob.git("rev-list", "--objects", "--missing=print", "main").splitlines() if "?" in line]
    assert lacks, "the code is as partial as before"


def test_a_second_remote_and_a_url_are_not_made_sources_of_what_the_clone_lacks(served, people, remote):
    ann, url = served
    bob = clone(people, url, "--filter=blob:none")
    bob.git("remote", "add", "other", f"file://{remote}")
    config = (bob.folder / ".git" / "config").read_text()
    assert bob.fetch("other").runs == 3
    ann.run("later")
    ann.push()
    assert bob.fetch(f"file://{remote}").runs == 1
    assert (bob.folder / ".git" / "config").read_text() == config
    assert bob.names() == ["at-0", "at-1", "at-2", "later"]

"""A run goes from every place that a remote pushes to, each for itself; where a clone cannot look it says so."""

from __future__ import annotations

import pytest

from gittrack.api.expunge import plan_expunge
from gittrack.api.expunging import expunge
from gittrack.errors import ConflictError, RunActiveError

from .test_expunge import SECRET, commits, files_with, git_at, gone, leak, plan, reachable
from .test_push_and_fetch import month


def hook_at(remote, text: str):
    hook = remote / "hooks" / "update"
    hook.write_text(f"#!/bin/sh\n{text}\n")
    hook.chmod(0o755)
    return hook


def ledger_at(place) -> str:
    return git_at(place, "rev-parse", f"refs/runs/{month()}/ann")


@pytest.fixture
def ann(people):
    return people("ann")


@pytest.fixture
def second(tmp_path, git):
    git("init", "-q", "--bare", "second.git", cwd=tmp_path)
    return tmp_path / "second.git"


def test_a_place_that_refuses_is_named_and_repeating_it_does_the_rest(ann, remote, second, gittrack_cli):
    ann.git("remote", "set-url", "--add", "origin", str(second))
    ann.run("good")
    bad = leak(ann)
    ann.push()
    assert SECRET in reachable(second)
    hook = hook_at(second, "exit 1")
    for _ in ("first", "repeated"):
        done = gittrack_cli("expunge", bad, "--id", bad, cwd=ann.folder)
        assert done.returncode == 1
        assert f"origin {month()}/ann at {second} still has it" in done.stderr
        assert f"gittrack expunge {bad}" in done.stderr
        assert "--accept-rewrite" not in done.stderr
        assert "is expunged" not in done.stderr
        assert SECRET not in reachable(remote)
        assert SECRET in reachable(second)
    hook.unlink()
    done = gittrack_cli("expunge", bad, "--id", bad, cwd=ann.folder)
    assert done.returncode == 0, done.stderr
    assert f"rebuilt origin {month()}/ann at {second}" in done.stderr
    assert SECRET not in reachable(second)
    assert ledger_at(remote) == ledger_at(second)
    ann.run("later")
    ann.push()
    assert ledger_at(remote) == ledger_at(second)
    gone(ann, bad, here=True, prune=True)
    assert SECRET not in reachable(ann.folder)


@pytest.mark.slow
def test_the_first_place_refuses_and_the_other_is_done(ann, remote, second):
    ann.git("remote", "set-url", "--add", "origin", str(second))
    bad = leak(ann)
    ann.push()
    hook = hook_at(remote, "exit 1")
    done = gone(ann, bad)
    assert str(remote) in done.failed[0].where
    assert SECRET not in reachable(second)
    hook.unlink()
    assert gone(ann, bad).failed == []
    assert SECRET not in reachable(remote)
    assert ledger_at(remote) == ledger_at(second)


@pytest.mark.slow
def test_a_place_that_lagged_behind_gets_the_same_rebuilt_ledger(ann, remote, second):
    bad = leak(ann)
    ann.push()
    ann.git("push", "-q", str(second), f"refs/runs-remote/origin/{month()}/ann:refs/runs/{month()}/ann")
    ann.run("good")
    ann.push()
    ann.git("remote", "set-url", "--add", "origin", str(second))
    assert gone(ann, bad).failed == []
    assert SECRET not in reachable(remote) + reachable(second)
    assert ledger_at(remote) == ledger_at(second)
    ann.run("later")
    ann.push()
    assert ledger_at(remote) == ledger_at(second)


def test_what_is_pushed_to_is_rebuilt_and_a_mirror_that_is_fetched_from_is_told_until_it_follows(
    ann, people, remote, second, gittrack_cli
):
    ann.run("good")
    bad = leak(ann)
    ann.push()
    git_at(remote, "push", "-q", "--mirror", str(second))
    two = people("two", "ann")
    two.fetch()
    two.run("newer than the mirror")
    two.push()
    ann.git("remote", "set-url", "origin", str(second))
    ann.git("remote", "set-url", "--push", "origin", str(remote))
    ann.fetch()
    done = gittrack_cli("expunge", bad, "--id", bad, cwd=ann.folder)
    assert done.returncode == 1
    assert f"origin {month()}/ann at {second} still has it" in done.stderr
    assert SECRET not in reachable(remote)
    assert ann.names() == ["good", "newer than the mirror"]
    assert gittrack_cli("expunge", bad, "--id", bad, cwd=ann.folder).returncode == 1
    git_at(remote, "push", "-q", "--mirror", str(second))
    assert gittrack_cli("expunge", bad, "--id", bad, cwd=ann.folder).returncode == 0
    ann.run("later")
    ann.push()
    assert SECRET not in reachable(remote)
    assert len(git_at(remote, "log", "--format=%s", f"refs/runs/{month()}/ann").splitlines()) > 3


def test_a_ledger_that_is_remembered_and_no_longer_there_is_rebuilt_here(ann, remote):
    ann.run("good")
    bad = leak(ann)
    ann.push()
    git_at(remote, "update-ref", "-d", f"refs/runs/{month()}/ann")
    done = gone(ann, bad, prune=True)
    assert (done.failed, done.stored) == ([], [])
    assert SECRET not in reachable(ann.folder)
    assert ann.names() == ["good"]
    ann.push()
    assert ledger_at(remote)
    assert SECRET not in reachable(remote)


def test_a_shallow_clone_that_does_not_know_the_whole_ledger_refuses(ann, people, remote):
    bad = leak(ann)
    ann.push()
    ann.run("later")
    ann.git("commit", "-q", "--allow-empty", "-m", "second")
    ann.git("push", "-q", "origin", "HEAD")
    ann.push()
    git_at(remote.parent, "clone", "-q", "--depth=1", f"file://{remote}", "shallow")
    from .conftest import Person

    ci = Person(remote.parent / "shallow", "ci")
    ci.fetch()
    assert "leaky" not in ci.names()
    for how in ({}, {"remotes": ["origin"]}):
        with pytest.raises(ConflictError, match="this clone is shallow") as caught:
            plan(ci, bad, **how)
        assert "git fetch --unshallow" in caught.value.hint
    ci.git("fetch", "-q", "--unshallow")
    assert gone(ci, bad).failed == []
    assert SECRET not in reachable(remote)


# -- asked again before anything goes


def test_bytes_that_another_run_logged_since_the_plan_stay(ann):
    import gittrack

    (ann.folder / "own.bin").write_bytes(b"own" * 60000)
    (ann.folder / "other.bin").write_bytes(b"other" * 60000)
    with ann.here():
        with gittrack.start_run(name="leaky", strict=True) as run:
            run.log_artifact("own.bin")
            run.log_artifact("other.bin")
        planned = plan_expunge(ann.project, str(run.id))
        assert planned.bytes.here == 2
        with gittrack.start_run(name="since", strict=True) as run:
            run.log_artifact("own.bin")
        done = expunge(ann.project, planned)
        assert done.bytes == (1, 1)
    assert len(files_with(ann.folder, "ownown")) == 1
    assert files_with(ann.folder, "otherother") == []


@pytest.mark.slow
def test_while_a_run_is_written_bytes_that_it_may_have_stored_stay(ann):
    import gittrack

    (ann.folder / "own.bin").write_bytes(b"own" * 60000)
    with ann.here():
        with gittrack.start_run(name="leaky", strict=True) as run:
            run.log_artifact("own.bin")
        planned = plan_expunge(ann.project, str(run.id))
        with gittrack.start_run(name="going", strict=True):
            done = expunge(ann.project, planned)
        assert done.bytes == (0, 1)


def test_a_tag_set_after_the_plan_and_a_run_that_goes_on_again_refuse(ann, remote):
    import gittrack

    bad = leak(ann)
    ann.push()
    planned = plan(ann, bad)
    ann.git("tag", "v1", commits(ann)["leaky"])
    with ann.here(), pytest.raises(ConflictError, match="refs/tags/v1"):
        expunge(ann.project, planned)
    ann.git("tag", "-d", "v1")
    with ann.here(), gittrack.start_run(run_id=bad, strict=True), pytest.raises(RunActiveError):
        expunge(ann.project, planned)
    assert SECRET in reachable(remote)
    with ann.here():  # the resumed run is a commit that the plan does not know
        assert expunge(ann.project, planned).failed == []
    assert SECRET not in reachable(remote) + reachable(ann.folder)
    assert ann.names() == []

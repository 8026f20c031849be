"""A run that is expunged is gone for good here and at remotes, and no clone brings it back; others stay as they are."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import gittrack
from gittrack.api.comments import comment_run
from gittrack.api.expunge import ExpungePlan, plan_expunge
from gittrack.api.expunging import Expunged, expunge
from gittrack.api.push import plan_push
from gittrack.errors import ConflictError, RemoteError, RunActiveError, RunExpungedError, RunNotFoundError
from gittrack.store.catalog import read_catalog

from .conftest import Person
from .test_push_and_fetch import month

SECRET = "hunter2hunter2hunter2"


def gone(person: Person, run: str, *, prune: bool = False, **how) -> Expunged:
    with person.here():
        return expunge(person.project, plan_expunge(person.project, run, **how), prune=prune)


def plan(person: Person, run: str, **how) -> ExpungePlan:
    with person.here():
        return plan_expunge(person.project, run, **how)


def commits(person: Person) -> dict[str, str]:
    """The commits of all runs that are listed, by name."""
    with person.here():
        return {run.name: run.commit for run in gittrack.runs()}


def git_at(folder: Path, *args: str) -> str:
    return subprocess.run(["git", *args], cwd=folder, capture_output=True, text=True, check=True).stdout


def reachable(folder: Path) -> str:
    """Everything that any ref of a repository reaches, as text: names of objects and all they hold."""
    ids = [line.split()[0] for line in git_at(folder, "rev-list", "--objects", "--all").splitlines()]
    data = "".join(f"{id}\n" for id in ids).encode()
    done = subprocess.run(["git", "cat-file", "--batch"], cwd=folder, input=data, capture_output=True, check=True)
    return "\n".join(ids) + done.stdout.decode("utf-8", "replace")


def is_stored(person: Person, commit: str) -> bool:
    done = subprocess.run(["git", "cat-file", "-e", commit], cwd=person.folder, capture_output=True)
    return done.returncode == 0


def leak(person: Person, name: str = "leaky") -> str:
    return person.run(name, params={"password_of_db": SECRET, "plain": SECRET})


def say(person: Person, run: str, text: str) -> None:
    with person.here():
        comment_run(person.project, run, text)


def files_with(folder: Path, text: str) -> list[str]:
    """Files beside git's objects that hold a text."""
    root = folder / ".git" / "gittrack"
    return [str(path) for path in root.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


@pytest.fixture
def trio(people):
    return people("ann"), people("bob"), people("two", "ann")


def test_a_run_is_gone_here_and_at_the_remote_and_all_others_stay_as_they_are(trio, remote):
    ann, bob, _ = trio
    ann.run("before")
    ann.push()
    kept, bad = ann.run("beside"), leak(ann)
    say(ann, bad, f"it holds {SECRET}")
    say(ann, kept, "fine")
    ann.push()
    ann.run("after")
    ann.push()
    bob.fetch()
    say(bob, bad, f"I see {SECRET}")
    bob.push()
    ann.fetch()
    before, commit = commits(ann), commits(ann)["leaky"]
    done = gone(ann, bad, prune=True)
    assert (done.failed, done.stored, done.left) == ([], [], [])
    assert sorted(done.rebuilt) == [f"origin {month()}/ann", f"origin {month()}/bob"]
    for folder in (remote, ann.folder):
        held = reachable(folder)
        assert commit not in held
        assert SECRET not in held
    assert not is_stored(ann, commit)
    assert files_with(ann.folder, SECRET) == []
    del before["leaky"]
    assert commits(ann) == before
    assert ann.push().shared.rows == ()
    with ann.here(), pytest.raises(RunNotFoundError):
        gittrack.get_run(bad)


def test_a_teammate_is_told_and_has_lost_exactly_this_run_once_the_rewriting_is_accepted(trio):
    ann, bob, _ = trio
    ann.run("good")
    bad = leak(ann)
    ann.push()
    bob.fetch()
    bob.run("mine")
    bob.push()
    before = commits(bob)
    gone(ann, bad)
    found = bob.fetch()
    assert [(ledger.writer, [row.id for row in ledger.lost]) for ledger in found.rewritten] == [("ann", [bad])]
    assert "leaky" in bob.names()
    accepted = bob.fetch(accept_rewrites=True)
    assert accepted.expunged == (bad,)
    del before["leaky"]
    assert commits(bob) == before
    assert bob.fetch().rewritten == ()
    gone(bob, bad, here=True, prune=True)
    assert SECRET not in reachable(bob.folder)


def test_an_old_clone_of_the_same_writer_does_not_bring_it_back(trio, remote):
    ann, _, two = trio
    bad = leak(ann)
    ann.push()
    two.fetch()
    commit = commits(ann)["leaky"]
    gone(ann, bad)
    two.run("later")
    with pytest.raises(RemoteError, match="was rewritten there"):
        two.push()
    two.fetch(accept_rewrites=True)
    two.push()
    assert two.names() == ["later"]
    assert commit not in reachable(remote)
    ann.fetch()
    assert ann.names() == ["later"]


@pytest.mark.slow
def test_a_clone_that_has_it_in_its_own_ledgers_hides_it_and_does_not_push_it(trio, remote):
    ann, bob, _ = trio
    bad = leak(bob)
    bob.push()
    ann.fetch()
    commit = commits(bob)["leaky"]
    bob.git("update-ref", f"refs/runs/inbox/{bad}", commit)
    gone(ann, bad)
    bob.fetch(accept_rewrites=True)
    with bob.here():
        assert bob.names() == []
        pushing = bob.push()
        assert pushing.plan.expunged == (bad,)
        with pytest.raises(RunExpungedError, match="expunged by Ann"):
            gittrack.get_run(bad)
        assert list(read_catalog(bob.project.repo).expunged()) == [bad]
    assert commit not in reachable(remote)
    assert is_stored(bob, commit)
    gone(bob, bad, here=True, prune=True)
    assert not is_stored(bob, commit)


def test_a_resumed_run_goes_with_the_commits_it_continued_and_a_deleted_one_too(trio, remote):
    ann, _, _ = trio
    bad = leak(ann)
    ann.push()
    first = commits(ann)["leaky"]
    with ann.here():
        with gittrack.start_run(run_id=bad, strict=True) as run:
            run.log_metric("loss", 0.1, 5)
        second = commits(ann)["leaky"]
        ann.push()
        from gittrack.api.annotate import delete_run

        delete_run(ann.project, bad)
    ann.run("good")
    assert gone(ann, bad, prune=True).failed == []
    held = reachable(remote)
    assert first != second
    assert first not in held
    assert second not in held
    assert not is_stored(ann, first)
    assert not is_stored(ann, second)
    assert ann.names() == ["good"]


@pytest.mark.slow
def test_a_run_that_was_never_shared_goes_from_the_inbox_and_from_local_ledgers(trio):
    ann, _, _ = trio
    one = leak(ann, "one")
    with ann.here():
        from gittrack.api.maintain import roll_up_now

        roll_up_now(ann.project)
        good = ann.run("good")
        roll_up_now(ann.project)
        two = leak(ann, "two")
        before = commits(ann)["good"]
        gone(ann, one)
        gone(ann, two, prune=True)
        assert SECRET not in reachable(ann.folder)
        assert list((ann.project.layout.done).glob(f"{two}*")) == []
    assert commits(ann) == {"good": before}
    assert good


@pytest.mark.slow
def test_events_alone_that_are_left_of_a_run_are_found_by_its_id(trio, remote):
    ann, bob, _ = trio
    bad = leak(ann)
    ann.push()
    bob.fetch()
    say(bob, bad, f"see {SECRET}")
    bob.push()
    ann.git("push", "-q", "origin", f":refs/runs/{month()}/ann")
    ann.git("update-ref", "-d", f"refs/runs-remote/origin/{month()}/ann")
    ann.fetch()
    assert gone(ann, bad).rebuilt == [f"origin {month()}/bob"]
    assert SECRET not in reachable(remote)


@pytest.mark.slow
def test_it_goes_from_both_of_two_remotes(trio, remote, git, tmp_path):
    ann, _, _ = trio
    git("init", "-q", "--bare", "second.git", cwd=tmp_path)
    ann.git("remote", "add", "backup", str(tmp_path / "second.git"))
    bad = leak(ann)
    ann.push()
    ann.push("backup")
    assert {place.name for place in plan(ann, bad).remotes} == {"origin", "backup"}
    assert len(gone(ann, bad).rebuilt) == 2
    assert SECRET not in reachable(remote)
    assert SECRET not in reachable(tmp_path / "second.git")


def test_a_server_that_takes_no_rewriting_is_named_and_the_rest_is_done(trio, remote):
    ann, bob, _ = trio
    for person in (ann, bob):  # servers guard branches only
        person.git("config", "gittrack.refPrefix", "refs/heads/runs/")
    ann.run("good")
    bad = leak(ann)
    ann.push()
    git_at(remote, "config", "receive.denyNonFastForwards", "true")
    done = gone(ann, bad)
    assert [(item.where, item.hint) for item in done.failed] == [
        (
            f"origin {month()}/ann",
            "whoever runs it: git config receive.denyNonFastForwards false, for as long as this takes",
        )
    ]
    assert ann.names() == ["good"]
    bob.fetch()
    assert bob.names() == ["good"]
    git_at(remote, "config", "receive.denyNonFastForwards", "false")
    again = gone(ann, bad)
    assert (again.failed, len(again.rebuilt)) == ([], 1)
    assert SECRET not in reachable(remote)


@pytest.mark.slow
def test_a_hook_that_refuses_is_named(trio, remote):
    ann, _, _ = trio
    bad = leak(ann)
    ann.push()
    hook = remote / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho no rewriting here\nexit 1\n")
    hook.chmod(0o755)
    done = gone(ann, bad)
    assert done.failed
    assert "hook declined" in done.failed[0].reason
    hook.unlink()
    assert gone(ann, bad).failed == []
    assert SECRET not in reachable(remote)


@pytest.mark.slow
def test_two_people_expunge_two_runs_of_one_ledger_and_neither_knows_of_the_other(trio, remote):
    ann, bob, _ = trio
    ann.run("good")
    one, two = leak(ann, "one"), leak(ann, "two")
    ann.push()
    bob.fetch()
    assert gone(ann, one).failed == []
    done = gone(bob, two)
    assert (done.failed, len(done.rebuilt), len(done.unread)) == ([], 1, 1)
    assert SECRET not in reachable(remote)
    for person in (ann, bob):
        person.fetch(accept_rewrites=True)
        assert person.names() == ["good"]


@pytest.mark.slow
def test_a_ledger_that_grew_meanwhile_keeps_what_came(trio, remote):
    ann, _, two = trio
    bad = leak(ann)
    ann.push()
    two.fetch()
    two.run("news")
    two.push()
    asked = plan(ann, bad)
    with ann.here():
        expunge(ann.project, asked)
    assert SECRET not in reachable(remote)
    assert ann.names() == ["news"]
    two.fetch(accept_rewrites=True)
    assert two.names() == ["news"]


@pytest.mark.slow
def test_only_here_leaves_the_remote_and_does_not_come_back_with_the_next_fetch(trio, remote):
    ann, bob, _ = trio
    bad = leak(ann)
    ann.push()
    bob.fetch()
    gone(bob, bad, here=True, prune=True)
    assert SECRET not in reachable(bob.folder)
    assert SECRET in reachable(remote)
    assert len(bob.fetch().rewritten) == 1
    assert bob.names() == []
    assert gone(bob, bad, remotes=["origin"]).failed == []
    assert SECRET not in reachable(remote)


@pytest.mark.parametrize(
    ("ref", "command"),
    [
        ("refs/tags/v1", "git tag -d v1; where it was pushed: git push REMOTE :refs/tags/v1"),
        pytest.param(
            "refs/heads/kept",
            "git branch -D kept; where it was pushed: git push REMOTE :refs/heads/kept",
            marks=pytest.mark.slow,
        ),
        pytest.param("refs/custom/x", "git update-ref -d refs/custom/x", marks=pytest.mark.slow),
    ],
)
def test_a_ref_of_the_users_that_reaches_it_refuses(trio, remote, ref, command):
    ann, _, _ = trio
    bad = leak(ann)
    ann.push()
    ann.git("update-ref", ref, commits(ann)["leaky"])
    assert [item.command for item in plan(ann, bad).obstacles] == [command]
    with pytest.raises(ConflictError, match=ref):
        gone(ann, bad)
    assert SECRET in reachable(remote)
    ann.git("update-ref", "-d", ref)
    assert gone(ann, bad).failed == []


@pytest.mark.slow
def test_a_run_made_on_top_of_it_and_a_worktree_at_it_refuse(trio, tmp_path):
    ann, _, _ = trio
    bad = leak(ann)
    ann.git("worktree", "add", "-q", "--detach", str(tmp_path / "tree"), commits(ann)["leaky"])
    assert ["worktree" in item.what for item in plan(ann, bad).obstacles] == [True]
    there = Person(tmp_path / "tree", "tree")
    top = there.run("on top")
    ann.git("worktree", "remove", "--force", str(tmp_path / "tree"))
    assert [item.what for item in plan(ann, bad).obstacles] == [f"run {top} was made on top of it"]


@pytest.mark.slow
def test_a_live_run_and_one_that_is_not_there_refuse(trio):
    ann, _, _ = trio
    with ann.here():
        with gittrack.start_run(name="going", strict=True) as run, pytest.raises(RunActiveError):
            plan(ann, str(run.id))
        with pytest.raises(RunNotFoundError):
            plan(ann, "f" * 32)
        with pytest.raises(RunNotFoundError):
            plan(ann, "nothing of this name")


@pytest.mark.slow
def test_runs_inside_it_and_a_snapshot_that_others_use_are_named_and_stay(trio):
    ann, _, _ = trio
    (ann.folder / "train.py").write_text(f"KEY = '{SECRET}'\n")
    with ann.here(), gittrack.start_run(name="outer", strict=True) as outer:
        inner = gittrack.start_run(name="inner", nested=True, strict=True)
        inner.end()
    asked = plan(ann, str(outer.id))
    assert asked.children == (inner.id,)
    assert len(asked.code) == 1
    assert asked.code[0].startswith("the snapshot of the code")
    assert str(inner.id)[:8] in asked.code[0]
    assert gone(ann, str(outer.id)).failed == []
    assert ann.names() == ["inner"]


def test_bytes_that_only_it_needs_go_and_shared_ones_stay(trio):
    ann, _, _ = trio
    (ann.folder / "own.bin").write_bytes(SECRET.encode() * 9000)
    (ann.folder / "shared.bin").write_bytes(b"shared" * 20000)
    ids = []
    with ann.here():
        for name, files in (("leaky", ("own.bin", "shared.bin")), ("good", ("shared.bin",))):
            with gittrack.start_run(name=name, strict=True) as run:
                for file in files:
                    run.log_artifact(file)
            ids.append(str(run.id))
    (ann.folder / "own.bin").unlink()
    assert plan(ann, ids[0]).bytes.here == 1
    assert gone(ann, ids[0]).bytes == (1, 0)
    assert files_with(ann.folder, SECRET) == []
    assert len(files_with(ann.folder, "sharedshared")) == 1


def test_an_event_of_a_stranger_hides_a_run_and_deletes_nothing_and_its_owner_takes_it_back(trio):
    from gittrack.api.annotate import restore_run, write_fact
    from gittrack.api.read import list_runs
    from gittrack.core.records import Subject

    ann, bob, _ = trio
    mine = ann.run("mine")
    ann.push()
    bob.fetch()
    with bob.here():
        write_fact(bob.project, Subject("run", mine), "expunged", commits(bob)["mine"])
    bob.push()
    ann.fetch()
    with ann.here():
        listing = list_runs(ann.project)
        assert listing.runs == ()
        assert [problem.where for problem in listing.problems] == [f"run {mine}"]
        assert "expunged by Bob" in listing.problems[0].reason
        with pytest.raises(RunExpungedError):
            gittrack.get_run(mine)
    with bob.here(), pytest.raises(ConflictError, match="only they bring it back"):
        restore_run(bob.project, mine)
    with ann.here():
        restore_run(ann.project, mine)
    assert ann.names() == ["mine"]
    ann.push()
    bob.fetch()
    assert bob.names() == ["mine"]


@pytest.mark.slow
def test_another_run_that_a_forged_row_gives_this_id_stays(trio, remote):
    from .test_hostile_and_rewritten import ledger_with

    ann, bob, _ = trio
    good, bad = ann.run("good"), leak(ann)
    ann.push()
    before = commits(ann)["good"]
    bob.fetch()
    tip = ledger_with(bob, [("run", bad, before)])
    bob.git("push", "-q", "origin", f"{tip}:refs/runs/{month()}/eve")
    ann.fetch()
    assert gone(ann, bad).failed == []
    held = reachable(remote)
    assert before in held
    assert f"run\t{good}\t{before}" in held
    assert SECRET not in held


@pytest.mark.slow
def test_a_remote_that_is_not_there_is_told_and_the_rest_is_done(trio, remote):
    ann, _, _ = trio
    bad = leak(ann)
    ann.push()
    moved = remote.with_name("moved.git")
    remote.rename(moved)
    done = gone(ann, bad)
    assert len(done.failed) == 1
    assert ann.names() == []
    moved.rename(remote)
    assert gone(ann, bad).failed == []
    assert SECRET not in reachable(remote)


def test_ledgers_of_a_bundle_are_rebuilt_here_and_the_bundle_does_not_bring_it_back(trio, tmp_path):
    from gittrack.api.bundle import apply_bundle, create_bundle

    ann, bob, _ = trio
    ann.run("good")
    bad = leak(ann)
    with ann.here():
        create_bundle(ann.project, tmp_path / "runs.bundle")
    with bob.here():
        apply_bundle(bob.project, tmp_path / "runs.bundle")
        assert bob.names() == ["good", "leaky"]
        commit, (ledger,) = commits(bob)["leaky"], [name for name in bob.refs() if name.endswith("/ann")]
        gone(bob, bad, prune=True)
        assert not is_stored(bob, commit)
        rebuilt = bob.git("rev-parse", ledger)
        apply_bundle(bob.project, tmp_path / "runs.bundle")
    assert bob.git("rev-parse", ledger) == rebuilt
    assert commit not in reachable(bob.folder)
    assert SECRET not in reachable(bob.folder)
    assert bob.names() == ["good"]


# -- what is said in ledgers


def expunged_by(person: Person) -> list[str]:
    """The runs that ledgers say to be expunged, as a push reads it."""
    from gittrack.store.expunged_events import expunged_events

    project = person.project
    return [event.subject.key for event in expunged_events(project.repo, project.layout)]


def test_that_a_run_is_expunged_stays_known_when_a_later_batch_cannot_be_read(trio):
    from .test_hostile_and_rewritten import put, tree_of

    ann, bob, _ = trio
    bad = leak(ann)
    ann.push()
    gone(ann, bad)
    bob.fetch()
    name = f"refs/runs-remote/origin/{month()}/ann"
    tip = bob.git("rev-parse", name)
    blob = put(bob, "gittrack-batch\t99\n")
    newer = bob.git("commit-tree", tree_of(bob, f"100644 blob {blob}\tbatch.tsv\n"), "-p", tip, "-m", "newer")
    assert expunged_by(bob) == [bad]
    for above in (newer, bob.git("commit-tree", f"{newer}^{{tree}}", "-p", newer, "-m", "newer still")):
        bob.git("update-ref", name, above)
        for _ in ("looked at", "remembered"):
            assert expunged_by(bob) == [bad]
    (bob.folder / ".git/gittrack/expunged.json").unlink()
    assert expunged_by(bob) == [bad]
    bob.git("update-ref", name, bob.git("rev-list", "--max-parents=0", name).splitlines()[-1])
    assert expunged_by(bob) == []


def test_an_event_that_could_not_be_read_is_looked_at_again(trio):
    ann, _, _ = trio
    bad = leak(ann)
    ann.push()
    gone(ann, bad)
    lines = ann.git("log", "--all", "--format=%H %s").splitlines()
    (commit,) = [line.split()[0] for line in lines if line.split()[1].startswith("expunged")]
    loose = ann.folder / ".git/objects" / commit[:2] / commit[2:]
    loose.rename(ann.folder / "aside")
    assert expunged_by(ann) == []
    (ann.folder / "aside").rename(loose)
    assert expunged_by(ann) == [bad]


def test_code_of_an_expunged_run_that_stays_here_is_not_told_to_become_public(trio):
    ann, bob, _ = trio
    bad = leak(ann)
    ann.push()
    bob.fetch()
    bob.git("commit", "-q", "--allow-empty", "-m", "mine alone")
    bob.git("checkout", "-q", "-b", "private")
    bob.git("commit", "-q", "--allow-empty", "-m", "never to be seen")
    mine = leak(bob)
    bob.git("checkout", "-q", "main")
    with bob.here():
        from gittrack.api.annotate import write_fact
        from gittrack.core.records import Subject

        write_fact(bob.project, Subject("run", mine), "expunged", "gone")
        bob.run("good")
        planned = plan_push(bob.project)
    assert planned.expunged == (mine,)
    assert [commit.subject for commit in planned.commits] == ["mine alone"]
    assert bad


def test_checkpoints_of_it_and_what_is_known_of_them_go(trio, remote):
    ann, bob, _ = trio
    bad = leak(ann)
    commit = commits(ann)["leaky"]
    ann.git("push", "-q", "origin", f"{commit}:refs/runs/live/{bad}")
    bob.git("fetch", "-q", "origin", f"refs/runs/live/{bad}:refs/runs-remote/origin/live/{bad}")
    assert plan(bob, bad).there.commits == {commit}
    assert gone(bob, bad, here=True).stored == [commit]
    notes = ann.folder / ".git/gittrack/checkpoints"
    notes.mkdir(exist_ok=True)
    for end in ("json", "log", "lock"):
        (notes / f"{bad}.{end}").write_text(SECRET)
    other = notes / f"{'a' * 32}.json"
    other.write_text("{}")
    assert gone(ann, bad, remotes=["origin"]).failed == []
    assert list(notes.iterdir()) == [other]
    assert SECRET not in reachable(remote)


# -- killed


def killing_hook(remote: Path, name: str, pid_file: Path) -> None:
    """A hook that kills whoever pushes, once: before the refs move, or after."""
    hook = remote / "hooks" / name
    hook.write_text(f"#!/bin/sh\ncat >/dev/null\n[ -e {pid_file} ] && kill -9 $(cat {pid_file})\nsleep 0.2\nexit 0\n")
    hook.chmod(0o755)


def expunging_process(person: Person, run: str, pid_file: Path) -> subprocess.Popen[bytes]:
    program = (
        "import os, sys; from gittrack.cli.main import main; "
        f"open({str(pid_file)!r}, 'w').write(str(os.getpid())); "
        f"sys.exit(main(['expunge', {run!r}, '--id', {run!r}]))"
    )
    return subprocess.Popen([sys.executable, "-c", program], cwd=person.folder, stderr=subprocess.DEVNULL)


@pytest.mark.parametrize("when", ["pre-receive", "post-receive"])
def test_killed_around_the_push_it_is_repeated_and_ends_right(trio, remote, tmp_path, when):
    ann, bob, _ = trio
    ann.run("good")
    bad = leak(ann)
    ann.push()
    bob.fetch()
    killing_hook(remote, when, tmp_path / "pid")
    assert expunging_process(ann, bad, tmp_path / "pid").wait() == -signal.SIGKILL
    (tmp_path / "pid").unlink()
    (remote / "hooks" / when).unlink()
    done = gone(ann, bad, prune=True)
    assert (done.failed, done.stored) == ([], [])
    assert SECRET not in reachable(remote)
    assert SECRET not in reachable(ann.folder)
    assert ann.names() == ["good"]
    assert ann.fetch().rewritten == ()
    bob.fetch(accept_rewrites=True)
    assert bob.names() == ["good"]


@pytest.mark.slow
@pytest.mark.parametrize("moment", range(30))
def test_killed_at_any_moment_it_is_repeated_and_ends_right(trio, remote, tmp_path, moment):
    ann, bob, _ = trio
    ann.run("good")
    bad = leak(ann)
    say(ann, bad, SECRET)
    ann.push()
    bob.fetch()
    say(bob, bad, SECRET)
    bob.push()
    ann.run("unshared")
    process = expunging_process(ann, bad, tmp_path / "pid")
    time.sleep(0.25 + moment * 0.06)
    process.kill()
    process.wait()
    for lock in ann.folder.rglob("*.lock"):
        if "refs" in str(lock):
            os.unlink(lock)
    done = gone(ann, bad, prune=True)
    assert (done.failed, done.stored) == ([], [])
    assert SECRET not in reachable(remote)
    assert SECRET not in reachable(ann.folder)
    assert ann.names() == ["good", "unshared"]
    ann.push()
    bob.fetch(accept_rewrites=True)
    assert bob.names() == ["good", "unshared"]


# -- the command


@pytest.fixture
def cli(gittrack_cli) -> Callable[..., subprocess.CompletedProcess[str]]:
    return gittrack_cli


def test_the_command_wants_the_id_typed_and_says_what_cannot_be_undone(trio, cli, remote):
    ann, _, _ = trio
    bad = leak(ann)
    ann.push()
    with ann.here():
        nobody = cli("expunge", "leaky")
        assert nobody.returncode == 2
        assert "change the secret now" in nobody.stderr
        assert "nobody is there to type the run's id" in nobody.stderr
        narrow = cli("expunge", "leaky", "--here", "--prune").stderr
        assert " --here --prune --id ID" in narrow, "who repeats what is said must not do more than was asked for"
        assert " --here --prune" in cli("expunge", "leaky", "--here", "--prune", "--dry-run").stderr
        wrong = cli("expunge", "leaky", "--id", bad[:31] + "x")
        assert wrong.returncode == 2
        short = cli("expunge", "leaky", "--id", bad[:8])
        assert short.returncode == 2
        assert SECRET in reachable(remote)
        tried = cli("expunge", "leaky", "--dry-run")
        assert tried.returncode == 0
        assert f"rebuilt at origin: {month()}/ann" in tried.stdout
        assert SECRET in reachable(remote)
        done = cli("expunge", "leaky", "--id", bad, "--json")
        assert done.returncode == 0, done.stderr
        answer = json.loads(done.stdout)
        assert answer["run"] == bad
        assert answer["done"]["rebuilt"] == [f"origin {month()}/ann"]
        assert cli("expunge", "leaky", "--id", bad).returncode == 3
        assert cli("show", bad).returncode == 3
    assert SECRET not in reachable(remote)


def test_the_command_ends_with_one_when_a_remote_refuses_and_with_five_when_a_tag_needs_it(trio, cli, remote):
    ann, _, _ = trio
    bad = leak(ann)
    ann.push()
    with ann.here():
        ann.git("tag", "v1", commits(ann)["leaky"])
        refused = cli("expunge", bad, "--id", bad)
        assert refused.returncode == 5
        assert "git tag -d v1" in refused.stderr
        ann.git("tag", "-d", "v1")
        git_at(remote, "config", "receive.denyNonFastForwards", "true")
        ann.git("push", "-q", "origin", f":refs/runs/{month()}/ann")
        ann.git("config", "gittrack.refPrefix", "refs/heads/runs/")
        ann.git("push", "-q", "origin", f"refs/runs-remote/origin/{month()}/ann:refs/heads/runs/{month()}/ann")
        done = cli("expunge", bad, "--id", bad)
        assert done.returncode == 1
        assert "receive.denyNonFastForwards" in done.stderr
        told = cli("status")
        assert "1 expunged run stays here" in told.stderr
        assert "1 expunged run stays here" in cli("fsck").stderr
        listed = cli("ls")
        assert "was expunged by Ann" in listed.stderr


def typed_at_a_terminal(person: Person, run: str, answer: str) -> int:
    """What the command ends with when somebody types an answer."""
    ours, theirs = pty.openpty()
    words = [sys.executable, "-m", "gittrack", "expunge", run]
    process = subprocess.Popen(words, cwd=person.folder, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    os.close(theirs)
    os.write(ours, f"{answer}\n".encode())
    process.communicate()
    os.close(ours)
    return process.returncode


def test_at_a_terminal_the_full_id_alone_is_a_yes(trio):
    ann, _, _ = trio
    bad = leak(ann)
    assert typed_at_a_terminal(ann, "leaky", "yes") == 2
    assert typed_at_a_terminal(ann, "leaky", bad[:31]) == 2
    assert ann.names() == ["leaky"]
    assert typed_at_a_terminal(ann, "leaky", bad) == 0
    assert ann.names() == []


def test_nothing_but_the_dropped_commits_differs_before_the_first_batch_that_changed(trio, remote):
    ann, _, _ = trio
    ann.run("first")
    ann.push()
    kept = git_at(remote, "rev-parse", f"refs/runs/{month()}/ann").strip()
    bad = leak(ann)
    ann.push()
    ann.run("last")
    ann.push()
    old = git_at(remote, "log", "--first-parent", "--format=%an %ad", f"refs/runs/{month()}/ann").splitlines()
    gone(ann, bad)
    chain = git_at(remote, "rev-list", "--first-parent", f"refs/runs/{month()}/ann").split()
    new = git_at(remote, "log", "--first-parent", "--format=%an %ad", f"refs/runs/{month()}/ann").splitlines()
    assert kept in chain
    assert len(chain) == len(old)
    assert new[1] == old[0]
    assert new[2:] == old[2:]


def test_the_command_can_be_told_not_to_sign(trio, cli):
    ann, _, _ = trio
    bad = leak(ann)
    ann.git("config", "commit.gpgSign", "true")
    ann.git("config", "gpg.program", "false")
    with ann.here():
        signing = cli("expunge", bad, "--id", bad)
        assert signing.returncode != 0
        assert "--no-sign" in signing.stderr
        assert ann.names() == ["leaky"]
        assert cli("expunge", bad, "--id", bad, "--no-sign").returncode == 0
    assert ann.names() == []

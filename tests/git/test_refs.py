"""Refs: compare and swap, alone and several at once, against other processes and damage."""

from __future__ import annotations

import multiprocessing
import os
import re
import subprocess
import sys
import time

import pytest

from gittrack.core.records import Person
from gittrack.errors import (
    CorruptRecordError,
    InvalidNameError,
    RefMovedError,
    StorageError,
)
from gittrack.git.refs import RefStore, RefUpdate
from gittrack.git.repository import Repository
from gittrack.git.retry import is_transient, retried

ME = Person("a", "a@b")
A, B = "refs/runs/inbox/a", "refs/runs/inbox/b"


@pytest.fixture
def refs(repo) -> RefStore:
    return Repository.discover(repo).refs


@pytest.fixture
def commits(repo) -> list[str]:
    objects = Repository.discover(repo).objects
    tree = objects.write_tree({})
    return [objects.write_commit(tree, [], f"{number}\n", ME, number) for number in range(4)]


def test_refs_are_created_read_listed_moved_and_deleted(refs, commits, git):
    refs.create(B, commits[0])
    refs.create(A, commits[1])
    assert refs.get(A) == commits[1]
    assert refs.list("refs/runs/") == [(A, commits[1]), (B, commits[0])]
    refs.update(A, commits[2], commits[1])
    assert git("rev-parse", A).strip() == commits[2]
    refs.delete(B, commits[0])
    assert refs.list("refs/runs/inbox/") == [(A, commits[2])]
    assert refs.get(B) is None


def test_packed_refs_behave_like_loose_ones(refs, commits, git):
    for name in (A, B):
        refs.create(name, commits[0])
    git("pack-refs", "--all")
    assert refs.list("refs/runs/") == [(A, commits[0]), (B, commits[0])]
    with pytest.raises(RefMovedError):
        refs.create(A, commits[1])
    refs.update(A, commits[1], commits[0])
    refs.delete(B, commits[0])
    assert git("for-each-ref", "--format=%(refname) %(objectname)", "refs/runs") == f"{A} {commits[1]}\n"


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85"])
def test_a_name_with_a_separator_of_lines_is_one_ref_and_forges_none(refs, commits, git, separator):
    forged = f"{A}{separator}{commits[1]} {B}"[len("refs/runs/inbox/") :].replace(" ", "_")
    name = f"refs/runs/inbox/{forged}"
    git("update-ref", name, commits[0])
    assert refs.list("refs/runs/") == [(name, commits[0])]


def test_listing_takes_whole_parts_of_names(refs, commits):
    refs.create("refs/runs/inbox/a", commits[0])
    refs.create("refs/runs-remote/origin/x", commits[0])
    assert [name for name, _ in refs.list("refs/runs")] == ["refs/runs/inbox/a"]
    assert refs.list("refs/runs/nothing/") == []


def test_a_change_based_on_something_else_is_refused(refs, commits):
    refs.create(A, commits[0])
    with pytest.raises(RefMovedError, match="exists already"):
        refs.create(A, commits[0])
    with pytest.raises(RefMovedError, match=f"is at '{commits[0]}', expected at '{commits[2]}'"):
        refs.update(A, commits[1], commits[2])
    with pytest.raises(RefMovedError):
        refs.delete(A, commits[1])
    with pytest.raises(RefMovedError, match="does not exist"):
        refs.update(B, commits[1], commits[0])
    with pytest.raises(RefMovedError, match="in the way"):
        refs.create(A + "/below", commits[0])
    with pytest.raises(RefMovedError):
        refs.create("refs/runs/inbox", commits[0])
    assert refs.get(A) == commits[0]


def test_a_ref_to_nothing_is_refused(refs, commits):
    with pytest.raises(StorageError, match="not stored"):
        refs.create(A, "1" * 40)
    refs.create(A, commits[0])
    with pytest.raises(StorageError, match="not stored"):
        refs.update(A, "1" * 40, commits[0])


@pytest.mark.parametrize(
    "name", ["refs/runs/a..b", "refs/runs/a.lock", "refs/runs/", "refs/runs/a b", "refs/runs/ü\x01"]
)
def test_names_that_git_refuses_are_refused(refs, commits, name):
    with pytest.raises(InvalidNameError):
        refs.create(name, commits[0])


def test_a_stale_lock_is_named_with_its_remedy(refs, commits, repo):
    lock = repo / ".git" / (A + ".lock")
    lock.parent.mkdir(parents=True)
    lock.touch()
    with pytest.raises(StorageError, match="is locked") as caught:
        refs.create(A, commits[0])
    assert re.search(rf"'{re.escape(str(lock))}', \d s old", caught.value.message)
    assert re.search(r"in \d+ s this removes the lock: gittrack doctor", caught.value.hint)
    assert is_transient(caught.value)
    os.utime(lock, (time.time() - 16,) * 2)
    with pytest.raises(StorageError, match=r"(1[6-9]|2[0-9]) s old") as caught:
        refs.create(A, commits[0])
    assert caught.value.hint == "gittrack doctor"
    with pytest.raises(StorageError, match="is locked"):
        refs.transaction([RefUpdate(A, commits[0], None), RefUpdate(B, commits[0], None)])
    assert refs.get(B) is None
    lock.unlink()
    refs.create(A, commits[0])


def test_a_lock_of_packed_refs_is_named_with_its_age_and_what_helps(refs, commits, repo):
    refs.create(A, commits[0])
    lock = repo / ".git" / "packed-refs.lock"
    lock.touch()
    with pytest.raises(StorageError, match="refs cannot be changed: a lock is in the way") as caught:
        refs.transaction([RefUpdate(A, None, commits[0])])
    assert f"'{lock}', " in caught.value.message
    assert f"in 10 min this removes the lock: gittrack doctor; at once: rm '{lock}'" in caught.value.hint
    assert is_transient(caught.value)


def test_a_git_at_work_here_is_who_may_hold_a_lock(refs, commits, repo):
    lock = repo / ".git" / (A + ".lock")
    lock.parent.mkdir(parents=True)
    lock.touch()
    reader = subprocess.Popen(["git", "cat-file", "--batch"], cwd=repo, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert reader.stdin is not None
        assert reader.stdout is not None
        reader.stdin.write(f"{commits[0]}\n".encode())
        reader.stdin.flush()
        reader.stdout.readline()  # by then it is called git
        with pytest.raises(StorageError, match="is locked") as caught:
            refs.create(A, commits[0])
        assert caught.value.hint.startswith(f"git is at work here, wait for it: ps -fp {reader.pid};")
    finally:
        reader.communicate()


def test_broken_refs_hide_no_other(refs, commits, repo):
    refs.create(A, commits[0])
    folder = repo / ".git" / "refs" / "runs" / "inbox"
    (folder / "empty").touch()
    (folder / "garbage").write_text("garbage\n")
    (folder / "dangling").write_text("1" * 40 + "\n")
    refs.create("refs/runs/inbox/z", commits[1])
    assert refs.list("refs/runs/") == [
        (A, commits[0]),
        ("refs/runs/inbox/dangling", "1" * 40),
        ("refs/runs/inbox/z", commits[1]),
    ]
    for name in ("empty", "garbage"):
        with pytest.raises(CorruptRecordError, match="is damaged"):
            refs.get(f"refs/runs/inbox/{name}")
        with pytest.raises(CorruptRecordError, match="is damaged"):
            refs.create(f"refs/runs/inbox/{name}", commits[0])


def test_a_transaction_makes_all_changes(refs, commits):
    refs.create(A, commits[0])
    refs.create(B, commits[1])
    refs.transaction(
        [
            RefUpdate(A, commits[2], commits[0]),
            RefUpdate(B, None, commits[1]),
            RefUpdate("refs/runs/x", commits[3], None),
        ]
    )
    assert refs.list("refs/runs") == [(A, commits[2]), ("refs/runs/x", commits[3])]
    refs.transaction([])


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    "bad",
    [
        lambda c: RefUpdate(B, c[2], c[3]),
        lambda c: RefUpdate(B, c[2], None),
        lambda c: RefUpdate(B, None, c[3]),
        lambda c: RefUpdate("refs/runs/inbox/none", c[2], c[0]),
        lambda c: RefUpdate("refs/runs/inbox/none", None, c[0]),
    ],
)
def test_a_transaction_with_one_wrong_expectation_makes_no_change(refs, commits, git, bad, packed):
    refs.create(A, commits[0])
    refs.create(B, commits[1])
    if packed:
        git("pack-refs", "--all")
    for order in (1, -1):
        updates = [RefUpdate(A, commits[2], commits[0]), bad(commits), RefUpdate("refs/runs/new", commits[0], None)]
        with pytest.raises(RefMovedError):
            refs.transaction(updates[::order])
        assert refs.list("refs/runs") == [(A, commits[0]), (B, commits[1])]


def test_a_transaction_to_an_object_that_is_not_stored_is_a_storage_error(refs, commits):
    with pytest.raises(StorageError):
        refs.transaction([RefUpdate(A, commits[0], None), RefUpdate(B, "1" * 40, None)])
    assert refs.list("refs/runs") == []


def test_the_users_hook_has_no_say_in_our_transactions(refs, commits, repo):
    hook = repo / ".git" / "hooks" / "reference-transaction"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    refs.transaction([RefUpdate(A, commits[0], None)])
    assert refs.get(A) == commits[0]


def _count_up(root, times):
    """Advance one ref by commits that name their number, by compare and swap alone."""
    repo = Repository.discover(root)

    def step():
        tip = repo.refs.get(A)
        number = int(repo.objects.read_commit(tip).message)
        repo.refs.update(
            A, repo.objects.write_commit(repo.objects.write_tree({}), [tip], f"{number + 1}\n", ME, 1), tip
        )

    for _ in range(times):
        retried(step, attempts=60)


def test_processes_that_advance_one_ref_lose_no_step(refs, commits, repo, git):
    refs.create(A, commits[0])
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_count_up, args=(repo, 20)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert git("log", "-1", "--format=%s", A).strip() == "80"
    assert git("rev-list", "--count", A).strip() == "81"


WRITER = """
import sys
from pathlib import Path
from gittrack.core.records import Person
from gittrack.git.repository import Repository
from gittrack.git.retry import retried
repo = Repository.discover(Path("."))
for number in range(25):
    def write():
        tree = repo.objects.write_tree({"a": f"{sys.argv[1]} {number}".encode(), "b/c": b"x"})
        return repo.objects.write_commit(tree, [], "x", Person("a", "b"), number)
    def publish():
        commit = write()
        if repo.refs.get(name) != commit:
            repo.refs.create(name, commit)
    name = f"refs/runs/inbox/{sys.argv[1]}-{number}"
    retried(publish)
"""


def test_writers_survive_gc_and_pack_refs(refs, repo, git, project_env):
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(number)], env=project_env, cwd=repo) for number in range(3)
    ]
    while any(writer.poll() is None for writer in writers):
        git("gc", "-q", cwd=repo)
        git("pack-refs", "--all", cwd=repo)
    assert [writer.returncode for writer in writers] == [0] * 3
    assert len(refs.list("refs/runs/")) == 75
    git("fsck", "--strict")


def test_five_hundred_loose_refs_are_listed_in_order(refs, commits, repo):
    folder = repo / ".git" / "refs" / "runs" / "inbox"
    folder.mkdir(parents=True)
    for number in range(500):
        (folder / f"{number:032x}").write_text(commits[0] + "\n")
    listed = refs.list("refs/runs/inbox/")
    assert [name for name, _ in listed] == [f"refs/runs/inbox/{number:032x}" for number in range(500)]


def test_retrying_ends_at_success_at_a_lasting_failure_and_at_the_last_attempt():
    pauses: list[float] = []
    calls: list[int] = []

    def fails(error, times):
        def action():
            calls.append(1)
            if len(calls) <= times:
                raise error
            return "done"

        calls.clear()
        pauses.clear()
        return action

    lost = RefMovedError("lost")
    assert retried(fails(lost, 3), sleep=pauses.append, random=lambda: 1.0) == "done"
    assert pauses == [0.004, 0.008, 0.016]
    with pytest.raises(RefMovedError):
        retried(fails(lost, 99), attempts=4, sleep=pauses.append)
    assert len(calls) == 4
    with pytest.raises(StorageError):
        retried(fails(StorageError("the disk is full"), 1), sleep=pauses.append)
    assert pauses == []


def test_only_what_may_pass_is_transient():
    def caused(error, cause):
        error.__cause__ = cause
        return error

    passing = [
        "failed to lock file 'x' for writing: ",
        "failed to rename lockfile",
        "object not found - no match for id",
    ]
    for said in passing:
        assert is_transient(caused(StorageError("x"), OSError(said))), said
    lasting = ["failed to lock file 'x': Permission denied", "failed to write out file: No space left on device"]
    for said in lasting:
        assert not is_transient(caused(StorageError("x"), OSError(said))), said


def test_an_existing_ref_is_no_reason_to_try_again(refs, commits):
    refs.create(A, commits[0])
    pauses: list[float] = []
    with pytest.raises(RefMovedError) as caught:
        retried(lambda: refs.create(A, commits[1]), sleep=pauses.append)
    assert pauses == []
    assert not is_transient(caught.value)


def test_no_temporary_files_stay(refs, commits, repo):
    refs.create(A, commits[0])
    refs.transaction([RefUpdate(A, commits[1], commits[0]), RefUpdate(B, commits[1], None)])
    left = [name for _, _, names in os.walk(repo / ".git") for name in names if name.endswith(".lock") or "tmp" in name]
    assert left == []

"""Locks of refs that a killed process left: named with what helps, gone soon when they are ours, nothing piles up."""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from gittrack.api.maintain import doctor, roll_up_now
from gittrack.core.refs import FETCHED_PREFIX
from gittrack.errors import StorageError
from gittrack.store.locks import exclusive

SECONDS = 20
"""Older than a lock of ours may get, younger than those of others."""


def locked(folder: Path, name: str, age: float = 0) -> Path:
    path = folder / ".git" / f"{name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, (time.time() - age,) * 2)
    return path


def scratch(person) -> list[str]:
    return [name for name in person.refs() if name.startswith(FETCHED_PREFIX)]


def test_a_push_goes_on_when_the_lock_of_a_killed_one_is_some_seconds_old(people):
    ann = people("ann")
    lock = locked(ann.folder, f"refs/runs/inbox/{ann.run('first')}")
    with pytest.raises(StorageError, match="is locked") as caught:
        ann.push()
    assert f"'{lock}', " in caught.value.message
    assert "gittrack doctor" in caught.value.hint
    locked(ann.folder, lock.relative_to(ann.folder / ".git").as_posix().removesuffix(".lock"), SECONDS)
    ann.push()
    assert not lock.exists()
    assert [name for name in ann.refs() if name.startswith("refs/runs/inbox/")] == []


def test_a_fetch_and_a_roll_up_go_on_likewise(people):
    ann, bob = people("ann"), people("bob")
    bob.run("first")
    bob.push()
    remembered = bob.refs()[0]
    locks = [locked(ann.folder, remembered, SECONDS)]
    assert ann.fetch().runs == 1
    locks.append(locked(ann.folder, f"refs/runs/inbox/{ann.run('mine')}", SECONDS))
    assert roll_up_now(ann.project).runs == 1
    assert not any(lock.exists() for lock in locks)


@pytest.mark.parametrize("holder", ["git", "gittrack"])
def test_a_lock_stays_while_somebody_is_at_work_who_may_hold_it(people, holder):
    ann = people("ann")
    lock = locked(ann.folder, f"refs/runs/inbox/{ann.run('first')}", SECONDS)
    if holder == "git":
        reader = subprocess.Popen(["git", "cat-file", "--batch"], cwd=ann.folder, stdin=subprocess.PIPE)
        with pytest.raises(StorageError, match="is locked") as caught:
            ann.push()
        assert f"ps -fp {reader.pid}" in caught.value.hint
        assert str(lock) not in {repair.where for repair in doctor(ann.project)}
        reader.communicate()
    else:
        with exclusive(ann.project.layout.rollup_lock):
            assert str(lock) not in {repair.where for repair in doctor(ann.project)}
    assert lock.exists()
    assert str(lock) in {repair.where for repair in doctor(ann.project)}
    assert not lock.exists()


def test_pushes_that_a_lock_stops_leave_no_heap_of_refs(people, gittrack_cli):
    ann = people("ann")
    ann.run("first")
    lock = locked(ann.folder, "packed-refs", SECONDS)
    for _ in range(3):
        done = gittrack_cli("push", "--yes", cwd=ann.folder)
        assert done.returncode == 1
        assert f"'{lock}', " in done.stderr
        assert "min this removes the lock: gittrack doctor" in done.stderr
    assert lock.exists(), "git's own lock is kept for ten minutes"
    assert len(scratch(ann)) <= 1
    lock.unlink()
    ann.push()
    assert scratch(ann) == []
    ann.git("update-ref", f"{FETCHED_PREFIX}origin/push/0123456789ab", "HEAD")
    ann.push()
    assert scratch(ann) == [], "a later push clears what a killed one left"


def test_fsck_and_doctor_name_a_lock_that_is_too_young_to_go(people, gittrack_cli):
    ann = people("ann")
    lock = locked(ann.folder, f"refs/runs/inbox/{ann.run('first')}", 3)
    for command in ("fsck", "doctor"):
        done = gittrack_cli(command, cwd=ann.folder)
        assert done.returncode == 0, "a lock is no damage"
        assert re.search(rf"warning: locked for \d+ s: {re.escape(str(lock))}", done.stderr)
        assert "nothing to clear" not in done.stderr
        assert re.search(
            r"next: no git is at work here any more; in \d+ s .*: gittrack doctor; at once: rm", done.stderr
        )

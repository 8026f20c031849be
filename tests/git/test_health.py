"""Finding damage: each kind is found, one hides no other, and the sound repository is called sound."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time

import pytest

from gittrack.core.records import Person
from gittrack.git import health
from gittrack.git.ref_locks import ref_locks
from gittrack.git.repository import Repository

ME = Person("a", "a@b")


@pytest.fixture
def runs(repo, git):
    """A repository with four runs in the inbox."""
    found = Repository.discover(repo)
    code = git("rev-parse", "HEAD").strip()
    commits = []
    for n in range(4):
        tree = found.objects.write_tree({"run.toml": b"run %d" % n, "metrics/loss.csv": b"0,%d\n" % n * 50})
        commits.append(found.objects.write_commit(tree, [code], f"{n}\n", ME, n))
        found.refs.create(f"refs/runs/inbox/{n}", commits[-1])
    return found, commits


def _file(repo, id):
    path = repo.common_dir / "objects" / id[:2] / id[2:]
    path.chmod(0o644)
    return path


def test_a_sound_repository_is_sound_loose_and_packed(runs, git):
    repo, commits = runs
    assert health.fsck_objects(repo, commits) == {}
    git("gc", "-q", "--prune=now")
    assert health.fsck_objects(repo, commits) == {}
    assert health.damaged_packs(repo) == {}
    assert health.zero_length_refs(repo) == health.empty_loose_objects(repo) == []


def test_each_damaged_run_is_found_and_the_others_are_sound(runs):
    repo, commits = runs
    blob = repo.objects.list_tree(commits[0])[0].id
    _file(repo, blob).write_bytes(b"")
    cut = _file(repo, repo.objects.read_commit(commits[1]).tree)
    cut.write_bytes(cut.read_bytes()[:-9])
    _file(repo, commits[2]).unlink()
    found = health.fsck_objects(repo, commits)
    assert set(found) == set(commits[:3])
    assert (
        blob in found[commits[0]] and "cut short" in found[commits[1]] and "not in the repository" in found[commits[2]]
    )


def test_a_missing_first_parent_is_damage_but_not_where_history_was_cut_off(runs, git, repo):
    found, commits = runs
    tree = found.objects.read_commit(commits[0]).tree
    orphan = found.objects.write_commit(tree, ["1" * 40, commits[0]], "x", ME, 1)
    assert "first parent" in health.fsck_objects(found, [orphan])[orphan]
    (repo / ".git" / "shallow").write_text(orphan + "\n")
    assert health.fsck_objects(found, [orphan]) == {}


def test_empty_refs_are_found_and_git_works_again_without_them(runs, git, repo):
    found, _ = runs
    empty = [repo / ".git" / "refs" / "runs" / "inbox" / name for name in ("5", "6")]
    empty[0].touch()
    empty[1].write_bytes(bytes(41))
    outside = repo / ".git" / "refs" / "heads" / "theirs"
    outside.touch()
    assert health.zero_length_refs(found) == empty
    for path in empty:
        path.unlink()
    assert len(found.refs.list("refs/runs/inbox/")) == 4
    outside.unlink()
    git("fsck", "--strict")


def test_locks_are_found_with_their_age_and_are_no_refs(runs, repo):
    found, _ = runs
    old, young = (repo / ".git" / "refs" / "runs" / "inbox" / name for name in ("old.lock", "young.lock"))
    packed = repo / ".git" / "packed-refs.lock"
    for path in (old, young, packed):
        path.touch()
    os.utime(old, (time.time() - 3600,) * 2)
    locks = {lock.path: lock for lock in ref_locks(found.common_dir)}
    assert {path: lock.is_own for path, lock in locks.items()} == {old: True, young: True, packed: False}
    assert locks[old].age >= 3600 > locks[young].age
    assert health.zero_length_refs(found) == [], "a lock is empty while it is held"


def test_empty_objects_are_found(runs, repo):
    found, commits = runs
    path = _file(found, found.objects.read_commit(commits[3]).tree)
    path.write_bytes(b"")
    (path.parent / "tmp_obj_x").touch()
    assert health.empty_loose_objects(found) == [path]
    path.unlink()
    assert set(health.fsck_objects(found, commits)) == {commits[3]}


def _packs(repo):
    return sorted((repo.common_dir / "objects" / "pack").glob("pack-*.idx"))


def test_a_damaged_pack_index_is_named_and_loose_runs_are_still_checked(runs, git, repo):
    found, commits = runs
    git("gc", "-q", "--prune=now")
    loose = found.objects.write_commit(found.objects.write_tree({"a": b"new"}), [], "x", ME, 7)
    (index,) = _packs(found)
    index.chmod(0o644)
    data = bytearray(index.read_bytes())
    data[1100] ^= 0x40
    index.write_bytes(data)
    assert health.damaged_packs(found) == {index.with_suffix(".pack"): "its index is damaged"}
    assert set(health.fsck_objects(found, [*commits, loose])) == set(commits)


def test_any_changed_byte_of_a_pack_is_found_or_harmless(runs, git, repo, tmp_path):
    found, commits = runs
    git("gc", "-q", "--prune=now")
    pristine = tmp_path / "pristine"
    shutil.copytree(found.common_dir / "objects", pristine)
    good = {
        commit: [(e.path, found.objects.read_blob(e.id)) for e in found.objects.list_tree(commit)] for commit in commits
    }
    chance = random.Random(7)
    detected = 0
    signal.alarm(200)
    try:
        for number in range(60):
            index = _packs(found)[0]
            victim = index if number % 3 == 0 else index.with_suffix(".pack")
            data = bytearray(victim.read_bytes())
            if number % 2:
                data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
            else:
                del data[chance.randrange(len(data)) :]
            victim.chmod(0o644)
            victim.write_bytes(data)
            bad = health.fsck_objects(found, commits)
            detected += bool(bad or health.damaged_packs(found))
            if not health.damaged_packs(found):
                fresh = found.reopened().objects
                for commit in set(commits) - set(bad):
                    assert [(e.path, fresh.read_blob(e.id)) for e in fresh.list_tree(commit)] == good[commit]
            shutil.copyfile(pristine / "pack" / victim.name, victim)
    finally:
        signal.alarm(0)
    assert detected > 30

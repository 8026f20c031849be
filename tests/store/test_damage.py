"""What power loss and failing disks leave behind: found by name, mended where it can be, and never hiding the rest."""

from __future__ import annotations

import os
import subprocess
import time

import pytest

import gittrack
from gittrack.api.maintain import doctor, fsck, recover
from gittrack.api.project import Project
from gittrack.api.read import list_runs
from gittrack.core.refs import HOLD_PREFIX
from tests.concurrency.harness import assert_sound, environment, python


@pytest.fixture
def four(repo):
    """A repository with four finished runs; their ids, oldest first."""
    ids = []
    for number in range(4):
        with gittrack.start_run(name=f"run-{number}", params={"n": number}) as run:
            for step in range(20):
                run.log_metric("loss", number + step / 20, step=step)
        ids.append(run.id)
    return ids


def _project():
    return Project.open()


def _commits(ids):
    runs = {run.id: run.commit for run in gittrack.runs()}
    return [runs[id] for id in ids]


def _forget_index():
    file = _project().layout.index_file
    for part in ("", "-wal", "-shm"):
        file.with_name(file.name + part).unlink(missing_ok=True)


def _object(repo, id):
    path = repo / ".git" / "objects" / id[:2] / id[2:]
    path.chmod(0o644)
    return path


def _ref(repo, id):
    return repo / ".git" / "refs" / "runs" / "inbox" / id


def _named(findings, id):
    return [finding for finding in findings if id in finding.where]


def _series_are_right(ids, numbers=range(4)):
    for number in numbers:
        values = list(gittrack.get_run(ids[number]).history("loss").values)
        assert values == [number + step / 20 for step in range(20)]


DAMAGES = {
    "emptied": lambda path: path.write_bytes(b""),
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:-4]),
    "full of zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "deleted": lambda path: path.unlink(),
}


@pytest.mark.parametrize("part", ["", "^{tree}", ":run.toml", ":metrics/loss.csv"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_object_is_named_and_made_again_from_the_copy(repo, git, four, damage, part):
    commits = _commits(four)
    victim = git("rev-parse", f"{commits[1]}{part}").strip()
    DAMAGES[damage](_object(repo, victim))
    findings = fsck(_project())
    assert _named(findings, four[1])
    assert not any(_named(findings, four[other]) for other in (0, 2, 3))
    listing = list_runs(_project())
    assert {four[0], four[2], four[3]} <= {run.id for run in listing.runs}
    if part == "":  # the index has read it while it was whole; whoever reads it from git says so
        assert four[1] in {run.id for run in listing.runs}
        _forget_index()
        listing = list_runs(_project())
        assert {run.id for run in listing.runs} == {four[0], four[2], four[3]}
        assert any(four[1] in problem.where for problem in listing.problems)
    _series_are_right(four, (0, 2, 3))
    repairs = doctor(_project())
    assert any(four[1] in repair.where and "made a lost run again" in repair.what for repair in repairs)
    assert _commits(four) == commits, "the same bytes, the same commits"
    _series_are_right(four)
    assert_sound(repo)
    assert doctor(_project()) == []


@pytest.mark.parametrize("content", [b"", bytes(41)])
def test_an_empty_ref_file_is_named_removed_and_made_again(repo, git, four, content):
    commits = _commits(four)
    _ref(repo, four[2]).write_bytes(content)
    assert subprocess.run(["git", "gc", "--quiet"], cwd=repo, capture_output=True, check=False).returncode != 0
    assert any(four[2] in finding.where for finding in fsck(_project()))
    assert {run.id for run in list_runs(_project()).runs} == {four[0], four[1], four[3]}
    with gittrack.start_run():
        pass  # nothing else is hindered
    assert len(gittrack.runs()) == 4
    doctor(_project())
    assert _commits(four) == commits
    git("gc", "--quiet", "--prune=now", cwd=repo)
    git("fsck", cwd=repo)
    assert_sound(repo)


def test_a_deleted_ref_is_made_again_as_long_as_the_copy_is_there(repo, git, four):
    commits = _commits(four)
    git("update-ref", "-d", f"refs/runs/inbox/{four[0]}", cwd=repo)
    git("gc", "--quiet", "--prune=now", cwd=repo)
    assert len(gittrack.runs()) == 3
    doctor(_project())
    assert _commits(four) == commits
    assert_sound(repo)


def test_everything_at_once_is_mended_by_one_doctor(repo, git, four):
    commits = _commits(four)
    _object(repo, git("rev-parse", f"{commits[0]}^{{tree}}").strip()).unlink()
    _object(repo, git("rev-parse", f"{commits[1]}:summary.toml").strip()).write_bytes(b"")
    _ref(repo, four[2]).write_bytes(b"")
    _object(repo, commits[3]).write_bytes(b"x")
    doctor(_project())
    assert _commits(four) == commits
    _series_are_right(four)
    assert_sound(repo)


def test_a_damaged_copy_hinders_no_other(repo, git, four):
    commits = _commits(four)
    copies = {path.name[:32]: path for path in (repo / ".git" / "gittrack" / "done").iterdir()}
    copies[four[0]].write_bytes(b"rubbish")
    copies[four[1]].write_bytes(copies[four[1]].read_bytes()[:-7])
    for commit in commits[:3]:
        _object(repo, git("rev-parse", f"{commit}:run.toml").strip()).unlink()
    repairs = doctor(_project())
    failed = [repair.where for repair in repairs if "could not" in repair.what]
    assert [four[0] in text or four[1] in text for text in failed] == [True, True]
    assert {finding.where for finding in fsck(_project())} >= {f"run {four[0]}", f"run {four[1]}"}
    assert not _named(fsck(_project()), four[2])


def _aged(path, seconds):
    os.utime(path, (time.time() - seconds,) * 2)


def test_a_stale_lock_on_the_runs_own_ref_does_not_keep_it_from_being_finished(repo):
    script = (
        "import gittrack, os\nrun = gittrack.start_run()\nrun.log_metric('x', 1)\n"
        "print(run.id, flush=True)\nos._exit(1)\n"
    )
    id = python(script, repo, environment()).stdout.strip()
    lock = repo / ".git" / "refs" / "runs" / "inbox" / f"{id}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.touch()
    (result,) = recover(_project())
    assert result.outcome == "recovered"
    (run,) = gittrack.runs()
    assert (run.id, run.status.value) == (id, "crashed")
    _aged(lock, 3600)
    doctor(_project())
    assert not lock.exists()


def test_doctor_removes_old_locks_and_litter_and_nothing_young(repo, four):
    git_dir = repo / ".git"
    (git_dir / "gittrack" / "tmp" / "scratch").mkdir(parents=True, exist_ok=True)
    (git_dir / "gittrack" / "live" / (".new-" + "a" * 32)).mkdir(parents=True)
    (git_dir / "gittrack" / "live" / ("b" * 32 + ".gone")).mkdir()
    litter = [
        git_dir / "packed-refs.lock",
        git_dir / "refs" / "runs" / "inbox" / f"{four[0]}.lock",
        git_dir / "gittrack" / "done" / f"{'c' * 32}-{'d' * 16}.123",
        git_dir / "objects" / "pack" / "pack-1.keep",
    ]
    for path in litter:
        path.write_bytes(b"gittrack\n" if path.suffix == ".keep" else b"")
    users = git_dir / "objects" / "pack" / "pack-2.keep"
    users.write_bytes(b"mine\n")
    _aged(users, 10**6)
    gone = git_dir / "gittrack" / "live" / ("b" * 32 + ".gone")
    assert doctor(_project(), dry_run=True) == []
    folders = [git_dir / "gittrack" / "tmp" / "scratch", git_dir / "gittrack" / "live" / (".new-" + "a" * 32), gone]
    for path in [*litter, *folders]:
        _aged(path, 10**6)
    expected = {str(path) for path in [*litter, *folders]}
    assert {repair.where for repair in doctor(_project(), dry_run=True)} == expected
    assert all(path.exists() for path in [*litter, *folders])
    doctor(_project())
    assert not any(path.exists() for path in [*litter, *folders])
    assert users.exists()
    _series_are_right(four)


def test_doctor_lets_go_of_the_code_of_runs_that_are_over_and_holds_that_of_live_ones(repo, git, four):
    (repo / "train.py").write_text("dirty\n")
    run = gittrack.start_run()
    git("update-ref", HOLD_PREFIX + four[0], "HEAD", cwd=repo)
    (repair,) = doctor(_project())
    assert repair.where == HOLD_PREFIX + four[0]
    assert [name for name, _ in _project().repo.refs.list(HOLD_PREFIX)] == [HOLD_PREFIX + run.id]
    run.end()
    assert _project().repo.refs.list(HOLD_PREFIX) == []


def test_a_hold_that_a_crash_left_does_not_keep_the_run_from_being_resumed(repo, git, four):
    git("update-ref", HOLD_PREFIX + four[0], "HEAD", cwd=repo)
    (repo / "train.py").write_text("dirty\n")
    with gittrack.start_run(run_id=four[0]) as run:
        run.log_metric("more", 1)
    assert gittrack.get_run(four[0]).metrics["more"] == 1
    assert _project().repo.refs.list(HOLD_PREFIX) == []


def test_a_live_run_that_cannot_be_read_hides_no_other(repo, four):
    broken = repo / ".git" / "gittrack" / "live" / ("e" * 32)
    broken.mkdir(parents=True)
    (broken / ("0" * 32 + ".journal")).write_bytes(os.urandom(500))
    script = "import gittrack, os\nrun = gittrack.start_run()\nprint(run.id, flush=True)\nos._exit(1)\n"
    id = python(script, repo, environment()).stdout.strip()
    outcomes = {result.id: result.outcome for result in recover(_project())}
    assert outcomes == {id: "recovered", "e" * 32: "damaged"}
    assert len(gittrack.runs()) == 5
    assert any("e" * 32 in finding.where for finding in fsck(_project()))


def test_a_ledger_that_cannot_be_read_is_named_and_hides_no_inbox(repo, git, four):
    git("update-ref", "refs/runs/local/2020-01", "HEAD", cwd=repo)
    assert len(gittrack.runs()) == 4
    assert any("2020-01" in finding.where for finding in fsck(_project()))
    from gittrack.api.maintain import roll_up_now

    assert roll_up_now(_project()).runs == 4
    assert len(gittrack.runs()) == 4

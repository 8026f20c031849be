"""``gittrack du``: every byte counted once, whoever shares it."""

from __future__ import annotations

import json
import os

import gittrack
from gittrack.api.annotate import delete_run
from gittrack.api.disk_usage import disk_usage
from gittrack.api.gc import plan_gc
from gittrack.api.project import Project
from gittrack.artifacts.taking import md5_of
from gittrack.cli.main import main

from .conftest import SIZE, bytes_of, stored_files


def rows(by):
    return disk_usage(Project.open(), by).rows


def test_shared_bytes_are_counted_once_and_shown_as_shared(repo, logged, store):
    logged("a", {"own.bin": "own of a", "both.bin": "shared"}, experiment="one")
    logged("b", {"both.bin": "shared", "note.txt": "b"}, experiment="one")
    logged("c", {"again.bin": "shared", "own.bin": "own of c"}, experiment="two")
    usage = disk_usage(Project.open())
    assert (usage.here, usage.unused, usage.missing) == (4 * SIZE, 0, 0)
    assert [(row.experiment, row.runs, row.here, row.only, row.shared) for row in usage.rows] == [
        ("one", 2, 3 * SIZE, 2 * SIZE, SIZE),
        ("two", 1, 2 * SIZE, SIZE, SIZE),
    ]
    assert [(row.name, row.here, row.only, row.shared) for row in rows("run")] == sorted(
        [("a", 2 * SIZE, SIZE, SIZE), ("c", 2 * SIZE, SIZE, SIZE), ("b", 2 * SIZE, SIZE, SIZE)],
        key=lambda row: [found.name for found in rows("run")].index(row[0]),
    )
    by_artifact = {(row.name, row.path): (row.only, row.shared) for row in rows("artifact")}
    assert by_artifact["a", "own.bin"] == (SIZE, 0)
    assert by_artifact["c", "again.bin"] == (0, SIZE)


def test_folders_count_their_files_and_small_artifacts_lie_in_git(repo, logged, store):
    logged("a", {"model": {"x": "one", "y": "two"}, "same.bin": "one"})
    with gittrack.start_run(strict=True) as run:
        run.log_text("small", "a.txt")
        run.log_text("small", "b.txt")
    usage = disk_usage(Project.open(), "run")
    by_id = {row.run: row for row in usage.rows}
    listing = usage.here - 2 * SIZE
    assert 0 < listing < 1000
    assert by_id[run.id].inline == usage.inline == 5
    (folder,) = [row for row in rows("artifact") if row.path == "model"]
    assert (folder.here, folder.only, folder.shared) == (2 * SIZE + listing, SIZE + listing, SIZE)


def test_what_is_not_here_and_what_nobody_uses_is_told(repo, logged, store):
    logged("a", {"a.bin": "a", "model": {"x": "x", "y": "y"}, "other": {"x": "z"}})
    paths = {entry.path: entry for entry in gittrack.get_run("a").artifacts()}
    store.path(paths["a.bin"].digest).unlink()
    store.path(paths["other"].digest).unlink()
    usage = disk_usage(Project.open())
    assert usage.missing == 2 * SIZE
    assert usage.unused == SIZE, "its listing is gone, so nobody knows whose it is"
    assert [row.missing for row in usage.rows] == [2 * SIZE]


def test_deleted_and_live_runs_are_counted(repo, logged, store):
    delete_run(Project.open(), logged("gone", {"a.bin": "a"}))
    with gittrack.start_run(name="live", strict=True) as run:
        run.log_text("x" * 200_000, "b.bin")
        found = {row.name: (row.here, row.deleted) for row in rows("run")}
    assert found == {"gone": (SIZE, True), "live": (200_000, False)}


def test_the_command_prints_a_table_and_json(repo, logged, store, capfd):
    logged("a", {"a.bin": "a", "small.bin": "b"}, experiment="churn")
    capfd.readouterr()
    assert main(["du"]) == 0
    said = capfd.readouterr()
    assert [line.split() for line in said.out.splitlines()] == [
        ["EXPERIMENT", "RUNS", "HERE", "ONLY", "SHARED", "INLINE", "MISSING"],
        ["churn", "1", "200", "kB", "200", "kB", "-", "-", "-"],
    ]
    assert said.err == (
        "gittrack: the byte store holds 200 kB; 0 B lie in git\ngittrack: next: gittrack du --by artifact\n"
    )
    assert main(["du", "--by", "artifact", "--json"]) == 0
    document = json.loads(capfd.readouterr().out)
    assert [(row["path"], row["here"]) for row in document["rows"]] == [("a.bin", SIZE), ("small.bin", SIZE)]
    assert document["here"] == sum(store.path(digest).stat().st_size for digest in stored_files(store))
    assert main(["du", "--by", "run"]) == 0


def say(capfd, *words):
    capfd.readouterr()
    assert main(["du", *words]) == 0
    said = capfd.readouterr()
    return said.out, said.err


def test_what_is_used_by_nothing_is_what_gc_would_take(repo, logged, aged, git, store, capfd):
    id = logged("continued", {"a.bin": "before"})
    with gittrack.start_run(run_id=id, strict=True) as run:
        run.log_text(bytes_of("after"), "a.bin")
    other = logged("on a branch", {"data.bin": "data"})
    lost = logged("lost", {"b.bin": "lost"})
    (repo / "data.dvc").write_text(f"outs:\n- md5: {md5_of(bytes_of('data'))[4:]}\n  hash: md5\n  path: data\n")
    git("add", "data.dvc", cwd=repo)
    git("commit", "-qm", "data", cwd=repo)
    for gone in (other, lost):
        git("update-ref", "-d", f"refs/runs/inbox/{gone}", cwd=repo)
        for path in (repo / ".git" / "gittrack" / "done").glob(f"{gone}-*"):
            path.unlink()
    for make_old, young in ((False, SIZE), (True, 0)):
        if make_old:
            aged()
        usage, plan = disk_usage(Project.open()), plan_gc(Project.open())
        assert (usage.unused, usage.young, usage.otherwise) == (SIZE, young, 2 * SIZE)
        assert usage.removable == plan.bytes == SIZE - young
        err = say(capfd)[1]
        assert "200 kB of it for branches, or what runs read or had before, 100 kB used by nothing" in err
        assert ("next: gittrack gc --dry-run" in err) == make_old


def test_no_command_names_itself_as_the_next(repo, logged, capfd):
    logged("a", {"a.bin": "a"})
    assert "next: gittrack du" not in say(capfd, "--by", "artifact")[1]
    assert "next: gittrack du --by artifact" in say(capfd, "--by", "run")[1]


def test_deleted_runs_are_marked_in_every_table(repo, logged, capfd):
    delete_run(Project.open(), logged("gone", {"a.bin": "a"}, experiment="churn"))
    logged("here", {"b.bin": "b"}, experiment="churn")
    assert "2 (1 deleted)" in say(capfd)[0]
    assert "a.bin (of a deleted run)" in say(capfd, "--by", "artifact")[0]
    assert "gone (deleted)" in say(capfd, "--by", "run")[0]


def test_what_a_killed_process_left_half_copied_is_counted(repo, logged, store, capfd):
    logged("a", {"a.bin": "a"})
    (store.root / "tmp" / "half").write_bytes(bytes(3 * SIZE))
    assert disk_usage(Project.open()).scratch == 3 * SIZE
    err = say(capfd)[1]
    assert "half-copied files hold 300 kB" in err
    assert "next: gittrack du" in err, "it may still be written"
    os.utime(store.root / "tmp" / "half", (1, 1))
    assert "next: gittrack gc --dry-run" in say(capfd)[1]


def test_what_cannot_be_read_is_said_and_the_rest_is_counted(repo, logged, git, capfd):
    logged("a", {"a.bin": "a"})
    git("update-ref", "refs/runs/local/2026-01", "HEAD", cwd=repo)  # no ledger
    assert "warning: what nothing uses is not counted: not every run can be read" in say(capfd)[1]

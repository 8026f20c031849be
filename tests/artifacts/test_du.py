"""``gittrack du``: every byte counted once, whoever shares it."""

from __future__ import annotations

import json

import gittrack
from gittrack.api.annotate import delete_run
from gittrack.api.disk_usage import disk_usage
from gittrack.api.project import Project
from gittrack.cli.main import main

from .conftest import SIZE, stored_files


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

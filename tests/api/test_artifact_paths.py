"""No path of a run is a file and a folder at once: such a run could never be copied out."""

from __future__ import annotations

import os
import threading

import pytest

import gittrack
from gittrack.errors import ConflictError

from .conftest import errors_of, paths_of


@pytest.fixture
def folder(tmp_path):
    """A folder that becomes one artifact: ``big/data/w.bin``, ``big/a.txt``."""
    (tmp_path / "big" / "data").mkdir(parents=True)
    (tmp_path / "big" / "data" / "w.bin").write_bytes(os.urandom(100_000))
    (tmp_path / "big" / "a.txt").write_text("a")
    return tmp_path / "big"


@pytest.mark.parametrize(
    ("first", "second"), [("f", "f/g"), ("f/g", "f"), ("a/b/c/d", "a/b"), ("a/b", "a/b/c/d"), ("f", "./f//g/")]
)
def test_a_file_is_never_the_folder_of_another(repo, first, second, capfd):
    with gittrack.start_run("it") as run:
        run.log_text("x", first)
        run.log_text("y", second)
        run.log_text("again", first)
    saved = gittrack.get_run("it")
    assert {path: saved.artifact(path) for path in paths_of(saved)} == {first: b"again"}
    assert len(errors_of(saved)) == 1
    assert "log it under another path" in capfd.readouterr().err
    with gittrack.start_run(strict=True) as run:
        run.log_text("x", first)
        with pytest.raises(ConflictError):
            run.log_text("y", second)


def test_every_way_of_logging_is_held_to_it(repo, folder):
    (repo / "x").write_text("x")
    with gittrack.start_run("it", strict=True) as run:
        run.log_artifact("x")
        for log in (
            lambda: run.log_artifact(folder, "x"),
            lambda: run.log_artifact("x", "x"),
            lambda: run.log_dict({}, "x/y.json"),
            lambda: run.log_artifact_uri("s3://bucket/key", "x"),
        ):
            with pytest.raises(ConflictError):
                log()
        run.log_artifact_uri("s3://bucket/key", "far")
        with pytest.raises(ConflictError):
            run.log_text("y", "far/key/y")
    assert paths_of(gittrack.get_run("it")) == ("far/key", "x")


def test_one_that_cannot_be_kept_does_not_take_the_folder_with_it(repo, tmp_path):
    (tmp_path / "out" / "conf").mkdir(parents=True)
    (tmp_path / "out" / "conf" / "a").write_text("a")
    (tmp_path / "out" / "b").write_text("b")
    with gittrack.start_run("it") as run:
        run.log_text("x", "conf")
        run.log_artifacts(tmp_path / "out")
    saved = gittrack.get_run("it")
    assert paths_of(saved) == ("b", "conf")
    assert "'conf/a' cannot lie below 'conf'" in errors_of(saved)[0]


def test_below_an_artifact_that_is_a_folder_a_path_is_free_but_for_its_files(repo, folder):
    with gittrack.start_run("it", strict=True) as run:
        run.log_artifact(folder)
        run.log_text("new", "big/notes.txt")
        run.log_text("in place of its own", "big/data/w.bin")
        with pytest.raises(ConflictError, match=r"below 'big/a\.txt'"):
            run.log_text("x", "big/a.txt/x")
        with pytest.raises(ConflictError, match="it is a folder in 'big'"):
            run.log_text("x", "big/data")
        with pytest.raises(ConflictError, match="it is a folder with artifacts"):
            run.log_text("x", "big")
        run.log_artifact(folder)
    assert paths_of(gittrack.get_run("it")) == ("big", "big/data/w.bin", "big/notes.txt")


def test_a_folder_never_brings_a_file_where_something_lies_below(repo, folder):
    with gittrack.start_run("it", strict=True) as run:
        run.log_text("x", "big/a.txt/x")
        with pytest.raises(ConflictError):
            run.log_artifact(folder)


def test_what_was_logged_before_the_run_was_resumed_counts(repo):
    with gittrack.start_run("it") as run:
        run.log_text("x", "f")
    with gittrack.start_run(run_id=run.id, strict=True) as again:
        with pytest.raises(ConflictError):
            again.log_text("y", "f/g")
        again.log_text("z", "f")
    assert paths_of(gittrack.get_run("it")) == ("f",)


def test_what_a_program_logged_before_another_joined_counts(repo, program):
    with gittrack.start_run("it") as run:
        run.log_text("x", "f")
        done = program(
            "import gittrack\nwith gittrack.start_run() as run:\n    run.log_text('y', 'f/g')\n",
            env={"GITTRACK_RUN_ID": run.id},
        )
        assert "'f/g' cannot lie below 'f'" in done.stderr
    assert paths_of(gittrack.get_run("it")) == ("f",)


def test_of_two_threads_that_log_such_a_pair_one_is_refused(repo):
    with gittrack.start_run("it") as run:
        for number in range(20):
            barrier = threading.Barrier(2)

            def log(name, barrier=barrier):
                barrier.wait()
                run.log_text("x", name)

            threads = [threading.Thread(target=log, args=(name,)) for name in (f"f{number}", f"f{number}/g")]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    assert len(paths_of(gittrack.get_run("it"))) == 20


# -- what is said of failures ------------------------------------------------------------------------------------------


def test_each_different_failure_of_a_function_is_said(repo, capfd):
    with gittrack.start_run("it") as run:
        for name in ("a", "a", "b"):
            run.log_artifact(f"missing-{name}.bin")
        run.log_artifact(5)
    said = [line for line in capfd.readouterr().err.splitlines() if "log_artifact" in line]
    assert [line.split("log_artifact: ")[1].split(" (said")[0] for line in said] == [
        "there is no file 'missing-a.bin'",
        "there is no file 'missing-b.bin'",
        "an int is no path",
    ]
    assert len(errors_of(gittrack.get_run("it"))) == 4


def test_a_failure_that_tells_its_step_does_not_fill_the_terminal(repo, capfd):
    with gittrack.start_run("it") as run:
        for step in range(100):
            run.log_artifact(f"missing-{step}.bin")
        run.log_text("x", "../x")
    lines = capfd.readouterr().err.splitlines()
    said = [line for line in lines if "log_artifact" in line]
    assert len(said) == 11
    assert "further errors are not said" in said[-1]
    assert sum("log_text" in line for line in lines) == 1
    assert len(errors_of(gittrack.get_run("it"))) == 101


# -- what a live run has -----------------------------------------------------------------------------------------------


def test_a_live_run_tells_its_artifacts_as_the_saved_one_does(repo, folder):
    with gittrack.start_run("it") as run:
        assert run.artifacts() == ()
        run.log_text("x", "z.txt")
        run.log_artifact(folder)
        live = run.artifacts()
        assert [entry.path for entry in live] == ["big", "z.txt"]
    assert live == run.artifacts() == gittrack.get_run("it").artifacts()
    with gittrack.start_run(run_id=run.id) as again:
        again.log_text("y", "a.txt")
        assert [entry.path for entry in again.artifacts()] == ["a.txt", "big", "z.txt"]


def test_a_silent_run_has_no_artifacts(repo, monkeypatch):
    monkeypatch.setenv("GITTRACK_DISABLED", "1")
    with gittrack.start_run() as run:
        run.log_text("x", "a.txt")
        assert run.artifacts() == ()

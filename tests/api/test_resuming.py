"""Resuming a run: points go on, steps count on, tags become events, the earlier commit is the second parent."""

from __future__ import annotations

import os
import signal

import pytest

import gittrack
from gittrack.api.maintain import fsck
from gittrack.api.project import Project
from gittrack.core.records import Person
from gittrack.errors import ParamConflictError, RunActiveError, RunNotFoundError

from .conftest import errors_of, paths_of


def write(path, text):
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def first_run(name: str = "long") -> gittrack.Run:
    with gittrack.start_run(name, "a/b", {"lr": 0.1}, {"stage": "one"}, "a note") as run:
        for step in range(3):
            run.log_metric("loss", 3 - step)
        run.log_metric("val", 5, step=100)
        run.log_text("first", "a.txt")
        run.log_text("x" * 100_000, "large.txt")
        run.log_metric("loss", "bad")
        run.log_output(b"line one\n")
    return run


def test_pointers_keep_naming_their_files_when_siblings_change_how_those_are_called(repo, git):
    big = "x" * 100_000
    with gittrack.start_run(strict=True) as run:
        run.log_text(big, "Model.bin")
        run.log_artifacts(write(repo.parent / "folder" / "x.bin", big + "y").parent, "a")
    with gittrack.start_run(run_id=run.id, strict=True) as again:
        again.log_text(big + "z", "model.bin")
        again.log_text(big + "b", "a/b.bin")
    saved = gittrack.get_run(run.id)
    files = git("ls-tree", "-r", "--name-only", saved.commit, "artifacts/", cwd=repo).split()
    pointers = [file for file in files if file.endswith(".dvc")]
    assert pointers == [f"artifacts/{name}.dvc" for name in ("%4Dodel.bin", "a%", "a/b.bin", "model.bin")]
    for file in pointers:
        name = file.rpartition("/")[2].removesuffix(".dvc")
        assert f'  path: "{name}"\n' in saved.file(file).decode()
    assert fsck(Project.open()) == []


def test_a_pointer_that_names_another_file_is_found(repo, git):
    with gittrack.start_run(strict=True) as run:
        run.log_text("x" * 100_000, "model.bin")
    commit = gittrack.get_run(run.id).commit
    store = Project.open().repo.objects
    found = store.read_commit(commit)
    files = {entry.path: entry.id for entry in store.list_tree(commit)}
    pointer = store.read_file(commit, "artifacts/model.bin.dvc")
    files["artifacts/model.bin.dvc"] = store.write_blob(pointer.replace(b'"model.bin"', b'"other.bin"'))
    tree = store.write_tree(files)
    wrong = store.write_commit(tree, found.parents, found.message, Person("Ann", "ann@example.com"), 0)
    git("update-ref", f"refs/runs/inbox/{run.id}", wrong, cwd=repo)
    problems = [finding.reason for finding in fsck(Project.open())]
    assert problems == ["the DVC pointer of artifact 'model.bin' names something else"]


@pytest.mark.parametrize("address", ["id", "prefix", "name", "@latest"])
def test_a_resumed_run_goes_on_where_it_stopped(repo, git, address):
    first = first_run()
    before = gittrack.get_run(first.id).commit
    with gittrack.start_run(
        run_id={"id": first.id, "prefix": first.id[:8], "name": "long", "@latest": "@latest"}[address]
    ) as run:
        assert (run.id, run.name, run.experiment) == (first.id, "long", "a/b")
        assert run.params == {"lr": 0.1}
        run.log_metric("loss", 0)
        run.log_metric("val", 6)
        run.log_metric("new", 1)
        run.log_param("epochs", 4)
        run.log_text("second", "b.txt")
        run.log_output(b"line two\n")
    saved = gittrack.get_run(first.id)
    assert list(saved.history("loss").steps) == [0, 1, 2, 3]
    assert list(saved.history("loss").values) == [3, 2, 1, 0]
    assert list(saved.history("val").steps) == [100, 101]
    assert saved.params == {"lr": 0.1, "epochs": 4}
    assert paths_of(saved) == ("a.txt", "b.txt", "large.txt")
    assert (saved.artifact("a.txt"), saved.artifact("b.txt")) == (b"first", b"second")
    assert saved.artifact("large.txt") == b"x" * 100_000
    assert saved.file("logs/output.txt") == b"line one\nline two\n"
    assert len(errors_of(saved)) == 1
    parents = git("rev-list", "--parents", "-1", saved.commit, cwd=repo).split()[1:]
    assert parents == [git("rev-parse", "HEAD", cwd=repo).strip(), before]
    assert [each.id for each in gittrack.runs()] == [first.id]


def test_what_is_set_in_a_resumption_about_name_note_and_tags_is_an_event(repo, git):
    first = first_run()
    with gittrack.start_run("renamed", run_id=first.id, description="another", tags={"stage": "two", "new": 1}) as run:
        run.set_tag("later", "x")
        assert run.name == "renamed"
    saved = gittrack.get_run(first.id)
    assert (saved.name, saved.note) == ("renamed", "another")
    assert saved.tags == {"stage": "two", "new": "1", "later": "x"}
    assert git("show", f"{saved.commit}:tags.toml", cwd=repo) == 'stage = "one"\n'
    assert {event.kind for event in saved.state.events} == {"name", "note", "tag"}


def test_a_resumption_that_says_nothing_writes_no_event(repo):
    first = first_run()
    with gittrack.start_run(run_id=first.id, tags={"stage": "one"}):
        pass
    saved = gittrack.get_run(first.id)
    assert (saved.name, saved.note, saved.tags) == ("long", "a note", {"stage": "one"})
    assert saved.state.events == ()


def test_a_run_is_resumed_twice(repo, git):
    first = first_run()
    for round_ in (2, 3):
        with gittrack.start_run(run_id=first.id) as run:
            run.log_metric("loss", -round_)
    saved = gittrack.get_run(first.id)
    assert list(saved.history("loss").steps) == [0, 1, 2, 3, 4]
    assert len(git("rev-list", "--merges", saved.commit, cwd=repo).splitlines()) == 2
    git("fsck", "--strict", cwd=repo)


def test_a_failed_run_is_finished_by_its_resumption(repo):
    with pytest.raises(ZeroDivisionError), gittrack.start_run("it") as run:
        run.log_metric("loss", 1)
        raise ZeroDivisionError
    with gittrack.start_run(run_id="it"):
        pass
    saved = gittrack.get_run("it")
    assert (saved.status, saved.record.error, saved.record.exit_code) == ("finished", "", None)


def test_a_program_killed_outright_resumes_its_run_by_its_id(program):
    code = """
import os, signal, sys, gittrack
run = gittrack.start_run("spot", run_id=sys.argv[1] if sys.argv[1:] else None)
for _ in range(5):
    run.log_metric("loss", 1)
print(run.id, flush=True)
if not sys.argv[1:]:
    os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = program(code)
    assert killed.returncode == -signal.SIGKILL
    resumed = program(code, killed.stdout.strip())
    assert resumed.returncode == 0, resumed.stderr
    assert resumed.stdout == killed.stdout
    saved = gittrack.get_run("spot")
    assert saved.status == "finished"
    assert list(saved.history("loss").steps) == list(range(10))


def test_a_param_of_another_value_in_a_resumption_is_said(repo, capfd):
    first_run()
    with gittrack.start_run(run_id="long", params={"lr": 0.2}):
        pass
    assert "param 'lr' was 0.1, is now 0.2" in capfd.readouterr().err
    with pytest.raises(ParamConflictError):
        gittrack.start_run(run_id="long", params={"lr": 0.3}, strict=True)


def test_a_run_that_is_being_written_cannot_be_resumed(repo):
    run = gittrack.start_run("busy", nested=True)
    if os.fork() == 0:
        try:
            gittrack.start_run(run_id=run.id, nested=True)
        except RunActiveError:
            os._exit(7)
        finally:
            os._exit(8)
    _, status = os.wait()
    assert os.waitstatus_to_exitcode(status) == 7
    with pytest.raises(RunActiveError):
        gittrack.start_run(run_id=run.id, nested=True)
    run.end()


def test_a_run_that_is_not_there_cannot_be_resumed(repo):
    with pytest.raises(RunNotFoundError):
        gittrack.start_run(run_id="nothing")
    assert gittrack.active_run() is None


def test_a_run_with_more_output_than_other_files_may_have_is_resumed(repo):
    with gittrack.start_run() as run:
        for _ in range(10):
            run.log_output(os.urandom(1 << 20).replace(b"/", b"."))  # "//x@y" would be a login
    with gittrack.start_run(run_id=run.id) as again:
        again.log_metric("m", 1)
    saved = gittrack.get_run(run.id)
    assert saved.metrics == {"m": 1.0}
    assert len(saved.file("logs/output.txt")) == 10 << 20


def test_a_resumed_run_shows_all_of_its_points_while_it_is_live(repo):
    first = first_run()
    with gittrack.start_run(run_id=first.id) as run:
        run.log_metric("loss", 0)
        live = gittrack.get_run(first.id)
        assert live.status == "running"
        assert list(live.history("loss").values) == [3, 2, 1, 0]
        assert live.params == {"lr": 0.1}


def test_a_deleted_run_is_still_deleted_after_a_resumption(repo, gittrack_cli):
    first = first_run()
    assert gittrack_cli("rm", "--yes", first.id, cwd=repo).returncode == 0
    with gittrack.start_run(run_id=first.id) as run:
        run.log_metric("m", 1)
    assert gittrack.runs() == []
    assert [each.metrics["m"] for each in gittrack.runs(deleted=True)] == [1.0]


def test_what_a_person_states_during_a_resumption_stands_whatever_its_program_said_before(repo, gittrack_cli):
    first = first_run()
    with gittrack.start_run(run_id=first.id) as run:
        run.set_tag("stage", "program")
        run.set_tag("other", "program")
        for words in (("tag", run.id, "stage=person"), ("note", run.id, "a person's")):
            assert gittrack_cli(*words).returncode == 0
        run.set_note("the program's")
        assert gittrack.get_run(first.id).tags["stage"] == "person"
    saved = gittrack.get_run(first.id)
    assert (saved.tags["stage"], saved.tags["other"], saved.note) == ("person", "program", "a person's")

"""Defects found in review, each by the way in which it was found."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

import gittrack
from gittrack.api.maintain import doctor, fsck, recover, roll_up_now
from gittrack.api.project import Project
from gittrack.core.assembly import assemble, resumption_changes
from gittrack.core.journal import MAX_PAYLOAD, JournalContents, frame
from gittrack.errors import CorruptRecordError, InvalidValueError
from gittrack.store.live import live_ids


def test_two_inputs_of_one_name_are_two_inputs(repo):
    (repo / "train").mkdir()
    (repo / "test").mkdir()
    (repo / "train" / "data.csv").write_text("a\n1\n")
    (repo / "test" / "data.csv").write_text("a\n2\n")
    with gittrack.start_run(name="first") as run:
        run.log_input("train/data.csv", role="train")
        run.log_input("test/data.csv", role="test")
        run.log_input("test/data.csv", role="test")
    inputs = gittrack.get_run("first").record.inputs
    assert sorted((item.name, item.role, item.uri) for item in inputs) == [
        ("data.csv", "test", "test/data.csv"),
        ("data.csv", "train", "train/data.csv"),
    ]


def test_a_resumption_is_refused_params_that_would_not_fit_and_can_end(repo, capsys):
    with gittrack.start_run(name="first") as run:
        for number in range(5):
            run.log_param(f"a{number}", "x" * 1_000_000)
    with gittrack.start_run(run_id="first") as run:
        for number in range(5):
            run.log_param(f"b{number}", "x" * 1_000_000)
    assert "is full" in capsys.readouterr().err
    assert live_ids(Project.open().layout) == []
    kept = gittrack.get_run("first").params
    assert {f"a{number}" for number in range(5)} <= kept.keys()
    assert fsck(Project.open()) == []


def test_a_record_longer_than_readers_take_is_refused_where_it_is_written():
    with pytest.raises(InvalidValueError):
        frame(3, bytes(MAX_PAYLOAD + 1))


START = {
    "op": "start", "t": 1, "id": "a" * 32, "name": "n", "experiment": {"id": "0", "name": "Default"},
    "author": {"name": "A", "email": "a@b", "future": 1},
    "code": {"commit": None, "left_out": [], "submodules": [], "future": True},
}  # fmt: skip


def test_fields_of_a_newer_version_are_left_out_and_what_is_odd_is_one_error():
    later = {"name": "d", "role": "train", "uri": "d", "future": 1}
    contents = JournalContents(operations=[START, {"op": "input", "t": 2, "input": later}, {"op": "vision", "t": 3}])
    assert [item.name for item in assemble([contents]).record.inputs] == ["d"]
    odd = JournalContents(operations=[START, {"op": "input", "t": 2, "input": {}}])
    with pytest.raises(CorruptRecordError, match="cannot read"):
        assemble([odd])


def test_one_run_of_a_newer_version_keeps_no_command_from_the_others(repo, project_env):
    with gittrack.start_run(name="good"):
        pass
    code = (
        "import os, signal, gittrack\nrun = gittrack.start_run(name='odd')\n"
        "run._writer.operation({'op': 'input', 't': 1, 'input': {'of': 'the future'}})\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], env=project_env, check=False)
    assert done.returncode == -signal.SIGKILL
    (result,) = recover(Project.open())
    assert result.outcome == "damaged"
    assert [run.name for run in gittrack.runs()] == ["good"]
    doctor(Project.open())


def test_of_two_processes_of_a_resumption_the_later_word_counts():
    late = JournalContents(operations=[{"op": "tag", "t": 2000, "key": "k", "value": "final"}])
    early = JournalContents(operations=[{"op": "tag", "t": 1000, "key": "k", "value": "early"}])
    assert resumption_changes([late, early])["tag", "k"].value == "final"


def test_a_run_finished_by_a_version_that_writes_other_bytes_is_finished(repo, git, monkeypatch):
    with gittrack.start_run(name="first") as run:
        project = Project.open()
        folder = project.layout.live_run(run.id)
        kept = {path.name: path.read_bytes() for path in folder.iterdir()}
    commit = gittrack.get_run("first").commit
    for path in project.layout.done.iterdir():
        path.unlink()
    folder.mkdir()
    for name, data in kept.items():
        (folder / name).write_bytes(data)
    monkeypatch.setattr("gittrack.core.dvc_yaml._FIXED", {".dvc/config": b"[core]\n"})
    assert [result.outcome for result in recover(project)] == ["recovered"]
    assert gittrack.get_run("first").commit == commit


def test_doctor_puts_an_inbox_ref_right_that_names_another_run(repo, git):
    ids = []
    for name in ("one", "two"):
        with gittrack.start_run(name=name) as run:
            ids.append(run.id)
    git("update-ref", f"refs/runs/inbox/{ids[0]}", f"refs/runs/inbox/{ids[1]}", cwd=repo)
    assert "made a lost run again" in {repair.what for repair in doctor(Project.open())}
    assert sorted(run.name for run in gittrack.runs()) == ["one", "two"]
    assert fsck(Project.open()) == []


def test_roll_up_never_appends_to_what_is_no_ledger(repo, git):
    with gittrack.start_run(name="one"):
        pass
    project = Project.open()
    roll_up_now(project)
    (ledger,) = [name for name, _ in project.repo.refs.list("refs/runs/local/")]
    git("update-ref", ledger, "HEAD", cwd=repo)
    with gittrack.start_run(name="two"):
        pass
    with pytest.raises(CorruptRecordError, match="is no ledger"):
        roll_up_now(Project.open())
    assert git("rev-parse", ledger, cwd=repo) == git("rev-parse", "HEAD", cwd=repo)
    assert [run.name for run in gittrack.runs()] == ["two"]


def test_a_run_that_no_process_owns_is_not_finished_by_others(repo, project_env):
    code = (
        "import os, signal, gittrack\nfrom gittrack.store import live\n"
        "made = live.writer_operation\nlive.writer_operation = lambda now: made(now) | {'owner': 'detached'}\n"
        "gittrack.start_run(name='served')\nos.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", code], env=project_env, check=False)
    (result,) = recover(Project.open())
    assert result.outcome == "unknown"
    assert len(live_ids(Project.open().layout)) == 1


def test_blobs_that_all_runs_share_are_written_beside_a_loop_of_prune_packed(repo, git, project_env):
    with gittrack.start_run(name="one"):
        pass
    roll_up_now(Project.open())
    loop = "import subprocess\nwhile True: subprocess.run(['git', 'prune-packed', '-q'])\n"
    pruning = subprocess.Popen([sys.executable, "-c", loop], env=project_env)
    try:
        objects = Project.open().repo.objects
        for _ in range(3000):
            objects.write_blob(b"")
    finally:
        pruning.kill()
        pruning.wait()
    assert os.path.isdir(repo / ".git")

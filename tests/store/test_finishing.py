"""Finishing a run while others finish or resume it; what a killed resumption set; folders a power loss brings back."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import gittrack
from gittrack.api.maintain import fsck, recover
from gittrack.api.project import Project
from gittrack.store.done import done_runs, read_done, retire
from gittrack.store.live import live_ids, read_live

RESUME = """
import os, signal, gittrack
run = gittrack.start_run(run_id="first")
run.set_tag("stage", "late")
run.rename("second")
run.set_note("said late")
run.log_metric("loss", 9.0)
os.kill(os.getpid(), signal.SIGKILL)
"""


def killed(code: str, env: dict[str, str]) -> None:
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr


def finished_run() -> gittrack.SavedRun:
    with gittrack.start_run(name="first") as run:
        run.log_metric("loss", 1.0)
    return gittrack.get_run("first")


def test_what_a_killed_resumption_set_is_stated_by_the_recovery(repo, project_env):
    id = finished_run().id
    killed(RESUME, project_env)
    (result,) = recover(Project.open())
    assert result.outcome == "recovered", result.reason
    run = gittrack.get_run(id)
    assert (run.name, run.note, run.tags) == ("second", "said late", {"stage": "late"})
    assert list(run.history("loss").values) == [1.0, 9.0]


def test_a_finish_that_is_repeated_states_nothing_twice(repo, project_env, tmp_path):
    id = finished_run().id
    killed(RESUME, project_env)
    project = Project.open()
    folder = project.layout.live_run(id)
    shutil.copytree(folder, tmp_path / "kept")
    assert [result.outcome for result in recover(project)] == ["recovered"]
    events = gittrack.get_run(id).state.events
    shutil.rmtree(project.layout.done)  # as if killed before the copy was written
    shutil.copytree(tmp_path / "kept", folder)
    assert [result.outcome for result in recover(project)] == ["recovered"]
    assert gittrack.get_run(id).state.events == events
    assert len(events) == 3


def test_a_slow_finisher_leaves_the_folder_of_a_resumption_alone(repo):
    id = finished_run().id
    project = Project.open()
    ((_, _, copy),) = done_runs(project.layout)
    journals, before = read_done(copy), Path(copy).read_bytes()
    commit = gittrack.get_run(id).commit
    with gittrack.start_run(run_id=id) as resumed:
        retire(project.layout, id, commit, journals)
        assert live_ids(project.layout) == [id]
        assert Path(copy).read_bytes() == before
        resumed.log_metric("loss", 2.0)
    assert list(gittrack.get_run(id).history("loss").values) == [1.0, 2.0]


@pytest.mark.parametrize("kept_bytes", [100, 4000, 6000])
def test_a_live_folder_that_a_power_loss_brings_back_is_no_second_run(repo, kept_bytes):
    with gittrack.start_run(name="first") as run:
        for step in range(100):
            run.log_metric("loss", float(step))
        project = Project.open()
        folder = project.layout.live_run(run.id)
        kept = {path.name: path.read_bytes() for path in folder.iterdir()}
    commit = gittrack.get_run("first").commit
    folder.mkdir()
    for name, data in kept.items():  # shorter than what was published: its last pages never reached the disk
        (folder / name).write_bytes(data[:kept_bytes])
    assert recover(project) == []
    assert live_ids(project.layout) == []
    assert gittrack.get_run("first").commit == commit
    assert fsck(project) == []


def test_a_folder_left_by_a_killed_finish_does_not_stand_in_the_way_of_the_next(repo):
    id = finished_run().id
    layout = Project.open().layout
    (layout.live / f"{id}.gone-1-00").mkdir(parents=True)
    (layout.live / f"{id}.gone-1-00" / "x.journal").write_bytes(b"")
    with gittrack.start_run(run_id=id) as run:
        run.log_metric("loss", 2.0)
    assert live_ids(layout) == []
    assert gittrack.get_run(id).metrics["loss"] == 2.0


def test_a_run_of_a_container_with_another_name_on_this_host_is_seen_to_be_dead(repo, project_env):
    killed(
        "import os, signal, gittrack; gittrack.start_run(name='gone'); os.kill(os.getpid(), signal.SIGKILL)",
        project_env,
    )
    project = Project.open()
    (id,) = live_ids(project.layout)
    live = read_live(str(project.layout.live_run(id)), id)
    assert live is not None
    writer = live.contents[0].operations[0]
    assert writer["host"] == os.uname().nodename
    from gittrack.store.ownership import Liveness, liveness

    path = str(project.layout.live_run(id) / next(iter(live.journals)))
    assert liveness(path, writer | {"host": "a1b2c3"}) is Liveness.DEAD
    assert liveness(path, writer | {"host": "a1b2c3", "boot": "another"}) is Liveness.UNKNOWN

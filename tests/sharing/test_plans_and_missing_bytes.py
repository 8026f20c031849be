"""What a push would bring, and whose bytes are missing where."""

from __future__ import annotations

import json

import pytest

import gittrack
from gittrack.api.missing_bytes import Lack, missing_bytes

SIZE = 100_000


def _with_model(person, name, seed):
    with person.here(), gittrack.start_run(name=name, strict=True) as run:
        (person.folder / "model.bin").write_bytes(bytes([seed]) * SIZE)
        run.log_artifact("model.bin")
        run.log_text("small", "notes.txt")
    (person.folder / "model.bin").unlink()
    return str(run.id)


@pytest.fixture
def ann(people, tmp_path):
    ann = people("ann")
    (tmp_path / "bytes").mkdir()
    ann.git("config", "gittrack.artifactRemote", str(tmp_path / "bytes"))
    return ann


def test_a_dry_run_lists_runs_events_and_bytes(ann, gittrack_cli):
    with_model, without = _with_model(ann, "big", 1), ann.run("small")
    gittrack_cli("tag", without, "k=v", cwd=ann.folder)
    done = gittrack_cli("push", "--dry-run", cwd=ann.folder)
    lines = sorted(done.stdout.splitlines())
    assert lines == sorted(
        [f"{with_model[:8]}  big (Default): 1 artifact, 100 kB", f"{without[:8]}  small (Default)"]
    ), done.stdout
    assert "would push 2 runs and 1 event to origin" in done.stderr
    said = json.loads(gittrack_cli("push", "--dry-run", "--json", cwd=ann.folder).stdout)
    assert {(run["id"], run["artifacts"], run["size"]) for run in said["planned"]} == {
        (with_model, 1, SIZE),
        (without, 0, 0),
    }
    assert said["pushed"] is None
    assert json.loads(gittrack_cli("push", "--json", cwd=ann.folder).stdout)["planned"] is None


def test_status_tells_whose_bytes_are_missing_where(ann, people, tmp_path, gittrack_cli):
    _with_model(ann, "big", 1)
    assert "not here" not in gittrack_cli("status", cwd=ann.folder).stdout
    assert "1 artifact, 100 kB: gittrack artifact push" in gittrack_cli("status", "--bytes", cwd=ann.folder).stdout
    ann.push()
    assert "all artifacts are at" in gittrack_cli("status", "--bytes", cwd=ann.folder).stdout
    bob = people("bob")
    bob.git("config", "gittrack.artifactRemote", str(tmp_path / "bytes"))
    bob.fetch()
    said = gittrack_cli("status", cwd=bob.folder).stdout
    assert "not here: 1 artifact, 100 kB: gittrack pull --artifacts all" in said
    found = json.loads(gittrack_cli("status", "--bytes", "--json", cwd=bob.folder).stdout)["artifacts"]
    assert found["not_here"] == {"artifacts": 1, "size": SIZE}
    assert found["not_there"] == {"artifacts": 0, "size": 0}
    gittrack_cli("pull", "--artifacts", "all", cwd=bob.folder)
    assert "not here" not in gittrack_cli("status", cwd=bob.folder).stdout


def test_offline_and_without_a_place_nobody_is_asked_for_bytes(people, gittrack_cli):
    ann = people("ann")
    _with_model(ann, "big", 1)
    assert missing_bytes(ann.project, remote=True).there is None
    ann.git("config", "gittrack.artifactRemote", "s3://nowhere.invalid/bytes")
    said = json.loads(gittrack_cli("status", "--bytes", "--offline", "--json", cwd=ann.folder).stdout)["artifacts"]
    assert said["not_there"] is None


def test_a_place_that_cannot_be_asked_is_said(ann, gittrack_cli, tmp_path):
    _with_model(ann, "big", 1)
    (tmp_path / "bytes").rmdir()
    done = gittrack_cli("status", "--bytes", cwd=ann.folder)
    assert "cannot be asked" in done.stdout, (done.stdout, done.stderr)


def test_bytes_of_deleted_runs_are_not_missed(ann, gittrack_cli):
    id = _with_model(ann, "big", 1)
    gittrack_cli("rm", "-y", id, cwd=ann.folder)
    store = ann.folder / ".git" / "gittrack" / "cache" / "files" / "md5"
    for file in list(store.rglob("*")):
        if file.is_file():
            file.unlink()
    assert missing_bytes(ann.project).here == Lack(0, 0)
    gittrack_cli("restore", id, cwd=ann.folder)
    assert missing_bytes(ann.project).here == Lack(1, SIZE)

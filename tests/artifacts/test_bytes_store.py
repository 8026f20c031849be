"""The store of artifact bytes, and what fsck and doctor say of it."""

from __future__ import annotations

import hashlib
import os
import time

import pytest

import gittrack
from gittrack.api.maintain import Inspection, doctor, fsck, inspect
from gittrack.api.project import Project
from gittrack.artifacts.bytes_store import BytesStore
from gittrack.artifacts.reading import problem_of, read_stored
from gittrack.artifacts.taking import take_bytes, take_file
from gittrack.errors import ArtifactNotFoundError, CorruptRecordError


def test_small_bytes_stay_inline_and_large_ones_go_to_the_store(tmp_path):
    small, large = take_bytes(BytesStore(tmp_path), b"x" * 10, 10), take_bytes(BytesStore(tmp_path), b"x" * 11, 10)
    assert small.content == b"x" * 10
    assert large.content is None
    assert BytesStore(tmp_path).path(large.digest).read_bytes() == b"x" * 11
    assert large.digest == "md5:" + hashlib.md5(b"x" * 11).hexdigest()


def test_stored_bytes_are_read_only_and_kept_once(tmp_path):
    source = tmp_path / "model.bin"
    source.write_bytes(os.urandom(300_000))
    store = BytesStore(tmp_path / "store")
    first, second = take_file(store, source, 100), take_file(store, source, 100)
    assert first == second
    path = store.path(first.digest)
    assert path.stat().st_mode & 0o777 == 0o444
    assert path.stat().st_nlink == 1
    assert source.stat().st_mode & 0o200  # the user's own file is left as it was
    assert list((tmp_path / "store" / "tmp").iterdir()) == []


def test_a_missing_file_is_an_error_and_leaves_nothing(tmp_path):
    with pytest.raises(ArtifactNotFoundError):
        take_file(BytesStore(tmp_path / "store"), tmp_path / "absent", 10)
    assert not (tmp_path / "store").exists()


def test_damaged_bytes_are_never_served(tmp_path):
    stored = take_bytes(BytesStore(tmp_path), b"y" * 100, 10)
    path = BytesStore(tmp_path).path(stored.digest)
    path.chmod(0o644)
    path.write_bytes(b"y" * 99 + b"z")
    with pytest.raises(CorruptRecordError):
        read_stored(BytesStore(tmp_path), stored.digest, "a.bin")
    assert problem_of(BytesStore(tmp_path), stored.digest, 100) == "its bytes are damaged"


def test_fsck_counts_the_artifact_whose_bytes_are_gone_and_names_what_is_damaged(repo):
    data = os.urandom(200_000)
    (repo / "model.bin").write_bytes(data)
    with gittrack.start_run(name="first") as run:
        run.log_artifact("model.bin")
    saved = gittrack.get_run("first")
    assert saved.artifact("model.bin") == data
    assert fsck(Project.open()) == []
    path = BytesStore(Project.open().layout.bytes_store).path(saved.record.artifacts[0].digest)
    path.unlink()
    assert inspect(Project.open()) == Inspection([], not_here=1)
    with pytest.raises(ArtifactNotFoundError):
        saved.artifact("model.bin")


def test_doctor_clears_old_half_copied_files_and_leaves_young_ones(repo):
    folder = Project.open().layout.bytes_store / "tmp"
    folder.mkdir(parents=True)
    (folder / "old").write_bytes(b"x")
    (folder / "young").write_bytes(b"x")
    os.utime(folder / "old", (time.time() - 200_000,) * 2)
    assert [repair.what for repair in doctor(Project.open())] == ["remove a half-copied file"]
    assert [path.name for path in folder.iterdir()] == ["young"]

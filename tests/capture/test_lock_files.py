from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

from gittrack.capture.lock_files import LockFiles


def test_lock_files_are_listed_with_size_and_digest(tmp_path: Path) -> None:
    (tmp_path / "uv.lock").write_bytes(b"version = 1\n")
    (tmp_path / "requirements-dev.txt").write_bytes(b"")
    (tmp_path / "train.py").write_bytes(b"")
    (tmp_path / "poetry.lock").mkdir()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "uv.lock").write_bytes(b"")
    os.mkfifo(tmp_path / "requirements.txt")
    (tmp_path / "Pipfile.lock").symlink_to("absent")
    assert LockFiles(tmp_path).read() == [
        {"path": "requirements-dev.txt", "size": 0, "sha256": hashlib.sha256(b"").hexdigest()},
        {"path": "uv.lock", "size": 12, "sha256": hashlib.sha256(b"version = 1\n").hexdigest()},
    ]


def test_every_change_is_seen_even_within_one_tick_of_a_coarse_clock(tmp_path: Path) -> None:
    lock_files, tick = LockFiles(tmp_path), time.time_ns()
    os.utime(tmp_path, ns=(tick, tick))
    assert lock_files.read() == []
    for content in (b"1", b"2", b"3"):
        (tmp_path / "uv.lock").write_bytes(content)
        os.utime(tmp_path, ns=(tick, tick))
        assert lock_files.read() == [{"path": "uv.lock", "size": 1, "sha256": hashlib.sha256(content).hexdigest()}]
    (tmp_path / "uv.lock").unlink()
    assert lock_files.read() == []


def test_an_old_file_changed_in_place_is_seen(tmp_path: Path) -> None:
    lock = tmp_path / "uv.lock"
    lock.write_bytes(b"1")
    for path in (lock, tmp_path):
        os.utime(path, (1, 1))
    lock_files = LockFiles(tmp_path)
    before = lock_files.read()
    assert lock_files.read() == before
    lock.write_bytes(b"2")
    assert lock_files.read() != before


def test_a_work_tree_that_went_away_has_none(tmp_path: Path) -> None:
    assert LockFiles(tmp_path / "absent").read() == []

"""Files of every kind that may be kept, and how they come back."""

from __future__ import annotations

import os
import socket
import subprocess

import pytest

from gittrack.artifacts.bytes_store import BytesStore
from gittrack.artifacts.reading import copy_out, open_stored, problem_of, read_stored
from gittrack.artifacts.taking import take_bytes, take_file
from gittrack.errors import ArtifactNotFoundError, CorruptRecordError, StorageError

LARGE = (1 << 20) + 12_345


@pytest.fixture
def store(tmp_path):
    return BytesStore(tmp_path / "store")


@pytest.mark.parametrize("size", [0, 1, 1 << 20, LARGE])
def test_what_is_taken_in_comes_back(store, tmp_path, size):
    data = os.urandom(size)
    (tmp_path / "source").write_bytes(data)
    stored = take_file(store, tmp_path / "source", -1)
    assert (stored.size, stored.content, stored.changed) == (size, None, False)
    assert read_stored(store, stored.digest, "x") == data
    with open_stored(store, stored.digest, "x") as file:
        assert file.read() == data
    copy_out(store, stored.digest, tmp_path / "copy", "x")
    assert (tmp_path / "copy").read_bytes() == data
    assert (tmp_path / "copy").stat().st_mode & 0o200, "the copy is the user's to change"
    assert problem_of(store, stored.digest, size) == ""


def test_the_holes_of_a_sparse_file_stay_holes(store, tmp_path):
    source = tmp_path / "sparse"
    with open(source, "wb") as file:
        file.write(b"begin")
        file.seek(64 << 20)
        file.write(b"middle")
        file.truncate(128 << 20)
    if source.stat().st_blocks * 512 > 1 << 20:
        pytest.skip("the file system has no holes")
    stored = take_file(store, source, -1)
    kept = store.path(stored.digest)
    assert kept.read_bytes() == source.read_bytes()
    assert kept.stat().st_blocks * 512 < 1 << 20


def test_a_file_of_nothing_but_a_hole_is_kept(store, tmp_path):
    with open(tmp_path / "hole", "wb") as file:
        file.truncate(LARGE)
    stored = take_file(store, tmp_path / "hole", -1)
    assert read_stored(store, stored.digest, "x") == bytes(LARGE)


@pytest.mark.timeout(20)
def test_what_is_no_regular_file_is_refused_and_never_waited_for(store, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        for name in ("fifo", "socket", "absent", "."):
            with pytest.raises(ArtifactNotFoundError):
                take_file(store, tmp_path / name, 10)
    with pytest.raises(ArtifactNotFoundError):
        take_file(store, tmp_path / "x" / "y", 10)


def test_a_link_stands_for_its_file_and_a_broken_one_for_nothing(store, tmp_path):
    (tmp_path / "real").write_bytes(b"data")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "broken").symlink_to("absent")
    (tmp_path / "loop").symlink_to("loop")
    assert take_file(store, tmp_path / "link", 10).content == b"data"
    with pytest.raises(ArtifactNotFoundError):
        take_file(store, tmp_path / "broken", 10)
    with pytest.raises(StorageError, match="loop"):
        take_file(store, tmp_path / "loop", 10)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_an_error(store, tmp_path):
    (tmp_path / "secret").write_bytes(b"x")
    (tmp_path / "secret").chmod(0)
    with pytest.raises(StorageError, match="Permission denied"):
        take_file(store, tmp_path / "secret", 10)


def test_a_file_that_changes_while_it_is_read_is_kept_as_it_was_read_and_said_to_have_changed(
    store, tmp_path, monkeypatch
):
    source = tmp_path / "checkpoint"
    source.write_bytes(b"a" * LARGE)
    copied = os.copy_file_range

    def then_rewritten(*arguments):
        count = copied(*arguments)
        source.write_bytes(b"b" * LARGE)
        return count

    monkeypatch.setattr("os.copy_file_range", then_rewritten)
    stored = take_file(store, source, -1)
    assert stored.changed
    assert problem_of(store, stored.digest, stored.size) == "", "whatever was read, its hash is right"


def test_a_copy_that_was_cut_in_the_store_is_replaced_when_the_bytes_come_again(store):
    data = b"m" * 5000
    path = store.path(take_bytes(store, data, 0).digest)
    path.chmod(0o644)
    path.write_bytes(data[:100])
    stored = take_bytes(store, data, 0)
    assert read_stored(store, stored.digest, "x") == data


def test_damaged_bytes_leave_no_file_behind(store, tmp_path):
    stored = take_bytes(store, b"m" * 5000, 0)
    path = store.path(stored.digest)
    path.chmod(0o644)
    path.write_bytes(b"n" * 5000)
    (tmp_path / "out").mkdir()
    with pytest.raises(CorruptRecordError):
        copy_out(store, stored.digest, tmp_path / "out" / "model", "model")
    with pytest.raises(CorruptRecordError):
        open_stored(store, stored.digest, "model")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path):
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(place)]
    made = subprocess.run(mount, check=False, capture_output=True)
    if made.returncode:
        pytest.skip("a file system of its own cannot be mounted here")
    try:
        store = BytesStore(place / "store")
        (tmp_path / "large").write_bytes(os.urandom(3 << 20))
        with pytest.raises(StorageError, match="No space left") as caught:
            take_file(store, tmp_path / "large", -1)
        assert caught.value.hint == "free some disk space"
        assert list((place / "store" / "tmp").iterdir()) == []
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)

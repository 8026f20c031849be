"""Folders kept whole: the same digest as DVC's, and listings from anybody."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gittrack.artifacts.bytes_store import BytesStore
from gittrack.artifacts.folders import find_files, take_folder
from gittrack.artifacts.reading import problem_of, read_listing
from gittrack.core.folder_listing import ListedFile, decode_listing, encode_listing
from gittrack.errors import ArtifactNotFoundError, CorruptRecordError

A, B = "md5:" + "a" * 32, "md5:" + "b" * 32


@pytest.fixture
def store(tmp_path):
    return BytesStore(tmp_path / "store")


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "model"
    (root / "sub" / "deep").mkdir(parents=True)
    (root / "a.txt").write_text("a")
    (root / "empty").write_bytes(b"")
    (root / "sub" / "Über x.bin").write_bytes(os.urandom(3000))
    (root / "sub" / "deep" / "large.bin").write_bytes(os.urandom((1 << 20) + 5))
    return root


def taken(store, folder):
    refused = []

    def told(path, error):
        refused.append((path, error))

    return take_folder(store, folder, find_files(folder, told), told), refused


def test_a_folder_has_the_digest_and_listing_that_dvc_gives_it(store, folder, tmp_path):
    stored, refused = taken(store, folder)
    assert (refused, stored.files) == ([], 4)
    assert stored.size == sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    for command in (["init", "-q"], ["add", "-q", "model"]):
        subprocess.run([sys.executable, "-m", "dvc", *command], cwd=tmp_path, check=True)
    assert f"md5: {stored.digest.removeprefix('md5:')}\n" in (tmp_path / "model.dvc").read_text()
    dvc_cache = tmp_path / ".dvc" / "cache" / "files" / "md5"
    ours = store.root / "files" / "md5"
    kept = {path.relative_to(ours): path.read_bytes() for path in ours.rglob("*") if path.is_file()}
    assert kept == {path.relative_to(dvc_cache): path.read_bytes() for path in dvc_cache.rglob("*") if path.is_file()}
    assert problem_of(store, stored.digest, stored.size) == ""


def test_what_is_no_file_is_left_out_and_what_cannot_be_kept_is_told(store, folder, tmp_path):
    before, _ = taken(store, folder)
    os.mkfifo(folder / "fifo")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("x")
    (folder / "outside").symlink_to(tmp_path, target_is_directory=True)
    assert taken(store, folder) == (before, [])
    (folder / "broken").symlink_to("absent")
    (folder / "circle").symlink_to("circle")
    stored, refused = taken(store, folder)
    assert stored == before
    assert sorted(path for path, error in refused if "leads nowhere" in error.message) == ["broken", "circle"]
    (folder / "broken").unlink()
    (folder / "circle").unlink()
    (folder / "linked").symlink_to("a.txt")
    (folder / "bad\\name").write_text("x")
    stored, refused = taken(store, folder)
    assert stored.files == 5
    assert [path for path, _ in refused] == ["bad\\name"]
    (folder / "bad\\folder").mkdir()
    (folder / "bad\\folder" / "plain.txt").write_text("x")
    _, refused = taken(store, folder)
    assert sorted(path for path, _ in refused) == ["bad\\folder/plain.txt", "bad\\name"]
    if sys.platform == "linux":
        with open(os.fsencode(folder) + b"/\xff", "wb"):
            pass
        _, refused = taken(store, folder)
        assert len(refused) == 3


def test_an_unchanged_folder_is_not_read_again_and_a_changed_one_is(store, folder):
    past = time.time() - 100
    for path in folder.rglob("*"):
        os.utime(path, (past, past))
    first, _ = taken(store, folder)
    # ctime cannot be set back: what was written just now might change again unseen, so nothing is remembered yet.
    assert not (store.root / "known").exists()
    time.sleep(2.1)
    again, _ = taken(store, folder)
    assert again == first
    assert len(list((store.root / "known").iterdir())) == 1
    large = folder / "sub" / "deep" / "large.bin"
    state = large.stat()
    data = bytearray(large.read_bytes())
    data[0] ^= 1
    large.write_bytes(data)
    os.utime(large, ns=(state.st_atime_ns, state.st_mtime_ns))  # the same size and time, as a careless copy may leave
    changed, _ = taken(store, folder)
    assert changed.digest != first.digest


def test_a_remembered_folder_whose_listing_is_gone_is_read_again(store, folder):
    time.sleep(2.1)
    first, _ = taken(store, folder)
    assert (store.root / "known").exists()
    store.path(first.digest).unlink()
    again, _ = taken(store, folder)
    assert again == first
    assert store.has(first.digest)


def test_a_file_missing_from_a_folder_is_named(store, folder):
    stored, _ = taken(store, folder)
    gone = next(file for file in read_listing(store, stored.digest, "model") if file.path == "a.txt")
    store.path(gone.digest).unlink()
    assert problem_of(store, stored.digest, stored.size) == "'a.txt': its bytes are not here"


def test_there_must_be_a_folder(tmp_path):
    with pytest.raises(ArtifactNotFoundError):
        find_files(tmp_path / "absent", lambda *_: None)


@pytest.mark.parametrize(
    "rows",
    [
        [{"md5": "a" * 32, "relpath": "../../etc/passwd"}],
        [{"md5": "a" * 32, "relpath": "/etc/passwd"}],
        [{"md5": "a" * 32, "relpath": "a/../../b"}],
        [{"md5": "a" * 32, "relpath": "a\\..\\b"}],
        [{"md5": "a" * 32, "relpath": "a//b"}],
        [{"md5": "a" * 32, "relpath": "./a"}],
        [{"md5": "a" * 32, "relpath": ""}],
        [{"md5": "a" * 32, "relpath": "nul\0"}],
        [{"md5": "../" + "a" * 29, "relpath": "a"}],
        [{"md5": "A" * 32, "relpath": "a"}],
        [{"md5": "a" * 32, "relpath": "a"}, {"md5": "b" * 32, "relpath": "a"}],
        [{"md5": "a" * 32, "relpath": "a"}, {"md5": "b" * 32, "relpath": "a/b"}],
        [{"relpath": "a"}],
        [{"md5": 5, "relpath": "a"}],
        [{"md5": "a" * 32, "relpath": 5}],
        [5],
        {"a": 5},
        5,
    ],
)
def test_a_listing_that_names_what_it_must_not_is_refused(rows):
    with pytest.raises(CorruptRecordError):
        decode_listing(json.dumps(rows).encode())


@pytest.mark.parametrize("data", [b"", b"\xff", b"[" * 100_000, b'[{"md5"'])
def test_a_listing_that_is_none_is_refused(data):
    with pytest.raises(CorruptRecordError):
        decode_listing(data)


@given(st.dictionaries(st.text("abcXYZ-_é. ", min_size=1, max_size=8), st.sampled_from((A, B)), max_size=20))
def test_a_listing_comes_back_as_it_was(files):
    listed = [ListedFile(path, digest) for path, digest in files.items() if path not in (".", "..")]
    data, digest = encode_listing(listed)
    assert decode_listing(data) == tuple(sorted(listed))
    assert digest.endswith(".dir")

"""Digests of the user's data: DVC's own, computed once, and never believed when anything may have changed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gittrack.artifacts.known_digests import KnownDigests, StoppedError
from gittrack.errors import ArtifactNotFoundError, StorageError

OLD = time.time_ns() - 3_600_000_000_000


class Counted:
    """Lets everything be read, and counts it."""

    def __init__(self, room: int = 1 << 60) -> None:
        self.read = 0
        self._room = room

    def __call__(self, count: int) -> None:
        if self.read + count > self._room:
            raise StoppedError
        self.read += count


def an_hour_later() -> int:
    """What was written just now has settled."""
    return time.time_ns() + 3_600_000_000_000


@pytest.fixture
def digests(tmp_path) -> KnownDigests:
    return KnownDigests(tmp_path / "known", an_hour_later)


@pytest.fixture
def folder(tmp_path) -> Path:
    root = tmp_path / "data"
    for name in ("b/two.txt", "a.txt", "b/c/three", "a b.txt", "ünï"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name * 100)
    (root / "empty folder").mkdir()
    (root / "link").symlink_to("a.txt")
    (root / "nowhere").symlink_to("none")
    (root / "up").symlink_to("..")
    return root


def test_digests_are_those_of_dvc(digests, folder, git, repo):
    """The folder as dvc sees it, hashed by dvc itself."""
    target = repo / "data"
    folder.rename(target)
    (target / "nowhere").unlink()  # dvc refuses a link to nothing
    (target / "up").unlink()
    for words in (["init", "-q"], ["add", "-q", "data"], ["add", "-q", "train.py"]):
        if words[-1] == "train.py":
            git("rm", "-q", "--cached", "train.py", cwd=repo)
        subprocess.run([sys.executable, "-m", "dvc", *words], cwd=repo, check=True, capture_output=True)
    found = digests.of(target)
    assert f"md5: {found.digest.removeprefix('md5:')}\n" in (repo / "data.dvc").read_text()
    assert f"size: {found.size}\n" in (repo / "data.dvc").read_text()
    assert digests.of(repo / "train.py").digest.removeprefix("md5:") in (repo / "train.py.dvc").read_text()


def test_what_did_not_change_is_not_read_again(digests, folder):
    first, again = Counted(), Counted()
    assert digests.of(folder, first) == digests.of(folder, again)
    assert (first.read > 0, again.read) == (True, 0)
    assert digests.of(folder / "a.txt", first) == digests.of(folder / "a.txt", again)
    assert again.read == 0


CHANGES = {
    "a file written again": lambda root: (root / "a.txt").write_text("x" * 500),
    "a file added": lambda root: (root / "new").write_text("x"),
    "a file removed": lambda root: (root / "ünï").unlink(),
    "a file renamed": lambda root: (root / "ünï").rename(root / "uni"),
    "a file replaced": lambda root: (
        (root / "a.txt.new").write_text("y" * 500) and os.replace(root / "a.txt.new", root / "a.txt")
    ),
    "what a link points to": lambda root: (root / "link").unlink() or (root / "link").symlink_to("b/two.txt"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_every_change_is_noticed_and_only_what_changed_is_read(digests, folder, change):
    before = digests.of(folder)
    change(folder)
    counted = Counted()
    after = digests.of(folder, counted)
    assert after.digest != before.digest
    assert after == KnownDigests(folder.parent / "other").of(folder)
    assert counted.read <= 1100


def test_a_change_whose_time_was_set_back_is_noticed(digests, folder):
    os.utime(folder / "a.txt", ns=(OLD, OLD))
    before = digests.of(folder)
    (folder / "a.txt").write_text("z" * 500)
    os.utime(folder / "a.txt", ns=(OLD, OLD))
    assert digests.of(folder).digest != before.digest


def test_what_was_written_a_moment_ago_is_not_remembered(tmp_path, folder):
    digests = KnownDigests(tmp_path / "known")
    first, again = Counted(), Counted()
    digests.of(folder / "a.txt", first)
    digests.of(folder / "a.txt", again)
    assert again.read == first.read > 0


def test_who_may_read_only_so_much_goes_on_next_time(digests, tmp_path):
    root = tmp_path / "many"
    root.mkdir()
    for number in range(10):
        (root / str(number)).write_bytes(bytes([number]) * 1000)
    rounds = 0
    while True:
        rounds += 1
        try:
            found = digests.of(root, Counted(3000))
            break
        except StoppedError:
            assert rounds < 10
    assert rounds == 4
    assert found == KnownDigests(tmp_path / "other").of(root)


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"stamp": 5}', b"\xff", b'{"files": 5, "fingerprint": "x"}'])
def test_what_is_remembered_may_be_lost_or_damaged(digests, folder, tmp_path, damage):
    before = digests.of(folder), digests.of(folder / "a.txt")
    for entry in (tmp_path / "known").iterdir():
        entry.write_bytes(damage)
    assert (digests.of(folder), digests.of(folder / "a.txt")) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_where_nothing_can_be_remembered_everything_is_read(tmp_path, folder):
    (tmp_path / "locked").mkdir(mode=0o500)
    assert KnownDigests(tmp_path / "locked" / "known", an_hour_later).of(folder) == KnownDigests(tmp_path / "free").of(
        folder
    )


def test_the_memory_does_not_grow_for_ever(tmp_path):
    digests = KnownDigests(tmp_path / "known", an_hour_later, most=20)
    for number in range(60):
        path = tmp_path / f"{number}"
        path.write_text(f"{number}")
        digests.of(path)
    assert len(list((tmp_path / "known").iterdir())) <= 21


@pytest.mark.parametrize("what", ["a file", "a folder"])
def test_what_changes_while_it_is_read_is_said_and_not_remembered(digests, folder, what):
    place = folder / "a.txt" if what == "a file" else folder

    def meddle(count: int) -> None:
        if count == 0:
            (folder / "a.txt").write_text("meddled")

    assert not digests.of(place, meddle).settled
    found = digests.of(place)
    assert found.settled
    assert found == KnownDigests(folder.parent / "other").of(place)


def test_no_link_leads_to_what_nobody_named(digests, folder, tmp_path):
    (tmp_path / "secret").write_text("secret")
    (folder / "up").unlink()
    (folder / "nowhere").unlink()
    whole = digests.of(folder, within=folder)
    assert digests.of(folder / "link", within=folder).size == 500
    (folder / "out").symlink_to(tmp_path / "secret")
    (folder / "way").symlink_to(tmp_path)
    for place in (folder, folder / "out", folder / "way/secret", folder / "way"):
        with pytest.raises(StorageError, match="leads out"):
            digests.of(place, within=folder)
        assert digests.of(place).digest
    (folder / "out").unlink()
    (folder / "way").unlink()
    cached = tmp_path / "shared" / "ab" / ("c" * 30)
    cached.parent.mkdir(parents=True)
    cached.write_text("ab")
    assert digests.of(folder, within=folder) == whole
    (folder / "out").symlink_to(cached)
    assert digests.of(folder / "out", within=folder).size == 2


def test_what_is_neither_file_nor_folder_is_refused(digests, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "none"):
        with pytest.raises(ArtifactNotFoundError):
            digests.of(tmp_path / name)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_cannot_be_read_is_said(digests, folder):
    (folder / "a.txt").chmod(0)
    with pytest.raises(StorageError, match=r"a\.txt"):
        digests.of(folder)


HASH_FOREVER = """
import sys, time
from pathlib import Path
from gittrack.artifacts import known_digests
known_digests._SAVE_SECONDS = 0
print("ready", flush=True)
known_digests.KnownDigests(Path(sys.argv[1]), lambda: time.time_ns() + 3_600_000_000_000).of(Path(sys.argv[2]))
"""


@pytest.mark.parametrize("delay", [0.0, 0.02, 0.05, 0.1])
def test_a_kill_while_hashing_leaves_nothing_that_is_taken_for_known(tmp_path, project_env, delay):
    root = tmp_path / "many"
    root.mkdir()
    for number in range(300):
        (root / str(number)).write_bytes(bytes([number % 251]) * 1000)
    child = subprocess.Popen(
        [sys.executable, "-c", HASH_FOREVER, str(tmp_path / "known"), str(root)],
        env=project_env,
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    child.stdout.readline()
    time.sleep(delay)
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    (root / "7").write_bytes(b"changed")
    known = KnownDigests(tmp_path / "known", an_hour_later)
    assert known.of(root) == KnownDigests(tmp_path / "other").of(root)

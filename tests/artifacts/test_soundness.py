"""Bytes that lie here: what is damaged gives way to what is sound, what is sound to nothing that anybody says of it."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
import sys
import threading
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import gittrack
from gittrack.api.artifact_transfer import pull_bytes, push_bytes
from gittrack.api.maintain import doctor, fsck
from gittrack.api.project import Project
from gittrack.artifacts import folders, taking
from gittrack.artifacts.bytes_store import BytesStore
from gittrack.artifacts.folders import find_files, take_folder
from gittrack.artifacts.reading import problem_of
from gittrack.artifacts.taking import take_bytes, take_file
from gittrack.artifacts.usage import drop
from gittrack.core.message import encode_message
from gittrack.core.run_tree import encode_artifacts
from gittrack.errors import ConflictError, CorruptRecordError, GittrackError
from gittrack.store.run_reader import read_record

LARGE = 3_000_000


@pytest.fixture
def store(tmp_path: Path) -> BytesStore:
    return BytesStore(tmp_path / "store")


@pytest.fixture
def remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory remote that the project has."""
    folder = tmp_path / "remote"
    folder.mkdir()
    monkeypatch.setenv("GITTRACK_ARTIFACT_REMOTE", str(folder))
    return folder


def model(data: bytes, name: str = "model.bin") -> gittrack.SavedRun:
    with gittrack.start_run(strict=True) as run:
        run.log_text(data, name)
    return gittrack.get_run(run.id)


def rewritten(git, repo: Path, run: gittrack.SavedRun, **changes) -> gittrack.SavedRun:
    """The run as a stranger may have written it: another entry for its one artifact, under another id."""
    project = Project.open()
    objects = project.repo.objects
    record = read_record(project.repo, run.commit)
    commit = objects.read_commit(run.commit)
    files = {entry.path: entry.id for entry in objects.list_tree(run.commit)}
    id = "0" * 31 + "f"
    (entry,) = record.artifacts
    hostile = replace(
        record, id=id, name="hostile", start_time=record.start_time - 1000, artifacts=(replace(entry, **changes),)
    )
    files["artifacts.toml"] = objects.write_blob(encode_artifacts(hostile.artifacts))
    text = objects.read_file(run.commit, "run.toml").replace(record.id.encode(), id.encode())
    files["run.toml"] = objects.write_blob(text.replace(record.name.encode(), b"hostile"))
    made = objects.write_commit(
        objects.write_tree(files), commit.parents, encode_message(hostile, {}), record.author, 0
    )
    git("update-ref", f"refs/runs/inbox/{id}", made, cwd=repo)
    return gittrack.get_run(id)


# -- what others say of bytes ----------------------------------------------------------------------------------------


def test_a_wrong_size_in_somebodys_run_costs_nobody_the_only_copy(repo, git, remote):
    mine = model(os.urandom(LARGE))
    hostile = rewritten(git, repo, mine, size=1)
    for runs in ([hostile], [mine, hostile], gittrack.runs()):
        assert pull_bytes(Project.open(), runs).failures == ()
        assert len(mine.artifact("model.bin")) == LARGE
    assert pull_bytes(Project.open(), gittrack.runs(), check=True).failures == ()
    assert len(mine.artifact("model.bin")) == LARGE


def test_a_damaged_file_stays_until_a_sound_one_is_here(repo, remote):
    mine = model(os.urandom(LARGE))
    place = flip(Project.open(), mine)
    done = pull_bytes(Project.open(), [mine], check=True)
    assert [type(failure.error) for failure in done.failures] == [CorruptRecordError]
    assert place.stat().st_size == LARGE


def test_two_pulls_that_mend_the_same_file_both_succeed(repo, remote):
    mine = model(os.urandom(LARGE))
    push_bytes(Project.open(), [mine])
    for _ in range(5):
        flip(Project.open(), mine)
        answers = []

        def mend(answers=answers):
            answers.append(pull_bytes(Project.open(), [mine], check=True))

        threads = [threading.Thread(target=mend) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [answer.failures for answer in answers] == [()] * 4
        assert fsck(Project.open()) == []


def flip(project: Project, run: gittrack.SavedRun) -> Path:
    (entry,) = run.artifacts()
    place = BytesStore(project.layout.bytes_store).path(entry.digest)
    place.chmod(0o644)
    data = bytearray(place.read_bytes())
    data[1000] ^= 1
    place.write_bytes(data)
    place.chmod(0o444)
    return place


# -- logging again heals ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [100_000, LARGE])
@pytest.mark.parametrize("damage", ["flipped", "cut", "gone"])
@pytest.mark.parametrize("linked", [False, True], ids=["alone", "linked into DVC's cache"])
def test_logging_again_heals_what_was_damaged_here(repo, size, damage, linked):
    if linked:
        subprocess.run([sys.executable, "-m", "dvc", "init", "-q"], cwd=repo, check=True)
    data = os.urandom(size)
    first = model(data)
    place = flip(Project.open(), first)
    if damage == "cut":
        place.chmod(0o644)
        os.truncate(place, 10)
    elif damage == "gone":
        place.unlink()
    second = model(data)
    assert second.artifact("model.bin") == first.artifact("model.bin") == data
    assert fsck(Project.open()) == []
    if linked and damage != "gone":  # else DVC's name is all that is left of the damaged file, and DVC's to mend
        (entry,) = first.artifacts()
        digest = entry.digest.removeprefix("md5:")
        assert (repo / ".dvc/cache/files/md5" / digest[:2] / digest[2:]).read_bytes() == data


def folder_of(tmp_path: Path, count: int = 20) -> Path:
    root = tmp_path / "folder"
    root.mkdir()
    for number in range(count):
        (root / f"{number}.bin").write_bytes(os.urandom(1000 + number))
        os.utime(root / f"{number}.bin", (1, 1))
    return root


def test_a_folder_that_was_known_is_read_again_when_something_was_removed_from_the_store(store, tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "_RACY_SECONDS", -1e9)
    root = folder_of(tmp_path)
    found = find_files(root, pytest.fail)
    first = take_folder(store, root, found, pytest.fail)
    read = []
    monkeypatch.setattr(folders, "open_regular", read.append)
    assert take_folder(store, root, found, pytest.fail) == first
    assert read == [], "unchanged, it is not read"
    monkeypatch.undo()
    monkeypatch.setattr(folders, "_RACY_SECONDS", -1e9)
    member = find_digest(store, root / "3.bin")
    assert drop(store, member, 2e12)
    assert take_folder(store, root, found, pytest.fail) == first
    assert problem_of(store, first.digest, first.size) == ""


def find_digest(store: BytesStore, file: Path) -> str:
    return take_file(store, file, -1).digest


# -- while a folder is taken in --------------------------------------------------------------------------------------


def test_files_collected_while_a_folder_is_still_read_are_no_silent_loss(store, tmp_path, monkeypatch):
    root = folder_of(tmp_path)
    taken = folders._take_small
    count = []

    def collected_meanwhile(store, place):
        stored = taken(store, place)
        count.append(stored.digest)
        if len(count) == 15:
            for digest in count[:5]:
                store.path(digest).unlink()
        return stored

    monkeypatch.setattr(folders, "_take_small", collected_meanwhile)
    with pytest.raises(GittrackError, match="were removed from the store while the folder was taken in"):
        take_folder(store, root, find_files(root, pytest.fail), pytest.fail)
    assert not list((store.root / "files").rglob("*.dir")), "no listing of what is not all here"


@pytest.mark.parametrize("size", [5_000, LARGE])
def test_a_file_of_a_folder_that_changes_while_it_is_read_is_told(store, tmp_path, monkeypatch, size):
    root = folder_of(tmp_path, 2)
    (root / "live.bin").write_bytes(b"a" * size)
    refused = []
    found = find_files(root, pytest.fail)
    real = taking.open_regular

    def open_and_change(place):
        opened = real(place)
        if str(place).endswith("live.bin"):
            with open(place, "ab") as file:
                file.write(b"more")
        return opened

    monkeypatch.setattr(taking, "open_regular", open_and_change)
    monkeypatch.setattr(folders, "open_regular", open_and_change)
    stored = take_folder(store, root, found, lambda path, error: refused.append((path, error.message)))
    assert [path for path, _ in refused] == ["live.bin"]
    assert "changed while it was read" in refused[0][1]
    assert stored.files == 3


def test_a_file_that_is_cut_while_it_is_copied_is_stored_without_padding(store, tmp_path, monkeypatch):
    source = tmp_path / "checkpoint"
    source.write_bytes(b"x" * LARGE)

    def cut(file, target, count, *positions):
        os.truncate(source, 1000)
        return 0

    monkeypatch.setattr(os, "copy_file_range", cut)
    stored = take_file(store, source, -1)
    assert stored.changed
    assert store.path(stored.digest).read_bytes() == b""


@pytest.fixture
def deep(tmp_path: Path):
    """A folder with three files, and a file below 1,500 folders."""
    root = folder_of(tmp_path, 3)
    place = os.open(root, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=place)
        inner = os.open("d", os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = inner
    os.close(os.open("bottom", os.O_CREAT | os.O_WRONLY, dir_fd=place))
    os.close(place)
    yield root
    subprocess.run(["rm", "-rf", str(root)], check=True)  # Python's own cannot go that deep


def test_a_folder_deeper_than_anybody_writes_is_told_and_costs_only_itself(repo, deep):
    with gittrack.start_run() as run:
        run.log_artifact(deep)
    saved = gittrack.get_run(run.id)
    assert len(saved.artifacts()) == 3
    assert b"more than 128 folders deep" in saved.file("logs/errors.log")


LOG_FOREVER = """
import sys, gittrack
with gittrack.start_run(name="killed") as run:
    print("begun", flush=True)
    run.log_artifact(sys.argv[1])
    run.log_artifact(sys.argv[2])
    print("logged", flush=True)
"""


@pytest.mark.parametrize("milliseconds", [0, 5, 20, 60, 120, 250])
def test_a_kill_while_artifacts_are_taken_in_leaves_nothing_half_done(repo, tmp_path, project_env, milliseconds):
    root = folder_of(tmp_path, 300)
    (root / "large.bin").write_bytes(os.urandom(20_000_000))
    (tmp_path / "single.bin").write_bytes(os.urandom(20_000_000))
    command = [sys.executable, "-c", LOG_FOREVER, str(root), str(tmp_path / "single.bin")]
    child = subprocess.Popen(command, env=project_env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert child.stdout.readline() == b"begun\n"
    time.sleep(milliseconds / 1000)
    child.kill()
    child.communicate()
    saved = gittrack.runs()
    assert fsck(Project.open()) == []
    top = Project.open().layout.bytes_store / "files" / "md5"
    for place in top.rglob("*"):
        if place.is_file():
            name = place.parent.name + place.name.removesuffix(".dir")
            assert hashlib.md5(place.read_bytes()).hexdigest() == name
    for run in saved:
        for entry in run.artifacts():
            assert problem_of(BytesStore(top.parent.parent), entry.digest, entry.size) == ""
    with gittrack.start_run(name="again", strict=True) as run:
        run.log_artifact(root)
    assert problem_of(BytesStore(top.parent.parent), *only(gittrack.get_run(run.id))) == ""


def only(run: gittrack.SavedRun) -> tuple[str, int]:
    (entry,) = run.artifacts()
    return entry.digest, entry.size


@pytest.mark.slow
def test_a_folder_of_a_hundred_thousand_files_is_one_artifact_and_comes_back(repo, tmp_path):
    root = tmp_path / "many"
    for number in range(100_000):
        if number % 1000 == 0:
            (root / f"{number // 1000}").mkdir(parents=True)
        (root / f"{number // 1000}" / f"{number}.txt").write_text(str(number))
    with gittrack.start_run(strict=True) as run:
        run.log_artifact(root)
    saved = gittrack.get_run(run.id)
    (entry,) = saved.artifacts()
    assert (entry.files, entry.storage) == (100_000, "pointer")
    saved.download("many", tmp_path / "out")
    files = list((tmp_path / "out" / "many").rglob("*.txt"))
    assert len(files) == 100_000
    assert all(path.read_text() == path.stem for path in files[::97])


# -- beside others ---------------------------------------------------------------------------------------------------


def test_folders_of_a_shared_cache_belong_to_its_group(tmp_path):
    cache = tmp_path / "shared"
    cache.mkdir()
    cache.chmod(0o2775)
    store = BytesStore(tmp_path / "store", cache)
    before = os.umask(0o022)
    try:
        stored = take_bytes(store, b"x" * 1000, -1)
    finally:
        os.umask(before)
    place = BytesStore(cache).path(stored.digest)
    assert [stat.S_IMODE(each.stat().st_mode) for each in list(place.parents)[:3]] == [0o2775] * 3


@pytest.mark.parametrize("broken", ["a file", "a link to nothing", "no permission"])
def test_a_broken_cache_of_dvcs_costs_no_artifact(repo, broken):
    subprocess.run([sys.executable, "-m", "dvc", "init", "-q"], cwd=repo, check=True)
    cache = repo / ".dvc" / "cache"
    shutil.rmtree(cache, ignore_errors=True)
    if broken == "a file":
        cache.write_text("")
    elif broken == "a link to nothing":
        cache.symlink_to(repo / "nowhere" / "at" / "all")
    else:
        (cache / "files").mkdir(parents=True)
        (cache / "files").chmod(0o500)
    saved = model(b"x" * LARGE)
    assert saved.artifact("model.bin") == b"x" * LARGE
    assert saved.file("logs/errors.log") is None
    doctor(Project.open())


def test_a_training_that_removes_its_working_directory_loses_no_artifact(repo, tmp_path, monkeypatch):
    away = repo / "scratch"
    away.mkdir()
    monkeypatch.chdir(away)
    with gittrack.start_run() as run:
        shutil.rmtree(away)
        run.log_text("small", "small.txt")
        run.log_text("x" * LARGE, "large.txt")
        run.log_metric("loss", 1)
    monkeypatch.chdir(repo)
    saved = gittrack.get_run(run.id)
    assert saved.artifact("small.txt") == b"small"
    assert len(saved.artifact("large.txt")) == LARGE


# -- copying out -----------------------------------------------------------------------------------------------------


def test_a_run_that_holds_gits_own_files_is_not_copied_into_a_repository(repo, git):
    mine = model(b"[core]\n\tfsmonitor = touch owned\n", "x/config")
    hostile = rewritten(git, repo, mine, path=".git/x/config")
    head = (repo / ".git" / "HEAD").read_bytes()
    with pytest.raises(CorruptRecordError):
        hostile.download("", repo)
    with pytest.raises(CorruptRecordError):
        hostile.download(".git/x/config", repo)
    assert (repo / ".git" / "HEAD").read_bytes() == head
    assert not (repo / ".git" / "x").exists()


def test_a_link_in_the_destination_leads_nowhere_else(repo, tmp_path):
    saved = model(b"data", "data/x.txt")
    out, outside = tmp_path / "out", tmp_path / "outside"
    out.mkdir()
    outside.mkdir()
    (out / "data").symlink_to(outside)
    with pytest.raises(ConflictError, match="leads out of"):
        saved.download("", out)
    assert list(outside.iterdir()) == []
    (out / "data").unlink()
    (out / "inside").mkdir()
    (out / "data").symlink_to("inside")
    saved.download("", out)
    assert (out / "inside" / "x.txt").read_bytes() == b"data"


def test_names_that_collide_where_case_is_ignored_are_not_copied_together(repo, tmp_path):
    with gittrack.start_run(strict=True) as run:
        run.log_text("one", "Data/x.txt")
        run.log_text("two", "data/X.txt")
    saved = gittrack.get_run(run.id)
    with pytest.raises(CorruptRecordError, match="where case is ignored"):
        saved.download("", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    saved.download("Data", tmp_path / "one")
    saved.download("data", tmp_path / "two")
    assert (tmp_path / "one" / "Data" / "x.txt").read_text() == "one"


# -- a server that keeps the beginning of a file ---------------------------------------------------------------------


class Plain(BaseHTTPRequestHandler):
    """A web server that stores what is put there as it comes, as WebDAV servers and simple ones do."""

    folder: Path

    def do_PUT(self) -> None:
        place = self.folder / self.path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        length = self.headers.get("Content-Length")
        data = self.rfile.read(int(length)) if length else b"".join(self._chunks())
        place.write_bytes(data)
        self._answer(201)

    do_POST = do_PUT

    def _chunks(self):
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def do_HEAD(self) -> None:
        place = self.folder / self.path.lstrip("/")
        self._answer(200 if place.is_file() else 404, place.stat().st_size if place.is_file() else 0)

    def do_GET(self) -> None:
        place = self.folder / self.path.lstrip("/")
        if not place.is_file():
            self._answer(404)
            return
        self._answer(200, place.stat().st_size)
        self.wfile.write(place.read_bytes())

    def _answer(self, code: int, size: int = 0) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(size))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_the_beginning_of_a_file_at_a_web_server_is_not_taken_for_the_file(repo, tmp_path, monkeypatch):
    there = tmp_path / "there"
    there.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Plain,), {"folder": there}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        monkeypatch.setenv("GITTRACK_ARTIFACT_REMOTE", f"http://127.0.0.1:{server.server_port}/store")
        mine = model(os.urandom(LARGE))
        assert push_bytes(Project.open(), [mine]).moved == 1
        (file,) = [path for path in there.rglob("*") if path.is_file()]
        assert push_bytes(Project.open(), [mine]).moved == 0
        os.truncate(file, 100_000)  # a PUT whose client was killed
        again = push_bytes(Project.open(), [mine])
        assert (again.moved, again.failures, file.stat().st_size) == (1, (), LARGE)
    finally:
        server.shutdown()
        server.server_close()

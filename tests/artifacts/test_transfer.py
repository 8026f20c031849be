"""Bytes to and from a directory: only what is missing, folders last, every byte checked, killed at any moment."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

import gittrack
from gittrack.api.artifact_remote import find_remote
from gittrack.api.artifact_transfer import pull_bytes, push_bytes
from gittrack.api.project import Project
from gittrack.errors import (
    ArtifactNotFoundError,
    CorruptRecordError,
    InvalidValueError,
    NoRemoteError,
    NotFoundError,
    RemoteError,
)

LARGE = 200_000


@pytest.fixture
def store(tmp_path) -> Path:
    """A directory remote."""
    folder = tmp_path / "remote"
    folder.mkdir()
    return folder


@pytest.fixture
def saved(repo, tmp_path) -> gittrack.SavedRun:
    """A run with a file, a folder and something inline."""
    folder = tmp_path / "model"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.txt").write_text("alpha")
    (folder / "sub" / "b.bin").write_bytes(os.urandom(LARGE))
    (tmp_path / "weights.bin").write_bytes(os.urandom(LARGE))
    with gittrack.start_run(name="first") as run:
        run.log_artifact(folder)
        run.log_artifact(tmp_path / "weights.bin")
        run.log_text("small", "note.txt")
    return gittrack.get_run(run.id)


def local() -> Path:
    return Project.open().layout.bytes_store


def objects(root: Path) -> dict[str, Path]:
    """Every object of a store by its name; each is what its name says."""
    found = {}
    for path in root.rglob("files/md5/*/*"):
        name = path.parent.name + path.name
        assert hashlib.md5(path.read_bytes()).hexdigest() == name.removesuffix(".dir")
        found[name] = path
    return found


def left(root: Path) -> list[Path]:
    return [path for path in root.rglob("tmp/*") if path.is_file()]


def push(saved, store, **options):
    return push_bytes(Project.open(), [saved], str(store), **options)


def pull(saved, store, **options):
    return pull_bytes(Project.open(), [saved], str(store), **options)


def test_what_is_pushed_can_be_pulled_where_nothing_is(saved, store):
    before = objects(local())
    done = push(saved, store)
    assert (done.moved, done.present, done.failures) == (4, 0, ())
    assert objects(store / "gittrack").keys() == before.keys()
    assert {path.stat().st_mode & 0o777 for path in objects(store).values()} == {0o444}
    shutil.rmtree(local())
    done = pull(saved, store)
    assert (done.moved, done.present, done.failures) == (4, 0, ())
    assert objects(local()).keys() == before.keys()
    assert left(local()) == left(store) == []
    assert len(saved.artifact("weights.bin", fetch=False)) == LARGE


def test_only_what_is_missing_is_moved(saved, store):
    push(saved, store)
    stamps = {name: path.stat().st_mtime_ns for name, path in objects(store).items()}
    again = push(saved, store)
    assert (again.moved, again.size, again.present) == (0, 0, 4)
    assert {name: path.stat().st_mtime_ns for name, path in objects(store).items()} == stamps
    objects(store)[weights_name(saved)].unlink()
    assert push(saved, store).moved == 1
    assert (pull(saved, store).moved, pull(saved, store).present) == (0, 4)


def weights_name(saved) -> str:
    return next(entry.digest for entry in saved.artifacts() if entry.path == "weights.bin").removeprefix("md5:")


def folder_name(saved) -> str:
    return next(entry.digest for entry in saved.artifacts() if entry.path == "model").removeprefix("md5:")


def test_progress_ends_at_everything(saved, store):
    told = []
    done = push(saved, store, told=told.append)
    assert (told[-1].done, told[-1].count, told[-1].moved) == (4, 4, done.size)
    assert [step.moved for step in told] == sorted(step.moved for step in told)
    shutil.rmtree(local())
    done = pull(saved, store, told=told.append)
    assert told[-1].done == told[-1].count == 3  # the listing said what there is
    assert told[-2].moved == told[-2].size == LARGE * 2 + 5
    assert told[-1].moved == done.size


def test_a_damaged_file_is_never_pushed_and_its_folder_is_not_complete_there(saved, store):
    large = next(
        path
        for path in objects(local()).values()
        if path.stat().st_size == LARGE and weights_name(saved)[2:] != path.name
    )
    large.chmod(0o644)
    with open(large, "r+b") as file:
        file.write(b"damage")
    done = push(saved, store)
    kinds = {failure.what.partition(":")[2]: type(failure.error) for failure in done.failures}
    assert kinds == {"model/sub/b.bin": CorruptRecordError, "model": RemoteError}
    assert folder_name(saved) not in objects(store)
    assert done.moved == 2
    assert left(store) == []


def test_a_file_that_is_nowhere_is_told_and_the_rest_is_pushed(saved, store):
    objects(local())[weights_name(saved)].unlink()
    done = push(saved, store)
    (failure,) = done.failures
    assert isinstance(failure.error, ArtifactNotFoundError)
    assert "neither here nor at the remote" in failure.error.message
    assert done.moved == 3


def test_what_is_only_there_is_no_failure_of_a_push(saved, store):
    push(saved, store)
    shutil.rmtree(local())
    done = push(saved, store)
    assert (done.moved, done.present, done.failures) == (0, 2, ())  # the folder counts as one: its listing is there


def test_a_damaged_listing_here_is_no_folder_that_is_there(saved, store):
    push(saved, store)
    listing = objects(local())[folder_name(saved)]
    listing.chmod(0o644)
    listing.write_bytes(listing.read_bytes()[:-1] + b" ")
    (failure,) = push(saved, store).failures
    assert isinstance(failure.error, CorruptRecordError)


def test_a_cut_file_at_the_remote_is_pushed_again(saved, store):
    push(saved, store)
    place = objects(store)[weights_name(saved)]
    place.chmod(0o644)
    os.truncate(place, 10)
    assert push(saved, store).moved == 1
    assert place.stat().st_size == LARGE


@pytest.mark.parametrize("which", ["weights", "member", "listing"])
def test_a_damaged_object_at_the_remote_is_refused(saved, store, which):
    push(saved, store)
    shutil.rmtree(local())
    there = objects(store)
    listing = folder_name(saved)
    member = next(name for name, path in there.items() if path.stat().st_size == 5)
    place = there[{"weights": weights_name(saved), "member": member, "listing": listing}[which]]
    place.chmod(0o644)
    place.write_bytes(b"x" * place.stat().st_size)
    done = pull(saved, store)
    (failure,) = done.failures
    assert isinstance(failure.error, CorruptRecordError)
    kept = objects(local())
    assert place.parent.name + place.name not in kept
    assert (listing in kept) == (which == "weights"), "where a listing is, its folder is whole"
    assert left(local()) == []


def test_a_listing_from_others_that_leaves_its_folder_is_refused(saved, store, repo):
    from gittrack.artifacts.bytes_store import BytesStore
    from gittrack.artifacts.directory_remote import DirectoryRemote
    from gittrack.artifacts.pulling import pull as pull_objects
    from gittrack.artifacts.transfer import Wanted

    data = b'[{"md5": "' + b"0" * 32 + b'", "relpath": "../../evil"}]'
    name = hashlib.md5(data).hexdigest() + ".dir"
    place = store / "gittrack" / "files" / "md5" / name[:2] / name[2:]
    place.parent.mkdir(parents=True)
    place.write_bytes(data)
    remote = DirectoryRemote.open(store, to_send=False)
    done = pull_objects(BytesStore(local()), remote, [Wanted(f"md5:{name}", "hostile")])
    assert [type(failure.error) for failure in done.failures] == [CorruptRecordError]
    assert f"md5:{name}" not in objects(local())


def test_a_missing_file_at_the_remote_leaves_the_rest(saved, store):
    push(saved, store)
    shutil.rmtree(local())
    objects(store)[weights_name(saved)].unlink()
    done = pull(saved, store)
    (failure,) = done.failures
    assert isinstance(failure.error, ArtifactNotFoundError)
    assert done.moved == 3
    assert saved.artifact("model/a.txt", fetch=False) == b"alpha"


def test_damage_here_is_mended_when_asked(saved, store):
    push(saved, store)
    weights = objects(local())[weights_name(saved)]
    before = weights.read_bytes()
    weights.chmod(0o644)
    weights.write_bytes(b"x" * LARGE)
    assert pull(saved, store).moved == 0  # nothing is hashed for nothing
    assert pull(saved, store, check=True).moved == 1
    assert objects(local())[weights_name(saved)].read_bytes() == before


def test_a_cut_file_here_is_brought_anew(saved, store):
    push(saved, store)
    weights = objects(local())[weights_name(saved)]
    weights.chmod(0o644)
    os.truncate(weights, 10)
    assert pull(saved, store).moved == 1
    assert objects(local())[weights_name(saved)].stat().st_size == LARGE


def test_a_part_of_a_folder_is_no_folder(saved, store):
    push(saved, store)
    shutil.rmtree(local())
    saved_again = configured(saved, store)
    assert saved_again.artifact("model/a.txt") == b"alpha"
    assert folder_name(saved) not in objects(local())
    with saved_again.open("model/sub/b.bin") as file:
        assert len(file.read()) == LARGE
    with pytest.raises(ArtifactNotFoundError):
        saved_again.artifact("model/a.txt", fetch=False)
    saved_again.download("model", store.parent / "out")
    assert folder_name(saved) in objects(local())


def configured(saved, store) -> gittrack.SavedRun:
    subprocess.run(["git", "config", "gittrack.artifactRemote", str(store)], check=True)
    return gittrack.get_run(saved.id)


def test_a_reader_fetches_what_is_not_here_and_only_that(saved, store, tmp_path):
    push(saved, store)
    shutil.rmtree(local())
    again = configured(saved, store)
    with again.open("weights.bin") as file:
        assert len(file.read()) == LARGE
    assert objects(local()).keys() == {weights_name(saved)}
    again.download(dest=tmp_path / "all")
    assert sorted(path.name for path in (tmp_path / "all").rglob("*") if path.is_file()) == [
        "a.txt",
        "b.bin",
        "note.txt",
        "weights.bin",
    ]
    assert len(objects(local())) == 4


def test_nothing_is_fetched_offline_nor_where_it_is_not_wanted(saved, store, tmp_path, monkeypatch):
    push(saved, store)
    shutil.rmtree(local())
    again = configured(saved, store)
    with pytest.raises(ArtifactNotFoundError, match="not here"):
        again.download("weights.bin", tmp_path / "out", fetch=False)
    monkeypatch.setenv("GITTRACK_OFFLINE", "1")
    with pytest.raises(ArtifactNotFoundError, match="not here"):
        gittrack.get_run(saved.id).download("weights.bin", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_without_a_remote_the_reader_is_told_how_to_set_one_up(saved, tmp_path):
    shutil.rmtree(local())
    with pytest.raises(ArtifactNotFoundError, match="no remote is set up") as caught:
        saved.download("weights.bin", tmp_path / "out")
    assert "gittrack config artifact_remote" in caught.value.hint


def test_logging_never_fetches(saved, store, tmp_path):
    push(saved, store)
    shutil.rmtree(local())
    configured(saved, store)
    with gittrack.start_run(run_id=saved.id) as run:
        run.log_text("more", "more.txt")
    assert not objects(local())


# -- which remote -----------------------------------------------------------------------------------------------------


def dvc_config(repo, text: str, local_text: str = "") -> None:
    (repo / ".dvc").mkdir(exist_ok=True)
    (repo / ".dvc" / "config").write_text(text)
    (repo / ".dvc" / "config.local").write_text(local_text)


def test_dvcs_default_remote_comes_before_the_setting(saved, store, repo, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    configured(saved, other)
    dvc_config(repo, "[core]\n    remote = Disk\n['remote \"Disk\"']\n    url = ../../remote\n")
    assert find_remote(Project.open()).directory == store
    push_bytes(Project.open(), [saved])
    assert objects(store)
    assert not objects(other)
    dvc_config(repo, "['remote \"Disk\"']\n    url = ../../remote\n")
    assert find_remote(Project.open()).directory == other
    assert find_remote(Project.open(), "disk").directory == store


def test_the_setting_may_be_relative_and_name_a_dvc_remote(saved, store, repo, git):
    git("config", "gittrack.artifactRemote", "../remote", cwd=repo)
    assert find_remote(Project.open()).directory == store
    dvc_config(repo, "['remote \"Disk\"']\n    url = ../../remote\n")
    git("config", "gittrack.artifactRemote", "Disk", cwd=repo)
    assert find_remote(Project.open()).name == "Disk"


def test_what_is_wrong_with_the_remote_is_one_error(saved, store, repo, tmp_path):
    with pytest.raises(NoRemoteError, match="no remote is set up"):
        push_bytes(Project.open(), [saved])
    with pytest.raises(NotFoundError, match="no remote 'nowhere'"):
        find_remote(Project.open(), "nowhere")
    dvc_config(repo, "[core]\n    remote = gone\n['remote \"Disk\"']\n    verify = true\n")
    with pytest.raises(RemoteError, match="'gone' is not defined"):
        find_remote(Project.open())
    with pytest.raises(RemoteError, match="has no url"):
        find_remote(Project.open(), "Disk")
    with pytest.raises(NotFoundError) as caught:
        find_remote(Project.open(), "nowhere")
    assert "Disk" in caught.value.hint


def test_a_directory_is_made_only_in_one_that_is_there(saved, tmp_path):
    with pytest.raises(RemoteError, match="is not there"):
        push(saved, tmp_path / "not" / "mounted")
    assert not (tmp_path / "not").exists()
    with pytest.raises(RemoteError, match="is not there"):
        pull(saved, tmp_path / "new")
    assert not (tmp_path / "new").exists()
    assert push(saved, tmp_path / "new").moved == 4
    (tmp_path / "file").write_text("x")
    with pytest.raises(RemoteError, match="is no directory"):
        push(saved, tmp_path / "file")


def test_who_may_write_to_the_directory_may_write_to_all_of_it(saved, store):
    store.chmod(0o2775)
    push(saved, store)
    modes = {path.stat().st_mode & 0o7777 for path in (store / "gittrack").rglob("*") if path.is_dir()}
    assert modes == {0o2775}


def test_a_run_of_inline_files_alone_needs_no_remote(repo):
    with gittrack.start_run() as run:
        run.log_text("x", "x.txt")
    assert push_bytes(Project.open(), [gittrack.get_run(run.id)]).failures == ()


def test_digests_can_be_named_and_nothing_else(saved, store):
    digest = f"md5:{weights_name(saved)}"
    assert push_bytes(Project.open(), [digest], str(store)).moved == 1
    with pytest.raises(InvalidValueError):
        push_bytes(Project.open(), ["../../etc/passwd"], str(store))


def test_a_live_run_is_not_pushed(repo, store):
    run = gittrack.start_run()
    with pytest.raises(ArtifactNotFoundError, match="has not ended"):
        push_bytes(Project.open(), [gittrack.get_run(run.id)], str(store))
    gittrack.end_run()


def test_the_run_says_where_the_setting_points(repo, store, git, tmp_path):
    git("config", "gittrack.artifactRemote", str(store), cwd=repo)
    (tmp_path / "w").write_bytes(os.urandom(LARGE))
    with gittrack.start_run() as run:
        run.log_artifact(tmp_path / "w")
    assert f"    url = {store}/gittrack\n" in gittrack.get_run(run.id).file(".dvc/config").decode()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_that_cannot_be_written_is_told(saved, store):
    store.chmod(0o555)
    done = push(saved, store)
    assert done.moved == 0
    assert "permission" in done.failures[0].error.message


def test_a_full_remote_stops_and_loses_nothing(saved, tmp_path):
    """A quota by ``RLIMIT_FSIZE``: the system refuses to write more, as a full disk does."""
    code = (
        "import resource, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "from gittrack.cli.main import main\n"
        f"sys.exit(main(['artifact', 'push', '--remote', {str(tmp_path / 'full')!r}]))\n"
    )
    env = {**os.environ, "PYTHONPATH": str(Path(gittrack.__file__).parent.parent)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 1
    assert "cannot write to the remote" in done.stderr
    assert "Traceback" not in done.stderr
    assert left(tmp_path / "full") == []
    assert push(saved, tmp_path / "full").failures == ()


def test_the_run_says_the_endpoint_of_the_remote_that_the_setting_names(repo, git, tmp_path):
    dvc_config(repo, "['remote \"far\"']\n    url = s3://bucket/x\n    endpointurl = http://host\n    profile = me\n")
    git("config", "gittrack.artifactRemote", "far", cwd=repo)
    (tmp_path / "w").write_bytes(os.urandom(LARGE))
    with gittrack.start_run() as run:
        run.log_artifact(tmp_path / "w")
    config = gittrack.get_run(run.id).file(".dvc/config").decode()
    assert "url = s3://bucket/x/gittrack\n" in config
    assert "endpointurl = http://host\n" in config
    assert "profile" not in config


# -- killed, and several at once --------------------------------------------------------------------------------------


@pytest.fixture
def many(repo, tmp_path) -> gittrack.SavedRun:
    """A run with a folder of 1,000 small files."""
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(1000):
        (folder / f"{number}.bin").write_bytes(os.urandom(500))
    with gittrack.start_run(name="many") as run:
        run.log_artifact(folder)
    return gittrack.get_run(run.id)


def start(*words: str) -> subprocess.Popen:
    env = {**os.environ, "PYTHONPATH": str(Path(gittrack.__file__).parent.parent)}
    return subprocess.Popen(
        [sys.executable, "-m", "gittrack", "artifact", *words], env=env, stderr=subprocess.PIPE, stdout=subprocess.PIPE
    )


def killed_after(process: subprocess.Popen, folder: Path, count: int) -> None:
    """Kill a process when so many objects have arrived in a folder."""
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        if sum(len(files) for _, _, files in os.walk(folder)) >= count:
            os.kill(process.pid, signal.SIGKILL)
            break
        time.sleep(0.001)
    process.communicate(timeout=60)


@pytest.mark.parametrize("count", [1, 300, 700])
def test_a_push_that_is_killed_is_done_rightly_as_far_as_it_got(many, store, count):
    killed_after(start("push", "--remote", str(store)), store, count)
    got = objects(store)
    assert folder_name_of(many) not in got or len(got) == 1001
    done = push(many, store)
    assert done.failures == ()
    assert done.present == len(got)
    assert len(objects(store)) == 1001


def folder_name_of(run) -> str:
    (entry,) = run.artifacts()
    return entry.digest.removeprefix("md5:")


@pytest.mark.parametrize("count", [1, 300, 700])
def test_a_pull_that_is_killed_is_done_rightly_as_far_as_it_got(many, store, count):
    push(many, store)
    shutil.rmtree(local())
    killed_after(start("pull", "--remote", str(store)), local() / "files", count)
    got = objects(local())
    assert folder_name_of(many) not in got or len(got) == 1001
    assert pull(many, store).failures == ()
    assert len(objects(local())) == 1001


def test_two_pulls_and_two_pushes_at_once_do_no_harm(many, store, tmp_path):
    for verb, root in (("push", store), ("pull", local())):
        both = [start(verb, "--remote", str(store)) for _ in range(2)]
        for process in both:
            process.communicate(timeout=120)
        assert [process.returncode for process in both] == [0, 0]
        assert len(objects(root)) == 1001
        assert left(root) == []
        if verb == "push":
            shutil.rmtree(local())


def test_what_a_killed_push_left_at_the_remote_is_cleared_a_day_later(saved, store):
    folder = store / "gittrack" / "tmp"
    folder.mkdir(parents=True)
    for name, age in (("old", 90_000), ("new", 10)):
        (folder / name).write_text("half")
        os.utime(folder / name, (time.time() - age,) * 2)
    push(saved, store)
    assert [path.name for path in folder.iterdir()] == ["new"]


def test_objects_are_never_written_in_place(saved, store):
    push(saved, store)
    place = objects(store)[weights_name(saved)]
    inode = place.stat().st_ino
    os.truncate(place, 0) if os.geteuid() == 0 else (place.chmod(0o644), os.truncate(place, 0))
    push(saved, store)
    assert place.stat().st_ino != inode
    assert stat.S_IMODE(place.stat().st_mode) == 0o444

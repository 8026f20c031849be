"""Bytes to and from S3, by DVC's own file systems, against a real server."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import gittrack
from gittrack.api.artifact_transfer import pull_bytes, push_bytes
from gittrack.api.project import Project
from gittrack.errors import (
    ArtifactNotFoundError,
    AuthenticationError,
    CorruptRecordError,
    MissingDependencyError,
    RemoteError,
)

pytest.importorskip("dvc_s3")
pytest.importorskip("moto")
from tests.artifacts.s3_server import KEY, SECRET, serving

# What s3fs leaves to the collector of garbage: its sessions, which end with the process.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
PREFIX = "project/gittrack/files/md5/"
LARGE = 200_000
FILES = 160
"""More than two chunks of a transfer."""


@pytest.fixture(scope="module")
def server():
    with serving() as server:
        yield server


@pytest.fixture
def s3(server, repo, monkeypatch):
    """The server with an empty bucket, which is the default DVC remote here."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    server.reset()
    server.dvc_remote(repo)
    return server


@pytest.fixture
def saved(s3, tmp_path) -> gittrack.SavedRun:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "a.txt").write_text("alpha")
    (folder / "b.bin").write_bytes(os.urandom(LARGE))
    (tmp_path / "weights.bin").write_bytes(os.urandom(LARGE))
    with gittrack.start_run(name="first") as run:
        run.log_artifact(folder)
        run.log_artifact(tmp_path / "weights.bin")
    return gittrack.get_run(run.id)


def local() -> Path:
    return Project.open().layout.bytes_store


def names(server) -> set[str]:
    """The names of what is there; each object is what its name says."""
    found = set()
    for key, data in server.objects().items():
        assert key.startswith(PREFIX)
        name = key.removeprefix(PREFIX).replace("/", "")
        assert hashlib.md5(data).hexdigest() == name.removesuffix(".dir")
        found.add(name)
    return found


def digests(saved) -> dict[str, str]:
    return {entry.path: entry.digest.removeprefix("md5:") for entry in saved.artifacts()}


def test_what_is_pushed_can_be_pulled_where_nothing_is(saved, s3, tmp_path):
    told = []
    done = push_bytes(Project.open(), [saved], told=told.append)
    assert (done.moved, done.failures) == (4, ())
    assert told[-1].moved == done.size
    assert set(digests(saved).values()) < names(s3)
    assert (push_bytes(Project.open(), [saved]).moved, push_bytes(Project.open(), [saved]).present) == (0, 4)
    shutil.rmtree(local())
    done = pull_bytes(Project.open(), [saved])
    assert (done.moved, done.failures) == (4, ())
    assert not list(local().glob("tmp/*"))
    shutil.rmtree(local())
    saved.download("model/a.txt", tmp_path / "out")
    assert (tmp_path / "out" / "a.txt").read_text() == "alpha"


def test_keys_stay_out_of_the_run_and_dvc_reads_it_from_there(saved, s3):
    push_bytes(Project.open(), [saved])
    config = saved.file(".dvc/config").decode()
    assert "url = s3://bucket/project/gittrack\n" in config
    assert "access_key" not in config
    from dvc.api import read

    options = {"access_key_id": KEY, "secret_access_key": SECRET}
    rev = str(saved.commit)
    shutil.rmtree(local())
    assert read("artifacts/model/a.txt", rev=rev, mode="rb", remote_config=options) == b"alpha"


def test_a_damaged_object_is_refused(saved, s3):
    push_bytes(Project.open(), [saved])
    shutil.rmtree(local())
    name = digests(saved)["weights.bin"]
    s3.client.put_object(Bucket="bucket", Key=f"{PREFIX}{name[:2]}/{name[2:]}", Body=b"x" * LARGE)
    done = pull_bytes(Project.open(), [saved])
    (failure,) = done.failures
    assert isinstance(failure.error, CorruptRecordError)
    assert done.moved == 3
    with pytest.raises(CorruptRecordError):
        saved.artifact("weights.bin")


def test_a_damaged_file_is_not_pushed(saved, s3):
    name = digests(saved)["weights.bin"]
    file = local() / "files" / "md5" / name[:2] / name[2:]
    file.chmod(0o644)
    file.write_bytes(b"x" * LARGE)
    (failure,) = push_bytes(Project.open(), [saved]).failures
    assert isinstance(failure.error, CorruptRecordError)
    assert name not in names(s3)


def test_an_object_that_is_nowhere_is_told_and_the_rest_is_moved(saved, s3):
    push_bytes(Project.open(), [saved])
    shutil.rmtree(local())
    name = digests(saved)["weights.bin"]
    s3.client.delete_object(Bucket="bucket", Key=f"{PREFIX}{name[:2]}/{name[2:]}")
    done = pull_bytes(Project.open(), [saved])
    assert [type(failure.error) for failure in done.failures] == [ArtifactNotFoundError]
    assert done.moved == 3
    assert [type(failure.error) for failure in push_bytes(Project.open(), [saved]).failures] == [ArtifactNotFoundError]


def test_wrong_keys_are_one_line_with_the_command_that_mends_it(saved, s3):
    s3.ask_for_credentials()
    for move in (push_bytes, pull_bytes):
        shutil.rmtree(local(), ignore_errors=True) if move is pull_bytes else None
        error = _only_error(move, saved)
        assert isinstance(error, AuthenticationError)
        assert error.exit_code == 4
        assert "dvc remote modify --local storage" in error.hint
        assert "a-secret" not in error.message


def _only_error(move, saved):
    try:
        done = move(Project.open(), [saved])
    except RemoteError as error:
        return error
    assert done.moved == 0
    return done.failures[0].error


def test_no_keys_are_told_too(saved, s3, repo):
    s3.dvc_remote(repo, signed=False)
    error = _only_error(push_bytes, saved)
    assert isinstance(error, AuthenticationError)
    shutil.rmtree(local())
    assert isinstance(_only_error(pull_bytes, saved), AuthenticationError)


def test_one_artifact_is_as_good_as_many_when_keys_are_wrong(saved, s3, repo):
    """Of a single object S3 says "not there" where the answer is "you may not ask"."""
    s3.dvc_remote(repo, url="s3://nobodys/x")
    digest = f"md5:{digests(saved)['weights.bin']}"
    with pytest.raises(RemoteError, match="does not exist"):
        push_bytes(Project.open(), [digest])


def test_a_missing_bucket_is_not_taken_for_missing_bytes(saved, s3, repo):
    s3.dvc_remote(repo, url="s3://nobodys/x")
    error = _only_error(push_bytes, saved)
    assert type(error) is RemoteError
    assert "bucket does not exist" in error.message
    shutil.rmtree(local())
    error = _only_error(pull_bytes, saved)
    assert type(error) is RemoteError
    assert "does not exist" in error.message


def test_a_dead_endpoint_stops_at_once(saved, s3, repo):
    config = repo / ".dvc" / "config"
    config.write_text(config.read_text().replace(s3.url, "http://127.0.0.1:9"))
    started = time.monotonic()
    error = _only_error(push_bytes, saved)
    assert type(error) is RemoteError
    assert "cannot be reached" in error.message
    shutil.rmtree(local())
    assert "cannot be reached" in _only_error(pull_bytes, saved).message
    assert time.monotonic() - started < 60


def test_what_stops_half_way_goes_on_later(many, s3):
    """Nobody is let in after the first chunk: what has arrived stays, the rest is not tried for ever."""
    stopped = []

    def told(progress):
        if progress.done >= 64 and not stopped:
            stopped.append(progress)
            s3.ask_for_credentials()

    done = push_bytes(Project.open(), [many], told=told)
    assert done.untried > 0
    assert isinstance(done.failures[0].error, AuthenticationError)
    assert len(done.failures) <= 2 * 64 + 1
    s3._post("reset-auth", b"1000000000")
    arrived = names(s3)
    assert not any(name.endswith(".dir") for name in arrived)
    again = push_bytes(Project.open(), [many])
    assert again.failures == ()
    assert again.present == len(arrived)


@pytest.fixture
def many(s3, tmp_path) -> gittrack.SavedRun:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(FILES):
        (folder / f"{number}.bin").write_bytes(os.urandom(500))
    with gittrack.start_run(name="many") as run:
        run.log_artifact(folder)
    return gittrack.get_run(run.id)


@pytest.mark.parametrize("verb", ["push", "pull"])
def test_killed_in_the_middle_it_is_done_rightly_as_far_as_it_got(many, s3, verb):
    if verb == "pull":
        push_bytes(Project.open(), [many])
        shutil.rmtree(local())
    env = {**os.environ, "PYTHONPATH": str(Path(gittrack.__file__).parent.parent)}
    process = subprocess.Popen([sys.executable, "-m", "gittrack", "artifact", verb], env=env, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline and _arrived(s3, verb) < 70:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    if verb == "push":
        got = names(s3)
        assert len(got) == FILES + 1 or not any(name.endswith(".dir") for name in got)
        assert push_bytes(Project.open(), [many]).failures == ()
        assert len(names(s3)) == FILES + 1
    else:
        got = {path.parent.name + path.name for path in local().glob("files/md5/*/*")}
        assert len(got) == FILES + 1 or not any(name.endswith(".dir") for name in got)
        assert pull_bytes(Project.open(), [many]).failures == ()
        assert len(list(local().glob("files/md5/*/*"))) == FILES + 1
        assert many.artifact("many/7.bin", fetch=False)


def _arrived(s3, verb) -> int:
    if verb == "pull":
        return sum(len(files) for _, _, files in os.walk(local() / "files"))
    return s3.client.list_objects_v2(Bucket="bucket").get("KeyCount", 0)


def test_a_setting_is_enough_without_any_dvc_project(saved, s3, repo, monkeypatch):
    shutil.rmtree(repo / ".dvc")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.url)
    monkeypatch.setenv("GITTRACK_ARTIFACT_REMOTE", "s3://bucket/project")
    assert push_bytes(Project.open(), [saved]).moved == 4
    assert len(names(s3)) == 4


@pytest.mark.parametrize(("missing", "extra"), [("dvc", "gittrack[s3]"), ("dvc_s3", "gittrack[s3]")])
def test_what_is_not_installed_is_named(saved, s3, monkeypatch, missing, extra):
    for name in [name for name in sys.modules if name.partition(".")[0] == missing]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingDependencyError) as caught:
        push_bytes(Project.open(), [saved])
    assert caught.value.hint == f"pip install '{extra}'"


def test_a_repository_cannot_bring_its_own_aws_settings(saved, s3, repo):
    """``credential_process`` in such a file is a command that would be run."""
    config = repo / ".dvc" / "config"
    config.write_text(config.read_text() + "    configpath = ../aws.ini\n")
    (repo / "aws.ini").write_text(f"[default]\ncredential_process = touch {repo}/owned\n")
    with pytest.raises(RemoteError, match="could run commands"):
        push_bytes(Project.open(), [saved])
    assert not (repo / "owned").exists()


def test_nothing_of_the_work_tree_changes(saved, s3, repo, git):
    def state():
        return git("status", "--porcelain=v1", "--ignored", cwd=repo), sorted((repo / ".dvc").rglob("*"))

    before = state()
    push_bytes(Project.open(), [saved])
    shutil.rmtree(local())
    pull_bytes(Project.open(), [saved])
    after = state()
    assert after[0] == before[0]
    assert [path for path in after[1] if path not in before[1] and "cache" not in path.parts] == []

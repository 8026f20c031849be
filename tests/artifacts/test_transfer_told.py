"""What push and pull say, to which remote they go, and that they let go of nothing before they have better."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import gittrack
from gittrack.api.artifact_remote import find_remote
from gittrack.api.artifact_transfer import open_project_remote, pull_bytes, push_bytes
from gittrack.api.byte_storage import open_bytes_store
from gittrack.api.project import Project
from gittrack.artifacts.directory_remote import DirectoryRemote
from gittrack.artifacts.pulling import pull
from gittrack.artifacts.remote import RemoteAddress
from gittrack.artifacts.remote_failures import remote_failure
from gittrack.artifacts.transfer import Failure, Transfer, Wanted
from gittrack.cli.main import main
from gittrack.cli.transfer_report import report
from gittrack.errors import CorruptRecordError, NoRemoteError, RemoteError, StorageError

from .conftest import SIZE, bytes_of, stored_files


@pytest.fixture
def cli(capfd):
    def call(*words):
        capfd.readouterr()
        code = main(words)
        said = capfd.readouterr()
        return code, said.out, said.err

    return call


@pytest.fixture
def remote(repo) -> Path:
    folder = repo.parent / "remote"
    folder.mkdir()
    return folder


def only_digest(name: str) -> str:
    (entry,) = gittrack.get_run(name).artifacts()
    return entry.digest


def spoil(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(b"x" * path.stat().st_size)


def test_a_pull_that_had_nothing_to_ask_says_so(repo, logged, remote, cli):
    logged("one", {"a.bin": "a"})
    push_bytes(Project.open(), gittrack.runs(), str(remote))
    code, _, err = cli("artifact", "pull", "--remote", str(remote))
    assert (code, err) == (0, f"gittrack: nothing to pull, 1 already here; '{remote}' was not asked\n")


@pytest.mark.parametrize("which", ["file", "listing"])
def test_damage_here_stays_until_there_is_better(repo, logged, remote, store, which):
    logged("one", {"a.bin": "a"} if which == "file" else {"model": {"x": "x"}})
    place = store.path(only_digest("one"))
    spoil(place)
    before = stored_files(store)
    (failure,) = pull_bytes(Project.open(), gittrack.runs(), str(remote), check=True).failures
    assert isinstance(failure.error, CorruptRecordError)
    assert f"are damaged here, and not at '{remote}': they stay" in failure.error.message
    assert stored_files(store) == before


def test_a_listing_that_was_cleared_away_meanwhile_is_a_failure_and_the_next_pull_brings_it(
    repo, logged, remote, store, monkeypatch
):
    logged("one", {"model": {"x": "x"}})
    push_bytes(Project.open(), gittrack.runs(), str(remote))
    shutil.rmtree(store.root / "files")
    real = DirectoryRemote.fetch

    def cleared(self, errands, told):
        for path in (store.root / "tmp").iterdir():
            path.unlink()
        return real(self, errands, told)

    with monkeypatch.context() as patched:
        patched.setattr(DirectoryRemote, "fetch", cleared)
        (failure,) = pull_bytes(Project.open(), gittrack.runs(), str(remote)).failures
    assert isinstance(failure.error, StorageError)
    again = pull_bytes(Project.open(), gittrack.runs(), str(remote))
    assert (again.moved, again.failures) == (1, ())


def test_damage_at_the_remote_is_told_with_its_place(repo, logged, remote, store):
    logged("one", {"a.bin": "a"})
    push_bytes(Project.open(), gittrack.runs(), str(remote))
    store.path(only_digest("one")).unlink()
    (there,) = (path for path in remote.rglob("files/md5/*/*"))
    spoil(there)
    (failure,) = pull_bytes(Project.open(), gittrack.runs(), str(remote)).failures
    assert f"in '{there}'" in failure.error.message


def test_failures_of_one_cause_are_one_line_with_a_count(capfd):
    full = RemoteError("cannot write to the remote '/disk': no space left on device", hint="free some disk space")
    failures = [Failure(f"md5:{number:032x}", "x", full) for number in range(119)]
    report(Transfer(failures=(*failures, Failure("", "y", RemoteError("another cause")))), "pushed", "/disk")
    lines = capfd.readouterr().err.splitlines()
    assert lines == [
        "gittrack: error: cannot write to the remote '/disk': no space left on device (119 objects)",
        "gittrack: error: another cause",
        "gittrack: pushed 0 objects: /disk",
        "hint: free some disk space",
    ]


def test_ctrl_c_says_that_the_same_command_does_the_rest(repo, logged, remote, project_env):
    logged("one", {"a.bin": "a"})
    code = """
import sys, time
from gittrack.artifacts import directory_remote
from gittrack.cli.main import main
real = directory_remote.DirectoryRemote.present
def present(*arguments):
    print("asked", flush=True)
    time.sleep(30)
    return real(*arguments)
directory_remote.DirectoryRemote.present = present
sys.exit(main(["artifact", "push", "--remote", sys.argv[1]]))
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(remote)],
        env=project_env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "asked\n"
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert (process.returncode, err.replace("\n\n", "\n")) == (
        130,
        "gittrack: stopped; the same command does the rest\n",
    )


# -- hints ------------------------------------------------------------------------------------------------------------


def test_a_file_in_the_place_of_the_remote_is_not_to_be_made_a_directory(repo, logged):
    logged("one", {"a.bin": "a"})
    (repo.parent / "file").write_text("x")
    for place in (repo.parent / "file", repo.parent / "file" / "below"):
        with pytest.raises(RemoteError) as caught:
            push_bytes(Project.open(), gittrack.runs(), str(place))
        assert caught.value.hint == f"'{repo.parent / 'file'}' is a file; name a directory"


def test_where_nobody_answers_at_an_endpoint_it_is_the_endpoint_that_is_to_be_changed():
    class EndpointConnectionError(Exception):
        pass

    address = RemoteAddress("s3://bucket/x", "far", endpoint="http://user:secret@host:1")
    hint = remote_failure(EndpointConnectionError("no route"), address).hint
    assert hint.startswith("dvc remote modify far endpointurl URL; now it is 'http://")
    assert "secret" not in hint
    bare = RemoteAddress("s3://bucket/x", "far")
    assert remote_failure(EndpointConnectionError("no route"), bare).hint == "dvc remote modify far url URL"


def test_a_url_in_the_bucket_of_a_dvc_remote_has_its_endpoint_and_its_credentials(repo):
    (repo / ".dvc").mkdir()
    (repo / ".dvc" / "config").write_text(
        "['remote \"far\"']\n    url = s3://bucket/x\n    endpointurl = http://host:9\n    profile = me\n"
    )
    address = find_remote(Project.open(), "s3://bucket/elsewhere")
    assert (address.name, address.url, address.endpoint) == ("far", "s3://bucket/elsewhere", "http://host:9")
    assert find_remote(Project.open(), "s3://other/x").name == ""
    assert find_remote(Project.open(), "gs://bucket/x").name == ""
    pytest.importorskip("dvc_s3")
    from gittrack.artifacts.dvc_remote import open_filesystem

    fs, path = open_filesystem(address)
    assert path == "bucket/elsewhere"
    assert fs.fs_args["client_kwargs"]["endpoint_url"] == "http://host:9"


# -- several DVC projects in one repository ---------------------------------------------------------------------------


@pytest.fixture
def packages(repo, monkeypatch):
    """Two DVC projects, each with a remote of its own, and a run made in the first."""
    for name in ("a", "b"):
        folder = repo / "pkg" / name / ".dvc"
        folder.mkdir(parents=True)
        (repo.parent / f"remote-{name}").mkdir()
        url = repo.parent / f"remote-{name}"
        (folder / "config").write_text(f"[core]\n    remote = disk\n['remote \"disk\"']\n    url = {url}\n")
    monkeypatch.chdir(repo / "pkg" / "a")
    with gittrack.start_run(name="sub", strict=True) as run:
        run.log_text(bytes_of("a"), "m.bin")
    return repo


@pytest.mark.parametrize("where", ["", "pkg", "pkg/a", "pkg/b"])
def test_a_runs_bytes_go_to_the_remote_of_where_it_was_made_from_wherever(packages, monkeypatch, cli, where):
    monkeypatch.chdir(packages / where)
    code, _, err = cli("artifact", "push")
    assert (code, err) == (0, f"gittrack: pushed 1 object (100 kB): disk ({packages.parent / 'remote-a'})\n")
    assert list((packages.parent / "remote-b").iterdir()) == []
    digest = only_digest("sub")
    Project.open().layout.bytes_store.joinpath("files/md5", digest[4:6], digest[6:]).unlink()
    assert cli("artifact", "pull")[0] == 0
    assert gittrack.get_run("sub").artifact("m.bin", fetch=False) == bytes_of("a")


def test_runs_of_several_projects_go_each_to_its_own(packages, monkeypatch, cli):
    monkeypatch.chdir(packages / "pkg" / "b")
    with gittrack.start_run(name="other", strict=True) as run:
        run.log_text(bytes_of("b"), "m.bin")
    monkeypatch.chdir(packages)
    done = push_bytes(Project.open(), gittrack.runs())
    assert (done.moved, len(done.remotes), done.failures) == (2, 2, ())
    for name in ("a", "b"):
        assert len(list((packages.parent / f"remote-{name}").rglob("files/md5/*/*"))) == 1
    with gittrack.start_run(name="top", strict=True) as run:
        run.log_text(bytes_of("top"), "m.bin")
    done = push_bytes(Project.open(), gittrack.runs())
    assert (done.present, [type(each.error) for each in done.failures]) == (2, [NoRemoteError])
    os.rename(packages.parent / "remote-a", packages.parent / "away")
    (packages.parent / "remote-a").write_text("in its place")
    failed = push_bytes(Project.open(), [gittrack.get_run("sub"), gittrack.get_run("other")])
    assert (failed.present, [type(each.error) for each in failed.failures]) == (1, [RemoteError])


def test_what_is_fetched_for_a_run_comes_from_where_it_was_made(packages, monkeypatch):
    monkeypatch.chdir(packages)
    push_bytes(Project.open(), gittrack.runs())
    digest = only_digest("sub")
    place = Project.open().layout.bytes_store.joinpath("files/md5", digest[4:6], digest[6:])
    place.unlink()
    with pytest.raises(NoRemoteError):
        open_project_remote(Project.open())
    remote = open_project_remote(Project.open(), directory="pkg/a")
    assert pull(open_bytes_store(Project.open()), remote, [Wanted(digest, "m.bin", SIZE)]).moved == 1
    assert place.exists()
    assert open_project_remote(Project.open(), directory="pkg/a/gone/since").shown == str(packages.parent / "remote-a")


@pytest.mark.parametrize("where", ["", "pkg", "pkg/a", "pkg/b"])
def test_an_artifact_is_had_from_the_remote_of_where_its_run_was_made(packages, monkeypatch, cli, tmp_path, where):
    monkeypatch.chdir(packages)
    push_bytes(Project.open(), gittrack.runs())
    digest = only_digest("sub")
    Project.open().layout.bytes_store.joinpath("files/md5", digest[4:6], digest[6:]).unlink()
    monkeypatch.chdir(packages / where)
    assert cli("artifact", "get", "sub", "m.bin", "-o", str(tmp_path / "out"))[0] == 0
    assert (tmp_path / "out" / "m.bin").read_bytes() == bytes_of("a")


@pytest.mark.parametrize("hostile", ["../outside", "/", "..", "\0", "a" * 300, "pkg/link", "pkg/a/../../../outside"])
def test_a_directory_that_a_run_names_outside_the_work_tree_counts_for_nothing(packages, monkeypatch, hostile):
    monkeypatch.chdir(packages)
    outside = packages.parent / "outside" / ".dvc"
    outside.mkdir(parents=True)
    (outside / "config").write_text("[core]\n    remote = evil\n['remote \"evil\"']\n    url = /evil\n")
    (packages / "pkg" / "link").symlink_to(outside.parent)
    with pytest.raises(NoRemoteError):
        find_remote(Project.open(), directory=hostile)

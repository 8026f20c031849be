"""Places that DVC reaches and that are no object store: where a half-written file could be seen, and a web server."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import gittrack
from gittrack.api.artifact_transfer import pull_bytes, push_bytes
from gittrack.api.project import Project
from gittrack.artifacts.dvc_remote import DvcRemote
from gittrack.artifacts.remote import Errand, RemoteAddress
from gittrack.artifacts.remote_failures import remote_failure
from gittrack.errors import ArtifactNotFoundError, AuthenticationError, CorruptRecordError, RemoteError, StorageError

pytest.importorskip("dvc_s3")
LARGE = 200_000


@pytest.fixture
def plain(tmp_path) -> DvcRemote:
    """A file system as DVC sees SSH or WebDAV: files appear under their name while they are written."""
    from dvc_objects.db import ObjectDB
    from dvc_objects.fs.local import LocalFileSystem

    folder = tmp_path / "plain"
    folder.mkdir()
    return DvcRemote(RemoteAddress("ssh://host/plain"), ObjectDB(LocalFileSystem(), str(folder)))


def errand(path: Path, data: bytes) -> Errand:
    path.write_bytes(data)
    return Errand("md5:" + hashlib.md5(data).hexdigest(), str(path), path.name)


def objects(remote) -> dict[str, bytes]:
    root = Path(remote.objects.path)
    return {path.parent.name + path.name: path.read_bytes() for path in root.glob("*/*")}


def test_files_take_their_names_when_they_are_whole(plain, tmp_path):
    errands = [errand(tmp_path / str(number), os.urandom(1000)) for number in range(20)]
    assert plain.send(errands, lambda _: None) == {}
    assert objects(plain) == {each.digest[4:]: Path(each.path).read_bytes() for each in errands}
    sizes = dict.fromkeys((each.digest for each in errands), 1000)
    assert plain.present({**sizes, "md5:" + "0" * 32: 1}) == set(sizes)
    targets = [Errand(each.digest, each.path + "-back", each.what) for each in errands]
    assert plain.fetch(targets, lambda _: None) == {}
    assert all(Path(each.path).read_bytes() == Path(each.path + "-back").read_bytes() for each in errands)


def test_what_cannot_be_put_leaves_no_half(plain, tmp_path):
    sound, lost = errand(tmp_path / "a", b"a" * 1000), errand(tmp_path / "b", b"b" * 1000)
    place = Path(plain.objects.oid_to_path(lost.digest[4:]))
    place.parent.write_text("in the way")
    refused = plain.send([sound, lost], lambda _: None)
    assert refused.keys() == {lost.digest}
    assert isinstance(refused[lost.digest], RemoteError)
    assert objects_that_are_files(plain) == {sound.digest[4:]}


def objects_that_are_files(remote) -> set[str]:
    root = Path(remote.objects.path)
    return {path.parent.name + path.name for path in root.glob("*/*") if path.is_file()}


def test_a_damaged_file_is_not_sent(plain, tmp_path):
    bad = errand(tmp_path / "a", b"a" * 1000)
    Path(bad.path).write_bytes(b"x" * 1000)
    refused = plain.send([bad], lambda _: None)
    assert isinstance(refused[bad.digest], CorruptRecordError)
    assert objects(plain) == {}


def test_what_is_not_there_is_told_by_name(plain, tmp_path):
    wanted = [Errand("md5:" + digit * 32, str(tmp_path / digit), f"file {digit}") for digit in "01"]
    refused = plain.fetch(wanted, lambda _: None)
    assert {type(error) for error in refused.values()} == {ArtifactNotFoundError}
    assert "'file 1'" in refused["md5:" + "1" * 32].message


def provider_error(code: str, text: str, kind: type[Exception] = OSError) -> Exception:
    """What s3fs raises: an error of Python, caused by one of botocore that has the provider's code."""
    from botocore.exceptions import ClientError

    cause = ClientError({"Error": {"Code": code, "Message": text}}, "PutObject")
    error = kind(text)
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), RemoteError, "is full"),
        (provider_error("XMinioStorageFull", "Storage backend has reached its threshold"), RemoteError, "is full"),
        (provider_error("QuotaExceeded", "no more"), RemoteError, "is full"),
        (provider_error("SignatureDoesNotMatch", "x", PermissionError), AuthenticationError, "does not let us in"),
        (provider_error("ExpiredToken", "x", PermissionError), AuthenticationError, "does not let us in"),
        (provider_error("NoSuchBucket", "x", FileNotFoundError), RemoteError, "does not exist"),
        (provider_error("NoSuchKey", "x", FileNotFoundError), ArtifactNotFoundError, "are not at"),
        (provider_error("SlowDown", "reduce your rate"), RemoteError, "failed: reduce your rate"),
        (ConnectionResetError("reset"), RemoteError, "cannot be reached"),
        (TimeoutError(), RemoteError, "cannot be reached: TimeoutError"),
        (RuntimeError("at https://me:secret@host/?X-Amz-Signature=abc"), RemoteError, "failed: at https://"),
    ],
)
def test_what_a_provider_says_is_told_as_what_it_is(error, kind, words):
    told = remote_failure(error, RemoteAddress("s3://me:secret@bucket/x", "far"), "model")
    assert type(told) is kind
    assert words in told.message
    assert "secret" not in told.message + told.hint.replace("secret_access_key", "")
    assert "Signature=" not in told.message
    assert told.hint


def test_a_full_disk_here_is_not_a_full_remote():
    told = remote_failure(OSError(errno.ENOSPC, "No space left on device", "/x"), RemoteAddress("s3://b"), "model")
    assert type(told) is StorageError
    assert told.hint == "free some disk space"


class Web(BaseHTTPRequestHandler):
    """A web server that keeps what is put."""

    root: Path
    status = 200

    def do_PUT(self):
        data = self._body()
        if self.status == 200:
            place = self.root / self.path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
        self._answer(self.status, b"")

    do_POST = do_PUT

    def do_GET(self):
        place = self.root / self.path.lstrip("/")
        found = place.is_file() and self.status == 200
        self._answer(self.status if self.status != 200 else 200 if found else 404, place.read_bytes() if found else b"")

    do_HEAD = do_GET

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        data = b""
        while size := int(self.rfile.readline(), 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return data

    def _answer(self, status, data):
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *_):
        return


@pytest.fixture
def web(repo, tmp_path):
    """A web server that is the default DVC remote."""
    Web.root, Web.status = tmp_path / "web", 200
    Web.root.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Web)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (repo / ".dvc").mkdir()
    url = f"http://127.0.0.1:{server.server_port}/store"
    (repo / ".dvc" / "config").write_text(f"[core]\n    remote = web\n['remote \"web\"']\n    url = {url}\n")
    yield Web
    server.shutdown()
    server.server_close()


def test_a_web_server_takes_and_gives(web, repo, tmp_path):
    (tmp_path / "model").mkdir()
    for name in "ab":
        (tmp_path / "model" / name).write_bytes(os.urandom(LARGE))
    with gittrack.start_run() as run:
        run.log_artifact(tmp_path / "model")
    saved = gittrack.get_run(run.id)
    done = push_bytes(Project.open(), [saved])
    assert (done.moved, done.failures) == (3, ())
    assert len([path for path in web.root.glob("store/gittrack/files/md5/*/*") if path.is_file()]) == 3
    assert push_bytes(Project.open(), [saved]).moved == 0
    shutil.rmtree(Project.open().layout.bytes_store)
    assert pull_bytes(Project.open(), [saved]).failures == ()
    web.status = 403
    shutil.rmtree(Project.open().layout.bytes_store)
    (failure,) = pull_bytes(Project.open(), [saved]).failures
    assert isinstance(failure.error, AuthenticationError)

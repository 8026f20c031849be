"""References: what is written down of a file that stays where it is, and what happens when somebody uses it."""

from __future__ import annotations

import hashlib
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gittrack
from gittrack.core.redact import redact_url
from gittrack.core.references import clean_digest, clean_uri, name_of_reference
from gittrack.errors import (
    ArtifactNotFoundError,
    AuthenticationError,
    CorruptRecordError,
    GittrackError,
    InvalidValueError,
    RemoteError,
)

DATA = os.urandom(300_000)
MD5 = "md5:" + hashlib.md5(DATA).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """``/ok``, ``/etag/<value>``, ``/status/<code>``, ``/short``, ``/endless``, ``/to-file``, ``/moved``."""

    asked: list[str]

    def do_GET(self):
        self.asked.append(self.path)
        kind, _, value = self.path.strip("/").partition("/")
        if kind == "status":
            return self._answer(int(value), b"no")
        if kind == "moved":
            return self._answer(302, b"", {"Location": "/ok"})
        if kind == "to-file":
            return self._answer(302, b"", {"Location": "file:///etc/passwd"})
        headers = {"ETag": f'"{value}"'} if kind == "etag" else {}
        if kind == "short":
            return self._answer(200, DATA[:1000], {"Content-Length": str(len(DATA))})
        if kind == "endless":
            self.send_response(200)
            self.end_headers()
            try:
                for _ in range(10_000):
                    self.wfile.write(DATA)
            except OSError:
                return None  # whoever asked has had enough
            return None
        return self._answer(200, DATA, headers)

    def _answer(self, status, data, headers=None):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        return


@pytest.fixture
def server():
    """A real HTTP server; its address, and what it was asked."""
    Handler.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def referred(uri, folder=None, **known) -> gittrack.SavedRun:
    with gittrack.start_run() as run:
        run.log_artifact_uri(uri, folder, **known)
    saved = gittrack.get_run(run.id)
    assert saved.file("logs/errors.log") is None
    return saved


def refusal(uri, **known) -> str:
    with pytest.raises(InvalidValueError) as caught, gittrack.start_run(strict=True) as run:
        run.log_artifact_uri(uri, **known)
    return caught.value.message


def test_what_is_known_is_written_down_and_nothing_is_asked(repo, server):
    saved = referred(f"{server}/etag/abc", "models", size=5, digest='etag:W/"abc"')
    (entry,) = saved.artifacts()
    assert (entry.path, entry.storage, entry.size, entry.digest) == ("models/abc", "reference", 5, "etag:abc")
    assert entry.uri == f"{server}/etag/abc"
    assert Handler.asked == []
    assert saved.file("artifacts/models/abc.dvc") is None


def test_the_fluent_function_does_the_same(repo):
    with gittrack.start_run() as run:
        gittrack.log_artifact_uri("s3://bucket/a/b.bin")
    (entry,) = gittrack.get_run(run.id).artifacts()
    assert (entry.path, entry.uri, entry.size, entry.digest) == ("b.bin", "s3://bucket/a/b.bin", None, "")


def test_user_info_does_not_enter_the_commit(repo):
    (entry,) = referred("https://me:password@host/team/model.bin?download=1#top").artifacts()
    assert entry.uri == "https://host/team/model.bin"


@pytest.mark.parametrize(
    "uri",
    [
        "https://b.s3.amazonaws.com/k?X-Amz-Signature=abc&X-Amz-Expires=60",
        "https://account.blob.core.windows.net/c/b?sv=2020&sig=abc",
        "https://host/file?token=abc",
    ],
)
def test_a_presigned_link_is_refused_as_what_it_is(repo, uri):
    text = refusal(uri)
    assert "works only with its query" in text
    assert "which is a secret" in text
    assert "=abc" not in text


@pytest.mark.parametrize(
    "uri",
    [
        "https://host/get?id=5",
        "s3://bucket/key?versionId=abc",
        "s3://bucket/a#b",
        "https://host/",
        "s3://bucket",
        "no scheme://x",
        "simplecache::s3://bucket/x",
        "http://host/a b",
        "http://host/\x1b[31m",
        "https://",
        "https://host/" + "x" * 5000,
    ],
)
def test_an_address_that_cannot_be_kept_is_refused(repo, uri):
    assert refusal(uri)


@pytest.mark.parametrize("digest", ["abc", "md5:abc", "md5:" + "g" * 32, "etag:", "crc32:00", "etag:" + "x" * 300, 5])
def test_a_digest_that_is_none_is_refused(repo, digest):
    assert refusal("s3://bucket/x", digest=digest)


@pytest.mark.parametrize("size", [-1, 1.5, "5", True, 1 << 63])
def test_a_size_that_is_none_is_refused(repo, size):
    assert refusal("s3://bucket/x", size=size)


def test_not_strict_the_training_goes_on(repo):
    with gittrack.start_run() as run:
        run.log_artifact_uri("https://host/file?token=abc")
    saved = gittrack.get_run(run.id)
    assert saved.artifacts() == ()
    log = saved.file("logs/errors.log").decode()
    assert "works only with its query" in log
    assert "abc" not in log


@pytest.mark.parametrize("known", [{}, {"size": len(DATA)}, {"digest": MD5}, {"size": len(DATA), "digest": MD5}])
def test_it_is_fetched_when_it_is_used(repo, server, tmp_path, known):
    saved = referred(f"{server}/ok", "data", **known)
    assert saved.artifact("data/ok") == DATA
    with saved.open("data/ok") as file:
        assert file.read(5) == DATA[:5]
        assert file.seek(0) == 0
    assert saved.download("data", tmp_path / "out") == tmp_path / "out" / "data"
    assert (tmp_path / "out" / "data" / "ok").read_bytes() == DATA


def test_a_redirection_is_followed(repo, server):
    assert referred(f"{server}/moved", digest=MD5).artifact("moved") == DATA


def test_an_etag_is_compared(repo, server):
    assert referred(f"{server}/etag/v1", digest="etag:v1").artifact("v1") == DATA
    with pytest.raises(CorruptRecordError, match="it now has 'v2'"):
        referred(f"{server}/etag/v2", digest="etag:v1").artifact("v2")
    with pytest.raises(CorruptRecordError, match="gives none"):
        referred(f"{server}/ok", digest="etag:v1").artifact("ok")


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("ok", {"size": 5}),
        ("ok", {"size": len(DATA) + 1}),
        ("ok", {"digest": "sha256:" + "0" * 64}),
        ("endless", {"size": len(DATA)}),
    ],
)
def test_what_is_not_what_it_was_is_refused_and_leaves_nothing(repo, server, tmp_path, path, known):
    saved = referred(f"{server}/{path}", **known)
    with pytest.raises(CorruptRecordError, match="is not what it was") as caught:
        saved.download(path, tmp_path / "out")
    assert caught.value.exit_code == 6
    assert [each for each in (tmp_path / "out").rglob("*") if each.is_file()] == []


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("status/404", ArtifactNotFoundError),
        ("status/410", ArtifactNotFoundError),
        ("status/401", AuthenticationError),
        ("status/403", AuthenticationError),
        ("status/500", RemoteError),
        ("short", RemoteError),
        ("to-file", GittrackError),
    ],
)
def test_what_the_server_refuses_is_one_error(repo, server, tmp_path, path, error):
    name = path.rpartition("/")[2]
    with pytest.raises(error):
        referred(f"{server}/{path}").download(name, tmp_path / "out")
    assert [each for each in (tmp_path / "out").rglob("*") if each.is_file()] == []


def test_a_server_that_is_gone_is_one_error(repo):
    with pytest.raises(RemoteError, match="cannot be reached"):
        referred("http://127.0.0.1:9/x").artifact("x")


def test_nothing_is_fetched_offline(repo, server, monkeypatch):
    saved = referred(f"{server}/ok")
    with pytest.raises(ArtifactNotFoundError, match="only a reference"):
        saved.artifact("ok", fetch=False)
    monkeypatch.setenv("GITTRACK_OFFLINE", "1")
    with pytest.raises(ArtifactNotFoundError, match="only a reference"):
        gittrack.get_run(saved.id).artifact("ok")
    assert Handler.asked == []


def test_a_local_file_is_hashed_and_checked(repo, tmp_path):
    file = tmp_path / "big data.bin"
    file.write_bytes(DATA)
    for uri in (file.as_uri(), str(file), file):
        (entry,) = referred(uri).artifacts()
        assert (entry.path, entry.uri) == ("big data.bin", file.as_uri())
        assert (entry.size, entry.digest) == (len(DATA), MD5)
    saved = referred(file)
    assert saved.artifact("big data.bin") == DATA
    file.write_bytes(DATA[:-1] + b"x")
    with pytest.raises(CorruptRecordError, match="is not what it was"):
        saved.artifact("big data.bin")
    file.unlink()
    with pytest.raises(ArtifactNotFoundError):
        saved.artifact("big data.bin")


def test_a_local_file_of_another_size_than_said_is_refused(repo, tmp_path):
    (tmp_path / "x").write_bytes(DATA)
    assert "has 300000 bytes, not 5" in refusal(tmp_path / "x", size=5)


def test_a_fifo_is_never_waited_for(repo, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ArtifactNotFoundError), gittrack.start_run(strict=True) as run:
        run.log_artifact_uri(str(tmp_path / "pipe"))


def hostile(repo, uri, digest="", storage="reference"):
    """A run whose reference somebody else wrote, past every check of ours."""
    from gittrack.api.project import Project
    from gittrack.api.saved_artifacts import ArtifactFile, SavedArtifacts
    from gittrack.core.records import ArtifactEntry

    with gittrack.start_run() as run:
        run.log_text("x", "x")
    files = SavedArtifacts(Project.open(), gittrack.get_run(run.id), fetch=True)
    entry = ArtifactEntry("evil", None, digest, "text/plain", storage, None, uri)
    files._entries = {"evil": entry}
    assert files.files("evil") == [ArtifactFile("evil", digest, entry)]
    return files


def test_a_reference_of_others_shows_nobody_a_file_of_this_machine(repo, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("password")
    for digest in ("", "etag:x"):
        with pytest.raises(CorruptRecordError, match="not followed"):
            hostile(repo, secret.as_uri(), digest).read("evil")


@pytest.mark.parametrize("uri", ["ftp://host/x", "javascript://x", "dvc://repo/x", "github://a/b", "memory://x", "x"])
def test_a_place_that_nobody_knows_is_refused(repo, uri):
    with pytest.raises(GittrackError):
        hostile(repo, uri).read("evil")


@pytest.mark.parametrize("digest", ["etag:x.dir", "crc:x.dir", "crc:00"])
def test_a_digest_of_others_is_no_folder_and_no_crash(repo, server, digest):
    with pytest.raises(CorruptRecordError):
        hostile(repo, f"{server}/ok", digest).read("evil")


# -- S3 ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def s3(repo, monkeypatch):
    pytest.importorskip("dvc_s3")
    pytest.importorskip("moto")
    from tests.artifacts.s3_server import serving

    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with serving() as server:
        server.reset()
        server.dvc_remote(repo)
        server.client.put_object(Bucket="bucket", Key="data/big.bin", Body=DATA)
        yield server


def test_a_reference_to_s3_is_fetched_with_the_keys_of_the_remote_on_its_bucket(s3, tmp_path):
    etag = s3.client.head_object(Bucket="bucket", Key="data/big.bin")["ETag"]
    saved = referred("s3://bucket/data/big.bin", size=len(DATA), digest=f"etag:{etag}")
    saved.download("big.bin", tmp_path / "out")
    assert (tmp_path / "out" / "big.bin").read_bytes() == DATA
    assert referred("s3://bucket/data/big.bin", digest=MD5).artifact("big.bin") == DATA
    s3.client.put_object(Bucket="bucket", Key="data/big.bin", Body=b"x" * len(DATA))
    with pytest.raises(CorruptRecordError, match="its ETag was"):
        saved.artifact("big.bin")
    with pytest.raises(CorruptRecordError, match="md5"):
        referred("s3://bucket/data/big.bin", digest=MD5).artifact("big.bin")


def test_what_s3_refuses_is_one_error(s3):
    with pytest.raises(ArtifactNotFoundError, match="no longer at"):
        referred("s3://bucket/data/absent").artifact("absent")
    s3.ask_for_credentials()
    with pytest.raises(AuthenticationError) as caught:
        referred("s3://bucket/data/big.bin").artifact("big.bin")
    assert caught.value.exit_code == 4


# -- codecs -----------------------------------------------------------------------------------------------------------


@given(st.text(max_size=60), st.sampled_from(["", "http://", "https://", "s3://", "file://", "gs://me:pw@"]))
def test_a_cleaned_address_is_clean_whatever_it_was(text, scheme):
    try:
        cleaned = clean_uri(scheme + text)
    except InvalidValueError:
        return
    assert clean_uri(cleaned) == cleaned
    assert redact_url(cleaned) == cleaned
    assert "?" not in cleaned
    try:
        assert name_of_reference(cleaned)
    except InvalidValueError:
        return


@given(st.text(max_size=80))
def test_a_cleaned_digest_is_clean_whatever_it_was(text):
    for prefix in ("", "etag:", "md5:"):
        try:
            cleaned = clean_digest(prefix + text)
        except InvalidValueError:
            continue
        assert clean_digest(cleaned) == cleaned

"""References: what a local file is when it is referred to, and the bytes of a reference when somebody uses it.

``http`` and ``https`` need the standard library alone: one request gives the bytes and the ETag that belongs to them.
Every other place is reached as DVC reaches it, with the credentials of a DVC remote on the same bucket or host.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote

from gittrack.artifacts.bytes_store import BLOCK, hint_of
from gittrack.artifacts.remote import RemoteAddress
from gittrack.artifacts.remote_failures import reference_failure
from gittrack.artifacts.taking import hash_file, open_regular, write_all
from gittrack.core.names import display
from gittrack.core.references import ETAG, HASHES, plain_etag
from gittrack.errors import (
    ArtifactNotFoundError,
    AuthenticationError,
    CorruptRecordError,
    GittrackError,
    MissingDependencyError,
    RemoteError,
    StorageError,
)
from gittrack.frozen import dataclass

TIMEOUT_SECONDS = 60.0
_REACHED = frozenset(
    {"s3", "s3a", "gs", "gcs", "azure", "az", "abfs", "abfss", "ssh", "sftp", "webdav", "webdavs", "hdfs", "oss"}
)
_SIGN_IN = (401, 403, 407)
_GONE = (404, 410)


@dataclass(frozen=True, slots=True)
class Reference:
    """What is known of an artifact that lies elsewhere.

    Attributes:
        what: the artifact's path, for messages.
        uri: where it lies.
        size: bytes it must have, or None.
        digest: ``<hash>:<hex>`` or ``etag:<value>`` it must have, or ``""``.
        address: the DVC remote whose credentials are right for it, or None.
    """

    what: str
    uri: str
    size: int | None = None
    digest: str = ""
    address: RemoteAddress | None = None

    @property
    def scheme(self) -> str:
        """``s3``, ``https``, …"""
        return self.uri.partition("://")[0]

    @property
    def shown(self) -> str:
        """Its address, fit to be printed."""
        return display(self.uri, 200)


def describe_local(path: Path, *, with_hash: bool) -> tuple[str, int, str]:
    """The URI, size and digest of a local file that is referred to; ``""`` as digest when none is wanted.

    Raises:
        ArtifactNotFoundError: no such file, or not a regular one.
        StorageError: it cannot be read, or changes while it is read.
    """
    try:
        file, before = open_regular(path)
        try:
            size, digest = hash_file(file) if with_hash else (before.st_size, "")
            now = os.fstat(file)
        finally:
            os.close(file)
    except OSError as error:
        raise StorageError(f"cannot read '{path}': {error.strerror}", hint=hint_of(error)) from error
    if (now.st_size, now.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        raise StorageError(f"'{path}' changed while it was read", hint="log it again")
    return path.resolve().as_uri(), size, digest


def copy_reference(reference: Reference, target: int) -> None:
    """Write the bytes of a reference to an open file, and check them.

    Args:
        reference: which.
        target: an empty file, open for writing. What it holds after an error is worth nothing.

    Raises:
        ArtifactNotFoundError: it is not where it was.
        CorruptRecordError: it is not what it was.
        RemoteError, AuthenticationError: the place cannot be used.
        MissingDependencyError: what that needs is not installed.
        StorageError: the target cannot be written.
    """
    check = _Check(reference)
    with _opened(reference, check) as (stream, expected):
        try:
            while data := stream.read(BLOCK):
                check.take(data)
                _written(target, data)
        except (GittrackError, StorageError):
            raise
        except Exception as error:
            raise reference_failure(error, reference.shown) from error
    if expected is not None and check.size < expected:
        raise RemoteError(f"'{reference.shown}' broke off after {check.size} bytes of {expected}", hint="try again")
    check.finish()


def _written(target: int, data: bytes) -> None:
    try:
        write_all(target, data)
    except OSError as error:
        raise StorageError(f"cannot write: {error.strerror}", hint=hint_of(error)) from error


class _Check:
    """Compares what comes with what was recorded."""

    def __init__(self, reference: Reference) -> None:
        self._reference = reference
        kind, _, self._value = reference.digest.partition(":")
        if kind not in ("", ETAG, *HASHES):
            text = f"'{display(reference.digest, 80)}' of '{reference.what}' is nothing this gittrack can check"
            raise CorruptRecordError(text, hint="pip install --upgrade gittrack")
        self._hash = hashlib.new(kind, usedforsecurity=False) if kind in HASHES else None
        self._wants_etag = kind == ETAG
        self._etag: str | None = None
        self.size = 0

    def see_etag(self, etag: str | None) -> None:
        """What the place says of the version that it gives out."""
        self._etag = None if etag is None else plain_etag(etag)
        if self._wants_etag and self._etag != self._value:
            said = "gives none" if self._etag is None else f"now has '{display(self._etag, 80)}'"
            raise self._changed(f"its ETag was '{display(self._value, 80)}', and it {said}")

    def see_size(self, size: int | None) -> None:
        """What the place says of the size, before the first byte."""
        if size is not None and self._reference.size not in (None, size):
            raise self._changed(f"it had {self._reference.size} bytes and has {size}")

    def take(self, data: bytes) -> None:
        self.size += len(data)
        if self._reference.size is not None and self.size > self._reference.size:
            raise self._changed(f"it has more than the {self._reference.size} bytes it had")
        if self._hash is not None:
            self._hash.update(data)

    def finish(self) -> None:
        self.see_size(self.size)
        if self._hash is not None and self._hash.hexdigest() != self._value:
            raise self._changed(f"its {self._hash.name} is another")

    def _changed(self, how: str) -> CorruptRecordError:
        text = f"'{self._reference.what}' at '{self._reference.shown}' is not what it was: {how}"
        return CorruptRecordError(text, hint="fetch it yourself, if it is what you want")


Opened = contextlib.AbstractContextManager[tuple[BinaryIO, int | None]]


def _opened(reference: Reference, check: _Check) -> Opened:
    if reference.scheme in ("http", "https"):
        return _http(reference, check)
    if reference.scheme == "file":
        return _file(reference, check)
    if reference.scheme in _REACHED:
        return _elsewhere(reference, check)
    text = (
        f"'{reference.shown}' cannot be fetched: '{display(reference.scheme, 20)}' is no kind of place gittrack knows"
    )
    raise ArtifactNotFoundError(text, hint="get it from there")


@contextlib.contextmanager
def _file(reference: Reference, check: _Check) -> Iterator[tuple[BinaryIO, int | None]]:
    if reference.digest.partition(":")[0] not in HASHES:
        # Whoever wrote the reference must have known the file, or they could have any file here shown to anybody.
        text = f"'{reference.what}' refers to a file without its hash: it is not followed"
        raise CorruptRecordError(text, hint=f"copy {reference.shown}, if it is what you want")
    path = Path(unquote(reference.uri.removeprefix("file://")))
    try:
        file, state = open_regular(path)
    except OSError as error:
        raise StorageError(f"cannot read '{path}': {error.strerror}", hint=hint_of(error)) from error
    with open(file, "rb") as stream:
        check.see_size(state.st_size)
        yield stream, None


@contextlib.contextmanager
def _http(reference: Reference, check: _Check) -> Iterator[tuple[Any, int | None]]:
    import urllib.request
    from urllib.error import HTTPError

    opener = urllib.request.OpenerDirector()  # not build_opener: a redirection must not lead to ftp or a file
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    headers = {"User-Agent": "gittrack", "Accept-Encoding": "identity"}
    try:
        response = opener.open(urllib.request.Request(reference.uri, headers=headers), timeout=TIMEOUT_SECONDS)  # noqa: S310  a scheme we chose
    except HTTPError as error:
        error.close()
        raise _refusal(reference, error.code) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None)  # what urllib wraps
        raise reference_failure(reason if isinstance(reason, OSError) else error, reference.shown) from error
    with response:
        length = response.headers.get("Content-Length", "")
        size = int(length) if length.isdecimal() else None
        check.see_etag(response.headers.get("ETag"))
        check.see_size(size)
        yield response, size


def _refusal(reference: Reference, status: int) -> GittrackError:
    if status in _GONE:
        return ArtifactNotFoundError(
            f"'{reference.what}' is no longer at '{reference.shown}'", hint="ask who logged it"
        )
    if status in _SIGN_IN:
        text = f"'{reference.shown}' does not let us in (HTTP {status})"
        return AuthenticationError(text, hint="fetch it yourself, signed in")
    return RemoteError(f"'{reference.shown}' failed (HTTP {status})", hint="try again")


@contextlib.contextmanager
def _elsewhere(reference: Reference, check: _Check) -> Iterator[tuple[Any, int | None]]:
    fs, path = _asked(reference, lambda: _filesystem(reference))
    before = _asked(reference, lambda: fs.info(path))
    if before.get("type") == "directory":
        raise ArtifactNotFoundError(f"'{reference.shown}' is a folder", hint="get it from there")
    check.see_etag(before.get("ETag") or before.get("etag"))
    check.see_size(before.get("size"))
    with _asked(reference, lambda: fs.open(path, "rb")) as stream:
        yield stream, before.get("size")
    fs.invalidate_cache()
    after = _asked(reference, lambda: fs.info(path))
    check.see_etag(after.get("ETag") or after.get("etag"))  # of the bytes that were read, or of later ones: the same


def _asked(reference: Reference, question: Callable[[], Any]) -> Any:
    try:
        return question()
    except GittrackError:
        raise
    except FileNotFoundError as error:
        text = f"'{reference.what}' is no longer at '{reference.shown}'"
        raise ArtifactNotFoundError(text, hint="ask who logged it") from error
    except Exception as error:
        raise reference_failure(error, reference.shown) from error


def _address(reference: Reference) -> RemoteAddress:
    return reference.address or RemoteAddress(reference.uri)


def _filesystem(reference: Reference) -> tuple[Any, str]:
    """The file system of a reference, as fsspec knows it, and its path there."""
    try:
        from gittrack.artifacts.dvc_remote import open_filesystem

        fs, _ = open_filesystem(_address(reference))
        return fs.fs, fs._strip_protocol(reference.uri)
    except ImportError:
        pass
    try:
        from fsspec.core import url_to_fs

        fs, path = url_to_fs(reference.uri)
        return fs, path
    except ImportError as error:
        extra = reference.scheme if reference.scheme in ("s3", "gs", "azure", "ssh") else "dvc"
        text = f"'{reference.shown}' needs DVC's part for '{reference.scheme}'"
        raise MissingDependencyError(text, hint=f"pip install 'gittrack[{extra}]'") from error

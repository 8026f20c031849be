"""What is written down of a file that stays where it is: its address, its size, its digest."""

from __future__ import annotations

import os
from pathlib import Path

from gittrack.core.names import display
from gittrack.errors import InvalidValueError, kind_of


def described(uri: object, size: object, digest: object) -> tuple[str, int | None, str]:
    """The address of a reference, its size and its digest, as they are written down.

    Raises:
        InvalidValueError: one of them is none.
        ArtifactNotFoundError: there is no such file on this machine.
    """
    from gittrack.core.references import ETAG, clean_digest, clean_uri

    known = "" if digest is None else clean_digest(digest)  # type: ignore[arg-type]
    if size is not None and (not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < 1 << 63):
        raise InvalidValueError(f"{display(repr(size), 60)} is no number of bytes")
    local = _local_path(uri)
    if local is None:
        return clean_uri(uri), size, known  # type: ignore[arg-type]
    from gittrack.artifacts.references import describe_local

    address, found, computed = describe_local(local, with_hash=not known or known.startswith(ETAG))
    if size is not None and size != found:
        raise InvalidValueError(f"'{local}' has {found} bytes, not {size}")
    return address, found, computed or known


def _local_path(uri: object) -> Path | None:
    """The file of this machine that a reference is to; None when it is elsewhere."""
    if isinstance(uri, str) and uri.startswith("file://"):
        from urllib.parse import unquote

        return given_path(unquote(uri.removeprefix("file://").removeprefix("localhost")))
    if isinstance(uri, os.PathLike) or (isinstance(uri, str) and "://" not in uri):
        return given_path(uri)
    return None


def given_path(path: object) -> Path:
    """What a caller gave as a path, as one.

    Raises:
        InvalidValueError: it is none.
    """
    if not isinstance(path, str | os.PathLike):
        raise InvalidValueError(f"{kind_of(path)} is no path")
    text = os.fspath(path)
    if not isinstance(text, str) or not text or "\0" in text:
        raise InvalidValueError(f"{display(repr(text), 60)} is no path")
    return Path(text)

"""References: artifacts that stay where they are. Their address enters a commit, so nothing secret may be in it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import parse_qsl, unquote

from gittrack.core.names import MAX_PATH_BYTES, display
from gittrack.core.redact import MASK, redact_url
from gittrack.errors import InvalidValueError

HASHES = ("md5", "sha1", "sha256", "sha384", "sha512")
"""Hashes by which a reference can be checked when it is used."""
ETAG = "etag"
"""The other way: what the place itself says of the bytes' version."""
_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]*)://(?P<rest>[^/].*|/[^/].*)", re.DOTALL)
_LENGTHS = {"md5": 32, "sha1": 40, "sha256": 64, "sha384": 96, "sha512": 128}
_LONGEST_ETAG = 200
_SIGNATURES = (
    "sig",
    "token",
    "credential",
    "expires",
    "key",
    "policy",
    "password",
    "secret",
    "auth",
    "x-amz",
    "x-goog",
)
_HARMLESS = re.compile(r"download|utm_\w+")


def clean_uri(text: str) -> str:
    """The address of a reference as it is written down: without user info, and without a query that says nothing.

    Args:
        text: ``<scheme>://…``.

    Raises:
        InvalidValueError: it is no URI, or it works only with what must not be written down.

    >>> clean_uri("https://me:token@host/model.bin?download=1")
    'https://host/model.bin'
    """
    if not isinstance(text, str):
        raise InvalidValueError(f"a {type(text).__name__} is no address")
    shown = display(redact_url(text), 80)
    found = _SCHEME.fullmatch(text)
    cleaned = redact_url(text)
    # Cut once more: what is left must be an address by itself, and hold nothing more that would be cut.
    kept = _SCHEME.fullmatch(cleaned) is not None and redact_url(cleaned) == cleaned and cleaned.isprintable()
    if found is None or not kept or not text.isprintable() or " " in text or len(text) > MAX_PATH_BYTES:
        raise InvalidValueError(f"'{shown}' is no address that can be kept", hint="give one like s3://bucket/file")
    rest, _, query = found["rest"].partition("#")[0].partition("?")
    if found["scheme"].lower() not in ("http", "https"):
        if rest != found["rest"]:
            text = f"'{shown}': '?' and '#' would be taken for a query and cut off"
            raise InvalidValueError(text, hint="rename it, or keep a copy: log_artifact")
    elif lost := [key for key, _ in parse_qsl(query, keep_blank_values=True) if not _HARMLESS.fullmatch(key)]:
        raise InvalidValueError(_why_not(shown, lost), hint="give its plain address, or keep a copy: log_artifact")
    if MASK in cleaned and MASK not in text:
        raise InvalidValueError(f"'{shown}' holds a secret, which no commit may", hint="keep a copy: log_artifact")
    return found["scheme"].lower() + cleaned[len(found["scheme"]) :]


def _why_not(shown: str, keys: Iterable[str]) -> str:
    named = ", ".join(display(key, 40) for key in sorted(set(keys))[:5])
    if any(word in key.lower() for key in keys for word in _SIGNATURES):
        return f"'{shown}' works only with its query ({named}), which is a secret: it would be cut off"
    return f"'{shown}' works only with its query ({named}), which would be cut off: it may hold secrets"


def clean_digest(text: str) -> str:
    """The hash or ETag of a reference as it is written down.

    Args:
        text: ``<hash>:<hex>``, or ``etag:<value>`` with or without its quotes.

    Raises:
        InvalidValueError: it is neither.

    >>> clean_digest('etag:"9b2c"'), clean_digest("MD5:" + "0A" * 16)[:8]
    ('etag:9b2c', 'md5:0a0a')
    """
    if not isinstance(text, str):
        raise InvalidValueError(f"a {type(text).__name__} is no digest", hint="one of: md5:… sha256:… etag:…")
    kind, colon, value = text.partition(":")
    kind = kind.lower()
    if kind == ETAG:
        value = plain_etag(value)
        if value and len(value) <= _LONGEST_ETAG and value.isascii() and value.isprintable():
            return f"{ETAG}:{value}"
    elif colon and len(value) == _LENGTHS.get(kind) and re.fullmatch(r"[0-9a-fA-F]+", value):
        return f"{kind}:{value.lower()}"
    raise InvalidValueError(
        f"'{display(text, 80)}' is neither a hash nor an ETag", hint="one of: md5:… sha256:… etag:…"
    )


def plain_etag(text: str) -> str:
    """An ETag without its quotes and its mark of weakness.

    >>> plain_etag('W/"abc"')
    'abc'
    """
    return text.strip().removeprefix("W/").strip('"')


def name_of_reference(uri: str) -> str:
    """What a reference is called when nobody says: the last part of its path.

    Raises:
        InvalidValueError: it has none.

    >>> name_of_reference("https://host/models/a%20b.bin")
    'a b.bin'
    """
    name = uri.rstrip("/").partition("://")[2].partition("/")[2].rpartition("/")[2]
    if uri.startswith(("http://", "https://", "file://")):
        name = unquote(name)
    if not name:
        raise InvalidValueError(f"'{display(uri, 80)}' names no file", hint="give the address of a file")
    return name

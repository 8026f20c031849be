"""Which names mean a secret, and how captured text is made fit to store."""

from __future__ import annotations

import re

from gittrack.core.redact import MASK, is_secret_name, redact_text, redact_url

__all__ = ["MASK", "names_secret", "safe_text", "storable"]

_SECRET_WORDS = frozenset({"auth", "bearer", "cookie", "dsn", "passcode", "pat", "pw", "sas"})
_SECRET_KEYS = frozenset(
    {
        *("anthropic", "app", "aws", "azure", "client", "comet", "deploy", "hmac", "license", "master", "neptune"),
        *("openai", "service", "session", "shared", "ssh", "storage", "wandb"),
    }
)
_VOCABULARY_TOKENS = frozenset(
    {
        *("bos", "class", "cls", "end", "eos", "extra", "first", "image", "last", "mask", "max", "min", "new", "next"),
        *("pad", "padding", "per", "prefix", "sep", "special", "start", "stop", "unk", "unknown"),
    }
)
_SHORTEST_TOKEN = 20
_SPLITS_ASSIGNMENTS = re.compile(r"[\s=:/]")


def names_secret(name: str) -> bool:
    """Whether the value of an option or a variable of this name is a secret.

    Stricter than :func:`gittrack.core.redact.is_secret_name`: on a command line a masked value costs little, and any
    ``…-token`` is one unless its word before is of a tokenizer's vocabulary.

    >>> [names_secret(name) for name in ("--my-token", "OPENAI_KEY", "--pad-token", "--max-tokens", "--sort-key")]
    [True, True, False, False, False]
    """
    if is_secret_name(name):
        return True
    split = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name[-200:])
    words = re.findall(r"[a-z0-9]+", split.lower())
    last, before = (["", *words])[-1], (["", "", *words])[-2]
    if last == "key":
        return before in _SECRET_KEYS
    if last == "token":
        return before not in _VOCABULARY_TOKENS
    return last in _SECRET_WORDS


def storable(text: str) -> str:
    """The text without what UTF-8 cannot hold: the lone surrogates Python makes of undecodable bytes."""
    if text.isascii():
        return text
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    except UnicodeEncodeError:  # a surrogate that never was a byte
        return text.encode("utf-8", "replace").decode()


def safe_text(text: str) -> str:
    """A captured text with its secrets masked: URLs without user info and query, known token shapes as ``***``."""
    clean = storable(text)
    if len(clean) < _SHORTEST_TOKEN and not _SPLITS_ASSIGNMENTS.search(clean):
        return clean  # too short for any token, and no assignment: the big patterns need not be compiled
    if "://" in clean and not re.search(r"\s", clean) and re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", clean):
        clean = redact_url(clean)
    return redact_text(clean)

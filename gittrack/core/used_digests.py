"""Which hashes a text names. What is being asked is never trusted to be well-formed: a hash too many keeps a file too
many, a hash too few would lose one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_HASH = re.compile(rb"(?<![0-9a-f])[0-9a-f]{32}(?:\.dir)?(?![0-9a-f])")


def digests_in(data: bytes) -> frozenset[str]:
    """Every ``md5:<32 hex>``, of folders with ``.dir``, that a pointer, a ``dvc.lock`` or a listing may name.

    >>> sorted(digests_in(b"outs:\\n- md5: " + b"a" * 32 + b".dir\\n  path: x\\n"))
    ['md5:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.dir']
    """
    return frozenset("md5:" + found.decode() for found in _HASH.findall(data))


def digests_of_operation(operation: Mapping[str, Any]) -> frozenset[str]:
    """The same of an operation of a journal, whatever kind it is; its content, bytes that lie in git, is not looked at.

    >>> sorted(digests_of_operation({"op": "artifact", "artifact": {"digest": "md5:" + "a" * 32}, "content": b"x"}))
    ['md5:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa']
    """
    found: frozenset[str] = frozenset()
    for text in _texts(operation):
        if len(text) > 31:
            found |= digests_in(text.encode("utf-8", "replace"))
    return found


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)

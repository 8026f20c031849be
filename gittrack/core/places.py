"""Places of repositories as git takes them where a remote's name may stand: URLs, ``host:path``, paths."""

from __future__ import annotations

import re

from gittrack.core.redact import redact_url

_SCP_LIKE = re.compile(r"[^\s/:]+:[^\s].*|\[[^\s/\]]+\]:.+", re.DOTALL)
_SSH_USER = re.compile(r"(?:ssh://|git\+ssh://|ssh\+git://|(?![A-Za-z0-9+.\-]+://))([^\s/:@?#]+)(?::[^/@]*)?@")


def is_place(word: str) -> bool:
    """Whether a word is a place by its looks: a URL, ``host:path``, or a path that begins so that it can be no name.

    >>> [is_place(word) for word in ("https://host/x", "git@host:x.git", "../x.git", "origin", "team/gpu", ":/text")]
    [True, True, True, False, False, False]
    """
    return "://" in word or word.startswith(("/", "./", "../", "~")) or word in (".", "..") or is_scp_like(word)


def is_scp_like(word: str) -> bool:
    """Whether a word is ``host:path`` or ``user@host:path``."""
    return _SCP_LIKE.fullmatch(word) is not None


def without_login(place: str) -> str:
    """What tells a place from others, without what logs in there; the user of an ssh address is part of the address.

    >>> without_login("https://me:token@host/x.git"), without_login("ann:pw@host/x"), without_login("ann@host:x")
    ('https://host/x.git', 'host/x', 'ann@host:x')
    """
    shown = redact_url(place)
    user = _SSH_USER.match(place) if shown != place and (is_scp_like(shown) or "ssh" in place[:8]) else None
    return f"{user[1]}@{shown.removeprefix('git@')}" if user else shown


def plain_words(place: str) -> str:
    """The host and the last part of a place, for names that people recognise.

    >>> plain_words("https://me:token@host:8080/team/repo.git?x=y"), plain_words("/media/stick/team.git")
    ('host repo', 'team')
    """
    shown = redact_url(place)
    scheme, mark, rest = shown.rpartition("://")
    if not mark and is_scp_like(shown):
        host, _, path = shown.partition(":")
    else:
        host, _, path = rest.partition("/") if scheme and not scheme.endswith("file") else ("", "", rest)
    last = path.rstrip("/").rpartition("/")[2].removesuffix(".git")
    return " ".join(part for part in (host.rpartition("@")[2].partition(":")[0], last) if part)

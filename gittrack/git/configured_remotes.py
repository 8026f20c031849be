"""The remotes that git's configuration names, and where they are."""

from __future__ import annotations

from collections.abc import Mapping

from gittrack.errors import NoRemoteError

_REMOTE, _URL = "remote.", ".url"
_REWRITES, _INSTEAD_OF = "url.", ".insteadof"


def remote_names(git_config: Mapping[str, str]) -> list[str]:
    """The names of all remotes that have a URL, in the order of the configuration."""
    keys = (key for key in git_config if key.startswith(_REMOTE) and key.endswith(_URL))
    return [key[len(_REMOTE) : -len(_URL)] for key in keys]


def remote_url(git_config: Mapping[str, str], name: str) -> str:
    """Where a remote is, rewritten as git does it (``url.<base>.insteadOf``; the longest one counts).

    Raises:
        NoRemoteError: there is no such remote.

    >>> remote_url({"remote.origin.url": "gh:a/b", "url.https://github.com/.insteadof": "gh:"}, "origin")
    'https://github.com/a/b'
    """
    url = git_config.get(f"{_REMOTE}{name}{_URL}")
    if url is None:
        raise NoRemoteError(f"there is no remote '{name[:80]}'", hint="git remote -v")
    matches = [
        (start, key[len(_REWRITES) : -len(_INSTEAD_OF)])
        for key, start in git_config.items()
        if key.startswith(_REWRITES) and key.endswith(_INSTEAD_OF) and start and url.startswith(start)
    ]
    if not matches:
        return url
    start, base = max(matches, key=lambda match: len(match[0]))
    return base + url[len(start) :]

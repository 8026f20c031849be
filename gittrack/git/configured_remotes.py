"""The remotes that git's configuration names, and where they are."""

from __future__ import annotations

from collections.abc import Mapping

from gittrack.errors import NoRemoteError

_REMOTE, _URL, _PUSH_URL = "remote.", ".url", ".pushurl"
_REWRITES, _INSTEAD_OF, _PUSH_INSTEAD_OF = "url.", ".insteadof", ".pushinsteadof"


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
        raise NoRemoteError(f"there is no remote '{name[:80]}'", hint=_other_than(name))
    return rewritten(git_config, url)


def _other_than(name: str) -> str:
    return f"gittrack fetch ./{name[:80]}" if "/" in name else "git remote -v"


def push_url(git_config: Mapping[str, str], name: str) -> str:
    """Where pushes to a remote go, when that is another place than its URL; empty when it is not.

    >>> push_url({"remote.origin.url": "mirror:a", "remote.origin.pushurl": "main:a"}, "origin")
    'main:a'
    """
    url = git_config.get(f"{_REMOTE}{name}{_PUSH_URL}")
    if url is not None:
        return rewritten(git_config, url)
    return push_place(git_config, git_config.get(f"{_REMOTE}{name}{_URL}", ""))


def push_place(git_config: Mapping[str, str], url: str) -> str:
    """Where pushes to a URL go (``url.<base>.pushInsteadOf``), when that is elsewhere; empty when it is not."""
    found = rewritten(git_config, url, _PUSH_INSTEAD_OF)
    return found if found != url else ""


def rewritten(git_config: Mapping[str, str], url: str, by: str = _INSTEAD_OF) -> str:
    """A URL as git makes it of one that was given."""
    matches = [
        (start, key[len(_REWRITES) : -len(by)])
        for key, start in git_config.items()
        if key.startswith(_REWRITES) and key.endswith(by) and start and url.startswith(start)
    ]
    if not matches:
        return url
    start, base = max(matches, key=lambda match: len(match[0]))
    return base + url[len(start) :]

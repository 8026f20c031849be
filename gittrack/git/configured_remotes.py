"""The remotes that git's configuration names, and where they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gittrack.errors import NoRemoteError

_REMOTE, _URL = "remote.", ".url"
_REWRITES, _INSTEAD_OF, _PUSH_INSTEAD_OF = "url.", ".insteadof", ".pushinsteadof"


def remote_names(git_config: Mapping[str, str]) -> list[str]:
    """The names of all remotes that have a URL, in the order of the configuration."""
    keys = (key for key in git_config if key.startswith(_REMOTE) and key.endswith(_URL))
    return [key[len(_REMOTE) : -len(_URL)] for key in keys]


def remote_places(
    git_config: Mapping[str, str], name: str, urls: Sequence[str], push_urls: Sequence[str]
) -> tuple[str, tuple[str, ...]]:
    """Where a remote is fetched from, and where pushes to it go when that is not just there; rewritten as git does it.

    Args:
        git_config: for ``url.<base>.insteadOf`` and ``pushInsteadOf``.
        name: of the remote.
        urls: its ``url``, which may be several: git fetches from the first and pushes to all,
        push_urls: but to these, its ``pushurl``, if there are any.

    Raises:
        NoRemoteError: there is no such remote.

    >>> remote_places({"url.https://github.com/.insteadof": "gh:"}, "origin", ["gh:a/b"], [])
    ('https://github.com/a/b', ())
    >>> remote_places({}, "origin", ["mirror:a"], ["main:a"])
    ('mirror:a', ('main:a',))
    >>> remote_places({}, "origin", ["main:a", "backup:a"], [])
    ('main:a', ('main:a', 'backup:a'))
    """
    if not urls:
        raise NoRemoteError(f"there is no remote '{name[:80]}'", hint=_other_than(name))
    place = rewritten(git_config, urls[0])
    pushed = [rewritten(git_config, url) for url in push_urls]
    pushed = pushed or [push_place(git_config, url) or rewritten(git_config, url) for url in urls]
    return place, () if pushed == [place] else tuple(pushed)


def _other_than(name: str) -> str:
    return f"gittrack fetch ./{name[:80]}" if "/" in name else "git remote -v"


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

"""What is known of remotes: of which repository the remembered ledgers of each speak.

``git remote rename`` and ``set-url`` must not make "shared" a lie: ledgers that were remembered of another repository
say nothing of this one.
"""

from __future__ import annotations

import hashlib
import time
from typing import NamedTuple, TypedDict

from gittrack.core.places import is_place, without_login
from gittrack.core.redact import redact_url
from gittrack.core.refs import RUNS_PREFIX, remote_slug
from gittrack.git.configured_remotes import push_place, remote_names, remote_places, rewritten
from gittrack.git.repository import Repository
from gittrack.store.layout import Layout
from gittrack.store.notes_file import read_notes, write_notes


class Remote(NamedTuple):
    """A remote as runs are shared with it.

    Attributes:
        name: as git knows it, or a place; it may hold a password: say ``shown``.
        slug: what it is called inside refs here.
        prefix: the namespace of ledgers there, ``refs/runs/`` mostly.
        url: where it is, credentials included; never stored.
        push_urls: where pushes go, when that is not just there.
    """

    name: str
    slug: str
    prefix: str
    url: str
    push_urls: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """What it is called in everything that is said, printed or recorded: its name, or its place, no login."""
        return redact_url(self.name)

    @property
    def first(self) -> str:
        """Where a push goes before all other places: to the remote by its name when it pushes to one place only."""
        if len(self.push_urls) < 2:
            return self.name
        return self.url if self.url in self.push_urls else self.push_urls[0]

    @property
    def others(self) -> tuple[str, ...]:
        """The places that are to have the same as what is fetched, or pushed first."""
        return tuple(place for place in self.push_urls if place != self.first)

    @property
    def repository(self) -> str:
        """A text that tells this repository from others and gives nothing away, whoever logs in and how."""
        places = [without_login(place) for place in (self.url, *self.push_urls)]
        return hashlib.sha256("\0".join((*places, self.prefix)).encode("utf-8", "surrogateescape")).hexdigest()


def known_remote(repo: Repository, name: str, prefix: str = RUNS_PREFIX) -> Remote:
    """A remote of a repository.

    Args:
        repo: whose configuration names it.
        name: as git knows it, or the URL or path of a repository.
        prefix: the namespace of ledgers there.

    Raises:
        NoRemoteError: there is none of this name.
    """
    git_config = repo.config()
    if name not in remote_names(git_config) and is_place(name):
        pushed = push_place(git_config, name)
        return Remote(name, remote_slug(name), prefix, rewritten(git_config, name), (pushed,) if pushed else ())
    urls, push_urls = (repo.config_values(f"remote.{name}.{key}") for key in ("url", "pushurl"))
    return Remote(name, remote_slug(name), prefix, *remote_places(git_config, name, urls, push_urls))


def speaks_of(layout: Layout, remote: Remote) -> bool:
    """Whether the ledgers remembered of a remote are those of the repository it is now; True when none are."""
    said = _read(layout).get(remote.slug)
    return said is None or said["repository"] == remote.repository


def last_asked(layout: Layout, remote: Remote) -> int | None:
    """When a remote was last fetched from or pushed to, ms since the epoch; None: never, as far as is known."""
    return asked_of(layout, remote.slug)


def asked_of(layout: Layout, slug: str) -> int | None:
    """As :func:`last_asked`, by slug."""
    said = _read(layout).get(slug)
    return None if said is None else said["asked"]


def repository_of(layout: Layout, slug: str) -> str:
    """Of which repository what is remembered of a remote speaks (:attr:`Remote.repository`); empty: unknown."""
    said = _read(layout).get(slug)
    return "" if said is None else said["repository"]


def remember(layout: Layout, remote: Remote) -> None:
    """Note that what is remembered of a remote is of the repository it is now, and that it was asked just now.

    Raises:
        StorageError: it cannot be written.
    """
    known = _read(layout)
    known[remote.slug] = {"repository": remote.repository, "asked": time.time_ns() // 1_000_000}
    write_notes(layout.remotes_file, known)


class _Said(TypedDict):
    """What is known of one remote."""

    repository: str
    asked: int | None


def _read(layout: Layout) -> dict[str, _Said]:
    """What the file says, by slug; damaged it says nothing, and the next fetch tells what is where."""
    found = read_notes(layout.remotes_file)
    if not isinstance(found, dict):
        return {}
    return {slug: _said(item["repository"], item.get("asked")) for slug, item in found.items() if _is_sound(item)}


def _is_sound(item: object) -> bool:
    return isinstance(item, dict) and isinstance(item.get("repository"), str)


def _said(repository: str, asked: object) -> _Said:
    return {"repository": repository, "asked": asked if type(asked) is int and 0 <= asked < 1 << 53 else None}

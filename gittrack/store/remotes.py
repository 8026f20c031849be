"""What is known of remotes: of which repository the remembered ledgers of each speak.

``git remote rename`` and ``set-url`` must not make "shared" a lie: ledgers that were remembered of another repository
say nothing of this one.
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any, NamedTuple

from gittrack.core.refs import RUNS_PREFIX, remote_slug
from gittrack.errors import StorageError
from gittrack.git.configured_remotes import remote_names, remote_url
from gittrack.git.failures import disk_hint
from gittrack.git.repository import Repository
from gittrack.store.layout import Layout

_MOST = 1 << 20


class Remote(NamedTuple):
    """A remote as runs are shared with it.

    Attributes:
        name: as git knows it.
        slug: what it is called inside refs here.
        prefix: the namespace of ledgers there, ``refs/runs/`` mostly.
        url: where it is, credentials included; never stored.
    """

    name: str
    slug: str
    prefix: str
    url: str

    @property
    def repository(self) -> str:
        """A text that tells this repository from others and gives nothing away."""
        return hashlib.sha256(f"{self.url}\0{self.prefix}".encode("utf-8", "surrogateescape")).hexdigest()


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
    is_place = name not in remote_names(git_config) and ("/" in name or ":" in name)
    return Remote(name, remote_slug(name), prefix, name if is_place else remote_url(git_config, name))


def speaks_of(layout: Layout, remote: Remote) -> bool:
    """Whether the ledgers remembered of a remote are those of the repository it is now; True when none are."""
    said = _read(layout).get(remote.slug)
    return said is None or said == remote.repository


def remember(layout: Layout, remote: Remote) -> None:
    """Note that what is remembered of a remote is of the repository it is now, and that it was asked just now.

    Raises:
        StorageError: it cannot be written.
    """
    known = _read(layout)
    known[remote.slug] = remote.repository
    path = layout.remotes_file
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(exist_ok=True)
        fresh.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        os.replace(fresh, path)
    except OSError as error:
        text = f"cannot write '{path}': {error.strerror}"
        raise StorageError(text, hint=disk_hint(error, path.parent)) from error


def _read(layout: Layout) -> dict[str, Any]:
    """What the file says; damaged it says nothing, and the next fetch tells what is where."""
    try:
        with open(layout.remotes_file, "rb") as file:
            found = json.loads(file.read(_MOST))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}

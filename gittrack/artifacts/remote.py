"""Where bytes lie elsewhere, in DVC's layout below ``<url>/gittrack``: ``files/md5/<2>/<30>``.

A directory needs nothing but the standard library; every other kind of place is reached by DVC's own file systems, with
the credentials that DVC's configuration has for it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from gittrack.core.redact import redact_url
from gittrack.errors import GittrackError
from gittrack.frozen import dataclass

Told = Callable[[int], None]
"""Told of bytes that were moved since it was last told; called from several threads."""


@dataclass(frozen=True, slots=True)
class Errand:
    """One object to move.

    Attributes:
        digest: ``md5:<hex>``.
        path: the file here: of what is sent the bytes themselves, of what is fetched a name that is free.
        what: the artifact, for messages.
    """

    digest: str
    path: str
    what: str


Refusals = dict[str, GittrackError]
"""What could not be moved: digest -> why."""


class Remote(Protocol):
    """A place elsewhere that holds bytes by their hash."""

    @property
    def shown(self) -> str:
        """Its address, without credentials."""

    def place(self, digest: str) -> str:
        """Where it holds a digest, fit to be shown to whoever is to look there."""

    def present(self, sizes: Mapping[str, int | None]) -> set[str]:
        """Which of these digests it holds.

        Args:
            sizes: digest -> bytes that it must have; None when that is not known.

        Raises:
            RemoteError, AuthenticationError: it cannot be asked.
        """

    def send(self, errands: Sequence[Errand], told: Told) -> Refusals:
        """Put objects there, in parallel. Each appears complete or not at all; a damaged one is not sent."""

    def fetch(self, errands: Sequence[Errand], told: Told) -> Refusals:
        """Bring objects here, in parallel. What they hold is not checked: that is for who asked for them."""


@dataclass(frozen=True, slots=True)
class RemoteAddress:
    """A place elsewhere, as settings or a person name it.

    Attributes:
        url: a URL, or the absolute path of a directory; may hold credentials.
        name: the DVC remote of that name; ``""`` when it is none.
        dvc_folder: the ``.dvc`` folder whose configuration knows that name.
        endpoint: the endpoint that this configuration has for it; may hold credentials.
        elsewhere: whether the url is another one than that remote's own, whose other options count all the same.
    """

    url: str
    name: str = ""
    dvc_folder: Path | None = None
    endpoint: str = ""
    elsewhere: bool = False

    @property
    def directory(self) -> Path | None:
        """The directory that it is, or None."""
        if self.url.startswith("file://"):
            return Path(self.url.removeprefix("file://"))
        return None if "://" in self.url else Path(self.url)

    @property
    def shown(self) -> str:
        """The address as it may be shown and written down."""
        return redact_url(self.url)


def address_of(text: str, base: Path) -> RemoteAddress:
    """The place that a URL or a path names.

    Args:
        text: as a setting or a person gave it.
        base: what a relative path is relative to.
    """
    if "://" in text:
        return RemoteAddress(text)
    return RemoteAddress(os.path.normpath(base / os.path.expanduser(text)))


def open_remote(address: RemoteAddress, *, to_send: bool) -> Remote:
    """Open a place elsewhere.

    Args:
        address: which.
        to_send: something will be put there: a directory is made when it is missing and its parent is there.

    Raises:
        RemoteError: there is no such directory, or it cannot be set up.
        AuthenticationError: it wants other credentials.
        MissingDependencyError: what it needs is not installed.
    """
    directory = address.directory
    if directory is not None:
        from gittrack.artifacts.directory_remote import DirectoryRemote

        return DirectoryRemote.open(directory, to_send=to_send)
    from gittrack.artifacts.dvc_remote import DvcRemote

    return DvcRemote.open(address)

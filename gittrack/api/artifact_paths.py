"""The paths that a run's artifacts have: none may be a file and the folder of another at once.

Such a pair can be stored, and never be copied out of the run again: no file system holds both.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TYPE_CHECKING

from gittrack.core.names import display
from gittrack.errors import ConflictError

if TYPE_CHECKING:
    from gittrack.core.records import ArtifactEntry

MODELS_FOLDER = "models"
"""Folder among the artifacts that holds the models, each under its name."""

FilesOfFolder = Callable[[str], Collection[str]]
"""The files in a folder, relative to it, by its digest; none when its listing is not here."""


def paths_above(path: str) -> Iterator[str]:
    """The folders that a path lies in, the topmost first.

    >>> list(paths_above("a/b/c.txt"))
    ['a', 'a/b']
    """
    place = path.find("/")
    while place >= 0:
        yield path[:place]
        place = path.find("/", place + 1)


class ArtifactPaths:
    """What paths a run has, as far as this process knows: before it came, and by its own hand.

    Args:
        known: the artifacts the run has already.
        files_of_folder: what is in a folder that is one artifact.
    """

    def __init__(self, known: Iterable[ArtifactEntry], files_of_folder: FilesOfFolder) -> None:
        self._files_of_folder = files_of_folder
        self._files: set[str] = set()
        self._folders: dict[str, str] = {}
        self._above: set[str] = set()
        self._lock = threading.RLock()  # re-entered by a signal handler that logs
        self._listed: tuple[str, Collection[str]] = ("", ())
        for entry in known:
            self._keep(entry.path, entry.digest if entry.is_folder and entry.storage == "pointer" else "")

    def forked(self) -> None:
        """Told in a forked child: a thread that is gone may have held the lock."""
        self._lock = threading.RLock()

    def claim(self, path: str, folder: str = "") -> None:
        """Take a path for an artifact; the same path may come again, what was logged last counts.

        Args:
            path: in its plain form.
            folder: the digest of a folder that is one artifact; ``""`` for a file.

        Raises:
            ConflictError: a file of the run would be the folder of another. Nothing is taken then.
        """
        with self._lock:
            self._check(path, folder)
            self._keep(path, folder)

    def check(self, path: str) -> None:
        """Raise what :meth:`claim` would of a file, before its bytes are read."""
        with self._lock:
            self._check(path, "")

    def _keep(self, path: str, folder: str) -> None:
        self._files.discard(path)
        self._folders.pop(path, None)
        if folder:
            self._folders[path] = folder
        else:
            self._files.add(path)
        self._above.update(paths_above(path))

    def _check(self, path: str, folder: str) -> None:
        for above in paths_above(path):
            if above in self._files:
                raise _is_file(path, above)
            if above in self._folders:
                self._check_inside(path, above, self._folders[above], is_file=not folder)
        if path not in self._above:
            return
        if not folder:
            raise ConflictError(f"'{_shown(path)}' cannot be a file: it is a folder with artifacts", hint=_HINT)
        for below in [*self._files, *self._folders]:
            if below.startswith(path + "/"):
                self._check_inside(below, path, folder, is_file=below in self._files)

    def _check_inside(self, path: str, folder: str, digest: str, *, is_file: bool) -> None:
        """What is logged into a folder by its own name takes the place of a file there, not of a folder."""
        inner = path[len(folder) + 1 :]
        if self._listed[0] != digest:
            self._listed = (digest, self._files_of_folder(digest))
        files = self._listed[1]
        for above in paths_above(inner):
            if above in files:
                raise _is_file(path, f"{folder}/{above}")
        if is_file and any(file.startswith(inner + "/") for file in files):
            raise ConflictError(f"'{_shown(path)}' cannot be a file: it is a folder in '{_shown(folder)}'", hint=_HINT)


_HINT = "log it under another path"


def _is_file(path: str, above: str) -> ConflictError:
    text = f"'{_shown(path)}' cannot lie below '{_shown(above)}', which is a file of the run"
    return ConflictError(text, hint=_HINT)


def _shown(path: str) -> str:
    return display(path, 80)

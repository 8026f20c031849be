"""A run that goes on elsewhere, followed: what its remote has since is fetched now and then, beside whoever watches."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

from gittrack.api.beside import start_child
from gittrack.api.elsewhere import SILENT, last_seen
from gittrack.api.remotes import runs_remote
from gittrack.git.configured_remotes import remote_names

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.api.saved_run import SavedRun

EVERY = 10.0
"""Seconds between two fetches at least."""
_ERROR = "error: "


class Followed:
    """Keeps what is known here of a run elsewhere up to date, as often as :meth:`look` is called, but not oftener.

    Attributes:
        failed: why the last fetch failed; empty when it did not.
    """

    def __init__(self, project: Project, run: SavedRun, every: float = EVERY) -> None:
        self.failed = ""
        self._project = project
        self._every = every
        self._remote = _remote_of(project, run)
        self._fetch: subprocess.Popen[bytes] | None = None
        self._next = monotonic()
        self._was_asked = not self._remote

    @classmethod
    @contextmanager
    def watched(cls, project: Project, run: SavedRun) -> Iterator[Followed]:
        """The follower of a run, for as long as it is watched; of a run that is written here it does nothing."""
        followed = cls(project, run)
        try:
            yield followed
        finally:
            followed.close()

    def look(self) -> None:
        """Begin a fetch when it is time for one; nothing is waited for."""
        if self._fetch is not None and self._fetch.poll() is not None:
            self._ended(self._fetch)
            self._fetch, self._next, self._was_asked = None, monotonic() + self._every, True
        if self._fetch is None and self._remote and monotonic() >= self._next:
            self._fetch = start_child(self._project, ["fetch", self._remote])
            if self._fetch is None:
                self._remote, self._was_asked = "", True

    def is_lost(self, run: SavedRun) -> bool:
        """Whether nothing was heard of the run for so long that nobody need wait any more."""
        found = last_seen(self._project, run)
        if found is None or not self._was_asked:
            return False
        # Where nothing can be asked, nothing will be heard either.
        return found.may_be_dead or (not self._remote and self._project.now() - found.seen > SILENT)

    def close(self) -> None:
        """End a fetch that goes on: the next one does the rest."""
        if self._fetch is not None:
            self._fetch.terminate()
            self._fetch.communicate()
            self._fetch = None

    def _ended(self, fetch: subprocess.Popen[bytes]) -> None:
        _, said = fetch.communicate()
        errors = [line for line in said.decode("utf-8", "replace").splitlines() if _ERROR in line]
        self.failed = "" if not fetch.returncode or not errors else errors[-1].partition(_ERROR)[2]


def _remote_of(project: Project, run: SavedRun) -> str:
    """The remote whose checkpoint a run is known by; empty when it is known by none that has a name."""
    found = last_seen(project, run)
    if found is None:
        return ""
    names = remote_names(project.git_config)
    return next((name for name in names if runs_remote(project, name).slug == found.remote), "")

"""What every command begins with: where to work, and the runs that a crash left."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from gittrack.cli.terminal import Terminal, say
from gittrack.config import read_process
from gittrack.errors import UsageError
from gittrack.frozen import dataclass

if TYPE_CHECKING:
    from gittrack.api.maintain import Recovery
    from gittrack.api.project import Project


@dataclass(frozen=True, slots=True)
class Session:
    """One call of the command line.

    Attributes:
        directory: the directory given by ``-C``, or None: then ``GITTRACK_REPO`` counts, else the working directory.
        environ: environment variables.
        signs: whether git signs what is said, where it is set to.
    """

    directory: str | None
    environ: Mapping[str, str]
    signs: bool = True

    @classmethod
    def start(cls, directory: str | None) -> Session:
        """Begin; with a directory, work as if started there, as ``git -C`` does.

        Raises:
            UsageError: there is no such directory.
        """
        if directory is not None:
            try:
                os.chdir(directory)
            except OSError as error:
                raise UsageError(f"cannot work in '{directory}': {(error.strerror or '').lower()}") from error
        return cls(None if directory is None else os.getcwd(), read_process().environ)

    @property
    def stdout(self) -> Terminal:
        """Where data is printed."""
        return Terminal.of(sys.stdout, self.environ)

    @property
    def stderr(self) -> Terminal:
        """Where messages are printed."""
        return Terminal.of(sys.stderr, self.environ)

    def project(self) -> Project:
        """The project here.

        Raises:
            NotARepositoryError: there is no repository.
        """
        from gittrack.api.project import Project

        project = Project.open(self.directory)
        for fault in project.faults:
            say(f"warning: {fault}; it does not count: gittrack config", role="warning")
        return project if self.signs else project.unsigned()

    def recovered(self) -> Project:
        """The project here, after runs whose process died are finished; says which."""
        from gittrack.api.recovering import recover

        project = self.project()
        for result in recover(project):
            if result.outcome != "unknown":  # alive on another host, most likely: no news
                say_recovery(result)
        return project


def say_recovery(result: Recovery) -> None:
    """Say what became of one live run, and what to type next."""
    short = result.id[:8]
    if result.outcome == "recovered":
        if result.had_ended:
            news = "which could not be stored when it ended, is stored now"
        else:
            news = "whose process died, is listed as crashed now"
        say(f"run {short}, {news}: gittrack show {short}")
    elif result.outcome == "unknown":
        say(f"warning: run {short} is left: {result.reason}: gittrack recover {short} --force", role="warning")
    else:
        hint = result.hint or "gittrack doctor"
        say(f"warning: run {short} cannot be finished: {result.reason}: {hint}", role="warning")

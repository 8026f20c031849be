"""A project: one repository with its settings, its author, its clock. Everything in ``api`` takes one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gittrack.capture.author import author, writer_slug
from gittrack.config import CONFIG_FILE, Config, Process, read_config, read_process
from gittrack.core.ids import EventId, RunId, event_id_from, run_id_from
from gittrack.core.records import Person, Writer
from gittrack.git.repository import Repository
from gittrack.store.layout import Layout


def now_ms() -> int:
    """Now, ms since the epoch, UTC."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Project:
    """One repository as gittrack sees it.

    Attributes:
        repo: the git repository.
        layout: gittrack's folders in it.
        config: its settings.
        git_config: git's configuration, keys in lower case.
        process: what the environment says.
        person: who works here.
        writer: the slug of that person's ledgers.
        now: the clock, ms since the epoch; tests give their own.
        random: random bytes; tests give their own.
    """

    repo: Repository
    layout: Layout
    config: Config
    git_config: Mapping[str, str]
    process: Process
    person: Person
    writer: str
    now: Callable[[], int] = now_ms
    random: Callable[[int], bytes] = os.urandom

    @classmethod
    def open(cls, start: str | os.PathLike[str] | None = None) -> Project:
        """Open the repository around a directory.

        Args:
            start: the directory; ``GITTRACK_REPO`` or the working directory when None.

        Raises:
            NotARepositoryError: there is none.
            UnsupportedRepositoryError: its format cannot be opened.
            UsageError: a setting has a value of another type.
        """
        process = read_process()
        repo = Repository.discover(Path(start or process.repo or os.getcwd()))
        return cls.of(repo, process)

    @classmethod
    def of(cls, repo: Repository, process: Process) -> Project:
        """The project in a repository that is open already; reads its settings anew."""
        git_config = repo.config()
        config = read_config(process.environ, git_config, read_config_file(repo))
        person = author(git_config, process.environ)
        return cls(
            repo=repo,
            layout=Layout.of(repo.common_dir),
            config=config,
            git_config=git_config,
            process=process,
            person=person,
            writer=writer_slug(config.writer or None, person, process.environ),
        )

    @property
    def author(self) -> Writer:
        """Who appends to ledgers."""
        return Writer(self.writer, self.person)

    def new_run_id(self) -> RunId:
        """A fresh random run id."""
        return run_id_from(self.random(16))

    def new_event_id(self) -> EventId:
        """A fresh time-ordered event id."""
        return event_id_from(self.now(), self.random(10))


def read_config_file(repo: Repository) -> dict[str, Any]:
    """``.gittrack.toml`` at the top of the work tree; empty when there is none.

    Raises:
        CorruptRecordError: it is not TOML.
    """
    if repo.work_tree is None:
        return {}
    try:
        data = (repo.work_tree / CONFIG_FILE).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    from gittrack.core import toml

    return toml.parse(data, limit=1 << 20, what=CONFIG_FILE)

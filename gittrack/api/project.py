"""A project: one repository with its settings, its author, its clock. Everything in ``api`` takes one."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from gittrack.capture.author import author, writer_slug
from gittrack.config import CONFIG_FILE, Config, Process, boolean, read_process, read_settings
from gittrack.core.ids import EventId, RunId, event_id_from, run_id_from
from gittrack.core.names import check_experiment_name
from gittrack.core.records import Person, Writer
from gittrack.errors import CorruptRecordError, NotARepositoryError, UsageError
from gittrack.frozen import dataclass
from gittrack.git.repository import Repository
from gittrack.store.layout import Layout

_MOST_SETTINGS = 1 << 20


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
        faults: settings that are not as they should be and so do not count, each in a sentence.
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
    faults: tuple[str, ...] = ()

    @classmethod
    def open(cls, start: str | os.PathLike[str] | None = None) -> Project:
        """Open the repository around a directory.

        Args:
            start: the directory; ``GITTRACK_REPO`` or the working directory when None.

        Raises:
            NotARepositoryError: there is none.
            UnsupportedRepositoryError: its format cannot be opened.
            UsageError: a setting has a value of another type, and ``strict`` is set.
        """
        process = read_process()
        try:
            repo = Repository.discover(Path(start or process.repo or os.getcwd()))
        except NotARepositoryError as error:
            if start or not process.repo:
                raise
            raise NotARepositoryError(
                f"{error.message}, which GITTRACK_REPO names", hint="unset GITTRACK_REPO"
            ) from error
        return cls.of(repo, process)

    @classmethod
    def of(cls, repo: Repository, process: Process) -> Project:
        """The project in a repository that is open already; reads its settings anew."""
        git_config = repo.config()
        config, faults = _settings(repo, process, git_config)
        if faults and config.strict:
            raise UsageError(faults[0], hint="gittrack config")
        person = author(git_config, process.environ)
        return cls(
            repo=repo,
            layout=Layout.of(repo.common_dir),
            config=config,
            git_config=git_config,
            process=process,
            person=person,
            writer=writer_slug(config.writer or None, person, process.environ),
            faults=faults,
        )

    @property
    def author(self) -> Writer:
        """Who appends to ledgers."""
        return Writer(self.writer, self.person)

    @property
    def signs(self) -> bool:
        """Whether git signs what the person here says.

        Raises:
            UsageError: ``commit.gpgSign`` is neither true nor false; git itself refuses to commit then.
        """
        if self.config.sign != "auto":
            return self.config.sign == "true"
        return boolean("commit.gpgSign", self.git_config.get("commit.gpgsign", "false"))

    def unsigned(self) -> Project:
        """The same, where nothing is signed."""
        return replace(self, config=replace(self.config, sign="false"))

    def new_run_id(self) -> RunId:
        """A fresh random run id."""
        return run_id_from(self.random(16))

    def new_event_id(self) -> EventId:
        """A fresh time-ordered event id."""
        return event_id_from(self.now(), self.random(10))


def _settings(repo: Repository, process: Process, git_config: Mapping[str, str]) -> tuple[Config, tuple[str, ...]]:
    """The settings that can be read, and what is wrong with the others."""
    damage: tuple[str, ...] = ()
    file: Mapping[str, Any] = {}
    try:
        file = read_config_file(repo)
    except CorruptRecordError as error:
        damage = (error.message,)
    except OSError as error:
        damage = (f"{CONFIG_FILE} cannot be read: {error.strerror}",)
    config, faults = read_settings(process.environ, git_config, file)
    try:
        check_experiment_name(config.experiment)
    except UsageError as error:
        config, faults = replace(config, experiment=Config().experiment), (*faults, f"'experiment': {error.message}")
    return config, (*damage, *faults)


def read_config_file(repo: Repository) -> dict[str, Any]:
    """``.gittrack.toml`` at the top of the work tree; empty when there is none.

    Raises:
        CorruptRecordError: it is not TOML.
    """
    if repo.work_tree is None:
        return {}
    try:
        # Whoever one clones from may have made it a link to a pipe or a device: neither waited for nor read for ever.
        file = os.open(repo.work_tree / CONFIG_FILE, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise CorruptRecordError(f"{CONFIG_FILE} is no file", hint=f"rm {CONFIG_FILE}")
        with open(file, "rb", closefd=False) as stream:
            data = stream.read(_MOST_SETTINGS + 1)
    finally:
        os.close(file)
    from gittrack.core import toml

    return toml.parse(data, limit=_MOST_SETTINGS, what=CONFIG_FILE)

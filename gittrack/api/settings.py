"""Settings: which there are, what they are set to and by what, and changing them in this repository's git config."""

from __future__ import annotations

from pathlib import Path

from gittrack.api.guarded import warn
from gittrack.api.project import Project, read_config_file
from gittrack.config import (
    CONFIG_FILE,
    OWN_SETTINGS,
    Config,
    git_key,
    ignored_settings,
    read_config,
    setting_names,
    sources,
)
from gittrack.errors import ConflictError, CorruptRecordError, NotFoundError, RepositoryError, StorageError, UsageError
from gittrack.frozen import dataclass

MEANINGS = {
    "experiment": "the experiment of runs that name none",
    "writer": "who appends to ledgers; empty: made from user.email",
    "strict": "whether a failure of logging raises into the training",
    "quiet": "whether what is said at a run's end is left out",
    "system_metrics": "whether CPU, memory, disk, network and GPU are sampled",
    "system_interval": "seconds between two samples",
    "inline_limit": "bytes up to which an artifact lies in git itself (k, m and g are understood)",
    "output_limit": "bytes of captured output kept; beyond it the middle is left out",
    "snapshot_file_limit": "bytes of one file of the code snapshot; a bigger one is left out",
    "snapshot_limit": "bytes of all files of the code snapshot together",
    "environment": "names of further environment variables to record",
    "headline": "metrics to show first",
    "artifact_remote": "where artifact bytes are pushed to when DVC has no default remote: a URL or a directory",
    "offline": "whether reading an artifact never fetches bytes that are not here",
    "share": "what `gittrack push` shares when nothing is named: all, none, or a query",
    "sign": "whether git signs the events that you write: true, false, or auto: as commit.gpgSign says",
    "runs_remote": "the git remote, or its URL, that runs are shared with",
    "ref_prefix": "the namespace of ledgers at the remote, for hosts that take only branches",
    "fetch_since": "the first month (yyyy-mm) whose ledgers `gittrack fetch` brings; empty: all",
    "inbox_limit": "runs and events in the inbox from which on it is rolled up by itself; 0: never",
    "view_seconds": "seconds that the query of a saved view may take, which comes with a repository",
    "live": "seconds between two checkpoints of a run that goes on, pushed for others to see (30s, 2m); 0: none",
}
_NOT_SET = 5
"""How ``git config --unset`` ends when there is nothing to unset."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as it is now.

    Attributes:
        name: as ``.gittrack.toml`` spells it.
        value: what it is.
        source: ``environment``, ``git config``, ``.gittrack.toml`` or ``default``.
        default: what it would be.
        meaning: what it decides.
    """

    name: str
    value: object
    source: str
    default: object
    meaning: str


def list_settings(project: Project) -> list[Setting]:
    """All settings, in the order of :class:`gittrack.config.Config`.

    A line on stderr tells of those in ``.gittrack.toml`` that are not taken from there.
    """
    try:
        file = read_config_file(project.repo)
    except (CorruptRecordError, OSError):  # what is wrong with it is among the project's faults
        file = {}
    for name in ignored_settings(file):
        warn(f"'{name}' is not taken from {CONFIG_FILE}; to set it: gittrack config {name} VALUE")
    where = sources(project.process.environ, project.git_config, file)
    defaults = Config()
    return [
        Setting(name, getattr(project.config, name), where[name], getattr(defaults, name), MEANINGS[name])
        for name in setting_names()
    ]


def find_setting(project: Project, name: str) -> Setting:
    """One setting.

    Raises:
        UsageError: there is none of that name.
    """
    git_key(name)
    return next(setting for setting in list_settings(project) if setting.name == name)


def change_setting(project: Project, name: str, value: str | None) -> Setting:
    """Set a setting in this repository's git config, or remove it from there.

    Args:
        project: where.
        name: the setting.
        value: as one would write it in git config; None removes it.

    Returns:
        The setting as it is afterwards: the environment may say otherwise.

    Raises:
        UsageError: no such setting, or a value of another type.
        NotFoundError: a setting to remove is not in this repository's git config.
        GitProgramError, StorageError: git could not write it.
    """
    key = git_key(name)
    if value is None:
        before = _git_config(project, "--get-all", key, ok_codes=(0, 1))
        if not before:
            raise NotFoundError(f"'{name}' is not set in this repository's git config", hint="gittrack config")
        _git_config(project, "--unset-all", key, ok_codes=(0, _NOT_SET))
    else:
        if "\0" in value:
            raise UsageError(f"the value of '{name}' holds NUL")
        read_config({}, {key.lower(): value}, {})
        _git_config(project, "--replace-all", "--", key, value)
    return find_setting(Project.of(project.repo.reopened(), project.process), name)


def _git_config(project: Project, *arguments: str, ok_codes: tuple[int, ...] = (0,)) -> bytes:
    from gittrack.git.program import run_git

    directory = project.repo.git_dir
    return run_git(["config", "--local", *arguments], cwd=directory, git_dir=directory, ok_codes=ok_codes)


def write_config_file(project: Project) -> Path:
    """Write ``.gittrack.toml`` with every setting in a comment; nothing is committed.

    Returns:
        The file.

    Raises:
        ConflictError: it is there already.
        RepositoryError: the repository is bare.
        StorageError: it cannot be written.
    """
    if project.repo.work_tree is None:
        raise RepositoryError("the repository is bare: it has no place for a file of settings", hint="gittrack config")
    path = project.repo.work_tree / CONFIG_FILE
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(config_file_text())
    except FileExistsError as error:
        raise ConflictError(f"'{CONFIG_FILE}' is there already", hint="gittrack config") from error
    except OSError as error:
        raise StorageError(f"cannot write '{path}': {(error.strerror or str(error)).lower()}") from error
    return path


def config_file_text() -> str:
    """The text of a fresh ``.gittrack.toml``: every setting that it can make with its default, in comments."""
    from gittrack.core import toml

    lines = [
        "# Settings of gittrack for everyone who works in this repository; take away a '# ' to set one.",
        "# Git config (gittrack.…) and the environment (GITTRACK_…) win over this file. See: gittrack config",
    ]
    defaults = Config()
    for name in setting_names():
        if name in OWN_SETTINGS:
            continue
        value = getattr(defaults, name)
        written = toml.dump({name: list(value) if isinstance(value, tuple) else value}).decode().strip()
        lines += ["", f"# {MEANINGS[name][0].upper()}{MEANINGS[name][1:]}.", f"# {written}"]
    return "\n".join(lines) + "\n"

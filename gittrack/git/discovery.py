"""Finding the repository around a directory by looking at files, which takes a tenth of a millisecond.

Git itself is asked only when another user owns what was found: whether to trust that is git's own rule.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

from gittrack.errors import GitProgramError, NotARepositoryError, RepositoryError
from gittrack.git.failures import REFTABLE, SHA256, foreign_owner, unsupported
from gittrack.git.program import run_git

_SECTION = re.compile(r'\[\s*([A-Za-z0-9.-]+)\s*(?:"(?:[^"\\]|\\.)*")?\s*\]')
_SETTING = re.compile(r"([A-Za-z][A-Za-z0-9-]*)\s*(?:=\s*(.*))?")
_TRUE = frozenset({"true", "yes", "on", "1", ""})


class Location(NamedTuple):
    """Where a repository lies: this worktree's git directory, the one shared by all, and the files (None: bare)."""

    git_dir: Path
    common_dir: Path
    work_tree: Path | None


def locate(start: Path) -> Location:
    """The repository around the directory ``start``, symbolic links resolved.

    Raises:
        NotARepositoryError: there is none.
        UnsupportedRepositoryError: its format is one that libgit2 cannot read.
        RepositoryError: another user owns it and git does not trust it.
    """
    real = Path(os.path.realpath(start))
    for directory in (real, *real.parents):
        git_dir = _git_dir_of(directory)
        if git_dir is not None:
            location = _location(directory, git_dir)
            _check_owner(directory, location)
            return location
    raise NotARepositoryError(f"no git repository around '{start}'", hint="git init")


def is_found_from(work_tree: Path, git_dir: Path) -> bool:
    """Whether git finds this git directory by itself from the top of a work tree; not where only a setting joins them.

    Raises:
        RepositoryError: what lies there cannot be read.
    """
    return os.path.lexists(work_tree / ".git") and _git_dir_of(work_tree) == git_dir


def _git_dir_of(directory: Path) -> Path | None:
    inside = directory / ".git"
    if _is_git_dir(inside):
        return inside
    if inside.is_file():
        text = _read(inside)
        if not text.startswith("gitdir: "):
            raise RepositoryError(f"'{inside}' does not name a git directory")
        target = Path(os.path.realpath(directory / text.removeprefix("gitdir: ").rstrip("\n")))
        if not _is_git_dir(target):
            raise RepositoryError(
                f"'{inside}' names '{target}', which is not a git directory", hint="git worktree prune"
            )
        return target
    return directory if _is_git_dir(directory) else None


def _is_git_dir(directory: Path) -> bool:
    if not os.path.lexists(directory / "HEAD"):
        return False
    return (directory / "commondir").is_file() or ((directory / "objects").is_dir() and (directory / "refs").is_dir())


def _location(directory: Path, git_dir: Path) -> Location:
    common_text = _read(git_dir / "commondir").rstrip("\n") if (git_dir / "commondir").is_file() else ""
    common_dir = Path(os.path.realpath(git_dir / common_text)) if common_text else git_dir
    settings = _own_settings(common_dir / "config")
    if settings.get("extensions.objectformat", "sha1").lower() != "sha1":
        raise unsupported(git_dir, SHA256)
    if settings.get("extensions.refstorage", "files").lower() != "files":
        raise unsupported(git_dir, REFTABLE)
    return Location(git_dir, common_dir, _work_tree(directory, git_dir, linked=bool(common_text), settings=settings))


def _work_tree(directory: Path, git_dir: Path, *, linked: bool, settings: dict[str, str]) -> Path | None:
    if linked:  # the shared core.bare and core.worktree speak of the main worktree
        if git_dir != directory:
            return directory
        return Path(os.path.realpath(git_dir / _read(git_dir / "gitdir").rstrip("\n"))).parent
    if "core.worktree" in settings:
        return Path(os.path.realpath(git_dir / settings["core.worktree"]))
    if settings.get("core.bare", "false").lower() in _TRUE:
        return None
    if git_dir != directory:
        return directory
    return git_dir.parent if git_dir.name == ".git" else None


def _own_settings(path: Path) -> dict[str, str]:
    """The settings of the repository's own file, without includes: git decides the format from these alone."""
    settings: dict[str, str] = {}
    section = ""
    for line in _read(path).split("\n") if path.exists() else ():
        line = line.strip()
        header = _SECTION.match(line)
        if header:
            section, line = header[1].lower(), line[header.end() :].strip()
        setting = _SETTING.match(line)
        if setting:
            value = setting[2]
            settings[f"{section}.{setting[1].lower()}"] = "true" if value is None else _unquoted(value)
    return settings


def _unquoted(value: str) -> str:
    plain, quoted, escaped = "", False, False
    for character in value:
        if escaped:
            plain, escaped = plain + {"n": "\n", "t": "\t", "b": "\b"}.get(character, character), False
        elif character == "\\":
            escaped = True
        elif character == '"':
            quoted = not quoted
        elif character in "#;" and not quoted:
            break
        else:
            plain += character
    return plain.strip()


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8", "surrogateescape")
    except OSError as error:
        raise RepositoryError(f"'{path}' cannot be read: {error.strerror}") from error


def _check_owner(directory: Path, location: Location) -> None:
    user = os.geteuid()
    if all(os.stat(path).st_uid == user for path in (directory, location.git_dir)):
        return
    try:
        run_git(["rev-parse", "--git-dir"], cwd=directory)
    except GitProgramError as error:
        if "ownership" in error.message or "safe.directory" in error.message:
            raise foreign_owner(location.git_dir) from error
        raise

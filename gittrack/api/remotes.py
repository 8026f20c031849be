"""Which remote runs are shared with."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from gittrack.core.places import is_place
from gittrack.core.refs import MONTH, RUNS_PREFIX
from gittrack.errors import NoRemoteError, UsageError
from gittrack.git.configured_remotes import remote_names
from gittrack.store.remotes import Remote, known_remote

if TYPE_CHECKING:
    from gittrack.api.project import Project

EVERY_MONTH = "all"
_PREFIX = re.compile(r"refs/(?:[A-Za-z0-9_-]+/){1,6}")


def runs_remote(project: Project, name: str | None = None) -> Remote:
    """The remote that runs are shared with.

    Args:
        project: where.
        name: a remote, or the URL or path of a repository; None: ``gittrack.runsRemote``, else the remote of the
            branch, else ``origin``, else the only one.

    Raises:
        NoRemoteError: there is none, or none of this name.
        UsageError: ``gittrack.refPrefix`` is no namespace.
    """
    prefix = project.config.ref_prefix or RUNS_PREFIX
    if not _PREFIX.fullmatch(prefix):
        text = f"'{prefix[:80]}' is no namespace for refs (refs/heads/gittrack/)"
        raise UsageError(text, hint="git config --unset gittrack.refPrefix")
    if name is not None:
        return known_remote(project.repo, _placed(project, name, os.getcwd()), prefix)
    configured = project.config.runs_remote
    found = _placed(project, configured, str(project.repo.work_tree or project.repo.git_dir)) if configured else ""
    return known_remote(project.repo, found or _usual(project), prefix)


def is_remote(project: Project, word: str) -> bool:
    """Whether a word names a remote, or is the URL or path of one, rather than a run."""
    return word in remote_names(project.git_config) or is_place(word)


def names_of_remotes(project: Project) -> list[str]:
    """What git calls the remotes of a repository."""
    return remote_names(project.git_config)


def first_month(project: Project, since: str | None) -> str:
    """The first month whose ledgers are fetched, ``yyyy-mm``; empty: all.

    Args:
        project: where; its ``gittrack.fetchSince`` counts where nothing is said.
        since: what was said; ``all``: all.

    Raises:
        UsageError: it is no month.
    """
    said = project.config.fetch_since if since is None else since
    if said in ("", EVERY_MONTH):
        return ""
    if not MONTH.fullmatch(said):
        hint = "gittrack fetch --since 2026-09" if since is not None else "git config --unset gittrack.fetchSince"
        raise UsageError(f"'{said[:40]}' is not a month (yyyy-mm)", hint=hint)
    return said


def _placed(project: Project, name: str, base: str) -> str:
    """A relative path made absolute; a name or any other place as it is."""
    if name in remote_names(project.git_config):
        return name
    if name.startswith("~"):
        return os.path.expanduser(name)
    if name in (".", "..") or name.startswith(("./", "../")):
        return os.path.realpath(os.path.join(base, name))
    return name


def _usual(project: Project) -> str:
    names = remote_names(project.git_config)
    branch = project.repo.head().branch
    followed = project.git_config.get(f"branch.{branch}.remote", "") if branch is not None else ""
    for name in (followed, "origin"):
        if name in names:
            return name
    if len(names) == 1:
        return names[0]
    if not names:
        raise NoRemoteError("there is no git remote to share runs with", hint="git remote add origin URL")
    text = f"there are {len(names)} remotes and none is called origin: {', '.join(names[:5])}"
    raise NoRemoteError(text, hint=f"git config gittrack.runsRemote {names[0]}")

"""Sharing runs from Python: what ``gittrack push``, ``fetch``, ``pull``, ``status``, ``inbox`` and ``comment`` do."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from gittrack.api.project import Project
from gittrack.api.recovering import recover
from gittrack.errors import UsageError
from gittrack.frozen import dataclass

if TYPE_CHECKING:
    from gittrack.api.comments import Comment
    from gittrack.api.fetch import Fetched
    from gittrack.api.news import News
    from gittrack.api.push import Pushed
    from gittrack.api.run import Run
    from gittrack.api.saved_run import SavedRun
    from gittrack.api.sharing_status import SharingStatus
    from gittrack.artifacts.transfer import Transfer

Repo = str | os.PathLike[str] | None


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a pull did.

    Attributes:
        fetched: the runs and events that came.
        bytes_moved: the transfer of artifact bytes; None when none were asked for.
    """

    fetched: Fetched
    bytes_moved: Transfer | None


def push(
    remote: str | None = None,
    runs: Iterable[SavedRun | str] = (),
    *,
    query: str = "",
    experiment: str | None = None,
    everything: bool = False,
    publish_code: bool = False,
    repo: Repo = None,
) -> Pushed:
    """Share runs through a git remote: artifact bytes first, then the runs and what was said about any run.

    Broken off at any moment, the same call does the rest. It speaks with the network, so it may take long and fail:
    call it after the run, not within it.

    Args:
        remote: a name, URL or path; the usual remote when None.
        runs: only these, or their addresses.
        query: only the runs that this finds.
        experiment: only the runs of this one.
        everything: every run, whatever the setting ``share`` says.
        publish_code: go on when commits of your code that are at no branch of the remote would become public.
        repo: a directory in the repository; the working directory when None.

    Returns:
        Frozen: ``.plan`` is what was to be shared, ``.shared.rows`` what was.

    Raises:
        UsageError: commits of code would become public and nobody said that they may; runs are named in several ways.
        RunNotFoundError, AmbiguousError, ExperimentNotFoundError, QuerySyntaxError: what is named.
        NoRemoteError, AuthenticationError, RemoteError: the remote.

    Example:
        >>> gittrack.push().plan.runs  # doctest: +SKIP
        ('3f2a…',)
    """
    from gittrack.api import push as pushing

    project = _opened(repo)
    addresses = [run if isinstance(run, str) else run.id for run in ([runs] if isinstance(runs, str) else runs)]
    plan = pushing.plan_push(project, remote, runs=addresses, query=query, experiment=experiment, everything=everything)
    if plan.rows and plan.commits and not publish_code:
        commits = "1 commit" if len(plan.commits) == 1 else f"{len(plan.commits)} commits"
        text = f"{commits} of your code, on no branch of {plan.remote.shown}, would become public"
        raise UsageError(text, hint="git push, or: gittrack.push(publish_code=True)")
    return pushing.push(project, plan)


def fetch(remote: str | None = None, *, accept_rewrite: bool = False, repo: Repo = None) -> Fetched:
    """Get what others shared: runs, and what was said about runs, each checked before it is shown.

    Args:
        remote: a name, URL or path; the usual remote when None.
        accept_rewrite: use ledgers that were rewritten there; what is yours stays here.
        repo: a directory in the repository; the working directory when None.

    Returns:
        Frozen: ``.runs`` and ``.events`` are how many are new, ``.refused`` what was not taken, ``.rewritten`` the
        ledgers that were rewritten there and so are used as they were.

    Raises:
        NoRemoteError, AuthenticationError, RemoteError: the remote.

    Example:
        >>> gittrack.fetch().runs  # doctest: +SKIP
        3
    """
    from gittrack.api import fetch as fetching

    return fetching.fetch(_opened(repo), remote, accept_rewrites=accept_rewrite)


def pull(remote: str | None = None, *, artifacts: str = "none", repo: Repo = None) -> Pulled:
    """Fetch, then bring the bytes of artifacts that are asked for from the DVC remote.

    Args:
        remote: as of :func:`fetch`.
        artifacts: ``none``, ``models``, ``all``, or a rule: ``best:10 by lowest val_loss``, ``last:50``, ``tagged``.
        repo: a directory in the repository; the working directory when None.

    Raises:
        UsageError: ``artifacts`` is none of these; nothing was fetched then.
        NoRemoteError, AuthenticationError, RemoteError, MissingDependencyError: the remotes.
    """
    from gittrack.api import pull as pulling
    from gittrack.core.retention import parse_rule

    if artifacts not in (pulling.NONE, pulling.MODELS, pulling.ALL):
        parse_rule(artifacts)
    fetched = fetch(remote, repo=repo)
    return Pulled(fetched, pulling.pull_wanted(_opened(repo), artifacts))


def sharing_status(remote: str | None = None, *, offline: bool = False, repo: Repo = None) -> SharingStatus:
    """How this clone and a remote stand to each other; nothing is changed here or there.

    Args:
        remote: a name, URL or path; the usual remote when None.
        offline: do not ask the remote.
        repo: a directory in the repository; the working directory when None.

    Returns:
        Frozen: ``.runs`` and ``.events`` that are not shared, ``.news`` at the remote, ``.running`` runs. A remote that
        cannot be reached is no error: ``.unreachable`` says why.

    Raises:
        NoRemoteError: there is no remote of that name.
    """
    from gittrack.api.sharing_status import sharing_status as status_of

    return status_of(_opened(repo), remote, offline=offline)


def inbox(*, keep: bool = True, repo: Repo = None) -> News:
    """What others shared since somebody last looked, as far as it was fetched.

    Args:
        keep: tell the same again next time; False remembers that somebody looked, as ``gittrack inbox`` does.
        repo: a directory in the repository; the working directory when None.

    Returns:
        Frozen: ``.runs`` and ``.events``, newest first.

    Raises:
        StorageError: what was looked at cannot be remembered.
    """
    from gittrack.api.news import mark_as_seen, news

    project = _opened(repo)
    found = news(project)
    if not keep:
        mark_as_seen(project, found)
    return found


def comment(run: Run | SavedRun | str, text: str, *, reply: str | None = None, repo: Repo = None) -> Comment:
    """Say something about a run; others see it once it is pushed.

    Where git is set to sign, it is signed. While a run of this process is active it is not, and a line on stderr says
    so: training must not wait for a passphrase.

    Args:
        run: a run, or its address.
        text: what, any number of lines; secrets in it are masked.
        reply: the last digits of the comment that it answers.
        repo: a directory in the repository; the working directory when None.

    Raises:
        RunNotFoundError, AmbiguousError, NotFoundError: the run, or ``reply``.
        InvalidValueError: the text is empty or too long.
        SigningError: git is set to sign and could not; nothing was said.

    Example:
        >>> gittrack.comment("@latest", "why so slow?").handle  # doctest: +SKIP
        '4f0a21'
    """
    from gittrack.api.comments import comment_run
    from gittrack.api.guarded import warn
    from gittrack.api.read import may_ask_index

    project = _opened(repo)
    if not may_ask_index() and project.signs:
        warn("the comment is not signed: what trains signs nothing")
        project = project.unsigned()
    return comment_run(project, run if isinstance(run, str) else run.id, text, answers=reply)


def _opened(repo: Repo) -> Project:
    project = Project.open(repo)
    recover(project)
    return project

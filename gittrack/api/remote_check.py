"""Whether a remote can take runs, found out by trying: a ref that nobody reads is pushed and deleted again."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from gittrack.api.artifact_transfer import remote_name
from gittrack.api.remotes import runs_remote
from gittrack.core.records import GITTRACK
from gittrack.core.redact import redact_url
from gittrack.errors import RemoteError
from gittrack.frozen import dataclass
from gittrack.git.network import list_remote, push_ref
from gittrack.store.remotes import Remote, speaks_of

if TYPE_CHECKING:
    from gittrack.api.project import Project


@dataclass(frozen=True, slots=True)
class Checked:
    """One thing that was tried.

    Attributes:
        what: what it was.
        works: whether it does.
        said: the remote's words, or what was found.
        advice: what to do; empty when there is nothing to do.
        needed: whether runs cannot be shared without it.
    """

    what: str
    works: bool
    said: str = ""
    advice: str = ""
    needed: bool = True


@dataclass(frozen=True, slots=True)
class RemoteCheck:
    """What a remote can do.

    Attributes:
        remote: its name.
        url: where it is, without credentials.
        found: what was tried, in order.
    """

    remote: str
    url: str
    found: tuple[Checked, ...]

    @property
    def works(self) -> bool:
        """Whether runs can be shared through it."""
        return all(item.works for item in self.found if item.needed)


def check_remote(project: Project, name: str | None = None) -> RemoteCheck:
    """Find out whether a remote can be read, takes our refs and tags, and where artifact bytes go.

    Two refs are pushed there and deleted at once: one in our namespace that no reader takes for a ledger, and a tag.

    Args:
        project: where.
        name: the remote; None: the usual one.

    Raises:
        NoRemoteError: there is none.
    """
    remote = runs_remote(project, name)
    found = []
    try:
        refs = list_remote(project.repo, remote.name, [f"{remote.prefix}*"])
        found.append(Checked("it can be read", True, f"{len(refs)} ledgers"))
    except RemoteError as error:
        failed = Checked("it can be read", False, error.message, error.hint or "")
        return RemoteCheck(remote.shown, redact_url(remote.url), (failed,))
    mark = uuid.uuid4().hex[:12]
    found.append(_takes(project, remote, f"{remote.prefix}check/{mark}", "it takes runs", _other_prefix(remote.prefix)))
    found.append(
        _takes(project, remote, f"refs/tags/gittrack-check-{mark}", "it takes tags", "ask for the right to push tags")
    )
    if not speaks_of(project.layout, remote):
        found.append(
            Checked(
                "it is the repository it was",
                False,
                "its URL or gittrack.refPrefix was changed",
                f"gittrack fetch {remote.shown}",
            )
        )
    bytes_remote = remote_name(project)
    advice = "" if bytes_remote else "dvc remote add --default NAME URL, or: git config gittrack.artifactRemote URL"
    found.append(
        Checked(
            "artifact bytes have a place",
            bool(bytes_remote),
            bytes_remote or "no DVC remote is set up",
            advice,
            needed=False,
        )
    )
    return RemoteCheck(remote.shown, redact_url(remote.url), tuple(found))


def _other_prefix(prefix: str) -> str:
    if prefix.startswith("refs/heads/"):
        return "ask for the right to push"
    return "git config gittrack.refPrefix refs/heads/gittrack/ (everybody then sees the ledgers as branches)"


def _takes(project: Project, remote: Remote, name: str, what: str, advice: str) -> Checked:
    """Push an empty commit to a ref, look for it, and delete it."""
    repo = project.repo
    commit = repo.objects.write_commit(repo.objects.write_tree({}), [], "a check by gittrack\n", GITTRACK, 0)
    try:
        answer = push_ref(repo, remote.name, commit, name)
        if not answer.accepted:
            return Checked(what, False, answer.reason, advice)
        shows = any(ref.name == name for ref in list_remote(repo, remote.name, [name]))
        gone = push_ref(repo, remote.name, None, name, lease=commit)
    except RemoteError as error:
        return Checked(what, False, error.message, error.hint or advice)
    if not shows:
        return Checked(what, False, _hidden(remote), advice)
    left = "" if gone.accepted else f"{name} is left there: {gone.reason}"
    return Checked(what, True, left, f"git push {remote.shown} :{name}" if left else "")


def _hidden(remote: Remote) -> str:
    if remote.push_urls:
        places = ", ".join(map(redact_url, remote.push_urls))
        return f"it was pushed to {places} and is not seen at {redact_url(remote.url)}"
    return "it takes it but hides it, so nobody can fetch it"

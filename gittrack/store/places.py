"""A remote that pushes to several places, or elsewhere than it is fetched from: each is to have all that is shared.

What is remembered of such a remote is what one of its places has (``Remote.first``), where each push goes before the
others: only so the ledgers of the places are never at odds. The others then get the same commits.
"""

from __future__ import annotations

from typing import NamedTuple

from gittrack.core.ids import ObjectId
from gittrack.core.parsed_refs import RemoteLedgerRef, parse_ref
from gittrack.core.redact import redact_url
from gittrack.core.refs import REMOTE_PREFIX, shared_ledger
from gittrack.errors import RemoteError
from gittrack.git.network import Told, list_remote, push_ref
from gittrack.git.repository import Repository
from gittrack.store.remotes import Remote


class Lack(NamedTuple):
    """A place that does not have a ledger as it is remembered: the ledger's name there, and its tip."""

    place: str
    name: str
    tip: ObjectId

    @property
    def shown(self) -> str:
        """The place, without a login."""
        return redact_url(self.place)


def lacks(repo: Repository, remote: Remote, writer: str) -> list[Lack]:
    """What the other places of a remote lack of one's own ledgers; each is asked. Of most remotes there are none.

    Raises:
        AuthenticationError, NoRemoteError, RemoteError: a place cannot be reached.
    """
    if not remote.others:
        return []
    own = []
    first = _tips(repo, remote, remote.first)
    for ref, tip in repo.refs.list(f"{REMOTE_PREFIX}{remote.slug}/"):
        ledger = parse_ref(ref)
        if isinstance(ledger, RemoteLedgerRef) and ledger.writer == writer:
            name = shared_ledger(remote.prefix, ledger.month, writer)
            if first.get(name) == tip:  # else it was rewritten there, maybe to take something out: that is not undone
                own.append((name, tip))
    found = []
    for place in remote.others:
        there = _tips(repo, remote, place)
        found += [Lack(place, name, tip) for name, tip in own if there.get(name) != tip]
    return found


def _tips(repo: Repository, remote: Remote, place: str) -> dict[str, ObjectId]:
    return {ref.name: ref.tip for ref in list_remote(repo, place, [f"{remote.prefix}*"])}


def bring(repo: Repository, remote: Remote, writer: str, told: Told | None = None) -> list[Lack]:
    """Bring each of the other places what it lacks, as fast-forwards.

    Args:
        repo: where from.
        remote: whose places.
        writer: whose ledgers.
        told: git's progress.

    Returns:
        What was brought. A place that has something newer than is known here lacks nothing.

    Raises:
        RemoteError: a place refuses; the others have it, and the next push tries again.
    """
    brought = []
    for lack in lacks(repo, remote, writer):
        answer = push_ref(repo, lack.place, lack.tip, lack.name, told=told)
        if answer.accepted:
            brought.append(lack)
        elif not (answer.behind and remote.first == remote.name):
            took = redact_url(remote.url if remote.first == remote.name else remote.first)
            text = f"remote '{remote.shown}' pushes to several places, and one refuses '{lack.name}': {answer.reason}"
            hint = "gittrack push, when it takes it; one place alone: git config gittrack.runsRemote URL"
            raise RemoteError(f"{text} (said {lack.shown}; {took} took it)", hint=hint)
    return brought

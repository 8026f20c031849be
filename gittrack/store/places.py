"""A remote that pushes to several places, or elsewhere than it is fetched from: each is to have all that is shared.

What is remembered of such a remote is what one of its places has (``Remote.first``), where each push goes before the
others: only so the ledgers of the places are never at odds. The others then get the same commits.
"""

from __future__ import annotations

from typing import NamedTuple

from gittrack.core.ids import ObjectId
from gittrack.core.parsed_refs import RemoteLedgerRef, parse_ref
from gittrack.core.problem import Problem
from gittrack.core.redact import redact_url
from gittrack.core.refs import REMOTE_PREFIX, shared_ledger
from gittrack.errors import RemoteError
from gittrack.git.network import Told, list_remote, push_ref
from gittrack.git.repository import Repository
from gittrack.store.doubtful import read_behind, write_behind
from gittrack.store.layout import Layout
from gittrack.store.outgoing import refusal
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


def lacks(repo: Repository, remote: Remote, writer: str) -> tuple[list[Lack], list[Problem]]:
    """What the other places of a remote lack of one's own ledgers; each is asked. Of most remotes there are none.

    Returns:
        What they lack, and the places that cannot be reached: they keep nobody from sharing with the rest.

    Raises:
        AuthenticationError, NoRemoteError, RemoteError: the first place cannot be reached.
    """
    if not remote.others:
        return [], []
    own = []
    first = _tips(repo, remote, remote.first)
    for ref, tip in repo.refs.list(f"{REMOTE_PREFIX}{remote.slug}/"):
        ledger = parse_ref(ref)
        if isinstance(ledger, RemoteLedgerRef) and ledger.writer == writer:
            name = shared_ledger(remote.prefix, ledger.month, writer)
            if first.get(name) == tip:  # else it was rewritten there, maybe to take something out: that is not undone
                own.append((name, tip))
    found: list[Lack] = []
    away: list[Problem] = []
    for place in remote.others:
        try:
            there = _tips(repo, remote, place)
        except RemoteError as error:
            away.append(Problem(redact_url(place), error.message))
            continue
        found += [Lack(place, name, tip) for name, tip in own if there.get(name) != tip]
    return found, away


def behind(repo: Repository, layout: Layout, remote: Remote, writer: str) -> list[Lack]:
    """Of which of one's own ledgers the remote has an earlier state, as far as fetches have seen."""
    marked = read_behind(layout)
    found = []
    for name in sorted(marked):
        ledger, tip = parse_ref(name), repo.refs.get(name)
        if isinstance(ledger, RemoteLedgerRef) and (ledger.remote, ledger.writer) == (remote.slug, writer) and tip:
            found.append(Lack(remote.name, shared_ledger(remote.prefix, ledger.month, writer), tip))
    return found


def bring_on(repo: Repository, layout: Layout, remote: Remote, writer: str, told: Told | None = None) -> None:
    """Bring the remote what it lacks since an earlier state was played back, as fast-forwards.

    Raises:
        RemoteError: it refuses; what was brought before stays.
    """
    for lack in behind(repo, layout, remote, writer):
        answer = push_ref(repo, lack.place, lack.tip, lack.name, told=told)
        if not answer.accepted and not answer.behind:
            raise refusal(remote, answer)
    write_behind(layout, remote.slug, (), lambda _: True)


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
        RemoteError: a place refuses or is away; the others have it, and the next push tries again.
    """
    brought = []
    lacking, away = lacks(repo, remote, writer)
    failed = [f"one cannot be reached: {problem.reason}" for problem in away]
    for lack in lacking:
        try:
            answer = push_ref(repo, lack.place, lack.tip, lack.name, told=told)
        except RemoteError as error:
            failed.append(f"one does not take '{lack.name}': {error.message}")
            continue
        if answer.accepted:
            brought.append(lack)
        elif not (answer.behind and remote.first == remote.name):
            failed.append(f"one refuses '{lack.name}': {answer.reason} (said {lack.shown})")
    if failed:
        took = redact_url(remote.url if remote.first == remote.name else remote.first)
        hint = "gittrack push, when it takes it; one place alone: git config gittrack.runsRemote URL"
        text = f"remote '{remote.shown}' pushes to several places, and {failed[0]}; {took} has it all"
        raise RemoteError(text, hint=hint)
    return brought

"""The names of our refs (docs/format.md, "Refs"); ``parsed_refs.py`` reads them.

Every kind of name has its own depth, lower case, ``[a-z0-9-]``.
"""

from __future__ import annotations

import re

from gittrack.core.ids import EventId, RefName, RunId
from gittrack.errors import InvalidNameError

INBOX_PREFIX = "refs/runs/inbox/"
LOCAL_PREFIX = "refs/runs/local/"
HOLD_PREFIX = "refs/runs/hold/"
RUNS_PREFIX = "refs/runs/"
REMOTE_PREFIX = "refs/runs-remote/"
FETCHED_PREFIX = "refs/runs-fetched/"
"""What was fetched and is not yet checked; no reader looks there, and it is deleted by the command that made it."""

LIVE = "live"
"""The part of a name that stands where a month does, before the ids of runs that go on."""

FROM, BUNDLE = "from-", "bundle-"
"""How slugs begin that no remote of git's gets: of ledgers that clones make for bundles, and of what came in one."""

_RUN_ID = re.compile(r"[0-9a-f]{32}")
MONTH = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])")
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")


def inbox_ref(id: RunId | EventId) -> RefName:
    """The inbox ref of a run or an event."""
    return RefName(INBOX_PREFIX + id)


def hold_ref(id: RunId) -> RefName:
    """The ref that holds a live run's snapshot."""
    return RefName(HOLD_PREFIX + id)


def local_ledger_ref(month: str) -> RefName:
    """The local ledger of a month, ``yyyy-mm``.

    Raises:
        InvalidNameError: ``month`` is not a month.
    """
    if not MONTH.fullmatch(month):
        raise InvalidNameError(f"'{month[:20]}' is not a month (yyyy-mm)")
    return RefName(LOCAL_PREFIX + month)


def remote_ledger_ref(remote: str, month: str, writer: str) -> RefName:
    """Where a remote's ledger is remembered.

    Args:
        remote: the remote's slug.
        month: ``yyyy-mm``.
        writer: whose ledger.
    """
    if not (is_writer(remote) and MONTH.fullmatch(month) and is_writer(writer)):
        raise InvalidNameError(f"'{remote[:40]}/{month[:20]}/{writer[:40]}' names no ledger of a remote")
    return RefName(f"{REMOTE_PREFIX}{remote}/{month}/{writer}")


def remote_checkpoint_ref(remote: str, id: RunId) -> RefName:
    """Where the last checkpoint of a run that goes on elsewhere is remembered.

    Args:
        remote: the remote's slug.
        id: the run.
    """
    if not is_writer(remote):
        raise InvalidNameError(f"'{remote[:40]}' names no remote")
    return RefName(f"{REMOTE_PREFIX}{remote}/{LIVE}/{id}")


def shared_checkpoint(prefix: str, id: RunId) -> str:
    """The name of a run's checkpoint at a remote, below ``refs/runs/`` or what stands for it there."""
    return f"{prefix}{LIVE}/{id}"


def parse_shared_checkpoint(prefix: str, name: str) -> RunId | None:
    """The run whose checkpoint a ref at a remote is; None for any other ref.

    >>> parse_shared_checkpoint("refs/runs/", "refs/runs/live/0123456789abcdef0123456789abcdef")
    '0123456789abcdef0123456789abcdef'
    """
    beginning = f"{prefix}{LIVE}/"
    return RunId(name[len(beginning) :]) if name.startswith(beginning) and _is_id(name[len(beginning) :]) else None


def _is_id(text: str) -> bool:
    return _RUN_ID.fullmatch(text) is not None


def remote_slug(name: str) -> str:
    """What a remote is called inside refs: its name, or one made of it that no other remote has.

    Refs travel in bundles, so of a URL or a path only the host and the last part are in it, and nothing that logs in.

    >>> remote_slug("origin"), remote_slug("Team/GPU"), remote_slug("https://me:token@host/team/repo.git")
    ('origin', 'team-gpu-1536f667', 'host-repo-114eb464')
    """
    if is_writer(name) and not name.startswith((FROM, BUNDLE)):
        return name
    from gittrack.core.places import is_place, plain_words, without_login  # most remotes are called origin

    if is_place(name):
        return _slug_with_hash(plain_words(name), without_login(name))
    return _slug_with_hash(f"remote-{name}" if name.startswith((FROM, BUNDLE)) else name, name)


def bundle_slug(slug: str) -> str:
    """What the ledgers of a remote are called here that came in a bundle; no remote of git's is called so.

    Args:
        slug: of the remote, where the bundle was written.

    >>> bundle_slug("origin"), bundle_slug("from-0123456789ab")
    ('bundle-origin', 'from-0123456789ab')
    """
    if slug.startswith((FROM, BUNDLE)):
        return slug
    return BUNDLE + slug if is_writer(BUNDLE + slug) else _slug_with_hash(BUNDLE + slug, BUNDLE + slug)


def _slug_with_hash(words: str, name: str) -> str:
    import hashlib  # loads OpenSSL

    plain = re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")[:31].rstrip("-")
    return f"{plain}-{hashlib.sha256(name.encode('utf-8', 'surrogateescape')).hexdigest()[:8]}".lstrip("-")


def shared_ledger(prefix: str, month: str, writer: str) -> str:
    """The name of a ledger at a remote, below ``refs/runs/`` or what stands for it there."""
    return f"{prefix}{month}/{writer}"


def parse_shared_ledger(prefix: str, name: str) -> tuple[str, str] | None:
    """The month and the writer of a ledger at a remote; None for any other ref.

    >>> parse_shared_ledger("refs/runs/", "refs/runs/2026-11/ann")
    ('2026-11', 'ann')
    """
    month, slash, writer = name.removeprefix(prefix).partition("/")
    fits = name.startswith(prefix) and slash and MONTH.fullmatch(month) and is_writer(writer)
    return (month, writer) if fits else None


def is_writer(text: str) -> bool:
    """Whether ``text`` can name a writer or a remote inside a ref: ``[a-z0-9-]``, 1 to 40 characters."""
    return _SLUG.fullmatch(text) is not None

"""Events in git: each a parentless commit of its own, published as an inbox ref, later rolled up like runs."""

from __future__ import annotations

from gittrack.core.events import decode_event, encode_event, event_message, event_path
from gittrack.core.ids import ObjectId
from gittrack.core.records import Event
from gittrack.core.refs import inbox_ref
from gittrack.errors import CorruptRecordError, InvalidValueError
from gittrack.git.repository import Repository
from gittrack.git.retry import retried
from gittrack.git.trees import format_commit

EVENT_BYTES = 8 << 20


def write_event(repo: Repository, event: Event, *, sign: bool = False) -> ObjectId:
    """Store an event.

    Two processes that state something about one subject at once both succeed: each has an id, a commit and a ref of
    its own.

    Args:
        repo: where.
        event: what is stated.
        sign: let git sign its commit, which may ask for a passphrase: only for what a person says just now.

    Returns:
        Its commit.

    Raises:
        StorageError: git could not store it.
        SigningError: git could not sign it; nothing was stored.
        InvalidValueError: it is longer than readers take.
    """
    signed = _signed(repo, event) if sign else None  # once: whoever is asked for a passphrase is asked once

    def attempt() -> ObjectId:
        commit = event_commit(repo, event, signed)
        name = inbox_ref(event.id)
        if repo.refs.get(name) != commit:
            repo.refs.create(name, commit)
        return commit

    return retried(attempt)


def event_commit(repo: Repository, event: Event, signed: bytes | None = None) -> ObjectId:
    """Write an event's commit, or the signed one that is given; no ref is touched."""
    content = _content(repo, event)
    return repo.objects.write_commit_bytes(content if signed is None else signed)


def _signed(repo: Repository, event: Event) -> bytes:
    from gittrack.git.signing import sign_commit  # not loaded where nothing is signed, as mostly

    return sign_commit(repo, _content(repo, event))


def _content(repo: Repository, event: Event) -> bytes:
    """Write an event's tree; the bytes of its commit."""
    data = encode_event(event)
    if len(data) > EVENT_BYTES:
        raise InvalidValueError(f"the {event.kind} is too long: an event holds at most {EVENT_BYTES >> 20} MiB")
    tree = repo.objects.write_tree({event_path(event): data})
    return format_commit(tree, [], event_message(event), event.author, event.time // 1000)


def read_event(repo: Repository, commit: ObjectId) -> Event:
    """Read an event's commit.

    Raises:
        CorruptRecordError: its tree is not exactly one event file, or the file's name says something else.
        UnsupportedFormatError: a newer format.
    """
    entries = repo.objects.list_tree(commit, limit=4)
    if len(entries) != 1:
        raise CorruptRecordError(f"commit {commit} is not an event: its tree holds {len(entries)} files")
    event = decode_event(repo.objects.read_blob(entries[0].id, EVENT_BYTES))
    if entries[0].path != event_path(event):
        raise CorruptRecordError(f"commit {commit} is not an event: '{entries[0].path[:80]}' names another")
    return event

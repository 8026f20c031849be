"""Ledgers rebuilt without some commits: the only thing that ever rewrites one, for ``gittrack expunge``.

Same root, same batches in the same order, with their people and dates; what comes before the first batch that changes
keeps its commits. The result depends on nothing but the ledger and what goes, so that it is made again after a kill,
and found to be what the remote has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from gittrack.core.events import is_event_message
from gittrack.core.ids import ObjectId
from gittrack.core.ledger import BATCH_FILE, BatchRow, batch_subject, decode_batch, encode_batch
from gittrack.core.rebuilt_batch import batch_without
from gittrack.core.records import Event
from gittrack.errors import CorruptRecordError, GittrackError
from gittrack.git.repository import Repository
from gittrack.git.trees import Commit
from gittrack.store.catalog import MAX_BATCH_BYTES
from gittrack.store.run_reader import read_listed


class Statement(NamedTuple):
    """The event that says that a run is expunged, and its commit."""

    event: Event
    commit: ObjectId


def ledger_commits(repo: Repository, tip: ObjectId) -> Iterator[Commit]:
    """The commits of a ledger, newest first, down to its root or to where the history is cut off.

    Raises:
        CorruptRecordError: one is missing or damaged.
    """
    cut_off = repo.cut_off()
    following: ObjectId | None = tip
    while following is not None:
        commit = repo.objects.read_commit(following)
        yield commit
        following = commit.parents[0] if commit.parents and commit.id not in cut_off else None


def batch_rows(repo: Repository, commit: Commit) -> list[BatchRow]:
    """The rows of one commit of a ledger that can be read; none of a root or a damaged batch."""
    try:
        data = repo.objects.read_file(commit.id, BATCH_FILE, limit=MAX_BATCH_BYTES)
        return [] if data is None else decode_batch(data, frozenset(commit.parents[1:]))
    except GittrackError:
        return []  # readers and `fsck` tell; what it carries is looked for among its parents


def without_commits(repo: Repository, tip: ObjectId, gone: frozenset[ObjectId]) -> ObjectId:
    """A ledger without some runs and events; its own tip when it carries none of them. No ref is touched.

    Args:
        repo: where.
        tip: the ledger's.
        gone: commits of runs and events.

    Returns:
        The new tip; a ledger that held nothing else is its root.

    Raises:
        CorruptRecordError, UnsupportedFormatError: a batch that carries one of them cannot be read.
        StorageError: not stored.
    """
    after: list[Commit] = []
    changed = 0
    for commit in ledger_commits(repo, tip):
        after.append(commit)
        if not gone.isdisjoint(commit.parents[1:]):
            changed = len(after)
    new = after[changed - 1].parents[0] if changed else tip
    for commit in reversed(after[:changed]):
        new = _again(repo, commit, new, gone)
    return new


def _again(repo: Repository, commit: Commit, before: ObjectId, gone: frozenset[ObjectId]) -> ObjectId:
    """One commit of a ledger on another one; ``before`` itself when nothing is left of its batch."""
    parents = [parent for parent in commit.parents[1:] if parent not in gone]
    if len(parents) == len(commit.parents) - 1:
        return repo.objects.rewrite_commit(commit.id, commit.tree, [before, *parents])
    data = repo.objects.read_file(commit.id, BATCH_FILE, limit=MAX_BATCH_BYTES)
    if data is None:
        raise CorruptRecordError(f"ledger commit {commit.id} has no batch", hint="gittrack fsck")
    kept = batch_without(data, gone)
    if kept is None and not parents:
        return before
    tree = repo.objects.write_tree({BATCH_FILE: kept or encode_batch([])})
    rows = decode_batch(kept, frozenset(parents)) if kept else []
    return repo.objects.rewrite_commit(commit.id, tree, [before, *parents], _subject(repo, rows) + "\n")


def _subject(repo: Repository, rows: Sequence[BatchRow]) -> str:
    """The line of the diary, made anew: the old one names the experiment of what went."""
    experiments = []
    for row in rows:
        if row.kind == "run":
            try:
                message = repo.objects.read_commit(row.commit).message
                experiments.append(read_listed(repo, row.commit, message).record.experiment.name)
            except GittrackError:
                experiments.append("?")
    return batch_subject(experiments, len(rows) - len(experiments)) or "rows of a newer version"


def with_statement(repo: Repository, old: ObjectId, new: ObjectId, said: Statement) -> ObjectId:
    """A rebuilt ledger with the event on top that says what is gone, for everybody who gets the ledger.

    It also makes the ledger part ways with the old one, always: were the new tip among the commits before the old one,
    any clone that has the old one could push it back as a fast-forward.

    Args:
        repo: where.
        old: the ledger's tip before.
        new: its tip without what is gone.
        said: the event; its author and time are those of the batch, so that it is the same when made again.
    """
    if said.commit in _carried(repo, new) and all(commit.id != new for commit in ledger_commits(repo, old)):
        return new
    tree = repo.objects.write_tree({BATCH_FILE: encode_batch([BatchRow("event", said.event.id, said.commit)])})
    author, time = said.event.author, said.event.time // 1000
    return repo.objects.write_commit(tree, [new, said.commit], batch_subject([], 1) + "\n", author, time)


def is_cut_off(repo: Repository, tip: ObjectId) -> bool:
    """Whether the beginning of a ledger is not here, as in a shallow clone."""
    cut_off = repo.cut_off()
    return bool(cut_off) and any(commit.id in cut_off for commit in ledger_commits(repo, tip))


def carries_all(repo: Repository, tip: ObjectId, other: ObjectId) -> bool:
    """Whether a ledger carries every run and event that another one does."""
    return _carried(repo, other) <= _carried(repo, tip)


def _carried(repo: Repository, tip: ObjectId) -> set[ObjectId]:
    return {parent for commit in ledger_commits(repo, tip) for parent in commit.parents[1:]}


def is_empty(repo: Repository, tip: ObjectId) -> bool:
    """Whether a ledger carries nothing: it is its root, or that and empty batches."""
    return all(len(commit.parents) < 2 for commit in ledger_commits(repo, tip))


def holds_event(repo: Repository, commit: ObjectId) -> bool:
    """Whether a commit says that it is an event."""
    return is_event_message(repo.objects.read_commit(commit).message)

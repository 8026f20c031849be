"""Checkpoints: runs that go on, as a commit like that of a finished run, which the next checkpoint replaces.

No checkpoint is the parent of another, nor of the finished run: what is replaced is garbage for git.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from gittrack.core.ids import ObjectId, RefName, RunId
from gittrack.core.journal import JournalContents
from gittrack.core.ledger import BatchRow
from gittrack.core.message import encode_message
from gittrack.core.parsed_refs import RemoteCheckpointRef, parse_ref
from gittrack.core.records import RunStatus
from gittrack.core.refs import LIVE, REMOTE_PREFIX, inbox_ref
from gittrack.core.run_toml import RECOVERED_FROM
from gittrack.core.run_tree import encode_tree
from gittrack.errors import GitProgramError, GittrackError, StorageError
from gittrack.git.reachable import unreachable
from gittrack.git.ref_folders import may_have
from gittrack.git.repository import Repository
from gittrack.git.retry import retried
from gittrack.store.done import SUFFIX
from gittrack.store.incoming import fault_of
from gittrack.store.publish import write_run
from gittrack.store.run_reader import read_body, read_record

_CHUNK = 1 << 20


class Checkpoint(NamedTuple):
    """A run that goes on elsewhere, as a remote has it.

    Attributes:
        id: the run.
        commit: the checkpoint.
        ref: where it is remembered here; empty: nowhere.
        remote: the slug of the remote.
    """

    id: RunId
    commit: ObjectId
    ref: RefName = RefName("")
    remote: str = ""


def fetched_checkpoints(repo: Repository, slug: str = "") -> list[Checkpoint]:
    """The checkpoints that are remembered, of one remote or of all; where there are none, git is not asked."""
    if not may_have(repo.common_dir, REMOTE_PREFIX, LIVE):
        return []
    found = []
    for name, tip in repo.refs.list(f"{REMOTE_PREFIX}{slug}/" if slug else REMOTE_PREFIX):
        ref = parse_ref(name)
        if isinstance(ref, RemoteCheckpointRef):
            found.append(Checkpoint(RunId(ref.id), tip, name, ref.remote))
    return found


def journals_state(folder: str) -> Mapping[str, int] | None:
    """What tells whether anything was logged since: a checksum of each journal; None when the folder is gone.

    Neither sizes nor times tell: journals are mapped, and grown in steps.
    """
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(SUFFIX))
        return {name: _checksum(os.path.join(folder, name)) for name in names}
    except FileNotFoundError:
        return None


def _checksum(path: str) -> int:
    checksum = 0
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            checksum = zlib.crc32(chunk, checksum)
    return checksum


def write_checkpoint(repo: Repository, journals: Sequence[JournalContents], now: int) -> ObjectId:
    """Write what a run has logged so far as a run commit; no ref is touched.

    Args:
        repo: where to.
        journals: everything that was logged.
        now: ms since the epoch.

    Raises:
        StorageError: an object could not be stored.
        CorruptRecordError: the journals have no start.
    """
    return retried(lambda: write_run(repo, journals, running_at=now)[0])


def checkpoint_row(id: RunId, commit: ObjectId) -> BatchRow:
    """What is remembered of a refused checkpoint; no row of a ledger is it: a finished run that is no checkpoint is
    sound, wherever else it is listed.
    """
    return BatchRow("run", f"{LIVE}/{id}", commit)


def checkpoint_fault(repo: Repository, id: RunId, commit: ObjectId) -> str:
    """Why what was fetched as the checkpoint of a run must not be shown; empty when it is sound."""
    reason = fault_of(repo, BatchRow("run", id, commit))
    if reason:
        return reason
    try:
        record = read_record(repo, commit)
        parents = repo.objects.read_commit(commit).parents
    except GittrackError as error:
        return error.message
    if record.status is not RunStatus.RUNNING or record.end_time is not None:
        return f"it is no run that goes on: its status is {record.status.value}"
    return "" if len(parents) <= 2 else f"it has {len(parents)} parents"


def is_checkpoint(repo: Repository, commit: ObjectId) -> bool:
    """Whether a commit is a checkpoint, by its message; one that git has thrown away cannot have been anything else."""
    try:
        return "\nStatus: running\n" in repo.objects.read_commit(commit).message
    except GittrackError:
        return True


def checkpoint_time(repo: Repository, commit: ObjectId) -> int:
    """When a checkpoint was made, by the clock of whoever made it, ms since the epoch."""
    return repo.objects.read_commit(commit).commit_time * 1000


def continued_commit(repo: Repository, commit: ObjectId) -> ObjectId | None:
    """The finished run that a checkpoint continues; None when it is of no resumption."""
    parents = repo.objects.read_commit(commit).parents
    return parents[1] if len(parents) > 1 else None


def require_parents(repo: Repository, commit: ObjectId) -> None:
    """See to it that a commit of one's own can have the parents of a checkpoint: in a shallow clone they may be cut off
    with all before them, and git fails in a clone where a commit's parents are missing.

    Raises:
        StorageError: they are not here.
    """
    parents = repo.objects.read_commit(commit).parents
    try:
        unreachable(repo, parents, (tip for _, tip in repo.refs.list("refs/")))
    except GitProgramError as error:
        text = f"the code before checkpoint '{commit[:10]}' is not here, so no run can be made of it"
        raise StorageError(text, hint="git fetch --unshallow" if repo.cut_off() else "git fetch") from error


def finish_checkpoint(repo: Repository, id: RunId, commit: ObjectId) -> ObjectId:
    """Make a run whose machine is gone a finished one: crashed, as far as its last checkpoint knows it.

    The same checkpoint gives the same commit, whoever finishes it.

    Returns:
        The run commit, which the inbox names.

    Raises:
        StorageError: git could not store it, or the code before it is not here; nothing is written then.
        RefMovedError: the inbox has a run of this id.
        CorruptRecordError: the checkpoint is damaged.
    """
    require_parents(repo, commit)
    body = read_body(repo, commit)
    seen = repo.objects.read_commit(commit)
    points = [max(series.timestamps) for series in body.series.values() if len(series)]
    ended = max(body.record.start_time, max(points, default=seen.commit_time * 1000))
    error = "its process and its machine were gone; this is its last checkpoint"
    extra = {**body.record.extra, RECOVERED_FROM: commit}
    record = replace(body.record, status=RunStatus.CRASHED, end_time=ended, error=error, extra=extra)
    tree = repo.objects.write_tree(encode_tree(replace(body, record=record)))
    message = encode_message(record, body.series)
    made = repo.objects.write_commit(tree, seen.parents, message, record.author, ended // 1000)
    name = inbox_ref(id)
    if repo.refs.get(name) != made:
        repo.refs.create(name, made)
    return made

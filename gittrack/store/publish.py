"""From a live run to a commit: build everything, verify it is stored, then create one ref.

The order is what makes a crash harmless: blobs, tree, commit, the check that each is in the object database, the inbox
ref, the copy of the journals under ``done/``, the removal of the live folder. Killed before the ref, the run is still
live and the next command finishes it; killed after, the next command makes the same commit, sees that the ref stands
and does the rest.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace

from gittrack.core.assembly import ERRORS_LOG, assemble, resumed_commit, start_operation
from gittrack.core.ids import ObjectId, RefName, RunId
from gittrack.core.journal import JournalContents
from gittrack.core.message import encode_message
from gittrack.core.records import GITTRACK, CodeState, RunRecord, RunStatus
from gittrack.core.refs import HOLD_PREFIX, hold_ref, inbox_ref
from gittrack.core.run_tree import RunBody, encode_tree
from gittrack.errors import CorruptRecordError, GittrackError, RefMovedError
from gittrack.git.refs import RefUpdate
from gittrack.git.repository import Repository
from gittrack.git.retry import retried
from gittrack.store.done import retire
from gittrack.store.layout import Layout
from gittrack.store.live import BEING_MADE

_VERIFICATIONS = 3


def empty_root(repo: Repository) -> ObjectId:
    """The fixed empty commit that is the parent of a run whose code is unknown; the same id everywhere."""
    return repo.objects.write_commit(repo.objects.write_tree({}), [], "no code\n", GITTRACK, 0)


def write_run(
    repo: Repository, journals: Sequence[JournalContents], running_at: int | None = None
) -> tuple[ObjectId, RunRecord]:
    """Write the commit of a run; no ref is touched.

    Args:
        repo: where to.
        journals: everything that was logged.
        running_at: the run goes on, and this is when it was looked at, ms since the epoch: the commit's time.

    Returns:
        The commit's id, the same for the same journals, and the record it holds.

    Raises:
        StorageError: an object could not be stored.
        CorruptRecordError: the journals have no start.
    """
    resumed = resumed_commit(journals)
    body = _with_damage(assemble(journals, None if resumed is None else _earlier_body(repo, resumed)), journals)
    if running_at is not None:
        going_on = replace(body.record, status=RunStatus.RUNNING, end_time=None, exit_code=None, error="")
        body = replace(body, record=going_on)
    parents = [_code_parent(repo, body)]
    if parents[0] != body.record.code.commit:
        body = _without_code(body)
    if resumed is not None:
        parents.append(resumed)
    tree = repo.objects.write_tree(encode_tree(body))
    record = body.record
    ended = record.start_time if record.end_time is None else record.end_time
    message = encode_message(record, body.series)
    moment = (ended if running_at is None else running_at) // 1000
    return repo.objects.write_commit(tree, parents, message, record.author, moment), record


def _with_damage(body: RunBody, journals: Sequence[JournalContents]) -> RunBody:
    """The run says itself that some of what it logged could not be read: its journals are gone one day."""
    damaged = sum(journal.damaged for journal in journals)
    if not damaged:
        return body
    line = f"journal: {damaged} bytes could not be read and were left out\n".encode()
    return replace(body, logs={**body.logs, ERRORS_LOG: body.logs.get(ERRORS_LOG, b"") + line})


def _earlier_body(repo: Repository, commit: ObjectId) -> RunBody:
    from gittrack.store.run_reader import read_body  # what reads runs is loaded only where one is resumed

    return read_body(repo, commit)


def _code_parent(repo: Repository, body: RunBody) -> ObjectId:
    code = body.record.code
    if code.commit is not None and repo.objects.has(code.commit) and _is_code_whole(repo, code):
        return code.commit
    return empty_root(repo)


def _is_code_whole(repo: Repository, code: CodeState) -> bool:
    """HEAD is the user's, and so large that it is not looked through; a snapshot is ours."""
    if code.commit is None or code.commit == code.head:
        return True
    from gittrack.git.wholeness import is_snapshot_whole  # only a dirty tree has one

    return is_snapshot_whole(repo, code.commit)


def _without_code(body: RunBody) -> RunBody:
    code = body.record.code
    if code.commit is None:
        return body
    reason = f"commit {code.commit} was gone from git when the run ended"
    return replace(body, record=replace(body.record, code=replace(code, reason=reason, commit=None)))


def publish(repo: Repository, layout: Layout, id: RunId, journals: Sequence[JournalContents]) -> ObjectId:
    """Make a live run a finished one: commit, inbox ref, journals moved to ``done/``.

    Safe to repeat, and safe against another process doing the same: both make the same commit.

    Returns:
        The run commit.

    Raises:
        StorageError: git could not store it; the live run stays as it is.
        RefMovedError: the inbox holds another run of this id.
    """

    def attempt() -> ObjectId:
        commit, _ = write_run(repo, journals)
        return _point_inbox(repo, id, commit, resumed_commit(journals))

    commit = retried(attempt)
    for _ in range(_VERIFICATIONS):
        if is_whole(repo, commit):
            break
        write_run(repo, journals)  # `git gc --prune=now` took some of it before the ref stood
    if resumed_commit(journals) is not None:
        from gittrack.store.resumption import state_changes  # what reads runs is loaded only where one is resumed

        state_changes(repo, id, commit, journals)
    retire(layout, id, commit, journals)
    _drop_hold(repo, id, journals)
    return commit


def _point_inbox(repo: Repository, id: RunId, commit: ObjectId, resumed: ObjectId | None) -> ObjectId:
    """Make the inbox name the run's commit; returns the commit it names."""
    name = inbox_ref(id)
    if resumed is not None and repo.refs.get(name) == resumed:
        repo.refs.update(name, commit, resumed)
        return commit
    try:
        repo.refs.create(name, commit)
    except RefMovedError:
        present = repo.refs.get(name)
        if present is None or (present != commit and not _is_same_run(repo, id, present, resumed)):
            raise
        return present  # another process, or an earlier version before it was killed, finished the same run
    return commit


def _is_same_run(repo: Repository, id: RunId, commit: ObjectId, resumed: ObjectId | None) -> bool:
    """Whether a commit is this run, finished from these journals by a version that writes other bytes."""
    found = repo.objects.read_commit(commit)
    continued = found.parents[1] if len(found.parents) > 1 else None
    return f"\nRun-Id: {id}\n" in found.message and continued == resumed


def is_whole(repo: Repository, commit: ObjectId) -> bool:
    """Whether every object of a run commit is stored; not whether each is sound."""
    try:
        return not repo.objects.missing(repo.objects.all_objects_of(commit))
    except CorruptRecordError:
        return False


def _drop_hold(repo: Repository, id: RunId, journals: Sequence[JournalContents]) -> None:
    code = start_operation(journals)["code"]
    if code["commit"] is None or code["commit"] == code["head"]:
        return
    held = repo.refs.get(hold_ref(id))
    if held is not None:
        # Another process may have let go first; and the run is stored: what cannot be dropped now, doctor drops.
        with contextlib.suppress(GittrackError):
            repo.refs.transaction([RefUpdate(hold_ref(id), None, held)])


def hold_snapshot(repo: Repository, id: RunId, snapshot: ObjectId) -> None:
    """Keep a live run's snapshot from ``git gc --prune=now`` until the run commit refers to it.

    What a gc took before the ref stood is made again. Where that cannot be, because the work tree has changed, no ref
    is left: one that names what is not there would make git's own gc fail. The run then says so at its end.

    Raises:
        StorageError: the ref could not be written.
    """
    from gittrack.git.wholeness import keep_whole

    if not repo.objects.has(snapshot) and not keep_whole(repo, snapshot):
        return
    name = hold_ref(id)
    left = repo.refs.get(name)  # by a process that died before it let go
    if left is None:
        repo.refs.create(name, snapshot)
    elif left != snapshot:
        repo.refs.update(name, snapshot, left)
    if not keep_whole(repo, snapshot):
        repo.refs.transaction([RefUpdate(name, None, snapshot)])


def restore_ref(repo: Repository, id: RunId, commit: ObjectId) -> None:
    """Point the inbox at a run commit that was made again; a ref that stands, but at no commit of this run, is moved.

    Raises:
        CorruptRecordError: the ref's file is damaged.
        RefMovedError: somebody else moves it at this moment.
    """
    name = inbox_ref(id)
    present = repo.refs.get(name)
    if present is None:
        repo.refs.create(name, commit)
    elif f"\nRun-Id: {id}\n" not in repo.objects.read_commit(present).message:
        repo.refs.update(name, commit, present)


def drop_stale_holds(repo: Repository, layout: Layout) -> list[RefName]:
    """Remove refs that hold the code of runs which are neither beginning nor live; returns them."""
    from gittrack.core.parsed_refs import HoldRef, parse_ref  # what reads refs is loaded only where some are listed

    dropped = []
    for name, tip in repo.refs.list(HOLD_PREFIX):
        ref = parse_ref(name)
        if not isinstance(ref, HoldRef):
            continue
        id = RunId(ref.id)
        # In the order in which a folder moves: it may move while we look.
        if not any(layout.live.glob(f"{BEING_MADE}{id}*")) and not layout.live_run(id).exists():
            with contextlib.suppress(RefMovedError):  # another doctor was faster
                repo.refs.delete(name, tip)
                dropped.append(name)
    return dropped

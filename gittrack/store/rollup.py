"""Roll-up: moving runs and events from the inbox into the local ledger of the month.

Commit ids stay. The order: build the ledger commits, pack the batch with a ``.keep``, verify that every object is in
it, then one ref transaction that advances the ledger and deletes the inbox refs, then drop the ``done/`` copies. Killed
anywhere, a run is in the inbox, in the ledger, or in both, which readers treat as one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Mapping, Sequence
from dataclasses import field

from gittrack.core import toml
from gittrack.core.events import is_event_message
from gittrack.core.ids import ObjectId, RefName
from gittrack.core.ledger import (
    BATCH_FILE,
    LEDGER_FILE,
    MANY_PARENTS,
    MAX_BATCH,
    TIP_SUBJECT,
    BatchKind,
    BatchRow,
    batch_subject,
    encode_batch,
)
from gittrack.core.parsed_refs import InboxRef, parse_ref
from gittrack.core.problem import Problem
from gittrack.core.records import Writer
from gittrack.core.refs import INBOX_PREFIX, LOCAL_PREFIX, local_ledger_ref
from gittrack.core.run_toml import with_version
from gittrack.errors import ConflictError, CorruptRecordError, FormatError, GitProgramError, GittrackError
from gittrack.frozen import dataclass
from gittrack.git import health
from gittrack.git.commit_graph import write_commit_graph
from gittrack.git.pack import pack_batch, verify
from gittrack.git.program import run_git
from gittrack.git.refs import RefUpdate
from gittrack.git.repository import Repository
from gittrack.store.catalog import walk_ledger, with_earlier
from gittrack.store.dead_locks import clear_dead_locks
from gittrack.store.done import done_runs, drop_done
from gittrack.store.layout import Layout
from gittrack.store.locks import exclusive
from gittrack.store.publish import is_whole
from gittrack.store.recovery import restore
from gittrack.store.run_reader import read_listed


@dataclass(frozen=True, slots=True)
class _Member:
    row: BatchRow
    ref: RefName
    experiment: str
    code: tuple[ObjectId, ...]


@dataclasses.dataclass(slots=True)
class RollUp:
    """What a roll-up did.

    Attributes:
        ledger: the ledger that grew, None when nothing was rolled up.
        runs, events: how many moved.
        problems: what stayed in the inbox because it is damaged.
    """

    ledger: RefName | None = None
    runs: int = 0
    events: int = 0
    problems: list[Problem] = field(default_factory=list)


def roll_up(repo: Repository, layout: Layout, author: Writer, now: int, *, wait: bool = False) -> RollUp:
    """Move everything in the inbox into the local ledger of this month.

    Args:
        repo: where.
        layout: its folders.
        author: who rolls up.
        now: ms since the epoch; its month, UTC, names the ledger.
        wait: wait for another process's roll-up instead of leaving it to that one.

    Raises:
        StorageError: git could not store the ledger or the pack; nothing has moved then.
        ConflictError: an inbox ref moved meanwhile; nothing has moved then.
    """
    os.makedirs(layout.root, exist_ok=True)
    # Where there are no locks, the compare-and-swap of the ledger still lets only one roll-up win.
    with exclusive(layout.rollup_lock, wait=wait) as ours:
        result = RollUp()
        if not ours:
            return result
        clear_dead_locks(repo, layout, [layout.rollup_lock])
        members = _members(repo, layout, result)
        rolled = _rolled_up(repo)
        _forget_moved(repo, [member for member in members if member.row.commit in rolled])
        members = [member for member in members if member.row.commit not in rolled]
        for start in range(0, len(members), MAX_BATCH):
            _move_sound(repo, members[start : start + MAX_BATCH], author, now, result)
        drop_done(layout, _safe_copies(repo, layout, _rolled_up(repo)))
        if members:
            run_git(["prune-packed", "-q"], cwd=repo.common_dir, git_dir=repo.common_dir)
            with contextlib.suppress(GittrackError):  # nothing depends on it, and the next one writes it
                write_commit_graph(repo)
        return result


def _members(repo: Repository, layout: Layout, result: RollUp) -> list[_Member]:
    refs = [(name, parse_ref(name), tip) for name, tip in repo.refs.list(INBOX_PREFIX)]
    damaged = health.fsck_objects(repo, [tip for _, _, tip in refs])
    if damaged:
        restore(repo, layout)
        damaged = health.fsck_objects(repo, damaged)
    members = []
    for name, ref, tip in refs:
        if not isinstance(ref, InboxRef):
            continue
        try:
            if tip in damaged:
                raise CorruptRecordError(damaged[tip])
            members.append(_member(repo, name, ref, tip))
        except GittrackError as error:
            result.problems.append(Problem(name, error.message))
    return members


def _rolled_up(repo: Repository) -> dict[ObjectId, str]:
    """What can be read of the local ledgers: commit -> id. Their damage is told by the catalog and by ``fsck``."""
    rows: dict[ObjectId, str] = {}
    for _, tip in repo.refs.list(LOCAL_PREFIX):
        with contextlib.suppress(FormatError):
            for row in walk_ledger(repo, tip, told=lambda *_: None):
                rows[row.commit] = row.id
    return rows


def drop_copies(repo: Repository, layout: Layout, shared: Mapping[ObjectId, str]) -> None:
    """Drop the ``done/`` copies of runs that a remote has and that are whole here.

    Args:
        repo: where.
        layout: its folders.
        shared: run commit -> run id.
    """
    drop_done(layout, _safe_copies(repo, layout, shared))


def _forget_moved(repo: Repository, members: Sequence[_Member]) -> None:
    """Drop inbox refs of what a ledger holds already: an earlier roll-up was killed, or a run was finished twice."""
    repo.refs.transaction([RefUpdate(member.ref, None, member.row.commit) for member in members])


def _safe_copies(repo: Repository, layout: Layout, rolled: Mapping[ObjectId, str]) -> list[tuple[str, ObjectId]]:
    """The runs whose ``done/`` copies are needed no more; a run rolled up takes those it continued with it."""
    commits: dict[str, list[ObjectId]] = {}
    for commit, id in rolled.items():
        commits.setdefault(id, []).append(commit)
    found: list[tuple[str, ObjectId]] = []
    for id in {id for id, _, _ in done_runs(layout)} & commits.keys():
        found += [(id, commit) for commit in with_earlier(repo, commits[id]) if is_whole(repo, commit)]
    return found


def _move_sound(repo: Repository, members: Sequence[_Member], author: Writer, now: int, result: RollUp) -> None:
    """Move a batch; when git cannot pack it, find by halving what it cannot pack, and move the rest."""
    try:
        _move(repo, members, author, now, result)
    except GitProgramError as error:
        if len(members) == 1:
            result.problems.append(Problem(members[0].ref, error.message))
            return
        half = len(members) // 2
        _move_sound(repo, members[:half], author, now, result)
        _move_sound(repo, members[half:], author, now, result)


def _member(repo: Repository, name: RefName, ref: InboxRef, tip: ObjectId) -> _Member:
    commit = repo.objects.read_commit(tip)
    kind: BatchKind = "event" if is_event_message(commit.message) else "run"
    listed = None if kind == "event" else read_listed(repo, tip, commit.message)
    code: tuple[ObjectId, ...] = ()
    experiment = "?"
    if listed is not None:
        experiment = listed.record.experiment.name
        state = listed.record.code
        code = tuple(id for id in {state.head, commit.parents[0] if not state.dirty else None} if id is not None)
    return _Member(BatchRow(kind, ref.id, tip), name, experiment, code)


def _move(repo: Repository, members: Sequence[_Member], author: Writer, now: int, result: RollUp) -> None:
    month = month_of(now)
    name = local_ledger_ref(month)
    before = repo.refs.get(name)
    if before is not None:
        check_ledger(repo, name, before)
    base = before or new_ledger(repo, month, author, now)
    tip = append(repo, base, [(member.row, member.experiment) for member in members], author, now)
    exclude = {id for member in members for id in member.code if repo.objects.has(id)} | {base}
    with pack_batch(repo, [tip], sorted(exclude)) as pack:
        verify(repo, pack, [member.row.commit for member in members])
        deletions = [RefUpdate(member.ref, None, member.row.commit) for member in members]
        try:
            repo.refs.transaction([RefUpdate(name, tip, before), *deletions])
        except ConflictError as error:
            text = f"the inbox changed during roll-up: {error.message}"
            raise ConflictError(text, hint="gittrack roll-up") from error
    result.ledger = name
    result.runs += sum(member.row.kind == "run" for member in members)
    result.events += sum(member.row.kind == "event" for member in members)


def keep_here(repo: Repository, layout: Layout, rows: Sequence[BatchRow], author: Writer, now: int) -> None:
    """List runs and events, whose commits are here, in the local ledger of this month.

    Args:
        repo: where.
        layout: its folders.
        rows: what; nothing is done when there is none.
        author: who does it.
        now: ms since the epoch.

    Raises:
        StorageError, ConflictError: as of :func:`roll_up`.
    """
    if not rows:
        return
    with exclusive(layout.rollup_lock):
        name = local_ledger_ref(month_of(now))
        before = repo.refs.get(name)
        tip = before or new_ledger(repo, month_of(now), author, now)
        tip = append(repo, tip, [(row, "?") for row in rows], author, now)
        repo.refs.transaction([RefUpdate(name, tip, before)])


def month_of(now: int) -> str:
    """The month of a moment (ms since the epoch), UTC, ``yyyy-mm``."""
    import datetime

    return datetime.datetime.fromtimestamp(now / 1000, datetime.UTC).strftime("%Y-%m")


def check_ledger(repo: Repository, name: RefName, tip: ObjectId) -> None:
    """Refuse to append to what is no ledger.

    Raises:
        CorruptRecordError: the commit holds neither a batch nor a ledger's root.
    """
    if all(repo.objects.read_file(tip, file) is None for file in (BATCH_FILE, LEDGER_FILE)):
        text = f"'{name}' is no ledger: it points at commit {tip}"
        raise CorruptRecordError(text, hint=f"git update-ref -d {name} {tip}")


def new_ledger(repo: Repository, month: str, author: Writer, now: int) -> ObjectId:
    """The root commit of a ledger: its tree is ``ledger.toml``; no ref is touched."""
    data = with_version(toml.dump({"month": month, "writer": author.slug, "name": author.person.name}))
    tree = repo.objects.write_tree({LEDGER_FILE: data})
    return repo.objects.write_commit(tree, [], f"ledger {month} of {author.slug}\n", author.person, now // 1000)


def append(
    repo: Repository, base: ObjectId, rows: Sequence[tuple[BatchRow, str]], author: Writer, now: int
) -> ObjectId:
    """Append rows to a ledger, in as many batches as they need; no ref is touched.

    Everybody's ``git fetch`` looks at the parents of what refs point at, so a ledger does not end in a commit with
    hundreds of them, but in an empty batch on top of it.

    Args:
        repo: where.
        base: the ledger's tip.
        rows: runs and events, each with the experiment's name (for the diary).
        author: who appends.
        now: ms since the epoch.

    Returns:
        The new tip.
    """
    tip = base
    for start in range(0, len(rows), MAX_BATCH):
        tip = append_batch(repo, tip, rows[start : start + MAX_BATCH], author, now)
    if len(rows) % MAX_BATCH > MANY_PARENTS or (rows and len(rows) % MAX_BATCH == 0):
        tip = append_batch(repo, tip, [], author, now)
    return tip


def append_batch(
    repo: Repository, base: ObjectId, rows: Sequence[tuple[BatchRow, str]], author: Writer, now: int
) -> ObjectId:
    """A ledger commit on top of ``base`` that carries a batch; no ref is touched.

    Args:
        repo: where.
        base: the ledger's tip.
        rows: at most 250 rows, each with the experiment's name (for the diary).
        author: who appends.
        now: ms since the epoch.
    """
    tree = repo.objects.write_tree({BATCH_FILE: encode_batch([row for row, _ in rows])})
    experiments = [experiment for row, experiment in rows if row.kind == "run"]
    subject = batch_subject(experiments, len(rows) - len(experiments)) or TIP_SUBJECT
    parents = [base, *sorted(row.commit for row, _ in rows)]
    return repo.objects.write_commit(tree, parents, subject + "\n", author.person, now // 1000)

"""Expunging a run: the remotes first, each ledger for itself, then what lies here.

Killed anywhere, or refused by some remotes, the same command does the rest. What says that the run is expunged is
written before anything goes and travels with each rebuilt ledger, so that no clone brings the run back.
"""

from __future__ import annotations

import dataclasses
from dataclasses import field
from typing import TYPE_CHECKING

from gittrack.api.annotate import write_fact
from gittrack.api.expunge import check_still
from gittrack.api.expunged_bytes import DroppedBytes, drop_bytes
from gittrack.api.expunged_places import Failed, clean_remote
from gittrack.api.fetch import waiting
from gittrack.api.shared_rows import SharedRows
from gittrack.core.expunged import EXPUNGED
from gittrack.core.ids import ObjectId, RefName
from gittrack.core.parsed_refs import RemoteLedgerRef, parse_ref
from gittrack.core.records import Subject
from gittrack.core.refs import RUNS_PREFIX, inbox_ref
from gittrack.errors import ConflictError, GittrackError
from gittrack.git.network import Told
from gittrack.git.pruning import prune_unreachable, still_stored, what_keeps
from gittrack.git.refs import RefUpdate
from gittrack.index.database import remove
from gittrack.index.file_hold import generation
from gittrack.store.belongings import find_belongings
from gittrack.store.dropped import read_dropped, write_dropped
from gittrack.store.expunge import clear_here
from gittrack.store.live import live_ids
from gittrack.store.locks import exclusive
from gittrack.store.outgoing import settle
from gittrack.store.rebuilt_ledgers import Statement

if TYPE_CHECKING:
    from gittrack.api.expunge import ExpungePlan
    from gittrack.api.project import Project


@dataclasses.dataclass(slots=True)
class Expunged:
    """What expunging a run did.

    Attributes:
        plan: what was to be done.
        rebuilt: ledgers at remotes that were rebuilt, ``remote month/writer``.
        failed: what could not be done; the same command does it when the reason is gone.
        left: refs at remotes that point at a commit of the run and are not ours to remove.
        unread: what is new at a remote besides and was not taken in, each a sentence: a later fetch does, or says why.
        bytes: of artifacts, from this clone.
        commits: of the run and of what was said of it, wherever they were found.
        pruned: whether unreachable objects were dropped.
        stored: commits of the run that are still in the object database.
        kept_by: what may keep them there.
    """

    plan: ExpungePlan
    rebuilt: list[str] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    bytes: DroppedBytes = field(default_factory=DroppedBytes)
    commits: set[ObjectId] = field(default_factory=set)
    pruned: bool = False
    stored: list[ObjectId] = field(default_factory=list)
    kept_by: list[str] = field(default_factory=list)


def expunge(project: Project, plan: ExpungePlan, *, prune: bool = False, told: Told | None = None) -> Expunged:
    """Do what a plan says.

    Args:
        project: where.
        plan: of ``plan_expunge``.
        prune: drop all unreachable objects of this clone afterwards, those of others too.
        told: git's progress.

    Raises:
        RunActiveError: the run goes on again.
        ConflictError: something of the user's needs the run, or a run is being written and ``prune`` is asked for.
        StorageError: something cannot be removed here; the same again does the rest.
        CorruptRecordError: a ledger cannot be rebuilt.
    """
    if prune and live_ids(project.layout):
        raise ConflictError("a run is being written, whose objects nothing reaches yet", hint="repeat it without one")
    done = Expunged(plan)
    project.layout.root.mkdir(exist_ok=True)
    with exclusive(project.layout.sharing_lock, waiting=waiting(told)):
        plan = dataclasses.replace(plan, there=check_still(project, plan))
        said = _statement(project, plan)
        _drop_tracking(project, plan)
        for remote in plan.remotes:
            try:
                clean_remote(project, remote, plan, said, done, told)
            except GittrackError as error:
                done.failed.append(Failed(remote.shown, error.message, error.hint or ""))
        done.commits |= check_still(project, plan).gone  # that may have taken long
        done.bytes = drop_bytes(project, plan.bytes, plan.id, plan.there.commits)
        names = _to_rebuild_here(project, plan)
        done.commits |= clear_here(project.repo, project.layout, plan.id, said, names, plan.there.commits).gone
        for remote in plan.remotes:
            settle(project.repo, SharedRows(project, remote.slug))
    _forget_index(project)
    gone = sorted(done.commits | set(read_dropped(project.layout, plan.id)))
    if prune:
        prune_unreachable(project.repo, (RUNS_PREFIX, "refs/runs-remote/"))
        done.pruned = True
    done.stored = still_stored(project.repo, gone)
    write_dropped(project.layout, plan.id, done.stored)
    done.kept_by = what_keeps(project.repo) if done.pruned and done.stored else []
    return done


def _statement(project: Project, plan: ExpungePlan) -> Statement:
    """The event that says so, written now unless there is one."""
    there = find_belongings(project.repo, project.layout, plan.id)
    if there.said is not None:
        return there.said
    # Not the ids of the commits: hosts serve what no ref reaches to whoever names it.
    event = write_fact(project, Subject("run", plan.id), EXPUNGED, "gone")
    commit = project.repo.refs.get(inbox_ref(event.id))
    if commit is None:  # rolled up by another process since
        there = find_belongings(project.repo, project.layout, plan.id)
        assert there.said is not None
        return there.said
    return Statement(event, commit)


def _drop_tracking(project: Project, plan: ExpungePlan) -> None:
    """Git's own copies of the ledgers go with their reflogs, before a push moves them; a fetch makes them anew."""
    tips = [(name, project.repo.refs.get(name)) for name in plan.tracking]
    project.repo.refs.transaction([RefUpdate(name, None, tip) for name, tip in tips if tip is not None])


def _to_rebuild_here(project: Project, plan: ExpungePlan) -> list[RefName]:
    """The remembered ledgers that are nobody's to push: all when only this clone is meant."""
    names = [name for name, _ in find_belongings(project.repo, project.layout, plan.id).ledgers]
    refs = [(name, ref) for name in names if isinstance(ref := parse_ref(name), RemoteLedgerRef)]
    if plan.here:
        return [name for name, _ in refs]
    return [name for name, ref in refs if ref.remote in plan.unknown or ref.remote.startswith(("from-", "bundle-"))]


def _forget_index(project: Project) -> None:
    """The index goes whole: what is taken out of a database lies in its free pages."""
    file = project.layout.index_file
    if file.exists() and not remove(file, generation(file)):
        text = "the index holds what the run said, and another process has it open"
        raise ConflictError(text, hint=f"end it, then: rm {file}*")

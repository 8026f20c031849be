"""Expunging a run: the remotes first, each ledger for itself, then what lies here.

Killed anywhere, or refused by some remotes, the same command does the rest. What says that the run is expunged is
written before anything goes and travels with each rebuilt ledger, so that no clone brings the run back.
"""

from __future__ import annotations

import dataclasses
import uuid
from dataclasses import field
from typing import TYPE_CHECKING, NamedTuple

from gittrack.api.annotate import write_fact
from gittrack.api.expunged_bytes import drop_bytes
from gittrack.api.fetch import catch_up, fetch_held, waiting
from gittrack.api.shared_rows import SharedRows
from gittrack.core.expunged import EXPUNGED
from gittrack.core.ids import ObjectId, RefName
from gittrack.core.ledger import BatchRow
from gittrack.core.parsed_refs import RemoteLedgerRef, parse_ref
from gittrack.core.records import Subject
from gittrack.core.refs import FETCHED_PREFIX, RUNS_PREFIX, inbox_ref, parse_shared_ledger, remote_ledger_ref
from gittrack.errors import ConflictError, GittrackError, RemoteError
from gittrack.git.network import RemoteRef, Told, fetch_refs, list_remote, push_ref
from gittrack.git.pruning import prune_unreachable, still_stored, what_keeps
from gittrack.git.refs import RefUpdate
from gittrack.index.database import remove
from gittrack.index.file_hold import generation
from gittrack.store.belongings import find_belongings
from gittrack.store.dropped import read_dropped, write_dropped
from gittrack.store.expunge import clear_here
from gittrack.store.live import live_ids
from gittrack.store.locks import exclusive
from gittrack.store.outgoing import refusal, settle, share
from gittrack.store.rebuilt_ledgers import Statement, with_statement, without_commits

if TYPE_CHECKING:
    from gittrack.api.expunge import ExpungePlan
    from gittrack.api.project import Project
    from gittrack.store.remotes import Remote

_ATTEMPTS = 20


class Failed(NamedTuple):
    """What could not be done: at which place, why, and what mends it."""

    where: str
    reason: str
    hint: str


@dataclasses.dataclass(slots=True)
class Expunged:
    """What expunging a run did.

    Attributes:
        plan: what was to be done.
        rebuilt: ledgers at remotes that were rebuilt, ``remote month/writer``.
        failed: what could not be done; the same command does it when the reason is gone.
        left: refs at remotes that point at a commit of the run and are not ours to remove.
        unread: what is new at a remote besides and was not taken in, each a sentence: a later fetch does, or says why.
        files: how many files of artifacts went from this clone.
        pruned: whether unreachable objects were dropped.
        stored: commits of the run that are still in the object database.
        kept_by: what may keep them there.
    """

    plan: ExpungePlan
    rebuilt: list[str] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    files: int = 0
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
        ConflictError: something of the user's needs the run, or a run is being written and ``prune`` is asked for.
        StorageError: something cannot be removed here; the same again does the rest.
        CorruptRecordError: a ledger cannot be rebuilt.
    """
    if plan.obstacles:
        text = f"run {plan.id[:8]} is needed: {plan.obstacles[0].what}"
        raise ConflictError(text, hint=plan.obstacles[0].command)
    if prune and live_ids(project.layout):
        raise ConflictError("a run is being written, whose objects nothing reaches yet", hint="repeat it without one")
    done = Expunged(plan)
    project.layout.root.mkdir(exist_ok=True)
    with exclusive(project.layout.sharing_lock, waiting=waiting(told)):
        said = _statement(project, plan)
        _drop_tracking(project, plan)
        for remote in plan.remotes:
            try:
                _Remote(project, remote, plan, said, done, told).clean()
            except GittrackError as error:
                done.failed.append(Failed(remote.shown, error.message, error.hint or ""))
        done.files = drop_bytes(project, plan.bytes)
        names = _to_rebuild_here(project, plan)
        there = clear_here(project.repo, project.layout, plan.id, said, names, plan.there.commits)
        for remote in plan.remotes:
            settle(project.repo, SharedRows(project, remote.slug))
    _forget_index(project)
    gone = sorted(plan.there.gone | there.gone | set(read_dropped(project.layout, plan.id)))
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


class _Remote:
    """One remote that is to be rid of a run."""

    def __init__(
        self, project: Project, remote: Remote, plan: ExpungePlan, said: Statement, done: Expunged, told: Told | None
    ) -> None:
        self._project = project
        self._repo = project.repo
        self._remote = remote
        self._id = plan.id
        self._said = said
        self._done = done
        self._told = told
        self._is_rebuilt = False
        self._commits = plan.there.commits
        self._gone = plan.there.gone

    def clean(self) -> None:
        """Rebuild what carries the run, ledger by ledger; then see to it that the remote knows why."""
        found = fetch_held(self._project, self._remote, self._told)  # a ledger may have grown
        there = find_belongings(self._repo, self._project.layout, self._id, known=self._commits)
        self._gone |= there.gone
        affected = {name for name, _ in there.ledgers}
        tips = list_remote(self._repo, self._remote.name, [f"{self._remote.prefix}*"])
        for ref in tips:
            ledger = parse_shared_ledger(self._remote.prefix, ref.name)
            if ref.name == f"{self._remote.prefix}live/{self._id}":
                self._drop_live(ref)
            elif ledger is not None:
                name = remote_ledger_ref(self._remote.slug, *ledger)
                if name in affected or self._repo.refs.get(name) != ref.tip:
                    self._try(name, ledger, ref)
        if found.rewritten:  # mostly by this command, before it was killed
            fetch_held(self._project, self._remote, self._told)
        if not self._is_rebuilt:
            self._share_statement()
        refs = list_remote(self._repo, self._remote.name, [])
        self._done.left += [f"{self._remote.shown} {ref.name}" for ref in refs if ref.tip in self._gone]

    def _try(self, name: RefName, ledger: tuple[str, str], ref: RemoteRef) -> None:
        where = f"{self._remote.shown} {'/'.join(ledger)}"
        try:
            self._clean_ledger(name, ledger, ref, where)
        except GittrackError as error:
            self._done.failed.append(Failed(where, error.message, error.hint or ""))

    def _clean_ledger(self, name: RefName, ledger: tuple[str, str], ref: RemoteRef, where: str) -> None:
        """Rebuild one ledger on its newest tip, if it carries the run."""
        scratch = RefName(f"{FETCHED_PREFIX}{self._remote.slug}/expunge/{uuid.uuid4().hex[:12]}")
        try:
            for _ in range(_ATTEMPTS):
                before = self._repo.refs.get(name)
                if before != ref.tip:
                    fetch_refs(self._repo, self._remote.name, [(ref.name, scratch)], told=self._told)
                tip = ref.tip if before == ref.tip else (self._repo.refs.get(scratch) or ref.tip)
                new = self._rebuilt(scratch, tip)
                if new == tip or self._pushed(ref.name, tip, new):
                    if new != tip:
                        self._is_rebuilt = True
                        self._done.rebuilt.append(where)
                    self._remember(name, ledger, tip, new)
                    return
                newest = list_remote(self._repo, self._remote.name, [ref.name])
                if not newest:
                    return  # somebody deleted it
                ref = newest[0]
        finally:
            self._move(scratch, None)
        raise RemoteError(f"it moved {_ATTEMPTS} times meanwhile", hint="repeat it")

    def _rebuilt(self, scratch: RefName, tip: ObjectId) -> ObjectId:
        """The ledger without the run, held by the scratch ref; its own tip when it does not carry it."""
        found = find_belongings(self._repo, self._project.layout, self._id, [(scratch, tip)], self._commits)
        self._gone |= found.gone
        new = without_commits(self._repo, tip, self._gone)
        if new == tip:
            return tip
        if self._repo.cut_off():
            text = "this clone is shallow, and does not know the whole ledger"
            raise RemoteError(text, hint="git fetch --unshallow, or do it in a whole clone")
        new = with_statement(self._repo, tip, new, self._said)
        self._move(scratch, new)
        return new

    def _move(self, scratch: RefName, new: ObjectId | None) -> None:
        now = self._repo.refs.get(scratch)
        if now != new:
            self._repo.refs.transaction([RefUpdate(scratch, new, now)])

    def _pushed(self, name: str, tip: ObjectId, new: ObjectId) -> bool:
        """Push with an exact lease; False when the ledger moved meanwhile."""
        answer = push_ref(self._repo, self._remote.name, new, name, lease=tip, told=self._told)
        if answer.accepted:
            return True
        if "non-fast-forward" in answer.reason:  # never git's own word here: the lease stands for it
            text = f"the server takes no ledger that was rebuilt: {answer.reason}"
            hint = "whoever runs it: git config receive.denyNonFastForwards false, for as long as this takes"
            raise RemoteError(text, hint=hint)
        if answer.behind:
            return False
        raise refusal(self._remote, answer)

    def _remember(self, name: RefName, ledger: tuple[str, str], tip: ObjectId, new: ObjectId) -> None:
        """Move what is remembered; what is new in the ledger besides is checked like anything that is fetched."""
        before = self._repo.refs.get(name)
        if before == tip:
            if new != tip:
                self._repo.refs.transaction([RefUpdate(name, new, tip)])
            return
        if before is not None:
            cleaned = without_commits(self._repo, before, self._gone)
            if cleaned != before:
                self._repo.refs.transaction([RefUpdate(name, cleaned, before)])
        try:
            catch_up(self._project, self._remote, self._told)(*ledger)
        except RemoteError as error:  # somebody else has rewritten it, too, which is for a person to accept
            self._done.unread.append(error.message)

    def _drop_live(self, ref: RemoteRef) -> None:
        answer = push_ref(self._repo, self._remote.name, None, ref.name, lease=ref.tip, told=self._told)
        if not answer.accepted:
            self._done.failed.append(Failed(f"{self._remote.shown} {ref.name}", answer.reason, "repeat it"))

    def _share_statement(self) -> None:
        """Where no ledger could be rebuilt the remote still learns that the run is to be hidden."""
        project = self._project
        row = BatchRow("event", self._said.event.id, self._said.commit)
        caught = catch_up(project, self._remote, self._told)
        listed = SharedRows(project, self._remote.slug)
        share(self._repo, self._remote, [row], project.author, project.now(), listed, caught, self._told)

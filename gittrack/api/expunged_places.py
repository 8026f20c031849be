"""A remote that is to be rid of a run: each place that it pushes to is listed, rebuilt and leased by itself.

A push to a remote with several places goes to all at once, with one lease for all, and what it is fetched from is one
of them, or none. So what one place has says nothing of the others.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from gittrack.api.fetch import catch_up, fetch_held
from gittrack.api.shared_rows import SharedRows
from gittrack.core.ids import ObjectId, RefName
from gittrack.core.ledger import BatchRow
from gittrack.core.redact import redact_url
from gittrack.core.refs import FETCHED_PREFIX, REMOTE_PREFIX, parse_shared_ledger, remote_ledger_ref
from gittrack.errors import GittrackError, RemoteError
from gittrack.git.network import RemoteRef, Told, fetch_refs, list_remote, push_ref
from gittrack.git.refs import RefUpdate
from gittrack.store.belongings import find_belongings
from gittrack.store.outgoing import refusal, share
from gittrack.store.rebuilt_ledgers import Statement, carries_all, is_cut_off, with_statement, without_commits

if TYPE_CHECKING:
    from gittrack.api.expunge import ExpungePlan
    from gittrack.api.expunging import Expunged
    from gittrack.api.project import Project
    from gittrack.store.remotes import Remote

_ATTEMPTS = 20


class Failed(NamedTuple):
    """What could not be done: at which place, why, and what mends it."""

    where: str
    reason: str
    hint: str


def clean_remote(
    project: Project, remote: Remote, plan: ExpungePlan, said: Statement, done: Expunged, told: Told | None
) -> None:
    """Rebuild what carries the run, at every place of a remote; then see to it that the remote knows why.

    To be called by whoever holds the lock of sharing. What fails at one place is noted, and done at the others.

    Raises:
        GittrackError: its only place cannot be reached.
    """
    is_rewritten = False
    try:
        is_rewritten = bool(fetch_held(project, remote, told).rewritten)  # mostly by this command, before it was killed
    except GittrackError as error:
        if not remote.push_urls:
            raise
        done.failed.append(Failed(remote.shown, error.message, error.hint or ""))
    there = find_belongings(project.repo, project.layout, plan.id, known=plan.there.commits)
    done.commits |= plan.there.gone | there.gone
    affected = {name for name, _ in there.ledgers}
    places = sorted(remote.push_urls, key=lambda place: place != remote.first) or [remote.name]
    for place in places:
        at = _Place(project, remote, place, place == places[0], plan, said, done, told)
        try:
            at.clean(affected)
        except GittrackError as error:
            done.failed.append(Failed(at.where(""), error.message, error.hint or ""))
    if is_rewritten:
        fetch_held(project, remote, told)
    if remote.push_urls and remote.url not in remote.push_urls:
        _Place(project, remote, remote.url, False, plan, said, done, told).look(affected)


class _Place:
    """One place of a remote: ``first`` is that of which the remembered ledgers speak."""

    def __init__(
        self,
        project: Project,
        remote: Remote,
        place: str,
        is_first: bool,
        plan: ExpungePlan,
        said: Statement,
        done: Expunged,
        told: Told | None,
    ) -> None:
        self._project = project
        self._repo = project.repo
        self._remote = remote
        self._at = remote._replace(name=place, url=place, push_urls=()) if remote.push_urls else remote
        self._is_first = is_first
        self._id = plan.id
        self._said = said
        self._done = done
        self._told = told
        self._is_rebuilt = False
        self._commits = plan.there.commits

    def where(self, name: str) -> str:
        """What something at this place is called in what is told; empty: the place itself."""
        shown = f"{self._remote.shown} {name}".rstrip()
        return f"{shown} at {redact_url(self._at.name)}" if self._remote.push_urls else shown

    def clean(self, affected: set[RefName]) -> None:
        """Rebuild the ledgers there, one by one.

        Args:
            affected: the remembered ledgers that carry the run.

        Raises:
            GittrackError: the place cannot be asked, or not be told.
        """
        there = set()
        for ref in list_remote(self._repo, self._at.name, [f"{self._remote.prefix}*"]):
            ledger = parse_shared_ledger(self._remote.prefix, ref.name)
            if ref.name == f"{self._remote.prefix}live/{self._id}":
                self._drop_live(ref)
            elif ledger is not None:
                name = remote_ledger_ref(self._remote.slug, *ledger)
                there.add(name)
                if self._is_meant(name, ref, affected):
                    self._try(name, ledger, ref)
        if self._is_first:  # before anything is pushed on top of them
            self._clean_remembered(affected - there)
        if self._is_first and not self._is_rebuilt:
            self._share_statement()
        refs = list_remote(self._repo, self._at.name, [])
        self._done.left += [self.where(ref.name) for ref in refs if ref.tip in self._done.commits]

    def look(self, affected: set[RefName]) -> None:
        """Tell which ledgers of a place that nothing is pushed to still carry the run."""
        for ref in list_remote(self._repo, self._at.name, [f"{self._remote.prefix}*"]):
            ledger = parse_shared_ledger(self._remote.prefix, ref.name)
            if ledger is None or not self._is_meant(remote_ledger_ref(self._remote.slug, *ledger), ref, affected):
                continue
            scratch = self._scratch()
            try:
                fetch_refs(self._repo, self._at.name, [(ref.name, scratch)], told=self._told)
                if self._rebuilt(scratch, ref.tip) != ref.tip:
                    text = "runs are fetched from there and pushed elsewhere, and it has not followed yet"
                    hint = "bring it up to date by whatever copies it, git push --mirror maybe"
                    self._done.failed.append(Failed(self.where("/".join(ledger)), text, hint))
            finally:
                self._move(scratch, None)

    def _is_meant(self, name: RefName, ref: RemoteRef, affected: set[RefName]) -> bool:
        return name in affected or self._repo.refs.get(name) != ref.tip or is_cut_off(self._repo, ref.tip)

    def _scratch(self) -> RefName:
        return RefName(f"{FETCHED_PREFIX}{self._remote.slug}/expunge/{uuid.uuid4().hex[:12]}")

    def _try(self, name: RefName, ledger: tuple[str, str], ref: RemoteRef) -> None:
        where = self.where("/".join(ledger))
        try:
            self._clean_ledger(name, ledger, ref, where)
        except GittrackError as error:
            self._done.failed.append(Failed(where, error.message, error.hint or ""))

    def _clean_ledger(self, name: RefName, ledger: tuple[str, str], ref: RemoteRef, where: str) -> None:
        """Rebuild one ledger on its newest tip, if it carries the run."""
        scratch = self._scratch()
        try:
            for _ in range(_ATTEMPTS):
                before = self._repo.refs.get(name)
                if before != ref.tip:
                    fetch_refs(self._repo, self._at.name, [(ref.name, scratch)], told=self._told)
                tip = ref.tip if before == ref.tip else (self._repo.refs.get(scratch) or ref.tip)
                new = self._rebuilt(scratch, tip)
                if new != tip and not self._is_first:
                    new = self._as_remembered(name, new)
                if new == tip or self._pushed(ref.name, tip, new):
                    if new != tip:
                        self._is_rebuilt = True
                        self._done.rebuilt.append(where)
                    if self._is_first:
                        self._remember(name, ledger, tip, new)
                    return
                newest = list_remote(self._repo, self._at.name, [ref.name])
                if not newest:
                    return  # somebody deleted it
                ref = newest[0]
        finally:
            self._move(scratch, None)
        raise RemoteError(f"it moved {_ATTEMPTS} times meanwhile", hint="repeat it")

    def _rebuilt(self, scratch: RefName, tip: ObjectId) -> ObjectId:
        """The ledger without the run, held by the scratch ref; its own tip when it does not carry it."""
        if is_cut_off(self._repo, tip):
            text = "this clone is shallow, and does not know the whole ledger"
            raise RemoteError(text, hint="git fetch --unshallow, or do it in a whole clone")
        found = find_belongings(self._repo, self._project.layout, self._id, [(scratch, tip)], self._commits)
        self._done.commits |= found.gone
        new = without_commits(self._repo, tip, frozenset(self._done.commits))
        if new == tip:
            return tip
        new = with_statement(self._repo, tip, new, self._said)
        self._move(scratch, new)
        return new

    def _as_remembered(self, name: RefName, new: ObjectId) -> ObjectId:
        """The rebuilt ledger of the first place instead, where this one has nothing besides.

        Two that were rebuilt from different tips would part ways, and no push could ever bring them together.
        """
        first = self._repo.refs.get(name)
        if first is None or without_commits(self._repo, first, frozenset(self._done.commits)) != first:
            return new
        return first if carries_all(self._repo, first, new) else new

    def _move(self, scratch: RefName, new: ObjectId | None) -> None:
        now = self._repo.refs.get(scratch)
        if now != new:
            self._repo.refs.transaction([RefUpdate(scratch, new, now)])

    def _pushed(self, name: str, tip: ObjectId, new: ObjectId) -> bool:
        """Push with an exact lease; False when the ledger moved meanwhile."""
        answer = push_ref(self._repo, self._at.name, new, name, lease=tip, told=self._told)
        if answer.accepted:
            return True
        if "non-fast-forward" in answer.reason:  # never git's own word here: the lease stands for it
            text = f"the server takes no ledger that was rebuilt: {answer.reason}"
            hint = "whoever runs it: git config receive.denyNonFastForwards false, for as long as this takes"
            raise RemoteError(text, hint=hint)
        if answer.behind:
            return False
        raise refusal(self._at, answer)

    def _remember(self, name: RefName, ledger: tuple[str, str], tip: ObjectId, new: ObjectId) -> None:
        """Move what is remembered; what is new in the ledger besides is checked like anything that is fetched."""
        before = self._repo.refs.get(name)
        if before == tip:
            if new != tip:
                self._repo.refs.transaction([RefUpdate(name, new, tip)])
            return
        self._clean_remembered([name])
        try:
            catch_up(self._project, self._at, self._told)(*ledger)
        except RemoteError as error:  # somebody else has rewritten it, too, which is for a person to accept
            self._done.unread.append(error.message)

    def _clean_remembered(self, names: Iterable[RefName]) -> None:
        """Take the run out of remembered ledgers that the place has otherwise, or no longer."""
        for name in names:
            before = self._repo.refs.get(name)
            if before is None or not name.startswith(f"{REMOTE_PREFIX}{self._remote.slug}/"):
                continue
            cleaned = without_commits(self._repo, before, frozenset(self._done.commits))
            if cleaned != before:
                self._repo.refs.transaction([RefUpdate(name, cleaned, before)])

    def _drop_live(self, ref: RemoteRef) -> None:
        answer = push_ref(self._repo, self._at.name, None, ref.name, lease=ref.tip, told=self._told)
        if not answer.accepted:
            self._done.failed.append(Failed(self.where(ref.name), answer.reason, "repeat it"))

    def _share_statement(self) -> None:
        """Where no ledger could be rebuilt the remote still learns that the run is to be hidden."""
        project = self._project
        row = BatchRow("event", self._said.event.id, self._said.commit)
        caught = catch_up(project, self._at, self._told)
        listed = SharedRows(project, self._remote.slug)
        share(self._repo, self._remote, [row], project.author, project.now(), listed, caught, self._told)

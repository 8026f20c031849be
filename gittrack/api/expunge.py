"""Expunging a run: what there is of it, and what stands in the way; ``expunging.py`` does it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from gittrack.api.expunged_bytes import RunBytes, bytes_of_run
from gittrack.api.expunged_runs import expunged_runs
from gittrack.api.read import find_listed
from gittrack.api.remotes import runs_remote
from gittrack.api.run_index import ask
from gittrack.core.address import parse_address
from gittrack.core.ids import ObjectId, RefName, RunId
from gittrack.core.names import display
from gittrack.core.parsed_refs import RemoteLedgerRef, parse_ref
from gittrack.core.records import GITTRACK
from gittrack.core.refs import (
    BUNDLE,
    FETCHED_PREFIX,
    FROM,
    HOLD_PREFIX,
    INBOX_PREFIX,
    LOCAL_PREFIX,
    REMOTE_PREFIX,
    RUNS_PREFIX,
    parse_shared_ledger,
)
from gittrack.errors import AmbiguousError, ConflictError, FormatError, RunActiveError, RunNotFoundError
from gittrack.frozen import dataclass
from gittrack.git.configured_remotes import remote_names
from gittrack.git.reached import children_of, heads_reaching, refs_reaching
from gittrack.index.lookups import children_of as runs_inside
from gittrack.store.belongings import Belongings, find_belongings, known_ids
from gittrack.store.rebuilt_ledgers import is_cut_off
from gittrack.store.remotes import Remote

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.index.database import IndexDatabase

_DIGITS = 32
_EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
"""Of the commit that stands for code that is not known."""
_OURS = (INBOX_PREFIX, LOCAL_PREFIX, HOLD_PREFIX, "refs/runs/live/", REMOTE_PREFIX, FETCHED_PREFIX)


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Something of the user's that needs the run: ``what`` it is, and the ``command`` that removes it."""

    what: str
    command: str


@dataclass(frozen=True, slots=True)
class ExpungePlan:
    """What expunging a run would do.

    Attributes:
        id: the run's.
        name: as it is called here; empty when nothing readable is left of it.
        there: all that there is of it in this repository.
        remotes: whose ledgers are to be rebuilt.
        here: whether only this clone is meant.
        ledgers: remembered ledgers, ``remote/month/writer``, that carry it.
        unknown: slugs of places whose ledgers carry it and which no remote is configured for.
        bytes: of its artifacts.
        tracking: git's own remote-tracking branches that are ledgers, where ``gittrack.refPrefix`` makes them branches.
        obstacles: what must go first.
        children: runs that were begun inside it; they stay.
        code: what of the code that ran stays, and why: a line each.
    """

    id: RunId
    name: str
    there: Belongings
    remotes: tuple[Remote, ...]
    here: bool
    ledgers: tuple[str, ...]
    unknown: tuple[str, ...]
    bytes: RunBytes
    tracking: tuple[RefName, ...]
    obstacles: tuple[Obstacle, ...]
    children: tuple[RunId, ...]
    code: tuple[str, ...]


def plan_expunge(project: Project, address: str, *, here: bool = False, remotes: Sequence[str] = ()) -> ExpungePlan:
    """What expunging a run would do; nothing is changed, and no remote is asked.

    Args:
        project: where.
        address: of the run, as people give it; the full id of one that is hidden, or of which only events are left.
        here: only in this clone.
        remotes: only at these; none: at all that are remembered to have it.

    Raises:
        RunNotFoundError: there is nothing of it here.
        AmbiguousError: several.
        RunActiveError: it has not ended.
        ConflictError: the clone is shallow, so that nobody can tell here what its ledgers list.
        NoRemoteError: a remote is none.
        CorruptRecordError: a ledger cannot be read.
    """
    id, name = _meant(project, address)
    _check_ended(project, id)
    there = find_belongings(project.repo, project.layout, id)
    if not here:
        _check_whole(project, id)
    if not there.is_there and there.said is None and not remotes:
        raise RunNotFoundError(f"there is nothing of run '{display(address, 80)}' here", hint="gittrack fetch")
    known = _configured(project)
    slugs = _slugs(there) | _slugs_to_look_at(there, known.values())
    chosen = [runs_remote(project, remote) for remote in remotes]
    if not remotes and not here:
        chosen = [known[slug] for slug in sorted(slugs & known.keys())]
    taken = known.keys() | {remote.slug for remote in chosen}
    return ExpungePlan(
        id=id,
        name=name,
        there=there,
        remotes=tuple(chosen),
        here=here,
        ledgers=tuple(name.removeprefix(REMOTE_PREFIX) for name, _ in there.ledgers if _remembered(name)),
        unknown=tuple(sorted(slug for slug in slugs - taken if not slug.startswith((FROM, BUNDLE)))),
        bytes=bytes_of_run(project, id, there.commits),
        tracking=tuple(_tracking(project)),
        obstacles=tuple(_obstacles(project, there)),
        children=tuple(_children(project, id)),
        code=tuple(_code(project, there)),
    )


def check_still(project: Project, plan: ExpungePlan) -> Belongings:
    """What there is of the run by now; to be asked right before anything goes, as time passes until somebody says yes.

    Raises:
        RunActiveError: it goes on again.
        ConflictError: something of the user's needs it.
    """
    _check_ended(project, plan.id)
    there = find_belongings(project.repo, project.layout, plan.id, known=plan.there.commits)
    for obstacle in _obstacles(project, there):
        raise ConflictError(f"run {plan.id[:8]} is needed: {obstacle.what}", hint=obstacle.command)
    return there


def _check_ended(project: Project, id: RunId) -> None:
    if project.layout.live_run(id).exists():
        raise RunActiveError(f"run {id[:8]} has not ended", hint="end it first; one that is dead: gittrack recover")


def _check_whole(project: Project, id: RunId) -> None:
    """In a shallow clone a run may be in batches that are not here, nor what is listed there."""
    for name, tip in project.repo.refs.list(REMOTE_PREFIX):
        if _remembered(name) is not None and is_cut_off(project.repo, tip):
            text = f"this clone is shallow, and does not know all that '{name.removeprefix(REMOTE_PREFIX)}' lists"
            hint = f"git fetch --unshallow, or do it in a whole clone; only here: gittrack expunge {id} --here"
            raise ConflictError(text, hint=hint)


def _slugs_to_look_at(there: Belongings, remotes: Iterable[Remote]) -> set[str]:
    """The remotes that are told already, of which another place that they push to may still have it."""
    told = {ref.remote for name, _ in there.telling if (ref := _remembered(name)) is not None}
    return {remote.slug for remote in remotes if remote.push_urls and remote.slug in told}


def _meant(project: Project, address: str) -> tuple[RunId, str]:
    """The id and the name of the run that an address means, hidden ones too."""
    prefix = parse_address(address).prefix
    is_whole = prefix is not None and len(prefix) == _DIGITS
    try:
        (run,) = find_listed(project, [address])
        return run.id, run.name
    except (RunNotFoundError, FormatError) as error:
        if prefix is None or (isinstance(error, FormatError) and not is_whole):
            raise
        ids = {RunId(prefix)} if is_whole else known_ids(project.repo, prefix)
        ids |= {id for id in expunged_runs(project) if id.startswith(prefix)}
        if len(ids) > 1:
            text = f"'{display(address, 80)}' matches {len(ids)} runs"
            raise AmbiguousError(text, matches=sorted(ids), hint="use the full id") from None
        if not ids:
            raise
        return ids.pop(), ""


def _remembered(name: RefName) -> RemoteLedgerRef | None:
    ref = parse_ref(name)
    return ref if isinstance(ref, RemoteLedgerRef) else None


def _slugs(there: Belongings) -> set[str]:
    found = {ref.remote for name, _ in there.ledgers if (ref := _remembered(name)) is not None}
    live = (name.removeprefix(REMOTE_PREFIX) for name, _ in there.refs if name.startswith(REMOTE_PREFIX))
    return found | {name.partition("/")[0] for name in live}


def _configured(project: Project) -> dict[str, Remote]:
    """The remotes that git knows, and the one that runs are shared with, by their slugs."""
    found = [runs_remote(project, name) for name in remote_names(project.git_config)]
    if project.config.runs_remote:
        found.append(runs_remote(project))
    return {remote.slug: remote for remote in found}


def _children(project: Project, id: RunId) -> list[RunId]:
    def inside(index: IndexDatabase) -> list[RunId]:
        with index.reading() as sql:
            return runs_inside(sql, id)

    return ask(project, inside)


def _not_ours(project: Project) -> list[str]:
    """The namespaces and names of refs that are the user's."""
    found = set()
    for name, _ in project.repo.refs.list():
        if not name.startswith(_OURS):
            found.add("/".join(name.split("/")[:2]) + ("/" if name.count("/") > 1 else ""))
    return sorted(found - {"refs/runs/"}) + [n for n, _ in project.repo.refs.list("refs/runs/") if _is_other(n)]


def _is_other(name: str) -> bool:
    return not name.startswith(_OURS)


def _obstacles(project: Project, there: Belongings) -> Iterable[Obstacle]:
    """Refs of the user's, heads of worktrees, and other runs that reach a commit of the run."""
    stored = [commit for commit in there.commits if project.repo.objects.exists(commit)]
    tracking = _tracking(project)
    for ref in refs_reaching(project.repo, stored, _not_ours(project)):
        if ref not in tracking:
            yield Obstacle(f"ref {ref}", _removal(ref))
    for folder in heads_reaching(project.repo, stored):
        yield Obstacle(f"the worktree {folder} has it checked out", f"git -C {folder} switch -")
    for id in sorted(_runs_on_top(project, there, stored)):
        yield Obstacle(f"run {id} was made on top of it", f"gittrack expunge {id}")


def _tracking(project: Project) -> list[RefName]:
    """The remote-tracking branches that a plain ``git fetch`` makes of ledgers that are branches at their remote."""
    branches = (project.config.ref_prefix or RUNS_PREFIX).removeprefix("refs/heads/")
    if branches.startswith("refs/"):
        return []
    found = []
    for name in remote_names(project.git_config):
        prefix = f"refs/remotes/{name}/{branches}"
        refs = [ref for ref, _ in project.repo.refs.list(prefix)]
        found += [ref for ref in refs if parse_shared_ledger(prefix, ref) or ref.startswith(f"{prefix}live/")]
    return found


def _removal(ref: RefName) -> str:
    kind, _, name = ref.removeprefix("refs/").partition("/")
    if kind == "tags":
        return f"git tag -d {name}; where it was pushed: git push REMOTE :{ref}"
    if kind == "heads":
        return f"git branch -D {name}; where it was pushed: git push REMOTE :{ref}"
    if kind == "remotes":
        remote, _, branch = name.partition("/")
        return f"git push {remote} :refs/heads/{branch}"
    return f"git update-ref -d {ref}"


def _runs_on_top(project: Project, there: Belongings, stored: Collection[ObjectId]) -> set[str]:
    """Other runs that have one of the commits among their ancestors, by whatever is between them."""
    found: set[str] = set()
    seen, waiting = set(stored), set(stored)
    while waiting:
        children = {child for some in children_of(project.repo, waiting).values() for child in some}
        waiting = children - seen - there.carriers
        seen |= waiting
        found |= {id for commit in waiting for id in there.listed.get(commit, ()) if id != there.id}
    return found


def _code(project: Project, there: Belongings) -> Iterable[str]:
    """What stays of the code that ran: a secret may be in it."""
    for code in sorted(_code_commits(project, there)):
        commit = project.repo.objects.read_commit(code)
        if commit.tree == _EMPTY_TREE:
            continue
        if commit.author != GITTRACK:
            yield f"the code that ran is your commit {code[:12]}, which stays; of a secret in it only you can tell"
            continue
        others = children_of(project.repo, [code]).get(code, [])
        users = sorted({id[:8] for child in others for id in there.listed.get(child, ()) if id != there.id})
        refs = refs_reaching(project.repo, [code], _not_ours(project))
        if users or refs:
            by = ", ".join([*(f"run {id}" for id in users[:10]), *refs[:10]])
            yield f"the snapshot of the code, {code[:12]}, stays with its files: used by {by}"


def _code_commits(project: Project, there: Belongings) -> set[ObjectId]:
    objects = project.repo.objects
    parents = {parent for commit in there.commits if objects.exists(commit) for parent in _first(project, commit)}
    return {parent for parent in parents if objects.exists(parent) and parent not in there.commits}


def _first(project: Project, commit: ObjectId) -> tuple[ObjectId, ...]:
    return project.repo.objects.read_commit(commit).parents[:1]

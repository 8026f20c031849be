"""Pushing runs: what is not at a remote yet, said before it happens, bytes first, refs last."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING

from gittrack.api.expunged_runs import without_expunged
from gittrack.api.fetch import catch_up, fetch, waiting
from gittrack.api.finished_live import clear_checkpoints
from gittrack.api.remotes import EVERY_MONTH, runs_remote
from gittrack.api.saved_run import SavedRun
from gittrack.api.shared_rows import SharedRows
from gittrack.core.events import fold
from gittrack.core.ids import ObjectId, RefName, RunId
from gittrack.core.ledger import BatchRow
from gittrack.core.problem import Problem
from gittrack.core.records import GITTRACK, Event
from gittrack.core.run_tree import ARTIFACTS_FILE
from gittrack.errors import RemoteError, UsageError
from gittrack.frozen import dataclass
from gittrack.git.network import Told, list_remote
from gittrack.git.reachable import CodeCommit, published
from gittrack.store.dead_locks import clear_dead_locks
from gittrack.store.doubtful import read_doubtful
from gittrack.store.event_store import read_event
from gittrack.store.incoming import remembered
from gittrack.store.locks import exclusive
from gittrack.store.outgoing import Candidate, Shared, candidates, drop_held, settle, share
from gittrack.store.places import Lack, behind, bring, bring_on, lacks
from gittrack.store.remotes import Remote, remember, speaks_of
from gittrack.store.rollup import drop_copies
from gittrack.store.run_reader import read_record
from gittrack.store.waiting_bytes import read_waiting, write_waiting

if TYPE_CHECKING:
    from gittrack.api.artifact_transfer import ToldProgress
    from gittrack.api.project import Project
    from gittrack.artifacts.transfer import Transfer

EVERYTHING, NOTHING = "all", "none"


@dataclass(frozen=True, slots=True)
class PushPlan:
    """What a push would do.

    Attributes:
        remote: where to.
        rows: the runs and events that are not there.
        commits: commits of the user's own code that are at no ref of the remote and would be published with the runs.
        problems: what cannot be shared because it cannot be read.
        there: the ledgers of the remote, as they were remembered when this was planned.
        expunged: runs that stay here since somebody expunged them.
        lacking: what other places that the remote pushes to lack of what is shared, and what the remote itself does, as
            an earlier state of it was played back.
        away: other places that cannot be reached.
        theirs: runs of others, known from elsewhere, that the remote does not have; named or with ``--all`` they go.
        waiting: how many runs were shared before whose artifact bytes had nowhere to go.
        is_usual: whether it is the remote that is meant where none is named.
    """

    remote: Remote
    rows: tuple[BatchRow, ...]
    commits: tuple[CodeCommit, ...]
    problems: tuple[Problem, ...]
    there: Mapping[RefName, ObjectId] = field(default_factory=dict)
    expunged: tuple[RunId, ...] = ()
    lacking: tuple[Lack, ...] = ()
    away: tuple[Problem, ...] = ()
    theirs: tuple[RunId, ...] = ()
    waiting: int = 0
    is_usual: bool = True

    @property
    def runs(self) -> tuple[RunId, ...]:
        """The ids of the runs, each once."""
        return tuple(dict.fromkeys(RunId(row.id) for row in self.rows if row.kind == "run"))

    @property
    def events(self) -> int:
        """How many events there are."""
        return sum(row.kind == "event" for row in self.rows)


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push did.

    Attributes:
        plan: what it was to do.
        shared: the runs and events that are at the remote now.
        bytes_moved: the transfer of artifact bytes; None when there was none to do.
        without_bytes: why artifact bytes did not go; empty when they did, or there were none.
        left: checkpoints of runs that are there now which could not be removed.
    """

    plan: PushPlan
    shared: Shared
    bytes_moved: Transfer | None = None
    without_bytes: str = ""
    left: tuple[Problem, ...] = ()


def plan_push(
    project: Project,
    remote_name: str | None = None,
    *,
    runs: Sequence[str] = (),
    query: str = "",
    experiment: str | None = None,
    everything: bool = False,
    told: Told | None = None,
) -> PushPlan:
    """What a push would do; nothing is pushed.

    Args:
        project: where from.
        remote_name: where to; None: the usual remote.
        runs: only these; addresses.
        query: only what this finds.
        experiment: only runs of this one.
        everything: all runs, whatever ``gittrack.share`` says.
        told: git's progress, where the remote must be asked.

    Raises:
        RunNotFoundError, AmbiguousError, QuerySyntaxError, ExperimentNotFoundError: what is named.
        NoRemoteError, AuthenticationError, RemoteError: the remote.
    """
    remote = runs_remote(project, remote_name)
    known = remembered(project.repo, remote)
    is_known = bool(known) and speaks_of(project.layout, remote)
    if not is_known:
        _catch_up_first(project, remote, told, is_new=not known)
    public = _branches(project, remote) if is_known else ()
    listed = SharedRows(project, remote.slug, public)
    every, problems = candidates(project.repo, remote, project.writer, listed, read_doubtful(project.layout))
    # Others' runs are handed on when they are asked for, not by the way.
    is_asked = bool(runs or query or everything) or experiment is not None
    found, expunged = without_expunged(project, [each for each in every if each.is_own or is_asked])
    chosen = _chosen(project, runs, query, experiment, everything=everything)
    said = {row.commit: read_event(project.repo, row.commit) for row, *_ in found if row.kind == "event"}
    deleted = set() if runs or everything else _deleted(project, found, said.values())
    here = {RunId(row.id) for row, *_ in found if row.kind == "run"}
    kept = {id for id in here if id not in deleted and (chosen is None or id in chosen)}
    rows = tuple(each.row for each in found if _goes(each, said, kept, here - kept))
    code = _code(project, remote, rows, every, listed, public if is_known else None)
    lacking, away = lacks(project.repo, remote, project.writer)
    lacking += behind(project.repo, project.layout, remote, project.writer)
    theirs = {RunId(each.row.id) for each in every if each.row.kind == "run" and not each.is_own and not is_asked}
    return PushPlan(
        remote,
        rows,
        code,
        tuple(problems),
        listed.tips,
        expunged,
        tuple(lacking),
        tuple(away),
        tuple(sorted(theirs)),
        len(read_waiting(project.layout)),
        remote_name is None,
    )


def _branches(project: Project, remote: Remote) -> tuple[ObjectId, ...]:
    """Where the remote's branches were, as git remembers them."""
    return tuple(tip for _, tip in project.repo.refs.list(f"refs/remotes/{remote.name}/"))


def _deleted(project: Project, found: Sequence[Candidate], said: Iterable[Event]) -> set[RunId]:
    """The runs that are deleted here: who deletes a run before it was shared does not mean to share it.

    Of what was never shared nobody else can have said anything, and one's own events wait beside it.
    """
    if any(candidate.was_shared for candidate in found if candidate.row.kind == "run"):
        from gittrack.api.found_hits import Search, ask_hits

        return ask_hits(project, Search(deleted=True), lambda found: {hit.id for hit in found.stored()})
    about: dict[RunId, list[Event]] = {}
    for event in said:
        if event.subject.kind == "run":
            about.setdefault(RunId(event.subject.key), []).append(event)
    return {id for id, events in about.items() if fold({}, events).deleted}


def _goes(
    candidate: Candidate, said: Mapping[ObjectId, Event], kept: Collection[RunId], private: Collection[RunId]
) -> bool:
    """Whether it is pushed: chosen runs, and what was said of anything but runs that stay here; by others, of these."""
    row = candidate.row
    if row.kind == "run":
        return RunId(row.id) in kept
    subject = said[row.commit].subject
    if not candidate.is_own:
        return subject.kind == "run" and RunId(subject.key) in kept
    return subject.kind != "run" or RunId(subject.key) not in private


def _catch_up_first(project: Project, remote: Remote, told: Told | None, *, is_new: bool) -> None:
    """The remote was never asked, or is another repository than it was: ask what it has of one's own."""
    found = fetch(project, remote.name, told=told, writer=project.writer if is_new else None, since=EVERY_MONTH)
    if found.rewritten:
        known = "1 ledger" if len(found.rewritten) == 1 else f"{len(found.rewritten)} ledgers"
        why = "its URL or gittrack.refPrefix was changed, or it was made anew"
        text = f"remote '{remote.shown}' has not {known} that it was known to have: {why}"
        raise RemoteError(text, hint=f"gittrack fetch {remote.shown} --accept-rewrite")


def _chosen(
    project: Project, runs: Sequence[str], query: str, experiment: str | None, *, everything: bool
) -> set[RunId] | None:
    """The runs that are meant; None: all."""
    ways = [bool(runs), bool(query), experiment is not None, everything]
    if sum(ways) > 1:
        text = "runs, --query, --experiment and --all each say what is pushed: give one of them"
        raise UsageError(text, hint="gittrack push --help")
    if runs:
        from gittrack.api.read import find_listed

        return {run.id for run in find_listed(project, runs)}
    if query or experiment is not None:
        return _found(project, query, experiment)
    if everything or project.config.share == EVERYTHING:
        return None
    return set() if project.config.share == NOTHING else _found(project, project.config.share, None)


def _found(project: Project, query: str, experiment: str | None) -> set[RunId]:
    from gittrack.api.found_hits import Search, ask_hits, chosen_runs

    expression, experiments = chosen_runs(project, query, experiment)
    asked = Search(expression, deleted=None, experiments=experiments)
    return ask_hits(project, asked, lambda found: {hit.id for hit in found.stored()})


def _code(
    project: Project,
    remote: Remote,
    rows: Sequence[BatchRow],
    asked: Sequence[Candidate],
    listed: SharedRows,
    public: Sequence[ObjectId] | None,
) -> tuple[CodeCommit, ...]:
    """The user's own commits that would become public; snapshots and runs are not theirs.

    What a remote that was never asked has is not what ``refs/remotes`` says: its URL may have been changed.
    ``public`` is None then. ``asked`` are all that ``listed`` was asked about, with those that stay here.
    """
    runs = [row.commit for row in rows if row.kind == "run"]
    ours = {row.commit for row, *_ in asked}
    commits: Iterable[CodeCommit]
    if public is not None and len(rows) == len(asked) and ours <= listed.beyond.keys():
        commits = listed.beyond.values()  # that was found out when it was asked what is there
    else:
        if public is None:
            refs = list_remote(project.repo, remote.name, ["refs/heads/*", "refs/tags/*"]) if runs else []
            public = [ref.tip for ref in refs]
        commits = published(project.repo, runs, [*listed.tips.values(), *public])
    return tuple(commit for commit in commits if commit.id not in ours and commit.email != GITTRACK.email)


def push(
    project: Project, plan: PushPlan, *, told: Told | None = None, told_bytes: ToldProgress | None = None
) -> Pushed:
    """Do what a plan says: artifact bytes first, then the runs, as a fast-forward of one ref.

    Repeated after it broke off, it does the rest. Nothing is forced, nothing of the user's branches and tags is pushed.

    Args:
        project: where from.
        plan: of :func:`plan_push`.
        told: git's progress.
        told_bytes: progress of the bytes.

    Raises:
        NoRemoteError, AuthenticationError, RemoteError: the remote cannot be reached, or refuses.
        ConflictError: a ref moved here meanwhile.
    """
    if not plan.rows and not plan.lacking and not plan.away:
        moved, without = _push_bytes(project, plan, told_bytes)
        _finish_killed(project, plan.remote, told)
        return Pushed(plan, Shared(()), moved, without, clear_checkpoints(project, plan.remote))
    moved, without = _push_bytes(project, plan, told_bytes)
    project.layout.root.mkdir(exist_ok=True)
    with exclusive(project.layout.sharing_lock, waiting=waiting(told)):
        clear_dead_locks(project.repo, project.layout, [project.layout.sharing_lock])
        drop_held(project.repo, plan.remote)
        remember(project.layout, plan.remote)
        caught = catch_up(project, plan.remote, told)
        listed = SharedRows(project, plan.remote.slug)
        listed.assume_absent(plan.rows, plan.there)
        shared = share(project.repo, plan.remote, plan.rows, project.author, project.now(), listed, caught, told)
        listed.note(plan.rows)
        settle(project.repo, listed)
        drop_copies(project.repo, project.layout, {row.commit: row.id for row in plan.rows if row.kind == "run"})
        bring_on(project.repo, project.layout, plan.remote, project.writer, told)
        bring(project.repo, plan.remote, project.writer, told)
    return Pushed(plan, shared, moved, without, clear_checkpoints(project, plan.remote))


def _finish_killed(project: Project, remote: Remote, told: Told | None) -> None:
    """Do what a push left to do that was killed when all was there."""
    project.layout.root.mkdir(exist_ok=True)
    with exclusive(project.layout.sharing_lock, waiting=waiting(told)):
        clear_dead_locks(project.repo, project.layout, [project.layout.sharing_lock])
        drop_held(project.repo, remote)
        settle(project.repo, SharedRows(project, remote.slug))


def _push_bytes(project: Project, plan: PushPlan, told: ToldProgress | None) -> tuple[Transfer | None, str]:
    """Bring the bytes of the runs to their remote; a ref must not name bytes that are nowhere.

    Raises:
        RemoteError: some of them did not get there; the runs are not pushed then.
    """
    runs = _with_bytes(project, [row.commit for row in plan.rows if row.kind == "run"])
    waiting = [commit for commit in read_waiting(project.layout) if project.repo.objects.exists(commit)]
    late = _with_bytes(project, waiting)
    if not runs and not late:
        return None, ""
    from gittrack.api.artifact_transfer import push_bytes
    from gittrack.errors import MissingDependencyError, NoRemoteError

    try:
        done = push_bytes(project, [*runs, *late], None, told)
    except (NoRemoteError, MissingDependencyError) as error:
        write_waiting(project.layout, [*waiting, *(run.commit for run in runs if run.commit is not None)])
        return None, f"{error.message}: {error.hint}, then: gittrack push" if error.hint else error.message
    if not done.failures:
        write_waiting(project.layout, ())
    elif runs:
        first = done.failures[0]
        text = f"{len(done.failures)} artifacts did not get to their remote, so their runs stay here: {first.what}: "
        raise RemoteError(text + first.error.message, hint=first.error.hint or "gittrack artifact push")
    return done, ""


def _with_bytes(project: Project, commits: Sequence[ObjectId]) -> list[SavedRun]:
    """The runs whose artifacts do not all lie in git."""
    found = []
    for commit in commits:
        if project.repo.objects.entry_at(commit, ARTIFACTS_FILE) is not None:
            record = read_record(project.repo, commit)
            if any(entry.storage == "pointer" for entry in record.artifacts):
                found.append(SavedRun(record, commit, _project=project))
    return found

"""Everything that refs reach: which commits hold which runs, and all events.

One damaged run, event or ledger is one line in ``problems`` and never hides the others. A run may be in two places
(git's files backend is not crash-atomic over several refs): one commit is one run commit, wherever it is listed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import field

from gittrack.core.events import is_event_message
from gittrack.core.expunged import EXPUNGED, expunger
from gittrack.core.ids import ObjectId, RefName, RunId, parse_event_id, parse_run_id
from gittrack.core.ledger import BATCH_FILE, LEDGER_FILE, BatchRow, decode_batch
from gittrack.core.parsed_refs import InboxRef, LocalLedgerRef, RemoteLedgerRef, parse_ref
from gittrack.core.problem import Problem
from gittrack.core.records import Event, Person
from gittrack.core.refs import REMOTE_PREFIX, RUNS_PREFIX
from gittrack.core.run_toml import RECOVERED_FROM, decode_run, strip_version
from gittrack.core.run_tree import RUN_FILE
from gittrack.core.writer_slugs import mail_slug
from gittrack.errors import CorruptRecordError, FormatError, GittrackError
from gittrack.git.repository import Repository
from gittrack.store.event_store import read_event
from gittrack.store.layout import Layout
from gittrack.store.refused import read_refused

LOCAL = ""
"""The writer of what lies in the inbox or a local ledger: this repository."""
MAX_BATCH_BYTES = 64 << 10
MAX_RUN_BYTES = 8 << 20


@dataclasses.dataclass(slots=True)
class Catalog:
    """What the refs of a repository reach.

    Attributes:
        runs: run id -> its commits -> the writers in whose ledgers each lies (``""``: here).
        events: every event by its commit.
        event_commits: event id -> its commits.
        problems: what could not be read.
    """

    runs: dict[RunId, dict[ObjectId, set[str]]] = field(default_factory=dict)
    events: dict[ObjectId, Event] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def add_run(self, id: RunId, commit: ObjectId, writer: str) -> None:
        """Note that ``writer`` lists ``commit`` as the run ``id``."""
        self.runs.setdefault(id, {}).setdefault(commit, set()).add(writer)

    def expunged(self) -> dict[RunId, Event]:
        """The runs that readers hide, since they are said to be expunged; what they need stays all the same."""
        by_run: dict[RunId, list[Event]] = {}
        for event in self.events.values():
            if event.kind == EXPUNGED and event.subject.kind == "run":
                by_run.setdefault(RunId(event.subject.key), []).append(event)
        found = {id: expunger(events) for id, events in by_run.items() if id in self.runs}
        return {id: event for id, event in found.items() if event is not None}


def read_catalog(repo: Repository) -> Catalog:
    """Walk the inbox and every ledger."""
    catalog = Catalog()
    refused = read_refused(Layout.of(repo.common_dir))
    for name, tip in [*repo.refs.list(RUNS_PREFIX), *repo.refs.list(REMOTE_PREFIX)]:
        ref = parse_ref(name)
        try:
            if isinstance(ref, InboxRef):
                _add_inbox(repo, catalog, ref, tip)
            elif isinstance(ref, LocalLedgerRef):
                _add_ledger(repo, catalog, name, tip, LOCAL, {})
            elif isinstance(ref, RemoteLedgerRef):
                _add_ledger(repo, catalog, name, tip, ref.writer, refused)
        except GittrackError as error:
            catalog.problems.append(Problem(name, error.message))
    return catalog


def _add_inbox(repo: Repository, catalog: Catalog, ref: InboxRef, tip: ObjectId) -> None:
    if is_event_message(repo.objects.read_commit(tip).message):
        event = read_event(repo, tip)
        if event.id != ref.id:
            raise CorruptRecordError(f"the inbox names event {ref.id}, its commit holds {event.id}")
        catalog.events[tip] = event
    else:
        catalog.add_run(parse_run_id(ref.id), tip, LOCAL)


def _add_ledger(
    repo: Repository, catalog: Catalog, name: RefName, tip: ObjectId, writer: str, refused: Mapping[BatchRow, str]
) -> None:
    def told(commit: ObjectId, error: GittrackError) -> None:
        catalog.problems.append(Problem(f"{name} commit {commit}", error.message))

    for row in walk_ledger(repo, tip, told=told):
        if row in refused:
            continue  # the fetch that brought it said so, and `fsck` does
        if row.kind == "run":
            catalog.add_run(parse_run_id(row.id), row.commit, writer)
        elif row.commit not in catalog.events:
            try:
                event = read_event(repo, row.commit)
                if event.id != parse_event_id(row.id):
                    raise CorruptRecordError(f"the ledger names event {row.id}, its commit holds {event.id}")
                catalog.events[row.commit] = event
            except GittrackError as error:
                catalog.problems.append(Problem(f"{name} event {row.id}", error.message))


def walk_ledger(
    repo: Repository,
    tip: ObjectId,
    stop: ObjectId | None = None,
    *,
    told: Callable[[ObjectId, FormatError], None] | None = None,
) -> Iterator[BatchRow]:
    """The rows of a ledger, newest batch first, from ``tip`` down to (not including) ``stop`` or its root.

    Args:
        repo: where.
        tip: the ledger commit to begin with.
        stop: the ledger commit to end before.
        told: gets a commit whose batch is damaged or of a newer version, and why; then the walk goes on with its
            first parent. None: such a batch is raised.

    Raises:
        CorruptRecordError: a commit of the ledger is missing, or no ledger's; or a batch is damaged.
        UnsupportedFormatError: a newer format.
    """
    for _, rows in walk_batches(repo, tip, stop, told=told):
        yield from rows


def walk_batches(
    repo: Repository,
    tip: ObjectId,
    stop: ObjectId | None = None,
    *,
    told: Callable[[ObjectId, FormatError], None] | None = None,
) -> Iterator[tuple[ObjectId | None, list[BatchRow]]]:
    """As :func:`walk_ledger`, batch by batch: the ledger commit before it (``stop`` when that was met), its rows."""
    commit_id: ObjectId | None = tip
    cut_off = repo.cut_off()  # what lies below is not here, nor is what that commit lists
    while commit_id is not None and commit_id != stop and commit_id not in cut_off:
        commit = repo.objects.read_commit(commit_id)
        before = commit.parents[0] if commit.parents else None
        try:
            batch = repo.objects.read_file(commit_id, BATCH_FILE, limit=MAX_BATCH_BYTES)
            rows = [] if batch is None else decode_batch(batch, frozenset(commit.parents[1:]))
        except FormatError as error:
            if told is None:
                raise
            told(commit_id, error)
        else:
            if batch is None:  # the root, or a history that is no ledger's and is not walked
                _check_root(repo, commit_id)
                return
            yield before, rows
        commit_id = before


def _check_root(repo: Repository, commit: ObjectId) -> None:
    data = repo.objects.read_file(commit, LEDGER_FILE, limit=MAX_BATCH_BYTES)
    if data is None:
        raise CorruptRecordError(f"commit {commit} is part of no ledger", hint="gittrack fsck")
    strip_version(data, LEDGER_FILE)


def with_earlier(repo: Repository, commits: Iterable[ObjectId]) -> Iterator[ObjectId]:
    """Run commits, and those that each of them continues (a resumption's second parent), as far as they are stored."""
    for commit in commits:
        found: ObjectId | None = commit
        while found is not None:
            yield found
            try:
                parents = repo.objects.read_commit(found).parents
            except CorruptRecordError:
                break
            found = parents[1] if len(parents) > 1 else None


def current_commits(repo: Repository, commits: dict[ObjectId, set[str]]) -> list[ObjectId]:
    """The commits of one run that count: one, or several that conflict.

    A resumption (its second parent is the earlier run commit) replaces the earlier one only if it lies here or in a
    ledger of the same writer; else both are listed, as conflicting. What somebody finished from a checkpoint, for a
    machine that was gone, is replaced by any other commit of the same author: the machine came back.

    Args:
        commits: a run's commits and their writers, as the catalog has them.

    Returns:
        Those that lie here first, then those in a ledger of their author, then by id: a commit that somebody else gave
        a run's id is never shown before it.
    """
    if len(commits) == 1:
        return list(commits)
    replaced: set[ObjectId] = set()
    for commit, writers in commits.items():
        # One in between may be listed nowhere: a second resumption took its place in the inbox.
        earlier = [found for found in with_earlier(repo, [commit]) if found != commit and found in commits]
        replaced.update(found for found in earlier if LOCAL in writers or writers & commits[found])
    left = commits.keys() - replaced
    left = left if len(left) == 1 else left - _made_up_for(repo, left)
    if len(left) == 1:
        return list(left)
    return sorted(left, key=lambda commit: (LOCAL not in commits[commit], not _is_by(repo, commit, commits), commit))


def _made_up_for(repo: Repository, commits: Collection[ObjectId]) -> set[ObjectId]:
    """Those that were made of a checkpoint, where their author has finished the run after all."""
    made = {commit for commit in commits if _is_of_checkpoint(repo, commit)}
    if not made:
        return set()
    authors = {_author(repo, commit) for commit in commits if commit not in made} - {None}
    return {commit for commit in made if _author(repo, commit) in authors}


def _is_of_checkpoint(repo: Repository, commit: ObjectId) -> bool:
    try:
        data = repo.objects.read_file(commit, RUN_FILE, limit=MAX_RUN_BYTES)
        return data is not None and RECOVERED_FROM in decode_run(data)[0].extra
    except FormatError:
        return False  # it cannot be read: whoever shows it says so


def _is_by(repo: Repository, commit: ObjectId, commits: Mapping[ObjectId, set[str]]) -> bool:
    """Whether a ledger that lists a run is called as its author's is, unless they chose another name."""
    author = _author(repo, commit)
    return author is not None and mail_slug(author.email) in commits[commit]


def _author(repo: Repository, commit: ObjectId) -> Person | None:
    """Whose run a commit is; None when that is lost."""
    try:
        return repo.objects.read_commit(commit).author
    except CorruptRecordError:
        return None

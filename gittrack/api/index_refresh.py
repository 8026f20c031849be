"""What moved since the index was last asked is read into it: only refs that moved, ledgers from their new tip down."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import replace

from gittrack.api.project import Project
from gittrack.api.run_index import PREFIXES, Progress, events_about
from gittrack.core.events import encode_event, fold, is_event_message, run_body
from gittrack.core.expunged import expunger, hidden, unread_text
from gittrack.core.ids import ExperimentId, ObjectId, RefName, RunId, parse_event_id, parse_run_id
from gittrack.core.ledger import BatchRow
from gittrack.core.message import decode_message, document_in, document_text
from gittrack.core.parsed_refs import InboxRef, LocalLedgerRef, RemoteLedgerRef, parse_ref
from gittrack.core.records import Event
from gittrack.errors import CorruptRecordError, GittrackError
from gittrack.index import seen
from gittrack.index.database import IndexDatabase
from gittrack.index.rows import IndexedRun, IndexWriter
from gittrack.store.catalog import LOCAL, current_commits, walk_batches
from gittrack.store.event_store import read_event
from gittrack.store.refused import read_refused
from gittrack.store.run_reader import read_record

_MANY = 500
"""From so many runs on SQLite samples anew how values are spread."""
_LISTING = (InboxRef, LocalLedgerRef, RemoteLedgerRef)


def read_moved(
    project: Project,
    database: IndexDatabase,
    stamp: str,
    known: Mapping[RefName, str],
    *,
    version: int,
    unread: bool,
    progress: Progress | None,
) -> None:
    """Read what refs that moved list.

    Args:
        project: where.
        database: the index.
        stamp: what the file system said of the refs before they are listed here.
        known: the tips that the index has seen.
        version: of the index that has seen these.
        unread: whether something could not be read last time, and is tried again.
        progress: told while many runs are read.
    """
    refs = _listed(project)
    cut_off = "\n".join(sorted(project.repo.cut_off()))
    with database.reading() as sql:
        is_deeper = _is_deeper(project, seen.cut_off(sql), cut_off)
    if known == refs and not unread and not stamp and not is_deeper:
        return
    with database.writing() as sql:
        is_behind = seen.version(sql) != version
        if is_behind:  # somebody else read meanwhile, and may have seen newer refs: what they have must not go again
            refs = _listed(project)
        if known != refs or unread or is_behind or is_deeper:
            _Refresh(project, sql, refs, reads_all=is_deeper).run(progress)
        seen.set_cut_off(sql, cut_off)
        seen.set_stamp(sql, stamp)


def _is_deeper(project: Project, before: str, now: str) -> bool:
    """Whether the history is cut off elsewhere than it was; where checkpoints come and go nothing is listed."""
    if before == now:
        return False
    from gittrack.store.checkpoints import is_checkpoint  # only shallow clones come here

    return any(not is_checkpoint(project.repo, ObjectId(commit)) for commit in set(before.split()) ^ set(now.split()))


def _listed(project: Project) -> dict[RefName, ObjectId]:
    return {name: tip for name, tip in project.repo.refs.list(*PREFIXES) if isinstance(parse_ref(name), _LISTING)}


@dataclasses.dataclass(slots=True)
class _Walked:
    """A ledger from some commit down: its batches, newest first; what could not be read, of which commit and why; and
    the commit before which the walk ended, which is the one that could not be read if it failed there.
    """

    batches: list[list[BatchRow]]
    failed: list[tuple[str, ObjectId | None, str]]
    end: ObjectId | None


class _Refresh:
    """One refresh, inside one transaction."""

    def __init__(
        self, project: Project, sql: seen.Connection, refs: Mapping[RefName, ObjectId], *, reads_all: bool = False
    ) -> None:
        self._reads_all = reads_all
        self._project = project
        self._repo = project.repo
        self._sql = sql
        self._refs = refs
        self._touched = seen.Touched(set(), set())
        self._forgotten: set[int] = set()
        self._names: dict[ExperimentId, str | None] = {}
        self._subjects: frozenset[str] = frozenset()
        self._writer = IndexWriter(sql)

    def run(self, progress: Progress | None) -> None:
        """Read what is new."""
        known = seen.seen_refs(self._sql)
        unread = seen.take_problems(self._sql)
        self._touched.runs.update(each.run for each in unread if each.run is not None)
        broken = {each.ref for each in unread if each.is_ref}
        for name, ref in known.items():
            tip = self._refs.get(name)
            inbox = isinstance(parse_ref(name), InboxRef)
            if tip is None or ref.number in broken or (inbox and tip != ref.tip) or (self._reads_all and not inbox):
                self._forget(name, ref.number)
        known = seen.seen_refs(self._sql)
        for name, tip in self._refs.items():
            if name not in known or known[name].tip != tip:
                self._read_ref(name, tip, known.get(name))
        names = {ref.number: name for name, ref in known.items()}
        for each in unread:
            if each.commit is not None and each.ref in names and each.ref not in self._forgotten:
                self._try_again(names[each.ref], each.ref, each, each.commit)
        self._read_runs(progress)

    def _forget(self, name: RefName, number: int) -> None:
        ref = parse_ref(name)
        run = RunId(ref.id) if isinstance(ref, InboxRef) else None
        seen.forget_ref(self._sql, number, self._touched, run)
        self._forgotten.add(number)

    def _read_ref(self, name: RefName, tip: ObjectId, known: seen.SeenRef | None) -> None:
        ref = parse_ref(name)
        writer = ref.writer if isinstance(ref, RemoteLedgerRef) else LOCAL
        number = seen.see_ref(self._sql, name, tip, writer)
        try:
            if isinstance(ref, InboxRef):
                self._read_inbox(number, ref, tip)
            else:
                self._read_ledger(name, number, tip, known)
        except GittrackError as error:
            seen.note_problem(self._sql, seen.Unread(name, number), error.message)

    def _read_inbox(self, number: int, ref: InboxRef, tip: ObjectId) -> None:
        if not is_event_message(self._repo.objects.read_commit(tip).message):
            seen.list_runs(self._sql, number, [(parse_run_id(ref.id), tip)], self._touched)
            return
        event = read_event(self._repo, tip)
        if event.id != ref.id:
            raise CorruptRecordError(f"the inbox names event {ref.id}, its commit holds {event.id}")
        seen.list_events(self._sql, number, [_seen(event, tip)], self._touched)

    def _read_ledger(self, name: RefName, number: int, tip: ObjectId, known: seen.SeenRef | None) -> None:
        stop = None if known is None else ObjectId(known.tip)
        walked = self._walked(name, tip, stop)
        if known is not None and walked.end != stop:  # it was rewritten, or lost a part: what was known does not stand
            self._forget(name, number)
            number = seen.see_ref(self._sql, name, tip, known.writer)
        self._list(name, number, walked)

    def _list(self, name: RefName, number: int, walked: _Walked) -> None:
        for place, commit, reason in walked.failed:
            seen.note_problem(self._sql, seen.Unread(place, number, commit=commit), reason)
        rows = self._sound(name, [row for batch in reversed(walked.batches) for row in batch])
        runs = [(parse_run_id(row.id), row.commit) for row in rows if row.kind == "run"]
        seen.list_runs(self._sql, number, runs, self._touched)
        for row in rows:
            if row.kind == "event":
                self._read_event(name, number, row.id, row.commit)

    def _sound(self, name: RefName, rows: list[BatchRow]) -> list[BatchRow]:
        """The rows without those that were refused when they were fetched; that fetch said so, and `fsck` does."""
        if not isinstance(parse_ref(name), RemoteLedgerRef):
            return rows
        refused = read_refused(self._project.layout)
        return [row for row in rows if row not in refused]

    def _walked(self, name: RefName, tip: ObjectId, stop: ObjectId | None) -> _Walked:
        """The batches of a ledger, as far as they can be read, and what of it cannot be."""
        walked = _Walked([], [], tip)

        def told(commit: ObjectId, error: GittrackError) -> None:
            walked.failed.append((f"{name} commit {commit}", commit, error.message))
            walked.end = next(iter(self._repo.objects.read_commit(commit).parents), None)

        try:
            for before, rows in walk_batches(self._repo, tip, stop, told=told):
                walked.batches.append(rows)  # what was read before it fails stands
                walked.end = before
        except GittrackError as error:
            walked.failed.append((name, walked.end, error.message))
        return walked

    def _try_again(self, name: RefName, number: int, unread: seen.Unread, commit: ObjectId) -> None:
        if unread.event is not None:
            self._read_event(name, number, unread.event, commit)
            return
        try:
            next(walk_batches(self._repo, commit), None)
        except GittrackError as error:
            seen.note_problem(self._sql, unread, error.message)
        else:  # it was mended: what lies below it may never have been read
            self._list(name, number, self._walked(name, commit, None))

    def _read_event(self, name: RefName, number: int, id: str, commit: ObjectId) -> None:
        try:
            event = read_event(self._repo, commit)
            if event.id != parse_event_id(id):
                raise CorruptRecordError(f"the ledger names event {id}, its commit holds {event.id}")
        except GittrackError as error:
            unread = seen.Unread(f"{name} event {id}", number, event=id, commit=commit)
            seen.note_problem(self._sql, unread, error.message)
        else:
            seen.list_events(self._sql, number, [_seen(event, commit)], self._touched)

    def _read_runs(self, progress: Progress | None) -> None:
        ids = dict.fromkeys(self._touched.runs)
        for subject in sorted(self._touched.subjects):
            kind, _, key = subject.partition(":")
            if kind == "run":
                ids[RunId(key)] = None
            elif kind == "experiment":
                ids.update(dict.fromkeys(seen.runs_of_experiment(self._sql, key)))
        self._subjects = seen.subjects(self._sql)
        for number, (id, listed) in enumerate(seen.commits_of(self._sql, list(ids))):
            if progress is not None:
                progress(number, len(ids))
            self._read_run(id, listed)
        self._writer.flush()
        if len(ids) > _MANY:
            seen.take_statistics(self._sql)

    def _read_run(self, id: RunId, listed: dict[ObjectId, set[str]]) -> None:
        try:
            if listed:
                self._writer.write_run(self._indexed(id, current_commits(self._repo, listed)))
                return
        except GittrackError as error:
            seen.note_problem(self._sql, seen.Unread(f"run {id}", run=id), unread_text(error))
        self._writer.forget_run(id)

    def _indexed(self, id: RunId, commits: list[ObjectId]) -> IndexedRun:
        said = self._events(f"run:{id}") if f"run:{id}" in self._subjects else []
        expunged = expunger(said)
        if expunged is not None:
            raise hidden(id, expunged)
        commit, *others = commits
        message = self._repo.objects.read_commit(commit).message
        listed = decode_message(message)
        record = read_record(self._repo, commit) if listed is None else listed.record
        document = document_text(record, {}) if listed is None else document_in(message)
        if record.id != id:
            raise CorruptRecordError(f"commit {commit} is of run {record.id}")
        name = self._present_name(record.experiment.id)
        if name is not None:
            record = replace(record, experiment=replace(record.experiment, name=name))
        if not said:
            return IndexedRun(record, commit, tuple(others), document)
        state = fold(run_body(record), said)
        record = replace(record, name=state.value("name") or "", note=state.value("note") or "", tags=state.tags)
        comments = tuple(event.value or "" for event in state.sets.get("comment", ()))
        return IndexedRun(record, commit, tuple(others), document, state.deleted, comments)

    def _present_name(self, experiment: ExperimentId) -> str | None:
        if experiment not in self._names:
            events = self._events(f"experiment:{experiment}")
            self._names[experiment] = fold({}, events).value("name") if events else None
        return self._names[experiment]

    def _events(self, subject: str) -> list[Event]:
        return events_about(self._sql, subject)


def _seen(event: Event, commit: ObjectId) -> seen.SeenEvent:
    return seen.SeenEvent(str(event.subject), commit, encode_event(event))

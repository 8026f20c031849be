"""Runs looked up in the index: only those that are meant are read."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from gittrack.api.addressing import ID_DIGITS, Candidate, match_address
from gittrack.api.experiments import grouped
from gittrack.api.live_beside import look_beside, runs_beside
from gittrack.api.read import checkpoints_here
from gittrack.api.run_index import ask, events_about
from gittrack.api.saved_run import SavedRun
from gittrack.api.stored_runs import saved_run
from gittrack.core.address import Address
from gittrack.core.expunged import expunger, hidden
from gittrack.core.ids import ExperimentId, ObjectId, RunId
from gittrack.core.records import Event
from gittrack.errors import CorruptRecordError, RunNotFoundError
from gittrack.index.database import IndexDatabase
from gittrack.index.lookups import (
    ExperimentRuns,
    experiments_of_runs,
    experiments_with_events,
    runs_at,
    runs_beginning,
    runs_named,
    stored_run,
)
from gittrack.index.searching import Question, find
from gittrack.index.seen import commits_of
from gittrack.store.catalog import current_commits
from gittrack.store.run_reader import read_listed

if TYPE_CHECKING:
    from gittrack.api.project import Project


def runs_at_addresses(project: Project, addresses: Sequence[Address], *, deleted: bool = False) -> list[SavedRun]:
    """The runs at some addresses, as listings have them, in the order of the addresses.

    Args:
        project: where.
        addresses: what people gave.
        deleted: of runs of a name the deleted ones are meant, if there are any, instead of the others.

    Raises:
        RunNotFoundError, AmbiguousError: an address.
        CorruptRecordError: the run of a full id cannot be read.
    """

    def found(index: IndexDatabase) -> list[SavedRun]:
        with index.reading():
            known = IndexedRuns(project, index)
            return [match_address(project, address, known, deleted=deleted) for address in addresses]

    try:
        return ask(project, found)
    except RunNotFoundError:
        # A run that ended after the refs were looked at and before the live ones were was in neither place.
        return ask(project, found)


class IndexedRuns:
    """The runs of an index that is up to date, and those in progress; these are read when they may be meant.

    Args:
        project: where.
        index: inside :meth:`IndexDatabase.reading`.
    """

    def __init__(self, project: Project, index: IndexDatabase) -> None:
        self._project = project
        self._index = index
        self._sql = index.connection
        self._read: dict[RunId, SavedRun] | None = None
        self._elsewhere: frozenset[RunId] | None = None

    @property
    def live(self) -> dict[RunId, SavedRun]:
        """The runs in progress."""
        if self._read is None:
            self._read, _ = runs_beside(self._project, self._index, look_beside(self._project))
        return self._read

    def newest(self, back: int) -> SavedRun | int:
        """The run so many back, or how many there are."""
        hits = find(self._sql, Question(limit=back, without=frozenset(self.live)))
        places = [(hit.position, hit.id) for hit in hits]
        places += [((run.record.start_time, run.id), run.id) for run in self.live.values() if not run.deleted]
        if back > len(places):
            return len(places)
        _, id = sorted(places, reverse=True)[back - 1]
        found = self.one(id)
        assert found is not None
        return found

    def one(self, id: RunId) -> SavedRun | None:
        """The run of an id.

        Raises:
            CorruptRecordError: it is there and cannot be read.
        """
        if len(id) != ID_DIGITS:
            return None
        is_live = self._project.layout.live_run(id).exists() or self._may_be_elsewhere(id)
        if (is_live or self._read is not None) and id in self.live:
            return self.live[id]
        found = self._finished(id)
        if found is None and not is_live:
            self._read_again(id)
        return found

    def _may_be_elsewhere(self, id: RunId) -> bool:
        if self._elsewhere is None:
            self._elsewhere = frozenset(each.id for each in checkpoints_here(self._project))
        return id in self._elsewhere

    def _finished(self, id: RunId) -> SavedRun | None:
        stored = stored_run(self._sql, id)
        return None if stored is None else saved_run(self._project, self._sql, stored)

    def _read_again(self, id: RunId) -> None:
        """Raise what is wrong with a run that refs list and the index has not."""
        repo = self._project.repo
        expunged = expunger(events_about(self._sql, f"run:{id}"))
        for _, commits in commits_of(self._sql, [id]):
            if commits and expunged is not None:
                raise hidden(id, expunged)
            for commit in current_commits(repo, commits)[:1]:
                record = read_listed(repo, commit, repo.objects.read_commit(commit).message).record
                if record.id != id:
                    raise CorruptRecordError(f"commit {commit} is of run {record.id}")

    def named(self, name: str) -> list[Candidate]:
        """The runs of a name."""
        if not _is_text(name):
            return []
        live = [Candidate(run.id, run.deleted) for run in self.live.values() if run.name == name]
        return [Candidate(*run) for run in runs_named(self._sql, name) if run.id not in self.live] + live

    def beginning(self, digits: str) -> list[Candidate]:
        """The runs whose ids begin so."""
        live = [Candidate(run.id, run.deleted) for run in self.live.values() if run.id.startswith(digits)]
        return [Candidate(*run) for run in runs_beginning(self._sql, digits) if run.id not in self.live] + live

    def at(self, commit: ObjectId) -> list[Candidate]:
        """The runs whose commit this is."""
        found = (self._finished(id) for id in runs_at(self._sql, commit) if id not in self.live)
        return [Candidate(run.id, run.deleted) for run in found if run and commit in (run.commit, *run.conflicts)]


def _is_text(name: str) -> bool:
    """Whether it can be a name at all: bytes of a command line that are no UTF-8 are halves of characters."""
    return name.isascii() or name.encode(errors="replace").decode() == name


def known_experiments(project: Project) -> tuple[list[ExperimentRuns], dict[ExperimentId, list[Event]]]:
    """The experiments of all runs that are not deleted, live ones included; and what was said of experiments."""
    beside = look_beside(project)

    def found(index: IndexDatabase) -> tuple[list[ExperimentRuns], dict[ExperimentId, list[Event]]]:
        with index.reading() as sql:
            live, _ = runs_beside(project, index, beside)
            groups = grouped((run for run in live.values() if not run.deleted), experiments_of_runs(sql, live))
            said = {id: events_about(sql, f"experiment:{id}") for id in experiments_with_events(sql)}
        return groups, said

    return ask(project, found)


def events_about_runs(project: Project, ids: Collection[RunId]) -> dict[str, list[Event]]:
    """What was said of some runs, and of experiments, by subject."""

    def found(index: IndexDatabase) -> dict[str, list[Event]]:
        with index.reading() as sql:
            subjects = [f"run:{id}" for id in ids] + [f"experiment:{id}" for id in experiments_with_events(sql)]
            return {subject: events_about(sql, subject) for subject in subjects}

    return ask(project, found)

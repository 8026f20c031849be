"""The index, brought up to date before it is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from gittrack.api.project import Project
from gittrack.core.events import decode_event
from gittrack.core.problem import Problem
from gittrack.core.records import Event
from gittrack.core.refs import REMOTE_PREFIX, RUNS_PREFIX
from gittrack.errors import CorruptRecordError, StorageError
from gittrack.git.refs_stamp import refs_stamp
from gittrack.index import seen
from gittrack.index.database import DamagedIndexError, IndexDatabase, remove
from gittrack.index.file_hold import generation

PREFIXES = (RUNS_PREFIX, REMOTE_PREFIX)
"""The namespaces that list runs."""
_ATTEMPTS = 3
"""Times that an index is made anew before it is done without; two processes may find the same one damaged."""
T = TypeVar("T")
Progress = Callable[[int, int], None]
"""Told while many runs are read: how many are done, of how many."""


def ask(project: Project, question: Callable[[IndexDatabase], T], progress: Progress | None = None) -> T:
    """Answer a question from the index, brought up to date; one that turns out to be damaged is made anew first.

    Args:
        project: where.
        question: asks.
        progress: told while many runs are read.

    Raises:
        CorruptRecordError: the index is damaged even in memory, as soon as it is made.
    """
    file = project.layout.index_file
    for _ in range(_ATTEMPTS):
        found = generation(file)
        try:
            return _asked(project, question, progress)
        except DamagedIndexError:
            try:
                if not remove(file, found):
                    break
            except StorageError:
                break
    with IndexDatabase.in_memory() as database:
        try:
            return _answered(project, database, question, progress)
        except DamagedIndexError as error:
            raise CorruptRecordError(error.message) from error


def _asked(project: Project, question: Callable[[IndexDatabase], T], progress: Progress | None) -> T:
    with _opened(project) as database:
        try:
            return _answered(project, database, question, progress)
        except StorageError:  # held by another process, a full disk, no permission
            if database.path is None:
                raise
        try:
            return _answered_beside(project, database, question, progress)
        except StorageError:
            pass
    with IndexDatabase.in_memory() as database:  # read everything, remember nothing
        return _answered(project, database, question, progress)


def _answered(
    project: Project, database: IndexDatabase, question: Callable[[IndexDatabase], T], progress: Progress | None
) -> T:
    refresh(project, database, progress)
    return question(database)


def _answered_beside(
    project: Project, database: IndexDatabase, question: Callable[[IndexDatabase], T], progress: Progress | None
) -> T:
    """Answer without writing the file: what it has is copied, what it lacks is read into the copy."""
    with database.reading() as sql:
        is_new = not seen.seen_refs(sql)
    if is_new:  # another process reads everything just now; to do the same beside it would take longer
        database.wait_long()
        return _answered(project, database, question, progress)
    with database.copied() as copy:
        return _answered(project, copy, question, progress)


def _opened(project: Project) -> IndexDatabase:
    """The file of the index; where nothing was ever tracked or fetched, nothing is made."""
    from gittrack.git.file_system import is_network

    root = project.layout.root
    try:
        if not root.is_dir():
            if not project.repo.refs.list(*PREFIXES):
                return IndexDatabase.in_memory()
            root.mkdir(exist_ok=True)
    except OSError:
        return IndexDatabase.in_memory()  # a repository that may only be read
    try:
        return IndexDatabase.open(project.layout.index_file, network=is_network(project.layout.root))
    except StorageError:
        return IndexDatabase.in_memory()


def refresh(project: Project, database: IndexDatabase, progress: Progress | None = None) -> None:
    """Bring the index up to date.

    Raises:
        StorageError: it cannot be written.
        DamagedIndexError: it is damaged.
    """
    stamp = refs_stamp(project.repo.common_dir, PREFIXES)  # taken first: what moves meanwhile is seen next time
    with database.reading() as sql:
        unread = bool(seen.problems(sql))
        if stamp and stamp == seen.stamp(sql) and not unread:
            return
        known = {name: ref.tip for name, ref in seen.seen_refs(sql).items()}
        version = seen.version(sql)
    from gittrack.api.index_refresh import read_moved  # not loaded where nothing moved, as mostly

    read_moved(project, database, stamp, known, version=version, unread=unread, progress=progress)


def events_about(sql: seen.Connection, subject: str) -> list[Event]:
    """All events about a subject."""
    return [decode_event(data) for data in seen.events_of(sql, subject)]


def problems_of(rows: Iterable[tuple[str, str]]) -> list[Problem]:
    """What could not be read, as listings tell it."""
    return [Problem(place, reason) for place, reason in rows]

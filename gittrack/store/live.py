"""Live runs: folders under ``<common git dir>/gittrack/live``, one per run, one journal per process that writes to it.

A folder appears complete (made under another name, then renamed), so nobody ever sees one without its start.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from gittrack.core.assembly import start_operation
from gittrack.core.ids import RunId, parse_run_id
from gittrack.core.journal import JournalContents, decode_journal
from gittrack.errors import CorruptRecordError, GittrackError, StorageError
from gittrack.store.done import SUFFIX, remove_folder
from gittrack.store.journal_file import JournalWriter
from gittrack.store.layout import Layout
from gittrack.store.ownership import Liveness, liveness, writer_operation

BEING_MADE = ".new-"
FIRST_FRAMES = 4096
"""Bytes at the beginning of a journal that hold who writes it."""

NewName = Callable[[], str]
"""Gives a fresh, time-ordered name for a journal (an event id)."""
Now = Callable[[], int]
"""Gives ms since the epoch."""


class LiveRun(NamedTuple):
    """A live run as read from its folder.

    Attributes:
        id: the run.
        folder: its folder.
        journals: journal name -> contents, sorted by name.
        liveness: whether any process that writes to it lives.
        problem: why it cannot be finished, empty when it can.
    """

    id: RunId
    folder: str
    journals: Mapping[str, JournalContents]
    liveness: Liveness
    problem: str = ""

    @property
    def contents(self) -> Sequence[JournalContents]:
        """The journals' contents in the order of their names."""
        return tuple(self.journals.values())


def create_live(
    layout: Layout,
    id: RunId,
    start: Mapping[str, Any],
    new_name: NewName,
    now: Now,
    hold: Callable[[], None] | None = None,
) -> JournalWriter:
    """Make the folder of a new live run and the journal of this process.

    Args:
        layout: the repository's folders.
        id: the run.
        start: its ``start`` operation.
        new_name, now: where names and times come from.
        hold: keeps the run's code from ``git gc``; called when the folder shows that the run is beginning.

    Raises:
        StorageError: the git directory cannot be written; nothing of the run is left then.
    """
    # A name of its own: what a killed start of the same resumption left must not stand in the way.
    making = layout.live / f"{BEING_MADE}{id}-{os.urandom(4).hex()}"
    try:
        os.makedirs(making)
    except OSError as error:
        raise StorageError(
            f"cannot make '{making}': {error.strerror}",
            hint="make the git directory writable, or set GITTRACK_DISABLED=1",
        ) from error
    try:
        return _begin_journal(making, layout.live_run(id), start, new_name, now, hold)
    except BaseException:
        remove_folder(str(making))
        raise


def _begin_journal(
    making: Path, folder: Path, start: Mapping[str, Any], new_name: NewName, now: Now, hold: Callable[[], None] | None
) -> JournalWriter:
    name = new_name() + SUFFIX
    writer = JournalWriter(str(making / name), partial(_successor, str(folder), new_name, now))
    try:
        writer.operation(writer_operation(now()))
        if hold is not None:
            hold()
        writer.operation(start)
        if writer.waiting:  # points may wait for room in memory; a run whose start does is no run after a crash
            raise StorageError(f"cannot write '{writer.path}': no space left", hint="free some disk space")
        os.rename(making, folder)
    except OSError as error:
        writer.release()
        raise StorageError(f"cannot make '{folder}': {error.strerror}", hint="gittrack ls") from error
    except BaseException:
        writer.release()
        raise
    writer.path = str(folder / name)
    return writer


def join_live(layout: Layout, id: RunId, new_name: NewName, now: Now) -> JournalWriter:
    """Add a journal of this process to a live run that another process began.

    Raises:
        StorageError: the run is not live, or its folder cannot be written.
    """
    path, operations = _successor(str(layout.live_run(id)), new_name, now)
    writer = JournalWriter(path, partial(_successor, str(layout.live_run(id)), new_name, now))
    for operation in operations:
        writer.operation(operation)
    return writer


def _successor(folder: str, new_name: NewName, now: Now) -> tuple[str, list[Mapping[str, Any]]]:
    return os.path.join(folder, new_name() + SUFFIX), [writer_operation(now())]


def live_ids(layout: Layout) -> list[RunId]:
    """The ids of all live runs, sorted."""
    ids = []
    for name in _names(layout.live):
        try:
            ids.append(parse_run_id(name))
        except GittrackError:
            continue  # a folder that is being made, or not ours
    return ids


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except FileNotFoundError:
        return []


def read_live(folder: str, id: RunId) -> LiveRun | None:
    """Read a run's folder, live or done; None when it is gone by now."""
    try:
        journals = _read_journals(folder)
        alive = _liveness(folder, journals)
        while alive is Liveness.DEAD:
            # What the dead wrote after we had read and before they died must not be lost: read again, now for good.
            before, journals = journals, _read_journals(folder)
            if journals.keys() == before.keys():
                break
            alive = _liveness(folder, journals)  # a forked child began a journal meanwhile
    except FileNotFoundError:
        return None
    except OSError as error:
        return LiveRun(id, folder, {}, Liveness.UNKNOWN, f"cannot read '{folder}': {error.strerror}")
    try:
        start_operation(journals.values())
        problem = ""
    except CorruptRecordError as error:
        problem = error.message
    return LiveRun(id, folder, journals, alive, problem)


def _read_journals(folder: str) -> dict[str, JournalContents]:
    names = sorted(name for name in os.listdir(folder) if name.endswith(SUFFIX))
    return {name: _read_journal(os.path.join(folder, name)) for name in names}


def _liveness(folder: str, journals: Mapping[str, JournalContents]) -> Liveness:
    states = {liveness(os.path.join(folder, name), _writer(contents)) for name, contents in journals.items()}
    for state in (Liveness.ALIVE, Liveness.UNKNOWN):
        if state in states:
            return state
    return Liveness.DEAD


def _read_journal(path: str) -> JournalContents:
    with open(path, "rb") as file:
        contents = decode_journal(file.read())
    contents.name = os.path.basename(path)
    return contents


def _writer(contents: JournalContents) -> Mapping[str, Any] | None:
    return next((operation for operation in contents.operations if operation["op"] == "writer"), None)


def is_alive(folder: str) -> bool:
    """Whether a process that writes to a live run lives; reads no more than who they are."""
    try:
        names = [name for name in os.listdir(folder) if name.endswith(SUFFIX)]
        return any(_journal_alive(os.path.join(folder, name)) for name in names)
    except OSError:
        return False  # gone, or not to be read: whoever reads all of it says which


def other_writers(live: LiveRun, own: str) -> int:
    """How many other processes, forked or joined, still hold a journal of the run.

    Args:
        live: the run as read.
        own: path of this process's journal.
    """
    names = [name for name in live.journals if name != os.path.basename(own)]
    try:
        return sum(_journal_alive(os.path.join(live.folder, name)) for name in names)
    except FileNotFoundError:
        return 0  # finished by another process meanwhile


def _journal_alive(path: str) -> bool:
    with open(path, "rb") as file:
        first = decode_journal(file.read(FIRST_FRAMES))
    return liveness(path, _writer(first)) is Liveness.ALIVE


def list_live(layout: Layout) -> list[LiveRun]:
    """All live runs, sorted by id."""
    runs = (read_live(str(layout.live_run(id)), id) for id in live_ids(layout))
    return [run for run in runs if run is not None]

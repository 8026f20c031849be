"""What the refs said when they were last looked at: who lists which commit as which run, which events there are."""

from __future__ import annotations

import dataclasses
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence

from gittrack.core.ids import ObjectId, RefName, RunId
from gittrack.frozen import dataclass
from gittrack.index.database import DamagedIndexError

Connection = sqlite3.Connection
_SOME = 500
Rows = Iterable[tuple[str, ObjectId]]


@dataclass(frozen=True, slots=True)
class SeenRef:
    """A ref as it was seen: its number in the index, what it pointed at, in whose name it lists runs."""

    number: int
    tip: str
    writer: str


@dataclass(frozen=True, slots=True)
class SeenEvent:
    """An event as it was seen: its subject, its commit, the bytes of its file."""

    subject: str
    commit: ObjectId
    data: bytes


@dataclasses.dataclass(slots=True)
class Touched:
    """What a change of refs concerns: ids of runs, subjects of events."""

    runs: set[RunId]
    subjects: set[str]


def seen_refs(sql: Connection) -> dict[RefName, SeenRef]:
    """Every ref that was seen."""
    rows = sql.execute("SELECT name, id, tip, writer FROM ref")
    return {RefName(name): SeenRef(number, tip, writer) for name, number, tip, writer in rows}


def take_statistics(sql: Connection) -> None:
    """Let SQLite sample how values are spread: from that it tells which condition finds the fewest runs."""
    sql.execute("PRAGMA analysis_limit = 1000")
    sql.execute("ANALYZE")


def stamp(sql: Connection) -> str:
    """What the file system said of the refs when they were last listed; ``""`` when that is not known."""
    row = sql.execute("SELECT value FROM meta WHERE key = 'stamp'").fetchone()
    return "" if row is None else str(row[0])


def set_stamp(sql: Connection, text: str) -> None:
    """Write down what the file system says of refs that were listed since."""
    sql.execute("INSERT OR REPLACE INTO meta VALUES ('stamp', ?)", (text,))


def cut_off(sql: Connection) -> str:
    """Where the history was cut off when ledgers were last read."""
    row = sql.execute("SELECT value FROM meta WHERE key = 'cut off'").fetchone()
    return "" if row is None else str(row[0])


def set_cut_off(sql: Connection, text: str) -> None:
    """Write down where the history is cut off."""
    sql.execute("INSERT OR REPLACE INTO meta VALUES ('cut off', ?)", (text,))


def version(sql: Connection) -> int:
    """Another number whenever another connection wrote: told of the state that a transaction sees."""
    (number,) = sql.execute("PRAGMA data_version").fetchone()
    return int(number)


def see_ref(sql: Connection, name: RefName, tip: ObjectId, writer: str) -> int:
    """Write down where a ref points; its number."""
    sql.execute(
        "INSERT INTO ref (name, tip, writer) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET tip = excluded.tip",
        (name, tip, writer),
    )
    (number,) = sql.execute("SELECT id FROM ref WHERE name = ?", (name,)).fetchone()
    return int(number)


def forget_ref(sql: Connection, number: int, touched: Touched, run: RunId | None = None) -> None:
    """Take out a ref with all that it lists.

    Args:
        sql: the index.
        number: of the ref.
        touched: gets the runs and subjects it listed.
        run: the only run it can list, for refs of the inbox: then no other row is looked at.
    """
    where, values = ("ref = ?", [number]) if run is None else ("ref = ? AND run = ?", [number, run])
    touched.runs.update(RunId(id) for (id,) in sql.execute(f"SELECT run FROM listing WHERE {where}", values))
    sql.execute(f"DELETE FROM listing WHERE {where}", values)
    touched.subjects.update(text for (text,) in sql.execute("SELECT subject FROM event WHERE ref = ?", (number,)))
    for table, column in (("event", "ref"), ("problem", "ref"), ("ref", "id")):
        sql.execute(f"DELETE FROM {table} WHERE {column} = ?", (number,))


def list_runs(sql: Connection, number: int, rows: Rows, touched: Touched) -> None:
    """Write down which runs a ref lists, each with its commit."""
    rows = list(rows)
    sql.executemany("INSERT OR IGNORE INTO listing VALUES (?, ?, ?)", [(id, commit, number) for id, commit in rows])
    touched.runs.update(RunId(id) for id, _ in rows)


def list_events(sql: Connection, number: int, events: Iterable[SeenEvent], touched: Touched) -> None:
    """Write down which events a ref lists."""
    for event in events:
        row = (event.subject, event.commit, number, event.data, _checksum(event.subject, event.data))
        sql.execute("INSERT OR IGNORE INTO event VALUES (?, ?, ?, ?, ?)", row)
        touched.subjects.add(event.subject)


def commits_of(sql: Connection, ids: Sequence[RunId]) -> Iterator[tuple[RunId, dict[ObjectId, set[str]]]]:
    """Each run with its commits, and in whose names each is listed; a run that nobody lists has none."""
    text = "SELECT run, commit_id, writer FROM listing JOIN ref ON ref.id = listing.ref WHERE run IN "
    for start in range(0, len(ids), _SOME):
        some = ids[start : start + _SOME]
        found: dict[RunId, dict[ObjectId, set[str]]] = {id: {} for id in some}
        rows = sql.execute(f"{text} ({', '.join('?' * len(some))}) ORDER BY run, commit_id", some).fetchall()
        for run, commit, writer in rows:
            found[RunId(run)].setdefault(ObjectId(commit), set()).add(writer)
        yield from found.items()


def subjects(sql: Connection) -> frozenset[str]:
    """What there are events about."""
    return frozenset(subject for (subject,) in sql.execute("SELECT DISTINCT subject FROM event"))


def events_of(sql: Connection, subject: str) -> list[bytes]:
    """The files of all events about a subject, each once.

    Raises:
        DamagedIndexError: one is not what was written.
    """
    return [data for _, data in event_commits(sql, subject)]


def event_commits(sql: Connection, subject: str) -> list[tuple[ObjectId, bytes]]:
    """The events about a subject, each commit once, and the file it holds. Raises as :func:`events_of`."""
    text = "SELECT commit_id, data, checksum FROM event WHERE subject = ? GROUP BY commit_id"
    rows = sql.execute(text, (subject,)).fetchall()
    if any(_checksum(subject, data) != kept for _, data, kept in rows):
        raise DamagedIndexError(f"the index is damaged: an event about {subject} is not what was written")
    return [(ObjectId(commit), data) for commit, data, _ in rows]


def all_events(sql: Connection) -> list[bytes]:
    """The files of all events, each once. Raises as :func:`events_of`."""
    rows = sql.execute("SELECT subject, data, checksum FROM event GROUP BY subject, commit_id").fetchall()
    for subject, data, kept in rows:
        if _checksum(subject, data) != kept:
            raise DamagedIndexError(f"the index is damaged: an event about {subject} is not what was written")
    return [data for _, data, _ in rows]


def _checksum(subject: str, data: bytes) -> int:
    return zlib.crc32(subject.encode() + b"\0" + data)


@dataclass(frozen=True, slots=True)
class Unread:
    """Something that could not be read: it alone is tried again each time.

    Attributes:
        place: what it is, for people.
        ref: the number of the ref that lists it; None: it is a run.
        run: the run; None: it is not one.
        event: the id of the event, listed with ``commit``.
        commit: of the event; without one, the commit of a ledger from which on it is to be read again.
    """

    place: str
    ref: int | None = None
    run: RunId | None = None
    event: str | None = None
    commit: ObjectId | None = None

    @property
    def is_ref(self) -> bool:
        """Whether it is all that the ref lists."""
        return self.ref is not None and self.commit is None


def note_problem(sql: Connection, unread: Unread, reason: str) -> None:
    """Write down that something could not be read, once."""
    row = (unread.ref, unread.run, unread.event, unread.commit, unread.place)
    same = "ref IS ? AND run IS ? AND event IS ? AND commit_id IS ? AND place = ?"
    if sql.execute(f"SELECT 1 FROM problem WHERE {same}", row).fetchone() is None:
        sql.execute("INSERT INTO problem VALUES (?, ?, ?, ?, ?, ?)", (*row, reason))


def take_problems(sql: Connection) -> list[Unread]:
    """Forget every problem, to look whether it still is one."""
    rows = sql.execute("SELECT place, ref, run, event, commit_id FROM problem ORDER BY rowid").fetchall()
    sql.execute("DELETE FROM problem")
    return [
        Unread(place, ref, None if run is None else RunId(run), event, None if commit is None else ObjectId(commit))
        for place, ref, run, event, commit in rows
    ]


def runs_of_experiment(sql: Connection, experiment: str) -> list[RunId]:
    """The runs of an experiment, deleted ones too."""
    return [RunId(id) for (id,) in sql.execute("SELECT id FROM run WHERE experiment_id = ?", (experiment,))]


def problems(sql: Connection) -> list[tuple[str, str]]:
    """Where something could not be read, and why."""
    return list(sql.execute("SELECT place, reason FROM problem ORDER BY rowid"))

"""Writing runs into the index."""

from __future__ import annotations

import math
import sqlite3
import zlib
from collections.abc import Sequence
from typing import Any

from gittrack.core.ids import ObjectId, RunId
from gittrack.core.params import stored_integer
from gittrack.core.query.comparing import number_of_text
from gittrack.core.records import ArtifactEntry, Input, RunRecord
from gittrack.core.value_text import exact_text
from gittrack.frozen import dataclass

_FLUSH = 500
_RUN_COLUMNS = (
    "n, id, name, experiment_id, experiment, status, start_time, end_time, duration, author, email, host, branch, "
    "code, head, dirty, parent, kind, entry, exit_code, error, note, deleted, words"
)


@dataclass(frozen=True, slots=True)
class IndexedRun:
    """A run as the index keeps it.

    Attributes:
        record: what its message says, with its events folded in: name, note, tags and experiment are the present ones.
        commit: the commit it was read from; None while it is live.
        conflicts: other commits of the same id that neither replaces.
        document: the JSON of its message, before events.
        deleted: whether it is deleted and not restored.
        comments: what people wrote about it.
        now: ms since the epoch, how far a live run has come.
    """

    record: RunRecord
    commit: ObjectId | None
    conflicts: tuple[ObjectId, ...]
    document: str
    deleted: bool = False
    comments: tuple[str, ...] = ()
    now: int | None = None


class IndexWriter:
    """Writes into the index; inside one transaction.

    Args:
        connection: of :meth:`IndexDatabase.writing`.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._sql = connection
        self._names: dict[tuple[str, str], int] = {}
        self._waiting: dict[str, list[Sequence[Any]]] = {table: [] for table in _INSERTS}
        self._count = 0
        self._next = int(connection.execute("SELECT coalesce(max(n), 0) + 1 FROM run").fetchone()[0])
        self._is_new = self._next == 1

    def write_run(self, run: IndexedRun) -> None:
        """Put a run in, in place of what is there of it."""
        record = run.record
        n = self._forget(record.id) or self._new_number()
        self._add("run", _run_row(n, run))
        commit, conflicts = run.commit or "", " ".join(run.conflicts)
        self._add(
            "document", (n, run.commit, conflicts, run.document, checksum(record.id, commit, conflicts, run.document))
        )
        for name, summary in record.metrics.items():
            numbers = (summary.last, summary.min, summary.max, summary.mean)
            row = (n, self._name("metrics", name), *numbers, summary.count, summary.first_step, summary.last_step)
            self._add("metric", row)
        for name, value in record.params.items():
            self._add("param", (n, self._name("params", name), *stored_value(value)))
        for name, text in record.tags.items():
            self._add("tag", (n, self._name("tags", name), *stored_value(text)))
        self._count += 1
        if self._count % _FLUSH == 0:
            self.flush()

    def write_details(self, id: RunId, inputs: Sequence[Input], artifacts: Sequence[ArtifactEntry]) -> None:
        """Put in what only a run's tree tells: what it read and made."""
        self.flush()
        (n,) = self._sql.execute("SELECT n FROM run WHERE id = ?", (id,)).fetchone()
        self._sql.executemany(
            "INSERT INTO input VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [(n, i.name, i.role, i.uri, i.digest, i.source, i.state, i.size) for i in inputs],
        )
        self._sql.executemany(
            "INSERT INTO artifact VALUES (?, ?, ?, ?, ?, ?)",
            [(n, item.path, item.digest, item.media_type, item.size, item.storage) for item in artifacts],
        )
        self._sql.execute("UPDATE run SET detailed = 1 WHERE n = ?", (n,))

    def forget_run(self, id: RunId) -> None:
        """Take a run out."""
        self.flush()
        self._forget(id)

    def _forget(self, id: RunId) -> int | None:
        if self._is_new:  # each run comes once
            return None
        found = self._sql.execute("SELECT n FROM run WHERE id = ?", (id,)).fetchone()
        if found is None:
            return None
        for table, column in _TABLES_OF_RUNS.items():
            self._sql.execute(f"DELETE FROM {table} WHERE {column} = ?", found)
        return int(found[0])

    def _new_number(self) -> int:
        self._next += 1
        return self._next - 1

    def _name(self, scope: str, text: str) -> int:
        number = self._names.get((scope, text))
        if number is None:
            found = self._sql.execute("SELECT n FROM name WHERE scope = ? AND text = ?", (scope, text)).fetchone()
            if found is None:
                found = (self._sql.execute("INSERT INTO name (scope, text) VALUES (?, ?)", (scope, text)).lastrowid,)
            number = self._names[scope, text] = int(found[0])
        return number

    def _add(self, table: str, row: Sequence[Any]) -> None:
        self._waiting[table].append(row)

    def flush(self) -> None:
        """Hand over what waits; to be called before the transaction ends."""
        for table, rows in self._waiting.items():
            self._sql.executemany(_INSERTS[table], rows)
            rows.clear()


def _insert(table: str, columns: int) -> str:
    return f"INSERT INTO {table} VALUES ({', '.join('?' * columns)})"


_INSERTS = {
    "run": f"INSERT INTO run ({_RUN_COLUMNS}) VALUES ({', '.join('?' * 24)})",
    "document": _insert("document", 5),
    "metric": _insert("metric", 9),
    "param": _insert("param", 5),
    "tag": _insert("tag", 5),
}
_TABLES_OF_RUNS = {
    **dict.fromkeys(("metric", "param", "tag", "input", "artifact"), "run"),
    **dict.fromkeys(("document", "run"), "n"),
}


def _run_row(n: int, run: IndexedRun) -> Sequence[Any]:
    record, code = run.record, run.record.code
    end = run.now if record.end_time is None else record.end_time
    duration = None if end is None else max(end - record.start_time, 0)
    words = "\n".join((record.name, record.note, *run.comments)).casefold()
    return (
        *(n, record.id, record.name, record.experiment.id, record.experiment.name, record.status.value),
        *(
            record.start_time,
            record.end_time,
            duration,
            record.author.name,
            record.author.email,
            record.host,
            code.branch,
        ),
        *(code.commit, code.head, code.dirty, record.parent, record.kind, record.entry, record.exit_code),
        *(record.error, record.note, run.deleted, words),
    )


def checksum(id: str, commit: str, conflicts: str, document: str) -> int:
    """Of what is shown of a run: a flipped bit on disk must not become a wrong value on a screen."""
    return zlib.crc32(f"{id}\0{commit}\0{conflicts}\0{document}".encode())


def stored_value(value: Any) -> tuple[Any, str, str | None]:
    """A param or tag as its row has it: value, kind, text.

    The value is a number wherever one is meant, even by a text; ``text`` holds a text whose value is a number.
    """
    if value is None:
        return None, "null", None
    if isinstance(value, bool):
        return exact_text(value), "flag", None
    if isinstance(value, int):
        value = stored_integer(value)  # beyond 64 bits it is a text in the tree, and so while the run goes on
    if isinstance(value, int | float):
        return (None if math.isnan(value) else value), "number", None
    if isinstance(value, str):
        number = number_of_text(value)
        return (value, "text", None) if number is None else (number, "text", value)
    return exact_text(value), "other", None

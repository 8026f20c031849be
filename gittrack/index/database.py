"""The file of the index: opened, made when it is missing, made anew when it is of another version or damaged.

Readers of many processes look at once (write-ahead log); one writes. On network file systems, where a write-ahead log
does not work, the file has a rollback journal. What cannot be written at all lives in memory for one command.
A file that something else changed since the last one closed it counts as damaged (``file_hold``).
"""

from __future__ import annotations

import contextlib
import math
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from gittrack.errors import GittrackError, StorageError, UsageError
from gittrack.index.file_hold import FileHold, alone, shared
from gittrack.index.schema import APPLICATION_ID, TABLES, VERSION

_WAIT_SECONDS = 2.0
"""For a lock that another process holds; who gets none answers from a copy."""
_WAIT_FOR_ALL_SECONDS = 30.0
"""While another process reads everything for the first time: there is nothing yet to copy."""
_STEPS = 200
"""Of SQLite's machine between two looks at the clock: one of them may search a long text."""
_DAMAGED = frozenset(
    {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH}
)
"""What SQLite says of a file that is not as we wrote it."""
_NOT_OURS = ("no such table", "no such column", "has no column", "columns but", "user-defined function raised")
"""What it says where a table of ours is missing, or another; or where a value is none that we wrote."""
_PARTS = ("", "-wal", "-shm", "-journal")


class DamagedIndexError(GittrackError):
    """The file is no index, or damaged: it is made anew; nobody outside ``api`` meets this."""


class Deadline:
    """How long a query that is not trusted may still take; only what is done for the query counts.

    Args:
        seconds: altogether; None: as long as it takes.

    Attributes:
        refusal: the error of a function of Python that SQLite called: that the file is damaged never is one.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self.seconds = seconds
        self.refusal: Exception | None = None
        self._left = math.inf if seconds is None else seconds
        self._end = math.inf

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """While something is done for the query."""
        self._end = time.monotonic() + self._left
        try:
            yield
        finally:
            self._left, self._end = self._end - time.monotonic(), math.inf

    @property
    def is_over(self) -> bool:
        """Whether it has run out."""
        return time.monotonic() > self._end

    def check(self) -> None:
        """To be called wherever much is done.

        Raises:
            UsageError: it has run out.
        """
        if self.is_over:
            text = f"the query takes longer than the {self.seconds:g} s that the query of a view may take"
            raise UsageError(text, hint="ask for less; or give views more: gittrack config view_seconds 60")


class IndexDatabase:
    """An open index.

    Args:
        connection: to the file, or to one in memory.
        path: the file; None in memory.
        hold: tells others that the file is open.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path | None, hold: FileHold | None = None) -> None:
        self.connection = connection
        self.path = path
        self._hold = hold

    @classmethod
    def open(cls, path: Path, *, network: bool = False) -> IndexDatabase:
        """Open the index in a file, made when it is missing.

        Args:
            path: the file; its folder exists.
            network: the file lies on a network file system.

        Raises:
            DamagedIndexError: it is damaged, of another version, or was changed by something else.
            StorageError: it cannot be opened or written, or is a symbolic link, which might lead anywhere.
        """
        if os.path.islink(path):
            raise StorageError(f"cannot use the index '{path}': it is a symbolic link", hint=f"rm {path}")
        hold = shared(path, _WAIT_SECONDS)
        try:
            if not network and not hold.is_as_left():  # times of files that are far away are not to be relied on
                raise DamagedIndexError(f"'{path}' was changed by something else")
            with _translated(path):
                return cls(_opened(path, hold, network), path, hold)
        except BaseException:
            hold.release(told=False)
            raise

    @classmethod
    def in_memory(cls) -> IndexDatabase:
        """An index of one process, gone with it."""
        connection = sqlite3.connect(":memory:", isolation_level=None)
        _prepare(connection)
        connection.executescript(TABLES)
        return cls(connection, None)

    def copied(self) -> IndexDatabase:
        """A copy of one process, gone with it: in memory, or in a file without a name when it is large.

        Raises:
            DamagedIndexError: the file is damaged.
            StorageError: another process keeps it from being read; or there is no room.
        """
        with self.reading() as sql:
            sql.execute("SELECT count(*) FROM meta").fetchone()  # from here on what is copied stands still
            connection = sqlite3.connect("", isolation_level=None)
            try:
                _prepare(connection)
                sql.backup(connection)
            except BaseException:
                connection.close()
                raise
            return IndexDatabase(connection, None)

    def wait_long(self) -> None:
        """Have locks waited for as long as another process may take to read everything."""
        self.connection.execute(f"PRAGMA busy_timeout = {_WAIT_FOR_ALL_SECONDS * 1000:.0f}")

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that writes: all of it happens, or nothing; only one process is in one.

        Raises:
            DamagedIndexError, StorageError: the file is damaged; full disk, or another process held it too long.
        """
        if self._hold is not None:
            self._hold.begin_writing()
        with _translated(self.path):
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):  # what went wrong first is told
                    self.connection.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One state of the index for several questions.

        Raises:
            DamagedIndexError: the file is damaged.
            UsageError: SQLite refuses a question as such.
        """
        with _translated(self.path, asks=True):
            self.connection.execute("BEGIN")
            try:
                yield self.connection
            finally:
                with contextlib.suppress(sqlite3.Error):  # of a damaged file the first error is told
                    self.connection.execute("ROLLBACK")

    @contextlib.contextmanager
    def limited(self, deadline: Deadline) -> Iterator[None]:
        """Give up questions that are not answered by then; inside :meth:`reading`.

        SQLite looks at the clock by itself; the functions of Python that it calls must check the deadline.

        Raises:
            UsageError: it has passed.
        """
        if deadline.seconds is not None:
            self.connection.set_progress_handler(lambda: int(deadline.is_over), _STEPS)
        with deadline.running():
            try:
                yield
            except sqlite3.OperationalError as error:  # an error of a function becomes one of SQLite's without its text
                deadline.check()
                if isinstance(deadline.refusal, RecursionError | MemoryError):
                    text = f"the query is too much for this process: {type(deadline.refusal).__name__}"
                    raise UsageError(text, hint="ask for less") from error
                raise (deadline.refusal or error) from None
            finally:
                self.connection.set_progress_handler(None, 0)

    def close(self) -> None:
        """Close it; to be called once."""
        self.connection.close()
        if self._hold is not None:
            self._hold.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def remove(path: Path, generation: int) -> bool:
    """Delete an index with what belongs to it, once nobody has it open.

    Args:
        path: the file.
        generation: of the index that is meant: one that somebody made anew since is left.

    Returns:
        Whether that one is gone; else somebody has it open and does not close it.

    Raises:
        StorageError: it cannot be deleted.
    """
    with alone(path, _WAIT_SECONDS) as hold:
        if hold is None:
            return False
        if hold.generation != generation:
            return True
        for part in _PARTS:
            try:
                os.unlink(f"{path}{part}")
            except FileNotFoundError:
                continue
            except OSError as error:
                raise StorageError(f"cannot delete '{path}{part}': {error.strerror}", hint=f"rm {path}*") from error
        hold.next_generation()
        return True


def _opened(path: Path, hold: FileHold, network: bool) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_WAIT_SECONDS, isolation_level=None)
    try:
        _prepare(connection)
        if _version(connection) != VERSION:
            (found,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if found and _version(connection) != VERSION:  # asked again: another process may just have made it
                raise DamagedIndexError(f"'{path}' is of another version")
            hold.begin_writing()
            _make(connection, network)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    # Losing the last transactions in a power failure is harmless: they are read from git again. Order is kept.
    for pragma in ("synchronous = NORMAL", "temp_store = MEMORY", "cache_size = -65536", "trusted_schema = OFF"):
        connection.execute(f"PRAGMA {pragma}")


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def _make(connection: sqlite3.Connection, network: bool) -> None:
    connection.execute(f"PRAGMA journal_mode = {'TRUNCATE' if network else 'WAL'}")
    connection.execute("BEGIN IMMEDIATE")
    if _version(connection) != VERSION:  # else another process was faster
        for statement in TABLES.split(";\n"):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")


@contextlib.contextmanager
def _translated(path: Path | None, *, asks: bool = False) -> Iterator[None]:
    """Errors of SQLite as ours.

    Args:
        path: of the index.
        asks: whether what is asked follows from a query, so that SQLite may refuse it; else every statement is ours.
    """
    try:
        yield
    except UnicodeDecodeError as error:
        raise DamagedIndexError(f"'{path}' is damaged: {error}") from error
    except sqlite3.Error as error:
        raise _as_ours(error, path, asks) from error


def _as_ours(error: sqlite3.Error, path: Path | None, asks: bool) -> GittrackError:
    code = getattr(error, "sqlite_errorcode", None)  # Python has errors of its own without one
    text = str(error)
    primary = None if code is None else code & 0xFF
    if primary in _DAMAGED or (primary is None and "decode to UTF-8" in text):
        return DamagedIndexError(f"'{path}' is damaged: {text}")
    if primary == sqlite3.SQLITE_ERROR and (not asks or any(words in text for words in _NOT_OURS)):
        return DamagedIndexError(f"'{path}' is damaged: {text}")
    if asks and primary in (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_TOOBIG):
        hint = f"ask for less; should other queries fail too: rm {path}*"
        return UsageError(f"the query is too much for the index: {text}", hint=hint)
    return StorageError(f"cannot use the index '{path}': {text}", hint=f"free some disk space, or rm {path}*")

"""The file of the index: opened, made when it is missing, made anew when it is of another version or damaged.

Readers of many processes look at once (write-ahead log); one writes. On network file systems, where a write-ahead log
does not work, the file has a rollback journal. What cannot be written at all lives in memory for one command.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from gittrack.errors import GittrackError, StorageError, UsageError
from gittrack.index.schema import APPLICATION_ID, TABLES, VERSION

_WAIT_SECONDS = 30.0
_STEPS = 5_000
"""Of SQLite's machine between two looks at the clock."""
_OF_THE_SYSTEM = ("interrupted", "locked", "busy", "full", "disk I/O", "readonly", "unable to open", "permission")
"""What SQLite says where the file is none the worse; anything else of it comes from a flipped bit."""
_PARTS = ("", "-wal", "-shm", "-journal")


class DamagedIndexError(GittrackError):
    """The file is no index, or damaged: it is made anew; nobody outside ``api`` meets this."""


class IndexDatabase:
    """An open index.

    Args:
        connection: to the file, or to one in memory.
        path: the file; None in memory.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path | None) -> None:
        self.connection = connection
        self.path = path

    @classmethod
    def open(cls, path: Path, *, network: bool = False) -> IndexDatabase:
        """Open the index in a file, made when it is missing or of another version.

        Args:
            path: the file; its folder exists.
            network: the file lies on a network file system.

        Raises:
            DamagedIndexError: it is damaged.
            StorageError: it cannot be opened or written.
        """
        with _translated(path):
            connection = _connect(path)
            try:
                if _version(connection) != VERSION:
                    connection = _made_anew(connection, path, network)
            except BaseException:
                connection.close()
                raise
            return cls(connection, path)

    @classmethod
    def in_memory(cls) -> IndexDatabase:
        """An index of one process, gone with it."""
        connection = sqlite3.connect(":memory:", isolation_level=None)
        _prepare(connection)
        connection.executescript(TABLES)
        return cls(connection, None)

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that writes: all of it happens, or nothing; only one process is in one.

        Raises:
            DamagedIndexError, StorageError: the file is damaged; full disk, or another process held it too long.
        """
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
        """
        with _translated(self.path):
            self.connection.execute("BEGIN")
            try:
                yield self.connection
            finally:
                with contextlib.suppress(sqlite3.Error):  # of a damaged file the first error is told
                    self.connection.execute("ROLLBACK")

    @contextlib.contextmanager
    def limited(self, seconds: float | None) -> Iterator[None]:
        """Give up a question that takes longer: who asks may not be trusted.

        Raises:
            UsageError: it does.
        """
        if seconds is None:
            yield
            return
        end = time.monotonic() + seconds
        self.connection.set_progress_handler(lambda: int(time.monotonic() > end), _STEPS)
        try:
            yield
        except StorageError as error:
            if time.monotonic() <= end:
                raise
            text = f"the query takes longer than {seconds:g} s"
            raise UsageError(text, hint="ask for less: fewer conditions, no regular expressions") from error
        finally:
            self.connection.set_progress_handler(None, 0)

    def close(self) -> None:
        """Close it; to be called once."""
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def remove(path: Path) -> None:
    """Delete an index with what belongs to it; whoever has it open goes on with what they have.

    Raises:
        StorageError: it cannot be deleted.
    """
    for part in _PARTS:
        try:
            os.unlink(f"{path}{part}")
        except FileNotFoundError:
            continue
        except OSError as error:
            raise StorageError(f"cannot delete '{path}{part}': {error.strerror}", hint=f"rm {path}*") from error


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_WAIT_SECONDS, isolation_level=None)
    _prepare(connection)
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    # Losing the last transactions in a power failure is harmless: they are read from git again. Order is kept.
    for pragma in ("synchronous = NORMAL", "temp_store = MEMORY", "cache_size = -65536", "trusted_schema = OFF"):
        connection.execute(f"PRAGMA {pragma}")


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def _made_anew(connection: sqlite3.Connection, path: Path, network: bool) -> sqlite3.Connection:
    (found,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if found and _version(connection) != VERSION:  # of another version: a new file, so that its readers keep theirs
        connection.close()
        remove(path)
        connection = _connect(path)
    connection.execute(f"PRAGMA journal_mode = {'TRUNCATE' if network else 'WAL'}")
    connection.execute("BEGIN IMMEDIATE")
    if _version(connection) != VERSION:  # else another process was faster
        for statement in TABLES.split(";\n"):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")
    return connection


@contextlib.contextmanager
def _translated(path: Path | None) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        if not any(word in str(error) for word in _OF_THE_SYSTEM):
            raise DamagedIndexError(f"'{path}' is damaged: {error}") from error
        text = f"cannot use the index '{path}': {error}"
        raise StorageError(text, hint=f"free some disk space, or rm {path}*") from error
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        raise DamagedIndexError(f"'{path}' is damaged: {error}") from error

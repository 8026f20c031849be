"""What the index holds of the trees of runs: their artifacts, once somebody has asked for such things."""

from __future__ import annotations

import sqlite3


def waiting_for_details(sql: sqlite3.Connection, most: int) -> int:
    """How many runs' trees have not been read, counted up to ``most``."""
    rows = sql.execute("SELECT n FROM run WHERE NOT detailed LIMIT ?", (most,)).fetchall()
    return len(rows)


def stored_artifacts(sql: sqlite3.Connection) -> dict[str, int | None]:
    """The artifacts of runs that are not deleted and lie beside git: digest -> bytes, None when nobody knows."""
    text = """
        SELECT DISTINCT a.digest, a.size FROM artifact a JOIN run ON run.n = a.run
        WHERE a.storage = 'pointer' AND NOT run.deleted
    """
    return dict(sql.execute(text).fetchall())

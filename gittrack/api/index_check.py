"""Whether the index says what git does: all of its rows compared with those of one that is made anew beside it."""

from __future__ import annotations

import shlex
from contextlib import ExitStack
from typing import TYPE_CHECKING

from gittrack.api.index_details import read_details
from gittrack.api.run_index import refresh
from gittrack.errors import StorageError
from gittrack.index.database import DamagedIndexError, IndexDatabase
from gittrack.index.difference import first_difference
from gittrack.store.integrity import Finding

if TYPE_CHECKING:
    from gittrack.api.project import Project

_ATTEMPTS = 3
"""Comparisons until a difference is believed: runs may end between the two readings."""


def index_findings(project: Project) -> list[Finding]:
    """What is wrong with the index and would not be noticed by the next search, which makes a damaged one anew."""
    file = project.layout.index_file
    if not file.exists():
        return []
    try:
        index = IndexDatabase.open(file)
    except (DamagedIndexError, StorageError):
        return []
    try:
        with index:
            reason = _difference(project, index)
    except DamagedIndexError as error:
        reason = error.message
    except StorageError:
        return []  # no room for the comparison, or held by another all the time
    return [Finding("index", reason, f"rm {shlex.quote(str(file))}*")] if reason else []


def _difference(project: Project, index: IndexDatabase) -> str:
    with ExitStack() as open_ones:
        kept = open_ones.enter_context(index.copied())
        with IndexDatabase.in_memory() as nothing:
            anew = open_ones.enter_context(nothing.copied())
        with kept.reading() as sql:
            (said,) = sql.execute("PRAGMA integrity_check(1)").fetchone()
        if said != "ok":
            return f"it is damaged: {said}"
        found = ""
        for _ in range(_ATTEMPTS):
            for database in (kept, anew):
                refresh(project, database)
                read_details(project, database)
            with kept.reading() as one, anew.reading() as other:
                found = first_difference(one, other)
            if not found:
                break
        return found

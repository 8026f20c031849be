"""What the index holds only when somebody asks for it: what runs read and made, and whose code changed a path."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from gittrack.core.ids import ObjectId, RunId
from gittrack.core.query.tree import CodeChanged, Expression
from gittrack.core.query.walk import conditions_in
from gittrack.errors import GittrackError

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.api.saved_run import SavedRun
    from gittrack.index.database import IndexDatabase


def read_details(project: Project, index: IndexDatabase) -> dict[RunId, str]:
    """Read from the trees of all runs what they read and made, of those of which it was not asked for yet.

    Returns:
        The runs whose tree is damaged, and how: nobody knows whether a question about their data or artifacts is true
        of them. They are looked at again after a minute.
    """
    now = project.now()
    with index.reading() as sql:
        waiting = sql.execute(_WAITING, (now - _AGAIN_MS, now)).fetchall()
    if waiting:
        _read(project, index, waiting, now)
    with index.reading() as sql:
        return {RunId(id): reason for id, reason in sql.execute(_UNREAD)}


def _read(project: Project, index: IndexDatabase, waiting: Iterable[tuple[RunId, ObjectId]], now: int) -> None:
    from gittrack.index.rows import IndexWriter
    from gittrack.store.run_reader import read_record

    with index.writing() as sql:
        writer = IndexWriter(sql)
        for id, commit in waiting:
            try:
                record = read_record(project.repo, commit)
            except GittrackError as error:
                sql.execute("INSERT OR REPLACE INTO unread VALUES (?, ?, ?, ?)", (id, commit, error.message, now))
                continue
            writer.write_details(id, record.inputs, record.artifacts)


_AGAIN_MS = 60_000
_WAITING = """
SELECT run.id, document.commit_id FROM run JOIN document USING (n)
LEFT JOIN unread ON unread.run = run.id AND unread.commit_id = document.commit_id
WHERE NOT detailed AND (tried IS NULL OR tried NOT BETWEEN ? AND ?)
"""
_UNREAD = """
SELECT run.id, reason FROM unread JOIN run ON run.id = unread.run JOIN document USING (n)
WHERE NOT detailed AND unread.commit_id = document.commit_id ORDER BY run.id
"""


def changed_code(
    project: Project, index: IndexDatabase, expression: Expression, live: Iterable[SavedRun]
) -> dict[tuple[str, str], frozenset[ObjectId]]:
    """For each ``code.changed`` of a query the commits of code of which it is true."""
    asked = {(part.path, part.since) for part in conditions_in(expression) if isinstance(part, CodeChanged)}
    if not asked:
        return {}
    from gittrack.git.changed_paths import changed_commits

    rows = index.connection.execute("SELECT DISTINCT code FROM run WHERE code IS NOT NULL").fetchall()
    commits = {ObjectId(code) for (code,) in rows} | {run.code for run in live if run.code is not None}
    return {(path, since): changed_commits(project.repo, commits, path, since) for path, since in asked}

"""Runs as the index has them, made into what readers get: events folded in, experiments by their present names."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gittrack.api.run_index import events_about
from gittrack.api.saved_run import SavedRun
from gittrack.core.events import fold, run_body
from gittrack.core.message import decode_document
from gittrack.index.searching import StoredRun
from gittrack.index.seen import Connection

if TYPE_CHECKING:
    from gittrack.api.project import Project


def saved_run(project: Project, sql: Connection, stored: StoredRun) -> SavedRun:
    """The run as readers get it, without what a list leaves out."""
    listed = decode_document(stored.document)
    record = listed.record
    renames = events_about(sql, f"experiment:{record.experiment.id}")
    name = fold({}, renames).value("name") if renames else None
    if name is not None:
        record = replace(record, experiment=replace(record.experiment, name=name))
    events = events_about(sql, f"run:{stored.id}")
    state = fold(run_body(record), events)
    if events:
        record = replace(record, name=state.value("name") or "", note=state.value("note") or "", tags=state.tags)
    return SavedRun(
        record, stored.commit, state, dict(listed.trends), stored.conflicts, _project=project, _partial=True
    )

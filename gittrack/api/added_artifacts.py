"""Adding an artifact to a run that has ended: a resume commit that says the same of everything else."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from gittrack.api.artifact_paths import paths_above
from gittrack.core.assembly import code_operation
from gittrack.core.names import check_artifact_path, display
from gittrack.core.records import FORMAT_VERSION, ArtifactEntry, RunRecord
from gittrack.errors import ConflictError, GittrackError, RunActiveError
from gittrack.frozen import dataclass

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.api.saved_run import SavedRun
    from gittrack.store.journal_file import JournalWriter


@dataclass(frozen=True, slots=True)
class Added:
    """What became of something that was to be added.

    Attributes:
        run: as it is now.
        added: paths that are new, or hold something else now.
        present: paths that held the same already.
    """

    run: SavedRun
    added: tuple[str, ...]
    present: tuple[str, ...]


def add_artifact(
    project: Project, address: str, path: str, name: str | None = None, *, overwrite: bool = False
) -> Added:
    """Add a file, a folder or a reference to a finished run.

    How and when the run ended, its command, its code and its environment stay what they were. What the run has already
    is not written again.

    Args:
        project: where.
        address: the run.
        path: the file or folder; or a URI, which becomes a reference.
        name: its path among the run's artifacts; its base name when None.
        overwrite: let it take the place of what was logged under that path.

    Raises:
        ConflictError: the run has something else under that path, and ``overwrite`` is off; or a file would be the
            folder of another.
        RunNotFoundError, AmbiguousError: the run.
        RunActiveError: it is being written.
        ArtifactNotFoundError, InvalidNameError, InvalidValueError: what is to be added.
        StorageError: it cannot be stored.
    """
    from gittrack.api.read import find_run
    from gittrack.store.run_reader import read_body

    saved = find_run(project, address)
    if saved.commit is None or project.layout.live_run(saved.id).exists():
        text = f"run '{display(saved.name, 80)}' has not ended"
        raise RunActiveError(text, hint="wait for its end, or: gittrack recover")
    record = read_body(project.repo, saved.commit).record
    # The bytes first: killed before the run is touched, there are some more of them, and nothing else.
    entries = {entry.path: entry for entry in record.artifacts}
    taken = _taken(project, path, name, entries.values())
    found = {operation["artifact"]["path"]: operation["artifact"] for operation, _ in taken if _is_artifact(operation)}
    there = {each: _is_same(project, saved, entries, found[each]) for each in found}
    present = tuple(each for each in found if there[each])
    replaced = [each for each in found if there[each] is False]
    if replaced and not overwrite:
        text = f"run '{display(saved.name, 80)}' has another '{display(replaced[0], 80)}' already"
        raise ConflictError(text, hint="add it under another path, or overwrite=True")
    if len(present) == len(found):
        return Added(saved, (), present)
    from gittrack.api.resumed_by_another import warn_of_another_writer

    warn_of_another_writer(project, saved, "gittrack comment, or the artifact in a run of yours")
    kept = [row for row in taken if not (_is_artifact(row[0]) and row[0]["artifact"]["path"] in present)]
    _resume_with(project, record, saved.commit, kept)
    return Added(find_run(project, saved.id), tuple(each for each in found if each not in present), present)


def _is_artifact(operation: Mapping[str, Any]) -> bool:
    return bool(operation["op"] == "artifact")


def _is_same(
    project: Project, saved: SavedRun, entries: Mapping[str, ArtifactEntry], found: Mapping[str, Any]
) -> bool | None:
    """Whether the run has the same already, in git or beside; None when it has nothing under that path."""
    path = found["path"]
    entry = entries.get(path)
    if entry is not None:
        known = (entry.digest, entry.size, entry.uri if entry.storage == "reference" else None)
        return known == (found["digest"], found["size"], found.get("uri"))
    if not any(above in entries for above in paths_above(path)):
        return None
    from gittrack.api.saved_artifacts import SavedArtifacts

    try:
        inner = [file for file in SavedArtifacts(project, saved).files(path) if file.path == path]
    except GittrackError:  # nothing is there, or nobody can tell: the listing of the folder is not here
        return None
    return inner[0].digest == found["digest"] if inner else None


Operations = list[tuple[dict[str, Any], bytes | None]]


class _Collected:
    """Stands where a journal does while files are taken in: what would be written is kept for later."""

    def __init__(self) -> None:
        self.operations: Operations = []

    def operation(self, operation: dict[str, Any], content: bytes | None = None) -> None:
        self.operations.append((operation, content))


def _taken(project: Project, path: str, name: str | None, known: Iterable[ArtifactEntry]) -> Operations:
    from gittrack.api.logged_files import LoggedFiles

    collected = _Collected()
    files = LoggedFiles(project, cast("JournalWriter", collected), known)
    wanted = None if name is None else check_artifact_path(name)
    if "://" in path:
        files.add_reference(path, None, None, None, name=wanted)
    elif wanted is None:
        # A folder of "." or ".." has a name as well.
        files.add_path(Path(os.path.abspath(path)), None)
    else:
        files.add_under(path, wanted)
    return collected.operations


def _resume_with(project: Project, record: RunRecord, commit: str, operations: Operations) -> None:
    """Make the resume commit. Its end is written first: killed after that, it is finished as it ended before."""
    from gittrack.store.live import create_live, read_live
    from gittrack.store.publish import publish

    writer = create_live(project.layout, record.id, _start(project, record, commit), project.new_event_id, project.now)
    try:
        writer.operation(_end(record))
        for operation, content in operations:
            writer.operation(operation, content)
        writer.close()
        live = read_live(str(project.layout.live_run(record.id)), record.id)
        if live is None or live.problem:
            text = (
                f"run '{display(record.name, 80)}' cannot be resumed: {'it is gone' if live is None else live.problem}"
            )
            raise GittrackError(text, hint="gittrack recover")
        publish(project.repo, project.layout, record.id, live.contents)
    finally:
        writer.release()


def _start(project: Project, record: RunRecord, commit: str) -> dict[str, Any]:
    return {
        "op": "start",
        "format": FORMAT_VERSION,
        "t": project.now(),
        "id": record.id,
        "kind": record.kind,
        "author": {"name": record.author.name, "email": record.author.email},
        "writer": project.writer,
        "host": record.host,
        "command": list(record.command),
        "entry": record.entry,
        "parent": record.parent,
        "note": "",
        "environment": {},
        "name": record.name,
        "experiment": {"id": record.experiment.id, "name": record.experiment.name},
        "resumes": commit,
        "code": code_operation(record.code),
    }


def _end(record: RunRecord) -> dict[str, Any]:
    end: dict[str, Any] = {"op": "end", "t": record.start_time if record.end_time is None else record.end_time}
    end |= {"status": record.status.value, "error": record.error}
    return end if record.exit_code is None else end | {"exit_code": record.exit_code}

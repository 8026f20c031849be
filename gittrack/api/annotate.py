"""Facts stated later: tags, notes, names, deletion and restoration of runs; each an event of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gittrack.api.addressing import ID_DIGITS
from gittrack.api.closing import roll_up_when_crowded
from gittrack.api.guarded import warn
from gittrack.api.kept import checked_text, kept_name, without_secret
from gittrack.api.project import Project
from gittrack.api.read import SavedRun, find_run
from gittrack.core.events import ACTIVE, DELETED, Folded
from gittrack.core.expunged import EXPUNGED, expunge_hint
from gittrack.core.ids import RunId
from gittrack.core.names import check_run_name, check_tag_key, display
from gittrack.core.records import Event, Subject
from gittrack.errors import ConflictError, NotFoundError, RunActiveError
from gittrack.store.catalog import current_commits, read_catalog
from gittrack.store.event_store import write_event
from gittrack.store.run_reader import read_record


def state(project: Project, subject: Subject, seen: Folded, kind: str, value: str | None, key: str = "") -> Event:
    """Write one event about a scalar of a subject.

    Args:
        project: where.
        subject: what it is about.
        seen: its present state: what the event replaces.
        kind: ``tag``, ``name``, ``note`` or ``lifecycle``.
        value: the new value; None removes it.
        key: the tag's key.

    Raises:
        StorageError: git could not store it.
    """
    return write_fact(project, subject, kind, value, key=key, replaces=seen.survivors(kind, key))


def write_fact(
    project: Project,
    subject: Subject,
    kind: str,
    value: str | None,
    *,
    key: str = "",
    replaces: Sequence[str] = (),
    extra: Mapping[str, Any] | None = None,
) -> Event:
    """Write one event of any kind, by the person who works here, now; signed when git is set to sign.

    Raises:
        SigningError: git could not sign it; nothing was written.
        StorageError: git could not store it.
    """
    event = Event(
        id=project.new_event_id(),
        kind=kind,
        subject=subject,
        time=project.now(),
        author=project.person,
        writer=project.writer,
        key=key,
        value=value,
        replaces=tuple(replaces),
        extra=extra or {},
    )
    write_event(project.repo, event, sign=project.signs)
    return event


def tag_run(project: Project, address: str, tags: Mapping[str, str | None]) -> SavedRun:
    """Set tags of a run; None removes one. All are checked before the first is set.

    Of a run that has not ended, what is said here stands, whatever its program says of the same key later.

    Raises:
        InvalidNameError, InvalidValueError: a key against its grammar, a value that is too long.
        RunNotFoundError, AmbiguousError: the address.
        NotFoundError: a tag to remove is not there.
    """
    run = find_run(project, address)
    tags = {kept_name("a tag", key, check_tag_key): value for key, value in tags.items()}
    for key, value in tags.items():
        if value is None and key not in run.record.tags:
            raise NotFoundError(f"run '{run.name}' has no tag '{key}'", hint=f"gittrack show {run.id[:8]}")
    kept = {key: kept_text("a tag", f"tag '{display(key, 60)}'", value, key) for key, value in tags.items()}
    for key, value in kept.items():
        state(project, _subject(run.id), run.state, "tag", value, key)
    roll_up_when_crowded(project)
    return find_run(project, run.id)


def note_run(project: Project, address: str, text: str | None) -> SavedRun:
    """Set a run's note; None removes it.

    Raises:
        RunNotFoundError, AmbiguousError: the address.
        InvalidValueError: it is too long.
    """
    return _change(project, find_run(project, address), "note", kept_text("a note", "the note", text))


def rename_run(project: Project, address: str, name: str) -> SavedRun:
    """Give a run another name.

    Raises:
        InvalidNameError: the name follows no grammar.
        RunNotFoundError, AmbiguousError: the address.
    """
    return _change(project, find_run(project, address), "name", kept_name("a run", name, check_run_name))


def delete_run(project: Project, address: str) -> SavedRun:
    """Delete a run: it is hidden from listings, its commit stays, ``restore_run`` brings it back.

    Raises:
        RunActiveError: it has not ended.
        ConflictError: it is deleted already.
    """
    run = _finished(project, address)
    if run.deleted:
        raise ConflictError(f"run '{run.name}' is deleted already", hint=f"gittrack restore {run.id[:8]}")
    return _change(project, run, "lifecycle", DELETED)


def restore_run(project: Project, address: str) -> SavedRun:
    """Bring a deleted run back; of several runs of one name the deleted one is meant.

    One's own run that somebody expunged, and that still lies here, is brought back by its full id.

    Raises:
        ConflictError: it is not deleted; or it is expunged and somebody else's.
    """
    from gittrack.api.expunged_runs import hidden_runs

    if len(address) == ID_DIGITS and address in hidden_runs(project):
        return _take_back(project, RunId(address))
    run = _finished(project, address, deleted=True)
    if not run.deleted:
        raise ConflictError(f"run '{run.name}' is not deleted", hint=f"gittrack show {run.id[:8]}")
    return _change(project, run, "lifecycle", ACTIVE)


def _take_back(project: Project, id: RunId) -> SavedRun:
    """State that a run is not expunged; every event that says so is replaced."""
    commits = read_catalog(project.repo)
    commit = current_commits(project.repo, commits.runs[id])[0]
    author = read_record(project.repo, commit).author
    if author.email != project.person.email and author.name != project.person.name:
        text = f"run {id[:8]} was expunged and is by {display(author.name, 60)}: only they bring it back"
        raise ConflictError(text, hint=expunge_hint(id))
    subject = Subject("run", id)
    about = [event for event in commits.events.values() if event.subject == subject and event.kind == EXPUNGED]
    write_fact(project, subject, EXPUNGED, None, replaces=sorted({event.id for event in about}))
    return find_run(project, id)


def run_log(project: Project, address: str) -> tuple[SavedRun, tuple[Event, ...]]:
    """A run and its events, oldest first."""
    run = find_run(project, address)
    return run, run.state.events


def kept_text(kind: str, what: str, text: str | None, name: str = "") -> str | None:
    """The text without its secrets, after a line that says so."""
    if text is None:
        return None
    given = checked_text(kind, text)
    kept: str = without_secret(name, given)
    if kept != given:
        warn(f"{what} holds a secret and is kept without it")
    return kept


def _change(project: Project, run: SavedRun, kind: str, value: str | None) -> SavedRun:
    state(project, _subject(run.id), run.state, kind, value)
    roll_up_when_crowded(project)
    return find_run(project, run.id)


def _finished(project: Project, address: str, *, deleted: bool = False) -> SavedRun:
    run = find_run(project, address, deleted=deleted)
    if run.commit is None:
        raise RunActiveError(f"run '{run.name}' has not ended", hint="wait for its end, or: gittrack recover")
    return run


def _subject(id: RunId) -> Subject:
    return Subject("run", id)

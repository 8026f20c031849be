"""Comments on runs: said, answered, settled, taken back; each an event, so two people never conflict."""

from __future__ import annotations

from gittrack.api.annotate import kept_text, state, write_fact
from gittrack.api.closing import roll_up_when_crowded
from gittrack.api.project import Project
from gittrack.api.read import SavedRun, find_run
from gittrack.core.ids import EventId
from gittrack.core.records import Event, Subject
from gittrack.core.threads import OPEN, RESOLVED, Comment, Thread, threads
from gittrack.errors import AmbiguousError, InvalidValueError, NotFoundError, UsageError

__all__ = ["Comment", "Thread", "comment_run", "resolve_thread", "take_back", "threads_of"]


def threads_of(run: SavedRun) -> list[Thread]:
    """The threads about a run, oldest first."""
    return threads(run.state)


def comment_run(project: Project, address: str, text: str, *, answers: str | None = None) -> Comment:
    """Say something about a run.

    Args:
        project: where.
        address: the run.
        text: what, any number of lines; secrets in it are masked.
        answers: the last digits of the comment it answers.

    Raises:
        RunNotFoundError, AmbiguousError: the address, or ``answers``.
        NotFoundError: there is no such comment.
        InvalidValueError: the text is empty or too long.
    """
    if not text.strip():
        raise InvalidValueError("a comment has no text", hint="gittrack comment RUN TEXT")
    run = find_run(project, address)
    answered = None if answers is None else find_comment(run, answers).id
    event = _said(project, run, kept_text("a comment", "the comment", text), answered)
    return Comment(event.id, event.author, event.time, event.value or "", answered)


def resolve_thread(project: Project, address: str, handle: str, *, resolved: bool = True) -> SavedRun:
    """Say that a thread is settled, or that it is open again; any comment of it names it.

    Raises:
        RunNotFoundError, AmbiguousError, NotFoundError: the run or the comment.
    """
    run = find_run(project, address)
    comment = find_comment(run, handle)
    thread = next(thread for thread in threads_of(run) if comment in thread.comments)
    value = RESOLVED if resolved else OPEN
    state(project, Subject("run", run.id), run.state, "thread", value, thread.comments[0].id)
    roll_up_when_crowded(project)
    return find_run(project, run.id)


def take_back(project: Project, address: str, handle: str) -> SavedRun:
    """Take one's own comment back; its answers stay, and so does the event that said it.

    Raises:
        RunNotFoundError, AmbiguousError, NotFoundError: the run or the comment.
        UsageError: somebody else said it.
    """
    run = find_run(project, address)
    comment = find_comment(run, handle)
    if comment.author.email != project.person.email:
        text = f"comment '{comment.handle}' is by {comment.author.name}, who alone can take it back"
        raise UsageError(text, hint=f"gittrack comment {run.id[:8]} --resolve {comment.handle}")
    _said(project, run, None, None, replaces=comment.id)
    return find_run(project, run.id)


def find_comment(run: SavedRun, handle: str) -> Comment:
    """The comment of a run whose id ends so.

    Raises:
        NotFoundError: none.
        AmbiguousError: several.
    """
    comments = [comment for thread in threads_of(run) for comment in thread.comments]
    found = [comment for comment in comments if handle and comment.id.endswith(handle.lower())]
    if not found:
        text = f"run '{run.name}' has no comment '{handle[:40]}'"
        raise NotFoundError(text, hint=f"gittrack comment {run.id[:8]}")
    if len(found) > 1:
        text = f"'{handle[:40]}' means {len(found)} comments: give more digits"
        raise AmbiguousError(
            text, matches=[comment.id for comment in found], hint=f"gittrack comment {run.id[:8]} --json"
        )
    return found[0]


def _said(
    project: Project, run: SavedRun, text: str | None, answers: EventId | None, replaces: EventId | None = None
) -> Event:
    replaced = () if replaces is None else (replaces,)
    event = write_fact(project, Subject("run", run.id), "comment", text, key=answers or "", replaces=replaced)
    roll_up_when_crowded(project)
    return event

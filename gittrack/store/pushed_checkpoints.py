"""What is known here of the checkpoints that were pushed from here: a small file per run, and a log of what failed.

A checkpoint is noted before it is pushed, so that after a kill in between it is still known for one's own: only what is
noted is ever replaced or removed at a remote.
"""

from __future__ import annotations

import contextlib
import os
from contextlib import AbstractContextManager
from typing import Any

from gittrack.core.ids import ObjectId, RunId, parse_run_id
from gittrack.core.names import one_line
from gittrack.core.run_toml import moment
from gittrack.errors import GittrackError, StorageError
from gittrack.frozen import dataclass
from gittrack.store.layout import Layout
from gittrack.store.locks import exclusive
from gittrack.store.notes_file import read_notes, write_notes

_NOTE, _LOG, _LOCK = ".json", ".log", ".lock"
_MOST_TRIED = 20
"""The remote is asked before more are tried: what is left out was not there that many times."""
_MOST_LINES, _LONGEST_LINE = 200, 500


@dataclass(frozen=True, slots=True)
class PushedCheckpoints:
    """The checkpoints of one run that were pushed from here.

    Attributes:
        id: the run.
        repository: tells the repository they went to from others (:attr:`Remote.repository`).
        there: the last one that the remote is known to have taken; None: none yet.
        tried: those pushed since of which nobody knows whether it took them, since the connection broke, or this did;
            what it refused is none of them.
        problem: what went wrong last, and nobody has mended; empty when nothing did.
    """

    id: RunId
    repository: str
    there: ObjectId | None = None
    tried: tuple[ObjectId, ...] = ()
    problem: str = ""

    @property
    def tips(self) -> tuple[ObjectId, ...]:
        """All of them, oldest first."""
        return (*([] if self.there is None else [self.there]), *self.tried)


def pushed_checkpoints(layout: Layout) -> list[PushedCheckpoints]:
    """All that are noted; mostly there is none."""
    try:
        names = sorted(os.listdir(layout.checkpoints))
    except FileNotFoundError:
        return []
    ids = [name.removesuffix(_NOTE) for name in names if name.endswith(_NOTE)]
    found = []
    for text in ids:
        with contextlib.suppress(GittrackError):  # not a file of ours
            noted = read_pushed(layout, parse_run_id(text))
            found += [] if noted is None else [noted]
    return found


def read_pushed(layout: Layout, id: RunId) -> PushedCheckpoints | None:
    """What is noted of a run; None when nothing is, or it is damaged: nothing at a remote is one's own then."""
    found = read_notes(layout.checkpoints / f"{id}{_NOTE}")
    if not isinstance(found, dict) or not isinstance(found.get("repository"), str):
        return None
    there, tried, problem = found.get("there"), found.get("tried"), found.get("problem")
    ids = [ObjectId(tip) for tip in tried if isinstance(tip, str)] if isinstance(tried, list) else []
    return PushedCheckpoints(
        id,
        found["repository"],
        ObjectId(there) if isinstance(there, str) else None,
        tuple(ids),
        problem if isinstance(problem, str) else "",
    )


def write_pushed(layout: Layout, noted: PushedCheckpoints) -> None:
    """Note the checkpoints of a run.

    Raises:
        StorageError: it cannot be written.
    """
    layout.root.mkdir(exist_ok=True)
    said: dict[str, Any] = {
        "repository": noted.repository,
        "there": noted.there,
        "tried": list(noted.tried[-_MOST_TRIED:]),
        "problem": noted.problem,
    }
    write_notes(layout.checkpoints / f"{noted.id}{_NOTE}", said)


def forget_pushed(layout: Layout, id: RunId) -> None:
    """Nothing of a run is at a remote any more."""
    for suffix in (_NOTE, _LOG, _LOCK):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(layout.checkpoints / f"{id}{suffix}")


def log_checkpoint(layout: Layout, id: RunId, now: int, text: str) -> None:
    """Write a line into the log of a run's checkpoints, which keeps the last 200.

    Args:
        layout: the repository's folders.
        id: the run.
        now: ms since the epoch.
        text: what happened; no secrets.
    """
    path = log_path(layout, id)
    line = f"{moment(now):%Y-%m-%d %H:%M:%S} UTC {one_line(text)[:_LONGEST_LINE]}\n"
    try:
        os.makedirs(layout.checkpoints, exist_ok=True)
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                lines = file.readlines()[1 - _MOST_LINES :]
        except FileNotFoundError:
            lines = []
        with open(path, "w", encoding="utf-8", errors="replace") as file:
            file.write("".join(lines) + line)
    except OSError:
        return  # a full disk: the note says what failed, and nothing more can be done


def log_path(layout: Layout, id: RunId) -> str:
    """Where the log of a run's checkpoints lies."""
    return str(layout.checkpoints / f"{id}{_LOG}")


def alone(layout: Layout, id: RunId) -> AbstractContextManager[bool]:
    """What whoever pushes the checkpoints of a run holds; yields whether nobody else does.

    Raises:
        StorageError: it cannot be made.
    """
    try:
        os.makedirs(layout.checkpoints, exist_ok=True)
    except OSError as error:
        raise StorageError(f"cannot make '{layout.checkpoints}': {error.strerror}", hint="df -h .") from error
    return exclusive(layout.checkpoints / f"{id}{_LOCK}", wait=False)

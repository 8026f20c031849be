"""Copies of artifacts at places of the user's: what can be had is copied, the rest is told, nothing appears half.

A folder that is one artifact is made beside its place, and gets its name when it is whole and checked.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from gittrack.api.artifact_paths import paths_above
from gittrack.core.names import display
from gittrack.core.written_paths import check_written
from gittrack.errors import ConflictError, GittrackError, StorageError
from gittrack.frozen import dataclass

if TYPE_CHECKING:
    from gittrack.api.saved_artifacts import ArtifactFile

CopyFile = Callable[["ArtifactFile", Path], None]
"""Copies one file to a place whose folder exists; the copy appears complete and checked, or not at all."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What was copied.

    Attributes:
        path: the copy; the folder that everything was copied into when everything was asked for.
        count: how many artifacts were copied.
        failures: path of each artifact that was not copied, and why.
    """

    path: Path
    count: int
    failures: tuple[tuple[str, GittrackError], ...] = ()


def check_side_by_side(files: Sequence[ArtifactFile], run: str) -> None:
    """Refuse files that no file system holds together, as only a foreign program writes them into a run.

    Raises:
        ConflictError: one of them is the folder of another.
    """
    paths = {file.path for file in files}
    for path in sorted(paths):
        for above in paths_above(path):
            if above in paths:
                text = f"'{display(above, 80)}' is a file and a folder at once, which cannot be copied"
                raise ConflictError(text, hint=f"gittrack artifact get {run[:8]} {display(path)}")


def check_places(dest: Path, paths: Sequence[str]) -> None:
    """Refuse paths that would be written elsewhere than they say: they and the links may come from anybody.

    Args:
        dest: the folder to copy into.
        paths: below it.

    Raises:
        CorruptRecordError: one lies in ``.git``, or two would be one file where case is ignored.
        ConflictError: a link below ``dest`` leads out of it.
    """
    check_written(paths)
    top = os.path.realpath(dest)
    for folder in sorted({above for path in paths for above in paths_above(path)}):
        place = dest / folder
        if os.path.islink(place) and not f"{os.path.realpath(place)}/".startswith(f"{top}/"):
            text = f"'{display(str(place), 200)}' is a link that leads out of '{display(str(dest), 200)}'"
            raise ConflictError(text, hint="choose another folder")


def units(files: Iterable[ArtifactFile], wanted: str, unlisted: Collection[str]) -> dict[str, list[ArtifactFile]]:
    """Files by what is copied whole or not at all: an artifact, with all that was logged into it, or the wanted part.

    Args:
        files: what is to be copied.
        wanted: what was asked for; ``""`` for everything.
        unlisted: artifacts that are folders, of whose files nothing is known.
    """
    folders = {file.entry.path for file in files if file.entry.path != file.path} | {*unlisted}
    found: dict[str, list[ArtifactFile]] = {}
    for file in files:
        artifact = next((above for above in paths_above(file.path) if above in folders), file.path)
        found.setdefault(max(artifact, wanted, key=len), []).append(file)
    return found


def copy_unit(unit: str, files: Sequence[ArtifactFile], target: Path, copy: CopyFile) -> None:
    """Copy the files of one unit.

    Args:
        unit: its path among the run's artifacts.
        files: all of it.
        target: where to; what is there is replaced file by file.
        copy: copies one.

    Raises:
        GittrackError: one of them cannot be had, or the target not be written; nothing of it is there then.
    """
    if len(files) == 1 and files[0].path == unit:
        copy(files[0], target)
        return
    beside = target.with_name(f".gittrack-{uuid4().hex}")
    try:
        for file in files:
            place = beside / file.path[len(unit) + 1 :]
            _make(place.parent)
            copy(file, place)
        _name(beside, target, [file.path[len(unit) + 1 :] for file in files])
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _name(beside: Path, target: Path, files: Sequence[str]) -> None:
    try:
        if not os.path.lexists(target):
            os.rename(beside, target)
            return
        for file in files:
            place = target / file
            _make(place.parent)
            os.replace(beside / file, place)
    except OSError as error:
        raise StorageError(f"cannot write '{target}': {error.strerror}", hint="choose another folder") from error


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        text = f"cannot make '{folder}': {error.strerror}"
        raise StorageError(text, hint="choose another folder") from error


@contextlib.contextmanager
def made_folder(folder: Path) -> Iterator[None]:
    """A folder to copy into. One that was made for it and stays empty goes again, and so do those above it."""
    missing = []
    place = folder
    while not os.path.lexists(place):
        missing.append(place)
        place = place.parent
    _make(folder)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # there is something in it
            for made in missing:
                made.rmdir()

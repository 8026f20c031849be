"""Whence a file is: hashed, and looked for in what runs made and read, in any clone that has those runs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gittrack.core.dvc_pointers import PROJECT_ROLE
from gittrack.core.ids import RunId
from gittrack.core.lineage import RunFacts, digests_of, is_content, was_read
from gittrack.core.names import display
from gittrack.core.records import Input
from gittrack.errors import NotFoundError, StorageError
from gittrack.frozen import dataclass

if TYPE_CHECKING:
    from gittrack.api.project import Project


@dataclass(frozen=True, slots=True)
class Made:
    """A run that made the bytes.

    Attributes:
        run, name, time: the run: id, name, when it began (ms since the epoch).
        path: the artifact that is those bytes, or the folder that holds them.
        member: the path within that folder; ``""`` when the artifact itself is meant.
        deleted: whether the run is deleted.
    """

    run: RunId
    name: str
    time: int
    path: str
    member: str = ""
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Read:
    """A run that read the bytes: as ``input``, or, with ``member``, as a file of that folder. Else as :class:`Made`."""

    run: RunId
    name: str
    time: int
    input: Input
    member: str = ""
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Whence:
    """What runs know of some bytes.

    Attributes:
        path: as it was asked for.
        digest: ``md5:<32 hex>``, of a folder with ``.dir`` at its end.
        size: bytes.
        made: the runs that made them, earliest first.
        read: the runs that read them, earliest first.
        unseen: how many folders that runs made or read could not be looked into, since their listings are not here.
        unseen_data: how many of these no run made: no ``gittrack artifact pull`` brings their listings.
    """

    path: str
    digest: str
    size: int | None
    made: tuple[Made, ...] = ()
    read: tuple[Read, ...] = ()
    unseen: int = 0
    unseen_data: int = 0


@dataclass(frozen=True, slots=True)
class Origins:
    """Runs that made or read some bytes, and how many folders could not be looked into; as of :class:`Whence`."""

    made: tuple[Made, ...]
    read: tuple[Read, ...]
    unseen: int
    unseen_data: int


def whence(path: str | os.PathLike[str], *, repo: str | os.PathLike[str] | None = None) -> Whence:
    """Which runs made or read a file or folder, by its content: its name and place do not matter.

    Args:
        path: the file or folder.
        repo: a directory in the repository; the working directory when None.

    Returns:
        What is known; ``made`` and ``read`` are empty when no run knows it.

    Raises:
        NotFoundError: there is no such file.
        StorageError: it cannot be read.
        NotARepositoryError: there is no repository.

    Example:
        >>> [made.name for made in gittrack.whence("model.bin").made]  # doctest: +SKIP
        ['brisk-otter-417']
    """
    from gittrack.api.read import _recovered

    return find_whence(_recovered(repo), Path(path))[0]


def find_whence(project: Project, path: Path) -> tuple[Whence, Sequence[tuple[str, str]]]:
    """As :func:`whence`; with it, the runs that could not be read, and why."""
    from gittrack.api.lineage import read_facts
    from gittrack.api.run_inputs import checked_path, known_digests

    if not checked_path(path).exists():
        raise NotFoundError(f"there is no file '{display(str(path), 200)}'", hint="gittrack lineage RUN")
    known = read_facts(project)
    found = known_digests(project).of(path)
    digests = [found.digest, *_other_digests(path, known.facts)]
    origins = find_origins(project, digests, known.facts)
    read = _each_once(origins.read)
    result = Whence(str(path), found.digest, found.size, origins.made, read, origins.unseen, origins.unseen_data)
    return result, known.problems


def _each_once(reads: Sequence[Read]) -> tuple[Read, ...]:
    """That data was in the project says nothing more where the run says that it read it."""
    named = {read.run for read in reads if read.input.role != PROJECT_ROLE}
    return tuple(read for read in reads if read.input.role != PROJECT_ROLE or read.run not in named)


def path_digests(project: Project, path: Path, facts: Sequence[RunFacts]) -> list[str]:
    """The digests by which runs may know what lies at a path; of data that is not here, what DVC says of it.

    Raises:
        StorageError: it cannot be read.
    """
    from gittrack.api.run_inputs import checked_path, known_digests, pointer_paths
    from gittrack.capture.dvc_inputs import find_tracked, tracking

    try:
        if checked_path(path).exists():
            return [known_digests(project).of(path).digest, *_other_digests(path, facts)]
    except (OSError, ValueError):  # a name no file can have
        return []
    top = project.repo.work_tree
    if top is None:
        return []
    tracked = tracking(
        top, Path(os.path.abspath(path)), lambda: find_tracked(top, str(top), pointer_paths(project)).tracked
    )
    return [tracked[0].digest] if tracked is not None and not tracked[1] else []


def _other_digests(path: Path, facts: Sequence[RunFacts]) -> list[str]:
    """The file's SHA-256, when any run knows one: given by hand, or by an earlier version."""
    import hashlib

    if not path.is_file() or not any(digest.startswith("sha256:") for digest in digests_of(facts)):
        return []
    try:
        with path.open("rb") as file:
            return ["sha256:" + hashlib.file_digest(file, "sha256").hexdigest()]
    except OSError as error:
        raise StorageError(f"cannot read '{path}': {error.strerror}", hint="check the permissions") from error


def find_origins(project: Project, digests: Sequence[str], facts: Sequence[RunFacts]) -> Origins:
    """The runs that made or read bytes of one of some digests, as an artifact or input or as a file of a folder."""
    wanted = {digest for digest in digests if is_content(digest)}
    folders = _Folders(project, wanted)
    made_folders = {entry.digest for run in facts for entry in run.artifacts if entry.is_folder}
    made: list[Made] = []
    read: list[Read] = []
    for run in sorted(facts, key=lambda run: (run.start_time, run.id)):
        about = (run.id, run.name, run.start_time)
        for entry in run.artifacts:
            made += [Made(*about, entry.path, member, run.deleted) for member in folders.places(entry.digest)]
        for item in run.inputs:
            if was_read(item):
                read += [Read(*about, item, member, run.deleted) for member in folders.places(item.digest)]
    return Origins(tuple(made), tuple(read), len(folders.unseen), len(folders.unseen - made_folders))


class _Folders:
    """Where wanted bytes lie in folders, each looked into once."""

    def __init__(self, project: Project, wanted: set[str]) -> None:
        from gittrack.api.run_inputs import listing_caches

        self._caches = listing_caches(project)
        self._wanted = wanted
        self._known: dict[str, list[str]] = {}
        self.unseen: set[str] = set()

    def places(self, digest: str) -> list[str]:
        """``[""]`` when the digest itself is wanted, else the paths within that folder; empty for none."""
        if digest in self._wanted:
            return [""]
        if not digest.endswith(".dir"):
            return []
        if digest not in self._known:
            self._known[digest] = list(self._members(digest))
        return self._known[digest]

    def _members(self, digest: str) -> Iterator[str]:
        from gittrack.api.run_inputs import listing_of

        files = listing_of(self._caches, digest)
        if not files:
            self.unseen.add(digest)
        yield from (file.path for file in files if file.digest in self._wanted)

"""What one run reads: what DVC tracks in the project, what the program names, what other runs made."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from functools import cached_property
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any

from gittrack.api.kept import Room, entry_size
from gittrack.core.names import display
from gittrack.core.records import Input
from gittrack.errors import (
    ArtifactNotFoundError,
    CorruptRecordError,
    GittrackError,
    InvalidValueError,
    NotFoundError,
    StorageError,
)

if TYPE_CHECKING:
    from gittrack.api.data_check import DataCheck, Expected
    from gittrack.api.project import Project
    from gittrack.api.used_artifacts import UsedArtifact
    from gittrack.artifacts.bytes_store import BytesStore
    from gittrack.artifacts.known_digests import KnownDigests
    from gittrack.capture.dvc_inputs import TrackedData
    from gittrack.core.folder_listing import ListedFile
    from gittrack.store.journal_file import JournalWriter

_PATH_HINT = "name a file or a folder"
GRACE_SECONDS = 1.0
"""How long the end of a run waits for data that is still being looked at."""
_FIELDS = tuple(each.name for each in fields(Input))
_LOG = {"op": "log", "name": "errors.log"}


class RunInputs:
    """Records what a run reads.

    Args:
        project: where.
        writer: the run's journal in this process.
        room: how much still fits into the run's small files.
    """

    def __init__(self, project: Project, writer: JournalWriter, room: Room) -> None:
        self._project = project
        self._writer = writer
        self._room = room
        self._tracked: Sequence[TrackedData] = ()
        self._check: DataCheck | None = None

    @cached_property
    def _digests(self) -> KnownDigests:
        return known_digests(self._project)

    @cached_property
    def _top(self) -> Path | None:
        return self._project.repo.work_tree

    def record(self, item: Input) -> None:
        """Write an input down.

        Raises:
            InvalidValueError: the run's list of inputs is full.
            StorageError: the journal cannot be written.
        """
        entry = {name: getattr(item, name) for name in _FIELDS}
        self._room.take("inputs.toml", entry_size(entry))
        self._writer.operation({"op": "input", "t": int(time() * 1000), "input": entry})

    def record_tracked(self, root: str, untracked: Iterable[str]) -> list[str]:
        """Record what DVC tracks in the project, and begin to find out whether it is what lies on disk.

        Args:
            root: the folder of the DVC project.
            untracked: files that git does not know yet, from the top of the work tree.

        Returns:
            What could not be read, a line each.
        """
        from gittrack.capture.dvc_inputs import find_tracked

        assert self._top is not None
        found = find_tracked(self._top, root, [*pointer_paths(self._project), *filter(is_pointer, untracked)])
        self._tracked = found.tracked
        expected: list[Expected] = []
        for data in found.tracked:
            item = data.as_input()
            self.record(item)
            if data.place is not None:
                expected.append(self._expected(item, data, Path(data.place)))
        for each in expected:  # after all are written: the thread takes turns with this one
            self._look_at(each)
        return [f"'{display(path, 200)}' tells nothing about its data: {reason}" for path, reason in found.problems]

    def _expected(self, item: Input, data: TrackedData, place: Path, *, asked: bool = False) -> Expected:
        from gittrack.api.data_check import Expected

        is_whole = not item.digest.endswith(".dir") or self._is_whole(place)
        return Expected(item, place, None if asked else self._top, exact=is_whole and not data.legacy)

    def _is_whole(self, folder: Path) -> bool:
        """Whether DVC hashes all files of a folder: patterns in ``.dvcignore`` leave some out, which we do not read."""
        assert self._top is not None
        above = [parent for parent in folder.parents if parent.is_relative_to(self._top)]
        return all(_ignores_nothing(parent) for parent in above)

    def _look_at(self, expected: Expected) -> None:
        from gittrack.api.data_check import DataCheck

        if self._check is None:
            self._check = DataCheck(self._digests, self.record, self._note)
        self._check.add(expected)

    def _note(self, text: str) -> None:
        self._writer.operation(
            {**_LOG, "t": int(time() * 1000)}, f"inputs: {text}\n".encode("utf-8", "backslashreplace")
        )

    def forked(self) -> None:
        """Told in a forked child: the thread that looks at data is its parent's."""
        self._check = None

    def finish(self) -> None:
        """Wait a moment for data that is being looked at; nothing is recorded after."""
        if self._check is not None:
            self._check.finish(GRACE_SECONDS)

    # -- what the program names -----------------------------------------------------------------------------------

    def add(self, data: object, name: str | None, role: str, digest: str | None, version: str | None) -> None:
        """Record data that the program names; see :meth:`gittrack.Run.log_input`."""
        from gittrack.capture.inputs import VERSION, describe_object, describe_uri, given_digest, is_uri

        if digest and version:
            raise InvalidValueError("an input has a digest or a version, not both")
        given = given_digest(digest or (VERSION + version if version else ""))
        if is_uri(data):
            item = describe_uri(str(data), name, role)
        elif isinstance(data, str | os.PathLike):
            self._add_path(data, name, role, given)
            return
        else:
            item = describe_object(data, name, role, compute=not given)
        self.record(replace(item, digest=given, source="given") if given else item)

    def _add_path(self, data: str | os.PathLike[str], name: str | None, role: str, given: str) -> None:
        from gittrack.capture.dvc_inputs import tracking
        from gittrack.capture.redaction import safe_text

        place = Path(os.path.abspath(checked_path(data)))
        top = self._top
        shown = place.relative_to(top).as_posix() if top is not None and place.is_relative_to(top) else place.as_posix()
        item = Input(safe_text(name or place.name or shown), safe_text(role), shown, size=_size(place))
        tracked = None if top is None or given else tracking(top, place, lambda: self._tracked)
        if tracked is not None and self._add_tracked(item, place, *tracked):
            return
        if not os.path.lexists(place):
            raise NotFoundError(f"there is no input '{data}'")
        if given:
            self.record(replace(item, digest=given, source="given"))
            return
        try:
            found = self._digests.of(place)
        except GittrackError as error:
            raise StorageError(f"cannot read input '{data}': {error.message}", hint=error.hint) from error
        if not found.settled:
            self.record(item)
            raise StorageError(f"'{data}' changed while it was read: its hash is not known", hint="log it again")
        self.record(replace(item, digest=found.digest, source="computed", size=found.size))

    def _add_tracked(self, item: Input, place: Path, data: TrackedData, inner: str) -> bool:
        """Record a path that DVC tracks, or that lies in a folder that it tracks; False when the folder has no such."""
        digest, size = data.digest, data.size
        if inner:
            found = member_digest(self._project, data.digest, inner)
            if not found:
                return False
            digest, size = found, item.size
        item = replace(item, digest=digest, source=data.source, size=size, state="unverified")
        self.record(item)
        self._look_at(self._expected(item, data, place, asked=True))
        return True

    def add_used(self, used: UsedArtifact, name: str | None, role: str) -> None:
        """Record that the run uses what another run made."""
        from gittrack.capture.redaction import safe_text

        title = safe_text(name or used.path)
        self.record(Input(title, safe_text(role), used.uri, used.digest, "run", used.size))


def checked_path(data: str | os.PathLike[Any]) -> Path:
    """A path as it may be read: a file, a folder, or nothing that is there.

    Raises:
        InvalidValueError: it is no path, or names a pipe, a device, a socket.
    """
    text = os.fspath(data)
    if not isinstance(text, str) or not text or "\0" in text:
        raise InvalidValueError(f"{display(repr(text), 60)} is no path", hint=_PATH_HINT)
    path = Path(text)
    if path.exists() and not path.is_file() and not path.is_dir():
        raise InvalidValueError(
            f"'{path}' is neither a file nor a directory: reading it might never end", hint=_PATH_HINT
        )
    return path


def known_digests(project: Project) -> KnownDigests:
    """The digests of data that this clone remembers."""
    from gittrack.artifacts.known_digests import KnownDigests

    return KnownDigests(project.layout.root / "known-data")


def is_pointer(path: str) -> bool:
    """Whether a file may be one by which DVC tracks data."""
    name = path.rpartition("/")[2]
    return (name.endswith(".dvc") and name != ".dvc") or name == "dvc.lock"


def pointer_paths(project: Project) -> list[str]:
    """The files in git's index by which DVC tracks data, from the top of the work tree."""
    from gittrack.git.index_paths import index_paths

    return [path for path in index_paths(project.repo, (".dvc", "dvc.lock")) if is_pointer(path)]


def member_digest(project: Project, folder: str, inner: str) -> str:
    """The digest of a file or folder within a tracked folder; ``""`` when its listing is not here, or has none."""
    from gittrack.core.folder_listing import ListedFile, encode_listing

    files = listing_of(listing_caches(project), folder)
    for file in files:
        if file.path == inner:
            return file.digest
    below = [ListedFile(file.path.removeprefix(inner + "/"), file.digest) for file in files if _is_in(inner, file.path)]
    return encode_listing(below)[1] if below else ""


def _is_in(folder: str, path: str) -> bool:
    return path.startswith(folder + "/")


def listing_caches(project: Project) -> list[BytesStore]:
    """Where listings of folders may be: our own store, and DVC's cache."""
    from gittrack.api.byte_storage import open_bytes_store
    from gittrack.artifacts.bytes_store import BytesStore

    store = open_bytes_store(project)
    return [store] if store.dvc_cache is None else [store, BytesStore(store.dvc_cache)]


def listing_of(caches: Sequence[BytesStore], folder: str) -> Sequence[ListedFile]:
    """The files of a folder by its digest; none when no cache has its listing."""
    from gittrack.artifacts.reading import read_listing

    if not folder.endswith(".dir"):
        return ()
    for cache in caches:
        try:
            if cache.has(folder):
                return read_listing(cache, folder, folder)
        except (CorruptRecordError, StorageError):
            continue  # damaged here, perhaps not there; `gittrack fsck` says so
    return ()


def _size(place: Path) -> int | None:
    try:
        return place.stat().st_size if place.is_file() else None
    except OSError:
        return None


def _ignores_nothing(folder: Path) -> bool:
    from gittrack.artifacts.taking import open_regular

    try:
        source, _ = open_regular(folder / ".dvcignore")
        with open(source, "rb") as file:
            lines = file.read(1 << 20).splitlines()
    except (OSError, ArtifactNotFoundError):
        return True
    return all(line.strip().startswith(b"#") or not line.strip() for line in lines)

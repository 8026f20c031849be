"""The artifacts of a finished run: what there is, its bytes, and copies of it. Every byte is checked on its way."""

from __future__ import annotations

import contextlib
import io
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from gittrack.core.names import display, plain_artifact_path
from gittrack.errors import (
    ArtifactNotFoundError,
    ConflictError,
    InvalidNameError,
    NoRemoteError,
    StorageError,
)

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.api.saved_run import SavedRun
    from gittrack.artifacts.bytes_store import BytesStore
    from gittrack.artifacts.references import Reference
    from gittrack.core.folder_listing import ListedFile
    from gittrack.core.records import ArtifactEntry


@dataclass(frozen=True, slots=True)
class ArtifactFile:
    """One file that an artifact is, or holds.

    Attributes:
        path: its path among the run's artifacts.
        digest: ``md5:<hex>``; ``""`` of a reference whose hash nobody gave.
        entry: the artifact it belongs to.
    """

    path: str
    digest: str
    entry: ArtifactEntry


class SavedArtifacts:
    """The artifacts of one finished run.

    Args:
        project: where the run is.
        run: the run, with all that its tree says.
        fetch: whether bytes that are wanted and not here are fetched, from the remote or from where a reference points.
    """

    def __init__(self, project: Project, run: SavedRun, *, fetch: bool = False) -> None:
        from gittrack.api.byte_storage import open_bytes_store

        if run.commit is None:
            text = f"run '{run.name}' has not ended: its artifacts are not readable yet"
            raise ArtifactNotFoundError(text, hint=f"gittrack show {run.id[:8]}")
        self._run = run
        self._commit = run.commit
        self._project = project
        self._entries = {entry.path: entry for entry in run.record.artifacts}
        self._store: BytesStore = open_bytes_store(project)
        self._fetches = fetch and not project.config.offline
        self._listings: dict[str, tuple[ListedFile, ...]] = {}

    def files(self, path: str = "") -> list[ArtifactFile]:
        """The files at or below a path, those of folders included, sorted by path.

        Args:
            path: an artifact, a folder among artifacts, or a file or folder within one; ``""`` for all.

        Raises:
            ArtifactNotFoundError: nothing is there, or the listing of a folder is not here.
            CorruptRecordError: the listing of a folder is damaged.
        """
        wanted = checked_path(self._run, path)
        found: dict[str, ArtifactFile] = {}
        for file in self._below(wanted):
            asked = not wanted or file.path == wanted or file.path.startswith(wanted + "/")
            # What was logged below a folder by a name of its own takes the place of the folder's own file.
            if asked and (file.path not in found or file.entry.path == file.path):
                found[file.path] = file
        if wanted and not found:
            raise no_artifact(self._run, path)
        return [found[name] for name in sorted(found)]

    def _below(self, wanted: str) -> Iterator[ArtifactFile]:
        for entry in self._entries.values():
            inside = wanted.startswith(entry.path + "/") or entry.path.startswith(wanted + "/")
            if wanted and entry.path != wanted and not inside:
                continue
            if entry.is_folder and entry.storage == "pointer":
                for file in self._listing(entry):
                    yield ArtifactFile(f"{entry.path}/{file.path}", file.digest, entry)
            else:
                yield ArtifactFile(entry.path, entry.digest, entry)

    def _listing(self, entry: ArtifactEntry) -> tuple[ListedFile, ...]:
        """The files of a folder; fetched when that is allowed, and not kept: only whole folders have a listing here."""
        from gittrack.artifacts.reading import read_listing

        if self._fetches and not self._store.has(entry.digest):
            if entry.digest not in self._listings:
                from gittrack.api.artifact_transfer import open_project_remote
                from gittrack.artifacts.pulling import fetch_listing

                with self._explained(entry.path):
                    remote = open_project_remote(self._project)
                    self._listings[entry.digest] = fetch_listing(self._store, remote, entry.digest, entry.path)
            return self._listings[entry.digest]
        return read_listing(self._store, entry.digest, entry.path)

    def read(self, path: str) -> bytes:
        """The bytes of one file.

        Raises:
            ArtifactNotFoundError: there is none of that path, or its bytes are not here and cannot be fetched.
            CorruptRecordError: the bytes are not those that were logged.
            RemoteError, AuthenticationError: what is not here cannot be fetched from where it is.
        """
        with self.open(path) as stream:
            return stream.read()

    def open(self, path: str) -> BinaryIO:
        """One file, open for reading; checked before the first byte is given out. Raises as :meth:`read`."""
        from gittrack.artifacts.reading import open_stored

        file = self._one(path)
        self._bring([file])
        if file.entry.storage == "inline":
            return io.BytesIO(self._inline(file))
        if file.entry.storage == "reference":
            return self._opened_reference(file)
        return open_stored(self._store, file.digest, path)

    def _opened_reference(self, file: ArtifactFile) -> BinaryIO:
        from gittrack.artifacts.references import copy_reference

        with self._store.temporary() as (target, _):
            copy_reference(self._reference(file), target)
            os.lseek(target, 0, os.SEEK_SET)
            return os.fdopen(os.dup(target), "rb")  # it loses its name now, and its bytes when it is closed

    def download(self, path: str, dest: Path, *, overwrite: bool = False) -> Path:
        """Copy a file or folder; what is copied is checked, and appears complete or not at all.

        Args:
            path: as for :meth:`files`.
            dest: the folder to copy into, made when it is missing; the artifact keeps its base name there. With ``""``
                as path, everything with its whole path.
            overwrite: replace files that are there already.

        Returns:
            The copy; ``dest`` itself when ``path`` is ``""``.

        Raises:
            ArtifactNotFoundError, CorruptRecordError: as :meth:`read`.
            ConflictError: a file is there already, and ``overwrite`` is off; nothing was copied.
            StorageError: ``dest`` cannot be written.
        """
        files = self.files(path)
        wanted = checked_path(self._run, path)
        cut = len(wanted.rpartition("/")[0])
        targets = {file.path: dest / file.path[cut:].lstrip("/") for file in files}
        taken = [target for target in targets.values() if target.exists() or target.is_symlink()]
        if taken and not overwrite:
            raise ConflictError(f"'{taken[0]}' is there already", hint="choose another folder, or --force")
        self._bring(files)
        for file in files:
            self._copy(file, targets[file.path])
        return dest / wanted.rpartition("/")[2] if wanted else dest

    def _copy(self, file: ArtifactFile, target: Path) -> None:
        from gittrack.artifacts.reading import appearing, copy_out, write_out

        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            text = f"cannot make '{target.parent}': {error.strerror}"
            raise StorageError(text, hint="choose another folder") from error
        if file.entry.storage == "inline":
            write_out(self._inline(file), target)
        elif file.entry.storage == "reference":
            from gittrack.artifacts.references import copy_reference

            with appearing(target) as opened:
                copy_reference(self._reference(file), opened)
        else:
            copy_out(self._store, file.digest, target, file.path)

    def _one(self, path: str) -> ArtifactFile:
        wanted = checked_path(self._run, path)
        for file in self.files(path):
            if file.path == wanted:
                return file
        text = f"'{display(path, 80)}' is a folder of run '{self._run.name}'"
        raise ArtifactNotFoundError(text, hint=f"gittrack artifact get {self._run.id[:8]} {display(path)}")

    def _inline(self, file: ArtifactFile) -> bytes:
        from gittrack.store.run_reader import read_artifact

        return read_artifact(self._project.repo, self._commit, self._run.record, file.path)

    def _reference(self, file: ArtifactFile) -> Reference:
        from gittrack.api.artifact_remote import remote_for
        from gittrack.artifacts.references import Reference

        entry = file.entry
        return Reference(entry.path, entry.uri, entry.size, entry.digest, remote_for(self._project, entry.uri))

    def _bring(self, files: list[ArtifactFile]) -> None:
        """Fetch what is missing here, or fail before anything is copied."""
        missing = {file.digest: file for file in files if file.entry.storage == "pointer" and not self._is_here(file)}
        if not self._fetches:
            self._refuse(files, list(missing.values()))
            return
        from gittrack.artifacts.transfer import Wanted

        wanted = [Wanted(file.digest, file.path) for file in missing.values()]
        # With the last of its files comes the listing of a folder, by which it is known to be here.
        wanted += [Wanted(entry.digest, entry.path) for entry in self._unlisted(files)]
        if wanted:
            from gittrack.api.artifact_transfer import fetch_objects

            with self._explained(wanted[0].what):
                fetch_objects(self._project, wanted)

    def _unlisted(self, files: list[ArtifactFile]) -> list[ArtifactEntry]:
        """The folders all of whose files are wanted, and whose listing is not here."""
        counts = Counter(file.entry.path for file in files if file.entry.storage == "pointer")
        entries = (self._entries[path] for path in counts)
        return [
            entry
            for entry in entries
            if entry.is_folder and counts[entry.path] == entry.files and not self._store.has(entry.digest)
        ]

    def _is_here(self, file: ArtifactFile) -> bool:
        return self._store.has(file.digest, None if file.entry.is_folder else file.entry.size)

    @contextlib.contextmanager
    def _explained(self, path: str) -> Iterator[None]:
        """Where there is nowhere to fetch from, what is said is that the bytes are not here."""
        try:
            yield
        except NoRemoteError as error:
            text = f"the bytes of '{display(path, 80)}' are not here, and {error.message}"
            raise ArtifactNotFoundError(text, hint=error.hint) from error

    def _refuse(self, files: list[ArtifactFile], missing: list[ArtifactFile]) -> None:
        for file in files:
            if file.entry.storage == "reference":
                text = f"'{display(file.path, 80)}' is only a reference to {display(file.entry.uri, 200)}"
                raise ArtifactNotFoundError(text, hint="get it from there, or without GITTRACK_OFFLINE")
        if missing:
            text = f"the bytes of '{display(missing[0].path, 80)}' are not here"
            more = "" if len(missing) == 1 else f", nor those of {len(missing) - 1} others"
            raise ArtifactNotFoundError(text + more, hint=f"gittrack artifact pull {self._run.id[:8]}")


def checked_path(run: SavedRun, path: str) -> str:
    """A path in its plain form; ``""`` stays.

    Raises:
        ArtifactNotFoundError: no artifact can have that path.
    """
    try:
        return plain_artifact_path(path) if path else ""
    except InvalidNameError as error:
        raise no_artifact(run, path) from error


def no_artifact(run: SavedRun, path: str) -> ArtifactNotFoundError:
    """What is said when a run has no artifact of that path."""
    text = f"run '{display(run.name, 80)}' has no artifact '{display(path, 80)}'"
    return ArtifactNotFoundError(text, hint=f"gittrack artifact ls {run.id[:8]}")

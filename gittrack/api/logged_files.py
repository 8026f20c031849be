"""Files of a run: artifacts of every kind, and the data it reads."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any

from gittrack.api.artifact_paths import ArtifactPaths
from gittrack.api.byte_storage import open_bytes_store, public_remote
from gittrack.api.guarded import warn
from gittrack.api.kept import Room, entry_size, kept_name
from gittrack.api.logged_references import described, given_path
from gittrack.core.names import MAX_NAME_BYTES, check_artifact_path, plain_artifact_path
from gittrack.errors import GittrackError, InvalidValueError, StorageError, kind_of

if TYPE_CHECKING:
    from gittrack.api.logged_models import LoggedModels
    from gittrack.api.project import Project
    from gittrack.api.run_inputs import RunInputs
    from gittrack.artifacts.bytes_store import BytesStore
    from gittrack.artifacts.folders import FoundFile
    from gittrack.artifacts.taking import StoredBytes
    from gittrack.core.records import ArtifactEntry
    from gittrack.store.journal_file import JournalWriter


MOST_INLINE = 32 << 20
"""Bytes beyond which nothing lies inline, whatever the setting: a frame of a journal holds no more than 64 MiB."""
_MOST_SMALL_FILES = 100
"""Files of a folder beyond which it is one artifact, however small they are."""
_MOST_REFUSED = 20
"""Files that are named when they cannot be kept."""
FOLDER_TYPE = "inode/directory"


class LoggedFiles:
    """Takes files into a run. Small bytes go into the journal, others into the store of artifact bytes.

    Args:
        project: where.
        writer: the run's journal in this process.
        known: the artifacts that the run has already.
    """

    def __init__(self, project: Project, writer: JournalWriter, known: Iterable[ArtifactEntry] = ()) -> None:
        self._project = project
        self._writer = writer
        self._room = Room()
        self._opened: BytesStore | None = None
        self._inputs: RunInputs | None = None
        self._models: LoggedModels | None = None
        self._remote_is_told = False
        self._paths = ArtifactPaths(known, self._files_of_folder)
        self.told: Callable[[str], None] = warn
        """Told of what is left out though nothing failed."""

    def add_path(self, path: str | os.PathLike[str], folder: str | None) -> None:
        """Take a file, or a folder with everything in it under its own name."""
        source = given_path(path)
        if source.is_dir():
            # A link is kept under its own name, a folder as a file; "." and ".." have one as well.
            name = source.name if source.name not in ("", "..") else source.resolve().name
            self.add_folder(source, _joined(folder, name))
        else:
            self._add_file(source, _joined(folder, source.name))

    def add_under(self, path: str | os.PathLike[str], name: str) -> None:
        """Take a file, or a folder with everything in it, under this very name."""
        source = given_path(path)
        if source.is_dir():
            self.add_folder(source, name)
        else:
            self._add_file(source, name)

    def add_folder(self, directory: str | os.PathLike[str], folder: str | None) -> None:
        """Take a folder: as one artifact, or file by file when all of it is small enough to lie in git.

        A link to a file is taken as the bytes of that file, wherever it lies, as MLflow does: who logs a folder wants
        what is read through it. Links to folders are not followed; git's own folder is left out.

        Args:
            directory: the folder.
            folder: its path among the artifacts; None: its files and folders become artifacts of their own.

        Raises:
            ArtifactNotFoundError: there is no such folder.
            StorageError: some of its files could not be kept; the others are.
        """
        from gittrack.artifacts.folders import LeftOutFiles, find_files

        root = given_path(directory)
        refused: list[GittrackError] = []
        left_out = LeftOutFiles()
        found = find_files(root, lambda _, error: refused.append(error), left_out.add)
        if left_out:
            self.told(f"of folder '{root}' {left_out} left out: only files are kept")
        if folder is not None:
            self._add_found(root, _kept_path(folder), found, refused)
        else:
            self._add_apart(root, found, refused)
        if refused:
            shown = "; ".join(error.message for error in refused[:_MOST_REFUSED])
            more = f"; and {len(refused) - _MOST_REFUSED} more" if len(refused) > _MOST_REFUSED else ""
            text = f"{len(refused)} files of '{root}' are not kept: {shown}{more}"
            raise StorageError(text, hint=refused[0].hint)

    def _add_apart(self, root: Path, found: Sequence[FoundFile], refused: list[GittrackError]) -> None:
        """What lies directly in the folder, each under its own name."""
        inner: dict[str, list[FoundFile]] = {}
        for file in found:
            top, slash, rest = file.path.partition("/")
            if slash:
                inner.setdefault(top, []).append(file._replace(path=rest))
            else:
                self._add_one(Path(file.place), file.path, refused)
        for name, files in inner.items():
            self._add_found(root / name, name, files, refused)

    def _add_found(self, root: Path, name: str, found: Sequence[FoundFile], refused: list[GittrackError]) -> None:
        if len(found) <= _MOST_SMALL_FILES and sum(file.state.st_size for file in found) <= self._limit:
            for file in found:
                self._add_one(Path(file.place), f"{name}/{file.path}", refused)
            return
        from gittrack.artifacts.folders import take_folder

        stored = take_folder(self._store, root, found, lambda _, error: refused.append(error))
        self._record(name, stored)

    def _add_one(self, source: Path, name: str, refused: list[GittrackError]) -> None:
        try:
            self._add_file(source, name)
        except GittrackError as error:  # the other files can still be kept
            refused.append(error)

    def add_text(self, text: object, name: str) -> None:
        """Take a text; bytes are taken as they are."""
        self.add_bytes(bytes(text) if isinstance(text, bytes | bytearray) else str(text).encode(), name)

    def add_bytes(self, data: bytes, name: str) -> None:
        """Take bytes as a file."""
        path = _kept_path(name)
        from gittrack.artifacts.taking import take_bytes

        self._record(path, take_bytes(self._store, data, self._limit))

    def add_document(self, data: object, name: str) -> None:
        """Take a dict or list as JSON, YAML or TOML."""
        from gittrack.api.rendering import document_bytes

        self.add_bytes(document_bytes(data, name), name)

    def add_figure(self, figure: object, name: str) -> None:
        """Take a matplotlib or plotly figure."""
        from gittrack.api.rendering import figure_bytes

        self.add_bytes(figure_bytes(figure, name), name)

    def add_image(self, image: object, name: str) -> None:
        """Take an image."""
        from gittrack.api.rendering import image_bytes

        self.add_bytes(image_bytes(image, name), name)

    def add_table(self, table: object, name: str) -> None:
        """Take a table."""
        from gittrack.api.rendering import table_bytes

        self.add_bytes(table_bytes(table, name), name)

    def add_input(
        self, data: object, name: str | None, role: str, digest: str | None, version: str | None = None
    ) -> None:
        """Record data that the run reads."""
        for what, text in (("name", name), ("role", role), ("digest", digest), ("version", version)):
            _check_text(what, text)
        self.inputs.add(data, name, role, digest, version)

    def add_whole(self, folder: Path, name: str) -> StoredBytes:
        """Take a folder as one artifact, however small it is.

        Raises:
            StorageError: some of it could not be kept; nothing is recorded then.
        """
        from gittrack.artifacts.folders import find_files, take_folder

        def refuse(_: str, error: GittrackError) -> None:
            raise error

        stored = take_folder(self._store, folder, find_files(folder, refuse), refuse)
        self._record(name, stored)
        return stored

    @property
    def scratch(self) -> Path:
        """Where files may be made that are taken in right after; what a killed process leaves there is cleared."""
        return self._store.root / "tmp"

    @property
    def models(self) -> LoggedModels:
        """The models that the run logs."""
        if self._models is None:
            from gittrack.api.logged_models import LoggedModels

            self._models = LoggedModels(self._project, self._writer, self._room, self)
        return self._models

    @property
    def inputs(self) -> RunInputs:
        """What the run reads."""
        if self._inputs is None:
            from gittrack.api.run_inputs import RunInputs

            self._inputs = RunInputs(self._project, self._writer, self._room)
        return self._inputs

    def forked(self) -> None:
        """Told in a forked child."""
        self._paths.forked()
        if self._inputs is not None:
            self._inputs.forked()

    def finish(self) -> None:
        """Before the run ends: what is still being found out about its inputs is waited for, a moment."""
        if self._inputs is not None:
            self._inputs.finish()

    def add_reference(
        self, uri: object, folder: str | None, size: object, digest: object, *, name: str | None = None
    ) -> None:
        """Write down where a file lies, and what it is; nothing is copied, and no network asked."""
        from gittrack.core.references import name_of_reference

        address, found, known = described(uri, size, digest)
        path = _kept_path(name or _joined(folder, name_of_reference(address)))
        entry = {"path": path, "size": found, "digest": known, "media_type": _media_type(path)}
        entry |= {"storage": "reference", "uri": address}
        self._paths.claim(path)
        self._room.take("artifacts.toml", entry_size(entry))
        self._writer.operation({"op": "artifact", "t": _now(), "artifact": entry})

    def _add_file(self, source: Path, name: str) -> None:
        path = _kept_path(name)
        self._paths.check(path)
        from gittrack.artifacts.taking import take_file

        self._record(path, take_file(self._store, source, self._limit))

    def _record(self, path: str, stored: StoredBytes) -> None:
        entry: dict[str, Any] = {
            "path": path,
            "size": stored.size,
            "digest": stored.digest,
            "media_type": FOLDER_TYPE if stored.files is not None else _media_type(path),
            "storage": "pointer" if stored.content is None else "inline",
        }
        if stored.files is not None:
            entry["files"] = stored.files
        self._paths.claim(path, "" if stored.files is None else stored.digest)
        self._room.take("artifacts.toml", entry_size(entry))
        if stored.content is None:
            self._tell_remote()
        self._writer.operation({"op": "artifact", "t": _now(), "artifact": entry}, stored.content)
        if stored.changed:
            raise StorageError(f"'{path}' changed while it was read; what was read is kept", hint="log it again")

    def _files_of_folder(self, digest: str) -> Collection[str]:
        from gittrack.artifacts.reading import read_listing

        try:
            return {file.path for file in read_listing(self._store, digest, "the folder")}
        except GittrackError:
            return ()  # a run of another clone: what is in it is found out when somebody copies it

    def _tell_remote(self) -> None:
        """Write down once where the bytes of pointers will be pushed to: what makes the commit a DVC revision."""
        if not self._remote_is_told:
            self._remote_is_told = True
            remote = public_remote(self._project)
            if remote:
                self._writer.operation({"op": "dvc_remote", "t": _now(), "value": remote})

    @property
    def _store(self) -> BytesStore:
        if self._opened is None:
            self._opened = open_bytes_store(self._project)
        return self._opened

    @property
    def _limit(self) -> int:
        return min(self._project.config.inline_limit, MOST_INLINE)


def _kept_path(name: str) -> str:
    return kept_name("an artifact", plain_artifact_path(name), check_artifact_path)


def _joined(folder: object, name: str) -> str:
    if folder is None:
        return name
    if not isinstance(folder, str | os.PathLike):
        raise InvalidValueError(f"the folder of an artifact must be a string, not {type(folder).__name__}")
    return f"{os.fspath(folder)}/{name}"


def _check_text(what: str, text: object) -> None:
    if text is None:
        return
    if not isinstance(text, str):
        raise InvalidValueError(f"the {what} of an input is {kind_of(text)}, not a string")
    if len(text) > MAX_NAME_BYTES or not text.isascii():
        try:
            if len(text.encode()) <= MAX_NAME_BYTES:
                return
        except UnicodeEncodeError as error:
            raise InvalidValueError(f"the {what} of an input is not valid Unicode") from error
        raise InvalidValueError(f"the {what} of an input is longer than {MAX_NAME_BYTES} bytes")


_TYPES = {
    "csv": "text/csv",
    "html": "text/html",
    "jpg": "image/jpeg",
    "json": "application/json",
    "md": "text/markdown",
    "parquet": "application/vnd.apache.parquet",
    "pdf": "application/pdf",
    "png": "image/png",
    "svg": "image/svg+xml",
    "toml": "application/toml",
    "txt": "text/plain",
    "yaml": "application/yaml",
    "yml": "application/yaml",
}


def _media_type(path: str) -> str:
    # A table of our own: `mimetypes` reads the machine's files, so the same run would differ between machines.
    return _TYPES.get(path.rpartition(".")[2].lower(), "application/octet-stream")


def _now() -> int:
    return int(time() * 1000)

"""Files of a run: artifacts of every kind, and the data it reads."""

from __future__ import annotations

import os
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any

from gittrack.api.kept import Room, entry_size, kept_name
from gittrack.core.names import MAX_NAME_BYTES, check_artifact_path, display, plain_artifact_path
from gittrack.errors import ArtifactNotFoundError, GittrackError, InvalidValueError, StorageError, kind_of

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.artifacts.bytes_store import StoredBytes
    from gittrack.store.journal_file import JournalWriter


MOST_INLINE = 32 << 20
"""Bytes beyond which nothing lies inline, whatever the setting: a frame of a journal holds no more than 64 MiB."""


class LoggedFiles:
    """Takes files into a run. Small bytes go into the journal, others into the store of artifact bytes.

    Args:
        project: where.
        writer: the run's journal in this process.
    """

    def __init__(self, project: Project, writer: JournalWriter) -> None:
        self._project = project
        self._writer = writer
        self._room = Room()

    def add_path(self, path: str | os.PathLike[str], folder: str | None) -> None:
        """Take a file, or a directory with everything in it under its own name."""
        source = _path(path)
        if source.is_dir():
            name = source.resolve().name
            self.add_folder(source, _joined(folder, name))
        else:
            self._add_file(source, _joined(folder, source.name))

    def add_folder(self, directory: str | os.PathLike[str], folder: str | None) -> None:
        """Take every regular file below a directory, except git's own.

        A link to a file is taken as the bytes of that file, wherever it lies, as MLflow does: who logs a folder wants
        what is read through it. Links to directories are not followed.

        Raises:
            ArtifactNotFoundError: there is no such directory.
            StorageError: some of its files could not be kept; the others are.
        """
        root = _path(directory)
        if not root.is_dir():
            raise ArtifactNotFoundError(f"there is no directory '{root}'")
        refused: list[GittrackError] = []
        for place, inner, names in os.walk(root):
            inner[:] = sorted(name for name in inner if name != ".git")
            for source in (Path(place, name) for name in sorted(names)):
                try:
                    if _is_dead_link(source):
                        raise StorageError(f"link '{source}' leads nowhere")
                    if source.is_file():
                        self._add_file(source, _joined(folder, source.relative_to(root).as_posix()))
                except GittrackError as error:  # the other files can still be kept
                    refused.append(error)
        if refused:
            first, count = refused[0], len(refused)
            raise StorageError(f"{count} files of '{root}' are not kept: {first.message}", hint=first.hint)

    def add_text(self, text: object, name: str) -> None:
        """Take a text; bytes are taken as they are."""
        self.add_bytes(bytes(text) if isinstance(text, bytes | bytearray) else str(text).encode(), name)

    def add_bytes(self, data: bytes, name: str) -> None:
        """Take bytes as a file."""
        path = kept_name("an artifact", plain_artifact_path(name), check_artifact_path)
        from gittrack.artifacts.bytes_store import take_bytes

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

    def add_input(self, data: object, name: str | None, role: str, digest: str | None) -> None:
        """Record data that the run reads."""
        from dataclasses import asdict

        from gittrack.capture.inputs import describe_input

        for what, text in (("name", name), ("role", role), ("digest", digest)):
            _check_text(what, text)
        if isinstance(data, os.PathLike) or (isinstance(data, str) and "://" not in data):
            source = _path(data)
            if source.exists() and not source.is_file() and not source.is_dir():
                raise InvalidValueError(f"'{source}' is neither a file nor a directory: reading it might never end")
        item = describe_input(data, name=name, role=role, digest=digest, work_tree=self._project.repo.work_tree)
        entry = asdict(item)
        self._room.take("inputs.toml", entry_size(entry))
        self._writer.operation({"op": "input", "t": _now(), "input": entry})

    def _add_file(self, source: Path, name: str) -> None:
        path = kept_name("an artifact", plain_artifact_path(name), check_artifact_path)
        from gittrack.artifacts.bytes_store import take_file

        self._record(path, take_file(self._store, source, self._limit))

    def _record(self, path: str, stored: StoredBytes) -> None:
        entry: dict[str, Any] = {
            "path": path,
            "size": stored.size,
            "digest": stored.digest,
            "media_type": _media_type(path),
            "storage": "pointer" if stored.content is None else "inline",
        }
        self._room.take("artifacts.toml", entry_size(entry))
        self._writer.operation({"op": "artifact", "t": _now(), "artifact": entry}, stored.content)

    @property
    def _store(self) -> Path:
        return self._project.layout.bytes_store

    @property
    def _limit(self) -> int:
        return min(self._project.config.inline_limit, MOST_INLINE)


def _is_dead_link(path: Path) -> bool:
    """Whether it is a link to what does not exist, or one that leads round in a circle."""
    try:
        path.stat()
    except OSError:
        return path.is_symlink()
    return False


def _path(path: object) -> Path:
    if not isinstance(path, str | os.PathLike):
        raise InvalidValueError(f"{kind_of(path)} is no path")
    text = os.fspath(path)
    if not isinstance(text, str) or not text or "\0" in text:
        raise InvalidValueError(f"{display(repr(text), 60)} is no path")
    return Path(text)


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

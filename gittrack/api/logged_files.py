"""Files of a run: artifacts of every kind, and the data it reads."""

from __future__ import annotations

import os
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any

from gittrack.artifacts.bytes_store import StoredBytes, take_bytes, take_file
from gittrack.core.names import check_artifact_path
from gittrack.errors import ArtifactNotFoundError

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.store.journal_file import JournalWriter


class LoggedFiles:
    """Takes files into a run. Small bytes go into the journal, others into the store of artifact bytes.

    Args:
        project: where.
        writer: the run's journal in this process.
    """

    def __init__(self, project: Project, writer: JournalWriter) -> None:
        self._project = project
        self._writer = writer

    def add_path(self, path: str | os.PathLike[str], folder: str | None) -> None:
        """Take a file, or a directory with everything in it under its own name."""
        source = Path(path)
        if source.is_dir():
            name = source.resolve().name
            self.add_folder(source, f"{folder}/{name}" if folder else name)
        else:
            self._add_file(source, f"{folder}/{source.name}" if folder else source.name)

    def add_folder(self, directory: str | os.PathLike[str], folder: str | None) -> None:
        """Take every regular file below a directory; symbolic links to directories are not followed.

        Raises:
            ArtifactNotFoundError: there is no such directory.
        """
        root = Path(directory)
        if not root.is_dir():
            raise ArtifactNotFoundError(f"there is no directory '{root}'")
        for place, folders, names in os.walk(root):
            folders.sort()
            for name in sorted(names):
                source = Path(place, name)
                if source.is_file():
                    relative = source.relative_to(root).as_posix()
                    self._add_file(source, f"{folder}/{relative}" if folder else relative)

    def add_bytes(self, data: bytes, name: str) -> None:
        """Take bytes as a file."""
        path = check_artifact_path(name)
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

        item = describe_input(data, name=name, role=role, digest=digest, work_tree=self._project.repo.work_tree)
        self._writer.operation({"op": "input", "t": _now(), "input": asdict(item)})

    def _add_file(self, source: Path, name: str) -> None:
        path = check_artifact_path(name)
        self._record(path, take_file(self._store, source, self._limit))

    def _record(self, path: str, stored: StoredBytes) -> None:
        entry: dict[str, Any] = {
            "path": path,
            "size": stored.size,
            "digest": stored.digest,
            "media_type": _media_type(path),
            "storage": "pointer" if stored.content is None else "inline",
        }
        self._writer.operation({"op": "artifact", "t": _now(), "artifact": entry}, stored.content)

    @property
    def _store(self) -> Path:
        return self._project.layout.bytes_store

    @property
    def _limit(self) -> int:
        return self._project.config.inline_limit


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

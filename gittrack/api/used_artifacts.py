"""What one run made and another uses: found by ``RUN:path``, opened or copied with every byte checked."""

from __future__ import annotations

import os
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from gittrack.core.ids import RunId
from gittrack.core.names import display
from gittrack.errors import ArtifactNotFoundError, NotFoundError, UsageError
from gittrack.frozen import dataclass

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.api.saved_run import SavedRun

_MLFLOW = "runs:/"
_REGISTRY = "models:/"


@dataclass(frozen=True, slots=True)
class UsedArtifact:
    """A file or folder that a run logged, for another run to use.

    Attributes:
        run_id: the run that made it.
        run_name: its present name.
        path: among that run's artifacts.
        digest: ``md5:<hex>``, of a folder with ``.dir`` at its end; ``""`` of a reference whose hash nobody gave.
        size: bytes, or None when unknown.
    """

    run_id: RunId
    run_name: str
    path: str
    digest: str
    size: int | None
    _run: SavedRun = field(repr=False, compare=False)

    @property
    def uri(self) -> str:
        """``run:<id>/<path>``."""
        return f"run:{self.run_id}/{self.path}"

    def open(self) -> BinaryIO:
        """The file, open for reading.

        Raises:
            ArtifactNotFoundError: it is a folder, or its bytes are not here.
            CorruptRecordError: the bytes are not those that were logged.
        """
        return self._run.open(self.path)

    def read(self) -> bytes:
        """The bytes of the file. Raises what :meth:`open` does."""
        return self._run.artifact(self.path)

    def download(self, dest: str | os.PathLike[str] = ".", *, overwrite: bool = False) -> Path:
        """Copy it.

        Args:
            dest: the folder to copy into, made when it is missing.
            overwrite: replace files that are there already.

        Returns:
            The copy, a file or a folder.

        Raises:
            ArtifactNotFoundError: its bytes are not here.
            ConflictError: a file is there already, or cannot lie beside another; nothing was copied.
            CorruptRecordError: the bytes are not those that were logged.
            StorageError: ``dest`` cannot be written.
        """
        return self._run.download(self.path, dest, overwrite=overwrite)


def split_address(address: str) -> tuple[str, str] | None:
    """``RUN:path`` or ``runs:/RUN/path`` as run and path; None when it is neither."""
    if address.startswith(_MLFLOW):
        run, _, path = address.removeprefix(_MLFLOW).partition("/")
    elif address.startswith(_REGISTRY):
        return None
    else:
        run, _, path = address.partition(":")
    return (run, path) if run and path else None


def find_artifact(address: str, project: Project | None = None) -> UsedArtifact:
    """The artifact at an address.

    Args:
        address: ``RUN:path``; a model's name stands for its folder.
        project: where; around the working directory when None.

    Raises:
        UsageError: the address has no path.
        NotFoundError: no such run or artifact, or a registered model is meant.
        AmbiguousError: several runs.
        NotARepositoryError: there is no repository.
    """
    from gittrack.api.project import Project
    from gittrack.api.read import find_run

    if not isinstance(address, str):
        raise UsageError(f"a {type(address).__name__} is not the address of an artifact", hint=_HINT)
    found = split_address(address)
    if found is None:
        shown = display(address, 80)
        if address.startswith(_REGISTRY) or "@" in address.lstrip("@"):
            text = f"'{shown}' names a registered model, and this version of gittrack has no registry yet"
            raise NotFoundError(text, hint="name the run: gittrack.use_artifact('RUN:path')")
        raise UsageError(f"'{shown}' is not of the form RUN:path", hint=_HINT)
    run = find_run(project or Project.open(), found[0])
    return artifact_of(run, found[1])


_HINT = "gittrack.use_artifact('RUN:path')"


def artifact_of(run: SavedRun, path: str) -> UsedArtifact:
    """The artifact of a run at a path: one that was logged, a folder above several, a file or folder in one, a model.

    Raises:
        ArtifactNotFoundError: it has none.
        CorruptRecordError: the listing of a folder is damaged.
    """
    from gittrack.api.saved_artifacts import checked_path

    wanted = checked_path(run, path)
    for entry in run.artifacts():
        if entry.path == wanted:
            return UsedArtifact(run.id, run.name, wanted, entry.digest, entry.size, run)
    from gittrack.core.folder_listing import ListedFile, encode_listing

    files = run._files().files(wanted)
    if len(files) == 1 and files[0].path == wanted:
        return UsedArtifact(run.id, run.name, wanted, files[0].digest, None, run)
    if any(file.entry.storage == "reference" for file in files):
        raise ArtifactNotFoundError(f"'{display(path, 80)}' holds references", hint="use each of them by its own path")
    listed = [ListedFile(file.path.removeprefix(wanted + "/"), file.digest) for file in files]
    return UsedArtifact(run.id, run.name, wanted, encode_listing(listed)[1], None, run)

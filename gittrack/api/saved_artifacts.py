"""The artifacts of a finished run: what there is, its bytes, and copies of it. Every byte is checked on its way."""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from gittrack.api.artifact_paths import MODELS_FOLDER, paths_above
from gittrack.core.names import display, plain_artifact_path
from gittrack.errors import ArtifactNotFoundError, ConflictError, GittrackError, InvalidNameError, NoRemoteError
from gittrack.frozen import dataclass

if TYPE_CHECKING:
    from gittrack.api.copied_artifacts import Copied
    from gittrack.api.project import Project
    from gittrack.api.saved_run import SavedRun
    from gittrack.artifacts.bytes_store import BytesStore
    from gittrack.artifacts.references import Reference
    from gittrack.artifacts.remote import Remote
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

    def files(self, path: str = "", unlisted: dict[str, GittrackError] | None = None) -> list[ArtifactFile]:
        """The files at or below a path, those of folders included, sorted by path.

        Args:
            path: an artifact, a folder among artifacts, a file or folder within one, or a model; ``""`` for all.
            unlisted: takes the artifacts that are folders and whose files cannot be found out, and why; None: the first
                of them is raised.

        Raises:
            ArtifactNotFoundError: nothing is there, or the listing of a folder is not here.
            CorruptRecordError: the listing of a folder is damaged.
        """
        wanted = checked_path(self._run, path)
        found: dict[str, ArtifactFile] = {}
        for file in self._below(wanted, unlisted):
            asked = not wanted or file.path == wanted or file.path.startswith(wanted + "/")
            # What was logged below a folder by a name of its own takes the place of the folder's own file.
            if asked and (file.path not in found or file.entry.path == file.path):
                found[file.path] = file
        if wanted and not found and not unlisted:
            raise no_artifact(self._run, path)
        return [found[name] for name in sorted(found)]

    def _below(self, wanted: str, unlisted: dict[str, GittrackError] | None) -> Iterator[ArtifactFile]:
        for entry in self._entries.values():
            inside = wanted.startswith(entry.path + "/") or entry.path.startswith(wanted + "/")
            if wanted and entry.path != wanted and not inside:
                continue
            if entry.is_folder and entry.storage == "pointer":
                for file in self._listed(entry, unlisted):
                    yield ArtifactFile(f"{entry.path}/{file.path}", file.digest, entry)
            else:
                yield ArtifactFile(entry.path, entry.digest, entry)

    def _listed(self, entry: ArtifactEntry, unlisted: dict[str, GittrackError] | None) -> tuple[ListedFile, ...]:
        try:
            return self._listing(entry)
        except GittrackError as error:
            if unlisted is None:
                raise
            unlisted[entry.path] = error
            return ()

    def _listing(self, entry: ArtifactEntry) -> tuple[ListedFile, ...]:
        """The files of a folder; fetched when that is allowed, and not kept: only whole folders have a listing here."""
        from gittrack.artifacts.reading import read_listing

        if self._fetches and not self._store.has(entry.digest):
            if entry.digest not in self._listings:
                from gittrack.artifacts.pulling import fetch_listing

                try:
                    remote = self._remote()
                except NoRemoteError as error:
                    raise _explained(error, entry.path) from error
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
        self._bring(file)
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
            ArtifactNotFoundError, CorruptRecordError, RemoteError, AuthenticationError: as :meth:`read`. Of several
                artifacts what can be had is copied all the same, and the first failure raised.
            ConflictError: a file is there already, and ``overwrite`` is off, or one is a file and a folder at once,
                or a link there leads out of ``dest``; nothing was copied.
            CorruptRecordError: a file would lie in ``.git``, or two be one where case is ignored; nothing was copied.
            StorageError: ``dest`` cannot be written.
        """
        done = self.copy(path, dest, overwrite=overwrite)
        for _, error in done.failures:
            raise error
        return done.path

    def copy(self, path: str, dest: Path, *, overwrite: bool = False) -> Copied:
        """As :meth:`download`; what of several artifacts cannot be copied is told, not raised."""
        from gittrack.api.copied_artifacts import Copied, check_places, check_side_by_side, made_folder, units

        wanted = checked_path(self._run, path)
        failures: dict[str, GittrackError] = {}
        files = self.files(wanted, failures)
        check_side_by_side(files, self._run.id)
        cut = len(wanted.rpartition("/")[0])
        check_places(dest, [file.path[cut:].lstrip("/") for file in files])
        taken = [target for file in files if os.path.lexists(target := dest / file.path[cut:].lstrip("/"))]
        if taken and not overwrite:
            raise ConflictError(f"'{taken[0]}' is there already", hint="choose another folder, or overwrite=True")
        missing, count = self._missing(files), 0
        with made_folder(dest):
            for unit, members in units(files, wanted, failures).items():
                if unit in failures:
                    continue  # a folder of which only what was logged into it is known
                try:
                    self._copy_unit(unit, members, dest / unit[cut:].lstrip("/"), missing)
                    count += 1
                except GittrackError as error:
                    failures[unit] = error
        copy = dest / wanted.rpartition("/")[2] if wanted else dest
        return Copied(copy, count, tuple(sorted(failures.items())))

    def _copy_unit(
        self, unit: str, files: list[ArtifactFile], target: Path, missing: Mapping[str, GittrackError]
    ) -> None:
        from gittrack.api.copied_artifacts import copy_unit, made_folder

        for file in files:
            if file.entry.storage == "pointer" and file.digest in missing:
                raise missing[file.digest]
        with made_folder(target.parent):
            copy_unit(unit, files, target, self._copy)

    def _copy(self, file: ArtifactFile, target: Path) -> None:
        from gittrack.artifacts.reading import appearing, copy_out, write_out

        if file.entry.storage == "inline":
            write_out(self._inline(file), target)
        elif file.entry.storage == "reference":
            from gittrack.artifacts.references import copy_reference

            if not self._fetches:
                raise _only_a_reference(file)
            with appearing(target) as opened:
                copy_reference(self._reference(file), opened)
        else:
            copy_out(self._store, file.digest, target, file.path)

    def _remote(self) -> Remote:
        """Where the bytes of the run's artifacts are: the remote of the DVC project that it was made in comes first."""
        from gittrack.api.artifact_transfer import open_project_remote

        return open_project_remote(self._project, directory=self._run.record.code.directory)

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

    def _bring(self, file: ArtifactFile) -> None:
        """Fetch one file when it is not here."""
        if file.entry.storage == "reference" and not self._fetches:
            raise _only_a_reference(file)
        for error in self._missing([file]).values():
            raise error

    def _missing(self, files: list[ArtifactFile]) -> dict[str, GittrackError]:
        """Fetch what is not here. Of what is not here then, the digest, and why."""
        absent = {file.digest: file for file in files if file.entry.storage == "pointer" and not self._is_here(file)}
        if not self._fetches:
            return {digest: self._not_here(file) for digest, file in absent.items()}
        from gittrack.artifacts.transfer import Wanted

        wanted = [Wanted(file.digest, file.path) for file in absent.values()]
        # With the last of its files comes the listing of a folder, by which it is known to be here.
        wanted += [Wanted(entry.digest, entry.path) for entry in self._unlisted(files)]
        if not wanted:
            return {}
        from gittrack.artifacts.pulling import pull

        try:
            done = pull(self._store, self._remote(), wanted)
        except GittrackError as error:
            return {digest: _explained(error, file.path) for digest, file in absent.items()}
        failures = {failure.digest: failure.error for failure in done.failures}
        return {
            digest: failures.get(digest) or self._not_here(file)
            for digest, file in absent.items()
            if digest in failures or not self._is_here(file)
        }

    def _not_here(self, file: ArtifactFile) -> ArtifactNotFoundError:
        text = f"the bytes of '{display(file.path, 80)}' are not here"
        return ArtifactNotFoundError(text, hint=f"gittrack artifact pull {self._run.id[:8]}")

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


def _explained(error: GittrackError, path: str) -> GittrackError:
    """Where there is nowhere to fetch from, what is said is that the bytes are not here."""
    if not isinstance(error, NoRemoteError):
        return error
    text = f"the bytes of '{display(path, 80)}' are not here, and {error.message}"
    return ArtifactNotFoundError(text, hint=error.hint)


def _only_a_reference(file: ArtifactFile) -> ArtifactNotFoundError:
    text = f"'{display(file.path, 80)}' is only a reference to {display(file.entry.uri, 200)}"
    return ArtifactNotFoundError(text, hint="get it from there, or without GITTRACK_OFFLINE")


def checked_path(run: SavedRun, path: str) -> str:
    """A path in its plain form; ``""`` stays. Where no artifact has it, a model may: its folder is meant then.

    Raises:
        ArtifactNotFoundError: no artifact can have that path.
    """
    if not path:
        return ""
    try:
        wanted = plain_artifact_path(path)
    except InvalidNameError as error:
        raise no_artifact(run, path) from error
    around = tuple(paths_above(wanted))
    for entry in run.artifacts():
        if entry.path == wanted or entry.path in around or entry.path.startswith(wanted + "/"):
            return wanted
    name, _, inner = wanted.partition("/")
    folder = model_folder(run, name)
    return "/".join(part for part in (folder, inner) if part) if folder else wanted


def model_folder(run: SavedRun, name: str) -> str:
    """The artifact that is a run's model of this name or id, of several with one name the last; ``""`` when none is."""
    named = {model.artifact.removeprefix(MODELS_FOLDER + "/"): model.artifact for model in run.models()}
    named |= {key: model.artifact for model in run.models() for key in (model.name, model.id)}
    return named.get(name, "")


def no_artifact(run: SavedRun, path: str) -> ArtifactNotFoundError:
    """What is said when a run has no artifact of that path."""
    text = f"run '{display(run.name, 80)}' has no artifact '{display(path, 80)}'"
    return ArtifactNotFoundError(text, hint=f"gittrack artifact ls {run.id[:8]}")

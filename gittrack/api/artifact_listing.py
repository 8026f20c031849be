"""What artifacts a run has, and where their bytes are now. Nothing is fetched for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gittrack.api.byte_storage import open_bytes_store
from gittrack.api.saved_artifacts import ArtifactFile, SavedArtifacts, checked_path, no_artifact
from gittrack.core.names import artifact_paths, display
from gittrack.errors import ArtifactNotFoundError, GittrackError
from gittrack.frozen import dataclass

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.api.saved_run import SavedRun
    from gittrack.artifacts.bytes_store import BytesStore
    from gittrack.core.records import ArtifactEntry


@dataclass(frozen=True, slots=True)
class ListedArtifact:
    """An artifact, or a file in one, and where its bytes are.

    Attributes:
        path: its path among the run's artifacts.
        size: bytes, of a folder all its files; None when unknown.
        digest: ``md5:<hex>``, with ``.dir`` at its end of a folder; of a reference what was recorded, or ``""``.
        storage: ``inline``, ``pointer`` or ``reference``.
        media_type: guessed from the name; ``""`` of a file in a folder.
        files: how many files a folder has; None for a file.
        uri: where a reference points.
        here: whether all its bytes are in this clone.
        in_dvc_cache: whether DVC's cache here has them too.
    """

    path: str
    size: int | None
    digest: str
    storage: str
    media_type: str
    files: int | None
    uri: str
    here: bool
    in_dvc_cache: bool


@dataclass(frozen=True, slots=True)
class ShownArtifact:
    """One artifact with its pointer: the text of the ``.dvc`` file in the run's tree, ``""`` when it has none."""

    artifact: ListedArtifact
    pointer: str


def list_artifacts(project: Project, run: SavedRun, path: str = "") -> list[ListedArtifact]:
    """The artifacts of a run at or below a path, sorted by path; the path of a folder lists what is in it.

    Args:
        project: where.
        run: a run; of one that has not ended the artifacts logged so far, and no folder is looked into.
        path: ``""`` for all artifacts, folders as one.

    Raises:
        ArtifactNotFoundError: it has none there, or the listing of that folder is not here.
        CorruptRecordError: the listing of that folder is damaged.
    """
    store = open_bytes_store(project)
    wanted = checked_path(run, path)
    found = [entry for entry in run.artifacts() if not wanted or f"{entry.path}/".startswith(f"{wanted}/")]
    if found and not (len(found) == 1 and found[0].path == wanted and _is_folder(found[0])):
        return [_listed(store, entry) for entry in found]
    if run.commit is None:
        if found:
            return [_listed(store, entry) for entry in found]
        raise no_artifact(run, path)
    files = SavedArtifacts(project, run).files(wanted)
    return [_listed_file(store, file) for file in files]


def show_artifact(project: Project, run: SavedRun, path: str) -> ShownArtifact:
    """One artifact, or a file in one, and its pointer.

    Raises:
        ArtifactNotFoundError, CorruptRecordError: as :func:`list_artifacts`.
    """
    store = open_bytes_store(project)
    wanted = checked_path(run, path)
    entries = run.artifacts()
    for entry in entries:
        if wanted and entry.path == wanted:
            return ShownArtifact(_listed(store, entry), _pointer(run, entries, entry))
    files = SavedArtifacts(project, run).files(wanted) if wanted and run.commit is not None else []
    for file in files:
        if file.path == wanted:
            return ShownArtifact(_listed_file(store, file), _pointer(run, entries, file.entry))
    if files:
        text = f"'{display(path, 80)}' is a folder of run '{display(run.name, 80)}', not an artifact"
        raise ArtifactNotFoundError(text, hint=f"gittrack artifact ls {run.id[:8]} {display(wanted)}")
    raise no_artifact(run, path)


def _is_folder(entry: ArtifactEntry) -> bool:
    return entry.storage == "pointer" and entry.is_folder


def _listed(store: BytesStore, entry: ArtifactEntry) -> ListedArtifact:
    pointed = entry.storage == "pointer"
    here = entry.storage == "inline" or (pointed and _all_here(store, entry))
    cached = pointed and _cached(store, entry.digest, None if entry.is_folder else entry.size)
    files = entry.files if _is_folder(entry) else None
    about = (entry.path, entry.size, entry.digest, entry.storage, entry.media_type)
    return ListedArtifact(*about, files, entry.uri, here, cached)


def _all_here(store: BytesStore, entry: ArtifactEntry) -> bool:
    if not entry.is_folder:
        return store.has(entry.digest, entry.size)
    from gittrack.artifacts.reading import read_listing

    try:
        return all(store.has(file.digest) for file in read_listing(store, entry.digest, entry.path))
    except GittrackError:
        return False  # not here, or damaged: which of the two, whoever reads it is told


def _listed_file(store: BytesStore, file: ArtifactFile) -> ListedArtifact:
    if file.path == file.entry.path:
        return _listed(store, file.entry)
    from gittrack.artifacts.transfer import size_here

    size = size_here(store, file.digest)
    cached = _cached(store, file.digest, size)
    return ListedArtifact(file.path, size, file.digest, "pointer", "", None, "", size is not None, cached)


def _cached(store: BytesStore, digest: str, size: int | None) -> bool:
    from gittrack.artifacts.bytes_store import BytesStore

    return store.dvc_cache is not None and BytesStore(store.dvc_cache).has(digest, size)


def _pointer(run: SavedRun, entries: tuple[ArtifactEntry, ...], entry: ArtifactEntry) -> str:
    if entry.storage != "pointer":
        return ""
    path = artifact_paths(each.path for each in entries)[entry.path]
    return (run.file(f"{path}.dvc") or b"").decode("utf-8", "replace")

"""Reading a run commit: its record, its series, its whole body."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from gittrack.core.dvc_yaml import CONFIG_FILE, decode_remote
from gittrack.core.ids import ObjectId
from gittrack.core.message import ListedRun, decode_message
from gittrack.core.names import artifact_paths, metric_paths
from gittrack.core.records import RunRecord, Series
from gittrack.core.run_tree import RunBody, decode_tree
from gittrack.core.series import decode_csv
from gittrack.errors import ArtifactNotFoundError, CorruptRecordError, FormatError, UnsupportedFormatError
from gittrack.git.objects import TreeEntry
from gittrack.git.repository import Repository
from gittrack.git.trees import MODE_TREE

SMALL_FILE = 8 << 20
SERIES_FILE = 1 << 30
_MANY_FILES = 1_000_000


def read_record(repo: Repository, commit: ObjectId) -> RunRecord:
    """The record of a run commit, from its tree.

    Raises:
        CorruptRecordError: not a run, or damaged.
        UnsupportedFormatError: a newer format.
    """
    return decode_tree(partial(repo.objects.read_file, commit, limit=SMALL_FILE))


def read_whole_record(repo: Repository, entries: Iterable[TreeEntry], listed: RunRecord | None) -> RunRecord:
    """The same of a run whose tree is known: all its entries, and what its message says. Raises as above."""
    places = {entry.path: entry for entry in entries}

    def read(path: str) -> bytes | None:
        entry = places.get(path)
        if entry is None:
            return None
        if entry.mode == MODE_TREE:
            raise CorruptRecordError(f"'{path}' is not a file but a directory", hint="gittrack fsck")
        return repo.objects.read_blob(entry.id, SMALL_FILE)

    return decode_tree(read, listed)


def read_listed(repo: Repository, commit: ObjectId, message: str) -> ListedRun:
    """A run as listings show it: from the message, or from the tree when the message holds no JSON."""
    listed = decode_message(message)
    return ListedRun(read_record(repo, commit)) if listed is None else listed


def read_series(repo: Repository, commit: ObjectId, record: RunRecord, name: str) -> Series:
    """One metric's points.

    Raises:
        CorruptRecordError: the file is missing or damaged.
        UnsupportedFormatError: the points are kept outside git, which a later version can do.
    """
    path = metric_paths(record.metrics)[name]
    data = repo.objects.read_file(commit, path, limit=SERIES_FILE)
    if data is None:
        raise _without(record, path, repo.objects.read_file(commit, path + ".dvc") is not None)
    return decode_csv(data, path)


def read_each_series(repo: Repository, commit: ObjectId, record: RunRecord) -> Iterator[tuple[str, Series | None]]:
    """The points of all metrics, one after another; None where they are kept outside git, as a later version can do.

    Raises:
        CorruptRecordError: a file is missing or damaged.
    """
    # Each looked up by its path would be a reading of the whole folder for each.
    blobs = {entry.path: entry.id for entry in repo.objects.list_tree(commit, limit=_MANY_FILES)}
    for name, path in metric_paths(record.metrics).items():
        if path in blobs:
            yield name, decode_csv(repo.objects.read_blob(blobs[path], SERIES_FILE), path)
        elif path + ".dvc" in blobs:
            yield name, None
        else:
            raise _without(record, path, False)


def _without(record: RunRecord, path: str, is_pointer: bool) -> FormatError:
    if is_pointer:
        text = f"run {record.id} keeps '{path}' outside git, which this gittrack cannot read"
        return UnsupportedFormatError(text, hint="pip install --upgrade gittrack")
    return CorruptRecordError(f"run {record.id} has no file '{path}'", hint="gittrack fsck")


def read_artifact(repo: Repository, commit: ObjectId, record: RunRecord, path: str) -> bytes:
    """The bytes of an inline artifact.

    Raises:
        ArtifactNotFoundError: the run has none of that path, or its bytes are not inline.
    """
    entry = next((entry for entry in record.artifacts if entry.path == path), None)
    if entry is None or entry.storage != "inline":
        text = f"run '{record.name}' has no inline artifact '{path}'"
        raise ArtifactNotFoundError(text, hint=f"gittrack show {record.id[:8]}")
    data = repo.objects.read_file(commit, artifact_files(record)[path], limit=SERIES_FILE)
    if data is None:
        raise CorruptRecordError(f"run {record.id} has no file for artifact '{path}'", hint="gittrack fsck")
    return data


def artifact_files(record: RunRecord) -> dict[str, str]:
    """Where the bytes of each artifact, or its pointer, lie in the run's tree."""
    paths = artifact_paths(entry.path for entry in record.artifacts)
    return {
        entry.path: paths[entry.path] if entry.storage == "inline" else paths[entry.path] + ".dvc"
        for entry in record.artifacts
        if entry.storage != "reference"
    }


def read_body(repo: Repository, commit: ObjectId) -> RunBody:
    """Everything a run commit holds, for a resumption that continues it.

    Raises:
        CorruptRecordError: not a run, or damaged.
        UnsupportedFormatError: some of it is kept outside git, which a later version can do.
    """
    record = read_record(repo, commit)
    blobs = {entry.path: entry.id for entry in repo.objects.list_tree(commit)}
    artifacts = artifact_files(record)
    inline = {entry.path for entry in record.artifacts if entry.storage == "inline"}
    environment = _folder(repo, blobs, "environment/", SMALL_FILE)
    logs = _folder(repo, blobs, "logs/", SERIES_FILE)
    return RunBody(
        record=record,
        series=_all_series(repo, blobs, record),
        environment=environment,
        logs=logs,
        contents={name: blobs[path] for name, path in artifacts.items() if name in inline and path in blobs},
        dvc_remote=decode_remote(repo.objects.read_file(commit, CONFIG_FILE, limit=SMALL_FILE) or b""),
        kept={path: id for path, id in blobs.items() if path.partition("/")[0] not in _REWRITTEN},
    )


def _all_series(repo: Repository, blobs: dict[str, ObjectId], record: RunRecord) -> dict[str, Series]:
    series = {}
    for name, path in metric_paths(record.metrics).items():
        if path not in blobs:
            raise _without(record, path, path + ".dvc" in blobs)
        series[name] = decode_csv(repo.objects.read_blob(blobs[path], SERIES_FILE), path)
    return series


_REWRITTEN = frozenset(
    "run.toml params.toml summary.toml tags.toml inputs.toml artifacts.toml models.toml dvc.yaml .dvc .dvcignore "
    "metrics environment logs artifacts".split()
)


def _folder(repo: Repository, blobs: dict[str, ObjectId], prefix: str, limit: int) -> dict[str, bytes]:
    return {
        path.removeprefix(prefix): repo.objects.read_blob(id, limit)
        for path, id in blobs.items()
        if path.startswith(prefix)
    }

"""A run's tree: what lies at which path, body ⇄ files.

``encode_tree`` is a pure function: the same body gives the same bytes, hence the same commit id, which is what lets a
lost object be made again from the live directory it came from. ``decode_tree`` reads the small files; series and
artifacts are read one by one when asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from typing import Any

from gittrack.core import dvc_yaml, toml
from gittrack.core.ids import ObjectId
from gittrack.core.models_toml import MODELS_FILE, decode_models, dvc_name, encode_models
from gittrack.core.names import artifact_paths, display, metric_paths, plain_artifact_path
from gittrack.core.params import decode_params, encode_params
from gittrack.core.pointers import pointer_bytes
from gittrack.core.records import ARTIFACT_DIGEST, ArtifactEntry, Input, MetricSummary, ParamValue, RunRecord, Series
from gittrack.core.run_toml import decode_run, encode_run
from gittrack.core.series import encode_csv, summarise
from gittrack.core.summary_toml import SUMMARY_FILE, decode_summaries, encode_summaries
from gittrack.core.toml import as_rows, as_size, as_table, as_text
from gittrack.errors import CorruptRecordError, InvalidNameError
from gittrack.frozen import dataclass

RUN_FILE = "run.toml"
PARAMS_FILE = "params.toml"
TAGS_FILE = "tags.toml"
INPUTS_FILE = "inputs.toml"
ARTIFACTS_FILE = "artifacts.toml"

Files = dict[str, bytes | ObjectId]
"""Path in the tree -> its bytes, or the id of a blob that git already has."""


@dataclass(frozen=True, slots=True)
class RunBody:
    """Everything a run commit holds.

    Attributes:
        record: the facts; its ``metrics`` are derived from ``series`` by ``encode_tree``.
        series: metric name -> points.
        environment: file name under ``environment/`` -> bytes.
        logs: file name under ``logs/`` -> bytes.
        contents: path of an inline artifact -> its bytes; or, taken over from an earlier commit, the id of the blob.
            Pointers are made anew each time: they hold the name of their file, and that may change with its siblings.
        dvc_remote: where the bytes of pointers are pushed to: ``url``, and what else DVC needs to read from there;
            empty when the project has no DVC remote.
        kept: files at these paths are taken over unchanged (from the commit a resumed run continues, or of a kind this
            version does not know).
    """

    record: RunRecord
    series: Mapping[str, Series] = field(default_factory=dict)
    environment: Mapping[str, bytes] = field(default_factory=dict)
    logs: Mapping[str, bytes] = field(default_factory=dict)
    contents: Mapping[str, bytes | ObjectId] = field(default_factory=dict)
    kept: Mapping[str, ObjectId] = field(default_factory=dict)
    dvc_remote: Mapping[str, str] = field(default_factory=dict)


def with_summaries(body: RunBody) -> RunBody:
    """The body with ``record.metrics`` computed from its series."""
    metrics = {name: summarise(series) for name, series in body.series.items() if len(series)}
    return replace(body, record=replace(body.record, metrics=metrics))


def encode_tree(body: RunBody) -> Files:
    """The files of a run's tree.

    Args:
        body: the run, with summaries (``with_summaries``).
    """
    record = body.record
    params, params_none = encode_params(record.params)
    files: Files = dict(body.kept)
    files |= {
        RUN_FILE: encode_run(record, params_none),
        PARAMS_FILE: params,
        SUMMARY_FILE: encode_summaries(record.metrics),
    }
    if record.tags:
        files[TAGS_FILE] = toml.dump(record.tags)
    if record.inputs:
        files[INPUTS_FILE] = encode_inputs(record.inputs)
    if record.models:
        files[MODELS_FILE] = encode_models(record.models)
    metric_files = metric_paths(name for name, series in body.series.items() if len(series))
    for name, path in metric_files.items():
        files[path] = encode_csv(body.series[name])
    files |= {f"environment/{name}": data for name, data in body.environment.items()}
    files |= {f"logs/{name}": data for name, data in body.logs.items()}
    files |= _artifact_files(body)
    return files | dvc_yaml.dvc_files(sorted(metric_files.values()), body.dvc_remote, _dvc_models(record))


def _dvc_models(record: RunRecord) -> dict[str, str]:
    """The models that DVC is told of: name -> where the folder lies in the tree; of several with one name the last."""
    paths = artifact_paths(entry.path for entry in record.artifacts)
    models = sorted(record.models, key=lambda model: (model.created, model.id))
    return {dvc_name(model.name): paths[model.artifact] for model in models if model.artifact in paths}


def _artifact_files(body: RunBody) -> Files:
    entries = body.record.artifacts
    if not entries:
        return {}
    paths = artifact_paths(entry.path for entry in entries)
    files: Files = {ARTIFACTS_FILE: encode_artifacts(entries)}
    ignored: dict[str, list[str]] = {}
    for entry in entries:
        path = paths[entry.path]
        if entry.storage == "reference":
            continue
        if entry.storage == "pointer":
            folder, _, name = path.rpartition("/")
            ignored.setdefault(folder, []).append(name)
            files[path + ".dvc"] = pointer_bytes(entry, name)
        else:
            files[path] = body.contents[entry.path]
    for folder, names in ignored.items():
        files[f"{folder}/.gitignore"] = "".join(f"/{name}\n" for name in sorted(names)).encode()
    return files


def decode_tree(read: Callable[[str], bytes | None], listed: RunRecord | None = None) -> RunRecord:
    """Read a run's record from its tree.

    Args:
        read: gives the bytes at a path of the tree, or None.
        listed: what the run's message says, if that is known: files that hold these very params and summaries need no
            parsing, which is most of the work.

    Raises:
        UnsupportedFormatError: a newer format.
        CorruptRecordError: a file is missing or damaged.
    """
    data = read(RUN_FILE)
    if data is None:
        raise CorruptRecordError("the commit is not a run: it has no run.toml", hint="gittrack fsck")
    record, params_none = decode_run(data)
    params, tags = read(PARAMS_FILE), read(TAGS_FILE)
    summary, inputs, artifacts = read(SUMMARY_FILE), read(INPUTS_FILE), read(ARTIFACTS_FILE)
    models = read(MODELS_FILE)
    return replace(
        record,
        params=_params(params or b"", params_none, listed),
        tags={} if tags is None else decode_tags(tags),
        metrics={} if summary is None else _summaries(summary, listed),
        inputs=() if inputs is None else decode_inputs(inputs),
        artifacts=() if artifacts is None else decode_artifacts(artifacts),
        models=() if models is None else decode_models(models),
    )


def _params(data: bytes, none: Sequence[str], listed: RunRecord | None) -> Mapping[str, ParamValue]:
    if listed is not None and not any(isinstance(value, dict) for value in listed.params.values()):
        written, none_there = encode_params(listed.params)
        if written == data and none_there == tuple(sorted(none)):
            return listed.params
    return decode_params(data, none)


def _summaries(data: bytes, listed: RunRecord | None) -> Mapping[str, MetricSummary]:
    if listed is not None and encode_summaries(listed.metrics) == data:
        return listed.metrics
    return decode_summaries(data)


def decode_tags(data: bytes) -> dict[str, str]:
    """Read ``tags.toml``: a flat table of strings."""
    table = toml.parse(data, what=TAGS_FILE)
    if any(not isinstance(value, str) for value in table.values()):
        raise CorruptRecordError("tags.toml is damaged: a value is not a string", hint="gittrack fsck")
    return table


def encode_inputs(inputs: tuple[Input, ...]) -> bytes:
    """The bytes of ``inputs.toml``: sorted by name, role and digest, which together are unique within a run."""
    rows = []
    for item in sorted(inputs, key=lambda item: (item.name, item.role, item.digest)):
        row: dict[str, Any] = {"name": item.name, "role": item.role, "uri": item.uri, "source": item.source}
        if item.digest:
            row["digest"] = item.digest
        if item.size is not None:
            row["size"] = item.size
        if item.schema:
            row["schema"] = dict(item.schema)
        if item.state:
            row["state"] = item.state
        rows.append(row)
    return toml.dump({"input": rows})


def decode_inputs(data: bytes) -> tuple[Input, ...]:
    """Read ``inputs.toml``; raises CorruptRecordError."""
    try:
        return tuple(
            Input(
                name=as_text(row["name"]),
                role=as_text(row["role"]),
                uri=as_text(row["uri"]),
                digest=as_text(row.get("digest", "")),
                source=as_text(row.get("source", "none")),
                size=None if row.get("size") is None else as_size(row["size"]),
                schema={key: as_text(value) for key, value in as_table(row.get("schema", {})).items()},
                state=as_text(row.get("state", "")),
            )
            for row in as_rows(toml.parse(data, what=INPUTS_FILE).get("input", []))
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise CorruptRecordError(f"inputs.toml is damaged: {error}", hint="gittrack fsck") from error


def encode_artifacts(entries: tuple[ArtifactEntry, ...]) -> bytes:
    """The bytes of ``artifacts.toml``."""
    rows = []
    for entry in sorted(entries, key=lambda entry: entry.path):
        row: dict[str, Any] = {"path": entry.path, "media_type": entry.media_type, "storage": entry.storage}
        optional = {"size": entry.size, "files": entry.files, "digest": entry.digest or None, "uri": entry.uri or None}
        rows.append(row | {key: value for key, value in optional.items() if value is not None})
    return toml.dump({"artifact": rows})


def decode_artifacts(data: bytes) -> tuple[ArtifactEntry, ...]:
    """Read ``artifacts.toml``: paths stay below their folder, digests name bytes in a store, no path comes twice.

    Raises:
        CorruptRecordError: damaged.
    """
    try:
        entries = tuple(_artifact(row) for row in as_rows(toml.parse(data, what=ARTIFACTS_FILE).get("artifact", [])))
        if len({entry.path for entry in entries}) < len(entries):
            raise ValueError("a path comes twice")
        return entries
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, InvalidNameError) as error:
        raise CorruptRecordError(f"artifacts.toml is damaged: {error}", hint="gittrack fsck") from error


def _artifact(row: Mapping[str, Any]) -> ArtifactEntry:
    path, digest, storage = as_text(row["path"]), as_text(row.get("digest", "")), as_text(row["storage"])
    if plain_artifact_path(path) != path:
        raise ValueError(f"the path '{display(path, 80)}' is not in its plain form")
    if storage not in ("inline", "pointer", "reference"):
        raise ValueError(f"'{display(storage, 40)}' is no way to store an artifact")
    size, files = (None if row.get(key) is None else as_size(row[key]) for key in ("size", "files"))
    entry = ArtifactEntry(path, size, digest, as_text(row["media_type"]), storage, files, as_text(row.get("uri", "")))
    if storage == "reference":
        if not entry.uri:
            raise ValueError(f"the reference '{display(path, 80)}' points nowhere")
    elif size is None or not ARTIFACT_DIGEST.fullmatch(digest) or (entry.is_folder and storage == "inline"):
        raise ValueError(f"'{display(digest, 80)}' is not the digest of an artifact")
    return entry

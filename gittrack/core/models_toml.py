"""``models.toml``: the models that a run logged, records ⇄ bytes, and how a journal tells of them.

A journal holds ``model`` operations: the first names a model, later ones change some of its fields. Its tables and the
rows of the file have the same keys, but for ``created``, which is ms in a journal and a moment in the file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from gittrack.core import toml
from gittrack.core.ids import parse_model_id
from gittrack.core.names import MAX_TITLE_LENGTH, check_run_name, display, plain_artifact_path
from gittrack.core.records import ARTIFACT_DIGEST, LoggedModel
from gittrack.core.run_toml import milliseconds, moment
from gittrack.core.toml import as_integer, as_rows, as_table, as_text
from gittrack.errors import CorruptRecordError, InvalidNameError, InvalidValueError

MODELS_FILE = "models.toml"
SIGNATURE_PARTS = ("inputs", "outputs", "params")
MAX_SIGNATURE_DEPTH = 40
READY, FAILED = "ready", "failed"

_WORD = re.compile(r"[a-z][a-z0-9_.-]{0,59}")
_NOT_IN_NAMES = re.compile("[/:.%\"']")
_DVC_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*[A-Za-z0-9]")
_ODD_BYTE = re.compile(rb"[^A-Za-z0-9_]|_\Z")
_LONGEST_DVC_NAME = 100


def check_model_name(name: str) -> str:
    """``name`` when it can name a logged model.

    Raises:
        InvalidNameError: it is no text of 1 to 250 characters on one line, or holds one of ``/ : . % " '``, which
            MLflow refuses too: they would be read as parts of an address.
    """
    if not isinstance(name, str):
        raise InvalidNameError(f"the name of a model must be a string, not {type(name).__name__}")
    if not name.strip() or len(name) > MAX_TITLE_LENGTH or _NOT_IN_NAMES.search(name):
        text = f"'{display(name, 60)}' cannot name a model: 1 to {MAX_TITLE_LENGTH} characters without / : . % \" '"
        raise InvalidNameError(text, hint="log_model(model, 'churn')")
    try:
        return check_run_name(name)
    except InvalidNameError as error:
        raise InvalidNameError(error.message.replace("a run", "a model", 1), hint=error.hint) from error


def dvc_name(name: str) -> str:
    """A model's name as DVC and GTO take it: theirs as it is, any other after ``x--`` with its odd bytes as ``--hh``.

    >>> dvc_name("churn-2"), dvc_name("été")
    ('churn-2', 'x----c3--a9t--c3--a9')
    """
    if _DVC_NAME.fullmatch(name) and not name.startswith("x--") and len(name) <= _LONGEST_DVC_NAME:
        return name
    encoded = "x--" + _ODD_BYTE.sub(lambda match: b"--%02x" % match[0][0], name.encode()).decode()
    if len(encoded) <= _LONGEST_DVC_NAME:
        return encoded
    import hashlib  # loads OpenSSL: not where nothing is hashed

    return f"{encoded[: _LONGEST_DVC_NAME - 33].rstrip('-')}-{hashlib.sha256(name.encode()).hexdigest()[:32]}"


def checked_signature(signature: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """A signature as it is kept: lists of tables; what is null is left out, as TOML has none.

    Raises:
        InvalidValueError: a part of another name or kind, or a value that no schema holds.
    """
    kept: dict[str, list[dict[str, Any]]] = {}
    for part, rows in signature.items():
        if part not in SIGNATURE_PARTS or not isinstance(rows, list | tuple | type(None)):
            raise InvalidValueError(f"'{display(str(part), 40)}' is no part of a signature", hint="inputs, outputs")
        plain = [_plain(row, 0) for row in rows or ()]
        if not all(isinstance(row, dict) for row in plain):
            raise InvalidValueError(f"the {part} of a signature are not tables", hint="{'name': 'a', 'type': 'double'}")
        if plain:
            kept[part] = plain
    return kept


def _plain(value: Any, depth: int) -> Any:
    if depth > MAX_SIGNATURE_DEPTH:
        raise InvalidValueError("the signature of a model is nested too deep")
    if isinstance(value, Mapping):
        return {str(key): _plain(item, depth + 1) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_plain(item, depth + 1) for item in value if item is not None]
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**63:
        return str(value)
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, bool | int | float):
        return value
    raise InvalidValueError(f"a {type(value).__name__} cannot stand in the signature of a model")


# -- journal ---------------------------------------------------------------------------------------------------------


def model_table(model: LoggedModel) -> dict[str, Any]:
    """A model as a journal keeps it."""
    return {each.name: getattr(model, each.name) for each in fields(LoggedModel)}


def change_model(table: dict[str, Any], change: Mapping[str, Any]) -> None:
    """Apply a journal's operation: its fields take the place of earlier ones, params and tags each by its key.

    Args:
        table: what is known of the model so far; changed.
        change: some fields; a tag that is None goes.
    """
    for key, value in change.items():
        if key in ("params", "tags"):
            both = {**table.get(key, {}), **value}
            table[key] = {name: text for name, text in both.items() if text is not None}
        else:
            table[key] = value


def model_from_table(table: Mapping[str, Any]) -> LoggedModel:
    """A model out of a journal; fields that only a newer version knows are left out."""
    known = {each.name for each in fields(LoggedModel)}
    values = {"flavour": "unknown", **{key: value for key, value in table.items() if key in known}}
    return LoggedModel(**values)


# -- file ------------------------------------------------------------------------------------------------------------


def encode_models(models: tuple[LoggedModel, ...]) -> bytes:
    """The bytes of ``models.toml``: sorted by name, time and id."""
    rows = []
    for model in sorted(models, key=lambda model: (model.name, model.created, model.id)):
        row: dict[str, Any] = {"id": model.id, "name": model.name, "flavour": model.flavour, "status": model.status}
        row["created"] = moment(model.created)
        optional = {
            "packaging": model.packaging,
            "artifact": model.artifact,
            "digest": model.digest,
            "register_as": model.register_as,
            "signature": dict(model.signature),
            "params": dict(model.params),
            "tags": dict(model.tags),
        }
        row |= {key: value for key, value in optional.items() if value}
        if model.step is not None:
            row["step"] = model.step
        rows.append(row)
    return toml.dump({"model": rows})


def decode_models(data: bytes) -> tuple[LoggedModel, ...]:
    """Read ``models.toml``: no id comes twice, paths stay below their folder.

    Raises:
        CorruptRecordError: damaged.
    """
    try:
        models = tuple(_model(row) for row in as_rows(toml.parse(data, what=MODELS_FILE).get("model", [])))
        if len({model.id for model in models}) < len(models):
            raise ValueError("an id comes twice")
        return models
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, InvalidNameError) as error:
        raise CorruptRecordError(f"models.toml is damaged: {error}", hint="gittrack fsck") from error


def _model(row: Mapping[str, Any]) -> LoggedModel:
    artifact, digest = as_text(row.get("artifact", "")), as_text(row.get("digest", ""))
    if artifact and plain_artifact_path(artifact) != artifact:
        raise ValueError(f"the path '{display(artifact, 80)}' is not in its plain form")
    if digest and not ARTIFACT_DIGEST.fullmatch(digest):
        raise ValueError(f"'{display(digest, 80)}' is not the digest of an artifact")
    step = None if row.get("step") is None else as_integer(row["step"])
    return LoggedModel(
        id=parse_model_id(as_text(row["id"])),
        name=check_model_name(as_text(row["name"])),
        flavour=_word(row["flavour"]),
        packaging=_word(row["packaging"]) if "packaging" in row else "",
        status=_word(row["status"]),
        artifact=artifact,
        digest=digest,
        created=milliseconds(row["created"]),
        step=step,
        signature=_signature(as_table(row.get("signature", {}))),
        register_as=as_text(row.get("register_as", "")),
        params=_texts(row.get("params", {})),
        tags=_texts(row.get("tags", {})),
    )


def _word(value: object) -> str:
    text = as_text(value)
    if not _WORD.fullmatch(text):
        raise ValueError(f"'{display(text, 40)}' is not a word")
    return text


def _signature(table: Mapping[str, Any]) -> dict[str, Any]:
    return {part: [dict(row) for row in as_rows(rows)] for part, rows in table.items() if part in SIGNATURE_PARTS}


def _texts(value: object) -> dict[str, str]:
    return {key: as_text(text) for key, text in as_table(value).items()}

"""A model into a folder of files, and out of one.

By MLflow where it is installed; otherwise a folder of our own: the model in its library's format,
``gittrack-model.toml`` with what is needed to read it, ``requirements.txt``, ``python_version.txt`` and
``input_example.json``.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from gittrack.core import toml
from gittrack.core.models_toml import checked_signature
from gittrack.core.names import display, plain_artifact_path
from gittrack.errors import CorruptRecordError, InvalidNameError, MissingDependencyError, UsageError
from gittrack.frozen import dataclass
from gittrack.models import mlflow_packaging
from gittrack.models.flavour import Flavour, is_installed, needs_trust
from gittrack.models.flavours import FLAVOURS, flavour_of
from gittrack.models.requirements import requirements
from gittrack.models.signature import example_bytes, given_signature, infer_signature, schema_of

OWN_FILE = "gittrack-model.toml"
MLFLOW, GITTRACK = "mlflow", "gittrack"
_VERSION = 1
_LIBRARIES = {"python_function": "cloudpickle", "pytorch": "torch"}


@dataclass(frozen=True, slots=True)
class Packaged:
    """What became of a model.

    Attributes:
        flavour: what kind it is.
        packaging: who wrote its files: ``mlflow`` or ``gittrack``.
        signature: as it is kept.
        runs_code: whether reading it back needs trust.
        notes: what its user should know.
    """

    flavour: str
    packaging: str
    signature: Mapping[str, Any] = field(default_factory=dict)
    runs_code: bool = False
    notes: tuple[str, ...] = ()


def save(model: Any, folder: Path, signature: object = None, example: Any = None) -> Packaged:
    """Write a model into a folder.

    Args:
        model: of a kind in ``FLAVOURS``.
        folder: to be made; its parent is there.
        signature: MLflow's, or a mapping; None: inferred from the example.
        example: an example input, or None.

    Raises:
        UsageError: no kind that is known, or it cannot be written.
        InvalidValueError: the signature is none.
        MissingDependencyError: a package is needed, or MLflow.
    """
    flavour = flavour_of(model)
    given = None if signature is None or signature is False else given_signature(signature)
    if mlflow_packaging.mlflow_works():
        try:
            return _save_by_mlflow(flavour, model, folder, given, example)
        except MissingDependencyError:  # of MLflow's; we may do without
            if flavour.needs_mlflow:
                raise
    kept = given if given is not None else {} if example is None else infer_signature(model, example)
    notes = _save_ourselves(flavour, model, folder, kept, example)
    return Packaged(flavour.name, GITTRACK, kept, notes=notes)


def _save_by_mlflow(
    flavour: Flavour, model: Any, folder: Path, given: Mapping[str, Any] | None, example: Any
) -> Packaged:
    mlflow_packaging.save(flavour, model, folder, given, example)
    facts = mlflow_packaging.read_mlmodel(folder).get(flavour.name, {})
    stated = mlflow_packaging.signature_in(folder)
    kept = given or (given_signature(stated) if isinstance(stated, Mapping) else {})
    if not kept and example is not None:  # of some kinds MLflow infers nothing
        kept = checked_signature({"inputs": schema_of(example)})
    return Packaged(flavour.name, MLFLOW, kept, _runs_code(flavour, facts))


def _runs_code(flavour: Flavour, facts: Mapping[str, str]) -> bool:
    if flavour.name in ("xgboost", "onnx"):
        return False
    return facts.get("format") != "skops" and not facts.get("class", "").endswith(".Booster")


def _save_ourselves(
    flavour: Flavour, model: Any, folder: Path, signature: Mapping[str, Any], example: Any
) -> tuple[str, ...]:
    folder.mkdir()
    facts = flavour.save(model, folder)
    document = {"format_version": _VERSION, "flavour": flavour.name, **facts}
    if signature:
        document["signature"] = dict(signature)
    (folder / OWN_FILE).write_bytes(toml.dump(document))
    needed = requirements(model, _LIBRARIES.get(flavour.name, flavour.name), facts["format"])
    (folder / "requirements.txt").write_text("".join(f"{line}\n" for line in needed), encoding="utf-8")
    (folder / "python_version.txt").write_text(platform.python_version() + "\n", encoding="ascii")
    if example is None:
        return ()
    data = example_bytes(example)
    if data is None:
        return (f"the input example, a {type(example).__name__}, is not kept: JSON cannot hold it",)
    (folder / "input_example.json").write_bytes(data)
    return ()


def load(folder: Path, *, trust: bool = False) -> tuple[Any, str]:
    """Read a model out of a folder.

    Args:
        folder: as :func:`save` made it, whoever did.
        trust: whoever wrote it is trusted: a pickle is read, which runs what it says.

    Returns:
        The model, and who read it: ``mlflow`` or ``gittrack``.

    Raises:
        UsageError: it may run code, and there is no trust; or no kind that is known.
        CorruptRecordError: damaged.
        MissingDependencyError: a package is needed.
    """
    flavour, facts = _described(folder)
    data = _data_file(folder, facts.get("file", ""))
    if data is not None and not flavour.needs_mlflow:
        library = _LIBRARIES.get(flavour.name, flavour.name)
        if not is_installed(library):
            raise MissingDependencyError(f"a model of kind '{flavour.name}' needs '{library}'", hint=_pip(library))
        model = flavour.read(data, facts, trust=trust)
        if model is not None:
            return model, GITTRACK
    is_mlflow = (folder / mlflow_packaging.MLMODEL).is_file()
    if not trust:
        raise needs_trust("the model is kept as a pickle, or names code that is not its library's")
    if not is_mlflow:
        text = f"the model's files are of a kind that this gittrack cannot read: {display(facts.get('format', ''), 40)}"
        raise UsageError(text, hint="pip install --upgrade gittrack")
    return mlflow_packaging.load(flavour.name, folder), MLFLOW


def _pip(library: str) -> str:
    return "pip install " + {"sklearn": "scikit-learn"}.get(library, library)


def _described(folder: Path) -> tuple[Flavour, Mapping[str, str]]:
    if (folder / OWN_FILE).is_file():
        tables = _own_facts(folder)
    elif (folder / mlflow_packaging.MLMODEL).is_file():
        tables = mlflow_packaging.read_mlmodel(folder)
    else:
        raise UsageError("there is no model: neither MLmodel nor gittrack-model.toml is in its folder")
    for name, flavour in FLAVOURS.items():
        if name in tables:
            return flavour, tables[name]
    named = ", ".join(display(name, 40) for name in list(tables)[:4])
    raise UsageError(f"the model is of no kind that is known: {named}", hint="get its files: gittrack artifact get")


def _own_facts(folder: Path) -> dict[str, dict[str, str]]:
    path = folder / OWN_FILE
    try:
        table = toml.parse(path.read_bytes(), what=OWN_FILE)
        version = toml.as_integer(table.get("format_version"))
        flavour = toml.as_text(table["flavour"])
        facts = {key: toml.as_text(table[key]) for key in ("file", "format", "class")}
    except (KeyError, TypeError) as error:
        raise CorruptRecordError(f"'{OWN_FILE}' is damaged: {error}") from error
    if version > _VERSION:
        raise UsageError(f"'{OWN_FILE}' was written by a newer gittrack", hint="pip install --upgrade gittrack")
    return {flavour: facts}


def _data_file(folder: Path, name: str) -> Path | None:
    """The file that holds the model: inside its folder, and no link out of it."""
    if not name:
        return None
    try:
        path = folder / plain_artifact_path(name)
    except InvalidNameError as error:
        raise CorruptRecordError(f"the model names a file outside its folder: '{display(name, 80)}'") from error
    if not path.resolve().is_relative_to(folder.resolve()):
        raise CorruptRecordError(f"the model's file '{display(name, 80)}' is a link out of its folder")
    return path if path.is_file() else None

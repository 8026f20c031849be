"""Models written and read by MLflow."""

from __future__ import annotations

import logging
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from gittrack.core.names import display
from gittrack.errors import CorruptRecordError, MissingDependencyError, UsageError
from gittrack.models.flavour import Flavour, is_installed
from gittrack.models.requirements import requirements

MLMODEL = "MLmodel"
_MOST_BYTES = 1 << 20
_DEEPEST = 40
_MODULES = {"python_function": "pyfunc"}
_DATA_KEYS = ("pickled_model", "data", "model_data")


def mlflow_works() -> bool:
    """Whether MLflow with its flavours is installed; the skinny one has none."""
    if not is_installed("mlflow"):
        return False
    try:
        with _quiet():
            import_module("mlflow.pyfunc")
    except ImportError:
        return False
    return True


def save(flavour: Flavour, model: Any, folder: Path, signature: Mapping[str, Any] | None, example: Any) -> None:
    """Write a model as MLflow does, in the best format that works.

    Args:
        flavour: the kind of model.
        model: the model.
        folder: to be made; nothing is there yet.
        signature: as it is kept; None lets MLflow infer it when there is an example.
        example: an example input, or None.

    Raises:
        MissingDependencyError: MLflow lacks something for this kind.
        UsageError: MLflow cannot write it.
    """
    with _quiet():
        options = flavour.mlflow_options(model, example)
        for attempt, more in enumerate(options, 1):
            try:
                _save(flavour, model, folder, signature, example, more)
                return
            except Exception as error:
                shutil.rmtree(folder, ignore_errors=True)
                if isinstance(error, ImportError):
                    raise _lacks(flavour.name, error) from error
                if attempt == len(options):
                    raise UsageError(f"MLflow cannot keep this {type(model).__name__}: {_first_line(error)}") from error


def _save(
    flavour: Flavour, model: Any, folder: Path, signature: Mapping[str, Any] | None, example: Any, more: Any
) -> None:
    module = _module(flavour.name)
    folder.mkdir()  # some flavours write the example before they make it
    options = {
        "signature": None if not signature else _mlflow_signature(signature),
        "input_example": example,
        # Left to MLflow, a second process loads the model to find these out: five seconds, and more.
        "pip_requirements": requirements(model, "mlflow", _serializer(flavour, more)),
        **more,
    }
    if flavour.name == "python_function":
        module.save_model(str(folder), python_model=model, **options)
    else:
        module.save_model(model, str(folder), **options)


def _serializer(flavour: Flavour, more: Mapping[str, Any]) -> str:
    form = more.get("serialization_format", "")
    return "skops" if form == "skops" else "cloudpickle" if form or flavour.name == "python_function" else ""


def _mlflow_signature(signature: Mapping[str, Any]) -> Any:
    import json

    signatures = import_module("mlflow.models").ModelSignature
    return signatures.from_dict({part: json.dumps(rows) for part, rows in signature.items()})


def load(name: str, folder: Path) -> Any:
    """Read a model by MLflow, which runs whatever it holds.

    Raises:
        MissingDependencyError: MLflow, or what it needs for this kind, is not installed.
        UsageError: MLflow cannot read it.
    """
    if not mlflow_works():
        raise MissingDependencyError("this model was kept by MLflow and needs 'mlflow'", hint=_HINT)
    try:
        with _quiet():
            return _module(name).load_model(str(folder))
    except ImportError as error:
        raise _lacks(name, error) from error
    except Exception as error:
        raise UsageError(f"MLflow cannot read the model: {_first_line(error)}") from error


_HINT = "pip install 'gittrack[mlflow]'"


def _module(name: str) -> Any:
    return import_module(f"mlflow.{_MODULES.get(name, name)}")


def _lacks(name: str, error: ImportError) -> MissingDependencyError:
    missing = f"'{error.name}'" if error.name else display(str(error), 100)
    hint = f"pip install {error.name.partition('.')[0]}" if error.name else _HINT
    return MissingDependencyError(f"MLflow needs {missing} for a model of kind '{name}'", hint=hint)


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return display(text.splitlines()[0] if text else type(error).__name__, 300)


def read_mlmodel(folder: Path) -> dict[str, dict[str, str]]:
    """What ``MLmodel`` says: flavour -> ``file``, ``format`` and ``class`` of its data, whoever wrote it.

    Raises:
        CorruptRecordError: damaged.
        MissingDependencyError: YAML cannot be read.
    """
    document = _document(folder)
    flavours = document.get("flavors")
    if not isinstance(flavours, dict):
        raise CorruptRecordError("the model's MLmodel names no flavours")
    return {str(name): _facts(table) for name, table in flavours.items() if isinstance(table, dict)}


def signature_in(folder: Path) -> Any:
    """The signature that ``MLmodel`` states, as MLflow writes it; None when there is none. Raises as read_mlmodel."""
    return _document(folder).get("signature")


def _document(folder: Path) -> dict[str, Any]:
    if not is_installed("yaml"):
        raise MissingDependencyError("reading a model of MLflow's needs 'pyyaml'", hint="pip install 'gittrack[yaml]'")
    import yaml

    path = folder / MLMODEL
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError(f"more than {_MOST_BYTES} bytes")
        text = path.read_text(encoding="utf-8")
        _check_plain(yaml, text)
        document = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506  the fast safe one
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError, yaml.YAMLError) as error:
        raise CorruptRecordError(f"the model's MLmodel is damaged: {_first_line(error)}") from error
    return document if isinstance(document, dict) else {}


def _check_plain(yaml: Any, text: str) -> None:
    """Refuse what makes a short text a long computation; MLflow reads the file again, without such a check.

    Raises:
        ValueError: merged tables, which double with each line, or deeper nesting than a model has.
    """
    depth = 0
    for event in yaml.parse(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        if isinstance(event, yaml.ScalarEvent) and (event.value == "<<" or str(event.tag).endswith("merge")):
            raise ValueError("it merges tables")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise ValueError(f"it is nested more than {_DEEPEST} deep")


def _facts(table: Mapping[Any, Any]) -> dict[str, str]:
    file = next((table[key] for key in _DATA_KEYS if isinstance(table.get(key), str)), "")
    named = {"file": file, "format": table.get("serialization_format"), "class": table.get("model_class")}
    return {key: value for key, value in named.items() if isinstance(value, str)}


@contextmanager
def _quiet() -> Iterator[None]:
    """MLflow warns of much that its caller chose; what matters is said by gittrack."""
    logger = logging.getLogger("mlflow")
    before = logger.level
    with warnings.catch_warnings(record=True):  # recorded, since MLflow lets some through every filter
        warnings.simplefilter("ignore")
        logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            logger.setLevel(before)

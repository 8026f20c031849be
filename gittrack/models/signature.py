"""What a model takes and gives, in the words of MLflow's schemas, found out without MLflow."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gittrack.core.models_toml import SIGNATURE_PARTS, checked_signature
from gittrack.errors import InvalidValueError
from gittrack.models.flavour import descends_from

Signature = Mapping[str, Any]
_KINDS = {"b": "boolean", "M": "datetime", "S": "binary", "U": "string", "O": "string", "T": "string"}


def given_signature(signature: object) -> dict[str, list[dict[str, Any]]]:
    """A signature as it is kept.

    Args:
        signature: MLflow's ``ModelSignature``, or a mapping with ``inputs``, ``outputs`` and ``params``, each a list of
            tables or the JSON of one.

    Raises:
        InvalidValueError: it is neither.
    """
    to_dict = getattr(signature, "to_dict", None)
    table = to_dict() if callable(to_dict) else signature
    if not isinstance(table, Mapping):
        text = f"a {type(signature).__name__} is no signature of a model"
        raise InvalidValueError(text, hint="mlflow.models.infer_signature(X, y), or an input_example")
    try:
        parts = {key: json.loads(value) if isinstance(value, str) else value for key, value in table.items()}
    except ValueError as error:
        raise InvalidValueError(f"the signature of the model is not JSON: {error}") from error
    return checked_signature({key: value for key, value in parts.items() if key in SIGNATURE_PARTS})


def infer_signature(model: Any, example: Any) -> dict[str, list[dict[str, Any]]]:
    """The signature that an example input tells, and what the model makes of it.

    Args:
        model: asked to ``predict``, when it can; one that fails has no outputs in its signature.
        example: a DataFrame, an array or tensor, a dict of columns, or a list.
    """
    parts = {"inputs": schema_of(example)}
    predict = getattr(model, "predict", None)
    if callable(predict):
        try:
            parts["outputs"] = schema_of(predict(example))
        except Exception:  # noqa: BLE001 - of any library; the inputs are known all the same
            return checked_signature(parts)
    return checked_signature(parts)


def schema_of(data: Any) -> list[dict[str, Any]]:
    """Columns or tensors of data: ``{"name", "type", "required"}``, or ``{"type": "tensor", "tensor-spec": …}``.

    Empty for what has neither.
    """
    if descends_from(data, "pandas", "DataFrame"):
        return [_column(str(name), data[name]) for name in data.columns]
    if descends_from(data, "pandas", "Series"):
        return [_column("" if data.name is None else str(data.name), data)]
    if isinstance(data, Mapping):
        return [row for name, value in data.items() for row in _named(str(name), value)]
    array = as_array(data)
    return [] if array is None else [_tensor(array)]


def _named(name: str, value: Any) -> list[dict[str, Any]]:
    array = as_array(value)
    return [] if array is None else [{"name": name, **_tensor(array)}]


def as_array(data: Any) -> Any:
    """Anything numeric as a NumPy array; None for what is not."""
    if descends_from(data, "torch", "Tensor"):
        data = data.detach().cpu().numpy()
    try:
        import numpy

        array = numpy.asarray(data)
    except (ImportError, ValueError, TypeError):
        return None
    return None if array.dtype == object else array


def _column(name: str, column: Any) -> dict[str, Any]:
    row: dict[str, Any] = {"name": name} if name else {}
    return row | {"type": _type_name(column.dtype), "required": not bool(column.isna().any())}


def _type_name(dtype: Any) -> str:
    kind, size = getattr(dtype, "kind", "O"), getattr(dtype, "itemsize", 8)
    if kind == "f":
        return "float" if size <= 4 else "double"
    if kind in "iu":
        return "integer" if size <= 4 and not (kind == "u" and size == 4) else "long"
    return _KINDS.get(kind, "string")


def _tensor(array: Any) -> dict[str, Any]:
    shape = [-1, *array.shape[1:]] if array.shape else []
    return {"type": "tensor", "tensor-spec": {"dtype": str(array.dtype), "shape": [int(size) for size in shape]}}


def example_bytes(example: Any) -> bytes | None:
    """An example input as JSON, as MLflow writes it (``split`` for a DataFrame); None for what JSON cannot hold."""
    try:
        if descends_from(example, "pandas", "DataFrame"):
            split = json.loads(example.to_json(orient="split", index=False, date_format="iso"))
            document: Any = {"columns": split["columns"], "data": split["data"]}
        elif isinstance(example, Mapping):
            document = {"inputs": {str(key): _listed(value) for key, value in example.items()}}
        else:
            document = {"inputs": _listed(example)}
        return json.dumps(document, separators=(",", ":")).encode()
    except (TypeError, ValueError, OverflowError):
        return None


def _listed(value: Any) -> Any:
    array = as_array(value)
    return value if array is None else array.tolist()

"""The kinds that need no file of their own: ONNX, which is data, and those that only MLflow packages."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gittrack.core.names import display
from gittrack.errors import CorruptRecordError, MissingDependencyError
from gittrack.models.flavour import Facts, class_name, descends_from


class OnnxModels:
    """ONNX graphs; they are one protocol buffer."""

    name = "onnx"
    needs_mlflow = False

    def takes(self, model: object) -> bool:
        """Whether it is a ``ModelProto``."""
        return descends_from(model, "onnx", "ModelProto")

    def mlflow_options(self, model: Any, example: Any) -> Sequence[Mapping[str, Any]]:
        """One file, which :meth:`read` reads; several where the graph is too large for one."""
        return ({"save_as_external_data": False}, {})

    def save(self, model: Any, folder: Path) -> dict[str, str]:
        """Write ``model.onnx``."""
        (folder / "model.onnx").write_bytes(model.SerializeToString())
        return {"file": "model.onnx", "format": "onnx", "class": class_name(model)}

    def read(self, data: Path, facts: Facts, *, trust: bool) -> Any:
        """Read the graph, unless its tensors lie in other files: it would be the graph that names those."""
        import onnx
        from google.protobuf.message import DecodeError

        try:
            model = onnx.load_model_from_string(data.read_bytes())
        except DecodeError as error:
            raise CorruptRecordError(f"ONNX cannot read the model: {display(str(error), 200)}") from error
        is_whole = all(each.data_location != onnx.TensorProto.EXTERNAL for each in model.graph.initializer)
        return model if is_whole else None


class _ByMlflow:
    """A kind that MLflow packages, and nobody reads without running code."""

    name: str
    what: str
    needs_mlflow = True

    def mlflow_options(self, model: Any, example: Any) -> Sequence[Mapping[str, Any]]:
        """MLflow's own choice."""
        return ({},)

    def save(self, model: Any, folder: Path) -> dict[str, str]:
        """Refuse: it needs MLflow."""
        raise MissingDependencyError(f"keeping {self.what} needs 'mlflow'", hint="pip install 'gittrack[mlflow]'")

    def read(self, data: Path, facts: Facts, *, trust: bool) -> Any:
        """Nothing: it cannot be read without running code."""


class KerasModels(_ByMlflow):
    """Keras 3."""

    name = "keras"
    what = "a Keras model"

    def takes(self, model: object) -> bool:
        """Whether it is a model of Keras's."""
        return descends_from(model, "keras", "Model")


class StatsmodelsResults(_ByMlflow):
    """Results of statsmodels, which it pickles."""

    name = "statsmodels"
    what = "a result of statsmodels"

    def takes(self, model: object) -> bool:
        """Whether it is a result of statsmodels."""
        return descends_from(model, "statsmodels")


class PythonFunctions(_ByMlflow):
    """A plain Python function, or what follows MLflow's ``PythonModel``."""

    name = "python_function"
    what = "a Python function"

    def takes(self, model: object) -> bool:
        """Whether it is a function, or a model of MLflow's."""
        return isinstance(model, types.FunctionType) or descends_from(model, "mlflow", "PythonModel")

"""The kinds of models that are known, the more special before the more general."""

from __future__ import annotations

from collections.abc import Mapping

from gittrack.core.names import display
from gittrack.errors import UsageError
from gittrack.models.flavour import Flavour, class_name
from gittrack.models.lightgbm_models import LightGBMModels
from gittrack.models.other_models import KerasModels, OnnxModels, PythonFunctions, StatsmodelsResults
from gittrack.models.sklearn_models import SklearnModels
from gittrack.models.torch_models import TorchModels
from gittrack.models.xgboost_models import XGBoostModels

FLAVOURS: Mapping[str, Flavour] = {
    "xgboost": XGBoostModels(),
    "lightgbm": LightGBMModels(),
    "sklearn": SklearnModels(),
    "keras": KerasModels(),
    "pytorch": TorchModels(),
    "statsmodels": StatsmodelsResults(),
    "onnx": OnnxModels(),
    "python_function": PythonFunctions(),
}
"""Name -> flavour. XGBoost's models are scikit-learn's too, and Keras's may be PyTorch's."""


def flavour_of(model: object) -> Flavour:
    """The kind of a model.

    Raises:
        UsageError: it is of none.
    """
    for flavour in FLAVOURS.values():
        if flavour.takes(model):
            return flavour
    text = f"a {display(class_name(model), 80)} is no kind of model that is known ({', '.join(FLAVOURS)})"
    raise UsageError(text, hint="write it to a file, and: log_artifact(file)")

"""scikit-learn: skops, and by MLflow a pickle where skops cannot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gittrack.errors import UsageError
from gittrack.models import skops_file
from gittrack.models.flavour import Facts, class_name, descends_from, is_installed, require


class SklearnModels:
    """Estimators and pipelines of scikit-learn."""

    name = "sklearn"
    needs_mlflow = False

    def takes(self, model: object) -> bool:
        """Whether it descends from ``BaseEstimator``."""
        return descends_from(model, "sklearn", "BaseEstimator")

    def mlflow_options(self, model: Any, example: Any) -> Sequence[Mapping[str, Any]]:
        """A skops file where MLflow and the model know it, a pickle otherwise."""
        return (*skops_options(model), {"serialization_format": "cloudpickle"})

    def save(self, model: Any, folder: Path) -> dict[str, str]:
        """Write ``model.skops``."""
        require("skops", "keeping a scikit-learn model", "sklearn")
        try:
            skops_file.write(model, folder / "model.skops")
        except Exception as error:
            text = f"skops cannot keep this {type(model).__name__}: {str(error)[:200]}"
            raise UsageError(text, hint="pip install 'gittrack[mlflow]', which keeps it as a pickle") from error
        return {"file": "model.skops", "format": "skops", "class": class_name(model)}

    def read(self, data: Path, facts: Facts, *, trust: bool) -> Any:
        """Read a skops file."""
        return skops_file.read(data, trust=trust) if facts.get("format") == "skops" else None


def skops_options(model: object) -> Sequence[Mapping[str, Any]]:
    """Arguments that make MLflow write a skops file; empty when it, or skops, cannot."""
    from importlib import import_module

    if not is_installed("skops") or not hasattr(import_module("mlflow.sklearn"), "SERIALIZATION_FORMAT_SKOPS"):
        return ()
    try:
        types = skops_file.unknown_types(model)
    except Exception:  # noqa: BLE001 - what skops cannot write, MLflow's next format may
        return ()
    return ({"serialization_format": "skops", "skops_trusted_types": types},)

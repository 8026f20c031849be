"""LightGBM: a booster as its own text; what looks like scikit-learn's classes by skops, which keeps it as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gittrack.core.names import display
from gittrack.errors import CorruptRecordError
from gittrack.models import skops_file
from gittrack.models.flavour import Facts, class_name, descends_from, is_installed
from gittrack.models.sklearn_models import skops_options


class LightGBMModels:
    """Boosters, and the classes that look like scikit-learn's."""

    name = "lightgbm"
    needs_mlflow = False

    def takes(self, model: object) -> bool:
        """Whether it is a booster or a model of LightGBM's."""
        return descends_from(model, "lightgbm", "Booster", "LGBMModel")

    def mlflow_options(self, model: Any, example: Any) -> Sequence[Mapping[str, Any]]:
        """The text of a booster; of the other classes a skops file, or a pickle."""
        if descends_from(model, "lightgbm", "Booster"):
            return ({},)
        return (*skops_options(model), {"serialization_format": "cloudpickle"}, {})

    def save(self, model: Any, folder: Path) -> dict[str, str]:
        """Write ``model.skops`` or ``model.txt``; without skops only the booster of a model is kept."""
        facts = {"class": class_name(model)}
        if descends_from(model, "lightgbm", "Booster"):
            model.save_model(folder / "model.txt")
        elif is_installed("skops"):
            skops_file.write(model, folder / "model.skops")
            return facts | {"file": "model.skops", "format": "skops"}
        else:
            model.booster_.save_model(folder / "model.txt")
        return facts | {"file": "model.txt", "format": "text"}

    def read(self, data: Path, facts: Facts, *, trust: bool) -> Any:
        """Read a booster's text, or a skops file."""
        # MLflow states the format of a scikit-learn class for boosters too.
        if facts.get("format") != "text" and facts.get("class") != "lightgbm.basic.Booster":
            return skops_file.read(data, trust=trust) if facts.get("format") == "skops" else None
        import lightgbm

        try:
            return lightgbm.Booster(model_file=data)
        except (lightgbm.basic.LightGBMError, ValueError, TypeError, KeyError, OSError) as error:
            raise CorruptRecordError(f"LightGBM cannot read the model: {display(str(error), 200)}") from error

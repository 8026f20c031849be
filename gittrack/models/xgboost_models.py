"""XGBoost: its own JSON, or MLflow's folder with its own UBJSON; both are data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gittrack.core.names import display
from gittrack.errors import CorruptRecordError
from gittrack.models.flavour import Facts, descends_from

_CLASSES = frozenset(
    "Booster XGBModel XGBClassifier XGBRegressor XGBRanker XGBRFClassifier XGBRFRegressor".split(),
)


class XGBoostModels:
    """Boosters, and the classes that look like scikit-learn's."""

    name = "xgboost"
    needs_mlflow = False

    def takes(self, model: object) -> bool:
        """Whether it is a booster or a model of XGBoost's."""
        return descends_from(model, "xgboost", "Booster", "XGBModel")

    def mlflow_options(self, model: Any, example: Any) -> Sequence[Mapping[str, Any]]:
        """MLflow's own choice."""
        return ({},)

    def save(self, model: Any, folder: Path) -> dict[str, str]:
        """Write ``model.json``."""
        model.save_model(folder / "model.json")
        own = next(kind for kind in type(model).__mro__ if kind.__name__ in _CLASSES and "xgboost" in kind.__module__)
        return {"file": "model.json", "format": "json", "class": f"xgboost.{own.__name__}"}

    def read(self, data: Path, facts: Facts, *, trust: bool) -> Any:
        """Read it into the class that wrote it, one of XGBoost's."""
        import xgboost

        package, _, name = facts.get("class", "xgboost.Booster").rpartition(".")
        if package.partition(".")[0] != "xgboost" or name not in _CLASSES:
            return None  # a class of the user's own
        model = getattr(xgboost, name)()
        try:
            model.load_model(data)
        except (xgboost.core.XGBoostError, ValueError, TypeError, KeyError, OSError) as error:
            raise CorruptRecordError(f"XGBoost cannot read the model: {display(str(error), 200)}") from error
        return model

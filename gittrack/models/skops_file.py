"""Objects of scikit-learn and what follows it, in a skops file: types by name, refused unless they are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gittrack.core.names import display
from gittrack.errors import CorruptRecordError
from gittrack.models.flavour import needs_trust, require

KNOWN_TYPES = frozenset(
    {
        "collections.OrderedDict",
        "numpy.dtype",
        "numpy.mean",
        "lightgbm.basic.Booster",
        "lightgbm.sklearn.LGBMClassifier",
        "lightgbm.sklearn.LGBMRanker",
        "lightgbm.sklearn.LGBMRegressor",
        "scipy.interpolate._bsplines.BSpline",
        "scipy.sparse._csr.csr_matrix",
        "sklearn._loss.loss.HalfTweedieLossIdentity",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.cluster._bisect_k_means._BisectingTree",
        "sklearn.cluster._kmeans._kmeans_single_lloyd",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.feature_selection._univariate_selection.f_classif",
        "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
        "sklearn.gaussian_process.kernels.ConstantKernel",
        "sklearn.gaussian_process.kernels.Matern",
        "sklearn.gaussian_process.kernels.Product",
        "sklearn.gaussian_process.kernels.RBF",
        "sklearn.gaussian_process.kernels.Sum",
        "sklearn.gaussian_process.kernels.WhiteKernel",
        "sklearn.metrics._dist_metrics.EuclideanDistance64",
        "sklearn.neighbors._ball_tree.BallTree",
        "sklearn.neighbors._kd_tree.KDTree",
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
        "sklearn.tree._tree.Tree",
        "xgboost.core.Booster",
        "xgboost.sklearn.XGBClassifier",
        "xgboost.sklearn.XGBRanker",
        "xgboost.sklearn.XGBRegressor",
        "xgboost.sklearn.XGBRFClassifier",
        "xgboost.sklearn.XGBRFRegressor",
    }
)
"""Types beyond skops's own list that hold numbers or the model's own text form, and call nothing by name.

What estimators of scikit-learn 1.9 with their default arguments need, and the models of XGBoost and LightGBM.
"""


def unknown_types(model: object) -> list[str]:
    """The types in a model that only a trusting reader takes, beside :data:`KNOWN_TYPES`; raises what skops does."""
    import skops.io

    return sorted(skops.io.get_untrusted_types(data=skops.io.dumps(model)))


def write(model: object, path: Path) -> None:
    """Write a model; raises what skops does, of an object with parts that have no name such as a lambda."""
    import skops.io

    skops.io.dump(model, path)


def read(path: Path, *, trust: bool) -> Any:
    """Read a model.

    Args:
        path: a skops file.
        trust: take types that are not known.

    Raises:
        MissingDependencyError: skops is not installed.
        UsageError: it holds types that are not known.
        CorruptRecordError: it is damaged.
    """
    require("skops", "a scikit-learn model in skops's format", "sklearn")
    import skops.io

    try:
        types = skops.io.get_untrusted_types(file=path)
    except Exception as error:
        raise _damaged(error) from error
    unknown = [name for name in types if name not in KNOWN_TYPES]
    if unknown and not trust:
        shown = ", ".join(display(name, 80) for name in unknown[:4]) + ("" if len(unknown) < 5 else ", …")
        raise needs_trust(f"the model holds {shown}")
    try:
        return skops.io.load(path, trusted=types)
    except ImportError:
        raise
    except Exception as error:
        raise _damaged(error) from error


def _damaged(error: Exception) -> CorruptRecordError:
    # skops raises what its parts do, of a file that anybody may have written.
    return CorruptRecordError(f"skops cannot read the model: {type(error).__name__}: {display(str(error), 200)}")

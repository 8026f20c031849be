"""Several runs from one process, by the Python API: a forest, boosted trees, and nearest neighbours."""

from __future__ import annotations

import digits
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.metrics import log_loss
from sklearn.neighbors import KNeighborsClassifier

import gittrack


def forest(max_depth: int) -> None:
    """A random forest that grows; its curve is over the number of trees."""
    train_x, train_y, test_x, test_y = digits.load()
    params = {"model": "forest", "max_depth": max_depth, "trees": 60}
    with gittrack.start_run(name=f"forest-depth-{max_depth}", params=params, tags={"family": "trees"}) as run:
        model = RandomForestClassifier(warm_start=True, max_depth=max_depth, random_state=0)
        for trees in range(10, 61, 10):
            model.set_params(n_estimators=trees).fit(train_x, train_y)
            run.log_metric("loss", log_loss(test_y, model.predict_proba(test_x)), step=trees)
            run.log_metric("accuracy", model.score(test_x, test_y), step=trees)


def boosted_trees(lr: float) -> None:
    """Boosted trees; the curve is over the boosting rounds."""
    train_x, train_y, test_x, test_y = digits.load()
    params = {"model": "boosting", "lr": lr, "rounds": 40}
    with gittrack.start_run(name=f"boosting-{lr}", params=params, tags={"family": "trees"}) as run:
        model = GradientBoostingClassifier(learning_rate=lr, n_estimators=40, max_features=8, random_state=0)
        model.fit(train_x, train_y)
        for step, predicted in enumerate(model.staged_predict_proba(test_x)):
            accuracy = float((predicted.argmax(axis=1) == test_y).mean())
            run.log_metrics({"loss": log_loss(test_y, predicted), "accuracy": accuracy}, step=step)


@gittrack.track
def neighbours(k: int, weights: str) -> dict[str, float]:
    """A run without a `with`: the arguments become params, what is returned becomes metrics."""
    train_x, train_y, test_x, test_y = digits.load()
    model = KNeighborsClassifier(k, weights=weights).fit(train_x, train_y)
    return {"accuracy": float(model.score(test_x, test_y))}


if __name__ == "__main__":
    gittrack.set_experiment("digits")
    forest(max_depth=4)
    forest(max_depth=12)
    boosted_trees(lr=0.1)
    boosted_trees(lr=0.4)
    neighbours(k=1, weights="uniform")
    neighbours(k=5, weights="distance")

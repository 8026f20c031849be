"""Cross-validation: one run for the question, and a child of it for each fold."""

from __future__ import annotations

import digits
import numpy
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import SVC

import gittrack

FOLDS = 4


def cross_validate(gamma: float) -> None:
    """A parent run whose curve is the mean so far, and a nested run for each fold."""
    train_x, train_y, _, _ = digits.load()
    params = {"model": "support-vectors", "gamma": gamma, "folds": FOLDS}
    with gittrack.start_run(name="cross-validation", experiment="digits", params=params) as parent:
        scores = []
        splits = StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(train_x, train_y)
        for number, (rows, held_out) in enumerate(splits):
            with gittrack.start_run(name=f"fold-{number}", nested=True, params={"fold": number}) as fold:
                model = SVC(gamma=gamma).fit(train_x[rows], train_y[rows])
                scores.append(float(model.score(train_x[held_out], train_y[held_out])))
                fold.log_metric("accuracy", scores[-1])
            parent.log_metric("accuracy_so_far", float(numpy.mean(scores)), step=number)
        parent.log_metrics({"accuracy": float(numpy.mean(scores)), "accuracy_std": float(numpy.std(scores))})


if __name__ == "__main__":
    cross_validate(gamma=0.05)

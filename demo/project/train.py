"""Train a classifier of handwritten digits in epochs; `gittrack run -- python train.py --lr 0.1` records it."""

from __future__ import annotations

import argparse
import warnings

import digits
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import confusion_matrix, log_loss
from sklearn.neural_network import MLPClassifier

import gittrack

HOPELESS = 10.0
"""Ten classes guessed at random have a loss of 2.3."""
PATIENCE = 3
"""Epochs that a bad start is given."""


def make_model(args: argparse.Namespace) -> SGDClassifier | MLPClassifier:
    """The model that the command line asks for, untrained."""
    if args.model == "logistic":
        return SGDClassifier(loss="log_loss", learning_rate="constant", eta0=args.lr, random_state=args.seed)
    return MLPClassifier((args.width,), solver="sgd", learning_rate_init=args.lr, random_state=args.seed)


def train(args: argparse.Namespace) -> None:
    """One run: two curves, a point for each epoch, and the mistakes that are left at the end."""
    train_x, train_y, test_x, test_y = digits.load()
    # Inside `gittrack run` this joins the run that is there; without it, it starts one.
    with gittrack.start_run(params=vars(args)) as run:
        gittrack.seed(args.seed)
        model = make_model(args)
        for epoch in range(args.epochs):
            model.partial_fit(train_x, train_y, classes=digits.CLASSES)
            loss = log_loss(test_y, model.predict_proba(test_x), labels=digits.CLASSES)
            accuracy = model.score(test_x, test_y)
            run.log_metrics({"loss": loss, "accuracy": accuracy}, step=epoch)
            print(f"epoch {epoch:2d}  loss {loss:.4f}  accuracy {accuracy:.4f}")
            if epoch >= PATIENCE and loss > HOPELESS:
                raise ArithmeticError(f"the loss is {loss:.1f} after epoch {epoch}: the learning rate is too high")
        run.log_dict({"rows": confusion_matrix(test_y, model.predict(test_x)).tolist()}, "confusion.json")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", choices=["logistic", "perceptron"], default="logistic")
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    warnings.filterwarnings("ignore")  # a learning rate that is too high is said once, by the error
    train(parser.parse_args())

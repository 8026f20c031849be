"""Which way metrics get better, by name and by what the project says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gittrack.core.directions import Direction, Directions, asked_directions, usual_direction
from gittrack.errors import UsageError

DOWN = (
    "loss val/loss loss_val valLoss train.loss log_loss logloss error mean_squared_error rmse MAE top5_err perplexity "
    "latency latency_ms latency_p99 p99-latency duration wall_time nll cross_entropy bce WER brier_score fid "
    "false_positive_rate fpr ms_per_token seconds_per_step negative_log_likelihood neg_r2 errors_per_second hd95 "
    "ValidationLoss"
).split()
UP = (
    "acc accuracy val_acc val/acc top1_acc balanced_accuracy auc roc_auc AUROC f1 f1_macro F1Score precision@5 recall "
    "r2 R2Score bleu rougeL mAP map50 mIoU ndcg@10 reward mean_return throughput tokens_per_second score f0.5 "
    "true_positive_rate neg_log_loss neg_mean_squared_error log_likelihood explained_variance fps win_rate"
).split()
NOBODY_KNOWS = (
    "lr learning_rate epoch step grad_norm thing loss_accuracy system/memory_time temperature weights alpha beta "
    "entropy 损失 acc/step"
).split()


@pytest.mark.parametrize("name", DOWN)
def test_less_is_better(name):
    assert usual_direction(name) is Direction.DOWN


@pytest.mark.parametrize("name", UP)
def test_more_is_better(name):
    assert usual_direction(name) is Direction.UP


@pytest.mark.parametrize("name", NOBODY_KNOWS)
def test_nobody_knows(name):
    assert usual_direction(name) is Direction.UNKNOWN


@given(st.text(max_size=200))
def test_any_name_has_a_direction(name):
    assert usual_direction(name) in Direction
    assert Directions(("a*",), ("b?",)).of(name) in Direction


def test_what_the_project_says_wins_and_a_name_wins_over_a_pattern():
    said = Directions(maximize=("loss", "cost/*"), minimize=("cost/total", "thing"))
    assert said.of("loss") is Direction.UP
    assert said.of("cost/gain") is Direction.UP
    assert said.of("cost/total") is Direction.DOWN
    assert said.of("thing") is Direction.DOWN
    assert said.of("acc") is Direction.UP


def test_what_stands_in_both_lists_is_unknown():
    assert Directions(("a*",), ("*b",)).of("ab") is Direction.UNKNOWN


def test_the_caller_wins_over_the_project():
    assert Directions(maximize=("x",)).over(Directions(minimize=("x", "y"))) == Directions(("x",), ("y",))


def test_hostile_patterns_take_no_time():
    assert Directions(("*a" * 400 + "b",)).of("a" * 800) is Direction.UNKNOWN


def test_marks_and_signs():
    assert [(each.mark, each.sign) for each in Direction] == [("↑", 1), ("↓", -1), ("?", 1)]


def test_what_somebody_says_for_once_is_read_as_in_a_score():
    assert asked_directions(["metrics.size", "metric.a.b", "`x y`"], "loss") == Directions(
        ("size", "a.b", "x y"), ("loss",)
    )
    for wrong in ((["loss"], ["metrics.loss"]), ([3], [])):
        with pytest.raises(UsageError):
            asked_directions(*wrong)

"""What stands beside a model's scores: simpler models that are as good, and what says more than the accuracy."""

import dataclasses

import numpy as np
import pytest
import sklearn.metrics
from test_report import NOISY, RNG, X, quick

from zoo.tasks import scores


def test_a_model_that_is_no_better_than_a_guess_says_so(in_tmp):
    labels = np.where(RNG.random(400) < 0.9, "usual", "rare")
    trained = quick((X, labels))
    assert trained.report.scores["accuracy"] <= trained.report.constant["accuracy"]
    (told,) = trained.report.warnings
    assert told.startswith("no better than the constant guess (accuracy 0.")
    assert str(trained.report).splitlines()[-1] == f"warning: {told}"
    head = (trained.folder / "report.md").read_text().splitlines()[2]
    assert head.startswith("**No better than the constant guess (accuracy")
    unsure = {"accuracy": 0.8, "cross_entropy": 0.74}
    guess = {"accuracy": 0.48, "cross_entropy": 0.7}
    (told,) = dataclasses.replace(trained.report, scores=unsure, constant=guess).warnings
    assert "its accuracy is better (0.8000 against 0.4800), but its probabilities are not" in told


def test_a_model_that_the_linear_one_beats_says_so_and_another_says_nothing(in_tmp):
    slow = quick((X, NOISY), learning_rate=1e-5, baseline=True)
    assert any(
        line.startswith("no better than the linear baseline") for line in slow.report.warnings
    )
    good = quick(
        (X, (X[:, 0] * X[:, 1] > 0).astype(int)), epochs=40, learning_rate=0.02, baseline=True
    )
    assert good.report.warnings == []
    assert "no better" not in (good.folder / "report.md").read_text()


def test_less_is_better_for_errors_and_more_for_shares():
    assert scores.not_beaten({"rmse": 2.0, "r2": 0.1}, {"rmse": 1.0, "r2": 0.0}) == ["rmse"]
    assert scores.not_beaten({"rmse": 1.0}, {"rmse": 2.0}) == []
    assert scores.not_beaten({"accuracy": 0.5, "cross_entropy": 2.0}, {"accuracy": 0.4, "cross_entropy": 1.0}) == ["cross_entropy"]  # fmt: skip
    assert scores.not_beaten({"accuracy": 0.5}, {"accuracy": 0.5}) == ["accuracy"]


@pytest.mark.parametrize("count", [2, 3])
def test_what_says_more_than_the_accuracy_is_scikit_learn_s(count):
    targets = RNG.choice(count, 200, p=[0.8, 0.2] if count == 2 else [0.7, 0.2, 0.1])
    logits = RNG.normal(size=(200, count)) + np.eye(count)[targets]
    lines = scores.beyond_accuracy(targets, logits, ["a", "b|c", "d"])
    probabilities = scores.softmax(logits)
    auc = sklearn.metrics.roc_auc_score(
        targets, probabilities[:, 1] if count == 2 else probabilities, multi_class="ovr"
    )
    balanced = sklearn.metrics.balanced_accuracy_score(targets, logits.argmax(-1))
    assert f"balanced accuracy {balanced:.4f}, ROC AUC {auc:.4f}" in lines[0]
    assert (len(lines) > 2) == (count == 2)
    if count == 2:
        taken = probabilities[:, 1] >= 0.25
        recall = sklearn.metrics.recall_score(targets, taken)
        assert lines[2].startswith("| b\\|c from a probability of")
        assert lines[5].endswith(f"| {recall:.3f} |")

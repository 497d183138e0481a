"""Boosted trees beside a model of a table, and who won: what they see of its columns, and the interval of the difference."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn import ensemble
from test_report import LABELS, NOISY, X, judged, splits_of

import zoo
from zoo.tasks import paired, scores
from zoo.tasks.linear_baseline import Baseline
from zoo.training import report as reports
from zoo.training.evaluate import Report

RNG = np.random.default_rng(7)


def boosted(splits):
    return splits.task.boosted(splits)


def test_they_see_categories_gaps_and_dates_as_they_come(in_tmp, monkeypatch):
    real, asked = ensemble.HistGradientBoostingClassifier, []

    def noted(**options):
        asked.append(options["categorical_features"])
        return real(**options)

    monkeypatch.setattr(ensemble, "HistGradientBoostingClassifier", noted)
    count = 600
    codes = RNG.integers(300, size=count)  # more categories than scikit-learn takes
    ages = np.where(RNG.random(count) < 0.3, np.nan, RNG.normal(size=count))
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(RNG.integers(300, size=count), "D")
    frame = pd.DataFrame({
        "shop": pd.Series([f"shop {code}" for code in codes // 75]),
        "code": pd.Series([f"c{code}" for code in codes]),
        "age": ages,
        "day": days.strftime("%Y-%m-%d"),
    })  # fmt: skip
    odd = (codes // 75) % 2 == 1
    target = np.where(np.isnan(ages), days.month.to_numpy() > 5, odd).astype(int)
    frame["y"] = target
    frame.to_csv("made.csv", index=False)
    splits = zoo.load_dataset("made.csv", target="y")
    assert set(splits.info.column_kinds) == {"category", "number", "date"}
    found = boosted(splits)
    assert found.scores["accuracy"] > 0.9  # without any of the three it would be below
    # shop, code, age, and the three parts of a day
    assert asked[0].tolist() == [True, True, False, False, False, False]
    assert found.num_train == len(splits.examples["train"])


def test_each_label_and_each_number_has_trees_of_its_own():
    labels = LABELS.copy()
    labels[:300, 2] = 0  # none to learn from
    splits = splits_of(X, labels, "multilabel", ("a", "b", "c"))
    found = boosted(splits)
    assert found.outputs.shape == (100, 3)
    assert (found.outputs[:, 2] < 0).all()
    assert np.mean((found.outputs[:, :2] > 0) == labels[300:, :2]) > 0.9
    numbers = splits_of(X, X[:, :2] * [1, 10], "regression", (), target_names=("one", "ten"))
    found = boosted(numbers)
    assert list(found.scores)[:2] == ["r2", "rmse_one"]
    assert found.scores["r2"] > 0.9


def test_inputs_that_are_no_rows_of_columns_have_none():
    images = RNG.integers(256, size=(400, 4, 4, 1)).astype("uint8")
    assert boosted(splits_of(images, NOISY, kind="image")) is None


def test_the_difference_is_paired_as_scipys():
    errors = RNG.normal(size=(2, 300)) * [[1.0], [0.1]]
    errors[1] += (
        1.1 * errors[0]
    )  # much alike: the interval is far narrower than that of two other samples
    value, low, high = paired.difference(scores.resampled_error, np.zeros(300), *errors[..., None])
    assert value == pytest.approx(np.diff(np.sqrt(np.mean(errors[::-1] ** 2, 1)))[0])
    theirs = stats.bootstrap(
        errors, lambda a, b, axis: np.sqrt(np.mean(a**2, axis)) - np.sqrt(np.mean(b**2, axis)),
        paired=True, method="percentile", rng=0, n_resamples=1000,
    ).confidence_interval  # fmt: skip
    # The ends of 1,000 resamples scatter by about a tenth of the width.
    assert [low, high] == pytest.approx(list(theirs), abs=0.15 * (high - low))
    same = paired.difference(paired.accuracy, NOISY, np.eye(2)[NOISY], np.eye(2)[NOISY])
    assert same == (0.0, 0.0, 0.0)
    both = paired.difference(paired.precision, LABELS, LABELS + 0.0, 1.0 - LABELS)
    assert both[0] > 0.3
    assert both[1] <= both[0] <= both[2]


def test_the_report_says_who_won_and_is_read_again(tmp_path):
    done = judged(splits_of(X, NOISY), tmp_path / "run", baseline=True)
    text = (tmp_path / "run" / "report.md").read_text()
    assert "| test score | model | linear baseline | boosted trees | constant guess |" in text
    assert "- model and linear baseline: better: the linear baseline; accuracy of the model" in text
    assert "paired bootstrap over test examples" in text
    record = json.loads((tmp_path / "run" / "score.json").read_text())
    assert record["boosted"]["scores"] == done.report.boosted.scores
    again = Report.of_run(tmp_path / "run")
    assert list(again.beside) == ["linear baseline", "boosted trees"]
    assert tuple(again.boosted.difference) == done.report.boosted.difference


@pytest.mark.parametrize(
    ("headline", "difference", "told"),
    [
        ("accuracy", (0.02, 0.01, 0.03), "better: the model;"),
        ("accuracy", (-0.02, -0.03, -0.01), "better: the boosted trees;"),
        ("rmse", (-0.02, -0.03, -0.01), "better: the model;"),
        ("rmse", (0.02, 0.01, 0.03), "better: the boosted trees;"),
        ("rmse", (0.02, -0.01, 0.03), "neither is better as far as"),
    ],
)
def test_who_won_depends_on_the_score_and_the_interval(headline, difference, told, tmp_path):
    one = Baseline("trees", {}, 3, difference)
    report = Report({headline: 0.5}, 9, tmp_path, (0, 1), {}, boosted=one)
    assert told in reports.who_won(report, "boosted trees", one)

"""Several numbers to predict: each standardised by itself, scored by its name, and answered with it."""

import json

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn import metrics
from tolerances import KERNELS, ROUNDING, assert_close

import zoo
from zoo import cli, families
from zoo.data import load as door
from zoo.tasks import TASKS, scores

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 4)).astype("float32")
Y = np.stack([2 * X[:, 0] + 1, 1000 * X[:, 1] - 5000], 1)  # of two scales
TABLE = pd.DataFrame(X, columns=list("abcd")).assign(rent=Y[:, 0], price=Y[:, 1])
NAMES = ["rent", "price"]
OPTIONS = {"epochs": 2, "batch_size": 16, "quiet": True}
REGRESSORS = [name for name, row in families.FAMILIES.items() if "regression" in row.samples]


def linear(width=2):
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(width)])


@pytest.fixture(scope="module")
def rents(tmp_path_factory):
    """A model of two named numbers, from a CSV file."""
    folder = tmp_path_factory.mktemp("rents")
    TABLE.to_csv(folder / "homes.csv", index=False)
    options = {**OPTIONS, "epochs": 30, "learning_rate": 0.05, "baseline": True}
    options["out"] = str(folder / "run")
    return zoo.train("dense:tiny", folder / "homes.csv", target=NAMES, **options)


def test_each_target_is_standardised_by_its_own_training_mean():
    splits = door.make_splits(*door.read((X, Y)))
    preparation = zoo.prepare(splits)
    train = splits.examples["train"].targets
    _, prepared = preparation(X, train.astype("float32"))
    assert_close(np.mean(prepared, 0), np.zeros(2), ROUNDING, scale=10)
    assert_close(np.std(prepared, 0), np.ones(2), ROUNDING, scale=10)
    assert_close(preparation.restore(prepared), train, ROUNDING, scale=abs(train).max())
    assert len([step for step in preparation.steps if "predictions multiplied" in step]) == 2


def test_large_numbers_that_differ_by_little_keep_their_digits():
    times = 1.7e9 + np.stack([np.arange(120.0), 10 * RNG.random(120)], 1)
    splits = door.make_splits(*door.read((X, times)))
    preparation = zoo.prepare(splits)
    train = splits.targets("train")
    _, prepared = preparation(X, train)
    assert train.dtype == np.float64
    assert_close(preparation.restore(prepared) - 1.7e9, train - 1.7e9, KERNELS)


@pytest.mark.parametrize(
    ("targets", "task", "names"),
    [
        (Y, "regression", ("0", "1")),
        (TABLE[NAMES], "regression", tuple(NAMES)),
        ({"rent": Y[:, 0], "price": Y[:, 1]}, "regression", tuple(NAMES)),
        (np.round(Y).astype(int), "regression", ("0", "1")),
        (Y[:, :1], "regression", ()),
        (np.stack([X[:, 0] > 0, X[:, 1] > 0], 1), "multilabel", ()),
        (np.stack([X[:, 0] > 0, X[:, 0] <= 0], 1).astype(float), "classification", ()),
    ],
    ids=["array", "DataFrame", "dict", "whole numbers", "one column", "labels", "one-hot"],
)
def test_columns_of_numbers_are_a_regression_unless_all_are_0_or_1(targets, task, names):
    info, splits = door.read((X, targets))
    assert (info.task, info.target_names) == (task, names)
    wanted = {"regression": len(names) or 1}.get(task, 2)
    assert info.num_outputs == wanted
    assert splits["train"].targets.ndim == (1 if task == "classification" or not names else 2) or (
        task == "multilabel"
    )


def test_rows_of_0_and_1_are_a_regression_where_the_caller_says_so():
    info, _ = door.read((X, (X[:, :2] > 0).astype(int)), task="regression")
    assert (info.task, info.labels, info.target_names) == ("regression", (), ("0", "1"))


def test_the_report_has_a_score_of_each_target_and_one_of_all(rents):
    names = [f"{score}_{name}" for name in NAMES for score in ("rmse", "mae", "r2")]
    report = rents.report
    assert list(report.scores) == ["r2", *names]
    assert list(report.constant) == list(report.baseline.scores) == ["r2", *names]
    assert report.scores["r2"] == pytest.approx(
        (report.scores["r2_rent"] + report.scores["r2_price"]) / 2
    )
    assert report.baseline.scores["r2"] > 0.99 > 0.1 > report.constant["r2"]
    assert report.scores["r2"] > 0.5
    low, high = report.interval
    assert low < report.scores["r2"] < high
    text = (report.folder / "report.md").read_text()
    assert "| rmse_price |" in text
    assert "in the units of their target" in text
    assert (report.folder / "predicted.png").exists()
    recorded = json.loads((report.folder / "score.json").read_text())
    assert recorded["scores"] == report.scores


def test_the_scores_are_those_of_scikit_learn():
    found = Y + RNG.normal(size=Y.shape) * [1, 500]
    assert_close(TASKS["regression"].score(Y, found)["r2"], metrics.r2_score(Y, found), ROUNDING)
    same = np.stack([Y[:, 0], np.full(120, 3.0)], 1)
    wanted = metrics.r2_score(same, found)
    assert_close(TASKS["regression"].score(same, found)["r2"], wanted, ROUNDING)
    low, high = scores.regression_interval(Y, found)
    drawn = [RNG.integers(120, size=120) for _ in range(2000)]
    ends = np.percentile([metrics.r2_score(Y[rows], found[rows]) for rows in drawn], (2.5, 97.5))
    assert np.abs(ends - [low, high]).max() < 0.15 * (high - low)


def test_the_export_answers_in_the_units_of_each_target_by_name(rents):
    model = zoo.load(rents.export)
    assert model.card.target_names == tuple(NAMES)
    assert (
        "predicted numbers, in this order: rent, price"
        in (rents.export / "assets.extra" / "card.md").read_text()
    )
    found = model.predict(TABLE[list("abcd")])["prediction"]
    assert found.shape == (120, 2)
    assert metrics.r2_score(Y, found) > 0.5
    frame = model.predict(TABLE[list("abcd")].set_index(TABLE.index + 7), as_frame=True)
    assert list(frame.columns) == ["prediction_rent", "prediction_price"]
    assert frame.index[0] == 7
    assert_close(frame.to_numpy(), found, KERNELS, scale=abs(found).max())
    assert zoo.verify(rents.export)["largest_difference"] < 1e-5


def test_the_command_line_names_each_predicted_number(rents, in_tmp, capsys):
    TABLE[list("abcd")][:3].to_csv("new.csv", index=False)
    wanted = zoo.load(rents.export).predict(TABLE[list("abcd")][:3])["prediction"]
    assert cli.main(["predict", str(rents.export), "new.csv"]) in (0, None)
    line = capsys.readouterr().out.splitlines()[0]
    assert line == f"new.csv:2: rent {wanted[0, 0]:.6g}, price {wanted[0, 1]:.6g}"
    cli.main(["predict", str(rents.export), "new.csv", "--json"])
    row = json.loads(capsys.readouterr().out.splitlines()[0])
    assert row["prediction"] == {"rent": float(wanted[0, 0]), "price": float(wanted[0, 1])}
    cli.main(["predict", str(rents.export), "new.csv", "--out", "out.csv"])
    written = pd.read_csv("out.csv")
    assert list(written.columns)[-2:] == ["prediction_rent", "prediction_price"]
    assert_close(written.iloc[:, -2:].to_numpy(), wanted, ROUNDING, scale=abs(wanted).max())


def test_a_model_of_ones_own_with_a_last_dense_of_k_is_trained(in_tmp):
    trained = zoo.train(linear(), X, Y, **{**OPTIONS, "epochs": 1})
    assert zoo.load(trained.export).predict(X[:3], as_frame=True).shape == (3, 2)
    with pytest.raises(zoo.InputError, match=r"Dense\(2\)"):
        zoo.train(linear(3), X, Y, **OPTIONS)


@pytest.mark.parametrize(
    "family",
    [
        pytest.param(name, marks=[pytest.mark.slow] * (name not in ("dense", "cnn")))
        for name in REGRESSORS
    ],
)
def test_every_family_that_has_regression_predicts_several_numbers(family, in_tmp):
    sample = families.FAMILIES[family].samples["regression"]()[0]
    inputs = sample.inputs
    flat = inputs.reshape(len(inputs), -1)
    if "vocabulary_size" in sample.arguments:  # as texts, of which no two are alike
        inputs = [f"text{i} " + " ".join(f"word{token}" for token in row if token) for i, row in enumerate(flat)]  # fmt: skip
    targets = np.stack([flat[:, 0], 100 * flat[:, 1]], 1)
    options = {**OPTIONS, "epochs": 1, "batch_size": 4, "validation_fraction": 0.2}
    trained = zoo.train(f"{family}:tiny", (inputs, targets), **options)
    assert zoo.load(trained.export).predict(inputs[:3])["prediction"].shape == (3, 2)


def test_a_search_tries_models_of_several_numbers(in_tmp):
    options = {**OPTIONS, "epochs": 1, "tuner": "random", "trials": 1}
    tuned = zoo.tune("dense:tiny", (X, Y), **options)
    assert tuned.objective == "val_loss"


def test_a_look_at_the_data_says_what_each_target_is():
    text = str(zoo.inspect(TABLE, target=NAMES))
    assert "task: regression" in text
    assert "rent: " in text
    assert "price: " in text
    assert "rows of 2 numbers, taken for a regression of several" in text


def test_a_gap_in_one_of_several_targets_leaves_the_row_out():
    gaps = TABLE.copy()
    gaps.loc[5, "price"] = np.nan
    with pytest.raises(zoo.InputError, match="row 5: its target is missing"):
        door.read(gaps, target=NAMES)
    _, splits = door.read(gaps, target=NAMES, skip_bad=True)
    assert sum(map(len, splits.values())) == 119

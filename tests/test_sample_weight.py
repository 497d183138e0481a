"""Weights of examples, from every form of data, through splits, loss and metrics; and weights of classes."""

import csv

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from test_cli import ok
from test_your_own_model import NUMBERS, QUICK, Net, X, Y, rows, softmax
from tolerances import KERNELS, ROUNDING, assert_close

import zoo
from zoo.config.config import TrainConfig
from zoo.data import load as door
from zoo.training import compile as compiling
from zoo.training.fit import training_batches


def weighed(form):
    """Sixty examples with their weights in a form, and the options that say where they are."""
    weights = np.linspace(0.1, 2, 60)
    table = pd.DataFrame(X, columns=list("abc")).assign(label=Y)
    whole = tf.data.Dataset.from_tensor_slices((X, Y, weights))
    return {
        "beside a pair": (((X, Y),), {"sample_weight": weights}),
        "beside x and y": ((X, Y), {"sample_weight": weights.tolist()}),
        "third in a tuple": (((X, Y, weights),), {}),
        "in a tf.data set": ((whole,), {}),
        "in batches": ((whole.batch(7),), {}),
        "in a column": ((table.assign(w=weights),), {"target": "label", "sample_weight": "w"}),
        "beside a table": ((table,), {"target": "label", "sample_weight": pd.Series(weights)}),
        "in a column beside y": ((table.drop(columns="label").assign(w=weights), Y), {"sample_weight": "w"}),
    }[form]  # fmt: skip


FORMS = ["beside a pair", "beside x and y", "third in a tuple", "in a tf.data set", "in batches",
         "in a column", "beside a table", "in a column beside y"]  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_weights_of_examples_stay_with_their_rows(form, in_tmp, monkeypatch):
    """Every way in gives the same three splits, and each row the weight that it had."""
    seen = {}

    def stop(info, splits, *_):
        seen.update(splits)
        raise zoo.InputError("seen")

    monkeypatch.setattr(door, "make_splits", stop)
    data, options = weighed(form)
    with pytest.raises(zoo.InputError, match="seen"):
        zoo.train("dense:tiny", *data, **options, **QUICK)
    for split in ("train", "test"):
        part = seen[split]
        inputs = np.asarray(part.inputs)
        places = [int(np.flatnonzero((row == X).all(1))[0]) for row in inputs]
        assert_close(part.weights, np.linspace(0.1, 2, 60)[places], ROUNDING)
        assert part.weights.dtype == np.float32
        assert inputs.shape[1] == 3


def test_weights_count_in_the_loss_and_in_weighted_metrics_alone(in_tmp):
    weights = np.where(Y == 1, 3.0, 0.0)
    trained = zoo.train(
        "dense:tiny", (X, Y, weights), class_weight={0.0: 1, 1.0: 2, 2.0: 5},
        metrics=["sparse_categorical_accuracy"], weighted_metrics=["categorical_crossentropy"], **QUICK,
    )  # fmt: skip
    model, (row,) = trained.network, rows(trained)
    info, splits = door.read((X, Y, weights))
    splits = door.make_splits(info, splits, batch_size=16)
    splits = splits.mapped(zoo.prepare(splits))
    held = splits.examples["validation"]
    logits = model.predict(splits.preparation.inputs(held.inputs), verbose=0)
    losses = -np.log(softmax(logits)[np.arange(held.count), held.targets])
    assert_close(float(row["val_loss"]), (losses * held.weights).mean(), KERNELS)
    mean = (losses * held.weights).sum() / held.weights.sum()
    assert_close(float(row["val_categorical_crossentropy"]), mean, KERNELS)
    right = (logits.argmax(1) == held.targets).mean()
    assert_close(float(row["val_accuracy"]), right, ROUNDING)
    batch = next(iter(training_batches(splits, {"0": 1, "1": 2, "2": 5})))
    by_class = np.array([1, 2, 5])[batch[1]]
    np.testing.assert_array_equal(batch[2], np.where(batch[1] == 1, 3.0, 0.0) * by_class)
    assert "the test scores each alike" in (trained.folder / "report.md").read_text()


def test_large_weights_are_warned_of(caplog):
    door.read((X, Y, np.full(60, 1000.0)))
    assert "have the mean 1e+03, and loss and gradients grow with it" in caplog.text
    caplog.clear()
    door.read((X, Y, np.full(60, 2.0)))
    assert "grow with it" not in caplog.text


@pytest.mark.parametrize(
    ("labels", "weights"),
    [
        (X[:, 0] > 0, {True: 2, False: 1}),
        (X[:, 0] > 0, {1: 2, 0: 1}),
        ((X[:, 0] > 0).astype(float), {1.0: 2, 0.0: 1}),
        ((X[:, 0] > 0).astype(int), {True: 2, False: 1}),
        ((X[:, 0] > 0).astype(int), {np.float64(1): 2, np.int64(0): 1}),
        ((X[:, 0] > 0).astype(int), {"1": 2, "0": 1}),
    ],
)
def test_labels_in_class_weight_may_be_floats_or_bools(labels, weights):
    splits = door.make_splits(*door.read((X, labels)), batch_size=8)
    asked = TrainConfig().replace(class_weight=weights).optimizer.class_weight
    np.testing.assert_array_equal(compiling.class_weights(asked, splits), [1, 2])
    for wrong, told in (({0.5: 1}, "Unknown label"), ({"0": 1, "0.0": 1, 1: 2}, "twice")):
        with pytest.raises(zoo.InputError, match=told):
            compiling.class_weights(wrong, splits)


def test_names_and_a_column_of_weights_are_options_of_the_command_line(in_tmp):
    table = pd.DataFrame(X, columns=list("abc")).assign(price=NUMBERS, seen=np.arange(60) % 5)
    table.to_csv("homes.csv", index=False)
    ok(
        *("train", "--model", "dense:tiny", "--dataset", "homes.csv", "--target", "price"),
        *("--loss", "mae", "--metrics", "mae", "r2_score", "--weighted-metrics", "mse"),
        *("--sample-weight", "seen", "--epochs", 1, "--batch-size", 16, "--quiet"),
    )
    run = zoo.load_run("runs/homes-dense_tiny-1")
    with open(run.folder / "metrics.csv") as file:
        (row,) = csv.DictReader(file)
    assert {"mae", "val_r2_score", "mse"} <= row.keys()
    card = zoo.load(run.export).card
    assert card.columns == ("a", "b", "c")
    assert card.config["optimizer"]["loss"] == "mae"
    predicted = run.predict(table)["prediction"]  # which leaves the other columns out
    np.testing.assert_array_equal(predicted, run.predict(table[["a", "b", "c"]])["prediction"])


def test_weights_of_several_inputs_and_of_several_numbers_stay_with_their_rows(in_tmp):
    class Two(Net):
        def call(self, x, training=None):
            return super().call(x["left"] + x["right"], training)

    weights = np.linspace(0.1, 2, 60)
    both = np.stack([NUMBERS, X[:, 1]], 1)
    data = ({"left": X, "right": X[::-1].copy()}, both, weights)
    trained = zoo.train(Two(2), data, loss="huber", weighted_metrics=["mae"], **QUICK)
    assert zoo.load(trained.export).predict(data[0])["prediction"].shape == (60, 2)
    _, splits = door.read(data)
    rows_of = [int(np.flatnonzero((row == X).all(1))[0]) for row in splits["test"].inputs["left"]]
    assert_close(splits["test"].weights, weights[rows_of], ROUNDING)


def test_parts_of_keras_s_loaders_may_bring_weights():
    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 3

        def __getitem__(self, index):
            own = slice(20 * index, 20 * index + 20)
            return X[own], Y[own], np.full(20, index + 1.0)

    _, splits = door.read(Batches())
    places = [int(np.flatnonzero((row == X).all(1))[0]) for row in splits["train"].inputs]
    np.testing.assert_array_equal(splits["train"].weights, np.array(places) // 20 + 1.0)


def test_validation_examples_that_join_train_keep_their_weights():
    weights = np.linspace(0.1, 2, 60)
    whole = door.make_splits(*door.read((X, Y, weights)), batch_size=8, use_validation=True)
    train = whole.examples["train"]
    places = [int(np.flatnonzero((row == X).all(1))[0]) for row in train.inputs]
    assert_close(train.weights, weights[places], ROUNDING)
    plain = door.make_splits(
        *door.read((X[:40], Y[:40], weights[:40]), validation=(X[40:], Y[40:])),
        batch_size=8,
        use_validation=True,
    )
    assert set(plain.examples["train"].weights[-20:].tolist()) == {1.0}


def test_an_unusable_weight_leaves_its_row_out_with_skip_bad():
    weights = np.linspace(0.1, 2, 60)
    weights[7] = np.nan
    _, splits = door.read((X, Y, weights), skip_bad=True)
    assert sum(map(len, splits.values())) == 59
    for part in splits.values():
        places = [int(np.flatnonzero((row == X).all(1))[0]) for row in part.inputs]
        assert 7 not in places
        assert_close(part.weights, weights[places], ROUNDING)


def test_data_without_weights_train_as_before():
    whole = door.make_splits(*door.read((X, Y)), batch_size=8)
    assert len(next(iter(whole.train))) == len(next(iter(whole.test))) == 2

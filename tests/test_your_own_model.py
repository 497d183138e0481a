"""A newcomer's own parts in the shared recipe: optimizer, loss, metrics, compiled and subclassed models."""

import csv

import keras
import numpy as np
import pytest
import tensorflow as tf
from tolerances import ORDER, ROUNDING, assert_close

import zoo
from zoo.config.config import OptimizerConfig, TrainConfig
from zoo.data import load as door
from zoo.data.examples import DataInfo
from zoo.tasks import of_keras, task
from zoo.training import own

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3)).astype("float32")
Y = np.digitize(X[:, 0], [-0.5, 0.5])
NUMBERS = 100 * X[:, 0] + 7
QUICK = {"epochs": 1, "batch_size": 16, "quiet": True}


class Net(keras.Model):
    """Without shapes before it is called."""

    def __init__(self, outputs=3, name="net"):
        super().__init__(name=name)
        self.hidden = keras.layers.Dense(8, activation="relu")
        self.norm = keras.layers.BatchNormalization()
        self.out = keras.layers.Dense(outputs)

    def call(self, x, training=None):
        return self.out(self.norm(self.hidden(x), training=training))


def unbuilt(input_shape=None, num_classes=3):
    return keras.Sequential([keras.layers.Dense(4), keras.layers.Dense(3)], name="unbuilt")


def rows(trained):
    with open(trained.folder / "metrics.csv") as file:
        return list(csv.DictReader(file))


def logged(trained):
    return (trained.folder / "log.txt").read_text()


def test_objects_are_used_logged_reported_exported_and_asked_for_again(in_tmp):
    def parts():
        return {
            "optimizer": keras.optimizers.AdamW(1e-2),
            "loss": keras.losses.CategoricalFocalCrossentropy(from_logits=True),
            "metrics": ["top_k_categorical_accuracy", keras.metrics.AUC(name="auc")],
        }

    trained = zoo.train("dense:tiny", X, Y, **parts(), **QUICK)
    assert isinstance(trained.network.optimizer, keras.optimizers.AdamW)
    (row,) = rows(trained)
    assert {"top_k_categorical_accuracy", "val_auc", "accuracy"} <= row.keys()
    assert float(row["learning_rate"]) == pytest.approx(1e-2)
    assert "val_auc" in trained.history.history
    report = (trained.folder / "report.md").read_text()
    assert "loss CategoricalFocalCrossentropy, metrics top_k_categorical_accuracy and AUC" in report
    assert "AdamW of the caller's" in report
    config = TrainConfig.of_run(trained.folder).optimizer
    assert (config.name, config.loss) == ("own:AdamW", "own:CategoricalFocalCrossentropy")
    assert len(zoo.load(trained.export).predict(X[:2])["label"]) == 2
    more = {"resume": str(trained.folder), "epochs": 2, "quiet": True}
    with pytest.raises(zoo.InputError, match="was begun from Python with optimizer=AdamW"):
        zoo.train("dense:tiny", X, Y, **more)
    other = parts() | {"optimizer": keras.optimizers.AdamW(1e-3)}
    with pytest.raises(zoo.InputError, match="its optimizer has changed. It began with AdamW"):
        zoo.train("dense:tiny", X, Y, **other, **more)
    assert len(rows(zoo.train("dense:tiny", X, Y, **parts(), **more))) == 2


def info_of(kind, outputs=3):
    labels = {} if kind == "regression" else {"labels": tuple("abc"[:outputs])}
    return DataInfo("data", "features", kind, (3,), "float32", **labels)


LOGITS = RNG.normal(size=(40, 3)).astype("float32")
IDS = RNG.integers(0, 3, 40)
ROWS = (RNG.random((40, 3)) < 0.5).astype("float32")
LINE = RNG.normal(size=(40, 1)).astype("float32")


def softmax(logits):
    return np.asarray(keras.ops.softmax(logits))


def plain_loss(kind, name):
    """The value that Keras's own loss gives, with targets and outputs brought to its form by hand."""
    given = {
        "classification": (np.eye(3, dtype="float32")[IDS], LOGITS),
        "multilabel": (ROWS, LOGITS),
        "regression": (LINE * 0 + 1, LINE),
    }
    table = of_keras.LOSSES[task(kind).targets]
    takes = "from_logits" in table[name]().get_config()
    loss = table[name](**({"from_logits": True} if takes else {}))
    y_true, y_pred = given[kind]
    return loss(IDS if name.startswith("sparse") else y_true, y_pred)


@pytest.mark.parametrize("kind", ["classification", "multilabel", "regression"])
def test_every_loss_of_keras_by_name_or_as_an_object_is_that_of_logits(kind):
    row, options = task(kind), OptimizerConfig()
    y_true = {"classification": IDS, "multilabel": ROWS, "regression": np.ones(40, "float32")}[kind]
    y_pred = LINE if kind == "regression" else LOGITS
    for name, made in of_keras.LOSSES[row.targets].items():
        wanted = plain_loss(kind, name)
        takes = "from_logits" in made().get_config()
        for part in (name, made.__name__, made(from_logits=True) if takes else made()):
            loss = of_keras.loss_of(part, row, options)
            assert_close(loss(y_true, y_pred), wanted, ORDER, scale=1)
        if takes:
            with pytest.raises(zoo.InputError, match=rf"pass {made.__name__}\(from_logits=True\)"):
                of_keras.loss_of(made(), row, options)


def test_a_loss_of_a_class_of_the_caller_s_compares_each_number_with_its_own_output():
    class Absolute(keras.losses.Loss):
        def call(self, y_true, y_pred):
            return keras.ops.abs(y_true - y_pred)

    y = RNG.normal(size=40).astype("float32")
    wanted = np.abs(y - LINE[:, 0]).mean()  # and not that of all pairs
    for part in (Absolute(), lambda y_true, y_pred: keras.ops.abs(y_true - y_pred)):
        loss = of_keras.loss_of(part, task("regression"), OptimizerConfig())
        model = keras.Sequential([keras.Input((1,)), keras.layers.Identity()])
        model.compile("sgd", loss)
        assert_close(model.compute_loss(LINE, y, LINE), wanted, ORDER, scale=1)


def measured(part, kind, y_true, y_pred, outputs=3, scale=None):
    (metric,) = of_keras.metrics_of([part], task(kind), info_of(kind, outputs), scale)
    metric.update_state(y_true, y_pred)
    return float(metric.result())


def test_metrics_of_keras_get_probabilities_in_the_form_that_they_take():
    def of(metric, y_true, y_pred):
        metric.update_state(y_true, y_pred)
        return float(metric.result())

    metrics, one_hot, shares = keras.metrics, np.eye(3, dtype="float32")[IDS], softmax(LOGITS)
    wanted = {
        "top_k_categorical_accuracy": 1.0,  # five of three
        "sparse_categorical_crossentropy": of(metrics.CategoricalCrossentropy(), one_hot, shares),
        "categorical_crossentropy": of(metrics.CategoricalCrossentropy(), one_hot, shares),
        "auc": of(metrics.AUC(), one_hot, shares),
        "f1_score": of(metrics.F1Score("macro"), one_hot, shares),
    }
    for name, value in wanted.items():
        assert_close(measured(name, "classification", IDS, LOGITS), value, ORDER, scale=1)
    top = metrics.TopKCategoricalAccuracy(2, name="top2")
    right = (np.argsort(-LOGITS, 1)[:, :2] == IDS[:, None]).any(1).mean()
    assert measured(top, "classification", IDS, LOGITS) == pytest.approx(right)
    mixed = measured("sparse_categorical_accuracy", "classification", one_hot, LOGITS)
    assert mixed == pytest.approx((LOGITS.argmax(1) == IDS).mean())  # as mixup gives them
    logits = metrics.SparseCategoricalCrossentropy(from_logits=True, name="nats")
    value = wanted["categorical_crossentropy"]
    assert_close(measured(logits, "classification", IDS, LOGITS), value, ORDER, scale=1)
    sigmoid = np.asarray(keras.ops.sigmoid(LOGITS))
    for name in ("binary_crossentropy", "auc", "precision"):
        value = of(of_keras.METRICS["labels"][name](), ROWS, sigmoid)
        assert_close(measured(name, "multilabel", ROWS, LOGITS), value, ORDER, scale=1)


def test_precision_and_recall_of_two_classes_are_those_of_the_second():
    ids, logits = IDS % 2, LOGITS[:, :2]
    guessed = logits.argmax(1)
    for name, among in (("recall", ids == 1), ("precision", guessed == 1)):
        wanted = (guessed == ids)[among].mean()
        assert measured(name, "classification", ids, logits, 2) == pytest.approx(wanted)


def test_metrics_of_numbers_are_in_the_units_of_the_targets(in_tmp):
    def off(y_true, y_pred):
        return keras.ops.abs(y_true - y_pred)

    trained = zoo.train("dense:tiny", X, NUMBERS, loss="mae", metrics=["mae", "r2_score", off], **QUICK)  # fmt: skip
    (row,) = rows(trained)
    row = {name: float(value) for name, value in row.items()}
    std = zoo.prepare(door.make_splits(*door.read((X, NUMBERS)), batch_size=16)).target_std
    assert row["val_mae"] == pytest.approx(row["val_off"])
    assert_close(row["val_mae"], std * row["val_scaled_mae"], ORDER)
    assert row["loss"] == pytest.approx(row["scaled_mae"])  # the loss that was asked for
    both = np.stack([NUMBERS, X[:, 1]], 1)
    (row,) = rows(zoo.train("dense:tiny", X, both, metrics="mse", **QUICK))
    assert float(row["mse"]) > 100 * float(row["loss"])


def compiled(
    optimizer, loss="sparse_categorical_crossentropy", metrics=("accuracy", "auc"), **more
):
    model = unbuilt()
    model.compile(optimizer, loss, metrics=list(metrics), **more)
    return model


def test_what_a_model_is_compiled_with_is_used_unless_an_argument_says_otherwise(in_tmp):
    optimizer = keras.optimizers.SGD(0.05)
    model = compiled(optimizer)
    trained = zoo.train(model, X, Y, **QUICK)
    assert trained.network.optimizer is optimizer
    assert "auc" in rows(trained)[0]
    said = "the model is compiled: of that optimizer SGD, loss sparse_categorical_crossentropy, metrics accuracy and auc are used"
    assert logged(trained).count(said) == 1
    again = zoo.train(
        model, X, Y, loss="categorical_hinge", **QUICK
    )  # the zoo has compiled it since
    assert again.network.optimizer is optimizer
    assert int(optimizer.iterations.numpy()) == 4  # it goes on, as in `fit`
    assert "of that optimizer SGD, metrics accuracy and auc are used" in logged(again)
    assert again.network.loss.loss.name == "categorical_hinge"
    other = zoo.train(compiled("sgd"), X, Y, optimizer="adam", learning_rate=0.01, **QUICK)
    assert isinstance(other.network.optimizer, keras.optimizers.Adam)
    with pytest.raises(zoo.InputError, match="learning_rate=0.5 is for an optimizer by name"):
        zoo.train(compiled("sgd"), X, Y, learning_rate=0.5, **QUICK)
    with pytest.raises(zoo.InputError, match=r"pass SparseCategoricalCrossentropy\(from_logits"):
        zoo.train(compiled("sgd", keras.losses.SparseCategoricalCrossentropy()), X, Y, **QUICK)


def test_a_builder_may_compile_and_a_run_with_it_goes_on(in_tmp):
    def build(input_shape, num_classes):
        return compiled(keras.optimizers.SGD(build.rate), metrics=[])

    build.rate = 0.05
    trained = zoo.train(build, X, Y, **QUICK)
    assert isinstance(trained.network.optimizer, keras.optimizers.SGD)
    more = {"resume": str(trained.folder), "epochs": 2, "quiet": True}
    assert len(rows(zoo.train(build, X, Y, **more))) == 2
    build.rate = 0.1
    with pytest.raises(zoo.InputError, match="its optimizer has changed. It began with SGD"):
        zoo.train(build, X, Y, **more | {"epochs": 3})


def test_the_average_that_an_optimizer_keeps_is_what_is_kept(in_tmp):
    def train(**options):
        return zoo.train(unbuilt, X, Y, **QUICK | {"epochs": 2}, **options).network.get_weights()

    average = train(optimizer=keras.optimizers.Adam(1e-3, use_ema=True, ema_momentum=0.9))
    for a, b in zip(average, train(ema=0.9)):
        assert_close(a, b, ROUNDING)
    last = train(optimizer=keras.optimizers.Adam(1e-3))
    assert np.abs(last[0] - average[0]).max() > 1e-4


@pytest.mark.parametrize("make", [Net, unbuilt])
def test_a_model_without_shapes_is_built_trained_exported_and_goes_on(make, in_tmp):
    def begun():
        keras.utils.set_random_seed(0)  # layers draw their seeds when they are made
        return make()

    trained = zoo.train(begun(), X, Y, **QUICK)
    assert type(trained.network) is (Net if make is Net else keras.Sequential)
    assert zoo.load(trained.export).predict(X)["probabilities"].shape == (60, 3)
    goes_on = zoo.train(make(), X, Y, resume=str(trained.folder), epochs=2, quiet=True)
    whole = zoo.train(begun(), X, Y, **QUICK | {"epochs": 2})
    assert rows(goes_on) == rows(whole)


def test_a_model_with_a_training_step_of_its_own_keeps_it(in_tmp):
    class Stepping(Net):
        def train_step(self, data):
            x, y = data
            with tf.GradientTape() as tape:
                loss = self.compute_loss(x, y, self(x, training=True))
            weights = self.trainable_variables
            self.optimizer.apply(tape.gradient(loss, weights), weights)
            return {"mine": loss}

    (row,) = rows(zoo.train(Stepping(), X, Y, **QUICK))
    assert {"mine", "val_accuracy", "val_loss"} <= row.keys()
    assert "accuracy" not in row
    with pytest.raises(zoo.InputError, match="train_step of its own, which accumulate"):
        zoo.train(Stepping(), X, Y, accumulate=2, **QUICK)
    with pytest.raises(zoo.InputError, match="train_step of stepping fails on a batch of 3 parts"):
        zoo.train(Stepping(name="stepping"), (X, Y, np.ones(60)), **QUICK)


def test_two_devices_train_like_one_with_parts_and_weights_of_the_caller_s(in_tmp):
    def losses(**where):
        trained = zoo.train(
            unbuilt,
            (X[:50], Y[:50], np.linspace(0.1, 2, 50)),  # 4 of them are validation
            optimizer=keras.optimizers.SGD(0.5, global_clipnorm=0.1),
            loss=keras.losses.CategoricalCrossentropy(from_logits=True),
            weighted_metrics=[keras.metrics.AUC(name="auc")],
            **where,
            **QUICK,
        )
        (row,) = rows(trained)
        return [float(row[name]) for name in ("loss", "val_loss", "auc", "val_auc")]

    one, two = losses(), losses(strategy="mirrored", replicas=2)
    assert_close(one, two, ORDER, scale=1)


def test_a_search_for_a_learning_rate_leaves_the_caller_s_parts_as_they_were(in_tmp):
    optimizer = keras.optimizers.SGD(0.01)
    parts = {"optimizer": optimizer, "loss": "mae", "metrics": ["mse"]}
    model = zoo.train("dense:tiny", X, NUMBERS, find_lr=True, **parts, **QUICK).network
    assert model.optimizer is optimizer
    assert int(optimizer.iterations.numpy()) == 0


def test_one_batch_is_fitted_with_the_optimizer_of_the_caller(in_tmp, monkeypatch):
    used = []
    copied = own.copied
    monkeypatch.setattr(own, "copied", lambda *args: used.append(copied(*args)) or used[0])
    parts = {"optimizer": keras.optimizers.Adam(0.05), "loss": "mae"}
    zoo.train("dense:tiny", X, NUMBERS, overfit_batch=True, **parts, **QUICK)
    assert int(used[0].iterations.numpy()) > 0
    assert int(parts["optimizer"].iterations.numpy()) == 0


def test_a_model_s_own_loss_function_is_kept_where_a_batch_is_computed_in_parts(in_tmp):
    class Decayed(keras.Model):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
            return super().compute_loss(x, y, y_pred, sample_weight) + 100.0

    inputs = keras.Input((3,))
    model = Decayed(inputs, keras.layers.Dense(3)(inputs))
    (row,) = rows(zoo.train(model, X, Y, accumulate=2, **QUICK))
    assert float(row["loss"]) > 100


def test_as_many_labels_or_numbers_as_steps_are_read_where_the_task_is_said():
    steps = RNG.normal(size=(60, 5, 3))
    whole, ones = RNG.integers(0, 9, (60, 5)), RNG.integers(0, 2, (60, 5))
    assert door.read((steps, whole), task="regression")[0].num_outputs == 5
    assert door.read((steps, ones), task="multilabel")[0].num_outputs == 5
    info, _ = door.read((steps, np.eye(5, dtype=int)[whole[:, 0] % 5]))
    assert (info.task, info.num_outputs) == ("classification", 5)
    for y in (whole, ones):
        with pytest.raises(zoo.InputError, match="one class for each step"):
            door.read((steps, y))

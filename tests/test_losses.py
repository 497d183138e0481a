"""Losses and class weights: numbers of Keras's own losses, exact weights, and clear words for what does not fit."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from tolerances import ORDER, ROUNDING, TRAINED, assert_close

import zoo
from zoo import tasks
from zoo.config.config import OptimizerConfig, TrainConfig
from zoo.data import load as door
from zoo.keras_fixes import masked_loss
from zoo.tasks import losses
from zoo.training.command_line import from_command_line
from zoo.training.compile import class_weights
from zoo.training.fit import training_batches

RNG = np.random.default_rng(0)
LOGITS = (3 * RNG.normal(size=(6, 4))).astype("float32")
IDS = np.array([0, 3, 1, 2, 2, 0])
SHARES = RNG.dirichlet(np.ones(4), 6).astype("float32")
X = RNG.normal(size=(160, 5)).astype("float32")
RARE = np.where(X[:, 0] > 1, "rare", "common")


def quick(model="dense:tiny", data=(X, RARE), **options):
    return zoo.train(model, data, **{"quiet": True, "epochs": 1, "batch_size": 16, **options})


@pytest.mark.parametrize("targets", [IDS, IDS[:, None], np.eye(4, dtype="float32")[IDS], SHARES])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_the_loss_equals_keras_own(targets, smoothing, gamma):
    shares = targets if targets.shape == (6, 4) else np.eye(4, dtype="float32")[IDS]
    options = {"from_logits": True, "label_smoothing": smoothing}
    if gamma:
        twin = keras.losses.CategoricalFocalCrossentropy(alpha=1.0, gamma=gamma, **options)
    else:
        twin = keras.losses.CategoricalCrossentropy(**options)
    ours = losses.Crossentropy(smoothing, gamma)(targets, LOGITS)
    assert_close(ours, twin(shares, LOGITS), ORDER)


def test_a_loss_survives_its_config():
    again = keras.losses.deserialize(keras.losses.serialize(losses.Crossentropy(0.1, 2.0)))
    assert (again.label_smoothing, again.gamma) == (0.1, 2.0)


def test_a_loss_over_replicas_survives_its_config():
    loss = masked_loss.MeanOfAllReplicas(losses.Crossentropy(0.1, 2.0))
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert (again.loss.label_smoothing, again.loss.gamma, again.name) == (0.1, 2.0, loss.name)
    assert_close(again(IDS, LOGITS), loss.loss(IDS, LOGITS), ROUNDING)


def gradient(loss):
    logits = tf.constant([[30.0, 0.0]])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = loss(np.array([[0.0, 1.0]]), logits)
    return tape.gradient(value, logits).numpy()[0]


def test_the_hardest_examples_have_a_gradient():
    assert_close(gradient(losses.Crossentropy(gamma=2.0)), [1, -1], ROUNDING)


def test_accuracy_takes_class_ids_and_shares():
    guesses = LOGITS.argmax(1)
    for targets, right in ((IDS, IDS), (IDS[:, None], IDS), (SHARES, SHARES.argmax(1))):
        (metric,) = tasks.TASKS["classification"].metrics()
        metric.update_state(targets, LOGITS)
        assert_close(metric.result(), np.mean(guesses == right), ROUNDING, scale=1)


def test_mixed_labels_are_matched_from_one_half_on():
    (metric,) = tasks.TASKS["multilabel"].metrics()
    guesses = np.array([[2.0, 0.1, 0.1, -3.0]])
    metric.update_state(np.array([[1, 0.6, 0.4, 0]]), guesses)
    metric.update_state(np.array([[1, 1, 0, 0]]), guesses)  # as the data hold them
    assert_close(metric.result(), 3 / 4, ROUNDING)


def test_several_labels_have_a_focal_loss():
    targets, logits = np.array([[1.0, 0.0]]), np.array([[0.5, 9.0]], "float32")
    p = 1 / (1 + np.exp(-logits.astype("float64")))
    right = np.where(targets == 1, p, 1 - p)
    loss = tasks.TASKS["multilabel"].loss(OptimizerConfig(loss="focal"))
    assert_close(loss(targets, logits), np.mean((1 - right) ** 2 * -np.log(right)), ORDER)


@pytest.mark.slow
def test_several_labels_can_be_mixed_but_not_weighted(in_tmp):
    images = RNG.integers(0, 256, (80, 8, 8, 1)).astype("uint8")
    labels = RNG.integers(0, 2, (80, 3))
    trained = quick("cnn:tiny", (images, labels), augment="mixup", label_smoothing=0.1)
    assert 0.2 < trained.history.history["binary_accuracy"][0] < 0.8
    with pytest.raises(zoo.InputError, match="is a multilabel"):
        quick("cnn:tiny", (images, labels), class_weight="balanced")


def splits_of(labels, **options):
    info, examples = door.read((X, labels), test=(X[:8] + 9, labels[:8]))
    return door.make_splits(info, examples, batch_size=16, **options)


def test_balanced_weights_give_every_class_the_same_sum():
    splits = splits_of(RARE)
    targets = splits.targets("train")
    weights = class_weights("balanced", splits)
    counts = np.bincount(targets)
    assert_close(weights, len(targets) / (2 * counts), ROUNDING)
    assert_close(weights * counts, np.full(2, len(targets) / 2), ROUNDING)


def test_weights_by_label_are_those_of_their_class():
    labels = np.arange(160) % 3 + 7  # the labels are "7", "8", "9"
    weights = class_weights({9: 3.0, "7": 1.0, np.int64(8): 2}, splits_of(labels))
    np.testing.assert_array_equal(weights, [1, 2, 3])


def test_batches_carry_the_weights_of_their_labels():
    for x, y, weight in training_batches(splits_of(RARE), {"common": 1.0, "rare": 5.0}).take(3):
        assert len(x) == 16
        np.testing.assert_array_equal(weight, np.where(y == 1, 5, 1))
    assert len(next(iter(training_batches(splits_of(RARE))))) == 2


def test_a_mixed_label_weighs_the_mix_of_its_weights():
    splits = zoo.load_dataset("digits", limit=64, augment="mixup")
    weights = {label: i + 1.0 for i, label in enumerate(splits.info.labels)}
    _, targets, weight = next(training_batches(splits, weights).as_numpy_iterator())
    assert_close(weight, targets @ np.arange(1.0, 11), ORDER)
    assert not np.allclose(weight, np.argmax(targets, 1) + 1)  # what Keras's class_weight gives


def test_the_training_loss_is_weighted_and_the_validation_loss_is_not(in_tmp):
    options = {"learning_rate": 1e-9, "seed": 1}
    plain = quick(**options).history.history
    tripled = quick(class_weight={"common": 3.0, "rare": 3.0}, **options).history.history
    assert_close(tripled["loss"][0], 3 * plain["loss"][0], ORDER)
    assert_close(tripled["val_loss"][0], plain["val_loss"][0], ORDER)


@pytest.mark.slow
def test_balanced_weights_find_the_rare_class(in_tmp):
    x = RNG.normal(size=(2000, 2)).astype("float32")
    y = np.where(x[:, 0] + RNG.normal(size=2000) > 2.2, 1, 0)  # 6 % and not separable

    def recall(**options):
        trained = quick(data=(x, y), epochs=5, learning_rate=0.01, **options)
        guesses = zoo.load(trained.export).predict(x)["class_id"]
        return np.mean(guesses[y == 1] == 1)

    assert recall(class_weight="balanced") > 0.7 > recall()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"class_weight": {"common": 1.0}}, "lacks a weight for 'rare'"),
        ({"class_weight": {"common": 1.0, "rar": 2.0}}, "Did you mean 'rare'"),
        ({"class_weight": {"common": 1.0, "rare": 0.0}}, r"class_weight\['rare'\]` must be"),
        ({"class_weight": {"common": 1.0, "rare": -1}}, "above 0"),
        ({"class_weight": {"common": 1.0, "rare": float("nan")}}, "above 0"),
        ({"class_weight": {"common": 1.0, "rare": "2"}}, "above 0"),
        ({"class_weight": "balance"}, "Did you mean 'balanced'"),
        ({"loss": "focl"}, "Did you mean 'focal'"),
        ({"data": (X, X[:, 0]), "loss": "focal"}, "loss='focal' is for classification"),
        ({"data": (X, X[:, 0]), "class_weight": "balanced"}, "this task is a regression"),
        ({"data": (X, X[:, 0]), "label_smoothing": 0.1}, "label_smoothing=0.1"),
    ],
)
def test_what_does_not_fit_is_refused_before_training(options, words, in_tmp):
    with pytest.raises(zoo.InputError, match=words):
        quick(**options)
    assert not list(in_tmp.rglob("metrics.csv"))


def test_class_weights_on_the_command_line_and_in_yaml(tmp_path):
    def parse(*arguments):
        return from_command_line(TrainConfig(), "", ["--class-weight", *arguments]).optimizer

    assert parse("balanced").class_weight == "balanced"
    assert parse("a=1", "b=2.5").class_weight == {"a": 1, "b": 2.5}
    config = TrainConfig().replace(class_weight={np.str_("a"): np.float64(1.5), 2: 3})
    (tmp_path / "c.yaml").write_text(config.to_yaml())
    again = TrainConfig.from_yaml(tmp_path / "c.yaml")
    assert again.optimizer.class_weight == {"a": 1.5, "2": 3}


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"class_weight": "balanced"},
        {"class_weight": "balanced", "loss": "focal", "label_smoothing": 0.1},
        {"class_weight": "balanced", "loss": "focal", "augment": "mixup"},
    ],
    ids=lambda options: "-".join(map(str, options.values())),
)
def test_two_devices_train_to_the_weights_of_one(options):
    config = TrainConfig().replace(optimizer="sgd", learning_rate=0.1, **options)
    splits = zoo.load_dataset("digits", limit=100, augment=config.data.augment)
    splits = splits.mapped(zoo.prepare(splits))

    def train(strategy):
        with strategy.scope():
            keras.utils.set_random_seed(3)
            model = zoo.build("cnn:tiny", input_shape=(8, 8, 1), num_classes=10)
            zoo.compile_model(model, splits.info, config)
        model.fit(training_batches(splits, "balanced"), steps_per_epoch=3, verbose=0)
        return model.get_weights()

    one, two = train(zoo.make_strategy("one")), train(zoo.make_strategy("mirrored", replicas=2))
    for a, b in zip(one, two):
        assert_close(a, b, TRAINED, scale=np.abs(b).max(initial=0.1))


def test_every_setting_that_a_regression_has_not_is_refused():
    fields = {field.name for field in dataclasses.fields(OptimizerConfig)}
    for key, value in {"label_smoothing": 0.1, "loss": "focal", "class_weight": "balanced"}.items():
        assert key in fields
        with pytest.raises(zoo.InputError, match=key):
            tasks.TASKS["regression"].loss(OptimizerConfig(**{key: value}))

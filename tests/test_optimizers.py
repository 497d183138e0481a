"""Optimizers and schedules do what their names say."""

import dataclasses

import keras
import numpy as np
import pytest
from tolerances import PRINTED, ROUNDING, assert_close

import zoo
from zoo.config.config import OptimizerConfig, TrainConfig
from zoo.training.compile import OPTIMIZERS, compile_model, make_optimizer, make_schedule


def quadratic(optimizer, steps=3):
    """Steps on f(w) = 2 w² from w = 1; returns where each ends."""
    variable, path = keras.Variable([1.0]), []
    for _ in range(steps):
        optimizer.apply([4 * variable.value], [variable])
        path.append(float(variable.numpy()[0]))
    return path


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_every_optimizer_learns(name):
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    model = zoo.build_dense((4,), 2, units=(8,))
    optimizer = make_optimizer(OptimizerConfig(name=name, learning_rate=0.02), 100)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss)
    losses = model.fit(x, (x[:, 0] > 0).astype(int), epochs=12, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_is_that_of_the_formula(nesterov):
    rate, momentum = 0.05, 0.8
    config = OptimizerConfig(name="sgd", learning_rate=rate, momentum=momentum, nesterov=nesterov)
    w, velocity, expected = 1.0, 0.0, []
    for _ in range(3):
        gradient = 4 * w
        velocity = momentum * velocity - rate * gradient
        w += momentum * velocity - rate * gradient if nesterov else velocity
        expected.append(w)
    assert_close(quadratic(make_optimizer(config, 3)), expected, ROUNDING)


def test_muon_is_for_inner_matrices_alone():
    model = zoo.build(
        "cnn:text", input_shape=(None,), num_classes=2, vocabulary_size=9, embedding_dim=4
    )
    dense = zoo.build_dense((4,), 2, units=(8,))
    optimizer = make_optimizer(OptimizerConfig(name="muon"), 10)
    weights = model.trainable_variables + dense.trainable_variables
    optimizer.build(weights)
    inner = {w.path for w in weights if not optimizer._should_use_adamw(w)}
    assert inner == {"dense_1/kernel"}


def updated_by_muon(model, info):
    """The weights of a compiled model that Muon does not leave to Adam."""
    compile_model(model, info, TrainConfig().replace(optimizer="muon"), steps_per_epoch=3)
    optimizer = model.optimizer
    return {w.path for w in model.trainable_variables if not optimizer._should_use_adamw(w)}


def test_muon_leaves_whatever_layer_gives_an_output_to_adam(caplog):
    classes = zoo.load_dataset("digits").info
    inputs = keras.Input((8, 8, 1))
    inner = keras.layers.Dense(5, name="inner")(keras.layers.Flatten()(inputs))
    outputs = keras.layers.Activation("linear")(keras.layers.Dense(10, name="last")(inner))
    with caplog.at_level("INFO", "zoo"):
        assert updated_by_muon(keras.Model(inputs, outputs), classes) == {"inner/kernel"}
    assert "muon updates 1 of 4 weights, matrices within the network (inner/kernel)" in caplog.text
    images = dataclasses.replace(classes, task="generation")
    vae = zoo.build("vae:tiny", input_shape=(8, 8, 1))
    assert "decoder_output/kernel" not in updated_by_muon(vae, images)
    assert "log_variance/kernel" not in updated_by_muon(vae, images)


@pytest.mark.parametrize(("name", "more"), [("resnet:tiny", {}), ("cnn:tiny", {"units": ()})])
def test_muon_without_a_matrix_to_update_is_refused(name, more):
    classes = zoo.load_dataset("digits").info
    model = zoo.build(name, input_shape=(8, 8, 1), num_classes=10, **more)
    with pytest.raises(zoo.InputError, match="has none .*convolutions.*pass 'adam'"):
        updated_by_muon(model, classes)


def test_plateau_halves_the_rate_when_nothing_gets_better(in_tmp):
    x = np.random.default_rng(0).normal(size=(90, 3)).astype("float32")
    noise = np.arange(90) % 2  # nothing to learn
    options = {"learning_rate": 1e-6, "epochs": 9, "quiet": True, "schedule": "plateau"}
    rates = zoo.train("dense:tiny", (x, noise), **options).history.history["learning_rate"]
    assert_close(rates[0], 1e-6, ROUNDING)
    assert_close(rates[-1], 0.25e-6, ROUNDING)


@pytest.mark.parametrize(
    ("options", "at_0", "at_25", "at_100"),
    [
        ({"schedule": "constant"}, 1, 1, 1),
        ({"schedule": "constant", "warmup": 0.25}, 0, 1, 1),
        ({"schedule": "cosine"}, 1, 0.8536, 0),
        ({"schedule": "one_cycle"}, 1 / 25, 1, 0),
        ({"schedule": "coslog4"}, 0, 0.49349, 0),
        ({"schedule": "coslog4", "warmup": 0.5}, 0, 0.24674, 0),
        ({"schedule": "piecewise"}, 1, 1, 0.01),
        ({"schedule": "piecewise", "warmup": 0.5}, 0, 0.5, 0.01),
        ({"schedule": "plateau"}, 1, 1, 1),
    ],
)
def test_schedules(options, at_0, at_25, at_100):
    schedule = make_schedule(OptimizerConfig(learning_rate=2.0, **options), 100)
    rates = [float(schedule(step)) if callable(schedule) else schedule for step in (0, 25, 100)]
    assert_close(rates, [2 * at_0, 2 * at_25, 2 * at_100], PRINTED)


def test_weight_decay_leaves_biases_and_normalizations_out():
    model = zoo.build_dense((4,), 2, normalization="batch")
    optimizer = make_optimizer(OptimizerConfig(name="adamw", weight_decay=0.1), 10)
    optimizer.build(model.trainable_variables)
    decayed = {w.path for w in model.trainable_variables if optimizer._use_weight_decay(w)}
    assert decayed == {w.path for w in model.trainable_variables if w.path.endswith("kernel")}


def test_rms_normalizations_are_not_decayed():
    model = zoo.build(
        "transformer:tiny",
        input_shape=(None,),
        num_classes=2,
        vocabulary_size=9,
        normalization="rms",
    )
    optimizer = make_optimizer(OptimizerConfig(name="adamw", weight_decay=0.1), 10)
    kept = {w.name for w in model.trainable_variables if not optimizer._use_weight_decay(w)}
    assert kept == {"scale", "bias"}
    assert optimizer._use_weight_decay(keras.Variable([1.0], name="scale_of_images"))


@pytest.mark.parametrize(("decay", "left"), [(0.0, 1.0), (0.5, 0.95), (None, 0.9996)])
def test_muon_decays_all_weights_alike(decay, left):
    model = zoo.build("cnn:tiny", input_shape=(8, 8, 1), num_classes=3, normalization="batch")
    weights = model.trainable_variables
    for weight in weights:
        weight.assign(np.ones(weight.shape))
    config = OptimizerConfig(name="muon", learning_rate=0.1, weight_decay=decay)
    make_optimizer(config, 10).apply([np.zeros(w.shape, "float32") for w in weights], weights)
    for weight in weights:
        expected = left if weight.name == "kernel" else 1.0
        assert_close(weight, np.full(weight.shape, expected), ROUNDING)


def test_beta_2_reaches_the_optimizers_that_have_one():
    for name in ("adam", "adamw", "nadam"):
        assert make_optimizer(OptimizerConfig(name=name, beta_2=0.95), 100).beta_2 == 0.95
    make_optimizer(
        OptimizerConfig(name="sgd", beta_2=0.95), 100
    )  # that of a size whose optimizer is another one


def test_a_schedule_without_its_length_is_refused():
    info = zoo.load_dataset("wine").info
    model = zoo.build("dense:tiny", input_shape=(13,), num_classes=3)
    with pytest.raises(zoo.InputError, match="steps_per_epoch"):
        zoo.compile_model(model, info, TrainConfig().replace(schedule="cosine"))


@pytest.mark.parametrize("name", ["adam", "sgd"])
def test_a_saved_model_names_an_optimizer_of_plain_keras(name):
    config = OptimizerConfig(name=name, clip_norm=1.0)
    for replicas in (1, 2):
        saved = keras.saving.serialize_keras_object(make_optimizer(config, 10, replicas=replicas))
        assert saved["module"] == "keras.optimizers"
        assert keras.saving.deserialize_keras_object(saved).global_clipnorm == 1.0


def scaled(optimizer):
    return keras.optimizers.LossScaleOptimizer(optimizer)


@pytest.mark.parametrize("wrap", [lambda optimizer: optimizer, scaled], ids=["plain", "scaled"])
@pytest.mark.parametrize("way", ["argument", "compiled"])
def test_an_optimizer_that_leaves_other_weights_than_its_average_is_refused(way, wrap, in_tmp):
    optimizer, x = wrap(keras.optimizers.ScheduleFreeAdamW()), np.zeros((60, 3))
    model = zoo.build("dense:tiny", input_shape=(3,), num_classes=2)
    options = {"optimizer": optimizer} if way == "argument" else {}
    if way == "compiled":
        model.compile(optimizer, "sparse_categorical_crossentropy")
    with pytest.raises(zoo.InputError, match="ScheduleFreeAdamW trains at other weights.*ema="):
        zoo.train(model, (x + np.arange(60)[:, None], np.arange(60) % 2), quiet=True, **options)
    assert not list(in_tmp.rglob("metrics.csv"))


def test_keras_still_leaves_the_average_of_schedule_free_training_out():
    """Fails once Keras puts it into the model: then it need not be refused."""
    variable = keras.Variable([1.0])
    optimizer = keras.optimizers.ScheduleFreeAdamW(0.5)
    for _ in range(3):
        optimizer.apply([4 * variable.value], [variable])
    left, base = variable.numpy().copy(), optimizer.variables[2].numpy()
    optimizer.finalize_variable_values([variable])
    np.testing.assert_array_equal(variable.numpy(), left)
    average = (left - (1 - optimizer.beta_1) * base) / optimizer.beta_1
    assert np.abs(average - left).max() > 1e-3

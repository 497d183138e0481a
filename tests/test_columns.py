"""Dense networks for tables: embeddings of numbers, members of an ensemble, and what the data say of them."""

import functools

import keras
import numpy as np
import pandas as pd
import pytest
from tolerances import KERNELS, PRINTED, ROUNDING, assert_close

import zoo
from zoo import api
from zoo.config.config import DistillConfig, TrainConfig
from zoo.config.recommended import RECOMMENDED, settings_of
from zoo.data import quantiles
from zoo.models import columns
from zoo.training.command_line import from_command_line
from zoo.training.distill import Distillation

RNG = np.random.default_rng(0)
ENDS = (-2.0, -1.0, -1.0, 0.5, 3.0)
X = RNG.normal(size=(300, 3)).astype("float32") * 2


def randomized(layer, inputs):
    """A layer, built, with weights that are all random; its outputs."""
    layer(inputs)
    layer.set_weights([RNG.normal(size=w.shape).astype("float32") for w in layer.weights])
    return keras.ops.convert_to_numpy(layer(inputs))


def robust(x):
    quarters = np.interp((0.25, 0.5, 0.75), np.linspace(0, 1, 5), ENDS)
    x = (x - quarters[1]) / (quarters[2] - quarters[0])
    return x / np.sqrt(1 + (x / 3) ** 2)


def test_a_piecewise_embedding_is_the_formula():
    layer = columns.PiecewiseEmbedding((ENDS, None, ENDS), embedding_dim=4)
    found = randomized(layer, X)
    kernel, line, bias = map(np.array, layer.get_weights())
    parts = []
    for n, x in enumerate(X[:, [0, 2]].T):
        ends = np.unique(ENDS)  # the bin without a width is none
        bins = (x[:, None] - ends[:-1]) / np.diff(ends)
        bins = np.stack(
            [np.clip(bins[:, 0], -8, 1), np.clip(bins[:, 1], 0, 1), np.clip(bins[:, 2], 0, 8)], 1
        )
        parts.append(bins @ kernel[n] + robust(x)[:, None] * line[n] + bias[n])
    assert_close(found, np.concatenate([*parts, X[:, 1:2]], axis=1), KERNELS)


def test_a_periodic_embedding_is_the_formula():
    layer = columns.PeriodicEmbedding((ENDS, None, ENDS), embedding_dim=4, num_frequencies=5)
    found = randomized(layer, X)
    frequencies, phases, kernel, bias = (0.1 * np.array(w) for w in layer.get_weights())
    parts = []
    for n, x in enumerate(X[:, [0, 2]].T):
        x = robust(x)[:, None]
        waves = np.cos(2 * np.pi * x * frequencies[n] + phases[n])
        parts += [x, waves @ kernel[n] + bias[n]]
    assert_close(found, np.concatenate([*parts, X[:, 1:2]], axis=1), KERNELS)


def test_a_number_far_away_is_clipped_smoothly_and_a_column_of_one_common_value_is_scaled_by_its_range():
    common = (0.0,) * 4 + (10.0,)  # its quartiles are alike
    layer = columns.PeriodicEmbedding((common,), embedding_dim=2)
    far = np.array([[0.0], [10.0], [1e9], [-1e9]], "float32")
    layer(far)
    scaled = keras.ops.convert_to_numpy(layer.robust(far))[:, 0, 0]
    assert_close(scaled, [0.0, 2 / np.sqrt(1 + 4 / 9), 3.0, -3.0], ROUNDING)


def ensemble(average, outputs=3, **options):
    options = {"units": (8,), "members": 4, "average": average, **options}
    return zoo.build_dense((3,), outputs, **options)


@pytest.mark.parametrize("average", columns.AVERAGES)
def test_an_ensemble_answers_by_the_mean_of_its_members(average):
    model = ensemble(average)
    members = keras.ops.convert_to_numpy(model(X, training=True))  # no dropout
    found = keras.ops.convert_to_numpy(model(X, training=False))
    assert (members.shape, found.shape) == ((300, 4, 3), (300, 3))
    assert np.ptp(members, axis=1).min() > 0
    of = {
        "values": lambda x: x,
        "softmax": lambda x: keras.ops.convert_to_numpy(keras.ops.softmax(x)),
        "sigmoid": lambda x: keras.ops.convert_to_numpy(keras.ops.sigmoid(x)),
    }[average]
    assert_close(of(found), of(members).mean(1), KERNELS)


def test_an_ensemble_trains_on_the_mean_of_its_members_losses_and_shows_the_metrics_of_the_mean():
    model, y = ensemble("softmax"), RNG.integers(3, size=300)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, metrics=["accuracy"])
    members, weights = model(X, training=True), RNG.random(300).astype("float32")
    for given in (None, weights):
        each = [float(loss(y, members[:, k], sample_weight=given)) for k in range(4)]
        assert_close(float(model.compute_loss(X, y, members, given)), np.mean(each), KERNELS)
    told = model.compute_metrics(X, y, members)["accuracy"]
    right = keras.ops.convert_to_numpy(model(X, training=False)).argmax(1) == y
    assert_close(float(told), right.mean(), ROUNDING)


def test_each_member_of_an_ensemble_learns_from_a_teacher():
    teacher, student = zoo.build_dense((3,), 3, units=()), ensemble("softmax")
    distil = Distillation(teacher, DistillConfig(teacher="named", teacher_weight=1.0))
    members = student(X, training=True)
    for weights in (None, RNG.random(300).astype("float32")):
        each = [float(distil(0.0, X, members[:, k], weights)) for k in range(4)]
        assert_close(float(distil(0.0, X, members, weights)), np.mean(each), KERNELS)


def test_members_begin_apart_and_parts_of_an_embedding_alike():
    model = ensemble("values", embedding="piecewise", quantiles=(ENDS, None, ENDS))
    scale = np.array(model.get_layer("members").scale)
    assert scale.shape == (4, 33)
    assert np.ptp(scale[:, :16], axis=1).max() == np.ptp(scale[:, 16:32], axis=1).max() == 0
    assert len(np.unique(scale)) == 4 * 3


TABLE = pd.DataFrame({
    "size": np.where(RNG.random(400) < 0.1, np.nan, RNG.normal(size=400)),
    "kind": RNG.choice(["a", "b", "c"], 400),
    "count": RNG.integers(9, size=400),
})  # fmt: skip
TABLE["y"] = np.where(TABLE["kind"] == "a", TABLE["count"], TABLE["size"].fillna(5)) > 2


@functools.cache
def trained(folder):
    options = {"target": "y", "epochs": 2, "quiet": True, "out": str(folder)}
    return zoo.train("dense:ensemble", TABLE, model_args={"members": 3, "units": (8,)}, **options)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("columns") / "run")


def test_what_is_a_number_is_told_from_the_prepared_training_rows(made):
    arguments = zoo.load(made.export).card.builder.arguments
    ends = arguments["quantiles"]  # count, four of kind, size, and whether it is missing
    assert [e is None for e in ends] == [False, True, True, True, True, False, True]
    assert arguments["average"] == "softmax"
    assert [len(ends[i]) for i in (0, 5)] == [9, 49]


def test_an_exported_ensemble_is_built_again_and_answers_alike(made):
    built, prepared = zoo.build(weights=made.export), RNG.normal(size=(20, 7)).astype("float32")
    assert type(built).__name__ == "EnsembleModel"
    assert_close(built(prepared), made.network(prepared), KERNELS)
    found = zoo.load(made.export).predict(TABLE.drop(columns="y"))["probabilities"]
    assert_close(found.sum(1), np.ones(len(TABLE)), KERNELS)
    assert_close(made.model.predict(TABLE.drop(columns="y")).shape, found.shape, ROUNDING)


def test_quantiles_are_of_training_rows_alone_and_of_few_digits():
    splits = zoo.load_dataset("wine")
    splits = splits.mapped(zoo.prepare(splits))
    found = quantiles.of_training(splits.preparation.inputs, splits)
    rows = np.array(splits.preparation.inputs(splits.examples["train"].inputs))
    assert len(found) == 13
    assert found[4][0] == pytest.approx(rows[:, 4].min(), rel=1e-5)
    arguments = splits.preparation.arguments_of("dense:tabular")
    assert arguments["quantiles"] == found
    assert "quantiles" not in splits.preparation.arguments_of("dense:small")


def test_knots_share_the_values_but_for_common_ones():
    smooth = RNG.normal(size=5000)
    assert_close(quantiles.knots(smooth, 9), np.quantile(smooth, np.linspace(0, 1, 9)), PRINTED)
    gains = np.concatenate([np.zeros(5000), RNG.uniform(10, 20, size=400)])
    found = quantiles.knots(gains, 9)
    assert found[0] == 0
    assert_close(found[1:], np.quantile(gains[5000:], np.linspace(0, 1, 8)), PRINTED)
    assert quantiles.knots(RNG.integers(3, size=99), 9) == (0.0, 1.0, 2.0)
    assert quantiles.knots(np.ones(9)) is None


def test_a_size_brings_its_settings_and_those_that_are_said_win():
    recommended = RECOMMENDED["dense:tabular"]
    assert settings_of("dense:tabular") == recommended
    plain = from_command_line(TrainConfig(), "", ["--model", "dense:tabular"])
    assert plain == TrainConfig().replace(model="dense:tabular", **recommended)
    said = ["--model=dense:tabular", "--epochs", "10", "--schedule", "constant"]
    told = from_command_line(TrainConfig(), "", said)
    assert (told.run.epochs, told.optimizer.schedule) == (10, "constant")
    assert told.optimizer.learning_rate == recommended["learning_rate"]
    assert from_command_line(TrainConfig(), "", []) == TrainConfig()


def test_python_brings_them_too_unless_a_config_says_all():
    begun = api._begun_with
    assert begun(None, {}, "dense:tabular").data.batch_size == 256
    assert begun({"batch_size": 8}, {}, "dense:tabular").data.batch_size == 8
    assert begun(TrainConfig(), {}, "dense:tabular") == TrainConfig()
    assert begun(None, {}, None) == begun(None, {}, "cnn:base") == TrainConfig()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"embedding": "periodc"}, "Did you mean 'periodic'"),
        ({"members": 0}, "members"),
        ({"average": "mean"}, "'values'"),
        ({"ntk": "yes"}, "ntk"),
        ({"quantiles": (ENDS,)}, "each of the 3 features"),
        ({"quantiles": (ENDS, None, (2, 1))}, "two or more numbers that rise"),
    ],
)
def test_wrong_arguments_say_what_is_right(options, words):
    with pytest.raises(zoo.InputError, match=words):
        zoo.build_dense((3,), 2, **options)

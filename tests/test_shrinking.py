"""Smaller models: the zeros are where they should be, in the file too, and what cannot be is refused."""

from pathlib import Path

import keras
import numpy as np
import pytest
from tolerances import INT4, INT8, KERNELS, assert_close

import zoo
from zoo import shrinking
from zoo.models.layers import all_layers
from zoo.saving import golden_check, store, trained


class Watch(keras.callbacks.Callback):
    """The share of zeros after each step."""

    def __init__(self):
        super().__init__()
        self.shares = []

    def on_train_batch_end(self, batch, logs=None):
        self.shares.append(
            [np.mean(weight.numpy() == 0) for weight in shrinking.kernels(self.model)]
        )


def small_model():
    keras.utils.set_random_seed(0)
    model = zoo.build("dense:tiny", input_shape=(6,), num_classes=2)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def fit(model, callbacks, epochs=2):
    x = np.random.default_rng(0).normal(size=(80, 6)).astype("float32")
    model.fit(x, x[:, 0] > 0, batch_size=8, epochs=epochs, callbacks=callbacks, verbose=0)


def test_zeros_rise_by_the_cubic_schedule_and_stay():
    model, watch = small_model(), Watch()
    fit(model, [shrinking.Pruning(0.75, 10), watch])
    shares = np.array(watch.shares)  # [20 steps, kernels]
    wanted = 0.75 * (1 - (1 - np.minimum(np.arange(1, 21) / 10, 1)) ** 3)
    sizes = [np.prod(weight.shape) for weight in shrinking.kernels(model)]
    found = np.average(shares, axis=1, weights=sizes)
    assert found == pytest.approx(wanted, abs=0.5 / sum(sizes) + 1e-9)
    assert all(np.all(bias.numpy() != 0) for bias in model.trainable_weights if len(bias.shape) < 2)


def test_the_smallest_weights_go():
    weight = keras.Variable(np.array([[0.1, -3.0], [0.2, 1.0]]))
    (mask,) = shrinking.smallest([weight], 0.5)
    np.testing.assert_array_equal(mask, [[True, False], [True, False]])
    assert not shrinking.smallest([weight], 0.0)[0].any()


def test_layers_compare_by_their_share_of_what_is_left():
    """Scores of the paper's definition, by hand: w² / Σ u² over the u of the layer that are not smaller."""
    flat, two = np.array([[10.0, 10.1, 10.2, 10.3]]), np.array([[1.0, 1.2]])
    # Scores about 1/4, 1/3, 1/2, 1 and 0.41, 1: four of them go.
    first, second = shrinking.smallest([keras.Variable(flat), keras.Variable(two)], 4 / 6)
    np.testing.assert_array_equal(first, [[True, True, True, False]])
    np.testing.assert_array_equal(second, [[True, False]])
    other, _ = shrinking.smallest([keras.Variable(1e-3 * flat), keras.Variable(two)], 4 / 6)
    np.testing.assert_array_equal(other, first)  # whatever the scale of a layer


def test_a_layer_keeps_a_weight_and_zeros_stay_zeros():
    rng = np.random.default_rng(0)
    weights = [keras.Variable(rng.normal(size=shape)) for shape in ((2, 1), (40, 50))]
    masks = shrinking.smallest(weights, 0.95)
    assert all((~mask).any() for mask in masks)
    shrinking._zero(weights, masks)
    again = shrinking.smallest([*weights, keras.Variable(np.zeros((3, 3)))], 0.95)
    assert all(np.all(after[before]) for before, after in zip(masks, again))


def test_masks_come_back_when_a_run_goes_on():
    """A callback of a resumed run has no masks: those that it makes hold the zeros that are there."""
    model = small_model()
    fit(model, [shrinking.Pruning(0.5, 10)])
    zeros = [weight.numpy() == 0 for weight in shrinking.kernels(model)]
    fit(model, [shrinking.Pruning(0.5, 10)], epochs=1)  # the optimizer has counted 20 steps
    for before, weight in zip(zeros, shrinking.kernels(model), strict=True):
        np.testing.assert_array_equal(weight.numpy() == 0, before)


@pytest.mark.parametrize("fine_tune", [0, pytest.param(8, marks=pytest.mark.slow)])
def test_a_pruned_export_has_its_zeros_and_its_score(fine_tune, in_tmp):
    report, path = zoo.shrink("wine_dense", prune=0.5, fine_tune=fine_tune, quiet=True)
    assert shrinking.sparsity(path) == pytest.approx(0.5, abs=0.01)
    zoo.verify(path)
    model, splits = zoo.load(path), zoo.load_dataset("wine")
    columns = dict(zip(splits.info.columns, splits.pick("test", range(report.num_test)).T))
    right = model.predict(columns)["class_id"] == splits.targets("test")
    assert report.scores["accuracy"] == pytest.approx(np.mean(right))
    assert model.card.runs[0].shrunk["prune"] == 0.5
    assert "50% of the elements of all kernels of wine_dense together" in (path / "assets.extra/card.md").read_text()  # fmt: skip
    if fine_tune:
        assert report.scores["accuracy"] > 0.9


@pytest.mark.parametrize("mode", ["int8", pytest.param("int4", marks=pytest.mark.slow)])
def test_a_quantized_export_is_smaller_and_is_rebuilt(mode, in_tmp):
    report, path = zoo.shrink("wine_dense", quantize=mode, quiet=True)
    assert report.scores["accuracy"] > 0.9
    before, after = (store.weights_size(p) for p in (store.find("wine_dense"), path))
    assert after < 0.5 * before
    assert zoo.verify(path)["largest_difference"] <= golden_check.TOLERANCE
    splits = zoo.load_dataset("wine")
    rows = splits.pick("test", range(10))
    rebuilt = zoo.build(weights=path)(zoo.prepare(splits).inputs(rows))
    served = zoo.load(path).predict(dict(zip(splits.info.columns, rows.T)))["probabilities"]
    assert_close(keras.ops.softmax(rebuilt), served, KERNELS, scale=1)
    head = zoo.build(weights=path, num_classes=5).get_layer("logits")
    assert [w.path for w in head.trainable_weights] == ["logits/kernel", "logits/bias"]
    with pytest.raises(zoo.InputError, match=f"weights in {mode}, which cannot be trained"):
        zoo.train(str(path), "wine", epochs=1, quiet=True, out="further")
    for options in ({"quantize": "int8"}, {"prune": 0.5}):
        with pytest.raises(zoo.InputError, match="quantized already"):
            zoo.shrink(path, out="again", **options)
    assert not Path("again").exists()


def test_quantized_weights_are_neither_trained_nor_adapted(in_tmp):
    """What Keras's LoRA learns beside weights of 4 bits is rounded away when both are added up; of 8 bits, in part."""
    x, y = np.random.default_rng(0).normal(size=(60, 6)), np.arange(60) % 2
    for mode in shrinking.MODES:
        model = zoo.build("dense:tiny", input_shape=(6,), num_classes=2)
        trained.quantize(model, mode)
        with pytest.raises(zoo.InputError, match=f"weights in {mode}: what is trained beside them"):
            zoo.enable_lora(model, 2)
        assert not any("lora" in weight.path for weight in model.weights)
        with pytest.raises(zoo.InputError, match=f"weights in {mode}, which cannot be trained"):
            zoo.train(model, (x, y), epochs=1, quiet=True)
    assert not list(in_tmp.rglob("metrics.csv"))


TOKENS = {
    "recurrent": ("recurrent:tiny", {}, ["embedding", "logits"]),
    "segments": (
        "transformer:tiny",
        {"separator": 7},
        ["embedding", "down", "up", "out", "query_key_value", "logits"],
    ),
    "tied": (
        "transformer:tiny",
        {"tied": True, "pooling": "none", "num_classes": 100},
        ["embedding", "down", "up", "out", "query_key_value"],
    ),
}


@pytest.mark.parametrize("mode", ["int8", "int4"])
@pytest.mark.parametrize(("size", "options", "quantized"), TOKENS.values(), ids=TOKENS)
def test_embeddings_of_every_kind_are_quantized(size, options, quantized, mode):
    options = {"input_shape": (None,), "num_classes": 3, "vocabulary_size": 100} | options
    model, small = zoo.build(size, **options), zoo.build(size, **options)
    small.set_weights(model.get_weights())
    share = trained.quantize(small, mode)
    layers = [layer for layer in all_layers(small) if layer.quantization_mode == mode]
    assert {layer.name for layer in layers} == set(quantized)
    held = sum(layer.count_params() for layer in all_layers(model) if layer.name in quantized)
    assert share == pytest.approx(held / model.count_params())
    ids = np.random.default_rng(0).integers(1, 100, (8, 20))
    ids[:, 15:] = 0
    answers = [keras.ops.softmax(each(ids)) for each in (model, small)]
    assert_close(answers[1], answers[0], INT8 if mode == "int8" else INT4, scale=1)


@pytest.mark.slow
def test_a_smaller_size_learns_from_the_model(in_tmp):
    report, path = zoo.shrink("digits_cnn", distill="tiny", epochs=3, quiet=True)
    card = zoo.load(path).card
    assert (card.builder.family, card.builder.size) == ("cnn", "tiny")
    assert card.config["distill"]["teacher"].endswith(str(store.find("digits_cnn")))
    assert report.scores["accuracy"] > 0.2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "Ask for one of prune, quantize, distill and members. Received: none of them"),
        ({"prune": 0.5, "quantize": "int8"}, "Received: prune, quantize"),
        ({"prune": 1.0}, "prune"),
        ({"quantize": "int3"}, "Unknown quantize 'int3'"),
        ({"quantize": "int8", "fine_tune": 3}, "fine_tune is for prune"),
        ({"distill": "huge"}, "Unknown size of dense 'huge'"),
        ({"members": 2}, "of wine_dense: it has none"),
        ({"members": 0}, "members"),
    ],
)
def test_what_cannot_be_is_refused_at_once(options, message, in_tmp):
    with pytest.raises(zoo.InputError, match=message):
        zoo.shrink("wine_dense", **options)
    assert not Path("runs").exists()


def test_an_ensemble_is_cut_to_its_first_members(in_tmp):
    options = {
        "model_args": {"members": 3, "units": (8,)},
        "epochs": 1,
        "batch_size": 32,
        "quiet": True,
    }
    whole = zoo.train("dense:ensemble", "wine", **options)
    report, path = zoo.shrink(whole.export, members=2, quiet=True)
    card = zoo.load(path).card
    assert card.builder.arguments["members"] == 2
    assert card.runs[0].shrunk["members"] == 2
    assert "cut: the first 2 members of" in (path / "assets.extra/card.md").read_text()
    cut = zoo.build(weights=path)
    for fewer, weight in zip(cut.weights, whole.network.weights, strict=True):
        values = np.array(weight)
        np.testing.assert_array_equal(fewer, values if fewer.shape == weight.shape else values[:2])
    with pytest.raises(zoo.InputError, match="it has 2"):
        zoo.shrink(path, members=2)


def test_a_model_of_other_data_is_refused(in_tmp):
    x = np.random.default_rng(0).normal(size=(60, 3))
    trained = zoo.train("dense:tiny", (x, x[:, 0] > 0), epochs=1, batch_size=8, quiet=True)
    with pytest.raises(zoo.InputError, match="data of its maker's own"):
        zoo.shrink(trained.export, prune=0.5)


def test_too_few_zeros_in_the_file_are_noticed(in_tmp):
    with pytest.raises(zoo.InputError, match="asked for were 50.0%"):
        shrinking._check_sparsity(store.find("wine_dense"), 0.5)

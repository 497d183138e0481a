"""Promises that every row of the table keeps on any Keras backend."""

import functools
import inspect
import json

import keras
import numpy as np
import pytest
from table import (
    EAGER,
    EXTREME,
    KINDS,
    SAMPLES,
    SIZES,
    STATEFUL,
    answer,
    by_shape,
    logits_of,
    loss_of,
    quick_of,
    rows,
    sample_of,
    set_ramp,
    tiny,
)
from tolerances import KERNELS, assert_close

import zoo
from zoo import families, summary


def test_the_table_is_complete():
    builders = {
        name for name in zoo.__all__ if name.startswith("build_") and callable(getattr(zoo, name))
    }
    assert builders == {row.build.__name__ for row in families.FAMILIES.values()}
    for name, row in families.FAMILIES.items():
        assert "tiny" in row.sizes, name
        assert row.build.__name__ == f"build_{name}"
        assert row.reference
        assert row.samples


@functools.cache
def built_by_shape(name, size, again=False):
    """A size without its weights' memory: one model for the tests that only look at it, or a second one."""
    with by_shape():
        return summary.build_for_info(f"{name}:{size}", num_classes=7)


@pytest.mark.parametrize(("name", "size"), SIZES)
def test_every_size_builds_by_shape_only(name, size):
    model = built_by_shape(name, size)
    if families.FAMILIES[name].has_classes:
        assert model.output.shape[-1] == 7
    assert model.count_params() > 0


@pytest.mark.parametrize(
    ("name", "shape", "classes", "published"),
    [
        ("cnn:small", (28, 28, 1), 10, 421_642),
        ("cnn:valid", (28, 28, 1), 10, 225_034),
        ("cnn:lenet5", (32, 32, 1), 10, 61_706),
        # Kim 2014 by hand: embedding, three widths of 100 filters with biases, logits.
        ("cnn:text", (None,), 2, 20_000 * 300 + (3 + 4 + 5) * 300 * 100 + 300 + 300 * 2 + 2),
        # 64-64 and 256-128-64 by hand: kernels, biases, and four vectors per batch normalization.
        ("dense:small", (784,), 10, 784 * 64 + 64 + 64 * 64 + 64 + 64 * 10 + 10),
        (
            "dense:base",
            (20,),
            3,
            (20 * 256 + 256 * 5) + (256 * 128 + 128 * 5) + (128 * 64 + 64 * 5) + (64 * 3 + 3),
        ),
    ],
)
def test_parameter_counts_are_the_published_ones(name, shape, classes, published):
    data = {"input_shape": shape, "num_classes": classes}
    if shape == families.TOKENS:
        data["vocabulary_size"] = 20_000
    assert zoo.build(name, **data).count_params() == published


# Trainable: He et al. 2016, table 6 (rounded there), and torchvision's models.
@pytest.mark.parametrize(
    ("size", "shape", "classes", "published"),
    [
        ("20", (32, 32, 3), 10, 269_722),
        ("32", (32, 32, 3), 10, 464_154),
        ("44", (32, 32, 3), 10, 658_586),
        ("56", (32, 32, 3), 10, 853_018),
        ("110", (32, 32, 3), 10, 1_727_962),
        ("18", (224, 224, 3), 1000, 11_689_512),
        ("34", (224, 224, 3), 1000, 21_797_672),
        ("50", (224, 224, 3), 1000, 25_557_032),
        ("101", (224, 224, 3), 1000, 44_549_160),
        ("152", (224, 224, 3), 1000, 60_192_808),
    ],
)
def test_residual_networks_have_the_published_parameters(size, shape, classes, published):
    with by_shape():
        model = zoo.build(f"resnet:{size}", input_shape=shape, num_classes=classes)
    assert sum(int(np.prod(w.shape)) for w in model.trainable_weights) == published


def test_cnn_base_stays_under_100_thousand_parameters():
    assert zoo.build("cnn:base", input_shape=(28, 28, 1), num_classes=10).count_params() < 100_000


@pytest.mark.parametrize(("name", "size"), SIZES)
def test_names_are_unique_and_stable(name, size):
    names, inputs = [], {"source", "target"} if name == "seq2seq" else {"inputs"}
    for model in (built_by_shape(name, size), built_by_shape(name, size, again=True)):
        names.append([layer.name for layer in model.layers])
        paths = [weight.path for weight in model.trainable_weights]
        assert len(set(paths)) == len(paths)
    assert names[0] == names[1]
    assert {tensor.name for tensor in model.inputs} == inputs
    assert names[0][0] in inputs
    assert names[0][-1] == "logits"
    assert model.name == name


@pytest.mark.parametrize(("name", "task", "index"), SAMPLES)
def test_it_learns_its_sample_through_every_weight(name, task, index):
    keras.utils.set_random_seed(0)
    model, sample = tiny(name, task, index)
    model.compile(keras.optimizers.Adam(0.01), loss_of(task))
    before = [keras.ops.convert_to_numpy(w) for w in model.trainable_weights]
    losses = model.fit(sample.inputs, sample.targets, epochs=30, batch_size=8, verbose=0).history
    assert losses["loss"][-1] < 0.7 * losses["loss"][0]
    for weight, old in zip(model.trainable_weights, before):
        new = keras.ops.convert_to_numpy(weight)
        assert np.isfinite(new).all(), weight.path
        assert not np.array_equal(new, old), weight.path  # a weight without a gradient would stay


@pytest.mark.parametrize(("name", "task", "index"), KINDS)
def test_same_seed_same_weights_other_seed_others(name, task, index):
    built = []
    for seed in (1, 1, 2):
        keras.utils.set_random_seed(seed)
        built.append(tiny(name, task, index)[0].get_weights())
    assert all(np.array_equal(a, b) for a, b in zip(built[0], built[1]))
    assert not all(np.array_equal(a, b) for a, b in zip(built[0], built[2]))


@pytest.mark.parametrize(("name", "task", "index"), SAMPLES)
def test_round_trips_keep_the_outputs(name, task, index, tmp_path):
    model, sample = tiny(name, task, index, **EXTREME[name])
    set_ramp(model)
    expected = answer(model, sample.inputs)
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    keras.tree.map_structure(np.testing.assert_array_equal, answer(loaded, sample.inputs), expected)
    twin = keras.Model.from_config(json.loads(json.dumps(model.get_config())))
    twin.set_weights(model.get_weights())
    keras.tree.map_structure(np.testing.assert_array_equal, answer(twin, sample.inputs), expected)


@pytest.mark.parametrize(("name", "task", "index"), KINDS)
def test_the_batch_size_does_not_change_the_answer(name, task, index):
    model, sample = tiny(name, task, index, **EXTREME[name])
    set_ramp(model)
    whole = answer(model, sample.inputs)
    one = answer(model, rows(sample.inputs, 1))
    assert_close(rows(whole, 1), one, KERNELS)


@pytest.mark.parametrize(("name", "task", "index"), KINDS)
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_is_finite_and_ends_in_float32(name, task, index, policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model, sample = tiny(name, task, index, **EXTREME[name])
        model.compile("sgd", loss_of(task), run_eagerly=EAGER)
        history = model.fit(sample.inputs, sample.targets, epochs=1, verbose=0)
        outputs = answer(model, sample.inputs)
    finally:
        keras.config.set_dtype_policy(before)
    for output in keras.tree.flatten(outputs):
        assert output.dtype == np.float32
        assert np.isfinite(output).all()
    assert np.isfinite(history.history["loss"]).all()


# Keras's recurrent layers take no adapters: without an embedding there is nothing but the last layer.
ADAPTABLE = [param for param in KINDS if param.values != ("recurrent", "classification", 0)]
ADAPTABLE = quick_of(ADAPTABLE, "dense", "transformer")


@pytest.mark.parametrize(("name", "task", "index"), ADAPTABLE)
def test_low_rank_adaptation_trains_beside_fixed_weights(name, task, index, tmp_path):
    keras.utils.set_random_seed(0)
    model, sample = tiny(name, task, index, **STATEFUL.get(name, {}))
    before = {w.path: keras.ops.convert_to_numpy(w) for w in model.weights}
    outputs = answer(model, sample.inputs)
    zoo.enable_lora(model, 2)
    assert_close(answer(model, sample.inputs), outputs, KERNELS)
    model.compile(keras.optimizers.Adam(0.01), loss_of(task), run_eagerly=EAGER)
    losses = model.fit(sample.inputs, sample.targets, epochs=10, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    for weight in model.weights:
        if weight.path in before and not weight.path.startswith("logits/"):
            np.testing.assert_array_equal(weight, before[weight.path], err_msg=weight.path)
    trained = [w.path for w in model.trainable_weights]
    assert any("lora" in path for path in trained)
    assert all("lora" in path or path.startswith("logits/") for path in trained)
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    expected = answer(model, sample.inputs)
    assert_close(answer(loaded, sample.inputs), expected, KERNELS)


SPACES = [
    pytest.param(name, space, id=f"{name}-{getattr(space, '__name__', '')}")
    for name, row in families.FAMILIES.items()
    for space in (row.search_space, *row.spaces.values())
]


@pytest.mark.parametrize(("name", "space"), SPACES)
def test_search_space_gives_arguments_that_build(name, space):
    keras_tuner = pytest.importorskip("keras_tuner")
    row = families.FAMILIES[name]
    task = next(iter(row.samples))
    data = sample_of(name, task, 0).arguments
    hp = keras_tuner.HyperParameters()
    space(hp)
    rng = np.random.default_rng(0)
    for _ in range(5):
        for entry in hp.space:
            hp.values[entry.name] = entry.random_sample(seed=int(rng.integers(1 << 30)))
        arguments = space(hp)
        assert set(arguments) <= set(inspect.signature(row.build).parameters)
        model = row.build(**{**data, **arguments})
        assert logits_of(model).shape[-1] == data.get("num_classes", data["input_shape"][-1])


def test_without_classes_the_features_come_out():
    for name, row in families.FAMILIES.items():
        if not row.has_classes:
            continue
        features, _ = tiny(name, next(iter(row.samples)), num_classes=None)
        assert features.layers[-1].name != "logits"


def test_one_dimensional_inputs_pass_through_the_same_cnn():
    model = zoo.build_cnn((100, 3), 5, filters=(4, 8), normalization="batch")
    assert isinstance(model.get_layer("conv_1_1"), keras.layers.Conv1D)
    assert model.predict(np.zeros((2, 100, 3), "float32"), verbose=0).shape == (2, 5)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: zoo.build_dense((4,), 0), "num_classes"),
        (lambda: zoo.build_dense((), 3), "input_shape"),
        (lambda: zoo.build_dense((4,), 3, units=(8, -1)), "units"),
        (lambda: zoo.build_dense((4,), 3, units=8), r"units=\(64, 64\)"),
        (lambda: zoo.build_dense((4,), 3, dropout=1.0), "below 1"),
        (lambda: zoo.build_dense((4,), 3, activation="rellu"), "keras.activations"),
        (lambda: zoo.build_dense((4,), 3, normalization="bach"), "Did you mean 'batch'"),
        (lambda: zoo.build_dense((4,), 3, l2=-1), "l2"),
        (
            lambda: zoo.build_cnn((28, 28), 3, filters=(8,), padding="valid", kernel_size=30),
            "too small",
        ),
        (lambda: zoo.build_cnn((28, 28, 1, 1), 3), "2 or 3 dimensions"),
        (lambda: zoo.build_cnn((8, 8, 1), 3, filters=(4, 4, 4, 4)), "fewer `filters`"),
        (lambda: zoo.build_cnn((8, 8, 1), 3, padding="sam"), "Did you mean 'same'"),
        (lambda: zoo.build_cnn((None,), 3), "vocabulary_size=20000"),
        (
            lambda: zoo.build("cnn:text", input_shape=(None,), num_classes=2),
            "vocabulary_size=20000",
        ),
        (
            lambda: zoo.build("cnn:text", input_shape=(28, 28, 1), num_classes=2),
            "are for token ids",
        ),
        (lambda: zoo.build_cnn((8, 8, 1), 3, vocabulary_size=9), r"is \(steps,\), or \(None,\)"),
        (lambda: zoo.build_cnn((0,), 3, vocabulary_size=9), "input_shape"),
        (lambda: zoo.build_cnn((9,), 3, vocabulary_size=0), "vocabulary_size"),
        (lambda: zoo.build_cnn((9,), 3, vocabulary_size=9, padding="valid"), "padding='same'"),
        (lambda: zoo.build_cnn((9,), 3, vocabulary_size=9, embedding_dim=0), "embedding_dim"),
        (
            lambda: zoo.build_cnn((9,), 3, vocabulary_size=9, kernel_size=(3, 4)),
            r"one stage of one convolution.* filters=\(32, 64\)",
        ),
        (
            lambda: zoo.build_cnn((9,), 3, vocabulary_size=9, filters=(4,), kernel_size=(3, 3)),
            "each width once",
        ),
        (lambda: zoo.build_resnet((32, 32), 3), "input_shape"),
        (lambda: zoo.build_resnet((32, 32, 3), 3, blocks=(2, 2)), r"blocks=\(2, 2, 2\)"),
        (lambda: zoo.build_resnet((2, 32, 3), 3), "at least 3 pixels"),
        (
            lambda: zoo.build("resnet:18", input_shape=(16, 40, 3), num_classes=3),
            "at least 17 pixels",
        ),
        (lambda: zoo.build_resnet((32, 32, 3), 3, shortcut="padd"), "Did you mean 'pad'"),
        (lambda: zoo.build_resnet((32, 32, 3), 3, stem="5x5"), "'7x7'"),
        (lambda: zoo.build_resnet((32, 32, 3), 3, filters=(8, 8, 4)), "shortcut='project'"),
        (lambda: zoo.build_recurrent((9,), 3), r"\(100, 3\) for sequences"),
        (lambda: zoo.build_recurrent((0, 3), 3), "input_shape"),
        (lambda: zoo.build_recurrent((None, None), 3), "input_shape"),
        (lambda: zoo.build_recurrent((None, 8, 1), 3), "input_shape"),
        (lambda: zoo.build_recurrent((9, 3), 3, vocabulary_size=9), r"or \(None,\)"),
        (lambda: zoo.build_recurrent((9, 3), 3, cell="gruu"), "Did you mean 'gru'"),
        (lambda: zoo.build_recurrent((9, 3), 3, pooling="average"), "'mean'"),
        (lambda: zoo.build_recurrent((9, 3), 3, units=(64, 64)), "units=32"),
        (lambda: zoo.build_recurrent((9, 3), 3, num_layers=0), "num_layers"),
        (lambda: zoo.build_recurrent((9, 3), 3, bidirectional="yes"), "bidirectional"),
        (lambda: zoo.build_recurrent((9, 3), 3, recurrent_dropout=1.0), "recurrent_dropout"),
        (lambda: zoo.build_recurrent((9, 3), 3, embedding_dropout=0.1), "token ids"),
        (lambda: zoo.build_cnn((None, 3), 3), "input_shape"),
        (lambda: zoo.build("cn", input_shape=(8, 8, 1), num_classes=3), "Did you mean 'cnn'"),
        (lambda: zoo.build("cnn:smal", input_shape=(8, 8, 1), num_classes=3), "'small'"),
        (lambda: zoo.build("cnn", input_shape=(8, 8, 1), num_classes=3, filter=(4,)), "'filters'"),
        (lambda: zoo.build("cnn"), "needs input_shape and num_classes"),
        (lambda: zoo.build(), "Pass a family"),
        (lambda: zoo.list_models(family="resnets"), "Unknown family"),
        (lambda: zoo.list_models(task="classify"), "classification"),
    ],
)
def test_wrong_arguments_raise_the_right_words(call, words):
    with pytest.raises(zoo.InputError, match=words):
        call()


def test_list_models_filters():
    assert zoo.list_models("*:tiny") == [f"{name}:tiny" for name in families.FAMILIES]
    assert all(name.startswith("cnn:") for name in zoo.list_models("cnn"))
    assert zoo.list_models(task="regression", family="dense") == zoo.list_models("dense:*")
    assert zoo.list_models("nothing*") == []

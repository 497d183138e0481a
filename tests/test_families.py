"""Promises that every row of the table keeps on any Keras backend."""

import inspect
import json

import keras
import numpy as np
import pytest

import zoo
from zoo import families

ROWS = [(name, row) for name, row in families.FAMILIES.items()]
SIZES = [(name, size) for name, row in ROWS for size in row.sizes]
SAMPLES = [
    pytest.param(name, task, i, id=f"{name}-{task}-{i}")
    for name, row in ROWS
    for task, make in row.samples.items()
    for i in range(len(make()))
]
EXTREME = {
    "dense": {"dropout": 0.3, "normalization": "batch"},
    "cnn": {"dropout": 0.3, "normalization": "batch"},
}


def tiny(name, task="classification", index=0, **overrides):
    """The tiny size on a sample of the table; returns model and sample."""
    row = families.FAMILIES[name]
    sample = row.samples[task]()[index]
    return row.build(**{**row.sizes["tiny"], **sample.arguments, **overrides}), sample


def set_ramp(model):
    """Gives every element of every weight another value, so that no two weights can be swapped unnoticed."""
    start = 1
    for weight in model.weights:
        if weight.dtype == "float32":
            count = int(np.prod(weight.shape))
            weight.assign(np.reshape(np.linspace(0.01, 0.5, count) + start * 1e-3, weight.shape))
            start += 1


def loss_of(task):
    if task == "classification":
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return keras.losses.MeanSquaredError()


def test_the_table_is_complete():
    builders = {
        name for name in zoo.__all__ if name.startswith("build_") and callable(getattr(zoo, name))
    }
    assert builders == {row.build.__name__ for _, row in ROWS}
    for name, row in ROWS:
        assert "tiny" in row.sizes, name
        assert row.build.__name__ == f"build_{name}"
        assert row.reference
        assert row.samples


@pytest.mark.parametrize(("name", "size"), SIZES)
def test_every_size_builds_by_shape_only(name, size):
    shape = {"lenet5": (32, 32, 1)}.get(size, (28, 28, 1))
    with keras.StatelessScope(initialize_variables=False):
        model = zoo.build(name, size=size, input_shape=shape, num_classes=7)
    assert model.output_shape == (None, 7)
    assert model.count_params() > 0


@pytest.mark.parametrize(
    ("name", "shape", "classes", "published"),
    [
        ("cnn:small", (28, 28, 1), 10, 421_642),
        ("cnn:valid", (28, 28, 1), 10, 225_034),
        ("cnn:lenet5", (32, 32, 1), 10, 61_706),
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
    assert zoo.build(name, input_shape=shape, num_classes=classes).count_params() == published


def test_cnn_base_stays_under_100_thousand_parameters():
    assert zoo.build("cnn:base", input_shape=(28, 28, 1), num_classes=10).count_params() < 100_000


@pytest.mark.parametrize(("name", "size"), SIZES)
def test_names_are_unique_and_stable(name, size):
    shape = {"lenet5": (32, 32, 1)}.get(size, (28, 28, 1))
    names = []
    for _ in range(2):
        model = zoo.build(name, size=size, input_shape=shape, num_classes=3)
        names.append([layer.name for layer in model.layers])
        paths = [weight.path for weight in model.trainable_weights]
        assert len(set(paths)) == len(paths)
    assert names[0] == names[1]
    assert names[0][0] == "inputs"
    assert names[0][-1] == "logits"
    assert model.name == name


@pytest.mark.parametrize(("name", "task", "index"), SAMPLES)
def test_it_learns_its_sample_through_every_weight(name, task, index):
    keras.utils.set_random_seed(0)
    model, sample = tiny(name, task, index)
    model.compile(keras.optimizers.Adam(0.01), loss_of(task))
    before = [keras.ops.convert_to_numpy(w) for w in model.trainable_weights]
    first = model.evaluate(sample.inputs, sample.targets, verbose=0)
    model.fit(sample.inputs, sample.targets, epochs=30, batch_size=8, verbose=0)
    last = model.evaluate(sample.inputs, sample.targets, verbose=0)
    assert last < 0.7 * first
    for weight, old in zip(model.trainable_weights, before):
        new = keras.ops.convert_to_numpy(weight)
        assert np.isfinite(new).all(), weight.path
        assert not np.array_equal(new, old), weight.path  # a weight without a gradient would stay


@pytest.mark.parametrize("name", list(families.FAMILIES))
def test_same_seed_same_weights_other_seed_others(name):
    built = []
    for seed in (1, 1, 2):
        keras.utils.set_random_seed(seed)
        built.append(tiny(name)[0].get_weights())
    assert all(np.array_equal(a, b) for a, b in zip(built[0], built[1]))
    assert not all(np.array_equal(a, b) for a, b in zip(built[0], built[2]))


@pytest.mark.parametrize(("name", "task", "index"), SAMPLES)
def test_round_trips_keep_the_outputs(name, task, index, tmp_path):
    model, sample = tiny(name, task, index, **EXTREME[name])
    set_ramp(model)
    expected = model.predict(sample.inputs, verbose=0)
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(loaded.predict(sample.inputs, verbose=0), expected)
    twin = keras.Model.from_config(json.loads(json.dumps(model.get_config())))
    twin.set_weights(model.get_weights())
    np.testing.assert_array_equal(twin.predict(sample.inputs, verbose=0), expected)


@pytest.mark.parametrize("name", list(families.FAMILIES))
def test_the_batch_size_does_not_change_the_answer(name):
    model, sample = tiny(name, **EXTREME[name])
    set_ramp(model)
    whole = model.predict(sample.inputs, verbose=0)
    one = model.predict(sample.inputs[:1], verbose=0)
    np.testing.assert_allclose(
        whole[:1], one, rtol=1e-5
    )  # kernels differ by batch size in the last bits


@pytest.mark.parametrize("name", list(families.FAMILIES))
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_is_finite_and_ends_in_float32(name, policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model, sample = tiny(name, **EXTREME[name])
        model.compile("sgd", loss_of("classification"))
        history = model.fit(sample.inputs, sample.targets, epochs=1, verbose=0)
        outputs = model.predict(sample.inputs, verbose=0)
    finally:
        keras.config.set_dtype_policy(before)
    assert outputs.dtype == np.float32
    assert np.isfinite(outputs).all()
    assert np.isfinite(history.history["loss"]).all()


@pytest.mark.parametrize("name", list(families.FAMILIES))
def test_search_space_gives_arguments_that_build(name):
    keras_tuner = pytest.importorskip("keras_tuner")
    row = families.FAMILIES[name]
    hp = keras_tuner.HyperParameters()
    row.search_space(hp)
    rng = np.random.default_rng(0)
    for _ in range(5):
        for entry in hp.space:
            hp.values[entry.name] = entry.random_sample(seed=int(rng.integers(1 << 30)))
        arguments = row.search_space(hp)
        assert set(arguments) <= set(inspect.signature(row.build).parameters)
        assert row.build((16, 16, 1), 3, **arguments).output_shape == (None, 3)


def test_without_classes_the_features_come_out():
    for name in families.FAMILIES:
        features = zoo.build(f"{name}:tiny", input_shape=(8, 8, 1), num_classes=None)
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

"""Promises of every family that takes token ids: padding never changes a result, and an empty text is harmless."""

import keras
import numpy as np
import pytest
from table import TOKENS, tiny
from tolerances import KERNELS, ORDER, TORCH, assert_close

import zoo
from zoo.models import layers

VARIANTS = {
    "cnn": [
        {"normalization": "batch", "convs_per_stage": 2},
        {"filters": (6,), "kernel_size": (2, 3, 4), "normalization": "layer"},
    ],
    "transformer": [
        {"pooling": "cls", "positions": 20, "norm_first": False},
        {"positions": "rotary", "normalization": "rms", "activation": "swiglu"},
        {"separator": 3},
    ],
    "recurrent": [
        {"bidirectional": True, "normalization": "batch", "pooling": "mean"},
        {"cell": "gru", "bidirectional": True, "normalization": "layer", "pooling": "max"},
        {"cell": "rnn", "num_layers": 2},
    ],
    "bag": [{}, {"ngrams": 5, "columns": 2}],
}
CASES = [
    pytest.param(*param.values, arguments, id=f"{param.id}-{i}")
    for param in TOKENS
    for i, arguments in enumerate(VARIANTS[param.values[0]])
]


def random_model(name, task, index, arguments):
    """A tiny model in which what padding leaves behind would show: no shift and no average is 0."""
    keras.utils.set_random_seed(0)
    model, sample = tiny(name, task, index, **arguments)
    rng = np.random.default_rng(0)
    for weight in model.weights:
        values = rng.normal(size=weight.shape)
        weight.assign(np.abs(values) + 0.5 if "variance" in weight.path else values)
    return model, sample


@pytest.mark.parametrize(("name", "task", "index", "arguments"), CASES)
def test_padding_never_changes_a_prediction(name, task, index, arguments):
    model, sample = random_model(name, task, index, arguments)
    ids = np.concatenate(
        [sample.inputs, np.zeros_like(sample.inputs[:1])]
    )  # the last text is empty
    expected = model(ids)
    assert np.isfinite(expected).all()
    padded = model(np.pad(ids, ((0, 0), (0, 8))))
    assert_close(padded, expected, KERNELS)
    for text, theirs in zip(ids, expected):
        alone = model(text[None, : max(1, (text != 0).sum())])
        assert_close(alone[0], theirs, KERNELS)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "task", "index", "arguments"), CASES)
def test_padding_never_changes_what_is_learned(name, task, index, arguments):
    """The gradients, and the moving averages of batch normalization."""
    trained = []
    for more in (0, 8):
        model, sample = random_model(name, task, index, arguments)
        model.compile(keras.optimizers.SGD(0.1), "mse", run_eagerly=True)
        targets = np.eye(3)[sample.targets]
        model.train_on_batch(np.pad(sample.inputs, ((0, 0), (0, more))), targets)
        trained.append(model.get_weights())
    for a, b in zip(*trained):
        assert_close(a, b, ORDER)


@pytest.mark.parametrize(
    "jit", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["plain", "xla"]
)
@pytest.mark.parametrize(("name", "task", "index", "arguments"), CASES)
def test_empty_texts_train_to_finite_weights(name, task, index, arguments, jit):
    model, sample = random_model(name, task, index, arguments)
    model.compile("sgd", "mse", jit_compile=jit)
    targets = np.eye(3)[sample.targets]
    some = sample.inputs * (np.arange(len(targets)) % 2)[:, None]
    for ids in (some, np.zeros_like(some)):
        assert np.isfinite(model.train_on_batch(ids, targets))
        assert all(np.isfinite(weight).all() for weight in model.get_weights())


@pytest.mark.parametrize(
    "arguments", [{"filters": (4, 8)}, {"filters": (4,), "kernel_size": (2, 3)}]
)
def test_an_empty_text_has_no_features(arguments):
    model = zoo.build_cnn((None,), None, vocabulary_size=9, units=(), **arguments)
    features = np.asarray(model(np.array([[0, 0, 0], [1, 0, 0]])))
    assert not features[0].any()
    assert features[1].any()


@pytest.mark.parametrize("steps", [1, 4])
def test_texts_of_a_fixed_length_are_the_same_model(steps):
    models = []
    for shape in ((steps,), (None,)):
        keras.utils.set_random_seed(0)
        models.append(zoo.build_cnn(shape, 3, vocabulary_size=9, filters=(4, 8), units=()))
    ids = np.random.default_rng(0).integers(0, 9, (5, steps))
    assert_close(models[0](ids), models[1](ids), KERNELS)


def test_pooled_windows_and_their_mask():
    layer = layers.MaskedMaxPooling1D(2)
    x = np.array([[[-3.0], [-4.0], [-5.0], [9.0], [9.0]]])
    mask = np.array([[True, True, True, False, False]])
    np.testing.assert_array_equal(layer(x, mask=mask), [[[-3.0], [-5.0], [0.0]]])
    np.testing.assert_array_equal(layer.compute_mask(x, mask), [[True, True, False]])
    np.testing.assert_array_equal(layer(x), [[[-3.0], [9.0], [9.0]]])
    assert layer.compute_output_shape((None, 5, 1)) == (None, 3, 1)
    assert layer.compute_mask(x) is None


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_windows_start_at_the_first_step_whatever_the_padding(size, dtype):
    layer = layers.MaskedMaxPooling1D(size, dtype=dtype)
    x = -np.arange(1.0, 6.0)[None, :, None] * [1, -1]
    alone = [x[:, i : i + size].max(1) for i in range(0, 5, size)]
    for more in range(4):
        padded = np.pad(x, [(0, 0), (0, more), (0, 0)])
        mask = np.arange(5 + more)[None] < 5
        pooled = np.asarray(layer(padded, mask=mask), "float32")
        assert pooled.shape[1] == layer.compute_output_shape(padded.shape)[1]
        np.testing.assert_array_equal(pooled[:, : len(alone)], np.stack(alone, 1))
        assert not pooled[:, len(alone) :].any()
        assert np.sum(layer.compute_mask(padded, mask)) == len(alone)
    np.testing.assert_array_equal(np.asarray(layer(x), "float32"), np.stack(alone, 1))


def torch_cnn(model, ids):
    """What the model computes of one text without padding, in PyTorch."""
    import torch
    from torch.nn import functional

    weights = {w.path: torch.tensor(keras.ops.convert_to_numpy(w)) for w in model.weights}

    def convolve(x, name):
        kernel = weights[f"{name}/kernel"].permute(2, 1, 0)
        return functional.conv1d(x, kernel, weights.get(f"{name}/bias"), padding="same")

    x = weights["embedding/embeddings"][torch.tensor(ids)].T[None]  # [1, D, T]
    stages = sum(layer.name.startswith("activation") for layer in model.layers)
    if stages == 1:
        names = [layer.name for layer in model.layers if layer.name.startswith("conv_")]
        x = torch.cat([convolve(x, name).amax(-1) for name in names], -1).relu()
    else:
        for stage in range(1, stages + 1):
            x = convolve(x, f"conv_{stage}_1")
            last = stage == stages
            x = x.amax(-1) if last else functional.max_pool1d(x, 2, ceil_mode=True)
            mean, variance, gamma, beta = (
                weights[f"norm_{stage}_1/{key}"]
                for key in ("moving_mean", "moving_variance", "gamma", "beta")
            )
            x = functional.batch_norm(x, mean, variance, gamma, beta, eps=1e-3).relu()
    return (x @ weights["logits/kernel"] + weights["logits/bias"])[0].numpy()


@pytest.mark.parametrize(
    "arguments",
    [
        {"filters": (6, 5, 4), "normalization": "batch"},
        {"filters": (6,), "kernel_size": (3, 4, 5)},
    ],
    ids=["stages", "kim"],
)
def test_texts_agree_with_pytorch(arguments):
    pytest.importorskip("torch", reason="PyTorch (the extra `parity`) is not installed")
    model, sample = random_model("cnn", "classification", 2, {**arguments, "units": ()})
    logits = model(sample.inputs)
    for ids, ours in zip(sample.inputs, logits):
        theirs = torch_cnn(model, ids[ids != 0])
        assert_close(ours, theirs, TORCH)

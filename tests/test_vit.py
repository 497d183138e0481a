"""Vision Transformers: numbers of PyTorch's, published parameters, stochastic depth, images of another size."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from table import by_shape
from test_transformer import gradients_of, torch_encoder
from tolerances import KERNELS, TORCH, assert_close

import zoo
from zoo.models import attention, vit
from zoo.training import replicas

PLAN = {"num_layers": 2, "hidden_dim": 12, "num_heads": 3, "intermediate_dim": 20}
COMPACT = {"filters": (5, 12), "pooling": "attention", "qkv_bias": False}


def random_model(input_shape, **arguments):
    """A small model with random weights, so that no two can be swapped unnoticed."""
    keras.utils.set_random_seed(0)
    model = zoo.build_vit(input_shape, 4, **{**PLAN, **arguments})
    rng = np.random.default_rng(0)
    for weight in model.trainable_weights:
        shift = 1.0 if weight.path.endswith("gamma") else 0.0
        weight.assign(rng.normal(size=weight.shape) * 0.3 + shift)
    return model


def images(*shape):
    return np.random.default_rng(2).normal(size=shape).astype("float32")


def torch_vit(weights, x, pooling, convolutions=0):
    """The whole model in PyTorch, from a dict of parameters by the names of Keras."""
    import torch
    from torch.nn import functional

    def kernel(name):
        return weights[f"{name}/kernel"].permute(3, 2, 0, 1)

    for i in range(1, convolutions + 1):
        x = functional.conv2d(x, kernel(f"conv_{i}"), padding=1).relu()
        x = functional.max_pool2d(x, 3, 2, 1)
    if not convolutions:
        size = kernel("patches").shape[-1]
        rows = -x.shape[2] % size  # to add, as many below as above
        x = functional.pad(x, (0, 0, rows // 2, rows - rows // 2))
        x = functional.conv2d(x, kernel("patches"), weights["patches/bias"], stride=size)
    x = x.flatten(2).transpose(1, 2)
    if pooling == "cls":
        token = weights["class_token/token/embeddings"]
        x = torch.cat([token.expand(len(x), 1, -1), x], 1)
    x = torch_encoder(weights, x + weights["positions/table/embeddings"], PLAN)
    if pooling == "cls":
        x = x[:, 0]
    elif pooling == "mean":
        x = x.mean(1)
    else:
        shares = (x @ weights["pool_scores/kernel"] + weights["pool_scores/bias"]).softmax(1)
        x = (shares.transpose(1, 2) @ x)[:, 0]
    return x @ weights["logits/kernel"] + weights["logits/bias"]


@pytest.mark.parametrize(
    ("shape", "arguments"),
    [
        ((8, 12, 3), {"pooling": "cls"}),
        ((10, 12, 2), {"pooling": "mean"}),  # padded to 12x12
        ((16, 13, 3), COMPACT),
    ],
    ids=["vit", "mean", "cct"],
)
def test_output_and_gradients_agree_with_pytorch(shape, arguments):
    torch = pytest.importorskip("torch", reason="PyTorch (the extra `parity`) is not installed")
    model, x = random_model(shape, **arguments), images(3, *shape)
    direction = np.random.default_rng(1).normal(size=(3, 4)).astype("float32")
    ours, gradients = gradients_of(model, x, direction)
    weights = {
        w.path: torch.tensor(np.asarray(w)).requires_grad_() for w in model.trainable_weights
    }
    theirs = torch_vit(
        weights,
        torch.tensor(x).permute(0, 3, 1, 2),
        arguments["pooling"],
        len(arguments.get("filters", ())),
    )
    (theirs * torch.tensor(direction)).sum().backward()
    assert_close(ours, theirs.detach().numpy(), TORCH)
    for path, gradient in gradients.items():
        if path == "pool_scores/bias":  # a softmax does not see it
            others = gradients["pool_scores/kernel"]
            assert_close(gradient, np.zeros_like(gradient), TORCH, scale=np.abs(others).max())
            continue
        expected = weights[path].grad.numpy()
        assert_close(gradient, expected, TORCH, np.abs(expected).max(initial=1e-3), path)


@pytest.mark.parametrize(
    ("size", "shape", "classes", "published"),
    [
        ("mnist", (28, 28, 1), 10, 456_394),
        ("cct_2_3x2", (32, 32, 3), 10, 283_723),
        ("ti_16", (224, 224, 3), 1000, 5_717_416),
        ("s_16", (224, 224, 3), 1000, 22_050_664),
        ("b_16", (224, 224, 3), 1000, 86_567_656),
        ("l_16", (224, 224, 3), 1000, 304_326_632),
    ],
)
def test_sizes_have_the_published_parameters(size, shape, classes, published):
    with by_shape():
        model = zoo.build(f"vit:{size}", input_shape=shape, num_classes=classes)
    assert model.count_params() == published


def test_stochastic_depth_leaves_out_branches_of_single_examples():
    block = attention.TransformerBlock(3, 8, drop_path=0.4)
    block.build((None, 5, 12))
    block.mlp.down.kernel.assign(keras.ops.zeros((8, 12)))  # one branch left to look at
    block.drop_branch.seed_generator.state.assign([1, 0])
    x = images(1, 5, 12)
    branch = np.asarray(block(x)) - x
    many = np.asarray(block(np.repeat(x, 4000, 0), training=True)) - x
    kept = np.abs(many).max((1, 2)) > 0
    expected = np.broadcast_to(branch / 0.6, many[kept].shape)
    assert_close(many[kept], expected, KERNELS, scale=np.abs(x).max())
    # 0.03: four standard errors of a share of 4000; the mean is then that of inference, as kept branches count 1 / 0.6.
    assert abs(kept.mean() - 0.6) < 0.03
    np.testing.assert_array_equal(np.asarray(block(x, training=False)) - x, branch)


def test_stochastic_depth_rises_over_the_blocks():
    model = zoo.build_vit((8, 8, 1), 2, num_layers=5, drop_path=0.2, remat=True)
    blocks = [model.get_layer(f"block_{i}") for i in range(1, 6)]
    assert [b.drop_path for b in blocks] == pytest.approx([0, 0.05, 0.1, 0.15, 0.2])
    assert all(block.remat for block in blocks)
    assert zoo.build_vit((8, 8, 1), 2, num_layers=1, drop_path=0.2).get_layer("block_1")


def test_stochastic_depth_differs_between_replicas_and_repeats_by_seed():
    strategy = zoo.make_strategy("mirrored", replicas=2)

    def outputs():
        with strategy.scope():
            model = random_model((8, 8, 1), drop_path=0.5)
            replicas.prepare_model(model, strategy)
        x = tf.repeat(images(1, 8, 8, 1), 16, 0)
        run = tf.function(lambda: strategy.run(lambda: model(x, training=True)))
        return [value.numpy() for value in strategy.experimental_local_results(run())]

    first, second = outputs(), outputs()
    assert np.abs(first[0] - first[1]).max() > 1e-2
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("arguments", [{"pooling": "cls"}, {"pooling": "mean"}, COMPACT])
def test_resized_positions_are_those_of_pytorch(arguments):
    torch = pytest.importorskip("torch", reason="PyTorch (the extra `parity`) is not installed")
    model = random_model((16, 24, 1), **arguments)
    for shape in [(32, 40, 1), (12, 8, 1)]:
        resized = vit.resize(model, shape)
        theirs = {w.path: np.asarray(w) for w in model.weights}
        for weight in resized.weights:
            expected = theirs[weight.path]
            if weight.path == "positions/table/embeddings":
                tokens = arguments["pooling"] == "cls"
                grid = torch.tensor(expected[tokens:]).T.reshape(1, -1, 4, 6)
                grid = torch.nn.functional.interpolate(  # as timm's resample_abs_pos_embed
                    grid, (shape[0] // 4, shape[1] // 4), mode="bicubic", antialias=True
                )
                expected = np.concatenate([expected[:tokens], grid[0].flatten(1).T.numpy()])
            assert_close(weight, expected, TORCH, err_msg=weight.path)
        assert resized.predict(images(2, *shape), verbose=0).shape == (2, 4)


def test_resized_to_its_own_size_a_model_stays_the_same():
    model, x = random_model((16, 24, 1)), images(2, 16, 24, 1)
    same = vit.resize(model, (16, 24, 1))
    assert_close(same(x), model(x), KERNELS)
    same.compile("sgd", "mse")
    same.train_on_batch(x, np.zeros((2, 4)))
    assert np.abs(np.asarray(same(x)) - np.asarray(model(x))).max() > 1e-3  # weights of its own


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: zoo.build_vit((8, 8), 3), "3 dimensions"),
        (lambda: zoo.build_vit((8, 8, 1), 3, num_heads=7), "hidden_dim=96, num_heads=7"),
        (lambda: zoo.build_vit((8, 8, 1), 3, patch_size=(4, 4)), "patch_size"),
        (lambda: zoo.build_vit((8, 8, 1), 3, filters=(8, 16)), r"filters=\(8, 96\)"),
        (lambda: zoo.build_vit((8, 8, 1), 3, pooling="max"), "'attention'"),
        (lambda: zoo.build_vit((8, 8, 1), 3, drop_path=1.0), "below 1"),
        (lambda: vit.resize(zoo.build_dense((4,), 2), (8, 8, 1)), "build_vit"),
        (lambda: vit.resize(random_model((8, 8, 1)), (8, 8, 3)), "1 channels"),
        (lambda: vit.resize(random_model((8, 8, 1)), 16), "one example"),
    ],
)
def test_wrong_arguments_raise_the_right_words(call, words):
    with pytest.raises(zoo.InputError, match=words):
        call()

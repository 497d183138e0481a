"""Promises that every row of the table keeps under TensorFlow: several devices, and numbers of PyTorch's."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from table import KINDS, STATEFUL, loss_of, tiny
from tolerances import COMPILERS, DEEP, ORDER, TORCH, TRAINED, assert_close, decided

import zoo
from zoo.config.config import OptimizerConfig
from zoo.training import replicas
from zoo.training.compile import make_optimizer


def train_once(name, task, index, strategy, optimizer, steps=3, jit=False):
    """A few steps on the sample from the same weights; returns the weights."""
    with strategy.scope():
        keras.utils.set_random_seed(3)
        one_sample = {"num_samples": 1} if name == "vae" else {}
        model, sample = tiny(name, task, index, **{**STATEFUL[name], **one_sample})
        replicas.prepare_model(model, strategy)
        if name == "vae":  # so little noise that the replicas' own does not matter
            model.get_layer("log_variance").bias.assign(np.full(2, -30.0))
        model.compile(
            make_optimizer(optimizer, steps, replicas=strategy.num_replicas_in_sync),
            loss_of(task),
            jit_compile=jit,
        )
    examples = (sample.inputs,) if sample.targets is None else (sample.inputs, sample.targets)
    data = tf.data.Dataset.from_tensor_slices(examples)
    model.fit(data.batch(8, drop_remainder=True), epochs=1, verbose=0, shuffle=False)
    return [
        keras.ops.convert_to_numpy(weight) for weight in model.weights if weight.dtype == "float32"
    ]


OPTIMIZERS = {
    "plain": {},
    "clip_norm": {"clip_norm": 0.05},
    "clip_value": {"clip_value": 0.01},
    "schedule_decay_ema": {"schedule": "cosine", "weight_decay": 0.1, "ema": 0.5},
}
# What optimizers do with a gradient is the same for all families, but for an embedding's sparse ones.
ALL = {("dense", 0), ("recurrent", 2)}
QUICK = {
    *(("dense", 0, key) for key in OPTIMIZERS),
    ("cnn", 0, "plain"),
    ("transformer", 1, "plain"),
}
TWO_DEVICES = [
    pytest.param(
        name,
        task,
        index,
        options,
        id=f"{name}-{index}-{key}",
        marks=[pytest.mark.slow] * ((name, index, key) not in QUICK),
    )
    for name, task, index in (param.values for param in KINDS)
    for key, options in OPTIMIZERS.items()
    if key == "plain" or (name, index) in ALL
]


@pytest.mark.parametrize(("name", "task", "index", "options"), TWO_DEVICES)
def test_two_devices_train_to_the_weights_of_one(name, task, index, options):
    optimizer = OptimizerConfig(name="sgd", learning_rate=0.1, **options)
    one = train_once(name, task, index, zoo.make_strategy("one"), optimizer)
    two = train_once(name, task, index, zoo.make_strategy("mirrored", replicas=2), optimizer)
    for a, b in zip(one, two):
        assert_close(a, b, TRAINED, scale=np.abs(b).max(initial=0.1))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "task", "index"), KINDS)
def test_a_training_step_compiles_under_xla_to_the_same_weights(name, task, index):
    """A TPU runs nothing else; XLA refuses shapes that it does not know, and operations that it lacks."""
    optimizer = OptimizerConfig(name="sgd", learning_rate=0.01)
    strategy = zoo.make_strategy("one")
    plain = train_once(name, task, index, strategy, optimizer)
    compiled = train_once(name, task, index, strategy, optimizer, jit=True)
    for a, b in zip(plain, compiled):
        assert_close(a, b, COMPILERS, scale=np.abs(b).max(initial=0.1))


def test_dropout_differs_between_replicas_and_repeats_by_seed():
    strategy = zoo.make_strategy("mirrored", replicas=2)

    def masks():
        with strategy.scope():
            keras.utils.set_random_seed(0)
            model = zoo.build_dense((64,), None, units=(), dropout=0.0)
            inputs = keras.Input((64,))
            model = keras.Model(inputs, keras.layers.Dropout(0.5, seed=1)(inputs))
            replicas.prepare_model(model, strategy)
        run = tf.function(lambda: strategy.run(lambda: model(tf.ones((1, 64)), training=True)))
        return [value.numpy() for value in strategy.experimental_local_results(run())]

    first, second = masks(), masks()
    assert not np.array_equal(first[0], first[1])
    np.testing.assert_array_equal(first, second)


def test_batch_normalization_is_synchronized_only_where_there_are_several_replicas():
    for strategy, expected in [
        (zoo.make_strategy("one"), False),
        (zoo.make_strategy("mirrored", replicas=2), True),
    ]:
        with strategy.scope():
            model = zoo.build("cnn:base", input_shape=(28, 28, 1), num_classes=3)
            replicas.prepare_model(model, strategy)
        norms = [
            layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)
        ]
        assert norms
        assert all(layer.synchronized is expected for layer in norms)


@pytest.mark.parametrize(
    "count", [*(pytest.param(n, marks=pytest.mark.slow) for n in (32, 33)), 41]
)
def test_last_batches_that_do_not_divide_by_the_replicas(count, in_tmp):
    strategy = zoo.make_strategy("mirrored", replicas=2)
    x = np.random.default_rng(0).normal(size=(count, 8, 8, 1)).astype("float32")
    trained = zoo.train(
        "cnn:tiny",
        (np.concatenate([x, -x]) + 0.1, np.arange(2 * count) % 3),
        test=(x, np.arange(count) % 3),
        model_args={"normalization": "batch"},
        batch_size=8,
        epochs=1,
        strategy="mirrored",
        replicas=2,
        quiet=True,
    )
    assert trained.network.distribute_strategy is strategy
    assert np.isfinite(trained.history.history["val_loss"]).all()
    served = zoo.load(trained.export).predict(x)  # on one device
    assert trained.report.num_test == count
    right, sure = served["class_id"] == np.arange(count) % 3, decided(served["probabilities"])
    hits = round(trained.report.scores["accuracy"] * count)
    assert (right & sure).sum() <= hits <= (right | ~sure).sum()


def torch_twin(model):
    """The same network in PyTorch, with the same weights."""
    import torch

    modules = []
    for layer in model.layers[1:]:
        weights = [torch.tensor(np.asarray(w)) for w in layer.get_weights()]
        if isinstance(layer, keras.layers.Conv2D):
            module = torch.nn.Conv2d(
                layer.kernel.shape[2],
                layer.filters,
                layer.kernel_size,
                padding=layer.padding,
                bias=layer.use_bias,
            )
            module.weight.data = weights[0].permute(3, 2, 0, 1).contiguous()
        elif isinstance(layer, keras.layers.Dense):
            module = torch.nn.Linear(layer.kernel.shape[0], layer.units)
            module.weight.data = weights[0].T.contiguous()
        elif isinstance(layer, keras.layers.BatchNormalization):
            module = torch.nn.BatchNorm2d(
                len(weights[0]), eps=layer.epsilon, momentum=1 - layer.momentum
            )
            module.weight.data, module.bias.data = weights[0], weights[1]
            modules.append(module)
            continue
        elif isinstance(layer, keras.layers.MaxPooling2D):
            module = torch.nn.MaxPool2d(2)
        elif isinstance(layer, keras.layers.Activation):
            module = torch.nn.ReLU()
        else:
            assert isinstance(layer, (keras.layers.Flatten, keras.layers.Dropout)), layer
            continue
        if len(weights) == 2:
            module.bias.data = weights[1]
        modules.append(module)
        if isinstance(layer, keras.layers.Dense) and layer.name != "logits":
            modules.append(torch.nn.ReLU())
    return modules


@pytest.mark.parametrize("size", ["cnn:small", "cnn:valid", "cnn:base", "dense:small"])
def test_outputs_and_gradients_agree_with_pytorch(size):
    torch = pytest.importorskip("torch", reason="PyTorch (the extra `parity`) is not installed")
    keras.utils.set_random_seed(0)
    model = zoo.build(size, input_shape=(12, 12, 2), num_classes=5, dropout=0.0)
    x = np.random.default_rng(0).normal(size=(6, 12, 12, 2)).astype("float32")
    y = np.arange(6) % 5

    with tf.GradientTape() as tape:
        logits = model(x, training=True)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits))
    gradients = dict(
        zip(
            [w.path for w in model.trainable_weights],
            tape.gradient(loss, [w.value for w in model.trainable_weights]),
        )
    )

    modules = torch_twin(model)
    h = torch.tensor(x).permute(0, 3, 1, 2) if size.startswith("cnn") else torch.tensor(x)
    flat = False
    for module in modules:
        if isinstance(module, torch.nn.Linear) and not flat:
            h = (h.permute(0, 2, 3, 1) if size.startswith("cnn") else h).reshape(6, -1)
            flat = True
        h = module(h)
    torch.nn.functional.cross_entropy(h, torch.tensor(y)).backward()

    assert_close(logits, h.detach().numpy(), TORCH)
    twins = [p for m in modules for p in m.parameters()]
    assert len(twins) == len(gradients)
    for (path, gradient), twin in zip(gradients.items(), twins):
        theirs = twin.grad.numpy()
        theirs = {4: lambda g: g.transpose(2, 3, 1, 0), 2: lambda g: g.T, 1: lambda g: g}[
            theirs.ndim
        ](theirs)
        assert_close(gradient, theirs, TORCH, np.abs(theirs).max(initial=1e-3), path)


def test_masked_batch_normalization_sees_the_global_batch():
    strategy = zoo.make_strategy("mirrored", replicas=2)
    ids = np.array([[1, 2, 3], [4, 0, 0]], "int32")  # one text for each device, of unlike lengths

    def moving_averages(strategy):
        with strategy.scope():
            keras.utils.set_random_seed(0)
            model = zoo.build_cnn((None,), 2, vocabulary_size=9, normalization="batch")
            replicas.prepare_model(model, strategy)
        norm = model.get_layer("norm_1_1")
        share = strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(
                ids[context.replica_id_in_sync_group :: context.num_replicas_in_sync]
            )
        )
        tf.function(lambda: strategy.run(lambda x: model(x, training=True), (share,)))()
        return [keras.ops.convert_to_numpy(w) for w in norm.non_trainable_weights]

    one = moving_averages(zoo.make_strategy("one"))
    for ours, theirs in zip(moving_averages(strategy), one):
        assert_close(ours, theirs, ORDER)


@pytest.mark.parametrize("options", [{"name": "adam"}, {"name": "sgd", "clip_norm": 0.05}])
def test_a_token_that_occurs_often_has_one_gradient(options):
    ids, targets = np.array([[1, 1, 1, 1, 1, 2, 3, 3]]), np.ones((1, 1))

    def train(optimizer, dense=False):
        keras.utils.set_random_seed(0)
        inputs = keras.Input((8,), dtype="int32")
        # One-hot times a matrix is an embedding whose gradient is one dense matrix.
        x = keras.ops.one_hot(inputs, 5) if dense else inputs
        table = keras.layers.Dense(4, use_bias=False) if dense else keras.layers.Embedding(5, 4)
        outputs = keras.layers.Dense(1)(keras.layers.Flatten()(table(x)))
        model = keras.Model(inputs, outputs)
        rng = np.random.default_rng(0)
        model.set_weights([rng.normal(size=weight.shape) for weight in model.weights])
        model.compile(optimizer, "mse", run_eagerly=True)
        for _ in range(3):
            model.train_on_batch(ids, targets)
        return model.get_weights()[0]

    config = OptimizerConfig(learning_rate=0.1, **options)
    expected = train(make_optimizer(config, 3), dense=True)
    assert_close(train(make_optimizer(config, 3)), expected, ORDER)


def torch_resnet(weights, x, *, filters, blocks, bottleneck, stem, shortcut):
    """The residual network in PyTorch, in training mode, from a dict of parameters by the names of Keras."""
    import torch
    from torch.nn import functional

    def convolve(x, name, stride=1):
        kernel = weights[f"{name}/kernel"]
        x = functional.conv2d(x, kernel, stride=stride, padding=kernel.shape[-1] // 2)
        gamma, beta = weights[f"{name}_norm/gamma"], weights[f"{name}_norm/beta"]
        return functional.batch_norm(x, None, None, gamma, beta, training=True, eps=1e-3)

    x = convolve(x, "stem", 2 if stem == "7x7" else 1).relu()
    if stem == "7x7":
        x = functional.max_pool2d(x, 3, 2, 1)
    for s in range(len(filters)):
        for b in range(blocks[s]):
            name, stride = f"stage_{s + 1}_block_{b + 1}", 2 if s and not b else 1
            if bottleneck:
                y = convolve(x, f"{name}_conv_1").relu()
                y = convolve(y, f"{name}_conv_2", stride).relu()
                y = convolve(y, f"{name}_conv_3")
            else:
                y = convolve(convolve(x, f"{name}_conv_1", stride).relu(), f"{name}_conv_2")
            if y.shape != x.shape and shortcut == "project":
                x = convolve(x, f"{name}_shortcut", stride)
            elif y.shape != x.shape:
                x = x[:, :, ::stride, ::stride]
                x = torch.cat([x, torch.zeros_like(y)[:, x.shape[1] :]], 1)
            x = (x + y).relu()
    return x.mean((2, 3)) @ weights["logits/kernel"] + weights["logits/bias"]


@pytest.mark.parametrize("bottleneck", [False, True])
@pytest.mark.parametrize(("stem", "shortcut"), [("3x3", "pad"), ("7x7", "project")])
@pytest.mark.parametrize("size", [(16, 16), (17, 21)], ids=["even", "odd"])
def test_residual_networks_agree_with_pytorch(size, stem, shortcut, bottleneck):
    torch = pytest.importorskip("torch", reason="PyTorch (the extra `parity`) is not installed")
    plan = {"filters": (4, 6, 8), "blocks": (2, 1, 2)}
    plan |= {"bottleneck": bottleneck, "stem": stem, "shortcut": shortcut}
    keras.utils.set_random_seed(0)
    model = zoo.build_resnet((*size, 3), 5, **plan)
    x = np.random.default_rng(0).normal(size=(8, *size, 3)).astype("float32")
    y = np.arange(8) % 5
    with tf.GradientTape() as tape:
        logits = model(x, training=True)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits))
    gradients = tape.gradient(loss, [w.value for w in model.trainable_weights])

    weights = {}
    for weight in model.trainable_weights:
        value = torch.tensor(weight.numpy())
        weights[weight.path] = value.permute(3, 2, 0, 1) if value.ndim == 4 else value
        weights[weight.path] = weights[weight.path].contiguous().requires_grad_()
    theirs = torch_resnet(weights, torch.tensor(x).permute(0, 3, 1, 2), **plan)
    torch.nn.functional.cross_entropy(theirs, torch.tensor(y)).backward()

    assert_close(logits, theirs.detach().numpy(), DEEP)
    for weight, ours in zip(model.trainable_weights, gradients):
        gradient = weights[weight.path].grad
        gradient = (gradient.permute(2, 3, 1, 0) if gradient.ndim == 4 else gradient).numpy()
        assert_close(ours, gradient, DEEP, np.abs(gradient).max(initial=1e-3), weight.path)

"""The Transformer encoder: numbers of PyTorch's, BERT's parameters, positions, segments, heads, remat."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import warm
from table import by_shape, set_ramp
from test_attention import numpy_sinusoids
from tolerances import KERNELS, ORDER, TORCH, TRAINED, assert_close

import zoo
from zoo import summary
from zoo.config.config import OptimizerConfig
from zoo.training import replicas
from zoo.training.compile import make_optimizer

IDS = np.array([[3, 7, 4, 2, 9, 6], [5, 4, 1, 1, 0, 0], [4, 0, 0, 0, 0, 0]])
PLAN = {"num_layers": 2, "hidden_dim": 12, "num_heads": 3, "intermediate_dim": 20, "dropout": 0.0}
BERT = {"norm_first": False, "positions": 8, "pooling": "cls", "separator": 4}
LLAMA = {"positions": "rotary", "normalization": "rms", "activation": "swiglu"}


def random_model(num_classes=4, **arguments):
    """A small model for ids below 10 with random weights, so that no two can be swapped unnoticed."""
    keras.utils.set_random_seed(0)
    model = zoo.build_transformer((None,), num_classes, vocabulary_size=10, **{**PLAN, **arguments})
    rng = np.random.default_rng(0)
    for weight in model.trainable_weights:
        shift = 1.0 if weight.path.endswith(("gamma", "scale")) else 0.0
        weight.assign(rng.normal(size=weight.shape) * 0.3 + shift)
    return model


def gradients_of(model, inputs, direction):
    with tf.GradientTape() as tape:
        outputs = model(inputs, training=True)
        loss = tf.reduce_sum(outputs * direction)
    gradients = tape.gradient(loss, [w.value for w in model.trainable_weights])
    paths = [w.path for w in model.trainable_weights]
    return outputs, {p: np.asarray(tf.convert_to_tensor(g)) for p, g in zip(paths, gradients)}


def torch_encoder(weights, x, plan, padding=None, norm_first=True):
    """PyTorch's own encoder over embeddings, its parameters those of the dict; theirs are transposed."""
    import torch

    width, heads, hidden = plan["hidden_dim"], plan["num_heads"], plan["intermediate_dim"]
    layer = torch.nn.TransformerEncoderLayer(
        width, heads, hidden, 0.0, "gelu", 1e-6, batch_first=True, norm_first=norm_first
    )
    norm = torch.nn.LayerNorm(width, 1e-6) if norm_first else None
    encoder = torch.nn.TransformerEncoder(layer, plan["num_layers"], norm, False)
    names = {
        "self_attn.in_proj_weight": "attention/query_key_value/kernel",
        "self_attn.in_proj_bias": "attention/query_key_value/bias",
        "self_attn.out_proj.weight": "attention/out/kernel",
        "self_attn.out_proj.bias": "attention/out/bias",
        "linear1.weight": "mlp/up/kernel",
        "linear1.bias": "mlp/up/bias",
        "linear2.weight": "mlp/down/kernel",
        "linear2.bias": "mlp/down/bias",
        "norm1.weight": "attention_norm/gamma",
        "norm1.bias": "attention_norm/beta",
        "norm2.weight": "mlp_norm/gamma",
        "norm2.bias": "mlp_norm/beta",
    }
    state = {
        f"layers.{i}.{theirs}": weights.get(f"block_{i + 1}/{ours}", torch.zeros(3 * width)).T
        for i in range(plan["num_layers"])
        for theirs, ours in names.items()
    }
    if norm_first:
        state |= {"norm.weight": weights["norm/gamma"], "norm.bias": weights["norm/beta"]}
    return torch.func.functional_call(
        encoder, state, (x,), {"src_key_padding_mask": padding}, strict=True
    )


def torch_llama(weights, x, padding):
    """Pre-norm blocks with RMS norms, rotary positions as complex numbers, and a gated feed-forward net."""
    import torch
    from torch.nn import functional

    heads, steps = PLAN["num_heads"], x.shape[1]
    dim = PLAN["hidden_dim"] // heads
    angles = torch.outer(torch.arange(steps), 10_000.0 ** (-torch.arange(0, dim, 2) / dim))
    turn = torch.polar(torch.ones_like(angles), angles)

    def rotate(q):
        a, b = q.chunk(2, -1)
        z = torch.complex(a, b) * turn
        return torch.cat([z.real, z.imag], -1)

    def norm(x, name):
        return functional.rms_norm(x, x.shape[-1:], weights[f"{name}/scale"], 1e-6)

    def dense(x, name):
        return x @ weights[f"{name}/kernel"] + weights[f"{name}/bias"]

    for i in range(1, PLAN["num_layers"] + 1):
        block = f"block_{i}"
        qkv = dense(norm(x, f"{block}/attention_norm"), f"{block}/attention/query_key_value")
        q, k, v = (p.unflatten(-1, (heads, dim)).transpose(1, 2) for p in qkv.chunk(3, -1))
        y = functional.scaled_dot_product_attention(
            rotate(q), rotate(k), v, attn_mask=~padding[:, None, None]
        )
        x = x + dense(y.transpose(1, 2).flatten(2), f"{block}/attention/out")
        gate, up = dense(norm(x, f"{block}/mlp_norm"), f"{block}/mlp/up").chunk(2, -1)
        x = x + dense(functional.silu(gate) * up, f"{block}/mlp/down")
    return norm(x, "norm")


def torch_transformer(weights, ids, arguments):
    """The whole model in PyTorch, from a dict of parameters by the names of Keras."""
    import torch
    from torch.nn import functional

    ids, width = torch.tensor(ids), PLAN["hidden_dim"]
    padding = ids == 0
    x = weights["embedding/embeddings"][ids]
    if arguments == BERT:
        ends = ids == BERT["separator"]
        after = (ends.cumsum(1) - ends.int()).clamp(max=1)
        x = x + weights["segments/embeddings"][after]
        x = x + weights["positions/table/embeddings"][: ids.shape[1]]
        norm = weights["embedding_norm/gamma"], weights["embedding_norm/beta"]
        x = functional.layer_norm(x, (width,), *norm, 1e-6)
    elif arguments != LLAMA:
        table = numpy_sinusoids(range(ids.shape[1]), width).astype("float32")
        x = x * width**0.5 + torch.tensor(table)
    if arguments == LLAMA:
        x = torch_llama(weights, x, padding)
    else:
        x = torch_encoder(weights, x, PLAN, padding, arguments.get("norm_first", True))
    if arguments.get("pooling") == "cls":
        x = torch.tanh(x[:, 0] @ weights["pooler/kernel"] + weights["pooler/bias"])
    else:
        real = (~padding).float()[..., None]
        x = (x * real).sum(1) / real.sum(1)
    return x @ weights["logits/kernel"] + weights["logits/bias"]


@pytest.mark.parametrize("arguments", [{}, BERT, LLAMA], ids=["vaswani", "bert", "llama"])
def test_output_and_gradients_agree_with_pytorch(arguments):
    torch = pytest.importorskip("torch", reason="PyTorch (the extra `parity`) is not installed")
    model = random_model(**arguments)
    direction = np.random.default_rng(1).normal(size=(3, 4)).astype("float32")
    ours, gradients = gradients_of(model, IDS, direction)
    weights = {
        w.path: torch.tensor(np.asarray(w)).requires_grad_() for w in model.trainable_weights
    }
    theirs = torch_transformer(weights, IDS, arguments)
    (theirs * torch.tensor(direction)).sum().backward()
    assert_close(ours, theirs.detach().numpy(), TORCH)
    for path, gradient in gradients.items():
        expected = weights[path].grad.numpy()
        assert_close(gradient, expected, TORCH, np.abs(expected).max(initial=1e-3), path)


@pytest.mark.parametrize(
    ("size", "published"),
    [
        ("bert_tiny", 4_385_920),
        ("bert_mini", 11_170_560),
        ("bert_small", 28_763_648),
        ("bert_medium", 41_373_184),
        ("bert_base", 109_482_240),
        ("bert_large", 335_141_888),
    ],
)
def test_berts_have_the_published_parameters(size, published):
    with by_shape():
        model = summary.build_for_info(f"transformer:{size}", num_classes=None)
    assert model.count_params() == published
    assert model.get_layer("embedding").input_dim == 30_522


def test_learned_positions_refuse_longer_texts():
    model = random_model(positions=4)
    longer = "Received 6 steps.* 4 at most"
    for call in (model, lambda x: model.predict(x, verbose=0)):
        with pytest.raises(zoo.InputError, match=longer):
            call(IDS)
    with pytest.raises(zoo.InputError, match=longer):
        zoo.build_transformer((6,), 2, vocabulary_size=10, positions=4)
    run = tf.function(model, input_signature=[tf.TensorSpec((None, None), "int32")])
    assert_close(run(IDS[:, :4]), model(IDS[:, :4]), KERNELS)
    with pytest.raises(tf.errors.InvalidArgumentError, match="shape"):
        run(IDS)


def test_the_separator_ends_the_first_segment():
    model = random_model(separator=4, num_classes=None, pooling="none")
    segments = model.get_layer("segments")
    table = np.asarray(segments.embeddings)
    expected = table[[[0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 1, 1], [0, 1, 1, 1, 1, 1]]]
    np.testing.assert_array_equal(segments(IDS), expected)
    # With the padding as the separator, every real step is of the first segment.
    one = np.asarray(random_model(separator=0).get_layer("segments")(IDS))
    np.testing.assert_array_equal(one[IDS != 0], np.broadcast_to(table[0], (11, 12)))
    # A dropped mask of the segments would show in the steps before the padding.
    assert_close(model(IDS[1:2, :4]), model(IDS[1:2])[:, :4], KERNELS)


@pytest.mark.parametrize("tied", [False, True])
def test_losses_of_steps_leave_padding_out(tied):
    model = random_model(10, pooling="none", tied=tied, normalization="rms")
    assert model.output_shape == (None, None, 10)
    expected = np.asarray(model(IDS))
    padded = np.pad(IDS, ((0, 0), (0, 3)))
    assert_close(model(padded)[:, :6], expected, KERNELS)
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    loss = model.evaluate(IDS, IDS, verbose=0)
    log_p = np.asarray(keras.ops.log_softmax(expected))
    chosen = np.take_along_axis(log_p, IDS[..., None], -1)[..., 0]
    assert_close(loss, -chosen[IDS != 0].mean(), ORDER)
    assert_close(model.evaluate(padded, padded, verbose=0), loss, ORDER)


def test_tied_logits_are_products_with_the_embedding():
    model = random_model(10, pooling="none", tied=True)
    features = keras.Model(model.inputs, model.get_layer("norm").output)(IDS)
    table = np.asarray(model.get_layer("embedding").embeddings)
    assert_close(model(IDS), features @ table.T, KERNELS)
    assert sum(10 in w.shape for w in model.weights) == 1


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [{"tied": True, "pooling": "none"}, {"remat": True}])
def test_two_devices_train_to_the_weights_of_one(arguments):
    """A tied embedding has a sparse gradient and a dense one; remat has variables inside of a gradient's function."""

    def train(strategy):
        with strategy.scope():
            model = random_model(10, num_layers=1, **arguments)
            replicas.prepare_model(model, strategy)
            options = OptimizerConfig(name="sgd", learning_rate=0.1, clip_norm=1.0)
            model.compile(
                make_optimizer(options, 3, replicas=strategy.num_replicas_in_sync),
                keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            )
        ids = np.tile(IDS[:2], (4, 1))
        targets = ids if "tied" in arguments else ids[:, 0]
        data = tf.data.Dataset.from_tensor_slices((ids, targets)).batch(4)
        model.fit(data, epochs=2, verbose=0, shuffle=False)
        return [np.asarray(w) for w in model.trainable_weights]

    one = train(zoo.make_strategy("one"))
    two = train(zoo.make_strategy("mirrored", replicas=2))
    for a, b in zip(one, two):
        assert_close(a, b, TRAINED, scale=np.abs(b).max(initial=0.1))


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("jit", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_remat_changes_no_number_and_computes_twice(norm_first, jit):
    results, computed = [], []
    for remat in (False, True):
        model = random_model(remat=remat, norm_first=norm_first, dropout=0.5)
        run = tf.function(
            lambda ids, model=model: gradients(model, ids), jit_compile=jit, reduce_retracing=True
        )
        ids = tf.constant(IDS)
        graph = run.get_concrete_function(ids).graph
        computed.append(sum(op.type == "Softmax" for op in graph.get_operations()))
        results.append(keras.tree.flatten(run(ids)))
    assert computed == [2, 4]  # the attention weights of two blocks
    for ours, theirs in zip(*results):
        assert_close(ours, theirs, ORDER)


LONG = """
import resource, sys
import numpy as np
import zoo
model = zoo.build("transformer:tiny", input_shape=(None,), num_classes=2, vocabulary_size=9, num_layers=12,
                  remat=sys.argv[1] == "remat")
model.compile("sgd", "mse", jit_compile=False)
ids = np.ones((2, 1500), "int32")
model.train_on_batch(ids[:, :9], np.zeros((2, 2)))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
model.train_on_batch(ids, np.zeros((2, 2)))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.slow
def test_remat_takes_less_memory_for_long_texts(tmp_path):
    (tmp_path / "long.py").write_text(LONG)
    plain, remat = (
        int(warm.run(tmp_path / "long.py", how).stdout.split()[-1]) for how in ("plain", "remat")
    )
    assert remat < 0.5 * plain, f"{plain} KiB, with remat {remat} KiB"


def gradients(model, ids):
    with tf.GradientTape() as tape:
        outputs = model(ids, training=True)
        loss = tf.reduce_sum(outputs**2)
    slopes = tape.gradient(loss, [w.value for w in model.trainable_weights])
    return outputs, [tf.convert_to_tensor(slope) for slope in slopes]


def test_a_loaded_model_still_leaves_padding_out(tmp_path):
    model = random_model(normalization="rms", separator=4)
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(loaded(IDS), model(IDS))
    assert_close(loaded(np.pad(IDS, ((0, 0), (0, 3)))), model(IDS), KERNELS)


def test_images_are_read_row_by_row():
    x = np.random.default_rng(0).normal(size=(2, 6, 4, 3)).astype("float32")
    images = zoo.build("transformer:tiny", input_shape=(6, 4, 3), num_classes=2)
    rows = zoo.build("transformer:tiny", input_shape=(None, 12), num_classes=2)
    set_ramp(rows)
    images.set_weights(rows.get_weights())
    assert_close(images(x), rows(x.reshape(2, 6, 12)), KERNELS)


def texts(**arguments):
    return zoo.build_transformer((None,), 3, vocabulary_size=10, **arguments)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: texts(num_heads=5), "hidden_dim=80, num_heads=5"),
        (lambda: texts(num_heads=64, positions="rotary"), "into even parts"),
        (lambda: texts(positions="learned"), "or how many are learned, such as 512"),
        (lambda: texts(positions=0), "`positions`"),
        (lambda: texts(normalization="batch"), "'rms'"),
        (lambda: texts(activation="swish2"), "keras.activations"),
        (lambda: texts(pooling="max"), "'cls'"),
        (lambda: texts(separator=10), "below vocabulary_size=10"),
        (lambda: texts(tied=True), "num_classes=V"),
        (lambda: texts(tied=True, pooling="none"), "num_classes=3"),
        (lambda: texts(remat=True, attention_dropout=0.1), "attention_dropout=0.0"),
        (lambda: texts(num_layers=0), "num_layers"),
        (lambda: zoo.build_transformer((None, 3), 2, separator=0), "vocabulary_size=20000"),
        (lambda: zoo.build_transformer((None, None), 2), "each size of input_shape"),
        (lambda: zoo.build_transformer((None, 8, 1), 2), "each size of input_shape"),
        (lambda: zoo.build_transformer((13,), 2), r"2 or 3 dimensions.*vocabulary_size=20000"),
        (
            lambda: zoo.build("transformer:bert_tiny", input_shape=(8, 8, 1), num_classes=2),
            "token ids",
        ),
    ],
)
def test_wrong_arguments_raise_the_right_words(call, words):
    with pytest.raises(zoo.InputError, match=words):
        call()

"""Encoder and decoder: numbers of PyTorch's, what may be seen, losses without padding, and remat."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from table import by_shape
from test_attention import numpy_sinusoids
from tolerances import KERNELS, ORDER, ROUNDING, TORCH, assert_close

import zoo
from zoo.models import seq2seq
from zoo.tasks import losses

SOURCE = np.array([[3, 7, 4, 2, 9], [5, 4, 1, 0, 0], [4, 0, 0, 0, 0]])
TARGET = np.array([[1, 3, 8, 8, 5, 6], [1, 9, 4, 7, 0, 0], [1, 6, 0, 0, 0, 0]])
INPUTS = {"source": SOURCE, "target": TARGET}
PLAN = {"num_layers": 2, "hidden_dim": 12, "num_heads": 3, "intermediate_dim": 20, "dropout": 0.0}


def random_model(num_classes=10, **arguments):
    """A small model with random weights, so that no two can be swapped unnoticed."""
    keras.utils.set_random_seed(0)
    model = zoo.build_seq2seq((None,), num_classes, **{**PLAN, **arguments})
    rng = np.random.default_rng(0)
    for weight in model.trainable_weights:
        shift = 1.0 if weight.path.endswith("gamma") else 0.0
        weight.assign(rng.normal(size=weight.shape) * 0.3 + shift)
    return model


def gradients_of(model, inputs, direction):
    with tf.GradientTape() as tape:
        outputs = model(inputs, training=True)
        loss = tf.reduce_sum(outputs * direction)
    gradients = tape.gradient(loss, [w.value for w in model.trainable_weights])
    paths = [w.path for w in model.trainable_weights]
    return outputs, {p: np.asarray(tf.convert_to_tensor(g)) for p, g in zip(paths, gradients)}


def torch_state(weights, part, num_norms):
    """The parameters of PyTorch's encoder or decoder, from a dict by the names of Keras."""
    import torch

    state = {}
    for i in range(PLAN["num_layers"]):
        ours, theirs = f"{part}_block_{i + 1}", f"layers.{i}"
        norms = {2: ("attention", "mlp"), 3: ("attention", "cross", "mlp")}[num_norms]
        for n, norm in enumerate(norms, 1):
            state[f"{theirs}.norm{n}.weight"] = weights[f"{ours}/{norm}_norm/gamma"]
            state[f"{theirs}.norm{n}.bias"] = weights[f"{ours}/{norm}_norm/beta"]
        for kind, keys in (("weight", "kernel"), ("bias", "bias")):
            get = lambda name, keys=keys, ours=ours: weights[f"{ours}/{name}/{keys}"].T  # noqa: E731
            state[f"{theirs}.self_attn.in_proj_{kind}"] = get("attention/query_key_value")
            state[f"{theirs}.self_attn.out_proj.{kind}"] = get("attention/out")
            state[f"{theirs}.linear1.{kind}"] = get("mlp/up")
            state[f"{theirs}.linear2.{kind}"] = get("mlp/down")
            if num_norms == 3:
                both = torch.cat([get("cross_attention/query"), get("cross_attention/key_value")])
                state[f"{theirs}.multihead_attn.in_proj_{kind}"] = both
                state[f"{theirs}.multihead_attn.out_proj.{kind}"] = get("cross_attention/out")
    if f"{part}_norm/gamma" in weights:
        state["norm.weight"] = weights[f"{part}_norm/gamma"]
        state["norm.bias"] = weights[f"{part}_norm/beta"]
    return {f"{part}.{key}": value for key, value in state.items()}


def torch_seq2seq(weights, inputs, norm_first):
    """`torch.nn.Transformer` between embeddings and logits."""
    import torch
    from torch import nn

    width = PLAN["hidden_dim"]
    layer = (
        width,
        PLAN["num_heads"],
        PLAN["intermediate_dim"],
        0.0,
        "relu",
        1e-6,
        True,
        norm_first,
    )
    norms = [nn.LayerNorm(width, 1e-6) if norm_first else None for _ in range(2)]
    encoder = nn.TransformerEncoder(
        nn.TransformerEncoderLayer(*layer), PLAN["num_layers"], norms[0], False
    )
    decoder = nn.TransformerDecoder(
        nn.TransformerDecoderLayer(*layer), PLAN["num_layers"], norms[1]
    )
    whole = nn.Transformer(width, custom_encoder=encoder, custom_decoder=decoder, batch_first=True)

    def embed(side):
        table = weights.get(f"{side}_embedding/embeddings", weights.get("embedding/embeddings"))
        sines = numpy_sinusoids(range(inputs[side].shape[1]), width).astype("float32")
        return table[torch.tensor(inputs[side])] * width**0.5 + torch.tensor(sines)

    padding = {side: torch.tensor(ids == 0) for side, ids in inputs.items()}
    steps = inputs["target"].shape[1]
    x = torch.func.functional_call(
        whole,
        torch_state(weights, "encoder", 2) | torch_state(weights, "decoder", 3),
        (embed("source"), embed("target")),
        {
            "tgt_mask": torch.ones(steps, steps).triu(1).bool(),
            "src_key_padding_mask": padding["source"],
            "tgt_key_padding_mask": padding["target"],
            "memory_key_padding_mask": padding["source"],
        },
        strict=True,
    )
    if "embedding/embeddings" in weights:
        return x @ weights["embedding/embeddings"].T
    return x @ weights["logits/kernel"] + weights["logits/bias"]


@pytest.mark.parametrize("vocabulary_size", [None, 10], ids=["shared", "separate"])
@pytest.mark.parametrize("norm_first", [False, True])
def test_output_and_gradients_agree_with_pytorch(norm_first, vocabulary_size):
    torch = pytest.importorskip("torch", reason="PyTorch (the extra `parity`) is not installed")
    model = random_model(norm_first=norm_first, vocabulary_size=vocabulary_size)
    direction = np.random.default_rng(1).normal(size=(*TARGET.shape, 10)).astype("float32")
    direction *= (TARGET != 0)[..., None]
    ours, gradients = gradients_of(model, INPUTS, direction)
    weights = {
        w.path: torch.tensor(np.asarray(w)).requires_grad_() for w in model.trainable_weights
    }
    theirs = torch_seq2seq(weights, INPUTS, norm_first)
    (theirs * torch.tensor(direction)).sum().backward()
    real = TARGET != 0
    assert_close(ours[real], theirs.detach()[real].numpy(), TORCH)
    for path, gradient in gradients.items():
        expected = weights[path].grad.numpy()
        assert_close(gradient, expected, TORCH, np.abs(expected).max(initial=1e-3), path)


@pytest.mark.parametrize(("size", "published"), [("base", 63_082_496), ("big", 214_245_376)])
def test_sizes_of_the_paper_have_its_parameters(size, published):
    with by_shape():
        model = zoo.build(f"seq2seq:{size}", input_shape=(None,), num_classes=37_000)
    assert model.count_params() == published


@pytest.mark.parametrize("vocabulary_size", [None, 12])
def test_a_step_sees_the_source_and_no_later_token(vocabulary_size):
    model = random_model(vocabulary_size=vocabulary_size)
    expected = np.asarray(model(INPUTS))
    for t in range(1, 6):
        changed = np.array(TARGET)
        changed[:, t:] = np.where(TARGET[:, t:] == 0, 0, (TARGET[:, t:] + 1) % 7 + 3)
        logits = np.asarray(model({"source": SOURCE, "target": changed}))
        assert_close(logits[:, :t], expected[:, :t], KERNELS)
        assert np.abs(logits[0, t] - expected[0, t]).max() > 1e-3
    for s in range(5):  # each token of the source changes every step
        changed = np.array(SOURCE)
        changed[0, s] = 8
        logits = np.asarray(model({"source": changed, "target": TARGET}))
        assert np.abs(logits[0] - expected[0]).max(-1).min() > 1e-4


@pytest.mark.parametrize(
    "jit", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["plain", "xla"]
)
@pytest.mark.parametrize("norm_first", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_padding_changes_no_logit_and_an_empty_source_is_finite(norm_first, jit):
    model = random_model(norm_first=norm_first)
    run = tf.function(model, jit_compile=jit, reduce_retracing=True)
    source = SOURCE * np.array([[1], [1], [0]])
    expected = np.asarray(run({"source": source, "target": TARGET}))
    assert np.isfinite(expected).all()
    for more in ((4, 0), (0, 4), (3, 2)):
        padded = [np.pad(ids, ((0, 0), (0, n))) for ids, n in zip((source, TARGET), more)]
        logits = run(dict(zip(("source", "target"), padded)))
        assert_close(logits[:, :6], expected, KERNELS)
    for row in range(3):  # a row by itself, without padding
        alone = [ids[row : row + 1, : max(1, (ids[row] != 0).sum())] for ids in (source, TARGET)]
        logits = model(dict(zip(("source", "target"), alone)))[0]
        assert_close(logits, expected[row, : len(logits)], KERNELS)


def test_teacher_forcing_makes_inputs_outputs_and_weights():
    target = np.array([[11, 12, 13], [14, 0, 0], [0, 0, 0]])
    inputs, outputs, weights = seq2seq.teacher_forcing(SOURCE, target)
    np.testing.assert_array_equal(inputs["source"], SOURCE)
    np.testing.assert_array_equal(inputs["target"], [[1, 11, 12, 13], [1, 14, 0, 0], [1, 0, 0, 0]])
    np.testing.assert_array_equal(outputs, [[11, 12, 13, 2], [14, 2, 0, 0], [2, 0, 0, 0]])
    np.testing.assert_array_equal(weights, [[1, 1, 1, 1], [1, 1, 0, 0], [1, 0, 0, 0]])
    pairs = tf.data.Dataset.from_tensor_slices((SOURCE, target)).map(seq2seq.teacher_forcing)
    ((inputs, _, weights),) = pairs.batch(3)
    np.testing.assert_array_equal(inputs["target"][:, 0], [1, 1, 1])
    np.testing.assert_array_equal(weights, [[1, 1, 1, 1], [1, 1, 0, 0], [1, 0, 0, 0]])


@pytest.mark.parametrize("vocabulary_size", [None, pytest.param(10, marks=pytest.mark.slow)])
@pytest.mark.parametrize("smoothing", [pytest.param(0.0, marks=pytest.mark.slow), 0.1])
def test_loss_and_accuracy_leave_padding_out(smoothing, vocabulary_size):
    model = random_model(vocabulary_size=vocabulary_size)
    accuracy = keras.metrics.MeanMetricWrapper(losses.matches, name="accuracy")
    model.compile("sgd", losses.Crossentropy(smoothing), metrics=[accuracy])
    inputs, outputs, weights = seq2seq.teacher_forcing(SOURCE, TARGET[:, 1:])
    logits, outputs, weights = (np.asarray(x) for x in (model(inputs), outputs, weights))
    log_p = np.asarray(keras.ops.log_softmax(logits))
    right = np.take_along_axis(log_p, outputs[..., None], -1)[..., 0]
    each = -(1 - smoothing) * right - smoothing * log_p.mean(-1)
    expected = (each * weights).sum() / weights.sum()
    guessed = ((logits.argmax(-1) == outputs) * weights).sum() / weights.sum()
    more = [np.pad(ids, ((0, 0), (0, 3))) for ids in (SOURCE, TARGET[:, 1:])]
    for pair in ((SOURCE, TARGET[:, 1:]), more):
        inputs, outputs, weights = seq2seq.teacher_forcing(*pair)
        for given in (None, weights):
            loss, share = model.evaluate(inputs, outputs, sample_weight=given, verbose=0)
            assert_close(loss, expected, ORDER)
            assert_close(share, guessed, ROUNDING, scale=1)


@pytest.mark.slow
@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("jit", [False, True])
def test_remat_changes_no_number_and_computes_twice(norm_first, jit):
    results, computed = [], []
    for remat in (False, True):
        model = random_model(remat=remat, norm_first=norm_first, dropout=0.5)

        @tf.function(jit_compile=jit)
        def run(inputs, model=model):
            with tf.GradientTape() as tape:
                outputs = model(inputs, training=True)
                loss = tf.reduce_sum(outputs**2)
            slopes = tape.gradient(loss, [w.value for w in model.trainable_weights])
            return outputs, [tf.convert_to_tensor(slope) for slope in slopes]

        inputs = {key: tf.constant(ids) for key, ids in INPUTS.items()}
        graph = run.get_concrete_function(inputs).graph
        computed.append(sum(op.type == "Softmax" for op in graph.get_operations()))
        results.append(keras.tree.flatten(run(inputs)))
    assert computed == [6, 12]  # two blocks with one attention, two with two
    for ours, theirs in zip(*results):
        assert_close(ours, theirs, ORDER)


def test_the_encoder_alone_is_the_encoder_of_the_whole():
    whole = random_model(vocabulary_size=10)
    alone = zoo.build_seq2seq((None,), None, vocabulary_size=10, **PLAN)
    weights = {w.path: w for w in whole.weights}
    for weight in alone.weights:
        weight.assign(weights[weight.path])
    inner = keras.Model(whole.get_layer("source").output, whole.get_layer("encoded").output)
    assert_close(alone({"source": SOURCE}), inner(SOURCE), KERNELS)


def ids(num_classes=9, **arguments):
    return zoo.build_seq2seq((None,), num_classes, **arguments)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: ids(3), "0 for padding, 1 for the start, 2 for the end.*Received: 3"),
        (lambda: ids(None), "vocabulary_size=1000"),
        (lambda: ids(vocabulary_size=0), "vocabulary_size"),
        (lambda: ids(num_heads=5), "hidden_dim=80, num_heads=5"),
        (lambda: ids(activation="swish2"), "keras.activations"),
        (lambda: ids(num_layers=0), "num_layers"),
        (lambda: ids(dropout=1.0), "below 1"),
        (lambda: ids(remat="yes"), "remat"),
        (lambda: zoo.build_seq2seq((8, 8, 1), 9), r"is \(steps,\), or \(None,\)"),
    ],
)
def test_wrong_arguments_raise_the_right_words(call, words):
    with pytest.raises(zoo.InputError, match=words):
        call()

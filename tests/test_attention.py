"""The attention layer and the positions: numbers of PyTorch's and NumPy's, masks, caches, half precision."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tolerances import ANGLES, BFLOAT16, DRAWS, FLOAT16, KERNELS, ROUNDING, TORCH, assert_close

import zoo
from zoo.models import attention, positions
from zoo.models.layers import all_layers
from zoo.training import attention_maps

WIDTH, HEADS = 12, 3


def random(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def built(layer, *shapes):
    """The layer with random weights in which a swapped or forgotten one would show."""
    layer.build(*shapes)
    rng = np.random.default_rng(1)
    for weight in layer.weights:
        if weight.dtype == "float32":
            weight.assign(rng.normal(size=weight.shape) * 0.4)
    return layer


def numpy_attention(q, k, v, visible=True):
    """Softmax(q kᵀ / √D) v for q, k, v `[..., T, D]`, in float64."""
    q, k, v = (np.asarray(x, "float64") for x in (q, k, v))
    scores = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
    scores = np.where(visible, scores, -np.inf)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True) @ v


def numpy_sinusoids(steps, width):
    """Vaswani et al. 2017, section 3.5, feature by feature."""
    table = np.zeros((len(steps), width))
    for i in range(width):
        angles = np.asarray(steps) / 10_000 ** (2 * (i // 2) / width)
        table[:, i] = np.cos(angles) if i % 2 else np.sin(angles)
    return table


def numpy_rotate(x, steps):
    """A rotation matrix for each pair of features (i, i + D/2)."""
    half, result = x.shape[-1] // 2, np.array(x, "float64")
    for t, step in enumerate(steps):
        for i in range(half):
            angle = step / 10_000 ** (2 * i / x.shape[-1])
            turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
            result[..., t, [i, i + half]] = x[..., t, [i, i + half]] @ turn.T
    return result


def split_heads(x):
    """`[B, T, H * D]` → `[B, H, T, D]`."""
    return np.reshape(x, (*x.shape[:2], HEADS, -1)).transpose(0, 2, 1, 3)


def expected_output(layer, x, visible=True, turn=lambda x: x):
    """What self-attention computes, in NumPy."""
    w = {weight.path.split("/", 1)[1]: np.asarray(weight, "float64") for weight in layer.weights}
    qkv = x @ w["query_key_value/kernel"] + w["query_key_value/bias"]
    q, k, v = (split_heads(part) for part in np.split(qkv, 3, -1))
    y = numpy_attention(turn(q), turn(k), v, visible)
    y = y.transpose(0, 2, 1, 3).reshape(x.shape)
    return y @ w["out/kernel"] + w["out/bias"]


def torch_attention(layer, context_dim=None):
    """PyTorch's attention with the weights of ours, and the names of ours for its parameters."""
    import torch

    theirs = torch.nn.MultiheadAttention(
        WIDTH, HEADS, batch_first=True, kdim=context_dim, vdim=context_dim
    )
    w = {
        weight.path.split("/", 1)[1]: torch.tensor(np.asarray(weight)).T for weight in layer.weights
    }
    theirs.out_proj.weight.data = w["out/kernel"].contiguous()
    theirs.out_proj.bias.data = w["out/bias"]
    if layer.cross:
        k, v = w["key_value/kernel"].chunk(2)
        theirs.q_proj_weight.data = w["query/kernel"].contiguous()
        theirs.k_proj_weight.data, theirs.v_proj_weight.data = k.contiguous(), v.contiguous()
        theirs.in_proj_bias.data = torch.cat([w["query/bias"], w["key_value/bias"]])
    else:
        theirs.in_proj_weight.data = w["query_key_value/kernel"].contiguous()
        theirs.in_proj_bias.data = w["query_key_value/bias"]
    return theirs


def torch_gradients(theirs, cross):
    grads = {"out/kernel": theirs.out_proj.weight.grad.T, "out/bias": theirs.out_proj.bias.grad}
    bias = theirs.in_proj_bias.grad
    if cross:
        parts = (theirs.q_proj_weight, theirs.k_proj_weight, theirs.v_proj_weight)
        q, k, v = (part.grad.T.numpy() for part in parts)
        grads |= {"query/kernel": q, "key_value/kernel": np.concatenate([k, v], -1)}
        grads |= {"query/bias": bias[:WIDTH], "key_value/bias": bias[WIDTH:]}
    else:
        grads |= {
            "query_key_value/kernel": theirs.in_proj_weight.grad.T,
            "query_key_value/bias": bias,
        }
    return {name: np.asarray(gradient) for name, gradient in grads.items()}


@tf.function
def output_and_gradients(layer, direction, *args, **kwargs):
    with tf.GradientTape() as tape:
        output = layer(*args, **kwargs)
        loss = tf.reduce_sum(output * direction)
    return output, tape.gradient(loss, [w.value for w in layer.trainable_weights])


MASK = np.arange(5) < np.array([[5], [3], [1]])  # [B, S]


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("cross", "causal"), [(False, False), (False, True), (True, False)])
def test_output_and_gradients_agree_with_pytorch(cross, causal, masked):
    torch = pytest.importorskip("torch", reason="PyTorch (the extra `parity`) is not installed")
    x, context = random(3, 5, WIDTH), random(3, 5, 8, seed=1)
    layer = built(attention.Attention(HEADS, cross=cross, causal=causal), x.shape, context.shape)
    direction = random(*x.shape, seed=2)
    kwargs = {"context": context} if cross else {}
    if masked:
        kwargs["context_mask" if cross else "mask"] = MASK
    ours, gradients = output_and_gradients(layer, direction, x, **kwargs)

    theirs = torch_attention(layer, context.shape[-1] if cross else None)
    keys = torch.tensor(context if cross else x)
    expected, _ = theirs(
        torch.tensor(x),
        keys,
        keys,
        key_padding_mask=torch.tensor(~MASK) if masked else None,
        attn_mask=torch.ones(5, 5).triu(1).bool() if causal else None,
    )
    (expected * torch.tensor(direction)).sum().backward()
    assert_close(ours, expected.detach().numpy(), TORCH)
    grads = torch_gradients(theirs, cross)
    assert len(grads) == len(gradients)
    for weight, gradient in zip(layer.trainable_weights, gradients):
        name = weight.path.split("/", 1)[1]
        assert_close(gradient, grads[name], TORCH, np.abs(grads[name]).max(initial=1e-3), name)


def test_sinusoids_are_those_of_the_paper():
    for width in (16, 7):
        table = positions.sinusoids(np.arange(600), width)
        assert_close(table, numpy_sinusoids(np.arange(600), width), ANGLES)
        assert_close(table[:20], numpy_sinusoids(np.arange(20), width), ROUNDING)
    x = random(2, 9, 6)
    layer = positions.SinusoidalPositions(scale=3.0)
    assert_close(layer(x), 3 * x + numpy_sinusoids(np.arange(9), 6), ROUNDING)


def test_rotary_positions_agree_with_numpy_and_are_relative():
    x, steps = random(2, 5, 8), [0, 1, 2, 40, 41]
    turned = positions.rotate(x, np.array(steps))
    assert_close(turned, numpy_rotate(x, steps), ROUNDING)

    x = random(2, 5, WIDTH)
    layer = built(attention.Attention(HEADS, rotary=True), x.shape)
    expected = expected_output(layer, x, turn=lambda q: numpy_rotate(q, range(5)))
    assert_close(layer(x), expected, KERNELS)
    shifted = expected_output(layer, x, turn=lambda q: numpy_rotate(q, range(7, 12)))
    assert expected == pytest.approx(shifted, abs=1e-9)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_positions_keep_their_digits_in_half_precision(dtype):
    """Positions in half precision would be wrong from 2049 (256) on; only the result is rounded."""
    steps = 3000
    layer = positions.SinusoidalPositions(dtype=dtype)
    table = np.asarray(layer(np.zeros((1, steps, 4)))[0], "float32")
    half = {"float16": FLOAT16, "bfloat16": BFLOAT16}[dtype]
    assert_close(table, numpy_sinusoids(range(steps), 4), half)
    ones = keras.ops.ones((1, steps, 4), dtype)
    turned = np.asarray(positions.rotate(ones, np.arange(steps))[0], "float32")
    expected = numpy_rotate(np.ones((steps, 4)), range(steps))
    assert_close(turned, expected, half)


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("jit", [False, True], ids=["plain", "xla"])
def test_a_row_of_padding_only_is_finite_and_ignores_its_length(policy, jit):
    x = random(2, 6, WIDTH)
    layer = built(attention.Attention(HEADS, dtype=policy), x.shape)
    mask = np.array([[True] * 4 + [False] * 2, [False] * 6])

    @tf.function(jit_compile=jit)
    def run(x, mask):
        with tf.GradientTape() as tape:
            y = layer(x, mask=mask)
            loss = tf.reduce_sum(tf.cast(y, "float32"))
        return y, tape.gradient(loss, [w.value for w in layer.trainable_weights])

    whole, gradients = run(x, mask)
    cut, _ = run(x[:, :4], mask[:, :4])
    assert all(np.isfinite(np.asarray(g, "float32")).all() for g in gradients)
    rows = {"float32": KERNELS, "mixed_float16": FLOAT16, "mixed_bfloat16": BFLOAT16}
    assert_close(whole[:, :4], cut, rows[policy])


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_the_softmax_is_float32_in_half_precision(policy):
    layer = built(attention.Attention(HEADS, dtype=policy), (2, 5, WIDTH))
    run = tf.function(lambda x, mask: layer(x, mask=mask))
    graph = run.get_concrete_function(random(2, 5, WIDTH), MASK[:2]).graph
    types = {op.type: op.outputs[0].dtype.name for op in graph.get_operations() if op.outputs}
    assert types["Softmax"] == "float32"
    assert types["BatchMatMulV2"] == policy.removeprefix("mixed_")


@pytest.mark.parametrize("rotary", [False, True])
def test_a_cache_gives_what_the_whole_sequence_gives(rotary):
    x = random(2, 7, WIDTH)
    layer = built(attention.Attention(HEADS, causal=True, rotary=rotary), x.shape)
    whole = np.asarray(layer(x))
    run = tf.function(lambda x, cache, position: layer(x, cache=cache, position=position))
    cache, parts = layer.empty_cache(2, 10), []
    for start, stop in [(0, 3), (3, 4), (4, 7)]:
        y, cache = run(x[:, start:stop], cache, tf.constant(start))
        parts.append(np.asarray(y))
    assert_close(np.concatenate(parts, 1), whole, KERNELS)
    # A causal step never sees a later one.
    changed = np.array(x)
    changed[:, 5:] += 1
    assert_close(np.asarray(layer(changed))[:, :5], whole[:, :5], KERNELS)


def test_a_context_is_projected_once():
    x, context = random(2, 4, WIDTH), random(2, 5, 8, seed=1)
    layer = built(attention.Attention(HEADS, cross=True), x.shape, context.shape)
    mask = MASK[:2]
    whole = np.asarray(layer(x, context=context, context_mask=mask))
    run = tf.function(lambda x, cache: layer(x, cache=cache, context_mask=mask))
    cache = layer.context_cache(context)
    for t in range(4):
        y, cache = run(x[:, t : t + 1], cache)
        assert_close(y, whole[:, t : t + 1], KERNELS)


def test_masks_of_embeddings_arrive_by_themselves():
    """In self-attention and in cross-attention, in a model of plain Keras calls and after loading its config."""
    ids, others = np.array([[3, 4, 0]]), np.array([[5, 0, 0, 0]])
    a, b = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(9, WIDTH, mask_zero=True)(a)
    context = keras.layers.Embedding(9, WIDTH, mask_zero=True)(b)
    own = attention.Attention(HEADS)(x)
    crossed = attention.Attention(HEADS, cross=True)(x, context=context)
    model = keras.Model([a, b], [own, crossed])
    model = keras.Model.from_config(model.get_config())
    expected = model([ids[:, :2], others[:, :1]])
    for ours, theirs in zip(model([ids, others]), expected):
        assert_close(ours[:, :2], theirs, KERNELS)


def test_dropout_of_weights_keeps_their_mean():
    x = random(1, 4, WIDTH)
    layer = built(attention.Attention(HEADS, dropout=0.3), x.shape)
    layer.drop.seed_generator.state.assign([1, 0])
    many = np.repeat(x, 20_000, 0)
    dropped, kept = np.asarray(layer(many, training=True)), np.asarray(layer(x))
    assert dropped.std(0).min() > 0.01
    assert_close(dropped.mean(0), kept[0], DRAWS, scale=1)


def test_lora_takes_the_place_of_the_projections_kernels():
    model = zoo.build("transformer:tiny", input_shape=(None, 3), num_classes=2)
    block, x = model.get_layer("block_1"), random(2, 5, 3)
    before = np.asarray(model(x))
    for layer in (block.attention.query_key_value, block.attention.out, block.mlp.up):
        layer.enable_lora(2)
        assert not layer._kernel.trainable
    assert_close(model(x), before, KERNELS)
    trained = [w.path for w in block.trainable_weights if "lora" in w.path]
    assert len(set(trained)) == 6


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: attention.Attention(5).build((None, 4, 12)), "divide by the heads"),
        (lambda: attention.Attention(4, rotary=True).build((None, 4, 12)), "into even parts"),
        (
            lambda: attention.TransformerBlock(2, 8, remat=True, attention_dropout=0.1),
            "attention_dropout=0.0",
        ),
        (
            lambda: attention.Attention(2)(
                random(1, 1, 4), cache=np.zeros((2, 1, 2, 3, 2)), position=0
            ),
            "causal=True",
        ),
    ],
)
def test_wrong_arguments_raise_the_right_words(call, words):
    with pytest.raises(zoo.InputError, match=words):
        call()


@pytest.mark.parametrize("remat", [False, True])
def test_what_is_looked_at_is_what_the_outputs_are_made_of(remat):
    model = zoo.build(
        "transformer:tiny", input_shape=(7,), num_classes=3, vocabulary_size=9, remat=remat
    )
    ids = np.array([[3, 4, 5, 6, 7, 8, 2], [5, 4, 3, 0, 0, 0, 0]])
    before = keras.ops.convert_to_numpy(model(ids))
    found = attention_maps.weights(model, ids)
    layers = [layer for layer in all_layers(model) if isinstance(layer, attention.Attention)]
    assert len(found) == len(layers) > 0
    for weights in found.values():
        weights = keras.ops.convert_to_numpy(weights)
        assert weights.shape[0] == 2
        assert weights.shape[2:] == (7, 7)
        assert_close(weights.sum(-1), np.ones(weights.shape[:-1]), ROUNDING)
        assert (weights[1, :, :3, 3:] == 0).all()  # padding
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(model(ids)), before)
    assert all("call" not in vars(layer) for layer in layers)


def test_the_decoders_attention_is_found_too():
    model = zoo.build("seq2seq:tiny", input_shape=(None,), num_classes=11, vocabulary_size=9)
    inputs = {"source": np.array([[3, 4, 5]]), "target": np.array([[1, 6]])}
    shapes = {path: tuple(w.shape) for path, w in attention_maps.weights(model, inputs).items()}
    heads = shapes["decoder_block_1/cross_attention"][1]
    assert shapes["decoder_block_1/cross_attention"] == (1, heads, 2, 3)
    assert shapes["decoder_block_1/attention"] == (1, heads, 2, 2)
    assert shapes["encoder_block_1/attention"] == (1, heads, 3, 3)

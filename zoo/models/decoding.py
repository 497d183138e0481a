"""Decoding: what an encoder-decoder model answers, token by token, until each row has ended.

    source [B, S] ─ encoder ─ keys and values of the source, once for each block [2, N, H, S, D]
                                                     │
    START ─┬─ embedding ─ decoder block by block, each with its cache [2, N, H, L, D] ─ logits [N, V]
           └──── the next token ── greedy, the best of the beams' candidates, or drawn ────┘

B batch, S steps of the source, K beams, N = B * K rows, L max_length, V target vocabulary. It is one loop of
`keras.ops.while_loop`, so that a graph holds all of it. `generate` finds the model's parts by the names of its layers.
"""

import keras
from keras import ops

from zoo.models import checks

PADDING, START, END = 0, 1, 2  # ids of every target vocabulary
METHODS = ("greedy", "beam", "sample")
_NEVER = -1e9  # a log-probability that is never chosen, and finite


def generate(
    model, source, *, max_length, method="greedy", beam_width=4, length_penalty=0.6, temperature=1.0, top_k=None,
    top_p=None, seed=None,
):  # fmt: skip
    """Writes a target for each source, token by token.

    Use it inside of a `tf.function` or an export endpoint: called without, every step is many small calls.

    Reference: beam search with the length penalty of Wu et al. 2016, "Google's neural machine translation system",
    equation 14; `top_p` is Holtzman et al. 2020, "The curious case of neural text degeneration".

    Args:
        model: From `build_seq2seq`, trained.
        source: int32 `[B, S]`, 0 for padding at the end.
        max_length: Tokens of the longest answer, with its end; a whole number, or on TensorFlow also a scalar tensor.
        method: `"greedy"`: always the likeliest token; `"beam"`: the best of `beam_width` partial answers, of which
            those that have ended stay; `"sample"`: tokens drawn by their probabilities.
        beam_width: Beams, likewise; one is the greedy method.
        length_penalty: Answers are compared by log-probability / ((5 + tokens) / 6) ** length_penalty; with 0 by the
            log-probability, which favours short ones.
        temperature: For sampling: logits are divided by it first; the lower, the surer.
        top_k: For sampling: draw from this many likeliest tokens; `None` for all.
        top_p: For sampling: draw from the fewest likeliest tokens whose probabilities add up to `top_p`.
        seed: For sampling: a whole number, which gives the same answers each time, a `keras.random.SeedGenerator`, or
            `None` for Keras's own.

    Returns:
        `(ids, scores)`: int32 `[B, max_length]`, the tokens with the `END`, 2, and 0 after it, and float32 `[B]`, what
        `length_penalty` says. Neither `START` nor padding is ever chosen, and an answer that finds no end is cut.

    Raises:
        InputError: An argument is out of its range, or the model has no decoder. (A `ValueError`.)

    Example:

    >>> from zoo.models.seq2seq import build_seq2seq
    >>> model = build_seq2seq((None,), 20, num_layers=1)
    >>> ids, scores = generate(model, [[5, 3, 0], [4, 4, 7]], max_length=6, method="beam")
    >>> tuple(ids.shape), tuple(scores.shape)
    ((2, 6), (2,))
    """
    vocabulary = _check_model(model)
    _check_arguments(max_length, method, beam_width, length_penalty)
    _check_sampling(method, temperature, top_k, top_p, vocabulary)
    source = ops.convert_to_tensor(source, "int32")
    batch, beams = ops.shape(source)[0], beam_width if method == "beam" else 1

    def penalty(lengths):
        return ((5.0 + ops.cast(lengths, "float32")) / 6.0) ** length_penalty

    if method == "sample":
        noise = keras.random.uniform((batch, max_length), seed=seed)

        def choose(t, options, total, lengths):
            return _draw(options / temperature, ops.take(noise, t, axis=1), top_k, top_p)
    else:

        def choose(t, options, total, lengths):
            scores = total / penalty(lengths)[:, None]
            return ops.top_k(ops.reshape(scores, (batch, beams * vocabulary)), beams)[1]

    step, caches = _decoder(model, source, beams, max_length)
    ids, log_p, lengths = _search(
        step, caches, choose, penalty, (batch, beams, vocabulary), max_length
    )
    scores = ops.reshape(log_p / penalty(lengths), (batch, beams))
    best = ops.arange(batch) * beams + ops.cast(ops.argmax(scores, axis=1), "int32")
    return ops.take(ids, best, axis=0), ops.max(scores, axis=1)


def _search(step, caches, choose, penalty, sizes, max_length):
    """Extends answers by a token at a time, until none of those that go on can become the best.

    Args:
        step: From `_decoder`.
        caches: From `_decoder`.
        choose: (position, log-probabilities of the next token `[N, V]`, the same of whole answers, their lengths `[N]`)
            → which of an example's K * V candidates go on, `[B, K]`.
        penalty: Lengths → what log-probabilities are divided by.
        sizes: `(B, K, V)`.
        max_length: Tokens of the longest answer.

    Returns:
        Ids `[N, max_length]`, log-probabilities and lengths `[N]`.
    """
    batch, beams, vocabulary = sizes
    reserved, padding = ops.arange(vocabulary) <= START, ops.arange(vocabulary) == PADDING

    def goes_on(t, ids, log_p, lengths, ended, *caches):
        # Each further token lowers the log-probability: what an open answer can still reach is bounded.
        reachable = ops.where(ended, -float("inf"), log_p / penalty(max_length))
        reached = ops.where(ended, log_p / penalty(lengths), -float("inf"))
        reachable, reached = (
            ops.max(ops.reshape(x, (batch, beams)), axis=1) for x in (reachable, reached)
        )
        return ops.logical_and(t < max_length, ops.any(reachable > reached))

    def extend(t, ids, log_p, lengths, ended, *caches):
        logits, caches = step(ops.take(ids, t, axis=1)[:, None], caches, t)  # [N, V]
        options = ops.where(reserved, _NEVER, ops.log_softmax(logits))
        # An answer that has ended has one candidate, itself.
        options = ops.where(ended[:, None], ops.where(padding, 0.0, _NEVER), options)
        lengths = lengths + ops.cast(ops.logical_not(ended), "float32")
        total = log_p[:, None] + options
        chosen = choose(t, options, total, lengths)
        total = ops.reshape(total, (batch, beams * vocabulary))
        log_p = ops.reshape(ops.take_along_axis(total, chosen, axis=1), (-1,))
        tokens = ops.reshape(chosen % vocabulary, (-1, 1))
        if not (isinstance(beams, int) and beams == 1):
            parents = ops.reshape(ops.arange(batch)[:, None] * beams + chosen // vocabulary, (-1,))
            ids, lengths, ended = (ops.take(x, parents, axis=0) for x in (ids, lengths, ended))
            caches = [ops.take(cache, parents, axis=1) for cache in caches]
        ids = ops.where(ops.arange(max_length + 1) == t + 1, tokens, ids)
        return t + 1, ids, log_p, lengths, ops.logical_or(ended, tokens[:, 0] == END), *caches

    rows = batch * beams
    first = ops.cast(ops.arange(max_length + 1) == 0, "int32") * START
    only = ops.where(ops.arange(rows) % beams == 0, 0.0, _NEVER)  # the beams begin as one
    state = (
        ops.convert_to_tensor(0, "int32"),
        ops.zeros((rows, 1), "int32") + first,
        ops.cast(only, "float32"),
        ops.zeros((rows,), "float32"),
        ops.zeros((rows,), "bool"),
        *caches,
    )
    _, ids, log_p, lengths, *_ = ops.while_loop(goes_on, extend, state)
    return ids[:, 1:], log_p, lengths


def _decoder(model, source, beams, max_length):
    """Runs the encoder; returns a function (ids `[N, 1]`, caches, position) → (logits `[N, V]`, caches), and caches."""
    encoder = keras.Model(model.get_layer("source").output, model.get_layer("encoded").output)
    context = encoder(source, training=False)  # [B, S, W]
    mask = ops.repeat(ops.not_equal(source, PADDING), beams, axis=0)
    parts = {layer.name: layer for layer in model.layers}
    blocks = [layer for name, layer in parts.items() if name.startswith("decoder_block_")]
    contexts = [
        ops.repeat(block.cross_attention.context_cache(context), beams, axis=1) for block in blocks
    ]
    tied = "embedding" in parts
    embedding = parts["embedding" if tied else "target_embedding"]

    def step(ids, caches, position):
        x = parts["target_positions"](embedding(ids), start=position)  # [N, 1, W]
        filled = []
        for block, cache, context_cache in zip(blocks, caches, contexts):
            x, cache = block.step(x, cache, context_cache, mask, position)
            filled.append(cache)
        x = parts["decoder_norm"](x) if "decoder_norm" in parts else x
        x = embedding(x, reverse=True) if tied else x
        return parts["logits"](x)[:, 0], filled

    rows = ops.shape(source)[0] * beams
    return step, [block.attention.empty_cache(rows, max_length) for block in blocks]


def _draw(logits, noise, top_k, top_p):
    """Draws one token for each row by the inverse of the distribution function.

    Args:
        logits: `[B, V]`.
        noise: Evenly distributed numbers from 0 to below 1, `[B]`.
        top_k: See `generate`.
        top_p: See `generate`.

    Returns:
        int32 `[B, 1]`.
    """
    values, order = ops.top_k(logits, top_k or logits.shape[-1])  # the likeliest first
    shares = ops.softmax(values)
    up_to = ops.cumsum(shares, axis=-1)
    kept = up_to if top_p is None else ops.where(up_to - shares < top_p, up_to, 0.0)
    threshold = noise[:, None] * ops.max(kept, axis=-1, keepdims=True)
    place = ops.sum(ops.cast(up_to <= threshold, "int32"), axis=-1, keepdims=True)
    return ops.take_along_axis(order, place, axis=-1)


def _check_model(model):
    """Returns the size of the target vocabulary."""
    names = {layer.name for layer in model.layers}
    if not {"encoded", "logits"} <= names:
        raise checks.InputError(
            "`generate` needs a model with an encoder and a decoder: zoo.build('seq2seq', input_shape=(None,), "
            f"num_classes=1000). Received: {model.name!r}"
        )
    return model.output_shape[-1]


def _check_arguments(max_length, method, beam_width, length_penalty):
    checks.one_of("method", method, METHODS)
    for name, value in (("max_length", max_length), ("beam_width", beam_width)):
        if not ops.is_tensor(value):
            checks.positive_int(name, value)
    checks.not_negative("length_penalty", length_penalty)


def _check_sampling(method, temperature, top_k, top_p, vocabulary):
    checks.positive("temperature", temperature)
    if top_k is not None:
        checks.positive_int("top_k", top_k)
        if top_k > vocabulary:
            raise checks.InputError(
                f"`top_k` must be at most the {vocabulary} tokens of the target vocabulary. Received: {top_k}"
            )
    if top_p is not None:
        checks.positive("top_p", top_p)
        if top_p > 1:
            raise checks.InputError(f"`top_p` is a probability, at most 1. Received: {top_p}")
    if method != "sample" and (temperature != 1 or top_k or top_p):
        raise checks.InputError(
            f"temperature, top_k and top_p are for method='sample'. Received: method={method!r}"
        )

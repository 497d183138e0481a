"""Encoder and decoder: a Transformer from one sequence of tokens to another.

    source ids [B, S] ─ embedding * √D + positions ─ dropout ─ encoder blocks (─ norm) ─ "encoded" [B, S, D]
                                                                                             │
    target ids [B, T] ─ embedding * √D + positions ─ dropout ─ decoder blocks (─ norm) ── which look at it [B, T, D]
      └ logits [B, T, V]: at each step those of the next token

    encoder block   x ─ attention ─ feed-forward net                       each with a norm and added to its input
    decoder block   x ─ attention, to earlier steps ─ attention, to "encoded" ─ feed-forward net          likewise

B batch, S and T steps, D hidden_dim, V target vocabulary. The norms at the ends of the stacks are there where the norms
come first. Padding, the id 0 at the end, never changes a result: no step looks at it.

In training the decoder sees the right target up to each step ("teacher forcing"): it is given the target with a `START`
before it, and answers with the target and an `END` after it. `teacher_forcing` makes both; `decoding.generate` answers
where there is no target.
"""

import keras
from keras import ops

from zoo.models import attention, checks, decoding, layers, positions

SIZES = {
    "tiny": {
        "num_layers": 1, "hidden_dim": 16, "num_heads": 2, "intermediate_dim": 32, "dropout": 0.0,
    },
    "small": {"num_layers": 3, "hidden_dim": 128, "num_heads": 8, "intermediate_dim": 512},
    # Vaswani et al. 2017, table 3. With num_classes=37_000 for both languages 63,082,496 and 214,245,376 parameters:
    # those of the one embedding, biases of the attentions' projections included (the paper rounds to 65 and 213 M).
    "base": {
        "num_layers": 6, "hidden_dim": 512, "num_heads": 8, "intermediate_dim": 2048, "norm_first": False,
    },
    "big": {
        "num_layers": 6, "hidden_dim": 1024, "num_heads": 16, "intermediate_dim": 4096, "norm_first": False,
        "dropout": 0.3,
    },
}  # fmt: skip


def build_seq2seq(
    input_shape,
    num_classes,
    *,
    num_layers=3,
    hidden_dim=128,
    num_heads=8,
    intermediate_dim=512,
    activation="relu",
    norm_first=True,
    dropout=0.1,
    remat=False,
    vocabulary_size=None,
    name="seq2seq",
):
    """Builds a Transformer with encoder and decoder, which reads token ids and writes token ids.

    Use it to translate, to spell out pronunciations, to rewrite: wherever an answer is a sequence of its own length.

    Reference: Vaswani et al. 2017, "Attention is all you need"; norms before the branches as in Xiong et al. 2020.

    Args:
        input_shape: `(steps,)` of a source, or `(None,)` for any number of them.
        num_classes: Size V of the target vocabulary: ids 0 for padding, 1 for the start, 2 for the end, then tokens.
            `None` builds the encoder alone, whose output are features of the source; it needs a `vocabulary_size`.
        num_layers: Blocks of the encoder, and as many of the decoder.
        hidden_dim: Width of a step between the blocks.
        num_heads: Heads of each attention; they divide `hidden_dim`.
        intermediate_dim: Width inside of each feed-forward net.
        activation: Name of a Keras activation, or `"swiglu"`, which gates.
        norm_first: Whether each norm comes before its branch, which trains without a warm-up, or after the sum.
        dropout: Share dropped of the embeddings and of each branch's outputs in training, 0 <= dropout < 1.
        remat: Compute each block again for the gradient: less memory, more time.
        vocabulary_size: Size of the source vocabulary, with id 0 for padding at the end. `None` where source and target
            share one vocabulary: then one embedding serves both, and its transpose is the last layer.
        name: Name of the model.

    Returns:
        An uncompiled `keras.Model`. Inputs, a dict: `source`, int32 `[B, S]`, and `target`, int32 `[B, T]`, which begins
        with `START`. Output of the layer `logits`: float32 `[B, T, V]`, at each step for the token after it. Keras's
        losses and metrics leave padded steps out, as the output carries the mask of `target`.

    Raises:
        InputError: An argument is out of its range, or arguments do not fit each other; the message names them. (A
            `ValueError`.)

    Example:

    >>> model = build_seq2seq((None,), 50, vocabulary_size=30)  # from 30 letters to 50 sounds
    >>> model.output_shape
    (None, None, 50)
    >>> inputs, outputs, weights = teacher_forcing([[7, 5, 0], [9, 3, 8]], [[11, 12, 13], [14, 0, 0]])
    >>> inputs["target"].numpy().tolist()
    [[1, 11, 12, 13], [1, 14, 0, 0]]
    >>> outputs.numpy().tolist()
    [[11, 12, 13, 2], [14, 2, 0, 0]]
    >>> tuple(model(inputs).shape)
    (2, 4, 50)
    """
    shape = _check_vocabularies(input_shape, num_classes, vocabulary_size)
    checks.positive_int("num_layers", num_layers)
    attention.check_block(
        hidden_dim, num_heads, intermediate_dim, activation, "layer", rotary=False
    )
    checks.one_of("norm_first", norm_first, (False, True))
    checks.fraction("dropout", dropout)
    checks.one_of("remat", remat, (False, True))
    block = {
        "num_heads": num_heads, "intermediate_dim": intermediate_dim, "activation": activation,
        "norm_first": norm_first, "dropout": dropout, "remat": remat,
    }  # fmt: skip

    def embed(ids, embedding, side):
        x = embedding(ids)  # the mask of the zeros travels on with x
        x = positions.SinusoidalPositions(hidden_dim**0.5, name=f"{side}_positions")(x)
        return layers.dropout(x, dropout, f"{side}_dropout")

    tied = vocabulary_size is None
    source = keras.Input(shape, dtype="int32", name="source")
    embedding = _embedding(vocabulary_size or num_classes, hidden_dim, "source", tied)
    x = embed(source, embedding, "source")  # [B, S, D]
    for i in range(1, num_layers + 1):
        x = attention.TransformerBlock(name=f"encoder_block_{i}", **block)(x)
    x = _norm(x, norm_first, "encoder_norm")
    encoded = keras.layers.Identity(name="encoded")(x)
    if num_classes is None:
        return keras.Model({"source": source}, encoded, name=name)

    target = keras.Input((None,), dtype="int32", name="target")
    if not tied:
        embedding = _embedding(num_classes, hidden_dim, "target", tied)
    x = embed(target, embedding, "target")  # [B, T, D]
    for i in range(1, num_layers + 1):
        x = DecoderBlock(name=f"decoder_block_{i}", **block)(x, encoded)
    x = _norm(x, norm_first, "decoder_norm")
    if tied:
        x = embedding(x, reverse=True)  # [B, T, V]
        x = keras.layers.Activation("linear", dtype="float32", name="logits")(x)
    else:
        x = layers.classification_head(x, num_classes)
    return keras.Model({"source": source, "target": target}, x, name=name)


def teacher_forcing(source, target):
    """Makes a training batch of sources and targets.

    Args:
        source: int32 `[..., S]`, 0 for padding at the end.
        target: int32 `[..., T]`, tokens without start and end, 0 for padding at the end.

    Returns:
        `(inputs, outputs, weights)`, as `fit` takes them: the inputs `{"source": [..., S], "target": [..., T + 1]}`; the
        tokens to answer with, int32 `[..., T + 1]`; and 1 for each of these, 0 for padding, float32. Losses of Keras
        leave padding out with these weights or without, since the model's output carries the mask.
    """
    source, target = (ops.convert_to_tensor(ids, "int32") for ids in (source, target))
    edge = ops.zeros_like(target[..., :1])
    length = ops.sum(ops.cast(target != decoding.PADDING, "int32"), axis=-1, keepdims=True)
    outputs = ops.concatenate([target, edge], axis=-1)
    at_end = ops.arange(outputs.shape[-1] or ops.shape(outputs)[-1]) == length
    outputs = ops.where(at_end, decoding.END, outputs)
    inputs = ops.concatenate([edge + decoding.START, target], axis=-1)
    weights = ops.cast(outputs != decoding.PADDING, "float32")
    return {"source": source, "target": inputs}, outputs, weights


@keras.saving.register_keras_serializable(package="zoo")
class DecoderBlock(keras.layers.Layer):
    """Attention to earlier steps, attention to the encoded source, a feed-forward net; each is added to its input.

    `attention.TransformerBlock` draws where the norms are, and explains the arguments.

    Call arguments:
        x: `[B, T, W]`.
        context: The encoded source, `[B, S, C]`.
        x_mask: Which steps of `x` are real, `[B, T]`; Keras fills it in from an embedding with `mask_zero`.
        context_mask: Which steps of the context are real, `[B, S]`; filled in likewise.
    """

    def __init__(
        self, num_heads, intermediate_dim, *, activation="relu", norm_first=True, dropout=0.0, remat=False, **kwargs
    ):  # fmt: skip
        super().__init__(**kwargs)
        self.num_heads, self.intermediate_dim, self.activation = (
            num_heads,
            intermediate_dim,
            activation,
        )
        self.norm_first, self.dropout, self.remat = norm_first, dropout, remat
        self.supports_masking = True
        options = {"dtype": self.dtype_policy}
        self.attention = attention.Attention(num_heads, causal=True, name="attention", **options)
        self.attention_norm = attention.make_norm("layer", name="attention_norm", **options)
        self.cross_attention = attention.Attention(
            num_heads, cross=True, name="cross_attention", **options
        )
        self.cross_norm = attention.make_norm("layer", name="cross_norm", **options)
        self.mlp = attention.FeedForward(intermediate_dim, activation, name="mlp", **options)
        self.mlp_norm = attention.make_norm("layer", name="mlp_norm", **options)
        self.drop = keras.layers.Dropout(dropout, name="drop", **options)

    def build(self, x_shape, context_shape):
        self.cross_attention.build(x_shape, context_shape)
        for layer in (
            self.attention,
            self.attention_norm,
            self.cross_norm,
            self.mlp,
            self.mlp_norm,
        ):
            layer.build(x_shape)

    def call(self, x, context, x_mask=None, context_mask=None):
        def look(y, context):
            return self.cross_attention(y, context=context, context_mask=context_mask)

        x = self._add(x, self.attention_norm, lambda y: self.attention(y, mask=x_mask))
        x = self._add(x, self.cross_norm, look, context)
        return self._add(x, self.mlp_norm, self.mlp)

    def step(self, x, cache, context_cache, context_mask, position):
        """One step of decoding, without dropout.

        Args:
            x: `[B, 1, W]`.
            cache: From `attention.empty_cache`, or what the step before returned.
            context_cache: From `cross_attention.context_cache`.
            context_mask: `[B, S]`.
            position: Scalar tensor: how many steps came before.

        Returns:
            `[B, 1, W]` and the cache, with this step in it.
        """
        y = self._before(x, self.attention_norm)
        y, cache = self.attention(y, cache=cache, position=position)
        x = self._after(x, y, self.attention_norm)
        y = self._before(x, self.cross_norm)
        y, _ = self.cross_attention(y, cache=context_cache, context_mask=context_mask)
        x = self._after(x, y, self.cross_norm)
        y = self.mlp(self._before(x, self.mlp_norm))
        return self._after(x, y, self.mlp_norm), cache

    def _add(self, x, norm, branch, *more):
        def run(y, *more):  # a tensor that is not passed in gets no gradient from remat
            return branch(self._before(y, norm), *more)

        y = (keras.remat(run) if self.remat else run)(x, *more)
        return self._after(x, y, norm)

    def _before(self, x, norm):
        return norm(x) if self.norm_first else x

    def _after(self, x, y, norm):
        x = x + self.drop(y)
        return x if self.norm_first else norm(x)

    def compute_output_shape(self, x_shape, context_shape):
        return x_shape

    def get_config(self):
        keys = ("num_heads", "intermediate_dim", "activation", "norm_first", "dropout", "remat")
        return {**super().get_config(), **{key: getattr(self, key) for key in keys}}


def _embedding(vocabulary_size, hidden_dim, side, tied):
    # As small as what is multiplied by the root of the width should be.
    start = keras.initializers.TruncatedNormal(stddev=hidden_dim**-0.5)
    if tied:
        return layers.TiedEmbedding(
            vocabulary_size, hidden_dim, start, mask_zero=True, name="embedding"
        )
    return keras.layers.Embedding(
        vocabulary_size, hidden_dim, start, mask_zero=True, name=f"{side}_embedding"
    )


def _norm(x, norm_first, name):
    return attention.make_norm("layer", name=name)(x) if norm_first else x


def _check_vocabularies(input_shape, num_classes, vocabulary_size):
    checks.num_classes(num_classes)
    if vocabulary_size is not None:
        checks.positive_int("vocabulary_size", vocabulary_size)
    elif num_classes is None:
        raise checks.InputError(
            "The encoder alone, num_classes=None, needs the size of the source vocabulary: pass vocabulary_size=1000."
        )
    if num_classes is not None and num_classes <= decoding.END + 1:
        raise checks.InputError(
            "`num_classes` is the size of the target vocabulary: ids 0 for padding, 1 for the start, 2 for the end, and "
            f"at least one token. Received: {num_classes}"
        )
    return checks.token_shape(input_shape)


def search_space(hp):
    """Depth, width and dropout; `hp` is a `keras_tuner.HyperParameters`."""
    width = hp.Int("hidden_dim", 32, 256, step=2, sampling="log")
    return {
        "num_layers": hp.Int("num_layers", 1, 6),
        "hidden_dim": width,
        "num_heads": hp.Choice("num_heads", [2, 4, 8]),
        "intermediate_dim": width * hp.Choice("ratio", [2, 4]),
        "dropout": hp.Float("dropout", 0.0, 0.5, step=0.1),
    }

"""Transformer encoder.

    token ids [B, T] ─ embedding (+ segment)     sequences [B, T, C] ─ dense     images [B, H, W, C] ─ rows ─ dense
      └ [B, T, D] + positions ─ (norm, unless norm_first) ─ dropout
      └ num_layers times:  attention ─ feed-forward net      each with a norm and added to its input    [B, T, D]
      └ (norm, if norm_first)
      └ pooling   "mean"  mean of the steps                                                             [B, D]
                  "cls"   first step ─ dense, tanh                                                      [B, D]
                  "none"  every step for itself                                                         [B, T, D]
      └ logits                                                                                [B, K] or [B, T, K]

B batch, T steps, C channels, H W height and width, D hidden_dim, K classes. `attention.TransformerBlock` draws the
blocks, `positions` has the formulas. Padding, the id 0 at the end of a text, never changes a result: no step looks at
it, and the mean leaves it out.
"""

import keras
from keras import ops

from zoo.models import attention, checks, layers
from zoo.models import positions as places

# Devlin et al. 2019, section 3, and Turc et al. 2019, table 1; for ids of BERT's own 30,522 word pieces, which start
# with [CLS]. The learned positions, segments, the norm after them and the layer on [CLS] are BERT's, too.
_BERT = {
    "norm_first": False,
    "positions": 512,
    "pooling": "cls",
    "attention_dropout": 0.1,
    "vocabulary_size": 30_522,
    "separator": 0,
}


def _bert(num_layers, hidden_dim):
    return {
        "num_layers": num_layers,
        "hidden_dim": hidden_dim,
        "num_heads": hidden_dim // 64,
        "intermediate_dim": 4 * hidden_dim,
        **_BERT,
    }


SIZES = {
    "tiny": {
        "num_layers": 1, "hidden_dim": 16, "num_heads": 2, "intermediate_dim": 32, "dropout": 0.0,
    },
    "small": {"num_layers": 2, "hidden_dim": 64, "num_heads": 4, "intermediate_dim": 256},
    "base": {"num_layers": 4, "hidden_dim": 128, "num_heads": 4, "intermediate_dim": 512},
    "bert_tiny": _bert(2, 128),
    "bert_mini": _bert(4, 256),
    "bert_small": _bert(4, 512),
    "bert_medium": _bert(8, 512),
    "bert_base": _bert(12, 768),
    "bert_large": _bert(24, 1024),
}  # fmt: skip


def build_transformer(
    input_shape,
    num_classes,
    *,
    num_layers=2,
    hidden_dim=64,
    num_heads=4,
    intermediate_dim=256,
    activation="gelu",
    normalization="layer",
    norm_first=True,
    positions="sinusoidal",
    pooling="mean",
    dropout=0.1,
    attention_dropout=0.0,
    remat=False,
    vocabulary_size=None,
    tied=False,
    separator=None,
    name="transformer",
):
    """Builds a Transformer encoder for token ids, sequences of features, or images row by row.

    Use it for texts where order and distant words matter, for long signals, and to label every step.

    Reference: Vaswani et al. 2017, "Attention is all you need"; Devlin et al. 2019, "BERT: Pre-training of deep
    bidirectional Transformers for language understanding"; norms before the branches as in Xiong et al. 2020.

    Args:
        input_shape: Shape of one example: with a `vocabulary_size` `(steps,)`, otherwise `(steps, channels)`, where
            `None` stands for any number of steps, or `(height, width, channels)`, read as `height` steps.
        num_classes: Width of the last layer; `None` leaves it off and returns the features before it.
        num_layers: Blocks.
        hidden_dim: Width of a step between the blocks.
        num_heads: Heads of each attention; they divide `hidden_dim`.
        intermediate_dim: Width inside of each feed-forward net.
        activation: Name of a Keras activation, or `"swiglu"`, which gates.
        normalization: `"layer"` or `"rms"`.
        norm_first: Whether each norm comes before its branch, which trains without a warm-up, or after the sum.
        positions: `"sinusoidal"`, `"rotary"`, or how many learned positions there are, for example 512.
        pooling: `"mean"`, `"cls"` (the first step) or `"none"`, which keeps all steps, to classify each of them.
        dropout: Share dropped of the embeddings and of each branch's outputs in training, 0 <= dropout < 1.
        attention_dropout: Share of attention weights dropped in training.
        remat: Compute each block again for the gradient: less memory, more time. Needs `attention_dropout=0`.
        vocabulary_size: The inputs are token ids from 1 to `vocabulary_size` - 1, and 0 for padding at the end. Larger
            ids are not noticed where XLA or a GPU runs the model: bound them where the ids are made.
        tied: The last layer is the transposed embedding, without a bias: for masked-language modelling, with
            `pooling="none"` and `num_classes=vocabulary_size`.
        separator: Adds one of two learned vectors, which tell a first text from a second one: the id that ends the
            first, in BERT's word pieces 102. 0, the padding, where there is one text only; `None`: no such vectors.
        name: Name of the model.

    Returns:
        An uncompiled `keras.Model`. Input `inputs`: float32 `[B, *input_shape]`, or int32 for tokens. Output of the
        layer `logits`: float32 `[B, num_classes]`, or `[B, steps, num_classes]` with `pooling="none"`, where Keras's
        losses leave padded steps out. The mean of a text of padding only is 0.

    Raises:
        InputError: An argument is out of its range, or arguments do not fit each other; the message names them. (A
            `ValueError`.)

    Example:

    >>> model = build_transformer((None,), 2, vocabulary_size=1000)  # texts of any length
    >>> model.output_shape
    (None, 2)
    >>> build_transformer((None, 3), 5, pooling="none").output_shape  # steps of 3 channels, each of which is classified
    (None, None, 5)
    """
    checks.positive_int("num_layers", num_layers)
    rotary = positions == "rotary"
    attention.check_block(
        hidden_dim, num_heads, intermediate_dim, activation, normalization, rotary
    )
    checks.one_of("norm_first", norm_first, (False, True))
    checks.one_of("pooling", pooling, ("mean", "cls", "none"))
    checks.fraction("dropout", dropout)
    checks.fraction("attention_dropout", attention_dropout)
    checks.one_of("remat", remat, (False, True))
    checks.num_classes(num_classes)
    shape = _check_inputs(input_shape, vocabulary_size, separator)
    _check_positions(positions)
    _check_tied(tied, vocabulary_size, pooling, num_classes)

    inputs = keras.Input(shape, dtype="int32" if vocabulary_size else None, name="inputs")
    embedding = _embedding(vocabulary_size, hidden_dim, positions, tied)
    x = _embed(inputs, embedding, hidden_dim, separator)  # [B, T, D]
    x = _add_positions(x, positions, scale=hidden_dim**0.5 if vocabulary_size else 1.0)
    if not norm_first:
        x = attention.make_norm(normalization, name="embedding_norm")(x)
    x = layers.dropout(x, dropout, "dropout")
    for i in range(1, num_layers + 1):
        x = attention.TransformerBlock(
            num_heads, intermediate_dim, activation=activation, normalization=normalization, norm_first=norm_first,
            rotary=rotary, dropout=dropout, attention_dropout=attention_dropout, remat=remat, name=f"block_{i}",
        )(x)  # fmt: skip
    if norm_first:
        x = attention.make_norm(normalization, name="norm")(x)
    x = _pool(x, pooling)
    if tied:
        x = embedding(x, reverse=True)  # [B, T, vocabulary_size]
        x = keras.layers.Activation("linear", dtype="float32", name="logits")(x)
        return keras.Model(inputs, x, name=name)
    return keras.Model(inputs, layers.classification_head(x, num_classes), name=name)


@keras.saving.register_keras_serializable(package="zoo")
class SegmentEmbedding(keras.layers.Embedding):
    """One learned vector for the steps up to the first `separator`, another for those after it.

    Input: token ids `[B, T]`. Output: `[B, T, output_dim]`, with the mask of the ids.
    """

    def __init__(self, separator, output_dim, **kwargs):
        super().__init__(2, output_dim, mask_zero=True, **kwargs)
        self.separator = separator

    def call(self, ids):
        ends = ops.cast(ops.equal(ids, self.separator), "int32")
        before = ops.cumsum(ends, axis=1) - ends  # separators before each step
        return super().call(ops.minimum(before, 1))

    def get_config(self):
        config = {**super().get_config(), "separator": self.separator}
        return {k: v for k, v in config.items() if k not in ("input_dim", "mask_zero")}


def _embedding(vocabulary_size, hidden_dim, positions, tied):
    """The layer of the tokens' vectors; `None` for features."""
    if vocabulary_size is None:
        return None
    # Vaswani et al. 2017 multiply embeddings by the root of the width; BERT starts them as small as its positions.
    std = hidden_dim**-0.5 if positions == "sinusoidal" else 0.02
    kind = layers.TiedEmbedding if tied else keras.layers.Embedding
    start = keras.initializers.TruncatedNormal(stddev=std)
    return kind(vocabulary_size, hidden_dim, start, mask_zero=True, name="embedding")


def _embed(inputs, embedding, hidden_dim, separator):
    if embedding is None:
        x = inputs
        if len(x.shape) == 4:
            height, width, channels = x.shape[1:]
            x = keras.layers.Reshape((height, width * channels), name="rows")(x)
        return keras.layers.Dense(hidden_dim, name="projection")(x)
    x = embedding(inputs)  # the mask of the zeros travels on with x
    if separator is None:
        return x
    start = keras.initializers.TruncatedNormal(stddev=0.02)
    segments = SegmentEmbedding(
        separator, hidden_dim, embeddings_initializer=start, name="segments"
    )(inputs)
    return keras.layers.Add(name="add_segments")([x, segments])


def _add_positions(x, positions, scale):
    if positions == "rotary":  # the attention turns queries and keys
        return x
    if positions == "sinusoidal":
        return places.SinusoidalPositions(scale, name="positions")(x)
    return places.LearnedPositions(positions, name="positions")(x)


def _pool(x, pooling):
    if pooling == "mean":
        return layers.MaskedAveragePooling1D(name="pool")(x)
    if pooling == "cls":
        x = layers.FirstStep(name="pool")(x)
        return keras.layers.Dense(x.shape[-1], "tanh", name="pooler")(x)
    return x


def _check_inputs(input_shape, vocabulary_size, separator):
    if vocabulary_size is None:
        if separator is not None:
            raise checks.InputError(
                f"`separator` is a token id: pass vocabulary_size=20000 and input_shape=(None,), or separator=None. "
                f"Received: separator={separator!r}"
            )
        example = "(100, 3) or (None, 3) for sequences, (28, 28, 1) for images, or (None,) and vocabulary_size=20000 for token ids"
        return checks.input_shape(input_shape, (2, 3), example, any_steps=True)
    checks.positive_int("vocabulary_size", vocabulary_size)
    if separator is not None and separator not in range(vocabulary_size):
        raise checks.InputError(
            f"`separator` must be a token id below vocabulary_size={vocabulary_size}. Received: {separator!r}"
        )
    return checks.token_shape(input_shape)


def _check_positions(positions):
    if isinstance(positions, str):
        checks.one_of(
            "positions", positions, ("sinusoidal", "rotary"), (), "or how many are learned, such as 512"
        )  # fmt: skip
    else:
        checks.positive_int("positions", positions)


def _check_tied(tied, vocabulary_size, pooling, num_classes):
    checks.one_of("tied", tied, (False, True))
    if tied and not (vocabulary_size and pooling == "none" and num_classes == vocabulary_size):
        raise checks.InputError(
            "tied=True gives every step a logit for each token: pass vocabulary_size=V, num_classes=V and "
            f"pooling='none'. Received: vocabulary_size={vocabulary_size}, num_classes={num_classes}, "
            f"pooling={pooling!r}"
        )


def search_space(hp):
    """Depth, width, positions and dropout; `hp` is a `keras_tuner.HyperParameters`."""
    width = hp.Int("hidden_dim", 32, 256, step=2, sampling="log")
    return {
        "num_layers": hp.Int("num_layers", 1, 6),
        "hidden_dim": width,
        "num_heads": hp.Choice("num_heads", [2, 4, 8]),
        "intermediate_dim": width * hp.Choice("ratio", [2, 4]),
        "positions": hp.Choice("positions", ["sinusoidal", "rotary"]),
        "dropout": hp.Float("dropout", 0.0, 0.5, step=0.1),
    }

"""Recurrent network.

    token ids [B, T] ─ embedding ─ dropout [B, T, D]   sequences [B, T, D]   images [B, H, W, C] ─ rows [B, H, W * C]
      └ ( recurrent layer ─ normalization ─ dropout ) x (num_layers - 1)              [B, T, F]
          recurrent layer ─ normalization ─ pooling over the steps ─ dropout          [B, F]
      └ logits                                                                        [B, K]

    "lstm"   i, f, o = sigmoid(x W + h U + b)        g = tanh(x W + h U + b)           c' = f c + i g,  h' = o tanh(c')
    "gru"    z, r = sigmoid(x W + b + h U + b')      g = tanh(x W + b + r (h U + b'))  h' = z h + (1 - z) g
    "rnn"                                                                              h' = tanh(x W + h U + b)

B batch, T steps, D features of a step, F units (twice as many where bidirectional: the second half reads the steps from
the last to the first), K classes, H W C height, width, channels, x a step, h and c the state, W U b one set of weights for each gate. With pooling `"none"` every step keeps its
output: [B, T, K].

Texts differ in length: the ids 0 at the end are padding, which no layer reads and pooling leaves out, so it never
changes a result. A text of padding only counts as one token of id 0: the pooling has a step to look at, and cuDNN,
which fails where a sequence has no step at all or has its padding elsewhere than at the end, gets neither.
"""

import keras

from zoo.models import checks, layers

SIZES = {
    "tiny": {"units": 8, "embedding_dim": 8},
    "small": {"units": 64, "embedding_dim": 64},
    "stacked": {"num_layers": 2, "units": 128},
    # Conneau et al. 2017, section 3.2.2 (BiLSTM-max), small enough for a CPU; for token ids.
    "base": {
        "units": 64,
        "bidirectional": True,
        "pooling": "max",
        "dropout": 0.5,
        "embedding_dim": 128,
    },
}

CELLS = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU, "rnn": keras.layers.SimpleRNN}
POOLINGS = {
    "last": None,  # the recurrent layer's last state
    "mean": keras.layers.GlobalAveragePooling1D,
    "max": layers.MaskedMaxPooling1D,
    "none": None,
}


def build_recurrent(
    input_shape,
    num_classes,
    *,
    cell="lstm",
    num_layers=1,
    units=64,
    bidirectional=False,
    pooling="last",
    normalization=None,
    dropout=0.0,
    recurrent_dropout=0.0,
    vocabulary_size=None,
    embedding_dim=64,
    embedding_dropout=0.0,
    name="recurrent",
):
    """Builds a recurrent network for token ids, for sequences of features, or for images read row by row.

    Use it for texts of up to a few hundred tokens, for signals, and to forecast the next values of a series from the
    last steps (a regression with `num_classes` values).

    Reference: Hochreiter & Schmidhuber 1997, "Long short-term memory"; Cho et al. 2014, "Learning phrase
    representations using RNN encoder-decoder" (GRU, here with the reset gate after the product, as in cuDNN); Schuster
    & Paliwal 1997, "Bidirectional recurrent neural networks".

    Args:
        input_shape: Shape of one example: `(steps, channels)`; `(height, width, channels)` in pixels, whose rows are
            the steps; or with a `vocabulary_size` `(steps,)`. `None` for the steps of a sequence or a text stands for
            any number of them.
        num_classes: Width of the last layer; `None` leaves it off and returns the features before it.
        cell: `"lstm"`, `"gru"` or `"rnn"`.
        num_layers: Recurrent layers on top of each other.
        units: Width of each layer's state, in each direction.
        bidirectional: Every layer reads the steps in both directions.
        pooling: What of the last layer counts: its `"last"` state (in both directions: each one's own last), the
            `"mean"` or the `"max"` over the steps, or `"none"`: every step has its own output.
        normalization: `"batch"`, `"layer"` or `None`; of each layer's outputs.
        dropout: Share of each layer's outputs dropped in training, 0 <= dropout < 1.
        recurrent_dropout: Share of the state that a layer does not see in training, the same at every step (Gal &
            Ghahramani 2016), 0 <= recurrent_dropout < 1. A GPU is many times slower with it: cuDNN cannot do it.
        vocabulary_size: The inputs are token ids from 1 to `vocabulary_size` - 1, and 0 for padding at the end. Larger
            ids are not noticed where XLA or a GPU runs the model: bound them where the ids are made.
        embedding_dim: Width of the tokens' embedding.
        embedding_dropout: Share of the embedding's dimensions that a text does not have in training, the same ones at
            every step (Gal & Ghahramani 2016), 0 <= embedding_dropout < 1; for token ids.
        name: Name of the model.

    Returns:
        An uncompiled `keras.Model`. Input `inputs`: float32 `[B, *input_shape]`, or int32 for tokens. Output of the
        layer `logits`: float32 `[B, num_classes]`, or `[B, steps, num_classes]` without pooling, where the outputs of
        padding mean nothing.

    Raises:
        InputError: An argument is out of its range; the message names it. (A `ValueError`.)

    Example:

    >>> model = build_recurrent((50,), 10, vocabulary_size=1000)  # texts of 50 tokens
    >>> model.count_params()
    97674
    >>> build_recurrent((None, 3), 1, cell="gru", num_layers=2).output_shape  # the next value of three series
    (None, 1)
    >>> build_recurrent((None,), 9, vocabulary_size=1000, bidirectional=True, pooling="none").output_shape
    (None, None, 9)
    """
    shape = _check_shape(input_shape, vocabulary_size, embedding_dim)
    checks.num_classes(num_classes)
    checks.one_of("cell", cell, CELLS)
    checks.positive_int("num_layers", num_layers)
    checks.positive_int("units", units)
    checks.one_of("bidirectional", bidirectional, (False, True))
    checks.one_of("pooling", pooling, POOLINGS)
    layers.check_normalization(normalization)
    checks.fraction("dropout", dropout)
    checks.fraction("recurrent_dropout", recurrent_dropout)
    checks.fraction("embedding_dropout", embedding_dropout)
    if embedding_dropout and vocabulary_size is None:
        raise checks.InputError(
            "`embedding_dropout` is for token ids: pass a `vocabulary_size` too, or leave it out. "
            f"Received: {embedding_dropout!r}"
        )

    x = inputs = keras.Input(
        shape, dtype=None if vocabulary_size is None else "int32", name="inputs"
    )
    if vocabulary_size is not None:  # the mask of the padding travels on with x
        x = TokenEmbedding(vocabulary_size, embedding_dim, name="embedding")(x)  # [B, T, D]
        if embedding_dropout:
            x = keras.layers.SpatialDropout1D(embedding_dropout, name="embedding_dropout")(x)
    elif len(shape) == 3:
        x = keras.layers.Reshape((shape[0], shape[1] * shape[2]), name="rows")(x)  # [B, H, W * C]
    for i in range(1, num_layers + 1):
        last = i == num_layers
        layer = CELLS[cell](
            units,
            return_sequences=not last or pooling != "last",
            recurrent_dropout=recurrent_dropout,
            name=f"{cell}_{i}",
        )
        if bidirectional:
            layer = keras.layers.Bidirectional(layer, name=f"{cell}_{i}")
        x = layers.normalize(layer(x), normalization, f"norm_{i}")
        if last and POOLINGS[pooling]:
            x = POOLINGS[pooling](name="pool")(x)  # [B, F]
        x = layers.dropout(x, dropout, f"dropout_{i}")
    return keras.Model(inputs, layers.classification_head(x, num_classes), name=name)


@keras.saving.register_keras_serializable(package="zoo")
class TokenEmbedding(keras.layers.Embedding):
    """`Embedding` whose mask leaves out the zeros at the end, and keeps at least the first step.

    The mask of Keras's `mask_zero` may have gaps, or no step at all; cuDNN's recurrent layers refuse both.

    Input: int32 `[B, T]`. Output: `[B, T, output_dim]` with a mask `[B, T]`.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.supports_masking = True

    def compute_mask(self, inputs, mask=None):
        steps = keras.ops.cumsum(keras.ops.ones_like(inputs), axis=1)  # 1, 2, 3, ...
        ends = keras.ops.where(keras.ops.not_equal(inputs, 0), steps, 1)
        return keras.ops.less_equal(steps, keras.ops.max(ends, axis=1, keepdims=True))


def _check_shape(input_shape, vocabulary_size, embedding_dim):
    if vocabulary_size is None:
        example = "(100, 3) for sequences, (28, 28, 1) for images, or (None,) and vocabulary_size=20000 for token ids"
        return checks.input_shape(input_shape, (2, 3), example, any_steps=True)
    checks.positive_int("vocabulary_size", vocabulary_size)
    checks.positive_int("embedding_dim", embedding_dim)
    return checks.token_shape(input_shape)


def search_space(hp):
    """Cell, depth, width, directions, pooling and dropout; `hp` is a `keras_tuner.HyperParameters`."""
    return {
        "cell": hp.Choice("cell", ["lstm", "gru"]),
        "num_layers": hp.Int("num_layers", 1, 3),
        "units": hp.Int("units", 32, 256, step=2, sampling="log"),
        "bidirectional": hp.Boolean("bidirectional"),
        "pooling": hp.Choice("pooling", ["last", "mean", "max"]),
        "dropout": hp.Float("dropout", 0.0, 0.6, step=0.1),
    }

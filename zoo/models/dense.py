"""Dense network (multi-layer perceptron).

    inputs [B, ...] ─ flatten [B, F] ─ ( Dense ─ activation ─ normalization ─ dropout ) x len(units) ─ logits [B, C]

B batch, F features, C classes. Start here for tables; for images a `cnn` needs fewer parameters for more accuracy. What a table
has more use for stands between, each by an argument of its own; N of the features are numbers, D is the width of an embedding:

    inputs [B, F] ─ embedding [B, N D + F - N] ─ scaling ─ members [B, K, ...] ─ hidden layers as above ─ logits [B, C]

`tabular` is RealMLP's form (Holzmüller et al. 2024): periodic embeddings, the scaling layer, the neural tangent parametrization
(kernels of variance 1, inputs divided by the root of their number) and activations with weights. `ensemble` is TabM-mini (Gorishniy et al. 2025):
piecewise linear embeddings and K members that share all layers but their last.
"""

import keras

from zoo.models import checks, columns, layers

SIZES = {
    "tiny": {"units": (16,)},
    "small": {"units": (64, 64)},
    "base": {"units": (256, 128, 64), "normalization": "batch", "dropout": 0.5},
    # Srivastava et al. 2014, table 2: three layers of 1024 ReLU with dropout, 0.5 on hidden units.
    "large": {"units": (1024, 1024, 1024), "dropout": 0.5},
    # Of RealMLP (Holzmüller et al. 2024) three layers of 256, the parametrization, the scaling layer and the activations with weights; of TabM
    # (Gorishniy et al. 2025) the piecewise linear embeddings, which were better here than periodic ones, and fewer and narrower members than
    # its 32 of 512, for two cores.
    "tabular": {
        "units": (256, 256, 256),
        "activation": "silu",
        "embedding": "piecewise",
        "ntk": True,
        "dropout": 0.2,
    },
    "ensemble": {
        "units": (256, 256, 256),
        "activation": "silu",
        "embedding": "piecewise",
        "ntk": True,
        "members": 8,
        "dropout": 0.2,
    },
}


def build_dense(
    input_shape,
    num_classes,
    *,
    units=(64, 64),
    activation="relu",
    normalization=None,
    dropout=0.0,
    l1=0.0,
    l2=0.0,
    embedding=None,
    ntk=False,
    members=None,
    quantiles=None,
    average="values",
    name="dense",
):
    """Builds a dense network: hidden layers of `units`, then one layer of logits.

    Use it for tables, for features of any shape (they are flattened), and as the baseline that a larger model has
    to beat.

    Reference: Rumelhart, Hinton & Williams 1986, "Learning representations by back-propagating errors"; dropout as
    in Srivastava et al. 2014.

    Args:
        input_shape: Shape of one example without the batch, for example `(13,)` or `(28, 28, 1)`.
        num_classes: Width of the last layer; `None` leaves it off and returns the last hidden layer.
        units: Width of each hidden layer; `()` gives a linear model.
        activation: Name of a Keras activation.
        normalization: `"batch"`, `"layer"` or `None`; follows the activation.
        dropout: Share of hidden units dropped in training, 0 <= dropout < 1.
        l1: Weight of the L1 penalty on each kernel.
        l2: Weight of the L2 penalty on each kernel.
        embedding: How each number of a table is embedded: `"periodic"`, `"piecewise"` or `None`.
        ntk: Whether to use RealMLP's scaling layer, parametrization and activations.
        members: Networks in one that share all hidden layers, each with an input scaling and a last layer of its own; `None`
            for a plain network. They are trained each on its own loss, and answer by their average.
        quantiles: For each feature its training quantiles, rising, or `None` where it is no number, for the embedding; where they are
            left out all features are taken for standard normal. `zoo.train` and `Preparation.arguments_of` find them.
        average: What is averaged over the members: `"values"`, or the probabilities of `"softmax"` or `"sigmoid"`.
        name: Name of the model.

    Returns:
        An uncompiled `keras.Model`. Input `inputs`: float32 `[B, *input_shape]`. Output of the layer `logits`:
        float32 `[B, num_classes]`.

    Raises:
        InputError: An argument is out of its range; the message names it. (A `ValueError`.)

    Example:

    >>> model = build_dense((13,), 3, units=(32, 16), dropout=0.2)
    >>> model.output_shape
    (None, 3)
    >>> model.count_params()
    1027
    """
    shape = checks.input_shape(input_shape, None, "(13,)")
    checks.num_classes(num_classes)
    checks.positive_ints("units", units, empty=True)
    layers.check_activation(activation)
    layers.check_normalization(normalization)
    checks.fraction("dropout", dropout)
    checks.not_negative("l1", l1)
    checks.not_negative("l2", l2)

    if embedding is not None:
        checks.one_of("embedding", embedding, columns.EMBEDDINGS)
    if members is not None:
        checks.positive_int("members", members)
    checks.one_of("average", average, columns.AVERAGES)
    checks.one_of("ntk", ntk, (False, True))

    inputs = keras.Input(shape, name="inputs")
    x = inputs if len(shape) == 1 else keras.layers.Flatten(name="flatten")(inputs)  # [B, F]
    x, repeats = _embedded(x, embedding, quantiles)
    x = columns.Scaling(name="scaling")(x) if ntk else x
    x = columns.Members(members, repeats, name="members")(x) if members else x  # [B, K, ...]
    for i, width in enumerate(units, start=1):
        penalty = keras.regularizers.L1L2(l1, l2) if l1 or l2 else None
        if ntk:
            x = _ntk_layer(x, width, activation, penalty, i)
        else:
            x = keras.layers.Dense(
                width, activation, kernel_regularizer=penalty, name=f"dense_{i}"
            )(x)
        x = layers.normalize(x, normalization, f"norm_{i}")
        x = layers.dropout(x, dropout, f"dropout_{i}")
    if ntk and num_classes is not None:
        x = keras.layers.Rescaling(x.shape[-1] ** -0.5, name="ntk_logits")(x)
    if members and num_classes is not None:
        x = columns.MemberLogits(num_classes, average, dtype="float32", name="logits")(x)
        return columns.EnsembleModel(inputs, x, name=name)
    start = "zeros" if ntk else "glorot_uniform"
    return keras.Model(inputs, layers.classification_head(x, num_classes, start), name=name)


def _embedded(x, embedding, quantiles):
    """Features with their numbers embedded, and how many of them belong together, of each embedding or feature."""
    quantiles = columns.check_quantiles(quantiles, x.shape[-1])
    count = sum(ends is not None for ends in quantiles)
    if embedding is None or not count:
        return x, (1,) * x.shape[-1]
    kind = {"periodic": columns.PeriodicEmbedding, "piecewise": columns.PiecewiseEmbedding}[
        embedding
    ]
    layer = kind(quantiles, name="embedding")
    return layer(x), (layer.embedding_dim,) * count + (1,) * (len(quantiles) - count)


def _ntk_layer(x, width, activation, penalty, number):
    """A hidden layer whose kernel begins with variance 1 and whose input is divided by the root of its width."""
    x = keras.layers.Rescaling(x.shape[-1] ** -0.5, name=f"ntk_{number}")(x)
    normal = keras.initializers.RandomNormal(stddev=1.0)
    x = keras.layers.Dense(
        width, kernel_initializer=normal, kernel_regularizer=penalty, name=f"dense_{number}"
    )(x)
    return columns.ParametricActivation(activation, name=f"activation_{number}")(x)


def search_space(hp):
    """Depth, width and regularization; `hp` is a `keras_tuner.HyperParameters`."""
    width = hp.Int("units", 32, 512, step=2, sampling="log")
    return {
        "units": (width,) * hp.Int("num_layers", 1, 4),
        "normalization": "batch" if hp.Boolean("batch_normalization") else None,
        "dropout": hp.Float("dropout", 0.0, 0.6, step=0.1),
    }


def table_space(hp):
    """What is searched of the sizes for tables: what RealMLP and TabM are tuned by; `hp` is a `keras_tuner.HyperParameters`."""
    width = hp.Int("units", 64, 512, step=2, sampling="log")
    return {
        "units": (width,) * hp.Int("num_layers", 1, 5),
        "activation": hp.Choice("activation", ["silu", "mish", "selu", "relu"]),
        "embedding": hp.Choice("embedding", list(columns.EMBEDDINGS)),
        "dropout": hp.Float("dropout", 0.0, 0.5, step=0.05),
    }


def ensemble_space(hp):
    """That of tables, and how many members there are."""
    return {**table_space(hp), "members": hp.Choice("members", [4, 8, 16, 32])}


# Sizes that are searched by other arguments than the family.
SPACES = {"tabular": table_space, "ensemble": ensemble_space}

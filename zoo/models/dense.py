"""Dense network (multi-layer perceptron).

    inputs [B, ...] ─ flatten [B, F] ─ ( Dense ─ activation ─ normalization ─ dropout ) x len(units) ─ logits [B, C]

B batch, F features, C classes. Start here for tables; for images a `cnn` needs fewer parameters for more accuracy.
"""

import keras

from zoo.models import checks, layers

SIZES = {
    "tiny": {"units": (16,)},
    "small": {"units": (64, 64)},
    "base": {"units": (256, 128, 64), "normalization": "batch", "dropout": 0.5},
    # Srivastava et al. 2014, table 2: three layers of 1024 ReLU with dropout, 0.5 on hidden units.
    "large": {"units": (1024, 1024, 1024), "dropout": 0.5},
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

    inputs = keras.Input(shape, name="inputs")
    x = inputs if len(shape) == 1 else keras.layers.Flatten(name="flatten")(inputs)  # [B, F]
    for i, width in enumerate(units, start=1):
        penalty = keras.regularizers.L1L2(l1, l2) if l1 or l2 else None
        x = keras.layers.Dense(width, activation, kernel_regularizer=penalty, name=f"dense_{i}")(x)
        x = layers.normalize(x, normalization, f"norm_{i}")
        x = layers.dropout(x, dropout, f"dropout_{i}")
    return keras.Model(inputs, layers.classification_head(x, num_classes), name=name)


def search_space(hp):
    """Depth, width and regularization; `hp` is a `keras_tuner.HyperParameters`."""
    width = hp.Int("units", 32, 512, step=2, sampling="log")
    return {
        "units": (width,) * hp.Int("num_layers", 1, 4),
        "normalization": "batch" if hp.Boolean("batch_normalization") else None,
        "dropout": hp.Float("dropout", 0.0, 0.6, step=0.1),
    }

"""Pieces that more than one family uses."""

import keras

from zoo.models import checks

NORMALIZATIONS = {
    # Keras's momentum of 0.99 lags hundreds of steps behind the weights: short runs would be judged by stale averages.
    "batch": lambda name: keras.layers.BatchNormalization(momentum=0.9, name=name),
    "layer": lambda name: keras.layers.LayerNormalization(name=name),
}


def check_normalization(value):
    """Raises `InputError` unless `value` is `None` or a key of `NORMALIZATIONS`."""
    if value is not None:
        checks.one_of("normalization", value, NORMALIZATIONS)


def check_activation(value):
    """Raises `InputError` unless Keras knows the activation."""
    try:
        keras.activations.get(value)
    except ValueError as error:
        raise checks.InputError(
            f"`activation` must be a name from keras.activations, for example 'relu'. Received: {value!r}"
        ) from error


def normalize(x, normalization, name):
    """Applies the normalization layer that the name stands for; `None` returns `x`."""
    return x if normalization is None else NORMALIZATIONS[normalization](name)(x)


def dropout(x, rate, name):
    """Applies dropout; a rate of 0 adds no layer."""
    return keras.layers.Dropout(rate, name=name)(x) if rate else x


def classification_head(x, num_classes):
    """Adds the layer `logits`: `num_classes` numbers per example, no softmax; `None` returns `x`.

    The head computes in float32 under mixed precision too, so that losses and probabilities keep their digits.
    """
    if num_classes is None:
        return x
    return keras.layers.Dense(num_classes, dtype="float32", name="logits")(x)

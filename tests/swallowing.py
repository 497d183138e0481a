"""Layers that make zeros of NaN, or pass it on, whatever the processor's kernels do.

With oneDNN a dense layer's ReLU makes 0 of NaN, and a loss after it stays finite; without, the loss is NaN at the next
step. TensorFlow takes oneDNN by itself on some processors and not on others, so tests put one of these layers in between.
"""

import keras


@keras.saving.register_keras_serializable(package="tests")
class Swallow(keras.layers.Layer):
    """Makes zeros of NaN and infinity."""

    def call(self, x):
        return keras.ops.where(keras.ops.isfinite(x), x, 0.0)


@keras.saving.register_keras_serializable(package="tests")
class PassOn(keras.layers.Layer):
    """Returns what it gets."""

    def call(self, x):
        return x


BOTH_WAYS = {"swallowed": Swallow, "passed on": PassOn}


def two_layers(between, width=2, num_inputs=5):
    """A linear layer named `first`, the layer in between, and one of logits; without a ReLU of the processor's."""
    layers = [keras.layers.Dense(4, name="first"), between(), keras.layers.Dense(width)]
    return keras.Sequential([keras.Input((num_inputs,)), *layers], name="own")

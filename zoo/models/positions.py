"""Positions of steps: sines and cosines, a learned table, or rotations.

B batch, T steps, W width, D width of a head.
"""

import keras
from keras import ops

from zoo.models import checks


def _angles(positions, width):
    """Angles `[T, width / 2]`, position / 10000 ** (2i / width), in float32: half precision knows no position 2049."""
    exponents = ops.arange(0, width, 2, dtype="float32") / width
    return ops.cast(positions, "float32")[:, None] * ops.power(10_000.0, -exponents)


def sinusoids(positions, width):
    """The table `[T, width]` of Vaswani et al. 2017, section 3.5: sines at even features, cosines at odd ones."""
    angles = _angles(positions, width)
    pairs = ops.stack([ops.sin(angles), ops.cos(angles)], axis=-1)  # [T, width / 2, 2]
    return ops.reshape(pairs, (-1, 2 * angles.shape[-1]))[:, :width]


def rotate(x, positions):
    """Turns feature i of each head together with feature i + D/2, by an angle that grows with the position.

    Reference: Su et al. 2021, "RoFormer: Enhanced Transformer with rotary position embedding"; which features make a
    pair follows GPT-NeoX and LLaMA.

    Args:
        x: Queries or keys `[..., T, D]`, D even.
        positions: The steps' positions, `[T]`.
    """
    angles = _angles(positions, x.shape[-1])  # [T, D / 2]
    cos, sin = ops.cast(ops.cos(angles), x.dtype), ops.cast(ops.sin(angles), x.dtype)
    a, b = ops.split(x, 2, axis=-1)
    return ops.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)


@keras.saving.register_keras_serializable(package="zoo")
class SinusoidalPositions(keras.layers.Layer):
    """Adds `sinusoids` to the steps, of which there may be any number.

    Args:
        scale: What the steps are multiplied by first: the root of the width for embeddings (Vaswani et al. 2017,
            section 3.4), which would be small beside the sines otherwise.
        **kwargs: Keras's own, such as `name`.

    Input and output: `[B, T, W]`, and perhaps a mask `[B, T]`. `start` is the position of the first step: a whole number
    or a scalar tensor.
    """

    def __init__(self, scale=1.0, **kwargs):
        super().__init__(**kwargs)
        self.scale = scale
        self.supports_masking = True

    def call(self, x, start=0):
        table = sinusoids(start + ops.arange(ops.shape(x)[1]), x.shape[-1])
        return (x if self.scale == 1 else x * self.scale) + ops.cast(table, x.dtype)

    def compute_output_shape(self, x_shape):
        return x_shape

    def get_config(self):
        return {**super().get_config(), "scale": self.scale}


@keras.saving.register_keras_serializable(package="zoo")
class LearnedPositions(keras.layers.Layer):
    """Adds a learned vector to each step.

    Args:
        max_length: Steps in the table; `None` for as many as the first input has.
        **kwargs: Keras's own, such as `name`.

    Input and output: `[B, T, W]`, and perhaps a mask `[B, T]`.

    Raises:
        InputError: The input has more steps than the table. Where a graph is traced for any number of steps, TensorFlow
            raises its own error of shapes that do not fit.
    """

    def __init__(self, max_length=None, **kwargs):
        super().__init__(**kwargs)
        self.max_length = max_length
        self.supports_masking = True

    def build(self, x_shape):
        self.table = keras.layers.Embedding(
            self.max_length or x_shape[1],
            x_shape[-1],
            keras.initializers.TruncatedNormal(stddev=0.02),
            dtype=self.dtype_policy,
            name="table",
        )
        self.table.build()
        self._check_length(x_shape[1])

    def call(self, x):
        self._check_length(x.shape[1])
        # A slice, not a lookup: one step too many is an error on every device, and never a row of zeros.
        return x + ops.cast(self.table.embeddings[: ops.shape(x)[1]], x.dtype)

    def _check_length(self, steps):
        if steps is not None and steps > self.table.input_dim:
            raise checks.InputError(
                f"Received {steps} steps, but there are learned positions for {self.table.input_dim} at most. Cut the "
                f"inputs, build the model with positions={steps}, or with positions='sinusoidal', which know no maximum."
            )

    def compute_output_shape(self, x_shape):
        return x_shape

    def get_config(self):
        return {**super().get_config(), "max_length": self.max_length}

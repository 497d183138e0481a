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


def classification_head(x, num_classes, start="glorot_uniform"):
    """Adds the layer `logits`: `num_classes` numbers per example, no softmax; `None` returns `x`.

    The head computes in float32 under mixed precision too, so that losses and probabilities keep their digits. Its kernel begins with
    the initializer `start`.
    """
    if num_classes is None:
        return x
    return keras.layers.Dense(
        num_classes, kernel_initializer=start, dtype="float32", name="logits"
    )(x)


def all_layers(layer, include_self=True):
    """A list of all layers within a model or a layer, however deep, each before those within it.

    Args:
        layer: A Keras model or layer.
        include_self: Whether it is in the list itself.
    """
    # The only private attribute of Keras outside of keras_fixes: `model.layers` ends at blocks and nested models.
    return list(layer._flatten_layers(include_self=include_self))


def quantized(model):
    """The first layer of a model whose weights are rounded to few whole numbers, and so are not trained; `None` without one."""
    exact = (None, "float8")  # Keras trains with the latter
    found = (layer for layer in all_layers(model) if getattr(layer, "quantization_mode", None) not in exact)  # fmt: skip
    return next(found, None)


@keras.saving.register_keras_serializable(package="zoo")
class MaskedConv1D(keras.layers.Conv1D):
    """`Conv1D` that reads masked steps as zeros, which is what it reads beyond the border, and hands the mask on.

    With padding `"same"` and a stride of 1, as the mask keeps its length. Without a mask it is `Conv1D`.

    Input: `[B, T, C]` and perhaps a mask `[B, T]`. Output: `[B, T, filters]`; its masked steps mean nothing.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.supports_masking = True

    def call(self, inputs, mask=None):
        return super().call(_fill(inputs, mask, 0.0))


@keras.saving.register_keras_serializable(package="zoo")
class MaskedMaxPooling1D(keras.layers.Layer):
    """Maximum of the steps that the mask leaves, in windows or over the whole sequence; 0 where it leaves none.

    Windows start at the first step and a last, shorter one counts too (`MaxPooling1D` drops it): masked steps at the
    end never change a result.

    Args:
        pool_size: Steps in a window; `None` pools over the whole sequence.
        **kwargs: Keras's own, such as `name`.

    Input: `[B, T, C]` and perhaps a mask `[B, T]`. Output: `[B, ceil(T / pool_size), C]` with the mask of the windows
    that hold a step, or `[B, C]` without a mask.
    """

    def __init__(self, pool_size=None, **kwargs):
        super().__init__(**kwargs)
        self.pool_size = pool_size
        self.supports_masking = True

    def call(self, inputs, mask=None):
        pooled = self._pool(_fill(inputs, mask, _lowest(inputs)))
        return pooled if mask is None else _fill(pooled, self._pool_mask(mask), 0.0)

    def compute_mask(self, inputs, mask=None):
        return None if mask is None or self.pool_size is None else self._pool_mask(mask)

    def _pool(self, x):
        if self.pool_size is None:
            return keras.ops.max(x, axis=1)
        padding = "same"
        if self.pool_size > 2:  # "same" would begin the first window before the first step
            more = [[0, 0], [0, self.pool_size - 1], [0, 0]]
            x, padding = keras.ops.pad(x, more, constant_values=_lowest(x)), "valid"
        return keras.ops.max_pool(x, self.pool_size, self.pool_size, padding=padding)

    def _pool_mask(self, mask):
        steps = keras.ops.expand_dims(keras.ops.cast(mask, "float32"), -1)
        return keras.ops.squeeze(self._pool(steps) > 0, -1)

    def compute_output_shape(self, input_shape):
        batch, steps, channels = input_shape
        if self.pool_size is None:
            return batch, channels
        return batch, None if steps is None else -(-steps // self.pool_size), channels

    def get_config(self):
        return {**super().get_config(), "pool_size": self.pool_size}


@keras.saving.register_keras_serializable(package="zoo")
class MaskedAveragePooling1D(keras.layers.Layer):
    """Mean of the steps that the mask leaves; 0 where it leaves none, for which Keras's layer gives NaN.

    Input: `[B, T, C]` and perhaps a mask `[B, T]`. Output: `[B, C]`.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs, mask=None):
        if mask is None:
            return keras.ops.mean(inputs, axis=1)
        # In float32: half precision cannot count beyond 2048 (float16) or 256 (bfloat16) steps.
        steps = keras.ops.sum(keras.ops.cast(mask, "float32"), axis=1, keepdims=True)
        shares = keras.ops.cast(mask, "float32") / keras.ops.maximum(steps, 1.0)  # [B, T]
        total = keras.ops.matmul(shares[:, None, :], keras.ops.cast(inputs, "float32"))
        return keras.ops.cast(total[:, 0], inputs.dtype)

    def compute_mask(self, inputs, mask=None):
        return None

    def compute_output_shape(self, input_shape):
        return input_shape[0], input_shape[-1]


@keras.saving.register_keras_serializable(package="zoo")
class FirstStep(keras.layers.Layer):
    """The first step of a sequence.

    Input: `[B, T, C]`. Output: `[B, C]`.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs):
        return inputs[:, 0]

    def compute_mask(self, inputs, mask=None):
        return None

    def compute_output_shape(self, input_shape):
        return input_shape[0], input_shape[-1]


@keras.saving.register_keras_serializable(package="zoo")
class TiedEmbedding(keras.layers.ReversibleEmbedding):
    """`ReversibleEmbedding` whose logits keep the mask of the steps, so that losses leave padding out."""

    def compute_mask(self, inputs, mask=None):
        is_reverse = keras.backend.is_float_dtype(inputs.dtype)
        return mask if is_reverse else keras.ops.not_equal(inputs, 0)


def _fill(x, mask, value):
    """Puts the value where the mask is false; without a mask it returns `x`."""
    if mask is None:
        return x
    return keras.ops.where(mask[..., None], x, keras.ops.cast(value, x.dtype))


def _lowest(x):
    """A number below all; finite: other runtimes write a choice as a sum of products, and 0 times infinity is NaN."""
    return -6e4 if keras.backend.standardize_dtype(x.dtype) == "float16" else -3e38

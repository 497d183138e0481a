"""Convolutional network.

    inputs [B, H, W, C]
      └ stage, one per entry of filters:
          ( convolution ─ normalization ─ activation ) x (convs_per_stage - 1)           [B, H, W, F]
            convolution ─ 2x2 max pooling ─ normalization ─ activation                   [B, H/2, W/2, F]
      └ flatten ─ dropout ─ ( Dense ─ activation ─ dropout ) x len(units) ─ logits       [B, K]

B batch, H W C height, width, channels, F filters, K classes. A sequence [B, T, C] passes through the same stages
with 1-D convolutions. Pooling comes before normalization and activation, which then have a quarter of the elements to work on. Without
normalization that changes nothing: the maximum of a rising function is the function of the maximum.
"""

import keras

from zoo.models import checks, layers

SIZES = {
    "tiny": {"filters": (4, 8), "units": (16,)},
    "small": {"filters": (32, 64), "units": (128,)},
    "valid": {"filters": (32, 64), "units": (128,), "padding": "valid"},
    # LeCun et al. 1998, figure 2, in its modern form: ReLU, max pooling, dense third convolution; for 32x32 images.
    "lenet5": {"filters": (6, 16), "kernel_size": 5, "padding": "valid", "units": (120, 84)},
    "base": {"filters": (24, 48, 96), "normalization": "batch", "units": (), "dropout": 0.3},
    "fast": {"filters": (16, 32, 64), "normalization": "batch", "units": (), "dropout": 0.3},
}

_CONVOLUTIONS = {1: keras.layers.Conv1D, 2: keras.layers.Conv2D}
_POOLINGS = {1: keras.layers.MaxPooling1D, 2: keras.layers.MaxPooling2D}


def build_cnn(
    input_shape,
    num_classes,
    *,
    filters=(32, 64),
    kernel_size=3,
    convs_per_stage=1,
    padding="same",
    units=(128,),
    activation="relu",
    normalization=None,
    dropout=0.0,
    name="cnn",
):
    """Builds a convolutional network for images `(height, width, channels)` or sequences `(steps, channels)`.

    Use it for images of up to about 64x64 pixels and for short signals.

    Reference: LeCun et al. 1998, "Gradient-based learning applied to document recognition"; batch normalization as
    in Ioffe & Szegedy 2015; strides in place of pooling as in Springenberg et al. 2015.

    Args:
        input_shape: Shape of one example: `(height, width, channels)` in pixels or `(steps, channels)`.
        num_classes: Width of the last layer; `None` leaves it off and returns the features before it.
        filters: Filters of each stage; every stage halves height and width (or steps).
        kernel_size: Width of each convolution, in pixels or steps.
        convs_per_stage: Convolutions in a stage.
        padding: `"same"` or `"valid"`.
        units: Width of each dense layer between the convolutions and the logits.
        activation: Name of a Keras activation.
        normalization: `"batch"`, `"layer"` or `None`; before each convolution's activation.
        dropout: Share of features dropped before each dense layer in training, 0 <= dropout < 1.
        name: Name of the model.

    Returns:
        An uncompiled `keras.Model`. Input `inputs`: float32 `[B, *input_shape]`. Output of the layer `logits`:
        float32 `[B, num_classes]`.

    Raises:
        InputError: An argument is out of its range, or the stages leave nothing of the input; the message names it.
            (A `ValueError`.)

    Example:

    >>> model = build_cnn((28, 28, 1), 10, filters=(32, 64))
    >>> model.count_params()
    421642
    >>> build_cnn((100, 3), 5).output_shape  # 100 steps of 3 channels
    (None, 5)
    """
    shape = checks.input_shape(
        input_shape, (2, 3), "(28, 28, 1) for images or (100, 3) for sequences"
    )
    checks.num_classes(num_classes)
    checks.positive_ints("filters", filters)
    checks.positive_int("kernel_size", kernel_size)
    checks.positive_int("convs_per_stage", convs_per_stage)
    checks.one_of("padding", padding, ("same", "valid"))
    checks.positive_ints("units", units, empty=True)
    layers.check_activation(activation)
    layers.check_normalization(normalization)
    checks.fraction("dropout", dropout)
    _check_fits(shape, len(filters), kernel_size, convs_per_stage, padding)

    rank = len(shape) - 1
    x = inputs = keras.Input(shape, name="inputs")
    for stage, width in enumerate(filters, start=1):
        for i in range(1, convs_per_stage + 1):
            x = _CONVOLUTIONS[rank](
                width,
                kernel_size,
                padding=padding,
                use_bias=normalization is None,  # the normalization has a shift of its own
                name=f"conv_{stage}_{i}",
            )(x)
            if i == convs_per_stage:
                x = _POOLINGS[rank](2, name=f"pool_{stage}")(x)
            x = layers.normalize(x, normalization, f"norm_{stage}_{i}")
            x = keras.layers.Activation(activation, name=f"activation_{stage}_{i}")(x)
    x = keras.layers.Flatten(name="flatten")(x)
    x = layers.dropout(x, dropout, "dropout")
    for i, width in enumerate(units, start=1):
        x = keras.layers.Dense(width, activation, name=f"dense_{i}")(x)
        x = layers.dropout(x, dropout, f"dropout_{i}")
    return keras.Model(inputs, layers.classification_head(x, num_classes), name=name)


def _check_fits(shape, num_stages, kernel_size, convs_per_stage, padding):
    """Follows the smaller spatial size through the stages, so that Keras never meets a size of 0."""
    size = min(shape[:-1])
    shrink = 0 if padding == "same" else convs_per_stage * (kernel_size - 1)
    for _ in range(num_stages):
        size = (size - shrink) // 2
        if size < 1:
            raise checks.InputError(
                f"input_shape={shape} is too small for {num_stages} stages of {padding} convolutions of width "
                f"{kernel_size}: pass fewer `filters`, a smaller `kernel_size` or larger inputs."
            )


def search_space(hp):
    """Stages, width, convolutions per stage, dense units and dropout; `hp` is a `keras_tuner.HyperParameters`."""
    width = hp.Int("filters", 8, 64, step=2, sampling="log")
    return {
        "filters": tuple(width * 2**stage for stage in range(hp.Int("num_stages", 1, 3))),
        "convs_per_stage": hp.Int("convs_per_stage", 1, 2),
        "units": (hp.Int("units", 32, 256, step=2, sampling="log"),),
        "normalization": "batch" if hp.Boolean("batch_normalization") else None,
        "dropout": hp.Float("dropout", 0.0, 0.6, step=0.1),
    }

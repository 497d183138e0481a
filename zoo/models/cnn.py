"""Convolutional network.

    images [B, H, W, C]   sequences [B, T, C]   token ids [B, T] ─ embedding [B, T, D]
      └ stage, one per entry of filters:
          ( convolution ─ normalization ─ activation ) x (convs_per_stage - 1)           [B, H, W, F]
            convolution ─ max pooling by 2 ─ normalization ─ activation                  [B, H/2, W/2, F]
      └ flatten ─ dropout ─ ( Dense ─ activation ─ dropout ) x len(units) ─ logits       [B, K]

B batch, H W C height, width, channels, T steps, D width of the embedding, F filters, K classes. Images pass through 2-D
convolutions, sequences and tokens through 1-D ones. Pooling comes before normalization and activation, which then have
a quarter of the elements to work on. Without normalization that changes nothing: the maximum of a rising function is
the function of the maximum.

Texts differ in length, so with tokens the last stage pools over all steps ("max over time") and padding, the id 0 at the
end, never changes a result: convolutions read it as the zeros beyond the border, pooling and batch normalization leave
it out. Several kernel widths side by side, for tokens only (Kim 2014, figure 1):

    embedding ─┬─ convolution of width 3 ─ max over time ─┐
               ├─ convolution of width 4 ─ max over time ─┼─ side by side [B, 3F] ─ normalization ─ activation
               └─ convolution of width 5 ─ max over time ─┘
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
    # Kim 2014, section 3.1 (CNN-rand), without the bound on the norm of the last layer; for token ids.
    "text": {
        "filters": (100,),
        "kernel_size": (3, 4, 5),
        "units": (),
        "dropout": 0.5,
        "embedding_dim": 300,
    },
}

_LAYERS = {  # by the number of dimensions of one example: token ids, a sequence, an image
    1: (layers.MaskedConv1D, layers.MaskedMaxPooling1D),
    2: (keras.layers.Conv1D, keras.layers.MaxPooling1D),
    3: (keras.layers.Conv2D, keras.layers.MaxPooling2D),
}


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
    vocabulary_size=None,
    embedding_dim=64,
    name="cnn",
):
    """Builds a convolutional network for images, sequences of features, or token ids.

    Use it for images of up to about 64x64 pixels, for short signals, and as a strong, quick baseline for texts.

    Reference: LeCun et al. 1998, "Gradient-based learning applied to document recognition"; batch normalization as
    in Ioffe & Szegedy 2015; strides in place of pooling as in Springenberg et al. 2015; tokens as in Kim 2014,
    "Convolutional neural networks for sentence classification".

    Args:
        input_shape: Shape of one example: `(height, width, channels)` in pixels, `(steps, channels)`, or with a
            `vocabulary_size` `(steps,)`, where `None` stands for any number of steps.
        num_classes: Width of the last layer; `None` leaves it off and returns the features before it.
        filters: Filters of each stage; every stage halves height and width (or steps).
        kernel_size: Width of each convolution, in pixels or steps. For tokens also several widths, for example
            `(3, 4, 5)`: the convolutions of a single stage, side by side, each with all of its filters.
        convs_per_stage: Convolutions in a stage.
        padding: `"same"` or `"valid"`.
        units: Width of each dense layer between the convolutions and the logits.
        activation: Name of a Keras activation.
        normalization: `"batch"`, `"layer"` or `None`; before each convolution's activation.
        dropout: Share of features dropped before each dense layer in training, 0 <= dropout < 1.
        vocabulary_size: The inputs are token ids from 1 to `vocabulary_size` - 1, and 0 for padding at the end. Larger
            ids are not noticed where XLA or a GPU runs the model: bound them where the ids are made.
        embedding_dim: Width of the tokens' embedding.
        name: Name of the model.

    Returns:
        An uncompiled `keras.Model`. Input `inputs`: float32 `[B, *input_shape]`, or int32 for tokens. Output of the
        layer `logits`: float32 `[B, num_classes]`. What the pooling makes of a text of padding only is 0.

    Raises:
        InputError: An argument is out of its range, or the stages leave nothing of the input; the message names it.
            (A `ValueError`.)

    Example:

    >>> model = build_cnn((28, 28, 1), 10, filters=(32, 64))
    >>> model.count_params()
    421642
    >>> build_cnn((100, 3), 5).output_shape  # 100 steps of 3 channels
    (None, 5)
    >>> build_cnn((None,), 2, vocabulary_size=1000).input_shape  # texts of any length
    (None, None)
    """
    tokens = vocabulary_size is not None
    shape = _check_shape(input_shape, vocabulary_size, embedding_dim)
    checks.num_classes(num_classes)
    checks.positive_ints("filters", filters)
    checks.positive_int("convs_per_stage", convs_per_stage)
    checks.one_of("padding", padding, ("same", "valid"))
    checks.positive_ints("units", units, empty=True)
    layers.check_activation(activation)
    layers.check_normalization(normalization)
    checks.fraction("dropout", dropout)
    kernels = _check_kernels(kernel_size, tokens, filters, convs_per_stage)
    _check_fits(shape, len(filters), kernel_size, convs_per_stage, padding)

    x = inputs = keras.Input(shape, dtype="int32" if tokens else None, name="inputs")
    if tokens:  # the mask of the zeros travels on with x
        x = keras.layers.Embedding(
            vocabulary_size, embedding_dim, mask_zero=True, name="embedding"
        )(x)  # [B, T, D]
    convolution, pooling = _LAYERS[len(shape)]
    options = {"padding": padding, "use_bias": normalization is None}  # the norm has a shift
    for stage, width in enumerate(filters, start=1):
        pool_size = None if tokens and stage == len(filters) else 2
        for i in range(1, convs_per_stage + 1):
            branches = {
                suffix: convolution(width, size, name=f"conv_{stage}_{i}{suffix}", **options)(x)
                for suffix, size in kernels.items()
            }
            if i == convs_per_stage:
                branches = {
                    suffix: pooling(pool_size, name=f"pool_{stage}{suffix}")(y)
                    for suffix, y in branches.items()
                }
            x = _side_by_side(list(branches.values()))
            x = layers.normalize(x, normalization, f"norm_{stage}_{i}")
            x = keras.layers.Activation(activation, name=f"activation_{stage}_{i}")(x)
    x = keras.layers.Flatten(name="flatten")(x)
    x = layers.dropout(x, dropout, "dropout")
    for i, width in enumerate(units, start=1):
        x = keras.layers.Dense(width, activation, name=f"dense_{i}")(x)
        x = layers.dropout(x, dropout, f"dropout_{i}")
    return keras.Model(inputs, layers.classification_head(x, num_classes), name=name)


def _side_by_side(branches):
    return branches[0] if len(branches) == 1 else keras.layers.Concatenate(name="widths")(branches)


def _check_shape(input_shape, vocabulary_size, embedding_dim):
    if vocabulary_size is None:
        example = "(28, 28, 1) for images, (100, 3) for sequences, or (None,) and vocabulary_size=20000 for token ids"
        return checks.input_shape(input_shape, (2, 3), example)
    checks.positive_int("vocabulary_size", vocabulary_size)
    checks.positive_int("embedding_dim", embedding_dim)
    return checks.token_shape(input_shape)


def _check_kernels(kernel_size, tokens, filters, convs_per_stage):
    """Returns suffix of the layers' names → width, for the one width or for several side by side."""
    if not isinstance(kernel_size, (tuple, list)):
        checks.positive_int("kernel_size", kernel_size)
        return {"": kernel_size}
    checks.positive_ints("kernel_size", kernel_size)
    several = f"Several widths side by side, kernel_size={kernel_size},"
    if not tokens:
        raise checks.InputError(
            f"{several} are for token ids: pass vocabulary_size=20000 and input_shape=(None,), or one number."
        )
    if len(filters) > 1 or convs_per_stage > 1 or len(set(kernel_size)) < len(kernel_size):
        raise checks.InputError(
            f"{several} are for one stage of one convolution, each width once: pass for example filters=(100,), "
            f"kernel_size=(3, 4, 5). Received: filters={filters}, convs_per_stage={convs_per_stage}"
        )
    return {f"_width_{size}": size for size in kernel_size}


def _check_fits(shape, num_stages, kernel_size, convs_per_stage, padding):
    """Follows the smaller spatial size through the stages, so that Keras never meets a size of 0."""
    if len(shape) == 1:
        if padding != "same":
            raise checks.InputError(
                f"Token ids need padding='same', as a text may be shorter than a kernel. Received: {padding!r}"
            )
        return  # windows of tokens may be shorter than 2
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

"""Residual network.

    inputs [B, H, W, C]
      └ stem   "3x3":  3x3 convolution ─ N ─ ReLU                                     [B, H, W, F]
               "7x7":  7x7 convolution by 2 ─ N ─ ReLU ─ 3x3 max pooling by 2         [B, H/4, W/4, F]
      └ stage, one per entry of filters:  block x blocks[stage]                       [B, H', W', F]
          every stage but the first starts with a block that halves height and width
      └ mean over pixels ─ dropout ─ logits                                           [B, K]

    block        ┬─ 3x3 (by 2) ─ N ─ ReLU ─ 3x3 ─ N ───────────────────────── + ─ ReLU
    bottleneck   ┬─ 1x1 ─ N ─ ReLU ─ 3x3 (by 2) ─ N ─ ReLU ─ 1x1 to 4F ─ N ── + ─ ReLU
                 └─ shortcut ─────────────────────────────────────────────────┘
    shortcut, where the shape changes:  "pad"      every second pixel, then channels of zeros; no parameters
                                        "project"  1x1 convolution (by 2) ─ N

B batch, H W C height, width, channels, F filters of the stage, K classes, N batch normalization. Strided convolutions
pad the same number of pixels on every side, as PyTorch does; Keras's "same" would pad right and bottom only.
"""

import keras

from zoo.models import checks, layers

# He et al. 2016, table 1 and section 3.3, option B.
_IMAGENET = {"filters": (64, 128, 256, 512), "stem": "7x7", "shortcut": "project"}

SIZES = {
    "tiny": {"filters": (4, 8), "blocks": (1, 1)},
    "base": {"blocks": (3, 3, 3)},  # the same as "20"
    # He et al. 2016, section 4.2 and table 6: 6n + 2 layers for 32x32 images.
    "20": {"blocks": (3, 3, 3)},
    "32": {"blocks": (5, 5, 5)},
    "44": {"blocks": (7, 7, 7)},
    "56": {"blocks": (9, 9, 9)},
    "110": {"blocks": (18, 18, 18)},
    # He et al. 2016, table 1, for 224x224 images.
    "18": {"blocks": (2, 2, 2, 2), **_IMAGENET},
    "34": {"blocks": (3, 4, 6, 3), **_IMAGENET},
    "50": {"blocks": (3, 4, 6, 3), "bottleneck": True, **_IMAGENET},
    "101": {"blocks": (3, 4, 23, 3), "bottleneck": True, **_IMAGENET},
    "152": {"blocks": (3, 8, 36, 3), "bottleneck": True, **_IMAGENET},
}


def build_resnet(
    input_shape,
    num_classes,
    *,
    filters=(16, 32, 64),
    blocks=(3, 3, 3),
    bottleneck=False,
    stem="3x3",
    shortcut="pad",
    dropout=0.0,
    name="resnet",
):
    """Builds a residual network for images `(height, width, channels)`.

    Use the sizes `20` to `110` for images of about 28 to 64 pixels, `18` to `152` for larger ones: their stem alone
    leaves a quarter of the height and width.

    Reference: He et al. 2016, "Deep residual learning for image recognition". As in torchvision, weights start from a
    normal distribution by fan-out (He et al. 2015), and a bottleneck strides in its 3x3 ("v1.5"; the paper: in its
    first 1x1).

    Args:
        input_shape: Shape of one image, `(height, width, channels)` in pixels.
        num_classes: Width of the last layer; `None` leaves it off and returns the features before it.
        filters: Filters of each stage; every stage but the first halves height and width.
        blocks: Residual blocks in each stage, as many entries as `filters`.
        bottleneck: Blocks of three convolutions, the last with four times the filters, in place of two.
        stem: `"3x3"`, which keeps height and width, or `"7x7"`, which leaves a quarter of them.
        shortcut: `"pad"` or `"project"`, where a block changes the shape: without or with parameters.
        dropout: Share of features dropped before the last layer in training, 0 <= dropout < 1.
        name: Name of the model.

    Returns:
        An uncompiled `keras.Model`. Input `inputs`: float32 `[B, height, width, channels]`. Output of the layer
        `logits`: float32 `[B, num_classes]`.

    Raises:
        InputError: An argument is out of its range, or the images are too small to be halved that often; the message
            names it. (A `ValueError`.)

    Example:

    >>> model = build_resnet((32, 32, 3), 10)
    >>> model.count_params()  # 269,722 trainable, as published, and 1,376 moving averages
    271098
    """
    shape = checks.input_shape(input_shape, (3,), "(32, 32, 3)")
    checks.num_classes(num_classes)
    checks.positive_ints("filters", filters)
    checks.positive_ints("blocks", blocks)
    checks.one_of("bottleneck", bottleneck, (False, True))
    checks.one_of("stem", stem, ("3x3", "7x7"))
    checks.one_of("shortcut", shortcut, ("pad", "project"))
    checks.fraction("dropout", dropout)
    _check_fits(shape, filters, blocks, stem, shortcut)

    inputs = keras.Input(shape, name="inputs")
    x = _stem(inputs, filters[0], stem)
    for stage, (width, count) in enumerate(zip(filters, blocks), start=1):
        for i in range(1, count + 1):
            stride = 2 if stage > 1 and i == 1 else 1
            x = _block(x, width, stride, bottleneck, shortcut, f"stage_{stage}_block_{i}")
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)  # [B, F]
    x = layers.dropout(x, dropout, "dropout")
    return keras.Model(inputs, layers.classification_head(x, num_classes), name=name)


def _stem(x, filters, stem):
    if stem == "3x3":
        return _activate(_convolve(x, filters, 3, 1, "stem"), "stem")
    x = _activate(_convolve(x, filters, 7, 2, "stem"), "stem")  # [B, H/2, W/2, F]
    # Zeros do what PyTorch's padding of minus infinity does: after ReLU nothing is below them.
    x = keras.layers.ZeroPadding2D(1, name="stem_pool_pad")(x)
    return keras.layers.MaxPooling2D(3, 2, name="stem_pool")(x)  # [B, H/4, W/4, F]


def _block(x, filters, stride, bottleneck, shortcut, name):
    """A residual block, the first of its 3x3 convolutions with the stride."""
    if bottleneck:
        plan = [(filters, 1, 1), (filters, 3, stride), (4 * filters, 1, 1)]
    else:
        plan = [(filters, 3, stride), (filters, 3, 1)]
    y = x
    for i, (width, kernel_size, step) in enumerate(plan, start=1):
        y = _convolve(y, width, kernel_size, step, f"{name}_conv_{i}")
        if i < len(plan):
            y = _activate(y, f"{name}_conv_{i}")
    x = _shortcut(x, y.shape[-1], stride, shortcut, f"{name}_shortcut")
    return _activate(keras.layers.Add(name=f"{name}_add")([x, y]), name)


def _shortcut(x, filters, stride, shortcut, name):
    """Brings the block's input to the shape of its output: options A ("pad") and B of the paper, section 3.3."""
    extra = filters - x.shape[-1]
    if stride == 1 and extra == 0:
        return x
    if shortcut == "project":
        return _convolve(x, filters, 1, stride, name)
    if stride > 1:
        x = keras.layers.MaxPooling2D(1, stride, name=f"{name}_subsample")(
            x
        )  # one pixel is its own maximum
    if extra == 0:
        return x
    # Read as "channels first", the axis of the channels is one of those that the layer pads.
    pad = keras.layers.ZeroPadding2D(
        ((0, 0), (0, extra)), data_format="channels_first", name=f"{name}_zeros"
    )
    return pad(x)


def _convolve(x, filters, kernel_size, stride, name):
    """Convolution and batch normalization, whose shift makes a bias superfluous."""
    if stride > 1 and kernel_size > 1:
        x = keras.layers.ZeroPadding2D(kernel_size // 2, name=f"{name}_pad")(x)
    x = keras.layers.Conv2D(
        filters,
        kernel_size,
        stride,
        padding="same" if stride == 1 else "valid",
        use_bias=False,
        kernel_initializer=keras.initializers.VarianceScaling(
            2.0, mode="fan_out", distribution="untruncated_normal"
        ),
        name=name,
    )(x)
    return layers.normalize(x, "batch", f"{name}_norm")


def _activate(x, name):
    return keras.layers.Activation("relu", name=f"{name}_activation")(x)


def _check_fits(shape, filters, blocks, stem, shortcut):
    """Refuses stages that do not fit each other, and images of which a strided convolution would see one pixel."""
    if len(filters) != len(blocks):
        raise checks.InputError(
            f"`blocks` needs one entry for each of `filters`, for example blocks={(2,) * len(filters)}. "
            f"Received: filters={filters}, blocks={blocks}"
        )
    if shortcut == "pad" and list(filters) != sorted(filters):
        raise checks.InputError(
            f"shortcut='pad' can only add channels, so `filters` must not fall. Use shortcut='project'. "
            f"Received: filters={filters}"
        )
    halvings = len(filters) - 1 + (2 if stem == "7x7" else 0)
    smallest = 2 ** (halvings - 1) + 1 if halvings else 1
    if min(shape[:2]) < smallest:
        raise checks.InputError(
            f"input_shape={shape} is too small: {len(filters)} stages after a {stem} stem halve height and width "
            f"{halvings} times, which needs at least {smallest} pixels. Pass stem='3x3', fewer `filters` and `blocks`, "
            "or larger images."
        )


def search_space(hp):
    """Width, depth and dropout of the form for small images; `hp` is a `keras_tuner.HyperParameters`."""
    width = hp.Int("filters", 8, 32, step=2, sampling="log")
    return {
        "filters": (width, 2 * width, 4 * width),
        "blocks": (hp.Int("blocks", 1, 5),) * 3,
        "dropout": hp.Float("dropout", 0.0, 0.5, step=0.1),
    }

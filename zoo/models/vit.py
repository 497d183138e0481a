"""Vision Transformer, and the compact one with a convolutional tokenizer.

    images [B, H, W, C]
      └ patches       one convolution as wide as its stride, patch_size                       [B, H/P, W/P, D]
        or filters    ( 3x3 convolution ─ ReLU ─ 3x3 max pooling by 2 ) x len(filters)        [B, H/2ⁿ, W/2ⁿ, D]
      └ tokens, row by row (after a class token, with pooling="cls") + learned positions      [B, T, D]
      └ dropout ─ num_layers blocks with their norms first ─ norm
      └ pooling   "cls"        the class token                                                [B, D]
                  "mean"       mean of the tokens
                  "attention"  mean of the tokens, weighted by a softmax of a learned score
      └ logits                                                                                [B, K]

B batch, H W C height, width, channels, P patch_size, n convolutions, T tokens, D hidden_dim, K classes.
`attention.TransformerBlock` draws the blocks.
"""

import keras
from keras import ops

from zoo.models import attention, checks, layers, positions


def _vit_16(num_layers, hidden_dim):
    return {
        "patch_size": 16,
        "num_layers": num_layers,
        "hidden_dim": hidden_dim,
        "num_heads": hidden_dim // 64,
        "intermediate_dim": 4 * hidden_dim,
    }


SIZES = {
    "tiny": {"num_layers": 1, "hidden_dim": 16, "num_heads": 2, "intermediate_dim": 32},
    "mnist": {"num_layers": 6, "hidden_dim": 96, "num_heads": 4, "intermediate_dim": 192},
    # Mean pooling trains as well without a token of its own (Beyer et al. 2022).
    "base": {
        "num_layers": 6, "hidden_dim": 128, "num_heads": 4, "intermediate_dim": 256, "pooling": "mean", "drop_path": 0.1,
    },
    # Hassani et al. 2021, table 1: two layers, 3x3 convolutions, two of them; for images of about 32x32 pixels.
    "cct_2_3x2": {
        "filters": (64, 128), "num_layers": 2, "hidden_dim": 128, "num_heads": 2, "intermediate_dim": 128,
        "pooling": "attention", "attention_dropout": 0.1, "drop_path": 0.1, "qkv_bias": False,
    },
    # Touvron et al. 2021, table 1 (Ti and S), Dosovitskiy et al. 2021, table 1 (B and L), for 224x224 pixels.
    "ti_16": _vit_16(12, 192),
    "s_16": _vit_16(12, 384),
    "b_16": _vit_16(12, 768),
    "l_16": _vit_16(24, 1024),
}  # fmt: skip


def build_vit(
    input_shape,
    num_classes,
    *,
    patch_size=4,
    filters=(),
    num_layers=6,
    hidden_dim=96,
    num_heads=4,
    intermediate_dim=192,
    pooling="cls",
    dropout=0.0,
    attention_dropout=0.0,
    drop_path=0.0,
    qkv_bias=True,
    remat=False,
    name="vit",
):
    """Builds a Vision Transformer for images `(height, width, channels)`.

    Use it where there are many images, or weights to start from; with few images use `filters`, as the size `cct_2_3x2`
    does, or a `resnet`. `resize` makes a trained model one for images of another size.

    Reference: Dosovitskiy et al. 2021, "An image is worth 16x16 words: Transformers for image recognition at scale";
    `filters` and the pooling `"attention"`: Hassani et al. 2021, "Escaping the big data paradigm with compact
    Transformers", with plain blocks, as drawn there (the authors' code takes each second sum from behind its norm).

    Args:
        input_shape: Shape of one image, `(height, width, channels)` in pixels.
        num_classes: Width of the last layer; `None` leaves it off and returns the features before it.
        patch_size: Height and width of a patch; images that do not divide by it are padded with zeros.
        filters: Filters of the convolutions that make the tokens in place of patches; the last are `hidden_dim`.
        num_layers: Blocks.
        hidden_dim: Width of a token.
        num_heads: Heads of each attention; they divide `hidden_dim`.
        intermediate_dim: Width inside of each feed-forward net.
        pooling: `"cls"`, `"mean"` or `"attention"`.
        dropout: Share dropped of the tokens and of each branch's outputs in training, 0 <= dropout < 1.
        attention_dropout: Share of attention weights dropped in training.
        drop_path: Share of images for which the last block's branches are left out in training; it rises in equal
            steps from 0 in the first block (stochastic depth, Huang et al. 2016).
        qkv_bias: Whether the projections to queries, keys and values have a bias.
        remat: Compute each block again for the gradient: less memory, more time. Needs `attention_dropout=0`.
        name: Name of the model.

    Returns:
        An uncompiled `keras.Model`. Input `inputs`: float32 `[B, height, width, channels]`. Output of the layer
        `logits`: float32 `[B, num_classes]`.

    Raises:
        InputError: An argument is out of its range; the message names it. (A `ValueError`.)

    Example:

    >>> model = build_vit((28, 28, 1), 10)
    >>> model.count_params()
    456394
    """
    shape = checks.input_shape(input_shape, (3,), "(32, 32, 3)")
    checks.num_classes(num_classes)
    checks.positive_int("patch_size", patch_size)
    checks.positive_int("num_layers", num_layers)
    attention.check_block(hidden_dim, num_heads, intermediate_dim, "gelu", "layer", rotary=False)
    _check_filters(filters, hidden_dim)
    checks.one_of("pooling", pooling, ("cls", "mean", "attention"))
    checks.fraction("dropout", dropout)
    checks.fraction("attention_dropout", attention_dropout)
    checks.fraction("drop_path", drop_path)
    checks.one_of("qkv_bias", qkv_bias, (False, True))
    checks.one_of("remat", remat, (False, True))

    inputs = keras.Input(shape, name="inputs")
    x = _convolve(inputs, filters) if filters else _cut(inputs, patch_size, hidden_dim)
    x = keras.layers.Reshape((-1, hidden_dim), name="tokens")(x)  # [B, T, D]
    if pooling == "cls":
        x = ClassToken(name="class_token")(x)  # [B, 1 + T, D]
    x = positions.LearnedPositions(name="positions")(x)
    x = layers.dropout(x, dropout, "dropout")
    for i in range(num_layers):
        x = attention.TransformerBlock(
            num_heads, intermediate_dim, dropout=dropout, attention_dropout=attention_dropout,
            drop_path=drop_path * i / max(1, num_layers - 1), qkv_bias=qkv_bias, remat=remat, name=f"block_{i + 1}",
        )(x)  # fmt: skip
    x = attention.make_norm("layer", name="norm")(x)
    x = _pool(x, pooling)  # [B, D]
    return keras.Model(inputs, layers.classification_head(x, num_classes), name=name)


def resize(model, input_shape):
    """Makes a model of `build_vit` one for images of another size, with the same weights.

    Its learned positions, seen as an image of tokens, are resized bicubically, as timm does when it loads weights. The
    new model should be trained on for a while: without that it is worse than the old one on images of the old size.

    Args:
        model: A model of `build_vit`.
        input_shape: Shape of one image, `(height, width, channels)`; the channels stay.

    Returns:
        A new, uncompiled `keras.Model`.

    Raises:
        InputError: The model is another one, or the channels differ.

    Example:

    >>> model = build_vit((28, 28, 1), 10, num_layers=1)
    >>> resize(model, (56, 56, 1)).input_shape
    (None, 56, 56, 1)
    """
    shape = checks.input_shape(input_shape, (3,), "(64, 64, 3)")
    if not {"tokens", "positions"} <= {layer.name for layer in model.layers}:
        raise checks.InputError(f"resize is for models of build_vit. Received: {model.name!r}")
    if shape[-1] != model.input_shape[-1]:
        raise checks.InputError(
            f"The model takes images of {model.input_shape[-1]} channels. Received: input_shape={shape}"
        )
    resized = keras.models.clone_model(model, keras.Input(shape, name="inputs"))
    grids = [m.get_layer("tokens").input.shape[1:3] for m in (model, resized)]
    for new, old in zip(resized.weights, model.weights, strict=True):
        is_table = old.path.startswith("positions/")
        new.assign(_resize_table(old.value, *grids) if is_table else old.value)
    return resized


def _resize_table(table, old, new):
    """Resizes the positions `[1 + T, D]` or `[T, D]` of a grid of tokens; the class token's, if there is one, stays."""
    first, grid = ops.split(table, [table.shape[0] - old[0] * old[1]], axis=0)
    grid = ops.reshape(grid, (1, *old, -1))
    grid = ops.image.resize(
        grid, new, interpolation="bicubic", antialias=True, data_format="channels_last"
    )
    return ops.concatenate([first, ops.reshape(grid, (new[0] * new[1], -1))], axis=0)


@keras.saving.register_keras_serializable(package="zoo")
class ClassToken(keras.layers.Layer):
    """Puts a learned token before the others, `[B, T, D]` → `[B, 1 + T, D]`."""

    def build(self, x_shape):
        self.token = keras.layers.Embedding(
            1, x_shape[-1], "zeros", dtype=self.dtype_policy, name="token"
        )
        self.token.build()

    def call(self, x):
        token = ops.cast(self.token.embeddings, x.dtype)
        first = ops.broadcast_to(token, (ops.shape(x)[0], 1, x.shape[-1]))
        return ops.concatenate([first, x], axis=1)

    def compute_output_shape(self, x_shape):
        batch, steps, width = x_shape
        return batch, None if steps is None else steps + 1, width


def _cut(x, patch_size, hidden_dim):
    return keras.layers.Conv2D(hidden_dim, patch_size, patch_size, padding="same", name="patches")(
        x
    )


def _convolve(x, filters):
    for i, width in enumerate(filters, start=1):
        x = keras.layers.Conv2D(
            width, 3, padding="same", activation="relu", use_bias=False, kernel_initializer="he_normal",
            name=f"conv_{i}",
        )(x)  # fmt: skip
        # Zeros do what PyTorch's padding of minus infinity does: after ReLU nothing is below them.
        x = keras.layers.ZeroPadding2D(1, name=f"pool_{i}_pad")(x)
        x = keras.layers.MaxPooling2D(3, 2, name=f"pool_{i}")(x)
    return x


def _pool(x, pooling):
    if pooling == "cls":
        return layers.FirstStep(name="pool")(x)
    if pooling == "mean":
        return keras.layers.GlobalAveragePooling1D(name="pool")(x)
    scores = keras.layers.Dense(1, dtype="float32", name="pool_scores")(x)
    weights = keras.layers.Softmax(axis=1, dtype="float32", name="pool_weights")(scores)
    x = keras.layers.Dot(axes=1, name="pool_sum")([weights, x])  # [B, 1, D]
    return keras.layers.Flatten(name="pool")(x)


def _check_filters(filters, hidden_dim):
    checks.positive_ints("filters", filters, empty=True)
    if filters and filters[-1] != hidden_dim:
        raise checks.InputError(
            f"The last of `filters` are the tokens' width: pass filters={(*filters[:-1], hidden_dim)}. Received: "
            f"filters={filters}, hidden_dim={hidden_dim}"
        )


def search_space(hp):
    """Patches, depth, width, pooling and stochastic depth; `hp` is a `keras_tuner.HyperParameters`."""
    width = hp.Int("hidden_dim", 32, 256, step=2, sampling="log")
    return {
        "patch_size": hp.Choice("patch_size", [2, 4, 8]),
        "num_layers": hp.Int("num_layers", 2, 8),
        "hidden_dim": width,
        "num_heads": hp.Choice("num_heads", [2, 4, 8]),
        "intermediate_dim": width * hp.Choice("ratio", [1, 2, 4]),
        "pooling": hp.Choice("pooling", ["cls", "mean", "attention"]),
        "drop_path": hp.Float("drop_path", 0.0, 0.3, step=0.1),
    }

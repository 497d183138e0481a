"""Attention, and what the Transformer families build of it.

    x [B, T, W] ─ q, k, v [B, H, T, D] ─ softmax(q kᵀ / √D) [B, H, T, S] ─ times v ─ joined [B, T, W] ─ out [B, T, W]

B batch, T steps, S steps that are looked at (T, or those of the context or the cache), W width, H heads, D = W / H.
Masks are true where a step is real, and false where it is padding.
"""

import keras
from keras import ops

from zoo.models import checks, layers, positions


@keras.saving.register_keras_serializable(package="zoo")
class RMSNorm(keras.layers.RMSNormalization):
    """`RMSNormalization` that hands the mask on, as Keras's other normalizations do."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True


NORMALIZATIONS = {"layer": keras.layers.LayerNormalization, "rms": RMSNorm}


def make_norm(normalization, **kwargs):
    """Makes the normalization layer that the name, `"layer"` or `"rms"`, stands for.

    Its epsilon is 1e-6, as for ViT: Keras's 1e-3 is as large as the variance of new embeddings.
    """
    return NORMALIZATIONS[normalization](epsilon=1e-6, **kwargs)


def check_block(hidden_dim, num_heads, intermediate_dim, activation, normalization, rotary):
    """Raises `InputError` unless Transformer blocks can be built so."""
    checks.positive_int("hidden_dim", hidden_dim)
    checks.positive_int("num_heads", num_heads)
    checks.positive_int("intermediate_dim", intermediate_dim)
    if activation != "swiglu":
        layers.check_activation(activation)
    checks.one_of("normalization", normalization, NORMALIZATIONS)
    _check_heads(hidden_dim, num_heads, rotary)


def _check_heads(width, num_heads, rotary):
    if width % num_heads or (rotary and width // num_heads % 2):
        even = " into even parts, which rotary positions need" * rotary
        raise checks.InputError(
            f"The width must divide by the heads{even}, for example hidden_dim={16 * num_heads}, "
            f"num_heads={num_heads}. Received: hidden_dim={width}, num_heads={num_heads}"
        )


@keras.saving.register_keras_serializable(package="zoo")
class Attention(keras.layers.Layer):
    """Multi-head attention with one fused projection, optional rotary positions, causal mask and key-value cache.

    Keras's `MultiHeadAttention` has no cache, no rotary positions and three projections in place of one. Masks and
    softmax are in float32 under mixed precision too. A query that may look at nothing, as in a text of padding only,
    looks at the first step, so that its output is finite and does not depend on the length of the padding.

    Reference: Vaswani et al. 2017, "Attention is all you need".

    Args:
        num_heads: Heads; they divide the width.
        cross: Keys and values come from a `context` in place of `x`.
        causal: A step looks at itself and at earlier steps only.
        rotary: Turn queries and keys by their positions (`positions.rotate`).
        dropout: Share of attention weights dropped in training, 0 <= dropout < 1.
        qkv_bias: Whether the projections to queries, keys and values have a bias.
        **kwargs: Keras's own, such as `name`.

    Call arguments:
        x: `[B, T, W]`.
        context: With `cross`, what to look at, `[B, S, C]`; not needed with a cache.
        mask: Which steps of `x` are real, `[B, T]`; with a cache, which of its steps may be looked at, `[B, S]`. Keras
            fills it in from an embedding with `mask_zero`.
        context_mask: Which steps of the context are real, `[B, S]`; filled in likewise.
        cache: Keys and values `[2, B, H, S, D]`, from `empty_cache`, or with `cross` from `context_cache`.
        position: With a cache, the position of the first step of `x`: a whole number or a scalar tensor.

    Returns:
        `[B, T, W]`; with a cache `(output, cache)`, where the cache holds the steps of `x`, too.
    """

    def __init__(
        self, num_heads, *, cross=False, causal=False, rotary=False, dropout=0.0, qkv_bias=True, **kwargs
    ):  # fmt: skip
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.cross = cross
        self.causal = causal
        self.rotary = rotary
        self.dropout = dropout
        self.qkv_bias = qkv_bias
        self.supports_masking = True
        self.drop = keras.layers.Dropout(dropout, dtype=self.dtype_policy, name="drop")

    def build(self, x_shape, context_shape=None):
        width = x_shape[-1]
        _check_heads(width, self.num_heads, self.rotary)

        def project(name, shape, parts, use_bias=self.qkv_bias):
            dense = keras.layers.Dense(
                parts * width, use_bias=use_bias, dtype=self.dtype_policy, name=name
            )
            dense.build(shape)
            return dense

        if self.cross:
            self.query = project("query", x_shape, 1)
            self.key_value = project("key_value", context_shape, 2)
        else:
            self.query_key_value = project("query_key_value", x_shape, 3)
        self.out = project("out", x_shape, 1, use_bias=True)

    def call(self, x, context=None, mask=None, context_mask=None, cache=None, position=None):
        if cache is not None and not (self.causal or self.cross):
            raise checks.InputError(
                "A cache holds earlier steps: it needs causal=True, or cross=True."
            )
        q, (k, v), bias, cache = self._look_up(x, context, mask, context_mask, cache, position)
        scores = self._scores(q, k, bias)
        y = ops.matmul(self.drop(ops.cast(scores, v.dtype)), v)  # [B, H, T, D]
        width = self.num_heads * v.shape[-1]
        y = ops.reshape(ops.transpose(y, (0, 2, 1, 3)), (-1, ops.shape(q)[2], width))
        y = self.out(y)
        return y if cache is None else (y, cache)

    def attention_scores(self, x, context=None, mask=None, context_mask=None):
        """What each step takes of each step that it looks at, float32 `[B, H, T, S]`; the last axis adds up to 1.

        Args:
            x, context, mask, context_mask: As of a call.
        """
        q, (k, _), bias, _ = self._look_up(x, context, mask, context_mask)
        return self._scores(q, k, bias)

    def _look_up(self, x, context, mask, context_mask, cache=None, position=None):
        """Queries, keys and values, what is added to the scores, and the cache with the steps of `x`."""
        start = 0 if position is None else position
        if self.cross:
            q = self._split_heads(self.query(x), 1)[0]
            kv = ops.unstack(self.context_cache(context) if cache is None else cache, 2)
            mask = context_mask
        else:
            qkv = self._split_heads(self.query_key_value(x), 3)
            if self.rotary:
                turned = positions.rotate(qkv[:2], start + ops.arange(ops.shape(x)[1]))
                qkv = ops.concatenate([turned, qkv[2:]], axis=0)
            q, *kv = ops.unstack(qkv, 3)
            if cache is not None:
                cache = ops.slice_update(cache, (0, 0, 0, start, 0), qkv[1:])
                kv = ops.unstack(cache, 2)
        return q, kv, self._bias(q, kv[0], mask, start), cache

    def empty_cache(self, batch_size, length):
        """A cache for self-attention over `length` steps, to be filled step by step."""
        head_dim = self.out.kernel.shape[1] // self.num_heads
        return ops.zeros((2, batch_size, self.num_heads, length, head_dim), self.compute_dtype)

    def context_cache(self, context):
        """Keys and values `[2, B, H, S, D]` of a context `[B, S, C]`, which need to be computed once only."""
        return self._split_heads(self.key_value(context), 2)

    def _split_heads(self, x, parts):
        """`[B, T, parts * W]` → `[parts, B, H, T, D]`."""
        head_dim = x.shape[-1] // parts // self.num_heads
        x = ops.reshape(x, (-1, ops.shape(x)[1], parts, self.num_heads, head_dim))
        return ops.transpose(x, (2, 0, 3, 1, 4))

    def _bias(self, q, k, mask, start):
        """What is added to the scores so that steps which may not be looked at get the weight 0; `None` for nothing."""
        steps = ops.arange(ops.shape(k)[2])  # [S]
        visible = None if mask is None else ops.cast(mask, "bool")[:, None, None, :]
        if self.causal and not self.cross:
            past = steps <= (start + ops.arange(ops.shape(q)[2]))[:, None]  # [T, S]
            visible = past if visible is None else ops.logical_and(visible, past)
        if visible is None:
            return None
        # The later, the lower: where nothing is visible, the first step has the largest score by far.
        return ops.where(visible, 0.0, -1e9 * (1.0 + ops.cast(steps, "float32")))

    def _scores(self, q, k, bias):
        # Not ops.dot_product_attention: on TensorFlow it is never fused, and scales and masks all scores one by one.
        scores = ops.matmul(q * q.shape[-1] ** -0.5, ops.transpose(k, (0, 1, 3, 2)))  # [B, H, T, S]
        scores = ops.cast(scores, keras.backend.result_type(scores.dtype, "float32"))
        scores = scores if bias is None else scores + bias
        one = scores.shape[-1] == 1  # Keras would warn of a softmax over one step
        return ops.ones_like(scores) if one else ops.softmax(scores)

    def compute_mask(self, x, mask=None):
        return None  # whoever adds the output to x has the mask of x

    def compute_output_shape(self, x_shape, context_shape=None, cache_shape=None):
        return x_shape if cache_shape is None else (x_shape, cache_shape)

    def get_config(self):
        keys = ("num_heads", "cross", "causal", "rotary", "dropout", "qkv_bias")
        return {**super().get_config(), **{key: getattr(self, key) for key in keys}}


@keras.saving.register_keras_serializable(package="zoo")
class FeedForward(keras.layers.Layer):
    """Two dense layers applied to each step; with `"swiglu"` a gated one and a dense one (Shazeer 2020).

    Args:
        intermediate_dim: Width between the two layers.
        activation: Name of a Keras activation, or `"swiglu"`.
        **kwargs: Keras's own, such as `name`.

    Input and output: `[B, T, W]`.
    """

    def __init__(self, intermediate_dim, activation="gelu", **kwargs):
        super().__init__(**kwargs)
        self.intermediate_dim = intermediate_dim
        self.activation = activation
        self.supports_masking = True
        gated = activation == "swiglu"
        self.up = keras.layers.Dense(
            intermediate_dim * (2 if gated else 1),
            None if gated else activation,
            dtype=self.dtype_policy,
            name="up",
        )

    def build(self, x_shape):
        self.up.build(x_shape)
        self.down = keras.layers.Dense(x_shape[-1], dtype=self.dtype_policy, name="down")
        self.down.build((*x_shape[:-1], self.intermediate_dim))

    def call(self, x):
        x = self.up(x)  # [B, T, I], or [B, T, 2I]
        if self.activation == "swiglu":
            gate, x = ops.split(x, 2, axis=-1)
            x = ops.silu(gate) * x
        return self.down(x)

    def compute_output_shape(self, x_shape):
        return x_shape

    def get_config(self):
        keys = ("intermediate_dim", "activation")
        return {**super().get_config(), **{key: getattr(self, key) for key in keys}}


@keras.saving.register_keras_serializable(package="zoo")
class TransformerBlock(keras.layers.Layer):
    """Self-attention, then a feed-forward net, each added to what it was given.

        norm first:  x ─┬─ norm ─ branch ─ dropout ─ + ─        otherwise:  x ─┬─ branch ─ dropout ─ + ─ norm ─
                        └────────────────────────────┘                         └─────────────────────┘

    It is a layer and not a function so that `remat` can have it computed again in the backward pass.

    Args:
        num_heads: Heads of the attention.
        intermediate_dim: Width inside of the feed-forward net.
        activation: Name of a Keras activation, or `"swiglu"`.
        normalization: `"layer"` or `"rms"`.
        norm_first: Where the norms are, as drawn.
        rotary: Turn queries and keys by their positions.
        dropout: Share of each branch's outputs dropped in training.
        attention_dropout: Share of attention weights dropped in training.
        drop_path: Share of examples for which a branch is left out in training: stochastic depth (Huang et al. 2016).
        qkv_bias: Whether the projections to queries, keys and values have a bias.
        remat: Keep no intermediate values for the backward pass, and compute them again there: less memory, more time.
        **kwargs: Keras's own, such as `name`.

    Input and output: `[B, T, W]`, and perhaps a mask `[B, T]`.

    Raises:
        InputError: `remat` with `attention_dropout`: what is computed again would drop other weights.
    """

    def __init__(
        self, num_heads, intermediate_dim, *, activation="gelu", normalization="layer", norm_first=True, rotary=False,
        dropout=0.0, attention_dropout=0.0, drop_path=0.0, qkv_bias=True, remat=False, **kwargs,
    ):  # fmt: skip
        super().__init__(**kwargs)
        self.num_heads, self.intermediate_dim = num_heads, intermediate_dim
        self.activation, self.normalization = activation, normalization
        self.norm_first, self.rotary = norm_first, rotary
        self.dropout, self.attention_dropout, self.drop_path = dropout, attention_dropout, drop_path
        self.qkv_bias, self.remat = qkv_bias, remat
        if remat and attention_dropout:
            raise checks.InputError(
                "remat=True computes the attention weights again for the gradient, and would drop others than before: "
                f"pass attention_dropout=0.0. Received: attention_dropout={attention_dropout}"
            )
        self.supports_masking = True
        options = {"dtype": self.dtype_policy}
        self.attention = Attention(
            num_heads,
            rotary=rotary,
            dropout=attention_dropout,
            qkv_bias=qkv_bias,
            name="attention",
            **options,
        )
        self.attention_norm = make_norm(normalization, name="attention_norm", **options)
        self.mlp = FeedForward(intermediate_dim, activation, name="mlp", **options)
        self.mlp_norm = make_norm(normalization, name="mlp_norm", **options)
        self.drop = keras.layers.Dropout(dropout, name="drop", **options)
        self.drop_branch = keras.layers.Dropout(
            drop_path, noise_shape=(None, 1, 1), name="drop_branch", **options
        )

    def build(self, x_shape):
        for layer in (self.attention, self.attention_norm, self.mlp, self.mlp_norm):
            layer.build(x_shape)

    def call(self, x, mask=None):
        x = self._add(x, self.attention_norm, lambda y: self.attention(y, mask=mask))
        return self._add(x, self.mlp_norm, self.mlp)

    def _add(self, x, norm, branch):
        def run(y):
            return branch(norm(y) if self.norm_first else y)

        y = (keras.remat(run) if self.remat else run)(x)
        x = x + self.drop_branch(self.drop(y))
        return x if self.norm_first else norm(x)

    def compute_output_shape(self, x_shape):
        return x_shape

    def get_config(self):
        keys = (
            "num_heads", "intermediate_dim", "activation", "normalization", "norm_first", "rotary", "dropout",
            "attention_dropout", "drop_path", "qkv_bias", "remat",
        )  # fmt: skip
        return {**super().get_config(), **{key: getattr(self, key) for key in keys}}

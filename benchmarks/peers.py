"""The small size of each family as one would write it by hand: in Keras with its own layers, and in PyTorch.

`benchmarks/families.py` measures the zoo against them. Each pair has the zoo's architecture, and is left in the state
that a user gets without any tuning.
"""

import keras
import torch
from keras import ops
from torch import nn

K = keras.layers
STEPS, WORDS = 200, 10_000
LETTERS, SOUNDS, SPELLING = 30, 45, 20  # two small vocabularies, and the steps of a word in either


# dense:small and cnn:small


def keras_dense():
    layers = [K.Dense(64, "relu"), K.Dense(64, "relu"), K.Dense(10)]
    return keras.Sequential([keras.Input((28, 28, 1)), K.Flatten(), *layers])


def torch_dense():
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)
    )


def keras_cnn():
    layers = [K.Conv2D(32, 3, padding="same", activation="relu"), K.MaxPooling2D()]
    layers += [K.Conv2D(64, 3, padding="same", activation="relu"), K.MaxPooling2D()]
    layers += [K.Flatten(), K.Dense(128, "relu"), K.Dense(10)]
    return keras.Sequential([keras.Input((28, 28, 1)), *layers])


def torch_cnn():
    layers = [nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    layers += [nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    layers += [nn.Flatten(), nn.Linear(64 * 49, 128), nn.ReLU(), nn.Linear(128, 10)]
    return nn.Sequential(*layers)


# resnet:20


def keras_resnet():
    def convolve(x, filters, strides=1):
        return K.BatchNormalization()(
            K.Conv2D(filters, 3, strides, padding="same", use_bias=False)(x)
        )

    inputs = keras.Input((28, 28, 1))
    x = K.ReLU()(convolve(inputs, 16))
    for filters in (16, 32, 64):
        for block in range(3):
            strides = 2 if filters > 16 and block == 0 else 1
            y = convolve(K.ReLU()(convolve(x, filters, strides)), filters)
            if strides == 2:
                x = ops.pad(x[:, ::2, ::2], ((0, 0), (0, 0), (0, 0), (0, filters // 2)))
            x = K.ReLU()(x + y)
    return keras.Model(inputs, K.Dense(10)(K.GlobalAveragePooling2D()(x)))


class _TorchBlock(nn.Module):
    def __init__(self, before, filters):
        super().__init__()
        self.stride, self.more = (2, filters - before) if before != filters else (1, 0)
        self.one = nn.Conv2d(before, filters, 3, self.stride, 1, bias=False)
        self.two = nn.Conv2d(filters, filters, 3, 1, 1, bias=False)
        self.norm_one, self.norm_two = nn.BatchNorm2d(filters), nn.BatchNorm2d(filters)

    def forward(self, x):
        y = self.norm_two(self.two(self.norm_one(self.one(x)).relu()))
        if self.more:
            x = nn.functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, self.more))
        return (x + y).relu()


def torch_resnet():
    blocks, before = [], 16
    for filters in (16, 32, 64):
        for _ in range(3):
            blocks.append(_TorchBlock(before, filters))
            before = filters
    stem = [nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


# recurrent:small


def keras_recurrent():
    layers = [K.Embedding(WORDS, 64, mask_zero=True), K.LSTM(64), K.Dense(10)]
    return keras.Sequential([keras.Input((STEPS,), dtype="int32"), *layers])


class TorchRecurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(WORDS, 64, padding_idx=0)
        self.lstm, self.head = nn.LSTM(64, 64, batch_first=True), nn.Linear(64, 10)

    def forward(self, ids):
        outputs, _ = self.lstm(self.embedding(ids))
        last = (ids != 0).sum(1).clamp(min=1) - 1
        return self.head(outputs[torch.arange(len(ids)), last])


# vae:small: the loss is part of the model


class KerasSampling(K.Layer):
    """The usual layer of a hand-written VAE: draws, and adds the divergence."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator()

    def call(self, inputs):
        mean, log_variance = inputs
        divergence = 0.5 * ops.sum(
            ops.square(mean) + ops.exp(log_variance) - log_variance - 1, axis=-1
        )
        self.add_loss(ops.mean(divergence))
        noise = keras.random.normal(ops.shape(mean), seed=self.seed_generator)
        return mean + ops.exp(0.5 * log_variance) * noise


class KerasReconstruction(K.Layer):
    def call(self, inputs):
        x, logits = inputs
        losses = keras.losses.binary_crossentropy(x, logits, from_logits=True)
        self.add_loss(ops.mean(losses) * 784)
        return logits


def keras_vae():
    inputs = keras.Input((28, 28, 1))
    x = K.Flatten()(inputs)
    h = K.Dense(32, "relu")(K.Dense(64, "relu")(x))
    z = KerasSampling()([K.Dense(32)(h), K.Dense(32)(h)])
    logits = K.Dense(784)(K.Dense(64, "relu")(K.Dense(32, "relu")(z)))
    return keras.Model(inputs, {"logits": KerasReconstruction()([x, logits])})


class TorchVAE(nn.Module):
    """Returns its loss in training, otherwise logits and latent statistics."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU()
        )
        self.mean, self.log_variance = nn.Linear(32, 32), nn.Linear(32, 32)
        self.decoder = nn.Sequential(
            nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 784)
        )

    def forward(self, x):
        h = self.encoder(x)
        mean, log_variance = self.mean(h), self.log_variance(h)
        logits = self.decoder(mean + (0.5 * log_variance).exp() * torch.randn_like(mean))
        if not self.training:
            return logits, mean, log_variance
        pixels = x.flatten(1)
        error = nn.functional.binary_cross_entropy_with_logits(logits, pixels, reduction="sum")
        divergence = 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).sum()
        return (error + divergence) / len(x)


# transformer:small and vit:mnist


def _sinusoids(steps, width):
    angles = torch.arange(steps)[:, None] / 10_000 ** (torch.arange(0, width, 2) / width)
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)


def _keras_block(x, heads, inner, rate, mask=None, activation="gelu"):
    width = x.shape[-1]
    y = K.LayerNormalization(epsilon=1e-6)(x)
    y = K.MultiHeadAttention(heads, width // heads)(y, y, attention_mask=mask)
    x = x + K.Dropout(rate)(y)
    y = K.LayerNormalization(epsilon=1e-6)(x)
    y = K.Dense(width)(K.Dense(inner, activation)(y))
    return x + K.Dropout(rate)(y)


def keras_transformer():
    inputs = keras.Input((STEPS,), dtype="int32")
    mask = ops.not_equal(inputs, 0)
    x = K.Embedding(WORDS, 64)(inputs) + _sinusoids(STEPS, 64).numpy()
    x = K.Dropout(0.1)(x)
    for _ in range(2):
        x = _keras_block(x, 4, 256, 0.1, mask[:, None, :])
    x = K.LayerNormalization(epsilon=1e-6)(x)
    return keras.Model(inputs, K.Dense(10)(K.GlobalAveragePooling1D()(x, mask=mask)))


def _branches_dropped_only(net):
    """Leaves PyTorch's dropout where the zoo has it: not on attention weights, nor inside of the feed-forward net."""
    for module in net.modules():
        if isinstance(module, nn.MultiheadAttention):
            module.dropout = 0.0
        elif isinstance(module, (nn.TransformerEncoderLayer, nn.TransformerDecoderLayer)):
            module.dropout.p = 0.0
    return net


def _torch_encoder(layers, width, heads, inner, rate):
    block = nn.TransformerEncoderLayer(
        width, heads, inner, rate, "gelu", batch_first=True, norm_first=True
    )
    net = nn.TransformerEncoder(block, layers, nn.LayerNorm(width), enable_nested_tensor=False)
    return _branches_dropped_only(net)


class TorchTransformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.drop = nn.Embedding(WORDS, 64), nn.Dropout(0.1)
        self.register_buffer("positions", _sinusoids(STEPS, 64))
        self.encoder, self.head = _torch_encoder(2, 64, 4, 256, 0.1), nn.Linear(64, 10)

    def forward(self, ids):
        real = ids != 0
        x = self.encoder(
            self.drop(self.embedding(ids) + self.positions), src_key_padding_mask=~real
        )
        weights = real[..., None].float()
        return self.head((x * weights).sum(1) / weights.sum(1).clamp(min=1))


class KerasFirstToken(K.Layer):
    """A learned first step and learned positions."""

    def build(self, shape):
        self.token = self.add_weight((1, 1, shape[-1]))
        self.positions = self.add_weight((1, shape[1] + 1, shape[-1]))

    def call(self, x):
        token = ops.broadcast_to(self.token, (ops.shape(x)[0], 1, x.shape[-1]))
        return ops.concatenate([token, x], axis=1) + self.positions


def keras_vit():
    inputs = keras.Input((28, 28, 1))
    x = KerasFirstToken()(K.Reshape((49, 96))(K.Conv2D(96, 4, 4)(inputs)))
    for _ in range(6):
        x = _keras_block(x, 4, 192, 0.0)
    x = K.LayerNormalization(epsilon=1e-6)(x)
    return keras.Model(inputs, K.Dense(10)(x[:, 0]))


class TorchViT(nn.Module):
    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(1, 96, 4, 4)
        self.token = nn.Parameter(torch.zeros(1, 1, 96))
        self.positions = nn.Parameter(0.02 * torch.randn(1, 50, 96))
        self.encoder, self.head = _torch_encoder(6, 96, 4, 192, 0.0), nn.Linear(96, 10)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.positions
        return self.head(self.encoder(x)[:, 0])


# seq2seq:small


def _keras_decoder_block(x, encoded, mask, source_mask):
    y = K.LayerNormalization(epsilon=1e-6)(x)
    y = K.MultiHeadAttention(8, 16)(y, y, attention_mask=mask, use_causal_mask=True)
    x = x + K.Dropout(0.1)(y)
    y = K.LayerNormalization(epsilon=1e-6)(x)
    x = x + K.Dropout(0.1)(K.MultiHeadAttention(8, 16)(y, encoded, attention_mask=source_mask))
    y = K.LayerNormalization(epsilon=1e-6)(x)
    return x + K.Dropout(0.1)(K.Dense(128)(K.Dense(512, "relu")(y)))


def keras_seq2seq():
    def embed(ids, words):
        x = K.Embedding(words, 128)(ids) * 128**0.5
        return K.Dropout(0.1)(x + _sinusoids(SPELLING + 1, 128).numpy()[: ids.shape[1]])

    source = keras.Input((SPELLING,), dtype="int32", name="source")
    source_mask = ops.not_equal(source, 0)[:, None, :]
    x = embed(source, LETTERS)
    for _ in range(3):
        x = _keras_block(x, 8, 512, 0.1, source_mask, activation="relu")
    encoded = K.LayerNormalization(epsilon=1e-6)(x)

    target = keras.Input((SPELLING + 1,), dtype="int32", name="target")
    mask = ops.not_equal(target, 0)[:, None, :]
    x = embed(target, SOUNDS)
    for _ in range(3):
        x = _keras_decoder_block(x, encoded, mask, source_mask)
    x = K.LayerNormalization(epsilon=1e-6)(x)
    return keras.Model({"source": source, "target": target}, K.Dense(SOUNDS)(x))


class TorchSeq2Seq(nn.Module):
    def __init__(self):
        super().__init__()
        self.source, self.target = nn.Embedding(LETTERS, 128), nn.Embedding(SOUNDS, 128)
        self.register_buffer("positions", _sinusoids(SPELLING + 1, 128))
        self.drop, self.head = nn.Dropout(0.1), nn.Linear(128, SOUNDS)
        net = nn.Transformer(128, 8, 3, 3, 512, 0.1, batch_first=True, norm_first=True)
        self.net = _branches_dropped_only(net)

    def forward(self, source, target):
        def embed(ids, embedding):
            return self.drop(embedding(ids) * 128**0.5 + self.positions[: ids.shape[1]])

        padding = source == 0
        later = torch.triu(torch.ones(2 * target.shape[1:], dtype=torch.bool), 1)
        x = self.net(
            embed(source, self.source), embed(target, self.target), tgt_mask=later, tgt_is_causal=True,
            src_key_padding_mask=padding, memory_key_padding_mask=padding, tgt_key_padding_mask=target == 0,
        )  # fmt: skip
        return self.head(x)

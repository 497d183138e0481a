"""Variational autoencoder.

    x [B, ...] ─ encoder ─ mean [B, L], log variance [B, L] ─ z = mean + σ ε [B·k, L] ─ decoder ─┐
      │                      └ decoder ─ logits [B, ...]                                        bound (a loss)
      └────────────────────────────────────────────────────────────────────────────────────────┘

    encoder   ( convolution, stride 2 ) x len(filters) ─ flatten ─ ( Dense ) x len(units) ─ two Dense of L
    decoder   ( Dense ) x len(units), in reverse ─ ( transposed convolution, stride 2 ) x len(filters) ─ [...]

B batch, L width of the latent space, k samples of it for each example, σ the root of the variance, ε normal noise. The
loss that the layer `bound` adds is the mean over the batch of the negative bound, in nats per example:

    k = 1   -log p(x|z) + β KL(q(z|x) || N(0, 1)), the divergence in closed form       (Kingma & Welling 2014)
    k > 1   -log 1/k Σ p(x|z) p(z) / q(z|x)                                            (Burda et al. 2016)

The outputs are of the mean, and so without noise: logits of the pixels' probabilities, or the means of a Gaussian.
"""

import math

import keras
import numpy as np
from keras import ops

from zoo.models import checks, latent, layers

SIZES = {
    "tiny": {"units": (16,), "latent_dim": 2},
    "small": {"units": (64, 32), "latent_dim": 32},
    # Kingma & Welling 2014, section 5: 500 hidden units; 20 is the largest latent space of their figure 2.
    "base": {"units": (500,), "latent_dim": 20, "activation": "tanh"},
    # Burda et al. 2016, section 5: one stochastic layer of 50 units, two of 200 tanh units on each side.
    "iwae": {"units": (200, 200), "latent_dim": 50, "activation": "tanh", "num_samples": 5},
    "conv": {"filters": (32, 64), "units": (128,), "latent_dim": 20},
}


def build_vae(
    input_shape,
    num_classes=None,
    *,
    units=(64, 32),
    filters=(),
    latent_dim=32,
    activation="relu",
    likelihood="bernoulli",
    scale=1.0,
    beta=1.0,
    num_samples=1,
    name="vae",
):
    """Builds a variational autoencoder for images or features; it trains with `compile(optimizer)` and `fit(x)`.

    Use it to draw new examples, to compress, and to estimate how likely an example is.

    Reference: Kingma & Welling 2014, "Auto-encoding variational Bayes"; several samples as in Burda et al. 2016,
    "Importance weighted autoencoders"; beta as in Higgins et al. 2017.

    Args:
        input_shape: Shape of one example: `(height, width, channels)` in pixels, or features of any shape.
        num_classes: There are no classes: `None`.
        units: Width of each dense layer of the encoder; the decoder has them in reverse.
        filters: Filters of each convolution of the encoder, which halves height and width; for images.
        latent_dim: Width of the latent space.
        activation: Name of a Keras activation.
        likelihood: `"bernoulli"`: inputs in 0..1, for example grey levels, which then count as probabilities of a
            white pixel; `"gaussian"`: any numbers, around the decoder's output.
        scale: Standard deviation of `"gaussian"`.
        beta: Weight of the divergence; other than 1 with one sample only.
        num_samples: Samples of the latent space per example in the loss; above 1 they are weighted by importance.
        name: Name of the model.

    Returns:
        An uncompiled `keras.Model`. Input `inputs`: float32 `[B, *input_shape]`. Outputs, a dict of float32: `logits`
        `[B, *input_shape]`, `mean` and `log_variance` `[B, latent_dim]`.

    Raises:
        InputError: An argument is out of its range; the message names it. (A `ValueError`.)

    Example:

    >>> model = build_vae((28, 28, 1), units=(500,), latent_dim=20)
    >>> model.compile("adam")
    >>> history = model.fit(np.zeros((8, 28, 28, 1)), verbose=0)
    >>> sample(model, 3, seed=0).shape
    (3, 28, 28, 1)
    """
    shape = _check(input_shape, num_classes, units, filters, latent_dim, activation)
    checks.one_of("likelihood", likelihood, latent.LIKELIHOODS)
    checks.positive("scale", scale)
    checks.not_negative("beta", beta)
    checks.positive_int("num_samples", num_samples)
    if num_samples > 1 and beta != 1:
        raise checks.InputError(
            f"Several samples have no divergence of their own: pass beta=1, or num_samples=1. Received: beta={beta}, "
            f"num_samples={num_samples}"
        )

    inputs = keras.Input(shape, name="inputs")
    x = inputs
    for i, count in enumerate(filters, 1):
        convolution = keras.layers.Conv2D(count, 3, 2, "same", activation=activation, name=f"encoder_conv_{i}")  # fmt: skip
        x = convolution(x)  # [B, H/2, W/2, F]
    x = keras.layers.Flatten(name="flatten")(x)
    for i, width in enumerate(units, 1):
        x = keras.layers.Dense(width, activation, name=f"encoder_dense_{i}")(x)
    mean = keras.layers.Dense(latent_dim, dtype="float32", name="mean")(x)
    log_variance = keras.layers.Dense(latent_dim, dtype="float32", name="log_variance")(x)
    decoder = _decoder(shape, units, filters, latent_dim, activation)
    z = latent.Sampling(num_samples, name="sampling")([mean, log_variance])
    bound = latent.NegativeBound(beta, likelihood=likelihood, scale=scale, num_samples=num_samples, name="bound")  # fmt: skip
    mean = bound([inputs, decoder(z), mean, log_variance, z])
    logits = keras.layers.Activation("linear", dtype="float32", name="logits")(decoder(mean))
    outputs = {"logits": logits, "mean": mean, "log_variance": log_variance}
    return keras.Model(inputs, outputs, name=name)


def _decoder(shape, units, filters, latent_dim, activation):
    x = z = keras.Input((latent_dim,), name="latent")
    for i, width in enumerate(reversed(units), 1):
        x = keras.layers.Dense(width, activation, name=f"decoder_dense_{i}")(x)
    if not filters:
        x = keras.layers.Dense(math.prod(shape), name="decoder_output")(x)
        x = keras.layers.Reshape(shape, name="decoder_shape")(x)
        return keras.Model(z, x, name="decoder")
    sizes = [shape[:2]]
    for _ in filters:
        sizes.append(tuple(-(-size // 2) for size in sizes[-1]))
    x = keras.layers.Dense(math.prod(sizes[-1]) * filters[-1], activation, name="decoder_input")(x)
    x = keras.layers.Reshape((*sizes[-1], filters[-1]), name="decoder_shape")(x)
    counts = (*reversed(filters[:-1]), shape[2])
    for i, (count, (height, width)) in enumerate(zip(counts, reversed(sizes[:-1])), 1):
        last = i == len(counts)
        x = keras.layers.Conv2DTranspose(
            count, 3, 2, "same", activation=None if last else activation, name=f"decoder_conv_{i}"
        )(x)
        if (height % 2, width % 2) != (0, 0):  # the encoder had rounded up
            crop = ((0, height % 2), (0, width % 2))
            x = keras.layers.Cropping2D(crop, name=f"decoder_crop_{i}")(x)
    return keras.Model(z, x, name="decoder")


def encode(model, x):
    """Mean and log variance of q(z|x), NumPy `[N, L]` each.

    Args:
        model: A model of `build_vae`.
        x: Inputs `[N, *input_shape]`.
    """
    outputs = model.predict(_inputs(model, x), verbose=0)
    return outputs["mean"], outputs["log_variance"]


def decode(model, z):
    """What the decoder makes of latent vectors: NumPy `[N, *input_shape]`, probabilities or means.

    Args:
        model: A model of `build_vae`.
        z: Latent vectors `[N, L]`.
    """
    width = model.get_layer("mean").units
    z = np.asarray(z, "float32")
    if z.ndim != 2 or z.shape[1] != width:
        raise checks.InputError(
            f"Latent vectors of {model.name} have shape (count, {width}). Received: {z.shape}"
        )
    outputs = model.get_layer("decoder").predict(z, verbose=0).astype("float32")
    if model.get_layer("bound").likelihood == "gaussian":
        return outputs
    return keras.ops.convert_to_numpy(ops.sigmoid(outputs))


def reconstruct(model, x):
    """What the decoder makes of the mean of q(z|x): NumPy `[N, *input_shape]`."""
    return decode(model, encode(model, x)[0])


def sample(model, n, seed=None):
    """Draws `n` latent vectors from N(0, 1) and decodes them: NumPy `[n, *input_shape]`.

    Args:
        model: A model of `build_vae`.
        n: How many.
        seed: The same seed gives the same samples.
    """
    checks.positive_int("n", n)
    shape = (n, model.get_layer("mean").units)
    return decode(model, np.random.default_rng(seed).standard_normal(shape))


def interpolate(model, a, b, steps=8):
    """Decodes the straight line between the means of two examples: NumPy `[steps, *input_shape]`, ends included.

    Args:
        model: A model of `build_vae`.
        a, b: Two inputs of shape `input_shape`.
        steps: Points on the line.
    """
    checks.positive_int("steps", steps)
    first, last = encode(model, np.stack([a, b]))[0]
    share = np.linspace(0.0, 1.0, steps)[:, None]
    return decode(model, (1 - share) * first + share * last)


def log_likelihood(model, x, num_samples=5000, *, seed=0, batch_size=100):
    """Estimates log p(x) of each example by importance sampling (Burda et al. 2016, equation 8).

    The estimate is a bound from below that rises with the samples. Memory does not grow with them.

    Args:
        model: A model of `build_vae`.
        x: Inputs `[N, *input_shape]`.
        num_samples: Samples of the latent space per example.
        seed: Of the samples.
        batch_size: Examples at once, each with up to 100 samples.

    Returns:
        NumPy `[N]`, in nats.
    """
    checks.positive_int("num_samples", num_samples)
    x, bound = _inputs(model, x), model.get_layer("bound")
    statistics = [model.get_layer(name).output for name in ("mean", "log_variance")]

    def estimator(count):
        z = latent.Sampling(count, seed=seed)(statistics)
        weigh = latent.LogMeanWeight(bound.likelihood, bound.scale, count)
        return keras.Model(
            model.input, weigh([model.input, model.get_layer("decoder")(z), *statistics, z])
        )

    counts = [100] * (num_samples // 100) + [num_samples % 100] * bool(num_samples % 100)
    estimators = {count: estimator(count) for count in set(counts)}  # each goes on with its seeds
    total = np.full(len(x), -np.inf)
    for count in counts:
        part = estimators[count].predict(x, batch_size=batch_size, verbose=0)
        total = np.logaddexp(total, np.asarray(part, "float64") + math.log(count))
    return total - math.log(num_samples)


def _inputs(model, x):
    x = np.asarray(x, "float32")
    if x.shape[1:] != tuple(model.input.shape[1:]):
        raise checks.InputError(
            f"{model.name} takes inputs of shape (count, {', '.join(map(str, model.input.shape[1:]))}). Received: {x.shape}"
        )
    return x


def _check(input_shape, num_classes, units, filters, latent_dim, activation):
    if num_classes is not None:
        raise checks.InputError(
            f"A variational autoencoder has no classes: leave num_classes out. Received: {num_classes!r}"
        )
    checks.positive_ints("units", units, empty=True)
    checks.positive_ints("filters", filters, empty=True)
    checks.positive_int("latent_dim", latent_dim)
    layers.check_activation(activation)
    ranks = (3,) if filters else None
    return checks.input_shape(input_shape, ranks, "(28, 28, 1)")


def search_space(hp):
    """Depth, width, latent width and divergence; `hp` is a `keras_tuner.HyperParameters`."""
    width = hp.Int("units", 64, 512, step=2, sampling="log")
    return {
        "units": (width,) * hp.Int("num_layers", 1, 3),
        "latent_dim": hp.Int("latent_dim", 2, 64, step=2, sampling="log"),
        "activation": hp.Choice("activation", ["relu", "tanh"]),
        "beta": hp.Float("beta", 0.25, 4.0, sampling="log"),
    }

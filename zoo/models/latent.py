"""The random middle of a variational autoencoder: samples, their weights, and the bound that is its loss.

B batch, k samples of each example, L width of the latent space.
"""

import math

import keras
from keras import ops

LIKELIHOODS = ("bernoulli", "gaussian")


@keras.saving.register_keras_serializable(package="zoo")
class Sampling(keras.layers.Layer):
    """Draws `num_samples` times from a diagonal Gaussian, differentiably: mean + σ ε (Kingma & Welling 2014).

    Input: mean and log variance `[B, L]`. Output: `[B * num_samples, L]`, the samples of an example after each other.
    """

    def __init__(self, num_samples=1, seed=None, **kwargs):
        super().__init__(**_in_float32(kwargs))
        self.num_samples, self.seed = num_samples, seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs):
        mean, log_variance = (_repeat(x, self.num_samples) for x in inputs)
        noise = keras.random.normal(ops.shape(mean), dtype="float32", seed=self.seed_generator)
        return mean + ops.exp(0.5 * log_variance) * noise

    def compute_output_shape(self, input_shape):
        batch, width = input_shape[0]
        return None if batch is None else batch * self.num_samples, width

    def get_config(self):
        return {**super().get_config(), "num_samples": self.num_samples, "seed": self.seed}


@keras.saving.register_keras_serializable(package="zoo")
class LogMeanWeight(keras.layers.Layer):
    """log 1/k Σ p(x|z) p(z) / q(z|x) over the k samples of each example: an estimate, from below, of log p(x).

    Args:
        likelihood: `"bernoulli"` or `"gaussian"`.
        scale: Standard deviation of `"gaussian"`.
        num_samples: k.
        **kwargs: Keras's own, such as `name`.

    Input: x `[B, ...]`, the decoder's outputs `[B * k, ...]`, mean and log variance `[B, L]`, z `[B * k, L]`. Output:
    `[B]`, in nats.
    """

    def __init__(self, likelihood="bernoulli", scale=1.0, num_samples=1, **kwargs):
        super().__init__(**_in_float32(kwargs))
        self.likelihood, self.scale, self.num_samples = likelihood, scale, num_samples

    def call(self, inputs):
        x, outputs, mean, log_variance, z = inputs
        k = self.num_samples
        log_weights = self.log_likelihood(_repeat(x, k), outputs) + _log_normal(z, 0.0, 0.0)
        log_weights -= _log_normal(z, _repeat(mean, k), _repeat(log_variance, k))
        return ops.logsumexp(ops.reshape(log_weights, (-1, k)), axis=1) - math.log(k)

    def log_likelihood(self, x, outputs):
        """log p(x|z) `[N]` of x and the decoder's outputs, both `[N, ...]`."""
        x, outputs = (
            ops.reshape(values, (-1, math.prod(values.shape[1:]))) for values in (x, outputs)
        )
        if self.likelihood == "bernoulli":
            return ops.sum(x * outputs - ops.softplus(outputs), axis=1)
        return _log_normal(x, outputs, 2 * math.log(self.scale))

    def compute_output_shape(self, input_shape):
        return (input_shape[0][0],)

    def get_config(self):
        keys = ("likelihood", "scale", "num_samples")
        return {**super().get_config(), **{key: getattr(self, key) for key in keys}}


@keras.saving.register_keras_serializable(package="zoo")
class NegativeBound(LogMeanWeight):
    """Adds the mean over the batch of the negative bound as a loss, in nats; returns the mean of q as it is.

    Args:
        beta: Weight of the divergence, with one sample.
        **kwargs: Those of `LogMeanWeight`, whose inputs it takes.
    """

    def __init__(self, beta=1.0, **kwargs):
        super().__init__(**kwargs)
        self.beta = beta

    def call(self, inputs):
        x, outputs, mean, log_variance, _ = inputs
        if self.num_samples == 1:
            bound = self.log_likelihood(x, outputs) - self.beta * divergence(mean, log_variance)
        else:
            bound = super().call(inputs)
        self.add_loss(-ops.mean(bound))
        return mean

    def compute_output_shape(self, input_shape):
        return input_shape[2]

    def get_config(self):
        return {**super().get_config(), "beta": self.beta}


def divergence(mean, log_variance):
    """KL(N(mean, variance) || N(0, 1)) of each row, `[B]`, in nats."""
    return 0.5 * ops.sum(ops.square(mean) + ops.exp(log_variance) - log_variance - 1.0, axis=1)


def _log_normal(x, mean, log_variance):
    """Logarithm of the density of a diagonal Gaussian at each row of `x`."""
    terms = ops.square(x - mean) * ops.exp(-ops.convert_to_tensor(log_variance, "float32"))
    return -0.5 * ops.sum(terms + log_variance + math.log(2 * math.pi), axis=1)


def _repeat(x, count):
    return x if count == 1 else ops.repeat(x, count, axis=0)


def _in_float32(options):
    """Half precision would lose the digits of sums over hundreds of pixels."""
    return {**options, "dtype": "float32"}

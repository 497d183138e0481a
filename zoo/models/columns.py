"""Layers for columns of a table: numbers embedded one by one, and several networks in one.

B batch, F features, N of them numbers, R the others, K members, C classes. Layers that learn faster or slower than the rest
hold `u` and compute with `factor * u`, as a step of Adam in `u` is then `factor` times as large in their weight.
"""

import keras
import numpy as np

from zoo.models import checks

EMBEDDINGS = ("periodic", "piecewise")
AVERAGES = ("values", "softmax", "sigmoid")
NUM_QUANTILES = 49  # ends of 48 bins, as TabM has them
# Of a standard normal column: what a prepared column is taken for where nothing is known of it.
_NORMAL = (
    -2.05, -1.73, -1.54, -1.40, -1.28, -1.18, -1.08, -1.00, -0.92, -0.84, -0.77, -0.70, -0.64, -0.58, -0.52, -0.47, -0.41, -0.36,
    -0.30, -0.25, -0.20, -0.15, -0.10, -0.05,
)  # fmt: skip
NORMAL = (*_NORMAL, 0.0, *(-x for x in reversed(_NORMAL)))


def check_quantiles(quantiles, num_features):
    """Returns the quantiles of each feature as tuples, `None` for one that is no number; raises `InputError` for others.

    Args:
        quantiles: As of `build_dense`; `None` takes all features for standard normal numbers.
        num_features: How many features there are.
    """
    if quantiles is None:
        return (NORMAL,) * num_features
    if not isinstance(quantiles, (tuple, list)) or len(quantiles) != num_features:
        raise checks.InputError(
            f"`quantiles` must hold an entry for each of the {num_features} features, its rising quantiles or None. Received: "
            f"{str(quantiles)[:60]!r}"
        )
    found = tuple(None if ends is None else tuple(map(float, ends)) for ends in quantiles)
    for ends in found:
        if ends is not None and (any(np.diff(ends) < 0) or not ends or ends[0] == ends[-1]):
            raise checks.InputError(
                f"each of quantiles must be two or more numbers that rise, or None. Received: {str(ends)[:60]}"
            )
    return found


@keras.saving.register_keras_serializable(package="zoo")
class NumberEmbedding(keras.layers.Layer):
    """What embeddings of numbers share: which features they are of, and the order of the outputs.

    Args:
        quantiles: For each feature its rising training quantiles, or `None` where it is no number.
        embedding_dim: Numbers that each becomes.

    Input: `[B, F]`. Output: `[B, N * embedding_dim + R]`: the embeddings, then the features that are no numbers as they are.
    Each subclass has `embed`: `[B, N]` → `[B, N, embedding_dim]`.
    """

    def __init__(self, quantiles, embedding_dim, **kwargs):
        super().__init__(**kwargs)
        self.quantiles = check_quantiles(quantiles, len(quantiles))
        self.embedding_dim = embedding_dim
        self.numbers = [i for i, ends in enumerate(self.quantiles) if ends is not None]
        self.others = [i for i, ends in enumerate(self.quantiles) if ends is None]

    def call(self, inputs):
        parts, take = [], keras.ops.take
        if self.numbers:
            embedded = self.embed(take(inputs, self.numbers, axis=1))  # [B, N, embedding_dim]
            parts.append(keras.ops.reshape(embedded, (-1, len(self.numbers) * self.embedding_dim)))
        if self.others:
            parts.append(take(inputs, self.others, axis=1))
        return parts[0] if len(parts) == 1 else keras.ops.concatenate(parts, axis=1)

    def build(self, input_shape):
        ends = [self.quantiles[i] for i in self.numbers]
        quarters = [np.interp((0.25, 0.5, 0.75), np.linspace(0, 1, len(e)), e) for e in ends]
        spread = [q[2] - q[0] or (e[-1] - e[0]) / 2 for q, e in zip(quarters, ends)]
        self._centre = np.array([q[1] for q in quarters], "float32")
        self._scale = np.array([1 / s for s in spread], "float32")

    def robust(self, numbers):
        """`[B, N]` → `[B, N, 1]`: centred on the median, divided by the distance of the quartiles, clipped smoothly to -3..3."""
        centre, scale = (keras.ops.cast(v, numbers.dtype) for v in (self._centre, self._scale))
        x = (numbers - centre) * scale
        return (x / keras.ops.sqrt(1 + keras.ops.square(x / 3)))[..., None]

    def compute_output_shape(self, input_shape):
        return input_shape[0], len(self.numbers) * self.embedding_dim + len(self.others)

    def get_config(self):
        own = {"quantiles": self.quantiles, "embedding_dim": self.embedding_dim}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="zoo")
class PeriodicEmbedding(NumberEmbedding):
    """Each number, robustly scaled, beside a small network of its own of cosines: PBLD (Holzmüller et al. 2024).

    A number is centred on the training median, divided by the distance of the quartiles (where these are alike by half of the range)
    and clipped smoothly to -3..3: x / sqrt(1 + (x / 3)^2). Its embedding is [x, W cos(2 pi w x + b) + c]. It learns a tenth as fast as
    other layers.

    Args:
        quantiles, embedding_dim: As of `NumberEmbedding`.
        num_frequencies: Cosines of each number.
        sigma: Spread of their first frequencies.
    """

    factor = 0.1

    def __init__(self, quantiles, embedding_dim=4, num_frequencies=16, sigma=0.1, **kwargs):
        super().__init__(quantiles, embedding_dim, **kwargs)
        self.num_frequencies, self.sigma = num_frequencies, sigma

    def build(self, input_shape):
        super().build(input_shape)
        count, width, dim = len(self.numbers), self.num_frequencies, self.embedding_dim - 1
        normal, uniform = keras.initializers.RandomNormal, keras.initializers.RandomUniform
        f, bound = self.factor, width**-0.5
        self.frequencies = self._weight("frequencies", (count, width), normal(0.0, self.sigma / f))
        self.phases = self._weight("phases", (count, width), uniform(-np.pi / f, np.pi / f))
        self.kernel = self._weight("kernel", (count, width, dim), uniform(-bound / f, bound / f))
        self.bias = self._weight("bias", (count, dim), uniform(-bound / f, bound / f))

    def _weight(self, name, shape, initializer):
        return self.add_weight(name=name, shape=shape, initializer=initializer)

    def embed(self, numbers):
        ops, f = keras.ops, self.factor
        x = self.robust(numbers)
        angles = 2 * np.pi * f * self.frequencies * x + f * self.phases
        waves = ops.cos(angles)  # [B, N, num_frequencies]
        inner = ops.einsum("bnw,nwd->bnd", waves, f * self.kernel) + f * self.bias
        return ops.concatenate([x, inner], axis=-1)

    def get_config(self):
        own = {"num_frequencies": self.num_frequencies, "sigma": self.sigma}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="zoo")
class PiecewiseEmbedding(NumberEmbedding):
    """Each number as a piecewise linear function of itself, with knots at its training quantiles (Gorishniy et al. 2022).

    Bin t holds clip((x - q_t) / (q_t+1 - q_t), 0, 1), the first and the last bin without a bound to their outer side; a linear layer of
    each number's own, which begins at zero, is added to one of the number alone (version B of Gorishniy et al. 2025).

    Args:
        quantiles, embedding_dim: As of `NumberEmbedding`.
    """

    def __init__(self, quantiles, embedding_dim=16, **kwargs):
        super().__init__(quantiles, embedding_dim, **kwargs)

    def build(self, input_shape):
        super().build(input_shape)
        ends = [np.unique(self.quantiles[i]) for i in self.numbers]
        count, bins = len(ends), max((len(e) for e in ends), default=1) - 1
        slope, offset, low, high = np.zeros((4, count, bins), "float32")
        for i, e in enumerate(ends):
            last, width = len(e) - 2, np.diff(e)
            slope[i, : last + 1], offset[i, : last + 1] = 1 / width, -e[:-1] / width
            high[i, : last + 1] = 1.0
            # Beyond the training range a line goes on, but not for ever.
            low[i, 0], high[i, last] = -8.0, 8.0
        self._bins = slope, offset, low, high
        uniform, dim = keras.initializers.RandomUniform(-1.0, 1.0), self.embedding_dim
        self.kernel = self.add_weight(name="kernel", shape=(count, bins, dim), initializer="zeros")
        self.line = self.add_weight(name="line", shape=(count, dim), initializer=uniform)
        self.bias = self.add_weight(name="bias", shape=(count, dim), initializer=uniform)

    def embed(self, numbers):
        ops, kind = keras.ops, numbers.dtype
        slope, offset, low, high = (ops.cast(values, kind) for values in self._bins)
        bins = numbers[..., None] * slope + offset  # [B, N, bins]
        bins = ops.minimum(ops.maximum(bins, low), high)
        line = self.robust(numbers) * self.line + self.bias
        return ops.einsum("bnt,ntd->bnd", bins, self.kernel) + line


@keras.saving.register_keras_serializable(package="zoo")
class Scaling(keras.layers.Layer):
    """Multiplies each feature by a weight of its own: a soft choice of columns, which learns six times as fast as other layers.

    Input and output: `[..., F]`.
    """

    factor = 6.0

    def build(self, input_shape):
        start = keras.initializers.Constant(1 / self.factor)
        self.scale = self.add_weight(name="scale", shape=input_shape[-1:], initializer=start)

    def call(self, inputs):
        return inputs * (self.factor * self.scale)


@keras.saving.register_keras_serializable(package="zoo")
class ParametricActivation(keras.layers.Layer):
    """x + a (f(x) - x) with a weight `a` of each unit's own, 1 at the start, which learns a tenth as fast as other layers.

    Args:
        activation: Name of a Keras activation.

    Input and output: `[..., D]`.
    """

    factor = 0.1

    def __init__(self, activation, **kwargs):
        super().__init__(**kwargs)
        self.activation = activation

    def build(self, input_shape):
        self.share = self.add_weight(name="share", shape=input_shape[-1:], initializer="zeros")

    def call(self, inputs):
        change = keras.activations.get(self.activation)(inputs) - inputs
        return inputs + (1 + self.factor * self.share) * change

    def get_config(self):
        return {**super().get_config(), "activation": self.activation}


@keras.saving.register_keras_serializable(package="zoo")
class Members(keras.layers.Layer):
    """The same features for each member of an ensemble, multiplied by weights of its own: the first `r` of BatchEnsemble.

    The weights begin as random numbers, one for all parts of an embedding, so that members differ (Gorishniy et al. 2025).

    Args:
        members: K.
        repeats: How many features next to each other begin alike, for each of them.

    Input: `[B, F]`. Output: `[B, K, F]`.
    """

    def __init__(self, members, repeats, **kwargs):
        super().__init__(**kwargs)
        self.members, self.repeats = members, tuple(repeats)

    def build(self, input_shape):
        self.scale = self.add_weight(
            name="scale", shape=(self.members, input_shape[-1]), initializer=self._start
        )

    def _start(self, shape, dtype=None):
        numbers = keras.random.normal((self.members, len(self.repeats)), dtype=dtype)
        return keras.ops.take(
            numbers, np.repeat(np.arange(len(self.repeats)), self.repeats), axis=1
        )

    def call(self, inputs):
        return inputs[:, None, :] * self.scale

    def compute_output_shape(self, input_shape):
        return input_shape[0], self.members, input_shape[-1]

    def get_config(self):
        return {**super().get_config(), "members": self.members, "repeats": self.repeats}


@keras.saving.register_keras_serializable(package="zoo")
class MemberLogits(keras.layers.Layer):
    """A last layer of each member's own; its members' answers in training, their average otherwise. In float32.

    Args:
        num_classes: C.
        average: Of what the mean is taken: `"values"`, or the probabilities that `"softmax"` or `"sigmoid"` make of them; the
            output is then the logarithm, or the logit, of their mean.

    Input: `[B, K, D]`. Output: `[B, C]`, in training `[B, K, C]`.
    """

    def __init__(self, num_classes, average="values", **kwargs):
        super().__init__(**kwargs)
        self.num_classes, self.average = num_classes, average

    def build(self, input_shape):
        _, members, width = input_shape
        bound = width**-0.5
        start = keras.initializers.RandomUniform(-bound, bound)
        shape = (members, width, self.num_classes)
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer=start)
        self.bias = self.add_weight(name="bias", shape=shape[::2], initializer="zeros")

    def call(self, inputs, training=False):
        found = keras.ops.einsum("bkd,kdc->bkc", inputs, self.kernel) + self.bias
        return found if training else averaged(found, self.average)

    def compute_output_shape(self, input_shape):
        return input_shape[0], self.num_classes

    def get_config(self):
        own = {"num_classes": self.num_classes, "average": self.average}
        return {**super().get_config(), **own}


def averaged(outputs, average):
    """The average of the members' answers `[B, K, C]` as `[B, C]`, as `MemberLogits` says."""
    ops = keras.ops
    if average == "values":
        return ops.mean(outputs, axis=1)
    members = np.log(outputs.shape[1])
    if average == "softmax":
        return ops.logsumexp(ops.log_softmax(outputs, axis=-1), axis=1) - members
    yes, no = (ops.logsumexp(ops.log_sigmoid(x), axis=1) for x in (outputs, -outputs))
    return yes - no


@keras.saving.register_keras_serializable(package="zoo")
class EnsembleModel(keras.Model):
    """A functional model whose last layer is `MemberLogits`: it trains on the mean of the members' losses.

    The loss of the mean would let members lean on each other; each has to be good alone (Gorishniy et al. 2025). Metrics are those of the
    average.
    """

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        if y_pred is not None and len(y_pred.shape) == 3:
            members, classes = y_pred.shape[1:]
            y_pred = keras.ops.reshape(y_pred, (-1, classes))
            y, sample_weight = (
                v if v is None else keras.ops.repeat(v, members, axis=0) for v in (y, sample_weight)
            )
        return super().compute_loss(x, y, y_pred, sample_weight, training)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        if y_pred is not None and len(y_pred.shape) == 3:
            y_pred = averaged(y_pred, self.get_layer("logits").average)
        return super().compute_metrics(x, y, y_pred, sample_weight)

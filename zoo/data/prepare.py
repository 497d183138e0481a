"""From raw inputs to what a model trains on; every statistic comes from the training split.

Every layer here computes in float32, whatever the precision of the model.
"""

import dataclasses

import keras
import numpy as np

from zoo.data import sources


@dataclasses.dataclass(frozen=True)
class Preparation:
    """The steps between raw values and the model, used in training and built into the exported SavedModel.

    Attributes:
        inputs: A Keras model: raw batch → features of the same shape, float32.
        target_mean: For a regression, the mean of the training targets; otherwise 0.
        target_std: For a regression, their standard deviation; otherwise 1.
    """

    inputs: keras.Model
    target_mean: float = 0.0
    target_std: float = 1.0

    def __call__(self, inputs, targets):
        """Prepares a batch of (inputs, targets), as `Splits.mapped` wants it."""
        features = self.inputs(inputs)
        if (self.target_mean, self.target_std) == (0.0, 1.0):
            return features, targets
        return features, (keras.ops.cast(targets, "float32") - self.target_mean) / self.target_std

    def restore(self, outputs):
        """Turns a regression's outputs back into the units of its targets."""
        return outputs * self.target_std + self.target_mean

    def describe(self):
        """The steps in words, for the card."""
        steps = []
        for layer in self.inputs.layers[1:]:
            if isinstance(layer, keras.layers.Rescaling):
                steps.append(f"pixels 0..255 multiplied by {layer.scale:.6g}")
            elif isinstance(layer, keras.layers.Normalization):
                steps.append(
                    "each column: minus the training mean, divided by the training standard deviation"
                )
            else:
                steps.append("none: values are used as they come")
        if self.target_std != 1.0:
            steps.append(
                f"predictions multiplied by {self.target_std:.6g}, plus {self.target_mean:.6g}"
            )
        return steps


def prepare(splits):
    """Makes the `Preparation` that a data set needs.

    uint8 images are divided by 255; columns, and floating-point inputs outside of -1..1, are standardised by the
    mean and the standard deviation of the training split; a constant column becomes 0; floating-point inputs
    already within -1..1 and in memory stay as they are.

    Args:
        splits: The `Splits`; only `train` is read.

    Returns:
        A `Preparation`.

    Example:

    >>> from zoo.data.pipeline import load_dataset
    >>> preparation = prepare(load_dataset("digits"))
    >>> preparation.describe()
    ['pixels 0..255 multiplied by 0.00392157']
    """
    info = splits.info
    # float32 for images, too: augmented pixels have fractions, which an input of uint8 would cut off.
    raw = keras.Input(info.input_shape, dtype="float32", name="raw")
    if info.kind == "image":
        layer = keras.layers.Rescaling(1 / 255, dtype="float32", name="rescale")
    else:
        layer = _standardise(splits)
    mean, std = _target_statistics(splits) if info.task == "regression" else (0.0, 1.0)
    return Preparation(keras.Model(raw, layer(raw), name="prepare"), mean, std)


def _standardise(splits):
    info, data = splits.info, splits.examples["train"]
    is_table = len(info.input_shape) == 1
    if isinstance(data, sources.Arrays):
        if not is_table and data.inputs.min() >= -1 and data.inputs.max() <= 1:
            return keras.layers.Identity(dtype="float32", name="as_is")
        axis = 0 if is_table else None
        # In float64: NumPy adds up the rows of a float32 column one by one and loses their last digits.
        mean, variance = (
            data.inputs.mean(axis, dtype="float64"),
            data.inputs.var(axis, dtype="float64"),
        )
    else:
        mean, variance = _adapt(data.examples.map(lambda x, _: x), axis=-1 if is_table else None)
    constant = variance < 1e-12 * np.maximum(np.square(mean), 1e-12)
    if np.any(constant):
        names = [
            name for name, flat in zip(info.columns, np.atleast_1d(constant)) if flat
        ] or "all inputs"
        sources.log.warning("constant in the training split, so of no use to the model: %s", names)
    variance = np.where(constant, 1.0, variance)
    return keras.layers.Normalization(
        axis=-1 if is_table else None,
        mean=mean.tolist(),
        variance=variance.tolist(),
        dtype="float32",
        name="standardise",
    )


def _target_statistics(splits):
    data = splits.examples["train"]
    if isinstance(data, sources.Arrays):
        mean, std = data.targets.mean(dtype="float64"), data.targets.std(dtype="float64")
    else:
        mean, variance = _adapt(data.examples.map(lambda _, y: y[None]), axis=None)
        std = np.sqrt(variance)
    return float(mean), float(std) or 1.0


def _adapt(examples, axis):
    """Mean and variance of streamed examples."""
    layer = keras.layers.Normalization(axis=axis, dtype="float32")
    layer.adapt(examples.batch(1024))
    return np.squeeze(layer.mean).astype("float64"), np.squeeze(layer.variance).astype("float64")

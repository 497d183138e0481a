"""From raw inputs to what a model trains on; every statistic comes from the training split.

Every layer here computes in float32, whatever the precision of the model.
"""

import dataclasses

import keras
import numpy as np

from zoo.data import pairs, sources, tables, texts
from zoo.models import seq2seq


@dataclasses.dataclass(frozen=True)
class Preparation:
    """The steps between raw values and the model, used in training and built into the exported SavedModel.

    Attributes:
        inputs: A Keras model: raw batch → what the model takes: float32 features, or int64 ids of words.
        builder_arguments: What the data say about the model: `input_shape`, `num_classes` and, for text,
            `vocabulary_size`.
        steps: The steps in words, for the card.
        target_mean: For a regression, the mean of the training targets; otherwise 0.
        target_std: For a regression, their standard deviation; otherwise 1.
        answers: For a translation, the texts of targets as ids, and back.
        is_relative: Whether targets are taken as changes from the last value of their window, for a series.
        input_range: Lowest and highest value of arrays of features in the training split; `None` for other kinds.
    """

    inputs: keras.Model
    builder_arguments: dict
    steps: tuple[str, ...]
    target_mean: float = 0.0
    target_std: float = 1.0
    input_range: tuple[float, float] | None = None
    answers: pairs.Answers | None = None
    is_relative: bool = False

    @sources.traced_as_written
    def __call__(self, inputs, targets):
        """Prepares a batch of (inputs, targets), as `Splits.mapped` wants it."""
        features = self.inputs(inputs)
        if self.answers is not None:
            return seq2seq.teacher_forcing(features, self.answers.ids(targets))[:2]
        if self.is_relative:
            targets = targets - inputs[:, -1, :1]
        if (self.target_mean, self.target_std) == (0.0, 1.0):
            return features, targets
        return features, (keras.ops.cast(targets, "float32") - self.target_mean) / self.target_std

    def restore(self, outputs, raw=None):
        """Turns outputs back into the units of the targets; those of a series need the `raw` windows they belong to."""
        outputs = outputs * self.target_std + self.target_mean
        return outputs + raw[:, -1, :1] if self.is_relative else outputs


def prepare(splits, *, fixed_length=False):
    """Makes the `Preparation` that a data set needs.

    uint8 images are divided by 255; columns, and floating-point inputs outside of -1..1, are standardised by the
    mean and the standard deviation of the training split; a constant column becomes 0; floating-point inputs
    already within -1..1 and in memory stay as they are. Of a mixed table, gaps are filled with the training median
    and categories become one-hot. Texts become ids of words or characters. Of a window of a series only the changes from
    its last step count (Zeng et al. 2023), as a series goes on to where it never was.

    Args:
        splits: The `Splits`; statistics come from `train` alone.
        fixed_length: Fill texts up to one length, in place of that of a batch's longest. For models of your own, whose
            answer may change with padding; those of the table pass over it.

    Returns:
        A `Preparation`.

    Example:

    >>> from zoo.data.pipeline import load_dataset
    >>> preparation = prepare(load_dataset("digits"))
    >>> preparation.steps
    ('pixels 0..255 multiplied by 0.00392157',)
    """
    info = splits.info
    vocabulary = {}
    if info.kind == "text":
        model, size, steps = texts.vectorizer(splits, fixed_length=fixed_length)
        vocabulary = {"vocabulary_size": size}
    elif info.kind == "series":
        model, steps = _changes(splits)
    elif info.column_kinds:
        model, steps = tables.encoder(info, splits.examples["train"].inputs)
    else:
        # float32 for images, too: augmented pixels have fractions, which an input of uint8 would cut off.
        raw = keras.Input(info.input_shape, dtype="float32", name="raw")
        if info.kind == "image":
            layer = keras.layers.Rescaling(1 / 255, dtype="float32", name="rescale")
            steps = [f"pixels 0..255 multiplied by {layer.scale:.6g}"]
        else:
            layer, steps = _standardise(splits)
        model = keras.Model(raw, layer(raw), name="prepare")
    arguments = {"input_shape": model.output_shape[1:]}
    answers = pairs.Answers(splits) if info.task == "translation" else None
    if answers is not None:
        arguments["num_classes"] = len(answers.tokens)
    elif info.task != "generation":
        arguments["num_classes"] = info.num_outputs
    has_numbers = info.task in ("regression", "forecasting")
    mean, std = _target_statistics(splits) if has_numbers else (0.0, 1.0)
    if std != 1.0:
        steps.append(f"predictions multiplied by {std:.6g}, plus {mean:.6g}")
    data, bounds = splits.examples["train"], None
    if info.kind == "features" and isinstance(data, sources.Arrays):
        bounds = (float(data.inputs.min()), float(data.inputs.max()))
    is_relative = info.kind == "series"
    if is_relative:
        steps.append("forecasts added to the last value")
    return Preparation(
        model, arguments | vocabulary, tuple(steps), mean, std, bounds, answers, is_relative
    )


def _standardise(splits):
    info, data = splits.info, splits.examples["train"]
    is_table = len(info.input_shape) == 1
    axis = 0 if is_table else None
    if isinstance(data, sources.Arrays):
        if not is_table and data.inputs.min() >= -1 and data.inputs.max() <= 1:
            identity = keras.layers.Identity(dtype="float32", name="as_is")
            return identity, ["none: values are used as they come"]
        # In float64: NumPy adds up the rows of a float32 column one by one and loses their last digits.
        mean, variance = (
            data.inputs.mean(axis, dtype="float64"),
            data.inputs.var(axis, dtype="float64"),
        )
    else:
        mean, variance = _moments(data.examples.map(lambda x, _: x), axis)
    # What is left of rounding float64; float32 values that differ at all vary by far more.
    constant = variance <= 1e-27 * np.square(mean)
    if np.any(constant):
        names = [
            name for name, flat in zip(info.columns, np.atleast_1d(constant)) if flat
        ] or "all inputs"
        sources.log.warning("constant in the training split, so of no use to the model: %s", names)
    variance = np.where(constant, 1.0, variance)
    layer = keras.layers.Normalization(
        axis=-1 if is_table else None,
        mean=mean.tolist(),
        variance=variance.tolist(),
        dtype="float32",
        name="standardise",
    )
    return layer, [
        "each column: minus the training mean, divided by the training standard deviation"
    ]


def _changes(splits):
    """Differences from the last step, divided by their standard deviation in the training split."""
    past = splits.examples["train"].inputs
    variance = (past - past[:, -1:, :]).var((0, 1), dtype="float64")
    raw = keras.Input(splits.info.input_shape, dtype="float32", name="raw")
    layer = keras.layers.Normalization(
        mean=np.zeros_like(variance).tolist(),
        variance=np.where(variance, variance, 1.0).tolist(),
        dtype="float32",
        name="scale_changes",
    )
    model = keras.Model(raw, layer(raw - raw[:, -1:, :]), name="prepare")
    return model, ["each column: minus its last value, divided by the training spread of that"]


def _target_statistics(splits):
    data = splits.examples["train"]
    if splits.info.kind == "series":
        changes = data.targets - data.inputs[:, -1, :1]
        return float(changes.mean(dtype="float64")), float(changes.std(dtype="float64")) or 1.0
    if isinstance(data, sources.Arrays):
        mean, std = data.targets.mean(dtype="float64"), data.targets.std(dtype="float64")
    else:
        mean, variance = _moments(data.examples.map(lambda _, y: y), None)
        std = np.sqrt(variance)
    return float(mean), float(std) or 1.0


def _moments(examples, axis):
    """Mean and variance of streamed examples over an axis of their batches, float64, for which Keras has float32 only."""
    count = total = squares = 0
    origin = None  # near the values, so that their squares keep the digits in which they differ
    for batch in examples.batch(1024).as_numpy_iterator():
        origin = batch[:1].mean(axis, dtype="float64") if origin is None else origin
        changes = np.subtract(batch, origin, dtype="float64")
        count += len(batch)
        total += changes.mean(axis) * len(batch)
        squares += np.square(changes).mean(axis) * len(batch)
    return origin + total / count, squares / count - np.square(total / count)

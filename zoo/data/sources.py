"""What a data set is before it becomes a pipeline: a description, and examples in memory or as a stream."""

import dataclasses
import functools
import logging

import numpy as np
import tensorflow as tf

from zoo.models import checks

log = logging.getLogger("zoo")


@dataclasses.dataclass(frozen=True)
class DataInfo:
    """What is known of a data set without reading it.

    Attributes:
        name: Name of the data set, or of the Python type it came as.
        kind: `"image"` (uint8, [H, W, C]), `"table"` (named float columns, [F]) or `"features"` (float, any shape).
        task: A key into `zoo.training.tasks.TASKS`.
        input_shape: Shape of one example without the batch.
        input_dtype: `"uint8"` or `"float32"`.
        labels: The classes' names in the order of their ids; empty for a regression.
        columns: The columns' names, for a table.
        licence: Terms of the data.
        source: Where it comes from.
        limits: What a model trained on it is not for.
    """

    name: str
    kind: str
    task: str
    input_shape: tuple[int, ...]
    input_dtype: str
    labels: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    licence: str = "unknown"
    source: str = "the caller"
    limits: str = "judged on its own test split only"

    @property
    def num_outputs(self):
        """Width of the last layer: the number of classes, or 1."""
        return len(self.labels) or 1


@dataclasses.dataclass(frozen=True)
class Arrays:
    """Examples in memory."""

    inputs: np.ndarray
    targets: np.ndarray

    def __len__(self):
        return len(self.inputs)

    @functools.cached_property
    def tensors(self):
        """Inputs and targets as eager tensors, also when asked for while TensorFlow traces a function."""
        with tf.init_scope():  # a constant of the traced graph would be copied at every step
            return tf.constant(self.inputs), tf.constant(self.targets)

    def take(self, indices):
        """The examples at these indices."""
        return Arrays(self.inputs[indices], self.targets[indices])


@dataclasses.dataclass(frozen=True)
class Stream:
    """Examples read from disk at every pass, in the same order each time."""

    examples: tf.data.Dataset  # of single pairs (input, target)
    count: int

    def __len__(self):
        return self.count

    def take(self, indices):
        """The first examples; a stream cannot be picked from."""
        return Stream(self.examples.take(len(indices)), len(indices))


def column_name(text):
    """Turns a column's title into a name that fits a signature: `mean radius` → `mean_radius`.

    >>> column_name("od280/od315_of_diluted_wines")
    'od280_od315_of_diluted_wines'
    """
    return "".join(c if c.isascii() and c.isalnum() else "_" for c in text.strip()).strip("_")


def check_arrays(split, data, info):
    """Raises `InputError` for values that would train to nonsense without an error of Keras's."""
    if len(data) == 0:
        raise checks.InputError(f"The {split} split of {info.name} is empty.")
    if isinstance(data, Stream):
        return  # a stream is checked as it is read: see `pipeline.py`
    for what, values in (("inputs", data.inputs), ("targets", data.targets)):
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            row = int(np.argwhere(~np.isfinite(values.reshape(len(values), -1)).all(1))[0, 0])
            raise checks.InputError(
                f"The {what} of the {split} split of {info.name} hold NaN or infinity, first in example {row}: "
                "fill in or drop those examples."
            )
    if info.task == "classification":
        low, high = data.targets.min(), data.targets.max()
        if low < 0 or high >= len(info.labels):
            raise checks.InputError(
                f"Labels of the {split} split of {info.name} run from {low} to {high}, but there are "
                f"{len(info.labels)} classes: labels must be in 0..{len(info.labels) - 1}."
            )
        if split == "train":
            present = np.unique(data.targets)
            if len(present) == 1:
                raise checks.InputError(
                    f"The train split of {info.name} holds one class only ({info.labels[present[0]]!r}): "
                    "there is nothing to tell apart."
                )


def carve(data, fraction, info):
    """Splits off a share of the examples, the same for every seed; stratified by class where there are classes.

    Returns:
        The rest and the share.
    """
    count = round(len(data) * fraction)
    if count < 1 or count >= len(data):
        raise checks.InputError(
            f"A share of {fraction} of {len(data)} examples leaves one part empty: pass more examples or another share."
        )
    if isinstance(data, Stream):
        return (
            Stream(data.examples.skip(count), len(data) - count),
            Stream(data.examples.take(count), count),
        )
    from sklearn.model_selection import train_test_split

    classes = np.bincount(data.targets) if info.task == "classification" else np.array([0])
    present = classes[classes > 0]
    stratify = info.task == "classification" and present.min() >= 2 and count >= len(present)
    rest, part = train_test_split(
        np.arange(len(data)),
        test_size=count,
        random_state=0,
        stratify=data.targets if stratify else None,
    )
    return data.take(np.sort(rest)), data.take(np.sort(part))

"""What a Keras model of raw inputs is fitted and evaluated on: labels as class ids, also those of streams, and numbers in float64."""

import contextlib
import re

import keras
import numpy as np
import tensorflow as tf

from zoo.data import labels as spelled
from zoo.models import checks
from zoo.tasks import targets as conversions


def class_ids(targets, labels):
    """The class ids, int64 `[N]`, of labels.

    Args:
        targets: One for each example, in any form that training reads.
        labels: The classes' names in the order of their ids.

    Raises:
        InputError: One is no label.

    Example:

    >>> class_ids(["yes", "no"], ("no", "yes")).tolist()
    [1, 0]
    """
    targets = np.asarray(targets)
    known = {spelled.word(label): i for i, label in enumerate(labels)}
    known |= {label: i for i, label in enumerate(labels)}
    if set(labels) == {"False", "True"}:
        known |= {"0": known["False"], "1": known["True"]}
    strange = []
    if targets.dtype.kind == "f":
        strange = targets[targets != np.round(targets)].tolist()
    found, at = conversions.different(targets)
    ids = [known.get(str(one), known.get(spelled.word(str(one)))) for one in found]
    strange += [one for one, i in zip(found.tolist(), ids) if i is None]
    if strange:
        shown = ", ".join(map(repr, labels[:5])) + ", ..." * (len(labels) > 5)
        raise checks.InputError(
            f"Targets are the labels {shown}. Received: {strange[0]!r}. Of the numbers of classes, np.array(model.labels)[numbers] makes "
            "labels."
        )
    return np.array(ids, "int64")[at]


def is_stream(x):
    """Whether inputs come in batches that Keras takes as they are."""
    return isinstance(x, (tf.data.Dataset, keras.utils.PyDataset)) or hasattr(x, "__next__")


def targets_for(y, labels):
    """Targets as a model learns them: ids of labels; shares of the classes `[N, K]`, and all where there are no labels, as they are."""
    if y is None or not labels or np.ndim(y) > 1 and np.shape(y)[-1] > 1:
        return y
    return class_ids(y, labels)


def stream_for(stream, labels):
    """A stream with ids in place of labels, as `targets_for` makes them of arrays.

    Args:
        stream: A `tf.data.Dataset`, a `PyDataset` or a generator of batches (x, y) or (x, y, weights).
        labels: The classes' names in the order of their ids; empty where targets are no classes.
    """
    if not labels:
        return stream
    if isinstance(stream, keras.utils.PyDataset):
        return _Batches(stream, labels)
    if not isinstance(stream, tf.data.Dataset):
        return (_batch_for(batch, labels) for batch in stream)
    spec = stream.element_spec
    if not isinstance(spec, tuple) or len(spec) < 2 or len(spec[1].shape) > 1 < spec[1].shape[-1]:
        return stream

    def ids(y):
        found = tf.numpy_function(lambda given: class_ids(given, labels), [y], tf.int64)
        return tf.ensure_shape(found, y.shape[:1])

    return stream.map(lambda x, y, *weights: (x, ids(y), *weights))


def _batch_for(batch, labels):
    if not isinstance(batch, tuple) or len(batch) < 2:
        return batch
    x, y, *weights = batch
    return (x, targets_for(y, labels), *weights)


class _Batches(keras.utils.PyDataset):
    """The batches of a `PyDataset` with ids in place of labels."""

    def __init__(self, inner, labels):
        super().__init__(inner.workers, inner.use_multiprocessing, inner.max_queue_size)
        self.inner, self.labels = inner, labels

    @property
    def num_batches(self):
        return self.inner.num_batches

    def __getitem__(self, index):
        return _batch_for(self.inner[index], self.labels)

    def on_epoch_begin(self):
        self.inner.on_epoch_begin()

    def on_epoch_end(self):
        self.inner.on_epoch_end()


@contextlib.contextmanager
def clear_errors():
    """Raises the `InputError` of a target within a stream in place of TensorFlow's error around it."""
    try:
        yield
    except tf.errors.OpError as error:
        found = re.search(r"InputError: (.*)", str(error.message))
        if not found:
            raise
        raise checks.InputError(found[1]) from error


def precise(options, x, y=None, *, shuffles=False):
    """Arguments for Keras with the arrays as a `tf.data.Dataset`: of arrays in float64 Keras makes float32, of batches it does not.

    Args:
        options: The arguments of `fit`, `evaluate` or `predict`, by name.
        x, y: The inputs, an array or a dict of them, and the targets, if any.
        shuffles: Whether examples come in another order in each epoch.

    Returns:
        The arguments, with `x`, and in place of a `validation_split` with `validation_data`.
    """
    options = dict(options)
    size = options.pop("batch_size", None) or 32
    weights, share = options.pop("sample_weight", None), options.pop("validation_split", 0.0)
    shuffles &= bool(options.pop("shuffle", True))
    parts = [x] if y is None else [x, np.asarray(y)]
    parts += [] if weights is None else [np.asarray(weights)]
    count = len(keras.tree.flatten(x)[0])
    cut = int(count * (1 - share))
    first, last = (
        keras.tree.map_structure(lambda values, rows=rows: values[rows], parts)
        for rows in (slice(0, cut), slice(cut, count))
    )
    if share and options.get("validation_data") is None:
        own = options.get("validation_batch_size") or size
        options["validation_data"] = tf.data.Dataset.from_tensor_slices(tuple(last)).batch(own)
    data = tf.data.Dataset.from_tensor_slices(tuple(first))
    return options | {"x": (data.shuffle(cut) if shuffles else data).batch(size)}

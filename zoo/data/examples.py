"""What a data set is before it becomes batches: a description, and examples in memory or as a stream."""

import dataclasses
import functools
import hashlib
import logging
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from zoo.models import checks

log = logging.getLogger("zoo")
# AutoGraph rewrites the source of each function of a pipeline, a third of a second in every process. None branches on a tensor.
traced_as_written = tf.autograph.experimental.do_not_convert


@dataclasses.dataclass(frozen=True)
class DataInfo:
    """What is known of a data set without reading it.

    Attributes:
        name: Name of the data set, or of the Python type it came as.
        kind: `"image"` (uint8, [H, W, C]), `"table"` (named columns), `"text"` (UTF-8), `"series"` (windows of columns
            over time, [T, C]), `"features"` (float, any shape) or `"several"` (of these, by name).
        task: A key into `zoo.tasks.TASKS`.
        input_shape: Shape of one raw example without the batch; `()` for a text.
        input_dtype: `"uint8"`, `"float32"` or `"string"`; `"mixed"` for a table with `column_kinds`, and for several inputs.
        labels: The classes' names in the order of their ids; empty for a regression.
        columns: The columns' names, for a table; for a series the one that is forecast comes first.
        column_kinds: What each column is, `"number"`, `"precise"`, `"category"` or `"date"`; the inputs are then a dict of columns.
            Empty where all are numbers without gaps; the inputs are then one float32 matrix.
        styles: Column → how its numbers are written where they are texts, a key of `kinds.units.STYLES` or `"plain"`.
        text_size: For text, the units kept of each text and the units of the vocabulary.
        text_unit: For text, what it is split into: `"words"`, `"tokens"` (words and signs of punctuation) or `"characters"`.
        text_cleaning: For text, what is brought to plain text, keys of `kinds.cleaning.STEPS`; none for a set that has a name.
        target_unit: For answers that are texts, what they are split into.
        horizon: For a series, the steps to forecast.
        season: For a series, the steps after which it resembles itself; 1 where it does not.
        split: How examples come into validation and test where a column says it, in words.
        licence: Terms of the data.
        source: Where it comes from.
        limits: What a model trained on it is not for.
        target: Title of the column of the target, where it has one.
        notes: What the log said while the data were read: what was taken for what, what was left out.
        target_names: The names of the numbers that a regression of several predicts, in the order of its outputs; otherwise empty.
        parts: Of several inputs the `DataInfo` of each, by its name; otherwise empty.
        spans: For a series, column of dates, or `"index"` → its first and last day, as ISO 8601 texts.
        label_type: What the caller's labels were, `"int"` or `"bool"`, where they were no texts.
    """

    name: str
    kind: str
    task: str
    input_shape: tuple[int, ...]
    input_dtype: str
    labels: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    column_kinds: tuple[str, ...] = ()
    styles: dict[str, str] = dataclasses.field(default_factory=dict)
    text_size: tuple[int, int] | None = None
    text_unit: str = "words"
    text_cleaning: tuple[str, ...] = ()
    target_unit: str = "words"
    horizon: int = 0
    season: int = 1
    licence: str = "unknown"
    split: str = ""
    source: str = "the caller"
    limits: str = "judged on its own test split only"
    target: str = ""
    notes: tuple[str, ...] = ()
    target_names: tuple[str, ...] = ()
    parts: dict[str, "DataInfo"] = dataclasses.field(default_factory=dict)
    spans: dict[str, tuple[str, str]] = dataclasses.field(default_factory=dict)
    label_type: str = ""

    def with_notes(self, lines):
        """A copy with further notes."""
        return dataclasses.replace(self, notes=tuple(dict.fromkeys((*self.notes, *lines))))

    @functools.cached_property
    def num_outputs(self):
        """Width of the last layer: the number of classes, of numbers to predict or of steps to forecast, or 1."""
        return len(self.labels) or len(self.target_names) or self.horizon or 1


@dataclasses.dataclass(frozen=True)
class Arrays:
    """Examples in memory.

    Attributes:
        inputs: An array; of a table with `column_kinds` a dict of columns; of several inputs a dict of these.
        targets: An array.
        by: What examples are split by, where that is not chance: times or numbers that rise, or texts, one for each group.
        weights: What each example counts in the loss, float32 `[N]`; `None` where all count alike.
        names: The file that each comes from; `None` where they come from none of their own.
    """

    inputs: np.ndarray | dict[str, np.ndarray]
    targets: np.ndarray
    by: np.ndarray | None = None
    weights: np.ndarray | None = None
    names: np.ndarray | None = None

    def __len__(self):
        return len(self.targets)

    @functools.cached_property
    def count(self):
        """The number of examples."""
        return len(self.targets)

    @functools.cached_property
    def tensors(self):
        """Inputs, targets and weights, if there are some, as eager tensors, also when asked for while TensorFlow traces a function."""
        with tf.init_scope():  # a constant of the traced graph would be copied at every step
            found = tf.nest.map_structure(tf.constant, self.inputs), tf.constant(self.targets)
            return found if self.weights is None else (*found, tf.constant(self.weights))

    def joined(self, others):
        """These examples, then others."""
        inputs = tf.nest.map_structure(
            lambda a, b: np.concatenate([a, b]), self.inputs, others.inputs
        )
        targets = np.concatenate([self.targets, others.targets])
        by, names = (_after(getattr(self, key), getattr(others, key)) for key in ("by", "names"))
        weights = None
        if self.weights is not None or others.weights is not None:
            weights = np.concatenate([self._counted(), others._counted()])
        return Arrays(inputs, targets, by, weights, names)

    def _counted(self):
        """The weights of the examples; 1 where they have none."""
        return np.ones(self.count, "float32") if self.weights is None else self.weights

    def take(self, indices):
        """The examples at these indices."""
        inputs = tf.nest.map_structure(lambda values: values[indices], self.inputs)
        by, weights, names = (
            v if v is None else v[indices] for v in (self.by, self.weights, self.names)
        )
        return Arrays(inputs, self.targets[indices], by, weights, names)

    def of_input(self, name):
        """The examples with one of several inputs alone."""
        return dataclasses.replace(self, inputs=self.inputs[name])

    is_indexed = True  # whether `take` picks any examples

    def where(self, index):
        """What a message calls an example."""
        return f"example {index}"

    def keys(self, names=None):
        """A short key for the inputs of each example, of a table uint64 `[N]`; equal inputs have equal keys.

        Args:
            names: Those of several inputs, or of a table's columns, that count; default: all.
        """
        if isinstance(self.inputs, dict):
            chosen = self.inputs if names is None else {name: self.inputs[name] for name in names}
            if any(getattr(values, "ndim", 2) > 1 for values in chosen.values()):
                return list(zip(*(self.of_input(name).keys() for name in chosen)))
            import pandas as pd

            columns = {name: pd.Series(v, dtype=v.dtype) for name, v in chosen.items()}
            return pd.util.hash_pandas_object(pd.DataFrame(columns), index=False).to_numpy()
        if self.inputs.dtype == object:
            rows = (str(text).encode() for text in self.inputs)
        else:
            rows = (row.tobytes() for row in self.inputs)
        return [hashlib.blake2b(row, digest_size=16).digest() for row in rows]

    def held(self, cache_mb):
        """These examples: they are in memory."""
        return self


def _after(first, second):
    return None if first is None or second is None else np.concatenate([first, second])


@dataclasses.dataclass(frozen=True)
class Stream:
    """Examples read from disk at every pass, in the same order each time."""

    records: tf.data.Dataset  # what an example is made of: names of files, or undecoded records
    count: int
    read: Callable = lambda *pair: pair  # a record's parts → one pair (input, target)
    names: np.ndarray | None = None  # as in `Arrays`

    def __len__(self):
        return self.count

    @property
    def examples(self):
        """The single pairs (input, target)."""
        return self.records.map(traced_as_written(self.read), num_parallel_calls=2)

    def where(self, is_wanted=None):
        """The pairs whose numbers (int64, from 0) are wanted; the others are not decoded.

        Stops where there are fewer records than there should be: a file cut between two records says nothing at all.
        """
        records = self.records.apply(tf.data.experimental.assert_cardinality(len(self)))
        if is_wanted is not None:
            records = records.enumerate().filter(lambda i, _: is_wanted(i))
            records = records.map(lambda _, record: record)
        return records.map(traced_as_written(self.read), num_parallel_calls=2)

    def joined(self, others):
        """These examples, then others of the same kind."""
        if isinstance(others, Arrays) or others.read is not self.read:
            raise checks.InputError(
                "use_validation is for data sets whose training and validation examples both fit into memory (cache_mb), "
                "or are both read from disk in the same way."
            )
        records = self.records.concatenate(others.records)
        return Stream(
            records, self.count + len(others), self.read, _after(self.names, others.names)
        )

    is_indexed = False
    by = weights = None

    def take(self, indices):
        """The first examples, as many as there are indices; a stream cannot be picked from."""
        names = None if self.names is None else self.names[: len(indices)]
        return Stream(self.records.take(len(indices)), len(indices), self.read, names)

    def parted(self, count):
        """All but `count` examples, and these: picked from all over, as records may be sorted by class; the same every time."""
        is_picked = np.zeros(len(self), bool)
        is_picked[np.random.default_rng(0).permutation(len(self))[:count]] = True

        def those(wanted):
            kept = tf.constant(wanted)
            records = self.records.enumerate().filter(lambda i, _: kept[i])
            names = None if self.names is None else self.names[wanted]
            return Stream(
                records.map(lambda _, record: record), int(wanted.sum()), self.read, names
            )

        return those(~is_picked), those(is_picked)

    def held(self, cache_mb):
        """`Arrays` where the decoded examples fit into `cache_mb` MiB, otherwise the stream."""
        return in_memory(self, cache_mb)


def paired(inputs, targets, by=None, weights=None, names=None):
    """Inputs and targets of a split as `Arrays`; inputs that are a stream of files get the targets."""
    if not isinstance(inputs, Stream):
        weights = None if weights is None else weights.astype("float32")
        return Arrays(inputs, targets, by, weights, names)
    if by is not None:
        raise checks.InputError(
            "split_by is for tables whose rows are in memory; these name files: name the splits train.csv and test.csv."
        )
    if weights is not None:
        raise checks.InputError(
            "sample_weight is for examples in memory; these are files of images: pass the images as an array, or class_weight."
        )
    return inputs.with_targets(targets)


def example_bytes(spec):
    """Bytes of one example in memory; a text is counted as 1 KiB."""
    return sum(
        1024 if s.dtype == tf.string else s.shape.num_elements() * s.dtype.size
        for s in tf.nest.flatten(spec)
    )


def in_memory(stream, cache_mb):
    """Returns `Arrays` where the decoded examples fit into `cache_mb` MiB, otherwise the `Stream`."""
    examples, count = stream.examples, len(stream)
    spec = examples.element_spec
    if count * example_bytes(spec) > cache_mb * 2**20:
        return stream
    arrays = tf.nest.map_structure(
        lambda s: np.empty((count, *s.shape), s.dtype.as_numpy_dtype), spec
    )
    start = 0
    for batch in examples.batch(1024).as_numpy_iterator():
        stop = start + len(batch[1])
        if stop > count:
            break
        for array, values in zip(arrays, batch):
            array[start:stop] = values
        start = stop
    if start != count:
        raise checks.InputError(
            f"Read {start} examples, but the data set's description says {count}: the files are damaged or were "
            "cut. Prepare the data set again."
        )
    return Arrays(*arrays, names=stream.names)


def check_finite(split, data, info):
    """Raises `InputError` for inputs in memory that hold NaN or infinity."""
    columns = data.inputs if isinstance(data.inputs, dict) else {"inputs": data.inputs}
    for name, values in columns.items():
        if values.dtype.kind != "f":
            continue
        # The gaps of a table with column kinds are filled by its preparation.
        bad = np.isinf(values) if info.column_kinds else ~np.isfinite(values)
        if bad.any():
            first = np.argwhere(bad)[0]
            what = (
                f"column {info.columns[first[1]]!r}" if info.columns and values.ndim == 2 else name
            )
            raise checks.InputError(
                f"The {split} split of {info.name} holds NaN or infinity, first in example {first[0]} ({what}): "
                "fill in or drop such examples."
            )


def as_unicode(values):
    """Brings an object array of `str` or UTF-8 bytes to fixed-width Unicode, which NumPy stores without pickle.

    An array of another dtype is returned as it is, and of a dict the arrays are brought so.
    """
    if isinstance(values, dict):
        return {name: as_unicode(array) for name, array in values.items()}
    if values.dtype != object:
        return values
    flat = [v.decode(errors="replace") if isinstance(v, bytes) else v for v in values.ravel()]
    return np.array(flat, str).reshape(values.shape)

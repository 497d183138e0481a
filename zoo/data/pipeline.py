"""From examples to batches: shuffled by (seed, epoch), batched by the global batch size, augmented, prefetched."""

import dataclasses
import functools
import hashlib
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from zoo.data import augment, checking, datasets, sources
from zoo.models import checks

SHUFFLE_BUFFER_MB = 64  # of decoded examples, for data that do not fit into the cache


@dataclasses.dataclass(frozen=True)
class Splits:
    """Train, validation and test of one data set, as batches of (inputs, targets).

    Iterating `train`, `validation` or `test` gives one epoch. `train` is in another order each time; the last
    examples that do not fill a batch are left out of an epoch (others in each epoch), so that every step is alike.
    """

    info: sources.DataInfo
    examples: dict  # split → Arrays or Stream
    batch_size: int
    seed: int = 0
    policy: str = "none"
    transform: Callable | None = None  # (inputs, targets) of a batch → what the model takes

    @property
    def steps_per_epoch(self):
        """Training steps in an epoch."""
        return len(self.examples["train"]) // self.batch_size

    @functools.cached_property  # one object, which counts its iterations
    def train(self):
        """One epoch of shuffled training batches; another order at each iteration."""
        epochs = tf.data.Dataset.random(seed=self.seed, rerandomize_each_iteration=True).take(1)
        return self._train(epochs, self.steps_per_epoch)

    def train_forever(self, first_epoch=0, first_step=0):
        """Training batches without end: epoch after epoch, in an order that (seed, epoch) determine.

        Args:
            first_epoch: Number of the epoch to begin with, from 0.
            first_step: Batches of that epoch to leave out.
        """
        epochs = tf.data.Dataset.range(first_epoch, tf.int64.max)
        return self._train(epochs, tf.data.INFINITE_CARDINALITY, (first_epoch, first_step))

    def fingerprint(self):
        """A digest that tells these training and validation examples, in this order, from others.

        Of streams the first 64 examples and the number of all count.
        """
        digest = hashlib.sha256()
        for split in ("train", "validation"):
            data = self.examples[split]
            digest.update(f"{split} {len(data)}".encode())
            in_memory = isinstance(data, sources.Arrays)
            for part in [data.tensors] if in_memory else data.examples.take(64):
                for tensor in tf.nest.flatten(part):
                    is_text = tensor.dtype == tf.string
                    digest.update(
                        tf.io.serialize_tensor(tensor).numpy()
                        if is_text
                        else np.ascontiguousarray(tensor)
                    )
        return digest.hexdigest()

    @property
    def validation(self):
        """The validation batches, in a fixed order."""
        return self._in_order("validation")

    @property
    def test(self):
        """The test batches, in a fixed order."""
        return self._in_order("test")

    def validation_for(self, replicas):
        """The validation batches, less the few last examples that do not divide by the replicas.

        A replica with an empty share of a batch fails, or makes the loss NaN.
        """
        return self._in_order(
            "validation", keep=len(self.examples["validation"]) // replicas * replicas
        )

    def test_inputs_for(self, replicas):
        """The inputs of the test batches, filled up with first examples until they divide by the replicas."""
        batches = self._in_order("test", fill=-len(self.examples["test"]) % replicas)
        return batches.map(lambda inputs, _: inputs)

    def mapped(self, transform):
        """The same splits with a function (inputs, targets) → (inputs, targets) applied to every batch."""
        return dataclasses.replace(self, transform=transform)

    def targets(self, split):
        """All targets of a split as they are stored, as a NumPy array."""
        data = self.examples[split]
        if isinstance(data, sources.Arrays):
            return data.targets
        return np.concatenate(
            list(data.examples.map(lambda _, y: y).batch(1024).as_numpy_iterator())
        )

    def pick(self, split, indices):
        """The raw inputs of some examples of a split, in rising order of `indices`, as a NumPy array."""
        data, wanted = self.examples[split], np.sort(indices)
        if isinstance(data, sources.Arrays):
            return data.take(wanted).inputs
        found = data.examples.enumerate().filter(lambda i, _: tf.reduce_any(i == wanted))
        inputs = [pair[0] for _, pair in found.as_numpy_iterator()]
        return (
            np.stack(inputs)
            if inputs
            else np.zeros((0, *self.info.input_shape), self.info.input_dtype)
        )

    def _train(self, epochs, cardinality, first=(-1, 0)):
        """The batches of a data set of epoch numbers; of epoch first[0] only those from number first[1] on."""
        data = self.examples["train"]
        noise = augment.augmenter(self.policy, self.seed, self.info)
        batches_of = self._gathered if isinstance(data, sources.Arrays) else self._streamed

        def batches(epoch):
            skip = tf.where(epoch == first[0], tf.constant(first[1], tf.int64), 0)
            epoch %= 2**20  # keeps the number of a step within 32 bits, for the seeds
            ordered = batches_of(data, tf.stack([tf.constant(self.seed, tf.int64), epoch]), skip)
            if noise is None:
                return ordered
            before = epoch * self.steps_per_epoch
            return ordered.enumerate(skip).map(
                lambda i, pair: noise(*pair, before + i), num_parallel_calls=2
            )

        return self._finish(epochs.flat_map(batches), cardinality)

    def _gathered(self, data, seed, skip):
        inputs, targets = data.tensors
        last = len(data) - 1

        def batch(step):
            positions = step * self.batch_size + tf.range(self.batch_size, dtype=tf.int64)
            picked = tf.random.experimental.index_shuffle(positions, seed=seed, max_index=last)
            return tf.nest.map_structure(lambda v: tf.gather(v, picked), (inputs, targets))

        return tf.data.Dataset.range(skip, self.steps_per_epoch).map(batch, num_parallel_calls=2)

    def _streamed(self, data, seed, skip):
        fitting = SHUFFLE_BUFFER_MB * 2**20 // sources.example_bytes(data.examples.element_spec)
        buffer = max(self.batch_size, min(len(data), fitting))
        # Sets the seed of the traced function only; with a global seed of 0 TensorFlow could not take a tensor below.
        tf.random.set_seed(1)
        shuffled = self._checked(data).shuffle(
            buffer, seed=tf.cast(tf.random.experimental.stateless_fold_in(seed, 1)[0], tf.int64)
        )
        batches = shuffled.batch(self.batch_size, drop_remainder=True, num_parallel_calls=2)
        return batches.skip(skip)

    def _in_order(self, split, keep=None, fill=0):
        data = self.examples[split]
        if isinstance(data, sources.Arrays):
            examples = tf.data.Dataset.from_tensor_slices(data.tensors)
        else:
            examples = self._checked(data)
        keep = len(data) if keep is None else keep
        examples = examples.take(keep).concatenate(examples.take(fill))
        return self._finish(examples.batch(self.batch_size), -(-(keep + fill) // self.batch_size))

    def _checked(self, data):
        """The streamed examples; stops at a label that is no class, and where there are fewer than there should be.

        Under XLA and on GPUs such a label would be a silent NaN; a file cut between two records says nothing at all.
        """
        examples = data.examples.apply(tf.data.experimental.assert_cardinality(len(data)))
        if self.info.task != "classification":
            return examples
        classes = len(self.info.labels)

        def check(inputs, label):
            message = f"a label of {self.info.name} is not in 0..{classes - 1}"
            with tf.control_dependencies(
                [
                    tf.debugging.assert_less(
                        tf.cast(label, tf.uint64), tf.constant(classes, tf.uint64), message
                    )
                ]
            ):
                return inputs, tf.identity(label)

        return examples.map(check)

    def _finish(self, batches, cardinality):
        if self.transform:
            batches = batches.map(self.transform, num_parallel_calls=2)
        options = tf.data.Options()
        # Autotuning delays the end of each epoch by up to seconds; the parallelism is given instead.
        options.autotune.enabled = False
        options.deterministic = True
        batches = batches.apply(tf.data.experimental.assert_cardinality(cardinality))
        return batches.prefetch(4).with_options(options)


def load_dataset(
    name,
    *,
    batch_size=32,
    data_dir=None,
    validation_fraction=0.1,
    image_size=None,
    limit=None,
    cache_mb=256,
    augment="none",
    seed=0,
    text_size=None,
    target=None,
    columns=None,
    task=None,
    skip_bad=False,
):
    """Loads a data set by name or path as streaming train, validation and test batches.

    Validation is carved from train where there is none (stratified, the same for every seed), never from test.

    Args:
        name: `"digits"`, `"breast_cancer"`, `"wine"`, `"diabetes"` (embedded), any TFDS set of images, texts or
            numbers; or files of your own: a folder of class-named folders of images or texts (below `train`, `test`
            where there are splits), a `.csv`, a folder with `train.csv` and `test.csv`, or a `.npz`.
        batch_size: Global batch size: of one step over all devices.
        data_dir: Folder that TFDS prepared, looked in first; defaults to the variable `ZOO_DATA_DIR`.
        validation_fraction: Share of train that becomes validation where the set has none.
        image_size: (height, width) in pixels to bring images to.
        limit: Use at most this many examples of each split.
        cache_mb: A split of up to this many MiB, decoded, is held in memory; a larger one is read at each epoch.
        augment: Augmentation of the training images: keys of `zoo.data.augment.POLICIES`, joined by `+`:
            `"none"`, `"digits"`, `"photographs"`, `"randaugment"`, `"erase"`, `"mixup"`, `"cutmix"`.
        seed: Seed of order and augmentation.
        text_size: Words kept of each text, and words in the vocabulary; (256, 20000) where it is `None`.
        target: Your CSV's target column; several of 0 and 1 for a multi-label task.
        columns: Your CSV's columns to learn from; all but the target where it is `None`.
        task: `"classification"`, `"multilabel"` or `"regression"`; told from the targets where it is `None`.
        skip_bad: Leave unusable examples of your files out (counted) in place of an error.

    Returns:
        `Splits`.

    Raises:
        InputError: The data set cannot be had, is empty or has labels out of range; a size is out of its range.

    Example:

    >>> splits = load_dataset("wine", batch_size=16)
    >>> images, labels = next(iter(splits.train))
    >>> images.shape, splits.info.labels
    (TensorShape([16, 13]), ('class_0', 'class_1', 'class_2'))
    """
    checks.positive_int("batch_size", batch_size)  # before a download
    own = {"target": target, "columns": columns, "task": task, "skip_bad": skip_bad}
    sizes = {"image_size": image_size, "text_size": text_size}
    info, splits = datasets.read(name, data_dir=data_dir, cache_mb=cache_mb, **sizes, **own)
    return make_splits(
        info,
        splits,
        batch_size=batch_size,
        validation_fraction=validation_fraction,
        limit=limit,
        policy=augment,
        seed=seed,
    )


def make_splits(
    info, splits, *, batch_size, validation_fraction=0.1, limit=None, policy="none", seed=0
):
    """Turns examples per split into `Splits`, after the checks that must come before any training.

    Args:
        info: The `DataInfo`.
        splits: Dict from `train`, `test` and perhaps `validation` to `Arrays` or `Stream`.
        batch_size, validation_fraction, limit, policy, seed: As in `load_dataset`; `policy` is its `augment`.
    """
    splits = dict(splits)
    checks.positive_int("batch_size", batch_size)
    augment.check(policy, info, batch_size)
    if "validation" not in splits:
        checks.positive("validation_fraction", validation_fraction)
        splits["train"], splits["validation"] = sources.carve(
            splits["train"], validation_fraction, info
        )
    if limit is not None:
        checks.positive_int("limit", limit)
        splits = {name: _limited(data, limit) for name, data in splits.items()}
    checking.check_splits(splits, info)
    if len(splits["train"]) < batch_size:
        raise checks.InputError(
            f"batch_size={batch_size} is larger than the {len(splits['train'])} training examples of {info.name}: "
            f"pass a batch_size of at most {len(splits['train'])}."
        )
    return Splits(info, splits, batch_size, seed, policy)


def _limited(data, limit):
    """Some examples, the same for every seed; picked from all over, as the caller's may be sorted by class."""
    if len(data) <= limit:
        return data
    return data.take(np.sort(np.random.default_rng(0).permutation(len(data))[:limit]))

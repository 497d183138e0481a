"""From examples to batches: shuffled by (seed, epoch), batched by the global batch size, augmented, prefetched."""

import dataclasses
import functools
import hashlib
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from zoo.data import augment, examples, kinds
from zoo.data.kinds import buckets
from zoo.models import checks
from zoo.tasks import task

MOST_SAID = 8  # columns that the log describes; the report has all
SHUFFLE_BUFFER_MB = 64  # of decoded examples, for data that do not fit into the cache


@dataclasses.dataclass(frozen=True)
class Splits:
    """Train, validation and test of one data set, as batches of (inputs, targets), or (inputs, targets, weights) where examples are weighed.

    Iterating `train`, `validation` or `test` gives one epoch. `train` is in another order each time; the last
    examples that do not fill a batch are left out of an epoch (others in each epoch), so that every step is alike.
    """

    info: examples.DataInfo
    examples: dict  # split → Arrays or Stream
    batch_size: int
    seed: int = 0
    policy: str = "none"
    augment_share: float = 1.0  # of the training images
    bucket: bool = True  # texts of similar length share a training batch
    binarize: bool = False  # draw training pixels black or white at each step
    preparation: Callable | None = None  # (inputs, targets) of a batch → what the model takes
    share: tuple[int, int] = (0, 1)  # (i, n): of each batch the i-th of n equal parts

    @functools.cached_property
    def steps_per_epoch(self):
        """Training steps in an epoch."""
        return self.examples["train"].count // self.batch_size

    @functools.cached_property
    def task(self):
        """The row of the data's task."""
        return task(self.info.task)

    @functools.cached_property
    def kind(self):
        """The row of the inputs' kind."""
        return kinds.kind(self.info.kind)

    @functools.cached_property
    def taken_for(self):
        """What the inputs were taken for, and what was said of them while they were read: sentences."""
        overview = self.kind.overview(self.info, self.examples["train"])
        return (*(f"{name}: {words}" for name, words in overview.items()), *self.info.notes)

    @property
    def in_one_line(self):
        """What the inputs were taken for, in a line of the log, and how to say otherwise; of many columns the first."""
        overview = self.kind.overview(self.info, self.examples["train"])
        parts = [f"{name}: {words}" for name, words in overview.items()]
        shown = "; ".join(parts[:MOST_SAID]) + "; ..." * (len(parts) > MOST_SAID)
        otherwise = self.kind.otherwise(self.info)
        return f"inputs taken for {self.info.kind}: {shown}" + f" ({otherwise})" * bool(otherwise)

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
            digest.update(f"{split} {data.count}".encode())
            in_memory = isinstance(data, examples.Arrays)
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

    def validation_for(self, divisor):
        """The validation batches, less the few last examples that do not divide by a number, that of the replicas.

        A replica with an empty share of a batch fails, or makes the loss NaN. With the batch size as number the batches
        have a shape that is known.

        Raises:
            InputError: There are fewer examples than that.
        """
        found = self.examples["validation"].count
        if found < divisor:
            raise checks.InputError(
                f"{self.info.name} has {found} validation examples, but a step takes {divisor} of them: pass a larger "
                "validation_fraction, or a smaller batch_size."
            )
        return self._in_order("validation", keep=found // divisor * divisor)

    def test_inputs_for(self, divisor):
        """The inputs of the test batches, filled up with first examples until they divide by a number."""
        batches = self._in_order("test", fill=-self.examples["test"].count % divisor)
        return batches.map(examples.traced_as_written(lambda inputs, *_: inputs))

    def mapped(self, preparation):
        """The same splits with a `Preparation`, or another function (inputs, targets) → (inputs, targets), applied to every batch."""
        return dataclasses.replace(self, preparation=preparation)

    def of_input(self, name):
        """The same splits with one of several inputs alone."""
        parts = getattr(self.preparation, "parts", {})
        return dataclasses.replace(
            self,
            info=self.info.parts[name],
            examples={split: data.of_input(name) for split, data in self.examples.items()},
            preparation=parts.get(name),
        )

    def part(self, index, count):
        """The same splits, with the part number `index` of `count` equal parts of each batch; the others are not made."""
        return dataclasses.replace(self, share=(index, count))

    def targets(self, split):
        """All targets of a split as they are stored, as a NumPy array."""
        data = self.examples[split]
        if isinstance(data, examples.Arrays):
            return data.targets
        return np.concatenate(
            list(data.examples.map(lambda _, y: y).batch(1024).as_numpy_iterator())
        )

    def pick(self, split, indices):
        """The raw inputs of some examples of a split, in rising order of `indices`, as a NumPy array."""
        data, wanted = self.examples[split], np.sort(indices)
        if isinstance(data, examples.Arrays):
            return data.take(wanted).inputs
        found = data.examples.enumerate().filter(lambda i, _: tf.reduce_any(i == wanted))
        inputs = [pair[0] for _, pair in found.as_numpy_iterator()]
        return (
            np.stack(inputs)
            if inputs
            else np.zeros((0, *self.info.input_shape), self.info.input_dtype)
        )

    def files(self, split, indices):
        """The files that some examples come from, in rising order of `indices`; `None` where they come from none of their own."""
        names = self.examples[split].names
        return None if names is None else names[np.sort(indices)].tolist()

    def _train(self, epochs, cardinality, first=(-1, 0)):
        """The batches of a data set of epoch numbers; of epoch first[0] only those from number first[1] on."""
        data = self.examples["train"]
        noise = None
        augment.check_weights(self.policy, data)  # also that of a search
        if self.policy != "none" or self.binarize:
            noise = augment.augmenter(
                self.policy, self.seed, self.info, share=self.augment_share, binarize=self.binarize
            )
        batches_of = self._gathered if isinstance(data, examples.Arrays) else self._streamed

        @examples.traced_as_written
        def batches(epoch):
            skip = tf.where(epoch == first[0], tf.constant(first[1], tf.int64), 0)
            epoch %= 2**20  # keeps the number of a step within 32 bits, for the seeds
            ordered = batches_of(data, tf.stack([tf.constant(self.seed, tf.int64), epoch]), skip)
            if noise is None:
                return ordered
            before, (index, count) = epoch * self.steps_per_epoch, self.share

            def noisy(i, batch):  # the weights of examples, if there are some, stay
                return *noise(*batch[:2], (before + i) * count + index), *batch[2:]

            return ordered.enumerate(skip).map(noisy, num_parallel_calls=2)

        return self._finish(epochs.flat_map(batches), cardinality)

    def order(self, seed=(0, 0), skip=0):
        """The numbers of the examples in each batch of an epoch, for examples in memory.

        Args:
            seed: Two numbers, which determine the order.
            skip: Batches to leave out at the beginning.
        """
        data, steps = self.examples["train"], self.steps_per_epoch
        seed = tf.cast(tf.convert_to_tensor(seed), tf.int64)

        def batches(first, count):
            positions = first * self.batch_size + tf.range(count * self.batch_size)
            # The public index_shuffle stops at 4 rounds, after which neighbouring seeds give almost the same order.
            shuffled = tf.raw_ops.RandomIndexShuffle(
                index=positions,
                seed=tf.concat([seed, [0]], 0),
                max_index=tf.constant(data.count - 1, tf.int64),
                rounds=16,
            )
            return tf.reshape(shuffled, [-1, self.batch_size])

        if not (self.bucket and self.kind.lengths):
            one = tf.constant(1, tf.int64)
            return tf.data.Dataset.range(skip, steps).map(
                lambda step: batches(step, one)[0], num_parallel_calls=2
            )
        counts = self._lengths

        @examples.traced_as_written
        def window(first):
            picked = batches(
                first, tf.minimum(tf.constant(buckets.WINDOW, tf.int64), steps - first)
            )
            return tf.data.Dataset.from_tensor_slices(
                buckets.similar_lengths(picked, counts, seed + [0, first])
            )

        return tf.data.Dataset.range(0, steps, buckets.WINDOW).flat_map(window).skip(skip)

    @functools.cached_property
    def _lengths(self):
        """The length of each training example, as an eager tensor, also while TensorFlow traces a function."""
        with tf.init_scope():
            lengths = self.kind.lengths(self.examples["train"].inputs, self.info)
            return tf.constant(lengths, tf.int64)

    def _gathered(self, data, seed, skip):
        examples, (index, count) = data.tensors, self.share
        rows = self.batch_size // count

        def gather(picked):
            own = picked[index * rows : (index + 1) * rows]
            return tf.nest.map_structure(lambda v: tf.gather(v, own), examples)

        return self.order(seed, skip).map(gather, num_parallel_calls=2)

    def _streamed(self, data, seed, skip):
        fitting = SHUFFLE_BUFFER_MB * 2**20 // examples.example_bytes(data.examples.element_spec)
        buffer = max(self.batch_size, min(data.count, fitting))
        # Sets the seed of the traced function only; with a global seed of 0 TensorFlow could not take a tensor below.
        tf.random.set_seed(1)
        index, count = self.share
        own = None if count == 1 else lambda i: i % count == index
        shuffled = self._checked(data, own).shuffle(
            buffer // count,
            seed=tf.cast(tf.random.experimental.stateless_fold_in(seed, 1)[0], tf.int64),
        )
        batches = shuffled.batch(
            self.batch_size // count, drop_remainder=True, num_parallel_calls=2
        )
        return batches.skip(skip)

    def _in_order(self, split, keep=None, fill=0):
        data, (_, count) = self.examples[split], self.share
        in_memory = isinstance(data, examples.Arrays)
        keep = data.count if keep is None else keep
        total = keep + fill

        def from_to(start, stop, first):
            """The examples number `start` to `stop` that are this part's; batches are counted from `first`."""
            if in_memory:
                numbers = tf.data.Dataset.range(start, stop)
                numbers = numbers.filter(lambda i: self._is_own(i - first, total))
                return numbers.map(lambda i: tf.nest.map_structure(lambda v: v[i], data.tensors))
            return self._checked(
                data, lambda i: (start <= i) & (i < stop) & self._is_own(i - first, total)
            )

        if count == 1:
            every = (
                tf.data.Dataset.from_tensor_slices(data.tensors)
                if in_memory
                else self._checked(data)
            )
            rows = every.take(keep).concatenate(every.repeat().take(fill))
        else:
            rows = from_to(0, keep, 0).concatenate(from_to(0, fill, -keep))
        batches = rows.batch(
            self.batch_size // count, drop_remainder=total % self.batch_size == 0
        )  # nothing is dropped then, and the shapes are known
        return self._finish(batches, -(-total // self.batch_size))

    def _is_own(self, number, total):
        """Whether an example in order, one of `total`, is in this part of its batch."""
        index, count = self.share
        row = number % self.batch_size
        rows = tf.minimum(tf.constant(self.batch_size, tf.int64), total - (number - row))
        return row * count // rows == index

    def _checked(self, data, is_wanted=None):
        """The streamed examples; stops at a label that is no class: under XLA and on GPUs it would be a silent NaN."""
        checked = data.where(is_wanted)
        if self.task.targets != "class":
            return checked
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

        return checked.map(check)

    @examples.traced_as_written
    def _prepared(self, inputs, targets, *weights):
        return *self.preparation(inputs, targets), *weights

    def _finish(self, batches, cardinality):
        if self.preparation:
            batches = batches.map(self._prepared, num_parallel_calls=2)
        options = tf.data.Options()
        # Autotuning delays the end of each epoch by up to seconds; the parallelism is given instead.
        options.autotune.enabled = False
        options.deterministic = True
        batches = batches.apply(tf.data.experimental.assert_cardinality(cardinality))
        return batches.prefetch(4).with_options(options)

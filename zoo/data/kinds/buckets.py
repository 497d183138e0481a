"""Batches of texts of similar length, so that little padding is computed."""

import keras
import tensorflow as tf

WINDOW = 50  # batches whose texts are sorted together
LENGTHS = 8  # different lengths of batches at most: XLA compiles each


def padded_length(longest, limit):
    """Steps of a batch whose longest text has so many units: rounded up, at least one, at most the limit."""
    multiple = -(-limit // LENGTHS)
    return tf.minimum(-(-tf.maximum(longest, 1) // multiple) * multiple, limit)


def similar_lengths(picked, counts, seed):
    """Regroups the batches of a window by the length of their texts.

    Sorting all texts would make every epoch's batches alike; within a window of a shuffled epoch they differ, and
    their number is that of an epoch without sorting.

    Args:
        picked: Numbers of the examples of some whole batches, int64 `[n, B]`.
        counts: Length of each text, int64 `[N]`.
        seed: int64 `[2]`, for the order of the batches.

    Returns:
        The same numbers, int64 `[n, B]`: each row of similar lengths, the rows in random order.
    """
    flat = tf.reshape(picked, [-1])
    by_length = tf.gather(flat, tf.argsort(tf.gather(counts, flat), stable=True))
    rows = tf.reshape(by_length, tf.shape(picked))
    last = tf.shape(picked, tf.int64)[0] - 1
    order = tf.random.experimental.index_shuffle(tf.range(last + 1), seed=seed, max_index=last)
    return tf.gather(rows, order)


@keras.saving.register_keras_serializable(package="zoo")
class Fill(keras.layers.Layer):
    """Cuts ids `[B, T]` of texts to the limit, and fills them up with 0 to the length of a batch, as `padded_length` says.

    Args:
        limit: Units kept of each text.
        fixed_length: Fill all texts up to the limit.
    """

    def __init__(self, limit, fixed_length=False, **kwargs):
        super().__init__(**kwargs)
        self.limit, self.fixed_length = limit, fixed_length

    def call(self, ids):
        ids = ids[:, : self.limit]
        steps = tf.shape(ids)[1]
        filled = self.limit if self.fixed_length else padded_length(steps, self.limit)
        return tf.pad(ids, [[0, 0], [0, filled - steps]])

    def compute_output_spec(self, ids):
        length = self.limit if self.fixed_length else None
        return keras.KerasTensor((ids.shape[0], length), ids.dtype)

    def get_config(self):
        return super().get_config() | {"limit": self.limit, "fixed_length": self.fixed_length}

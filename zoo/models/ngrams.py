"""N-grams of token ids as rows of tables, without a table of strings, and how often they occur in training texts.

A token has two random whole numbers, its codes, and those of an n-gram are their sums, the first one times 1, the next ones times 3 and 9, so
that "not good" is not "good not". The first sum says the row, the second is compared with what the row holds:

    row = sum of first codes mod rows          known where checks[row] = sum of second codes mod 251

Of the training texts' n-grams the most frequent ones get the rows; any other finds its row empty or taken, and counts as nothing (one of 251
of them is taken for the n-gram that has its row). No sum leaves 24 bits for n-grams of up to three tokens and 2^20 rows, so that also a
runtime that computes whole numbers in float32 finds the same rows.
"""

import keras
import numpy as np

_ANY = -128  # the check of a row that every n-gram may have, before they are counted
NONE = -127  # of a row that no n-gram has
_CHECKS = 251  # a prime, for checks from -125 to 125
_MULTIPLIER = 3
_TOGETHER = 256  # texts of similar length that are counted at once
_PENDING = 2**22  # n-grams that are counted before they are merged
_MOST_COUNTED = 2**24  # different n-grams, after which those that occurred least are forgotten


@keras.saving.register_keras_serializable(package="zoo")
class NGrams(keras.layers.Layer):
    """The rows of the n-grams that occur in a text and are known, each once.

    Args:
        vocabulary_size: Token ids are below it.
        rows: Rows of the tables, a power of two.
        ngrams: Tokens of the longest n-gram.
        **kwargs: Keras's own, such as `name`.

    Input: token ids `[B, T]`. Output: int32 `[B, ngrams * T]`, rising; `rows` stands for none.
    """

    def __init__(self, vocabulary_size, rows, ngrams=3, **kwargs):
        super().__init__(**kwargs)
        self.vocabulary_size, self.rows, self.ngrams = vocabulary_size, rows, ngrams

    def build(self, input_shape):
        fixed = {"dtype": "int32", "trainable": False}
        shape = (self.vocabulary_size, 2)
        self.codes = self.add_weight(name="codes", shape=shape, initializer=self._codes, **fixed)
        self.checks = self.add_weight(
            name="checks",
            shape=(self.rows,),
            initializer=keras.initializers.Constant(_ANY),
            **{**fixed, "dtype": "int8"},
        )

    def _codes(self, shape, dtype=None):
        """Random numbers that are the same ones everywhere: `random_raw` is promised not to change."""
        raw = np.random.PCG64(0).random_raw(int(np.prod(shape))).reshape(shape)
        codes = (raw >> np.uint64(32)) % np.array([self.rows, _CHECKS], "uint64")
        return keras.ops.convert_to_tensor(codes.astype("int32"), dtype)

    def places(self, ids):
        """Row and check of each n-gram, and whether it holds no padding: three tensors `[B, ngrams * T]`."""
        ops = keras.ops
        ids = ops.cast(ids, "int32")
        more = self.ngrams - 1
        padded = ops.pad(ids, [[0, 0], [0, more]])
        codes = ops.take(self.codes, padded, axis=0)  # [B, T + more, 2]
        total, whole, found = 0, True, []
        for shift in range(self.ngrams):
            end = shift - more or None
            total = total + _MULTIPLIER**shift * codes[:, shift:end]
            whole = ops.logical_and(whole, padded[:, shift:end] > 0)
            found.append((ops.mod(total[..., 0], self.rows), ops.mod(total[..., 1], _CHECKS), whole))  # fmt: skip
        rows, check, whole = (ops.concatenate(parts, axis=1) for parts in zip(*found))
        return rows, check - _CHECKS // 2, whole

    def call(self, ids):
        ops = keras.ops
        rows, check, whole = self.places(ids)
        held = ops.cast(ops.take(self.checks, rows, axis=0), "int32")
        known = ops.logical_or(ops.equal(held, check), ops.equal(held, _ANY))
        rows = ops.where(ops.logical_and(known, whole), rows, self.rows)
        rows = ops.sort(rows, axis=1)
        before = ops.pad(rows[:, :-1] + 1, [[0, 0], [1, 0]])  # plus 1, as rows begin with 0
        return ops.where(ops.equal(rows + 1, before), self.rows, rows)

    def compute_output_shape(self, input_shape):
        batch, steps = input_shape
        return batch, None if steps is None else steps * self.ngrams

    def compute_output_spec(self, ids):
        return keras.KerasTensor(self.compute_output_shape(ids.shape), "int32")

    def get_config(self):
        own = {name: getattr(self, name) for name in ("vocabulary_size", "rows", "ngrams")}
        return {**super().get_config(), **own}


def by_length(batches):
    """The same texts in small batches of similar length, with little padding."""
    for ids, targets in batches:
        ids = array_of(ids)
        lengths = np.where(ids != 0, np.arange(1, ids.shape[1] + 1), 1).max(axis=1)
        order = np.argsort(lengths, kind="stable")
        for first in range(0, len(order), _TOGETHER):
            part = order[first : first + _TOGETHER]
            yield ids[part, : lengths[part].max()], targets[part]


def checks_of(grams, batches):
    """The check of the n-gram that has each row, int8 `[rows]`, and the share of those that found none."""
    keys, counts, pending, waiting = np.zeros(0, "int64"), np.zeros(0, "int64"), [], 0
    for ids, *_ in batches:
        rows, check, whole = (array_of(part) for part in grams.places(ids))
        text = np.arange(len(rows))[:, None]
        key = (text * grams.rows + rows) * 256 + check + 128
        key = np.sort(key[whole])
        key = key[np.diff(key, prepend=-1) > 0]  # once of each text
        pending.append(key % (grams.rows * 256))
        waiting += len(pending[-1])
        if waiting > _PENDING:
            keys, counts = _merged(keys, counts, pending)
            pending, waiting = [], 0
    keys, counts = _merged(keys, counts, pending)
    often = counts > 1 if (counts > 1).any() else counts > 0
    keys = keys[often][np.argsort(-counts[often], kind="stable")]
    rows, first = np.unique(keys // 256, return_index=True)
    table = np.full(grams.rows, NONE, "int8")
    table[rows] = keys[first] % 256 - 128
    return table, 1 - len(rows) / max(len(keys), 1)


def _merged(keys, counts, pending):
    new = np.concatenate([keys, *pending])
    new_counts = np.ones(len(new), "int64")
    new_counts[: len(keys)] = counts
    order = np.argsort(new, kind="stable")
    first = np.flatnonzero(np.diff(new[order], prepend=-1) > 0)
    keys = new[order][first]
    counts = np.add.reduceat(new_counts[order], first) if len(first) else counts
    least = 1
    while len(keys) > _MOST_COUNTED:
        keys, counts = keys[counts > least], counts[counts > least]
        least += 1
    return keys, counts


def array_of(tensor):
    return keras.ops.convert_to_numpy(tensor)

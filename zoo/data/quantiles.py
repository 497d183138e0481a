"""Which of the prepared inputs are numbers, and their quantiles in the training split, for models that embed numbers."""

import keras
import numpy as np

from zoo.data import examples
from zoo.models import columns

MOST_ROWS = 100_000  # that quantiles are taken of
_CHUNK = 8192


def of_training(inputs, splits):
    """The training quantiles of each prepared input, for `build_dense`.

    A number is standardised, so that its least value is below 0; what stands for a category or a gap is 0 or 1.

    Args:
        inputs: The Keras model from raw inputs to prepared ones.
        splits: The `Splits`.

    Returns:
        For each input its `knots`, or `None` where it is no number; `None` in place of all where the inputs are no rows
        of numbers, or are streamed.
    """
    data = splits.examples["train"]
    is_row = hasattr(inputs.output, "shape") and len(inputs.output.shape) == 2
    if not is_row or splits.kind.vocabulary is not None or not isinstance(data, examples.Arrays):
        return None
    picked = np.arange(len(data))
    if len(picked) > MOST_ROWS:
        picked = np.sort(np.random.default_rng(0).permutation(len(picked))[:MOST_ROWS])
    rows = np.concatenate([_prepared(inputs, data.take(part).inputs) for part in _chunks(picked)])
    return tuple(knots(column) if column.min() < 0 else None for column in rows.T)


def _chunks(picked):
    return [picked[first : first + _CHUNK] for first in range(0, len(picked), _CHUNK)]


def _prepared(inputs, raw):
    return keras.ops.convert_to_numpy(
        inputs(keras.tree.map_structure(keras.ops.convert_to_tensor, raw))
    )


def knots(column, count=columns.NUM_QUANTILES):
    """Numbers that a column's training values lie between in about equal shares, with six digits, as the card holds them.

    A value that is more than such a share by itself, as the 0 of most people's capital gains, is a knot and counts no more, so that the
    others are told apart as well. `None` for a column that is constant.
    """
    rest, found = column.astype("float64"), []
    while rest.size and len(found) < count:
        values, counts = np.unique(rest, return_counts=True)
        left = count - len(found)
        heavy = values if len(values) <= left else values[counts * left > rest.size]
        if not heavy.size:
            found.extend(np.quantile(rest, np.linspace(0, 1, left)))
            break
        found.extend(heavy[:left])
        rest = rest[~np.isin(rest, heavy)]
    ends = np.unique([float(f"{end:.6g}") for end in found])
    return tuple(ends.tolist()) if len(ends) > 1 else None

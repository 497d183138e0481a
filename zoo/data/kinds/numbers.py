"""What kinds of inputs that are numbers share: standardisation, and the checks of arrays of numbers."""

import keras
import numpy as np

from zoo.data import examples
from zoo.models import checks

MOST_NAMES = 20  # columns that a message names


def as_float32(name, values):
    """Finite numbers as a float32 array; raises `InputError` for anything else."""
    try:
        found = np.asarray(values, "float32")
    except (ValueError, TypeError) as error:
        raise checks.InputError(f"{name} must be an array of numbers: {error}") from None
    return finite(name, found)


def finite(name, values, place="example {}".format):
    """Returns an array, or raises `InputError` where it holds NaN or infinity; `place` says what a message calls an example."""
    if not np.isfinite(values).all():
        row = int(np.argwhere(~np.isfinite(values))[0][0])
        raise checks.InputError(
            f"{name} is NaN or infinite in {place(row)}: the answer would mean nothing."
        )
    return values


def one_each(name, values):
    """An array with one value for each example, `[N]` or `[N, 1]`, as `[N]`."""
    if values.ndim == 0 or values.size != len(values):
        raise checks.InputError(
            f"{name} must have one value for each example. Received: shape {values.shape}"
        )
    return values.reshape(-1)


def in_words(values):
    """What some numbers are, in a few words: their range, and how many are missing."""
    present = values[~np.isnan(values)] if values.dtype.kind == "f" else values
    if not present.size:
        return f"all of {values.size:,} values are missing"
    gaps = values.size - present.size
    return f"{present.min():,.6g} to {present.max():,.6g}" + (f", {gaps:,} gaps" if gaps else "")


def placeholder(values):
    """The number of a column that stands for no number, such as -999, and how often it does; `None` where there is none.

    It is made of nines, stands in several rows, and lies beyond all others by more than they differ; or it is negative and
    they are not.
    """
    present = values[np.isfinite(values)].astype("float64")
    for end in (present.min(), present.max()) if present.size else ():
        digits = f"{abs(end):.0f}"
        if len(digits) < 2 or set(digits) != {"9"} or end % 1:
            continue
        others = present[present != end]
        count = present.size - others.size
        if count < 2 or not others.size:
            continue
        away = max(others.min() - end, end - others.max())
        if away > np.ptp(others) or end < 0 <= others.min():
            return int(end), count
    return None


def warn_of_placeholder(title, values):
    """Says that a number of a column may stand for no number."""
    found = placeholder(values)
    if found is not None:
        examples.log.warning(
            "%s: %d stands in %d rows, far from all others, and is learned as a number. If nothing is known there, say so: "
            "missing=('%d',) (--missing %d)", title, found[0], found[1], found[0], found[0],
        )  # fmt: skip


def overview(info, data):
    """What inputs that are one array of numbers were taken for."""
    shape = "×".join(map(str, info.input_shape))
    name = f"{info.kind} of shape {shape}"
    return {name: in_words(data.inputs) if isinstance(data, examples.Arrays) else "streamed"}


def check_alike(parts):
    """Raises `InputError` unless all parts are arrays of the same shape and kind of dtype."""
    train = parts["train"]
    for part in parts.values():
        same_kind = part.x.dtype.kind == train.x.dtype.kind
        both_bytes = (part.x.dtype == np.uint8) == (train.x.dtype == np.uint8)  # images, or neither
        if part.x.shape[1:] != train.x.shape[1:] or not same_kind or not both_bytes:
            raise checks.InputError(
                f"The {part.split} inputs have shape {part.x.shape[1:]} and dtype {part.x.dtype} per example, the "
                f"train inputs {train.x.shape[1:]} and {train.x.dtype}: they must agree."
            )


def standardisation(splits):
    """The layer that standardises columns, or whole arrays, by the training split, and the step in words.

    A constant column becomes 0; arrays in memory whose largest magnitude is 0.1 to 1 stay as they are.
    """
    info, data = splits.info, splits.examples["train"]
    is_table = len(info.input_shape) == 1
    axis = 0 if is_table else None
    if isinstance(data, examples.Arrays):
        if not is_table and 0.1 <= np.abs(data.inputs).max() <= 1:
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
        told = "constant in the training split, so of no use to the model: %s"
        examples.log.warning(told, _constant(info, np.atleast_1d(constant)))
    variance = np.where(constant, 1.0, variance)
    layer = normalization(mean, variance, axis=-1 if is_table else None, name="standardise")
    return layer, [
        "each column: minus the training mean, divided by the training standard deviation"
    ]


def normalization(mean, variance, *, axis=-1, name=None):
    """The layer that takes a mean off float32 numbers and divides them by the square root of a variance, in any unit.

    Args:
        mean, variance: float64, one each or one a column.
        axis: As in `keras.layers.Normalization`.
        name: Of the layer.
    """
    factor = in_reach(variance)
    scaled = keras.layers.Normalization(
        axis=axis,
        mean=(mean * factor).tolist(),
        variance=(variance * factor * factor).tolist(),
        dtype="float32",
        name=name,
    )
    if np.all(factor == 1):
        return scaled
    first = keras.layers.Rescaling(factor.tolist(), dtype="float32")
    return keras.Sequential([first, scaled], name=name and f"{name}_in_reach")


def in_reach(variance):
    """Powers of 2 by which numbers have to be multiplied so that float32 holds their variance, and `Normalization` reads it.

    `keras.layers.Normalization` divides by 1e-7 where the standard deviation is less, as of lengths in metres that are
    micrometres, and the square of what is above 1e19 is infinite in float32.
    """
    exponent = np.round(np.log2(variance) / 2)
    return np.exp2(np.where(np.abs(exponent) <= 16, 0.0, -np.clip(exponent, -120, 120)))


def _constant(info, flat):
    """The columns that are constant, in words: by name, or of an array by number from 0."""
    if flat.all():
        return "all inputs"
    numbers = np.flatnonzero(flat)
    names = [info.columns[i] if info.columns else f"column {i}" for i in numbers[:MOST_NAMES]]
    more = len(numbers) - len(names)
    return ", ".join(names) + f" and {more} more" * (more > 0)


def as_model(layer, info):
    """A Keras model of one layer, which takes raw inputs as float32."""
    # float32 for images, too: augmented pixels have fractions, which an input of uint8 would cut off.
    raw = keras.Input(info.input_shape, dtype="float32", name="raw")
    return keras.Model(raw, layer(raw), name="prepare")


def _moments(batches, axis):
    """Mean and variance of streamed examples over an axis of their batches, float64, for which Keras has float32 only."""
    count = total = squares = 0
    origin = None  # near the values, so that their squares keep the digits in which they differ
    for batch in batches.batch(1024).as_numpy_iterator():
        if not np.isfinite(batch).all():
            row = count + int(np.argwhere(~np.isfinite(batch))[0][0])
            raise checks.InputError(
                f"The train split holds NaN or infinity, first in example {row}: fill in or drop such examples."
            )
        origin = batch[:1].mean(axis, dtype="float64") if origin is None else origin
        changes = np.subtract(batch, origin, dtype="float64")
        count += len(batch)
        total += changes.mean(axis) * len(batch)
        squares += np.square(changes).mean(axis) * len(batch)
    return origin + total / count, squares / count - np.square(total / count)

"""Arrays of numbers of any shape: one array for each example."""

import numpy as np
import tensorflow as tf

from zoo.data import examples
from zoo.data.kinds import columns, doubtful, numbers
from zoo.data.kinds.row import Kind, Prepared
from zoo.models import checks


def _recognises(x):
    return not hasattr(x, "columns") and x.dtype.kind in "fiub"


def _describe(parts, options):
    numbers.check_alike(parts)
    x = parts["train"].x
    if x.ndim < 2:
        raise checks.InputError(
            f"Inputs have shape {x.shape}: expected (examples, features), (examples, steps, channels) or "
            "(examples, height, width, channels). For one feature pass x[:, None]."
        )
    _check_digits(x)
    bounds = _bounds(x)
    for part in parts.values():
        if part.split != "train" and x.ndim > 2:  # of columns single ones may well be larger
            _check_scale(f"The {part.split} inputs are of another scale: train has", part.x, bounds)
    _warn_of_windows(x, parts)
    fields = {"kind": "features", "input_shape": x.shape[1:], "input_dtype": "float32"}
    return fields, lambda part: part.x.astype("float32")


def _bounds(x):
    return float(x.min()), float(x.max())


def _check_digits(x):
    """Refuses columns of large numbers that float32 cannot tell apart, such as milliseconds since 1970."""
    if x.ndim != 2 or x.dtype.itemsize < 4 or x.dtype == np.float32 or not x.size:
        return
    import pandas as pd

    spacing = np.spacing(np.abs(x).max(0).astype("float32"))
    for column in np.flatnonzero(spacing > 0.01 * x.std(0, dtype="float64")):
        if columns.is_precise(pd.Series(x[:, column])):
            raise checks.InputError(
                f"Column {column} of the inputs holds large numbers that differ by little, such as {x[0, column]}, which float32 "
                "cannot tell apart: subtract a constant, or pass a DataFrame, whose columns are read with more digits."
            )


def _warn_of_windows(x, parts):
    """Warns of windows of one series, each a step after the one before, which no random split keeps apart."""
    if x.ndim not in (2, 3) or x.shape[1] < 3 or len(x) < 20 or "test" in parts:
        return
    x = x.reshape(*x.shape[:2], -1)
    follow = (x[1:, :-1] == x[:-1, 1:]).all((1, 2)) & (x[1:] != x[:-1]).any((1, 2))
    if follow.mean() > 0.5:
        examples.log.warning(
            "the inputs are windows of one series that overlap: a random test split knows the steps of train, and its scores are "
            "too good; pass the series itself with task='forecasting', or test=... of a later time"
        )


def _problems(part):
    if part.x.dtype.kind != "f":
        return {}
    finite = np.isfinite(part.x.reshape(len(part.x), -1)).all(1)
    return {"it holds NaN or infinity": ~finite}


def _of_feature(name, feature, key, options):
    shape = getattr(feature, "shape", None)
    if not isinstance(shape, tuple) or not shape or None in shape:
        return None
    if np.dtype(feature.np_dtype).kind not in "fiub":
        return None
    fields = {"kind": "features", "input_shape": shape, "input_dtype": "float32"}
    return fields, lambda value: tf.cast(value, tf.float32)


def _prepare(splits, fixed_length):
    layer, steps = numbers.standardisation(splits)
    data, bounds = splits.examples["train"], None
    if isinstance(data, examples.Arrays):
        bounds = (float(data.inputs.min()), float(data.inputs.max()))
    return Prepared(numbers.as_model(layer, splits.info), steps, input_range=bounds)


def _check_raw(inputs, card, vocabulary):
    values, shape = np.asarray(inputs), tuple(card.input_shape)
    if values.shape[1:] != shape or values.dtype.kind not in "fiub":
        raise checks.InputError(
            f"{card.name} takes numbers of shape {('N', *shape)}. "
            f"Received: {values.dtype} of shape {values.shape}"
        )
    _check_scale(f"{card.name} was trained on", values, card.input_range)
    for column, bounds in (card.ranges or {}).items():
        numbers_of = values[:, int(column)].astype("float64")
        doubtful.warn(f"column {column}", numbers_of, "example {}".format, bounds=bounds)
    return {"features": numbers.finite("features", values.astype("float32"))}


def _check_scale(what, values, bounds):
    """Refuses numbers far beyond those of training, and warns of arrays that are far below.

    Args:
        what: What messages begin with, before the bounds.
        values: The numbers `[N, ...]`.
        bounds: The lowest and highest of the training split; `None` where they are not known.
    """
    if bounds is None or not values.size:
        return
    sizes, largest, too_large = _sizes(values, bounds)
    if too_large.any():
        row = int(np.argmax(too_large))
        raise checks.InputError(
            f"{what} values in {bounds[0]:.4g}..{bounds[1]:.4g}. Received values up to "
            f"{sizes[row].max():.4g} in example {row}: bring them to the same scale."
        )
    if values.ndim > 2 and 0 < sizes.max() < 0.02 * largest:
        examples.log.warning(
            "%s values up to %.4g; the largest received is %.4g: are they of the same scale?",
            what,
            largest,
            sizes.max(),
        )


def _sizes(values, bounds):
    """The magnitudes of numbers `[N, ...]`, the largest of training, and which examples are far beyond it, bool `[N]`."""
    largest = max(abs(bounds[0]), abs(bounds[1]), float(np.finfo("float32").tiny))
    sizes = np.abs(values.astype("float64"))
    too_large = sizes.mean(axis=tuple(range(1, values.ndim))) > 10 * largest
    if values.dtype == np.uint8 and values.ndim > 2 and largest <= 1:  # a dark picture, too
        too_large |= sizes.max(axis=tuple(range(1, values.ndim))) > 10 * largest
    return sizes, largest, too_large


def _far(named, card):
    (values,) = named.values()
    outside = [
        doubtful.far(values[:, int(column)], bounds)
        for column, bounds in (card.ranges or {}).items()
    ]
    if card.input_range is not None:
        outside.append(_sizes(values, card.input_range)[2])
    return np.any(outside, 0) if outside else np.zeros(len(values), bool)


def _ranges(splits):
    """Of rows of columns alone: the steps of a window or the pixels of a picture are of one range."""
    rows = splits.examples["train"].inputs
    return (
        doubtful.ranges({str(i): rows[:, i] for i in range(rows.shape[1])})
        if rows.ndim == 2
        else {}
    )


def _of_frame(frame, names, path, card):
    shape = card.input_shape
    if _is_row(list(frame.columns)):
        raise checks.InputError(
            f"{path} needs a header line: its first line holds numbers ({', '.join(frame.columns[:3])})."
        )
    if len(frame.columns) != np.prod(shape) or any(t.kind not in "iuf" for t in frame.dtypes):
        raise checks.InputError(
            f"{path} has {len(frame.columns)} columns of {', '.join(sorted(set(map(str, frame.dtypes))))}; "
            f"{card.name} takes {np.prod(shape)} numbers."
        )
    return names, frame.to_numpy("float32").reshape(len(frame), *shape)


def _is_row(titles):
    """Whether a CSV file's titles are a row of numbers, and not 0, 1, 2, as pandas calls columns without a name."""
    given = [title if columns.is_number(title) else title.rpartition(".")[0] for title in titles]
    return all(map(columns.is_number, given)) and titles != list(map(str, range(len(titles))))


def _otherwise(info):
    rank = len(info.input_shape)
    if rank == 1:
        return "columns with titles are a DataFrame's; steps of a sequence are (examples, steps, channels)"
    if rank == 2:
        steps, width = info.input_shape
        return (
            f"each example is a sequence of {steps} steps with {width} values; pictures are whole pixels 0..255 as uint8, or numbers "
            "with a place for the channels: x[..., None]"
        )
    return "pictures are whole pixels 0..255, x.astype('uint8'); plain columns are x.reshape(len(x), -1)"


KIND = Kind(
    name="features",
    called="numbers",
    least_rank=1,
    meaning="one array of shape {shape} per example, unscaled",
    recognises=_recognises,
    describe=_describe,
    problems=_problems,
    of_feature=_of_feature,
    prepare=_prepare,
    specs=lambda info: {
        "features": tf.TensorSpec((None, *info.input_shape), info.input_dtype, name="features")
    },
    check_raw=_check_raw,
    far=_far,
    ranges=_ranges,
    overview=numbers.overview,
    otherwise=_otherwise,
    of_frame=_of_frame,
    other_files=" or .npy",
)

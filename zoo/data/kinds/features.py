"""Arrays of numbers of any shape: one array for each example."""

import numpy as np
import tensorflow as tf

from zoo.data import examples
from zoo.data.kinds import columns, numbers
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
    fields = {"kind": "features", "input_shape": x.shape[1:], "input_dtype": "float32"}
    return fields, lambda part: part.x.astype("float32")


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
    low, high = card.input_range or (-np.inf, np.inf)
    sizes = np.abs(values.astype("float64")).mean(axis=tuple(range(1, values.ndim)))
    too_large = sizes > 10 * max(abs(low), abs(high), 1e-30)
    if too_large.any():
        row = int(np.argmax(too_large))
        raise checks.InputError(
            f"{card.name} was trained on values in {low:.4g}..{high:.4g}. Received values up to "
            f"{np.abs(values[row]).max():.4g} in example {row}: bring them to the same scale."
        )
    return {"features": numbers.finite("features", values.astype("float32"))}


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


KIND = Kind(
    name="features",
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
    overview=numbers.overview,
    of_frame=_of_frame,
    other_files=" or .npy",
)

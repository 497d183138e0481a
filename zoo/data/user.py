"""The caller's own data in memory: arrays, a DataFrame or a `tf.data` set, brought to `DataInfo` and `Arrays`."""

import numpy as np
import tensorflow as tf

from zoo.data import sources
from zoo.models import checks

TASKS = ("classification", "regression")


def from_user(data, *, validation=None, test=None, target=None, task=None, name="your data"):
    """Brings the caller's own data to a description and `Arrays` per split.

    Args:
        data: Training data: a pair of arrays (x, y), a DataFrame, or a `tf.data.Dataset` of pairs (batched or not).
        validation: Validation data in the same form; carved from train where it is `None`.
        test: Test data in the same form; a fixed 20 % of `data` where it is `None`.
        target: The DataFrame's target column.
        task: `"classification"` or `"regression"`; told from the targets where it is `None`.
        name: What messages and the card call the data.

    Returns:
        The `DataInfo` and a dict from split to `Arrays`.

    Raises:
        InputError: The data have a form, shape or value that the zoo cannot train on; the message says what to pass.
    """
    given = {"train": data, "validation": validation, "test": test}
    pairs = {split: _pair(split, part, target) for split, part in given.items() if part is not None}
    inputs, targets, columns = pairs["train"]
    task = task or _guess_task(targets)
    checks.one_of("task", task, TASKS)
    labels, convert_targets = _targets(task, [pair[1] for pair in pairs.values()])
    kind, dtype, convert_inputs = _inputs(inputs, columns)
    splits = {}
    for split, (x, y, names) in pairs.items():
        if names != columns:
            raise checks.InputError(
                f"The {split} data have the columns {names}, the train data {columns}."
            )
        if x.shape[1:] != inputs.shape[1:] or x.dtype.kind != inputs.dtype.kind:
            raise checks.InputError(
                f"The {split} inputs have shape {x.shape[1:]} and dtype {x.dtype} per example, the train inputs "
                f"{inputs.shape[1:]} and {inputs.dtype}: they must agree."
            )
        splits[split] = sources.Arrays(convert_inputs(x), convert_targets(split, y))
    info = sources.DataInfo(
        name=name,
        kind=kind,
        task=task,
        input_shape=splits["train"].inputs.shape[1:],
        input_dtype=dtype,
        labels=labels,
        columns=columns,
    )
    if "test" not in splits:
        splits["train"], splits["test"] = sources.carve(splits["train"], 0.2, info)
        sources.log.info(
            "no test data given: a fixed 20 %% (%d examples) is the test split", len(splits["test"])
        )
    return info, splits


def _pair(split, data, target):
    """Returns inputs, targets and column names."""
    if isinstance(data, tf.data.Dataset):
        return (*_read_dataset(split, data), ())
    if hasattr(data, "columns") and hasattr(data, "to_numpy"):
        return _read_frame(split, data, target)
    if isinstance(data, (tuple, list)) and len(data) == 2:
        x, y = (np.asarray(part) for part in data)
        if x.ndim == 0 or len(x) != len(y):
            lengths = "no rows" if x.ndim == 0 else f"{len(x)} inputs and {len(y)} targets"
            raise checks.InputError(
                f"The {split} data have {lengths}: every input needs its target."
            )
        if len(x) == 0:
            raise checks.InputError(f"The {split} data are empty.")
        return x, y, ()
    raise checks.InputError(
        f"The {split} data are {type(data).__name__}: pass the name of a data set, a pair of arrays (x, y), a "
        "DataFrame with target='column', or a tf.data.Dataset of (x, y)."
    )


def _read_dataset(split, dataset):
    if dataset.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise checks.InputError(f"The {split} tf.data set repeats without end: leave repeat() out.")
    spec = dataset.element_spec
    if not (
        isinstance(spec, tuple)
        and len(spec) == 2
        and all(isinstance(s, tf.TensorSpec) for s in spec)
    ):
        raise checks.InputError(
            f"The {split} tf.data set must give pairs (input, target). It gives: {spec}"
        )
    if spec[1].shape.rank == 0:  # one example at a time
        dataset = dataset.batch(1024)
    batches = list(
        dataset.as_numpy_iterator()
    )  # read once, so that a shuffle in it cannot mix train and test
    if not batches:
        raise checks.InputError(f"The {split} tf.data set is empty.")
    x, y = (np.concatenate(parts) for parts in zip(*batches))
    if len(x) != len(y):
        raise checks.InputError(
            f"The {split} tf.data set gives {len(x)} inputs and {len(y)} targets: batch both, or neither."
        )
    return x, y


def _read_frame(split, frame, target):
    if target is None or target not in frame.columns:
        listed = ", ".join(map(str, frame.columns))
        raise checks.InputError(
            f"Pass the target column of the {split} DataFrame as target=... It has: {listed}"
        )
    inputs = frame.drop(columns=[target])
    strings = [str(name) for name, dtype in inputs.dtypes.items() if dtype.kind not in "fiub"]
    if strings:
        raise checks.InputError(
            f"These columns of the {split} DataFrame are not numbers: {', '.join(strings)}. Drop or encode them."
        )
    columns = tuple(sources.column_name(str(column)) for column in inputs.columns)
    if len(set(columns)) < len(columns):
        raise checks.InputError(
            f"Columns of the {split} DataFrame have the same name: {', '.join(columns)}"
        )
    return inputs.to_numpy("float32"), frame[target].to_numpy(), columns


def _guess_task(targets):
    if (
        targets.dtype.kind == "f"
        and np.isfinite(targets).all()
        and (targets != np.round(targets)).any()
    ):
        return "regression"
    values = len(np.unique(targets)) if targets.dtype.kind in "fiu" else 0
    if values > max(20, len(targets) // 20):
        raise checks.InputError(
            f"The {len(targets)} targets are whole numbers of {values} different values: say what they are, "
            "task='regression' or task='classification'."
        )
    return "classification"


def _targets(task, parts):
    """Returns the classes' names and a function (split, targets) → array of ids or of numbers."""
    for y in parts:
        if y.ndim > 1 and y.shape[1:] != (1,):
            raise checks.InputError(
                f"Targets have shape {y.shape}: expected one per example. For one-hot targets pass y.argmax(-1)."
            )
    if task == "regression":
        if any(y.dtype.kind not in "fiub" for y in parts):
            raise checks.InputError(
                f"A regression needs numbers as targets. Received: {parts[0].dtype}"
            )
        return (), lambda split, y: y.reshape(-1).astype("float32")
    if any(y.dtype.kind == "f" and not np.array_equal(y, np.round(y)) for y in parts):
        raise checks.InputError(
            "Class labels must be whole numbers or strings; these have fractions or NaN. "
            "For a regression pass task='regression'."
        )
    classes = np.unique(np.concatenate([_label_names(y) for y in parts[:1]]))
    if classes.dtype.kind in "iu" and classes[0] >= 0 and classes[-1] < 2 * len(classes):
        classes = np.arange(
            classes[-1] + 1
        )  # ids already: a class that train happens to miss keeps its number

    def convert(split, y):
        y = _label_names(y)
        unknown = np.setdiff1d(y, classes)
        if len(unknown):
            raise checks.InputError(
                f"The {split} targets have classes that the train targets lack: {unknown[:5]}"
            )
        return np.searchsorted(classes, y).astype("int64")

    return tuple(map(str, classes)), convert


def _label_names(targets):
    targets = targets.reshape(-1)
    if targets.dtype.kind in "fb":
        return targets.astype("int64")
    if targets.dtype.kind == "O" and any(value is None or value != value for value in targets):
        raise checks.InputError("Some class labels are missing (None or NaN): drop those examples.")
    return targets.astype(str) if targets.dtype.kind in "OUS" else targets


def _inputs(inputs, columns):
    """Returns kind, dtype and a function that converts a split's inputs."""
    if inputs.dtype.kind not in "fiub":
        raise checks.InputError(
            f"Inputs are {inputs.dtype}: expected numbers (uint8 images, or floats of any shape)."
        )
    if inputs.ndim < 2:
        raise checks.InputError(
            f"Inputs have shape {inputs.shape}: expected (examples, features), (examples, steps, channels) or "
            "(examples, height, width, channels). For one feature pass x[:, None]."
        )
    if columns:
        return "table", "float32", lambda x: x
    if inputs.dtype == np.uint8 and inputs.ndim == 3:
        sources.log.info(
            "uint8 inputs of shape %s: grey images, one channel added", inputs.shape[1:]
        )
        return "image", "uint8", lambda x: x[..., None]
    if inputs.dtype == np.uint8 and inputs.ndim == 4:
        if inputs.shape[-1] not in (1, 3, 4):
            raise checks.InputError(
                f"uint8 images must have 1, 3 or 4 channels, last. Received: shape {inputs.shape}. "
                "Pass other arrays as floats."
            )
        return "image", "uint8", lambda x: x
    return "features", "float32", lambda x: x.astype("float32")

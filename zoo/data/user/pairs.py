"""Inputs and targets of a split, side by side, as they are before anything is known of the task."""

import dataclasses
import os
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from zoo.config.options import OF_TABLES
from zoo.data.kinds import objects, plain_columns, several
from zoo.models import checks
from zoo.tasks import task
from zoo.tasks.targets import is_zero_or_one

AS_NUMBERS = "To predict a time make a number of it, such as (column - column.min()).dt.days, with task='regression' (--task regression)."


@dataclasses.dataclass
class Pair:
    """Inputs and targets of a split.

    Attributes:
        x: An array, a DataFrame, or a list of pictures.
        y: The targets, an array; `None` where there are none.
        labels: Names of the classes in the order of their ids, where the data say them.
        weights: A number for each example, where the data bring them.
    """

    x: object
    y: np.ndarray | None
    labels: tuple[str, ...] = ()
    weights: np.ndarray | None = None


def pair(split, x, y, options=None):
    """A `Pair` of inputs that are plain already, and of targets as a caller passed them."""
    _check_one_output(split, y, len(x))
    given, (y, labels) = y, targets(split, y, options)
    if len(x) != len(y):
        raise checks.InputError(
            f"The {split} data have {len(x)} inputs and {len(y)} targets: every input needs its target."
        )
    if len(x) == 0:
        raise checks.InputError(f"The {split} data are empty.")
    parts = x.parts.values() if isinstance(x, several.Inputs) else [x]
    indices = [
        part.index for part in (*parts, given) if hasattr(part, "index") and hasattr(part, "iloc")
    ]
    for index in indices[1:]:
        _check_same_order(split, indices[0], index)
    return Pair(x, y, labels)


def _check_one_output(split, y, count):
    """Refuses targets of several outputs: a list of arrays for so many examples, or a dict of arrays of several dimensions."""
    parts = list(y.values()) if isinstance(y, Mapping) else y
    if isinstance(y, Mapping):
        are_several = any(getattr(part, "ndim", 1) > 1 for part in parts)
    else:
        is_list = isinstance(y, (list, tuple)) and len(y) != count
        are_several = is_list and all(np.ndim(v) > 0 and len(v) == count for v in parts)
    if are_several and len(parts) > 0:
        raise checks.InputError(
            f"The {split} targets are a {type(y).__name__} of {len(parts)} arrays, as of a model of several outputs; the zoo trains one "
            "output. Several numbers for each example are one array: np.stack(targets, axis=-1), and a last layer Dense(K); otherwise "
            "train a model for each."
        )


def _check_same_order(split, ours, theirs):
    """Refuses rows that their index brings together otherwise than their places do."""
    if ours.equals(theirs) or not (ours.is_unique and theirs.is_unique):
        return
    if len(ours.symmetric_difference(theirs)) == 0:
        raise checks.InputError(
            f"The {split} inputs and targets have the same index in another order: pass y.loc[x.index], or both after "
            ".reset_index(drop=True) where their places belong together."
        )


def targets(split, values, options=None):
    """Targets as an array, and the names of their classes in the order that a categorical gives them."""
    import pandas as pd

    what = f"The {split} targets"
    is_class = not (options and options.task) or task(options.task).targets == "class"
    if plain_columns.is_pandas(values):
        values = values if hasattr(values, "iloc") else pd.Series(values)
        if isinstance(values.dtype, pd.CategoricalDtype) and is_class:
            return _of_categorical(values.cat)
        found = plain_columns.cells(plain_columns.column(what, values))
    else:
        found = objects.plain(what, values)
        if objects.is_frame(found) and not len(found.columns):
            raise checks.InputError(f"{what} are a table without columns.")
        if objects.is_frame(found) and len(found.columns) > 1:
            return _of_columns(found, is_class)
        if objects.is_frame(found):
            found = plain_columns.cells(found.iloc[:, 0])
    if not isinstance(found, np.ndarray) or found.dtype.kind in "mMc":
        kind = getattr(found, "dtype", type(found).__name__)
        is_time = getattr(found, "dtype", np.dtype(object)).kind in "mM"
        advice = f" {AS_NUMBERS}" if is_time else ""
        raise checks.InputError(
            f"{what} are {kind}: expected texts, numbers, or rows of 0 and 1.{advice}"
        )
    return found, ()


def _of_columns(table, is_class):
    """Targets in several columns: classes by their titles where each row has one 1, otherwise rows."""
    titles, found = tuple(map(str, table.columns)), table.to_numpy()
    is_one_hot = is_class and is_zero_or_one(found) and (found.sum(1) == 1).all()
    return (np.array(titles, object)[found.argmax(1)] if is_one_hot else found), titles


def _of_categorical(categories):
    """A categorical's values as texts, and those categories that occur, in their order."""
    names = [str(name).strip() for name in categories.categories]
    codes = categories.codes.to_numpy()
    found = np.array([*names, None], object)[codes]
    return found, tuple(name for i, name in enumerate(names) if (codes == i).any())


def named(split, y, labels):
    """Class ids, also as one-hot rows, as the names of their classes."""
    if not labels or y is None or y.dtype.kind not in "fiub":
        return y
    ids = (
        y.argmax(1)
        if y.ndim == 2 and y.shape[1] == len(labels) > 1
        else y.reshape(len(y), -1)[:, 0]
    )
    if (ids != np.round(ids)).any() or ids.min() < 0 or ids.max() >= len(labels):
        raise checks.InputError(
            f"The {split} data name {len(labels)} classes, but their targets run from {ids.min():g} to {ids.max():g}: they must be "
            f"in 0..{len(labels) - 1}."
        )
    return np.array(labels, object)[ids.astype("int64")]


def paired(data, targets):
    """The data of `train(model, data, targets)` as a pair; without targets as they are."""
    if targets is None:
        return data
    if isinstance(data, (str, os.PathLike, tuple, tf.data.Dataset)):
        what = repr(data) if isinstance(data, (str, os.PathLike)) else f"a {type(data).__name__}"
        raise checks.InputError(
            f"`targets` belong to inputs in memory, zoo.train(model, x, y). Received: {what}, which brings its own."
        )
    return data, targets


def check_no_table(x, options):
    """Raises `InputError` for options that say something of a table alone, where there is none, also none among several inputs."""
    if options.target or options.columns:
        raise checks.InputError(
            "`target` and `columns` are for tables: leave them out with arrays."
        )
    inputs = x.parts.values() if isinstance(x, several.Inputs) else ()
    for key in () if any(map(objects.is_frame, inputs)) else OF_TABLES:
        if getattr(options, key):
            raise checks.InputError(f"`{key}` is for tables: leave it out with arrays.")

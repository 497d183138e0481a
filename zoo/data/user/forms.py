"""The forms in which people hand over a whole split: a table, a pair, a `tf.data` set, a loader; each is read once."""

import os
from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf

from zoo.data import examples
from zoo.data.kinds import objects, plain_columns, several
from zoo.data.part import Part
from zoo.data.user import batched
from zoo.data.user.pairs import Pair, pair
from zoo.data.user.weights import Weighted
from zoo.models import checks
from zoo.tasks import model_checks


def read(split, data, options):
    """Brings a split to a `Pair`, or to a DataFrame that holds its targets.

    Args:
        split: Its name, for messages.
        data: What a caller passed.
        options: The `DataOptions`.

    Raises:
        InputError: It is of no such form; the message names its type, and what to pass.
    """
    if isinstance(data, (Part, Pair)):
        return data
    if isinstance(data, (str, os.PathLike)):
        raise checks.InputError(
            f"The {split} data are {os.fspath(data)!r}: names and paths bring all their splits, as `data` alone; beside data in memory "
            "pass what is in memory, too."
        )
    if isinstance(data, tf.data.Dataset):
        is_table = options is not None and options.target and isinstance(data.element_spec, dict)
        return batched.of_dicts(split, data) if is_table else batched.of_dataset(split, data)
    if isinstance(data, keras.utils.PyDataset):
        return batched.of_py_dataset(split, data)
    if batched.is_of_torch(data):
        return batched.of_torch(split, data)
    if isinstance(data, (tuple, list)) and len(data) == 2:
        return _of_two(split, *data, options)
    if isinstance(data, tuple):
        raise checks.InputError(
            f"The {split} data are a tuple of {len(data)}: pass a pair (x, y), or (x, y, sample_weight) with a number for each example; "
            "other splits are validation=... and test=...."
        )
    if isinstance(data, list) and data and all(map(_is_batch, data)):
        return batched.of_batches(split, data, has_weights=True)
    if isinstance(data, list) and data and all(map(_is_example, data)):
        return batched.of_batches(split, [tuple(map(list, zip(*data)))])
    _check_splits(split, data)
    found = objects.plain(f"The {split} data", data)
    return found if objects.is_frame(found) else Pair(found, None)


def both(data, test):
    """Training and test data where the caller passed ((x, y), (x, y)), as `keras.datasets` give them."""
    if isinstance(data, Weighted):
        data, weights = data.data, data.weights
        data, test = both(data, test)
        return Weighted(data, weights), test
    is_two = isinstance(data, (tuple, list)) and len(data) == 2
    if (
        test is not None
        or not is_two
        or not all(isinstance(p, tuple) and len(p) == 2 for p in data)
    ):
        return data, test
    counts = [tuple(map(_count, part)) for part in data]
    is_pair = [None not in pair and pair[0] == pair[1] for pair in counts]
    return data if all(is_pair) else (data, test)


def _count(values):
    """The number of examples in an array, or in a dict of inputs; `None` of another form."""
    if isinstance(values, Mapping):
        values = next(iter(values.values()), None)
    return len(values) if getattr(values, "ndim", 0) else None


def by_model(model, data):
    """Data whose inputs are a list, or a tuple, as a dict by the names of a model's inputs, in its order; others as they are.

    Args:
        model: As in `zoo.train`.
        data: A split, or training and test data in one tuple.

    Raises:
        InputError: The model's several inputs have no names.
    """
    names = model_checks.input_names(model) if isinstance(model, keras.Model) else []
    if len(names) < 2:
        return data
    if any(name.startswith("keras_tensor") for name in names):
        raise checks.InputError(
            f"The {len(names)} inputs of the model {model.name!r} have no names, which data and signatures go by: give each its own, "
            "keras.Input(shape, name='image')."
        )
    if isinstance(data, tf.data.Dataset):
        spec = data.element_spec
        if isinstance(spec, tuple) and isinstance(spec[0], dict) and set(spec[0]) == set(names):
            return data.map(lambda x, *y: (dict(zip(names, map(x.get, names))), *y))
        are_several = isinstance(spec, tuple) and len(spec) > 1 and _are_inputs(spec[0], names)
        return data.map(lambda x, *y: (dict(zip(names, x)), *y)) if are_several else data
    if not isinstance(data, (tuple, list)) or len(data) not in (2, 3):
        return data
    if all(isinstance(part, tuple) and len(part) == 2 for part in data):
        return tuple(by_model(model, part) for part in data)
    x, *others = data
    if isinstance(x, dict) and set(x) == set(names):
        x = {name: x[name] for name in names}  # a list is later told apart by this order
        return (x, *others)
    return (dict(zip(names, x)), *others) if _are_inputs(x, names) else data


def _are_inputs(x, names):
    return isinstance(x, (list, tuple)) and len(x) == len(names)


def _is_batch(value):
    """Whether one of a list is a batch: inputs and as many targets, each one number or text."""
    if type(value) is not tuple or len(value) not in (2, 3):
        return False
    x, y = value[:2]
    ranks = [getattr(part, "ndim", 0) for part in (x, y)]
    return ranks[0] > 1 and ranks[1] == 1 and len(x) == len(y)


def _is_example(value):
    """Whether one of a list is an input with its target: a text, a picture or an array comes first."""
    if type(value) is not tuple or len(value) != 2:  # one with names is a row of a table
        return False
    return (
        isinstance(value[0], (str, bytes))
        or objects.is_picture(value[0])
        or getattr(value[0], "ndim", 0) > 0
    )


def _check_splits(split, data):
    """Refuses a dict of splits or of arrays, and scikit-learn's, by what they hold."""
    if not isinstance(data, dict):
        if hasattr(data, "files") and hasattr(data, "zip"):  # of np.load
            raise checks.InputError(f"The {split} data are an opened .npz file: pass its path.")
        return
    advice = None
    if any(isinstance(part, tf.data.Dataset) for part in data.values()):
        advice = "data=d['train'] and test=d['test'] where it is called d"
    elif {"data", "target"} <= data.keys():
        advice = "(d.data, d.target) where it is called d"
    elif any(np.ndim(part) > 1 for part in data.values() if isinstance(part, np.ndarray)):
        advice = "a pair (x, y), in which x may be a dict of inputs for a model of your own"
    if advice:
        raise checks.InputError(
            f"The {split} data are a {type(data).__name__} of {', '.join(map(repr, list(data)[:4]))}: pass {advice}; or pass the "
            "name of a data set, a path, or a DataFrame with target='column'."
        )


def _of_two(split, first, second, options):
    if isinstance(second, tf.data.Dataset):
        raise checks.InputError(
            f"The {split} data are two tf.data sets: pass the first as data, the second as validation=... or test=...."
        )
    if hasattr(second, "features") and hasattr(second, "splits"):  # (data, info) of TFDS
        return batched.of_tfds(split, first, second)
    _check_list(split, first, second)
    x = (
        several.plain(f"The {split} inputs", first)
        if not isinstance(first, tf.data.Dataset)
        else batched.of_dataset(split, first).x
    )
    return pair(split, _unnamed(x), second, options)


def _check_list(split, x, y):
    """Refuses a list of arrays, each with as many examples as there are targets."""
    if not isinstance(x, (list, tuple)) or not hasattr(y, "__len__") or not 1 < len(x) != len(y):
        return
    if all(getattr(part, "ndim", 0) > 0 and len(part) == len(y) for part in x):
        raise checks.InputError(
            f"The {split} inputs are a {type(x).__name__} of {len(x)} arrays of {len(y)} examples each, as for a model of several inputs: "
            "pass a Keras model with so many inputs, whose order is that of the arrays, or a dict of the arrays by their names."
        )


def _unnamed(x):
    """A DataFrame of numbers whose columns have no names as an array, as `predict` may get one, too; others as they are."""
    if not objects.is_frame(x) or list(x.columns) != list(map(str, range(len(x.columns)))):
        return x
    is_plain = all(dtype.kind in "fiu" for dtype in x.dtypes) and not x.isna().any(axis=None)
    return x.to_numpy() if is_plain else x


def inputs_alone(what, values, *, is_of_pictures=False):
    """The examples that a caller passed to `predict`, without targets that came with them.

    Texts, single things and dicts come back as they are: what they are, the model's kind says. So do pictures of several sizes
    where `is_of_pictures`.
    """
    if isinstance(values, (str, bytes)) or objects.is_picture(values):
        return values
    if isinstance(values, dict) and not objects.is_sparse(values):
        return {
            key: _column_alone(f"{what}, column {str(key)!r},", given)
            for key, given in values.items()
        }
    if isinstance(values, (tf.data.Dataset, keras.utils.PyDataset)) or batched.is_of_torch(values):
        found = read("given", values, None)
        if found.y is not None:
            examples.log.info("%s: the targets that came with them are not read", what)
        return found.x
    found = objects.plain(what, values)
    if isinstance(found, list) and not is_of_pictures:
        raise checks.InputError(
            f"{what} are arrays of several shapes, {np.shape(found[0])} and others: bring them to one."
        )
    return found


def _column_alone(what, values):
    """A column of a dict for `predict`; what NumPy reads stays as it is."""
    import pandas as pd

    if hasattr(values, "to_pandas"):
        values = values.to_pandas()
    if plain_columns.is_pandas(values):
        return plain_columns.column(what, values if hasattr(values, "iloc") else pd.Series(values))
    if hasattr(values, "detach"):
        return objects.array(what, values)
    return values

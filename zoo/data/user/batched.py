"""What gives examples one after the other, or in batches: `tf.data` sets, Keras's and PyTorch's loaders; each is read once."""

import contextlib
import re

import numpy as np
import tensorflow as tf

from zoo.data.kinds import objects, several
from zoo.data.user.pairs import Pair, named, pair
from zoo.models import checks

TARGETS = (
    "label",
    "labels",
    "target",
    "targets",
    "y",
)  # names that an entry of targets has by custom


def of_batches(split, batches, labels=(), has_weights=False):
    """The inputs and targets of batches, each a pair of arrays, or of dicts of columns and arrays; weights may come third."""
    if not batches:
        raise checks.InputError(f"The {split} data are empty.")
    if not any(isinstance(batch, (tuple, list)) for batch in batches):
        return Pair(
            _joined(split, [several.plain(f"The {split} data", batch) for batch in batches]), None
        )
    lengths = {len(batch) if isinstance(batch, (tuple, list)) else 0 for batch in batches}
    if lengths not in ({2}, {3} if has_weights else {2}):
        count = len(batches[0]) if isinstance(batches[0], (tuple, list)) else "no pairs"
        raise checks.InputError(
            f"The {split} data must give pairs (inputs, targets). They give: {count}"
        )
    x, y, *rest = zip(*batches)
    joined = _joined(split, [several.plain(f"The {split} data", part) for part in x])
    y = [objects.plain(f"The {split} data", part) for part in y]
    found = pair(split, joined, _joined(split, y))
    weights = _joined(split, list(map(np.asarray, rest[0]))) if rest else None
    return Pair(found.x, named(split, found.y, labels), tuple(labels), weights)


def _joined(split, parts):
    import pandas as pd

    if all(map(objects.is_frame, parts)):
        return pd.concat(parts, ignore_index=True)
    if all(isinstance(part, several.Inputs) for part in parts):
        return several.joined(f"The {split} inputs", parts, lambda values: _joined(split, values))
    if any(isinstance(part, list) for part in parts):
        return [value for part in parts for value in part]
    try:
        return np.concatenate(parts)
    except ValueError as error:
        raise checks.InputError(
            f"The batches of the {split} data differ in shape: {sorted({np.shape(part)[1:] for part in parts})[:3]}"
        ) from error


def of_py_dataset(split, data):
    """A data set of Keras, which gives batches by number."""
    count = data.num_batches
    if count is None:
        raise checks.InputError(
            f"The {split} data are a {type(data).__name__} without end: give it a length, __len__."
        )
    with _reading(split, data):
        batches = [data[i] for i in range(count)]
    return of_batches(split, batches, _named_classes(data), True)


@contextlib.contextmanager
def _reading(split, data):
    """Tells that the caller's own object fails, and not the zoo, a disk or the run's folder."""
    try:
        yield
    except checks.InputError:
        raise
    except Exception as error:  # whatever the caller's own code raises
        raise checks.InputError(
            f"The {split} {type(data).__name__} fails while it is read: {type(error).__name__}: {error}"
        ) from error


def _named_classes(data):
    """The names of the classes that an iterator over a folder knows, in the order of their ids."""
    ids = getattr(data, "class_indices", None) or {}
    return tuple(sorted(ids, key=ids.get))


def is_of_torch(data):
    """Whether something is a data set or a loader of PyTorch."""
    return any(base.__module__.startswith("torch.utils.data") for base in type(data).__mro__)


def of_torch(split, data):
    """A `DataLoader`, which gives batches, or a `Dataset` of PyTorch, which gives single pairs."""
    is_loader = hasattr(data, "batch_sampler")
    source = data.dataset if is_loader else data
    if not hasattr(source, "__len__"):
        raise checks.InputError(
            f"The {split} data are a {type(data).__name__} whose length is not known: pass arrays."
        )
    labels = tuple(map(str, getattr(source, "classes", ())))
    with _reading(split, data):
        pairs = list(data) if is_loader else [data[i] for i in range(len(data))]
    if is_loader and data.batch_size is not None:
        return of_batches(split, pairs, labels)
    return of_batches(split, [tuple(map(list, zip(*pairs)))] if pairs else [], labels)


def of_dicts(split, dataset, plain=objects.plain):
    """Reads a `tf.data` set of dicts whole: of columns, the targets among them, as a DataFrame; of several inputs by `several.plain`."""
    flat = _specs_of(split, dataset)
    batches = _batches(split, dataset, flat)
    return _joined(split, [plain(f"The {split} data", batch) for batch in batches])


def of_dataset(split, dataset, labels=()):
    """Reads a `tf.data` set once, so that a shuffle in it cannot mix train and test."""
    spec, flat = dataset.element_spec, _specs_of(split, dataset)
    keys = _keys(split, spec)
    if isinstance(spec, tuple) and isinstance(spec[1], (tuple, list)):
        raise checks.InputError(
            f"The {split} tf.data set gives {len(spec[1])} targets for each example, as of a model of several outputs; the zoo trains one "
            "output. Several numbers for each example are one tensor: tf.stack(targets, axis=-1) in a map()."
        )
    batches = _batches(split, dataset, flat)
    x, y = ([_part(batch, key) for batch in batches] for key in keys)
    labels = labels or tuple(map(str, getattr(dataset, "class_names", None) or ()))
    x = _joined(split, [several.plain(f"The {split} inputs", part) for part in x])
    if keys[1] is None:
        return Pair(x, None)
    found, has_weights = (
        pair(split, x, _joined(split, y)),
        isinstance(spec, tuple) and len(spec) == 3,
    )
    weights = _joined(split, [batch[2] for batch in batches]) if has_weights else None
    return Pair(found.x, named(split, found.y, labels), labels, weights)


def _specs_of(split, dataset):
    """What an element of a `tf.data` set holds, in a list; refuses sets without end and what is no tensor."""
    if dataset.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise checks.InputError(f"The {split} tf.data set repeats without end: leave repeat() out.")
    flat = tf.nest.flatten(dataset.element_spec)
    if not all(isinstance(each, tf.TensorSpec) for each in flat):
        kinds = sorted({type(each).__name__.removesuffix("Spec") for each in flat} - {"Tensor"})
        raise checks.InputError(
            f"The {split} tf.data set gives a {' and a '.join(kinds)}: map it to tensors of one shape, .to_tensor() or "
            "tf.sparse.to_dense()."
        )
    return flat


def _keys(split, spec):
    """Where inputs and targets are in an element of a `tf.data` set: two indices or keys; `None` for targets that it has not."""
    if isinstance(spec, tf.TensorSpec):
        return (), None
    if isinstance(spec, tuple) and len(spec) in (2, 3):
        return 0, 1
    if isinstance(spec, dict):
        of_targets = [key for key in spec if key in TARGETS]
        rest = [key for key in spec if key not in of_targets]
        if len(of_targets) == 1 and len(rest) == 1:
            return rest[0], of_targets[0]
        if (
            len(of_targets) == 1
            and rest
            and not any(
                isinstance(spec[k], tf.TensorSpec) and (spec[k].shape.rank or 0) > 1 for k in rest
            )
        ):
            return tuple(rest), of_targets[0]
        raise checks.InputError(
            f"The {split} tf.data set gives dicts of {', '.join(map(repr, spec))}: map them to pairs, for example "
            ".map(lambda e: (e['image'], e['label']))."
        )
    size = f"tuples of {len(spec)}" if isinstance(spec, tuple) else type(spec).__name__
    raise checks.InputError(
        f"The {split} tf.data set must give pairs (input, target), or (input, target, sample_weight). It gives {size}: {str(spec)[:200]}"
    )


def _part(element, key):
    if key is None:
        return None
    if key == ():
        return element
    if isinstance(key, tuple):
        return {k: element[k] for k in key}
    return element[key]


def _batches(split, dataset, flat):
    """The batches of a `tf.data` set, of NumPy arrays; of single examples of several shapes, one list."""
    is_batched = _is_batched(split, flat)
    has_one_shape = is_batched or all(spec.shape.is_fully_defined() for spec in flat)
    if not is_batched and has_one_shape:
        dataset = dataset.batch(1024)
    try:
        found = list(dataset.as_numpy_iterator())
    except tf.errors.OpError as error:
        raise checks.InputError(
            f"The {split} tf.data set fails while it is read: {_plainly(error)}"
        ) from error
    if not found:
        raise checks.InputError(f"The {split} tf.data set is empty.")
    if is_batched or has_one_shape:
        return found
    lists = [list(values) for values in zip(*map(tf.nest.flatten, found))]
    return [tf.nest.pack_sequence_as(dataset.element_spec, lists)]


def _plainly(error):
    """What an error of TensorFlow says, without the names of its nodes."""
    return (
        re.sub(r"\{\{.*?\}\} *|\[\[.*?\]\]", "", str(error.message))
        .strip()
        .partition("\n")[0][:300]
    )


def _is_batched(split, flat):
    """Whether a `tf.data` set of these specs gives batches, which begin with the same size: none that is known."""
    ranks = [spec.shape.rank for spec in flat]
    if None in ranks:
        raise checks.InputError(
            f"The {split} tf.data set does not say how many dimensions its tensors have: say it with tf.ensure_shape in a map()."
        )
    if 0 in ranks:
        return False
    sizes = {spec.shape[0] for spec in flat}
    if len(flat) > 1 and len(sizes) == 1 and None not in sizes:
        shapes = [str(spec.shape) for spec in flat]
        raise checks.InputError(
            f"The {split} tf.data set gives inputs of shape {shapes[0]} and targets of shape {shapes[-1]}, batches or single "
            "examples: write .batch(32) after single ones, leave drop_remainder=True out of batch()."
        )
    return sizes == {None}


def of_tfds(split, data, info):
    """Data and description as `tfds.load(..., with_info=True)` gives them."""
    if not isinstance(data, tf.data.Dataset):
        raise checks.InputError(
            f"The {split} data are several splits and their description: pass one as data, (d, info), another as test=(e, info)."
        )
    features = dict(info.features)
    key = (info.supervised_keys or (None, None))[1]
    wanted = [features[key]] if key in features else features.values()
    names = [found for feature in wanted if (found := getattr(feature, "names", None))]
    return of_dataset(split, data, tuple(names[0]) if len(names) == 1 else ())

"""Targets brought to ids or numbers, checked, and prepared for a model; what tasks share."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from zoo.data import examples, labels, once
from zoo.data.kinds import numbers
from zoo.models import checks


class Unchanged:
    """Targets that a model learns as they are stored; also what every other preparation of targets offers.

    Args:
        splits: The `Splits`; a preparation's statistics come from `train` alone.
        arguments: What the targets say about the model, for its builder; default: `num_classes`.
    """

    steps = ()  # in words, for the card

    def __init__(self, splits, arguments=None):
        width = {"num_classes": splits.info.num_outputs}
        self.arguments = width if arguments is None else arguments

    def prepared(self, features, targets, raw):
        """A batch of prepared inputs, targets and raw inputs → what `fit` takes: (inputs, targets)."""
        return features, targets

    def restored(self, outputs, raw=None):
        """A model's outputs in the units of the targets; `raw` are the inputs that they belong to."""
        return outputs


class Standardised(Unchanged):
    """Numbers minus their mean, divided by their standard deviation, both of the training split; of several each by its own.

    Args:
        splits: The `Splits`.
        of: Split → its numbers; default: its targets.
    """

    def __init__(self, splits, of=None):
        super().__init__(splits)
        numbers, names = of(splits) if of else splits.targets("train"), splits.info.target_names
        self.mean, self.std = _mean_and_std(numbers, axis=0 if names else None)
        # float32 cannot tell such numbers apart, so they keep float64, and so do the answers.
        self.is_precise = numbers.dtype == np.float64 and of is None
        digits = 15 if self.is_precise else 6
        self.steps = tuple(
            f"{name and name + ': '}predictions multiplied by {std:.6g}, plus {mean:.{digits}g}"
            for name, mean, std in zip(names or ("",), *map(np.atleast_1d, (self.mean, self.std)))
            if std != 1.0
        )

    def prepared(self, features, targets, raw):
        if np.all(self.mean == 0.0) and np.all(self.std == 1.0):
            return features, targets
        if self.is_precise:
            changes = tf.cast(targets, "float64") - self.mean
            return features, tf.cast(changes / self.std, "float32")
        return features, (keras.ops.cast(targets, "float32") - self.mean) / self.std

    def restored(self, outputs, raw=None):
        if self.is_precise:
            outputs = keras.ops.cast(outputs, "float64")
        return outputs * self.std + self.mean


def _mean_and_std(values, axis=None):
    """Mean and standard deviation, 1 in place of 0: two floats, or along an axis float64 `[K]`."""
    mean, std = values.mean(axis, dtype="float64"), values.std(axis, dtype="float64")
    std = np.where(std == 0, 1.0, std)
    return (float(mean), float(std)) if axis is None else (mean, std)


# Each of the following takes the training targets, and the titles of their columns where there are some. It returns the
# names of the classes, of the labels or of several numbers, and a function from a part of the caller's data (`split`, `y`) to its
# targets.


def check_rank(targets):
    """Raises `InputError` for targets of more than two dimensions, or of no column."""
    if targets.ndim > 2:
        raise checks.InputError(
            f"Targets have shape {targets.shape}, as of one target for each pixel or step, which no task here learns: pass one class, "
            "number or text for each example, (N,), or several numbers or labels, (N, K)."
        )
    if targets.ndim == 2 and targets.shape[1] == 0:
        raise checks.InputError(f"Targets have shape {targets.shape}, so there are none.")


def of_classes(targets, titles=None):
    """Class ids, int64 `[N]`, of texts, of whole numbers or of one-hot rows."""
    check_rank(targets)
    return _one_hot(targets) if _are_several(targets) else _classes(targets)


def of_numbers(targets, titles=None):
    """Numbers, float32 `[N]`, or `[N, K]` of several; float64 where they are large and differ by little."""
    check_rank(targets)
    targets = _read_numbers("train", targets)
    for column in targets.reshape(len(targets), -1).T:
        numbers.warn_of_placeholder("targets", column)
    is_precise = any(map(_is_precise, targets.reshape(len(targets), -1).T))
    dtype = "float64" if is_precise else "float32"
    if dtype == "float64":
        examples.log.info(
            "targets: large numbers that differ by little, learned and answered in float64"
        )
    if not _are_several(targets):

        def to_numbers(part):
            own = dataclasses.replace(part, y=_read_numbers(part.split, part.y))
            return _one_each(own, targets).astype(dtype)

        return (), to_numbers
    names = _names(titles, targets.shape[1])
    if double := sorted({name for name in names if names.count(name) > 1}):
        raise checks.InputError(
            f"Two targets have the same name, {double[0]!r}: give each its own."
        )

    def to_rows(part):
        y = _read_numbers(part.split, part.y)
        if y.shape[1:] != targets.shape[1:]:
            raise checks.InputError(
                f"The {part.split} targets must be rows of {len(names)} numbers, as the train targets are. Received: {part.y.dtype} of "
                f"shape {part.y.shape}."
            )
        return y.astype(dtype)

    return names, to_rows


def _read_numbers(split, targets):
    """Targets that are texts, such as those of a file that was read by hand, as the numbers that they say."""
    if targets.dtype.kind in "fiub":
        return targets
    found = []
    for i, text in enumerate(targets.reshape(-1)):
        text = text.decode(errors="replace") if isinstance(text, bytes) else text
        try:
            found.append(float(text))
        except (TypeError, ValueError):
            wanted = "A regression needs numbers as targets."
            if split != "train":
                wanted = (
                    f"The {split} targets must be one number per example, as the train targets are."
                )
            row = i // (targets.size // len(targets))
            raise checks.InputError(
                f"{wanted} Received {str(text)[:50]!r} in {split} example {row}."
            ) from None
    return np.array(found).reshape(targets.shape)


def _are_several(targets):
    return targets.ndim == 2 and targets.shape[1] > 1


def _names(titles, width):
    """The titles of so many columns of targets, where they have some; otherwise their numbers."""
    is_named = isinstance(titles, (tuple, list)) and len(titles) == width
    return tuple(map(str, titles if is_named else range(width)))


def _is_precise(targets):
    """Whether float32 loses more than a ten-thousandth of what numbers differ by, as of seconds since 1970 within a day."""
    values = targets.astype("float64")
    values = values[np.isfinite(values)]
    if not len(values) or np.abs(values).max() > np.finfo("float32").max:
        return False
    return np.spacing(np.float32(np.abs(values).max())) > 1e-4 * values.std() > 0


def of_answers(targets, titles=None):
    """Texts, object `[N]`."""
    return (), lambda part: part.y.astype(str).astype(object).reshape(-1)


def of_labels(targets, titles=None):
    """Rows of 0 and 1, float32 `[N, K]`."""
    if targets.ndim != 2 or not is_zero_or_one(targets):
        raise checks.InputError(
            f"A multi-label task needs rows of 0 and 1 as targets, (examples, labels). Received: {targets.dtype} of "
            f"shape {targets.shape}."
        )
    width = targets.shape[1]

    def to_rows(part):
        _same_width(part, width)
        return part.y.astype("float32")

    return _names(titles, width), to_rows


def is_zero_or_one(targets):
    """Whether an array holds nothing but 0 and 1."""
    return targets.dtype.kind in "fiub" and np.isin(targets, (0, 1)).all()


def _same_width(part, width):
    if part.y.ndim != 2 or part.y.shape[1] != width or not is_zero_or_one(part.y):
        raise checks.InputError(
            f"The {part.split} targets must be rows of {width} zeros and ones. Received: shape {part.y.shape}."
        )


def _one_hot(targets):
    if not is_zero_or_one(targets) or (targets.sum(1) != 1).any():
        raise checks.InputError(
            f"One-hot targets need exactly one 1 in each row. Received: shape {targets.shape}; for several labels per "
            "example pass task='multilabel'."
        )
    examples.log.info("targets of shape %s are one-hot: taken as class ids", targets.shape)

    def to_ids(part):
        _same_width(part, targets.shape[1])
        return part.y.argmax(1).astype("int64")

    return tuple(map(str, range(targets.shape[1]))), to_ids


def _classes(targets):
    if targets.dtype.kind == "f" and (targets != np.round(targets)).any():
        raise checks.InputError(
            "Class labels must be whole numbers or strings; these have fractions. "
            "For a regression pass task='regression'."
        )
    found, at = different(targets)
    classes, spelled = labels.spellings(found, np.bincount(at))
    if classes.dtype.kind in "iu" and classes[0] == 0 and classes[-1] < 2 * len(classes):
        # Ids already, as they begin with 0: a class that train happens to miss keeps its number.
        classes = np.arange(int(classes[-1]) + 1)

    def to_ids(part):
        y = _one_each(part, targets)
        if targets.dtype.kind == "b" and y.dtype.kind in "iuf" and is_zero_or_one(y):
            y = y.astype(bool)
        y, at = different(y)
        y = spelled(y)
        unknown = np.setdiff1d(y, classes)
        if len(unknown):
            raise checks.InputError(
                f"The {part.split} targets have classes that the train targets lack: {unknown[:5].tolist()}"
            )
        return np.searchsorted(classes, y).astype("int64")[at]

    labels.warn_of_several(list(map(str, classes)))
    return tuple(map(str, classes)), to_ids


def _one_each(part, train):
    """A part's targets as `[N]`; raises `InputError` unless they are numbers, or texts, as those of train are."""
    y, as_numbers = part.y, train.dtype.kind in "fiub"
    if y.size != len(y) or (y.dtype.kind in "fiub") != as_numbers:
        raise checks.InputError(
            f"The {part.split} targets must be one {'number' if as_numbers else 'text'} per example, as the train targets "
            f"are. Received: {y.dtype} of shape {y.shape}."
        )
    return y.reshape(-1)


def different(targets):
    """The different labels, as integers or strings, in order; and which of them each target is, int64 `[N]`."""
    targets, at = targets.reshape(-1), None
    if targets.dtype.kind == "b":
        targets = np.array(["False", "True"])[targets.astype(int)]
    elif targets.dtype.kind == "f":
        targets = targets.astype("int64")
    elif targets.dtype.kind in "OUST":
        found = once.texts_of(targets)
        at, texts = (
            (found.codes, found.texts) if found and found.texts else (None, targets.tolist())
        )
        texts = [v.decode() if isinstance(v, bytes) else str(v) for v in texts]
        targets = np.array([text.strip() for text in texts])
    labels, places = np.unique(targets, return_inverse=True)
    return labels, places if at is None else places[at]

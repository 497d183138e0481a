"""Targets brought to ids or numbers, checked, and prepared for a model; what tasks share."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from zoo.data import examples, labels
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
    """Numbers minus their mean, divided by their standard deviation, both of the training split.

    Args:
        splits: The `Splits`.
        of: Split → its numbers; default: its targets.
    """

    def __init__(self, splits, of=None):
        super().__init__(splits)
        numbers = of(splits) if of else splits.targets("train")
        self.mean, self.std = _mean_and_std(numbers)
        # float32 cannot tell such numbers apart, so they keep float64, and so do the answers.
        self.is_precise = numbers.dtype == np.float64 and of is None
        if self.std != 1.0:
            self.steps = (
                f"predictions multiplied by {self.std:.6g}, plus {self.mean:.{15 if self.is_precise else 6}g}",
            )

    def prepared(self, features, targets, raw):
        if (self.mean, self.std) == (0.0, 1.0):
            return features, targets
        if self.is_precise:
            changes = tf.cast(targets, "float64") - self.mean
            return features, tf.cast(changes / self.std, "float32")
        return features, (keras.ops.cast(targets, "float32") - self.mean) / self.std

    def restored(self, outputs, raw=None):
        if self.is_precise:
            outputs = keras.ops.cast(outputs, "float64")
        return outputs * self.std + self.mean


def _mean_and_std(values):
    return float(values.mean(dtype="float64")), float(values.std(dtype="float64")) or 1.0


# Each of the following takes the training targets, and the titles of their columns where there are some. It returns the
# labels' names, and a function from a part of the caller's data (`split`, `y`) to its targets.


def of_classes(targets, titles=None):
    """Class ids, int64 `[N]`, of texts, of whole numbers or of one-hot rows."""
    if targets.ndim > 1 and targets.shape[1] > 1:
        return _one_hot(targets)
    _check_one_each(targets, "classification")
    return _classes(targets)


def of_numbers(targets, titles=None):
    """Numbers, float32 `[N]`; float64 where they are large and differ by little."""
    _check_one_each(targets, "regression")
    targets = _read_numbers("train", targets)
    dtype = "float64" if _is_precise(targets) else "float32"
    if dtype == "float64":
        examples.log.info(
            "targets: large numbers that differ by little, learned and answered in float64"
        )

    def to_numbers(part):
        own = dataclasses.replace(part, y=_read_numbers(part.split, part.y))
        return _one_each(own, targets).astype(dtype)

    return (), to_numbers


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
            raise checks.InputError(
                f"A regression needs numbers as targets. Received {str(text)[:50]!r} in {split} example {i}."
            ) from None
    return np.array(found)


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
    is_named = isinstance(titles, (tuple, list)) and len(titles) == width

    def to_rows(part):
        _same_width(part, width)
        return part.y.astype("float32")

    return tuple(map(str, titles if is_named else range(width))), to_rows


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


def _check_one_each(targets, task):
    if targets.ndim > 2 or (targets.ndim == 2 and targets.shape[1] != 1):
        raise checks.InputError(
            f"A {task} needs one target per example. Received targets of shape {targets.shape}."
        )


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
        at, texts = examples.texts_once(targets) or (None, targets.tolist())
        texts = [v.decode() if isinstance(v, bytes) else str(v) for v in texts]
        targets = np.array([text.strip() for text in texts])
    labels, places = np.unique(targets, return_inverse=True)
    return labels, places if at is None else places[at]


def check_finite(splits, info):
    """Raises `InputError` for a target that is NaN or infinite.

    Args:
        splits: Dict from split to `Arrays`.
        info: The `DataInfo`.
    """
    for split, data in splits.items():
        if data.targets.dtype.kind == "f" and not np.isfinite(data.targets).all():
            row = int(np.argwhere(~np.isfinite(data.targets))[0][0])
            raise checks.InputError(
                f"The targets of the {split} split of {info.name} hold NaN or infinity, first in example {row}: drop those "
                "examples."
            )


def check_numbers(splits, info):
    """Raises `InputError` for numbers that are not finite, or all the same in train."""
    check_finite(splits, info)
    check_they_differ(splits, info)


def check_they_differ(splits, info):
    """Raises `InputError` where all training targets are the same number."""
    targets = splits["train"].targets if "train" in splits else np.arange(2)
    if (targets == targets.flat[0]).all():
        raise checks.InputError(
            f"All targets of the train split of {info.name} are {targets.flat[0]}: there is nothing to learn."
        )


def check_zero_or_one(splits, info):
    """Raises `InputError` for a label that is neither 0 nor 1."""
    for split, data in splits.items():
        if not np.isin(data.targets, (0, 1)).all():
            raise checks.InputError(
                f"The multi-label targets of the {split} split of {info.name} must be 0 or 1."
            )


def check_ids(splits, info):
    """Raises `InputError` for class ids out of range, and where validation or test hold classes that train has not.

    Warns of classes that no training example has.
    """
    present = {split: np.unique(data.targets) for split, data in splits.items()}
    for split, ids in present.items():
        if ids[0] < 0 or ids[-1] >= len(info.labels):
            raise checks.InputError(
                f"Labels of the {split} split of {info.name} run from {ids[0]} to {ids[-1]}, but there are "
                f"{len(info.labels)} classes: labels must be in 0..{len(info.labels) - 1}."
            )
    if "train" not in present:
        return
    train = present["train"]
    if len(train) == 1:
        raise checks.InputError(
            f"The train split of {info.name} holds one class only ({info.labels[train[0]]!r}): there is nothing to "
            "tell apart."
        )
    for split in set(present) - {"train"}:
        unseen = [info.labels[i] for i in np.setdiff1d(present[split], train)]
        if unseen:
            raise checks.InputError(
                f"The {split} split of {info.name} holds classes without a training example: "
                f"{_some(unseen)}. Add training examples of them, or leave them out."
            )
    missing = [info.labels[i] for i in np.setdiff1d(np.arange(len(info.labels)), train)]
    if missing:
        examples.log.warning(
            "no training example of the classes %s: the model has outputs for them that never learn",
            _some(missing),
        )


def _some(names):
    return ", ".join(map(repr, names[:5])) + (f", ... ({len(names)})" if len(names) > 5 else "")

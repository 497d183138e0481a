"""Weights of examples: how they come with the data, and what they must be."""

import dataclasses

import numpy as np

from zoo.data import examples
from zoo.data.kinds import objects
from zoo.data.user import pairs
from zoo.models import checks

USUAL = (0.1, 10.0)  # means of weights that leave the learning rate what it is


@dataclasses.dataclass(frozen=True)
class Weighted:
    """Data in memory, with the weights of their examples beside them.

    Attributes:
        data: A split in a form that `forms.read` knows.
        weights: A number for each example, in their order.
    """

    data: object
    weights: object


def apart(data):
    """Data without the weights that were passed beside them or third in a tuple, and these weights; `None` without."""
    if isinstance(data, Weighted):
        _, twice = apart(data.data)
        if twice is not None:
            raise checks.InputError(
                "The data bring weights of their examples, (x, y, sample_weight), and sample_weight=... gives others: pass one of them."
            )
        return data.data, data.weights
    if isinstance(data, tuple) and len(data) == 3 and not _are_splits(data):
        return data[:2], data[2]
    return data, None


def _are_splits(parts):
    """Whether three things are splits, and not inputs, targets and weights."""
    return any(isinstance(part, tuple) or hasattr(part, "element_spec") for part in parts)


def of(split, form, beside, title, target=()):
    """The weights of a split's examples, float64 `[N]`, or `None`.

    Args:
        split: Its name.
        form: A DataFrame, or a `Pair`.
        beside: The weights that were passed beside the data, or `None`.
        title: Title of the column that holds them, or `None`.
        target: Titles of the targets.

    Raises:
        InputError: They are not one number for each example, or come twice.
    """
    if title is not None and title in target:
        raise checks.InputError(
            f"sample_weight={title!r} is the target: name another column, or leave it out."
        )
    given = form.weights if isinstance(form, pairs.Pair) else None
    table = form.x if isinstance(form, pairs.Pair) else form
    in_column = title is not None and objects.is_frame(table)
    if in_column and split == "train":
        checks.one_of("column in sample_weight", title, list(table.columns))
    in_column = in_column and title in table.columns
    found = [v for v in (beside, given, table[title] if in_column else None) if v is not None]
    if len(found) > 1:
        raise checks.InputError(
            f"The {split} data bring weights of their examples, and sample_weight gives others: pass one of them."
        )
    if not found:
        return None
    return _numbers(split, found[0], len(table))


def _numbers(split, values, count):
    what = f"The weights of the {split} examples (sample_weight)"
    values = objects.plain(what, values)
    values = values.to_numpy() if objects.is_frame(values) else np.asarray(values)
    try:
        numbers = values.astype("float64")
    except (TypeError, ValueError) as error:
        raise checks.InputError(f"{what} must be numbers. Received: {values.dtype}") from error
    if numbers.size != len(numbers) or len(numbers) != count:
        raise checks.InputError(
            f"{what} must be one number for each of the {count} examples, of shape ({count},). Received: shape {values.shape}."
        )
    return numbers.reshape(-1)


def problems(weights):
    """Why weights cannot be used: dict from the reason to the examples that it is true of, bool `[N]`."""
    if weights is None:
        return {}
    return {
        "its sample_weight is missing": np.isnan(weights),
        "its sample_weight is infinite": np.isinf(weights),
        "its sample_weight is negative": weights < 0,
    }


def check_none(data, options, row):
    """Raises `InputError` for data that bring weights, or options that name their column, where the task has no use for them."""
    if options.sample_weight or isinstance(data, Weighted):
        raise _no_use_for(row)


def _no_use_for(row):
    return checks.InputError(
        f"sample_weight is for classes, labels and numbers; this task is {row.name}. Leave it out."
    )


def check(parts, row):
    """Raises `InputError` for weights that the task has no use for, or that are all 0; logs what they are.

    Args:
        parts: Dict from split to `Part`.
        row: The row of the task.
    """
    weights = parts["train"].weights
    weighed = [split for split, part in parts.items() if part.weights is not None]
    if not weighed:
        return
    if not row.weighs_examples:
        raise _no_use_for(row)
    if weights is None:
        raise checks.InputError(
            f"The {' and '.join(weighed)} data bring weights of their examples, and the train data none: pass them for train, too."
        )
    for split in weighed:
        if not parts[split].weights.any():
            raise checks.InputError(
                f"All weights of the {split} examples are 0: none of them would count."
            )
    mean = weights.mean()
    examples.log.info(
        "examples are weighed, %s: from %.4g to %.4g, mean %.4g; the loss and weighted metrics count them so, the test scores each alike",
        " and ".join(weighed), weights.min(), weights.max(), mean,
    )  # fmt: skip
    if not USUAL[0] <= mean <= USUAL[1]:
        examples.log.warning(
            "the weights of the training examples have the mean %.3g, and loss and gradients grow with it: divide them by their mean to "
            "keep what the learning rate is", mean,
        )  # fmt: skip

"""Refuses targets that no model can be trained or judged on, before any training."""

import numpy as np

from zoo.data import examples
from zoo.models import checks


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
    """Raises `InputError` where all training targets are the same number; of several, those of one name."""
    targets = splits["train"].targets if "train" in splits else np.arange(2)
    if info.target_names and "train" in splits:
        same = np.flatnonzero((targets == targets[:1]).all(0))
        if same.size:
            raise checks.InputError(
                f"The target {info.target_names[same[0]]!r} is {targets[0, same[0]]} in all of the train split of {info.name}: there is "
                "nothing to learn of it. Leave it out."
            )
    elif (targets == targets.flat[0]).all():
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
    for split in [name for name in present if name != "train"]:
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

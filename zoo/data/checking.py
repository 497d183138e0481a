"""What is refused before any training: examples that would train to nonsense without an error of Keras's."""

import hashlib

import numpy as np

from zoo.data import sources
from zoo.models import checks


def check_splits(splits, info):
    """Raises `InputError` for the first split that cannot be trained or judged on; warns of what is only odd.

    Args:
        splits: Dict from split to `Arrays` or `Stream`. A stream's labels are checked as it is read.
        info: The `DataInfo`.
    """
    for name, data in splits.items():
        if len(data) == 0:
            raise checks.InputError(
                f"The {name} split of {info.name} is empty: pass more examples."
            )
        if isinstance(data, sources.Arrays):
            _check_inputs(name, data, info)
            _check_targets(name, data, info)
    present = {
        name: np.unique(data.targets)
        for name, data in splits.items()
        if isinstance(data, sources.Arrays) and info.task == "classification"
    }
    if "train" in present:
        _check_classes(present, info)


def _check_inputs(split, data, info):
    columns = data.inputs if isinstance(data.inputs, dict) else {"inputs": data.inputs}
    for name, values in columns.items():
        if values.dtype.kind != "f":
            continue
        # The gaps of a table with column kinds are filled by its preparation.
        bad = np.isinf(values) if info.column_kinds else ~np.isfinite(values)
        if bad.any():
            first = np.argwhere(bad)[0]
            what = (
                f"column {info.columns[first[1]]!r}" if info.columns and values.ndim == 2 else name
            )
            raise checks.InputError(
                f"The {split} split of {info.name} holds NaN or infinity, first in example {first[0]} ({what}): "
                "fill in or drop such examples."
            )


def _check_targets(split, data, info):
    targets, where = data.targets, f"the {split} split of {info.name}"
    if targets.dtype.kind == "f" and not np.isfinite(targets).all():
        row = int(np.argwhere(~np.isfinite(targets))[0][0])
        raise checks.InputError(
            f"The targets of {where} hold NaN or infinity, first in example {row}: drop those examples."
        )
    if info.task == "classification":
        low, high = targets.min(), targets.max()
        if low < 0 or high >= len(info.labels):
            raise checks.InputError(
                f"Labels of {where} run from {low} to {high}, but there are {len(info.labels)} classes: labels must "
                f"be in 0..{len(info.labels) - 1}."
            )
    elif info.task == "multilabel" and not np.isin(targets, (0, 1)).all():
        raise checks.InputError(f"The multi-label targets of {where} must be 0 or 1.")
    elif (
        info.task in ("regression", "forecasting")
        and split == "train"
        and (targets == targets.flat[0]).all()
    ):
        raise checks.InputError(
            f"All targets of {where} are {targets.flat[0]}: there is nothing to learn."
        )


def _check_classes(present, info):
    """Looks at which classes each split holds."""
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
        sources.log.warning(
            "no training example of the classes %s: the model has outputs for them that never learn",
            _some(missing),
        )


def _some(names):
    return ", ".join(map(repr, names[:5])) + (f", ... ({len(names)})" if len(names) > 5 else "")


def without_repeats(splits, *, name, given, skip_bad=False, row="example {}".format):
    """Leaves out of train what is in validation or test as well.

    Where train holds each input more than twenty times, few different ones are possible, and all stay.

    Args:
        splits: Dict from split to `Arrays`.
        name: Name of the data.
        given: Whether the caller made the splits: a repeat is then an error, unless `skip_bad`.
        skip_bad: Leave repeats out of train in any case.
        row: Says where the training example of a number is.

    Returns:
        The splits.

    Raises:
        InputError: The caller's own splits share examples.
    """
    judged = {}
    for split in ("validation", "test"):
        if split in splits:
            judged |= dict.fromkeys(_keys(splits[split].inputs), split)
    keys = list(_keys(splits["train"].inputs))
    shared = {i: judged[key] for i, key in enumerate(keys) if key in judged}
    if not shared:
        return splits
    first, split = next(iter(shared.items()))
    if given and not skip_bad:
        raise checks.InputError(
            f"{len(shared)} training examples of {name} are in validation or test too, first {row(first)} "
            f"(in {split}): the score would flatter.\nTake them out of one split, or pass skip_bad (--skip-bad) to "
            "leave them out of train."
        )
    repeat = "%d of %d training examples repeat an example of validation or test: "
    counts = len(shared), len(keys)
    if not given and len(keys) > 20 * len(set(keys)):
        sources.log.warning(repeat + "few inputs differ at all, so all stay", *counts)
        return splits
    sources.log.warning(repeat + "left out of train", *counts)
    keep = np.setdiff1d(np.arange(len(splits["train"])), list(shared))
    return {**splits, "train": splits["train"].take(keep)}


def _keys(inputs):
    """A short key for the inputs of each example; equal inputs have equal keys."""
    if isinstance(inputs, dict):
        rows = (repr(row).encode() for row in zip(*inputs.values(), strict=True))
    elif inputs.dtype == object:
        rows = (str(text).encode() for text in inputs)
    else:
        rows = (row.tobytes() for row in inputs)
    return [hashlib.blake2b(row, digest_size=16).digest() for row in rows]

"""Repeats: training examples that are in validation or test as well. Chance makes some, a leak makes others."""

import numpy as np

from zoo.data import examples, kinds, once
from zoo.models import checks

MOST = 0.05  # share of train that is left out without asking
SLACK = 10  # values of real columns go together, so that rows repeat more often than independent ones would
FEW = 3  # columns that are looked at first
SHORT = 40  # characters of a text, on average, up to which two people may well write the same


def removed(splits, info, how="auto", *, skip_bad=False):
    """Leaves out of train what is in validation or test as well, unless chance explains it.

    Chance does where few different inputs are possible: the answers to three questions, single words, short requests. Images, long texts and
    rows of many different values repeat for another reason, and a score on them would flatter. A set of a name keeps its
    published examples, and the windows of a series share steps by design.

    Args:
        splits: Dict from split to examples.
        info: The `DataInfo`.
        how: `"auto"`, `"keep"` or `"drop"`; `"auto"` stops where more than `MOST` of train would go.
        skip_bad: With `"auto"`: leave them out in place of stopping.

    Returns:
        The splits.

    Raises:
        InputError: More examples repeat than chance explains, and than are left out without asking.
    """
    is_own = info.source == examples.DataInfo.source
    is_known = all(data.is_indexed for data in splits.values())
    if how == "keep" or not (is_own and is_known) or kinds.kind(info.kind).is_ordered:
        return splits
    train = splits["train"]
    found = {split: _shared(train, splits[split]) for split in ("test", "validation") if split in splits}  # fmt: skip
    is_shared = np.any(list(found.values()), 0)
    if not is_shared.any():
        return splits
    counts = int(is_shared.sum()), train.count
    told = "%d of %d training examples repeat an example of validation or test"
    if how == "auto":
        others = sum(data.count for split, data in splits.items() if split != "train")
        if counts[0] <= SLACK * train.count * others / _possible(train, info):
            examples.log.info(
                told + ": as many as chance explains, since few different ones are possible, so all stay", *counts
            )  # fmt: skip
            return splits
        if counts[0] > MOST * counts[1] and not skip_bad:
            first = int(np.argmax(is_shared))
            split = next(split for split, rows in found.items() if rows[first])
            raise checks.InputError(
                f"{told % counts}, first {train.where(first)} (in {split}): more than chance explains, so the score would "
                "flatter.\nTo leave them out of train pass repeats='drop' (--repeats drop); where they are independent "
                "observations, repeats='keep'."
            )
    examples.log.warning(told + ": left out of train", *counts)
    return {**splits, "train": train.take(np.flatnonzero(~is_shared))}


def _shared(train, judged):
    """Which examples of train are in another split as well, bool `[N]`."""
    inputs = getattr(train, "inputs", None)
    columns = inputs if isinstance(inputs, dict) else {}
    if len(columns) <= FEW or any(getattr(v, "ndim", 2) > 1 for v in columns.values()):
        return _among(train.keys(), judged.keys())
    # A few columns tell most rows apart, numbers above all; only rows that are alike in these are compared as a whole.
    few = sorted(columns, key=lambda name: columns[name].dtype.kind != "f")[:FEW]
    of_train, of_judged = train.keys(few), judged.keys(few)
    rows = np.flatnonzero(_among(of_train, of_judged))
    others = np.flatnonzero(_among(of_judged, of_train[rows]))
    found = np.zeros(train.count, bool)
    found[rows] = _among(train.take(rows).keys(), judged.take(others).keys())
    return found


def _among(keys, others):
    """Which of some keys of examples are among others, bool `[N]`."""
    if isinstance(keys, np.ndarray):
        import pandas as pd

        return pd.Series(keys).isin(others).to_numpy()
    known = set(others)
    return np.array([key in known for key in keys], bool)


def _possible(train, info):
    """About how many different inputs are possible, from the values that each column has; without bound for others."""
    kind = kinds.kind(info.kind)
    if info.parts:
        return np.prod([_possible(train.of_input(name), own) for name, own in info.parts.items()])
    if kind.is_drawn:
        return np.inf
    if kind.is_quoted:
        texts = set(map(str, train.inputs))
        return len(texts) if np.mean([len(text) for text in texts]) <= SHORT else np.inf
    columns = (
        train.inputs.values()
        if isinstance(train.inputs, dict)
        else train.inputs.reshape(train.count, -1).T
    )
    possible = 1
    for column in columns:
        is_text = column.dtype == object
        possible *= len(once.texts_of(column).texts if is_text else np.unique(column))
        if possible > SLACK * train.count**2:  # not even one repeat is to be expected
            return np.inf
    return possible

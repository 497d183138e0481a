"""Targets as callers write them, strings, any integers, one-hot, several labels, brought to ids or numbers."""

import numpy as np

from zoo.data import sources
from zoo.models import checks

TASKS = ("classification", "multilabel", "regression", "translation")


def guess_task(targets):
    """Tells the task from the training targets.

    Raises:
        InputError: They could be classes or numbers.
    """
    if targets.ndim > 1 and targets.shape[1] > 1:
        if not _is_zero_or_one(targets):
            raise checks.InputError(
                f"Targets have shape {targets.shape}: expected one per example, or rows of 0 and 1 (one-hot, or several "
                "labels)."
            )
        return "classification" if (targets.sum(1) == 1).all() else "multilabel"
    if targets.dtype.kind == "f" and (targets != np.round(targets)).any():
        return "regression"
    values = len(np.unique(targets)) if targets.dtype.kind in "fiu" else 0
    if values > max(20, len(targets) // 20):
        raise checks.InputError(
            f"The {len(targets)} targets are whole numbers of {values} different values: say what they are, "
            "task='regression' or task='classification' (--task)."
        )
    return "classification"


def is_missing(targets):
    """Whether each target is missing, bool [N]: NaN, None or an empty text."""
    if targets.dtype.kind in "iub":
        return np.zeros(len(targets), bool)
    if targets.dtype.kind == "f":
        return np.isnan(targets.reshape(len(targets), -1)).any(1)
    flat = targets.reshape(len(targets), -1)
    missing = [any(v is None or v != v or v in ("", b"") for v in row) for row in flat.tolist()]
    return np.array(missing, bool)


def convert(task, targets, titles=None):
    """Returns the classes' names, and a function from a part (`split`, `y`) to ids, rows of 0 and 1, or numbers.

    Args:
        task: One of `TASKS`.
        targets: The training targets.
        titles: The labels' names for a multi-label task.
    """
    checks.one_of("task", task, TASKS)
    if task == "translation":
        return (), lambda part: part.y.astype(str).astype(object).reshape(-1)
    if task == "multilabel":
        return _multilabel(targets, titles)
    if targets.ndim > 1 and targets.shape[1] > 1 and task == "classification":
        return _one_hot(targets)
    if targets.ndim > 2 or (targets.ndim == 2 and targets.shape[1] != 1):
        raise checks.InputError(
            f"A {task} needs one target per example. Received targets of shape {targets.shape}."
        )
    return _numbers(targets) if task == "regression" else _classes(targets)


def _is_zero_or_one(targets):
    return targets.dtype.kind in "fiub" and np.isin(targets, (0, 1)).all()


def _same_width(part, width):
    if part.y.ndim != 2 or part.y.shape[1] != width or not _is_zero_or_one(part.y):
        raise checks.InputError(
            f"The {part.split} targets must be rows of {width} zeros and ones. Received: shape {part.y.shape}."
        )


def _multilabel(targets, titles):
    if targets.ndim != 2 or not _is_zero_or_one(targets):
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


def _one_hot(targets):
    if not _is_zero_or_one(targets) or (targets.sum(1) != 1).any():
        raise checks.InputError(
            f"One-hot targets need exactly one 1 in each row. Received: shape {targets.shape}; for several labels per "
            "example pass task='multilabel'."
        )
    sources.log.info("targets of shape %s are one-hot: taken as class ids", targets.shape)

    def to_ids(part):
        _same_width(part, targets.shape[1])
        return part.y.argmax(1).astype("int64")

    return tuple(map(str, range(targets.shape[1]))), to_ids


def _numbers(targets):
    if targets.dtype.kind not in "fiub":
        raise checks.InputError(f"A regression needs numbers as targets. Received: {targets.dtype}")
    return (), lambda part: part.y.reshape(-1).astype("float32")


def _classes(targets):
    if targets.dtype.kind == "f" and (targets != np.round(targets)).any():
        raise checks.InputError(
            "Class labels must be whole numbers or strings; these have fractions. "
            "For a regression pass task='regression'."
        )
    classes = np.unique(_plain(targets))
    if classes.dtype.kind in "iu" and classes[0] >= 0 and classes[-1] < 2 * len(classes):
        # Ids already: a class that train happens to miss keeps its number.
        classes = np.arange(classes[-1] + 1)

    def to_ids(part):
        y = _plain(part.y)
        unknown = np.setdiff1d(y, classes)
        if len(unknown):
            raise checks.InputError(
                f"The {part.split} targets have classes that the train targets lack: {unknown[:5].tolist()}"
            )
        return np.searchsorted(classes, y).astype("int64")

    return tuple(map(str, classes)), to_ids


def _plain(targets):
    """Labels as integers or strings."""
    targets = targets.reshape(-1)
    if targets.dtype.kind in "fb":
        return targets.astype("int64")
    if targets.dtype.kind in "OUST":
        return np.array([v.decode() if isinstance(v, bytes) else str(v) for v in targets.tolist()])
    return targets

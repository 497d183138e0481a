"""The caller's own targets, as they are written: which task they are for, which of them cannot be used."""

import decimal
import numbers
import re

import numpy as np

from zoo.data import examples, once
from zoo.data import labels as spelling
from zoo.data.kinds import dates, units
from zoo.data.user import pairs
from zoo.models import checks
from zoo.tasks.targets import check_rank, is_zero_or_one


def guess_task(targets, shape=()):
    """Tells the task from the training targets.

    Args:
        targets: An array.
        shape: That of the inputs, where they are one array.

    Raises:
        InputError: They could be classes or numbers, or one class for each step of the inputs.
    """
    check_rank(targets)
    _check_steps(targets, shape)
    if targets.ndim > 1 and targets.shape[1] > 1:
        if is_zero_or_one(targets):
            return "classification" if (targets.sum(1) == 1).all() else "multilabel"
        if targets.dtype.kind not in "fiub":
            raise checks.InputError(
                f"Targets have shape {targets.shape} and hold texts: expected one per example, rows of 0 and 1 (one-hot, or several "
                "labels), or rows of numbers."
            )
        examples.log.info(
            "targets: rows of %d numbers, taken for a regression of several", targets.shape[1]
        )
        return "regression"
    if targets.dtype.kind == "f" and (targets != np.round(targets)).any():
        return "regression"
    values = len(np.unique(targets)) if targets.dtype.kind in "fiu" else 0
    if values > min(1000, max(100, len(targets) // 2)):
        examples.log.info(
            "targets: whole numbers of %d different values, taken for a regression", values
        )
        return "regression"
    if values > max(20, len(targets) // 20):
        raise checks.InputError(
            f"The {len(targets)} targets are whole numbers of {values} different values: say what they are, "
            "task='regression' or task='classification' (--task)."
        )
    return "classification"


def _check_steps(targets, shape):
    """Refuses whole numbers that are as many for each example as it has steps: they would be taken for labels or numbers."""
    is_of_steps = targets.ndim == 2 and 1 < targets.shape[1] == (*shape, 0, 0)[1] and len(shape) > 2
    if not is_of_steps or targets.dtype.kind not in "iub":
        return
    are_labels = is_zero_or_one(targets)
    if are_labels and (targets.sum(1) == 1).all():
        return  # one-hot rows, of as many classes
    what = ("labels", "multilabel") if are_labels else ("numbers", "regression")
    raise checks.InputError(
        f"Targets have shape {targets.shape} and inputs {tuple(shape)}, as of one class for each step, which no task here learns: pass one "
        f"class for each example, (N,). Where each example has {targets.shape[1]} {what[0]} pass task={what[1]!r}."
    )


def check_numbers(part, titles):
    """Refuses targets that are numbers but for a few texts: each number would be a class of its own.

    Of several columns of targets all must be numbers.

    Args:
        part: The training `Part`.
        titles: Those of the targets; empty where they have none.
    """
    targets = part.y
    title = f"The target {titles[0]!r}" if titles else "The target"
    if targets.dtype != object or targets.ndim > 2:
        return
    if targets.ndim == 2 and targets.shape[1] > 1:
        _check_columns(part, titles)
        return
    different = once.texts_of(targets)
    if different and not any(re.fullmatch(units.PLAIN, text.strip()) for text in different.texts):
        return
    given = [(i, v.strip()) for i, v in enumerate(targets) if isinstance(v, str) and v.strip()]
    is_number = [re.fullmatch(units.PLAIN, text) is not None for _, text in given]
    different = {text for (_, text), fits in zip(given, is_number) if fits}
    wrong = [(i, text) for (i, text), fits in zip(given, is_number) if not fits]
    if wrong and len(wrong) < len(given) / 2 and len(different) > max(20, len(given) // 20):
        at, text = wrong[0]
        raise checks.InputError(
            f"{title} holds {len(different)} different numbers, but {len(wrong)} values are none, first {text!r} in {part.row(at)}: mend "
            f"them, or pass missing=({text!r},) with skip_bad (--missing {text} --skip-bad) to leave such rows out; where all are names of "
            "classes pass task='classification' (--task classification)."
        )


def check_classes(part, titles, row, *, is_told):
    """Refuses targets that are no classes: dates, and texts that differ in most examples.

    Args:
        part: The training `Part`.
        titles: Those of the targets; empty where they have none.
        row: The row of the task; targets that are no classes are not looked at.
        is_told: Whether the caller says that they are classes.
    """
    import pandas as pd

    y = part.y
    is_text = y.dtype.kind in "UST" or (
        y.dtype.kind == "O" and not isinstance(y.flat[0], (list, tuple, set, dict))
    )
    if row.targets != "class" or not is_text or y.size != len(y):
        return
    values = pd.Series(y.reshape(-1)).infer_objects()
    count, title = values.nunique(), f"The target {titles[0]!r}" if titles else "The target"
    if count <= max(MANY_CLASSES, len(y) / 20):
        return
    what = f"{count} different {{}} in {len(y)} examples"
    if not is_told and dates.moments(values):
        raise checks.InputError(
            f"{title} holds {what.format('dates')}. {pairs.AS_NUMBERS} Where they name classes pass task='classification' "
            "(--task classification)."
        )
    if count > FEW_OF_EACH * len(y):
        raise checks.InputError(
            f"{title} holds {what.format('texts')}, such as {str(values.dropna().iloc[0])[:50]!r}: a class needs several examples. Name another "
            "target, or bring rare classes together."
        )


def _check_columns(part, titles):
    """Refuses several columns of targets of which one holds texts."""
    for i, column in enumerate(part.y.T):
        wrong = [(row, v) for row, v in enumerate(column) if not isinstance(v, numbers.Real)]
        if wrong:
            row, value = wrong[0]
            title = repr(titles[i]) if len(titles) == part.y.shape[1] else i
            raise checks.InputError(
                f"Several targets are all numbers, or all 0 and 1 for several labels, but the column {title} of the targets holds "
                f"{value!r} in {part.row(row)}: learn it alone, as the only target, or mend it."
            )


MANY_CLASSES = 20  # that dates and names may be without being asked about
FEW_OF_EACH = 0.4  # different classes for an example, from where on most have one or two
NONE = "(none)"  # the title that stands for no target, for a table that is only looked at


def titles_of(split, frame, target):
    """The list of a table's target columns; raises `InputError` unless it has them."""
    named = [target] if isinstance(target, str) else list(target or ())
    if named == [NONE]:
        return []
    if not named or any(title not in frame.columns for title in named):
        unknown = [title for title in named if title not in frame.columns]
        if unknown:
            raise checks.InputError(
                f"The {split} table has no column {unknown[0]!r} for the target.{checks.did_you_mean(unknown[0], frame.columns)} "
                f"It has: {', '.join(frame.columns)}"
            )
        raise checks.InputError(
            f"Name the target column of the {split} table: target=... or --target. It has: {', '.join(frame.columns)}"
        )
    return named


def of_columns(frame, named):
    """The targets in a DataFrame's columns as an array, with `None` for missing ones that are no floats."""
    if not named:
        return np.zeros(len(frame), "int64")
    columns = frame[named[0]] if len(named) == 1 else frame[named]
    if len(named) == 1 and (different := once.texts_of(columns)):
        return different.written(different.texts)
    if not isinstance(
        columns.to_numpy().flat[0], np.number
    ):  # texts, or numbers that know missing ones
        columns = columns.astype(object).where(columns.notna(), None)
    return columns.to_numpy()


def plain(targets):
    """Targets of dtype object as floats where all that are there are numbers, `Decimal` too; others as they are."""
    if targets.dtype != object:
        return targets
    is_number = all(
        value is None or isinstance(value, (numbers.Real, decimal.Decimal)) and not isinstance(value, bool)
        for value in targets.flat
    )  # fmt: skip
    is_there = is_number and any(value is not None for value in targets.flat)
    return targets.astype("float64") if is_there else targets


def label_type(part, row):
    """What a training part's labels are, `"int"` or `"bool"`, where they are numbers or truth values of one column; otherwise `""`.

    Args:
        part: The training `Part`.
        row: The row of the task.
    """
    is_named = part.labels or row.targets != "class" or part.y.size != len(part.y)
    kinds = {"i": "int", "u": "int", "f": "int", "b": "bool"}  # floats that are classes are whole
    return "" if is_named else kinds.get(part.y.dtype.kind, "")


def problems(targets):
    """Why targets cannot be used: dict from the reason to the examples that it is true of, bool [N]."""
    missing = _is_missing(targets)
    found = {"its target is missing": missing}
    if targets.dtype.kind == "f":
        infinite = np.isinf(targets.reshape(len(targets), -1)).any(1)
        found["its target is infinite"] = ~missing & infinite
    return found


def _is_missing(targets):
    """Whether each target is missing, bool [N]: NaN, None or an empty text."""
    if targets.dtype.kind in "iub":
        return np.zeros(len(targets), bool)
    if targets.dtype.kind == "f":
        return np.isnan(targets.reshape(len(targets), -1)).any(1)
    if targets.size == len(targets) and (found := once.texts_of(targets)):
        return found.spread([not spelling.seen(text) for text in found.texts], True, bool)
    flat = targets.reshape(len(targets), -1)
    missing = [any(v is None or v != v or v in ("", b"") for v in row) for row in flat.tolist()]
    return np.array(missing, bool)


def in_order(wanted, labels, convert):
    """Labels, and what brings a part's targets to ids, in the order that the data say.

    Args:
        wanted: The classes in that order.
        labels, convert: What `of_classes` gives.
    """
    by_word = {spelling.word(label): label for label in labels}
    first = (by_word[word] for word in map(spelling.word, wanted) if word in by_word)
    order = list(dict.fromkeys([*first, *labels]))
    places = np.array([order.index(label) for label in labels], "int64")
    return tuple(order), lambda part: places[convert(part)]


def split_labels(parts, separator):
    """Targets with several labels in one text, such as `drama|comedy` or `["drama", "comedy"]`, as rows of 0 and 1.

    Args:
        parts: Dict from split to part; their `y` are replaced.
        separator: What stands between two labels.

    Returns:
        The labels of the training texts, in order.
    """
    found = {s: [_words(text, separator) for text in p.y.reshape(-1)] for s, p in parts.items()}
    words = [word for own in found["train"] for word in own]
    labels, spelled = spelling.spellings(*np.unique(np.array(words, str), return_counts=True))
    labels = labels.tolist()
    for split, part in parts.items():
        rows = [set(spelled(np.array(sorted(own), str)).tolist()) for own in found[split]]
        if unknown := sorted(set().union(*rows) - set(labels)):
            raise checks.InputError(
                f"The {split} targets have labels that the train targets lack: {unknown[:5]}"
            )
        part.y = np.array([[label in own for label in labels] for own in rows], "float32")
    return tuple(labels)


def _words(text, separator):
    """The labels in a text, or in a list that stands in it as Python or JSON writes it."""
    if isinstance(text, (list, tuple, set)):
        return {str(word).strip() for word in text} - {""}
    text = str(text).strip()
    if spelling.LIST.fullmatch(text):
        text = text[1:-1]
        return {word.strip().strip("'\"").strip() for word in text.split(separator)} - {""}
    return {word.strip() for word in text.split(separator)} - {""}

"""The caller's own data in memory: arrays, texts, a DataFrame or a `tf.data` set, brought to `DataInfo` and `Arrays`."""

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from zoo.data import checking, labels, sources, tables, texts
from zoo.data import series as windows
from zoo.models import checks


@dataclasses.dataclass
class Part:
    """One split as the caller gave it: `x` is an array or a DataFrame, `row(i)` says where an example is."""

    split: str
    x: object
    y: np.ndarray
    row: Callable[[int], str]

    @property
    def is_frame(self):
        return hasattr(self.x, "columns")

    def __post_init__(self):
        self.y = labels.plain(self.y)

    def keep(self, mask):
        """Leaves the other examples out."""
        kept = np.flatnonzero(mask)
        self.x = self.x.iloc[kept] if self.is_frame else self.x[kept]
        self.y, row = self.y[kept], self.row
        self.row = lambda i: row(kept[i])


def from_user(
    data,
    *,
    validation=None,
    test=None,
    target=None,
    columns=None,
    task=None,
    skip_bad=False,
    text_size=None,
    text_unit=None,
    series=None,
    name="your data",
):
    """Brings the caller's own data to a description and `Arrays` per split.

    Args:
        data: Training data: a pair (x, y) of arrays, a DataFrame, or a `tf.data.Dataset` of pairs (batched or not).
            One-dimensional `x` of strings is text. Of dates in a DataFrame the day is read, not the time.
        validation: Validation data in the same form; carved from train where it is `None`.
        test: Test data in the same form; a fixed 20 % of `data` where it is `None`.
        target: The DataFrame's target column; several columns of 0 and 1 for a multi-label task.
        columns: Titles of the DataFrame's columns to learn from; all but the target where it is `None`.
        task: `"classification"`, `"multilabel"` or `"regression"`; told from the targets where it is `None`. With
            `"forecasting"` rows are steps in time. With `"generation"` the data may be `x` alone.
        skip_bad: Leave unusable examples out (counted) in place of an error.
        text_size: Words kept of each text, and words in the vocabulary; (256, 20000) where it is `None`.
        text_unit: What texts are split into: `"words"`, which is also what `None` means, or `"characters"`.
        series: For the task `"forecasting"`, a dict of `window`, `horizon` and `season`; see `series.from_series`.
        name: What messages and the card call the data.

    Returns:
        The `DataInfo` and a dict from split to `Arrays`.

    Raises:
        InputError: The data have a form, shape or value that the zoo cannot train on; the message says what to pass.
    """
    if task == "forecasting":
        if skip_bad or not (validation is test is None):
            raise checks.InputError(
                "A series is split by time and has no gaps: pass it whole, as `data`, without skip_bad."
            )
        return windows.from_series(
            data, target=target, columns=columns, name=name, **(series or {})
        )
    given = {"train": data, "validation": validation, "test": test}
    if task == "generation":
        given = {split: _without_targets(part) for split, part in given.items()}
    parts = {
        split: _part(split, part, target, columns)
        for split, part in given.items()
        if part is not None
    }
    for part in parts.values():
        _drop_bad(part, skip_bad)
    train = parts["train"]
    if not train.is_frame and (target or columns):
        raise checks.InputError(
            "`target` and `columns` are for tables: leave them out with arrays."
        )
    task = task or labels.guess_task(train.y)
    kind = "classification" if task == "generation" else task  # classes are shown in pictures
    names, convert_targets = labels.convert(kind, train.y, target)
    described, convert = _describe(parts, skip_bad, (text_size, text_unit))
    info = sources.DataInfo(name=name, task=task, labels=names, **described)
    splits = {
        split: sources.Arrays(convert(part), convert_targets(part)) for split, part in parts.items()
    }
    if "test" not in splits:
        splits["train"], splits["test"] = sources.carve(splits["train"], 0.2, info)
        count = len(splits["test"])
        sources.log.info("no test data given: a fixed 20 %% (%d examples) is the test split", count)
        splits = checking.without_repeats(splits, name=name, given=False)
    else:
        splits = checking.without_repeats(splits, name=name, given=True, skip_bad=skip_bad)
    return info, splits


def _without_targets(part):
    """Examples alone as a pair of arrays, with the same class for all."""
    return (part, np.zeros(len(part), "int64")) if isinstance(part, np.ndarray) else part


def _part(split, data, target, columns):
    if isinstance(data, Part):
        return data
    if isinstance(data, tf.data.Dataset):
        return Part(split, *_read_dataset(split, data), lambda i: f"example {i}")
    if hasattr(data, "columns") and hasattr(data, "to_numpy"):
        x, y = _read_frame(split, data.rename(columns=str), target, columns)
        return Part(split, x, y, lambda i: f"{data.index.name or 'row'} {data.index[i]}")
    if isinstance(data, (tuple, list)) and len(data) == 2:
        x, y = (_array(split, part) for part in data)
        if x.ndim == 0 or len(x) != len(y):
            lengths = "no rows" if x.ndim == 0 else f"{len(x)} inputs and {len(y)} targets"
            raise checks.InputError(
                f"The {split} data have {lengths}: every input needs its target."
            )
        if hasattr(data[0], "columns") and x.dtype.kind not in "fiub":
            raise checks.InputError(
                f"The {split} inputs are a DataFrame that holds more than numbers, apart from its targets: join them, "
                "for example with df.assign(target=y), and pass target='target'."
            )
        if len(x) == 0:
            raise checks.InputError(f"The {split} data are empty.")
        return Part(split, x, y, lambda i: f"example {i}")
    raise checks.InputError(
        f"The {split} data are {type(data).__name__}: pass the name of a data set, a path, a pair of arrays (x, y), "
        "a DataFrame with target='column', or a tf.data.Dataset of (x, y)."
    )


def _array(split, values):
    try:
        return np.asarray(values)
    except ValueError as error:  # rows of different lengths
        raise checks.InputError(
            f"The {split} data are no array: the examples differ in shape. Bring them to one shape; for images of "
            "different sizes pass a folder."
        ) from error


def _read_dataset(split, dataset):
    if dataset.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise checks.InputError(f"The {split} tf.data set repeats without end: leave repeat() out.")
    spec = dataset.element_spec
    is_pair = isinstance(spec, tuple) and len(spec) == 2
    if not is_pair or not all(isinstance(s, tf.TensorSpec) for s in spec):
        raise checks.InputError(
            f"The {split} tf.data set must give pairs (input, target). It gives: {spec}"
        )
    if not _is_batched(split, *spec):
        dataset = dataset.batch(1024)
    # Read once, so that a shuffle in it cannot mix train and test.
    batches = list(dataset.as_numpy_iterator())
    if not batches:
        raise checks.InputError(f"The {split} tf.data set is empty.")
    x, y = (np.concatenate(parts) for parts in zip(*batches))
    if len(x) != len(y):
        raise checks.InputError(
            f"The {split} tf.data set gives {len(x)} inputs and {len(y)} targets: batch both, or neither."
        )
    return x, y


def _is_batched(split, x, y):
    """Whether a `tf.data` set of these two specs gives batches, which begin with the same size: none that is known."""
    if 0 in (x.shape.rank, y.shape.rank):
        return False
    sizes = x.shape[0], y.shape[0]
    if None not in sizes and sizes[0] == sizes[1]:
        raise checks.InputError(
            f"The {split} tf.data set gives inputs of shape {x.shape} and targets of shape {y.shape}, batches or single "
            "examples: write .batch(32) after single ones, leave drop_remainder=True out of batch()."
        )
    return sizes == (None, None)


def _read_frame(split, frame, target, columns):
    """Returns the columns to learn from as a DataFrame, and the targets as an array."""
    targets = labels.titles(split, frame, target)
    for column in columns or ():
        checks.one_of(f"column of the {split} table", column, list(frame.columns))
    if len(frame) == 0:
        raise checks.InputError(f"The {split} table has no rows.")
    wanted = list(columns) if columns else [c for c in frame.columns if c not in targets]
    if any(t in wanted for t in targets):
        raise checks.InputError(f"The target {target!r} is among the columns to learn from.")
    titles = [sources.column_name(column) for column in wanted]
    double = sorted({w for w, t in zip(wanted, titles) if titles.count(t) > 1})
    if double:
        raise checks.InputError(
            f"Columns of the {split} table have the same name once spaces and signs are gone: {', '.join(map(repr, double))}"
        )
    return frame[wanted], labels.of_columns(frame, targets)


def _drop_bad(part, skip_bad):
    """Refuses examples that cannot be used, with the first one's place, or leaves them out."""
    problems = labels.problems(part.y)
    if not part.is_frame and _is_text(part.x):
        problems |= _text_problems(part)
    elif not part.is_frame and part.x.dtype.kind == "f":
        finite = np.isfinite(part.x.reshape(len(part.x), -1)).all(1)
        problems["it holds NaN or infinity"] = ~finite
    for why, bad in problems.items():
        if not bad.any():
            continue
        first = part.row(int(np.flatnonzero(bad)[0]))
        if not skip_bad:
            raise checks.InputError(
                f"{bad.sum()} of the {len(bad)} {part.split} examples cannot be used, first {first}: {why}. "
                "Mend or drop them, or pass skip_bad (--skip-bad) to leave them out."
            )
        sources.log.warning(
            "%d %s examples left out, first %s: %s", bad.sum(), part.split, first, why
        )
    bad = np.any(list(problems.values()), 0)
    if bad.all():
        raise checks.InputError(f"No {part.split} example is left: all are unusable.")
    if bad.any():
        part.keep(~bad)


def _is_text(x):
    return x.ndim == 1 and x.dtype.kind in "OUST"


def _text_problems(part):
    decoded = [texts.decode(text) for text in part.x]
    part.x = np.array([text if isinstance(text, str) else "" for text in decoded], object)
    return {
        "it is no UTF-8 text": np.array([text is None for text in decoded]),
        "it is empty or holds spaces only": np.array(
            [text is not None and not text.strip() for text in decoded]
        ),
    }


def _describe(parts, skip_bad, text):
    """Returns the fields of a `DataInfo` that concern the inputs, and a function from a `Part` to them."""
    train = parts["train"]
    if train.is_frame:
        return _describe_frames(parts, skip_bad, text)
    if _is_text(train.x):
        return texts.describe(*text), lambda part: part.x
    for part in parts.values():
        same_kind = part.x.dtype.kind == train.x.dtype.kind
        both_bytes = (part.x.dtype == np.uint8) == (train.x.dtype == np.uint8)  # images, or neither
        if part.x.shape[1:] != train.x.shape[1:] or not same_kind or not both_bytes:
            raise checks.InputError(
                f"The {part.split} inputs have shape {part.x.shape[1:]} and dtype {part.x.dtype} per example, the "
                f"train inputs {train.x.shape[1:]} and {train.x.dtype}: they must agree."
            )
    return _describe_array(train.x)


def _describe_frames(parts, skip_bad, text):
    train = parts["train"].x
    kinds = tables.column_kinds(train, skip_bad=skip_bad)
    for part in parts.values():
        missing = [title for title in kinds if title not in part.x.columns]
        if missing:
            raise checks.InputError(
                f"The {part.split} table lacks columns that the train table has: {', '.join(missing)}."
            )
    free = [title for title, kind in kinds.items() if kind == "text"]
    if free and len(kinds) == 1:
        for part in parts.values():
            part.x = part.x[free[0]].to_numpy(object, na_value="")
            _drop_bad(part, skip_bad)
        return texts.describe(*text), lambda part: part.x
    for title in free:
        sources.log.warning(
            "column %r is left out: it holds free text. To learn from it alone pass columns=(%r,)",
            title, title,
        )  # fmt: skip
    kinds = {title: kind for title, kind in kinds.items() if kind != "text"}
    if not kinds:
        raise checks.InputError(
            f"Several columns hold free text: choose one, columns=({free[0]!r},)."
        )
    fields = {
        "kind": "table",
        "input_shape": (len(kinds),),
        "columns": tuple(map(sources.column_name, kinds)),
    }

    def convert(part):
        columns = {
            sources.column_name(title): tables.convert_column(
                title, part.x[title], kind, split=part.split, skip_bad=skip_bad
            )
            for title, kind in kinds.items()
        }
        return columns if fields["input_dtype"] == "mixed" else np.stack(list(columns.values()), -1)

    gaps = any(part.x[list(kinds)].isna().any(axis=None) for part in parts.values())
    plain = set(kinds.values()) == {"number"} and not gaps and not skip_bad
    fields["input_dtype"] = "float32" if plain else "mixed"
    return fields | ({} if plain else {"column_kinds": tuple(kinds.values())}), convert


def _describe_array(x):
    if x.dtype.kind not in "fiub":
        raise checks.InputError(
            f"Inputs are {x.dtype} of shape {x.shape}: expected numbers (uint8 images, or floats of any shape), or "
            "one text per example."
        )
    if x.ndim < 2:
        raise checks.InputError(
            f"Inputs have shape {x.shape}: expected (examples, features), (examples, steps, channels) or "
            "(examples, height, width, channels). For one feature pass x[:, None]."
        )
    if x.dtype == np.uint8 and x.ndim in (3, 4):
        return _describe_images(x)
    fields = {"kind": "features", "input_shape": x.shape[1:], "input_dtype": "float32"}
    return fields, lambda part: part.x.astype("float32")


def _describe_images(x):
    if x.ndim == 3:
        sources.log.info("uint8 inputs of shape %s: grey images, one channel added", x.shape[1:])
        shape = (*x.shape[1:], 1)
    elif x.shape[-1] in (1, 3, 4):
        shape = x.shape[1:]
    else:
        raise checks.InputError(
            f"uint8 images must have 1, 3 or 4 channels, last. Received: shape {x.shape}. "
            "Pass other arrays as floats."
        )
    fields = {"kind": "image", "input_shape": shape, "input_dtype": "uint8"}
    return fields, lambda part: part.x.reshape(-1, *shape)

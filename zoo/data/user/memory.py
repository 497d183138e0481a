"""The caller's own data in memory: arrays, texts, a DataFrame or a `tf.data` set, brought to `DataInfo` and `Arrays`."""

import dataclasses

import numpy as np
import tensorflow as tf

from zoo.data import examples, kinds
from zoo.data.kinds import cells, readings, series
from zoo.data.user import named_files, oddities, targets
from zoo.models import checks
from zoo.tasks import task


def read(data, options, *, validation=None, test=None, name="your data", separator=None):
    """Brings the caller's own data to a description and `Arrays` per split.

    Args:
        data: Training data: a pair (x, y) of arrays, a DataFrame, or a `tf.data.Dataset` of pairs (batched or not).
            One-dimensional `x` of strings is text. Of dates in a DataFrame the day is read, not the time. Of a task without
            targets the data may be `x` alone; of a series they are its rows.
        options: The `DataOptions`.
        validation, test: Further splits in the same form.
        name: What messages and the card call the data.
        separator: What separated the cells of the file that they come from; `None` where they come from none.

    Returns:
        The `DataInfo` and a dict from each given split to `Arrays`.

    Raises:
        InputError: The data have a form, shape or value that the zoo cannot train on; the message says what to pass.
    """
    row = task(options.task) if options.task else None
    named_files.check(data, options)
    if row and row.targets == "steps":
        if options.skip_bad or not (validation is test is None):
            raise checks.InputError(
                "A series is split by time and has no gaps: pass it whole, as `data`, without skip_bad."
            )
        data, styles = _typed(data, options, separator)
        info, held = series.read(data, options, name)
        styles = {column: styles[column] for column in info.columns if column in styles}
        return dataclasses.replace(info, styles=styles), {"train": held}
    data, styles = _typed(data, options, separator)
    validation, test = (_typed(p, options, separator, styles)[0] for p in (validation, test))
    given = {"train": data, "validation": validation, "test": test}
    if row and row.targets == "none":
        given = {split: _without_targets(part) for split, part in given.items()}
    parts = _parts(given, options)
    train = parts["train"]
    titles = options.target
    if options.target_separator:
        titles = targets.split_labels(parts, options.target_separator)
        row = row or task("multilabel")
    row = row or task(targets.guess_task(train.y))
    labels, convert_targets = row.convert(train.y, titles)
    described, convert = kinds.recognise(train.x).describe(parts, options)
    if options.files:
        described["columns"] = tuple(examples.column_names([options.files]))
    styles = {
        column: style for column, style in styles.items() if column in described.get("columns", ())
    }
    info = examples.DataInfo(name=name, task=row.name, labels=labels, styles=styles, **described)
    splits = {
        split: examples.paired(convert(part), convert_targets(part))
        for split, part in parts.items()
    }
    if info.columns and row.targets == "class" and isinstance(splits["train"], examples.Arrays):
        kind = kinds.kind(info.kind)
        oddities.warn(kind.named(splits["train"].inputs, info), splits["train"].targets)
    return info, splits


def _parts(given, options):
    """Split → its part, without examples that cannot be used."""
    parts = {
        split: _part(split, part, options) for split, part in given.items() if part is not None
    }
    for part in parts.values():
        part.y = targets.plain(part.y)
        problems = targets.problems(part.y)
        if not part.is_frame:
            problems |= kinds.recognise(part.x).problems(part)
        part.drop(problems, options.skip_bad)
    is_table = parts["train"].is_frame or options.files
    if not is_table and (options.target or options.columns):
        raise checks.InputError(
            "`target` and `columns` are for tables: leave them out with arrays."
        )
    return parts


def _typed(data, options, separator, styles=None):
    """A DataFrame whose columns of texts are read, and column → style of its numbers; other data as they are."""
    if not (hasattr(data, "columns") and hasattr(data, "iloc")):
        return data, {}
    frame = data.rename(columns=str)
    names = dict(zip(frame.columns, examples.column_names(frame.columns), strict=True))
    is_later = styles is not None
    known = {title: styles.get(names[title]) for title in frame.columns} if is_later else None
    texts = [title for title, style in (known or {}).items() if style is None]
    texts += [title for title, kind in options.kinds.items() if kind != "number"]
    texts += [options.files] if options.files else []
    if not is_later:
        texts += [title for title in frame.columns if cells.are_lists(frame[title])]
    found, used = readings.typed_frame(
        frame, styles=known, texts=texts, missing=options.missing, decimal=options.decimal, quoted_in=separator,
        skip_bad=options.skip_bad,
    )  # fmt: skip
    return found, {names[title]: style for title, style in used.items()}


def _without_targets(part):
    """Examples alone as a pair of arrays, with the same class for all."""
    return (part, np.zeros(len(part), "int64")) if isinstance(part, np.ndarray) else part


def _part(split, data, options):
    if isinstance(data, examples.Part):
        return data
    if isinstance(data, tf.data.Dataset):
        return examples.Part(split, *_read_dataset(split, data), lambda i: f"example {i}")
    if hasattr(data, "columns") and hasattr(data, "to_numpy"):
        x, y = _read_frame(split, data.rename(columns=str), options)
        part = examples.Part(split, x, y, lambda i: f"{data.index.name or 'row'} {data.index[i]}")
        if options.files:
            named_files.read(part, options)
        return part
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
        return examples.Part(split, x, y, lambda i: f"example {i}")
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


def _read_frame(split, frame, options):
    """Returns the columns to learn from as a DataFrame, and the targets as an array."""
    is_alone = options.files and options.task and task(options.task).targets == "none"
    named = [] if is_alone else targets.titles_of(split, frame, options.target)
    columns = (options.files,) if options.files else options.columns
    for column in columns:
        checks.one_of(f"column of the {split} table", column, list(frame.columns))
    if len(frame) == 0:
        raise checks.InputError(f"The {split} table has no rows.")
    others = [title for title in frame.columns if title not in (*columns, *named)]
    if options.files and others and split == "train":
        examples.log.info("columns that are not read beside the files: %s", ", ".join(others))
    wanted = list(columns) if columns else [c for c in frame.columns if c not in named]
    if any(t in wanted for t in named):
        raise checks.InputError(
            f"The target {options.target!r} is among the columns to learn from."
        )
    titles = examples.column_names(wanted)
    double = sorted({w for w, t in zip(wanted, titles) if titles.count(t) > 1})
    if double:
        raise checks.InputError(
            f"Columns of the {split} table have the same name once spaces and signs are gone: {', '.join(map(repr, double))}"
        )
    y = targets.of_columns(frame, named) if named else np.zeros(len(frame), "int64")
    return frame[wanted], y

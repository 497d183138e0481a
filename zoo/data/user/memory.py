"""The caller's own data in memory: arrays, texts, a DataFrame or a `tf.data` set, brought to `DataInfo` and `Arrays`."""

import dataclasses

import numpy as np
import tensorflow as tf

from zoo.data import carving, examples, kinds
from zoo.data.kinds import cleaning, dates, readings, series
from zoo.data.user import oddities, targets
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
    if row and row.targets == "steps":
        if options.skip_bad or not (validation is test is None):
            raise checks.InputError(
                "A series is split by time and has no gaps: pass it whole, as `data`, without skip_bad."
            )
        data, styles = _typed(data, options, separator, has_dates=False)
        info, held = series.read(data, options, name)
        styles = {column: styles[column] for column in info.columns if column in styles}
        return dataclasses.replace(info, styles=info.styles | styles), {"train": held}
    data, styles = _typed(data, options, separator)
    validation, test = (_named_alike(part, data) for part in (validation, test))
    validation, test = (_typed(p, options, separator, styles)[0] for p in (validation, test))
    given = {"train": data, "validation": validation, "test": test}
    if row and row.targets == "none":
        given = {split: _without_targets(part) for split, part in given.items()}
    by, group = _split_by(data, options)
    parts = {
        split: _part(split, part, options, group)
        for split, part in given.items()
        if part is not None
    }
    parts["train"].by = by
    for part in parts.values():
        part.y = targets.plain(part.y)
        problems = targets.problems(part.y)
        if not part.is_frame:
            problems |= kinds.recognise(part.x).problems(part)
        if part.by is not None:
            problems |= {f"its {options.split_by!r} is missing": carving.is_missing(part.by)}
        part.drop(problems, options.skip_bad)
    train = parts["train"]
    if not train.is_frame and (options.target or options.columns):
        raise checks.InputError(
            "`target` and `columns` are for tables: leave them out with arrays."
        )
    titles = options.target
    if options.target_separator:
        titles = targets.split_labels(parts, options.target_separator)
        row = row or task("multilabel")
    row = row or task(targets.guess_task(train.y))
    labels, convert_targets = row.convert(train.y, titles)
    described, convert = kinds.recognise(train.x).describe(parts, options)
    styles = {
        column: style for column, style in styles.items() if column in described.get("columns", ())
    }
    if row.targets == "answer":
        described["target_unit"], why = cleaning.unit_for(list(map(str, train.y)))
        if why:
            examples.log.info("answers: split into characters, as %s", why)
    info = examples.DataInfo(name=name, task=row.name, labels=labels, styles=styles, **described)
    if train.by is not None:
        info = dataclasses.replace(info, split=carving.told(train.by, options.split_by))
    elif train.is_frame and "test" not in parts:
        carving.warn_of_chance(data.drop(columns=list(options.target), errors="ignore"))
    splits = {
        split: examples.Arrays(convert(part), convert_targets(part), part.by)
        for split, part in parts.items()
    }
    if info.columns and row.targets == "class":
        kind = kinds.kind(info.kind)
        oddities.warn(kind.named(splits["train"].inputs, info), splits["train"].targets)
    return info, splits


def _named_alike(part, train):
    """A later DataFrame with the titles of the training table, where they differ in spaces, signs and capitals alone."""
    if not (hasattr(part, "columns") and hasattr(train, "columns")):
        return part
    titles = list(map(str, train.columns))
    names = dict(zip(examples.column_names(titles), titles))
    found = examples.by_name(list(part.columns), list(names))
    return part.rename(columns={title: names[name] for name, title in found.items()})


def _typed(data, options, separator, styles=None, has_dates=True):
    """A DataFrame whose columns of texts are read, and column → style of its numbers and dates; other data as they are.

    Args:
        data, options, separator: As in `read`.
        styles: Those of the training table, for a later one.
        has_dates: Whether dates are read; those of a series are read where its order is found.
    """
    if not (hasattr(data, "columns") and hasattr(data, "iloc")):
        return data, {}
    frame = data.rename(columns=str)
    names = dict(zip(frame.columns, examples.column_names(frame.columns), strict=True))
    is_later = styles is not None
    known = {title: styles.get(names[title]) for title in frame.columns} if is_later else None
    texts = [
        title for title, style in (known or {}).items() if style is None or style in dates.FORMS
    ]
    texts += [title for title, kind in options.kinds.items() if kind != "number"]
    unread = _unread(frame, options) if has_dates else []
    found, used = readings.typed_frame(
        frame.drop(columns=unread), styles=known, texts=texts, missing=options.missing, decimal=options.decimal,
        quoted_in=separator, skip_bad=options.skip_bad, labels=_labels(options),
    )  # fmt: skip
    if has_dates:
        others = [*options.target, *(t for t, kind in options.kinds.items() if kind != "date")]
        found, forms = dates.read_frame(
            found, styles=known, order=options.dates, texts=others, skip_bad=options.skip_bad
        )
        used |= forms
    found = found.assign(**{title: frame[title] for title in unread})[list(frame.columns)]
    return found, {names[title]: style for title, style in used.items()}


def _labels(options):
    """Titles of the targets, unless they are numbers for sure."""
    is_number = options.task and task(options.task).targets in ("number", "steps")
    return () if is_number else options.target


def _unread(frame, options):
    """Titles of columns that are not asked for, and so not read: they may hold anything."""
    wanted = {*options.columns, *options.target, options.split_by}
    return [title for title in frame.columns if options.columns and title not in wanted]


def _without_targets(part):
    """Examples alone as a pair of arrays, with the same class for all."""
    return (part, np.zeros(len(part), "int64")) if isinstance(part, np.ndarray) else part


def _split_by(frame, options):
    """What a training table is split by, and the title of its column where it only tells groups apart; `None` without one."""
    title = options.split_by
    if not title or not (hasattr(frame, "columns") and hasattr(frame, "iloc")):
        return None, None
    checks.one_of("column in split_by", title, list(frame.columns))
    if title in options.target:
        raise checks.InputError(f"split_by={title!r} is the target: name another column.")
    by = carving.split_column(frame[title])
    is_learned = carving.is_order(by) or title in options.columns
    more = "" if is_learned else "; it is not learned from, unless columns name it"
    examples.log.info("rows are %s%s", carving.told(by, title), more)
    return by, None if is_learned else title


def _part(split, data, options, group=None):
    if isinstance(data, examples.Part):
        return data
    if isinstance(data, tf.data.Dataset):
        return examples.Part(split, *_read_dataset(split, data), lambda i: f"example {i}")
    if hasattr(data, "columns") and hasattr(data, "to_numpy"):
        x, y = _read_frame(split, data.rename(columns=str), options, group)
        return examples.Part(split, x, y, lambda i: f"{data.index.name or 'row'} {data.index[i]}")
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


def _read_frame(split, frame, options, group):
    """Returns the columns to learn from, without that of groups, as a DataFrame, and the targets as an array."""
    columns, named = options.columns, targets.titles_of(split, frame, options.target)
    for column in columns:
        checks.one_of(f"column of the {split} table", column, list(frame.columns))
    if len(frame) == 0:
        raise checks.InputError(f"The {split} table has no rows.")
    wanted = list(columns) if columns else [c for c in frame.columns if c not in (*named, group)]
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
    return frame[wanted], targets.of_columns(frame, named)

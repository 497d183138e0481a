"""A series over time, cut into windows: the last steps are the inputs, the steps that follow the targets.

          window            horizon
    |-------------------|-----------|                     one example
     |-------------------|-----------|                    the next
    ... train ...          ... validation ...    ... test ...      time →

A split holds the examples whose targets lie in its part of the time, and their inputs may be older: what is known when a
forecast is made. Examples whose targets would reach from one part into the next are left out.
"""

import itertools

import keras
import numpy as np
import tensorflow as tf

from zoo.data import examples, naming
from zoo.data.kinds import columns as tables
from zoo.data.kinds import date_forms, doubtful, numbers, time_order
from zoo.data.kinds.row import Kind, Prepared
from zoo.models import checks

LEAST_WINDOW = 24  # steps, where nobody says how many
MOST_BYTES = 2**31  # of all windows together


def read(data, options, name="your data"):
    """Cuts a series into examples.

    Args:
        data: Rows in the order of time, equally far apart: numbers `[T]` or `[T, C]`, the first column being the one to
            forecast; or a DataFrame (a Series, too). Columns of dates and an index of dates are not learned from, but must
            rise.
        options: The `DataOptions`: `target`, the title of the column to forecast, not needed where there is one column of
            numbers; `columns`, titles of other columns to learn from, by default all of numbers; `window`, by default two
            seasons, but 24 steps at least; `horizon`, by default 1; `season`, by default none.
        name: What messages and the card call the data.

    Returns:
        The `DataInfo` and the examples, `Arrays`.

    Raises:
        InputError: The rows are no series, are too few, or hold values that cannot be used.
    """
    season, horizon = options.season or 1, options.horizon or 1
    window = options.window or max(2 * season, LEAST_WINDOW)
    if window <= season:
        raise checks.InputError(
            f"A window of {window} steps does not hold the step one season ({season}) ago, which forecasts are "
            f"compared with: pass window={season + 1} or more."
        )
    titles, values, row_name, forms, spans = _columns(data, options)
    least = window + 10 * horizon  # leaves some examples for each split
    if len(values) < least:
        raise checks.InputError(
            f"{name} has {len(values)} steps; a window of {window} and a horizon of {horizon} need at least {least}: "
            "pass smaller ones, or a longer series."
        )
    _check_values(titles, values, row_name, season, name)
    if len(values) * window * len(titles) * 4 > MOST_BYTES:
        raise checks.InputError(
            f"{len(values)} windows of {window} steps and {len(titles)} columns are larger than {MOST_BYTES >> 30} GiB: "
            "pass a smaller window, or fewer columns."
        )
    info = examples.DataInfo(
        name=name,
        kind="series",
        task="forecasting",
        input_shape=(window, len(titles)),
        input_dtype="float32",
        columns=tuple(titles),
        horizon=horizon,
        season=season,
        styles=forms,
        spans=spans,
    )
    return info, windows(values.astype("float32"), window, horizon)


def windows(values, window, horizon):
    """All examples of a series `[T, C]`: inputs `[N, window, C]`, targets `[N, horizon]` of the first column."""
    view = np.lib.stride_tricks.sliding_window_view
    past = view(values[:-horizon], window, axis=0).transpose(0, 2, 1)
    return examples.Arrays(
        np.ascontiguousarray(past), np.ascontiguousarray(view(values[window:, 0], horizon))
    )


def pieces(data):
    """The first column of the series that examples were cut from: a list of `[T]`, one for each stretch without a gap."""
    past, future = data.inputs[..., 0], data.targets
    breaks = np.flatnonzero((past[1:, :-1] != past[:-1, 1:]).any(1)) + 1
    found = []
    for start, stop in itertools.pairwise([0, *breaks, len(past)]):
        newer = np.concatenate([past[start + 1 : stop, -1], future[stop - 1]])
        # Examples left out between two splits leave no gap in the steps: the targets before reach across.
        if found and np.array_equal(found[-1][-past.shape[1] :], past[start]):
            found[-1] = np.concatenate([found[-1], newer])
        else:
            found.append(np.concatenate([past[start], newer]))
    return found


def _columns(data, options):
    """The titles of the columns of numbers, the one to forecast first; their values, float64 `[T, C]`; what row i is called; the form of
    each column of dates, by its name; and its first and last day.
    """
    if hasattr(data, "to_pandas"):
        data = data.to_pandas()
    if not hasattr(data, "columns"):
        return _array_columns(data, options)
    import pandas as pd

    frame = data.rename(columns=str)
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise checks.InputError(f"The series has two columns {twice!r}: keep one, or rename it.")
    frame = _with_flags(frame)
    targets = list(options.target)
    for title in (*targets, *options.columns):
        checks.one_of("column of the series", title, list(frame.columns))
    learned = (*targets, *options.columns)
    frame, when, stamps = time_order.in_time_order(frame, learned=learned, order=options.dates)
    rest = frame.drop(columns=[*when, *targets])
    kinds = tables.column_kinds(rest, least=0)
    numbers = [t for t, kind in kinds.items() if kind == "number"]
    if not targets and len(numbers) == 1:
        targets = numbers
    if len(targets) != 1:
        raise checks.InputError(
            f"Name the one column to forecast: target=... or --target. Received: {options.target!r}. "
            f"Columns of numbers: {', '.join(numbers) or 'none'}"
        )
    titles = [*targets, *(title for title in options.columns or numbers if title not in targets)]
    left = [title for title in kinds if title not in titles]
    if left and not options.columns:
        named = ", ".join(map(repr, left[:5])) + ", ..." * (len(left) > 5)
        examples.log.info("columns that hold no numbers are not learned from: %s", named)
    names = [naming.column_name(title) for title in titles]
    if len(set(names)) < len(names):
        raise checks.InputError(
            f"Columns of the series have the same name once spaces and signs are gone: {', '.join(map(repr, titles))}"
        )
    for title in titles:
        if title not in numbers and not tables.is_numeric(frame[title]):
            raise checks.InputError(
                f"The column {title!r} of the series does not hold numbers alone: a forecast is made from numbers."
            )
    values = [
        pd.to_numeric(frame[title], errors="coerce").to_numpy("float64", na_value=np.nan)
        for title in titles
    ]
    forms = {naming.column_name(title): form for title, form in when.items()}
    forms = {name: form for name, form in forms.items() if date_forms.is_form(form)}
    spans = {naming.column_name(title): (str(t.min())[:10], str(t.max())[:10]) for title, t in stamps.items()}  # fmt: skip
    return (
        names,
        np.stack(values, -1),
        lambda i: time_order.place(frame, frame.index[i]),
        forms,
        spans,
    )


def _with_flags(frame):
    """A DataFrame whose columns of TRUE and FALSE are those of 1 and 0, however they are kept."""
    found = {}
    for title in frame.columns:
        texts = frame[title].astype(str).str.strip().str.lower()
        if frame[title].dtype.kind not in "iufM" and texts.isin(("true", "false")).all():
            found[title] = (texts == "true").astype("int64")
    return frame.assign(**found)


def _array_columns(data, options):
    if options.target or options.columns:
        raise checks.InputError(
            "`target` and `columns` are for tables: leave them out with arrays, whose first column is forecast."
        )
    if isinstance(data, tuple):
        raise checks.InputError(
            "A series is one array, whose next steps are its own targets. Received: a tuple, as of inputs and targets."
        )
    try:
        values = np.asarray(data, "float64")
    except (TypeError, ValueError) as error:
        raise checks.InputError(
            f"A series is an array of numbers, one row for each step, or a DataFrame. Received: {type(data).__name__}"
        ) from error
    if values.ndim not in (1, 2) or 0 in values.shape:
        raise checks.InputError(
            f"A series has shape (steps,) or (steps, columns). Received: {values.shape}"
        )
    values = values.reshape(len(values), -1)
    titles = ["value", *(f"value_{i}" for i in range(1, values.shape[1]))]
    return titles, values, "step {}".format, {}, {}


def _check_values(titles, values, row_name, season, name):
    """Refuses gaps, which nobody but the caller can fill, and numbers whose changes float32 cannot tell apart."""
    bad = ~np.isfinite(values)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise checks.InputError(
            f"{name} has gaps: {bad.sum()} values are missing or infinite, first in {row_name(row)}, {titles[column]!r}. Fill "
            "them in, for example with the last value before (DataFrame.ffill)."
        )
    series = values[:, 0]
    if (series[season:] == series[:-season]).all():
        raise checks.InputError(
            f"{titles[0]!r} of {name} repeats itself exactly after {season} steps: there is nothing to forecast."
        )
    for title, column in zip(titles, values.T):
        numbers.warn_of_placeholder(title, column)
        changes = np.abs(np.diff(column))
        step = np.median(changes[changes > 0]) if (changes > 0).any() else np.inf
        if np.spacing(np.float32(np.abs(column).max())) > 0.01 * step:
            raise checks.InputError(
                f"{title!r} of {name} changes by about {step:.3g} at a level of {np.abs(column).max():.3g}, which float32 "
                "cannot tell apart: subtract a constant from it."
            )


def _prepare(splits, fixed_length):
    """Differences from the last step, divided by their standard deviation in the training split (Zeng et al. 2023)."""
    past = splits.examples["train"].inputs
    variance = (past - past[:, -1:, :]).astype("float64").var((0, 1))
    raw = keras.Input(splits.info.input_shape, dtype="float32", name="raw")
    variance = np.where(variance, variance, 1.0)
    layer = numbers.normalization(np.zeros_like(variance), variance, name="scale_changes")
    model = keras.Model(raw, layer(raw - raw[:, -1:, :]), name="prepare")
    steps = ["each column: minus its last value, divided by the training spread of that"]
    return Prepared(model, steps)


def is_one(values, card):
    """Whether an array holds the steps of one series, and not several."""
    width = card.input_shape[1]
    return (values.ndim == 1 and width == 1) or (values.ndim == 2 and values.shape[1] == width)


def _columns_of_model(frame, card):
    """A DataFrame's columns that a model of series takes, float32 `[T, C]`; its dates must rise."""
    known = naming.by_name(list(map(str, frame.columns)), card.columns)
    named = frame.rename(columns=str).rename(columns={title: name for name, title in known.items()})
    named = _with_flags(named)
    written = zip(named.columns, naming.column_names(named.columns), strict=True)
    styles = {title: (card.readings or {}).get(name) for title, name in written}
    forms = {title: style for title, style in styles.items() if date_forms.is_form(style)}
    named, _, stamps = time_order.in_time_order(
        named, learned=card.columns, forms=forms, as_before=card.decoding is None
    )
    for title, times in stamps.items():
        bounds = (card.ranges or {}).get(naming.column_name(title))
        days = np.datetime_as_string(times, "D").astype(object)
        doubtful.warn(title, days, doubtful.places(named), bounds=bounds)
    for column in card.columns:
        checks.one_of("column of the model", column, list(named.columns))
    values = [tables.convert_column(name, named[name], "number") for name in card.columns]
    return np.stack(values, -1)


def _check_raw(inputs, card, vocabulary):
    steps, width = card.input_shape
    values = _columns_of_model(inputs, card) if hasattr(inputs, "columns") else np.asarray(inputs)
    if values.dtype.kind not in "fiu" or values.ndim not in (1, 2, 3):
        raise checks.InputError(
            f"{card.name} takes numbers over time. Received: {values.dtype} of shape {values.shape}"
        )
    if is_one(values, card):
        values = values.reshape(1, -1, width)
    elif values.ndim == 2 and width == 1:  # several
        values = values[..., None]
    if values.ndim != 3 or values.shape[2] != width or values.shape[1] < steps:
        raise checks.InputError(
            f"{card.name} forecasts from {steps} steps of {', '.join(card.columns)}: pass an array "
            f"({steps}, {width}) or (N, {steps}, {width}), with the newest step last; of longer ones the newest steps "
            f"are read. Received: shape {np.shape(inputs)}"
        )
    return {"series": numbers.finite("series", values[:, -steps:].astype("float32"))}


def _describe(parts, options):
    raise checks.InputError("A series is read as a whole: pass task='forecasting'.")


KIND = Kind(
    name="series",
    called="a series",
    options=("window", "horizon", "season"),
    asked_by="task='forecasting' (--task forecasting)",
    meaning="the last {steps} steps of the columns {columns}, in their own units, the newest last",
    rank=2,
    is_ordered=True,
    decoding=2,
    describe=_describe,
    prepare=_prepare,
    specs=lambda info: {
        "series": tf.TensorSpec((None, *info.input_shape), info.input_dtype, name="series")
    },
    check_raw=_check_raw,
    ranges=lambda splits: splits.info.spans,
    otherwise=lambda info: (
        "rows that do not follow each other are a table: another task (--task regression)"
    ),
    overview=lambda info, data: {
        column: f"{info.input_shape[0]} steps of {numbers.in_words(data.inputs[..., i])}"
        for i, column in enumerate(info.columns)
    },
    is_one=is_one,
    of_frame=lambda frame, names, path, card: ([str(path)], frame),  # one, whose newest steps count
    other_files=" or .npy",
)

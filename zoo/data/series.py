"""A series over time, cut into windows: the last steps are the inputs, the steps that follow the targets.

          window            horizon
    |-------------------|-----------|                     one example
     |-------------------|-----------|                    the next
    ... train ...          ... validation ...    ... test ...      time →

A split holds the examples whose targets lie in its part of the time, and their inputs may be older: what is known when a
forecast is made. Examples whose targets would reach from one part into the next are left out.
"""

import numpy as np

from zoo.data import sources, tables
from zoo.models import checks

LEAST_WINDOW = 24  # steps, where nobody says how many
MOST_BYTES = 2**31  # of all windows together


def from_series(
    data,
    *,
    target=None,
    columns=None,
    skip_bad=False,
    window=None,
    horizon=None,
    season=None,
    name="your data",
):
    """Cuts a series into examples.

    Args:
        data: Rows in the order of time, equally far apart: numbers `[T]` or `[T, C]`, the first column being the one to
            forecast; or a DataFrame (a Series, too). Columns of dates are not learned from, but must rise.
        target: Title of the column to forecast; not needed where there is one column of numbers.
        columns: Titles of other columns to learn from; all of numbers where it is `None`.
        skip_bad: Fill missing values by the line between their neighbours, in place of an error.
        window: Steps of the past in each example; two seasons, but 24 at least, where it is `None`.
        horizon: Steps to forecast; 1 where it is `None`.
        season: Steps after which the series resembles itself, such as 12 for months; 1 where it is `None`: none.
        name: What messages and the card call the data.

    Returns:
        The `DataInfo` and a dict with the splits `train` and `test`, the newest fifth.

    Raises:
        InputError: The rows are no series, are too few, or hold values that cannot be used.
    """
    for key, value in (("window", window), ("horizon", horizon), ("season", season)):
        if value is not None:
            checks.positive_int(key, value)
    season, horizon = season or 1, horizon or 1
    window = window or max(2 * season, LEAST_WINDOW)
    if window <= season:
        raise checks.InputError(
            f"A window of {window} steps does not hold the step one season ({season}) ago, which forecasts are "
            f"compared with: pass window={season + 1} or more."
        )
    titles, values = _columns(data, target, columns)
    values = _filled(titles, values, name, skip_bad)
    least = window + 10 * horizon  # leaves some examples for each split
    if len(values) < least:
        raise checks.InputError(
            f"{name} has {len(values)} steps; a window of {window} and a horizon of {horizon} need at least {least}: "
            "pass smaller ones, or a longer series."
        )
    if len(values) * window * len(titles) * 4 > MOST_BYTES:
        raise checks.InputError(
            f"{len(values)} windows of {window} steps and {len(titles)} columns are larger than {MOST_BYTES >> 30} GiB: "
            "pass a smaller window, or fewer columns."
        )
    info = sources.DataInfo(
        name=name,
        kind="series",
        task="forecasting",
        input_shape=(window, len(titles)),
        input_dtype="float32",
        columns=tuple(titles),
        horizon=horizon,
        season=season,
    )
    train, test = sources.carve(windows(values, window, horizon), 0.2, info)
    return info, {"train": train, "test": test}


def windows(values, window, horizon):
    """All examples of a series `[T, C]`: inputs `[N, window, C]`, targets `[N, horizon]` of the first column."""
    view = np.lib.stride_tricks.sliding_window_view
    past = view(values[:-horizon], window, axis=0).transpose(0, 2, 1)
    return sources.Arrays(
        np.ascontiguousarray(past), np.ascontiguousarray(view(values[window:, 0], horizon))
    )


def joined(data):
    """The first column of the series that examples in a row were cut from, `[T]`."""
    past, future = data.inputs[..., 0], data.targets
    return np.concatenate([past[0], past[1:, -1], future[-1]])


def _columns(data, target, columns):
    """The titles of the columns of numbers, the one to forecast first, and their values `[T, C]`, NaN where missing."""
    if hasattr(data, "to_frame"):  # a pandas Series
        data = data.to_frame(name=str(data.name or "value"))
    if not hasattr(data, "columns"):
        return _array_columns(data, target, columns)
    frame = data.rename(columns=str)
    targets = [target] if isinstance(target, str) else list(target or ())
    for title in (*targets, *(columns or ())):
        checks.one_of("column of the series", title, list(frame.columns))
    kinds = tables.column_kinds(frame, skip_bad=True)
    _check_time(frame, [title for title, kind in kinds.items() if kind == "date"])
    numbers = [title for title, kind in kinds.items() if kind == "number"]
    if not targets and len(numbers) == 1:
        targets = numbers
    if len(targets) != 1:
        raise checks.InputError(
            f"Name the one column to forecast: target=... or --target. Received: {target!r}. "
            f"Columns of numbers: {', '.join(numbers) or 'none'}"
        )
    others = [title for title in columns or numbers if title not in targets]
    for title in (*targets, *others):
        if title not in numbers:
            raise checks.InputError(
                f"The column {title!r} of the series holds no numbers that vary: a forecast is made from numbers."
            )
    titles = [*targets, *others]
    values = [tables.convert_column(title, frame[title], "number") for title in titles]
    return [sources.column_name(title) for title in titles], np.stack(values, -1)


def _array_columns(data, target, columns):
    if target or columns:
        raise checks.InputError(
            "`target` and `columns` are for tables: leave them out with arrays, whose first column is forecast."
        )
    try:
        values = np.asarray(data, "float32")
    except (TypeError, ValueError) as error:
        raise checks.InputError(
            f"A series is an array of numbers, one row for each step, or a DataFrame. Received: {type(data).__name__}"
        ) from error
    if values.ndim not in (1, 2) or 0 in values.shape:
        raise checks.InputError(
            f"A series has shape (steps,) or (steps, columns). Received: {values.shape}"
        )
    values = values.reshape(len(values), -1)
    return ["value", *(f"value_{i}" for i in range(1, values.shape[1]))], values


def _check_time(frame, titles):
    """Refuses rows that are not in the order of time; warns where steps differ in length."""
    import pandas as pd

    for title in titles:
        try:
            times = pd.to_datetime(frame[title]).to_numpy("datetime64[s]").astype("int64")
        except (ValueError, TypeError) as error:
            raise checks.InputError(f"The column {title!r} holds no dates: {error}") from error
        steps = np.diff(times)
        if (steps <= 0).any():
            row = frame.index[int(np.argmax(steps <= 0)) + 1]
            raise checks.InputError(
                f"The dates of the column {title!r} do not rise, first in {frame.index.name or 'row'} {row}: sort the "
                "rows by time, and pass one series at a time."
            )
        if steps.max() > 1.5 * np.median(steps):
            row = frame.index[int(np.argmax(steps)) + 1]
            sources.log.warning(
                "column %r: before %s %s steps are missing; rows are taken as equally far apart",
                title, frame.index.name or "row", row,
            )  # fmt: skip


def _filled(titles, values, name, skip_bad):
    """The values, with gaps filled by the line between their neighbours where that is asked for."""
    bad = ~np.isfinite(values)
    if not bad.any():
        return values
    row, column = np.argwhere(bad)[0]
    if not skip_bad:
        raise checks.InputError(
            f"{bad.sum()} values of {name} are missing or infinite, first that of step {row} of {titles[column]!r}: fill "
            "them in, or pass skip_bad (--skip-bad) to take the line between their neighbours."
        )
    if bad.all(0).any():
        raise checks.InputError(
            f"The column {titles[int(np.argmax(bad.all(0)))]!r} of {name} holds no number: leave it out."
        )
    sources.log.warning("%d missing values filled by the line between their neighbours", bad.sum())
    steps = np.arange(len(values))
    lines = [np.interp(steps, steps[~b], v[~b]) for v, b in zip(values.T, bad.T)]
    return np.stack(lines, -1).astype("float32")

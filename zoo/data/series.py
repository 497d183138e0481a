"""A series over time, cut into windows: the last steps are the inputs, the steps that follow the targets.

          window            horizon
    |-------------------|-----------|                     one example
     |-------------------|-----------|                    the next
    ... train ...          ... validation ...    ... test ...      time →

A split holds the examples whose targets lie in its part of the time, and their inputs may be older: what is known when a
forecast is made. Examples whose targets would reach from one part into the next are left out.
"""

import itertools

import numpy as np

from zoo.data import sources, tables
from zoo.models import checks

LEAST_WINDOW = 24  # steps, where nobody says how many
MOST_BYTES = 2**31  # of all windows together


def from_series(
    data, *, target=None, columns=None, window=None, horizon=None, season=None, name="your data"
):
    """Cuts a series into examples.

    Args:
        data: Rows in the order of time, equally far apart: numbers `[T]` or `[T, C]`, the first column being the one to
            forecast; or a DataFrame (a Series, too). Columns of dates and an index of dates are not learned from, but must
            rise.
        target: Title of the column to forecast; not needed where there is one column of numbers.
        columns: Titles of other columns to learn from; all of numbers where it is `None`.
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
    titles, values, row_name = _columns(data, target, columns)
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
    examples = windows(values.astype("float32"), window, horizon)
    train, test = sources.carve(examples, 0.2, info)
    return info, {"train": train, "test": test}


def check_unused(info, options):
    """Raises `InputError` for settings of a series where the data are none."""
    for key, value in options.items():
        if value is not None and info.kind != "series":
            raise checks.InputError(
                f"{key}={value} is for a series, but {info.name} is a {info.task}: pass task='forecasting' (--task), or "
                "leave it out."
            )


def windows(values, window, horizon):
    """All examples of a series `[T, C]`: inputs `[N, window, C]`, targets `[N, horizon]` of the first column."""
    view = np.lib.stride_tricks.sliding_window_view
    past = view(values[:-horizon], window, axis=0).transpose(0, 2, 1)
    return sources.Arrays(
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


def check_time(frame):
    """Raises `InputError` unless a DataFrame's dates, in columns or in its index, rise; warns where steps are missing.

    Returns:
        The titles of the columns of dates.
    """
    import pandas as pd

    titles = [title for title in frame.columns if _holds_dates(frame[title])]
    times = {f"of the column {str(title)!r}": frame[title] for title in titles}
    if isinstance(frame.index, pd.PeriodIndex):
        times["of the index"] = frame.index.to_timestamp()
    elif isinstance(frame.index, pd.DatetimeIndex):
        times["of the index"] = frame.index
    for where, values in times.items():
        try:
            moments = pd.DatetimeIndex(pd.to_datetime(values, utc=True, format="ISO8601"))
        except ValueError as error:
            raise checks.InputError(f"The dates {where} cannot be read: {error}") from error
        if moments.isna().any():
            row = frame.index[int(np.argmax(moments.isna()))]
            raise checks.InputError(
                f"The date {where} is missing in {_row(frame, row)}: fill it in."
            )
        steps = np.diff(moments.tz_localize(None).to_numpy("datetime64[ns]").astype("int64"))
        if (steps <= 0).any():
            row = frame.index[int(np.argmax(steps <= 0)) + 1]
            raise checks.InputError(
                f"The dates {where} do not rise, first in {_row(frame, row)}: sort the rows by time, and pass one series "
                "at a time."
            )
        if len(steps) and steps.max() > 1.5 * np.median(steps):
            row = frame.index[int(np.argmax(steps)) + 1]
            sources.log.warning(
                "dates %s: before %s steps are missing; rows are taken as equally far apart",
                where, _row(frame, row),
            )  # fmt: skip
    return titles


def _holds_dates(column):
    if column.dtype.kind == "M":
        return True
    texts = column.dropna()
    is_text = not tables.is_numeric(column) and len(texts) > 0
    return is_text and texts.astype(str).str.fullmatch(tables.ISO_DATE).all()


def _row(frame, label):
    return f"{frame.index.name or 'row'} {label}"


def _columns(data, target, columns):
    """The titles of the columns of numbers, the one to forecast first; their values, float64 `[T, C]`; what row i is called."""
    if hasattr(data, "to_pandas"):
        data = data.to_pandas()
    if hasattr(data, "to_frame") and not hasattr(data, "columns"):  # a pandas Series
        data = data.to_frame(name=str(data.name or "value"))
    if not hasattr(data, "columns"):
        return _array_columns(data, target, columns)
    import pandas as pd

    frame = data.rename(columns=str)
    targets = [target] if isinstance(target, str) else list(target or ())
    for title in (*targets, *(columns or ())):
        checks.one_of("column of the series", title, list(frame.columns))
    rest = frame.drop(columns=[*check_time(frame), *targets])
    kinds = tables.column_kinds(rest) if len(rest.columns) else {}
    numbers = [title for title, kind in kinds.items() if kind == "number"]
    if not targets and len(numbers) == 1:
        targets = numbers
    if len(targets) != 1:
        raise checks.InputError(
            f"Name the one column to forecast: target=... or --target. Received: {target!r}. "
            f"Columns of numbers: {', '.join(numbers) or 'none'}"
        )
    titles = [*targets, *(title for title in columns or numbers if title not in targets)]
    names = [sources.column_name(title) for title in titles]
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
    return names, np.stack(values, -1), lambda i: _row(frame, frame.index[i])


def _array_columns(data, target, columns):
    if target or columns:
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
    return titles, values, "step {}".format


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
        changes = np.abs(np.diff(column))
        step = np.median(changes[changes > 0]) if (changes > 0).any() else np.inf
        if np.spacing(np.float32(np.abs(column).max())) > 0.01 * step:
            raise checks.InputError(
                f"{title!r} of {name} changes by about {step:.3g} at a level of {np.abs(column).max():.3g}, which float32 "
                "cannot tell apart: subtract a constant from it."
            )

"""Values that a model answers but hardly knows: gaps that are filled in, and numbers and dates far outside of those of training."""

import logging

import numpy as np

log = logging.getLogger("zoo")

FAR = 0.5  # of the width of the training range, beyond its ends
MOST_COLUMNS = 200  # whose ranges a card holds


def ranges(columns, dated=()):
    """Column → lowest and highest of its finite numbers, or first and last of its days as ISO texts, for a card; of very many columns none.

    Args:
        columns: Column → its training values `[N]`, or texts, which have no range where they are no dates.
        dated: Names of the columns of dates, ISO 8601 texts.
    """
    if len(columns) > MOST_COLUMNS:
        return {}
    days = {name: _days(columns[name]) for name in dated}
    known = {name: values[~np.isnat(values)] for name, values in days.items()}
    finite = {name: values[np.isfinite(values)] for name, values in columns.items() if values.dtype.kind in "fiu"}  # fmt: skip
    found = {name: (float(v.min()), float(v.max())) for name, v in finite.items() if v.size}
    return found | {name: (str(v.min()), str(v.max())) for name, v in known.items() if v.size}


def _days(texts):
    """The days of ISO 8601 texts, `datetime64[D]`, NaT for what is no date."""
    import pandas as pd

    codes, once = pd.factorize(np.asarray(texts, object))  # each different text once
    days = pd.Series(once, dtype=object).astype(str).str.strip().str[:10]
    found = pd.to_datetime(days, format="%Y-%m-%d", errors="coerce").to_numpy("datetime64[D]")
    return np.append(found, np.datetime64("NaT"))[codes]


def far(values, bounds):
    """Which of some values are far outside of those of training, bool `[N]`.

    Args:
        values: Numbers `[N]`, or dates as ISO 8601 texts.
        bounds: Lowest and highest of training; `None` where they are not known.
    """
    if bounds is None or isinstance(bounds[0], str) == (values.dtype.kind in "fiu"):
        return np.zeros(len(values), bool)
    if isinstance(bounds[0], str):
        values, bounds = _days(values), np.array(bounds, "datetime64[D]")
        known = ~np.isnat(values)
        values = np.where(known, values, bounds[0]).astype("int64")
        low, high = bounds.astype("int64")
    else:
        low, high = bounds
    width = FAR * (high - low)
    return (values < low - width) | (values > high + width)


def warn(column, values, where, *, bounds=None, fills_gaps=False, known=None):
    """Says in a line each which values of a column are missing, and which are far outside of training.

    Args:
        column: What the caller calls it.
        values: Numbers or texts `[N]`, NaN or empty where one is missing.
        where: Number of a row → what the caller calls it.
        bounds: Lowest and highest of training, of dates ISO 8601 texts; `None` where they are not known.
        fills_gaps: Whether the training median stands in for a gap.
        known: The categories that training knows, of a column of them.
    """
    is_number = values.dtype.kind == "f"
    gaps = np.flatnonzero(np.isnan(values) if is_number else values == "")
    if len(gaps) and fills_gaps and (known is None or "" not in known):
        what = "the training median stands in" if known is None else "they count as unknown"
        log.warning(
            "%s: %d of %d values are missing, first in %s: %s",
            column, len(gaps), len(values), where(gaps[0]), what,
        )  # fmt: skip
    outside = np.flatnonzero(far(values, bounds))
    if len(outside):
        first = outside[0]
        shown = (v if isinstance(v, str) else f"{v:.6g}" for v in (*bounds, values[first]))
        low, high, value = shown
        log.warning(
            "%s: %d of %d values are far outside of training (%s to %s), first %s in %s: the answer is a guess there",
            column, len(outside), len(values), low, high, value, where(first),
        )  # fmt: skip


def places(values):
    """Number of a row → its name in a column of pandas, or its number."""
    if not hasattr(values, "iloc"):
        return "example {}".format
    name = values.index.name or "row"
    return lambda i: f"{name} {values.index[i]}"

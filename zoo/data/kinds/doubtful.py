"""Values that a model answers but hardly knows: gaps that are filled in, and numbers far outside of those of training."""

import logging

import numpy as np

log = logging.getLogger("zoo")

FAR = 0.5  # of the width of the training range, beyond its ends
MOST_COLUMNS = 200  # whose ranges a card holds


def ranges(columns):
    """Column → lowest and highest of its finite numbers, for a card; of very many columns none.

    Args:
        columns: Column → its training values `[N]`, or texts, which have no range.
    """
    if len(columns) > MOST_COLUMNS:
        return {}
    finite = {name: values[np.isfinite(values)] for name, values in columns.items() if values.dtype.kind in "fiu"}  # fmt: skip
    return {name: (float(v.min()), float(v.max())) for name, v in finite.items() if v.size}


def warn(column, values, where, *, bounds=None, fills_gaps=False, known=None):
    """Says in a line each which values of a column are missing, and which are far outside of training.

    Args:
        column: What the caller calls it.
        values: Numbers or texts `[N]`, NaN or empty where one is missing.
        where: Number of a row → what the caller calls it.
        bounds: Lowest and highest of training; `None` where they are not known.
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
    if bounds is None or not is_number:
        return
    low, high = bounds
    width = FAR * (high - low)
    far = np.flatnonzero((values < low - width) | (values > high + width))
    if len(far):
        log.warning(
            "%s: %d of %d values are far outside of training (%.6g to %.6g), first %.6g in %s: the answer is a guess there",
            column, len(far), len(values), low, high, values[far[0]], where(far[0]),
        )  # fmt: skip


def places(values):
    """Number of a row → its name in a column of pandas, or its number."""
    if not hasattr(values, "iloc"):
        return "example {}".format
    name = values.index.name or "row"
    return lambda i: f"{name} {values.index[i]}"

"""Columns of pandas, whatever type they are kept in, as columns of NumPy's types and of texts."""

import datetime
import decimal
import logging
import numbers

import numpy as np

from zoo.models import checks

log = logging.getLogger("zoo")


def is_pandas(values):
    """Whether something is a column of pandas: a Series, an index, a categorical or an array of its own types."""
    home = type(values).__module__.partition(".")[0]
    return (
        home == "pandas"
        and not hasattr(values, "columns")
        and hasattr(values, "dtype")
        and hasattr(values, "isna")
    )


def frame(what, table):
    """A DataFrame with plain columns, whose titles are texts."""
    import pandas as pd

    titles = list(table.columns)
    if isinstance(table.columns, pd.MultiIndex):
        titles = ["_".join(str(part) for part in title if str(part)) for title in titles]
        log.info("columns of several levels are named as in %r", titles[0])
    titles = [str(title) for title in titles]
    columns = [column(f"The column {title!r}", table.iloc[:, i]) for i, title in enumerate(titles)]
    found = pd.concat(columns, axis=1) if columns else table
    return found.set_axis(titles, axis=1)


def dated(values):
    """A column of periods as the times that they begin with, one of categories that are times as these; others as they are."""
    import pandas as pd

    if isinstance(values.dtype, pd.PeriodDtype):
        return values.dt.to_timestamp()
    if isinstance(values.dtype, pd.CategoricalDtype) and values.cat.categories.dtype.kind == "M":
        return values.astype(values.cat.categories.dtype)
    return values


def with_dates(table):
    """A DataFrame whose columns are `dated`."""
    import pandas as pd

    columns = [table.iloc[:, i] for i in range(len(table.columns))]
    found = [dated(values) for values in columns]
    return (
        table
        if found == [] or all(a is b for a, b in zip(found, columns))
        else pd.concat(found, axis=1)
    )


def of_series(what, values):
    """A column of pandas as a DataFrame where it has a name and holds no texts, otherwise as an array."""
    import pandas as pd

    values = column(what, values if hasattr(values, "iloc") else pd.Series(values))
    if values.dtype.kind in "iufb" and values.name is not None:
        return values.to_frame(str(values.name))
    return cells(values)


def cells(values):
    """The cells of a plain column as an array, with NaN or `None` for what is missing."""
    if values.dtype.kind in "iufbMmc":
        return values.to_numpy()
    values = values.astype(object)
    return values.where(values.notna(), None).to_numpy(object)


def column(what, values):
    """A column in one of NumPy's types, as objects, or as a categorical; its values stay what they mean.

    Args:
        what: What messages call it.
        values: A Series.

    Raises:
        InputError: A cell holds more than one value, or a number that is none of a table.
    """
    import pandas as pd

    dtype = values.dtype
    if isinstance(dtype, pd.SparseDtype):
        values = values.sparse.to_dense()
        dtype = values.dtype
    if isinstance(dtype, (pd.CategoricalDtype, pd.PeriodDtype)):
        return values
    if isinstance(dtype, pd.IntervalDtype):
        return values.astype(object).where(values.notna(), None).map(str, na_action="ignore")
    if isinstance(dtype, (np.dtype, pd.DatetimeTZDtype)):
        return _of_objects(what, values) if dtype.kind == "O" else values
    if dtype.kind in "iuf":
        if values.hasnans:
            found = values.to_numpy("float64", na_value=np.nan)
        else:
            found = values.to_numpy(dtype.numpy_dtype)
        return pd.Series(found, values.index, name=values.name)
    if dtype.kind == "b" and not values.hasnans:
        return values.astype(bool)
    if dtype.kind in "Mm" and isinstance(dtype, pd.ArrowDtype):
        return pd.Series(pd.to_datetime(values.astype(object)) if dtype.kind == "M" else pd.to_timedelta(values.astype(object)), values.index, name=values.name)  # fmt: skip
    if isinstance(dtype, pd.StringDtype):
        return values
    return _of_objects(what, values.astype(object).where(values.notna(), None))


def _of_objects(what, values):
    """A column of objects as numbers or dates where all are, of bytes as texts."""
    import pandas as pd

    present = values[values.notna()] if values.isna().any() else values
    types = set(map(type, present))
    if types and types <= {list, tuple, np.ndarray}:  # pixels, perhaps: the table's own kind judges
        return values
    several = next(
        (t for t in types if issubclass(t, (list, tuple, dict, set, frozenset, np.ndarray))), None
    )
    if several or complex in types:
        what_to_do = (
            "make a column of each part"
            if several
            else "make columns of its real and imaginary part"
        )
        raise checks.InputError(
            f"{what} holds values of type {(several or complex).__name__}: a cell is one number, text or date; {what_to_do}, or "
            "leave it out."
        )
    if bytes in types:
        try:
            return values.map(lambda v: v.decode() if isinstance(v, bytes) else v)
        except UnicodeDecodeError as error:
            raise checks.InputError(
                f"{what} holds bytes that are no UTF-8, such as {error.object[:20]!r}: decode them, for example with "
                ".str.decode('latin-1')."
            ) from None
    if bool in types or np.bool_ in types:
        return (
            values.astype(bool)
            if len(present) == len(values) and types <= {bool, np.bool_}
            else values
        )
    if types and types <= {int, float, decimal.Decimal} | {
        t for t in types if issubclass(t, np.number)
    }:
        found = as_numbers(values.to_numpy(object))
        is_whole = all(issubclass(t, (int, np.integer)) for t in types) and len(present) == len(
            values
        )
        return pd.Series(found, values.index, name=values.name).astype(
            "int64" if is_whole else "float64"
        )
    if types and all(
        issubclass(t, (datetime.datetime, datetime.timedelta, np.datetime64, np.timedelta64))
        for t in types
    ):
        return values.infer_objects()
    return values


def as_numbers(values):
    """An array of objects as float64, NaN where one is missing; `None` unless all others are numbers."""
    import pandas as pd

    missing = np.array(pd.isna(values))
    present = values[~missing]
    if not all(isinstance(v, (numbers.Real, decimal.Decimal, np.bool_)) for v in present.flat):
        return None
    if not present.size or any(isinstance(v, (bool, np.bool_)) for v in present.flat):
        return None
    found = np.full(values.shape, np.nan)
    found[~missing] = present.astype("float64")
    return found

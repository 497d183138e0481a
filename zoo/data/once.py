"""Each different text of a column is looked at once: a million cells of a table are mostly some hundred texts.

Who asks for the texts of a column that was asked for before gets what was found then. It is kept as long as the column lives, and
only for what cannot change: pandas' texts that Arrow holds, and arrays that were made here.
"""

import functools
import weakref

import numpy as np

_FOUND = {}  # id of what holds a column's cells → a weak reference to it, and its `Once`


class Once:
    """The different texts of a column.

    Attributes:
        codes: The number of each cell's text, int64 `[N]`; -1 where it is missing.
        texts: The different texts, in the order in which they come first.
        counts: How often each text is there, int64 `[K]`.
        has_gaps: Whether any cell is missing.
    """

    def __init__(self, codes, texts):
        self.codes, self.texts = codes, list(texts)
        counts = np.bincount(codes + 1, minlength=len(self.texts) + 1)
        self.counts, self.has_gaps = counts[1:], bool(counts[0])

    @functools.cached_property
    def first(self):
        """The row in which each text comes first, int64 `[K]`."""
        found = np.zeros(len(self.texts) + 1, "int64")
        found[self.codes[::-1]] = np.arange(len(self.codes))[::-1]  # the last one written stays
        return found[:-1]

    def spread(self, values, missing, dtype):
        """The value of each text in all its cells, and another in those that are missing: an array `[N]`."""
        return np.array([*values, missing], dtype)[self.codes]

    def written(self, texts, missing=None):
        """Texts in place of these, some of which may be alike or `None`, in all their cells: an array `[N]` that cannot be changed.

        Args:
            texts: One for each of these.
            missing: What stands in cells that are missing.
        """
        texts, numbers = [*texts, *[missing] * self.has_gaps], {}
        found = np.array([*texts, None], object)[:-1][self.codes]
        found.flags.writeable = False
        codes = [-1 if t is None else numbers.setdefault(t, len(numbers)) for t in texts]
        if numbers and all(isinstance(text, str) for text in numbers):
            is_same = codes == list(range(len(self.texts)))
            codes = self.codes if is_same else np.array(codes)[self.codes]
            _keep(found, Once(codes, numbers))
        return found


def texts_of(values):
    """The different texts of a column or an array; `None` where it holds anything else.

    Args:
        values: A pandas Series, or an array of any shape, which counts row by row.
    """
    import pandas as pd

    holder = _holder(values)
    reference, found = _FOUND.get(id(holder), (None, None))
    if reference is not None and reference() is holder:
        return found
    column = values
    if not isinstance(values, pd.Series):
        array = np.asarray(values).reshape(-1)
        column = pd.Series(array, dtype=array.dtype if array.dtype.kind != "U" else object)
    if pd.api.types.infer_dtype(column, skipna=True) not in ("string", "empty"):
        return None
    codes, texts = pd.factorize(column)
    found = Once(codes, texts)
    if holder is not None:
        _keep(holder, found)
    return found


def _holder(values):
    """What holds the cells of a column, as long as any table has them; `None` where they may change."""
    if isinstance(values, np.ndarray):
        whole = values if values.base is None else values.base  # in another shape
        is_whole = (
            isinstance(whole, np.ndarray) and whole.base is None and whole.size == values.size
        )
        is_whole = is_whole and values.flags.c_contiguous and whole.flags.c_contiguous
        return whole if is_whole and not whole.flags.writeable else None
    is_of_arrow = getattr(values.dtype, "storage", None) == "pyarrow" and hasattr(values, "array")
    return values.array.__arrow_array__() if is_of_arrow else None


def _keep(holder, found):
    key = id(holder)
    _FOUND[key] = weakref.ref(holder, functools.partial(_FOUND.pop, key)), found  # until it is gone

"""Objects of Python's libraries, as people pass them: brought to NumPy arrays or to DataFrames, or refused by name.

Nothing here imports a library for its objects: an object is known by its type's home or by what it can do.
"""

import collections.abc
import dataclasses
import io

import numpy as np
import tensorflow as tf

from zoo.data.kinds import plain_columns
from zoo.models import checks

MOST_BYTES = 2**30  # of a sparse matrix that is made dense
_ADVICE = (  # homes of types → what to pass in their place
    ("xarray.", "pass its .values, or .to_dataframe() for a table"),
    ("dask.", "pass what its .compute() gives"),
    ("pyspark.", "pass what its .toPandas() gives"),
    ("keras.src.backend.common.keras_tensor", "it holds no values: pass arrays"),
    ("pandas.api.typing", "pass the DataFrame that was grouped"),
    ("pandas.core.groupby", "pass the DataFrame that was grouped"),
)


def plain(what, values):
    """Values of examples as a DataFrame of plain columns, as an array, or as a list of pictures.

    Args:
        what: What messages call them, such as `The train inputs`.
        values: What a caller passed: a table of any library, a dict of columns, a list, an array or a tensor of any library.

    Raises:
        InputError: They are none of these; the message names their type, and what to pass.
    """
    _check_type(what, values)
    if plain_columns.is_pandas(values):
        is_of_pictures = values.dtype == object and any(map(is_picture, values[:1]))
        return list(values) if is_of_pictures else plain_columns.of_series(what, values)
    if is_frame(values) or hasattr(values, "to_pandas") or hasattr(values, "__arrow_c_stream__"):
        return _of_table(what, values)
    if isinstance(values, collections.abc.Mapping) and not is_sparse(values):
        return _of_dict(what, values)
    return array(what, values)


def is_frame(values):
    """Whether something is a DataFrame of pandas."""
    return hasattr(values, "columns") and hasattr(values, "iloc")


def is_picture(value):
    """Whether something is an image of Pillow."""
    return hasattr(value, "getbands") and hasattr(value, "convert")


def is_sparse(values):
    """Whether something is a sparse matrix of SciPy, some of which are dicts, too."""
    return hasattr(values, "toarray") and hasattr(values, "nnz")


def array(what, values):
    """A list, an array or a tensor of any library as an array, with NaN or `None` for what is missing.

    Rows of mixed cells come back as a DataFrame, and pictures, or arrays of several shapes, as a list.
    """
    if isinstance(values, (list, tuple, range, collections.abc.ValuesView)):
        return _of_list(what, list(values))
    values = _dense(what, values)
    try:
        found = np.ma.asarray(values) if np.ma.isMaskedArray(values) else np.asarray(values)
    except Exception as error:  # whatever a library's own object raises
        raise _refused(what, values) from error
    if found.ndim == 0:
        raise _refused(what, values)
    if found.dtype.names:
        return _of_records(what, found)
    if np.ma.isMaskedArray(found):
        found = _unmasked(what, found)
    if found.dtype.kind == "V":  # numbers that NumPy does not know itself, such as bfloat16
        try:
            return found.astype("float32")
        except (TypeError, ValueError):
            raise _refused(what, values) from None
    return _of_list(what, list(found)) if found.dtype == object else found


def _refused(what, values, advice="pass an array, a DataFrame or a list"):
    kind = type(values)
    home = "" if kind.__module__ == "builtins" else f"{kind.__module__.partition('.')[0]}."
    return checks.InputError(f"{what} are of type {home}{kind.__name__}: {advice}.")


def _check_type(what, values):
    """Refuses what holds no examples in an order, or would be read to its end without one."""
    home = f"{type(values).__module__}."
    for start, advice in _ADVICE:
        if home.startswith(start):
            raise _refused(what, values, advice)
    if isinstance(values, (str, bytes, bytearray)):
        raise _refused(what, values, "pass a list or an array of them")
    if isinstance(values, (set, frozenset)):
        raise _refused(what, values, "it has no order; pass a list")
    if isinstance(values, io.IOBase) or home.startswith(("csv.", "_csv.")):
        raise _refused(
            what, values, "pass the path of the file, or what pd.read_csv or np.load read of it"
        )
    if isinstance(values, collections.abc.Iterator):
        raise _refused(what, values, "read it into a list first, list(...)")
    if isinstance(values, (tf.RaggedTensor,)):
        raise _refused(
            what, values, "its rows differ in length; pass .to_tensor(), which fills them up"
        )
    if values is None or callable(values) or isinstance(values, (bool, int, float, complex)):
        raise _refused(what, values)


def _of_table(what, values):
    try:
        if not is_frame(values):
            values = values.to_pandas() if hasattr(values, "to_pandas") else _from_arrow(values)
    except Exception as error:  # of the other library
        raise _refused(
            what, values, "it cannot be turned into a DataFrame of pandas; pass one"
        ) from error
    return plain_columns.frame(what, values) if is_frame(values) else plain(what, values)


def _from_arrow(values):
    import pandas as pd

    return pd.DataFrame.from_arrow(values)


def _of_dict(what, values):
    """A dict of columns as a DataFrame."""
    import pandas as pd

    columns = {}
    for title, given in values.items():
        cells = plain(f"{what}, column {str(title)!r},", given)
        if not isinstance(cells, np.ndarray) or cells.ndim != 1:
            raise _refused(
                what,
                values,
                f"a dict is a table of columns, one value a row, and {str(title)!r} is none; pass the array itself",
            )
        columns[title] = cells
    lengths = {str(title): len(cells) for title, cells in columns.items()}
    if not lengths:
        raise checks.InputError(f"{what} are an empty dict.")
    if len(set(lengths.values())) != 1:
        raise checks.InputError(f"{what} are a dict of columns that differ in length: {lengths}")
    return plain_columns.frame(what, pd.DataFrame(columns))


def _dense(what, values):
    """A tensor or a sparse matrix as what NumPy reads; others as they are."""
    if isinstance(values, tf.SparseTensor):
        _check_size(what, values, values.shape, values.dtype.size)
        return tf.sparse.to_dense(values).numpy()
    if is_sparse(values):
        _check_size(what, values, values.shape, values.dtype.itemsize)
        return values.toarray()
    if hasattr(values, "detach") and hasattr(values, "cpu"):  # of PyTorch
        values = values.detach().cpu()
        if "strided" not in str(values.layout):
            _check_size(what, values, values.shape, values.element_size())
            values = values.to_dense()
        return values.float() if "bfloat16" in str(values.dtype) else values
    return values


def _check_size(what, values, shape, itemsize):
    size = int(np.prod([int(n) for n in shape], dtype=object)) * itemsize
    if size > MOST_BYTES:
        raise _refused(
            what,
            values,
            f"made dense its shape {tuple(shape)} takes {size / 2**30:.1f} GiB, more than {MOST_BYTES >> 30}; reduce its columns, "
            "for example with TruncatedSVD of scikit-learn",
        )


def _unmasked(what, values):
    """A masked array with NaN or `None` in place of what lies under the mask."""
    if not np.ma.is_masked(values):
        return values.data
    if values.dtype == np.uint8 and values.ndim > 2:
        raise _refused(what, values, "pixels are masked; pass the array of all, values.filled(0)")
    if values.dtype.kind in "fiub":
        return values.astype("float64").filled(np.nan)
    return np.array(values.astype(object).filled(None), object)


def _of_records(what, values):
    """A structured array as a DataFrame."""
    import pandas as pd

    columns = {
        name: array(f"{what}, column {name!r},", values[name]) for name in values.dtype.names
    }
    if any(isinstance(cells, np.ndarray) and cells.ndim != 1 for cells in columns.values()):
        raise _refused(
            what, values, "its fields hold several values a row; pass one array for each, in a dict"
        )
    return plain_columns.frame(what, pd.DataFrame(columns))


def _of_list(what, values):
    """A list of examples: numbers, texts, rows, dicts, arrays or pictures."""
    first = next((value for value in values if value is not None), None)
    if is_picture(first):
        return values
    is_named = isinstance(first, tuple) and type(first) is not tuple
    if isinstance(first, collections.abc.Mapping) or is_named or _is_record(first):
        return _of_rows_with_names(what, values)
    if isinstance(first, (set, frozenset, collections.abc.Iterator)):
        raise _refused(
            what,
            values,
            f"its values are of type {type(first).__name__}; pass one array for each example",
        )
    if any(isinstance(value, (str, bytes)) for value in values):
        return _objects(values)
    if any(
        np.ma.isMaskedArray(v)
        or plain_columns.is_pandas(v)
        or hasattr(v, "detach")
        or tf.is_tensor(v)
        for v in values
    ):
        values = [_element(what, value) for value in values]
    if isinstance(first, (list, tuple)) and any(
        isinstance(cell, (str, bytes)) for row in values for cell in row or ()
    ):
        return _of_rows(what, values)
    if isinstance(first, np.ndarray) and len({np.shape(value) for value in values}) > 1:
        return values  # of several shapes
    try:
        found = np.asarray(values)
    except Exception as error:  # rows of different lengths, or objects that are no arrays
        raise checks.InputError(
            f"{what} are no array: the examples differ in shape. Bring them to one shape; for images of different sizes pass a "
            "list of uint8 arrays, or a folder."
        ) from error
    return _numbers(what, found) if found.dtype == object else found


def _is_record(value):
    return dataclasses.is_dataclass(value) and not isinstance(value, type)


def _element(what, value):
    """One example of a list: a tensor of any library as an array or a number."""
    if np.ma.isMaskedArray(value):
        return _unmasked(what, value)
    found = np.asarray(_dense(what, value))
    return found if found.ndim else found.item()


def _of_rows_with_names(what, values):
    import pandas as pd

    try:
        rows = pd.DataFrame([dataclasses.asdict(v) if _is_record(v) else v for v in values])
    except Exception as error:  # of pandas
        raise _refused(
            what, values, "its rows cannot be turned into a DataFrame; pass one"
        ) from error
    return plain_columns.frame(what, rows)


def _of_rows(what, values):
    import pandas as pd

    widths = {len(row) if isinstance(row, (list, tuple)) else 1 for row in values}
    if len(widths) > 1:
        raise checks.InputError(
            f"{what} are a list of rows of {min(widths)} to {max(widths)} cells: all rows must have as many; several labels each are rows of 0 and 1."
        )
    if all(isinstance(cell, (str, bytes)) for row in values for cell in row):
        return np.array(values, object)
    return plain_columns.frame(what, pd.DataFrame(values))


def _objects(values):
    found = np.empty(len(values), object)
    found[:] = values
    return found


def _numbers(what, found):
    """An array of objects as floats where all are numbers or missing; rows of other cells as a DataFrame."""
    import pandas as pd

    numbers = plain_columns.as_numbers(found)
    if numbers is not None:
        return numbers
    if found.ndim == 2:
        return plain_columns.frame(what, pd.DataFrame(found).infer_objects())
    if found.ndim == 1:
        return np.where(pd.isna(found), None, found)
    raise _refused(what, found, f"its values are objects of shape {found.shape}; pass numbers")

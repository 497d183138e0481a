"""Raw inputs for a loaded model: checked against its card, named as its signatures take them."""

import logging

import numpy as np

from zoo.data import series, sources, tables
from zoo.data import texts as vocabularies
from zoo.models import checks

log = logging.getLogger("zoo")


def check(inputs, card, vocabulary=None):
    """Returns raw inputs by name, as NumPy arrays.

    Args:
        inputs: What the caller passed to `LoadedModel.predict`.
        card: The model's card.
        vocabulary: The units that a model of texts knows.

    Raises:
        InputError: They have another dtype, shape or other columns than the model takes, or hold values that the
            model would answer with nonsense.
    """
    kind = card["input_kind"]
    found = _text(inputs, card, vocabulary) if kind == "text" else _CHECKS[kind](inputs, card)
    if len(next(iter(found.values()))) == 0:
        raise checks.InputError(f"{card['name']} received no examples.")
    return found


def numbers(name, values):
    """Finite numbers as a float32 array; raises `InputError` for anything else."""
    try:
        found = np.asarray(values, "float32")
    except (ValueError, TypeError) as error:
        raise checks.InputError(f"{name} must be an array of numbers: {error}") from None
    return _finite(name, found)


def _image(inputs, card):
    try:
        values, channels = np.asarray(inputs), card["input_shape"][-1]
    except ValueError:
        raise checks.InputError(
            f"{card['name']} received images of several sizes: a batch has one; call it once for each size."
        ) from None
    if channels == 1 and values.ndim == 3 and values.shape[-1] in (3, 4):
        raise checks.InputError(
            f"{card['name']} takes grey images. Received: {values.dtype} of shape {values.shape}, as of one in colour."
        )
    if channels == 1 and values.ndim == 3 and values.shape[-1] == 1:
        raise checks.InputError(
            f"Received one image of shape {values.shape}: pass a batch, image[None]."
        )
    if channels == 1 and values.ndim == 3:
        values = values[..., None]
    if values.dtype != np.uint8 or values.ndim != 4 or values.shape[-1] != channels:
        is_array = values.dtype.kind in "biufc"
        raise checks.InputError(
            f"{card['name']} takes a batch of uint8 images (N, height, width, {channels}) with pixels "
            f"0..255. Received: {f'{values.dtype} of shape {values.shape}' if is_array else type(inputs).__name__}"
        )
    if 0 in values.shape[1:]:
        raise checks.InputError(f"Images of no pixels: received shape {values.shape}.")
    return {"image": values}


def _features(inputs, card):
    values, shape = np.asarray(inputs), tuple(card["input_shape"])
    if values.shape[1:] != shape or values.dtype.kind not in "fiub":
        raise checks.InputError(
            f"{card['name']} takes numbers of shape {('N', *shape)}. "
            f"Received: {values.dtype} of shape {values.shape}"
        )
    low, high = card.get("input_range") or (-np.inf, np.inf)
    sizes = np.abs(values.astype("float64")).mean(axis=tuple(range(1, values.ndim)))
    too_large = sizes > 10 * max(abs(low), abs(high), 1e-30)
    if too_large.any():
        row = int(np.argmax(too_large))
        raise checks.InputError(
            f"{card['name']} was trained on values in {low:.4g}..{high:.4g}. Received values up to "
            f"{np.abs(values[row]).max():.4g} in example {row}: bring them to the same scale."
        )
    return {"features": _finite("features", values.astype("float32"))}


def is_one_series(values, card):
    """Whether an array holds the steps of one series, and not several."""
    width = card["input_shape"][1]
    return (values.ndim == 1 and width == 1) or (values.ndim == 2 and values.shape[1] == width)


def _series_columns(frame, card):
    """A DataFrame's columns that a model of series takes, float32 `[T, C]`; its dates must rise."""
    named = frame.rename(columns=lambda title: sources.column_name(str(title)))
    series.check_time(named)
    for column in card["columns"]:
        checks.one_of("column of the model", column, list(named.columns))
    values = [tables.convert_column(name, named[name], "number") for name in card["columns"]]
    return np.stack(values, -1)


def _series(inputs, card):
    steps, width = card["input_shape"]
    values = _series_columns(inputs, card) if hasattr(inputs, "columns") else np.asarray(inputs)
    if values.dtype.kind not in "fiu" or values.ndim not in (1, 2, 3):
        raise checks.InputError(
            f"{card['name']} takes numbers over time. Received: {values.dtype} of shape {values.shape}"
        )
    if is_one_series(values, card):
        values = values.reshape(1, -1, width)
    elif values.ndim == 2 and width == 1:  # several
        values = values[..., None]
    if values.ndim != 3 or values.shape[2] != width or values.shape[1] < steps:
        raise checks.InputError(
            f"{card['name']} forecasts from {steps} steps of {', '.join(card['columns'])}: pass an array "
            f"({steps}, {width}) or (N, {steps}, {width}), with the newest step last; of longer ones the newest steps "
            f"are read. Received: shape {np.shape(inputs)}"
        )
    return {"series": _finite("series", values[:, -steps:].astype("float32"))}


def _text(inputs, card, vocabulary):
    if isinstance(inputs, (str, bytes)):
        raise checks.InputError("Received one text: pass a list of texts, [text].")
    texts = [vocabularies.decode(text) for text in one_each("texts", np.asarray(inputs, object))]
    unit = card.get("text_unit", "words")
    if None in texts:
        raise checks.InputError(f"Example {texts.index(None)} is no UTF-8 text: pass strings.")
    long, strange, length = 0, [], card["text_size"][0]
    for row, text in enumerate(texts):
        found = vocabularies.units(text, unit)
        if not found:
            raise checks.InputError(
                f"The text of example {row} is empty or holds no {unit} ({text[:50]!r}): the answer would mean nothing."
            )
        long += len(found) > length
        if vocabulary is not None and vocabulary.isdisjoint(found):
            strange.append(row)
    if long:
        log.warning("%d of %d texts are longer than %d %s: the rest is not read", long, len(texts), length, unit)  # fmt: skip
    if strange:
        log.warning(
            "%d of %d texts hold no %s that %s knows, first example %d: the answer to them means nothing",
            len(strange), len(texts), unit, card["name"], strange[0],
        )  # fmt: skip
    return {"text": np.array(texts, object)}


def _table(inputs, card):
    columns = card["columns"]
    kinds = card.get("column_kinds") or ["number"] * len(columns)
    if not hasattr(inputs, "keys"):
        raise checks.InputError(
            f"A table's inputs are a DataFrame or a dict of columns. Received: {type(inputs)}"
        )
    titles = [sources.column_name(str(title)) for title in inputs.keys()]  # noqa: SIM118
    if twice := [column for column in columns if titles.count(column) > 1]:
        raise checks.InputError(f"The column {twice[0]!r} is there twice: keep one.")
    given = {name: inputs[title] for name, title in zip(titles, inputs.keys(), strict=True)}
    missing = [column for column in columns if column not in given]
    extra = [column for column in given if column not in columns]
    if missing:
        raise checks.InputError(
            f"The columns differ from the model's. Missing: {missing}. Not known: {extra or 'none'}."
        )
    if extra:
        log.warning("columns that the model does not know are not read: %s", ", ".join(extra))
    has_gaps = bool(card.get("column_kinds"))
    arrays = {
        column: _column(column, given[column], kind, has_gaps)
        for column, kind in zip(columns, kinds, strict=True)
    }
    lengths = {column: len(values) for column, values in arrays.items()}
    if len(set(lengths.values())) != 1:
        raise checks.InputError(f"The columns differ in length: {lengths}")
    return arrays


def one_each(name, values):
    """An array with one value for each example, `[N]` or `[N, 1]`, as `[N]`."""
    if values.ndim == 0 or values.size != len(values):
        raise checks.InputError(
            f"{name} must have one value for each example. Received: shape {values.shape}"
        )
    return values.reshape(-1)


def _column(name, values, kind, has_gaps):
    if np.ma.is_masked(values):
        raise checks.InputError(f"The column {name!r} has masked values: make them NaN.")
    if kind != "number":
        import pandas as pd

        if not hasattr(values, "to_numpy"):
            values = pd.Series(one_each(f"The column {name!r}", np.asarray(values)))
        if kind == "date" and values.dtype.kind != "M":
            _check_dates(name, values)
        return tables.convert_column(name, values, kind)
    dtype = getattr(values, "dtype", np.dtype(object))
    if dtype.kind in "mMc":  # NumPy would turn them into numbers
        raise checks.InputError(f"The column {name!r} must hold numbers. Received: {dtype}")
    if hasattr(values, "to_numpy"):
        values = values.to_numpy(na_value=np.nan) if values.hasnans else values.to_numpy()
    try:
        numbers = np.asarray(values, dtype="float32")
    except (ValueError, TypeError) as error:
        first = next(i for i, value in enumerate(values) if not tables.is_number(value))
        raise checks.InputError(
            f"The column {name!r} must hold numbers. Received {str(values[first])!r} in example {first}."
        ) from error
    numbers = one_each(f"The column {name!r}", numbers)
    if has_gaps and not np.isinf(numbers).any():
        return numbers
    return _finite(name, numbers)


def _check_dates(name, column):
    given = column.dropna()
    wrong = given[~tables.are_dates(given)]
    if len(wrong):
        raise checks.InputError(
            f"The column {name!r} must hold dates as YYYY-MM-DD, or nothing. Received {str(wrong.iloc[0])!r} in "
            f"{wrong.index.name or 'row'} {wrong.index[0]}."
        )


def _finite(name, values):
    if not np.isfinite(values).all():
        row = int(np.argwhere(~np.isfinite(values))[0][0])
        raise checks.InputError(
            f"{name} is NaN or infinite in example {row}: the answer would mean nothing."
        )
    return values


_CHECKS = {
    "image": _image,
    "features": _features,
    "table": _table,
    "series": _series,
}

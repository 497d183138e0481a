"""Raw inputs for a loaded model: checked against its card, named as its signatures take them."""

import logging

import numpy as np

from zoo.data import series, sources, tables
from zoo.data import texts as vocabularies
from zoo.models import checks

log = logging.getLogger("zoo")


def check(inputs, card):
    """Returns raw inputs by name, as NumPy arrays.

    Args:
        inputs: What the caller passed to `LoadedModel.predict`.
        card: The model's card.

    Raises:
        InputError: They have another dtype, shape or other columns than the model takes, or hold values that the
            model would answer with nonsense.
    """
    return _CHECKS[card["input_kind"]](inputs, card)


def _image(inputs, card):
    values, channels = np.asarray(inputs), card["input_shape"][-1]
    if channels == 1 and values.ndim == 3 and values.shape[-1] == 1:
        raise checks.InputError(
            f"Received one image of shape {values.shape}: pass a batch, image[None]."
        )
    if channels == 1 and values.ndim == 3:
        values = values[..., None]
    if values.dtype != np.uint8 or values.ndim != 4 or values.shape[-1] != channels:
        raise checks.InputError(
            f"{card['name']} takes a batch of uint8 images (N, height, width, {channels}) with pixels "
            f"0..255. Received: {values.dtype} of shape {values.shape}"
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
    if values.size and np.abs(values).mean() > 10 * max(abs(low), abs(high), 1e-30):
        raise checks.InputError(
            f"{card['name']} was trained on values in {low:.4g}..{high:.4g}. Received values up to "
            f"{np.abs(values).max():.4g}: bring them to the same scale."
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


def _text(inputs, card):
    if isinstance(inputs, (str, bytes)):
        raise checks.InputError("Received one text: pass a list of texts, [text].")
    texts = [vocabularies.decode(text) for text in np.asarray(inputs, object).reshape(-1).tolist()]
    unit = card.get("text_unit", "words")
    for i, text in enumerate(texts):
        if text is None:
            raise checks.InputError(f"Example {i} is no UTF-8 text: pass strings.")
        if not text.strip():
            raise checks.InputError(
                f"The text of example {i} is empty or holds spaces only: the answer would mean nothing."
            )
    length = card["text_size"][0]
    long = int(np.sum(vocabularies.lengths(texts, unit) > length))
    if long:
        log.warning("%d of %d texts are longer than %d %s: the rest is not read", long, len(texts), length, unit)  # fmt: skip
    return {"text": np.array(texts, object)}


def _table(inputs, card):
    columns = card["columns"]
    kinds = card.get("column_kinds") or ["number"] * len(columns)
    if not hasattr(inputs, "keys"):
        raise checks.InputError(
            f"A table's inputs are a DataFrame or a dict of columns. Received: {type(inputs)}"
        )
    if set(kinds) != {"number"} and not hasattr(inputs, "columns"):
        import pandas as pd

        inputs = pd.DataFrame(inputs)
    given = {sources.column_name(str(name)): inputs[name] for name in inputs.keys()}  # noqa: SIM118
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


def _column(name, values, kind, has_gaps):
    if kind != "number":
        return tables.convert_column(name, values, kind)
    if hasattr(values, "to_numpy"):
        values = values.to_numpy(na_value=np.nan) if values.hasnans else values.to_numpy()
    try:
        numbers = np.asarray(values, dtype="float32").reshape(-1)
    except (ValueError, TypeError) as error:
        first = next(i for i, value in enumerate(values) if not tables.is_number(value))
        raise checks.InputError(
            f"The column {name!r} must hold numbers. Received {str(values[first])!r} in example {first}."
        ) from error
    if has_gaps and not np.isinf(numbers).any():
        return numbers
    return _finite(name, numbers)


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
    "text": _text,
    "table": _table,
    "series": _series,
}

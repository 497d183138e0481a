"""Columns of a table: what each one is, and the layers that bring mixed columns to numbers inside the graph.

Needs pandas where a DataFrame comes in, TensorFlow alone where columns become numbers.
"""

import re

import keras
import numpy as np
import tensorflow as tf

from zoo.data import examples
from zoo.data.kinds import categories, cleaning, dates, numbers, readings
from zoo.models import checks

# Kinds of columns of numbers → what they are computed in; `precise` are large numbers that differ by little.
NUMBERS = {"number": "float32", "precise": "float64"}
_MANY = 50  # different texts in a column: more than that in over half of the rows are no categories


def column_kinds(frame, *, skip_bad=False, told=()):
    """Tells what each column of a training table is, and which are left out.

    Args:
        frame: A DataFrame without its target.
        skip_bad: Take single texts in a column of numbers as missing.
        told: Title → kind, where the caller says it.

    Returns:
        Dict from the column's title to `"number"`, `"category"`, `"date"`, `"text"` or, for short texts that differ in most
        rows, `"name"`; a column that cannot help is not in it, and a message says why.

    Raises:
        InputError: A column mixes numbers and texts, or has a type that is none of these.
    """
    kinds, left = {}, {}
    for title in told:
        checks.one_of("column in kinds", title, list(frame.columns))
    for title in frame.columns:
        column = frame[title]
        if title in told:
            kinds[title] = told[title]
            continue
        kind, why_not = _kind(str(title), column, skip_bad)
        if why_not:
            left[title] = why_not
            examples.log.warning("column %r is left out: %s", str(title), why_not)
        else:
            kinds[title] = kind
    if not kinds:
        said = "; ".join(f"{title}: {why_not}" for title, why_not in [*left.items()][:3])
        raise checks.InputError(
            f"No column of the table is of use for training{': ' * bool(said)}{said or ', there is none'}."
        )
    return kinds


def _kind(title, column, skip_bad):
    """Returns a kind and `None`, or `None` and why the column is left out."""
    import pandas as pd

    present = column.dropna()
    if len(present) == 0:
        return None, "all its values are missing"
    if column.dtype == object and present.map(np.ndim).any():
        raise checks.InputError(
            f"The column {title!r} holds lists or arrays: give each of their values a column of its own."
        )
    if column.nunique(dropna=False) == 1:
        return None, f"it is constant ({repr(present.iloc[0])[:50]})"
    if column.dtype.kind == "M":
        return "date", None
    if column.dtype == "category":
        return "category", None
    if column.dtype.kind == "b":  # as TRUE and FALSE in a file
        return "category", None
    if is_numeric(column):
        if numbers_rows(title) and column.dtype.kind in "iu" and column.is_unique:
            return None, "it numbers the rows"
        return "number", None
    if column.dtype.kind in "mc":
        raise checks.InputError(
            f"The column {title!r} holds {column.dtype}: turn it into numbers or leave it out."
        )
    texts = pd.Series(categories.as_texts(present), present.index)
    return _text_kind(title, texts.str.strip(), skip_bad)


def numbers_rows(title):
    """Whether a column's title says that it numbers the rows; pandas calls an index without a name so when it writes a file."""
    return re.fullmatch(r"id|index|unnamed: 0|.*[_ ]id", str(title).lower()) is not None


def _text_kind(title, texts, skip_bad):
    if texts.str.fullmatch(dates.ISO_DATE).all():
        return "date", None
    codes = texts.str.fullmatch(readings.CODE)
    numbers = texts.map(is_number) & ~codes
    if codes.any() and (numbers | codes).all():  # zip codes, some of which begin with 0
        numbers = ~(numbers | codes)
    if numbers.mean() > 0.5:
        if not numbers.all() and not skip_bad:
            row = texts.index[~numbers][0]
            raise checks.InputError(
                f"The column {title!r} holds numbers, but {(~numbers).sum()} values are none, first {texts[row]!r} "
                f"in {texts.index.name or 'row'} {row}: mend them, pass skip_bad (--skip-bad) to count them as missing, or "
                f"kinds={{{title!r}: 'text'}} (--kinds {title}=text)."
            )
        return "number", None
    if texts.nunique() <= max(_MANY, len(texts) / 2) and texts.nunique() < len(texts):
        return "category", None
    if readings.moments(texts):
        return None, f"its dates, such as {texts.iloc[0]!r}, are not written as YYYY-MM-DD"
    return ("text" if are_phrases(texts, 3) else "name"), None


def are_phrases(column, words=2):
    """Whether the different values of a column have so many words on average: they are then sentences more than names."""
    return column.dropna().drop_duplicates().astype(str).map(cleaning.count).mean() >= words


def is_precise(column):
    """Whether float32 cannot tell the numbers of a training column apart, such as seconds since 1970 within a minute."""
    import pandas as pd

    values = np.unique(pd.to_numeric(column, errors="coerce").to_numpy("float64", na_value=np.nan))
    values = values[np.isfinite(values)]
    if len(values) < 2 or np.abs(values).max() > np.finfo("float32").max:
        return False
    return np.spacing(np.float32(np.abs(values).max())) > 0.1 * np.median(np.diff(values))


def is_numeric(column):
    """Whether a DataFrame's column is one of numbers, by its type."""
    return column.dtype.kind in "iufb"


def is_number(value):
    """Whether pandas reads a number in it; Python also takes 5_386 and the digits of other scripts."""
    try:
        float(value)
    except (ValueError, TypeError):
        return False
    return str(value).isascii() and "_" not in str(value)


def are_dates(values):
    """Whether each value of a pandas Series, none of which is missing, is a date or an empty text."""
    import pandas as pd

    texts = pd.Series(categories.as_texts(values), values.index, object).str.strip()
    return (texts == "") | texts.str.fullmatch(dates.ISO_DATE)


def convert_column(title, column, kind, *, split=None, skip_bad=False):
    """Turns a DataFrame's column into an array: float32 with NaN where missing, or UTF-8 with "" where missing.

    Args:
        title, column, kind: The column's title, the column, and what training took it for.
        split: Where given, values that are no number or date are an error that names the split, and a time of day in
            the training split is warned of.
        skip_bad: Take such values as missing.

    Raises:
        InputError: A number is infinite, or a value is of another kind.
    """
    import pandas as pd

    if split is not None:
        _check_values(split, title, column, kind, skip_bad)
    if kind in NUMBERS:
        values = pd.to_numeric(column, errors="coerce").to_numpy("float64", na_value=np.nan)
        with np.errstate(over="ignore"):
            numbers = values.astype(NUMBERS[kind])
        if np.isinf(numbers).any():
            row = column.index[np.isinf(numbers)][0]
            raise checks.InputError(
                f"The column {title!r} holds {column[row]} in {column.index.name or 'row'} {row}: infinite, or too large for float32."
            )
        return numbers
    try:
        return np.array([text.strip() for text in categories.as_texts(column)], object)
    except ValueError as error:
        raise checks.InputError(
            f"The column {title!r} must have one value for each example: {error}."
        ) from None


def _check_values(split, title, column, kind, skip_bad):
    values = column.dropna()
    if kind in NUMBERS and not is_numeric(column):
        fits, wanted = values.map(is_number), "numbers"
    elif kind == "date":
        fits, wanted = are_dates(values), "dates as YYYY-MM-DD"
        if split == "train" and values.astype(str).str.match(r"\s*.{10}[T ][\d:.]*[1-9]").any():
            examples.log.warning("only the day of %r is read, not the time", title)
    else:
        return
    if not fits.all() and not skip_bad:
        wrong = values[~fits.to_numpy(bool)]
        raise checks.InputError(
            f"The column {title!r} holds {wanted}, but {len(wrong)} values of the {split} table are none, first "
            f"{str(wrong.iloc[0])!r} in {column.index.name or 'row'} {wrong.index[0]}: mend them, or pass skip_bad "
            "(--skip-bad) to count them as missing."
        )


def encoder(info, inputs):
    """Makes the model from a dict of raw columns to one float32 vector, with statistics of the training rows.

    A missing number becomes the training median, with an indicator beside it where train has gaps; numbers are
    standardised; a category becomes one-hot, with a place for categories that train does not know.

    Args:
        info: The `DataInfo`, with `column_kinds`.
        inputs: The training rows: dict from column to array.

    Returns:
        The Keras model and the steps in words.
    """
    raw, features, values, encoded, steps = {}, {}, {}, {}, []
    space = keras.utils.FeatureSpace
    for column, kind in zip(info.columns, info.column_kinds, strict=True):
        raw[column] = keras.Input((), dtype=NUMBERS.get(kind, "string"), name=column)
        if kind == "category":
            features[column] = space.string_categorical(num_oov_indices=1, output_mode="one_hot")
            clean = categories.CleanTexts.for_texts(
                inputs[column].astype(str), name=f"{column}_clean"
            )
            cleaned = clean(tf.constant(inputs[column].astype(str))).numpy()
            values[column] = examples.as_unicode(cleaned)
            encoded[column] = clean(raw[column])
            steps.append(f"{column}: category, one-hot; unknown ones have a place of their own")
            continue
        parts = {column: (raw[column], inputs[column])}
        if kind == "date":
            layer = dates.DateParts(dtype="float32", name=f"{column}_date")
            symbolic, known = layer(raw[column]), layer(tf.constant(inputs[column])).numpy()
            parts = {
                f"{column}_{part}": (symbolic[:, i], known[:, i])
                for i, part in enumerate(dates.DateParts.names)
            }
        for name, (x, known) in parts.items():
            step = _fill(name, x, known, features, values, encoded)
            if step:
                steps.append(step)
    merge = space(features=features, output_mode="concat")
    count = len(next(iter(values.values())))
    merge.adapt(tf.data.Dataset.from_tensor_slices(values).batch(count))
    concat = keras.Model(dict(merge.get_inputs()), merge.get_encoded_features(), name="merge")
    merged = concat({name: keras.ops.expand_dims(x, -1) for name, x in encoded.items()})
    return keras.Model(raw, merged, name="prepare"), steps


def _fill(name, x, known, features, values, encoded):
    """Adds a column of numbers: gaps filled with the training median, and an indicator of them."""
    space, gaps, given = keras.utils.FeatureSpace, np.isnan(known), x
    median = float(np.median(known[~gaps])) if not gaps.all() else 0.0
    filled = np.where(gaps, median, known)
    words = []
    if filled.min() == filled.max():  # it would be divided by 0
        examples.log.warning("the values of %s are constant in the training split: left out", name)
    else:
        # In float64: of large numbers that differ little float32 loses the mean.
        mean, variance = (float(f(filled, dtype="float64")) for f in (np.mean, np.var))
        x = keras.ops.where(keras.ops.isnan(x), keras.ops.cast(median, x.dtype), x)
        if (
            known.dtype == np.float64
        ):  # taken off before float32, which could not tell the values apart
            x = keras.ops.cast(keras.ops.subtract(x, keras.ops.cast(mean, x.dtype)), "float32")
            filled, mean = (filled - mean).astype("float32"), 0.0
        scale = keras.layers.Normalization(mean=mean, variance=variance, dtype="float32")
        features[name] = space.feature("float32", scale, "float")
        values[name] = filled
        encoded[name] = x
        words.append(f"gaps filled with {median:.6g}, standardised")
    if gaps.any():
        features[f"{name}_missing"] = space.float()
        values[f"{name}_missing"] = gaps.astype("float32")
        encoded[f"{name}_missing"] = keras.ops.cast(keras.ops.isnan(given), "float32")
        words.append(f"an indicator of gaps ({gaps.mean():.1%} of train)")
    return f"{name}: {', '.join(words)}" if words else None


def check_raw(name, values, kind, has_gaps, style=None):
    """Returns a column of raw inputs as an array: float32, or UTF-8 texts; raises `InputError` for what cannot be used.

    Args:
        name, kind: The column's name, and what training took it for.
        values: What the caller passed.
        has_gaps: Whether the model fills gaps in columns of numbers.
        style: How numbers that are texts are written, a key of `readings.STYLES`.
    """
    import pandas as pd

    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        raise checks.InputError(f"The column {name!r} has masked values: make them NaN.")
    if hasattr(values, "to_numpy"):  # an index, or an array that knows missing values
        values = pd.Series(values)
    elif hasattr(values, "numpy"):  # a tensor
        values = values.numpy()
    if kind not in NUMBERS:
        if not hasattr(values, "to_numpy"):
            dtype = getattr(values, "dtype", object)  # of a list NumPy would make NaN a text
            values = pd.Series(numbers.one_each(f"The column {name!r}", np.asarray(values, dtype)))
        if kind == "date" and values.dtype.kind != "M":
            _check_dates(name, values)
        return convert_column(name, values, kind)
    dtype = getattr(values, "dtype", np.dtype(object))
    if style and dtype.kind in "OUST":
        values, _ = readings.typed(pd.Series(values, dtype=object), style=style)
    if dtype.kind in "mMc":  # NumPy would turn them into numbers
        raise checks.InputError(f"The column {name!r} must hold numbers. Received: {dtype}")
    if hasattr(values, "to_numpy"):
        values = values.to_numpy(na_value=np.nan) if values.hasnans else values.to_numpy()
    elif dtype.kind == "O" and np.ndim(values) == 1:
        values = [np.nan if value is pd.NA else value for value in values]
    try:
        found = np.asarray(values, dtype=NUMBERS[kind])
    except (ValueError, TypeError) as error:
        first = next(i for i, value in enumerate(values) if not is_number(value))
        raise checks.InputError(
            f"The column {name!r} must hold numbers. Received {str(values[first])!r} in example {first}."
        ) from error
    found = numbers.one_each(f"The column {name!r}", found)
    if has_gaps and not np.isinf(found).any():
        return found
    return numbers.finite(name, found)


def _check_dates(name, column):
    given = column.dropna()
    wrong = given[~are_dates(given)]
    if len(wrong):
        raise checks.InputError(
            f"The column {name!r} must hold dates as YYYY-MM-DD, or nothing. Received {str(wrong.iloc[0])!r} in "
            f"{wrong.index.name or 'row'} {wrong.index[0]}."
        )

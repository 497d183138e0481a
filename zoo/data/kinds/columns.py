"""Columns of a table: what each one is, and its values as an array, in training and in `predict`."""

import re

import numpy as np

from zoo.config.constraints import plain
from zoo.data import examples, once
from zoo.data.kinds import (
    categories,
    cleaning,
    date_forms,
    dates,
    doubtful,
    numbers,
    readings,
    units,
)
from zoo.models import checks

# Kinds of columns of numbers → what they are computed in; `precise` are large numbers that differ by little.
NUMBERS = {"number": "float32", "precise": "float64"}
_POSTCODE = re.compile(r"(?i)(?:^|[^a-z])(?:zip|plz|postcode|postal|postleitzahl)(?:[^a-z]|$|code)")
_MANY = 50  # different texts in a column: more than that in over half of the rows are no categories


def column_kinds(frame, *, skip_bad=False, told=(), least=1):
    """Tells what each column of a training table is, and which are left out.

    Args:
        frame: A DataFrame without its target.
        skip_bad: Take single texts in a column of numbers as missing.
        told: Title → kind, where the caller says it.
        least: How many columns must be of use.

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
    if len(kinds) < least:
        said = "; ".join(f"{title}: {why_not}" for title, why_not in [*left.items()][:3])
        raise checks.InputError(
            f"No column of the table is of use for training{': ' * bool(said)}{said or ', there is none'}."
        )
    return kinds


def _kind(title, column, skip_bad):
    """Returns a kind and `None`, or `None` and why the column is left out."""
    present = column.dropna()
    if len(present) == 0:
        return None, "all its values are missing"
    different = once.texts_of(column)
    if different is None and column.dtype == object and present.map(np.ndim).any():
        raise checks.InputError(
            f"The column {title!r} holds lists or arrays: give each of their values a column of its own."
        )
    if _is_constant(column, different):
        return None, f"it is constant ({repr(plain(present.iloc[0]))[:50]})"
    if column.dtype.kind == "M":
        return "date", None
    if column.dtype == "category":
        return "category", None
    if column.dtype.kind == "b":  # as TRUE and FALSE in a file
        return "category", None
    if is_numeric(column):
        if numbers_rows(title) and column.dtype.kind in "iu" and column.is_unique:
            return None, "it numbers the rows"
        return _number_kind(title, present)
    if column.dtype.kind in "mc":
        raise checks.InputError(
            f"The column {title!r} holds {column.dtype}: turn it into numbers or leave it out."
        )
    return _text_kind(title, present, skip_bad)


def _is_constant(column, different):
    """Whether all cells of a column that has any, missing ones too, are the same; of texts by its `Once`."""
    if different is not None:
        return len(different.texts) == 1 and not different.has_gaps
    if column.dtype.kind in "iuf":
        return not column.hasnans and bool((column == column.iloc[0]).all())
    return column.nunique(dropna=False) == 1


def numbers_rows(title):
    """Whether a column's title says that it numbers the rows; pandas calls an index without a name so when it writes a file."""
    return re.fullmatch(r"id|index|unnamed: 0|.*[_ ]id", str(title).lower()) is not None


def _number_kind(title, present):
    """The kind of a column of numbers, which may be codes."""
    is_long = present.dtype.kind in "iu" and present.abs().max() > 2**53  # for float64
    is_postcode = _POSTCODE.search(title) is not None and units.are_whole(present.to_numpy())
    if not is_long and not is_postcode:
        return "number", None
    is_few = present.nunique() <= max(_MANY, len(present) / 2)
    if is_long:  # float64 would make some alike
        return ("category", None) if is_few else (None, "its numbers have more digits than float64")
    if not is_few:
        told = "%s: taken for numbers, as so many postcodes are of no use as categories; pass kinds={%r: 'category'} for these"
        examples.log.warning(told, title, title)
        return "number", None
    examples.log.info(
        "%s: codes, so each is a category; where they are numbers pass kinds={%r: 'number'}", title, title
    )  # fmt: skip
    return "category", None


def _text_kind(title, present, skip_bad):
    """What `_kind` returns, for values none of which is missing and some of which are texts."""
    import pandas as pd

    found = once.texts_of(categories.as_texts(present))
    at, counts, texts = found.codes, found.counts, pd.Series(found.texts, dtype=object).str.strip()
    if texts.str.fullmatch(date_forms.ISO_DATE).all():
        return "date", None
    codes = texts.str.fullmatch(units.CODE)
    numbers = (texts.map(is_number) & ~codes).to_numpy(bool)
    if codes.any() and (numbers | codes).all():  # zip codes, some of which begin with 0
        numbers = np.zeros_like(numbers)
    if counts[numbers].sum() > len(at) / 2:
        if not numbers.all() and not skip_bad:
            wrong = np.flatnonzero(~numbers[at])
            raise checks.InputError(
                f"The column {title!r} holds numbers, but {len(wrong)} values are none, first {texts[at[wrong[0]]]!r} "
                f"in {present.index.name or 'row'} {present.index[wrong[0]]}: mend them, pass skip_bad (--skip-bad) to count them as "
                f"missing, or kinds={{{title!r}: 'text'}} (--kinds {title}=text)."
            )
        return "number", None
    different = texts.nunique()
    if different <= max(_MANY, len(at) / 2) and different < len(at):
        if units.are_ranges(texts.unique()):
            told = "%s: ranges such as %r are categories, whose order is not learned"
            examples.log.info(told, title, next(t for t in texts if not is_number(t)))
        elif like := units.like_numbers(texts):
            told = "%s: texts such as %r look like numbers, but not all can be read as such: they are taken for categories"
            examples.log.warning(told, title, like)
        return "category", None
    return ("text" if are_phrases(texts, 3) else "name"), None


def are_phrases(column, words=2):
    """Whether the different values of a column have so many words on average: they are then sentences more than names."""
    different = once.texts_of(column)
    texts = column.dropna().drop_duplicates().astype(str) if different is None else different.texts
    return np.mean([cleaning.count(text) for text in texts]) >= words


def is_precise(column):
    """Whether float32 cannot tell the numbers of a training column apart, such as seconds since 1970 within a minute."""
    import pandas as pd

    values = pd.to_numeric(column, errors="coerce").to_numpy("float64", na_value=np.nan)
    if units.are_whole(values) and np.nanmax(np.abs(values), initial=0) < 2**20:
        return False
    steps = np.diff(np.sort(values[np.isfinite(values)]))
    steps, largest = steps[steps > 0], np.nanmax(np.abs(values), initial=0)
    if not len(steps) or largest > np.finfo("float32").max:
        return False
    return np.spacing(np.float32(largest)) > 0.1 * np.median(steps)


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
        if (infinite := np.isinf(numbers)).any():
            at = int(np.argmax(infinite))
            what = f"{column.iloc[at]} in {column.index.name or 'row'} {column.index[at]}"
            if not skip_bad:
                raise checks.InputError(
                    f"The column {title!r} holds {what}: infinite, or too large for float32. Mend it, or pass skip_bad (--skip-bad) to count "
                    "it as missing."
                )
            told = "%s: %d of %d values are infinite, or too large for float32, first %s: they count as missing"
            examples.log.warning(told, title, infinite.sum(), len(infinite), what)
            numbers[infinite] = np.nan
        return numbers
    try:
        texts = categories.as_texts(column)
        different = once.texts_of(texts)
        bare = [text.strip() for text in different.texts]
        return texts if bare == different.texts else different.written(bare)
    except ValueError as error:
        raise checks.InputError(
            f"The column {title!r} must have one value for each example: {error}."
        ) from None


def _check_values(split, title, column, kind, skip_bad):
    import pandas as pd

    if kind not in ("date", *NUMBERS) or (kind in NUMBERS and is_numeric(column)):
        return
    different = once.texts_of(column)
    if different is None:
        column = column.dropna()
        different = once.texts_of(column.astype(str))
    values = pd.Series(different.texts, dtype=object)
    if kind == "date":
        fits, wanted = dates.are_dates(values), "dates as YYYY-MM-DD"
        if split == "train" and values.str.match(r"\s*.{10}[T ][\d:.]*[1-9]").any():
            examples.log.warning("only the day of %r is read, not the time", title)
    else:
        fits, wanted = values.map(is_number), "numbers"
    if not fits.all() and not skip_bad:
        wrong = np.flatnonzero(different.spread(~fits.to_numpy(bool), False, bool))
        raise checks.InputError(
            f"The column {title!r} holds {wanted}, but {len(wrong)} values of the {split} table are none, first "
            f"{values[different.codes[wrong[0]]]!r} in {column.index.name or 'row'} {column.index[wrong[0]]}: mend them, or pass skip_bad "
            "(--skip-bad) to count them as missing."
        )


def in_words(values, kind):
    """What the values of a column are, in a few words: their range or the commonest of them, and how many are missing."""
    if kind in NUMBERS:
        return numbers.in_words(values)
    different = once.texts_of(values)
    counts = dict(zip(different.texts, different.counts.tolist()))
    gaps = counts.pop("", 0)
    told = f", {gaps:,} gaps" if gaps else ""
    if kind == "date":
        return f"{min(counts, default='')} to {max(counts, default='')}{told}"
    first = sorted(counts, key=counts.get, reverse=True)[:4]
    shown = ", ".join(f"{text[:30]!r} {counts[text]:,}" for text in first)
    return f"{len(counts):,} values: {shown}{', ...' * (len(counts) > 4)}{told}"


def check_raw(name, values, kind, has_gaps, style=None):
    """Returns a column of raw inputs as an array: float32, or UTF-8 texts; raises `InputError` for what cannot be used.

    Args:
        name, kind: The column's name, and what training took it for.
        values: What the caller passed.
        has_gaps: Whether the model fills gaps in columns of numbers.
        style: How numbers that are texts are written, a key of `units.STYLES`, or dates, one of `date_forms.FORMS`.
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
            values = dates.as_iso(values, style) if date_forms.is_form(style) else values
            _check_dates(name, values, style)
        return convert_column(name, values, kind)
    dtype, given = getattr(values, "dtype", np.dtype(object)), values
    if style and (dtype.kind in "OUST" or units.is_share(style)):
        if not hasattr(values, "to_numpy"):
            values = numbers.one_each(f"The column {name!r}", np.asarray(values, object))
        values, _ = readings.typed(pd.Series(values, dtype=object, name=name), style=style)
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
            f"The column {name!r} must hold numbers. Received {str(values[first])!r} in {doubtful.places(given)(first)}."
        ) from error
    found = numbers.one_each(f"The column {name!r}", found)
    if has_gaps and not np.isinf(found).any():
        return found
    return numbers.finite(f"The column {name!r}", found, doubtful.places(given))


def _check_dates(name, column, style):
    given = column.dropna()
    wrong = given[~dates.are_dates(given)]
    if len(wrong):
        also = f", or written as in training ({style})" if date_forms.is_form(style) else ""
        raise checks.InputError(
            f"The column {name!r} must hold dates as YYYY-MM-DD{also}, or nothing. Received {str(wrong.iloc[0])!r} in "
            f"{wrong.index.name or 'row'} {wrong.index[0]}."
        )

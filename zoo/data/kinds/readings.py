"""Columns of texts as people write them: numbers with thousands separators, decimal commas, currency or per cent signs; gaps.

A reading is decided by all values of a column of the training table, and kept: `predict` reads by the same one.
"""

import logging
import numbers
import re

import numpy as np

from zoo.data.kinds import units
from zoo.models import checks

log = logging.getLogger("zoo")

FEW_MEASURED, MANY_MEASURED = 10, 20  # different values of targets with a unit: more are no classes


def typed(
    column, *, missing=(), decimal=None, quoted_in=None, skip_bad=False, style=None, is_text=False, is_label=False, is_class=False
):  # fmt: skip
    """A DataFrame's column of texts as what it holds: numbers where all values are numbers, otherwise texts.

    Args:
        column: A pandas Series; one that holds no texts comes back as it is.
        missing: Further texts that stand for a gap.
        decimal: `"."` or `","` where the caller says it.
        quoted_in: What separates the cells of the file: a comma within a cell of a comma-separated file was put in quotes, as
            programs do with thousands.
        skip_bad: Count what is no number in a column of numbers as missing.
        style: How the training table's column is written, where that is known.
        is_text: Whether the values are texts whatever they look like.
        is_label: Whether the values may be names of classes.
        is_class: Whether they are, for sure.

    Returns:
        The column, and its style; `None` for texts.
    """
    import pandas as pd

    if units.is_share(style):
        _check_shares(column, style)
    if column.dtype.kind in "iuf":
        return _of_numbers(column, missing, quoted_in and not is_text)
    if column.dtype.kind not in "OUST" and not isinstance(column.dtype, pd.StringDtype):
        return column, None
    if pd.api.types.infer_dtype(column, skipna=True) not in ("string", "empty"):
        return column, None  # numbers and texts in one column, or objects: judged as they are
    codes, texts = pd.factorize(column)  # -1: missing already
    texts = [str(text) for text in texts]
    gaps = [text.strip() == "" or text.strip() in missing for text in texts]
    beside = [t for t, gap in zip(texts, gaps) if not gap and not units.is_gap(t)]
    if style is None and not is_text:
        try:
            style, is_new = (
                _style_of(column, beside, decimal, quoted_in, skip_bad, is_label, is_class),
                True,
            )
        except units.MixedUnits as error:
            if not (skip_bad or is_label):
                raise _odd(
                    column, error.texts, "numbers of different units: write all in one"
                ) from None
            style, is_new = None, True
            if skip_bad and not is_label:
                kept = units.of_most(column.dropna()).reindex(column.index, fill_value=False)
                return typed(
                    column.where(kept), missing=missing, decimal=decimal, quoted_in=quoted_in
                )
    else:
        is_new = False
    if style is None:
        if not any(gaps):
            return column, None
        values = [None if gap else text for text, gap in zip(texts, gaps)]
        values = np.array([*values, None], object)[codes]
        return pd.Series(values, column.index, object, column.name), None
    values = np.append(np.where(gaps, np.nan, units.to_numbers(texts, style)), np.nan)
    is_said = [gap or units.is_gap(text) for text, gap in zip(texts, gaps)]
    wrong = [t for t, v, said in zip(texts, values, is_said) if np.isnan(v) and not said]
    base = units.split_style(style)[0]
    other = None if is_new or decimal else _other_than_trained(beside, style)
    if not is_new and (wrong or other):
        if wrong and (base == "plain" or skip_bad):
            return column, None  # told of, with its line, where it is converted
        raise _not_as_trained(column, wrong[0] if wrong else other, style)
    found = pd.Series(values[codes], column.index, "float64", column.name)
    are_whole = (found.dropna() == np.round(found.dropna())).all()
    style = f"{style}; whole" if is_new and are_whole and decimal is None else style
    is_whole = are_whole and not found.isna().any() and (base != "plain" or _are_digits(texts))
    return (found.astype("int64") if is_whole else found), style


def _are_digits(texts):
    """Whether plain numbers are written as whole ones: 2.0 is none on purpose."""
    return all(re.fullmatch(r"[+-]?\d{1,15}", core) for core in units.bare(texts)[0])


def _of_numbers(column, missing, is_of_file):
    """A column that holds numbers already; one of a file was read as numbers at once, and has their style."""
    codes = [float(text) for text in missing if re.fullmatch(units.PLAIN, text)]
    column = column.mask(column.isin(codes)) if codes else column
    if not is_of_file:
        return column, None
    present = column.dropna()
    return column, "plain; whole" if (present == np.round(present)).all() else "plain"


def _style_of(column, beside, decimal, quoted_in, skip_bad, is_label, is_class):
    """The style, with its unit, of a training table's column of texts; `None` where they are no numbers."""
    try:
        style = units.number_style(beside, decimal) or _usual_style(column, beside, skip_bad)
    except units.TwoReadings as error:
        if quoted_in != ",":
            raise checks.InputError(f"The column {str(column.name)!r}: {error}") from None
        style = "1,234.5"
    if style is None:
        odd = units.in_parentheses(beside)
        if odd and not (is_label or skip_bad):
            raise _odd(column, (odd,), "numbers, some in parentheses: write a minus as in -5")
        return None
    values = units.to_numbers(beside, style)
    unit = units.common_unit([t for t, value in zip(beside, values) if value == value])
    is_usual = unit in ("", "%", *units.CURRENCIES.values())
    if is_label and not is_usual and (is_class or not _are_measured(values)):
        return None  # the names of classes, such as 3 stars
    return f"{style}; {unit}" if unit else style


def _are_measured(values):
    """Whether different numbers with a unit are measurements more than names of classes: many, or some that have fractions."""
    values = values[~np.isnan(values)]
    has_fractions = (values != np.round(values)).any()
    return len(values) > (FEW_MEASURED if has_fractions else MANY_MEASURED)


def _not_as_trained(column, text, style):
    base, unit, _ = units.split_style(style)
    how = "plain numbers" if base == "plain" else f"numbers with {units.STYLES[base][3]}"
    example = base if base in units.STYLES else "12.5"
    way = f"write it as {f'{example} {unit}'.strip()!r} is written"
    if unit == units.taken_apart(text)[1]:
        way += ", or pass decimal='.' or ',' (--decimal) in training"
    return checks.InputError(
        f"The column {str(column.name)!r} was learned from {how}{unit and f' in {unit}'}; {text!r} in {_place(column, text)} is "
        f"not written so, and could mean another number: {way}."
    )


def _check_shares(column, style):
    """Refuses numbers without a sign for a column learned from 12%: 0.12 is 12 % in a spreadsheet, and 0.12 % beside others."""
    is_number = column.map(lambda v: isinstance(v, numbers.Real) and v == v).to_numpy(bool)
    if is_number.any():
        row = column.index[int(np.argmax(is_number))]
        unit = units.split_style(style)[1]
        raise checks.InputError(
            f"The column {str(column.name)!r} was learned from numbers in {unit}; {column[is_number].iloc[0]} in "
            f"{column.index.name or 'row'} {row} could mean another number: write it as a text, such as '12{unit}'."
        )


def _odd(column, texts, what):
    title = str(column.name)
    where = ", ".join(f"{text!r} in {_place(column, text)}" for text in texts)
    return checks.InputError(
        f"The column {title!r} holds {what}. Received {where}. Where they are no numbers, pass kinds={{{title!r}: 'category'}} "
        f"(--kinds {title}=category)."
    )


def _place(column, text):
    """What a message calls the first row that holds a text."""
    return f"{column.index.name or 'row'} {column.index[int(np.argmax((column == text).to_numpy(bool, na_value=False)))]}"


def _other_than_trained(texts, style):
    """The first text of a later table that could mean another number than one of the training table's style; `None` for none."""
    base, unit, is_whole = units.split_style(style)
    sign = units.STYLES[base][2] if base in units.STYLES else None
    for text in texts:
        core, own = units.taken_apart(text)
        is_price = {unit, own} <= {"", *units.CURRENCIES.values()} and "" in (unit, own)
        if not units.are_same(own, unit) and not is_price:
            return text
        if is_whole and sign and re.fullmatch(rf"[+-]?[1-9]\d{{0,2}}[{sign}]\d{{3}}", core):
            return text  # 9.750, which is 9750 where points stand between thousands
    return None


def _usual_style(column, beside, skip_bad):
    """The style of most values of a column that has others, too; `None` for a column that is one of texts, or of plain numbers.

    Raises:
        InputError: Most values are numbers that are not written plainly, and some are none.
    """
    counts = column.value_counts()
    total = sum(counts[text] for text in beside)
    for name, (pattern, *_) in units.STYLES.items():
        apart = {text: units.taken_apart(text) for text in beside}
        fitting = {t for t, (core, unit) in apart.items() if unit in ("", *units.UNITS) and re.fullmatch(pattern, core)}  # fmt: skip
        if sum(counts[text] for text in fitting) <= total / 2:
            continue
        if all(re.fullmatch(units.PLAIN, text.strip()) for text in fitting):
            return None
        wrong = next((text for text in beside if text not in fitting), None)
        if wrong is None:
            return None
        if skip_bad:
            return name
        raise checks.InputError(
            f"The column {str(column.name)!r} holds numbers such as {next(iter(fitting))!r}, but {len(beside) - len(fitting)} values "
            f"are none, first {wrong!r} in {_place(column, wrong)}: mend them, say missing=({wrong!r},) (--missing) where "
            "they are gaps, or pass skip_bad (--skip-bad) to count them as missing."
        )
    return None


def say(title, column, style, texts):
    """One line of the log for a column that is read otherwise than as plain numbers."""
    base, unit, _ = units.split_style(style)
    parts = []
    if base != "plain":
        parts.append(f"numbers with {units.STYLES[base][3]}, {column.notna().sum()} values")
    if unit and (signs := [t for t in texts if units.taken_apart(t)[1]]):
        parts.append(f"the unit is left out, as in {signs[0].strip()!r}")
    if gaps := sorted({t.strip() for t in texts if units.is_gap(t)}):
        parts.append(f"{', '.join(map(repr, gaps))} counted as missing")
    if parts:
        log.info("%s: %s", title, "; ".join(parts))


def typed_frame(
    frame,
    *,
    styles=None,
    texts=(),
    labels=None,
    missing=(),
    decimal=None,
    quoted_in=None,
    skip_bad=False,
):
    """A DataFrame whose columns of texts are read; and how each one is written, by its title, where it is one of numbers.

    Args:
        frame: The DataFrame.
        styles: Title → style, of the training table; `None` for the training table itself.
        texts: Titles of columns that hold texts whatever they look like.
        labels: Titles of columns that may hold names of classes → whether they do for sure.
        missing, decimal, quoted_in, skip_bad: As in `typed`.
    """
    found, columns, labels = {}, {}, labels or {}
    if not frame.columns.is_unique:  # told of later
        return frame, {}
    for title in frame.columns:
        style = None if styles is None else styles.get(title)
        is_text = title in texts
        columns[title], used = typed(
            frame[title], missing=missing, decimal=decimal, quoted_in=quoted_in, skip_bad=skip_bad, style=style,
            is_text=is_text, is_label=title in labels, is_class=labels.get(title, False),
        )  # fmt: skip
        if used:
            found[title] = used
            if styles is None and frame[title].dtype.kind not in "iuf":
                texts_there = frame[title].dropna().astype(str).unique().tolist()
                say(title, columns[title], used, texts_there)
    bases = {title: units.split_style(style)[0] for title, style in found.items()}
    if styles is None and decimal is None and {"1.234,5", "1 234,5"} & set(bases.values()):
        _check_dots(frame, [title for title, base in bases.items() if base == "plain"])
    return type(frame)(columns, index=frame.index), found


def _check_dots(frame, titles):
    """Raises `InputError` for numbers such as 1.234 in a table that has decimal commas in another column."""
    for title in titles:
        dotted = [
            text for text in frame[title].dropna().astype(str).str.strip().unique() if "." in text
        ]
        if dotted and all(
            re.fullmatch(r"[+-]?[1-9]\d{0,2}\.\d{3}", text) for text in units.bare(dotted)[0]
        ):
            raise checks.InputError(
                f"The column {str(title)!r}: {dotted[0]!r} can be read in two ways, as other columns have decimal commas: pass "
                "decimal=',' (--decimal ,) where the point stands between thousands, decimal='.' where it begins the fraction."
            )

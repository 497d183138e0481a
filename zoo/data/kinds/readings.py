"""Columns of texts as people write them: numbers with thousands separators, decimal commas, currency or per cent signs; gaps.

A reading is decided by all values of a column of the training table, and kept: `predict` reads by the same one.
"""

import dataclasses
import functools
import itertools
import logging
import numbers
import re

import numpy as np

from zoo.data import once
from zoo.data.kinds import units
from zoo.models import checks

log = logging.getLogger("zoo")

FEW_MEASURED, MANY_MEASURED = 10, 20  # different values of targets with a unit: more are no classes
_SILENT = ("plain", "plain; whole")  # styles of which nothing is said, but for gaps
# Plain numbers that are written as whole ones: 2.0 is none on purpose.
_DIGITS = re.compile(r"[+-]?\d{1,15}")


@dataclasses.dataclass(frozen=True)
class _Texts:
    """A column's different texts, as they are looked at.

    Attributes:
        column: The pandas Series.
        once: Its `Once`.
        gaps: Whether each text is empty, or one that the caller calls a gap.
        are_said: Whether each text is that, or stands for a missing number.
    """

    column: object
    once: once.Once
    gaps: list[bool]
    are_said: list[bool]

    @functools.cached_property
    def apart(self):
        """All of them, taken apart."""
        return units.Apart.of(self.once.texts)

    @functools.cached_property
    def beside(self):
        """Those that stand for no gap, taken apart; and in how many cells each is."""
        is_left = [not is_said for is_said in self.are_said]
        return self.apart.where(is_left), self.once.counts[is_left]

    @property
    def may_be_numbers(self):
        """Whether more than half of the cells beside gaps have a digit."""
        of_digits = np.array([units.DIGIT.search(text) for text in self.once.texts], bool)
        counts = np.where(self.are_said, 0, self.once.counts)
        return counts[of_digits].sum() > counts.sum() / 2


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

    if style is not None and units.is_share(style):
        _check_shares(column, style)
    if column.dtype.kind in "iuf":
        return _of_numbers(column, missing, quoted_in and not is_text)
    if (found := once.texts_of(column)) is None:
        return column, None  # numbers and texts in one column, or objects: judged as they are
    is_new = style is None and not is_text
    is_plain = is_new or (style is not None and units.split_style(style)[:2] == ("plain", ""))
    if is_plain and not missing and decimal != "," and units.are_plain(found.texts):
        values = np.array([float(text) for text in found.texts])
        is_judged = is_new and decimal is None
        return _of_values(column, found, values, found.texts, style or "plain", is_judged)
    bare = [text.strip() for text in found.texts]
    gaps = [text in ("", *missing) for text in bare]
    said = [gap or text.lower() in units.GAPS for text, gap in zip(bare, gaps)]
    texts = _Texts(column, found, gaps, said)
    if is_new:
        try:
            style = _style_of(texts, decimal, quoted_in, skip_bad, is_label, is_class)
        except units.MixedUnits as error:
            if not (skip_bad or is_label):
                raise _odd(
                    column, error.texts, "numbers of different units: write all in one"
                ) from None
            if skip_bad and not is_label:
                kept = units.of_most(column.dropna()).reindex(column.index, fill_value=False)
                return typed(
                    column.where(kept), missing=missing, decimal=decimal, quoted_in=quoted_in
                )
    if style is None:
        if not any(gaps):
            return column, None
        values = found.written([None if gap else t for t, gap in zip(found.texts, gaps)])
        return pd.Series(values, column.index, object, column.name), None
    return _as_numbers(texts, style, is_new, decimal, skip_bad)


def _as_numbers(texts, style, is_new, decimal, skip_bad):
    """The numbers of a column of texts by a style, and the style; the column as it is where some are none that are told of later."""
    column, found = texts.column, texts.once
    values = np.where(texts.gaps, np.nan, units.to_numbers(texts.apart, style))
    if not is_new:
        unread = np.isnan(values) & ~np.array(texts.are_said, bool)
        wrong = next(itertools.compress(found.texts, unread), None)
        other = None if decimal else _other_than_trained(texts.beside[0], style)
        if wrong is not None and (units.split_style(style)[0] == "plain" or skip_bad):
            return column, None  # told of, with its line, where it is converted
        if wrong is not None or other:
            raise _not_as_trained(column, other if wrong is None else wrong, style)
    is_judged = is_new and decimal is None
    return _of_values(column, found, values, texts.apart.cores, style, is_judged)


def _of_values(column, found, values, cores, style, is_judged):
    """A column of numbers, whole ones where they are written so, and its style.

    Args:
        column, found: The column of texts, and its `Once`.
        values, cores: The number of each text, NaN for a gap, and how that is written without its unit.
        style: How they are written.
        is_judged: Whether the style is to say that all are whole.
    """
    import pandas as pd

    are_whole = units.are_whole(values)
    is_plain = units.split_style(style)[0] == "plain"
    style = f"{style}; whole" if is_judged and are_whole else style
    is_whole = are_whole and not np.isnan(values).any() and not found.has_gaps
    if is_whole and (not is_plain or all(map(_DIGITS.fullmatch, cores))):
        cells = values.astype("int64")[found.codes]
    else:
        cells = found.spread(values, np.nan, "float64")
    return pd.Series(cells, column.index, name=column.name), style


def _of_numbers(column, missing, is_of_file):
    """A column that holds numbers already; one of a file was read as numbers at once, and has their style."""
    codes = [float(text) for text in missing if re.fullmatch(units.PLAIN, text)]
    column = column.mask(column.isin(codes)) if codes else column
    if not is_of_file:
        return column, None
    return column, "plain; whole" if units.are_whole(column.to_numpy()) else "plain"


def _style_of(texts, decimal, quoted_in, skip_bad, is_label, is_class):
    """The style, with its unit, of a training table's column of texts; `None` where they are no numbers."""
    if not texts.may_be_numbers:
        return None
    beside, _ = texts.beside
    try:
        style = units.number_style(beside, decimal) or _usual_style(texts, skip_bad)
    except units.TwoReadings as error:
        if quoted_in != ",":
            raise checks.InputError(f"The column {str(texts.column.name)!r}: {error}") from None
        style = "1,234.5"
    if style is None:
        odd = units.in_parentheses(beside.texts)
        if odd and not (is_label or skip_bad):
            what = "numbers, some in parentheses: write a minus as in -5"
            raise _odd(texts.column, (odd,), what)
        return None
    values = units.to_numbers(beside, style)
    unit = units.common_unit(beside.where(~np.isnan(values)))
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


def _other_than_trained(apart, style):
    """The first of a later table's texts that could mean another number than one of the training table's style; `None` for none."""
    base, unit, is_whole = units.split_style(style)
    sign = units.STYLES[base][2] if base in units.STYLES else None
    for text, core, own in zip(apart.texts, apart.cores, apart.signs):
        is_price = {unit, own} <= {"", *units.CURRENCIES.values()} and "" in (unit, own)
        if not units.are_same(own, unit) and not is_price:
            return text
        if is_whole and sign and re.fullmatch(rf"[+-]?[1-9]\d{{0,2}}[{sign}]\d{{3}}", core):
            return text  # 9.750, which is 9750 where points stand between thousands
    return None


def _usual_style(texts, skip_bad):
    """The style of most values of a column that has others, too; `None` for a column that is one of texts, or of plain numbers.

    Raises:
        InputError: Most values are numbers that are not written plainly, and some are none.
    """
    beside, counts = texts.beside
    has_unit = [unit in ("", *units.UNITS) for unit in beside.signs]
    for name, (pattern, *_) in units.STYLES.items():
        looks = re.compile(pattern).fullmatch
        fits = [known and bool(looks(core)) for known, core in zip(has_unit, beside.cores)]
        if counts[fits].sum() <= counts.sum() / 2:
            continue
        fitting, others = beside.where(fits).texts, beside.where(np.logical_not(fits)).texts
        if not others or all(re.fullmatch(units.PLAIN, text.strip()) for text in fitting):
            return None
        if skip_bad:
            return name
        raise checks.InputError(
            f"The column {str(texts.column.name)!r} holds numbers such as {fitting[0]!r}, but {len(others)} values "
            f"are none, first {others[0]!r} in {_place(texts.column, others[0])}: mend them, say missing=({others[0]!r},) (--missing) where "
            "they are gaps, or pass skip_bad (--skip-bad) to count them as missing."
        )
    return None


def say(title, column, style, texts):
    """One line of the log for a column that is read otherwise than as plain numbers, its different `texts`."""
    base, unit, _ = units.split_style(style)
    parts = []
    if base != "plain":
        parts.append(f"numbers with {units.STYLES[base][3]}, {column.notna().sum()} values")
    if unit and (signed := next((t for t in texts if units.taken_apart(t)[1]), None)):
        parts.append(f"the unit is left out, as in {signed.strip()!r}")
    if gaps := sorted({bare for t in texts if (bare := t.strip()).lower() in units.GAPS}):
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
    found, columns, labels, is_changed = {}, {}, labels or {}, False
    if not frame.columns.is_unique:  # told of later
        return frame, {}
    for title in frame.columns:
        style = None if styles is None else styles.get(title)
        is_text, column = title in texts, frame[title]
        columns[title], used = typed(
            column, missing=missing, decimal=decimal, quoted_in=quoted_in, skip_bad=skip_bad, style=style,
            is_text=is_text, is_label=title in labels, is_class=labels.get(title, False),
        )  # fmt: skip
        is_changed = is_changed or columns[title] is not column
        if used:
            found[title] = used
            is_silent = column.dtype.kind in "iuf" or (
                used in _SILENT and not columns[title].hasnans
            )
            if styles is None and not is_silent:
                say(title, columns[title], used, once.texts_of(column).texts)
    bases = {title: units.split_style(style)[0] for title, style in found.items()}
    if styles is None and decimal is None and {"1.234,5", "1 234,5"} & set(bases.values()):
        _check_dots(frame, [title for title, base in bases.items() if base == "plain"])
    return type(frame)(columns, index=frame.index) if is_changed else frame, found


def _check_dots(frame, titles):
    """Raises `InputError` for numbers such as 1.234 in a table that has decimal commas in another column."""
    for title in titles:
        dotted = [
            text for text in frame[title].dropna().astype(str).str.strip().unique() if "." in text
        ]
        cores = units.Apart.of(dotted).cores
        if dotted and all(re.fullmatch(r"[+-]?[1-9]\d{0,2}\.\d{3}", text) for text in cores):
            raise checks.InputError(
                f"The column {str(title)!r}: {dotted[0]!r} can be read in two ways, as other columns have decimal commas: pass "
                "decimal=',' (--decimal ,) where the point stands between thousands, decimal='.' where it begins the fraction."
            )

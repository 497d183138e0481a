"""Columns of texts as people write them: numbers with thousands separators, decimal commas, currency or per cent signs; gaps.

A reading is decided by all values of a column of the training table, and kept: `predict` reads by the same one.
"""

import logging
import re

import keras
import numpy as np
import tensorflow as tf

from zoo.data.kinds import units
from zoo.models import checks

log = logging.getLogger("zoo")

_SPACE = "[ \u00a0\u202f'’]"
# Name of a reading → what its values look like, its separators of thousands, its decimal sign, and how it is said.
STYLES = {
    "1,234.5": (r"[+-]?(?:[1-9]\d{0,2}(?:,\d{3})+|\d+)(?:\.\d+)?", ",", ".", "thousands separators"),
    "1.234,5": (r"[+-]?(?:[1-9]\d{0,2}(?:\.\d{3})+|\d+)(?:,\d+)?", ".", ",", "decimal commas"),
    "1 234.5": (rf"[+-]?(?:[1-9]\d{{0,2}}(?:{_SPACE}\d{{3}})+|\d+)(?:\.\d+)?", _SPACE, ".", "spaces between thousands"),
    "1 234,5": (rf"[+-]?(?:[1-9]\d{{0,2}}(?:{_SPACE}\d{{3}})+|\d+)(?:,\d+)?", _SPACE, ",", "decimal commas"),
}  # fmt: skip
_EITHER = r"[+-]?[1-9]\d{0,2},\d{3}"  # 9750, or 9.75


class TwoReadings(checks.InputError):
    """Numbers that can be read in two ways."""


def split_style(style):
    """A style as a key of `STYLES` or `"plain"`, its unit, and whether all numbers are whole: `"1,234.5; EUR; whole"`."""
    base, *more = style.split("; ")
    return base, "".join(part for part in more if part != "whole"), "whole" in more


def is_style(text):
    """Whether a text is the style of a column of numbers."""
    return isinstance(text, str) and split_style(text)[0] in ("plain", *STYLES)


def number_style(texts, decimal=None):
    """How some texts, all of which are numbers, are written.

    Args:
        texts: Different texts, none of them a gap.
        decimal: `"."` or `","` where the caller says it.

    Returns:
        A key of `STYLES`, `"plain"`, or `None` where they are no numbers, or codes such as 007.

    Raises:
        InputError: They can be read in two ways.
    """
    if not all(any(map(str.isdigit, text)) for text in texts):
        return None
    given, (texts, _) = texts, units.bare(texts)
    if not texts or any(re.fullmatch(units.CODE, text) for text in texts):
        return None
    if decimal != "," and all(re.fullmatch(units.PLAIN, text) for text in texts):
        return "plain" if units.common_unit(given) is not None else None
    fitting = [
        name
        for name, (pattern, _, sign, _) in STYLES.items()
        if decimal in (None, sign) and all(re.fullmatch(pattern, text) for text in texts)
    ]
    if not fitting or units.common_unit(given) is None:
        return None
    both = {"1,234.5", "1.234,5"} <= set(fitting)
    if both and all(re.fullmatch(_EITHER, t) for t in texts if "," in t):
        raise TwoReadings(
            f"{next(t for t in texts if ',' in t)!r} can be read in two ways: pass decimal='.' (--decimal .) where the comma "
            "stands between thousands, decimal=',' where it begins the fraction."
        )
    return fitting[0]


def to_numbers(texts, style):
    """Texts as numbers of a style, float64; NaN for a gap and for what is no number of it."""
    found = []
    style, _, _ = split_style(style)
    for text in units.bare(texts)[0]:
        if style != "plain":
            pattern, thousands, sign, _ = STYLES[style]
            text = re.sub(f"[{thousands}]" if len(thousands) == 1 else thousands, "", text) if re.fullmatch(pattern, text) else ""  # fmt: skip
            text = text.replace(sign, ".")
        found.append(float(text) if re.fullmatch(units.PLAIN, text) else np.nan)
    return np.array(found, "float64")


def typed(
    column,
    *,
    missing=(),
    decimal=None,
    quoted_in=None,
    skip_bad=False,
    style=None,
    is_text=False,
    is_label=False,
):
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

    Returns:
        The column, and its style; `None` for texts.
    """
    import pandas as pd

    if missing and column.dtype.kind in "iuf":
        codes = [float(text) for text in missing if re.fullmatch(units.PLAIN, text)]
        return (column.mask(column.isin(codes)) if codes else column), None
    if column.dtype.kind not in "OUST" and not isinstance(column.dtype, pd.StringDtype):
        return column, None
    if pd.api.types.infer_dtype(column, skipna=True) not in ("string", "empty"):
        return column, None  # numbers and texts in one column, or objects: judged as they are
    codes, texts = pd.factorize(column)  # -1: missing already
    texts = [str(text) for text in texts]
    gaps = [text.strip() == "" or text.strip() in missing for text in texts]
    beside = [t for t, gap in zip(texts, gaps) if not gap and not units.is_gap(t)]

    def place(text):
        row = column.index[int(np.flatnonzero(codes == texts.index(text))[0])]
        return f"{column.index.name or 'row'} {row}"

    title, found = repr(str(column.name)), style
    if style is None and not is_text:
        try:
            found = number_style(beside, decimal) or _usual_style(
                column, codes, texts, beside, skip_bad
            )
        except TwoReadings as error:
            if quoted_in != ",":
                raise checks.InputError(f"The column {title}: {error}") from None
            found = "1,234.5"
        except units.MixedUnits as error:
            if skip_bad:
                kept = units.of_most(column.dropna())
                return typed(column.where(kept.reindex(column.index)), decimal=decimal, quoted_in=quoted_in, missing=missing)  # fmt: skip
            one, other = (f"{text!r} in {place(text)}" for text in error.texts)
            raise checks.InputError(
                f"The column {title} mixes numbers of different units: {one}, {other}. Write all in one unit, or pass "
                f"kinds={{{title}: 'category'}} (--kinds {column.name}=category) where they are no numbers."
            ) from None
        if (
            found
            and is_label
            and units.common_unit(beside) not in ("", "%", *units.CURRENCIES.values())
        ):
            found = None  # the names of classes, such as 3 stars
    if found is None:
        values = [None if gap else text for text, gap in zip(texts, gaps)]
        values = np.array([*values, None], object)[codes]
        return pd.Series(values, column.index, object, column.name), None
    values = np.append(np.where(gaps, np.nan, to_numbers(texts, found)), np.nan)
    is_said = [gap or units.is_gap(text) for text, gap in zip(texts, gaps)]
    wrong = np.flatnonzero(np.isnan(values[:-1]) & ~np.array(is_said, bool))
    if style:  # a later table
        base, unit, _ = split_style(style)
        other = _other_than_trained(beside, style)
        if len(wrong) and (base == "plain" or skip_bad):
            return column, None  # told of, with its line, where it is converted
        if len(wrong) or other:
            text = texts[wrong[0]] if len(wrong) else other
            how = "plain numbers" if base == "plain" else f"numbers with {STYLES[base][3]}"
            raise checks.InputError(
                f"The column {title} was learned from {how}{f' in {unit}' if unit else ''}; {text!r} in {place(text)} is not written "
                "so, and could mean another number."
            )
    numbers = pd.Series(values[codes], column.index, "float64", column.name)
    is_whole = not numbers.isna().any() and (numbers == np.round(numbers)).all()
    if split_style(found)[0] == "plain":  # 2.0 is no whole number on purpose
        is_whole = is_whole and all(
            re.fullmatch(r"[+-]?\d{1,15}", core) for core in units.bare(texts)[0]
        )
    if style is None:
        unit, present = units.common_unit(beside) if len(wrong) == 0 else "", numbers.dropna()
        found = "; ".join(
            [
                found,
                *([unit] if unit else []),
                *(["whole"] if (present == np.round(present)).all() else []),
            ]
        )
    return (numbers.astype("int64") if is_whole else numbers), found


def _other_than_trained(texts, style):
    """The first text of a later table that could mean another number than one of the training table's style; `None` for none."""
    base, unit, is_whole = split_style(style)
    sign = "." if base == "plain" else STYLES[base][2]
    for text in texts:
        core, own = units.taken_apart(text)
        is_price = {unit, own} <= {"", *units.CURRENCIES.values()} and "" in (unit, own)
        if own != unit and not is_price:
            return text
        if is_whole and re.fullmatch(rf"[+-]?[1-9]\d{{0,2}}[{sign}]\d{{3}}", core):
            return text  # 9.750, which is 9750 where points stand between thousands
    return None


def _usual_style(column, codes, texts, beside, skip_bad):
    """The style of most values of a column that has others, too; `None` for a column that is one of texts, or of plain numbers.

    Raises:
        InputError: Most values are numbers that are not written plainly, and some are none.
    """
    counts = dict(zip(texts, np.bincount(codes[codes >= 0], minlength=len(texts))))
    total = sum(counts[text] for text in beside)
    for name, (pattern, *_) in STYLES.items():
        fitting = {
            t for t, core in zip(beside, units.bare(beside)[0]) if re.fullmatch(pattern, core)
        }
        if sum(counts[text] for text in fitting) <= total / 2:
            continue
        if all(re.fullmatch(units.PLAIN, text.strip()) for text in fitting):
            return None
        wrong = next(text for text in beside if text not in fitting)
        if skip_bad:
            return name
        row = column.index[int(np.flatnonzero(codes == texts.index(wrong))[0])]
        raise checks.InputError(
            f"The column {str(column.name)!r} holds numbers such as {next(iter(fitting))!r}, but {len(beside) - len(fitting)} values "
            f"are none, first {wrong!r} in {column.index.name or 'row'} {row}: mend them, say missing=({wrong!r},) (--missing) where "
            "they are gaps, or pass skip_bad (--skip-bad) to count them as missing."
        )
    return None


@keras.saving.register_keras_serializable(package="zoo")
class CleanTexts(keras.layers.Layer):
    """Brings the texts of a category to the form that training knows, string [B] → string [B].

    Spaces at the ends go always. 3.0 is 3 where all categories are whole numbers, and True is true where all are yes or no.

    Args:
        whole: Whether a fraction of 0 goes.
        lower: Whether capitals go.
    """

    WORDS = {"true", "false", "yes", "no", "t", "f", "y", "n", "on", "off"}

    def __init__(self, whole=False, lower=False, **kwargs):
        super().__init__(**kwargs)
        self.whole, self.lower = whole, lower

    @classmethod
    def for_texts(cls, texts, **kwargs):
        """The layer for the texts of a training column."""
        found = {text.strip() for text in set(texts.tolist())} - {""}
        lower = {text.lower() for text in found} <= cls.WORDS
        whole = bool(found) and all(re.fullmatch(r"[+-]?\d+(\.0+)?", text) for text in found)
        return cls(whole, lower, dtype="string", **kwargs)

    def call(self, texts):
        texts = tf.strings.strip(texts)
        if self.whole:
            texts = tf.strings.regex_replace(texts, r"^([+-]?\d+)\.0+$", r"\1")
        return tf.strings.lower(texts) if self.lower else texts

    def compute_output_spec(self, texts):
        return keras.KerasTensor(texts.shape, "string")

    def get_config(self):
        return super().get_config() | {"whole": self.whole, "lower": self.lower}


def say(title, column, style, texts):
    """One line of the log for a column that is read otherwise than as plain numbers."""
    base, unit, _ = split_style(style)
    parts = []
    if base != "plain":
        parts.append(f"numbers with {STYLES[base][3]}, {column.notna().sum()} values")
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
    labels=(),
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
        labels: Titles of columns that may hold names of classes.
        missing, decimal, quoted_in, skip_bad: As in `typed`.
    """
    found, columns = {}, {}
    if not frame.columns.is_unique:  # told of later
        return frame, {}
    for title in frame.columns:
        style = None if styles is None else styles.get(title)
        is_text = title in texts
        columns[title], used = typed(
            frame[title], missing=missing, decimal=decimal, quoted_in=quoted_in, skip_bad=skip_bad, style=style,
            is_text=is_text, is_label=title in labels,
        )  # fmt: skip
        if used:
            found[title] = used
            if styles is None:
                say(
                    title, columns[title], used, frame[title].dropna().astype(str).unique().tolist()
                )
    bases = {title: split_style(style)[0] for title, style in found.items()}
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

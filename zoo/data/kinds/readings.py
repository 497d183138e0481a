"""Columns of texts as people write them: numbers with thousands separators, decimal commas, currency or per cent signs; gaps.

A reading is decided by all values of a column of the training table, and kept: `predict` reads by the same one.
"""

import logging
import re

import numpy as np

from zoo.models import checks

log = logging.getLogger("zoo")

# What stands for a missing number in a column whose other values are numbers; in a column of texts these are texts.
GAPS = ("na", "n/a", "nan", "null", "none", "-", "--", "?", "#n/a")
_PLAIN = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
CODE = r"0\d+"  # 007 is a code, not 7
_SIGNS = r"[€$£¥₹]|USD|EUR|GBP|CHF"
_SPACE = "[ \u00a0\u202f'’]"
# Name of a reading → what its values look like, its separators of thousands, its decimal sign, and how it is said.
STYLES = {
    "1,234.5": (r"[+-]?(?:[1-9]\d{0,2}(?:,\d{3})+|\d+)(?:\.\d+)?", ",", ".", "thousands separators"),
    "1.234,5": (r"[+-]?(?:[1-9]\d{0,2}(?:\.\d{3})+|\d+)(?:,\d+)?", ".", ",", "decimal commas"),
    "1 234.5": (rf"[+-]?(?:[1-9]\d{{0,2}}(?:{_SPACE}\d{{3}})+|\d+)(?:\.\d+)?", _SPACE, ".", "spaces between thousands"),
    "1 234,5": (rf"[+-]?(?:[1-9]\d{{0,2}}(?:{_SPACE}\d{{3}})+|\d+)(?:,\d+)?", _SPACE, ",", "decimal commas"),
}  # fmt: skip
# Forms of dates that people write, as `strptime` has them, besides those of ISO 8601.
DATES = (
    "%m/%d/%Y", "%d/%m/%Y", "%Y/%m/%d", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%m/%d/%y", "%d/%m/%y", "%d.%m.%y", "%b %d, %Y",
    "%B %d, %Y", "%d %b %Y", "%d %B %Y", "%d-%b-%Y", "%d-%b-%y", "%b %Y", "%Y%m%d",
)  # fmt: skip
_EITHER = r"[+-]?[1-9]\d{0,2},\d{3}"  # 9750, or 9.75


class TwoReadings(checks.InputError):
    """Numbers that can be read in two ways."""


def bare(texts):
    """Texts without spaces around them, and without a sign of a currency or per cent; and whether any had one."""
    stripped = [text.strip() for text in texts]
    cut = [re.sub(rf"\s*(?:{_SIGNS}|%)$", "", text) for text in stripped]
    cut = [re.sub(rf"^([+-]?)(?:{_SIGNS})\s*", r"\1", text) for text in cut]
    return cut, cut != stripped


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
    texts, _ = bare(texts)
    if not texts or any(re.fullmatch(CODE, text) for text in texts):
        return None
    if decimal != "," and all(re.fullmatch(_PLAIN, text) for text in texts):
        return "plain"
    fitting = [
        name
        for name, (pattern, _, sign, _) in STYLES.items()
        if decimal in (None, sign) and all(re.fullmatch(pattern, text) for text in texts)
    ]
    if not fitting:
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
    cut, _ = bare(texts)
    for text in cut:
        if style != "plain":
            pattern, thousands, sign, _ = STYLES[style]
            text = re.sub(f"[{thousands}]" if len(thousands) == 1 else thousands, "", text) if re.fullmatch(pattern, text) else ""  # fmt: skip
            text = text.replace(sign, ".")
        found.append(float(text) if re.fullmatch(_PLAIN, text) else np.nan)
    return np.array(found, "float64")


def is_gap(text):
    """Whether a text stands for a missing number beside numbers."""
    return text.strip().lower() in GAPS


def typed(
    column, *, missing=(), decimal=None, quoted_in=None, skip_bad=False, style=None, is_text=False
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

    Returns:
        The column, and its style; `None` for texts.
    """
    import pandas as pd

    if missing and column.dtype.kind in "iuf":
        codes = [float(text) for text in missing if re.fullmatch(_PLAIN, text)]
        return (column.mask(column.isin(codes)) if codes else column), None
    if column.dtype.kind not in "OUST" and not isinstance(column.dtype, pd.StringDtype):
        return column, None
    if pd.api.types.infer_dtype(column, skipna=True) not in ("string", "empty"):
        return column, None  # numbers and texts in one column, or objects: judged as they are
    codes, texts = pd.factorize(column)  # -1: missing already
    texts = [str(text) for text in texts]
    gaps = [text.strip() == "" or text.strip() in missing for text in texts]
    beside = [t for t, gap in zip(texts, gaps) if not gap and not is_gap(t)]
    found = style
    if style is None and not is_text:
        try:
            found = number_style(beside, decimal) or _usual_style(
                column, codes, texts, beside, skip_bad
            )
        except TwoReadings as error:
            if quoted_in != ",":
                raise checks.InputError(f"The column {str(column.name)!r}: {error}") from None
            found = "1,234.5"
    if found is None:
        values = [None if gap else text for text, gap in zip(texts, gaps)]
        values = np.array([*values, None], object)[codes]
        return pd.Series(values, column.index, object, column.name), None
    values = np.append(np.where(gaps, np.nan, to_numbers(texts, found)), np.nan)
    is_said = [gap or is_gap(text) for text, gap in zip(texts, gaps)]
    wrong = np.flatnonzero(np.isnan(values[:-1]) & ~np.array(is_said, bool))
    if style and len(wrong):  # a later table
        if style == "plain" or skip_bad:
            return column, None  # told of, with its line, where it is converted
        row = column.index[int(np.flatnonzero(codes == wrong[0])[0])]
        raise checks.InputError(
            f"The column {str(column.name)!r} was learned from numbers with {STYLES[style][3]}; {texts[wrong[0]]!r} in "
            f"{column.index.name or 'row'} {row} is not written so."
        )
    numbers = pd.Series(values[codes], column.index, "float64", column.name)
    is_whole = not numbers.isna().any() and (numbers == np.round(numbers)).all()
    if found == "plain":  # 2.0 is no whole number on purpose
        is_whole = is_whole and all(re.fullmatch(r"\s*[+-]?\d{1,15}\s*", text) for text in texts)
    return (numbers.astype("int64") if is_whole else numbers), found


def _usual_style(column, codes, texts, beside, skip_bad):
    """The style of most values of a column that has others, too; `None` for a column that is one of texts, or of plain numbers.

    Raises:
        InputError: Most values are numbers that are not written plainly, and some are none.
    """
    counts = dict(zip(texts, np.bincount(codes[codes >= 0], minlength=len(texts))))
    total = sum(counts[text] for text in beside)
    for name, (pattern, *_) in STYLES.items():
        fitting = {t for t, core in zip(beside, bare(beside)[0]) if re.fullmatch(pattern, core)}
        if sum(counts[text] for text in fitting) <= total / 2:
            continue
        if all(re.fullmatch(_PLAIN, text.strip()) for text in fitting):
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


def moments(column):
    """The times that a column of dates can mean, each a `DatetimeIndex` in UTC without a zone; none for another column.

    A column of texts is one of dates where all are there and of one form; 03/04/2023 is of two.
    """
    import pandas as pd

    if column.dtype.kind == "M" or isinstance(column.dtype, pd.DatetimeTZDtype):
        return [pd.DatetimeIndex(pd.to_datetime(column, utc=True)).tz_localize(None)]
    present = column.dropna()
    if (
        column.dtype.kind in "iufbmc"
        or not len(present)
        or not present.map(lambda v: isinstance(v, str)).all()
    ):
        return []
    first, found = present.iloc[0].strip(), []
    if not re.match(r"\w", first) or not re.search(r"\d", first) or len(first) > 40:
        return []
    for form in ("ISO8601", *DATES) if re.match(r"\s*\d{4}-", first) else DATES:
        # The first one says at once of most columns that they are none.
        if pd.notna(pd.to_datetime(first, format=form, errors="coerce", utc=True)):
            read = pd.to_datetime(column.str.strip(), format=form, errors="coerce", utc=True)
            if read[present.index].notna().all():
                found.append(pd.DatetimeIndex(read).tz_localize(None))
                if form == "ISO8601":
                    break
    return found


def say(title, column, style, texts):
    """One line of the log for a column that is read otherwise than as plain numbers."""
    parts = []
    if style not in (None, "plain"):
        parts.append(f"numbers with {STYLES[style][3]}, {column.notna().sum()} values")
    if style and (signs := [t for t in texts[:1] if bare([t])[1]]):
        parts.append(f"signs as in {signs[0].strip()!r} are left out")
    if style and (gaps := sorted({t.strip() for t in texts if is_gap(t)})):
        parts.append(f"{', '.join(map(repr, gaps))} counted as missing")
    if parts:
        log.info("%s: %s", title, "; ".join(parts))


def typed_frame(
    frame, *, styles=None, texts=(), missing=(), decimal=None, quoted_in=None, skip_bad=False
):
    """A DataFrame whose columns of texts are read; and how each one is written, by its title, where it is one of numbers.

    Args:
        frame: The DataFrame.
        styles: Title → style, of the training table; `None` for the training table itself.
        texts: Titles of columns that hold texts whatever they look like.
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
            is_text=is_text,
        )  # fmt: skip
        if used:
            found[title] = used
            if styles is None:
                say(
                    title, columns[title], used, frame[title].dropna().astype(str).unique().tolist()
                )
    if styles is None and decimal is None and {"1.234,5", "1 234,5"} & set(found.values()):
        _check_dots(frame, [title for title, style in found.items() if style == "plain"])
    return type(frame)(columns, index=frame.index), found


def _check_dots(frame, titles):
    """Raises `InputError` for numbers such as 1.234 in a table that has decimal commas in another column."""
    for title in titles:
        dotted = [
            text for text in frame[title].dropna().astype(str).str.strip().unique() if "." in text
        ]
        if dotted and all(
            re.fullmatch(r"[+-]?[1-9]\d{0,2}\.\d{3}", text) for text in bare(dotted)[0]
        ):
            raise checks.InputError(
                f"The column {str(title)!r}: {dotted[0]!r} can be read in two ways, as other columns have decimal commas: pass "
                "decimal=',' (--decimal ,) where the point stands between thousands, decimal='.' where it begins the fraction."
            )

"""Dates and times as people write them: 05.01.2023 14:30, Jan 5, 2023, 2024-W05, 2024 Q1, seconds since 1970.

The form of a column is decided by all of its values and kept: `predict` reads by the same one. What a graph is given are ISO
8601 texts. A zone counts in the order of a series, which is that of UTC; the day of a table is the one that is written.
"""

import datetime
import logging
import re

import keras
import numpy as np
import tensorflow as tf

from zoo.data import once
from zoo.data.kinds import date_forms, units
from zoo.models import checks

log = logging.getLogger("zoo")

_BIRTH = re.compile(
    r"(?i)(?:^|[^a-z])dob(?:[^a-z]|$)|birth|born|geburt|geb(?:[^a-z]|$)|naissance|nacimiento|nascimento"
)
_GAPS = {"", *units.GAPS}
_AHEAD = 20  # years: years of two digits that are later are hardly meant


def _latest(times):
    """How many years the latest of some times is ahead of this one."""
    return int(times.max().astype("datetime64[Y]").astype(int)) + 1970 - datetime.date.today().year


def moments(column, order=None, form=None):
    """The times that a column of dates can mean: form → `datetime64[us]` in UTC, NaT where missing; none for another column.

    Args:
        column: A pandas Series.
        order: As in `date_forms.forms`.
        form: The form of the training table's column, where that is known; ISO 8601 is read beside it.
    """
    import pandas as pd

    if column.dtype.kind == "M" or isinstance(column.dtype, pd.DatetimeTZDtype):
        times = pd.DatetimeIndex(pd.to_datetime(column, utc=True)).tz_localize(None)
        return {date_forms.ISO: times.to_numpy("datetime64[us]")}
    if column.dtype.kind in "iuf":
        return _of_numbers(column)
    if column.dtype.kind in "bmc":
        return {}
    different = once.texts_of(column) or once.Once(*pd.factorize(column))
    if not len(different.texts) or not all(isinstance(text, str) for text in different.texts):
        return {}
    texts = pd.Series(different.texts, dtype=object)
    present = texts[[text.strip().lower() not in _GAPS for text in different.texts]]
    is_known = _fits(present, form)
    fitting = [form] if is_known else date_forms.forms(present, order)
    found = {}
    for one in fitting if is_known else _with_centuries(present, fitting):
        times, ahead = date_forms.parsed(texts, one)
        found[one] = different.spread(times - ahead, np.datetime64("NaT"), "datetime64[us]")
    return found


def _with_centuries(texts, fitting):
    """Forms, and beside those with years of two digits the same ones of the past, where these are other dates."""
    for form in fitting:
        ways = [form]
        if "%y" in form:
            default, past = (
                date_forms.parsed(texts, form)[0],
                date_forms.parsed(texts, date_forms.of_the_past(form))[0],
            )
            if (default != past).any():
                ways.insert(0 if _latest(default) > _AHEAD else 1, date_forms.of_the_past(form))
        yield from ways


def _fits(texts, form):
    return form is not None and not np.isnat(date_forms.parsed(texts, form)[0]).any()


def _of_numbers(column):
    """Whole numbers that are times, under a title that says so: 20230105, 2023, seconds or milliseconds since 1970."""
    if not date_forms.NAMED.search(str(column.name)):
        return {}
    values = column.dropna().to_numpy("float64")
    if not len(values) or not units.are_whole(values):
        return {}
    low, high = values.min(), values.max()
    unit = next((u for u, one in (("s", 1), ("ms", 1e3), ("us", 1e6)) if 1e8 * one <= low <= high < 5e9 * one), None)  # fmt: skip
    if unit and not 19000101 <= low <= high <= 21991231:
        times = column.to_numpy("float64", na_value=np.nan)
        known = np.where(np.isnan(times), 0, times).astype("int64").astype(f"datetime64[{unit}]")
        return {
            "unix": np.where(np.isnan(times), np.datetime64("NaT"), known.astype("datetime64[us]"))
        }
    texts = column.map(lambda v: None if v != v else f"{v:.0f}").astype(object)
    for form, lowest, highest in (("%Y%m%d", 16000101, 21991231), ("%Y%m", 160001, 219912), ("%Y", 1000, 2500)):  # fmt: skip
        if lowest <= low and high <= highest:
            import pandas as pd

            times = pd.to_datetime(texts, format=form, errors="coerce").to_numpy("datetime64[us]")
            return {} if np.isnat(times[column.notna()]).any() else {form: times}
    return {}


def as_iso(column, form):
    """A column of dates of one form as ISO 8601 texts; what is not of the form, ISO texts too, stays as it is."""
    import pandas as pd

    if column.dtype.kind == "M":
        return column
    found = once.texts_of(column)
    if found is None:
        column = column.map(lambda v: f"{v:.0f}" if isinstance(v, (int, float, np.number)) and v == v else v)  # fmt: skip
        found = once.Once(*pd.factorize(column))
    texts = pd.Series(found.texts, dtype=object)
    is_text = texts.map(lambda text: isinstance(text, str)).astype(bool)
    if not is_text.any():
        return column
    times = np.full(len(texts), np.datetime64("NaT", "us"))
    times[is_text] = date_forms.parsed(texts[is_text], form)[0]
    has_clock = (times != times.astype("datetime64[D]"))[~np.isnat(times)].any()
    written = pd.Series(times).dt.strftime("%Y-%m-%dT%H:%M:%S" if has_clock else "%Y-%m-%d")
    kept = texts.where(
        np.isnat(times) | texts.astype(str).str.fullmatch(date_forms.ISO_DATE), written
    )
    kept = kept.mask(is_text & texts.astype(str).map(units.is_gap), None)
    return pd.Series(found.written(kept), column.index, object, column.name)


def read_frame(frame, *, styles=None, order=None, texts=(), skip_bad=False):
    """A table whose dates are ISO 8601 texts; and the form of each column of dates that were written otherwise.

    Args:
        frame: The DataFrame.
        styles: Title → form, of the training table; `None` for the training table itself.
        order: As in `date_forms.forms`.
        texts: Titles of columns that are no dates whatever they look like.
        skip_bad: Count single texts that are no date as missing.

    Raises:
        InputError: Dates can be read in two ways, or a few values among them are none.
    """
    import pandas as pd

    found, columns = {}, {}
    if not frame.columns.is_unique:  # told of later
        return frame, {}
    for title in frame.columns:
        column = columns[title] = frame[title]
        form = (styles or {}).get(title)
        is_text = column.dtype == object or isinstance(column.dtype, pd.StringDtype)
        if styles is None and title not in texts and (is_text or column.dtype.kind in "iu"):
            form = _form_of(title, column, order, skip_bad)
        if not date_forms.is_form(form):
            continue
        columns[title] = as_iso(column, form)
        if skip_bad:
            columns[title] = columns[title].where(are_dates(columns[title].fillna("")), None)
        found[title] = form
        if styles is None:
            first = column.dropna().iloc[0]
            log.info("%s: dates, %r is %s", title, first, columns[title].dropna().iloc[0])
    return frame.assign(**columns) if found else frame, found


def _form_of(title, column, order, skip_bad):
    """The form of a training table's column of dates that are not written as ISO 8601 has them; otherwise `None`."""
    import pandas as pd

    if column.dtype.kind in "iu":
        return next((form for form in _of_numbers(column) if form == "%Y%m%d"), None)
    found = once.texts_of(column)
    if found is None:
        given = column.drop_duplicates().dropna()
    else:
        given = pd.Series(found.texts, column.index[found.first], object)
    texts = given[[isinstance(v, str) and v.strip().lower() not in _GAPS for v in given]]
    if not len(texts) or len(texts) < given.map(lambda v: not isinstance(v, str)).sum():
        return None
    if len(texts) == len(given) and are_dates(texts.iloc[:3]).all() and are_dates(texts).all():
        return None  # nothing to change
    if not re.search(r"\d", min(texts)):
        return None  # as of words
    different = texts.sort_values()
    fitting = date_forms.forms(different, order) or date_forms.usual_forms(different, order)
    if not fitting:
        _check_several_forms(column, texts)
        return None
    bad = texts[np.isnat(date_forms.parsed(texts, fitting[0])[0])]
    if len(bad) and not skip_bad:
        raise checks.InputError(
            f"The column {str(title)!r} holds dates such as {texts.drop(bad.index).iloc[0]!r}, but {column.isin(bad).sum()} values are none of that form, first "
            f"{bad.iloc[0]!r} in {column.index.name or 'row'} {bad.index[0]}: mend them, or pass skip_bad (--skip-bad) to count "
            "them as missing."
        )
    if len(fitting) > 1:
        ways = [date_forms.parsed(different, form)[0] for form in fitting[:2]]
        at = int(np.argmax(ways[0] != ways[1]))
        one, other = (str(way[at])[:10] for way in ways)
        raise checks.InputError(
            f"The column {str(title)!r}: {different.iloc[at]!r} is {one} or {other}, and so are all its dates: pass dates='day-first' "
            "(--dates day-first) or dates='month-first' (--dates month-first)."
        )
    return _with_century(str(title), different, fitting[0])


def _with_century(title, texts, form):
    """The form of a table's dates, with the years that two digits stand for where the title tells them."""
    times = date_forms.parsed(texts, form)[0]
    if "%y" not in form or np.isnat(times).all():
        return form
    if _BIRTH.search(title):
        form = date_forms.of_the_past(form)
        log.info(
            "%s: years of two digits are those of births, none of which is in the future", title
        )
    elif _latest(times[~np.isnat(times)]) > _AHEAD:
        text = texts.iloc[
            int(
                np.nanargmax(
                    np.where(np.isnat(times), np.datetime64("0001"), times).astype("int64")
                )
            )
        ]
        raise checks.InputError(
            f"The column {title!r}: {text!r} would be in {str(times[texts.to_numpy() == text][0])[:4]}, and may be in the century before: "
            "write years with four digits, or give the column a title such as birth where no date is in the future."
        )
    return form


def _check_several_forms(column, texts):
    """Raises `InputError` for a column all of whose values are dates, but written in several ways."""
    if texts.str.len().max() > 50 or not texts.str.contains(r"\d").all():
        return
    first = {
        form: ~np.isnat(date_forms.parsed(texts.iloc[:3], form)[0]) for form in date_forms.FORMS
    }
    if not np.any([*first.values()], 0).all():
        return
    read = {form: ~np.isnat(date_forms.parsed(texts, form)[0]) for form in date_forms.FORMS}
    if np.any([*read.values()], 0).all():
        one = next(form for form, fits in read.items() if fits[0])
        other = texts[~read[one]].iloc[0]
        raise checks.InputError(
            f"The column {str(column.name)!r} holds dates of several forms, such as {texts.iloc[0]!r} and {other!r} in "
            f"{column.index.name or 'row'} {column.index[column == other][0]}: write all of them as 2023-01-05."
        )


def are_dates(values):
    """Whether each value of a pandas Series, none of which is missing, is an ISO 8601 date of the calendar or an empty text."""
    import pandas as pd

    texts = values.astype(str).str.strip()
    days = pd.to_datetime(texts.str[:10], format=date_forms.ISO, errors="coerce")
    return (texts == "") | texts.str.fullmatch(date_forms.ISO_DATE) & days.notna()


@keras.saving.register_keras_serializable(package="zoo")
class DateParts(keras.layers.Layer):
    """Dates as ISO 8601 texts, string [B] → days since 1970, month and weekday (Monday is 0), float32 [B, 3].

    What is no date becomes NaN.
    """

    names = ("days", "month", "weekday")

    def call(self, texts):
        is_date = tf.strings.regex_full_match(texts, date_forms.ISO_DATE)
        safe = tf.where(is_date, tf.strings.strip(texts), "1970-01-01")
        year, month, day = (
            tf.strings.to_number(tf.strings.substr(safe, start, length), tf.int32)
            for start, length in ((0, 4), (5, 2), (8, 2))
        )
        # Hinnant, "chrono-compatible low-level date algorithms": years that begin in March end with the leap day.
        early = month <= 2
        year -= tf.cast(early, tf.int32)
        era = year // 400
        year_of_era = year - era * 400
        day_of_year = (153 * (month + tf.where(early, 9, -3)) + 2) // 5 + day - 1
        days = (
            era * 146097
            + year_of_era * 365
            + year_of_era // 4
            - year_of_era // 100
            + day_of_year
            - 719468
        )
        parts = tf.cast(tf.stack([days, month, (days + 3) % 7], -1), tf.float32)
        return tf.where(is_date[:, None], parts, np.nan)

    def compute_output_shape(self, input_shape):
        return (*input_shape, 3)

"""Dates and times as people write them: 05.01.2023 14:30, Jan 5, 2023, 2024-W05, 2024 Q1, seconds since 1970.

The form of a column is decided by all of its values and kept: `predict` reads by the same one. What a graph is given are ISO
8601 texts. A zone counts in the order of a series, which is that of UTC; the day of a table is the one that is written.
"""

import logging
import re

import keras
import numpy as np
import tensorflow as tf

from zoo.data.kinds import units
from zoo.models import checks

log = logging.getLogger("zoo")

ISO = "%Y-%m-%d"
ISO_DATE = r"\s*\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])([T ].*)?\s*"
DAY_FIRST = ("%d/%m/%Y", "%d-%m-%Y", "%d/%m/%y", "%d-%m-%y")
MONTH_FIRST = ("%m/%d/%Y", "%m-%d-%Y", "%m/%d/%y", "%m-%d-%y")
# Form of a day → what its texts look like; `strptime` reads it, but for quarters.
FORMS = {
    ISO: r"\d{4}-\d{1,2}-\d{1,2}", "%Y/%m/%d": r"\d{4}/\d{1,2}/\d{1,2}", "%Y.%m.%d": r"\d{4}\.\d{1,2}\.\d{1,2}",
    **dict.fromkeys(("%m/%d/%Y", "%d/%m/%Y"), r"\d{1,2}/\d{1,2}/\d{4}"),
    **dict.fromkeys(("%m-%d-%Y", "%d-%m-%Y"), r"\d{1,2}-\d{1,2}-\d{4}"),
    **dict.fromkeys(("%m/%d/%y", "%d/%m/%y"), r"\d{1,2}/\d{1,2}/\d{2}"),
    **dict.fromkeys(("%m-%d-%y", "%d-%m-%y"), r"\d{1,2}-\d{1,2}-\d{2}"),
    "%d.%m.%Y": r"\d{1,2}\.\d{1,2}\.\d{4}", "%d.%m.%y": r"\d{1,2}\.\d{1,2}\.\d{2}",
    **dict.fromkeys(("%b %d %Y", "%B %d %Y"), r"[a-z]+ \d{1,2} \d{4}"),
    **dict.fromkeys(("%d %b %Y", "%d %B %Y"), r"\d{1,2} [a-z]+ \d{4}"),
    **dict.fromkeys(("%b %Y", "%B %Y"), r"[a-z]+ \d{4}"), "%b-%y": r"[a-z]{3}-\d{2}", "%d %b %y": r"\d{1,2} [a-z]{3} \d{2}",
    **dict.fromkeys(("%Y %b", "%Y %B"), r"\d{4} [a-z]+"), "%Y-%m": r"\d{4}-\d{2}", "%Y/%m": r"\d{4}/\d{2}", "%m/%Y": r"\d{1,2}/\d{4}",
    "%Y%m%d": r"(?:1[6-9]|2[01])\d\d(?:0[1-9]|1[0-2])[0-3]\d", "%G-W%V-%u": r"\d{4}-?\s?w\d{1,2}(?:-?[1-7])?",
    "%Y年%m月%d日": r"\d{4}\s?年\s?\d{1,2}\s?月\s?\d{1,2}\s?日", "quarter": r"\d{4}[- /]?q[1-4]|q[1-4][- /]?\d{4}",
}  # fmt: skip
_WEEKDAY = r"(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?\.?,?\s+"
CLOCK = (
    r"(?P<hour>\d{1,2}):(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d(?:[.,]\d+)?))?\s*(?P<half>[ap]\.?m\.?)?"
    r"\s*(?P<zone>z|utc|gmt|[+-]\d\d:?(?:\d\d)?)?"
)
_TEXT = re.compile(rf"(?is)\s*(?:{_WEEKDAY})?(?P<day>\S.*?)(?:(?:\s*[t,:]\s*|\s+){CLOCK})?\s*")
# Titles of columns that tell when, where the values alone could be anything.
NAMED = re.compile(
    r"(?i)(?:^|[^a-z])(?:day|ts|epoch|unix|month|week|year|quarter|period|tag|monat|jahr|woche|quartal|fecha|mes|a.o|jour|mois|"
    r"ann[ée]e|when)(?:[^a-z]|$)|(?:date|time|datum|zeit|timestamp)(?:[^a-z]|$)|^(?:date|time|datum|zeit)"
)


def parsed(texts, form):
    """Different texts, of a pandas Series, as local times of one form, and what their zones are ahead of UTC.

    Returns:
        `datetime64[us]`, NaT for what is not of the form, and `timedelta64[us]`.
    """
    import pandas as pd

    days, clocks, zones = zip(*map(_apart, texts)) if len(texts) else ((), (), ())
    given = pd.Series([_day(day, form) for day in days], dtype=object)
    used = {"quarter": "%Y-%m"}.get(form, form)
    times = pd.to_datetime(given, format=used, errors="coerce").to_numpy("datetime64[us]")
    return times + np.array(clocks, "timedelta64[us]"), np.array(zones, "timedelta64[us]")


def _apart(text):
    """A text as its day, and as microseconds its time of day and what its zone is ahead of UTC."""
    found = _TEXT.fullmatch(text)
    if found is None:
        return "", 0, 0
    day, hour, minute, second, half, zone = found.group("day", "hour", "minute", "second", "half", "zone")  # fmt: skip
    hour = int(hour or 0)
    if half:
        hour = hour % 12 + 12 * (half[0] in "pP")
    if hour > 24:
        return "", 0, 0
    clock = hour * 3600 + int(minute or 0) * 60 + float((second or "0").replace(",", "."))
    ahead = re.fullmatch(r"([+-])(\d\d):?(\d\d)?", zone or "")
    minutes = int(ahead[2]) * 60 + int(ahead[3] or 0) if ahead else 0
    return day, round(clock * 1e6), minutes * 60_000_000 * (-1 if ahead and ahead[1] == "-" else 1)


def _day(text, form):
    """A day as `strptime` reads its form; `None` where it is not of it."""
    text = re.sub(r"(?<=\d)(?:st|nd|rd|th)\b|(?<=[a-z])\.", "", text.strip().lower())
    text = re.sub(r"\bsept\b", "sep", text)
    if "%b" in form.lower() and " " in form:  # Jan 5, 2023; 5. January 2023; 5-Jan-2023
        text = re.sub(r"(?:\.\s|[\s,/-])\s*", " ", text)
    if not re.fullmatch(FORMS[form], text):
        return None
    if form == "quarter":
        year, quarter = re.search(r"\d{4}", text)[0], int(re.search(r"q([1-4])", text)[1])
        return f"{year}-{3 * quarter - 2:02}"
    if form == "%G-W%V-%u":
        year, week, day = re.fullmatch(r"(\d{4})-?\s?w(\d{1,2})-?(\d)?", text).groups()
        return f"{year}-W{week}-{day or 1}"
    return text


def forms(texts, order=None):
    """The forms that all of some different texts are of; 03/04/2023 is of two.

    Args:
        texts: A pandas Series of `str`, none of them a gap.
        order: `"day-first"` or `"month-first"` where the caller says it.

    Raises:
        InputError: They are dates, but not in that order.
    """
    found = []
    if len(texts) and re.search(r"\d", texts.iloc[0]) and len(texts.iloc[0]) < 50:
        for form in FORMS:
            # The first ones say at once of most columns that they are none.
            if not np.isnat(parsed(texts.iloc[:3], form)[0]).any():
                times = parsed(texts, form)[0]
                if not np.isnat(times).any() and not any((times == o).all() for o in (parsed(texts, f)[0] for f in found)):  # fmt: skip
                    found.append(form)
    wrong = {"day-first": MONTH_FIRST, "month-first": DAY_FIRST}.get(order, ())
    kept = [form for form in found if form not in wrong]
    if found and not kept:
        other = parsed(texts, found[0])[0]
        raise checks.InputError(
            f"dates={order!r} does not fit: {texts.iloc[0]!r} to {texts.iloc[-1]!r} are dates such as {str(other[0])[:10]} "
            "only the other way round."
        )
    return kept


def moments(column, order=None, form=None):
    """The times that a column of dates can mean: form → `datetime64[us]` in UTC, NaT where missing; none for another column.

    Args:
        column: A pandas Series.
        order: As in `forms`.
        form: The form of the training table's column, where that is known; ISO 8601 is read beside it.
    """
    import pandas as pd

    if column.dtype.kind == "M" or isinstance(column.dtype, pd.DatetimeTZDtype):
        times = pd.DatetimeIndex(pd.to_datetime(column, utc=True)).tz_localize(None)
        return {ISO: times.to_numpy("datetime64[us]")}
    if column.dtype.kind in "iuf":
        return _of_numbers(column)
    codes, texts = pd.factorize(column)
    if column.dtype.kind in "bmc" or not len(texts) or not all(isinstance(t, str) for t in texts):
        return {}
    texts = pd.Series(texts).astype(object)
    gaps = texts.map(lambda text: not text.strip() or units.is_gap(text))
    found = {}
    for one in [form] if _fits(texts[~gaps], form) else forms(texts[~gaps], order):
        times, ahead = parsed(texts, one)
        found[one] = np.append(times - ahead, np.datetime64("NaT"))[codes]
    return found


def _fits(texts, form):
    return form is not None and not np.isnat(parsed(texts, form)[0]).any()


def _of_numbers(column):
    """Whole numbers that are times, under a title that says so: 20230105, 2023, seconds or milliseconds since 1970."""
    values = column.dropna().to_numpy("float64")
    if not NAMED.search(str(column.name)) or not len(values) or (values != np.round(values)).any():
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
    column = column.map(lambda v: f"{v:.0f}" if isinstance(v, (int, float, np.number)) and v == v else v)  # fmt: skip
    codes, texts = pd.factorize(column)
    texts = pd.Series(texts, dtype=object)
    is_text = texts.map(lambda text: isinstance(text, str))
    if not is_text.any():
        return column
    times = np.full(len(texts), np.datetime64("NaT", "us"))
    times[is_text] = parsed(texts[is_text], form)[0]
    has_clock = (times != times.astype("datetime64[D]"))[~np.isnat(times)].any()
    written = pd.Series(times).dt.strftime("%Y-%m-%dT%H:%M:%S" if has_clock else "%Y-%m-%d")
    kept = texts.where(np.isnat(times) | texts.astype(str).str.fullmatch(ISO_DATE), written)
    kept = kept.mask(is_text & texts.astype(str).map(units.is_gap), None)
    return pd.Series(np.array([*kept, None], object)[codes], column.index, object, column.name)


def read_frame(frame, *, styles=None, order=None, texts=(), skip_bad=False):
    """A table whose dates are ISO 8601 texts; and the form of each column of dates that were written otherwise.

    Args:
        frame: The DataFrame.
        styles: Title → form, of the training table; `None` for the training table itself.
        order: As in `forms`.
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
        if form not in FORMS:
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
    if column.dtype.kind in "iu":
        return next((form for form in moments(column) if form == "%Y%m%d"), None)
    given = column.drop_duplicates().dropna()  # each different value is looked at once
    texts = given[~given.map(lambda v: not isinstance(v, str) or not v.strip() or units.is_gap(v))]
    if not len(texts) or len(texts) < given.map(lambda v: not isinstance(v, str)).sum():
        return None
    if are_dates(texts).all() and len(texts) == len(given):
        return None  # nothing to change
    different = texts.sort_values()
    fitting = forms(different, order) or _usual_forms(different, order)
    if not fitting:
        _check_several_forms(column, texts)
        return None
    bad = texts[np.isnat(parsed(texts, fitting[0])[0])]
    if len(bad) and not skip_bad:
        raise checks.InputError(
            f"The column {str(title)!r} holds dates such as {texts.drop(bad.index).iloc[0]!r}, but {column.isin(bad).sum()} values are none of that form, first "
            f"{bad.iloc[0]!r} in {column.index.name or 'row'} {bad.index[0]}: mend them, or pass skip_bad (--skip-bad) to count "
            "them as missing."
        )
    if len(fitting) > 1:
        ways = [parsed(different, form)[0] for form in fitting[:2]]
        at = int(np.argmax(ways[0] != ways[1]))
        one, other = (str(way[at])[:10] for way in ways)
        raise checks.InputError(
            f"The column {str(title)!r}: {different.iloc[at]!r} is {one} or {other}, and so are all its dates: pass dates='day-first' "
            "(--dates day-first) or dates='month-first' (--dates month-first)."
        )
    return fitting[0]


def _check_several_forms(column, texts):
    """Raises `InputError` for a column all of whose values are dates, but written in several ways."""
    if texts.str.len().max() > 50 or not texts.str.contains(r"\d").all():
        return
    first = {form: ~np.isnat(parsed(texts.iloc[:3], form)[0]) for form in FORMS}
    if not np.any([*first.values()], 0).all():
        return
    read = {form: ~np.isnat(parsed(texts, form)[0]) for form in FORMS}
    if np.any([*read.values()], 0).all():
        one = next(form for form, fits in read.items() if fits[0])
        other = texts[~read[one]].iloc[0]
        raise checks.InputError(
            f"The column {str(column.name)!r} holds dates of several forms, such as {texts.iloc[0]!r} and {other!r} in "
            f"{column.index.name or 'row'} {column.index[column == other][0]}: write all of them as 2023-01-05."
        )


def _usual_forms(texts, order):
    """The forms of more than half of some texts that begin with one of them."""
    for form in FORMS if re.search(r"\d{2}", texts.iloc[0]) else ():
        times = parsed(texts, form)[0]
        if np.isnat(times).mean() < 0.5:
            return forms(texts[~np.isnat(times)], order)
    return []


def are_dates(values):
    """Whether each value of a pandas Series, none of which is missing, is an ISO 8601 date of the calendar or an empty text."""
    import pandas as pd

    texts = values.astype(str).str.strip()
    days = pd.to_datetime(texts.str[:10], format=ISO, errors="coerce")
    return (texts == "") | texts.str.fullmatch(ISO_DATE) & days.notna()


@keras.saving.register_keras_serializable(package="zoo")
class DateParts(keras.layers.Layer):
    """Dates as ISO 8601 texts, string [B] → days since 1970, month and weekday (Monday is 0), float32 [B, 3].

    What is no date becomes NaN.
    """

    names = ("days", "month", "weekday")

    def call(self, texts):
        is_date = tf.strings.regex_full_match(texts, ISO_DATE)
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

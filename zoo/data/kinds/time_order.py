"""The order of time: which columns of a table tell when its rows were, and that the rows follow each other."""

import dataclasses
import itertools
import re

import numpy as np

from zoo.data import examples
from zoo.data.kinds import date_forms, dates
from zoo.models import checks

HOUR = 3_600_000_000  # microseconds
PARTS = ("year", "month", "day", "hour", "minute")  # columns that are a date together
NEWER = {"%Y年%m月%d日", "%m-%d-%y", "%d-%m-%y"}  # forms that models of before were not trained by
COUNTS = re.compile(
    r"(?i)\s*(?:date|day|datum|tag|fecha|jour|week|month|year|period|timestamp|excel_?date)s?\s*"
)
MOST_SERIES = 1000  # below each other in one table


@dataclasses.dataclass
class When:
    """A column that tells when, or several together.

    Attributes:
        titles: The columns' titles; none for the index.
        readings: Form → the times of the rows, `datetime64[us]`; 03/04/2023 has two.
    """

    titles: list
    readings: dict

    @property
    def where(self):
        """What a message says after "the dates"."""
        if not self.titles:
            return "of the index"
        column = "column" if len(self.titles) == 1 else "columns"
        return f"of the {column} {', '.join(repr(str(title)) for title in self.titles)}"


def in_time_order(frame, *, learned=(), order=None, forms=None, as_before=False):
    """Brings a table whose newest row comes first into the order of time, and finds its dates.

    Args:
        frame: A DataFrame; dates may be in columns, also as texts of a common form (`date_forms.FORMS`), or in its index.
        learned: Titles of columns that hold what is learned, and so no times.
        order: `"day-first"` or `"month-first"` where the caller says how 03/04/2023 is meant.
        forms: Title → form, of the training table, where that is known.
        as_before: Whether dates are those that models of before were trained by.

    Returns:
        The DataFrame, for each title of a column that tells when its form, or `""`, and what the first of these columns, or the index, is
        called → the times of the rows in their order, `datetime64[us]`; numbers that only count have none.

    Raises:
        InputError: Dates cannot be read, or neither rise nor fall from row to row, or one is missing. Warns where steps are missing.
    """
    found = _all_when(frame, learned, order, forms or {}, as_before)
    falls = [_falls(when, frame) for when in found]
    if not found:
        _warn_of_numbers_that_fall(frame)
        _warn_of_texts_that_differ(frame, learned)
    if len(set(falls)) > 1:
        raise checks.InputError(
            "Some dates of the table rise and others fall: leave one of them out."
        )
    told = {t: form if len(w.titles) == 1 else "" for w in found for t in w.titles for form in w.readings}  # fmt: skip
    stamps = {str(w.titles[0]) if w.titles else "index": t for w in found for form, t in w.readings.items() if form or len(w.titles) != 1}  # fmt: skip
    if falls and falls[0]:
        examples.log.info(
            "dates: the newest row comes first, so the rows are read from the last one on"
        )
        return frame.iloc[::-1], told, {title: times[::-1] for title, times in stamps.items()}
    return frame, told, stamps


def _all_when(frame, learned, order, forms, as_before):
    import pandas as pd

    others = [title for title in frame.columns if title not in learned]
    found = []
    for title in others:
        readings = dates.moments(frame[title], order, forms.get(title))
        is_new = not readings or not forms.get(title) and set(readings) & NEWER
        readings = readings or _counted(frame[title])
        if readings and is_new and as_before:
            examples.log.warning(
                "%r tells when each row was, but the model was trained before such dates were read: rows are taken in the order of the table, "
                "as it was then", str(title),
            )  # fmt: skip
        elif readings:
            found.append(When([title], readings))
        elif _looks_like_dates(frame[title]):
            given = frame[title].dropna().drop_duplicates()
            ways = [date_forms.parsed(given, form)[0] for form in date_forms.forms(given[:1])]
            unread = given[np.all([np.isnat(times) for times in ways], 0)] if ways else given
            other = (unread if len(unread) else given).iloc[0]
            row = frame.index[frame[title] == other][0]
            raise checks.InputError(
                f"The dates of the column {str(title)!r} cannot be read, such as {other!r} in {place(frame, row)}: one is in no "
                "calendar, or they are of several forms, or of none that is known.\nWrite them as 2023-01-05, or leave the column out."
            )
    found = _with_parts(frame[others], found)
    index = frame.index
    if isinstance(index, (pd.PeriodIndex, pd.DatetimeIndex)):
        index = index.to_timestamp() if isinstance(index, pd.PeriodIndex) else index
        index = index if index.tz is None else index.tz_convert("UTC").tz_localize(None)
        found.append(When([], {date_forms.ISO: index.to_numpy("datetime64[us]")}))
    return [_with_clock(when, frame[others]) for when in found]


def _counted(column):
    """Whole numbers that all differ under a title such as `day`, as times: they count days, or are a spreadsheet's dates."""
    values = column.to_numpy()
    if not COUNTS.fullmatch(str(column.name)) or values.dtype.kind not in "iu" or len(values) < 2:
        return {}
    is_count = np.abs(values).max() < 10**8 and len(np.unique(values)) == len(values)
    return {"": values.astype("datetime64[D]").astype("datetime64[us]")} if is_count else {}


def _looks_like_dates(column):
    """Whether a column of texts tells when, though nobody can read it: almost all differ, and hold years or have such a title."""
    given = column.dropna()
    if not len(given) or not given.map(lambda v: isinstance(v, str)).all():
        return False
    texts = given.astype(str)
    if texts.str.fullmatch(date_forms.ISO_DATE).all():
        return True
    has_digits = texts.str.contains(r"\d").mean() > 0.9 and texts.nunique() > len(texts) / 2
    is_named = date_forms.NAMED.search(str(column.name)) is not None
    is_clock = texts.str.fullmatch(_clock()).all()
    return bool(has_digits and not is_clock and (is_named or texts.str.contains(r"\b(?:19|20)\d\d\b").mean() > 0.9))  # fmt: skip


def _clock():
    return rf"(?i)\s*{date_forms.CLOCK}\s*"


def _with_parts(frame, found):
    """Columns of years, months, days and hours as one date, where none is written out."""
    import pandas as pd

    by_name = {str(title).strip().lower(): title for title in frame.columns}
    titles = [by_name[part] for part in itertools.takewhile(by_name.__contains__, PARTS)]
    larger = next((part for part in ("quarter", "week") if part in by_name), None)
    if len(titles) == 1 and larger:
        titles.append(by_name[larger])
    if len(titles) < 2 or any(set(when.titles) - set(titles) for when in found):
        return found
    if larger and titles[1] == by_name[larger]:
        numbers = frame[titles[1]].astype(str).str.extract(r"(?i)^\s*[qwk]*\s*(\d+)(?:\.0)?\s*$")[0]
        joined = frame[titles[0]].astype(str) + f"-{larger[0]}" + numbers.astype(object)
        form = {"quarter": "quarter", "week": "%G-W%V-%u"}[larger]
        times = pd.Series(date_forms.parsed(joined.fillna("").astype(object), form)[0])
    else:
        values = frame[titles].apply(_part).set_axis(PARTS[: len(titles)], axis=1)
        times = pd.to_datetime(values.assign(day=values.get("day", 1)), errors="coerce")
    if times.isna().any():
        return found
    examples.log.info("dates: %s together say when each row was", ", ".join(map(repr, titles)))
    return [When(titles, {"": times.to_numpy("datetime64[us]")})]


def _part(column):
    """A column of years, months, days or hours as numbers; months may be names such as Jan."""
    import pandas as pd

    found = pd.to_numeric(column, errors="coerce")
    if found.isna().all():
        found = pd.to_datetime(
            column.astype(str).str.strip().str[:3], format="%b", errors="coerce"
        ).dt.month
    return found


def _with_clock(when, frame):
    """Adds the time of day that a column of its own holds, where days alone do not tell the rows apart."""
    import pandas as pd

    times = next(iter(when.readings.values()))
    known = times[~np.isnat(times)]
    is_days = (known == known.astype("datetime64[D]")).all()
    if not when.titles or not is_days or len(np.unique(known)) == len(known):
        return when
    for title in frame.columns:
        column = frame[title]
        if title in when.titles:
            continue
        texts = column.astype(str)
        if column.notna().all() and texts.str.fullmatch(_clock()).all():
            clock, _ = date_forms.parsed("1970-01-01 " + texts.str.strip(), date_forms.ISO)
        elif re.fullmatch(r"(?i)\s*(?:hour|hr|stunde)s?\s*", str(title)) and column.dtype.kind in "iu" and column.between(0, 24).all():  # fmt: skip
            clock = pd.to_datetime(column * 3600, unit="s").to_numpy("datetime64[us]")
        elif _is_hhmm(column):
            column = column.astype("int64")
            seconds = column // 100 * 3600 + column % 100 * 60
            clock = pd.to_datetime(seconds, unit="s").to_numpy("datetime64[us]")
        else:
            continue
        examples.log.info("dates: %r holds the time of day of %r", str(title), str(when.titles[0]))
        clock = clock - np.datetime64(0, "us")
        readings = {form: times + clock for form, times in when.readings.items()}
        return When([*when.titles, title], readings)
    return when


def _is_hhmm(column):
    """Whether whole numbers are times of day, 0 to 2359."""
    if not re.fullmatch(r"(?i)\s*(?:time|hhmm|hour|uhrzeit|zeit)s?\s*", str(column.name)):
        return False
    texts = column.astype(str).str.strip()
    return bool(
        texts.str.fullmatch(r"\d{1,2}|\d{0,2}[0-5]\d").all() and (texts.astype(int) <= 2400).all()
    )


def _falls(when, frame):
    """Whether the times fall from row to row; raises `InputError` unless they go one way. Keeps the one reading that does."""
    for times in when.readings.values():
        if np.isnat(times).any():
            row = frame.index[int(np.argmax(np.isnat(times)))]
            raise checks.InputError(
                f"The date {when.where} is missing in {place(frame, row)}: fill it in."
            )
    # 03/04/2023 can be read in two ways: that counts in which the dates go one way, and evenly.
    one = min(map(_judge, when.readings.items()), key=lambda one: (one.disorder, one.unevenness))
    when.readings = {one.form: when.readings[one.form]}
    rows = frame.index[::-1] if one.falls else frame.index
    if one.disorder:
        wrong = np.flatnonzero(one.steps <= 0)
        first = rows[wrong[-1]] if one.falls else rows[wrong[0] + 1]
        times = when.readings[one.form]
        raise checks.InputError(
            f"The dates {when.where} do not rise, first in {place(frame, first)}: {_why(when, frame, times)}"
        )
    if one.put_back.any():
        examples.log.warning(
            "dates %s: the hour that repeats before %s is taken for clocks that were put back, so the rows stay as they are",
            when.where, place(frame, rows[int(np.argmax(one.put_back)) + 1]),
        )  # fmt: skip
    if len(one.steps) and one.gaps.max() > 1.5 * np.median(one.steps):
        examples.log.warning(
            "dates %s: before %s steps are missing; rows are taken as equally far apart",
            when.where, place(frame, rows[int(np.argmax(one.gaps)) + 1]),
        )  # fmt: skip
    return one.falls


@dataclasses.dataclass
class _Judged:
    """A reading of dates: its form, whether the times fall, and what lies between them in the order of time, in microseconds."""

    form: str
    falls: bool
    steps: np.ndarray  # as time passes
    put_back: np.ndarray  # whether clocks were put back within the step
    gaps: np.ndarray  # the steps, but for those in which clocks were put forward

    @property
    def disorder(self):
        return int((self.steps <= 0).sum())

    @property
    def unevenness(self):
        return (
            self.gaps.max() / np.median(self.steps) if len(self.steps) and not self.disorder else 0
        )


def _judge(reading):
    form, times = reading
    steps = np.diff(times).astype("int64")
    falls = bool((steps < 0).sum() > len(steps) / 2)
    times, steps = (times[::-1], -steps[::-1]) if falls else (times, steps)
    if not len(steps):
        return _Judged(form, falls, steps, steps > 0, steps)
    start, usual = times[:-1], np.median(steps)
    # Clocks change in the night of a Sunday: 2:30 is followed by 2:00 of the same night, or 1:30 by 3:00.
    day = start.astype("datetime64[D]")
    month = start.astype("datetime64[M]").astype("int64") % 12 + 1
    is_night = (day.astype("int64") % 7 == 3) & (start - day <= np.timedelta64(3, "h"))
    is_night &= np.isin(month, (3, 4, 9, 10, 11)) & (0 < usual <= HOUR)
    put_back = is_night & (steps > -HOUR) & (steps <= 0)
    steps = steps + HOUR * put_back
    return _Judged(
        form, falls, steps, put_back, np.where(is_night & (steps == usual + HOUR), usual, steps)
    )


def _why(when, frame, times):
    """What to do about dates that do not rise: names the column that tells several series apart."""
    others = [title for title in frame.columns if title not in when.titles]
    others = [title for title in others if not date_forms.NAMED.search(str(title))]
    few = [title for title in others if 1 < frame[title].nunique(dropna=False) <= min(MOST_SERIES, len(frame) / 2)]  # fmt: skip
    order = np.arange(len(frame))
    for titles in (*((t,) for t in few), *itertools.combinations(few[:10], 2)):
        keys = frame.groupby(list(titles), dropna=False, sort=False).ngroup().to_numpy()
        rows = np.lexsort((order, keys))
        same, steps = np.diff(keys[rows]) == 0, np.diff(times[rows])[np.diff(keys[rows]) == 0]
        zero = np.timedelta64(0)
        if same.sum() >= len(frame) / 2 and ((steps > zero).all() or (steps < zero).all()):
            value = ", ".join(f"{title} is {frame[title].tolist()[0]!r}" for title in titles)
            return (
                f"{' and '.join(map(repr, titles))} {'tells' if len(titles) == 1 else 'tell'} {keys.max() + 1} series apart. Pass one "
                f"series at a time, such as the rows where {value}."
            )
    if len(np.unique(times)) < len(times):
        return (
            "a date is there more than once. Pass one series at a time, with one row for each step."
        )
    return "sort the rows by time, and pass one series at a time."


def _warn_of_numbers_that_fall(frame):
    for title in frame.columns:
        is_number = frame[title].dtype.kind in "iuf"
        steps = np.diff(frame[title].to_numpy("float64", na_value=np.nan)) if is_number else np.zeros(1)  # fmt: skip
        if len(steps) and steps[0] < 0 and (steps == steps[0]).all():
            examples.log.warning(
                "%r falls by %g from row to row, as time does where the newest row comes first: rows are taken as they stand, the "
                "oldest first", str(title), -steps[0],
            )  # fmt: skip


def _warn_of_texts_that_differ(frame, learned):
    """Warns of texts that may be dates nobody can read, in a table without any other: it stays as it is."""
    for title in frame.columns:
        column = frame[title].dropna()
        is_text = len(column) and column.map(lambda value: isinstance(value, str)).all()
        if title not in learned and is_text and column.is_unique:
            examples.log.warning(
                "%r: its values, such as %r, may be dates that cannot be read: rows are taken in the order of the table, "
                "the oldest first", str(title), column.iloc[0],
            )  # fmt: skip


def place(frame, label):
    """What a message calls a row: `line 7` of a file."""
    return f"{frame.index.name or 'row'} {label}"

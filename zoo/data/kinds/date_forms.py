"""Forms of dates that people write: 05.01.2023 14:30, Jan 5, 2023, 2024-W05, 2024 Q1."""

import datetime
import re

import numpy as np

from zoo.models import checks

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
_LOOKS = {form: re.compile(pattern) for form, pattern in FORMS.items()}
_ORDINAL = re.compile(r"(?<=\d)(?:st|nd|rd|th)\b|(?<=[a-z])\.")
_AROUND_MONTHS = re.compile(r"(?:\.\s|[\s,/-])\s*")
# Titles of columns that tell when, where the values alone could be anything.
NAMED = re.compile(
    r"(?i)(?:^|[^a-z])(?:day|ts|epoch|unix|month|week|year|quarter|period|tag|monat|jahr|woche|quartal|fecha|mes|a.o|jour|mois|"
    r"ann[ée]e|when)(?:[^a-z]|$)|(?:date|time|datum|zeit|timestamp)(?:[^a-z]|$)|^(?:date|time|datum|zeit)"
)


def is_form(style):
    """Whether a style is the form of a column of dates; `"%d.%m.%y from 1927"` says where years of two digits begin."""
    return isinstance(style, str) and split_form(style)[0] in FORMS


def split_form(form):
    base, _, first = form.partition(" from ")
    return (base, int(first)) if first.isdecimal() else (form, None)


def of_the_past(form):
    """A form with years of two digits, for dates that are not in the future."""
    return f"{form} from {datetime.date.today().year - 99}"


def parsed(texts, form):
    """Different texts, of a pandas Series, as local times of one form, and what their zones are ahead of UTC.

    Returns:
        `datetime64[us]`, NaT for what is not of the form, and `timedelta64[us]`.
    """
    return _read(*_taken_apart(texts), form)


def _taken_apart(texts):
    """The days of some texts, the times of day in microseconds, and what the zones are ahead of UTC."""
    days, clocks, zones = zip(*map(_apart, texts)) if len(texts) else ((), (), ())
    return days, np.array(clocks, "timedelta64[us]"), np.array(zones, "timedelta64[us]")


def _read(days, clocks, zones, form):
    """What `parsed` returns, of texts that are taken apart."""
    import pandas as pd

    given = [_day(day, form) for day in days]
    if not any(given):  # mostly
        return np.full(len(given), np.datetime64("NaT", "us")), zones
    base, first = split_form(form)
    used = {"quarter": "%Y-%m"}.get(base, base.replace("%y", "%Y") if first else base)
    times = pd.to_datetime(pd.Series(given, dtype=object), format=used, errors="coerce")
    return times.to_numpy("datetime64[us]") + clocks, zones


def _apart(text):
    """A text as its day in small letters, and as microseconds its time of day and what its zone is ahead of UTC."""
    found = _TEXT.fullmatch(text)
    if found is None:
        return "", 0, 0
    day, hour, minute, second, half, zone = found.group("day", "hour", "minute", "second", "half", "zone")  # fmt: skip
    day = _ORDINAL.sub("", day.strip().lower())
    day = re.sub(r"\bsept\b", "sep", day)
    if hour is None:
        return day, 0, 0
    hour = int(hour)
    if half:
        hour = hour % 12 + 12 * (half[0] in "pP")
    if hour > 24:
        return "", 0, 0
    clock = hour * 3600 + int(minute) * 60 + float((second or "0").replace(",", "."))
    ahead = re.fullmatch(r"([+-])(\d\d):?(\d\d)?", zone or "")
    minutes = int(ahead[2]) * 60 + int(ahead[3] or 0) if ahead else 0
    return day, round(clock * 1e6), minutes * 60_000_000 * (-1 if ahead and ahead[1] == "-" else 1)


def _fits(day, form):
    """A day in the signs that its form has, `""` where it is not of the form by its looks."""
    if "%b" in form.lower() and " " in form:  # Jan 5, 2023; 5. January 2023; 5-Jan-2023
        day = _AROUND_MONTHS.sub(" ", day)
    return day if _LOOKS[form].fullmatch(day) else ""


def _day(text, form):
    """A day as `strptime` reads its form; `None` where it is not of it."""
    form, first = split_form(form)
    text = _fits(text, form)
    if not text:
        return None
    if form == "quarter":
        year, quarter = re.search(r"\d{4}", text)[0], int(re.search(r"q([1-4])", text)[1])
        return f"{year}-{3 * quarter - 2:02}"
    if form == "%G-W%V-%u":
        year, week, day = re.fullmatch(r"(\d{4})-?\s?w(\d{1,2})-?(\d)?", text).groups()
        return f"{year}-W{week}-{day or 1}"
    if first:
        return text[:-2] + str(first + (int(text[-2:]) - first) % 100)
    return text


def forms(texts, order=None):
    """The forms that all of some different texts are of; 03/04/2023 is of two.

    Args:
        texts: A pandas Series of `str`, none of them a gap.
        order: `"day-first"` or `"month-first"` where the caller says it.

    Raises:
        InputError: They are dates, but not in that order.
    """
    found = {}  # form → times
    if len(texts) and re.search(r"\d", texts.iloc[0]) and len(texts.iloc[0]) < 50:
        # The first ones say at once of most columns that they are none.
        first = _taken_apart(texts.iloc[:3])
        likely = [form for form in FORMS if not np.isnat(_read(*first, form)[0]).any()]
        apart = _taken_apart(texts) if likely else None
        for form in likely:
            times = _read(*apart, form)[0]
            if not np.isnat(times).any() and not any((times == o).all() for o in found.values()):
                found[form] = times
    wrong = {"day-first": MONTH_FIRST, "month-first": DAY_FIRST}.get(order, ())
    kept = [form for form in found if form not in wrong]
    if found and not kept:
        other = next(iter(found.values()))
        raise checks.InputError(
            f"dates={order!r} does not fit: {texts.iloc[0]!r} to {texts.iloc[-1]!r} are dates such as {str(other[0])[:10]} "
            "only the other way round."
        )
    return kept


def usual_forms(texts, order):
    """The forms of more than half of some texts that begin with one of them."""
    if not re.search(r"\d{2}", texts.iloc[0]):
        return []
    apart = _taken_apart(texts)
    if sum(any(_fits(day, form) for form in FORMS) for day in apart[0]) <= len(texts) / 2:
        return []  # as of names: no form is tried
    for form in FORMS:
        times = _read(*apart, form)[0]
        if np.isnat(times).mean() < 0.5:
            return forms(texts[~np.isnat(times)], order)
    return []

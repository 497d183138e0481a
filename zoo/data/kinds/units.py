"""Numbers and what stands beside them: signs of currencies, per cent, units of measurement, ranges."""

import re
import unicodedata

from zoo.models import checks

# What stands for a missing number in a column whose other values are numbers; in a column of texts these are texts.
GAPS = ("na", "n/a", "nan", "null", "none", "-", "--", "?", "#n/a")
PLAIN = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
# 007 is a code, not 7; +4930123456 is a telephone; and of 16 digits float64 loses some.
CODE = r"0\d+|\+\d{6,}|[+-]?\d{16,}"
CURRENCIES = {
    "$": "USD",
    "€": "EUR",
    "£": "GBP",
    "¥": "JPY",
    "₹": "INR",
    "US$": "USD",
    "CHF": "CHF",
}
_CURRENCY = "|".join(
    map(re.escape, [*sorted(CURRENCIES, key=len, reverse=True), *CURRENCIES.values()])
)
# Units that numbers of one column must share; where others differ, the texts may well be codes such as 12A and 12B.
UNITS = {
    *CURRENCIES.values(), *["%", "‰", "k", "K", "M", "B", "bn", "mn", "mio", "mrd", "t", "kg", "g", "mg", "lb", "oz", "km", "m", "cm", "mm", "mi", "ft", "in", "l", "ml", "s", "sec", "ms", "min", "h", "hr", "d", "day", "week", "month"],
    *["year", "°C", "°F", "°"],
}  # fmt: skip
_RANGE = r"[<>≤≥~±]?=?\s*[\d.,]+\s*(?:(?:-|–|—|to|bis)\s*[\d.,]+|\+)?"


def taken_apart(text):
    """A text as a number is written, and the sign of its currency, per cent or unit, `""` where it has none.

    A minus of print, digits of full width and an apostrophe before a number, as spreadsheets have it, are brought to the usual.
    """
    text = unicodedata.normalize("NFKC", text).strip().replace("\u2212", "-")
    text = re.sub(r"^'(?=[+-]?[\d.])", "", text)
    if re.fullmatch(PLAIN, text):
        return text, ""
    if found := re.fullmatch(rf"([+-]?)\s*({_CURRENCY})\s*([+-]?)\s*(.+)", text):
        minus, unit, inner, core = found.groups()
        return minus + inner + core, CURRENCIES.get(unit, unit)
    if found := re.fullmatch(
        rf"(.*\d\.?)\s*({_CURRENCY}|[^\W\d_]{{1,12}}[23]?|[%‰°][CF]?)\.?", text
    ):
        core, unit = found.groups()
        unit = unit if len(unit) < 3 else unit.removesuffix("s")  # 1 day, 2 days
        return core, CURRENCIES.get(unit, unit)
    return text, ""


def bare(texts):
    """Texts without signs of currencies, per cent and units; and whether any had one."""
    found = [taken_apart(text) for text in texts]
    return [core for core, _ in found], any(unit for _, unit in found)


def common_unit(texts):
    """The unit that all of some texts have, `""` for none; `None` where they differ and need not be units at all.

    Raises:
        MixedUnits: Some are in another unit, or in none; a price without its sign is none of those.
    """
    first = {}
    for text in texts:
        first.setdefault(taken_apart(text)[1], text)
    if len(first) == 1:
        return next(iter(first))
    if len(first) == 2 and "" in first and set(first) & set(CURRENCIES.values()):
        return next(unit for unit in first if unit)
    if set(first) - {""} <= UNITS:
        one, other = list(first.values())[:2]
        raise MixedUnits(one, other)
    return None


class MixedUnits(checks.InputError):
    """Numbers in different units, `texts` being two of them."""

    def __init__(self, *texts):
        super().__init__(f"{texts[0]!r} and {texts[1]!r} are in different units.")
        self.texts = texts


def are_ranges(texts):
    """Whether texts are ranges such as 10-20, >100 and 65+, at least one of them, among numbers."""
    is_range = [re.fullmatch(_RANGE, text.strip()) is not None for text in texts]
    return all(is_range) and not all(re.fullmatch(PLAIN, text.strip()) for text in texts)


def of_most(column):
    """Whether each text of a pandas Series is in the unit that most of them are in."""
    own = column.map(lambda text: taken_apart(text)[1])
    return own == own.mode()[0]


def is_gap(text):
    """Whether a text stands for a missing number beside numbers."""
    return text.strip().lower() in GAPS

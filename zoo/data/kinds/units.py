"""How numbers are written, and what stands beside them: signs of currencies, per cent, units of measurement."""

import dataclasses
import itertools
import re
import unicodedata

import numpy as np

from zoo.models import checks

# What stands for a missing number in a column whose other values are numbers; in a column of texts these are texts.
GAPS = ("na", "n/a", "nan", "null", "none", "-", "--", "\u2013", "\u2014", "?", "#n/a", "\\n")
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
    "R$": "BRL",
    "A$": "AUD",
    "C$": "CAD",
    "Rs.": "INR",
    "Rs": "INR",
    "CHF": "CHF",
}
_CURRENCY = "|".join(
    map(re.escape, [*sorted(CURRENCIES, key=len, reverse=True), *CURRENCIES.values()])
)
# Units that numbers of one column must share; where others differ, the texts may well be codes such as 12A and 12B.
UNITS = {
    *CURRENCIES.values(), *["%", "‰", "k", "K", "M", "B", "bn", "mn", "mio", "mrd", "t", "KB", "MB", "GB", "TB", "kg", "g", "mg", "lb", "oz", "km", "m", "cm", "mm", "mi", "ft", "in", "l", "ml", "s", "sec", "ms", "min", "h", "hr", "d", "day", "week", "month"],
    *["year", "°C", "°F", "°"],
}  # fmt: skip
_WORDS = {
    "kg",
    "lb",
    "oz",
    "km",
    "cm",
    "mi",
    "ft",
    "bn",
    "mio",
    "mrd",
    "sec",
    "min",
    "hr",
    "day",
}  # in any capitals
_RANGE = r"[<>≤≥~±]?=?\s*\d+(?:[.,]\d+)?\s*(?:(?:-|–|—|to|bis)\s*\d+(?:[.,]\d+)?|\+)?"
_SPACE = "[ \u00a0\u202f'’]"
# Name of a reading → what its values look like, its separators of thousands, its decimal sign, and how it is said.
STYLES = {
    "1,234.5": (r"[+-]?(?:[1-9]\d{0,2}(?:,\d{3})+|[1-9]\d?(?:,\d\d)+,\d{3}|\d+)(?:\.\d+)?", ",", ".", "thousands separators"),
    "1.234,5": (r"[+-]?(?:[1-9]\d{0,2}(?:\.\d{3})+|\d+)(?:,\d+)?", ".", ",", "decimal commas"),
    "1 234.5": (rf"[+-]?(?:[1-9]\d{{0,2}}(?:{_SPACE}\d{{3}})+|\d+)(?:\.\d+)?", _SPACE, ".", "spaces between thousands"),
    "1 234,5": (rf"[+-]?(?:[1-9]\d{{0,2}}(?:{_SPACE}\d{{3}})+|\d+)(?:,\d+)?", _SPACE, ",", "decimal commas"),
}  # fmt: skip
_EITHER = r"[+-]?[1-9]\d{0,2},\d{3}"  # 9750, or 9.75
DIGIT = re.compile(r"\d")  # of any script
_PLAIN, _CODE = re.compile(PLAIN), re.compile(CODE)
# A line that is no plain number, or is a code. A pattern looks at a million lines in the time of some ten thousand calls.
_NO_NUMBER = re.compile(rf"^(?!(?:{PLAIN})$)|^(?:{CODE})$", re.MULTILINE | re.ASCII)
_PRICE = re.compile(rf"([+-]?)\s*({_CURRENCY})\s*([+-]?)\s*(.+)")
_MEASURE = re.compile(rf"(.*\d\.?)\s*({_CURRENCY}|[^\W\d_]{{1,12}}[23]?|[%‰°][CF]?)\.?")


def taken_apart(text):
    """A text as a number is written, and the sign of its currency, per cent or unit, `""` where it has none.

    A minus of print, digits of full width and an apostrophe before a number, as spreadsheets have it, are brought to the usual.
    """
    if not text.isascii():
        if _is_raised(text):
            return text, ""
        text = unicodedata.normalize("NFKC", text).replace("\u2212", "-")
    text = re.sub(r"^\u2013(?=\s*\S*\d)", "-", text.strip())
    text = re.sub(r"^'(?=[+-]?[\d.])", "", text)
    if _PLAIN.fullmatch(text):
        return text, ""
    if found := _PRICE.fullmatch(text):
        minus, unit, inner, core = found.groups()
        core, scale = taken_apart(core)  # $1.2bn
        return minus + inner + core, f"{CURRENCIES.get(unit, unit)} {scale}".strip()
    if found := _MEASURE.fullmatch(text):
        core, unit = found.groups()
        unit = unit if len(unit) < 3 else re.sub(r"(?i)s$", "", unit)  # 1 day, 2 days
        return core, CURRENCIES.get(unit, unit)
    return text, ""


def _is_raised(text):
    """Whether a text has digits that stand for something else than a digit of a number: 10², ①; those of a unit, m², are none."""
    return any(
        not sign.isdecimal() and not before.isalpha() and re.search(r"\d", unicodedata.normalize("NFKC", sign))
        for before, sign in zip(f" {text}", text)
    )  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Apart:
    """Texts that are taken apart, each once.

    Attributes:
        texts, cores, signs: The texts, and what `taken_apart` gives of each.
    """

    texts: list[str]
    cores: list[str]
    signs: list[str]

    @classmethod
    def of(cls, texts):
        """Different texts, taken apart; such as are already come back as they are."""
        if isinstance(texts, cls):
            return texts
        found = [taken_apart(text) for text in texts]
        return cls(list(texts), [core for core, _ in found], [unit for _, unit in found])

    def where(self, is_wanted):
        """Those of them that are wanted, a list of bool."""
        parts = (self.texts, self.cores, self.signs)
        return Apart(*(list(itertools.compress(part, is_wanted)) for part in parts))


def are_plain(texts):
    """Whether some texts, one at least, are all numbers that are written plainly, and none is a code."""
    if not texts or not _PLAIN.fullmatch(texts[0]):
        return False
    lines = "\n".join(texts)
    return lines.count("\n") == len(texts) - 1 and _NO_NUMBER.search(lines) is None


def are_same(one, other):
    """Whether two units differ in capitals at most; M and m, or MW and mW, are two."""
    is_word = one.lower() in _WORDS or len(one) > 3
    return one == other or (is_word and one.lower() == other.lower())


def common_unit(texts):
    """The unit that all of some texts, or `Apart`, have, `""` for none; `None` where they differ and need not be units at all.

    Raises:
        MixedUnits: Some are in another unit, or in none; a price without its sign is none of those.
    """
    apart, first = Apart.of(texts), {}
    by_unit = dict(
        zip(reversed(apart.signs), reversed(apart.texts))
    )  # the first text of each stays
    for unit in dict.fromkeys(apart.signs):
        text = by_unit[unit]
        first.setdefault(next((known for known in first if are_same(known, unit)), unit), text)
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
    return all(re.fullmatch(_RANGE, text.strip()) for text in texts) and not all(
        re.fullmatch(PLAIN, text.strip()) for text in texts
    )


def like_numbers(texts):
    """The first of some texts most of which are numbers with a sign or a unit beside them; `None` where most are not, or are codes."""
    found, forms = [], (PLAIN, *(style[0] for style in STYLES.values()))
    for text in texts:
        core, unit = taken_apart(text)
        unit = unit.split(" ")[0]
        is_unit = unit in UNITS or unit.lower() in _WORDS or not unit
        is_number = is_unit and any(re.fullmatch(form, core) for form in forms)
        if is_number and not re.fullmatch(CODE, core):
            found.append(text)
    is_plain = all(re.fullmatch(PLAIN, text.strip()) for text in found)
    return found[0] if len(found) > len(texts) / 2 and not is_plain else None


def of_most(column):
    """Whether each text of a pandas Series is in the unit that most of them are in."""
    own = column.map(lambda text: taken_apart(text)[1])
    return own == own.mode()[0]


def is_gap(text):
    """Whether a text stands for a missing number beside numbers."""
    return text.strip().lower() in GAPS


def in_parentheses(texts):
    """The first of some numbers that is in parentheses, as accountants write what is below 0; `None` where the others are none."""
    if not any("(" in text for text in texts):
        return None
    without = [re.sub(r"\(([^()]+)\)", r"\1", text) for text in texts]
    if any(
        re.fullmatch(r"[+-]?[\d., ]*\d[\d., ]*", taken_apart(text)[0]) is None for text in without
    ):
        return None
    inside = [text for text, changed in zip(texts, without) if text != changed]
    return inside[0] if 0 < len(inside) < len(texts) else None


def are_whole(values):
    """Whether the numbers of an array that are there are whole ones."""
    if values.dtype.kind in "iu":
        return True
    few = values[:1000]  # mostly they tell
    return all(((v == np.round(v)) | np.isnan(v)).all() for v in (few, values))


class TwoReadings(checks.InputError):
    """Numbers that can be read in two ways."""


def split_style(style):
    """A style as a key of `STYLES` or `"plain"`, its unit, and whether all numbers are whole: `"1,234.5; EUR; whole"`."""
    base, *more = style.split("; ")
    return base, "".join(part for part in more if part != "whole"), "whole" in more


def is_share(style):
    """Whether the numbers of a style are per cent or per mille: 0.12 may be meant as 12 %."""
    return is_style(style) and split_style(style)[1] in ("%", "‰")


def is_style(text):
    """Whether a text is the style of a column of numbers."""
    return isinstance(text, str) and split_style(text)[0] in ("plain", *STYLES)


def number_style(texts, decimal=None):
    """How some texts, all of which are numbers, are written.

    Args:
        texts: Different texts, or `Apart`, none of them a gap.
        decimal: `"."` or `","` where the caller says it.

    Returns:
        A key of `STYLES`, `"plain"`, or `None` where they are no numbers, or codes such as 007.

    Raises:
        InputError: They can be read in two ways.
    """
    apart = Apart.of(texts)
    cores = apart.cores
    if not cores or not all(map(DIGIT.search, apart.texts)) or any(map(_CODE.fullmatch, cores)):
        return None
    if decimal != "," and all(map(_PLAIN.fullmatch, cores)):
        return "plain" if common_unit(apart) is not None else None
    fitting = [
        name
        for name, (pattern, _, sign, _) in STYLES.items()
        if decimal in (None, sign) and all(re.fullmatch(pattern, text) for text in cores)
    ]
    if not fitting or common_unit(apart) is None:
        return None
    both = {"1,234.5", "1.234,5"} <= set(fitting)
    if both and all(re.fullmatch(_EITHER, t) for t in cores if "," in t):
        raise TwoReadings(
            f"{next(t for t in cores if ',' in t)!r} can be read in two ways: pass decimal='.' (--decimal .) where the comma "
            "stands between thousands, decimal=',' where it begins the fraction."
        )
    return fitting[0]


def to_numbers(texts, style):
    """Texts, or `Apart`, as numbers of a style, float64; NaN for a gap and for what is no number of it."""
    found = []
    style, _, _ = split_style(style)
    for text in Apart.of(texts).cores:
        if style != "plain":
            pattern, thousands, sign, _ = STYLES[style]
            text = re.sub(f"[{thousands}]" if len(thousands) == 1 else thousands, "", text) if re.fullmatch(pattern, text) else ""  # fmt: skip
            text = text.replace(sign, ".")
        found.append(float(text) if _PLAIN.fullmatch(text) else np.nan)
    return np.array(found, "float64")

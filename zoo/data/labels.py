"""Labels as people write them: spellings that are one, and several in one text."""

import re
import unicodedata

import numpy as np

from zoo.data import examples

LIST = re.compile(r"\[.*\]|\{.*\}|\(.*\)", re.DOTALL)  # as Python or JSON writes one


def warn_of_several(names):
    """Warns of class names that look like several labels in one text."""
    lists = [name for name in names if LIST.fullmatch(name)]
    if lists and len(lists) == len(names) and any("," in name for name in lists):
        _say_several(next(name for name in lists if "," in name), ",")
        return
    for separator in "|;,":
        parted = [name for name in names if separator in name]
        alone = {word.strip() for name in names for word in name.split(separator)}
        if len(parted) > 1 and len(alone) < len(names):
            _say_several(parted[0], separator)


def _say_several(name, separator):
    examples.log.warning(
        "classes such as %r look like several labels in one text: pass target_separator=%r (--target-separator %r)",
        name, separator, separator,
    )  # fmt: skip


def seen(text):
    """A label as it is seen: accents in one code (NFC), one space for several of any width, no signs of no width.

    >>> seen("  cafe\u0301\u00a0 au lait\u200b")
    'café au lait'
    """
    composed = re.sub("[\u00ad\u200b\u2060\ufeff]", "", unicodedata.normalize("NFC", text))
    return " ".join(composed.split())


def word(text):
    """What spellings of one label have in common; one letter in two sizes is two labels."""
    text = seen(text)
    return text.lower() if len(text) > 1 else text


def spellings(names, counts):
    """Labels without other spellings, and a function that gives each spelling of a word the label.

    Spellings differ in capitals, in spaces, in signs that are not seen, or in the code of accents; the most frequent one
    is the label, as it is seen. One letter in two sizes is two labels.

    Args:
        names: The different labels.
        counts: How often each occurs.
    """
    if names.dtype.kind != "U":
        return names, lambda given: given
    by_word = {}
    for name in names[np.argsort(-counts, kind="stable")].tolist():
        by_word.setdefault(word(name), []).append(name)
    for first, *others in by_word.values():
        if others:
            is_seen = len({seen(name) for name in (first, *others)}) > len(others)
            examples.log.warning(
                "labels that differ by %s alone are one: %s are %s",
                "capitals" if is_seen else "capitals, spaces or the code of accents",
                ", ".join(map(repr if is_seen else ascii, others)),
                repr(first) if is_seen else ascii(first),
            )
    labels = {word: seen(first) for word, (first, *_) in by_word.items()}

    def spelled(given):
        found = (labels.get(word(name), name) for name in given.tolist())
        return np.array(list(found), object).astype(str)

    return np.unique(list(labels.values())), spelled

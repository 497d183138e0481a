"""Titles of columns, as people write them, and the names that they have in signatures."""

import keyword

from zoo.models import checks


def column_name(text):
    """Turns a column's title into a name that fits a signature: `mean radius` → `mean_radius`, `class` → `class_`.

    >>> column_name("od280/od315_of_diluted_wines")
    'od280_od315_of_diluted_wines'
    """
    ascii_only = "".join(c if c.isascii() else f"u{ord(c):x}" for c in text.strip())
    name = "".join(c if c.isalnum() else "_" for c in ascii_only).strip("_")
    # A signature's inputs are arguments of Python functions, the first of which is `self`.
    return f"{name}_" if keyword.iskeyword(name) or name == "self" else name


def by_name(titles, wanted):
    """Name of `wanted` → the title that stands for it, once spaces and signs are gone; otherwise the one that differs in capitals.

    >>> by_name(["Review", "Mean radius"], ["review", "mean_radius"])
    {'review': 'Review', 'mean_radius': 'Mean radius'}
    """
    names, small, found = column_names(titles), [name.lower() for name in wanted], {}
    for name in wanted:
        alike = [t for t, given in zip(titles, names) if given == name]
        if not alike and small.count(name.lower()) == 1:
            alike = [t for t, given in zip(titles, names) if given.lower() == name.lower()]
        if len(alike) == 1:
            found[name] = alike[0]
    return found


def column_names(titles):
    """The names of columns by their titles, in order."""
    return [column_name(str(title)) for title in titles]


def check_titles(split, titles):
    """Refuses titles that leave no name for a signature, or the same one twice."""
    names = column_names(titles)
    if "" in names:
        raise checks.InputError(
            f"The column {titles[names.index('')]!r} of the {split} table has no letter or digit in its title: give it a name."
        )
    if double := sorted({title for title, name in zip(titles, names) if names.count(name) > 1}):
        raise checks.InputError(
            f"Columns of the {split} table have the same name once spaces and signs are gone: {', '.join(map(repr, double))}"
        )
